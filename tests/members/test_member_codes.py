"""Members' codes: made by phones, read by tills, used up once for spending."""

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from members.actors import SYSTEM
from members.finding import Look, finders
from members.member_code import LENGTH, code_at, step_of
from members.models import (
    ApiKey,
    GuessingAlarm,
    Member,
    MemberAtTill,
    MemberCodeDevice,
    MemberSession,
    RiskFinding,
    WrongTries,
)
from members.queries import MemberNotFound
from members.refusals import Refusal
from members.services.at_till import find_at_till, let_spend_at_till
from members.services.cards import bind_card
from members.services.guessing import TooManyTries
from members.services.keys import ORDERS_READ, issue_key
from members.services.member_codes import (
    PLACES,
    CodeExpired,
    CodeReused,
    CodeUnknown,
    ReadCode,
    code_now,
    forget_shown,
    read_code,
    seed_now,
    spend_allowed,
    use_up,
)
from members.services.status import freeze_member
from members.services.tokens import MemberIsFrozen, TokenExpired
from tests.factories.api import make_channel, make_store
from tests.factories.people import a_member
from tests.harness.threads import together
from tests.members.test_cards import a_batch

AT = datetime(2026, 7, 5, 6, 10, 12, tzinfo=UTC)
HALF = timedelta(seconds=30)


def a_session(member: Member | None = None, *, at: datetime = AT) -> MemberSession:
    """Return a session of a member (a new one) that began a day before a moment."""
    began = at - timedelta(days=1)
    return MemberSession.objects.create(
        member=member or a_member(),
        way="demo",
        created_at=began,
        last_used_at=began,
        expires_at=at + timedelta(days=30),
    )


def a_key(name: str = "Till 1") -> ApiKey:
    """Return a key of a till."""
    return issue_key(
        name=name, store_id=make_store().pk, channel_id=make_channel().pk, source="till", scopes=[ORDERS_READ], by=SYSTEM, at=AT
    ).key  # fmt: skip


def refusal_of(code: str, at: datetime = AT) -> str:
    """Return with what reading a code is refused, or nothing."""
    try:
        read_code(code=code, at=at)
    except Refusal as refusal:
        return refusal.code
    return ""


@pytest.mark.django_db
class TestThePhone:
    def test_shows_a_code_that_leads_to_its_member(self) -> None:
        session = a_session()
        shown = code_now(session_id=session.pk, at=AT)
        assert len(shown.code) == LENGTH
        assert session.member.member_no not in shown.code
        assert shown.refresh_after == datetime(2026, 7, 5, 6, 10, 30, tzinfo=UTC)
        assert read_code(code=shown.code, at=AT).member_id == session.member_id

    def test_makes_the_same_code_by_itself_from_its_seed(self) -> None:
        session = a_session()
        seed = seed_now(session_id=session.pk, at=AT)
        totp = pyotp.TOTP(seed.seed).at(AT)
        shown = code_now(session_id=session.pk, at=AT)
        assert shown.code[:18] == seed.prefix + totp
        assert shown.seed_id == seed.seed_id
        assert seed_now(session_id=session.pk, at=AT + timedelta(hours=2)) == seed  # all day the same
        assert code_at(seed.prefix, base64.b32decode(seed.seed), step_of(AT.timestamp())) == shown.code

    def test_gets_another_seed_each_day_and_the_last_one_is_good_a_day_longer(self) -> None:
        session = a_session()
        seed = seed_now(session_id=session.pk, at=AT)
        tomorrow = seed_now(session_id=session.pk, at=AT + timedelta(days=1))
        assert (seed.refresh_at, seed.good_until) == (
            datetime(2026, 7, 6, tzinfo=UTC),
            datetime(2026, 7, 7, tzinfo=UTC),
        )
        assert tomorrow.seed != seed.seed
        assert tomorrow.prefix == seed.prefix

        def offline(at: datetime) -> str:
            return code_at(seed.prefix, base64.b32decode(seed.seed), step_of(at.timestamp()))

        for at, wrong in ((seed.good_until - HALF, ""), (seed.good_until + timedelta(minutes=20), "code_unknown")):
            assert refusal_of(offline(at), at) == wrong

    def test_leaves_nothing_of_its_seed_behind(self) -> None:
        session = a_session()
        seed = base64.b32decode(seed_now(session_id=session.pk, at=AT).seed)
        row = MemberCodeDevice.objects.get()
        kept = bytes(row.nonce) + row.public_id.bytes
        assert seed not in kept
        assert bytes(row.nonce) not in seed

    def test_whose_clock_goes_wrong_slowly_stays_good(self) -> None:
        session, key = a_session(), a_key()
        for late in (0, 1, 2, 3):
            code = code_now(session_id=session.pk, at=AT - late * HALF).code
            read = read_code(code=code, at=AT)
            use_up(read=read, key_id=key.pk, at=AT)
            use_up(read=read, key_id=key.pk, at=AT + HALF)  # the same answer again teaches nothing
        assert MemberCodeDevice.objects.get().drift_steps == -3
        # Set right again, it is good at once; by spending we learn so, and so we do when it is given a seed.
        right = read_code(code=code_now(session_id=session.pk, at=AT).code, at=AT)
        use_up(read=right, key_id=key.pk, at=AT)  # this half minute was used up before
        assert MemberCodeDevice.objects.get().drift_steps == -3
        seed_now(session_id=session.pk, at=AT)
        assert MemberCodeDevice.objects.get().drift_steps == 0

    def test_is_not_led_away_by_pictures_of_its_codes(self) -> None:
        session, key = a_session(), a_key()
        for late in (1, 2, 3, 4):
            code = code_now(session_id=session.pk, at=AT - late * HALF).code
            assert refusal_of(code) == ("" if late == 1 else "code_expired"), late
        assert MemberCodeDevice.objects.get().drift_steps == 0
        MemberCodeDevice.objects.update(drift_steps=-4)
        read = read_code(code=code_now(session_id=session.pk, at=AT).code, at=AT)
        use_up(read=read, key_id=key.pk, at=AT)
        assert MemberCodeDevice.objects.get().drift_steps == 0

    def test_with_a_session_that_ended_shows_nothing_any_more(self) -> None:
        session = a_session()
        code = code_now(session_id=session.pk, at=AT).code
        MemberSession.objects.filter(pk=session.pk).update(ended_at=AT, end="logout")
        assert refusal_of(code) == "code_unknown"
        with pytest.raises(TokenExpired):
            code_now(session_id=session.pk, at=AT)

    def test_of_a_frozen_member_shows_nothing(self) -> None:
        session = a_session()
        code_now(session_id=session.pk, at=AT)
        earn_and_spend = [Member.Act.EARN, Member.Act.SPEND]
        freeze_member(
            member_id=session.member_id, reason="checked", release_at=AT + timedelta(days=9), acts=earn_and_spend, by=SYSTEM, at=AT
        )  # fmt: skip
        for shows in (code_now, seed_now):
            with pytest.raises(MemberIsFrozen):
                shows(session_id=session.pk, at=AT)

    def test_takes_one_of_nine_places_and_the_tenth_that_of_the_oldest(self) -> None:
        member = a_member()
        sessions = [a_session(member) for _phone in range(PLACES + 1)]
        codes = [code_now(session_id=one.pk, at=AT + n * HALF / 10).code for n, one in enumerate(sessions)]
        assert MemberCodeDevice.objects.count() == PLACES
        late = AT + HALF
        assert [refusal_of(code, late) for code in codes] == ["code_unknown", *[""] * PLACES]

    def test_takes_the_place_of_a_session_that_ended_first(self) -> None:
        member = a_member()
        sessions = [a_session(member) for _phone in range(PLACES)]
        for session in sessions:
            code_now(session_id=session.pk, at=AT)
        MemberSession.objects.filter(pk=sessions[4].pk).update(ended_at=AT, end="logout")
        code_now(session_id=a_session(member).pk, at=AT)
        assert set(MemberCodeDevice.objects.values_list("session", flat=True)) >= {
            one.pk for place, one in enumerate(sessions) if place != 4
        }


@pytest.mark.django_db
class TestReading:
    def test_is_as_near_as_the_half_minute_beside(self) -> None:
        session = a_session()
        outcome = {}
        for off in (-25, -5, -2, -1, 0, 1, 2):
            code = code_now(session_id=session.pk, at=AT + off * HALF).code
            MemberCodeDevice.objects.update(drift_steps=0)
            outcome[off] = refusal_of(code)
        expired = "code_expired"
        assert outcome == {-25: "code_unknown", -5: expired, -2: expired, -1: "", 0: "", 1: "", 2: expired}

    def test_says_the_same_of_all_that_is_wrong(self) -> None:
        session = a_session()
        seed = seed_now(session_id=session.pk, at=AT)
        other = code_at(seed.prefix, b"guessed" * 3, step_of(AT.timestamp()))
        nobody = code_at("100000000001"[:11] + "1", b"x" * 20, step_of(AT.timestamp()))
        other_place = code_at(seed.prefix[:11] + "9", base64.b32decode(seed.seed), step_of(AT.timestamp()))
        said = set()
        for code in (other, nobody, other_place, "1" * 20, "abc", ""):
            with pytest.raises(CodeUnknown) as refused:
                read_code(code=code, at=AT)
            said.add(refused.value.sentence())
        assert len(said) == 1

    def test_finds_the_member_for_staff_and_changes_nothing(self) -> None:
        session = a_session()
        code = code_now(session_id=session.pk, at=AT - HALF).code
        by_code = next(finder for finder in finders() if finder.name == "members.code")
        assert by_code.find(Look(code, None, AT)) == [session.member_id]
        assert by_code.find(Look(f"{code[:10]} {code[10:]}", None, AT)) == [session.member_id]
        assert by_code.find(Look(code, None, AT + 5 * HALF)) == []
        assert by_code.find(Look("13800138000", None, AT)) is None
        assert MemberCodeDevice.objects.get().drift_steps == 0


@pytest.mark.django_db
class TestSpending:
    def test_uses_a_code_up_for_other_tills_and_repeats_the_answer_to_the_same(self) -> None:
        read, one, other = self.read(), a_key("one"), a_key("other")
        shown = use_up(read=read, key_id=one.pk, at=AT)
        assert use_up(read=read, key_id=one.pk, at=AT + HALF) == shown
        with pytest.raises(CodeReused):
            use_up(read=read, key_id=other.pk, at=AT)
        assert MemberAtTill.objects.count() == 1

    def test_is_allowed_at_this_till_for_five_minutes(self) -> None:
        read, one, other = self.read(), a_key("one"), a_key("other")
        use_up(read=read, key_id=one.pk, at=AT)
        asked = [
            (one, AT),
            (one, AT + timedelta(minutes=4)),
            (one, AT + timedelta(minutes=5)),
            (other, AT),
            (one, AT - HALF),
        ]
        allowed = [spend_allowed(member_id=read.member_id, key_id=key.pk, at=at) for key, at in asked]
        assert allowed == [True, True, False, False, False]
        assert not spend_allowed(member_id=a_member().pk, key_id=one.pk, at=AT)

    def test_of_a_merged_member_is_that_of_the_survivor(self) -> None:
        read, key, survivor = self.read(), a_key(), a_member()
        use_up(read=read, key_id=key.pk, at=AT)
        Member.objects.filter(pk=read.member_id).update(merged_into=survivor, status="closed")
        assert spend_allowed(member_id=survivor.pk, key_id=key.pk, at=AT)

    def test_is_forgotten_after_a_day(self) -> None:
        read, key = self.read(), a_key()
        use_up(read=read, key_id=key.pk, at=AT)
        assert forget_shown(at=AT + timedelta(hours=23)) == 0
        assert forget_shown(at=AT + timedelta(days=1)) == 1
        MemberSession.objects.update(ended_at=AT, end="logout")
        assert forget_shown(at=AT + timedelta(days=2)) == 1
        assert not MemberCodeDevice.objects.exists()

    @staticmethod
    def read() -> ReadCode:
        return read_code(code=code_now(session_id=a_session().pk, at=AT).code, at=AT)


class TestAtOnce:
    def test_sixteen_tills_use_one_code_up_once(self, committed_db: str) -> None:
        code = code_now(session_id=a_session().pk, at=AT).code
        keys = [a_key(f"till {number}") for number in range(16)]

        def use(key: ApiKey) -> str:
            try:
                found = find_at_till(way="code", value=code, key_id=key.pk, address="10.0.0.1", at=AT)
                let_spend_at_till(found=found, key_id=key.pk, address="10.0.0.1", at=AT)
            except Refusal as refusal:
                return refusal.code
            return "used"

        outcomes = together([lambda key=key: use(key) for key in keys])  # type: ignore[misc]
        assert Counter(outcomes) == {"used": 1, "code_reused": 15}
        # Eight phones of one member that ask at once get a place each.
        sessions = [a_session(Member.objects.first()) for _phone in range(8)]
        together([lambda one=one: code_now(session_id=one.pk, at=AT) for one in sessions])  # type: ignore[misc]
        assert sorted(MemberCodeDevice.objects.values_list("place", flat=True)) == [*range(1, 10)]


@pytest.mark.django_db
class TestGuessing:
    def guess(self, prefix: str, number: int, *, key_id: int = 1) -> str:
        code = code_at(prefix, b"%020d" % number, step_of(AT.timestamp()))
        try:
            find_at_till(way="code", value=code, key_id=key_id, address="10.0.0.1", at=AT)
        except Refusal as refusal:
            return refusal.code
        return "found"

    def test_locks_the_member_and_shows_on_the_risk_page(self) -> None:
        session = a_session()
        prefix = seed_now(session_id=session.pk, at=AT).prefix
        outcomes = [self.guess(prefix, number, key_id=number) for number in range(12)]
        assert outcomes == ["code_unknown"] * 10 + ["too_many_tries"] * 2
        right = code_now(session_id=session.pk, at=AT).code
        with pytest.raises(TooManyTries):
            find_at_till(way="code", value=right, key_id=99, address="10.0.0.2", at=AT)
        later = AT + timedelta(minutes=16)
        code = code_now(session_id=session.pk, at=later).code
        assert find_at_till(way="code", value=code, key_id=99, address="10.0.0.2", at=later).member == session.member
        assert RiskFinding.objects.get().member_id == session.member_id
        assert GuessingAlarm.objects.filter(kind="member_code", axis="member").exists()

    def test_at_many_members_locks_the_till(self) -> None:
        outcomes = [self.guess(f"10{number:09}1", number) for number in range(100, 122)]
        assert outcomes == ["code_unknown"] * 20 + ["too_many_tries"] * 2

    def test_at_numbers_of_cards_locks_them_at_the_till_and_no_more(self) -> None:
        session = a_session()
        number = a_batch(1)[0]
        bind_card(member_id=session.member_id, number=number, by=SYSTEM, at=AT)

        def card(text: str, *, key_id: int = 1) -> str:
            try:
                find_at_till(way="card_no", value=text, key_id=key_id, address="10.0.0.1", at=AT)
            except Refusal as refusal:
                return refusal.code
            return "found"

        outcomes = [card(f"66889{guess:08}") for guess in range(20)]
        assert outcomes == ["not_found"] * 20
        assert card(number) == "too_many_tries"
        assert card(number, key_id=2) == "found"
        for way, value in (
            ("code", code_now(session_id=session.pk, at=AT).code),
            ("member_no", session.member.member_no),
        ):
            assert find_at_till(way=way, value=value, key_id=1, address="10.0.0.1", at=AT).member == session.member
        assert GuessingAlarm.objects.get().kind == "card_number"

    def test_is_not_a_number_of_a_member_or_phone_that_nobody_has(self) -> None:
        for _time in range(25):
            for way, value in (("member_no", "100000016"), ("phone", "+8613800138000")):
                with pytest.raises(MemberNotFound):
                    find_at_till(way=way, value=value, key_id=1, address="10.0.0.1", at=AT)
        assert not WrongTries.objects.exists()

    def test_is_not_what_a_scanner_reads_wrongly(self) -> None:
        code = code_now(session_id=a_session().pk, at=AT).code
        for _time in range(30):
            with pytest.raises(CodeUnknown):
                find_at_till(way="code", value=code[:-1] + str((int(code[-1]) + 1) % 10), key_id=1, address="x", at=AT)
        assert find_at_till(way="code", value=code, key_id=1, address="x", at=AT).code is not None

    def test_is_not_a_code_that_is_too_old(self) -> None:
        code = code_now(session_id=a_session().pk, at=AT - 4 * HALF).code
        for _time in range(25):
            with pytest.raises(CodeExpired):
                find_at_till(way="code", value=code, key_id=1, address="x", at=AT)
