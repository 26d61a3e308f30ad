"""What conditions may ask about a member's tier."""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty.models import Tier
from members.facts import Args, Fact, FactParam, register_fact
from members.figures import grouped
from members.services.merging import MERGED, MERGED_AWAY, UNMERGED

# As `queries.standing_of` says: the standing since it is held; before that, the change that was in force and was not
# undone; before any, the lowest tier of the ladder of that moment (of the first one, for older moments).
_TIER_ID = """
    coalesce(
        (SELECT s.tier_id FROM loyalty_tierstanding s WHERE s.member_id = m.id AND s.since_at <= %(at)s),
        (
            SELECT c.to_tier_id FROM loyalty_tierchange c
            WHERE c.member_id = m.id AND c.happened_at <= %(at)s AND c.reason <> 'undone'
                AND EXISTS (SELECT 1 FROM loyalty_tierstanding s WHERE s.member_id = m.id)
                AND NOT EXISTS (
                    SELECT 1 FROM loyalty_tierchange u
                    WHERE u.member_id = c.member_id AND u.number > c.number
                        AND (u.number - u.takes_back <= c.number OR u.number = c.number + 1 AND u.reason = 'undone')
                )
            ORDER BY c.happened_at DESC, c.number DESC LIMIT 1
        ),
        (
            SELECT r.tier_id
            FROM loyalty_ladderversion v
            JOIN loyalty_tierrule r ON r.ladder_id = v.id
            JOIN loyalty_tier w ON w.id = r.tier_id
            WHERE v.valid_from IS NOT NULL
            ORDER BY v.valid_from <= %(at)s DESC,
                CASE WHEN v.valid_from <= %(at)s THEN v.valid_from END DESC, v.valid_from, w.rank
            LIMIT 1
        )
    )
"""
# The floor in force, where it is higher than what is earned.
_FLOOR = """
    FROM loyalty_tierfloor f JOIN loyalty_tier t ON t.id = f.tier_id
    WHERE f.member_id = m.id AND f.valid_from <= %(at)s AND coalesce(least(f.valid_until, f.ended_at), 'infinity') > %(at)s
"""
# A standing or a floor that begins or ends in a moment; and for whoever has none, the lowest tier of the next ladder.
_NEXT_TIER = """
    SELECT least(
        (SELECT s.since_at FROM loyalty_tierstanding s WHERE s.member_id = m.id AND s.since_at > %(at)s),
        (SELECT min(v.valid_from) FROM loyalty_ladderversion v WHERE v.valid_from > %(at)s),
        (
            SELECT min(e.edge) FROM loyalty_tierfloor f
            CROSS JOIN LATERAL (VALUES (f.valid_from), (f.valid_until), (f.ended_at)) AS e (edge)
            WHERE f.member_id = m.id AND e.edge > %(at)s
        )
    )
"""
_CREDITS_IN_DAYS = """
    FROM loyalty_qualificationentry q
    WHERE q.member_id = m.id AND q.happened_at >= %(at)s - make_interval(days => %(days)s)
"""
_NEXT_CREDITS = f"""
    SELECT min(edge.moment)
    FROM (SELECT q.happened_at {_CREDITS_IN_DAYS}) q
    CROSS JOIN LATERAL (
        VALUES (q.happened_at + interval '1 microsecond'),
            (q.happened_at + make_interval(days => %(days)s) + interval '1 microsecond')
    ) AS edge (moment)
    WHERE edge.moment > %(at)s
"""  # noqa: S608 - constants of this module
_CHANGED_BY = frozenset({"loyalty", "rewards", MERGED, MERGED_AWAY, UNMERGED})  # a merge moves floors
_HELD = f"""
    SELECT h.code, h.rank FROM (
        SELECT t.code, t.rank FROM loyalty_tier t WHERE t.id = {_TIER_ID} UNION ALL SELECT t.code, t.rank {_FLOOR}
    ) h ORDER BY h.rank DESC LIMIT 1
"""  # noqa: S608 - constants of this module
_TIER_CODE = f"SELECT held.code FROM ({_HELD}) held"  # noqa: S608 - constants of this module
_TIER_RANK = f"SELECT held.rank FROM ({_HELD}) held"  # noqa: S608 - constants of this module


def _tiers(only: Collection[str] | None) -> dict[str, str]:
    tiers = Tier.objects.order_by("rank")
    return {tier.code: tier.name for tier in (tiers if only is None else tiers.filter(code__in=only))}


def _credits_in(args: Args) -> str:
    days = int(args["days"])
    words = ngettext("tier credits in the last %(days)s day", "tier credits in the last %(days)s days", days)
    return words % {"days": days}


def _credits(number: int) -> str:
    return ngettext("%(number)s tier credit", "%(number)s tier credits", number) % {"number": grouped(number)}


def register() -> None:
    """Register the facts of loyalty. Called once, from `AppConfig.ready()`."""
    for fact in (
        Fact(
            "loyalty.tier",
            _("tier"),
            "choice",
            _TIER_CODE,
            choices=_tiers,
            changed_by=_CHANGED_BY,
            next_change=_NEXT_TIER,
        ),
        Fact(
            "loyalty.tier_rank",
            _("rank of the tier"),
            "count",
            _TIER_RANK,
            changed_by=_CHANGED_BY,
            next_change=_NEXT_TIER,
        ),
        Fact(
            "loyalty.tier_until",
            _("tier held until"),
            "date",
            """
            SELECT (s.valid_until AT TIME ZONE %(zone)s)::date FROM loyalty_tierstanding s
            WHERE s.member_id = m.id AND s.since_at <= %(at)s
            """,
            changed_by=_CHANGED_BY,
            next_change="SELECT s.since_at FROM loyalty_tierstanding s WHERE s.member_id = m.id AND s.since_at > %(at)s",
        ),
        Fact(
            "loyalty.credits",
            _("tier credits in the last days"),
            "count",
            f"SELECT coalesce(sum(q.credits), 0)::bigint {_CREDITS_IN_DAYS} AND q.happened_at < %(at)s",
            unit=_("tier credits"),
            params=(FactParam("days", _("in the last days"), default=365),),
            phrase=_credits_in,
            figure=_credits,
            changed_by=_CHANGED_BY,
            next_change=_NEXT_CREDITS,
        ),
    ):
        register_fact(fact)
