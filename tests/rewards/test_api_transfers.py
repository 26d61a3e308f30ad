"""Points for a friend over HTTP: a code for just this gift, the giver's limits, and a no that says nothing of the friend."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.channels.sms import MemorySms
from members.actors import SYSTEM, Actor
from members.models import IdempotentAnswer, Member, OneTimeCode, RateCounter, TimelineEntry
from members.services.merging import merge_members
from members.services.one_time_codes import CodeOver
from members.services.profile import ProfileChange, change_profile
from members.services.rates import forget_leases
from members.services.status import freeze_member
from rewards import ledger
from rewards.ledger import InsufficientPoints
from rewards.models import LedgerTransaction, PointsTransfer, TransferPolicy
from rewards.queries import balance_of
from rewards.services.own_transfers import Gift, give_points, request_of
from tests.factories.api import Caller, make_member, now, problem_of, sign_in
from tests.factories.histories import give_points as endow
from tests.factories.portal import signed_in
from tests.harness.threads import together
from tests.rewards.by_hand import books

MINE, THEIRS, NOBODY = "+8613800138000", "+8613900139000", "+8613700137000"
CODES, TRANSFERS = "/me/points/transfers/codes", "/me/points/transfers"


def allow(**changes: Any) -> None:
    values = {
        "is_enabled": True, "min_points": 10, "max_points": 200, "day_points": 300, "day_times": 3, "month_points": 500,
        "month_times": 5, "cooldown_hours": 24, **changes,
    }  # fmt: skip
    TransferPolicy.objects.update(**values)


def a_giver(points: int = 1_000) -> Member:
    giver = make_member(phone=MINE)
    endow(giver, points, moment=now() - timedelta(days=1), expires_at=now() + timedelta(days=90))
    return giver


def wanted(to: str = THEIRS, points: int = 100) -> dict[str, Any]:
    return {"to": to, "points": points}


def with_code(me: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask for a code for a gift as if the last one was long ago; return the gift with it."""
    RateCounter.objects.all().delete()
    forget_leases()
    answer = me.post(CODES, asked)
    assert answer.status_code == 201, answer.content
    code = next(one.params["code"] for one in reversed(MemorySms.sent) if one.phone == MINE and "code" in one.params)
    return asked | {"code_id": answer.json()["code_id"], "code": code}


def available(member: Member) -> int:
    return balance_of(member.pk, now()).available


@pytest.fixture
def giver(db: None) -> Member:
    allow()
    MemorySms.sent.clear()
    return a_giver()


@pytest.fixture
def me(giver: Member) -> Caller:
    return sign_in(giver)


class TestAGift:
    def test_moves_points_to_the_friend_with_a_code_for_just_that(self, giver: Member, me: Caller) -> None:
        friend = make_member(phone=THEIRS)
        answer = me.post(TRANSFERS, with_code(me, wanted("139 0013 9000")), key="k1")
        assert answer.status_code == 201, answer.content
        told = answer.json()
        assert (told["points"], told["currency"]) == (100, "points")
        assert told["to_member_no_ending"] == friend.member_no[-4:]
        assert "1390013" not in answer.text
        assert (available(giver), available(friend)) == (900, 100)
        made = PointsTransfer.objects.get()
        assert (made.sender, made.receiver, made.maker, made.proposal) == (giver, friend, None, None)
        entries = {entry.member_id: entry for entry in TimelineEntry.objects.filter(subject=f"transfer:{made.pk}")}
        assert entries.keys() == {giver.pk, friend.pk}
        assert {(entry.actor_kind, entry.actor_id) for entry in entries.values()} == {("member", giver.pk)}
        assert me.get(TRANSFERS).json()["items"] == [told]
        assert sign_in(friend).get(TRANSFERS).json()["items"] == []
        assert sign_in(friend).get("/me/points/entries?kind=transfer").json()["items"][0]["available_change"] == 100

    def test_goes_to_a_member_number_too(self, me: Caller) -> None:
        friend = make_member()
        assert me.post(TRANSFERS, with_code(me, wanted(friend.member_no)), key="k1").status_code == 201
        assert available(friend) == 100

    def test_is_made_once_however_often_it_is_sent(self, giver: Member, me: Caller) -> None:
        friend = make_member(phone=THEIRS)
        body = with_code(me, wanted())
        first = me.post(TRANSFERS, body, key="k1")
        repeat = me.post(TRANSFERS, body, key="k1")
        assert (repeat.status_code, repeat.headers["Idempotency-Replayed"]) == (201, "true")
        assert problem_of(me.post(TRANSFERS, body | {"points": 50}, key="k1")) == (422, "idempotency_key_reused")
        IdempotentAnswer.objects.all().delete()  # as after seven days
        late = me.post(TRANSFERS, body, key="k1")
        assert (late.status_code, late.json()) == (200, first.json())
        assert problem_of(me.post(TRANSFERS, body, key="k2")) == (422, "code_expired")
        assert (available(giver), available(friend)) == (900, 100)
        assert problem_of(me.post(TRANSFERS, body)) == (400, "idempotency_key_missing")

    @pytest.mark.parametrize("change", [{"to": NOBODY}, {"points": 200}, {"code": "0000000"}])
    def test_takes_no_code_that_was_sent_for_another(self, giver: Member, me: Caller, change: dict[str, Any]) -> None:
        make_member(phone=THEIRS)
        make_member(phone=NOBODY)
        body = with_code(me, wanted())
        if "code" in change and body["code"] == change["code"]:
            change = {"code": "0000001"}
        assert problem_of(me.post(TRANSFERS, body | change, key="k1")) == (422, "code_wrong")
        assert available(giver) == 1_000

    def test_takes_nobody_elses_code(self, giver: Member, me: Caller) -> None:
        other = make_member(phone=THEIRS)
        endow(other, 500, moment=now() - timedelta(days=1), expires_at=now() + timedelta(days=90))
        body = with_code(me, wanted(other.member_no))
        answer = sign_in(other).post(TRANSFERS, body | {"to": giver.member_no}, key="k1")
        assert problem_of(answer) == (422, "code_wrong")

    def test_is_shown_to_staff_as_the_members_own(self, giver: Member, me: Caller) -> None:
        make_member(phone=THEIRS)
        assert me.post(TRANSFERS, with_code(me, wanted()), key="k1").status_code == 201
        staff, made = signed_in(superuser=True), PointsTransfer.objects.get()
        assert "the member" in staff.get(reverse("admin:rewards_pointstransfer_changelist")).text
        assert "the member" in staff.get(reverse("admin:rewards_pointstransfer_change", args=[made.pk])).text

    def test_is_listed_in_few_queries(self, giver: Member, me: Caller) -> None:
        friend = make_member(phone=THEIRS)
        for number in range(3):
            assert me.post(TRANSFERS, with_code(me, wanted(points=10)), key=f"k{number}").status_code == 201, number
        with CaptureQueriesContext(connection) as queries:
            page = me.get(f"{TRANSFERS}?limit=2").json()
        assert len(queries) <= 6, [query["sql"] for query in queries]
        assert [one["points"] for one in page["items"]] == [10, 10]
        assert len(me.get(f"{TRANSFERS}?limit=2&cursor={page['next']}").json()["items"]) == 1
        assert available(friend) == 30


class TestANo:
    """Whoever may not be given points …"""

    def test_is_answered_alike_whatever_the_reason(self, giver: Member, me: Caller) -> None:
        frozen, left = make_member(phone=THEIRS), make_member(phone="+8613600136000")
        freeze_member(
            member_id=frozen.pk, by=SYSTEM, at=now(), reason="looked into", release_at=now() + timedelta(days=1)
        )
        Member.objects.filter(pk=left.pk).update(status=Member.Status.CLOSED)
        TransferPolicy.objects.update(day_times=9)
        told, before = set(), books()
        for to in (THEIRS, left.member_no, NOBODY, "not a number"):
            body = with_code(me, wanted(to))
            answer = me.post(TRANSFERS, body, key=f"k {to}".replace(" ", "_"))
            assert problem_of(answer) == (422, "recipient_not_found")
            problem = answer.json()
            told.add(tuple(sorted((name, str(problem[name])) for name in problem if name != "request_id")))
            assert books() == before
        assert len(told) == 1
        assert not OneTimeCode.objects.filter(used_at__isnull=False).exists()  # a refusal uses nothing up

    def test_takes_the_same_steps_for_a_phone_that_is_nobodys(self, giver: Member, me: Caller) -> None:
        frozen = make_member(phone=THEIRS)
        release = now() + timedelta(days=1)
        freeze_member(member_id=frozen.pk, by=SYSTEM, at=now(), reason="looked into", release_at=release)
        counts: list[int] = []
        for to in (NOBODY, THEIRS, NOBODY, THEIRS):  # the first pair fills what a process keeps
            body = with_code(me, wanted(to))
            with CaptureQueriesContext(connection) as queries:
                assert problem_of(me.post(TRANSFERS, body, key=f"k{len(counts)}")) == (422, "recipient_not_found")
            counts.append(len(queries))
        assert counts[2] == counts[3]

    def test_locks_whoever_tries_one_number_after_the_other(self, giver: Member, me: Caller) -> None:
        make_member(phone=THEIRS)
        for number in range(5):
            body = with_code(me, wanted(f"+861370013700{number}"))
            assert problem_of(me.post(TRANSFERS, body, key=f"k{number}")) == (422, "recipient_not_found")
        answer = me.post(TRANSFERS, with_code(me, wanted()), key="right")
        assert problem_of(answer) == (429, "too_many_tries")
        assert available(giver) == 1_000

    @pytest.mark.parametrize("to", [THEIRS, NOBODY])
    def test_comes_after_all_that_lies_with_the_giver(self, giver: Member, me: Caller, to: str) -> None:
        make_member(phone=THEIRS)
        body = with_code(me, wanted(to, 150))
        for changes, code in (
            ({"is_enabled": False}, "transfers_not_possible"),
            ({"min_points": 160, "max_points": 200}, "transfer_too_small"),
            ({"max_points": 140}, "transfer_limit"),
            ({"day_points": 140}, "transfer_limit"),
            ({"month_times": 0}, "transfer_limit"),
        ):
            allow(**changes)
            answer = me.post(TRANSFERS, body, key=code)
            assert problem_of(answer)[1] == code, answer.json()
            if code != "transfer_limit":  # where a message would be paid for in vain
                assert problem_of(me.post(CODES, wanted(to, 150)))[1] == code
        allow()
        ledger_spend(giver, 900)
        assert problem_of(me.post(TRANSFERS, body, key="poor")) == (409, "insufficient_points")

    def test_names_the_limit(self, giver: Member, me: Caller) -> None:
        answer = me.post(CODES, wanted(points=250))
        assert problem_of(answer) == (409, "transfer_limit")
        assert (answer.json()["limit"], answer.json()["most"]) == ("each_time", "200")

    def test_is_given_to_oneself_and_after_a_new_phone(self, giver: Member, me: Caller) -> None:
        assert problem_of(me.post(TRANSFERS, with_code(me, wanted(giver.member_no)), key="k1")) == (
            422,
            "transfer_to_self",
        )
        make_member(phone=THEIRS)
        body = with_code(me, wanted())
        change_profile(member_id=giver.pk, change=ProfileChange(phone=NOBODY), by=SYSTEM, at=now())
        assert problem_of(me.post(TRANSFERS, body, key="k2")) == (422, "code_wrong")  # it went to the old number
        assert problem_of(me.post(CODES, wanted())) == (409, "transfer_too_soon")

    def test_is_given_to_the_frozen_and_to_those_without_a_phone(self, giver: Member, me: Caller) -> None:
        make_member(phone=THEIRS)
        assert problem_of(sign_in(make_member()).post(CODES, wanted())) == (409, "phone_missing")
        freeze_member(
            member_id=giver.pk, by=SYSTEM, at=now(), reason="looked into", acts=[Member.Act.SPEND],
            release_at=now() + timedelta(days=1),
        )  # fmt: skip
        assert problem_of(me.post(CODES, wanted()))[1] == "member_frozen"

    def test_a_merged_friend_is_the_one_who_is_left(self, giver: Member, me: Caller) -> None:
        gone, friend = make_member(phone=THEIRS), make_member()
        merge_members(kept_id=friend.pk, merged_id=gone.pk, by=SYSTEM, at=now(), reason="one person")
        assert me.post(TRANSFERS, with_code(me, wanted(gone.member_no)), key="k1").status_code == 201
        assert available(friend) == 100


def ledger_spend(member: Member, points: int) -> None:
    ledger.debit(
        kind=LedgerTransaction.Kind.ADJUST, contra=5, member_id=member.pk, points=points, source="test", natural_key="spend",
        at=now(), by=SYSTEM, trace={"v": 2, "kind": "adjust"},
    )  # fmt: skip


class TestManyAtOnce:
    def test_give_no_more_than_there_is_and_a_repeat_gives_nothing(self, committed_db: None) -> None:
        allow(day_times=20, month_times=20)
        giver, friend = a_giver(250), make_member(phone=THEIRS)
        at, by = now(), Actor("member", giver.pk)
        gift = Gift(friend.member_no, 100, ledger.currency_id())
        codes = [
            OneTimeCode.objects.create(
                purpose="transfer", recipient_hash=b"x", caller_hash=b"x", code_hash=b"x", created_at=at,
                expires_at=at + timedelta(minutes=5),
            ).pk
            for _ in range(3)
        ]  # fmt: skip

        def job(code_id: int, key: str) -> str:
            try:
                request_id = request_of(member_id=giver.pk, key=key, gift=gift)
                _made, was_made = give_points(
                    sender_id=giver.pk, gift=gift, code_id=code_id, request_id=request_id, by=by, at=at
                )
            except InsufficientPoints:
                return "poor"
            except CodeOver:
                return "code"
            return "again" if was_made else "given"

        # Three gifts, of which one is sent twice at the same moment with the same code.
        work = [(codes[0], "a"), (codes[0], "a"), (codes[1], "b"), (codes[2], "c")]
        answers = sorted(together([lambda one=one: job(*one) for one in work]))  # type: ignore[misc]
        assert answers.count("given") == 2
        assert set(answers) <= {"given", "again", "poor"}
        assert (available(giver), available(friend)) == (50, 200)
        assert PointsTransfer.objects.count() == 2
