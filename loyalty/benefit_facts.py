"""What conditions may ask about benefits that are counted."""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty.models import Benefit
from members.facts import Args, Fact, FactParam, register_fact
from members.figures import grouped

_CHANGED_BY = frozenset({"loyalty"})
_OPEN = """
    FROM loyalty_entitlement e JOIN loyalty_benefit b ON b.id = e.benefit_id
    WHERE e.member_id = m.id AND b.code = %(benefit)s AND e.granted_at < %(at)s AND e.state = 'granted'
"""
# What opens or ends with time alone.
_NEXT = f"""
    SELECT min(edge.moment) FROM (SELECT e.valid_from, e.valid_to, e.granted_at {_OPEN.replace("AND e.granted_at < %(at)s", "")}) e
    CROSS JOIN LATERAL (VALUES (e.valid_from), (e.valid_to), (e.granted_at + interval '1 microsecond')) AS edge (moment)
    WHERE edge.moment > %(at)s
"""  # noqa: S608 - constants of this module


def _benefits(only: Collection[str] | None) -> dict[str, str]:
    counted = Benefit.objects.order_by("kind", "code")
    return {row.code: row.name for row in (counted if only is None else counted.filter(code__in=only))}


def _left(args: Args) -> str:
    names = _benefits([str(args["benefit"])])
    return str(_("uses left of “%(benefit)s”")) % {"benefit": names.get(str(args["benefit"]), args["benefit"])}


def _uses(number: int) -> str:
    return ngettext("%(number)s use", "%(number)s uses", number) % {"number": grouped(number)}


def register() -> None:
    """Register the facts of benefits. Called once, from `AppConfig.ready()`."""
    register_fact(
        Fact(
            "loyalty.uses_left",
            _("uses left of a benefit"),
            "count",
            f"SELECT coalesce(sum(e.quota - e.used), 0)::bigint {_OPEN} "
            "AND e.valid_from <= %(at)s AND e.valid_to > %(at)s",
            unit=_("uses"),
            params=(FactParam("benefit", _("benefit"), default="", choices=_benefits),),
            phrase=_left,
            figure=_uses,
            changed_by=_CHANGED_BY,
            next_change=_NEXT,
        )
    )
