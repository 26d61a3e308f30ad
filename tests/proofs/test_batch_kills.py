"""kill -9 in the middle of every sort of batch: the next run ends it, and the books are those of a run that nobody disturbed."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from config.trial.postgres import Cluster
from rewards.services.verification import verify
from tests.harness.database import django_on
from tests.harness.dumps import DUMPS
from tests.harness.results import Figures
from tests.proofs.batches import BATCHES, Batch
from tests.proofs.killable import (
    Fork,
    Victim,
    copy_database,
    drop_databases,
    kill_postgres,
    killable_server,
    was_cut_short,
)

KILLS = ("worker", "worker", "postgres")
# What batches leave beside the value tables. Numbers that a sequence gave are no part of it: a sequence takes none back.
MORE = {
    "warnings": "SELECT member_id, currency_id, expires_date, days, points, warned_at FROM rewards_expirywarning",
    "jobs": "SELECT kind, state, done, ok, failed, total, cursor::text FROM members_job",
    "refused rows": "SELECT number, reason FROM members_joberrorrow",
    "adjustments": "SELECT member_id, points, reason_code_id FROM rewards_adjustment",
    "seals": "SELECT number, entries, entries_before, encode(root, 'hex'), encode(hash, 'hex') FROM rewards_ledgerseal",
    "closes": "SELECT month, state, opening_points, closing_points, closing_amount, liability_amount, entries FROM rewards_monthclose",
    "close lines": "SELECT part, is_arrears, origin, tier_code, movement, points, amount FROM rewards_closeline",
    "vintages": "SELECT vintage_month, age_months, issued_points, used_points, expired_points FROM rewards_vintagefigure",
    "imports": "SELECT external_order_no, recorded_at IS NULL FROM rewards_purchase",
    "days": "SELECT date, member_orders, members_joined, redemptions, tiers_raised, tiers_lowered FROM analytics_dayfigures",
    "parked": "SELECT subscription_id FROM members_parkedentry",
}
_NUMBERS = {
    "warning",
    "change",
    "voucher",
    "redemption",
    "hold",
    "close",
    "job",
    "activity",
    "adjustment",
    "transaction",
}
_IDS = {"member_id": "members_member", "product_id": "rewards_product"}


def books() -> dict[str, list[Any]]:
    """Return all there is of value in the database, in a fixed order, with members and products by their rank."""
    found = {}
    with connection.cursor() as cursor:
        ranks = {}
        for column, table in _IDS.items():
            cursor.execute(f"SELECT id, row_number() OVER (ORDER BY id) FROM {table}")
            ranks[column] = dict(cursor.fetchall())
        for name, sql in (DUMPS | MORE).items():
            cursor.execute(sql)
            columns = [column.name for column in cursor.description]
            rows = [
                tuple(_plain(ranks, column, value) for column, value in zip(columns, row, strict=True))
                for row in cursor.fetchall()
            ]
            found[name] = sorted(rows, key=repr)
    return found


def _plain(ranks: dict[str, dict[int, int]], column: str, value: Any) -> Any:
    if column in ranks:
        return ranks[column].get(value)
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps({k: v for k, v in json.loads(value).items() if k not in _NUMBERS}, sort_keys=True)
    return value


class Proof:
    """One sort of batch on a server that may be killed: undisturbed on one copy of the data, killed again and again on another."""

    def __init__(self, cluster: Cluster, name: str, batch: Batch, folder: Path) -> None:
        self.cluster = cluster
        self.name = name
        self.batch = batch
        self.folder = folder
        self.stem = name.replace(" ", "_")
        self.chance = random.Random(name)

    def victim(self, act: Callable[[Path], None], database: str) -> Victim:
        name = f"batch {self.stem}"[:60]
        log = self.folder / f"{self.stem}.log"
        fork = Fork(lambda: act(self.folder), url=self.cluster.url(database), name=name, log=log)
        return Victim(self.cluster, fork, name)

    def to_the_end(self, act: Callable[[Path], None], database: str) -> None:
        assert self.victim(act, database).process.wait(300) == 0, self.said()

    def said(self) -> str:
        return (self.folder / f"{self.stem}.log").read_text(encoding="utf-8")[-3_000:]

    def kill_again_and_again(self, database: str) -> list[float]:
        """Kill worker or server in the middle of the batch, each time in a transaction that has written; return the recoveries."""
        recoveries = []
        kills = list(KILLS)
        while kills:
            victim = self.victim(self.batch.run, database)
            middle = victim.stop_in_the_middle(chance=self.chance, skip=self.chance.randint(0, self.batch.most_skipped))
            assert middle is not None, f"{self.name}: ended before it was killed: {self.said()}"
            if kills[0] == "worker":
                victim.kill()
                cut_short = was_cut_short(self.cluster, middle)
            else:
                recoveries.append(kill_postgres(self.cluster))
                cut_short = was_cut_short(self.cluster, middle)  # before others get the same numbers
                victim.go_on()
                victim.process.wait(120)  # ends with an error, or goes on by itself now that the server is back
            if cut_short:
                del kills[0]
        return recoveries


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Cluster]:
    """A server that these tests may kill."""
    with django_db_blocker.unblock(), killable_server(tmp_path_factory.mktemp("server")) as server:
        connection.close()
        yield server


@pytest.fixture(scope="module")
def ended() -> dict[str, str]:
    """What was compared of each sort of batch that ended well."""
    return {}


@pytest.fixture(scope="module")
def recoveries() -> list[float]:
    """How long PostgreSQL took to recover, each time."""
    return []


class TestKilledInTheMiddle:
    """Three times killed in the middle, and then let …"""

    @pytest.mark.parametrize("name", BATCHES)
    def test_a_batch_ends_as_if_nothing_had_been(
        self, cluster: Cluster, tmp_path: Path, name: str, ended: dict[str, str], recoveries: list[float]
    ) -> None:
        """It works on two copies of the same data: alone on one, killed again and again on the other."""
        batch = BATCHES[name]
        proof = Proof(cluster, name, batch, tmp_path)
        copy_database(cluster, "proof", proof.stem)
        proof.to_the_end(batch.prepare, proof.stem)
        twin = f"{proof.stem}_twin"
        copy_database(cluster, proof.stem, twin)
        with django_on(cluster.url(twin)):
            before = books()
        proof.to_the_end(batch.run, twin)
        recoveries += proof.kill_again_and_again(proof.stem)
        proof.to_the_end(batch.run, proof.stem)
        with django_on(cluster.url(twin)):
            expected = books()
        with django_on(cluster.url(proof.stem)):
            found = books()
            findings = [str(finding) for finding in verify(at=batch.books_at)]
        drop_databases(cluster, proof.stem, twin)
        for part, rows in expected.items():
            assert found[part] == rows, part
        assert findings == []
        changed = sorted(part for part in expected if expected[part] != before[part])
        assert changed, "it did nothing"
        ended[name] = ", ".join(f"{len(found[part]):,} {part}" for part in changed)

    def test_every_batch_did(
        self, ended: dict[str, str], recoveries: list[float], record_result: Callable[[str, Figures], None]
    ) -> None:
        assert list(ended) == list(BATCHES)
        record_result(
            "kill -9 in the middle of batches",
            {
                "kills of each batch, in an open transaction that had written": f"{KILLS.count('worker')} of the worker, {KILLS.count('postgres')} of PostgreSQL",
                "transactions cut short that left anything": 0,
                "differences to an undisturbed run on the same data": 0,
                "findings of verify_ledger": 0,
                "recovery of PostgreSQL": f"at most {max(recoveries):.1f} s",
                **{f"compared after {name}": rows for name, rows in ended.items()},
            },
        )  # fmt: skip
