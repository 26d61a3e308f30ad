"""Settlement between stores: an accountant's month by hand, the ways points take, and the agreement with the roll-forward."""

from collections import defaultdict
from decimal import Decimal
from random import Random

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from members.models import Member, Store
from rewards.ledger import HoldNotOpen, InsufficientPoints, NothingLeftToRestore
from rewards.models import LedgerEntry, Lot, MonthClose, PointsRate, SettlementLine
from rewards.services.close import preview_close
from rewards.services.close_files import journal_lines
from rewards.services.close_stores import STORES_SHOWN, Settlement, settlement_of
from tests.factories.people import a_member, a_store
from tests.factories.times import at
from tests.harness.generated import examples
from tests.rewards.closing import Books, amounts, column, month, set_value, two_members

pytestmark = pytest.mark.django_db

AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"
OFFICE = "head office (no store)"
ARREARS = "head office: arrears of members"


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


def settled(close: MonthClose) -> dict[tuple[str, str], tuple[int, int]]:
    """Return (points spent, points given back) by (issued by, spent at)."""
    return {
        (pair.issued_by, pair.spent_at): (pair.line.spent_points, pair.line.restored_points)
        for pair in settlement(close).pairs
    }


def settlement(close: MonthClose) -> Settlement:
    found = settlement_of(close)
    assert found is not None
    return found


def nets(close: MonthClose) -> dict[str, tuple[int, Decimal | None]]:
    return {position.label: (position.net.points, position.net.amount) for position in settlement(close).positions}


def an_accountants_month() -> Books:
    """A point is worth 0.01. N issued 1,000 points, S 400, staff gave 80."""
    books = Books()
    anna, ben = two_members()
    carl = a_member()
    north, south = a_store("N"), a_store("S")
    books.earn(anna, "2026-09-01", 1_000, store=north, until="2026-12-31")
    books.earn(ben, "2026-09-01", 400, store=south)
    books.adjust(carl, "2026-09-02", 80)
    books.redeem(ben, "2026-09-03", 150, key="b", store=north)  # S owes N 150
    books.redeem(anna, "2026-09-04", 300, key="catalogue")  # N owes head office 300
    books.redeem(anna, "2026-09-05", 200, store=north)  # N's own
    books.give_back("2026-09-06", of="b", points=50)  # … so S owes N only 100
    books.transfer(anna, ben, "2026-09-07", 100)
    books.redeem(ben, "2026-09-08", 100, store=south)  # what anna gave him expires first: N owes S 100
    books.redeem(carl, "2026-09-09", 80, store=south)  # head office owes S 80
    return books


class TestAnAccountantsMonth:
    def test_names_who_issued_and_who_took_in(self) -> None:
        close = an_accountants_month().lock(SEPTEMBER)
        assert settled(close) == {
            ("Store N", "Store N"): (200, 0),
            ("Store N", "Store S"): (100, 0),
            ("Store N", OFFICE): (300, 0),
            ("Store S", "Store N"): (150, 50),
            (OFFICE, "Store S"): (80, 0),
        }

    def test_says_who_owes_and_who_receives_and_adds_up_to_nothing(self) -> None:
        close = an_accountants_month().lock(SEPTEMBER)
        assert nets(close) == {
            "Store N": (100 - 400, Decimal("-3.00")),
            "Store S": (180 - 100, Decimal("0.80")),
            OFFICE: (300 - 80, Decimal("2.20")),
        }
        positions = {position.label: position for position in settlement(close).positions}
        assert [positions[name].receives for name in ("Store N", "Store S", OFFICE)] == [False, True, True]
        assert (positions["Store N"].own.points, positions["Store N"].own.amount) == (200, Decimal("2.00"))

    def test_is_a_table_of_stores_by_stores(self) -> None:
        found = settlement(an_accountants_month().lock(SEPTEMBER))
        assert found.columns == ["Store N", "Store S", OFFICE]
        assert [(row.label, [flow.points for flow in row.flows], row.total.points) for row in found.rows] == [
            ("Store N", [200, 100, 300], 600),
            ("Store S", [100, 0, 0], 100),
            (OFFICE, [0, 80, 0], 80),
        ]
        assert [flow.points for flow in found.total.flows] == [300, 180, 300]
        assert found.total.total.points == 780

    def test_goes_into_the_journal_store_by_store(self) -> None:
        lines = journal_lines(an_accountants_month().lock(SEPTEMBER))
        found = {
            line.text.rpartition(", ")[2]: (line.debit, line.credit) for line in lines if line.account == "2241.03"
        }
        nothing = Decimal(0)
        assert found == {
            "Store N": (Decimal("3.00"), nothing), "Store S": (nothing, Decimal("0.80")), OFFICE: (nothing, Decimal("2.20")),
        }  # fmt: skip
        assert sum(line.debit for line in lines) == sum(line.credit for line in lines)


class TestPointsAreFollowed:
    def test_through_gifts_from_member_to_member_to_where_they_were_issued(self) -> None:
        books, (anna, ben), carl = Books(), two_members(), a_member()
        books.earn(anna, "2026-09-01", 100, store=a_store("N"))
        books.transfer(anna, ben, "2026-09-02", 60)
        books.transfer(ben, carl, "2026-09-03", 30)
        books.redeem(carl, "2026-09-04", 30, store=a_store("S"))
        assert settled(books.lock(SEPTEMBER)) == {("Store N", "Store S"): (30, 0)}

    def test_from_a_hold_to_the_store_that_redeemed_it_or_else_set_it_aside(self) -> None:
        books, (anna, ben) = Books(), two_members()
        north, south, east = a_store("N"), a_store("S"), a_store("E")
        for who in (anna, ben):
            books.earn(who, "2026-09-01", 100, store=north)
        books.capture(books.hold(anna, "2026-09-02", 50, store=south), "2026-09-02", 40, store=east)
        paid = books.capture(books.hold(ben, "2026-09-02", 50, store=south), "2026-09-02", 20)
        books.transactions["paid"] = paid.transaction_id or 0
        books.give_back("2026-09-03", of="paid", points=5)
        assert settled(books.lock(SEPTEMBER)) == {
            ("Store N", "Store E"): (40, 0),
            ("Store N", "Store S"): (20, 5),
        }

    def test_to_the_store_that_took_them_in_when_they_come_back_elsewhere_or_later(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-08-01", 100, store=a_store("N"))
        books.redeem(anna, "2026-08-02", 60, key="r", store=a_store("S"))
        books.give_back("2026-09-03", of="r")
        assert settled(books.lock(AUGUST)) == {("Store N", "Store S"): (60, 0)}
        september = books.lock(SEPTEMBER)
        assert settled(september) == {("Store N", "Store S"): (0, 60)}
        assert nets(september) == {"Store N": (60, Decimal("0.60")), "Store S": (-60, Decimal("-0.60"))}

    def test_into_arrears_which_are_head_offices(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-09-01", 100, key="e", store=a_store("N"))
        books.redeem(anna, "2026-09-02", 80, key="r", store=a_store("S"))
        books.take_back(anna, "2026-09-03", 50, of="e")  # 20 are left, 30 are owed
        books.give_back("2026-09-04", of="r")  # 30 of the 80 repay
        close = books.lock(SEPTEMBER)
        assert settled(close) == {("Store N", "Store S"): (80, 50), (ARREARS, "Store S"): (0, 30)}
        assert nets(close) == {
            "Store N": (-30, Decimal("-0.30")), "Store S": (0, Decimal("0.00")), OFFICE: (30, Decimal("0.30")),
        }  # fmt: skip


class TestAMonth:
    def test_takes_its_own_redemptions_and_late_ones_only(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-07-01", 1_000, store=a_store("N"))
        books.redeem(anna, "2026-07-02", 500, store=a_store("S"))  # before the books begin
        books.redeem(anna, "2026-08-02", 10, store=a_store("S"))
        assert settled(books.lock(AUGUST, begin=True)) == {("Store N", "Store S"): (10, 0)}
        books.redeem(anna, "2026-08-30", 7, store=a_store("S"))  # recorded after the lock
        books.redeem(anna, "2026-09-02", 3, store=a_store("N"))
        september = books.lock(SEPTEMBER)
        assert settled(september) == {("Store N", "Store S"): (7, 0), ("Store N", "Store N"): (3, 0)}
        assert column(september)["REDEEMED"] == -10

    def test_without_a_value_of_a_point_is_settled_in_points_alone(self) -> None:
        books = an_accountants_month()
        PointsRate.objects.filter(currency=books.currency).delete()
        draft = preview_close(currency_id=books.currency.pk, month=month(SEPTEMBER), at=at("2026-10-02"))
        assert nets(draft) == {"Store N": (-300, None), "Store S": (80, None), OFFICE: (220, None)}

    def test_that_is_worked_out_anew_is_settled_anew(self) -> None:
        books, anna = Books(), a_member()
        books.earn(anna, "2026-09-01", 100, store=a_store("N"))
        books.redeem(anna, "2026-09-02", 10, store=a_store("S"))
        preview_close(currency_id=books.currency.pk, month=month(SEPTEMBER), at=at("2026-09-03"))
        books.redeem(anna, "2026-09-03", 5, store=a_store("S"))
        assert settled(books.lock(SEPTEMBER)) == {("Store N", "Store S"): (15, 0)}

    def test_locked_before_there_was_a_settlement_has_none(self) -> None:
        close = an_accountants_month().lock(SEPTEMBER)
        close.has_settlement = False  # as the migration leaves months that were locked
        assert settlement_of(close) is None
        assert [line for line in journal_lines(close) if line.account == "2241.03"] == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE rewards_settlementline SET spent_points = spent_points + 1",
            "DELETE FROM rewards_settlementline",
            "INSERT INTO rewards_settlementline (close_id, is_arrears, spent_points, restored_points) SELECT id, true, 1, 0 FROM rewards_monthclose",
            "TRUNCATE rewards_settlementline",
        ],
    )
    def test_keeps_its_settlement_once_it_is_locked(self, statement: str) -> None:
        close = an_accountants_month().lock(SEPTEMBER)
        before = settled(close)
        with pytest.raises(DatabaseError, match=r"locked|history"):
            run(statement)
        assert settled(close) == before

    def test_with_many_stores_shows_the_largest_and_adds_the_others_up(self) -> None:
        books, anna = Books(), a_member()
        stores = [a_store(f"M{number:02}") for number in range(STORES_SHOWN + 3)]
        for number, store in enumerate(stores):
            books.earn(anna, "2026-09-01", 10 + number, store=store)
        for number, store in enumerate(stores):
            books.redeem(anna, "2026-09-02", 10 + number, store=store)
        found = settlement(books.lock(SEPTEMBER))
        assert found.is_folded
        assert found.columns[-1] == "other stores"
        assert "Store M00" not in found.columns  # the smallest
        assert len(found.columns) == len(found.rows) == STORES_SHOWN + 1
        assert found.total.total.points == sum(row.total.points for row in found.rows) == sum(range(10, 25))
        assert len(found.positions) == len(stores)


@transaction.atomic
def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


STEP = st.tuples(
    st.sampled_from(["earn", "earn", "earn", "redeem", "redeem", "restore", "hold", "return", "transfer", "adjust", "expire"]),
    st.integers(0, 27),  # the day
    st.integers(1, 80),  # points
    st.integers(0, 2**16),  # who and where
)  # fmt: skip


class TestAnyHistory:
    @settings(max_examples=examples(40))
    @given(st.lists(STEP, min_size=5, max_size=30), st.sampled_from(["0.01", "0.013337", "1"]))
    def test_adds_up_to_what_the_roll_forward_says_was_redeemed(self, steps: list, value: str) -> None:
        books = Books(value=None)
        set_value(books.currency, value)
        members = [a_member() for _number in range(3)]
        tell(books, steps, members)
        close = books.lock(SEPTEMBER)
        lines = list(SettlementLine.objects.filter(close=close))
        points, money = column(close), amounts(close)
        assert sum(line.spent_points for line in lines) == -points.get("REDEEMED", 0)
        assert sum(line.restored_points for line in lines) == points.get("RESTORED", 0)
        assert sum(line.spent_amount or 0 for line in lines) == -money.get("REDEEMED", 0)
        assert sum(line.restored_amount or 0 for line in lines) == money.get("RESTORED", 0)
        assert {_key(line): line.spent_points - line.restored_points for line in lines} == one_by_one(books)
        positions = settlement(close).positions
        assert sum(position.net.points for position in positions) == 0
        assert sum(position.net.amount or 0 for position in positions) == 0


def tell(books: Books, steps: list, members: list[Member]) -> None:
    """Record the facts that can be."""
    stores = [a_store("N"), a_store("S"), None]
    earned: list[tuple[Member, str]] = []
    spent: list[str] = []
    for kind, day, points, seed in steps:
        moment, random = f"2026-09-{day + 1:02}", Random(seed)
        who, other = random.sample(members, 2)
        store, key = random.choice(stores), f"k{books.currency.pk}-{len(earned) + len(spent)}-{kind}"
        try:
            if kind == "earn":
                until = random.choice(["2026-09-20", "2026-12-31", None])
                books.earn(who, moment, points, key=key, store=store, until=until)
                earned.append((who, key))
            elif kind == "redeem":
                books.redeem(who, moment, points, key=key, store=store)
                spent.append(key)
            elif kind == "hold":
                held = books.hold(who, moment, points, store=store)
                taken = books.capture(held, moment, random.randint(1, points), store=random.choice(stores))
                books.transactions[key] = taken.transaction_id or 0
                spent.append(key)
            elif kind == "restore" and spent:
                books.give_back(moment, of=random.choice(spent), points=random.choice([None, points]))
            elif kind == "return" and earned:
                owner, which = random.choice(earned)
                books.take_back(owner, moment, points, of=which)
            elif kind == "transfer":
                books.transfer(who, other, moment, points)
            elif kind == "adjust":
                books.adjust(who, moment, points)
            elif kind == "expire":
                books.expire(moment)
        except (InsufficientPoints, NothingLeftToRestore, HoldNotOpen):
            continue


def one_by_one(books: Books) -> dict[tuple[int | None, bool, int | None], int]:
    """Work the settlement out slowly: entry by entry, lot by lot."""
    found: dict[tuple[int | None, bool, int | None], int] = defaultdict(int)
    is_there: set[tuple[int | None, bool, int | None]] = set()
    entries = LedgerEntry.objects.filter(transaction__currency=books.currency, transaction__kind__in=[3, 7, 9])
    for entry in entries.select_related("transaction__reverses__reverses"):
        fact = entry.transaction
        if fact.kind == 9 and (fact.reverses is None or fact.reverses.kind not in (3, 7)):
            continue
        taken_in = fact.reverses if fact.kind == 9 and fact.reverses else fact
        held = taken_in.reverses
        spent_at = taken_in.store_id or (held.store_id if held else None)
        moves = [(_issuer(move.lot), False, -(move.d_remaining + move.d_held)) for move in entry.moves.all()]
        for issuer, is_arrears, points in [*moves, (None, True, entry.d_debt)]:
            if points:
                found[issuer, is_arrears, spent_at] += points
                is_there.add((issuer, is_arrears, spent_at))
    return {key: found[key] for key in is_there}


def _issuer(lot: Lot) -> int | None:
    while lot.origin_lot is not None:
        lot = lot.origin_lot
    store: Store | None = lot.transaction.store
    return store.pk if store else None


def _key(line: SettlementLine) -> tuple[int | None, bool, int | None]:
    return line.issuing_store_id, line.is_arrears, line.spending_store_id
