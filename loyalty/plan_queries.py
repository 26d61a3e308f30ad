"""Paid membership as it stands: what is sold, what a member has, what is left of it, how many go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q, QuerySet

from loyalty.benefit_costs import benefits_used
from loyalty.models import Plan, PlanMembership, PlanOrder, PlanPeriod
from loyalty.periods import business_date
from loyalty.proration import Left, PaidSpan, left_of, refundable
from members.queries import programme

#: The prefix of the public ids of orders.
ORDER_REF: Final = "plo"
#: How many days after its end a period may be followed by another one and still count as renewed.
RENEWED_WITHIN_DAYS: Final = 30
RUNNING: Final = (PlanMembership.State.TRIAL, PlanMembership.State.ACTIVE)


@dataclass(frozen=True, slots=True)
class RefundFigure:
    """What is paid back when a plan ends now, and how it is worked out. Amounts in the programme's currency."""

    left: Left
    benefits_used: Decimal
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many."""

    part: int
    whole: int

    @property
    def percent(self) -> int | None:
        """In whole percent; None of nothing."""
        return round(100 * self.part / self.whole) if self.whole else None


def plans_on_sale(at: datetime) -> QuerySet[Plan]:
    """Return the plans that can be ordered at a moment, with their tiers."""
    on_sale = Plan.objects.filter(
        Q(sale_until__isnull=True) | Q(sale_until__gt=at), state=Plan.State.ON_SALE, sale_from__lte=at
    )
    return on_sale.select_related("tier").order_by("tier__rank", "price_amount", "pk")


def running_plan(member_id: int, at: datetime) -> PlanMembership | None:
    """Return the plan that a member holds at this moment, with its plan and tier."""
    running = PlanMembership.objects.filter(member=member_id, state__in=RUNNING, valid_until__gt=at)
    return running.select_related("plan__tier").first()


def waiting_order(member_id: int, at: datetime) -> PlanOrder | None:
    """Return the order that a member is to pay, with its plan."""
    waiting = PlanOrder.objects.filter(member=member_id, state=PlanOrder.State.PENDING, expires_at__gt=at)
    return waiting.select_related("plan__tier").first()


def paid_spans(periods: Sequence[PlanPeriod], tz: ZoneInfo) -> list[PaidSpan]:
    """Return paid periods as days of the zone with their shares of the price."""
    return [
        PaidSpan(business_date(period.valid_from, tz), business_date(period.valid_until, tz), period.amount)
        for period in periods
        if period.kind == PlanPeriod.Kind.PAID
    ]


def refund_figure(membership: PlanMembership, at: datetime) -> RefundFigure:
    """Return what would be paid back if a plan ended now: what is left of the price, less the benefits used."""
    current = programme()
    periods = list(membership.periods.order_by("number"))
    left = left_of(paid_spans(periods, current.tz), business_date(at, current.tz))
    used = benefits_used(membership.member_id, membership.public_id, membership.valid_from, at)
    return RefundFigure(left, used, refundable(left, used), current.currency)


def renewal_rate(*, from_at: datetime, until: datetime) -> Rate:
    """Return how many of the paid periods that ended over a span were followed by another paid one of the same member.

    Followed: it began within 30 days of the end. Periods of plans that were paid back or changed for a higher one before
    they ended are not among them.
    """
    return _rate(
        """
        SELECT count(*) FILTER (WHERE n.is_followed), count(*)
        FROM loyalty_planperiod p JOIN loyalty_planmembership m ON m.id = p.membership_id
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT 1 FROM loyalty_planperiod q JOIN loyalty_planmembership o ON o.id = q.membership_id
                WHERE o.member_id = m.member_id AND q.kind = 'paid'
                    AND q.valid_from >= p.valid_until AND q.valid_from < p.valid_until + make_interval(days => %(within)s)
            ) AS is_followed
        ) n
        WHERE p.kind = 'paid' AND p.valid_until >= %(from_at)s AND p.valid_until < %(until)s
            AND (m.ended_at IS NULL OR m.ended_at >= p.valid_until)""",
        from_at,
        until,
    )


def trial_conversion(*, from_at: datetime, until: datetime) -> Rate:
    """Return after how many of the trials whose days ended over a span the member paid, up to 30 days after the end."""
    return _rate(
        """
        SELECT count(*) FILTER (WHERE n.is_paid), count(*)
        FROM loyalty_planperiod p JOIN loyalty_planmembership m ON m.id = p.membership_id
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT 1 FROM loyalty_planperiod q JOIN loyalty_planmembership o ON o.id = q.membership_id
                WHERE o.member_id = m.member_id AND q.kind = 'paid'
                    AND q.valid_from > p.valid_from AND q.valid_from < p.valid_until + make_interval(days => %(within)s)
            ) AS is_paid
        ) n
        WHERE p.kind = 'trial' AND p.valid_until >= %(from_at)s AND p.valid_until < %(until)s""",
        from_at,
        until,
    )


def _rate(sql: str, from_at: datetime, until: datetime) -> Rate:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"from_at": from_at, "until": until, "within": RENEWED_WITHIN_DAYS})
        return Rate(*cursor.fetchone())
