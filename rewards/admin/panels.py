"""What rewards puts on the member pages: the balance in the head, tabs of points, vouchers and orders, a column of the list."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.admin import panels
from members.admin.base import store_scope
from members.admin.days import last_day, local_day
from members.admin.keyset import page_of
from members.figures import grouped
from members.models import Member
from members.queries import family_ids
from members.wallet.credentials import what_is_missing
from members.wallet.files import CONTENT_TYPE
from rewards.admin.corrections import RIGHT as CORRECT
from rewards.admin.voucher_actions import in_force_by_hand, voucher_rights
from rewards.explanation import explain
from rewards.ledger import currency_id
from rewards.models import PointsAccount, PointsCurrency, PurchaseLine, PurchaseReturn, ReturnLine, VoucherEvent
from rewards.queries import (
    accounts_of,
    balance_of,
    earned_by,
    entries_of_family,
    open_holds_of,
    open_lots_of,
    points_in_trace,
    purchases_of,
    vouchers_of,
)
from rewards.services.corrections import may_be_corrected, taken_back_at
from rewards.services.household_points import household_would_add, is_possible
from rewards.wallet_pass import wallet_pass_of

SOON = timedelta(days=30)
_MOST_LOTS = 500
_MOST_HOLDS = 20
_MOST_UNLINKED = 20


def _head(member: Member, at: datetime) -> dict[str, Any]:
    balance = balance_of(member.pk, at)
    return {
        "balance": balance,
        "expiring_soon": balance.expiring_before(at + SOON),
        "others": accounts_of(member.pk).exclude(currency_id=currency_id()),
    }


def _points_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    told, order = entries_of_family(member.pk)
    page = page_of(told, by=order, cursor=request.GET.get("cursor", ""))
    may_correct = request.user.has_perm(CORRECT)
    correctable = [entry.transaction_id for entry in page.rows if may_be_corrected(entry.transaction)]
    taken_back = taken_back_at(correctable) if correctable else {}
    offered = {*correctable} - taken_back.keys() if may_correct else set()
    entries = [
        {
            "entry": entry,
            "kind": entry.transaction.get_kind_display(),
            "number": entry.transaction.number_on_paper,
            "why": explain(entry.transaction.trace),
            "taken_back_day": local_day(taken_back[entry.transaction_id]) if entry.transaction_id in taken_back else "",
            "may_correct": entry.member_id == member.pk and entry.transaction_id in offered,
        }
        for entry in page.rows
    ]
    return {
        "page": page,
        "entries": entries,
        "lots": _lots_by_end(member.pk, at) if page.is_first else [],
        "holds": list(open_holds_of(member.pk)[:_MOST_HOLDS]) if page.is_first else [],
        "household": _from_household(member.pk, at) if page.is_first else None,
    }


def _from_household(member_id: int, at: datetime) -> int | None:
    """Return what the household would add to a reward, in points; None where there is nobody who could."""
    if not PointsCurrency.objects.filter(is_possible(member_id, currency_id())).exists():
        return None
    return household_would_add(member_id=member_id, currency_id=currency_id(), at=at)


def _lots_by_end(member_id: int, at: datetime) -> list[dict[str, Any]]:
    """Return what is left, by the moment it expires, in the order in which it is spent."""
    groups: dict[tuple[datetime | None, int], dict[str, Any]] = {}
    for lot in open_lots_of(member_id)[:_MOST_LOTS]:
        group = groups.setdefault(
            (lot.expires_at, lot.state),
            {
                "until": last_day(lot.expires_at) if lot.expires_at else "",
                "is_over": lot.expires_at is not None and lot.expires_at <= at,
                "state": lot.get_state_display(),
                "points": 0,
                "lots": [],
            },
        )
        group["points"] += lot.remaining
        group["lots"].append({"day": local_day(lot.transaction.happened_at), "points": lot.remaining, "of": lot.amount})
    return list(groups.values())


def _vouchers_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    events = VoucherEvent.objects.select_related("store").order_by("happened_at", "id")
    held = vouchers_of(member.pk).defer("code_hmac").select_related("template", "redemption__reward")
    held = held.prefetch_related(
        Prefetch("events", events, to_attr="told"), Prefetch("goodwill", in_force_by_hand(), to_attr="by_hand")
    )
    page = page_of(held, by=("issued_at", "id"), cursor=request.GET.get("cursor", ""))
    for voucher in page.rows:
        voucher.now = voucher.state_at(at)  # type: ignore[attr-defined]
    return {"page": page, "at": at, **voucher_rights(request)}


def _orders_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    scope = store_scope(request)
    bought = purchases_of(member.pk).defer("fingerprint")
    came_back = PurchaseReturn.objects.defer("fingerprint").order_by("returned_at", "id")
    came_back = came_back.prefetch_related(Prefetch("lines", ReturnLine.objects.order_by("line_no")))
    if scope is not None:
        bought, came_back = bought.filter(store__in=scope), came_back.filter(store__in=scope)
    bought = bought.prefetch_related(
        Prefetch("lines", PurchaseLine.objects.order_by("line_no")),
        Prefetch("returns", came_back, to_attr="brought_back"),
    )
    page = page_of(bought, by=("ordered_at", "id"), cursor=request.GET.get("cursor", ""))
    earned = earned_by(page.rows) if page.rows else {}
    orders = [{"purchase": purchase, "points": points_in_trace(earned.get(purchase.pk))} for purchase in page.rows]
    unlinked = (
        came_back.filter(member__in=family_ids(member.pk), purchase__isnull=True).order_by("-returned_at")[
            :_MOST_UNLINKED
        ]
        if page.is_first
        else []
    )
    return {"page": page, "orders": orders, "unlinked": list(unlinked)}


def _column(member_ids: Sequence[int]) -> Mapping[int, str]:
    accounts = PointsAccount.objects.filter(member_id__in=member_ids, currency_id=currency_id())
    available = dict(accounts.values_list("member_id", "available"))
    return {member_id: grouped(available.get(member_id, 0)) for member_id in member_ids}


panels.register_header("points", order=20, template="portal/member/points_head.html", context=_head)
panels.register_tab(
    "points",
    label=_("Points"),
    order=20,
    template="portal/member/points.html",
    context=_points_tab,
    permission="rewards.view_ledgerentry",
)
panels.register_tab(
    "vouchers",
    label=_("Vouchers"),
    order=40,
    template="portal/member/vouchers.html",
    context=_vouchers_tab,
    permission="rewards.view_voucher",
)
panels.register_tab(
    "orders",
    label=_("Orders"),
    order=50,
    template="portal/member/orders.html",
    context=_orders_tab,
    permission="rewards.view_purchase",
)
panels.register_handout(
    "wallet-pass",
    label=_("Card for Apple Wallet"),
    order=10,
    content_type=CONTENT_TYPE,
    suffix="pkpass",
    make=wallet_pass_of,
    missing=what_is_missing,
)
panels.register_list_column("points", label=_("available points"), order=20, load=_column)
