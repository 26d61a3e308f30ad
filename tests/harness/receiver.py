"""Another system on this machine that webhooks are sent to: it remembers what it got and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass
class Received:
    """One call: its headers in small letters, and its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    def verify(self, secret: str) -> dict[str, Any]:
        """Return the event when the secret signed it, as a receiver's library checks it. Raises otherwise."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """`status`, `answer` and `headers` are what it answers; `delay` is how many seconds later, `trickle` a byte at a time."""

    url: str = ""
    status: int = 204
    answer: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    trickle: float = 0.0
    calls: list[Received] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [call.event["type"] for call in self.calls]

    @property
    def ids(self) -> list[str]:
        return [call.headers["webhook-id"] for call in self.calls]


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    """A receiver that listens until the end of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            receiver.calls.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(receiver.delay)
            if receiver.trickle:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 500:
                        self.wfile.write(bytes([byte]))
                        time.sleep(receiver.trickle)
                except OSError:
                    return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0" if receiver.status == 204 else str(len(receiver.answer)))
            self.end_headers()
            if receiver.status != 204:
                self.wfile.write(receiver.answer)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/events"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
