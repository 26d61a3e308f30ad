"""First answers of many members at once are the same rows as one by one."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import F

from members.actors import Actor
from members.consents import is_allowed
from members.models import ConsentEntry, ConsentState, Member, MemberPerson, Purpose, TimelineEntry
from members.services.bulk_consents import FirstYes, give_first_consents
from members.services.consents import (
    ConsentChannelUnknown,
    GuardianNeeded,
    give_consent,
    publish_text,
    text_in_force,
)
from tests.factories.people import a_member
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
Way = ConsentEntry.Way


def rows_of(member: Member) -> dict[str, list[Any]]:
    """All that is kept of what a member said."""
    plain = ("purpose", "channel", "decision", "text_id", "way", "by_guardian", "actor_kind", "happened_at")
    states = ConsentState.objects.filter(member=member, entry__member=member, entry__channel=F("channel"))
    told = TimelineEntry.objects.filter(member=member, kind="members.consent_changed.v1")
    return {
        "entries": sorted(ConsentEntry.objects.filter(member=member).values_list(*plain)),
        "states": sorted(states.values_list("purpose", "channel", "is_given", "by_guardian", "since_at")),
        "told": sorted(str(row) for row in told.values_list("happened_at", "actor_kind", "payload")),
    }


def yes(member: Member, purpose: Purpose = Purpose.MARKETING, channels: tuple[str, ...] = ()) -> FirstYes:
    return FirstYes(member.pk, purpose, Way.SELF, Actor("member", member.pk), NOON, channels)


def born(day: date) -> Member:
    """A member with a birthday."""
    member = a_member()
    MemberPerson.objects.create(member=member, birthday=day)
    return member


@pytest.mark.django_db
class TestFirstYeses:
    def test_are_the_rows_of_one_by_one(self) -> None:
        one, other = a_member(), a_member()
        for purpose, channels in ((Purpose.MARKETING, ("sms", "wechat")), (Purpose.BEHAVIOUR, ())):
            give_consent(
                member_id=one.pk,
                purpose=purpose,
                channels=channels,
                version=1,
                way=Way.SELF,
                by=Actor("member", one.pk),
                at=NOON,
            )
        given = [yes(other, Purpose.MARKETING, ("sms", "wechat")), yes(other, Purpose.BEHAVIOUR)]
        assert give_first_consents(given=given) == 3
        assert rows_of(other) == rows_of(one)
        assert is_allowed(other.pk, Purpose.MARKETING, "sms", at=NOON)
        assert not is_allowed(other.pk, Purpose.MARKETING, "email", at=NOON)

    def test_of_nobody_are_nothing(self) -> None:
        assert give_first_consents(given=[]) == 0

    def test_name_the_words_that_were_in_force_then(self) -> None:
        body = {"zh_hans": "新", "zh_hant": "新", "en": "new"}
        publish_text(purpose=Purpose.RESEARCH, body=body, by=Actor("system"), at=NOON + timedelta(days=1))
        member = a_member()
        give_first_consents(given=[yes(member, Purpose.RESEARCH)])
        assert ConsentEntry.objects.get(member=member).text == text_in_force(Purpose.RESEARCH, NOON)

    def test_of_a_child_are_refused_and_nothing_is_written(self) -> None:
        adult, child = a_member(), born(date(2012, 3, 16))
        with pytest.raises(GuardianNeeded):
            give_first_consents(given=[yes(adult), yes(child)])
        assert not ConsentEntry.objects.exists()

    def test_of_a_member_on_the_fourteenth_birthday_are_taken(self) -> None:
        member = born(date(2012, 3, 15))
        give_first_consents(given=[yes(member, Purpose.RESEARCH)])
        assert is_allowed(member.pk, Purpose.RESEARCH, at=NOON)

    def test_in_a_channel_that_the_purpose_does_not_have_are_refused(self) -> None:
        member = a_member()
        with pytest.raises(ConsentChannelUnknown):
            give_first_consents(given=[yes(member, Purpose.SHARING, ("sms",))])
        assert not ConsentEntry.objects.exists()

    def test_of_who_answered_before_are_an_error(self) -> None:
        member = a_member()
        give_first_consents(given=[yes(member)])
        with pytest.raises(IntegrityError, match="consent_has_one_state"):
            give_first_consents(given=[yes(member)])
