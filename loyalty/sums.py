"""What members did in spans of time, read from their qualification entries: one statement, however many spans."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from loyalty.criteria import Sums
from loyalty.ladder import Window
from loyalty.periods import RESOLUTION, business_date, months_since
from members.models import Member
from members.queries import programme

MemberWindow = tuple[int, Window]

_SPANS = """
    FROM (
        SELECT u.*, NULL::date AS day
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) WITH ORDINALITY AS u (member_id, from_at, before_at, n)
    ) AS w
    CROSS JOIN LATERAL ({sums}) s
    ORDER BY w.n
"""
_CREDITS = """
    SELECT coalesce(sum(q.credits), 0) AS credits, coalesce(-sum(q.credits) FILTER (WHERE q.credits < 0), 0) AS returned
    FROM loyalty_qualificationentry q
    WHERE q.member_id = w.member_id AND q.happened_at >= w.from_at AND q.happened_at < w.before_at
"""
# A day is active while more orders were placed on it than came back whole, or something else was done on it.
_EVERYTHING = """
    SELECT coalesce(sum(d.credits), 0), coalesce(sum(d.returned), 0), coalesce(sum(d.spend), 0),
           coalesce(sum(d.returned_spend), 0), coalesce(sum(d.orders), 0), coalesce(sum(d.returned_orders), 0),
           count(*) FILTER (WHERE d.acts > 0), coalesce(sum(d.activity), 0), coalesce(sum(d.carried), 0),
           coalesce(sum(d.acts) FILTER (WHERE d.day = w.day), 0)
    FROM (
        SELECT coalesce(q.active_on, (q.happened_at AT TIME ZONE %s)::date) AS day,
               sum(q.orders) + sum(sign(q.activity)) AS acts,
               sum(q.credits) AS credits, -sum(q.credits) FILTER (WHERE q.credits < 0 AND q.kind <> 'carry') AS returned,
               sum(q.spend_amount) AS spend, -sum(q.spend_amount) FILTER (WHERE q.spend_amount < 0) AS returned_spend,
               sum(q.orders) AS orders, -sum(q.orders) FILTER (WHERE q.orders < 0) AS returned_orders,
               sum(q.activity) AS activity, sum(q.credits) FILTER (WHERE q.kind = 'carry') AS carried
        FROM loyalty_qualificationentry q
        WHERE q.member_id = w.member_id AND q.happened_at >= w.from_at AND q.happened_at < w.before_at
        GROUP BY 1
    ) d
"""


def credits_in(windows: Sequence[MemberWindow]) -> list[Sums]:
    """Return the tier credits of members over spans, in the order asked, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT s.* {_SPANS.format(sums=_CREDITS)}", _spans(windows))
        return [Sums(int(credits), int(returned)) for credits, returned in cursor.fetchall()]


def everything_in(windows: Sequence[MemberWindow]) -> list[Sums]:
    """Return all that members did over spans, in the order asked, in two statements."""
    tz = programme().tz
    joined = dict(Member.objects.filter(pk__in={one for one, _ in windows}).values_list("pk", "joined_at"))
    with connection.cursor() as cursor:
        statement = f"SELECT s.* {_SPANS.format(sums=_EVERYTHING)}"
        cursor.execute(statement, [*_spans(windows), tz.key])
        found = cursor.fetchall()
    return [
        sums_of_row(row, window, joined.get(member_id), tz)
        for (member_id, window), row in zip(windows, found, strict=True)
    ]


def sums_of_row(row: Sequence[Any], window: Window, joined_at: datetime | None, tz: ZoneInfo) -> Sums:
    """Return what a row of `_EVERYTHING` says of a span."""
    credits, returned, spend, returned_spend, orders, returned_orders, active_days, activity, carried, *_acts = row
    last = business_date(window.before_at - RESOLUTION, tz)
    return Sums(
        credits=int(credits),
        returned=int(returned),
        spend=Decimal(spend),
        returned_spend=Decimal(returned_spend),
        orders=int(orders),
        returned_orders=int(returned_orders),
        active_days=int(active_days),
        activity=int(activity),
        tenure_months=months_since(business_date(joined_at, tz), last) if joined_at else 0,
        carried=int(carried),
    )


#: As one of several columns beside a fact that is counted: parameters are a member, a span, the day of the fact, the zone.
BESIDE_A_FACT: Final = f"""
    (SELECT %s::bigint AS member_id, %s::timestamptz AS from_at, %s::timestamptz AS before_at, %s::date AS day) w
    JOIN members_member m ON m.id = w.member_id
    CROSS JOIN LATERAL ({_EVERYTHING}) s
"""


def sums_in(windows: Sequence[MemberWindow], *, needs_more: bool) -> list[Sums]:
    """Return what decides over spans: all that was done, or tier credits alone where nothing else is asked for."""
    if not windows:
        return []
    return everything_in(windows) if needs_more else credits_in(windows)


def _spans(windows: Sequence[MemberWindow]) -> list[list[object]]:
    return [
        [member_id for member_id, _window in windows],
        [window.from_at for _member_id, window in windows],
        [window.before_at for _member_id, window in windows],
    ]
