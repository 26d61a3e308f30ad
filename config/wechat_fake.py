"""A small WeChat server for trials and tests: the three calls that the portal makes, answered as WeChat documents them.

    python -m config.wechat_fake PORT APPID SECRET

A mini-program gets its codes from WeChat's client; here `POST /fake/codes {"user": "li", "phone": "13800138000"}` stands for it
and answers `{"login_code": …, "phone_code": …}`. Codes are good once and for five minutes. It listens on this machine only.
"""

import hashlib
import json
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

_CODE_SECONDS: Final = 300
_TOKEN_SECONDS: Final = 7_200
_MOST_BODY: Final = 10_000


@dataclass
class FakeWeChat:
    """The server's state. Tests set `mood` to have it answer like a broken WeChat: `junk`, `huge`, `slow`, `html`, `list`, or an errcode."""

    appid: str
    secret: str
    mood: str | int = ""
    clock: Any = time.time
    with_unionid: bool = True
    asked: list[str] = field(default_factory=list)
    session_keys: list[str] = field(default_factory=list)
    _codes: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    _tokens: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def login_code(self, user: str) -> str:
        """Return a new code of `wx.login` for a user of this name."""
        return self._new("login", user)

    def phone_code(self, phone: str) -> str:
        """Return a new code of the phone button for a number of the mainland."""
        return self._new("phone", phone)

    def expire_tokens(self) -> None:
        """Let all access tokens be over, as after a change of the secret."""
        with self._lock:
            self._tokens.clear()

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call."""
        self.asked.append(path)
        if path == "/fake/codes":
            return {
                "login_code": self.login_code(str(body.get("user", "somebody"))),
                "phone_code": self.phone_code(str(body.get("phone", "13800138000"))),
            }
        if path == "/cgi-bin/stable_token":
            return self._token(body)
        if isinstance(self.mood, int):
            return {"errcode": self.mood, "errmsg": "fake error, rid: 0"}
        if path == "/sns/jscode2session":
            return self._session(query)
        if path == "/wxa/business/getuserphonenumber":
            return self._phone(query, body)
        return {"errcode": 40066, "errmsg": "invalid url"}

    def _session(self, query: dict[str, str]) -> dict[str, Any]:
        if query.get("appid") != self.appid:
            return {"errcode": 40013, "errmsg": "invalid appid"}
        if query.get("secret") != self.secret:
            return {"errcode": 40125, "errmsg": "invalid appsecret"}
        user, fault = self._use("login", query.get("js_code", ""))
        if fault:
            return {"errcode": fault, "errmsg": "invalid code"}
        session_key = secrets.token_urlsafe(18)
        self.session_keys.append(session_key)
        answer = {"openid": _id_of("o", self.appid, user), "session_key": session_key}
        return answer | ({"unionid": _id_of("u", "platform", user)} if self.with_unionid else {})

    def _phone(self, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if self._tokens.get(query.get("access_token", ""), 0) <= self.clock():
            return {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"}
        phone, fault = self._use("phone", str(body.get("code", "")))
        if fault:
            return {"errcode": fault, "errmsg": "invalid code"}
        return {
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": phone,
                "purePhoneNumber": phone,
                "countryCode": "86",
                "watermark": {"timestamp": int(self.clock()), "appid": self.appid},
            },
        }

    def _token(self, body: dict[str, Any]) -> dict[str, Any]:
        if (body.get("appid"), body.get("secret")) != (self.appid, self.secret):
            return {"errcode": 40125, "errmsg": "invalid appsecret"}
        with self._lock:
            for token, until in self._tokens.items():
                if until > self.clock() + 60:
                    return {"access_token": token, "expires_in": int(until - self.clock())}
            token = secrets.token_urlsafe(48)
            self._tokens[token] = self.clock() + _TOKEN_SECONDS
        return {"access_token": token, "expires_in": _TOKEN_SECONDS}

    def _new(self, kind: str, whose: str) -> str:
        code = secrets.token_hex(16)
        with self._lock:
            self._codes[code] = (kind, whose, self.clock() + _CODE_SECONDS)
        return code

    def _use(self, kind: str, code: str) -> tuple[str, int]:
        """Return whose a code is and use it up, or the errcode for one that is not good."""
        with self._lock:
            found = self._codes.get(code)
            if found is None or found[0] != kind or found[2] <= self.clock():
                return "", 40029
            if not found[1]:
                return "", 40163
            self._codes[code] = (kind, "", found[2])
            return found[1], 0


def serve(wechat: FakeWeChat, port: int = 0) -> ThreadingHTTPServer:
    """Return a server on this machine that answers for a fake; the caller runs it. Port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def log_message(self, *_arguments: Any) -> None:
            """Nothing: addresses hold secrets."""

        def _reply(self, method: str) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            length = min(int(self.headers.get("Content-Length") or 0), _MOST_BODY)
            try:
                body = json.loads(self.rfile.read(length) or b"{}")
            except ValueError:
                body = {}
            content = _spoilt(
                wechat, wechat.answer(method, address.path, query, body if isinstance(body, dict) else {})
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.end_headers()
            try:
                if wechat.mood == "slow" and not address.path.startswith("/fake/"):
                    for byte in content * 100:
                        self.wfile.write(bytes([byte]))
                        time.sleep(0.05)
                self.wfile.write(content)
            except OSError:
                return  # the other side has gone, as it should

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def _spoilt(wechat: FakeWeChat, answer: dict[str, Any]) -> bytes:
    moods: dict[str | int, bytes] = {
        "junk": b'{"openid": "\xff\xfe',
        "html": b"<html>Bad gateway</html>",
        "list": b'["openid"]',
        "empty": b"{}",
        "huge": json.dumps(answer | {"padding": "x" * 5_000_000}).encode() if wechat.mood == "huge" else b"",
        "injected": json.dumps(answer | {"openid": "' OR 1=1 --"}).encode(),
    }
    return moods.get(wechat.mood) or json.dumps(answer).encode()


def _id_of(letter: str, issuer: str, user: str) -> str:
    return letter + hashlib.sha256(f"{issuer} {user}".encode()).hexdigest()[:27]


def main() -> int:
    """Serve until stopped."""
    port, appid, secret = sys.argv[1:4]
    server = serve(FakeWeChat(appid, secret), int(port))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
