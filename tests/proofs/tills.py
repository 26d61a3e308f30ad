"""Tills and members who send requests that move points, each under one key until it is answered, whatever becomes of the server."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from members.actors import SYSTEM
from members.identifiers import MEMBER, REWARD, public_ref
from members.models import Member
from members.services.bulk_enrolment import NewMember, enrol_many
from tests.factories.api import make_channel, make_store, make_till, sign_in
from tests.factories.catalogue import a_reward

SENDERS = 2
PRICE = 20
#: Of so many answers, one is not waited for: the sender hangs up and asks again.
HANGS_UP = 8
_PATIENCE_SECONDS = 120.0


class Business:
    """Some senders at once; what they were told, and the points that follow from it."""

    def __init__(self, port: int, members: int) -> None:
        self.port = port
        moment = datetime.now(UTC) - timedelta(days=30)
        channel = make_channel()
        ids = enrol_many(members=[NewMember(moment, channel.pk) for _ in range(members)], by=SYSTEM, at=moment)
        self.members = list(Member.objects.filter(pk__in=ids).order_by("pk"))
        self.tokens = [sign_in(member).secret for member in self.members]
        self.till = make_till(make_store()).secret
        self.reward = public_ref(REWARD, a_reward(PRICE).public_id)
        self.told: Counter[str] = Counter()
        self.points = self.repeats = self.replayed = 0
        self._doing = [""] * SENDERS
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._senders: list[Future[None]] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        """Send until the end of the block, and then until the last request has its answer. Raises what a sender raised."""
        connection.close()
        with ThreadPoolExecutor(SENDERS) as pool:
            self._senders = [pool.submit(self._send_on, sender) for sender in range(SENDERS)]
            try:
                yield
            finally:
                self._closed.set()
                for sender in self._senders:
                    sender.result(_PATIENCE_SECONDS)

    def wait_for_answers(self, number: int) -> None:
        """Return once so many more requests have been answered."""
        until = self.told.total() + number
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.told.total() < until:
            for sender in self._senders:
                if sender.done():
                    sender.result()
            assert time.monotonic() < deadline, "nobody answers"
            time.sleep(0.05)

    def in_hand(self) -> list[str]:
        """Return the sorts of requests that wait for an answer now."""
        return [kind for kind in self._doing if kind]

    def _send_on(self, sender: int) -> None:
        """Two orders of a member, the return of one, a redemption; then the next member."""
        chance = random.Random(sender)
        rounds = 0
        while not self._closed.is_set():
            who = chance.randrange(len(self.members))
            number = f"{sender}-{rounds:05}"
            for part in range(2):
                self._order(sender, chance, f"{number}-{part}", who)
            self._return(sender, chance, number)
            self._redeem(sender, chance, number, who)
            rounds += 1

    def _order(self, sender: int, chance: random.Random, number: str, who: int) -> None:
        body = {
            "external_order_no": f"W{number}", "ordered_at": _now(), "member_ref": public_ref(MEMBER, self.members[who].public_id),
            "lines": [{"sku": "C-LAT", "quantity": "1", "unit_price": "60.00", "amount": "60.00"}],
        }  # fmt: skip
        answer = self._answer(sender, chance, "order", "/pos/orders", body, self.till, f"o{number}")
        self._count("order", answer["points_earned"])

    def _return(self, sender: int, chance: random.Random, number: str) -> None:
        body = {"external_return_no": f"R{number}", "returned_at": _now()}
        path = f"/pos/orders/W{number}-1/returns"
        answer = self._answer(sender, chance, "return", path, body, self.till, f"r{number}")
        self._count("return", -answer["points_from_balance"] - answer["points_to_arrears"])

    def _redeem(self, sender: int, chance: random.Random, number: str, who: int) -> None:
        body = {"reward": self.reward}
        self._answer(sender, chance, "redemption", "/me/redemptions", body, self.tokens[who], f"v{number}")
        self._count("redemption", -PRICE)

    def _count(self, kind: str, points: int) -> None:
        with self._lock:
            self.told[kind] += 1
            self.points += points

    def _answer(
        self, sender: int, chance: random.Random, kind: str, path: str, body: dict[str, Any], secret: str, key: str
    ) -> dict[str, Any]:
        """Send a request, again and again under the same key, until it is answered; return the answer."""
        self._doing[sender] = kind
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Idempotency-Key": key}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        hangs_up = chance.randrange(HANGS_UP) == 0
        tries = 0
        while time.monotonic() < deadline:
            if tries:
                with self._lock:
                    self.repeats += 1
            tries += 1
            server = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                server.request("POST", f"/api/v1{path}", json.dumps(body), headers)
                if hangs_up:
                    hangs_up = False
                    time.sleep(chance.uniform(0.0, 0.05))
                    continue
                answer = server.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
                continue
            finally:
                server.close()
            if answer.status < 300:
                if answer.headers["Idempotency-Replayed"]:
                    with self._lock:
                        self.replayed += 1
                self._doing[sender] = ""
                found: dict[str, Any] = json.loads(content)
                return found
            in_progress = answer.status == 409 and json.loads(content)["code"] == "request_in_progress"
            assert in_progress or answer.status == 503, (answer.status, content)
            time.sleep(0.1)
        raise AssertionError(f"{key} was never answered")


def _now() -> str:
    return datetime.now(UTC).isoformat()
