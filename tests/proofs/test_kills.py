"""kill -9 of workers, of the web server and of PostgreSQL, in the middle of services and requests: nothing is lost or doubled."""

import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db.models import F, Sum

from config.trial.folder import free_port
from config.trial.postgres import Cluster
from loyalty.models import TierRule
from members.actors import SYSTEM
from members.models import IdempotentAnswer
from members.services.bulk_enrolment import NewMember, enrol_many
from rewards.models import LedgerTransaction, PointsAccount, Purchase, PurchaseReturn, Redemption
from rewards.services.verification import verify
from tests.factories.api import make_channel
from tests.harness.results import Figures
from tests.proofs.killable import Victim, kill_postgres, killable_server, start, was_cut_short
from tests.proofs.plan_worker import BEGIN, IMPORTED, KINDS, PAID, kind_of, make_plan
from tests.proofs.tills import PRICE, Business

FACTS = 3_600
SHARDS = 2
MEMBERS = 12
WRITING = set(KINDS) - {"expire"}  # nothing expires in the plan; test_batch_kills expires
RANDOM_KILLS = 16
WEB_KILLS = 10
POSTGRES_KILLS = 5


@pytest.fixture
def killable(tmp_path: Path, django_db_blocker: object) -> Iterator[Cluster]:
    """A server that a test may kill."""
    with django_db_blocker.unblock(), killable_server(tmp_path) as cluster:  # type: ignore[attr-defined]
        yield cluster


class Plan:
    """A plan in the hands of some workers, each of which is started again when it is killed."""

    def __init__(self, cluster: Cluster, folder: Path, path: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.path = path
        self.workers = [self._start(shard) for shard in range(SHARDS)]
        self.hit: Counter[tuple[str, str]] = Counter()
        self.recoveries: list[float] = []

    def _start(self, shard: int) -> Victim:
        command = [
            sys.executable, "-m", "tests.proofs.plan_worker", str(self.path), str(self._acks(shard)), str(shard), str(SHARDS),
        ]  # fmt: skip
        name = f"plan {shard}"
        log = self.folder / f"worker{shard}.log"
        return Victim(self.cluster, start(command, url=self.cluster.url("proof"), name=name, log=log), name)

    def _acks(self, shard: int) -> Path:
        return self.folder / f"acks{shard}"

    def kind_in_hand(self, shard: int) -> str:
        """Return what a worker that stands still was doing: the fact after the last that has an answer."""
        return kind_of(self._answered(shard) * SHARDS + shard)

    def _answered(self, shard: int) -> int:
        return self._acks(shard).read_text(encoding="ascii").count(".") if self._acks(shard).exists() else 0

    def _behind(self) -> int:
        """Return the shard that is behind the others."""
        return min(range(SHARDS), key=self._answered)

    def kill_in_the_middle(self, what: str, kind: str, chance: random.Random) -> None:
        """Kill a worker, or the server under all of them, while a worker is in the middle of a fact of this kind."""
        shard = self._behind()
        worker = self.workers[shard]
        middle = worker.stop_in_the_middle(chance=chance, wanted=lambda: self.kind_in_hand(shard) == kind)
        assert middle is not None, f"the plan was done before {kind} was hit: {self.said(shard)}"
        if what == "worker":
            worker.kill()
            cut_short = was_cut_short(self.cluster, middle)
            self.workers[shard] = self._start(shard)
        else:
            for each in self.workers:
                each.signal(signal.SIGSTOP)  # the recovered server gives numbers of lost transactions again
            self.recoveries.append(kill_postgres(self.cluster))
            cut_short = was_cut_short(self.cluster, middle)
            for each in self.workers:
                each.go_on()
        self.hit[what, kind] += cut_short

    def kill_anywhere(self, chance: random.Random) -> None:
        """Kill a worker at any moment: also after a commit, before its answer is written down."""
        time.sleep(chance.uniform(0.2, 0.6))
        shard = self._behind()
        assert not self.workers[shard].has_ended, self.said(shard)
        self.workers[shard].kill()
        self.workers[shard] = self._start(shard)

    def wait(self) -> None:
        for shard, worker in enumerate(self.workers):
            assert worker.process.wait(600) == 0, self.said(shard)

    def said(self, shard: int) -> str:
        return (self.folder / f"worker{shard}.log").read_text(encoding="utf-8")[-3_000:]

    def answers(self) -> dict[int, str]:
        """Return the answer of each fact; a line that a kill cut short counts as none."""
        lines = [line for shard in range(SHARDS) for line in self._acks(shard).read_text().splitlines()]
        pairs = [line.rstrip(".").split() for line in lines if line.endswith(".")]
        assert len(pairs) == len({number for number, _answer in pairs}), "a fact was answered twice"
        return {int(number): answer for number, answer in pairs}


def expected_points(answers: dict[int, str]) -> int:
    """Return the points that members own after a plan, from the answers alone."""
    gain = {"buy": PAID, "import": PAID * IMPORTED, "redeem": -7, "return": -PAID, "hold": -5}
    return sum(gain.get(kind_of(number), 0) for number, answer in answers.items() if answer in ("done", "known"))


def owned_points() -> int:
    """Return the points that all members own, less what they owe."""
    return PointsAccount.objects.aggregate(points=Sum(F("available") + F("pending") + F("held") - F("debt")))["points"]


class TestKilled:
    """Killed with -9 …"""

    def test_workers_and_postgresql_lose_and_double_nothing(
        self, killable: Cluster, tmp_path: Path, record_result: Callable[[str, Figures], None]
    ) -> None:
        """Two workers carry out a plan; they and the server are killed in the middle of every kind of fact, and anywhere."""
        TierRule.objects.update(points_multiplier=1)  # so that what a purchase gives can be reckoned without the rules
        channel = make_channel()
        members = enrol_many(members=[NewMember(BEGIN, channel.pk) for _ in range(MEMBERS)], by=SYSTEM, at=BEGIN)
        path = tmp_path / "plan.json"
        make_plan(path, facts=FACTS, members=members, channel=channel.pk)
        chance = random.Random(20261122)
        plan = Plan(killable, tmp_path, path)
        aimed = [("worker", kind) for kind in WRITING] + [("postgres", kind) for kind in WRITING]
        kills = [*sorted(aimed), *[("anywhere", "")] * RANDOM_KILLS]
        chance.shuffle(kills)
        for what, kind in kills:
            if what == "anywhere":
                plan.kill_anywhere(chance)
            else:
                while not plan.hit[what, kind]:
                    plan.kill_in_the_middle(what, kind, chance)
        plan.wait()
        answers = plan.answers()
        assert sorted(answers) == list(range(FACTS))
        assert [str(finding) for finding in verify(at=BEGIN + timedelta(seconds=FACTS))] == []
        expected = expected_points(answers)
        assert owned_points() == expected
        bought = sum(kind_of(number) == "buy" for number in range(FACTS))
        imported = sum(kind_of(number) == "import" for number in range(FACTS)) * IMPORTED
        assert Purchase.objects.count() == bought + imported
        answered = Counter(answers.values())
        record_result(
            "kill -9 of workers and of PostgreSQL",
            {
                "facts, from two workers on twelve members": f"{FACTS:,}, {FACTS - answered['done'] - answered['known']} of them refused by rules",
                "kinds of facts, each hit in the middle of its transaction by a kill of the worker and one of PostgreSQL": ", ".join(
                    sorted(WRITING)
                ),
                "kills at any moment": RANDOM_KILLS,
                "facts done whose answer was lost, found done by the retry": answered["known"],
                "lost, doubled": "0, 0",
                "points at the end, as reckoned from the answers": f"{expected:,}",
                "findings of verify_ledger": 0,
                "recovery of PostgreSQL": f"at most {max(plan.recoveries):.1f} s",
            },
        )

    def test_the_web_server_and_postgresql_in_the_middle_of_requests(
        self, killable: Cluster, tmp_path: Path, record_result: Callable[[str, Figures], None]
    ) -> None:
        """Tills and members send orders, returns and redemptions, and repeat each under its key until it is answered."""
        port = free_port()
        business = Business(port, MEMBERS)
        web = start_web(killable, port, tmp_path)
        chance = random.Random(7)
        kills = ["web"] * WEB_KILLS + ["postgres"] * POSTGRES_KILLS
        chance.shuffle(kills)
        hit: Counter[str] = Counter()
        recoveries = []
        cut_short = 0
        with business.open():
            for what in kills:
                business.wait_for_answers(20)
                middle = web.stop_in_the_middle(chance=chance, skip=chance.randint(0, 20))
                assert middle is not None, (tmp_path / "web.log").read_text()[-3_000:]
                hit.update(business.in_hand())
                if what == "web":
                    web.kill()
                    cut_short += was_cut_short(killable, middle)
                    web = start_web(killable, port, tmp_path)
                else:
                    recoveries.append(kill_postgres(killable))
                    cut_short += was_cut_short(killable, middle)
                    web.go_on()
        web.kill()
        told = business.told
        assert Purchase.objects.count() == told["order"]
        assert PurchaseReturn.objects.count() == told["return"]
        assert Redemption.objects.count() == told["redemption"]
        kind = LedgerTransaction.Kind
        posted = Counter(LedgerTransaction.objects.values_list("kind", flat=True))
        assert posted == {kind.EARN: told["order"], kind.RETURN: told["return"], kind.REDEEM: told["redemption"]}
        assert IdempotentAnswer.objects.filter(status=201).count() == IdempotentAnswer.objects.count() == told.total()
        assert owned_points() == business.points
        assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []
        assert set(hit) == set(told), hit
        assert cut_short > (WEB_KILLS + POSTGRES_KILLS) / 2
        record_result(
            "kill -9 of the web server and of PostgreSQL under it",
            {
                "orders, returns, redemptions": f"{told['order']:,}, {told['return']:,}, {told['redemption']:,} (of {PRICE} points)",
                "kills in the middle of a request's transaction": f"{WEB_KILLS} of the web server, {POSTGRES_KILLS} of PostgreSQL",
                "of these, so that nothing was left of a transaction": cut_short,
                "requests in hand at the kills": ", ".join(f"{name} {times}" for name, times in sorted(hit.items())),
                "requests sent again": f"{business.repeats:,}",
                "answers found kept by the retry": f"{business.replayed:,}",
                "done twice, or not at all": "0, 0",
                "points at the end, as reckoned from the answers": f"{business.points:,}",
                "findings of verify_ledger": 0,
                "recovery of PostgreSQL": f"at most {max(recoveries):.1f} s",
            },
        )


def start_web(cluster: Cluster, port: int, folder: Path) -> Victim:
    """Start the web server as ./run.sh does, in a process group of its own."""
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "2", "--blocking-threads", "1", "--no-ws",
    ]  # fmt: skip
    url = cluster.url("proof")
    return Victim(cluster, start(command, url=url, name="web", log=folder / "web.log"), "web")
