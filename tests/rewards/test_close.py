"""The monthly close: an accountant's months by hand, late facts, locks, and the agreement of books and ledger."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from members.models import Member, TimelineEntry
from rewards.ledger import InsufficientPoints
from rewards.liability import estimate_breakage
from rewards.models import CloseLine, Lot, MonthClose, Movement, PointsAccount, VintageFigure
from rewards.refusals import RewardsRefusal
from rewards.services.close import (
    BooksDisagree,
    CloseReasonMissing,
    EarlierMonthOpen,
    MonthBeforeBooks,
    MonthIsLocked,
    MonthNotOver,
    RateMissing,
    lock_close,
    month_open,
    preview_close,
    triangle,
)
from rewards.services.close_figures import LedgerIsBusy, settled_mark
from tests.factories.people import a_member, a_store
from tests.factories.times import at
from tests.harness.generated import examples
from tests.rewards.closing import CLERK, Books, amounts, column, ledger_balance, month, set_value, two_members
from tests.rewards.test_roles import as_application

SOURCE, STORE, TIER = CloseLine.Part.SOURCE, CloseLine.Part.STORE, CloseLine.Part.TIER
AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"


def told() -> Books:
    """August and September of a small programme, as an accountant would write them down. A point is worth 0.01."""
    books = Books()
    anna, ben = two_members()
    north, south = a_store("N"), a_store("S")
    books.earn(anna, "2026-08-03", 1_000, key="a1", store=north, tier="gold", until="2026-09-20")
    books.earn(ben, "2026-08-05", 400, key="b1", store=south, tier="silver")
    books.redeem(ben, "2026-08-20", 150, key="r1", store=north)
    # September
    books.earn(anna, "2026-09-01", 500, key="a2", store=south, tier="gold", pending=True)
    books.earn(ben, "2026-09-02", 60, key="b2", origin=Lot.Origin.PROMOTION, store=south, tier="silver")
    books.redeem(anna, "2026-09-04", 300, key="r2")
    books.give_back("2026-09-05", of="r1", points=50)
    books.adjust(anna, "2026-09-06", 80)
    books.adjust(anna, "2026-09-07", -30)
    books.take_back(ben, "2026-09-08", 400, of="b1")  # 300 of it were left, 60 come from others, 40 are owed
    books.transfer(anna, ben, "2026-09-09", 70)  # 40 of it repay what ben owes
    books.donate(anna, "2026-09-10", 20)
    books.convert_in(ben, "2026-09-11", 25)
    books.hold(ben, "2026-09-12", 10)  # of the 30 that ben has from anna, which expire with hers
    assert books.expire("2026-09-21") == (1_000 - 300 - 30 - 70 - 20) + (30 - 10)
    return books


@pytest.mark.django_db
class TestAnAccountantsMonths:
    def test_add_up_as_worked_out_by_hand(self) -> None:
        books = told()
        august, september = books.lock(AUGUST), books.lock(SEPTEMBER)
        assert column(august) == {"EARNED": 1_400, "REDEEMED": -150, "CLOSING": 1_250}
        assert column(september) == {
            "OPENING": 1_250, "EARNED": 560, "REDEEMED": -300, "RESTORED": 50, "ADJUSTED": 50, "RETURNED": -400, "DONATED": -20,
            "PARTNER_IN": 25, "EXPIRED": -600, "CLOSING": 615,
        }  # fmt: skip
        assert (september.available_points, september.pending_points, september.held_points, september.arrears_points) == (
            105, 500, 10, 0,
        )  # fmt: skip
        assert september.agrees
        assert september.closing_points == ledger_balance(books.currency)

    def test_are_valued_to_the_cent(self) -> None:
        books = told()
        books.lock(AUGUST)
        september = books.lock(SEPTEMBER)
        assert amounts(september)["OPENING"] == Decimal("12.50")
        assert amounts(september)["EARNED"] == Decimal("5.60")
        assert amounts(september)["CLOSING"] == september.closing_amount == Decimal("6.15")
        assert "REVALUED" not in amounts(september)

    def test_name_what_issued_the_points_by_source(self) -> None:
        books = told()
        books.lock(AUGUST)
        september = books.lock(SEPTEMBER)
        assert column(september, SOURCE, origin=Lot.Origin.PURCHASE) == {
            "OPENING": 1_250, "EARNED": 500, "REDEEMED": -300, "RESTORED": 50, "ADJUSTED": -30, "RETURNED": -300, "TRANSFERRED": -70,
            "DONATED": -20, "EXPIRED": -580, "CLOSING": 500,
        }  # fmt: skip
        assert column(september, SOURCE, origin=Lot.Origin.PROMOTION) == {"EARNED": 60, "RETURNED": -60}
        assert column(september, SOURCE, origin=Lot.Origin.ADJUSTMENT) == {"ADJUSTED": 80, "CLOSING": 80}
        assert column(september, SOURCE, origin=Lot.Origin.TRANSFER) == {
            "TRANSFERRED": 30,
            "EXPIRED": -20,
            "CLOSING": 10,
        }
        assert column(september, SOURCE, origin=Lot.Origin.PARTNER) == {"PARTNER_IN": 25, "CLOSING": 25}
        assert column(september, SOURCE, is_arrears=True) == {"RETURNED": -40, "TRANSFERRED": 40}

    def test_name_the_store_and_tier_that_issued_the_points_wherever_they_are_used(self) -> None:
        books = told()
        august = books.lock(AUGUST)
        assert column(august, STORE, store=a_store("N")) == {"EARNED": 1_000, "CLOSING": 1_000}
        assert column(august, STORE, store=a_store("S")) == {"EARNED": 400, "REDEEMED": -150, "CLOSING": 250}
        september = books.lock(SEPTEMBER)
        assert column(september, STORE, store=a_store("N")).get("CLOSING") is None
        assert column(september, STORE, store=a_store("S"))["CLOSING"] == 500
        assert column(september, TIER, tier_code="gold") == {
            "OPENING": 1_000, "EARNED": 500, "REDEEMED": -300, "ADJUSTED": -30, "TRANSFERRED": -70, "DONATED": -20, "EXPIRED": -580,
            "CLOSING": 500,
        }  # fmt: skip

    @pytest.mark.parametrize("part", [SOURCE, STORE, TIER])
    def test_add_up_over_the_parts_in_points_and_in_money(self, part: int) -> None:
        books = told()
        set_value(books.currency, "0.013337", "2026-09-15")
        for close in (books.lock(AUGUST), books.lock(SEPTEMBER)):
            whole, money = column(close), amounts(close)
            lines = CloseLine.objects.filter(close=close, part=part)
            for movement, points in whole.items():
                mine = [line for line in lines if line.get_movement_display() and line.movement == _number(movement)]
                assert sum(line.points for line in mine) == points, movement
            for movement, amount in money.items():
                mine = [line for line in lines if line.movement == _number(movement)]
                assert sum(line.amount or 0 for line in mine) == amount, movement

    def test_show_a_change_of_value_as_revaluation(self) -> None:
        books = told()
        books.lock(AUGUST)
        set_value(books.currency, "0.02", "2026-09-15")
        money = amounts(books.lock(SEPTEMBER))
        assert money["OPENING"] == Decimal("12.50")  # as August closed
        assert money["EARNED"] == Decimal("11.20")
        assert money["REVALUED"] == Decimal("12.50")  # 1,250 points that are worth 0.01 more
        assert money["CLOSING"] == Decimal("12.30")

    def test_take_the_value_at_the_end_of_the_month(self) -> None:
        books = told()
        set_value(books.currency, "0.05", "2026-09-01")  # from the first moment of September on
        assert books.lock(AUGUST).money_per_point == Decimal("0.01")

    def test_count_cashback_in_cents(self) -> None:
        books = Books(value="1", exponent=2)
        books.earn(a_member(), "2026-08-01", 12_345)
        assert books.lock(AUGUST).closing_amount == Decimal("123.45")


def _number(name: str) -> int:
    return Movement[name].value


@pytest.mark.django_db
class TestLateFacts:
    def test_fall_into_the_first_open_month(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-10", 100)
        august = books.lock(AUGUST)
        books.earn(anna, "2026-08-11", 7)  # recorded after the lock
        books.earn(anna, "2026-09-01", 30)
        september = books.lock(SEPTEMBER)
        assert column(august) == {"EARNED": 100, "CLOSING": 100}
        assert column(september) == {"OPENING": 100, "EARNED": 37, "CLOSING": 137}
        assert (september.entries, september.late_entries, september.late_points) == (2, 1, 7)

    def test_skip_months_that_are_locked_too(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-10", 100)
        for text in (AUGUST, SEPTEMBER):
            books.lock(text)
        books.earn(anna, "2026-08-11", 7)
        books.earn(anna, "2026-09-11", 5)
        assert column(books.lock(OCTOBER)) == {"OPENING": 100, "EARNED": 12, "CLOSING": 112}

    def test_that_were_known_before_a_lock_stay_in_their_own_later_month(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-10", 100)
        books.earn(anna, "2026-09-02", 30)  # recorded before August is locked
        assert column(books.lock(AUGUST)) == {"EARNED": 100, "CLOSING": 100}
        september = books.lock(SEPTEMBER)
        assert (september.entries, september.late_entries) == (1, 0)
        assert september.closing_points == 130

    def test_are_told_apart_by_midnight_of_the_programmes_zone(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-31 23:59:59.999999", 1)
        books.earn(anna, "2026-09-01 00:00", 10)
        assert books.lock(AUGUST).closing_points == 1
        assert books.lock(SEPTEMBER).closing_points == 11

    def test_of_another_currency_are_left_out(self) -> None:
        books, others, anna = Books(), Books(), a_member()
        books.earn(anna, "2026-08-10", 100)
        others.earn(anna, "2026-08-10", 5)
        assert (books.lock(AUGUST).closing_points, others.lock(AUGUST).closing_points) == (100, 5)


@pytest.mark.django_db
class TestPreview:
    def test_keeps_one_draft_that_is_worked_out_anew(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-10", 100)
        first = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-08-20"))
        books.earn(anna, "2026-08-21", 20)
        second = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-08-22"))
        assert first.pk == second.pk
        assert (second.state, second.closing_points) == ("draft", 120)
        assert CloseLine.objects.filter(close=second, part=0, movement=21).count() == 1
        assert books.lock(AUGUST).pk == first.pk

    def test_gives_way_to_another_month(self) -> None:
        books = told()
        preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-10-02"))
        other = preview_close(
            currency_id=books.currency.pk, month=month(SEPTEMBER), at=at("2026-10-02"), begins_books=True
        )
        assert list(MonthClose.objects.filter(currency=books.currency)) == [other]

    def test_shows_points_without_money_where_nobody_set_a_value(self) -> None:
        books = Books(value=None)
        books.earn(a_member(), "2026-08-10", 100)
        close = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-09-01"))
        assert (close.closing_points, close.closing_amount, close.liability_amount) == (100, None, None)

    def test_of_a_month_without_any_fact_is_empty_and_agrees(self) -> None:
        books = Books()
        close = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-09-01"))
        assert (close.closing_points, close.agrees, close.breakage_share) == (0, True, 0)


@pytest.mark.django_db
class TestWhereTheBooksBegin:
    def test_all_before_is_the_opening_balance_with_its_parts_and_vintages(self) -> None:
        by_months = told()
        by_months.lock(AUGUST)
        expected = by_months.lock(SEPTEMBER)
        begun = told()
        found = begun.lock(SEPTEMBER, begin=True)
        assert (found.opening_points, found.closing_points) == (1_250, 615)
        assert column(found) == column(expected)
        assert column(found, TIER, tier_code="gold") == column(expected, TIER, tier_code="gold")
        assert triangle(found) == triangle(expected)
        assert found.late_entries == 0

    def test_earlier_months_are_closed_for_good(self) -> None:
        books = told()
        books.lock(SEPTEMBER, begin=True)
        with pytest.raises(MonthBeforeBooks):
            books.lock(AUGUST)

    def test_late_facts_fall_into_the_next_month(self) -> None:
        books = told()
        books.lock(SEPTEMBER, begin=True)
        books.earn(a_member(), "2026-07-01", 9)
        assert column(books.lock(OCTOBER))["EARNED"] == 9


@pytest.mark.django_db
class TestBreakage:
    def test_is_estimated_from_vintages_over_the_closed_months(self) -> None:
        books = Books()
        for text, next_text, last in (
            ("2026-04", "2026-05", "2026-06"),
            ("2026-05", "2026-06", "2026-07"),
            ("2026-06", "2026-07", "2026-08"),
        ):
            anna = a_member()
            books.earn(anna, f"{text}-10", 1_000, until=f"{last}-20")
            books.redeem(anna, f"{text}-20", 200)
            books.redeem(anna, f"{next_text}-05", 300)
            books.redeem(anna, f"{last}-05", 400)
        for day in ("2026-06-21", "2026-07-21", "2026-08-21"):
            assert books.expire(day) == 100
        ben = a_member()
        books.earn(ben, "2026-07-10", 1_000, until="2026-12-31")
        books.earn(ben, "2026-08-25", 500)
        for text in ("2026-04", "2026-05", "2026-06", "2026-07"):
            assert books.lock(text).breakage_share == 0  # fewer than three vintages have run to their end
        close = books.lock(AUGUST)
        estimate = triangle(close)
        assert [(v.issued, v.used, v.expired, v.left) for v in estimate.vintages] == [
            (1_000, 900, 100, 0), (1_000, 900, 100, 0), (1_000, 900, 100, 0), (1_000, 0, 0, 1_000), (500, 0, 0, 500),
        ]  # fmt: skip
        # f(0) = 1500/600, f(1) = 2700/1500, then 1: p = 2/9, 5/9, 1, 1, 1. q = 2700 / (3000 + 1000·5/9 + 500·2/9) = 0.736364
        assert close.used_share == Decimal("0.736364")
        # still to be used 1000·q·4/9 and 500·q·7/9; breakage 1 − 613.63/1500
        assert [v.to_be_used for v in estimate.vintages][3:] == [Decimal("327.27"), Decimal("286.36")]
        assert close.breakage_share == Decimal("0.590913")
        assert close.closing_amount == Decimal("15.00")
        assert close.liability_amount == Decimal("6.14")

    def test_is_the_same_from_all_months_as_the_pure_function_says_of_the_whole(self) -> None:
        books = told()
        books.lock(AUGUST)
        close = books.lock(SEPTEMBER)
        assert triangle(close).left == close.closing_points + close.arrears_points
        assert close.breakage_share == triangle(close).breakage
        assert estimate_breakage([], month=close.month).breakage == 0

    def test_never_makes_the_liability_of_a_debtor_negative(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-01", 10, key="e")
        books.redeem(anna, "2026-08-02", 10)
        books.take_back(anna, "2026-08-03", 10, of="e")
        close = books.lock(AUGUST)
        assert (close.closing_points, close.arrears_points, close.liability_amount) == (-10, 10, 0)


@pytest.mark.django_db
class TestALock:
    def test_tells_the_timeline_who_locked_what(self) -> None:
        books = told()
        close = books.lock(AUGUST)
        entry = TimelineEntry.objects.get(kind="rewards.month_locked.v1")
        assert entry.subject == f"close:{books.currency.code}-2026-08"
        assert entry.payload["points"] == 1_250
        assert entry.payload["amount"] == str(close.liability_amount)

    def test_leads_on_to_the_next_month(self) -> None:
        books = told()
        assert month_open(currency_id=books.currency.pk, at=at("2026-12-01")) == month(AUGUST)
        books.lock(AUGUST)
        assert month_open(currency_id=books.currency.pk, at=at("2026-12-01")) == month(SEPTEMBER)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE rewards_monthclose SET closing_points = closing_points + 1, available_points = available_points + 1",
            "UPDATE rewards_monthclose SET state = 'draft'",
            "DELETE FROM rewards_monthclose",
            "UPDATE rewards_closeline SET points = points + 1",
            "DELETE FROM rewards_closeline",
            "INSERT INTO rewards_closeline (close_id, part, is_arrears, movement, points, tier_code) SELECT id, 0, false, 14, 1, '' FROM rewards_monthclose",
            "UPDATE rewards_vintagefigure SET used_points = used_points + 1",
            "DELETE FROM rewards_vintagefigure",
            "TRUNCATE rewards_closeline",
            "TRUNCATE rewards_monthclose CASCADE",
        ],
    )
    def test_can_not_be_changed_in_the_database_either(self, statement: str) -> None:
        close = told().lock(AUGUST)
        assert VintageFigure.objects.filter(close=close).exists()
        with pytest.raises(DatabaseError, match=r"locked|history"):
            run(statement)
        again = MonthClose.objects.get(pk=close.pk)
        assert (again.state, again.closing_points) == ("locked", 1_250)

    def test_is_refused_for_a_month_that_is_not_over(self) -> None:
        books = told()
        assert refused(books, AUGUST, on="2026-08-31 23:59:59") == "month_not_over"
        assert books.lock(AUGUST, on="2026-09-01").is_locked

    def test_is_refused_out_of_turn(self) -> None:
        books = told()
        assert refused(books, SEPTEMBER) == "earlier_month_open"
        books.lock(AUGUST)
        assert refused(books, OCTOBER) == "earlier_month_open"
        assert refused(books, AUGUST) == "month_is_locked"
        assert refused(books, "2026-07") == "month_before_books"

    def test_is_refused_without_a_value_of_a_point(self) -> None:
        books = Books(value=None)
        books.earn(a_member(), "2026-08-10", 100)
        assert refused(books, AUGUST) == "value_of_a_point_missing"

    def test_is_refused_without_a_reason(self) -> None:
        books = told()
        with pytest.raises(CloseReasonMissing):
            lock_close(currency_id=books.currency.pk, month=month(AUGUST), by=CLERK, at=at("2026-09-01"), reason=" \n")
        assert not MonthClose.objects.filter(currency=books.currency).exists()

    @pytest.mark.parametrize(
        "harm",
        [
            "UPDATE rewards_pointsaccount SET available = available + 1 WHERE currency_id = %s AND available > 0",
            "UPDATE rewards_lotmove m SET d_remaining = d_remaining + 1 FROM rewards_lot l JOIN rewards_pointsaccount a "
            "ON a.id = l.account_id WHERE l.id = m.lot_id AND a.currency_id = %s",
        ],
    )
    def test_is_refused_when_the_ledger_contradicts_itself(self, harm: str) -> None:
        books = told()
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(harm, [books.currency.pk])
            assert cursor.rowcount
            cursor.execute("SET session_replication_role = DEFAULT")
        draft = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-12-01"))
        assert not draft.agrees
        assert refused(books, AUGUST) == "books_disagree"

    def test_refuses_by_exceptions_with_a_code_of_their_own(self) -> None:
        refusals = [
            MonthIsLocked, MonthBeforeBooks, EarlierMonthOpen, MonthNotOver, RateMissing, BooksDisagree, CloseReasonMissing,
            LedgerIsBusy,
        ]  # fmt: skip
        assert all(issubclass(refusal, RewardsRefusal) for refusal in refusals)
        assert len({refusal.code for refusal in refusals}) == len(refusals)


@transaction.atomic
def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


def refused(books: Books, text: str, on: str = "2030-01-01") -> str:
    """Return the code with which a lock is refused, having checked that nothing was locked or left behind by it."""
    before = list(MonthClose.objects.order_by("pk").values()), CloseLine.objects.count(), TimelineEntry.objects.count()
    with pytest.raises(RewardsRefusal) as caught:
        books.lock(text, on)
    assert caught.value.sentence()
    after = list(MonthClose.objects.order_by("pk").values()), CloseLine.objects.count(), TimelineEntry.objects.count()
    assert before == after
    return caught.value.code


FACT = st.tuples(
    st.sampled_from(["earn", "earn", "redeem", "adjust", "return", "expire", "transfer"]),
    st.integers(0, 4),  # the month in which it happened
    st.integers(0, 27),  # the day
    st.integers(1, 60),  # points
)
STEP = st.one_of(FACT, FACT, FACT, st.just("lock"))


@pytest.mark.django_db
class TestAnyHistory:
    @settings(max_examples=examples(40))
    @given(st.lists(STEP, max_size=25))
    def test_is_taken_once_and_to_the_point(self, steps: list) -> None:
        """Facts are recorded in any order of their days; months are locked at any time, the first one amid a history."""
        books, (anna, ben) = Books(), two_members()
        untaken: list[tuple[int, int]] = []  # (month, points), as recorded
        earned: list[str] = []
        closing, following = 0, 0
        for step in steps:
            if step == "lock":
                taken = [fact for fact in untaken if fact[0] <= following]
                untaken = [fact for fact in untaken if fact[0] > following]
                close = books.lock(f"2026-{following + 1:02}", begin=following == 0)
                assert close.opening_points == (closing if following else 0)
                closing += sum(points for _month, points in taken)
                assert close.closing_points == closing
                assert close.agrees
                assert (close.late_entries > 0) <= any(fact[0] < following for fact in taken)
                following += 1
                continue
            kind, in_month, day, points = step
            moment = f"2026-{in_month + 1:02}-{day + 1:02}"
            before = ledger_balance(books.currency)
            try:
                tell(books, kind, moment, points, anna, ben, earned)
            except InsufficientPoints:
                continue
            untaken.append((in_month, ledger_balance(books.currency) - before))
        assert ledger_balance(books.currency) == closing + sum(points for _month, points in untaken)
        for close in MonthClose.objects.filter(currency=books.currency):
            for part in (SOURCE, STORE, TIER):
                lines = CloseLine.objects.filter(close=close, part=part, movement=21)
                assert sum(line.points for line in lines) == close.closing_points
            assert sum(v.left for v in triangle(close).vintages) == close.closing_points + close.arrears_points


def tell(books: Books, kind: str, moment: str, points: int, anna: Member, ben: Member, earned: list[str]) -> None:
    """Record a fact, if it can be one."""
    if kind == "earn":
        key = f"{books.currency.pk}:{len(earned)}"
        books.earn(
            anna, moment, points, key=key, until="2026-04-15" if points % 2 else None, tier="gold" if points % 3 else ""
        )
        earned.append(key)
    elif kind == "redeem":
        books.redeem(anna, moment, points)
    elif kind == "adjust":
        books.adjust(ben, moment, points if points % 2 else -points)
    elif kind == "return" and earned:
        books.take_back(anna, moment, points, of=earned[points % len(earned)])
    elif kind == "expire":
        books.expire(moment)
    elif kind == "transfer":
        books.transfer(anna, ben, moment, points)


class TestBesideRunningPostings:
    def test_a_lock_waits_for_those_that_have_begun_and_takes_them(self, committed_db: str) -> None:
        books, (anna, ben) = Books(), two_members()
        books.earn(ben, "2026-08-01", 1)
        begun, may_end = threading.Event(), threading.Event()

        def slowly() -> None:
            try:
                with transaction.atomic():
                    books.earn(anna, "2026-08-10", 100)
                    begun.set()
                    may_end.wait(20)
            finally:
                connections.close_all()

        poster = threading.Thread(target=slowly)
        poster.start()
        assert begun.wait(20)
        books.earn(ben, "2026-08-11", 20)  # has a higher number and commits first
        with pytest.raises(LedgerIsBusy):
            settled_mark(patience_seconds=0.2)
        threading.Timer(0.5, may_end.set).start()
        close = books.lock(AUGUST)
        poster.join(20)
        assert column(close) == {"EARNED": 121, "CLOSING": 121}
        assert close.agrees

    def test_a_lock_does_not_wait_for_what_begins_later_and_leaves_it_to_the_next_month(
        self, committed_db: str
    ) -> None:
        books, (anna, ben) = Books(), two_members()
        books.earn(ben, "2026-08-01", 1)
        close = books.lock(AUGUST)
        books.earn(anna, "2026-08-02", 5)
        assert column(close) == {"EARNED": 1, "CLOSING": 1}
        assert column(books.lock(SEPTEMBER)) == {"OPENING": 1, "EARNED": 5, "CLOSING": 6}

    def test_two_locks_of_a_month_make_one(self, committed_db: str) -> None:
        books = told()
        outcomes: list[str] = []

        def lock() -> None:
            try:
                outcomes.append(books.lock(AUGUST).state)
            except RewardsRefusal as refusal:
                outcomes.append(refusal.code)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=lock) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(outcomes) == ["locked", "month_is_locked", "month_is_locked", "month_is_locked"]

    def test_the_applications_role_closes_months(self, committed_db: str, application_url: str) -> None:
        books = told()
        with as_application(application_url):
            preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=timezone.now() + timedelta(days=900))
            assert books.lock(AUGUST).agrees
            assert PointsAccount.objects.filter(currency=books.currency).exists()
