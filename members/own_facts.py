"""The facts that the ground floor knows of a member."""

from collections.abc import Collection, Mapping

from django.conf import settings
from django.utils.dates import MONTHS
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from members.facts import Args, Fact, FactParam, labels, register_fact
from members.figures import grouped
from members.models import ActivityKind, Channel, Member, Store

# Those born on 29 February keep the 28th in common years.
_IS_BIRTHDAY = """
    SELECT (extract(month FROM p.birthday), extract(day FROM p.birthday)) = (extract(month FROM t.day), extract(day FROM t.day))
        OR (extract(month FROM p.birthday) = 2 AND extract(day FROM p.birthday) = 29
            AND extract(month FROM t.day) = 2 AND extract(day FROM t.day) = 28
            AND extract(month FROM t.day + 1) = 3)
    FROM members_memberperson p, (SELECT (%(at)s AT TIME ZONE %(zone)s)::date AS day) t WHERE p.member_id = m.id
"""

# Until the next of the midnights at which a birthday, or its month, begins or ends.
_NEXT_BIRTHDAY_EDGE = """
    SELECT min(edge.day::timestamp AT TIME ZONE %(zone)s)
    FROM members_memberperson p
    CROSS JOIN LATERAL (SELECT extract(year FROM %(at)s AT TIME ZONE %(zone)s)::int AS this) y
    CROSS JOIN generate_series(0, 1) AS later
    CROSS JOIN LATERAL (
        -- make_date() knows no 29 February of a common year; the last of the month stands for it.
        SELECT least(
            make_date(y.this + later, extract(month FROM p.birthday)::int, 1) + extract(day FROM p.birthday)::int - 1,
            (make_date(y.this + later, extract(month FROM p.birthday)::int, 1) + interval '1 month')::date - 1
        ) AS day
    ) kept
    CROSS JOIN LATERAL (VALUES (kept.day), (kept.day + 1)) AS edge (day)
    WHERE p.member_id = m.id AND edge.day::timestamp AT TIME ZONE %(zone)s > %(at)s
"""
_NEXT_BIRTHDAY_MONTH_EDGE = """
    SELECT min(edge.day AT TIME ZONE %(zone)s)
    FROM members_memberperson p
    CROSS JOIN LATERAL (SELECT extract(year FROM %(at)s AT TIME ZONE %(zone)s)::int AS this) y
    CROSS JOIN generate_series(0, 1) AS later
    CROSS JOIN LATERAL (SELECT make_date(y.this + later, extract(month FROM p.birthday)::int, 1)::timestamp AS day) begins
    CROSS JOIN LATERAL (VALUES (begins.day), (begins.day + interval '1 month')) AS edge (day)
    WHERE p.member_id = m.id AND edge.day AT TIME ZONE %(zone)s > %(at)s
"""
# A behaviour counts from just after it happened until its last microsecond within the days (and as long as it is kept).
_NEXT_ACTIVITY_EDGE = """
    SELECT min(edge.moment)
    FROM (
        SELECT a.happened_at, 'infinity'::timestamptz AS expires_at FROM members_activity a
        WHERE a.member_id = m.id AND a.kind = %(kind)s AND a.happened_at >= %(at)s - make_interval(days => %(days)s)
        UNION ALL
        SELECT b.happened_at, b.expires_at FROM members_behaviour b
        WHERE b.member_id = m.id AND b.kind = %(kind)s AND b.happened_at >= %(at)s - make_interval(days => %(days)s)
            AND b.expires_at > %(at)s
    ) a
    CROSS JOIN LATERAL (
        VALUES (a.happened_at + interval '1 microsecond'),
            (least(a.happened_at + make_interval(days => %(days)s) + interval '1 microsecond', a.expires_at))
    ) AS edge (moment)
    WHERE edge.moment > %(at)s
"""
_HERE = frozenset({"members"})
_BEHAVIOUR_TOLD = frozenset({"members.activity_recorded.v1", "members.behaviours_recorded.v1"})


def _of(labels: Mapping[str, str | Promise], only: Collection[str] | None) -> dict[str, str]:
    return {code: str(label) for code, label in labels.items() if only is None or code in only}


def _statuses(only: Collection[str] | None) -> dict[str, str]:
    return _of(dict(Member.Status.choices), only)


def _languages(only: Collection[str] | None) -> dict[str, str]:
    return _of(dict(settings.LANGUAGES), only)


def _months(only: Collection[str] | None) -> dict[str, str]:
    return _of({str(number): name for number, name in MONTHS.items()}, only)


def _stores(only: Collection[str] | None) -> dict[str, str]:
    stores = Store.objects.all() if only is None else Store.objects.filter(code__in=only)
    return {store.code: store.name for store in stores}


def _channels(only: Collection[str] | None) -> dict[str, str]:
    channels = Channel.objects.all() if only is None else Channel.objects.filter(code__in=only)
    return {channel.code: channel.name for channel in channels}


def activity_kinds(only: Collection[str] | None) -> dict[str, str]:
    """Return the names of kinds of behaviour by code: of those asked for, or of all."""
    kinds = ActivityKind.objects.all() if only is None else ActivityKind.objects.filter(code__in=only)
    return {kind.code: kind.name for kind in kinds}


def _activities(args: Args) -> str:
    days = int(args["days"])
    kind = labels(activity_kinds, [str(args["kind"])]).get(str(args["kind"]), str(args["kind"]))
    words = ngettext("“%(kind)s” in the last %(days)s day", "“%(kind)s” in the last %(days)s days", days)
    return words % {"kind": kind, "days": days}


def times(number: int) -> str:
    """Return so many times, in words."""
    return ngettext("%(number)s time", "%(number)s times", number) % {"number": grouped(number)}


def register() -> None:
    """Register the facts of members. Called once, from `AppConfig.ready()`."""
    for fact in (
        Fact("members.status", _("status"), "choice", "m.status", choices=_statuses, changed_by=_HERE),
        Fact("members.joined_date", _("joined"), "date", "(m.joined_at AT TIME ZONE %(zone)s)::date", changed_by=_HERE),
        Fact(
            "members.joined_days",
            _("days since joining"),
            "count",
            "(%(at)s AT TIME ZONE %(zone)s)::date - (m.joined_at AT TIME ZONE %(zone)s)::date",
            unit=_("days"),
            figure=lambda number: ngettext("%(number)s day", "%(number)s days", number) % {"number": grouped(number)},
            changed_by=_HERE,
            grows_daily=True,
        ),
        Fact(
            "members.channel",
            _("joined through"),
            "choice",
            "SELECT c.code FROM members_channel c WHERE c.id = m.channel_id",
            choices=_channels,
            changed_by=_HERE,
        ),
        Fact(
            "members.home_store",
            _("home store"),
            "choice",
            "SELECT s.code FROM members_store s WHERE s.id = m.home_store_id",
            choices=_stores,
            changed_by=_HERE,
        ),
        Fact("members.language", _("language"), "choice", "m.language", choices=_languages, changed_by=_HERE),
        Fact(
            "members.birthday_month",
            _("month of the birthday"),
            "choice",
            "SELECT extract(month FROM p.birthday)::int::text FROM members_memberperson p WHERE p.member_id = m.id",
            choices=_months,
            is_personal=True,
            changed_by=_HERE,
        ),
        Fact(
            "members.is_birthday",
            _("birthday today"),
            "bool",
            _IS_BIRTHDAY,
            is_personal=True,
            changed_by=_HERE,
            next_change=_NEXT_BIRTHDAY_EDGE,
        ),
        Fact(
            "members.is_birthday_month",
            _("birthday this month"),
            "bool",
            """
            SELECT extract(month FROM p.birthday) = extract(month FROM %(at)s AT TIME ZONE %(zone)s)
            FROM members_memberperson p WHERE p.member_id = m.id
            """,
            is_personal=True,
            changed_by=_HERE,
            next_change=_NEXT_BIRTHDAY_MONTH_EDGE,
        ),
        Fact(
            "members.activities",
            _("behaviour in the last days"),
            "count",
            """
            (
                SELECT count(*) FROM members_activity a
                WHERE a.member_id = m.id AND a.kind = %(kind)s
                    AND a.happened_at >= %(at)s - make_interval(days => %(days)s) AND a.happened_at < %(at)s
            ) + (
                SELECT count(*) FROM members_behaviour b
                WHERE b.member_id = m.id AND b.kind = %(kind)s AND b.expires_at > %(at)s
                    AND b.happened_at >= %(at)s - make_interval(days => %(days)s) AND b.happened_at < %(at)s
            )
            """,
            unit=_("times"),
            params=(
                FactParam("kind", _("behaviour"), default="check_in", choices=activity_kinds),
                FactParam("days", _("in the last days")),
            ),
            phrase=_activities,
            figure=times,
            changed_by=_BEHAVIOUR_TOLD,
            next_change=_NEXT_ACTIVITY_EDGE,
        ),
    ):
        register_fact(fact)
