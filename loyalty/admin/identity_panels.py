"""Badges, title, stage and tasks on the member pages, and the filter of the list by stage."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from loyalty.admin.badge_pages import AWARD, badge_chip
from loyalty.admin.stage_pages import stage_chip
from loyalty.badge_queries import held_badges, title_of
from loyalty.growth_queries import growth_of, stage_changes, stages
from loyalty.identity_words import award_words, change_words, done_words
from loyalty.models import MemberStage, Stage
from members.admin import panels
from members.admin.keyset import page_of
from members.admin.timeline import ActorNames
from members.models import Member


def _head(member: Member, at: datetime) -> dict[str, Any]:
    held = held_badges(member.pk)
    kept = MemberStage.objects.filter(member=member.pk).select_related("stage").first()
    first = Stage.objects.filter(is_on=True, rule__isnull=True).first()
    stage = kept.stage if kept and kept.stage else first
    worn = title_of(member.pk, held)
    return {
        "stage": stage_chip(stage) if stage else "",
        "title": worn.title if worn else "",
        "badges": [badge_chip(one.badge) for one in held[-6:]],
        "more": max(0, len(held) - 6),
    }


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    held = held_badges(member.pk)
    worn = title_of(member.pk, held)
    found = growth_of(member, at)
    first = next((one.stage for one in found.stages if one.stage.rule_id is None), None)
    page = page_of(stage_changes(member.pk), by=("happened_at", "id"), cursor=request.GET.get("cursor", ""))
    actors = ActorNames.of([one.award for one in held if one.award.actor_kind == "operator"])
    return {
        "held": [
            {
                "held": one,
                "chip": badge_chip(one.badge),
                "why": award_words(one.award),
                "by": actors.name(one.award) if one.award.actor_kind == "operator" else one.award.get_cause_display(),
                "is_worn": worn is not None and worn.pk == one.badge.pk,
            }
            for one in held
        ],
        "may_award": request.user.has_perm(AWARD),
        "map": found,
        "stages": [(one, stage_chip(one.stage), [_task(row) for row in one.tasks]) for one in found.stages],
        "changes": [(change, change_words(change, first)) for change in page.rows],
        "page": page,
    }


def _task(row: Any) -> dict[str, Any]:
    chip = badge_chip(row.task.badge) if row.task.badge else ""
    return {"row": row, "chip": chip, "why": done_words(row.done) if row.done else ""}


class StageFilter(DropdownFilter):
    """Members in a stage. Without a row they are where everybody begins."""

    title = pgettext_lazy("lifecycle", "stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(stage.code, stage.name) for stage in stages()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Member]) -> QuerySet[Member]:
        stage = Stage.objects.filter(code=self.value(), is_on=True).first() if self.value() else None
        if stage is None:
            return queryset
        # As a look-up for each member in turn: the list is then read in its own order and stops after a page.
        there = MemberStage.objects.filter(member=OuterRef("pk"))
        if stage.rule_id is None:
            return queryset.filter(~Exists(there.filter(stage__isnull=False)))
        return queryset.filter(Exists(there.filter(stage=stage)))


panels.register_header(
    "growth", order=75, template="portal/member/growth_head.html", context=_head, permission="loyalty.view_badgeaward"
)
panels.register_tab(
    "growth",
    label=_("Growth"),
    order=35,
    template="portal/member/growth.html",
    context=_tab,
    permission="loyalty.view_badgeaward",
)
panels.register_list_filter(StageFilter)
