"""Merging two records of one person: whose details, who is found by what, and what stands in the way."""

from datetime import date, timedelta

import pytest

from members.actors import SYSTEM, Actor
from members.consents import is_allowed
from members.models import (
    Card,
    DuplicatePair,
    Identity,
    Member,
    MemberPerson,
    Merge,
    Operator,
    OwnMembership,
    TimelineEntry,
)
from members.own_accounts import OwnAccount
from members.personal_words import WordsNamePerson
from members.queries import family_ids, member_by_card, member_by_identity, member_by_number, member_by_phone
from members.services.cards import bind_card, make_batch
from members.services.consents import stop_contact
from members.services.duplicates import find_duplicates
from members.services.merging import (
    MergeInTheWay,
    MergeIsUndone,
    MergeOfOne,
    MergeReasonMissing,
    UnmergeTooLate,
    dismiss_pair,
    merge_members,
    unmerge_members,
)
from members.services.profile import ProfileChange, change_profile
from members.services.status import freeze_member
from members.services.tokens import MemberIsClosed, TokenExpired, authenticate_token, issue_member_token
from tests.factories.people import a_member
from tests.factories.times import at as moment_of

pytestmark = pytest.mark.django_db

AT = moment_of("2026-03-14 12:00")
DAY = timedelta(days=1)


def a_person(name: str = "", **details: object) -> Member:
    """Return a member with personal data."""
    member = a_member()
    MemberPerson.objects.create(member=member, full_name=name, **details)
    return member


def merged(kept: Member, other: Member, *take: str) -> Merge:
    return merge_members(kept_id=kept.pk, merged_id=other.pk, take=take, reason="one person", by=SYSTEM, at=AT)


def taken_apart(merge: Merge, days: int = 1) -> None:
    unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=AT + days * DAY)


def person(member: Member) -> MemberPerson:
    return MemberPerson.objects.get(pk=member.pk)


class TestMerge:
    def test_leads_from_every_old_name_to_the_survivor(self) -> None:
        kept, other = a_person(phone="+8613800138000"), a_person(phone="+8613900139000")
        Identity.objects.create(member=other, issuer="shop", value="C-77", linked_at=AT)
        merged(kept, other)
        found = member_by_phone("13900139000"), member_by_number(other.member_no), member_by_identity("shop", "C-77")
        assert [one.pk for one in found if one] == [kept.pk] * 3
        assert family_ids(kept.pk) == [kept.pk, other.pk]

    def test_takes_over_what_staff_chose_and_nothing_else(self) -> None:
        kept = a_person("王芳", phone="+8613800138000", birthday=date(1990, 1, 2))
        other = a_person("王方", phone="+8613900139000", birthday=date(1991, 1, 2))
        merged(kept, other, "phone", "birthday")
        assert (person(kept).full_name, person(kept).phone) == ("王芳", "+8613900139000")
        assert person(kept).birthday == date(1991, 1, 2)

    def test_signs_the_merged_member_out_and_closes_it(self) -> None:
        kept, other = a_person(), a_person()
        token = issue_member_token(member_id=other.pk, at=AT)
        merged(kept, other)
        with pytest.raises((TokenExpired, MemberIsClosed)):
            authenticate_token(secret=token.secret, at=AT)
        assert Member.objects.get(pk=other.pk).status == Member.Status.CLOSED

    def test_tells_both_without_anything_personal(self) -> None:
        kept, other = a_person("王芳", phone="+8613800138000"), a_person("王方")
        merged(kept, other)
        told = TimelineEntry.objects.filter(kind__startswith="members.merged")
        assert {entry.member_id for entry in told} == {kept.pk, other.pk}
        assert "王" not in str([entry.payload for entry in told])

    def test_is_refused_for_one_member_for_no_reason_and_for_who_is_not_active(self) -> None:
        kept, other = a_person(), a_person()
        with pytest.raises(MergeOfOne):
            merged(kept, kept)
        with pytest.raises(MergeReasonMissing):
            merge_members(kept_id=kept.pk, merged_id=other.pk, reason=" ", by=SYSTEM, at=AT)
        freeze_member(member_id=other.pk, reason="odd", by=SYSTEM, at=AT, release_at=AT + 3 * DAY)
        with pytest.raises(MergeInTheWay):
            merged(kept, other)
        assert not Merge.objects.exists()
        assert Member.objects.get(pk=other.pk).merged_into_id is None

    def test_and_its_end_are_refused_for_a_reason_that_names_either(self) -> None:
        kept, other = a_person("王芳"), a_person("王方方")
        with pytest.raises(WordsNamePerson):
            merge_members(kept_id=kept.pk, merged_id=other.pk, reason="同 王方方", by=SYSTEM, at=AT)
        assert not Merge.objects.exists()
        merge = merged(kept, other)
        with pytest.raises(WordsNamePerson):
            unmerge_members(merge_id=merge.pk, reason="不是 王方方", by=SYSTEM, at=AT)
        assert Member.objects.get(pk=other.pk).merged_into_id == kept.pk

    def test_is_refused_to_staff_whose_own_account_it_is(self) -> None:
        kept, other = a_person(), a_person()
        operator = Operator.objects.create_user("wang")
        OwnMembership.objects.create(operator=operator, member=other)
        with pytest.raises(OwnAccount):
            merge_members(kept_id=kept.pk, merged_id=other.pk, reason="me", by=Actor("operator", operator.pk), at=AT)
        merged(kept, other)
        assert OwnMembership.objects.filter(operator=operator, member=kept).exists()


class TestUnmerge:
    def test_gives_details_back(self) -> None:
        kept = a_person("王芳", phone="+8613800138000", email="a@example.com")
        other = a_person("王方", phone="+8613900139000")
        merge = merged(kept, other, "phone", "email", "full_name")
        assert person(kept).email is None
        taken_apart(merge)
        assert (person(kept).full_name, person(kept).phone, person(kept).email) == (
            "王芳",
            "+8613800138000",
            "a@example.com",
        )
        assert (person(other).full_name, person(other).phone) == ("王方", "+8613900139000")
        assert Member.objects.get(pk=other.pk).merged_into_id is None

    def test_leaves_what_was_changed_since_with_the_survivor(self) -> None:
        kept, other = a_person(phone="+8613800138000"), a_person(phone="+8613900139000")
        merge = merged(kept, other, "phone")
        change_profile(member_id=kept.pk, change=ProfileChange(phone="+8613700137000"), by=SYSTEM, at=AT + DAY)
        taken_apart(merge, days=2)
        assert (person(kept).phone, person(other).phone) == ("+8613700137000", None)

    def test_is_refused_twice_and_after_thirty_days(self) -> None:
        merge = merged(a_person(), a_person())
        with pytest.raises(UnmergeTooLate):
            taken_apart(merge, days=31)
        taken_apart(merge, days=30)
        with pytest.raises(MergeIsUndone):
            taken_apart(merge, days=30)


class TestDuplicates:
    def pairs(self) -> dict[tuple[int, int], tuple[int, list[str]]]:
        find_duplicates(at=AT)
        return {(one.first_id, one.second_id): (one.score, one.evidence) for one in DuplicatePair.objects.all()}

    @pytest.mark.parametrize(
        ("first", "second", "evidence"),
        [
            ({"phone": "+8613800138000"}, {"phone": "+85213800138000"}, "phone"),
            ({"email": "li.wei@gmail.com"}, {"email": "liwei+shop@gmail.com"}, "email"),
            (
                {"name": "李伟", "birthday": date(1990, 5, 1)},
                {"name": "李伟", "birthday": date(1990, 5, 1)},
                "name_birthday",
            ),
            (
                {"name": "李伟", "phone": "+8613800138000"},
                {"name": "李伟", "phone": "+8613911118000"},
                "name_phone_end",
            ),
        ],
    )
    def test_are_found_by_what_is_the_same(self, first: dict, second: dict, evidence: str) -> None:
        one, other = (a_person(details.pop("name", ""), **details) for details in (dict(first), dict(second)))
        for member in (one, other):
            MemberPerson.objects.filter(pk=member.pk, full_name="李伟").update(name_pinyin="liwei")
        ((pair, (score, found)),) = self.pairs().items()
        assert pair == (one.pk, other.pk)
        assert score >= 45
        assert evidence in found

    def test_are_found_by_a_unionid_under_two_accounts_and_by_a_phone_that_a_shop_uses_as_id(self) -> None:
        one, other, third = a_person(), a_person(phone="+8613800138000"), a_person()
        union = "oUnion_1234567890123456789012"
        for issuer, member in (("wx-a", one), ("wx-b", other)):
            Identity.objects.create(member=member, kind="wechat_unionid", issuer=issuer, value=union, linked_at=AT)
        Identity.objects.create(member=third, issuer="shop", value="138 0013 8000", linked_at=AT)
        found = self.pairs()
        assert found[one.pk, other.pk] == (90, ["unionid"])
        assert found[other.pk, third.pk] == (80, ["phone"])

    def test_are_not_made_of_what_many_share(self) -> None:
        for _ in range(11):
            a_person("测试", birthday=date(1900, 1, 1))
        assert self.pairs() == {}

    def test_stay_decided_and_go_when_nothing_speaks_for_them(self) -> None:
        people = [a_person("李伟", birthday=date(1990, 5, 1), name_pinyin="liwei") for _ in range(3)]
        assert len(self.pairs()) == 3
        pair = DuplicatePair.objects.earliest("id")
        dismiss_pair(pair_id=pair.pk, reason="twins", by=SYSTEM, at=AT)
        MemberPerson.objects.filter(pk=people[2].pk).update(full_name="李薇", name_pinyin="liwei2")
        assert len(self.pairs()) == 1
        assert DuplicatePair.objects.get().state == DuplicatePair.State.DISMISSED

    def test_are_closed_by_the_merge(self) -> None:
        one, other = (a_person("李伟", birthday=date(1990, 5, 1), name_pinyin="liwei") for _ in range(2))
        self.pairs()
        merged(one, other)
        self.pairs()
        assert DuplicatePair.objects.get().state == DuplicatePair.State.MERGED


class TestAfterAMerge:
    def test_the_old_card_opens_the_survivor(self) -> None:
        kept, other = a_person(), a_person()
        make_batch(name="Cards", prefix="6200", quantity=1, by=SYSTEM, at=AT)
        card = Card.objects.get()
        bind_card(member_id=other.pk, number=card.number, by=SYSTEM, at=AT)
        merged(kept, other)
        found = member_by_card(card.number)
        assert found is not None
        assert found.pk == kept.pk

    def test_a_phone_of_the_merged_record_is_the_survivors_own(self) -> None:
        kept, other = a_person(phone="+8613800138000"), a_person(phone="+8613900139000", email="a@example.com")
        merged(kept, other)
        change_profile(
            member_id=kept.pk, change=ProfileChange(phone="13900139000", email="a@example.com"), by=SYSTEM, at=AT
        )
        assert (person(kept).phone, person(kept).email) == ("+8613900139000", "a@example.com")
        assert (person(other).phone, person(other).email) == (None, None)

    def test_a_no_in_the_old_name_is_the_survivors(self) -> None:
        kept, other = a_person(), a_person()
        merged(kept, other)
        stop_contact(member_id=other.pk, way="call", by=SYSTEM, at=AT)
        assert not is_allowed(kept.pk, "service", "sms", at=AT)

    def test_the_own_no_outlives_the_merge(self) -> None:
        kept, other = a_person(), a_person()
        stop_contact(member_id=other.pk, way="call", by=SYSTEM, at=AT - DAY)
        merge = merged(kept, other)
        stop_contact(member_id=kept.pk, way="self", by=SYSTEM, at=AT)
        taken_apart(merge)
        assert not is_allowed(kept.pk, "service", "sms", at=AT + 2 * DAY)
