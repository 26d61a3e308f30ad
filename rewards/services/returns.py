"""Record a return: take back its share of points, tier credits and promotion points. Any sequence of returns closes exactly.

Shares are differences of `earning.share_of` over the growing returned amount, so the return that completes the order
takes what is left, to the point and to the cent.
"""

import hashlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from loyalty.models import TierChange
from loyalty.services.standing import Counted, CountedFact, count_fact
from members import timeline
from members.actors import Actor
from rewards import earning, events, ledger
from rewards.models import LedgerEntry, LedgerTransaction, Product, Purchase, PurchaseReturn
from rewards.queries import earned_by, points_in_trace, rule_book
from rewards.refusals import RewardsRefusal
from rewards.services.purchases import CLOCK_TOLERANCE, OrderInFuture, OrderLine, credits_of

_CENT = Decimal("0.01")


class PurchaseNotFound(RewardsRefusal):
    """No purchase has this number."""

    code = "not_found"
    status = 404
    text = _("No order %(order_no)s is known.")


class ReturnExceedsOrder(RewardsRefusal):
    """More would come back than was bought."""

    code = "return_exceeds_order"
    text = _("Order %(order_no)s: at most %(left)s can still be returned, not %(asked)s.")


class ReturnConflict(RewardsRefusal):
    """The return number is known with another content."""

    code = "order_conflict"
    text = _("Return %(return_no)s was recorded before with another content.")


@dataclass(frozen=True, slots=True)
class ReturnItem:
    """So much of one line of the purchase."""

    line_no: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Return:
    """A return as its source tells it.

    Linked: `external_order_no` names the purchase; `items` say what came back, and no items mean all that is left.
    Unlinked (no order number): `lines` are what came back, of a member or of nobody.
    """

    source: str
    external_return_no: str
    external_order_no: str | None
    channel_id: int
    store_id: int | None
    returned_at: datetime
    items: tuple[ReturnItem, ...] = ()
    member_id: int | None = None
    lines: tuple[OrderLine, ...] = ()

    def fingerprint(self) -> bytes:
        """SHA-256 of what the return says."""
        parts = [str(self.external_order_no), str(self.member_id), self.returned_at.astimezone(UTC).isoformat()]
        parts += [f"{item.line_no}={format(item.quantity.normalize(), 'f')}" for item in self.items]
        parts += [
            f"{line.sku}={format(line.quantity.normalize(), 'f')}={format(line.amount.normalize(), 'f')}"
            for line in self.lines
        ]
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class ReturnReceipt:
    """What a return did (or, in a dry run, would do). `points` = from the balance + to arrears + had expired already."""

    return_id: int
    public_id: UUID
    already_recorded: bool
    amount: Decimal
    points: int
    points_from_balance: int
    points_to_arrears: int
    credits: int
    tier_changed_to: str


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """One line that comes back, with its money."""

    purchase_line_id: int | None
    sku: str
    name: str
    quantity: Decimal
    amount: Decimal
    earns: bool


@dataclass(slots=True)
class BoughtLine:
    """One line of a purchase, and what came back of it before."""

    id: int
    sku: str
    name: str
    quantity: Decimal
    amount: Decimal
    earns: bool
    quantity_before: Decimal
    amount_before: Decimal

    @property
    def is_returned(self) -> bool:
        """Nothing of it is left to return."""
        return self.quantity_before >= self.quantity


@dataclass(frozen=True, slots=True)
class Share:
    """What a return takes back in figures."""

    points: int
    credits: int
    uses: tuple[tuple[str, int], ...]


def record_return(*, ret: Return, by: Actor, at: datetime, dry_run: bool = False) -> ReturnReceipt:
    """Record a return and take back what belongs to it; with `dry_run` say what it would do and change nothing.

    A repeat changes nothing and returns what the first one did. Raises PurchaseNotFound, ReturnExceedsOrder,
    ReturnConflict, OrderInFuture.
    """
    with transaction.atomic():
        receipt = _record(ret, by, at)
        if dry_run:
            transaction.set_rollback(True)
    return receipt


def _record(ret: Return, by: Actor, at: datetime) -> ReturnReceipt:
    if ret.returned_at > at + CLOCK_TOLERANCE:
        raise OrderInFuture(order_no=ret.external_return_no)
    purchase = _lock_purchase(ret)
    # Only after the lock: the same return may have been in flight, and would now look like one too many.
    known = PurchaseReturn.objects.filter(source=ret.source, external_return_no=ret.external_return_no).first()
    if known is not None:
        return _receipt_of_known(ret, known)
    if purchase is None and ret.external_order_no is not None:
        raise PurchaseNotFound(order_no=ret.external_order_no)
    lines = _lines_of_purchase(ret, purchase) if purchase else as_returned(ret.lines, articles_that_do_not_earn([ret]))
    eligible = sum((line.amount for line in lines if line.earns), Decimal(0))
    member_id = purchase.member_id if purchase else ret.member_id
    if member_id is None:
        share = Share(0, 0, ())
    elif purchase:
        share = share_of_purchase(
            purchase, eligible, _returned_before(purchase), earned_in(earned_by([purchase]).get(purchase.pk))
        )
    else:
        share = share_of_unknown_sale(eligible, ret.returned_at)
    row = _insert(ret, purchase, member_id, lines, eligible, share)
    if row is None:
        known = PurchaseReturn.objects.get(source=ret.source, external_return_no=ret.external_return_no)
        return _receipt_of_known(ret, known)
    total = sum((line.amount for line in lines), Decimal(0))
    return _take_back(ret, purchase, member_id, row, total, share, by, at)


def share_of_purchase(
    purchase: Purchase, eligible: Decimal, returned_before: Decimal, earned: tuple[int, Sequence[tuple[str, int]]]
) -> Share:
    """Return what a return of `eligible` takes back, when `returned_before` of the purchase came back earlier."""
    points, uses = earned
    if not purchase.eligible_amount:
        return Share(0, 0, ())

    def part(whole: int) -> int:
        after = earning.share_of(whole, returned_before + eligible, purchase.eligible_amount)
        return after - earning.share_of(whole, returned_before, purchase.eligible_amount)

    credits = credits_of(purchase.eligible_amount, purchase.ordered_at)
    return Share(part(points), part(credits), tuple((ref, part(given)) for ref, given in uses if part(given)))


def share_of_unknown_sale(eligible: Decimal, moment: datetime) -> Share:
    """Return what an unlinked return takes back: the base points and credits of its amount, never a tier's or promotion's extra."""
    rule = rule_book().at(moment)
    return Share(rule.points_for(eligible) if rule else 0, credits_of(eligible, moment), ())


def return_trace(amount: Decimal, points: int, *, unlinked: bool) -> dict[str, Any]:
    """The stored explanation of a return."""
    return {"v": 1, "kind": "return", "amount": str(amount), "points": points, "unlinked": unlinked}


def uses_in_trace(trace: dict[str, Any] | None) -> list[tuple[str, int]]:
    """Return (promotion, points) of a purchase's stored explanation."""
    return [(line[1], line[2]) for line in (trace or {}).get("lines", []) if line[0] == "promotion"]


def earned_in(posted: LedgerTransaction | None) -> tuple[int, list[tuple[str, int]]]:
    """Return what a purchase earned: all its points, and (promotion, points) of each promotion among them."""
    return points_in_trace(posted), uses_in_trace(posted.trace if posted else None)


def articles_that_do_not_earn(returns: Iterable[Return]) -> set[str]:
    """Return the article numbers of unlinked returns that the catalogue says earn nothing (postage, fees)."""
    skus = {line.sku for ret in returns if ret.external_order_no is None for line in ret.lines}
    return set(Product.objects.filter(sku__in=skus, earns=False).values_list("sku", flat=True)) if skus else set()


def as_returned(lines: Iterable[OrderLine], not_earning: Container[str]) -> list[ReturnedLine]:
    """Return the lines of an unlinked return as they are recorded."""
    return [
        ReturnedLine(None, line.sku, line.name, line.quantity, line.amount, line.earns and line.sku not in not_earning)
        for line in lines
    ]


def _lock_purchase(ret: Return) -> Purchase | None:
    """Return the purchase, locked so that two returns of it cannot both take the last piece; None when unlinked or not known."""
    if ret.external_order_no is None:
        return None
    found = Purchase.objects.filter(source=ret.source, external_order_no=ret.external_order_no).first()
    if found is not None:
        ledger.lock_purchases(purchase_ids=[found.pk])
    return found


def _lines_of_purchase(ret: Return, purchase: Purchase) -> list[ReturnedLine]:
    return allocate(purchase_lines([purchase.pk])[purchase.pk], ret.items, purchase.external_order_no)


def purchase_lines(purchase_ids: Sequence[int]) -> dict[int, dict[int, BoughtLine]]:
    """Return for each purchase its lines by number, with what came back of each so far: one query for all."""
    found: dict[int, dict[int, BoughtLine]] = {pk: {} for pk in purchase_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.purchase_id, l.line_no, l.id, l.sku, l.name, l.quantity, l.amount, l.earns,
                   coalesce(sum(r.quantity), 0), coalesce(sum(r.amount), 0)
            FROM rewards_purchaseline l LEFT JOIN rewards_returnline r ON r.purchase_line_id = l.id
            WHERE l.purchase_id = ANY (%s) GROUP BY l.id ORDER BY l.purchase_id, l.line_no
            """,
            [list(purchase_ids)],
        )
        for purchase_id, line_no, *rest in cursor.fetchall():
            found[purchase_id][line_no] = BoughtLine(*rest)
    return found


def allocate(lines: dict[int, BoughtLine], items: Sequence[ReturnItem], order_no: str) -> list[ReturnedLine]:
    """Return the money of each line that comes back (no items: all that is left); refuse more than was bought."""
    items = items or [
        ReturnItem(no, line.quantity - line.quantity_before) for no, line in lines.items() if not line.is_returned
    ]
    if not items or len({item.line_no for item in items}) < len(items):
        raise ReturnExceedsOrder(order_no=order_no, left=0, asked=len(items))
    returned = []
    for item in items:
        line = lines.get(item.line_no)
        if line is None or item.quantity > line.quantity - line.quantity_before:
            left = line.quantity - line.quantity_before if line else Decimal(0)
            raise ReturnExceedsOrder(order_no=order_no, left=_plain(left), asked=_plain(item.quantity))
        after = line.quantity_before + item.quantity
        until_now = (
            line.amount
            if after == line.quantity
            else (line.amount * after / line.quantity).quantize(_CENT, ROUND_HALF_UP)
        )
        returned.append(
            ReturnedLine(line.id, line.sku, line.name, item.quantity, until_now - line.amount_before, line.earns)
        )
    return returned


def _plain(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")


def _returned_before(purchase: Purchase) -> Decimal:
    return sum(purchase.returns.values_list("eligible_amount", flat=True), Decimal(0))


def _insert(
    ret: Return,
    purchase: Purchase | None,
    member_id: int | None,
    lines: list[ReturnedLine],
    eligible: Decimal,
    share: Share,
) -> tuple[int, UUID] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH ret AS (
                INSERT INTO rewards_purchasereturn
                    (source, external_return_no, fingerprint, purchase_id, member_id, channel_id, store_id, returned_at,
                     total_amount, eligible_amount, points, credits)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (source, external_return_no) DO NOTHING
                RETURNING id, public_id
            ), lines AS (
                INSERT INTO rewards_returnline (purchase_return_id, line_no, purchase_line_id, sku, name, quantity, amount, earns)
                SELECT ret.id, n, purchase_line_id, sku, name, quantity, amount, earns
                FROM ret, unnest(%s::bigint[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::boolean[])
                    WITH ORDINALITY AS l (purchase_line_id, sku, name, quantity, amount, earns, n)
            )
            SELECT id, public_id FROM ret
            """,
            [
                ret.source, ret.external_return_no, ret.fingerprint(), purchase.pk if purchase else None, member_id,
                ret.channel_id, ret.store_id, ret.returned_at, sum((line.amount for line in lines), Decimal(0)), eligible,
                share.points, share.credits,
                [line.purchase_line_id for line in lines], [line.sku for line in lines], [line.name for line in lines],
                [line.quantity for line in lines], [line.amount for line in lines], [line.earns for line in lines],
            ],
        )  # fmt: skip
        row = cursor.fetchone()
    return row or None


def _take_back(
    ret: Return, purchase: Purchase | None, member_id: int | None, row: tuple[int, UUID], total: Decimal, share: Share, by: Actor, at: datetime
) -> ReturnReceipt:  # fmt: skip
    posting: ledger.Posting | None = None
    counted: Counted | None = None
    if member_id is not None:
        origin = (purchase.source, purchase.external_order_no) if purchase else None
        posting = ledger.take_back(
            member_id=member_id, points=share.points, source=ret.source, natural_key=ret.external_return_no, at=ret.returned_at,
            origin=origin, by=by, trace=return_trace(total, share.points, unlinked=purchase is None),
        )  # fmt: skip
        fact = CountedFact(
            member_id=member_id, kind="return", source=ret.source, source_ref=ret.external_return_no, credits=-share.credits,
            spend_amount=-total, orders=0, happened_at=ret.returned_at, cause=":".join(origin) if origin else "",
        )  # fmt: skip
        counted = count_fact(fact=fact, by=by, at=at)
        uses = [
            earning.OfferUse(ref, member_id, ret.source, ret.external_return_no, points, ret.returned_at)
            for ref, points in share.uses
        ]
        for contributor in earning.contributors():
            contributor.reverse(uses)
    taken = -(posting.d_available + posting.d_pending) if posting else 0
    arrears = posting.d_debt if posting else 0
    news = events.return_recorded(
        return_id=row[0], purchase_id=purchase.pk if purchase else None, member_id=member_id, store_id=ret.store_id, amount=total,
        points=taken + arrears, arrears=arrears, credits=share.credits, return_no=ret.external_return_no,
        happened_at=ret.returned_at, by=by,
    )  # fmt: skip
    timeline.record([news, *(counted.news if counted else [])])
    changed_to = counted.changed_to if counted else ""
    return ReturnReceipt(row[0], row[1], False, total, share.points, taken, arrears, share.credits, changed_to)


def _receipt_of_known(ret: Return, known: PurchaseReturn) -> ReturnReceipt:
    if bytes(known.fingerprint) != ret.fingerprint():
        raise ReturnConflict(return_no=ret.external_return_no)
    entry = LedgerEntry.objects.filter(
        transaction__kind=LedgerTransaction.Kind.RETURN,
        transaction__source=ret.source,
        transaction__natural_key=ret.external_return_no,
    ).first()
    return ReturnReceipt(
        return_id=known.pk,
        public_id=known.public_id,
        already_recorded=True,
        amount=known.total_amount,
        points=known.points,
        points_from_balance=-(entry.d_available + entry.d_pending) if entry else 0,
        points_to_arrears=entry.d_debt if entry else 0,
        credits=known.credits,
        tier_changed_to=_tier_changed_to(known),
    )


def _tier_changed_to(known: PurchaseReturn) -> str:
    """Return the tier to which a recorded return took its member back (undoing a rise may leave one in between), or nothing."""
    if known.member_id is None:
        return ""
    caused = TierChange.objects.filter(member_id=known.member_id, cause=f"{known.source}:{known.external_return_no}")
    undone = caused.filter(reason=TierChange.Reason.UNDONE).first()
    last = (
        caused.filter(number__gte=undone.number).select_related("to_tier").order_by("number").last() if undone else None
    )
    return last.to_tier.code if last else ""
