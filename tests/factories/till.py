"""The till flow for tests: how points pay, points that a member has, carts, and calls of a till one after another."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction

from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import Member, MemberAtTill
from members.services.member_codes import let_spend
from rewards import ledger
from rewards.models import PointsCurrency, PointsPayment
from rewards.payment_book import forget_payment_book
from tests.factories.api import Till, now

_numbers = count(1)


def points_pay(**changes: Any) -> PointsPayment:
    """Let 100 points pay 1.00, in steps of 100, from the beginning of time unless told otherwise."""
    values: dict[str, Any] = {
        "currency": PointsCurrency.objects.get(code="points"), "valid_from": now() - timedelta(days=400),
        "money_per_point": Decimal("0.01"), **changes,
    }  # fmt: skip
    forget_payment_book()
    return PointsPayment.objects.create(**values)


def with_points(member: Member, points: int, *, at: datetime | None = None) -> None:
    """Give a member points that end in a year."""
    moment = at or now() - timedelta(days=1)
    with transaction.atomic():
        ledger.accrue(
            member_id=member.pk, lots=[ledger.NewLot(points, ledger.Origin.OPENING, moment, moment + timedelta(days=365))],
            source="opening", natural_key=f"till {next(_numbers)}", at=moment, by=SYSTEM, trace={"v": 2, "kind": "opening"},
        )  # fmt: skip


def a_cart(*amounts: str) -> list[dict[str, Any]]:
    """Return lines of one piece each, SKU-1 and so on; one of 100.00 unless told otherwise."""
    return [
        {"sku": f"SKU-{number}", "name": f"Article {number}", "quantity": "1", "amount": amount}
        for number, amount in enumerate(amounts or ("100.00",), 1)
    ]


def ref(member: Member) -> str:
    """Return the public id of a member."""
    return public_ref(MEMBER, member.public_id)


def shows_card(till: Till, member: Member) -> None:
    """Let a member show a till the card by which they may spend there for some minutes."""
    let_spend(member_id=member.pk, key_id=till.key.pk, by=MemberAtTill.By.CARD, at=now())


def quoted(
    till: Till, member: Member | None, lines: list[dict[str, Any]], *, shown: bool = True, **more: Any
) -> dict[str, Any]:
    """Quote a cart; return the answer. The member has shown their card at the till, unless told otherwise."""
    who = {"member_ref": ref(member)} if member else {}
    if member and shown:
        shows_card(till, member)
    answer = till.post("/pos/quotes", {**who, "lines": lines, **more})
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def held(till: Till, quote: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Set aside what a quote uses; return the answer."""
    answer = till.post("/pos/holds", {"quote_id": quote["quote_id"], **more}, key=f"h{next(_numbers)}")
    assert answer.status_code == 201, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def an_order_of(
    quote: dict[str, Any], lines: list[dict[str, Any]], hold: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a quoted order as a till sends it, under a number of its own."""
    return {
        "external_order_no": f"Q-{next(_numbers):05}", "ordered_at": (now() - timedelta(seconds=30)).isoformat(),
        "lines": lines, "quote_id": quote["quote_id"], **({"hold_id": hold["id"]} if hold else {}), **more,
    }  # fmt: skip


def ordered(
    till: Till, quote: dict[str, Any], lines: list[dict[str, Any]], hold: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Record a quoted order; return the answer."""
    body = an_order_of(quote, lines, hold, **more)
    answer = till.post("/pos/orders", body, key=body["external_order_no"])
    assert answer.status_code == 201, answer.json()
    told: dict[str, Any] = answer.json()
    return told


def returned(till: Till, order_no: str, *lines: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Record the return of lines of an order, or of all that is left; return the answer."""
    number = f"R-{next(_numbers):05}"
    body: dict[str, Any] = {"external_return_no": number, "returned_at": now().isoformat()}
    if lines:
        body["lines"] = list(lines)
    path = f"/pos/orders/{order_no}/returns" + ("?dry_run=true" if dry_run else "")
    answer = till.post(path, body, key=None if dry_run else number)
    assert answer.status_code == (200 if dry_run else 201), answer.json()
    told: dict[str, Any] = answer.json()
    return told
