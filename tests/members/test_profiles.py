"""Who a member is: names elsewhere, the birthday, details that staff define, preferences, two people at one profile."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from members.actors import Actor
from members.facts import fact, values_for
from members.models import (
    AttributeChoice,
    AttributeValue,
    Identity,
    Member,
    MemberAttribute,
    MemberPerson,
    MemberPreference,
    OwnMembership,
    RecruitingSource,
    Region,
    TimelineEntry,
)
from members.own_accounts import OwnAccount
from members.profiles import completeness_of, details_of, regions_within
from members.services.details import ConsentRequired, DetailInvalid, DetailUnknown
from members.services.enrolment import InvalidBirthday, InviterUnknown, enrol_member
from members.services.identities import (
    MOST_IDENTITIES,
    IdentityInUse,
    InvalidIdentity,
    TooManyIdentities,
    link_identity,
    unlink_identity,
)
from members.services.preferences import QuietHoursInvalid, set_preferences
from members.services.profile import (
    BirthdayLocked,
    ProfileChange,
    ProfileChanged,
    birthday_locked_until,
    change_profile,
)
from members.services.status import ReasonMissing
from tests.factories.api import make_channel, make_member, make_store
from tests.factories.portal import an_operator

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
STAFF = Actor("operator", 7)
OPENID = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
Kind = Identity.Kind


@pytest.fixture
def member(db: None) -> Member:
    make_channel()
    return make_member(full_name="张三")


def an_attribute(kind: str, code: str = "thing", **details: Any) -> MemberAttribute:
    """Make a detail; with a list it offers tea, coffee and water."""
    attribute = MemberAttribute.objects.create(code=code, name=code.title(), purpose="To know", kind=kind, **details)
    if kind in ("choice", "choices"):
        for order, answer in enumerate(("tea", "coffee", "water")):
            AttributeChoice.objects.create(attribute=attribute, code=answer, name=answer.title(), order=order)
    return attribute


def tell(member: Member, *, by: Actor = STAFF, agreed: tuple[str, ...] = (), **details: Any) -> list[str]:
    change = ProfileChange(details=details, agreed=agreed)
    return change_profile(member_id=member.pk, change=change, by=by, at=AT)


class TestIdentities:
    def test_are_one_members_within_their_issuer(self, member: Member) -> None:
        made, known = link_identity(
            member_id=member.pk, kind=Kind.WECHAT_OPENID, issuer="wx1", value=OPENID, by=STAFF, at=AT
        )
        again, known_again = link_identity(
            member_id=member.pk, kind=Kind.WECHAT_OPENID, issuer="wx1", value=OPENID, by=STAFF, at=AT
        )
        assert (again, known, known_again) == (made, False, True)
        other = make_member()
        with pytest.raises(IdentityInUse):
            link_identity(member_id=other.pk, kind=Kind.WECHAT_OPENID, issuer="wx1", value=OPENID, by=STAFF, at=AT)
        link_identity(member_id=other.pk, kind=Kind.WECHAT_OPENID, issuer="wx2", value=OPENID, by=STAFF, at=AT)
        entries = TimelineEntry.objects.filter(kind="members.identity_linked.v1")
        assert [entry.payload for entry in entries.filter(member=member)] == [
            {"identity_kind": "wechat_openid", "issuer": "wx1"}
        ]
        assert OPENID not in str(list(entries.values_list("payload", flat=True)))

    @pytest.mark.parametrize("value", ["", " ", "short", "with space and more than twenty", "x" * 65])
    def test_of_wechat_have_their_form(self, member: Member, value: str) -> None:
        with pytest.raises(InvalidIdentity):
            link_identity(member_id=member.pk, kind=Kind.WECHAT_UNIONID, issuer="op1", value=value, by=STAFF, at=AT)
        with pytest.raises(IntegrityError), transaction.atomic():
            Identity.objects.create(member=member, kind="wechat_unionid", issuer="op1", value="short", linked_at=AT)
        assert not Identity.objects.exists()

    def test_are_forgotten_with_a_reason(self, member: Member) -> None:
        made, _known = link_identity(member_id=member.pk, kind=Kind.APP_USER, issuer="app", value="u1", by=STAFF, at=AT)
        with pytest.raises(ReasonMissing):
            unlink_identity(member_id=member.pk, identity_id=made.pk, reason="", by=STAFF, at=AT)
        unlink_identity(member_id=member.pk, identity_id=made.pk, reason="wrong account", by=STAFF, at=AT)
        assert not Identity.objects.exists()
        assert TimelineEntry.objects.filter(kind="members.identity_unlinked.v1").count() == 1

    def test_are_bounded(self, member: Member) -> None:
        for number in range(MOST_IDENTITIES):
            link_identity(member_id=member.pk, kind=Kind.EXTERNAL, issuer="shop", value=str(number), by=STAFF, at=AT)
        with pytest.raises(TooManyIdentities):
            link_identity(member_id=member.pk, kind=Kind.EXTERNAL, issuer="shop", value="x", by=STAFF, at=AT)


class TestTheOwnAccountOfStaff:
    """By what somebody is known decides whose orders and birthday gifts reach them."""

    @pytest.fixture
    def oneself(self, member: Member) -> Actor:
        operator = an_operator()
        OwnMembership.objects.create(operator=operator, member=member)
        return Actor("operator", operator.pk)

    @pytest.mark.parametrize(
        "change",
        [
            ProfileChange(phone="13900001111"), ProfileChange(phone=None), ProfileChange(email="a@example.com"),
            ProfileChange(full_name="李四", birthday=date(1990, 11, 21)),
        ],
    )  # fmt: skip
    def test_keeps_what_it_is_known_by(self, member: Member, oneself: Actor, change: ProfileChange) -> None:
        MemberPerson.objects.filter(member=member).update(phone="+8613800001111")
        with pytest.raises(OwnAccount):
            change_profile(member_id=member.pk, change=change, by=oneself, at=AT, may_correct_birthday=True)
        person = MemberPerson.objects.get(member=member)
        assert (person.phone, person.email, person.birthday) == ("+8613800001111", None, None)
        assert person.full_name == "张三"
        change_profile(member_id=member.pk, change=change, by=STAFF, at=AT)

    def test_lets_its_owner_write_the_rest(self, member: Member, oneself: Actor) -> None:
        phone = MemberPerson.objects.get(member=member).phone
        change = ProfileChange(full_name="李四", phone=phone, language="en")  # a form sends what is the same too
        assert "full_name" in change_profile(member_id=member.pk, change=change, by=oneself, at=AT)

    def test_gets_no_name_of_another_system(self, member: Member, oneself: Actor) -> None:
        with pytest.raises(OwnAccount):
            link_identity(member_id=member.pk, kind=Kind.EXTERNAL, issuer="shop", value="c1", by=oneself, at=AT)
        assert not Identity.objects.exists()
        other = make_member()
        link_identity(member_id=other.pk, kind=Kind.EXTERNAL, issuer="shop", value="c1", by=oneself, at=AT)


class TestTheBirthday:
    def change(
        self, member: Member, birthday: date | None, at: datetime, *, may_correct_birthday: bool = False
    ) -> list[str]:
        return change_profile(
            member_id=member.pk,
            change=ProfileChange(birthday=birthday),
            may_correct_birthday=may_correct_birthday,
            by=Actor("member", member.pk),
            at=at,
        )

    def test_is_told_freely_and_changed_once_a_year(self, member: Member) -> None:
        self.change(member, date(1990, 5, 1), AT)
        self.change(member, date(1990, 5, 2), AT)
        with pytest.raises(BirthdayLocked):
            self.change(member, date(1990, 5, 3), AT + timedelta(days=364))
        assert MemberPerson.objects.get(pk=member.pk).birthday == date(1990, 5, 2)
        assert birthday_locked_until(MemberPerson.objects.get(pk=member.pk)) == date(2027, 11, 20)
        self.change(member, date(1990, 5, 3), AT + timedelta(days=365))

    def test_is_not_changed_by_removing_it_first(self, member: Member) -> None:
        self.change(member, date(1990, 5, 1), AT)
        self.change(member, None, AT)
        with pytest.raises(BirthdayLocked):
            self.change(member, date(1990, 6, 1), AT)
        assert MemberPerson.objects.get(pk=member.pk).birthday is None

    def test_is_corrected_by_staff_who_may(self, member: Member) -> None:
        self.change(member, date(1990, 5, 1), AT)
        self.change(member, date(1990, 5, 2), AT)
        assert self.change(member, date(1990, 5, 3), AT, may_correct_birthday=True) == ["birthday"]

    def test_changed_on_29_february_opens_on_1_march(self, member: Member) -> None:
        leap = datetime(2028, 2, 29, 3, tzinfo=UTC)
        self.change(member, date(2000, 2, 29), leap)
        self.change(member, date(2000, 2, 28), leap)
        assert birthday_locked_until(MemberPerson.objects.get(pk=member.pk)) == date(2029, 3, 1)
        with pytest.raises(BirthdayLocked):
            self.change(member, date(2000, 2, 29), datetime(2029, 2, 28, 3, tzinfo=UTC))
        self.change(member, date(2000, 2, 29), datetime(2029, 3, 1, 3, tzinfo=UTC))

    def test_the_same_again_is_no_change(self, member: Member) -> None:
        self.change(member, date(1990, 5, 1), AT)
        assert self.change(member, date(1990, 5, 1), AT) == []
        assert MemberPerson.objects.get(pk=member.pk).birthday_changed_at is None

    @pytest.mark.parametrize("birthday", [date(1899, 12, 31), date(2026, 11, 21), date(2100, 1, 1)])
    def test_is_a_day_on_which_somebody_alive_was_born(self, member: Member, birthday: date) -> None:
        with pytest.raises(InvalidBirthday):
            self.change(member, birthday, AT)
        with pytest.raises(InvalidBirthday):
            enrol_member(channel_id=member.channel_id, birthday=birthday, by=STAFF, at=AT)
        assert Member.objects.count() == 1


class TestDetails:
    @pytest.mark.parametrize(
        ("kind", "given", "column", "kept"),
        [
            ("text", " two\nwords ", "text", "two words"), ("number", "12.50", "number", Decimal("12.50")),
            ("number", 3, "number", Decimal(3)), ("date", "2026-02-28", "date", date(2026, 2, 28)), ("yes_no", False, "flag", False),
            ("choice", "tea", "codes", ["tea"]), ("choices", ["water", "tea"], "codes", ["tea", "water"]),
        ],
    )  # fmt: skip
    def test_are_kept_by_their_type(self, member: Member, kind: str, given: Any, column: str, kept: Any) -> None:
        attribute = an_attribute(kind)
        assert tell(member, thing=given) == ["details"]
        assert getattr(AttributeValue.objects.get(), column) == kept
        assert tell(member, thing=given) == []
        entry = TimelineEntry.objects.get(kind="members.profile_changed.v1")
        assert entry.payload == {"fields": ["details"], "details": [attribute.pk]}
        assert details_of(member.pk)[0].words
        assert tell(member, thing=None) == ["details"]
        assert details_of(member.pk)[0].words == ""

    @pytest.mark.parametrize(
        ("kind", "given"),
        [
            ("text", 5), ("text", " \n"), ("number", "many"), ("number", True), ("number", "NaN"), ("number", "1.234"), ("number", "1e99"),
            ("number", "9" * 13), ("date", "2026-02-29"), ("date", 5), ("yes_no", "yes"), ("yes_no", 1), ("choice", "beer"),
            ("choice", ["tea"]), ("choices", "tea"), ("choices", ["tea", "beer"]), ("choices", [1]), ("choices", ["tea"] * 51),
            ("choices", {"tea": 1}),
        ],
    )  # fmt: skip
    def test_of_another_type_are_refused(self, member: Member, kind: str, given: Any) -> None:
        an_attribute(kind)
        with pytest.raises(DetailInvalid):
            tell(member, thing=given)
        assert not AttributeValue.objects.exists()
        member.refresh_from_db()
        assert member.profile_version == 1

    def test_that_are_sensitive_need_the_members_agreement(self, member: Member) -> None:
        an_attribute("text", sensitivity="sensitive")
        with pytest.raises(ConsentRequired):
            tell(member, thing="allergic")
        assert not AttributeValue.objects.exists()
        tell(member, thing="allergic", agreed=("thing",))
        assert AttributeValue.objects.get().agreed_at == AT
        assert tell(member, thing=None) == ["details"]

    def test_are_told_by_members_only_where_they_may(self, member: Member) -> None:
        an_attribute("text", is_open_to_members=False)
        an_attribute("text", code="gone", is_on=False)
        for by, code in ((Actor("member", member.pk), "thing"), (STAFF, "gone"), (STAFF, "unknown")):
            with pytest.raises(DetailUnknown):
                change_profile(member_id=member.pk, change=ProfileChange(details={code: "x"}), by=by, at=AT)
        assert tell(member, thing="x") == ["details"]

    def test_keep_one_type_in_the_database(self, member: Member) -> None:
        attribute = an_attribute("text")
        wrong: list[dict[str, Any]] = [{}, {"text": "a", "number": 1}, {"text": ""}, {"codes": []}]
        for columns in wrong:
            with pytest.raises(IntegrityError), transaction.atomic():
                AttributeValue.objects.create(member=member, attribute=attribute, changed_at=AT, **columns)

    def test_that_count_belong_to_a_complete_profile(self, member: Member) -> None:
        an_attribute("text", counts=True)
        assert completeness_of(member, details_of(member.pk)).percent == 16  # the name alone
        tell(member, thing="x")
        found = completeness_of(Member.objects.select_related("person").get(pk=member.pk), details_of(member.pk))
        assert found.percent == 33
        assert len(found.missing) == 4


class TestPreferences:
    def set(self, member: Member, **changes: Any) -> list[str]:
        wanted: dict[str, Any] = {
            "channels": ["wechat", "email"],
            "quiet_from": time(22),
            "quiet_to": time(8),
            "language": "en",
        }
        return set_preferences(member_id=member.pk, **(wanted | changes), by=STAFF, at=AT)

    def test_are_kept_in_the_order_told(self, member: Member) -> None:
        assert self.set(member, channels=["wechat", "email", "wechat"]) == [
            "channels", "language", "quiet_from", "quiet_to",
        ]  # fmt: skip
        preference = MemberPreference.objects.get()
        assert (preference.channels, preference.quiet_from, preference.quiet_to) == (
            ["wechat", "email"],
            time(22),
            time(8),
        )
        assert self.set(member) == []
        assert self.set(member, quiet_from=None, quiet_to=None) == ["quiet_from", "quiet_to"]

    @pytest.mark.parametrize(
        "hours", [{"quiet_from": None}, {"quiet_to": None}, {"quiet_from": time(8), "quiet_to": time(8)}]
    )
    def test_have_quiet_hours_with_two_ends(self, member: Member, hours: dict[str, Any]) -> None:
        with pytest.raises(QuietHoursInvalid):
            self.set(member, **hours)
        assert not MemberPreference.objects.exists()

    def test_are_not_written_over_a_newer_version(self, member: Member) -> None:
        self.set(member, expected_version=1)
        with pytest.raises(ProfileChanged):
            self.set(member, channels=[], expected_version=1)
        assert MemberPreference.objects.get().channels == ["wechat", "email"]


class TestTwoAtOneProfile:
    def test_the_second_does_not_undo_the_first(self, member: Member) -> None:
        change_profile(member_id=member.pk, change=ProfileChange(full_name="李四"), expected_version=1, by=STAFF, at=AT)
        with pytest.raises(ProfileChanged):
            change_profile(
                member_id=member.pk, change=ProfileChange(full_name="王五"), expected_version=1, by=STAFF, at=AT
            )
        assert MemberPerson.objects.get(pk=member.pk).full_name == "李四"
        assert (
            change_profile(
                member_id=member.pk, change=ProfileChange(full_name="李四"), expected_version=2, by=STAFF, at=AT
            )
            == []
        )
        member.refresh_from_db()
        assert member.profile_version == 2


class TestWhereMembersComeFrom:
    def test_a_new_member_names_store_region_source_and_inviter(self, member: Member) -> None:
        north = Region.objects.create(code="north", name="North")
        store = make_store()
        store.region = north
        store.save()
        source = RecruitingSource.objects.get(code="poster")
        made = enrol_member(
            channel_id=member.channel_id, home_store_id=store.pk, recruiting_source_id=source.pk, inviter_id=member.pk,
            by=STAFF, at=AT,
        )  # fmt: skip
        made = Member.objects.get(pk=made.pk)
        assert (made.joined_store, made.home_region, made.recruiting_source, made.inviter) == (
            store,
            north,
            source,
            member,
        )
        assert TimelineEntry.objects.get(member=made).payload == {
            "channel": member.channel_id, "store": store.pk, "source": source.pk, "inviter": member.pk,
        }  # fmt: skip

    def test_an_inviter_who_left_is_refused(self, member: Member) -> None:
        Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)
        for inviter in (member.pk, 0):
            with pytest.raises(InviterUnknown):
                enrol_member(channel_id=member.channel_id, inviter_id=inviter, by=STAFF, at=AT)
        assert Member.objects.count() == 1


@pytest.mark.django_db
class TestRegions:
    def test_hold_their_parts_to_any_depth(self) -> None:
        north = Region.objects.create(code="north", name="North")
        beijing = Region.objects.create(code="beijing", name="Beijing", parent=north)
        haidian = Region.objects.create(code="haidian", name="Haidian", parent=beijing)
        Region.objects.create(code="south", name="South")
        assert regions_within(north.pk) == [north.pk, beijing.pk, haidian.pk]
        assert regions_within(haidian.pk) == [haidian.pk]

    def test_do_not_lie_within_themselves(self) -> None:
        north = Region.objects.create(code="north", name="North")
        beijing = Region.objects.create(code="beijing", name="Beijing", parent=north)
        haidian = Region.objects.create(code="haidian", name="Haidian", parent=beijing)
        for parent in (north, beijing, haidian):
            with pytest.raises(IntegrityError), transaction.atomic():
                Region.objects.filter(pk=north.pk).update(parent=parent)
        north.refresh_from_db()
        assert north.parent is None


class TestFactsOfProfiles:
    def test_tell_the_region_the_source_and_the_details(self, member: Member) -> None:
        north = Region.objects.create(code="north", name="North")
        beijing = Region.objects.create(code="beijing", name="Beijing", parent=north)
        Region.objects.create(code="south", name="South")
        Member.objects.filter(pk=member.pk).update(
            home_region=beijing, recruiting_source=RecruitingSource.objects.get(code="poster")
        )
        for kind in ("number", "date", "yes_no", "choices"):
            an_attribute(kind, code=kind)
        tell(member, number=7, date="2026-02-03", yes_no=True, choices=["tea"])
        wanted = {
            "members.in_region?region=beijing": True, "members.in_region?region=north": True, "members.in_region?region=south": False,
            "members.recruiting_source": "poster", "members.was_invited": False,
            "members.detail_answer?answer=choices-tea": True, "members.detail_answer?answer=choices-water": False,
            "members.detail_number?detail=number": Decimal(7), "members.detail_date?detail=date": date(2026, 2, 3),
            "members.detail_yes?detail=yes_no": True, "members.detail_number?detail=date": None,
        }  # fmt: skip
        found = values_for(member.pk, wanted, AT)
        assert {key: found[key] for key in wanted} == wanted

    def test_take_the_region_of_the_home_store_where_the_member_has_none(self, member: Member) -> None:
        store = make_store()
        store.region = Region.objects.create(code="north", name="North")
        store.save()
        Member.objects.filter(pk=member.pk).update(home_store=store)
        assert values_for(member.pk, ["members.in_region?region=north"], AT)["members.in_region?region=north"] is True

    def test_never_tell_what_is_sensitive(self, member: Member) -> None:
        an_attribute("choices", code="health", sensitivity="sensitive")
        an_attribute("number", code="income", sensitivity="sensitive")
        tell(member, agreed=("health", "income"), health=["tea"], income=5)
        keys = ["members.detail_answer?answer=health-tea", "members.detail_number?detail=income"]
        found = values_for(member.pk, keys, AT)
        assert [found[key] for key in keys] == [False, None]
        for key in ("members.detail_answer", "members.detail_number"):
            (param,) = fact(key).params
            assert param.choices is not None
            assert not param.choices(None)
