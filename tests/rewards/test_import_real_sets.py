"""Published order files, imported whole or in part, against sums worked out from the files themselves.

The sets lie beside the project; where they do not, these tests are left out.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db.models import Sum

from analytics.models import DayFigures
from campaigns.models import Message
from loyalty.models import TierChange, TierStanding
from members.models import Identity, Member
from rewards.models import LedgerEntry, OrderImport, PointsAccount, Purchase, PurchaseReturn
from rewards.services.verification import verify
from tests.harness import oracle
from tests.harness.dumps import dump
from tests.harness.oracle import Fact

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the published data sets are not beside the project")

# SKUs of Online Retail that are no goods.
NO_GOODS = {"POST", "DOT", "C2", "D", "M", "m", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK"}


def cdnow(path: Path) -> list[Fact]:
    """Return the facts of the CDNOW sample: each row is an order."""
    zone = ZoneInfo("America/New_York")
    with path.open(newline="") as file:
        return [
            Fact("sale", str(number), row["master_id"], datetime.combine(date.fromisoformat(row["date"]), datetime.min.time(), zone).astimezone(UTC),
                 amount, amount)
            for number, row in enumerate(csv.DictReader(file))
            for amount in [oracle.converted(Decimal(row["dollar_value"]), "8.28")]
        ]  # fmt: skip


def starbucks(path: Path) -> list[Fact]:
    """Return the facts of the Starbucks transcript: its transactions."""
    start = datetime(2018, 8, 1, tzinfo=ZoneInfo("America/Los_Angeles")).astimezone(UTC)
    facts = []
    for number, text in enumerate(path.read_text().splitlines()):
        event = json.loads(text, parse_float=Decimal)
        if event["event"] == "transaction":
            amount = oracle.converted(oracle.cents(Decimal(event["value"]["amount"])), "6.80")
            facts.append(
                Fact("sale", str(number), event["person"], start + timedelta(hours=event["time"]), amount, amount)
            )
    return facts


def online_retail(path: Path) -> list[Fact]:
    """Return the facts of Online Retail: invoices; those with a C, and negative lines of others, are returns."""
    zone = ZoneInfo("Europe/London")
    parts: dict[tuple[str, str], list[tuple[dict[str, str], Decimal, datetime]]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            number, quantity = row["InvoiceNo"], int(row["Quantity"])
            original = oracle.cents(quantity * Decimal(row["UnitPrice"]))
            is_back = number.startswith("C") or original < 0 or (quantity < 0 and row["CustomerID"])
            if quantity > 0 or is_back:
                at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=zone).astimezone(UTC)
                kind = "return" if is_back else "sale"
                suffix = "-R" if is_back and not number.startswith("C") else ""
                parts[kind, number + suffix].append((row, oracle.converted(abs(original), "10.20"), at))
    return [
        Fact(
            kind,
            number,
            lines[0][0]["CustomerID"],
            min(at for _, _, at in lines),
            sum((amount for _, amount, _ in lines), Decimal(0)),
            sum((amount for row, amount, _ in lines if row["StockCode"] not in NO_GOODS and not row["StockCode"].startswith("gift_")), Decimal(0)),
        )
        for (kind, number), lines in parts.items()
    ]  # fmt: skip


def part_of_online_retail(target: Path) -> Path:
    """Write the first 8,000 lines, and all lines of customers who cancelled much and of guests with returns."""
    with (DATA / "online_retail_slice.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    header, lines = rows[0], rows[1:]
    cancelled: dict[str, int] = defaultdict(int)
    for line in lines:
        if line[0].startswith("C") and line[6]:
            cancelled[line[6]] += 1
    chosen = set(sorted(cancelled, key=lambda customer: -cancelled[customer])[:25])
    kept = [
        line
        for index, line in enumerate(lines)
        if index < 8_000 or line[6] in chosen or (not line[6] and int(line[3]) < 0)
    ]
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *kept])
    return target


def part_of_starbucks(target: Path) -> Path:
    """Write the first 6,000 lines."""
    with (DATA / "starbucks_transcript_2000.json").open(encoding="utf-8") as file:
        target.write_text("".join(line for _, line in zip(range(6_000), file, strict=False)), encoding="utf-8")
    return target


def end_of(day: str) -> datetime:
    """Return the last moment of a day of the programme."""
    return datetime.combine(date.fromisoformat(day), datetime.max.time(), oracle.ZONE)


def run(path: Path, preset: str, day: str) -> str:
    """Import a file as of a day; return what the command says."""
    said = StringIO()
    call_command(
        "import_orders", str(path), map=[preset], as_of=day, rejected=path.with_suffix(".rejected"), stdout=said
    )
    return said.getvalue()


def by_record(source: str) -> Callable[[Fact], str]:
    """Return what orders facts of one moment: their number; of a file without numbers, the one that was given to them."""
    if source == "online_retail":
        return lambda fact: fact.number
    given = defaultdict(list)
    rows = Purchase.objects.filter(source=source).order_by("external_order_no")
    names = dict(Identity.objects.filter(issuer=source).values_list("member_id", "value"))
    for member_id, at, amount, number in rows.values_list(
        "member_id", "ordered_at", "total_amount", "external_order_no"
    ):
        given[names[member_id], at, amount].append(number)
    return lambda fact: given[fact.member, fact.at, fact.amount][0]


def check_members(found: dict[str, oracle.Course], source: str) -> None:
    """Hold every member's points, tier and tier changes against the second opinion."""
    ids = dict(Identity.objects.filter(issuer=source).values_list("value", "member_id"))
    assert ids.keys() == found.keys()
    accounts = {
        row[0]: row[1:]
        for row in PointsAccount.objects.values_list("member_id", "available", "pending", "held", "debt")
    }
    tiers = {row[0]: row[1:] for row in TierStanding.objects.values_list("member_id", "tier__code", "valid_until")}
    changes = defaultdict(list)
    decided = TierChange.objects.exclude(reason="kept").order_by("member_id", "number")
    for member_id, at, before, after in decided.values_list(
        "member_id", "happened_at", "from_tier__code", "to_tier__code"
    ):
        changes[member_id].append((at, before, after))
    for name, course in found.items():
        member_id = ids[name]
        assert accounts[member_id] == (course.available, 0, 0, course.debt), name
        tier, valid_until = tiers.get(member_id, ("member", None))
        assert (tier, valid_until) == (oracle.CODES[course.rank], course.valid_until), name
        assert changes[member_id] == course.changes, name
    taken = LedgerEntry.objects.filter(transaction__kind=4).aggregate(back=Sum("d_available"), debt=Sum("d_debt"))
    assert (taken["debt"] or 0) - (taken["back"] or 0) == sum(course.points_taken_back for course in found.values())


def check_days(expected: dict[date, oracle.Day]) -> None:
    """Hold the figures of every day against the second opinion."""
    names = list(oracle.Day.__dataclass_fields__)
    found = {
        row["date"]: oracle.Day(**{name: row[name] for name in names})
        for row in DayFigures.objects.values("date", "store", *names)
    }
    assert found == expected


def check_import(path: Path, source: str, day: str, facts: Iterable[Fact]) -> OrderImport:
    """Import a file, hold what is recorded against its facts, import it again, and return the first run."""
    end = end_of(day)
    run(path, source, day)
    facts = oracle.in_order(facts, by_record(source))
    found = oracle.courses(facts, end)
    check_members(found, source)
    check_days(oracle.days(facts, found, end))
    totals: dict[str, Any] = {
        kind: sum((fact.amount for fact in facts if fact.kind == kind), Decimal(0)) for kind in ("sale", "return")
    }
    assert Purchase.objects.aggregate(total=Sum("total_amount"))["total"] == totals["sale"]
    assert (PurchaseReturn.objects.aggregate(total=Sum("total_amount"))["total"] or 0) == totals["return"]
    assert Purchase.objects.filter(member=None).count() == sum(
        fact.kind == "sale" and not fact.member for fact in facts
    )
    assert PurchaseReturn.objects.filter(member=None).count() == sum(
        fact.kind == "return" and not fact.member for fact in facts
    )
    assert [str(finding) for finding in verify(at=end)] == []
    assert not Message.objects.exists()
    first = OrderImport.objects.get()
    assert (first.orders_new, first.returns_new) == (
        sum(fact.kind == "sale" for fact in facts), sum(fact.kind == "return" for fact in facts),
    )  # fmt: skip
    assert (first.rows_rejected, first.members_new) == (0, len(found))
    assert first.points == sum(course.points_earned for course in found.values())
    before = dump() | {"days": list(DayFigures.objects.order_by("date").values())}
    run(path, source, day)
    assert dump() | {"days": list(DayFigures.objects.order_by("date").values())} == before
    again = OrderImport.objects.latest("id")
    assert (again.orders_known, again.returns_known) == (first.orders_new, first.returns_new)
    assert (again.orders_new, again.returns_new, again.members_new, again.points, again.rows_rejected) == (
        0,
        0,
        0,
        0,
        0,
    )
    return first


def test_cdnow(committed_db: str) -> None:
    path = DATA / "cdnow_sample.csv"
    facts = cdnow(path)
    assert len(facts) == 6_919

    check_import(path, "cdnow", "1998-07-01", facts)

    assert Member.objects.count() == 2_357
    with path.open(newline="") as file:
        dollars = sum(Decimal(row["dollar_value"]) for row in csv.DictReader(file))
    assert Purchase.objects.aggregate(total=Sum("original_amount"))["total"] == dollars
    assert TierChange.objects.filter(reason="fallen").exists()


def test_online_retail(committed_db: str, tmp_path: Path) -> None:
    path = part_of_online_retail(tmp_path / "part.csv")
    facts = online_retail(path)

    check_import(path, "online_retail", "2011-12-10", facts)

    with path.open(newline="", encoding="utf-8") as file:
        pounds = sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in csv.DictReader(file))
    kept = Purchase.objects.aggregate(total=Sum("original_amount"))["total"]
    returned = sum(fact.amount for fact in facts if fact.kind == "return")
    assert abs(kept - returned / Decimal("10.20") - pounds) < Decimal(
        "0.10"
    )  # each returned line was rounded in our currency
    assert sum(fact.kind == "return" and not fact.member for fact in facts) > 0
    assert PointsAccount.objects.filter(debt__gt=0).exists()


def test_starbucks(committed_db: str, tmp_path: Path) -> None:
    path = part_of_starbucks(tmp_path / "part.json")
    facts = starbucks(path)

    first = check_import(path, "starbucks", "2018-09-15", facts)

    assert (first.rows_read, first.rows_ignored) == (6_000, 6_000 - len(facts))
