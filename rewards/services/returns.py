"""Record a return: take back its share of points, tier credits, caps and promotion points; give back points paid on the order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from loyalty.models import TierChange
from loyalty.periods import business_date
from loyalty.queries import floor_tier_at
from loyalty.services.standing import CountedFact, count_fact, tier_for_fact
from members import timeline
from members.actors import Actor
from members.queries import programme, survivor_id
from rewards import earning, events, ledger
from rewards.models import LedgerEntry, LedgerTransaction, OrderSettlement, Purchase, PurchaseReturn
from rewards.policies import ledger_policy
from rewards.queries import earnings_of
from rewards.refusals import RewardsRefusal
from rewards.services.caps import give_back
from rewards.services.orders import CLOCK_TOLERANCE, OrderInFuture, hold_bearer
from rewards.services.return_deductions import (
    PAYMENT_BACK,
    GivenBack,
    completes,
    give_back_deductions,
    given_back_with,
    payments_of,
    points_given_back,
    share_of_points,
)
from rewards.services.return_shares import (
    NOTHING,
    BoughtLine,
    CurrencyShare,
    Earned,
    Return,
    ReturnedLine,
    ReturnExceedsOrder,
    ReturnItem,
    Share,
    allocate,
    articles_that_do_not_earn,
    as_returned,
    earned_in,
    purchase_lines,
    return_trace,
    share_of_payment,
    share_of_purchase,
    share_of_unknown_sale,
)

__all__ = [
    "PurchaseNotFound",
    "Return",
    "ReturnConflict",
    "ReturnExceedsOrder",
    "ReturnItem",
    "ReturnReceipt",
    "receipt_of_return",
    "record_return",
]


class PurchaseNotFound(RewardsRefusal):
    """No purchase has this number."""

    code = "not_found"
    status = 404
    text = _("No order %(order_no)s is known.")


class ReturnConflict(RewardsRefusal):
    """The return number is known with another content."""

    code = "order_conflict"
    text = _("Return %(return_no)s was recorded before with another content.")


@dataclass(frozen=True, slots=True)
class ReturnReceipt:
    """What a return did (or, in a dry run, would do).

    `points` = from the balance + to arrears + had expired already + given up by the policy of arrears. `points_back` are
    points that were paid on the order and come back; `given_back` what came back of its vouchers and benefits.
    """

    return_id: int
    public_id: UUID
    already_recorded: bool
    amount: Decimal
    points: int
    points_from_balance: int
    points_to_arrears: int
    credits: int
    tier_changed_to: str
    points_back: int = 0
    given_back: GivenBack = field(default_factory=GivenBack)


def record_return(*, ret: Return, by: Actor, at: datetime, dry_run: bool = False, quiet: bool = False) -> ReturnReceipt:
    """Record a return and take back what belongs to it; with `dry_run` say what it would do and change nothing.

    A repeat changes nothing and returns what the first one did. `quiet` marks the news as history. Raises PurchaseNotFound, ReturnExceedsOrder,
    ReturnConflict, OrderInFuture.
    """
    with transaction.atomic():
        receipt = _record(ret, by, at, quiet)
        if dry_run:
            transaction.set_rollback(True)
    return receipt


@dataclass(frozen=True, slots=True)
class _Sale:
    """The purchase that a return names, locked, with what came back of it and what it earned."""

    purchase: Purchase
    settlement: OrderSettlement | None
    total_before: Decimal
    eligible_before: Decimal
    earned: Sequence[Earned]


@dataclass(frozen=True, slots=True)
class _Back:
    """What comes back: its lines beside those of the purchase, its money, and whether with it all goods are back."""

    bought: Mapping[int, BoughtLine]
    lines: Sequence[ReturnedLine]
    total: Decimal
    is_complete: bool


def _record(ret: Return, by: Actor, at: datetime, quiet: bool) -> ReturnReceipt:
    if ret.returned_at > at + CLOCK_TOLERANCE:
        raise OrderInFuture(order_no=ret.external_return_no)
    sale = _lock_sale(ret)
    # Only after the lock: the same return may have been in flight, and would now look like one too many.
    known = PurchaseReturn.objects.filter(source=ret.source, external_return_no=ret.external_return_no).first()
    if known is not None:
        return receipt_of_return(ret, known)
    if sale is None and ret.external_order_no is not None:
        raise PurchaseNotFound(order_no=ret.external_order_no)
    bought = purchase_lines([sale.purchase.pk])[sale.purchase.pk] if sale else {}
    if sale:
        lines = allocate(bought, ret, sale.purchase.external_order_no)
    else:
        lines = as_returned(ret.lines, articles_that_do_not_earn([ret]))
    eligible = sum((line.amount for line in lines if line.earns), Decimal(0))
    member_id = sale.purchase.member_id if sale else ret.member_id
    share = _share(ret, sale, member_id, eligible)
    row = _insert(ret, sale.purchase if sale else None, member_id, lines, eligible, share)
    if row is None:
        known = PurchaseReturn.objects.get(source=ret.source, external_return_no=ret.external_return_no)
        return receipt_of_return(ret, known)
    total = sum((line.amount for line in lines), Decimal(0))
    bearer_id = hold_bearer(member_id) if member_id is not None else None
    back = _Back(bought, lines, total, sale is not None and completes(sale.settlement, bought, lines))
    if bearer_id is None:
        # Members may have used vouchers by their codes with an order that names nobody.
        given_back = _give_back_deductions(sale, row[0], back, by, at)
        news = _news(ret, sale, None, row[0], total, NOTHING, None, by, quiet)
        timeline.record([news])
        return ReturnReceipt(row[0], row[1], False, total, 0, 0, 0, 0, "", given_back=given_back)
    return _take_back(ret, sale, bearer_id, row, back, share, by, at, quiet)


def _share(ret: Return, sale: _Sale | None, member_id: int | None, eligible: Decimal) -> Share:
    if member_id is None:
        return NOTHING
    if sale:
        return share_of_purchase(sale.purchase, eligible, sale.eligible_before, sale.earned)
    return share_of_unknown_sale(eligible, ret.returned_at)


def _lock_sale(ret: Return) -> _Sale | None:
    """Return the purchase, locked so that two returns of it cannot both take the last piece; None when unlinked or not known."""
    if ret.external_order_no is None:
        return None
    named = Purchase.objects.filter(source=ret.source, external_order_no=ret.external_order_no)
    found = named.select_related("settlement").first()
    if found is None:
        return None
    ledger.lock_purchases(purchase_ids=[found.pk])
    before = found.returns.aggregate(total=Sum("total_amount"), eligible=Sum("eligible_amount"))
    earned = [earned_in(posted) for posted in earnings_of([found]).get(found.pk, [])]
    settlement = getattr(found, "settlement", None)
    return _Sale(found, settlement, before["total"] or Decimal(0), before["eligible"] or Decimal(0), earned)


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
    ret: Return, sale: _Sale | None, member_id: int, row: tuple[int, UUID], what: _Back, share: Share, by: Actor, at: datetime,
    quiet: bool,
) -> ReturnReceipt:  # fmt: skip
    total = what.total
    # First of all, as a purchase does: vouchers come after accounts, and the order may have been paid in another currency.
    ledger.lock_accounts(member_ids=sorted({sale.purchase.member_id or member_id, member_id} if sale else {member_id}))
    back = _give_back_payment(ret, sale, row[0], what, by) if sale else 0
    given_back = _give_back_deductions(sale, row[0], what, by, at)
    currency_id = ledger.currency_id()
    origin_id = sale.earned[0].transaction_id if sale and sale.earned else None
    posting = _claw_back(
        ret, member_id, CurrencyShare(currency_id, share.points, origin_id), total, sale is None, by, at
    )
    for other in share.others:
        _claw_back(ret, member_id, other, total, sale is None, by, at)
    cause = f"{sale.purchase.source}:{sale.purchase.external_order_no}" if sale else ""
    is_whole = sale is not None and _is_whole(sale, what)
    fact = CountedFact(
        member_id=member_id, kind="return", source=ret.source, source_ref=ret.external_return_no, credits=-share.credits,
        spend_amount=-total, orders=-1 if is_whole else 0, happened_at=ret.returned_at, cause=cause,
        active_on=business_date(sale.purchase.ordered_at, programme().tz) if sale and is_whole else None,
    )  # fmt: skip
    counted = count_fact(fact=fact, by=by, at=at, quiet=quiet)
    if sale and share.part:
        give_back(member_id=member_id, traces=[posted.trace for posted in sale.earned], part=share.part)
    uses = [
        earning.OfferUse(ref, member_id, ret.source, ret.external_return_no, points, ret.returned_at)
        for ref, points in share.uses
    ]
    for contributor in earning.contributors() if uses else ():
        contributor.reverse(uses)
    timeline.record([_news(ret, sale, member_id, row[0], total, share, posting, by, quiet, back), *counted.news])
    taken = -(posting.d_available + posting.d_pending)
    changed_to = counted.changed_to and counted.changed_over(floor_tier_at(member_id, ret.returned_at))
    return ReturnReceipt(
        row[0], row[1], False, total, share.points, taken, posting.d_debt, share.credits, changed_to, back, given_back
    )


def _give_back_deductions(sale: _Sale | None, return_id: int, what: _Back, by: Actor, at: datetime) -> GivenBack:
    """Give back vouchers and uses where a return completes its sale; nothing where the sale is not known."""
    if sale is None:
        return GivenBack()
    return give_back_deductions(
        purchase=sale.purchase,
        settlement=sale.settlement,
        return_id=return_id,
        is_complete=what.is_complete,
        by=by,
        at=at,
    )


def _is_whole(sale: _Sale, what: _Back) -> bool:
    """Whether with this return all money is paid back; of an order that cost none, all goods are back.

    What cost nothing may come back after the last of the money: that does not make the order whole once more.
    """
    if not sale.purchase.total_amount:
        return what.is_complete
    return what.total > 0 and sale.total_before + what.total == sale.purchase.total_amount


def _claw_back(
    ret: Return, member_id: int, share: CurrencyShare, total: Decimal, unlinked: bool, by: Actor, at: datetime
) -> ledger.Posting:
    policy = ledger_policy(share.currency_id)
    tier_code = ""
    if policy.looks_at_tier:
        held = tier_for_fact(member_id=member_id, moment=ret.returned_at, by=by, at=at)
        timeline.record(held.news)
        tier_code = held.tier.code
    return ledger.claw_back(
        kind=ledger.Kind.RETURN, contra=ledger.Contra.ISSUANCE, member_id=member_id, points=share.points,
        origin_transaction_id=share.transaction_id, from_others=policy.takes_other_lots, debt_limit=policy.debt_limit(tier_code),
        source=ret.source, natural_key=ret.external_return_no, at=ret.returned_at, by=by, currency_id=share.currency_id,
        store_id=ret.store_id, tier_code=tier_code, trace=return_trace(total, share.points, unlinked=unlinked),
    )  # fmt: skip


def _give_back_payment(ret: Return, sale: _Sale, return_id: int, what: _Back, by: Actor) -> int:
    """Give back the share of the points that were paid on the order, to the lots they came from; return how many of the
    default currency. The accounts are locked.

    Before anything is taken back: what comes back may have to repay at once.
    """
    paid = list(payments_of(sale.purchase).prefetch_related("entries").order_by("currency_id", "pk"))
    back = 0
    for posted in paid:
        points = sum(entry.points_spent for entry in posted.entries.all())
        if sale.settlement is not None:
            share = share_of_points(points, sale.settlement, what.bought, what.lines)
        else:
            share = share_of_payment(points, what.total, sale.total_before, sale.purchase.total_amount)
        if share:
            ledger.restore(
                origin_transaction_id=posted.pk, points=share, days_min=ledger_policy(posted.currency_id).restored_days_min,
                source=PAYMENT_BACK, natural_key=f"{return_id}:{posted.pk}", at=ret.returned_at, by=by, store_id=ret.store_id,
                trace={"v": 2, "kind": "payment_back", "points": share, "order": sale.purchase.external_order_no},
            )  # fmt: skip
            back += share if posted.currency_id == ledger.currency_id() else 0
    return back


def _news(
    ret: Return, sale: _Sale | None, member_id: int | None, return_id: int, total: Decimal, share: Share,
    posting: ledger.Posting | None, by: Actor, quiet: bool, back: int = 0,
) -> timeline.NewEntry:  # fmt: skip
    arrears = posting.d_debt if posting else 0
    taken = -(posting.d_available + posting.d_pending) if posting else 0
    return events.return_recorded(
        return_id=return_id, purchase_id=sale.purchase.pk if sale else None, member_id=member_id, store_id=ret.store_id,
        amount=total, points=taken + arrears, arrears=arrears, credits=share.credits, return_no=ret.external_return_no,
        happened_at=ret.returned_at, by=by, quiet=quiet, points_back=back,
    )  # fmt: skip


def receipt_of_return(ret: Return, known: PurchaseReturn) -> ReturnReceipt:
    """Return what a recorded return did. Raises ReturnConflict where it is told with another content."""
    if bytes(known.fingerprint) != ret.fingerprint():
        raise ReturnConflict(return_no=ret.external_return_no)
    entry = LedgerEntry.objects.filter(
        transaction__kind=LedgerTransaction.Kind.RETURN,
        transaction__source=ret.source,
        transaction__natural_key=ret.external_return_no,
        transaction__currency=ledger.currency_id(),
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
        points_back=points_given_back(known),
        given_back=given_back_with(known.pk),
    )


def _tier_changed_to(known: PurchaseReturn) -> str:
    """Return the tier to which a recorded return took its member back (undoing a rise may leave one in between), or nothing."""
    if known.member_id is None:
        return ""
    sides = {known.member_id, survivor_id(known.member_id)}
    caused = TierChange.objects.filter(member_id__in=sides, cause=f"{known.source}:{known.external_return_no}")
    undone = caused.filter(reason=TierChange.Reason.UNDONE).select_related("from_tier").first()
    last = (
        caused.filter(number__gte=undone.number).select_related("to_tier").order_by("number").last() if undone else None
    )
    if undone is None or last is None:
        return ""
    floor = floor_tier_at(survivor_id(known.member_id), known.returned_at)
    if floor is None or floor.rank <= last.to_tier.rank:
        return last.to_tier.code
    return "" if floor.rank >= undone.from_tier.rank else floor.code
