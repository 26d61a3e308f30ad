"""补积分: what an order of a member should have earned by the rules of its day, less what was credited."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from loyalty.queries import tier_at
from members.facts import values_for
from rewards import earning, ledger
from rewards.models import Adjustment, LedgerEntry, LedgerTransaction, Lot, Purchase, PurchaseReturn
from rewards.queries import earned_by, rule_book
from rewards.refusals import RewardsRefusal
from rewards.services.caps import cap_usage
from rewards.services.earn_facts import missing_facts
from rewards.services.orders import Order, OrderLine
from rewards.services.quoting import LineGoods, facts_before, offers_between, with_goods, work_out

_MOST_FOUND = 20


class OrderUnknown(RewardsRefusal):
    """No order of this number is recorded."""

    code = "order_unknown"
    text = _(
        "Order %(order_no)s is not recorded here. Have it recorded by the till or the shop, or import it: its points then come by themselves."
    )


class OrderOfAnotherMember(RewardsRefusal):
    """The order was made by another member."""

    code = "order_of_another_member"
    text = _("Order %(order_no)s is another member's.")


class OrderIsCredited(RewardsRefusal):
    """Nothing is missing: what the rules of the day give was credited. `entry_id` is where."""

    code = "order_is_credited"
    text = _(
        "Nothing is missing: %(posted)s points were credited for order %(order_no)s, and the rules of that day give %(due)s."
    )
    entry_id: int | None = None


class OrderEarnsNothing(RewardsRefusal):
    """The rules of the day give nothing for it, or all of it came back."""

    code = "order_earns_nothing"
    text = _("Order %(order_no)s earns nothing by the rules of its day, or all of it came back.")


@dataclass(frozen=True, slots=True)
class MissingPoints:
    """What is missing of an order: the rules give `due`, `posted` were credited, `returned` of the difference came back."""

    purchase: Purchase
    points: int
    due: int
    posted: int
    returned: int
    tier_code: str
    trace: dict[str, Any]

    def stored(self) -> dict[str, Any]:
        """Return the working as it is kept with the posting."""
        shown = {
            key: self.trace[key]
            for key in ("amount", "tier", "lines", "not", "more", "caps", "budgets")
            if key in self.trace
        }
        figures = {
            "order": self.purchase.external_order_no,
            "due": self.due,
            "posted": self.posted,
            "back": self.returned,
        }
        return shown | figures


def missing_points(*, member_id: int, order_no: str) -> MissingPoints:
    """Return what is missing of an order of this member, or of nobody's: her card was not shown then.

    The rules, her tier and the offers are those of the moment of the order; caps are those of its days, without what the
    order itself had used. Raises OrderUnknown, OrderOfAnotherMember, OrderIsCredited, OrderEarnsNothing.
    """
    purchase = _purchase_of(member_id, order_no)
    posted = earned_by([purchase]).get(purchase.pk) if purchase.member_id else None
    credited = _credited(posted)
    earlier = Adjustment.objects.filter(purchase=purchase, currency_id=ledger.currency_id()).first()
    if earlier is not None and earlier.member_id != member_id:
        raise OrderOfAnotherMember(order_no=order_no)
    quote = quote_again(purchase, member_id, posted.trace if posted else None)
    if earlier is not None:
        raise _credited_refusal(purchase, credited + earlier.points, quote.points, earlier.transaction_id)
    gap = quote.points - credited
    if gap <= 0 and credited:
        raise _credited_refusal(purchase, credited, quote.points, posted.pk if posted else None)
    returned = earning.share_of(max(gap, 0), _returned(purchase), purchase.total_amount)
    if gap - returned <= 0:
        raise OrderEarnsNothing(order_no=order_no)
    return MissingPoints(purchase, gap - returned, quote.points, credited, returned, quote.tier_code, quote.trace())


def quote_again(purchase: Purchase, member_id: int, posted_trace: Mapping[str, Any] | None) -> earning.Quote:
    """Return what a recorded order earns for a member by the rules of its moment, beside what it used of caps before."""
    lines = list(purchase.lines.select_related("product").order_by("line_no"))
    order = Order(
        source=purchase.source, external_order_no=purchase.external_order_no, member_id=member_id,
        channel_id=purchase.channel_id, store_id=purchase.store_id, ordered_at=purchase.ordered_at,
        lines=tuple(OrderLine(line.sku, line.name, line.quantity, line.unit_price, line.amount, line.earns) for line in lines),
    )  # fmt: skip
    goods = [
        LineGoods(
            line.earns, line.product.category_id if line.product else None, line.product.brand if line.product else ""
        )
        for line in lines
    ]
    rules = rule_book().at(order.ordered_at)
    facts = with_goods(facts_before(order, member_id), order, goods)
    needs = rules.needs(facts)
    known = missing_facts(needs=needs, member_id=member_id, purchase_id=purchase.pk, ordered_at=order.ordered_at)
    used = dict(cap_usage(member_id=member_id, keys=needs.cap_keys))
    for key, points, times in earning.cap_uses_in(posted_trace):
        if key in used:
            used[key] = earning.CapUsage(max(used[key].points - points, 0), max(used[key].times - times, 0))
    return work_out(
        replace(facts, is_first_order=known.is_first_order, orders_in=known.orders_in),
        rules=rules,
        tier=tier_at(member_id, order.ordered_at),
        offers=offers_between(order.ordered_at, order.ordered_at),
        cap_used=used,
        values=values_for(member_id, needs.fact_keys, order.ordered_at) if needs.fact_keys else {},
    )


def _purchase_of(member_id: int, order_no: str) -> Purchase:
    found = purchases_numbered(order_no)
    own = next((purchase for purchase in found if purchase.member_id == member_id), None)
    nobodys = next((purchase for purchase in found if purchase.member_id is None), None)
    purchase = own or nobodys
    if purchase is None:
        raise OrderOfAnotherMember(order_no=order_no) if found else OrderUnknown(order_no=order_no)
    return purchase


def purchases_numbered(order_no: str) -> list[Purchase]:
    """Return the orders with this number, of any source: an index look-up for each source, however many orders there are."""
    number = order_no.strip()[:80]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE sources AS (
                (SELECT source FROM rewards_purchase ORDER BY source LIMIT 1)
                UNION ALL
                SELECT (SELECT p.source FROM rewards_purchase p WHERE p.source > s.source ORDER BY p.source LIMIT 1)
                FROM sources s WHERE s.source IS NOT NULL
            )
            SELECT p.id FROM sources s
            CROSS JOIN LATERAL (
                SELECT id FROM rewards_purchase WHERE source = s.source AND external_order_no = %s
            ) p LIMIT %s
            """,
            [number, _MOST_FOUND],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Purchase.objects.filter(pk__in=ids).order_by("pk"))


def _credited(posted: LedgerTransaction | None) -> int:
    if posted is None:
        return 0
    return Lot.objects.filter(transaction=posted).aggregate(points=Sum("amount"))["points"] or 0


def _returned(purchase: Purchase) -> Decimal:
    back = PurchaseReturn.objects.filter(purchase=purchase).aggregate(amount=Sum("total_amount"))["amount"]
    return back or Decimal(0)


def _credited_refusal(purchase: Purchase, posted: int, due: int, transaction_id: int | None) -> OrderIsCredited:
    refusal = OrderIsCredited(order_no=purchase.external_order_no, posted=posted, due=due)
    if transaction_id is not None:
        refusal.entry_id = (
            LedgerEntry.objects.filter(transaction_id=transaction_id).values_list("pk", flat=True).first()
        )
    return refusal
