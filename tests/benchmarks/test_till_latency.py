"""How long tills and phones wait among many members: an open loop of quotes and of home screens, and rates beside a bare view.

In the open loop requests come at fixed moments, whatever became of those before; each wait counts from its moment.
`BENCH_MEMBERS` and `BENCH_SECONDS` make it smaller for a look.
"""

import json
import os
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from django.db import connection

from tests.benchmarks.test_purchases import web_server
from tests.benchmarks.till_world import TillWorld
from tests.harness.results import Figures

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "200000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
A_SECOND = 50
SENDERS = 32  # as many as may wait at the same time, at most
ROUNDS, ROUND_SECONDS, CLIENTS = 5, max(SECONDS // 10, 1), 4
UNBOUND = {f"API_{by}_CALLS_A_MINUTE": "0" for by in ("MEMBER", "KEY", "ADDRESS")}
QUOTE, SUMMARY, BARE = "quote", "summary", "bare DRF view with one SELECT"
#: DECISIONS.md 25: seconds within which 95 % are answered, and the part of the bare view's rate.
WITHIN = {QUOTE: 0.150, SUMMARY: 0.100}
PART = {QUOTE: 0.15, SUMMARY: 0.35}

Requests = Callable[[int], bytes]


class Line:
    """One connection to the server, with as little work of its own as can be: it runs on the same cores."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> None:
        """Send a request and wait for all of its answer, which must be 200."""
        self._socket.sendall(request)
        answer = self._socket.recv(65_536)
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65_536)
        head, _gap, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), answer
        [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < length:
            body += self._socket.recv(65_536)

    def close(self) -> None:
        self._socket.close()


def requests_of(world: TillWorld) -> dict[str, Requests]:
    """Return what makes the requests of each kind by their number."""

    def request(verb: str, path: str, secret: str, body: bytes = b"") -> bytes:
        head = f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: zh-Hans\r\nAuthorization: Bearer {secret}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body

    return {
        QUOTE: lambda n: request("POST", "/api/v1/pos/quotes", world.till.secret, json.dumps(world.cart(n)).encode()),
        SUMMARY: lambda n: request("GET", "/api/v1/me/summary", world.tokens[n % len(world.tokens)]),
        BARE: lambda n: request("GET", f"/bare/{n % MEMBERS + 1}", ""),
    }


def open_loop(port: int, requests: Requests, *, seconds: int) -> list[float]:
    """Send a request at each fiftieth of a second; return for how many seconds each waited from that moment on, in order."""
    arrivals, waits = seconds * A_SECOND, list[float]()
    numbers, ready = count(), [requests(number) for number in range(arrivals)]
    began = time.perf_counter() + 0.5

    def send(_sender: int) -> None:
        line = Line(port)
        while (number := next(numbers)) < arrivals:
            planned = began + number / A_SECOND
            time.sleep(max(planned - time.perf_counter(), 0.0))
            line.ask(ready[number])
            waits.append(time.perf_counter() - planned)
        line.close()

    _all(send, SENDERS)
    assert len(waits) == arrivals
    return sorted(waits)


def rate(port: int, requests: Requests, *, seconds: float) -> float:
    """Return how many requests a second are answered when some clients ask without a pause."""
    until, done = time.perf_counter() + seconds, list[int]()

    def ask_on(client: int) -> None:
        line, asked = Line(port), 0
        while time.perf_counter() < until:
            line.ask(requests(asked * CLIENTS + client))
            asked += 1
        line.close()
        done.append(asked)

    _all(ask_on, CLIENTS)
    return sum(done) / seconds


def _all(act: Callable[[int], None], times: int) -> None:
    with ThreadPoolExecutor(times) as pool:
        list(pool.map(act, range(times)))


def at_percent(waits: Sequence[float], percent: int) -> float:
    """Return the wait within which so many percent of all (in order) stayed."""
    return waits[min(len(waits) * percent // 100, len(waits) - 1)]


def test_of_quotes_and_home_screens(committed_db: str, record_result: Callable[[str, Figures], None]) -> None:
    world = TillWorld(MEMBERS, signed_in=5_000)
    connection.close()
    requests = requests_of(world)
    figures: dict[str, object] = {"members": f"{MEMBERS:,}"}
    settings = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.bare_settings", **UNBOUND}
    waits: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {name: [] for name in requests}
    with web_server(committed_db, **settings) as port:
        for made in requests.values():
            rate(port, made, seconds=2)  # warms both workers
        for name in (QUOTE, SUMMARY):
            waits[name] = open_loop(port, requests[name], seconds=SECONDS)
        for _ in range(ROUNDS):  # by turns, so that whatever else the machine does falls on all of them
            for name, made in requests.items():
                rates[name].append(rate(port, made, seconds=ROUND_SECONDS))
    for name, found in waits.items():
        told = ", ".join(f"{percent} % within {at_percent(found, percent) * 1000:.1f}" for percent in (50, 95, 99))
        figures[f"{name}, {A_SECOND} a second"] = f"{told}, all within {found[-1] * 1000:.1f} ms"
    median = {name: statistics.median(found) for name, found in rates.items()}
    for name, per_second in median.items():
        figures[f"{name}, {CLIENTS} clients"] = (
            f"{per_second:,.0f} a second ({per_second / median[BARE]:.2f} of the bare view)"
        )
    figures["load average of the machine"] = f"{os.getloadavg()[0]:.1f}"
    record_result("Quotes and home screens among many members", figures)
    for name, limit in WITHIN.items():
        assert at_percent(waits[name], 95) <= limit, name
    for name, part in PART.items():
        assert median[name] / median[BARE] >= part, name
