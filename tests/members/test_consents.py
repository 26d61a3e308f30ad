"""Consent: a ledger of yes and no, what is in force of it, and whoever asks before they write to somebody."""

import random
from datetime import date, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from members.actors import SYSTEM, Actor
from members.consents import ALLOWED_UNTIL_NO, CHANNELS_OF, allowed, is_allowed, reach
from members.facts import FactValue, values_for
from members.lifecycle import Merge
from members.models import ConsentEntry, ConsentState, ConsentText, MemberPerson, Purpose, TimelineEntry
from members.services.consents import (
    ConsentChannelUnknown,
    ConsentTextOutdated,
    GuardianNeeded,
    PurposeUnknown,
    TextUnchanged,
    give_consent,
    give_refusals_back,
    is_child,
    publish_text,
    resume_contact,
    stop_contact,
    take_over_refusals,
    text_in_force,
    withdraw_consent,
)
from members.services.privacy import request_erasure, take_back_erasure
from tests.factories.people import a_member
from tests.factories.times import at

NOON = at("2026-07-05 12:00")
LATER = NOON + timedelta(hours=1)
CLERK = Actor("operator", None)


def say_yes(member_id: int, *channels: str, purpose: str = "marketing", when=NOON, version: int = 1, **more: object):  # type: ignore[no-untyped-def]
    return give_consent(
        member_id=member_id, purpose=purpose, channels=channels, version=version, way="self", by=Actor("member", member_id), at=when, **more  # type: ignore[arg-type]
    )  # fmt: skip


def fact_value(member_id: int, key: str) -> FactValue:
    return values_for(member_id, [key], NOON)[key]


def say_no(member_id: int, *channels: str, purpose: str = "marketing", when=LATER):  # type: ignore[no-untyped-def]
    return withdraw_consent(
        member_id=member_id, purpose=purpose, channels=channels, way="self", by=Actor("member", member_id), at=when
    )


@pytest.mark.django_db
class TestAYes:
    def test_is_needed_for_offers_in_each_channel_by_itself(self) -> None:
        member = a_member()
        assert not is_allowed(member.pk, "marketing", "sms", at=NOON)
        assert say_yes(member.pk, "sms").channels == ("sms",)
        assert is_allowed(member.pk, "marketing", "sms", at=NOON)
        assert not is_allowed(member.pk, "marketing", "email", at=NOON)

    def test_is_kept_with_the_words_that_were_seen(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        entry = ConsentEntry.objects.get(member=member)
        assert entry.text == text_in_force("marketing", NOON)
        assert (entry.decision, entry.way, entry.actor_kind, entry.happened_at) == ("given", "self", "member", NOON)

    def test_said_again_writes_nothing(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        again = say_yes(member.pk, "sms", when=LATER)
        assert again.repeated
        assert ConsentEntry.objects.filter(member=member).count() == 1
        assert TimelineEntry.objects.filter(member=member, kind="members.consent_changed.v1").count() == 1

    def test_without_channels_is_one_to_all_of_them(self) -> None:
        member = a_member()
        assert say_yes(member.pk).channels == CHANNELS_OF["marketing"]

    def test_to_words_that_are_no_longer_in_force_is_refused(self) -> None:
        member = a_member()
        publish_text(purpose="marketing", body={"zh_hans": "新", "zh_hant": "新", "en": "New"}, by=SYSTEM, at=NOON)
        with pytest.raises(ConsentTextOutdated) as refused:
            say_yes(member.pk, "sms", version=1)
        assert refused.value.params == {"version": 2}
        assert not ConsentEntry.objects.filter(member=member).exists()
        assert say_yes(member.pk, "sms", version=2).channels == ("sms",)

    def test_to_new_words_is_an_entry_of_its_own(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        publish_text(purpose="marketing", body={"zh_hans": "新", "zh_hant": "新", "en": "New"}, by=SYSTEM, at=NOON)
        assert is_allowed(member.pk, "marketing", "sms", at=LATER), "what was agreed to stays agreed to"
        assert say_yes(member.pk, "sms", version=2, when=LATER).channels == ("sms",)
        assert ConsentEntry.objects.filter(member=member).count() == 2

    def test_of_a_child_needs_a_guardian(self) -> None:
        child = a_member()
        MemberPerson.objects.create(member=child, birthday=date(2012, 7, 6))
        with pytest.raises(GuardianNeeded) as refused:
            say_yes(child.pk, "sms")
        assert refused.value.params == {"years": 14}
        assert not ConsentEntry.objects.filter(member=child).exists()
        say_yes(child.pk, "sms", by_guardian=True)
        assert is_allowed(child.pk, "marketing", "sms", at=NOON)

    def test_of_somebody_who_turns_out_to_be_a_child_does_not_count(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        MemberPerson.objects.create(member=member, birthday=date(2012, 7, 6))
        assert not is_allowed(member.pk, "marketing", "sms", at=NOON)
        assert is_allowed(member.pk, "marketing", "sms", at=at("2026-07-06 00:00")), "fourteen on that day"

    @pytest.mark.parametrize(("birthday", "is_so"), [(date(2012, 2, 29), False), (date(2012, 7, 5), False), (date(2012, 7, 6), True), (None, False)])  # fmt: skip
    def test_counts_years_by_the_calendar(self, birthday: date | None, is_so: bool) -> None:
        member = a_member()
        MemberPerson.objects.create(member=member, birthday=birthday)
        assert is_child(member.pk, NOON) is is_so

    def test_in_a_channel_that_the_purpose_does_not_have_is_refused(self) -> None:
        member = a_member()
        with pytest.raises(ConsentChannelUnknown):
            say_yes(member.pk, "post", purpose="service")
        with pytest.raises(PurposeUnknown):
            say_yes(member.pk, purpose="fun")


@pytest.mark.django_db
class TestANo:
    def test_holds_at_once(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms", "email")
        say_no(member.pk, "sms")
        assert not is_allowed(member.pk, "marketing", "sms", at=LATER)
        assert is_allowed(member.pk, "marketing", "email", at=LATER)

    def test_ends_what_was_allowed_without_asking(self) -> None:
        member = a_member()
        assert is_allowed(member.pk, "service", "sms", at=NOON)
        assert is_allowed(member.pk, "personalisation", at=NOON)
        say_no(member.pk, "sms", purpose="service")
        say_no(member.pk, purpose="personalisation")
        assert not is_allowed(member.pk, "service", "sms", at=LATER)
        assert not is_allowed(member.pk, "personalisation", at=LATER)

    def test_to_everything_stops_all_contact_and_keeps_the_single_answers(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        stop_contact(member_id=member.pk, way="call", by=CLERK, at=LATER)
        assert not is_allowed(member.pk, "marketing", "sms", at=LATER)
        assert not is_allowed(member.pk, "service", "email", at=LATER)
        assert is_allowed(member.pk, "personalisation", at=LATER), "it concerns contact only"
        resume_contact(member_id=member.pk, way="call", by=CLERK, at=LATER + timedelta(minutes=1))
        assert is_allowed(member.pk, "marketing", "sms", at=LATER)

    def test_is_kept_for_ever(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        for change in ("UPDATE members_consententry SET decision = 'given'", "DELETE FROM members_consententry"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(change)

    def test_follows_from_the_wish_to_be_erased(self) -> None:
        member = a_member()
        say_yes(member.pk, "sms")
        request_erasure(member_id=member.pk, way="call", by=CLERK, at=NOON)
        assert not is_allowed(member.pk, "marketing", "sms", at=LATER)
        assert not is_allowed(member.pk, "personalisation", at=LATER)
        take_back_erasure(member_id=member.pk, by=CLERK, at=LATER)
        assert is_allowed(member.pk, "marketing", "sms", at=LATER)


@pytest.mark.django_db
class TestTheAnswersToAWholeAudience:
    def test_are_those_of_each_member_by_itself_after_any_history(self) -> None:
        chance = random.Random(4)
        members = [a_member() for _number in range(12)]
        for member in members[:3]:
            MemberPerson.objects.create(member=member, birthday=date(2013, 1, 1))
        expected: dict[tuple[int, str, str], bool] = {}
        stopped: set[int] = set()
        for step in range(300):
            member = chance.choice(members)
            purpose = chance.choice([*Purpose])
            channel = chance.choice(CHANNELS_OF.get(purpose, ("",)))
            key = (member.pk, str(purpose), str(channel))
            when = NOON + timedelta(seconds=step)
            if chance.random() < 0.6:
                try:
                    by_guardian = chance.random() < 0.5
                    say_yes(member.pk, channel, purpose=purpose, when=when, by_guardian=by_guardian)
                except GuardianNeeded:
                    continue
                expected[key] = True
            else:
                say_no(member.pk, channel, purpose=purpose, when=when)
                expected[key] = False
            if purpose == Purpose.CONTACT:
                (stopped.discard if expected[key] else stopped.add)(member.pk)
        ids = [member.pk for member in members]
        for purpose in Purpose:
            counted = reach(
                "SELECT id FROM members_member WHERE id = ANY (%(ids)s)", {"ids": ids}, purpose=purpose, at=LATER
            )
            for channel in CHANNELS_OF.get(purpose, ("",)):
                wanted = {
                    pk
                    for pk in ids
                    if expected.get((pk, str(purpose), str(channel)), purpose in ALLOWED_UNTIL_NO)
                    and not (pk in stopped and purpose in ("service", "marketing", "research"))
                }
                assert allowed(ids, purpose, channel, LATER) == wanted, (purpose, channel)
                assert counted[channel] == len(wanted), (purpose, channel)
        states = {
            (state.member_id, state.purpose, state.channel): state.is_given for state in ConsentState.objects.all()
        }
        assert states == expected

    def test_of_those_chosen_by_what_they_did_leave_out_who_does_not_want_that(self) -> None:
        members = [a_member() for _number in range(4)]
        for member in members:
            say_yes(member.pk, "sms")
        say_no(members[0].pk, purpose="personalisation")
        say_no(members[1].pk, "sms")
        everybody = "SELECT id FROM members_member"

        def counted(are_chosen: bool) -> int:
            return reach(everybody, {}, purpose="marketing", at=LATER, channels=["sms"], are_chosen=are_chosen)["sms"]

        assert (counted(False), counted(True)) == (3, 2)
        say_yes(members[0].pk, purpose="personalisation", when=LATER)
        assert counted(True) == 3

    def test_take_one_statement(self, django_assert_num_queries: object) -> None:
        members = [a_member() for _number in range(3)]
        say_yes(members[0].pk, "sms")
        is_allowed(members[0].pk, "marketing", "sms", at=NOON)  # reads the programme
        with django_assert_num_queries(1):  # type: ignore[operator]
            assert allowed([member.pk for member in members], "marketing", "sms", NOON) == {members[0].pk}
        with django_assert_num_queries(0):  # type: ignore[operator]
            assert allowed([], "marketing", "sms", NOON) == set()

    def test_are_facts_for_segments(self) -> None:
        member = a_member()
        assert fact_value(member.pk, "members.marketing_allowed?channel=sms") is False
        say_yes(member.pk, "sms")
        assert fact_value(member.pk, "members.marketing_allowed?channel=sms") is True
        assert fact_value(member.pk, "members.personalisation_allowed") is True


@pytest.mark.django_db
class TestTexts:
    def test_exist_for_every_purpose_in_every_language_from_the_beginning(self) -> None:
        for purpose in Purpose:
            text = text_in_force(purpose, NOON)
            assert text is not None
            assert all(getattr(text, f"body_{suffix}") for suffix in ("zh_hans", "zh_hant", "en"))

    def test_are_replaced_by_new_versions_only(self) -> None:
        body = {"zh_hans": "甲", "zh_hant": "甲", "en": "A"}
        assert publish_text(purpose="marketing", body=body, by=SYSTEM, at=NOON).version == 2
        with pytest.raises(TextUnchanged):
            publish_text(purpose="marketing", body=body, by=SYSTEM, at=LATER)
        assert ConsentText.objects.filter(purpose="marketing").count() == 2


@pytest.mark.django_db
class TestAMerge:
    def test_keeps_the_strictest_answers_and_gives_them_back(self) -> None:
        kept, merged = a_member(), a_member()
        say_yes(kept.pk, "sms", "email")
        say_yes(merged.pk, "wechat")
        say_no(merged.pk, "sms")
        stop_contact(member_id=merged.pk, way="call", by=CLERK, at=LATER)
        before = {(s.purpose, s.channel): s.is_given for s in ConsentState.objects.filter(member=kept)}
        merge = Merge(1, kept.pk, merged.pk, SYSTEM, LATER + timedelta(minutes=1))
        memo = take_over_refusals(merge)
        now = LATER + timedelta(minutes=2)
        assert not is_allowed(kept.pk, "marketing", "email", at=now), "the merged one wanted no contact"
        after = {(s.purpose, s.channel): s.is_given for s in ConsentState.objects.filter(member=kept)}
        assert after == before | {("marketing", "sms"): False, ("contact", ""): False}
        give_refusals_back(Merge(1, kept.pk, merged.pk, SYSTEM, now), memo)
        assert {(s.purpose, s.channel): s.is_given for s in ConsentState.objects.filter(member=kept)} == before
        assert not is_allowed(merged.pk, "marketing", "wechat", at=now)
