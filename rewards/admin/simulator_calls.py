"""Calls of the simulated till: real requests to the API, answered in this process by the middleware and views that tills meet."""

import json
import re
import shlex
from dataclasses import asdict, dataclass
from functools import cache
from io import BytesIO
from typing import Any, Final, Self

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.utils import translation

API: Final = "/api/v1"
#: Headers of answers that are worth a look.
SHOWN: Final = (
    "Content-Type", "Content-Language", "Idempotency-Replayed", "RateLimit-Policy", "RateLimit", "Retry-After", "X-Request-Id",
)  # fmt: skip
_SECRETS: Final = re.compile(r"\b(mt_|mr_|bt_|pk_live_)[A-Za-z0-9_-]{6,}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request and its answer. `path` stands under /api/v1; `key` is the idempotency key, empty without one."""

    method: str
    path: str
    body: dict[str, Any] | None
    key: str
    bearer: str
    language: str
    status: int
    headers: dict[str, str]
    answer: dict[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether the API did what was asked."""
        return 200 <= self.status < 300

    @property
    def is_replayed(self) -> bool:
        """Whether the answer is the kept one of an earlier call with the same key."""
        return self.headers.get("Idempotency-Replayed") == "true"

    def kept(self) -> dict[str, Any]:
        """Return the call as the session keeps it: secrets are cut off after their beginning."""
        values: dict[str, Any] = json.loads(_SECRETS.sub(r"\1…", json.dumps(asdict(self), ensure_ascii=False)))
        return values

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Self:
        """Return a call as the session kept it."""
        return cls(**kept)

    @property
    def request_headers(self) -> dict[str, str]:
        """The headers that were sent; what shows who calls is cut off after its beginning."""
        own = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        own |= {"Accept-Language": self.language}
        own |= {"Content-Type": "application/json"} if self.body is not None else {}
        return own | ({"Idempotency-Key": self.key} if self.key else {})

    @property
    def sent_text(self) -> str:
        """The body of the request, to read."""
        return "" if self.body is None else _pretty(self.body)

    @property
    def answer_text(self) -> str:
        """The body of the answer, to read."""
        return _pretty(self.answer)

    def curl(self, site: str) -> str:
        """Return the call as a line for a shell; the key is a variable in it. `site` is the scheme with the host."""
        parts = ["curl", "-X", self.method, shlex.quote(f"{site}{API}{self.path}")]
        for name, value in self.request_headers.items():
            parts += [
                "-H",
                '"Authorization: Bearer $KEY"' if name == "Authorization" else shlex.quote(f"{name}: {value}"),
            ]
        if self.body is not None:
            parts += ["--data", shlex.quote(json.dumps(self.body, ensure_ascii=False))]
        return " ".join(parts)


def send(
    request: HttpRequest, *, method: str, path: str, body: dict[str, Any] | None = None, secret: str = "", key: str = ""
) -> Call:
    """Send a call to the API of this site, from the address and in the language of whoever asks for it; return it answered."""
    sent = b"" if body is None else json.dumps(body).encode()
    address, _mark, query = path.partition("?")
    language = translation.get_language() or ""
    host, _colon, port = request.get_host().partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": f"{API}{address}", "QUERY_STRING": query,
        "SERVER_NAME": host, "SERVER_PORT": port or ("443" if request.is_secure() else "80"), "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.META.get("REMOTE_ADDR", ""), "HTTP_HOST": request.get_host(), "HTTP_ACCEPT_LANGUAGE": language,
        "CONTENT_LENGTH": str(len(sent)), "wsgi.url_scheme": request.scheme, "wsgi.input": BytesIO(sent),
    }  # fmt: skip
    if body is not None:
        environ["CONTENT_TYPE"] = "application/json"
    if secret:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    if key:
        environ["HTTP_IDEMPOTENCY_KEY"] = key
    with translation.override(language):  # the call sets its own language, and leaves it
        answer = _door().get_response(WSGIRequest(environ))
    return Call(
        method=method,
        path=path,
        body=body,
        key=key,
        bearer=secret,
        language=language,
        status=answer.status_code,
        headers={name: answer.headers[name] for name in SHOWN if name in answer.headers},
        answer=_read(getattr(answer, "content", b"")),
    )


@cache
def _door() -> BaseHandler:
    """Return what answers requests, as the web server's does, with the middleware of the settings."""
    handler = BaseHandler()
    handler.load_middleware()
    return handler


def _read(content: bytes) -> dict[str, Any]:
    try:
        read = json.loads(content)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _pretty(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)
