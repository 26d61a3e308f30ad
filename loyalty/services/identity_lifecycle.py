"""What becomes of a whole member's badges, stage and tasks: at a merge, when it is taken back, at an erasure, in the copy.

Badges that stay for good and tasks that were done stay with the member who earned them; whoever survives a merge is read
together with those merged into them, so both are united, with the earliest date, and come apart again by themselves.
What follows a rule (badges that can be lost, the stage) is asked anew of both by the segments, which hear of the merge.
"""

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.badge_queries import held_badges
from loyalty.identity_words import award_words, change_words
from loyalty.models import BadgeAward, MemberTitle, Stage, StageChange, StageTaskDone
from members.actors import Actor
from members.figures import grouped
from members.lifecycle import Merge, Part, PreviewLine, Section, register_part

_TAKE_BACK = """
    INSERT INTO loyalty_badgeaward (badge_id, member_id, number, kind, cause, why, actor_kind, actor_id, happened_at)
    SELECT a.badge_id, a.member_id, a.number + 1, 'taken_back', 'merge', '[]', %(kind)s, %(actor)s, greatest(%(at)s::timestamptz, a.happened_at)
    FROM loyalty_badgeaward a JOIN loyalty_badge b ON b.id = a.badge_id AND b.is_losable
    WHERE a.member_id = %(member)s AND a.kind = 'awarded' AND a.cause = 'rule' AND NOT EXISTS (
        SELECT 1 FROM loyalty_badgeaward l WHERE l.member_id = a.member_id AND l.badge_id = a.badge_id AND l.number > a.number
    )
"""
_LEAVE = """
    WITH gone AS (DELETE FROM loyalty_memberstage WHERE member_id = %(member)s RETURNING stage_id)
    INSERT INTO loyalty_stagechange (member_id, number, from_stage_id, to_stage_id, cause, met, unmet, happened_at)
    SELECT %(member)s, coalesce(
        (SELECT max(c.number) FROM loyalty_stagechange c WHERE c.member_id = %(member)s), 0
    ) + 1, gone.stage_id, NULL, %(cause)s, '[]', '[]', %(at)s
    FROM gone WHERE gone.stage_id IS NOT NULL
"""


def register() -> None:
    """Register the part. Called once, from `AppConfig.ready()`."""
    register_part(
        Part("loyalty.identity", merge_preview=_preview, merge=_merge, unmerge=_unmerge, export=export, erase=_erase)
    )


def _preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    kept, merged = ({one.badge.pk for one in held_badges(member)} for member in (kept_id, merged_id))
    if not kept and not merged:
        return []
    return [PreviewLine(_("Badges"), grouped(len(kept)), grouped(len(merged)), grouped(len(kept | merged)))]


def _merge(merge: Merge) -> dict[str, Any]:
    """What followed a rule ends for the one who goes; the title they chose is worn on by the one who stays, if that chose none."""
    params: dict[str, Any] = {"member": merge.merged_id, "at": merge.at, "kind": merge.by.kind, "actor": merge.by.id}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, params)
        cursor.execute(_LEAVE, {**params, "cause": StageChange.Cause.MERGE})
    chosen = MemberTitle.objects.filter(member=merge.merged_id).first()
    took = False
    if chosen is not None:
        _title, took = MemberTitle.objects.get_or_create(
            member_id=merge.kept_id, defaults={"badge_id": chosen.badge_id, "chosen_at": chosen.chosen_at}
        )
    return {"title": chosen.badge_id if took and chosen else None, "took": took}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    """The title goes back, unless another one was chosen since. What follows a rule is asked anew."""
    if memo["took"]:
        MemberTitle.objects.filter(member=merge.kept_id, badge=memo["title"], chosen_at__lt=merge.at).delete()


def _erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Delete where somebody stands and what they wear; that badges were earned stays, as with tiers, and names nobody."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, {"member": member_id, "at": at, "cause": StageChange.Cause.RULE})
        left = cursor.rowcount
    return {"membertitle": MemberTitle.objects.filter(member=member_id).delete()[0], "memberstage": left}


def export(member_id: int, at: datetime) -> list[Section]:
    """Return the member's badges, stages and tasks, with why."""
    first = Stage.objects.filter(is_on=True, rule__isnull=True).first()
    awards = BadgeAward.objects.filter(member=member_id).select_related("badge", "task").order_by("pk")
    changes = StageChange.objects.filter(member=member_id).select_related("from_stage", "to_stage").order_by("number")
    done = StageTaskDone.objects.filter(member=member_id).select_related("task").order_by("happened_at")
    return [
        Section(
            "badges",
            gettext_lazy("Badges"),
            ("at", "badge", "what", "why"),
            [[row.happened_at, row.badge.name, str(row.get_kind_display()), award_words(row)] for row in awards],
            (_("at"), _("badge"), _("what"), _("why")),
        ),
        Section(
            "stages",
            gettext_lazy("Stages"),
            ("at", "what"),
            [[row.happened_at, change_words(row, first)] for row in changes],
            (_("at"), _("what")),
        ),
        Section(
            "tasks",
            gettext_lazy("Tasks"),
            ("at", "task"),
            [[row.happened_at, row.task.name] for row in done],
            (_("at"), _("task")),
        ),
    ]
