"""A message leaves only while the member allows it: what was planned before counts for nothing."""

from datetime import timedelta

import pytest

from campaigns import notes
from campaigns.channels import Letter
from campaigns.models import Message, MessageTemplate
from campaigns.services import messages
from campaigns.services.messages import deliver_due_messages, queue_messages, retry_message
from loyalty.models import Tier
from members.actors import SYSTEM, Actor
from members.models import Member, TimelineEntry
from members.services.consents import give_consent, resume_contact, stop_contact, withdraw_consent
from members.services.privacy import request_erasure
from tests.campaigns.given import NOON, a_member, a_rise

LATER = NOON + timedelta(minutes=1)


class Postbox:
    """A channel that keeps what it took, and may do something before it takes a letter."""

    missing_address = notes.NO_EMAIL

    def __init__(self) -> None:
        self.taken: list[Letter] = []

    def address_of(self, person: object) -> str:
        return "somewhere"

    def send(self, letter: Letter) -> None:
        self.taken.append(letter)


@pytest.fixture
def postbox(monkeypatch: pytest.MonkeyPatch) -> Postbox:
    box = Postbox()
    monkeypatch.setitem(messages.CHANNELS, "email", box)
    return box


@pytest.fixture
def queued() -> Member:
    """A member with a message that is due."""
    names = {"name": "金卡", "name_zh_hans": "金卡", "name_zh_hant": "金卡", "name_en": "Gold"}
    Tier.objects.update_or_create(code="gold", defaults=names, create_defaults={**names, "rank": 77})
    MessageTemplate.objects.update(channel="email")
    member = a_member(name="Ann", email="ann@example.com")
    queue_messages(entries=[a_rise(member)])
    assert Message.objects.get(member=member).state == "queued"
    return member


def said(member: Member) -> tuple[str, str]:
    return Message.objects.values_list("state", "note").get(member=member)


@pytest.mark.django_db
class TestAMessage:
    def test_leaves_while_nobody_objects(self, queued: Member, postbox: Postbox) -> None:
        assert deliver_due_messages(at=LATER).sent == 1
        assert len(postbox.taken) == 1

    def test_stays_when_consent_was_taken_back_after_it_was_planned(self, queued: Member, postbox: Postbox) -> None:
        withdraw_consent(
            member_id=queued.pk, purpose="service", channels=["email"], way="self", by=Actor("member", queued.pk), at=NOON
        )  # fmt: skip
        done = deliver_due_messages(at=LATER)
        assert (done.sent, done.skipped) == (0, 1)
        assert postbox.taken == []
        assert said(queued) == ("skipped", "not_allowed")
        assert not TimelineEntry.objects.filter(kind="campaigns.message_sent.v1").exists()

    def test_stays_when_all_contact_was_stopped(self, queued: Member, postbox: Postbox) -> None:
        stop_contact(member_id=queued.pk, way="call", by=SYSTEM, at=NOON)
        assert deliver_due_messages(at=LATER).skipped == 1
        assert postbox.taken == []

    def test_stays_when_the_member_wants_to_be_erased(self, queued: Member, postbox: Postbox) -> None:
        request_erasure(member_id=queued.pk, way="call", by=SYSTEM, at=NOON)
        assert deliver_due_messages(at=LATER).skipped == 1
        assert postbox.taken == []

    def test_leaves_in_other_channels(self, queued: Member, postbox: Postbox) -> None:
        withdraw_consent(member_id=queued.pk, purpose="service", channels=["sms"], way="self", by=SYSTEM, at=NOON)
        assert deliver_due_messages(at=LATER).sent == 1

    def test_of_marketing_needs_a_yes_that_still_holds_when_it_leaves(
        self, queued: Member, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(messages.PURPOSES, MessageTemplate.Occasion.TIER_RAISED, "marketing")
        assert deliver_due_messages(at=LATER).skipped == 1
        retry_message(message_id=Message.objects.get().pk, by=SYSTEM, at=LATER)
        yes = {"member_id": queued.pk, "purpose": "marketing", "channels": ["email"], "way": "self", "by": SYSTEM, "at": LATER}  # fmt: skip
        give_consent(**yes, version=1)  # type: ignore[arg-type]
        withdraw_consent(**yes)  # type: ignore[arg-type]
        assert deliver_due_messages(at=LATER).skipped == 1
        give_consent(**yes, version=1)  # type: ignore[arg-type]
        retry_message(message_id=Message.objects.get().pk, by=SYSTEM, at=LATER)
        assert deliver_due_messages(at=LATER).sent == 1
        assert len(postbox.taken) == 1

    def test_can_be_tried_again_after_the_stop_was_taken_back(self, queued: Member, postbox: Postbox) -> None:
        stop_contact(member_id=queued.pk, way="call", by=SYSTEM, at=NOON)
        deliver_due_messages(at=LATER)
        resume_contact(member_id=queued.pk, way="call", by=SYSTEM, at=LATER)
        retry_message(message_id=Message.objects.get().pk, by=SYSTEM, at=LATER)
        assert deliver_due_messages(at=LATER).sent == 1


class TestEveryOccasion:
    def test_says_what_its_messages_are_for_and_every_channel_which_way_it_takes(self) -> None:
        assert set(messages.PURPOSES) == set(MessageTemplate.Occasion)
        assert set(messages._WAYS) == set(MessageTemplate.Channel) == set(messages.CHANNELS)
