"""Small files of orders, as shops send them, and the command that reads them."""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management import call_command

from loyalty.queries import standing_of
from members.models import Identity
from rewards.queries import balance_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
HEADER = ["no", "who", "when", "sku", "name", "pieces", "price"]
PAIRS = [
    "source=shop", "order_no=no", "member=who", "ordered_at=when", "sku=sku", "description=name", "quantity=pieces",
    "unit_price=price", "time_zone=Asia/Shanghai", "unknown_members=create", "channel=online",
]  # fmt: skip

Cells = list[str]


def line(
    no: str, who: str, when: str = "2026-03-01 10:00", sku: str = "LATTE", pieces: str = "1", price: str = "30.00"
) -> Cells:
    """Return one row of a file."""
    return [no, who, when, sku, {"LATTE": "拿铁", "MUG": "马克杯"}.get(sku, ""), pieces, price]


def write_csv(path: Path, rows: Iterable[Cells], header: Cells = HEADER) -> Path:
    """Write a csv file and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def run(path: Path, *pairs: str, **options: Any) -> str:
    """Import a file with the usual mapping, changed by `pairs`; return what the command says."""
    said = StringIO()
    call_command("import_orders", str(path), map=[*PAIRS, *pairs], stdout=said, **{"language": "en", **options})
    return said.getvalue()


def rejected(path: Path) -> list[dict[str, str]]:
    """Return the rows of the file of rejected rows."""
    with path.with_name(path.name + ".rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def value_of(identity: str) -> tuple[int, str]:
    """Return available points and tier of a member named in a file."""
    member_id = Identity.objects.get(issuer="shop", value=identity).member_id
    now = datetime.now(UTC)
    return balance_of(member_id, now).available, standing_of(member_id, now).tier.code


HISTORY = [
    line("1", "ann", price="700"), line("2", "", sku="MUG"), line("C1", "ann", "2026-03-02 10:00", pieces="-1", price="20"),
    line("3", "bob", "2026-03-03 10:00"), line("3", "bob", "2026-03-03 10:00", sku="MUG", pieces="-1"),
    line("4", "cid", "2026-03-04 10:00", price="1600"), line("5", "ann", "2026-03-05 10:00", price="300"),
]  # fmt: skip
"""A file with two members' sales and returns, and a guest."""
