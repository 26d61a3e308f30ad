"""Figures of days, and what waits for somebody to do something."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from analytics.models import DayFigures
from campaigns.queries import failed_messages
from loyalty.models import TierStanding
from members.models import ParkedEntry
from rewards.models import OrderImport, Reward

REVIEW_DAYS = 7
LOW_STOCK = 10
IMPORT_DAYS = 14


@dataclass(frozen=True, slots=True)
class DaySummary:
    """The figures of one business day, all stores together. Money in the programme's currency, sales net of returns."""

    date: date
    members_joined: int = 0
    members_active: int = 0
    member_orders: int = 0
    guest_orders: int = 0
    member_sales_amount: Decimal = Decimal(0)
    guest_sales_amount: Decimal = Decimal(0)
    points_issued: int = 0
    points_redeemed: int = 0
    points_expired: int = 0
    points_taken_back: int = 0
    points_adjusted: int = 0
    redemptions: int = 0
    vouchers_used: int = 0
    tiers_raised: int = 0
    tiers_lowered: int = 0

    @property
    def orders(self) -> int:
        """Orders of members and of others."""
        return self.member_orders + self.guest_orders

    @property
    def sales_amount(self) -> Decimal:
        """Sales to members and to others, net."""
        return self.member_sales_amount + self.guest_sales_amount

    @property
    def member_share(self) -> Decimal | None:
        """Sales to members as a part of all sales, 0 to 1; None without sales, or where returns outweigh one side."""
        if self.sales_amount <= 0 or min(self.member_sales_amount, self.guest_sales_amount) < 0:
            return None
        return self.member_sales_amount / self.sales_amount

    @property
    def average_order_amount(self) -> Decimal | None:
        """Sales of members, net, for each of their orders; None without orders of members."""
        return self.member_sales_amount / self.member_orders if self.member_orders else None


@dataclass(frozen=True, slots=True)
class TodoItem:
    """Something that waits: how many, in words, and the admin list in which they are found."""

    key: str
    label: str | Promise
    count: int
    url_name: str
    query: str


FIGURES = tuple(name for name in DaySummary.__dataclass_fields__ if name != "date")


def day_summary(day: date, *, store_ids: Collection[int] | None = None) -> DaySummary:
    """Return the figures of one day, of the whole business or of some stores; zeros when nothing happened."""
    return day_series(day, day + timedelta(days=1), store_ids=store_ids)[0]


def day_series(start: date, end: date, *, store_ids: Collection[int] | None = None) -> list[DaySummary]:
    """Return the figures of each day of [start, end), days without any included. One query."""
    rows: QuerySet[DayFigures] = DayFigures.objects.filter(date__gte=start, date__lt=end).order_by()
    if store_ids is not None:
        rows = rows.filter(store__in=store_ids)
    sums: Iterable[Mapping[str, Any]] = rows.values("date").annotate(**{f"sum_{name}": Sum(name) for name in FIGURES})
    found = {row["date"]: _summary(row) for row in sums}
    days = (start + timedelta(days=number) for number in range((end - start).days))
    return [found.get(day) or DaySummary(day) for day in days]


def _summary(row: Mapping[str, Any]) -> DaySummary:
    return DaySummary(row["date"], **{name: row[f"sum_{name}"] for name in FIGURES})


def total(days: Iterable[DaySummary]) -> DaySummary:
    """Return the sums over several days, dated with the first. A member who bought on two days counts twice as active."""
    listed = list(days)
    return DaySummary(listed[0].date, **{name: sum(getattr(day, name) for day in listed) for name in FIGURES})


def points_outstanding() -> int:
    """Return the points that members still have: issued less redeemed, expired and taken back, and adjusted, over all days.

    Equals what the ledger's accounts hold available, pending and held, less arrears, as far as the timeline was read.
    """
    sums = DayFigures.objects.aggregate(
        points=Sum("points_issued")
        - Sum("points_redeemed")
        - Sum("points_expired")
        - Sum("points_taken_back")
        + Sum("points_adjusted")
    )
    return sums["points"] or 0


def todo_counts(at: datetime) -> list[TodoItem]:
    """Return what waits for somebody at this moment, also where the count is 0. One small query for each."""
    return [TodoItem(key, label, *count(at)) for key, label, count in _TODOS]


def _parked_entries(at: datetime) -> tuple[int, str, str]:
    parked = ParkedEntry.objects.filter(replayed_at__isnull=True)
    return parked.count(), "admin:members_parkedentry_changelist", "replayed_at__isnull=True"


def _failed_messages(at: datetime) -> tuple[int, str, str]:
    return failed_messages(), "admin:campaigns_message_changelist", "state__exact=failed"


def _imports_with_rejected_rows(at: datetime) -> tuple[int, str, str]:
    since = at - timedelta(days=IMPORT_DAYS)
    imports = OrderImport.objects.filter(rows_rejected__gt=0, started_at__gte=since)
    query = urlencode({"rows_rejected__gt": 0, "started_at__gte": since.isoformat()})
    return imports.count(), "admin:rewards_orderimport_changelist", query


def _rewards_running_out(at: datetime) -> tuple[int, str, str]:
    on_the_shelf = Reward.objects.filter(valid_from__lte=at).exclude(valid_to__lte=at)
    # The list shows also those no longer on the shelf; they are nothing to do.
    return on_the_shelf.filter(stock__lt=LOW_STOCK).count(), "admin:rewards_reward_changelist", f"stock__lt={LOW_STOCK}"


def _tiers_due_for_review(at: datetime) -> tuple[int, str, str]:
    until = at + timedelta(days=REVIEW_DAYS)
    due = TierStanding.objects.filter(valid_until__lt=until)
    return due.count(), "admin:loyalty_tierstanding_changelist", urlencode({"valid_until__lt": until.isoformat()})


_Count = Callable[[datetime], tuple[int, str, str]]
_TODOS: tuple[tuple[str, str | Promise, _Count], ...] = (
    ("parked_entries", _("Timeline entries set aside after an error"), _parked_entries),
    ("failed_messages", _("Messages that could not be delivered"), _failed_messages),
    ("rejected_rows", _("Imports of the last 14 days with rejected rows"), _imports_with_rejected_rows),
    ("low_stock", _("Rewards with fewer than 10 left"), _rewards_running_out),
    ("tier_reviews", _("Tiers due for review within 7 days"), _tiers_due_for_review),
)
