"""Filters of lists, by django-filter; what can not be read is refused by name."""

from datetime import date
from typing import Any

import django_filters
from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from loyalty.periods import day_bounds
from members.api.fields import EARLIEST, LATEST
from members.api.queries import BadQuery
from members.queries import programme
from rewards.models import LedgerEntry, LedgerTransaction, Purchase, Reward, Voucher
from rewards.reward_offers import costing_at_most

_KINDS = [(kind.name.lower(), kind.name.lower()) for kind in LedgerTransaction.Kind]


class EntryFilter(django_filters.FilterSet):
    """Entries by kind and by days of the programme's zone, both days included."""

    kind = django_filters.ChoiceFilter(choices=_KINDS, method="of_kind")
    since = django_filters.DateFilter(method="from_day")
    until = django_filters.DateFilter(method="to_day")

    class Meta:
        model = LedgerEntry
        fields: tuple[str, ...] = ()

    def of_kind(self, rows: QuerySet[LedgerEntry], _name: str, value: str) -> QuerySet[LedgerEntry]:
        return rows.filter(transaction__kind=LedgerTransaction.Kind[value.upper()])

    def from_day(self, rows: QuerySet[LedgerEntry], _name: str, day: date) -> QuerySet[LedgerEntry]:
        return rows.filter(happened_at__gte=day_bounds(_bounded(day, "since"), programme().tz)[0])

    def to_day(self, rows: QuerySet[LedgerEntry], _name: str, day: date) -> QuerySet[LedgerEntry]:
        return rows.filter(happened_at__lt=day_bounds(_bounded(day, "until"), programme().tz)[1])


class OrderFilter(django_filters.FilterSet):
    """Orders by days of the programme's zone, both days included."""

    since = django_filters.DateFilter(method="from_day")
    until = django_filters.DateFilter(method="to_day")

    class Meta:
        model = Purchase
        fields: tuple[str, ...] = ()

    def from_day(self, rows: QuerySet[Purchase], _name: str, day: date) -> QuerySet[Purchase]:
        return rows.filter(ordered_at__gte=day_bounds(_bounded(day, "since"), programme().tz)[0])

    def to_day(self, rows: QuerySet[Purchase], _name: str, day: date) -> QuerySet[Purchase]:
        return rows.filter(ordered_at__lt=day_bounds(_bounded(day, "until"), programme().tz)[1])


class RewardFilter(django_filters.FilterSet):
    """Rewards up to a price, of a category, of a kind."""

    max_points = django_filters.NumberFilter(method="up_to", min_value=1, max_value=2_000_000_000)
    category = django_filters.CharFilter(field_name="category__code", max_length=40)
    kind = django_filters.ChoiceFilter(choices=Reward.Kind.choices)

    class Meta:
        model = Reward
        fields: tuple[str, ...] = ()

    def up_to(self, rows: QuerySet[Reward], _name: str, value: int) -> QuerySet[Reward]:
        return costing_at_most(rows, int(value), self.data["at"])


class VoucherFilter(django_filters.FilterSet):
    """Vouchers by state as it is now, whether or not the task has noted an end."""

    state = django_filters.ChoiceFilter(choices=Voucher.State.choices, method="in_state")

    class Meta:
        model = Voucher
        fields: tuple[str, ...] = ()

    def in_state(self, rows: QuerySet[Voucher], _name: str, value: str) -> QuerySet[Voucher]:
        at = self.data["at"]
        is_out = Q(state__in=(Voucher.State.ISSUED, Voucher.State.HELD, Voucher.State.OFFERED))
        is_held = Q(held_until__isnull=False, held_until__gt=at)
        if value == Voucher.State.ISSUED:
            return rows.filter(is_out & ~is_held, expires_at__gt=at)
        if value == Voucher.State.EXPIRED:
            return rows.filter(Q(state=Voucher.State.EXPIRED) | Q(is_out & ~is_held, expires_at__lte=at))
        if value in (Voucher.State.HELD, Voucher.State.OFFERED):
            return rows.filter(is_held, state=value)
        return rows.filter(state=value)


def filtered[M: Model](
    filters: type[django_filters.FilterSet], rows: QuerySet[M], request: Request, **known: Any
) -> QuerySet[M]:
    """Return the rows that the request's parameters leave. Raises `BadQuery` for values that can not be read."""
    asked = filters({**request.query_params.dict(), **known}, queryset=rows, request=request)
    if not asked.is_valid():
        problem = BadQuery("", "")
        problem.detail = {
            name: [ErrorDetail(str(one), "invalid") for one in found] for name, found in asked.errors.items()
        }
        raise problem
    chosen: QuerySet[M] = asked.qs
    return chosen


def _bounded(day: date, parameter: str) -> date:
    if not EARLIEST.date() <= day < LATEST.date():
        raise BadQuery(parameter, "This day is too far away.")
    return day
