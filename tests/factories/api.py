"""Callers of the API: stores with a till, members who signed in, and orders as tills send them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.http.response import HttpResponseBase
from django.test import Client

from members.actors import SYSTEM
from members.models import ApiKey, Brand, Channel, Member, Store
from members.services.enrolment import enrol_member
from members.services.keys import SCOPES, issue_key
from members.services.tokens import issue_member_token

API = "/api/v1"
_numbers = count(1)


def now() -> datetime:
    """Return the moment of the test; the API reads the same clock."""
    return datetime.now(UTC)


def make_store(code: str = "S01") -> Store:
    """Return a store of the house brand."""
    brand, _ = Brand.objects.get_or_create(code="house", defaults={"name": "House"})
    return Store.objects.get_or_create(code=code, defaults={"name": f"Store {code}", "brand": brand})[0]


def make_channel() -> Channel:
    """Return the channel of tills."""
    return Channel.objects.get_or_create(code="till", defaults={"name": "Till", "kind": Channel.Kind.TILL})[0]


def make_member(**details: Any) -> Member:
    """Enrol a member; details as `enrol_member` takes them."""
    moment = now() - timedelta(days=2)
    member = enrol_member(**{"channel_id": make_channel().pk, "by": SYSTEM, "at": moment, **details})
    return Member.objects.get(pk=member.pk)


@dataclass
class Caller:
    """One who calls the API with a bearer secret, or with none."""

    secret: str = ""
    language: str = "en"
    client: Client = field(default_factory=Client)

    def get(self, path: str, **headers: str) -> Any:
        """GET a path under /api/v1."""
        return self.client.get(f"{API}{path}", headers=self._headers(headers))

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> Any:
        """POST JSON to a path under /api/v1, with an idempotency key when one is given."""
        if key is not None:
            headers["idempotency-key"] = key
        return self.client.post(
            f"{API}{path}", json.dumps(body), content_type="application/json", headers=self._headers(headers)
        )

    def put(self, path: str, body: Any, **headers: str) -> Any:
        """PUT JSON to a path under /api/v1."""
        return self.client.put(
            f"{API}{path}", json.dumps(body), content_type="application/json", headers=self._headers(headers)
        )

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        headers = {"accept-language": self.language, **{name.replace("_", "-"): value for name, value in more.items()}}
        return headers | ({"authorization": f"Bearer {self.secret}"} if self.secret else {})


@dataclass
class Till(Caller):
    """A till with a key of its own."""

    key: ApiKey = field(default_factory=ApiKey)


def make_till(store: Store | None = None, *, scopes: Iterable[str] = tuple(SCOPES), source: str = "till") -> Till:
    """Return a till in a store, whose key has these scopes (all)."""
    store = store or make_store()
    issued = issue_key(
        name=f"Till of {store.code}",
        store_id=store.pk,
        channel_id=make_channel().pk,
        source=source,
        scopes=scopes,
        by=SYSTEM,
        at=now(),
    )
    return Till(secret=issued.secret, key=issued.key)


def sign_in(member: Member) -> Caller:
    """Return a member's caller with a fresh token."""
    return Caller(issue_member_token(member_id=member.pk, at=now()).secret)


def order_body(member_ref: str | None = None, *, amount: str = "50.00", **changes: Any) -> dict[str, Any]:
    """Return an order of one line, under a number of its own unless one is given."""
    body: dict[str, Any] = {
        "external_order_no": f"T-{next(_numbers):06}",
        "ordered_at": (now() - timedelta(minutes=1)).isoformat(),
        "lines": [{"sku": "LATTE", "name": "拿铁", "quantity": "1", "amount": amount}],
    }
    if member_ref:
        body["member_ref"] = member_ref
    return body | changes


def problem_of(response: HttpResponseBase) -> tuple[int, str]:
    """Return status and code of a problem, having checked that it has the form of one."""
    assert response.headers["Content-Type"] == "application/problem+json", response.headers["Content-Type"]
    body = response.json()  # type: ignore[attr-defined]
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= body.keys()
    assert body["status"] == response.status_code
    assert body["type"].endswith(f"/problems/{body['code']}")
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"
    assert body["title"]
    assert body["detail"]
    return response.status_code, body["code"]
