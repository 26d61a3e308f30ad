"""The walk of a simulated till: what each act sends, and what the till remembers until the next one."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from members.admin.base import actor_of
from members.models import Channel, Store
from members.services.keys import (
    HOLDS_WRITE,
    MEMBERS_RESOLVE,
    ORDERS_READ,
    ORDERS_WRITE,
    QUOTES_WRITE,
    authenticate_key,
    change_bounds,
    issue_key,
)
from rewards.admin.simulator_calls import Call, send
from rewards.encryption import decrypted, encrypted

SESSION: Final = "till_simulator"
SOURCE: Final = "till-simulator"
CODE_LENGTH: Final = 20
#: Then the key of a simulated till ends by itself.
KEY_LIFE: Final = timedelta(hours=8)
#: The till forgets older steps.
MOST_STEPS: Final = 25
_KEYS: Final = "till_simulator_keys"
_SORT: Final = "till simulator"
_SCOPES: Final = (MEMBERS_RESOLVE, QUOTES_WRITE, HOLDS_WRITE, ORDERS_WRITE, ORDERS_READ)
_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class Step:
    """One act of the till with its calls, the last of which is what it is about. `is_lost`: its answer never came."""

    act: str
    calls: list[dict[str, Any]]
    is_lost: bool = False
    is_again: bool = False

    @property
    def call(self) -> Call:
        """The call that the step is about."""
        return Call.read(self.calls[-1])

    @property
    def all_calls(self) -> list[Call]:
        """Every call of the step."""
        return [Call.read(kept) for kept in self.calls]


@dataclass(slots=True)
class Walk:
    """What a simulated till remembers, in the session of who plays it.

    `form` is what was typed last, `back` the pieces of each line about whose return was only asked.
    """

    id: str
    store: str = ""
    form: dict[str, Any] = field(default_factory=dict)
    who: list[str] = field(default_factory=list)
    member: dict[str, Any] | None = None
    quote: dict[str, Any] | None = None
    hold: dict[str, Any] | None = None
    order: dict[str, Any] | None = None
    ordered: list[dict[str, Any]] = field(default_factory=list)
    order_no: str = ""
    ordered_at: str = ""
    return_no: str = ""
    back: dict[str, str] = field(default_factory=dict)
    has_returns: bool = False
    is_voided: bool = False
    steps: list[Step] = field(default_factory=list)

    @classmethod
    def begun(cls, store: str = "") -> Self:
        """Return a till before its first customer."""
        return cls(id=secrets.token_hex(8), store=store, order_no=f"SIM-{_drawn(8)}", return_no=f"SIM-R-{_drawn(8)}")

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Return what the till of this session remembers; a fresh one at first."""
        kept = request.session.get(SESSION)
        if not kept:
            return cls.begun()
        return cls(**{**kept, "steps": [Step(**step) for step in kept["steps"]]})

    def keep(self, request: HttpRequest) -> None:
        """Remember all this in the session."""
        self.steps = self.steps[-MOST_STEPS:]
        request.session[SESSION] = asdict(self)

    @property
    def is_answer_lost(self) -> bool:
        """Whether the till waits for an answer that never came."""
        return bool(self.steps) and self.steps[-1].is_lost

    def is_hold_open(self, at: datetime) -> bool:
        """Whether something is still set aside."""
        return self.hold is not None and datetime.fromisoformat(self.hold["expires_at"]) > at


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed: the customer (how they name themselves, and as whom; empty for a guest), the cart, what comes back."""

    way: str
    number: str
    lines: list[dict[str, Any]]
    points: int
    vouchers: list[str] | None
    minutes: int
    back: list[dict[str, Any]]


class Till:
    """A till of a store, which calls the API with a key of its own."""

    def __init__(self, request: HttpRequest, store: Store, walk: Walk, asked: Asked) -> None:
        self.request, self.store, self.walk, self.asked = request, store, walk, asked
        self._secret = ""

    def act(self, name: str) -> None:
        """Do an act by its name, and note it as a step. An unknown one does nothing."""
        act = _ACTS.get(name)
        if act is not None:
            act(self)

    def again(self, number: int) -> None:
        """Send the call of a step again as it was, with the same key. One without a key is not sent again."""
        steps = self.walk.steps
        if not 0 <= number < len(steps) or not steps[number].call.key:
            return
        step = steps[number]
        was = step.call
        call = self._send(was.method, was.path, was.body, key=was.key)
        self._note(step.act, [call], is_again=True)
        self._learn(step.act, call)

    def find(self) -> bool:
        """Find the customer; return whether the cart can be quoted. A guest needs no finding."""
        way, number, walk = self.asked.way, self.asked.number, self.walk
        walk.member, walk.quote, walk.hold, walk.who = None, None, None, [way, number]
        if not way:
            return True
        before, code = self._code_of_phone(number) if way == "code" else ([], number)
        if way == "code" and not code:
            self._note("find", before)
            return False
        body = {way: code, "purpose": "spend" if way in ("code", "card_no") else "earn"}
        call = self._send("POST", "/pos/members/resolve", body)
        self._note("find", [*before, call])
        self._learn("find", call)
        return call.is_done

    def quote(self) -> None:
        """Ask what the cart costs, for the customer who stands there."""
        is_other = self.walk.who != [self.asked.way, self.asked.number]
        if is_other and not self.find():
            return
        body = {**self._cart(), "points": self.asked.points}
        if self.asked.vouchers is not None and not is_other:  # what was ticked is nobody else's
            body["vouchers"] = self.asked.vouchers
        self._do("quote", "POST", "/pos/quotes", body)

    def hold(self) -> None:
        """Set aside what the quote uses."""
        if self.walk.quote:
            body = {"quote_id": self.walk.quote["quote_id"], "minutes": self.asked.minutes}
            self._do("hold", "POST", "/pos/holds", body, keyed=True)

    def release(self) -> None:
        """Give back what is set aside: the customer walks away."""
        if self.walk.hold:
            self._do("release", "DELETE", f"/pos/holds/{self.walk.hold['id']}")

    def order(self, *, is_lost: bool = False) -> None:
        """Record the order, with or without hearing the answer."""
        walk = self.walk
        if walk.quote is None or walk.order is not None:
            return
        walk.ordered_at = walk.ordered_at or timezone.now().isoformat()
        held = {"hold_id": walk.hold["id"]} if walk.hold else {}
        body = {
            "external_order_no": walk.order_no, "ordered_at": walk.ordered_at, **self._cart(), "quote_id": walk.quote["quote_id"], **held,
        }  # fmt: skip
        self._do("order", "POST", "/pos/orders", body, keyed=True, is_lost=is_lost)

    def lose(self) -> None:
        """Record the order while the line breaks: the till does not know what became of it."""
        self.order(is_lost=True)

    def look(self) -> None:
        """Ask what happened to the order."""
        self._do("look", "GET", f"/pos/orders/{self.walk.order_no}")

    def dry(self) -> None:
        """Ask what a return would do."""
        self._do("dry", "POST", f"/pos/orders/{self.walk.order_no}/returns?dry_run=true", self._coming_back())

    def give_back(self) -> None:
        """Take goods back."""
        self._do("return", "POST", f"/pos/orders/{self.walk.order_no}/returns", self._coming_back(), keyed=True)

    def void(self) -> None:
        """Undo the whole order."""
        self._do("void", "POST", f"/pos/orders/{self.walk.order_no}/void", {"store": self.store.code}, keyed=True)

    def _do(
        self, act: str, method: str, path: str, body: dict[str, Any] | None = None, *, keyed: bool = False, is_lost: bool = False
    ) -> None:  # fmt: skip
        call = self._send(method, path, body, key=secrets.token_hex(16) if keyed else "")
        self._note(act, [call], is_lost=is_lost)
        if not is_lost:
            self._learn(act, call)

    def _code_of_phone(self, number: str) -> tuple[list[Call], str]:
        """Return the calls by which a member's phone gets its code, and the code; empty when there is none.

        What is a code already is taken as it is. The sign-in by number alone exists in the demo only.
        """
        if len(number) == CODE_LENGTH and number.isascii() and number.isdigit():
            return [], number
        name = "phone" if len(number) > 10 else "member_no"
        login = send(self.request, method="POST", path="/auth/dev/login", body={name: number})
        if not login.is_done:
            return [login], ""
        shown = send(self.request, method="GET", path="/me/code", secret=login.answer["access_token"])
        return [login, shown], str(shown.answer.get("code", ""))

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> Call:
        self._secret = self._secret or secret_of(self.request, self.store, timezone.now())
        return send(self.request, method=method, path=path, body=body, secret=self._secret, key=key)

    def _note(self, act: str, calls: list[Call], *, is_lost: bool = False, is_again: bool = False) -> None:
        self.walk.steps.append(Step(act, [call.kept() for call in calls], is_lost, is_again))

    def _learn(self, act: str, call: Call) -> None:
        """Remember what the next acts need of an answer."""
        walk = self.walk
        if not call.is_done:
            return
        if act == "find":
            walk.member = call.answer
        elif act == "quote":
            walk.quote, walk.hold = call.answer, None
        elif act == "hold":
            walk.hold = call.answer
        elif act == "release":
            walk.quote, walk.hold = None, None
        elif act == "order":
            walk.order, walk.ordered = call.answer, (call.body or {}).get("lines", [])
        elif act == "return":
            walk.has_returns, walk.return_no = True, f"SIM-R-{_drawn(8)}"
        elif act == "void":
            walk.is_voided = True

    def _cart(self) -> dict[str, Any]:
        who = {"member_ref": self.walk.member["member_ref"]} if self.walk.member else {}
        return {"store": self.store.code, **who, "lines": self.asked.lines}

    def _coming_back(self) -> dict[str, Any]:
        """Return what comes back; without a line all that is left."""
        lines = {"lines": self.asked.back} if self.asked.back else {}
        return {
            "store": self.store.code, "external_return_no": self.walk.return_no, "returned_at": timezone.now().isoformat(), **lines,
        }  # fmt: skip


_ACTS: Final[Mapping[str, Callable[[Till], object]]] = {
    "find": Till.find, "quote": Till.quote, "hold": Till.hold, "release": Till.release, "order": Till.order, "lose": Till.lose,
    "look": Till.look, "dry": Till.dry, "return": Till.give_back, "void": Till.void,
}  # fmt: skip


def till_channel() -> Channel | None:
    """Return the channel that simulated tills belong to; None where no channel is one of tills."""
    return Channel.objects.filter(kind=Channel.Kind.TILL).order_by("pk").first()


def secret_of(request: HttpRequest, store: Store, at: datetime) -> str:
    """Return the secret of this session's key for a store, issuing one that ends by itself where there is none that is good."""
    kept: dict[str, str] = request.session.get(_KEYS, {})
    secret = _opened(kept.get(str(store.pk), ""))
    if secret and authenticate_key(secret=secret, at=at) is not None:
        return secret
    channel, by = till_channel(), actor_of(request)
    assert channel is not None  # noqa: S101 - the page offers nothing without one
    with transaction.atomic():
        issued = issue_key(
            name=_("Till simulator"),
            store_id=store.pk,
            channel_id=channel.pk,
            source=SOURCE,
            scopes=_SCOPES,
            by=by,
            at=at,
        )
        change_bounds(
            key_id=issued.key.pk, store_ids=(), networks=(), daily_points_ceiling=None, ends_at=at + KEY_LIFE,
            reason=_("Till simulator"), by=by, at=at,
        )  # fmt: skip
    sealed = base64.b64encode(encrypted(_SORT, issued.secret)).decode()
    request.session[_KEYS] = kept | {str(store.pk): sealed}
    return issued.secret


def _opened(sealed: str) -> str:
    try:
        return decrypted(_SORT, base64.b64decode(sealed)) if sealed else ""
    except (InvalidToken, ValueError):
        return ""


def _drawn(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _place in range(length))
