"""Joining, changing a profile, freezing: each fact once, whoever else is at it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Channel, Identity, Member, MemberPerson, MemberToken, TimelineEntry
from members.phones import InvalidPhone
from members.queries import (
    member_by_email,
    member_by_identity,
    member_by_number,
    member_by_phone,
    members_matching,
    programme,
)
from members.refusals import MembersRefusal
from members.services.enrolment import EmailInUse, InvalidEmail, PhoneInUse, enrol_member
from members.services.profile import ProfileChange, change_profile
from members.services.status import AlreadyFrozen, NotFrozen, ReasonMissing, freeze_member, unfreeze_member
from members.services.tokens import (
    MemberIsFrozen,
    TokenExpired,
    authenticate_token,
    issue_member_token,
    revoke_token,
)
from tests.factories.api import make_channel, make_member

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
UNTIL = AT + timedelta(days=30)
STAFF = Actor("operator", 7)


@pytest.fixture
def channel(db: None) -> Channel:
    return make_channel()


class TestEnrolling:
    def test_makes_a_member_with_search_keys_and_tells_it(self, channel: Channel) -> None:
        member = enrol_member(
            channel_id=channel.pk,
            full_name=" 张 小丰 ",
            phone="138 0013 8000",
            email="Zhang@Example.COM",
            by=STAFF,
            at=AT,
        )
        person = MemberPerson.objects.get(member=member)
        assert member.member_no
        assert member.joined_at == AT
        assert (person.full_name, person.name_pinyin, person.name_initials) == ("张 小丰", "zhangxiaofeng", "zxf")
        assert (person.phone, person.email) == ("+8613800138000", "Zhang@example.com")
        entry = TimelineEntry.objects.get(member=member)
        assert (entry.kind, entry.happened_at, entry.actor_kind, entry.actor_id) == (
            "members.enrolled.v1",
            AT,
            "operator",
            7,
        )
        assert entry.payload == {"channel": channel.pk, "store": None}

    def test_keeps_the_day_of_those_who_joined_before(self, channel: Channel) -> None:
        joined = AT - timedelta(days=400)
        member = enrol_member(channel_id=channel.pk, by=Actor("import", 1), at=AT, joined_at=joined)
        entry = TimelineEntry.objects.get(member=member)
        assert (member.joined_at, entry.happened_at, entry.payload["quiet"]) == (joined, joined, True)

    def test_refuses_a_phone_or_address_of_another(self, channel: Channel) -> None:
        enrol_member(channel_id=channel.pk, phone="13800138000", email="a@example.com", by=STAFF, at=AT)
        with pytest.raises(PhoneInUse):
            enrol_member(channel_id=channel.pk, phone="+86 13800138000", by=STAFF, at=AT)
        with pytest.raises(EmailInUse):
            enrol_member(channel_id=channel.pk, email="A@example.com", by=STAFF, at=AT)
        assert (Member.objects.count(), TimelineEntry.objects.count()) == (1, 1)

    def test_refuses_what_is_no_phone_and_no_address(self, channel: Channel) -> None:
        with pytest.raises(InvalidPhone):
            enrol_member(channel_id=channel.pk, phone="123", by=STAFF, at=AT)
        for address in ("x", "a@b@c", "@example.com", "a@"):
            with pytest.raises(InvalidEmail):
                enrol_member(channel_id=channel.pk, email=address, by=STAFF, at=AT)
        assert not Member.objects.exists()

    def test_returns_the_member_who_has_the_identity(self, channel: Channel) -> None:
        first = enrol_member(channel_id=channel.pk, identity=("shop", "4711"), by=STAFF, at=AT)
        again = enrol_member(channel_id=channel.pk, identity=("shop", "4711"), full_name="Other", by=STAFF, at=AT)
        other = enrol_member(channel_id=channel.pk, identity=("shop 2", "4711"), by=STAFF, at=AT)
        assert again == first != other
        assert TimelineEntry.objects.filter(member=first).count() == 1


class TestEnrollingAtOnce:
    """Real connections: the constraint decides, and nobody sees a crash."""

    def test_one_gets_the_phone_the_others_hear_that_it_is_taken(self, committed_db: str) -> None:
        channel = make_channel()
        answers = _at_once(lambda: enrol_member(channel_id=channel.pk, phone="13800138000", by=STAFF, at=AT))
        assert sorted(type(answer).__name__ for answer in answers) == ["Member"] + ["PhoneInUse"] * 7
        assert Member.objects.count() == MemberPerson.objects.count() == TimelineEntry.objects.count() == 1

    def test_all_get_the_one_member_of_an_identity(self, committed_db: str) -> None:
        channel = make_channel()
        answers = _at_once(lambda: enrol_member(channel_id=channel.pk, identity=("shop", "1"), by=STAFF, at=AT))
        assert {answer.pk for answer in answers if isinstance(answer, Member)} == {Member.objects.get().pk}
        assert len([answer for answer in answers if isinstance(answer, Member)]) == 8
        assert Identity.objects.count() == TimelineEntry.objects.count() == 1


def _at_once(act: Callable[[], Member]) -> list[Member | MembersRefusal]:
    barrier = Barrier(8)

    def run() -> Member | MembersRefusal:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return act()
        except MembersRefusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(8)]]


class TestChangingAProfile:
    def test_keeps_the_search_keys_and_tells_which_fields(self, channel: Channel) -> None:
        member = make_member(full_name="张三", phone="13800138000")
        change = ProfileChange(full_name="李四", phone="13900139000", language="en")
        assert change_profile(member_id=member.pk, change=change, by=STAFF, at=AT) == ["full_name", "language", "phone"]
        person = MemberPerson.objects.get(member=member)
        assert (person.name_pinyin, person.phone) == ("lisi", "+8613900139000")
        entry = TimelineEntry.objects.get(kind="members.profile_changed.v1")
        assert entry.payload == {"fields": ["full_name", "language", "phone"]}
        assert member_by_phone("13800138000") is None

    def test_without_a_difference_tells_nothing(self, channel: Channel) -> None:
        member = make_member(full_name="张三")
        assert (
            change_profile(member_id=member.pk, change=ProfileChange(full_name="张三", phone=None), by=STAFF, at=AT)
            == []
        )
        assert not TimelineEntry.objects.filter(kind="members.profile_changed.v1").exists()

    def test_refuses_what_belongs_to_another(self, channel: Channel) -> None:
        make_member(phone="13800138000")
        member = make_member(full_name="张三", phone="13900139000")
        change = ProfileChange(full_name="李四", phone="13800138000")
        with pytest.raises(PhoneInUse):
            change_profile(member_id=member.pk, change=change, by=STAFF, at=AT)
        person = MemberPerson.objects.get(member=member)
        assert (person.full_name, person.phone) == ("张三", "+8613900139000")
        with pytest.raises(NotFound):
            change_profile(member_id=0, change=change, by=STAFF, at=AT)


class TestFreezing:
    def test_ends_every_token_at_once_and_tells_why(self, channel: Channel) -> None:
        member = make_member()
        token = issue_member_token(member_id=member.pk, at=AT)
        freeze_member(member_id=member.pk, reason="  lost\nphone ", release_at=UNTIL, by=STAFF, at=AT)
        assert MemberToken.objects.get().revoked_at == AT
        with pytest.raises(MemberIsFrozen):
            authenticate_token(secret=token.secret, at=AT)
        with pytest.raises(MemberIsFrozen):
            issue_member_token(member_id=member.pk, at=AT)
        entry = TimelineEntry.objects.get(kind="members.frozen.v1")
        assert (entry.member_id, entry.payload) == (
            member.pk,
            {"reason": "lost phone", "acts": ["earn", "spend", "sign_in"], "until": UNTIL.isoformat()},
        )

    def test_is_taken_back_but_tokens_stay_dead(self, channel: Channel) -> None:
        member = make_member()
        token = issue_member_token(member_id=member.pk, at=AT)
        freeze_member(member_id=member.pk, reason="lost", release_at=UNTIL, by=STAFF, at=AT)
        unfreeze_member(member_id=member.pk, reason="found", by=STAFF, at=AT)
        with pytest.raises(TokenExpired):
            authenticate_token(secret=token.secret, at=AT)
        assert issue_member_token(member_id=member.pk, at=AT)

    def test_refusals_change_nothing(self, channel: Channel) -> None:
        member = make_member()
        with pytest.raises(NotFrozen):
            unfreeze_member(member_id=member.pk, reason="x", by=STAFF, at=AT)
        with pytest.raises(ReasonMissing):
            freeze_member(member_id=member.pk, reason=" ", release_at=UNTIL, by=STAFF, at=AT)
        freeze_member(member_id=member.pk, reason="x", release_at=UNTIL, by=STAFF, at=AT)
        with pytest.raises(AlreadyFrozen):
            freeze_member(member_id=member.pk, reason="x", release_at=UNTIL, by=STAFF, at=AT)
        assert TimelineEntry.objects.filter(kind__in=["members.frozen.v1", "members.unfrozen.v1"]).count() == 1


class TestTokens:
    def test_live_two_hours(self, channel: Channel) -> None:
        member = make_member()
        issued = issue_member_token(member_id=member.pk, at=AT)
        assert issued.expires_at == AT + timedelta(hours=2)
        token = authenticate_token(secret=issued.secret, at=AT + timedelta(hours=2, microseconds=-1))
        assert token is not None
        assert token.member == member
        with pytest.raises(TokenExpired):
            authenticate_token(secret=issued.secret, at=AT + timedelta(hours=2))

    def test_end_when_revoked(self, channel: Channel) -> None:
        issued = issue_member_token(member_id=make_member().pk, at=AT)
        revoke_token(token_id=MemberToken.objects.get().pk, at=AT)
        with pytest.raises(TokenExpired):
            authenticate_token(secret=issued.secret, at=AT)
        assert authenticate_token(secret=issued.secret + "x", at=AT) is None

    def test_are_kept_as_a_hash_only(self, channel: Channel) -> None:
        issued = issue_member_token(member_id=make_member().pk, at=AT)
        assert issued.secret not in str(MemberToken.objects.values().get())
        assert len(issued.secret) >= 43


class TestFindingMembers:
    def test_by_what_names_them_exactly(self, channel: Channel) -> None:
        member = make_member(phone="13800138000", email="zhang@example.com", identity=("shop", "1"))
        assert member_by_phone("138-0013-8000") == member
        assert member_by_number(member.member_no) == member
        assert member_by_email("ZHANG@example.com") == member
        assert member_by_identity("shop", "1") == member
        assert member_by_phone("13900139000") is member_by_number("1") is member_by_identity("shop", "2") is None

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("138", {"zhang"}), ("+86138", {"zhang"}), ("138 0013", {"zhang"}), ("张", {"zhang", "zhao"}), ("张小", {"zhang"}),
            ("zhang", {"zhang", "zhao"}), ("Zhang Xiao", {"zhang"}), ("zxf", {"zhang"}), ("john", {"john"}), ("js", {"john"}),
            ("john@example.com", {"john"}), ("", set()), ("  ", set()), (".", set()), ("%", set()), ("_", set()), ("9", set()),
        ],
    )  # fmt: skip
    def test_by_the_beginning_of_what_staff_type(self, channel: Channel, typed: str, found: set[str]) -> None:
        people = {
            "zhang": make_member(full_name="张小丰", phone="13800138000"),
            "zhao": make_member(full_name="张昭"),
            "john": make_member(full_name="John Smith", email="John@example.com"),
        }
        assert set(members_matching(typed)) == {people[name] for name in found}

    def test_by_the_beginning_of_the_number(self, channel: Channel) -> None:
        member = make_member()
        assert member in members_matching(member.member_no[:6])
        assert list(members_matching(member.member_no)) == [member]

    def test_search_by_phone_uses_its_index(self, channel: Channel) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        for typed in ("13800138000", "张", "zhang"):
            plan = members_matching(typed).explain()
            assert "Seq Scan on members_memberperson" not in plan


class TestTheProgramme:
    def test_is_there_from_the_first_migration(self, db: None) -> None:
        assert (programme().zone, programme().currency) == ("Asia/Shanghai", "CNY")
