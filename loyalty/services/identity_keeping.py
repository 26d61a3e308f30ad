"""Badges, stages and tasks follow their rules: whoever comes to meet one, or no longer does, is told by the segments.

Nothing here goes over everybody again and again. What staff change (a badge switched on, a stage retired) is settled once,
by a job, with those whom it concerns.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.models import Badge, BadgeAward, MemberStage, Stage, StageChange, StageTask
from loyalty.services.badge_awards import Award, award, take_back
from loyalty.services.stage_moves import node_of, settle, whys_of
from members import jobs
from members.rule_owners import RuleNews, register_owner
from members.services.segment_keeping import hold_clock

SETTLE_BADGE: Final = "loyalty.settle_badge"
LEAVE_STAGE: Final = "loyalty.leave_stage"
_MEMBERS_AT_ONCE: Final = 10_000
_MOVED_AT_ONCE: Final = 2_000


def register() -> None:
    """Hear of rules, and make the work known to the workers. Called once, from `AppConfig.ready()`."""
    register_owner("loyalty.identity", follow_rules)
    for code, label, title, run, permission in (
        (SETTLE_BADGE, gettext_lazy("Giving badges"), _badge_title, settle_badge, "loyalty.view_badge"),
        (LEAVE_STAGE, gettext_lazy("Leaving stages"), _stage_title, leave_stage, "loyalty.view_stage"),
    ):
        jobs.register_kind(jobs.JobKind(code, label, run, title=title, permission=permission))


def _badge_title(params: Mapping[str, Any]) -> str:
    return _("Give the badge “%(name)s” to whom it belongs") % params


def _stage_title(params: Mapping[str, Any]) -> str:
    return _("Move the members of the stage “%(name)s” to their stage") % params


def follow_rules(news: Sequence[RuleNews], at: datetime, is_quiet: bool) -> None:
    """Give and take back badges, and bring members to their stage, after these news of rules; in the caller's transaction."""
    rules = {one.segment_id for one in news}
    for badge in Badge.objects.filter(rule__in=rules, is_on=True).select_related("rule"):
        for one in news:
            if one.segment_id == badge.rule_id:
                _follow_badge(badge, one, at, is_quiet)
    of_growth = set(Stage.objects.filter(rule__in=rules).values_list("rule", flat=True))
    of_growth |= set(StageTask.objects.filter(rule__in=rules, is_on=True).values_list("rule", flat=True))
    members = {member for one in news if one.segment_id in of_growth for member in one.member_ids}
    if members:
        settle(members, cause=StageChange.Cause.RULE, at=at, is_quiet=is_quiet)


def _follow_badge(badge: Badge, news: RuleNews, at: datetime, is_quiet: bool) -> None:
    said = Award(BadgeAward.Cause.RULE, at, is_quiet=is_quiet)
    if news.is_in and is_open(badge, at):
        _award_by_rule(badge, news.member_ids, said)
    elif not news.is_in and badge.is_losable:
        _take_back_by_rule(badge, news.member_ids, said)


def is_open(badge: Badge, at: datetime) -> bool:
    """Whether a badge can be earned at a moment."""
    has_begun = badge.valid_from is None or badge.valid_from <= at
    return has_begun and (badge.valid_until is None or at < badge.valid_until)


def _award_by_rule(badge: Badge, member_ids: Sequence[int], said: Award) -> int:
    node = node_of(badge.rule.condition if badge.rule else None)
    return len(award(badge, whys_of(node, member_ids, said.at, met=True), said))


def _take_back_by_rule(badge: Badge, member_ids: Sequence[int], said: Award) -> int:
    node = node_of(badge.rule.condition if badge.rule else None)
    whys = whys_of(node, member_ids, said.at, met=False)
    return len(take_back(badge, whys, said, only=BadgeAward.Cause.RULE))


# --- Settling ----------------------------------------------------------------------------------------------------------
# What staff took back by hand stays so until the rule is met anew.
_NEWEST: Final = """
    LEFT JOIN LATERAL (
        SELECT l.kind, l.cause FROM loyalty_badgeaward l
        WHERE l.member_id = {member} AND l.badge_id = %(badge)s ORDER BY l.number DESC LIMIT 1
    ) newest ON TRUE
"""
_DESERVE_IT: Final = f"""
    SELECT p.member_id FROM members_segmentspan p {_NEWEST.format(member="p.member_id")}
    WHERE p.segment_id = %(rule)s AND p.left_at IS NULL AND p.member_id > %(after)s AND p.member_id <= %(last)s
        AND (newest.kind IS NULL OR newest.kind = 'taken_back' AND newest.cause <> 'hand')
    ORDER BY p.member_id
"""  # noqa: S608 - constants of this module
_HAVE_LOST_IT: Final = f"""
    SELECT DISTINCT a.member_id FROM loyalty_badgeaward a {_NEWEST.format(member="a.member_id")}
    WHERE a.badge_id = %(badge)s AND a.member_id > %(after)s AND a.member_id <= %(last)s
        AND newest.kind = 'awarded' AND newest.cause = 'rule'
        AND NOT EXISTS (
            SELECT 1 FROM members_segmentspan p
            WHERE p.segment_id = %(rule)s AND p.member_id = a.member_id AND p.left_at IS NULL
        )
"""  # noqa: S608 - constants of this module


def settle_badge(run: jobs.JobRun) -> None:
    """Give a badge to all who meet its rule, and take it from those who do not where it can be lost; some thousand at a time."""
    while not run.cursor.get("is_over"):
        with run.chunk() as at:
            after = run.cursor.get("after", 0)
            last, members, changed = settle_range(
                badge_id=run.params["badge"], after=after, limit=_MEMBERS_AT_ONCE, at=at
            )
            is_over = members == 0
            run.advance(done=members, ok=changed, cursor={"after": last, "is_over": is_over})
            if is_over:
                run.set_total(run.job.done)


def settle_range(*, badge_id: int, after: int, limit: int, at: datetime) -> tuple[int, int, int]:
    """Settle a badge with the next `limit` members after an id, in the caller's transaction.

    Returns the last id, how many members they were (0: there are none), and for how many something changed.
    """
    moment = hold_clock(at=at)
    badge = Badge.objects.select_related("rule").get(pk=badge_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(id), 0), count(*) FROM (SELECT id FROM members_member WHERE id > %s ORDER BY id LIMIT %s) r",
            [after, limit],
        )
        last, members = cursor.fetchone()
        if not members or badge.rule_id is None or not badge.is_on:
            return last, 0, 0
        params = {"badge": badge.pk, "rule": badge.rule_id, "after": after, "last": last}
        cursor.execute(_DESERVE_IT, params)
        deserve = [row[0] for row in cursor.fetchall()] if is_open(badge, moment) else []
        cursor.execute(_HAVE_LOST_IT, params)
        lost = [row[0] for row in cursor.fetchall()] if badge.is_losable else []
    said = Award(BadgeAward.Cause.RULE, moment, is_quiet=True)
    return last, members, _award_by_rule(badge, deserve, said) + _take_back_by_rule(badge, lost, said)


def leave_stage(run: jobs.JobRun) -> None:
    """Bring the members of a retired stage to the stage they are in now, some thousand at a time."""
    while True:
        with run.chunk() as at:
            moment = hold_clock(at=at)
            there = MemberStage.objects.filter(Q(stage=run.params["stage"]), member__merged_into=None).order_by("pk")
            members = list(there.values_list("pk", flat=True)[:_MOVED_AT_ONCE])
            if not members:
                run.set_total(run.job.done)
                return
            settle(members, cause=StageChange.Cause.RETIRED, at=moment, is_quiet=True)
            run.advance(ok=len(members))
