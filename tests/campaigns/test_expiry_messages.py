"""Members are told before points expire, and rewards is told whether they could be reached."""

from datetime import date, datetime, timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import notes
from campaigns.channels import NotDelivered
from campaigns.models import Message, MessageTemplate
from campaigns.services import messages
from campaigns.services.messages import Delivery, deliver_due_messages, queue_messages, retry_message
from loyalty.periods import business_date, end_of_day
from members.actors import SYSTEM
from members.models import Member, MemberPerson, TimelineEntry
from members.timeline import relay
from rewards.events import POINTS_EXPIRING
from rewards.models import ExpiryWarning, Lot, PointsCurrency, WarningReceipt
from rewards.services.expiry_warnings import warn_of_expiry
from rewards.services.extensions import extend_unreached
from tests.campaigns.given import an_entry
from tests.campaigns.test_messages import FAILED, QUEUED, SKIPPED, Postbox, state_of
from tests.factories.portal import signed_in
from tests.factories.times import SHANGHAI, at
from tests.rewards.expiry_given import a_policy, holder

WARNED = at("2026-03-24 09:00")
NOON = at("2026-03-24 12:00")
DELIVERED, UNREACHABLE = WarningReceipt.Outcome.DELIVERED, WarningReceipt.Outcome.UNREACHABLE


@pytest.fixture
def postbox(monkeypatch: pytest.MonkeyPatch) -> Postbox:
    box = Postbox()
    monkeypatch.setitem(messages.CHANNELS, "email", box)
    return box


def a_holder(
    points: int = 1_234, *, email: str | None = "ann@example.com", language: str = "en", until: date = date(2026, 3, 31)
) -> Member:
    """Return a member whose points can be spent through a day, the end of March unless told otherwise."""
    member = holder(points, until=until.isoformat())
    Member.objects.filter(pk=member.pk).update(language=language)
    MemberPerson.objects.create(member=member, full_name="Ann Lee", email=email)
    return member


def warned(moment: datetime = WARNED) -> list[TimelineEntry]:
    """Warn of what expires; return the entries as a subscriber gets them at that moment."""
    warn_of_expiry(at=moment, by=SYSTEM)
    entries = list(TimelineEntry.objects.filter(kind=POINTS_EXPIRING, happened_at=moment).order_by("pk"))
    for entry in entries:
        entry.recorded_at = moment
    return entries


def outcomes() -> list[str]:
    return list(WarningReceipt.objects.order_by("pk").values_list("outcome", flat=True))


@pytest.mark.django_db
class TestAWarning:
    def test_becomes_one_message_with_figures_alone(self) -> None:
        member = a_holder()
        entries = warned()
        queue_messages(entries=entries)
        queue_messages(entries=entries)
        message = Message.objects.get()
        warning = ExpiryWarning.objects.get()
        assert (message.member_id, message.occurrence) == (member.pk, f"expiry_warning:{warning.pk}")
        assert message.figures == {
            "warning": warning.pk, "points": 1_234, "currency": warning.currency_id, "expires_on": "2026-03-31",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("language", "title", "words"),
        [
            ("en", "1,234 Points are about to expire", ["Dear Ann Lee,", "until the end of March 31, 2026."]),
            ("zh-hans", "您有 1,234 积分即将过期", ["Ann Lee，您好", "将于 2026年3月31日 过期"]),
            ("zh-hant", "您有 1,234 積分即將到期", ["Ann Lee，您好", "將於 2026年3月31日 到期"]),
        ],
    )
    def test_is_told_in_the_members_language(self, language: str, title: str, words: list[str]) -> None:
        PointsCurrency.objects.filter(code="points").update(name_en="Points")
        a_holder(language=language)
        queue_messages(entries=warned())
        assert deliver_due_messages(at=NOON) == Delivery(sent=1)
        (letter,) = mail.outbox
        assert (letter.subject, letter.to) == (title, ["ann@example.com"])
        assert all(part in letter.body for part in words)
        assert "{" not in letter.body

    def test_tells_how_many_days_are_left_not_how_many_ahead_it_is_due(self, postbox: Postbox) -> None:
        MessageTemplate.objects.update(body_en="{days}")
        a_holder()
        queue_messages(entries=warned(at("2026-03-27 09:00")))  # the run of the seventh day ahead was missed
        deliver_due_messages(at=at("2026-03-28 09:00"))
        assert ExpiryWarning.objects.get().days == 7
        assert postbox.taken[0].body == "3"

    def test_is_told_in_the_decimals_of_its_currency(self, postbox: Postbox) -> None:
        PointsCurrency.objects.filter(code="points").update(exponent=2)
        a_holder(123_405)
        queue_messages(entries=warned())
        deliver_due_messages(at=NOON)
        assert "1,234.05" in postbox.taken[0].title

    def test_is_not_told_when_it_is_history_or_the_member_is_frozen(self) -> None:
        frozen = a_holder()
        Member.objects.filter(pk=frozen.pk).update(status="frozen")
        payload: dict[str, Any] = {"points": 5, "expires_on": "2026-03-31", "days": 7, "warning": 1, "currency": 1}
        late = an_entry(
            POINTS_EXPIRING, a_holder(email="b@example.com").pk, WARNED, recorded_at=NOON + timedelta(days=3), **payload
        )
        queue_messages(entries=[*[entry for entry in warned() if entry.member_id == frozen.pk], late])
        assert not Message.objects.exists()

    def test_comes_too_late_once_the_points_are_gone(self, postbox: Postbox) -> None:
        member = a_holder()
        queue_messages(entries=warned(at("2026-03-31 09:00")))
        assert deliver_due_messages(at=at("2026-04-01 00:10")) == Delivery(skipped=1)
        assert state_of(member)[:2] == (SKIPPED, notes.TOO_LATE)
        assert postbox.asked == 0


@pytest.mark.django_db
class TestTheReceipt:
    def test_of_a_message_that_was_sent_says_delivered_once(self, postbox: Postbox) -> None:
        a_holder()
        queue_messages(entries=warned())
        deliver_due_messages(at=NOON)
        deliver_due_messages(at=NOON + timedelta(hours=5))
        receipt = WarningReceipt.objects.get()
        assert (receipt.outcome, receipt.happened_at, receipt.warning_id) == (
            DELIVERED,
            NOON,
            ExpiryWarning.objects.get().pk,
        )

    def test_is_written_with_the_state_of_the_message_or_not_at_all(
        self, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = a_holder()
        queue_messages(entries=warned())

        def fail(*_entries: object) -> None:
            raise RuntimeError("the timeline is gone")

        monkeypatch.setattr(messages, "record", fail)
        with pytest.raises(RuntimeError):
            deliver_due_messages(at=NOON)
        assert (state_of(member)[0], outcomes()) == (QUEUED, [])

    def test_of_a_member_without_an_address_says_not_reached(self) -> None:
        a_holder(email=None)
        queue_messages(entries=warned())
        assert deliver_due_messages(at=NOON) == Delivery(skipped=1)
        assert outcomes() == [UNREACHABLE]

    def test_of_a_mailbox_that_does_not_exist_says_not_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_args: object, **_options: object) -> int:
            raise SMTPRecipientsRefused({"ann@example.com": (550, b"no such user")})

        monkeypatch.setattr(mail.EmailMessage, "send", refuse)
        member = a_holder()
        queue_messages(entries=warned())
        assert deliver_due_messages(at=NOON) == Delivery(failed=1)
        assert (state_of(member)[:2], outcomes()) == ((FAILED, notes.NOT_ACCEPTED), [UNREACHABLE])

    def test_waits_until_the_last_attempt(self, postbox: Postbox) -> None:
        a_holder()
        queue_messages(entries=warned())
        postbox.answers = [NotDelivered(lasting=False)] * 5
        moment = NOON
        for wait in messages.WAITS:
            assert deliver_due_messages(at=moment) == Delivery(postponed=1)
            assert outcomes() == []
            moment += wait
        assert deliver_due_messages(at=moment) == Delivery(failed=1)
        assert outcomes() == [UNREACHABLE]

    def test_of_a_second_try_that_arrives_says_delivered_beside_it(self, postbox: Postbox) -> None:
        a_holder()
        queue_messages(entries=warned())
        postbox.answers = [NotDelivered(lasting=True)]
        deliver_due_messages(at=NOON)
        later = NOON + timedelta(hours=1)
        retry_message(message_id=Message.objects.get().pk, by=SYSTEM, at=later)
        assert deliver_due_messages(at=later) == Delivery(sent=1)
        assert outcomes() == [UNREACHABLE, DELIVERED]

    @pytest.mark.parametrize(
        ("change", "note"),
        [({"is_active": False}, notes.TEMPLATE_NOT_IN_USE), ({"body_en": "{name.__class__}"}, notes.TEXT_NOT_READY)],
    )
    def test_is_not_written_where_staff_stand_in_the_way(self, change: dict, note: str, postbox: Postbox) -> None:
        member = a_holder()
        queue_messages(entries=warned())
        MessageTemplate.objects.update(**change)
        deliver_due_messages(at=NOON)
        assert (state_of(member)[1], outcomes()) == (note, [])

    def test_is_not_written_for_a_member_who_left(self, postbox: Postbox) -> None:
        member = a_holder()
        queue_messages(entries=warned())
        Member.objects.filter(pk=member.pk).update(status="closed")
        deliver_due_messages(at=NOON)
        assert (state_of(member)[1], outcomes()) == (notes.MEMBER_NOT_ACTIVE, [])

    def test_is_no_matter_of_other_messages(self, postbox: Postbox) -> None:
        member = a_holder()
        rise = an_entry("loyalty.tier_raised.v1", member.pk, NOON, change=1, to="gold", credits=1, valid_until=None)
        queue_messages(entries=[rise])
        assert deliver_due_messages(at=NOON) == Delivery(sent=1)
        assert outcomes() == []


class TestFromTheTimeline:
    def test_to_the_extension_of_who_could_not_be_reached(self, committed_db: str) -> None:
        """Nothing is called by hand: the warning, the timeline, the outbox, the receipt, the extension."""
        a_policy("end_of_month", months=12, extend_unreached_days=30)
        now = timezone.now()
        last = business_date(now, SHANGHAI) + timedelta(days=7)
        reached, silent = a_holder(100, until=last), a_holder(200, email=None, until=last)
        assert warn_of_expiry(at=now, by=SYSTEM).warnings == 2
        for _again in range(2):
            relay(at=timezone.now(), name="campaigns.messages")
            deliver_due_messages(at=timezone.now())
        assert [letter.to for letter in mail.outbox] == [["ann@example.com"]]
        receipts = WarningReceipt.objects.select_related("warning")
        assert {receipt.warning.member_id: receipt.outcome for receipt in receipts} == {
            reached.pk: DELIVERED, silent.pk: UNREACHABLE,
        }  # fmt: skip
        assert extend_unreached(at=end_of_day(last, SHANGHAI) - timedelta(hours=12), by=SYSTEM) == 200
        ends = dict(Lot.objects.values_list("member_id", "expires_at"))
        assert ends[reached.pk] == end_of_day(last, SHANGHAI)
        assert ends[silent.pk] == end_of_day(last + timedelta(days=30), SHANGHAI)
        assert WarningReceipt.objects.get(outcome="extended").extended_to_date == last + timedelta(days=30)


@pytest.mark.django_db
class TestItsPage:
    def page(self) -> str:
        template = MessageTemplate.objects.get(occasion="points_expiring")
        return reverse("admin:campaigns_messagetemplate_change", args=[template.pk])

    def client(self) -> Client:
        return signed_in("administrator")

    def test_says_when_it_is_sent_and_what_can_be_filled_in(self) -> None:
        text = self.client().get(self.page()).text
        assert "Sent for each expiry warning" in text
        assert "{days} {last_day} {name} {points} {points_name} {programme}" in text

    def test_refuses_a_placeholder_of_another_occasion(self) -> None:
        answer = self.client().post(
            self.page(),
            {"channel": "email", "title_en": "Your {tier}", "body_en": "x", "title_zh_hans": "a", "body_zh_hans": "b"},
        )
        assert "There is no placeholder {tier} here." in answer.text

    def test_is_seen_by_finance_and_changed_by_marketing(self) -> None:
        assert signed_in("finance").get(self.page()).status_code == 200
        body = {
            "channel": "console", "is_active": "on", "title_zh_hans": "积分{points}将过期", "body_zh_hans": "{last_day}",
            "title_zh_hant": "積分", "body_zh_hant": "{last_day}", "title_en": "Points", "body_en": "{last_day}",
        }  # fmt: skip
        assert signed_in("finance").post(self.page(), body).status_code == 403
        assert signed_in("marketing").post(self.page(), body).status_code == 302
        assert MessageTemplate.objects.get(occasion="points_expiring").channel == "console"
