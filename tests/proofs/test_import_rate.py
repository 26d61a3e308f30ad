"""How fast a real file of orders comes in: Online Retail through the command, against a plain COPY of the same file."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db.models import Sum

from analytics.models import DayFigures
from rewards.models import OrderImport, Purchase, PurchaseLine, PurchaseReturn, ReturnLine
from tests.harness.dumps import dump
from tests.harness.results import Figures

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT.parent / "shared" / "data" / "online_retail_slice.csv"
LEAST_LINES_PER_SECOND = 5_000
ARGUMENTS = ["--map", "online_retail", "--as-of", "2011-12-10"]

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the published data sets are not beside the project")


def copy_seconds(url: str) -> float:
    """Return how long the file takes into a table of texts, best of five."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE TABLE plain (a text, b text, c text, d text, e text, f text, g text, h text)")
        content = FILE.read_bytes()
        times = []
        for _ in range(5):
            server.execute("TRUNCATE plain")
            began = time.perf_counter()
            with server.cursor().copy("COPY plain FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write(content)
            times.append(time.perf_counter() - began)
        server.execute("DROP TABLE plain")
    return min(times)


def import_seconds() -> tuple[float, float]:
    """Import the file; return seconds by the clock and of this process's CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    call_command("import_orders", str(FILE), *ARGUMENTS, stdout=StringIO())
    return time.perf_counter() - began, time.process_time() - cpu


def test_online_retail_at_five_thousand_lines_a_second(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    plain = copy_seconds(committed_db)
    first, first_cpu = import_seconds()
    found = dump() | {"days": list(DayFigures.objects.order_by("date").values())}
    second, second_cpu = import_seconds()

    rate = len(rows) / first
    record_result(
        "Import of Online Retail",
        {
            "lines": len(rows),
            "seconds, all of the command but the start of Python": f"{first:.2f}",
            "of these, CPU of the command": f"{first_cpu:.2f}",
            "lines per second": f"{rate:,.0f}",
            "plain COPY into a table of texts, seconds": f"{plain:.3f}",
            "ratio to the plain COPY": f"{plain / first:.4f} ({first / plain:.0f} times as long)",
            "the same file again, seconds": f"{second:.2f} (CPU {second_cpu:.2f})",
            "load average of the machine": f"{os.getloadavg()[0]:.1f}",
        },
    )
    assert dump() | {"days": list(DayFigures.objects.order_by("date").values())} == found
    run, again = OrderImport.objects.order_by("id")
    assert (again.orders_new, again.returns_new, again.members_new) == (0, 0, 0)
    assert (again.orders_known, again.returns_known) == (run.orders_new, run.returns_new)

    kept = PurchaseLine.objects.count() + ReturnLine.objects.count()
    assert run.rows_rejected == 0
    assert run.rows_read == len(rows) == kept + sum(is_no_line(row) for row in rows)
    assert {row["CustomerID"] for row in rows} - {""} == set(
        Purchase.objects.exclude(member=None).values_list("member__identities__value", flat=True)
    ) | set(PurchaseReturn.objects.exclude(member=None).values_list("member__identities__value", flat=True))
    pounds = sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in rows)
    sold = Purchase.objects.aggregate(yuan=Sum("total_amount"), pounds=Sum("original_amount"))
    returned = PurchaseReturn.objects.aggregate(yuan=Sum("total_amount"))["yuan"]
    assert abs(sold["pounds"] - returned / Decimal("10.20") - pounds) < Decimal("0.50")  # cents, line by line
    assert (
        sold["yuan"] - returned
        == DayFigures.objects.aggregate(net=Sum("member_sales_amount") + Sum("guest_sales_amount"))["net"]
    )
    assert rate >= LEAST_LINES_PER_SECOND


def is_no_line(row: dict[str, str]) -> bool:
    """Return whether a row corrects stock: goods taken off without money and without a customer."""
    return (
        int(row["Quantity"]) < 0
        and Decimal(row["UnitPrice"]) == 0
        and not row["CustomerID"]
        and not row["InvoiceNo"].startswith("C")
    )


def test_from_the_command_line(committed_db: str, record_result: Callable[[str, Figures], None]) -> None:
    """The same with the start of Python, as a person meets it."""
    environment = os.environ | {"DATABASE_URL": committed_db, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, str(PROJECT / "manage.py"), "import_orders", str(FILE), *ARGUMENTS]
    began = time.perf_counter()
    subprocess.run(command, env=environment, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began

    record_result("Import of Online Retail from the command line", f"{seconds:.2f} s with the start of Python.")
    assert OrderImport.objects.get().orders_new == Purchase.objects.count() > 1_700
