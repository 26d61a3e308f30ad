"""Decisions: kept for a while, bounded, dropped by the month; refusals of the API told again in three languages."""

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.urls import reverse
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from config import refused
from members import decisions
from members.actors import SYSTEM, Actor
from members.admin.decisions import decision_notes, decision_sentence, register_quote
from members.conditions import FailedTest
from members.decisions import MOST_BYTES, bounded, count_lately, decision_by_public_id, decisions_of, record_decision
from members.identifiers import MEMBER, NotFound, public_ref
from members.models import Decision, Member
from members.refusals import Refusal, refusal_sentence
from members.tasks import ensure_timeline_partitions
from rewards.ledger import InsufficientPoints
from rewards.models import PointsAccount, Redemption
from rewards.services.redemptions import RewardLimitReached
from rewards.services.vouchers import voucher_code
from tests.factories.api import make_member, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_reward, a_template, a_voucher
from tests.factories.people import TILL, a_member
from tests.factories.portal import a_named_member, signed_in
from tests.factories.times import at
from tests.harness.generated import examples

NOON = at("2026-11-15 12:00")


def refused_once(member: Member | None, **changes: Any) -> Any:
    details: dict[str, Any] = {
        "kind": "refusal", "member_id": member.pk if member else None, "subject": "POST /me/redemptions",
        "code": "insufficient_points", "trace": {"v": 1, "params": {"required": 500, "available": 120}}, "by": TILL,
        "at": NOON,
    }  # fmt: skip
    return record_decision(**details | changes)


@pytest.mark.django_db
class TestRecordDecision:
    def test_keeps_what_was_decided_for_90_days(self) -> None:
        member = a_member()
        public_id = refused_once(member)
        kept = decision_by_public_id(public_id, at=NOON)
        assert (kept.kind, kept.member_id, kept.subject, kept.code) == (
            "refusal", member.pk, "POST /me/redemptions", "insufficient_points",
        )  # fmt: skip
        assert (kept.trace["params"], kept.actor_kind, kept.actor_id) == (
            {"required": 500, "available": 120}, "device", 7,
        )  # fmt: skip
        assert (kept.decided_at, kept.expires_at) == (NOON, NOON + timedelta(days=90))

    def test_is_found_until_it_expires(self) -> None:
        member = a_member()
        public_id = refused_once(member, keep_days=3)
        end = NOON + timedelta(days=3)
        assert decisions_of(member.pk, at=end - timedelta(seconds=1))
        assert decision_by_public_id(public_id, at=end - timedelta(seconds=1))
        assert decisions_of(member.pk, at=end) == []
        with pytest.raises(NotFound):
            decision_by_public_id(public_id, at=end)
        with pytest.raises(NotFound):
            decision_by_public_id(uuid4(), at=NOON)

    @pytest.mark.parametrize("changes", [{"keep_days": 0}, {"keep_days": 367}, {"code": "Not a code"}, {"code": ""}])
    def test_refuses_what_can_not_be_kept(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="kept"):
            refused_once(None, **changes)
        assert not Decision.objects.exists()

    def test_comes_in_pages_newest_first(self) -> None:
        member, other = a_member(), a_member()
        for number in range(5):
            refused_once(member, trace={"n": number})
        refused_once(other)
        first = decisions_of(member.pk, at=NOON, limit=3)
        assert [kept.trace["n"] for kept in first] == [4, 3, 2]
        assert [kept.trace["n"] for kept in decisions_of(member.pk, at=NOON, before=first[-1].pk)] == [1, 0]

    def test_is_counted_of_the_last_day(self) -> None:
        member = a_member()
        refused_once(member, at=NOON - timedelta(days=1))
        for _time in range(3):
            refused_once(member)
        assert count_lately(member.pk, at=NOON, most=100) == 3
        assert count_lately(member.pk, at=NOON, most=2) == 2

    def test_is_history(self) -> None:
        refused_once(a_member())
        for change in (lambda: Decision.objects.update(code="x"), Decision.objects.all().delete):
            with pytest.raises(IntegrityError, match="is history"), transaction.atomic():
                change()


class TestItsOwnTransaction:
    def test_is_needed(self, committed_db: str) -> None:
        with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
            refused_once(None)
        assert not Decision.objects.exists()


class TestTheApplicationsRole:
    def test_may_keep_decisions_and_their_months_but_not_change_them(self, application_url: str) -> None:
        moment = datetime(2031, 1, 31, 12, tzinfo=UTC)
        with psycopg.connect(application_url, autocommit=True) as app:
            assert app.execute("SELECT members_ensure_decision_partitions(%s)", [moment]).fetchone() == (15,)
            app.execute(
                """
                INSERT INTO members_decision (kind, code, actor_kind, decided_at, expires_at)
                VALUES ('refusal', 'x', 'system', %s, %s)
                """,
                [moment, moment + timedelta(days=90)],
            )
            for change in ("UPDATE members_decision SET code = 'y'", "DELETE FROM members_decision"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    app.execute(change)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("DROP TABLE members_decision_2031_04")
            app.execute("SELECT members_drop_expired_decisions(%s)", [datetime(2031, 6, 1, tzinfo=UTC)])
            assert app.execute("SELECT count(*) FROM members_decision").fetchone() == (0,)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(st.text(max_size=80), inner, max_size=12),
    max_leaves=120,
)


class TestTheTrace:
    @settings(max_examples=examples(60))
    @given(trace=st.dictionaries(st.text(max_size=20), _VALUES, max_size=20))
    def test_is_bounded_whatever_it_holds(self, trace: dict[str, Any]) -> None:
        text = bounded(trace)
        assert len(text.encode()) <= MOST_BYTES
        whole = json.dumps(trace, separators=(",", ":"), ensure_ascii=False)
        if len(whole.encode()) <= MOST_BYTES:
            assert json.loads(text) == json.loads(whole)
        else:
            assert json.loads(text)["cut"] is True

    def test_keeps_its_figures_when_its_lists_are_cut(self) -> None:
        kept = json.loads(bounded({"v": 1, "points": 70, "rules": [[number, "x" * 50] for number in range(1000)]}))
        assert (kept["v"], kept["points"], kept["cut"]) == (1, 70, True)
        assert kept["rules"][:2] == [[0, "x" * 50], [1, "x" * 50]]

    def test_gives_up_what_can_not_be_cut(self) -> None:
        assert json.loads(bounded({f"name{number}": "x" * 200 for number in range(1000)})) == {"cut": True}

    @pytest.mark.django_db
    def test_is_bounded_in_the_database_too(self) -> None:
        with pytest.raises(IntegrityError, match="decision_trace_is_bounded"), transaction.atomic():
            Decision.objects.create(
                kind="quote", code="x", trace={"x": "y" * 20_000}, actor_kind="system", decided_at=NOON,
                expires_at=NOON + timedelta(days=1),
            )  # fmt: skip


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'members_decision'::regclass"
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.mark.django_db
class TestPartitions:
    def test_are_made_ahead_for_whatever_may_be_kept(self) -> None:
        moment = datetime(2031, 1, 31, 12, tzinfo=UTC)
        assert decisions.ensure_partitions(at=moment) == 15
        assert decisions.ensure_partitions(at=moment) == 0
        refused_once(a_member(), at=moment, keep_days=366)
        with connection.cursor() as cursor:
            cursor.execute("SELECT tableoid::regclass::text FROM members_decision")
            assert cursor.fetchall() == [("members_decision_2032_02",)]

    def test_are_dropped_when_everything_in_them_has_expired(self) -> None:
        member = a_member()
        refused_once(member, keep_days=20)  # to the 5th of December 2026
        refused_once(member, keep_days=60)
        decisions.ensure_partitions(at=NOON)
        assert decisions.drop_expired(at=datetime(2026, 12, 31, 23, tzinfo=UTC)) <= 1  # November
        assert Decision.objects.count() == 2
        assert decisions.drop_expired(at=datetime(2027, 1, 1, tzinfo=UTC)) == 1
        assert "members_decision_2026_12" not in partitions()
        assert {"members_decision_rest", "members_decision_2027_01"} <= partitions()
        assert [kept.expires_at for kept in Decision.objects.all()] == [NOON + timedelta(days=60)]

    def test_are_kept_up_by_the_task_that_beat_starts(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS members_decision_rest")
        before = partitions()
        assert ensure_timeline_partitions() >= 0
        this_month = f"members_decision_{now():%Y_%m}"
        assert this_month in partitions()
        assert before <= partitions()


class TestTheSentenceOfARefusal:
    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_is_said_again_in_each_language(self, language: str) -> None:
        refusal = InsufficientPoints(required=500, available=120)
        with translation.override(language):
            assert refusal_sentence(refusal.code, refusal.stored_params()) == refusal.sentence()

    def test_keeps_names_in_every_language_and_no_other_words(self) -> None:
        label = {"zh-hans": "咖啡", "en": "Coffee"}
        refusal = RewardLimitReached(reward="whatever was shown", limit=2).about(7, reward=label)
        assert refusal.stored_params() == {"reward": label, "limit": 2}
        assert RewardLimitReached(reward="Zhang San", limit=2).stored_params() == {"limit": 2}
        with translation.override("en"):
            assert refusal_sentence("cap_reached", refusal.stored_params()) == (
                "Each member can redeem Coffee at most 2 times."
            )
            assert "redeem … at most 2" in refusal_sentence("cap_reached", {"limit": 2})
        with translation.override("zh-hant"):
            assert "咖啡" in refusal_sentence("cap_reached", refusal.stored_params())

    def test_keeps_figures_and_days(self) -> None:
        class Odd(Refusal):
            code = "odd"
            text: ClassVar = "%(a)s"

        odd = Odd(a=Decimal("1.50"), b="2.50", c=None, d=True, e=NOON, f="words", g=[1])
        assert odd.stored_params() == {"a": "1.50", "b": "2.50", "c": None, "d": True, "e": NOON.isoformat()}

    def test_of_a_code_that_two_share_is_the_one_that_can_be_filled(self) -> None:
        with translation.override("en"):
            assert refusal_sentence("member_frozen", {}) == "This membership is frozen. Please ask the staff."
            assert "frozen" in refusal_sentence("member_frozen", {"member_no": 7})

    def test_of_a_code_that_is_gone_says_so(self) -> None:
        with translation.override("en"):
            assert refusal_sentence("gone_long_ago", {}) == "Refused: gone_long_ago"


def redeem(member: Member, price: int = 500, key: str = "K-1") -> Any:
    reward = a_reward(price, name="Coffee")
    return sign_in(member).post("/me/redemptions", {"reward": public_ref("rwd", reward.public_id)}, key=key)


@pytest.mark.django_db
class TestRefusalsOfTheApi:
    def test_are_kept_for_the_member_who_called(self) -> None:
        member = make_member()
        answer = redeem(member)
        assert problem_of(answer) == (409, "insufficient_points")
        kept = Decision.objects.get()
        assert (kept.kind, kept.member_id, kept.code) == ("refusal", member.pk, "insufficient_points")
        assert (kept.subject, kept.actor_kind, kept.actor_id) == ("POST /me/redemptions", "member", member.pk)
        assert kept.trace == {
            "v": 1, "params": {"required": 500, "available": 0}, "request": answer.headers["X-Request-Id"],
        }  # fmt: skip

    def test_change_nothing_of_value(self) -> None:
        member = make_member()
        assert problem_of(redeem(member)) == (409, "insufficient_points")
        assert not Redemption.objects.exists()
        assert set(PointsAccount.objects.filter(member=member).values_list("available", "held", "debt")) <= {(0, 0, 0)}

    def test_are_kept_for_the_member_whom_a_till_names(self) -> None:
        class Explained(Refusal):
            code = "explained"
            text: ClassVar = "No."
            explains = True

        member, till = make_member(), make_till()
        request = FakeRequest(till, {"member_ref": public_ref(MEMBER, member.public_id)})
        refused.keep_refusal(request, Explained())  # type: ignore[arg-type]
        kept = Decision.objects.get()
        assert (kept.member_id, kept.actor_kind, kept.actor_id) == (member.pk, "device", till.key.pk)
        bodies: list[object] = [{"member_ref": "mem_x"}, {"member_ref": 5}, {}, []]
        for named in bodies:
            refused.keep_refusal(FakeRequest(till, named), Explained())  # type: ignore[arg-type]
        assert Decision.objects.count() == 1
        refused.keep_refusal(FakeRequest(till, {}), Explained().about(member.pk))  # type: ignore[arg-type]
        assert Decision.objects.count() == 2

    def test_are_not_kept_when_they_explain_nothing(self) -> None:
        answer = sign_in(make_member()).post("/me/redemptions", {"reward": "x"}, key="K-1")
        assert answer.status_code == 400
        assert not Decision.objects.exists()

    def test_are_kept_so_many_times_a_day(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refused, "MOST_A_DAY", 3)
        member = make_member()
        for number in range(5):
            assert problem_of(redeem(member, key=f"K-{number}")) == (409, "insufficient_points")
        assert Decision.objects.count() == 3

    def test_are_told_even_when_they_can_not_be_kept(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(**_details: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

        member = make_member()
        caller_before = redeem(member)
        monkeypatch.setattr(refused, "keep", lambda *told, **details: in_a_savepoint(fails))
        with caplog.at_level(logging.ERROR):
            answer = redeem(member, key="K-2")
        assert problem_of(answer) == problem_of(caller_before)
        assert "could not be kept" in caplog.text
        assert Decision.objects.count() == 1


@pytest.mark.django_db
class TestARefusedVoucher:
    def test_is_kept_for_its_owner_though_the_till_names_nobody(self) -> None:
        member, till = make_member(), make_till()
        template = a_template(min_spend_amount=Decimal("30.00"))
        voucher = a_voucher(member.pk, template, issued_at=now())
        body = {"code": voucher_code(voucher.public_id), "external_order_no": "O-1", "spend_amount": "1.00"}
        answer = till.post("/pos/vouchers/redeem", body, key="V-1")
        assert problem_of(answer) == (409, "min_spend")
        kept = Decision.objects.get()
        assert (kept.member_id, kept.code, kept.subject) == (member.pk, "min_spend", "POST /pos/vouchers/redeem")
        assert kept.trace["params"] == {"required": "30.00", "spend": "1.00"}
        with translation.override("en"):
            assert decision_sentence(kept) == "This voucher needs an order of 30.00 or more; this one is 1.00."
        unknown = till.post("/pos/vouchers/redeem", body | {"code": "ABCD-ABCD-ABCD-ABCD"}, key="V-2")
        assert problem_of(unknown) == (409, "voucher_not_usable")
        assert Decision.objects.count() == 1  # a wrong code concerns nobody


def in_a_savepoint(work: Any) -> None:
    with transaction.atomic():
        work()


class FakeRequest:
    """A POST of a till, as far as keeping a refusal looks at it."""

    method = "POST"
    META: ClassVar[dict[str, str]] = {}
    resolver_match = None

    def __init__(self, till: Any, data: object) -> None:
        from members.api.authentication import TillCaller

        self.user, self.data = TillCaller(till.key), data


@pytest.mark.django_db
class TestTheTab:
    def page(self, member: Member, *, language: str = "en") -> str:
        client = signed_in(superuser=True, language=language)
        where = reverse("admin:members_member_tab", args=[member.pk, "decisions"])
        answer = client.get(where, headers={"hx-request": "true"})
        assert answer.status_code == 200
        return answer.text

    def test_says_why_in_the_language_of_the_reader(self) -> None:
        member = a_named_member()
        refused_once(member, at=now(), by=Actor("member", member.pk))
        assert "500 points are needed, 120 are available." in self.page(member)
        assert "500" in self.page(member, language="zh-hans")
        assert "points are needed" not in self.page(member, language="zh-hans")

    def test_names_the_conditions_that_stood_in_the_way(self) -> None:
        failed = FailedTest("members.joined_days", "gte", 30, 3)
        refused_once(a_member(), trace={"v": 1, "failed": [failed.stored()]})
        with translation.override("en"):
            notes = decision_notes(Decision.objects.get())
        assert notes == ["needed: days since joining: at least 30 days; found: 3 days"]

    def test_tells_quotes_by_the_words_of_their_floor(self) -> None:
        register_quote("test_quote", lambda trace: f"Costs {trace['points']}.")
        refused_once(None, kind="quote", code="test_quote", trace={"points": 5}, by=SYSTEM)
        refused_once(None, kind="quote", code="another_quote", trace={}, by=SYSTEM)
        with translation.override("en"):
            assert [decision_sentence(row) for row in Decision.objects.order_by("pk")] == [
                "Costs 5.", "A quote was given.",
            ]  # fmt: skip

    def test_shows_nothing_that_has_expired_or_is_anothers(self) -> None:
        member = a_named_member()
        refused_once(member, at=now() - timedelta(days=91))
        refused_once(a_member(), at=now())
        page = self.page(member)
        assert "points are needed" not in page
        assert "Nothing was refused lately" in page

    def test_is_closed_to_staff_without_the_right(self) -> None:
        member = a_named_member()
        client = signed_in("marketing")
        where = reverse("admin:members_member_tab", args=[member.pk, "decisions"])
        assert client.get(where, headers={"hx-request": "true"}).status_code in (403, 404)
