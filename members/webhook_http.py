"""One signed call to another system: no redirects, no networks of ours, bounded in time and in what is read of the answer."""

import functools
import re
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from django.conf import settings
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from standardwebhooks import Webhook

from members.models import WebhookDelivery
from members.webhook_urls import WebhookHostRefused, WebhookUrlInvalid, refuse_url

Fault = WebhookDelivery.Fault
#: Seconds to connect, and between two pieces of an answer.
TIMEOUT_SECONDS: Final = 5.0
#: Seconds for all of a call, however slowly its answer trickles in.
WHOLE_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 1_024
SHOWN_CHARACTERS: Final = 300
_LONGEST_WAIT: Final = timedelta(days=1)
_GONE: Final = 410
_AGENT: Final = "Perennial-Webhooks/1"
# What could be somebody's: an e-mail address, or a number of seven digits and more.
_PERSONAL: Final = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+|\+?\d[\d -]{5,}\d")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is ready to be made: where, the id of the event, its body, and with what it is signed."""

    url: str
    message_id: str
    body: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call. `answer` is the beginning of what came back, without what could be personal."""

    status: int | None
    fault: Fault
    took_ms: int
    answer: str = ""
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        return self.fault == Fault.NONE

    @property
    def is_gone(self) -> bool:
        return self.status == _GONE


class Sender:
    """Calls one after another over one session, which keeps its connection. Not to be shared between threads."""

    def __init__(self) -> None:
        self._session = HTTPSession(
            Config(
                ip_filter_enable=True,
                ip_filter_allow_loopback_ips=settings.WEBHOOK_LOOPBACK,
                never_redirect=True,
                default_timeout=(TIMEOUT_SECONDS, TIMEOUT_SECONDS),
                user_agent_override=_AGENT,
            )
        )
        self._session.trust_env = False  # no proxy, no password file: where it connects to is what was looked at
        for scheme in ("http", "https"):
            self._session.mount(
                f"{scheme}://",
                _WatchedAdapter(is_https_proto=scheme == "https", allow_loopback=settings.WEBHOOK_LOOPBACK),
            )

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def send(self, call: Call, *, at: datetime) -> Outcome:
        """Make a call, signed for the moment `at`; return what became of it. Raises nothing that the other side can cause."""
        began = time.monotonic()
        status: int | None = None
        retry_after: timedelta | None = None
        answer = ""
        watch = _Watch(self._session)
        try:
            refuse_url(call.url)
            with watch:
                response = self._session.post(
                    call.url,
                    data=call.body.encode(),
                    headers=headers_of(call, at=at),
                    stream=True,
                    timeout=(TIMEOUT_SECONDS, TIMEOUT_SECONDS),
                )
                with response:
                    status = response.status_code
                    retry_after = _wait_asked(response.headers.get("Retry-After", ""), at)
                    answer = _beginning(response)
            fault = _fault_of(status)
        except (WebhookUrlInvalid, WebhookHostRefused, InvalidIPAddress):
            fault = Fault.ADDRESS
        except requests.exceptions.SSLError:
            fault = Fault.TLS
        except requests.Timeout:
            fault = Fault.TIMEOUT
        except (requests.RequestException, OSError, ValueError):
            fault = Fault.TIMEOUT if watch.has_ended else Fault.CONNECTION
        return Outcome(status, fault, round((time.monotonic() - began) * 1000), answer, retry_after)


def headers_of(call: Call, *, at: datetime) -> dict[str, str]:
    """Return the headers of a call as Standard Webhooks names them: one signature for each secret."""
    signed_at = at.astimezone(UTC)
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Accept-Encoding": "identity",
        "webhook-id": call.message_id,
        "webhook-timestamp": str(int(signed_at.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(call.message_id, signed_at, call.body) for secret in call.secrets
        ),
    }


def _fault_of(status: int) -> Fault:
    if 200 <= status < 300:
        return Fault.NONE
    return Fault.REDIRECT if 300 <= status < 400 else Fault.STATUS


def _wait_asked(header: str, at: datetime) -> timedelta | None:
    """Return how long the other side asks us to wait: seconds or a date, a day at most; None when it does not say."""
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(timedelta(seconds=int(header[:6])), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - at
    return min(wait, _LONGEST_WAIT) if wait > timedelta(0) else None


def _beginning(response: requests.Response) -> str:
    """Return the beginning of an answer as one line of text; what does not come is left out, the status stands already."""
    try:
        content = response.raw.read(MOST_ANSWER_BYTES, decode_content=False) or b""
    except Exception:  # noqa: BLE001 - whatever goes wrong while it is read, the answer has been given
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in content.decode("utf-8", "replace")).split())
    return _PERSONAL.sub("…", line)[:SHOWN_CHARACTERS]


class _WatchedAdapter(IPFilterAdapter):
    """Remembers the connection of the call that is being made, so that it can be cut."""

    connection: Any = None

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not isinstance(pool.ConnectionCls, functools.partial):
            pool.ConnectionCls = functools.partial(_made, pool.ConnectionCls, self)
        return pool


def _made(of_class: Any, adapter: _WatchedAdapter, *args: Any, **kwargs: Any) -> Any:
    adapter.connection = of_class(*args, **kwargs)
    return adapter.connection


class _Watch:
    """Cuts the connections of a session when a call has taken too long: a limit between two pieces is none on the whole."""

    def __init__(self, session: HTTPSession) -> None:
        self._adapters = [one for one in session.adapters.values() if isinstance(one, _WatchedAdapter)]
        self._timer = threading.Timer(WHOLE_SECONDS, self._cut)
        self._timer.daemon = True
        self.has_ended = False

    def __enter__(self) -> "_Watch":
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.has_ended = True
        for adapter in self._adapters:
            sock = getattr(adapter.connection, "sock", None)
            if sock is not None:
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    continue  # closed already
