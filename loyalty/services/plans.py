"""Order a plan, try one, say whether one means to go on. What is paid comes in through `plan_payments`.

Lock order: the member (shared, against merges and closing), the order, the plan of the member, the standing with its floors.
At most one plan of a member runs and one order waits: the database holds that, whoever comes at the same moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, connection, transaction

from loyalty import events
from loyalty.models import Plan, PlanMembership, PlanOrder, PlanPayment, PlanPeriod, TierFloor
from loyalty.periods import business_date, day_bounds, end_of_day
from loyalty.plan_queries import RUNNING, paid_spans, plans_on_sale
from loyalty.proration import upgrade
from loyalty.services.floors import NewFloor, end_floors, grant_floors
from loyalty.services.plan_refusals import (
    MembershipClosed,
    NoPlanRunning,
    NoTrial,
    OrderWaits,
    PlanIsRunning,
    PlanNotOnSale,
    RenewalNotOffered,
    RenewedAlready,
    TrialTaken,
)
from members import timeline
from members.actors import SYSTEM, Actor
from members.models import Member
from members.own_accounts import refuse_own_account
from members.queries import programme
from members.timeline import NewEntry

#: How long an order waits for its payment. An upgrade counts days, so it waits to the end of its day.
ORDER_WAITS: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Span:
    """A period about to be given: what kind, over which span, with which share of the price."""

    kind: PlanPeriod.Kind
    valid_from: datetime
    valid_until: datetime
    amount: Decimal = Decimal(0)


def order_plan(*, member_id: int, plan_code: str, renews_intended: bool, by: Actor, at: datetime) -> PlanOrder:
    """Order a plan and return what is to be paid: a first period, another one, or the way up to a higher plan.

    The same again while it waits returns the order that waits; another choice takes its place. Raises `PlanNotOnSale`,
    `PlanIsRunning`, `RenewedAlready`, `RenewalNotOffered`, `MembershipClosed`, `OwnAccount`.
    """
    refuse_own_account(by, [member_id])
    with transaction.atomic():
        member_id = hold_member(member_id)
        plan = _plan(plan_code, at)
        if renews_intended and not plan.can_renew:
            raise RenewalNotOffered
        wanted = _wanted(plan, running_locked(member_id, at), member_id, at)
        waiting = _waiting(member_id)
        if waiting is not None:
            if _is_same(waiting, wanted, at):
                return waiting
            PlanOrder.objects.filter(pk=waiting.pk).update(state=PlanOrder.State.LAPSED)
        wanted.renews_intended, wanted.actor_kind, wanted.actor_id = renews_intended, by.kind, by.id
        try:
            with transaction.atomic():
                wanted.save()
        except IntegrityError as error:
            raise OrderWaits from error
        wanted.refresh_from_db(fields=["public_id"])
        told = {"plan": plan.code, "kind": wanted.kind, "amount": str(wanted.amount), "order": wanted.pk}
        timeline.record([NewEntry(events.PLAN_ORDERED, member_id, at, by, told)])
    return wanted


def start_trial(
    *, member_id: int, plan_code: str, renews_intended: bool = False, by: Actor, at: datetime
) -> PlanMembership:
    """Begin the free trial of a plan and return what runs. Once per person, whatever the plan.

    Raises `PlanNotOnSale`, `NoTrial`, `TrialTaken`, `PlanIsRunning`, `RenewalNotOffered`, `MembershipClosed`, `OwnAccount`.
    """
    refuse_own_account(by, [member_id])
    with transaction.atomic():
        member_id = hold_member(member_id)
        plan = _plan(plan_code, at)
        if not plan.trial_days:
            raise NoTrial
        if renews_intended and not plan.can_renew:
            raise RenewalNotOffered
        if running_locked(member_id, at) is not None:
            raise PlanIsRunning
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO loyalty_plantrial (member_id, plan_id, taken_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [member_id, plan.pk, at],
            )
            if not cursor.rowcount:
                raise TrialTaken
        tz = programme().tz
        after = business_date(at, tz) + timedelta(days=plan.trial_days)
        until = day_bounds(after, tz)[0]
        made = PlanMembership(
            member_id=member_id, plan=plan, state=PlanMembership.State.TRIAL, valid_from=at, valid_until=until,
            anchor_date=after, renews_intended=renews_intended,
        )  # fmt: skip
        begin(made)
        give_periods(made, [Span(PlanPeriod.Kind.TRIAL, at, until)], None, by=by, at=at)
        told = {"plan": plan.code, "until": until.isoformat()}
        timeline.record([NewEntry(events.PLAN_TRIAL_BEGAN, member_id, at, by, told)])
    return made


def wish_renewal(*, member_id: int, renews: bool, by: Actor, at: datetime) -> PlanMembership:
    """Note whether a member means to go on after the end of the period; nothing is charged, nothing ends before.

    Raises `NoPlanRunning`, `RenewalNotOffered`, `MembershipClosed`.
    """
    with transaction.atomic():
        member_id = hold_member(member_id)
        running = running_locked(member_id, at)
        if running is None:
            raise NoPlanRunning
        if renews and not running.plan.can_renew:
            raise RenewalNotOffered
        if running.renews_intended != renews:
            running.renews_intended = renews
            running.save(update_fields=["renews_intended"])
            told = {"plan": running.plan.code, "renews": renews, "until": running.valid_until.isoformat()}
            timeline.record([NewEntry(events.PLAN_RENEWAL_WISHED, member_id, at, by, told)])
    return running


def hold_member(member_id: int, *, may_have_left: bool = False) -> int:
    """Keep a member as it is to the end of the transaction and return its id, or that of the one it was merged into.

    Raises `MembershipClosed`, unless the member may have left.
    """
    for _step in range(2):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT member_no, status, merged_into_id FROM members_member WHERE id = %s FOR SHARE", [member_id]
            )
            member_no, status, merged_into_id = cursor.fetchone()
        if merged_into_id is None:
            break
        member_id = merged_into_id
    if status == Member.Status.CLOSED and not may_have_left:
        raise MembershipClosed(member_no=member_no)
    return member_id


def running_locked(member_id: int, at: datetime) -> PlanMembership | None:
    """Return the plan that runs, locked; one whose time is over is ended first."""
    running = PlanMembership.objects.select_for_update(of=("self",), no_key=True).filter(
        member=member_id, state__in=RUNNING
    )
    found = running.select_related("plan__tier").first()
    if found is not None and found.valid_until <= at:
        finish(found, PlanMembership.State.ENDED, ended_at=found.valid_until)
        timeline.record([ended_news(found)])
        return None
    return found


def begin(membership: PlanMembership) -> None:
    """Write a plan that begins. Raises `PlanIsRunning` where another one began at this moment."""
    try:
        with transaction.atomic():
            membership.save()
    except IntegrityError as error:
        raise PlanIsRunning from error
    membership.refresh_from_db(fields=["public_id"])


def finish(membership: PlanMembership, state: PlanMembership.State, *, ended_at: datetime, reason: str = "") -> None:
    """Write that a locked plan no longer runs."""
    membership.state, membership.ended_at, membership.end_reason = state, ended_at, reason
    membership.save(update_fields=["state", "ended_at", "end_reason"])


def stop(
    membership: PlanMembership, state: PlanMembership.State, *, reason: str, words: str = "", by: Actor, at: datetime
) -> None:
    """End a locked plan before its time, with the floors it gave; `reason` is a code, `words` what staff said."""
    finish(membership, state, ended_at=at, reason=words)
    floors = TierFloor.objects.filter(
        source=TierFloor.Source.PLAN, source_ref__startswith=f"{membership.public_id.hex}:", ended_at__isnull=True,
        valid_until__gt=at,
    ).values_list("pk", flat=True)  # fmt: skip
    end_floors(member_id=membership.member_id, floor_ids=list(floors), ended_at=at, reason=reason, by=by, at=at)


def give_periods(
    membership: PlanMembership, spans: Sequence[Span], payment: PlanPayment | None, *, by: Actor, at: datetime
) -> None:
    """Write periods of a locked plan, and the floors that they give."""
    number = membership.periods.count()
    periods = [
        PlanPeriod(
            membership=membership, number=place, kind=span.kind, valid_from=span.valid_from, valid_until=span.valid_until,
            amount=span.amount, payment=payment,
        )
        for place, span in enumerate(spans, number + 1)
    ]  # fmt: skip
    PlanPeriod.objects.bulk_create(periods)
    floors = [
        NewFloor(
            membership.member_id, membership.plan.tier_id, period.valid_from, period.valid_until, TierFloor.Source.PLAN,
            f"{membership.public_id.hex}:{period.number}",
        )
        for period in periods
    ]  # fmt: skip
    grant_floors(floors=floors, by=by, at=at)


def ended_news(membership: PlanMembership) -> NewEntry:
    """Return the news that a plan has come to its end by itself."""
    told = {"plan": membership.plan.code, "was_trial": membership.months_given == 0}
    return NewEntry(events.PLAN_ENDED, membership.member_id, membership.valid_until, SYSTEM, told)


def _plan(code: str, at: datetime) -> Plan:
    plan = plans_on_sale(at).filter(code=code).first()
    if plan is None:
        raise PlanNotOnSale
    return plan


def _waiting(member_id: int) -> PlanOrder | None:
    waiting = PlanOrder.objects.select_for_update(of=("self",), no_key=True).filter(
        member=member_id, state=PlanOrder.State.PENDING
    )
    return waiting.select_related("plan__tier").first()


def _wanted(plan: Plan, running: PlanMembership | None, member_id: int, at: datetime) -> PlanOrder:
    """Return the order that fits what runs, not yet written."""
    current = programme()
    order = PlanOrder(
        member_id=member_id, plan=plan, kind=PlanOrder.Kind.PURCHASE, amount=plan.price_amount, currency=current.currency,
        made_at=at, expires_at=at + ORDER_WAITS,
    )  # fmt: skip
    if running is None:
        return order
    order.membership = running
    if running.state == PlanMembership.State.TRIAL:
        return order
    periods = list(running.periods.order_by("number"))
    if running.plan_id == plan.pk:
        if periods[-1].valid_from > at:
            raise RenewedAlready
        order.kind = PlanOrder.Kind.RENEWAL
        return order
    if plan.tier.rank <= running.plan.tier.rank:
        raise PlanIsRunning
    today = business_date(at, current.tz)
    way_up = upgrade(paid_spans(periods, current.tz), price=plan.price_amount, months=plan.period_months, on=today)
    order.kind, order.amount = PlanOrder.Kind.UPGRADE, way_up.to_pay
    order.expires_at = end_of_day(today, current.tz)
    order.spans = [[span.first.isoformat(), span.until.isoformat(), str(span.amount)] for span in way_up.spans]
    return order


def _is_same(waiting: PlanOrder, wanted: PlanOrder, at: datetime) -> bool:
    def said(order: PlanOrder) -> tuple[Any, ...]:
        return order.plan_id, order.kind, order.amount, order.currency, order.membership_id, order.spans

    return waiting.expires_at > at and said(waiting) == said(wanted)
