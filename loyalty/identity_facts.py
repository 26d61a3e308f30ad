"""What conditions may ask about a member's badges and stage."""

from collections.abc import Collection
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.identity_events import BADGE_AWARDED, BADGE_TAKEN_BACK, STAGE_CHANGED
from loyalty.models import Badge, Stage
from members.facts import Args, Fact, FactParam, labels, register_fact

HAS_BADGE: Final = "loyalty.badge"
STAGE: Final = "loyalty.stage"

# Of a member and of all who were merged into it: the newest row before the moment says how it is.
_OF_BADGE: Final = """
    FROM loyalty_badgeaward a JOIN loyalty_badge b ON b.id = a.badge_id
    WHERE b.code = %(badge)s AND a.member_id = ANY (members_family(m.id))
"""
_HAS_BADGE: Final = f"""
    EXISTS (
        SELECT 1 {_OF_BADGE} AND a.kind = 'awarded' AND a.happened_at <= %(at)s
            AND NOT EXISTS (
                SELECT 1 FROM loyalty_badgeaward l
                WHERE l.member_id = a.member_id AND l.badge_id = a.badge_id AND l.number > a.number
                    AND l.happened_at <= %(at)s
            )
    )
"""  # noqa: S608 - constants of this module
_NEXT_BADGE: Final = f"SELECT min(a.happened_at) {_OF_BADGE} AND a.happened_at > %(at)s"
_STAGE: Final = """
    coalesce(
        (
            SELECT s.code FROM (
                SELECT c.to_stage_id FROM loyalty_stagechange c
                WHERE c.member_id = m.id AND c.happened_at <= %(at)s ORDER BY c.number DESC LIMIT 1
            ) last JOIN loyalty_stage s ON s.id = last.to_stage_id
        ),
        (SELECT s.code FROM loyalty_stage s WHERE s.is_on AND s.rule_id IS NULL)
    )
"""
_NEXT_STAGE: Final = """
    SELECT min(c.happened_at) FROM loyalty_stagechange c WHERE c.member_id = m.id AND c.happened_at > %(at)s
"""


def badge_names(only: Collection[str] | None) -> dict[str, str]:
    """Return the names of badges by code: of those asked for, or of all that are in use."""
    badges = Badge.objects.filter(is_on=True) if only is None else Badge.objects.filter(code__in=only)
    return {badge.code: badge.name for badge in badges}


def stage_names(only: Collection[str] | None) -> dict[str, str]:
    """Return the names of stages by code: of those asked for, or of all that are in use."""
    stages = Stage.objects.filter(is_on=True) if only is None else Stage.objects.filter(code__in=only)
    return {stage.code: stage.name for stage in stages}


def _with_badge(args: Args) -> str:
    code = str(args["badge"])
    return _("has the badge “%(badge)s”") % {"badge": labels(badge_names, [code]).get(code, code)}


def register() -> None:
    """Register the facts of badges and stages. Called once, from `AppConfig.ready()`."""
    register_fact(
        Fact(
            HAS_BADGE,
            gettext_lazy("has the badge"),
            "bool",
            _HAS_BADGE,
            params=(FactParam("badge", gettext_lazy("badge"), default="", choices=badge_names),),
            phrase=_with_badge,
            changed_by=frozenset({BADGE_AWARDED, BADGE_TAKEN_BACK}),
            next_change=_NEXT_BADGE,
        )
    )
    register_fact(
        Fact(
            STAGE,
            gettext_lazy("stage of life"),
            "choice",
            _STAGE,
            choices=stage_names,
            changed_by=frozenset({STAGE_CHANGED}),
            next_change=_NEXT_STAGE,
        )
    )
