"""The home page: the day's figures against the same weekday, thirty days drawn, and what waits. Read from roll-ups only."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from analytics.metrics import METRICS, POINTS_OUTSTANDING, Metric, Unit
from analytics.models import DayFigures
from analytics.queries import DaySummary, day_series, points_outstanding, todo_counts
from analytics.services.days import READER
from loyalty.models import LadderVersion
from members.admin.base import store_scope
from members.admin.proposals import waiting_badge
from members.figures import compact, grouped, money
from members.models import ApiKey, Store, Subscription
from members.queries import programme
from members.services.webhooks import worrying_webhooks
from rewards.fulfilment_queries import waiting
from rewards.models import EarnRule, OrderImport
from rewards.services.proof import state_of_proof

CARDS = (
    "members_joined",
    "members_active",
    "sales_amount",
    "member_share",
    "points_issued",
    "points_redeemed",
    "points_expired",
)
DRAWN_DAYS = 30
WEEK = timedelta(days=7)
DAY = timedelta(days=1)

_UNITS: dict[Unit, str | Promise] = {
    Unit.MEMBERS: pgettext_lazy("unit", "members"),
    Unit.ORDERS: pgettext_lazy("unit", "orders"),
    Unit.POINTS: pgettext_lazy("unit", "points"),
    Unit.VOUCHERS: pgettext_lazy("unit", "vouchers"),
    Unit.TIMES: pgettext_lazy("unit", "times"),
    Unit.MONEY: "",
    Unit.SHARE: "%",
}
_MEMBERS_COLOUR, _OTHERS_COLOUR, _REDEEMED_COLOUR = "#1d7a50", "#9aa8a1", "#c2761b"


def home_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the home page for this operator."""
    at = timezone.now()
    context["worries"] = _worries(request, at)
    context["is_at_counter"] = request.user.has_perm("rewards.serve_at_counter") and store_scope(request) is not None
    context["todos"] = [*_decisions(request), *_parcels(request, at), *_todos(request, at)]
    if not request.user.has_perm("analytics.view_dayfigures"):
        return context
    if not DayFigures.objects.exists():
        context["steps"] = _steps(request)
        return context
    scope = store_scope(request)
    today = at.astimezone(programme().tz).date()
    # From the weekday that yesterday is compared with, or from the first day drawn, to today.
    days = {day.date: day for day in day_series(today - (DRAWN_DAYS - 1) * DAY, today + DAY, store_ids=scope)}
    context["cards"] = [_card(METRICS[key], days, today) for key in CARDS]
    if scope is None:
        context["cards"].append(_outstanding())
    context["yesterday"] = today - DAY
    context["sales_chart"], context["points_chart"] = (
        _sales_chart(list(days.values())),
        _points_chart(list(days.values())),
    )
    reader = Subscription.objects.filter(name=READER).first()
    context["as_of"] = reader.advanced_at.astimezone(programme().tz) if reader and reader.advanced_at else None
    context["zone"] = programme().zone
    context["is_scoped"] = scope is not None
    return context


def _card(metric: Metric, days: dict[date, DaySummary], today: date) -> dict[str, Any]:
    yesterday, week_before = metric.value(days[today - DAY]), metric.value(days[today - DAY - WEEK])
    return {
        "key": metric.key,
        "label": metric.label,
        "definition": metric.definition,
        "unit": _UNITS[metric.unit],
        "figure": _short(yesterday, metric.unit),
        "exact": _exact(yesterday, metric.unit),
        "week_before": _exact(week_before, metric.unit),
        "change": _change(yesterday, week_before, metric.unit),
        "today": _exact(metric.value(days[today]), metric.unit),
    }


def _outstanding() -> dict[str, Any]:
    label, definition = POINTS_OUTSTANDING
    points = points_outstanding()
    return {
        "key": "points_outstanding",
        "label": label,
        "definition": definition,
        "unit": _UNITS[Unit.POINTS],
        "figure": compact(points),
        "exact": grouped(points),
    }


def _exact(value: int | Decimal | None, unit: Unit) -> str:
    if value is None:
        return "–"
    if unit is Unit.MONEY:
        return money(Decimal(value), programme().currency)
    return f"{value * 100:.1f}" if unit is Unit.SHARE else grouped(value)


def _short(value: int | Decimal | None, unit: Unit) -> str:
    if value is None or unit is Unit.SHARE:
        return _exact(value, unit)
    if unit is Unit.MONEY:
        return money(Decimal(value), programme().currency, short=True)
    return compact(int(value))


def _change(now: int | Decimal | None, before: int | Decimal | None, unit: Unit) -> dict[str, Any] | None:
    """Return how a figure differs from the one a week before: a part of it, or points of a percentage."""
    if now is None or before is None or (not before and unit is not Unit.SHARE):
        return None
    difference = (Decimal(now) - Decimal(before)) * 100
    if unit is not Unit.SHARE:
        difference /= abs(Decimal(before))
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    return {
        "text": f"{sign}{abs(difference):.1f}",
        "is_up": difference > 0,
        "is_down": difference < 0,
        "in_points": unit is Unit.SHARE,
    }


def _sales_chart(days: list[DaySummary]) -> dict[str, Any]:
    symbol = money(Decimal(0), programme().currency).partition("0")[0]
    lines = [
        (METRICS["member_sales_amount"].label, _MEMBERS_COLOUR, [float(day.member_sales_amount) for day in days]),
        (METRICS["guest_sales_amount"].label, _OTHERS_COLOUR, [float(day.guest_sales_amount) for day in days]),
    ]
    return _chart(days, lines, prefix=symbol)


def _points_chart(days: list[DaySummary]) -> dict[str, Any]:
    lines = [
        (METRICS["points_issued"].label, _MEMBERS_COLOUR, [day.points_issued for day in days]),
        (METRICS["points_redeemed"].label, _REDEEMED_COLOUR, [day.points_redeemed for day in days]),
    ]
    return _chart(days, lines)


def _chart(
    days: list[DaySummary], lines: list[tuple[Any, str, list[Any]]], prefix: str = "", suffix: str = ""
) -> dict[str, Any]:
    return {
        "labels": [f"{day.date:%m-%d}" for day in days],
        "lines": [{"label": str(label), "colour": colour, "values": values} for label, colour, values in lines],
        "prefix": prefix,
        "suffix": suffix,
    }


def _worries(request: HttpRequest, at: datetime) -> list[dict[str, Any]]:
    """Return what is wrong with the proof of the ledger and with webhooks, for those who see it, with pages that say more."""
    worries = []
    if _may_see(request, "rewards_ledgerverification"):
        page = reverse("admin:rewards_ledgerverification_changelist")
        worries += [{"sentence": sentence, "link": page} for sentence in state_of_proof(at=at).worries]
    if _may_see(request, "members_webhookendpoint"):
        failing = len(worrying_webhooks(at))
        sentence = ngettext(
            "%(webhooks)s webhook fails or was switched off.",
            "%(webhooks)s webhooks fail or were switched off.",
            failing,
        )
        page = reverse("admin:members_webhookendpoint_changelist")
        worries += [{"sentence": sentence % {"webhooks": grouped(failing)}, "link": page}] if failing else []
    return worries


def _decisions(request: HttpRequest) -> list[dict[str, Any]]:
    """Return how many proposals wait for this operator's decision, with the page on which it is made."""
    waiting = waiting_badge(request)
    link = reverse("admin:members_proposal_changelist")
    return [{"label": _("Proposals that wait for your decision"), "count": waiting, "link": link}] if waiting else []


def _todos(request: HttpRequest, at: datetime) -> list[dict[str, Any]]:
    """Return what waits and this operator may open, with the list that shows just these."""
    todos = []
    for item in todo_counts(at):
        app, _separator, model = item.url_name.removeprefix("admin:").removesuffix("_changelist").partition("_")
        if item.count and request.user.has_perm(f"{app}.view_{model}"):
            todos.append(
                {"label": item.label, "count": grouped(item.count), "link": f"{reverse(item.url_name)}?{item.query}"}
            )
    return todos


def _parcels(request: HttpRequest, at: datetime) -> list[dict[str, Any]]:
    """Return what members redeemed that waits to be sent, put aside or handed over; to store staff that of their stores."""
    if not request.user.has_perm("rewards.fulfil_redemption"):
        return []
    scope, page = store_scope(request), reverse("admin:rewards_redemption_changelist")
    waits = waiting(at, store_ids=scope)
    found = (
        (_("Rewards that are late"), waits.late, "late"),
        (_("Rewards that wait to be sent"), waits.to_send - waits.late, ""),
        (_("Rewards to be made ready in stores"), waits.to_make_ready, "stores" if scope is None else ""),
        (_("Rewards that wait to be picked up"), waits.to_pick_up, "ready"),
    )
    return [
        {"label": label, "count": grouped(count), "link": f"{page}?what={what}" if what else page}
        for label, count, what in found
        if count
    ]


def _steps(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what a fresh installation still needs, in order, with what is done already."""
    steps = [
        (_("Name the programme, its points, its time zone and its currency"), "members_programme", True),
        (_("Add a brand and the first store"), "members_store", Store.objects.exists()),
        (_("Set the tiers and what it takes to reach them"), "loyalty_ladderversion", LadderVersion.objects.exists()),
        (_("Say how many points a purchase earns"), "rewards_earnrule", EarnRule.objects.exists()),
        (
            _("Issue a till key, or have whoever runs the server read in files of past orders"),
            "members_apikey",
            ApiKey.objects.exists() or OrderImport.objects.exists(),
        ),
    ]
    return [
        {"text": text, "link": reverse(f"admin:{name}_changelist"), "is_done": done, "is_open": _may_see(request, name)}
        for text, name, done in steps
    ]


def _may_see(request: HttpRequest, name: str) -> bool:
    app, _separator, model = name.partition("_")
    return request.user.has_perm(f"{app}.view_{model}")
