"""WeChat's server, asked from ours: who has signed in to the mini-program, and the phone number that a member chose to give.

What comes back is read like what any stranger sends: of bounded size and time, and of the form that the documentation
promises, or it is no answer. The `session_key` in it is neither returned, kept nor logged; nothing of an address is logged
either, since WeChat wants secrets in addresses. Without settings nobody is asked at all.
"""

import json
import logging
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from requests_hardened import Config, HTTPSession

from members.refusals import MembersRefusal

logger = logging.getLogger(__name__)

HOST: Final = "weixin.qq.com"
_CONNECT_SECONDS: Final = 2.0
_PIECE_SECONDS: Final = 3.0
_WHOLE_SECONDS: Final = 5.0
_MOST_BYTES: Final = 16_384
_EARLY_SECONDS: Final = 300
_WATERMARK_AGE: Final = timedelta(minutes=10)
_OPENID: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,600}")
_DIGITS: Final = re.compile(r"[0-9]{4,15}")
_COUNTRY: Final = re.compile(r"[0-9]{1,4}")
_OUTDATED_TOKEN: Final = frozenset({40001, 40014, 42001})


class WeChatNotConfigured(MembersRefusal):
    """This installation has no mini-program."""

    code = "wechat_not_configured"
    text = _("Signing in with WeChat is not set up here.")


class WeChatUnavailable(MembersRefusal):
    """WeChat does not answer, or not as it should."""

    code = "wechat_unavailable"
    text = _("WeChat does not answer at the moment. Please try again.")
    status = 503


class WeChatCodeInvalid(MembersRefusal):
    """The code is unknown, used, or older than five minutes."""

    code = "wechat_code_invalid"
    text = _("WeChat does not know this code any more. Please try again.")
    status = 422


class WeChatUserBlocked(MembersRefusal):
    """WeChat takes the user for a risk."""

    code = "wechat_user_blocked"
    text = _("WeChat does not let this account sign in.")
    status = 403


class WeChatTooOften(MembersRefusal):
    """WeChat lets a user ask a hundred times a minute."""

    code = "rate_limited"
    text = _("Too many requests. Please try again in %(retry_after_seconds)s seconds.")
    status = 429


class PhoneQuotaExhausted(MembersRefusal):
    """The phone numbers that were paid for are used up."""

    code = "phone_quota_exhausted"
    text = _("WeChat gives no phone numbers at the moment. Please use a code by text message.")


_REFUSALS: Final[dict[int, type[MembersRefusal]]] = {
    40029: WeChatCodeInvalid,
    40163: WeChatCodeInvalid,  # used before
    40226: WeChatUserBlocked,
    1400001: PhoneQuotaExhausted,
}
_TOO_OFTEN: Final = 45011


@dataclass(frozen=True, slots=True)
class WeChatAccount:
    """Who has signed in: `openid` within the app, `unionid` ("" where there is none) within the open platform account."""

    appid: str
    openid: str
    unionid: str = ""


class _AccessToken:
    """The token for calls on the app's behalf, kept in the process until shortly before its end.

    WeChat's "stable" token is the same for all who ask, so processes do not put out each other's.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._secret = ""
        self._until = 0.0
        self._whose = ""

    def get(self) -> str:
        """Return a token that is good for a while. Raises `WeChatUnavailable`."""
        with self._lock:
            whose = f"{settings.WECHAT_API_BASE} {settings.WECHAT_APPID}"
            if self._whose != whose or time.monotonic() >= self._until:
                answer = _ask(
                    "POST",
                    "/cgi-bin/stable_token",
                    json={
                        "grant_type": "client_credential",
                        "appid": settings.WECHAT_APPID,
                        "secret": settings.WECHAT_SECRET,
                        "force_refresh": False,
                    },
                )
                _refuse(answer)
                self._secret = _text(answer, "access_token", _TOKEN)
                seconds = answer.get("expires_in")
                if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= 86_400:
                    raise WeChatUnavailable
                self._until = time.monotonic() + max(seconds - _EARLY_SECONDS, 0)
                self._whose = whose
            return self._secret

    def forget(self) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._until = 0.0


_access_token = _AccessToken()


def is_configured() -> bool:
    """Return whether this installation has a mini-program."""
    return bool(settings.WECHAT_APPID and settings.WECHAT_SECRET)


def fault_of_settings() -> str:
    """Return what is wrong with the settings, in English, for whoever installs this; empty when nothing is.

    Outside of the demo nothing but WeChat's own hosts is asked, over TLS.
    """
    if bool(settings.WECHAT_APPID) != bool(settings.WECHAT_SECRET):
        return "WECHAT_APPID and WECHAT_SECRET belong together: set both or none."
    address = urlsplit(settings.WECHAT_API_BASE)
    is_theirs = address.scheme == "https" and (address.hostname or "").endswith(f".{HOST}")
    if not settings.DEMO and not is_theirs:
        return f"WECHAT_API_BASE must be an https address of {HOST}: another server could sign anybody in."
    return ""


def account_of(code: str) -> WeChatAccount:
    """Return who is behind the code of `wx.login`.

    Raises `WeChatNotConfigured`, `WeChatCodeInvalid`, `WeChatUserBlocked`, `WeChatTooOften`, `WeChatUnavailable`.
    """
    _refuse_unconfigured()
    answer = _ask(
        "GET",
        "/sns/jscode2session",
        params={
            "appid": settings.WECHAT_APPID,
            "secret": settings.WECHAT_SECRET,
            "js_code": code,
            "grant_type": "authorization_code",
        },
    )
    _refuse(answer)
    unionid = _text(answer, "unionid", _OPENID) if answer.get("unionid") else ""
    return WeChatAccount(settings.WECHAT_APPID, _text(answer, "openid", _OPENID), unionid)


def phone_of(code: str, *, at: datetime) -> str:
    """Return the phone number, with its country code, behind the code of the phone button.

    Raises what `account_of` raises, and `PhoneQuotaExhausted`.
    """
    _refuse_unconfigured()
    for attempt in (1, 2):
        answer = _ask(
            "POST",
            "/wxa/business/getuserphonenumber",
            params={"access_token": _access_token.get()},
            json={"code": code},
        )
        if attempt == 1 and answer.get("errcode") in _OUTDATED_TOKEN:
            _access_token.forget()
            continue
        break
    _refuse(answer)
    info = answer.get("phone_info")
    if not isinstance(info, dict) or not _is_of_this_app(info.get("watermark"), at):
        raise WeChatUnavailable
    return f"+{_text(info, 'countryCode', _COUNTRY)}{_text(info, 'purePhoneNumber', _DIGITS)}"


def forget_access_token() -> None:
    """Ask for the access token anew. For tests."""
    _access_token.forget()


def _refuse_unconfigured() -> None:
    if not is_configured():
        raise WeChatNotConfigured
    if fault_of_settings():
        logger.error("WeChat is not asked: %s", fault_of_settings())
        raise WeChatUnavailable


def _is_of_this_app(watermark: Any, at: datetime) -> bool:
    """Whether an answer is for this app, and fresh."""
    if not isinstance(watermark, dict) or watermark.get("appid") != settings.WECHAT_APPID:
        return False
    stamp = watermark.get("timestamp")
    if not isinstance(stamp, int) or isinstance(stamp, bool) or not 0 < stamp < 2**33:
        return False
    return abs(at - datetime.fromtimestamp(stamp, UTC)) <= _WATERMARK_AGE


def _refuse(answer: dict[str, Any]) -> None:
    """Raise what an error of WeChat means for whoever called; anything unknown is said to be WeChat's trouble."""
    code = answer.get("errcode", 0)
    if code == 0:
        return
    if code == _TOO_OFTEN:
        raise WeChatTooOften(retry_after_seconds=60)
    refusal = _REFUSALS.get(code) if isinstance(code, int) else None
    if refusal is None:
        logger.error("WeChat answers with error %s", code if isinstance(code, int) else "of no known form")
        raise WeChatUnavailable
    raise refusal


def _text(answer: dict[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        logger.error("WeChat answers without a usable %s", name)
        raise WeChatUnavailable
    return value


def _ask(method: str, path: str, **what: Any) -> dict[str, Any]:
    """Return what WeChat answers, an object of JSON. Raises `WeChatUnavailable`; what went wrong is logged without the address."""
    until = time.monotonic() + _WHOLE_SECONDS
    try:
        with (
            _session() as session,
            session.request(method, settings.WECHAT_API_BASE.rstrip("/") + path, stream=True, **what) as response,
        ):
            if response.status_code != requests.codes.ok:
                logger.error("WeChat answers with status %s", response.status_code)
                raise WeChatUnavailable
            answer = json.loads(_body(response, until))
    except (requests.RequestException, OSError, ValueError, RecursionError) as error:
        logger.error("WeChat does not answer as it should: %s", type(error).__name__)
        raise WeChatUnavailable from None  # the original names the address, and with it the secret
    if not isinstance(answer, dict):
        raise WeChatUnavailable
    return answer


def _body(response: requests.Response, until: float) -> bytes:
    """Return the body, of bounded size and within the time. Raises ValueError."""
    body = b""
    for piece in response.iter_content(
        1
    ):  # a larger piece would be waited for, byte by byte; answers have some hundreds
        body += piece
        if len(body) > _MOST_BYTES or time.monotonic() > until:
            raise ValueError("too large or too slow")
    return body


def _session() -> HTTPSession:
    session = HTTPSession(
        Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=settings.DEMO,  # where the demo's own WeChat server stands
            never_redirect=True,
            default_timeout=(_CONNECT_SECONDS, _PIECE_SECONDS),
            user_agent_override="Perennial/1",
        )
    )
    session.trust_env = False
    return session
