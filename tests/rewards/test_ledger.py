"""The ledger's functions, as an accountant would tell them."""

import re

import pytest
from django.db import transaction

from members.actors import SYSTEM
from rewards import ledger
from rewards.ledger import InsufficientPoints
from rewards.models import LedgerEntry, Lot, LotEvent
from rewards.services.verification import verify
from tests.factories.people import a_member
from tests.harness.dumps import dump
from tests.rewards.books import START, Books, day

STEP = re.compile(
    r"day (?P<on>\d+): (?P<verb>earn|redeem|return|expire|release)(?: (?P<key>\w+))?(?: (?P<points>\d+))?"
    r"(?: of (?P<of>\w+))?(?: until (?P<until>\d+))?(?: pending (?P<pending>\d+))?(?: (?P<refused>refused))?"
)


def play(books: Books, story: str) -> None:
    """Do what a story tells, step by step."""
    for step in story.split(";"):
        told = STEP.fullmatch(" ".join(step.split()))
        assert told, step
        on, key, points = int(told["on"]), told["key"] or "", int(told["points"] or 0)
        match told["verb"]:
            case "earn":
                until = int(told["until"]) if told["until"] else None
                books.earn(key, points, on, until, int(told["pending"] or 0))
            case "redeem" if told["refused"]:
                with pytest.raises(InsufficientPoints):
                    books.burn(key, points, on)
            case "redeem":
                books.burn(key, points, on)
            case "return":
                books.take_back(key, points, on, told["of"])
            case "expire":
                books.expire(on)
            case "release":
                books.release(on)


def balance_in_words(books: Books) -> str:
    """Return the balances: "60 available, 5 pending, 3 owed"; zeros are left out."""
    available, pending, owed = books.balances()
    words = {"available": available, "pending": pending, "owed": owed}
    return ", ".join(f"{points} {name}" for name, points in words.items() if points) or "nothing"


def lots_in_words(books: Books) -> str:
    """Return the lots by purchase: "A 60/100 B 5/5 pending"."""
    names = {Lot.State.PENDING: " pending", Lot.State.LIVE: "", Lot.State.CLOSED: " closed"}
    lots = Lot.objects.filter(member=books.member).select_related("transaction").order_by("id")
    return " ".join(
        f"{lot.transaction.natural_key} {lot.remaining}/{lot.amount}{names[Lot.State(lot.state)]}" for lot in lots
    )


def entries_in_words(books: Books) -> str:
    """Return the entries: available as +100, pending as p+100, owed as d+100."""
    lines = []
    for entry in LedgerEntry.objects.filter(member=books.member).order_by("seq"):
        deltas = (("", entry.d_available), ("p", entry.d_pending), ("d", entry.d_debt))
        lines.append("".join(f"{name}{delta:+}" for name, delta in deltas if delta))
    return " ".join(lines)


# What happened; the balance; the lots; the entries.
STORIES: dict[str, tuple[str, str, str, str]] = {
    "points earned are available at once": (
        "day 0: earn A 100 until 30",
        "100 available", "A 100/100", "+100",
    ),
    "nothing earned leaves a fact and no entry": (
        "day 0: earn A 0 until 30",
        "nothing", "", "",
    ),
    "each purchase is a lot of its own": (
        "day 0: earn A 100 until 30; day 1: earn B 50 until 31",
        "150 available", "A 100/100 B 50/50", "+100 +50",
    ),
    "the same purchase earns once": (
        "day 0: earn A 100 until 30; day 1: earn A 100 until 30",
        "100 available", "A 100/100", "+100",
    ),
    "pending points can not be spent": (
        "day 0: earn A 100 until 30 pending 7; day 1: redeem R 1 refused",
        "100 pending", "A 100/100 pending", "p+100",
    ),
    "pending points become available when their time has come": (
        "day 0: earn A 100 until 30 pending 7; day 7: release",
        "100 available", "A 100/100", "p+100 +100p-100",
    ),
    "pending points do not become available before": (
        "day 0: earn A 100 until 30 pending 7; day 6: release",
        "100 pending", "A 100/100 pending", "p+100",
    ),
    "points are released once": (
        "day 0: earn A 100 until 30 pending 7; day 7: release; day 8: release",
        "100 available", "A 100/100", "p+100 +100p-100",
    ),
    "released points are spent like others": (
        "day 0: earn A 100 until 30 pending 7; day 7: release; day 7: redeem R 40",
        "60 available", "A 60/100", "p+100 +100p-100 -40",
    ),
    "spending leaves the rest of the lot": (
        "day 0: earn A 100 until 30; day 1: redeem R 40",
        "60 available", "A 60/100", "+100 -40",
    ),
    "spending the last point closes the lot": (
        "day 0: earn A 100 until 30; day 1: redeem R 100",
        "nothing", "A 0/100 closed", "+100 -100",
    ),
    "the same wish is paid once": (
        "day 0: earn A 100 until 30; day 1: redeem R 40; day 1: redeem R 40",
        "60 available", "A 60/100", "+100 -40",
    ),
    "one point too few is refused": (
        "day 0: earn A 100 until 30; day 1: redeem R 101 refused",
        "100 available", "A 100/100", "+100",
    ),
    "a member without points is refused": (
        "day 1: redeem R 1 refused",
        "nothing", "", "",
    ),
    "a refused wish may be tried again": (
        "day 0: earn A 30 until 30; day 1: redeem R 40 refused; day 2: earn B 10 until 32; day 3: redeem R 40",
        "nothing", "A 0/30 closed B 0/10 closed", "+30 +10 -40",
    ),
    "what expires first is spent first": (
        "day 0: earn A 100 until 60; day 1: earn B 50 until 30; day 2: redeem R 70",
        "80 available", "A 80/100 B 0/50 closed", "+100 +50 -70",
    ),
    "what never expires is spent last": (
        "day 0: earn A 100; day 1: earn B 50 until 30; day 2: redeem R 70",
        "80 available", "A 80/100 B 0/50 closed", "+100 +50 -70",
    ),
    "of lots that expire together the older is spent first": (
        "day 0: earn A 100 until 30; day 1: earn B 50 until 30; day 2: redeem R 70",
        "80 available", "A 30/100 B 50/50", "+100 +50 -70",
    ),
    "points past their expiry can not be spent, booked or not": (
        "day 0: earn A 100 until 30; day 1: earn B 50 until 60; day 30: redeem R 51 refused; day 30: redeem Q 50",
        "100 available", "A 100/100 B 0/50 closed", "+100 +50 -50",
    ),
    "points can be spent up to the last moment": (
        "day 0: earn A 100 until 30; day 29: redeem R 100",
        "nothing", "A 0/100 closed", "+100 -100",
    ),
    "points expire at their end": (
        "day 0: earn A 100 until 30; day 30: expire",
        "nothing", "A 0/100 closed", "+100 -100",
    ),
    "points do not expire before": (
        "day 0: earn A 100 until 30; day 29: expire",
        "100 available", "A 100/100", "+100",
    ),
    "only what is left expires, and once": (
        "day 0: earn A 100 until 30; day 1: redeem R 40; day 30: expire; day 31: expire",
        "nothing", "A 0/100 closed", "+100 -40 -60",
    ),
    "each lot that expires is an entry of its own": (
        "day 0: earn A 100 until 30; day 1: earn B 50 until 20; day 2: earn C 5; day 30: expire",
        "5 available", "A 0/100 closed B 0/50 closed C 5/5", "+100 +50 +5 -50 -100",
    ),
    "pending points expire, too": (
        "day 0: earn A 100 until 5 pending 7; day 5: expire; day 7: release",
        "nothing", "A 0/100 closed", "p+100 p-100",
    ),
    "a return takes the points of its own purchase first": (
        "day 0: earn A 100 until 60; day 1: earn B 50 until 30; day 2: return X 100 of A",
        "50 available", "A 0/100 closed B 50/50", "+100 +50 -100",
    ),
    "a return takes pending points, and leaves the others alone": (
        "day 0: earn A 100 until 60; day 1: earn B 50 until 61 pending 7; day 2: return X 20 of B",
        "100 available, 30 pending", "A 100/100 B 30/50 pending", "+100 p+50 p-20",
    ),
    "a return of all pending points closes their lot for good": (
        "day 0: earn A 50 until 61 pending 7; day 2: return X 50 of A; day 7: release",
        "nothing", "A 0/50 closed", "p+50 p-50",
    ),
    "what was spent is taken from other lots, earliest expiry first": (
        "day 0: earn A 100 until 60; day 1: redeem R 80; day 2: earn B 50; day 3: earn C 30 until 33; day 4: return X 100 of A",
        "nothing", "A 0/100 closed B 0/50 closed C 0/30 closed", "+100 -80 +50 +30 -100",
    ),
    "what other lots can not give is owed": (
        "day 0: earn A 100 until 60; day 1: redeem R 80; day 2: return X 100 of A",
        "80 owed", "A 0/100 closed", "+100 -80 -20d+80",
    ),
    "a return does not reach for pending points of other purchases": (
        "day 0: earn A 100 until 60; day 1: redeem R 100; day 2: earn B 50 until 62 pending 7; day 3: return X 60 of A",
        "50 pending, 60 owed", "A 0/100 closed B 50/50 pending", "+100 -100 p+50 d+60",
    ),
    "a return does not reach for points past their expiry": (
        "day 0: earn A 10 until 60; day 1: redeem R 10; day 1: earn B 50 until 3; day 3: return X 10 of A; day 3: expire",
        "10 owed", "A 0/10 closed B 0/50 closed", "+10 -10 +50 d+10 -50",
    ),
    "points of a returned purchase that had expired are forgiven": (
        "day 0: earn A 100 until 30; day 1: earn B 50 until 60; day 30: expire; day 31: return X 100 of A",
        "50 available", "A 0/100 closed B 50/50", "+100 +50 -100",
    ),
    "a return before the expiry is booked takes the expired lot itself": (
        "day 0: earn A 100 until 30; day 1: earn B 50 until 60; day 31: return X 100 of A; day 31: expire",
        "50 available", "A 0/100 closed B 50/50", "+100 +50 -100",
    ),
    "only the expired part is forgiven, the spent part is owed": (
        "day 0: earn A 100 until 30; day 1: redeem R 40; day 30: expire; day 31: return X 100 of A",
        "40 owed", "A 0/100 closed", "+100 -40 -60 d+40",
    ),
    "what was forgiven once is not forgiven again": (
        "day 0: earn A 100 until 30; day 1: redeem R 40; day 30: expire; "
        "day 31: return X 50 of A; day 32: return Y 30 of A; day 33: return Z 20 of A",
        "40 owed", "A 0/100 closed", "+100 -40 -60 d+20 d+20",
    ),
    "several returns close a purchase exactly": (
        "day 0: earn A 100 until 60; day 1: return X 33 of A; day 2: return Y 33 of A; day 3: return Z 34 of A",
        "nothing", "A 0/100 closed", "+100 -33 -33 -34",
    ),
    "the same return takes back once": (
        "day 0: earn A 100 until 60; day 1: return X 30 of A; day 1: return X 30 of A",
        "70 available", "A 70/100", "+100 -30",
    ),
    "a return of an unknown sale takes what expires first": (
        "day 0: earn A 100 until 60; day 1: earn B 50 until 30; day 2: return X 70",
        "80 available", "A 80/100 B 0/50 closed", "+100 +50 -70",
    ),
    "a return of an unknown sale by a member without points is owed": (
        "day 2: return X 70",
        "70 owed", "", "d+70",
    ),
    "what is owed is repaid from the next points": (
        "day 0: return X 70; day 1: earn A 100 until 31",
        "30 available", "A 30/100", "d+70 +30d-70",
    ),
    "points that only repay leave a closed lot": (
        "day 0: return X 70; day 1: earn A 70 until 31",
        "nothing", "A 0/70 closed", "d+70 d-70",
    ),
    "arrears are repaid over several purchases": (
        "day 0: return X 70; day 1: earn A 50 until 31; day 2: earn B 50 until 32",
        "30 available", "A 0/50 closed B 30/50", "d+70 d-50 +30d-20",
    ),
    "pending points repay when they become available": (
        "day 0: return X 70; day 1: earn A 100 until 31 pending 7; day 8: release",
        "30 available", "A 30/100", "d+70 p+100 +30p-100d-70",
    ),
    "pending points that only repay leave a closed lot": (
        "day 0: return X 70; day 1: earn A 50 until 31 pending 7; day 8: release",
        "20 owed", "A 0/50 closed", "d+70 p+50 p-50d-50",
    ),
    "a purchase that repaid arrears and comes back is owed again": (
        "day 0: return X 70; day 1: earn A 100 until 31; day 2: return Y 100 of A",
        "70 owed", "A 0/100 closed", "d+70 +30d-70 -30d+70",
    ),
}  # fmt: skip


@pytest.mark.django_db
class TestStories:
    """A member's account after …"""

    @pytest.mark.parametrize("name", STORIES)
    def test_reads(self, name: str) -> None:
        story, balance, lots, entries = STORIES[name]
        books = Books(a_member())
        play(books, story)
        assert balance_in_words(books) == balance
        assert lots_in_words(books) == lots
        assert entries_in_words(books) == entries
        assert [str(finding) for finding in verify(at=START)] == []


@pytest.mark.django_db
class TestPosting:
    """A posting …"""

    def test_says_what_it_changed_and_what_is_left(self) -> None:
        books = Books(a_member())
        books.take_back("X", 30, 0, None)
        posting = books.earn("A", 100, 1, until=30)
        assert (posting.repeated, posting.d_available, posting.d_pending, posting.d_debt) == (False, 70, 0, -30)
        assert (posting.available, posting.pending, posting.debt) == (70, 0, 0)

    def test_that_repeats_says_so(self) -> None:
        books = Books(a_member())
        first = books.earn("A", 100, 0, until=30)
        again = books.earn("A", 100, 0, until=30)
        assert (first.repeated, again.repeated) == (False, True)
        assert (again.d_available, again.available) == (0, 100)

    def test_leaves_points_past_their_expiry_out_of_what_is_available(self) -> None:
        books = Books(a_member())
        books.earn("A", 100, 0, until=30)
        assert books.earn("B", 50, 30, until=60).available == 50
        assert books.burn("R", 20, 31).available == 30
        assert books.burn("R", 20, 31).available == 30

    def test_that_is_refused_says_what_could_be_spent_and_changes_nothing(self) -> None:
        books = Books(a_member())
        books.earn("A", 100, 0, until=30)
        books.earn("B", 50, 1, until=60)
        before = dump()
        with pytest.raises(InsufficientPoints) as refused:
            books.burn("R", 51, 30)
        assert refused.value.params == {"required": 51, "available": 50}
        assert dump() == before

    def test_counts_forgiven_points_of_a_return(self) -> None:
        books = Books(a_member())
        books.earn("A", 100, 0, until=30)
        books.expire(30)
        posting = books.take_back("X", 60, 31, "A")
        assert (posting.forgiven, posting.d_available, posting.d_debt) == (60, 0, 0)
        assert list(LotEvent.objects.values_list("kind", "points")) == [(LotEvent.Kind.RETURN_MET_EXPIRED, 60)]

    def test_names_the_lots_it_moved(self) -> None:
        books = Books(a_member())
        books.earn("A", 30, 0, until=30)
        books.earn("B", 30, 0, until=40)
        posting = books.burn("R", 40, 1)
        entry = LedgerEntry.objects.get(transaction_id=posting.transaction_id)
        moves = entry.moves.order_by("lot_id").values_list("lot__transaction__natural_key", "d_remaining")
        assert list(moves) == [("A", -30), ("B", -10)]

    def test_of_an_expiry_is_keyed_by_the_lot_and_its_end(self) -> None:
        books = Books(a_member())
        books.earn("A", 30, 0, until=30)
        books.expire(45)
        lot = Lot.objects.get()
        (posted,) = LedgerEntry.objects.filter(transaction__kind=5).select_related("transaction")
        assert posted.transaction.natural_key == f"{lot.pk}:{int(day(30).timestamp())}"
        assert posted.contra == LedgerEntry.Contra.BREAKAGE


class TestOutsideATransaction:
    """Outside of a transaction …"""

    def test_nothing_is_posted(self, committed_db: str) -> None:
        member = a_member()
        with pytest.raises(transaction.TransactionManagementError):
            ledger.burn(member_id=member.pk, points=1, source="s", natural_key="1", at=START, by=SYSTEM, trace={})
