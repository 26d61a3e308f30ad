"""kill -9 of workers, of the web server and of PostgreSQL, in the middle of batches and requests: nothing is lost or doubled."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.models import F, Sum

from config.trial.folder import free_port
from config.trial.postgres import Cluster
from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import Member
from members.services.bulk_enrolment import NewMember, enrol_many
from rewards.models import LedgerTransaction, PointsAccount, Purchase
from rewards.services.verification import verify
from tests.factories.api import make_channel, make_store, make_till
from tests.harness.database import django_on
from tests.harness.results import Figures
from tests.proofs.plan_worker import BEGIN, IMPORTED, PAID, kind_of, make_plan

PROJECT = Path(__file__).resolve().parents[2]
FACTS = 3_600
SHARDS = 2
MEMBERS = 12
POSTGRES_KILLS = 8
WORKER_KILLS = 16
WEB_KILLS = 8
ORDERS = 1_200


@contextmanager
def killable_server(folder: Path) -> Iterator[Cluster]:
    """Yield a durable PostgreSQL of this test's own, with a migrated database `proof`."""
    folder.chmod(0o711)
    cluster = Cluster(folder / "postgres", log=folder / "log", password="only-for-tests", port=free_port())
    cluster.start()
    try:
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE proof")
        with django_on(cluster.url("proof")):
            call_command("migrate", verbosity=0, interactive=False)
            yield cluster
            connections.close_all()
    finally:
        cluster.stop()


def kill_postgres(cluster: Cluster) -> float:
    """kill -9 the server and all of its processes; start it again; return the seconds until it answered."""
    cluster.child.kill()
    connections.close_all()
    began = time.monotonic()
    cluster.start()
    return time.monotonic() - began


@pytest.fixture
def killable(tmp_path: Path, django_db_blocker: object) -> Iterator[Cluster]:
    """A server that a test may kill."""
    with django_db_blocker.unblock(), killable_server(tmp_path) as cluster:  # type: ignore[attr-defined]
        yield cluster


class TestKilled:
    """Killed with -9 …"""

    def test_workers_and_postgresql_lose_and_double_nothing(
        self, killable: Cluster, tmp_path: Path, record_result: Callable[[str, Figures], None]
    ) -> None:
        """Two workers carry out a plan; they and the server are killed at random moments until it is done."""
        channel = make_channel()
        members = enrol_many(members=[NewMember(BEGIN, channel.pk) for _ in range(MEMBERS)], by=SYSTEM, at=BEGIN)
        plan = tmp_path / "plan.json"
        make_plan(plan, facts=FACTS, members=members, channel=channel.pk)
        chance = random.Random(20261122)
        restarts: list[float] = []
        killed = 0
        port = killable.port
        workers = [start_worker(killable, plan, tmp_path, shard) for shard in range(SHARDS)]
        kills = ["postgres"] * POSTGRES_KILLS + ["worker"] * WORKER_KILLS
        chance.shuffle(kills)
        deadline = time.monotonic() + 900
        while any(worker.poll() is None for worker in workers) or kills:
            assert time.monotonic() < deadline, "the plan is not done in time"
            time.sleep(chance.uniform(0.3, 1.5))
            for shard, worker in enumerate(workers):
                if worker.poll() not in (None, 0):
                    workers[shard] = start_worker(killable, plan, tmp_path, shard)
            running = [worker for worker in workers if worker.poll() is None]
            if not kills or not running:
                if all(worker.poll() == 0 for worker in workers):
                    break
                continue
            if kills.pop() == "postgres":
                restarts.append(kill_postgres(killable))
                assert killable.port == port, "the server came back on another port"
            else:
                chance.choice(running).kill()
                killed += 1
        for worker in workers:
            assert worker.wait(600) == 0
        answers = answers_of(tmp_path)
        assert sorted(answers) == list(range(FACTS))
        assert [str(finding) for finding in verify(at=BEGIN + timedelta(seconds=FACTS))] == []
        expected = expected_points(answers)
        owned = PointsAccount.objects.aggregate(points=Sum(F("available") + F("pending") + F("held") - F("debt")))[
            "points"
        ]
        assert owned == expected
        bought = sum(kind_of(number) == "buy" for number in range(FACTS))
        imported = sum(kind_of(number) == "import" for number in range(FACTS)) * IMPORTED
        assert Purchase.objects.count() == bought + imported
        refused = sum(answer != "done" for answer in answers.values())
        record_result(
            "kill -9 of workers and of PostgreSQL",
            f"{FACTS:,} facts ({refused} refused by rules) from {SHARDS} workers, {killed} kills of a worker, {len(restarts)} of PostgreSQL: "
            f"none lost, none doubled, {expected:,} points as reckoned; recovery at most {max(restarts):.1f} s.",
        )

    def test_the_web_server_in_the_middle_of_requests(
        self, killable: Cluster, record_result: Callable[[str, Figures], None]
    ) -> None:
        """Two tills send orders and repeat each under its key until it is answered; the server is killed meanwhile."""
        store, channel = make_store(), make_channel()
        enrol_many(members=[NewMember(BEGIN, channel.pk) for _ in range(MEMBERS)], by=SYSTEM, at=BEGIN)
        refs = [
            public_ref(MEMBER, public_id)
            for public_id in Member.objects.order_by("pk").values_list("public_id", flat=True)
        ]
        secret = make_till(store).secret
        port = free_port()
        server = start_web(killable, port)
        repeats: list[int] = []
        tills = [
            threading.Thread(target=sell, args=(port, secret, refs, range(first, ORDERS, 2), repeats))
            for first in range(2)
        ]
        for till in tills:
            till.start()
        chance = random.Random(7)
        kills = 0
        while any(till.is_alive() for till in tills) and kills < WEB_KILLS:
            time.sleep(chance.uniform(0.5, 2.0))
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            kills += 1
            server = start_web(killable, port)
        for till in tills:
            till.join(600)
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        assert not any(till.is_alive() for till in tills)
        assert Purchase.objects.count() == ORDERS
        assert LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.EARN).count() == ORDERS
        owned = PointsAccount.objects.aggregate(points=Sum("available"))["points"]
        assert owned == ORDERS * PAID
        assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []
        record_result(
            "kill -9 of the web server",
            f"{ORDERS:,} orders from 2 tills, {kills} kills, {sum(repeats)} requests repeated: each order once, {owned:,} points.",
        )


def start_worker(cluster: Cluster, plan: Path, folder: Path, shard: int) -> subprocess.Popen[bytes]:
    """Start the worker of a shard."""
    environment = os.environ | {"DATABASE_URL": cluster.url("proof"), "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [
        sys.executable, "-m", "tests.proofs.plan_worker", str(plan), str(folder / f"acks{shard}"), str(shard), str(SHARDS),
    ]  # fmt: skip
    with (folder / f"worker{shard}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)


def answers_of(folder: Path) -> dict[int, str]:
    """Return the answer of each fact; a line that a kill cut short counts as none."""
    found = {}
    for shard in range(SHARDS):
        for line in (folder / f"acks{shard}").read_text().splitlines():
            if line.endswith("."):
                number, answer = line.rstrip(".").split()
                found[int(number)] = answer
    return found


def expected_points(answers: dict[int, str]) -> int:
    """Return the points that members own after a plan, from the answers alone."""
    gain = {"buy": PAID, "import": PAID * IMPORTED, "redeem": -7, "return": -PAID, "hold": -5}
    return sum(gain.get(kind_of(number), 0) for number, answer in answers.items() if answer == "done")


def start_web(cluster: Cluster, port: int) -> subprocess.Popen[bytes]:
    """Start the web server as ./run.sh does, in a process group of its own."""
    environment = os.environ | {
        "DATABASE_URL": cluster.url("proof"), "DATABASE_POOL": "1", "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "2", "--blocking-threads", "1", "--no-ws",
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def sell(port: int, secret: str, refs: list[str], numbers: range, repeats: list[int]) -> None:
    """Send each order until it is answered, always under the same key."""
    for number in numbers:
        body = json.dumps({
            "external_order_no": f"W{number:06}", "ordered_at": datetime.now(UTC).isoformat(), "member_ref": refs[number % len(refs)],
            "lines": [{"sku": "C-LAT", "quantity": "1", "unit_price": "60.00", "amount": "60.00"}],
        })  # fmt: skip
        repeats.append(_send_until_answered(port, secret, body, f"w{number}"))


def _send_until_answered(port: int, secret: str, body: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Idempotency-Key": key}
    for tries in range(2_000):
        try:
            server = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            server.request("POST", "/api/v1/pos/orders", body, headers)
            answer = server.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
            continue
        if answer.status < 300:
            return tries
        assert answer.status in (409, 503), content
        time.sleep(0.1)
    raise AssertionError(f"{key} was never answered")
