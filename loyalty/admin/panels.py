"""What loyalty puts on the member pages: the tier in the head, a tab with its history, a column and a filter of the list."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from loyalty.admin.badges import tier_badge
from loyalty.admin.given import given_to, held_words
from loyalty.models import Tier, TierChange, TierStanding
from loyalty.models.reviews import GRANT_GRACE
from loyalty.periods import business_date, last_day_before
from loyalty.progress import TierProgress, progress_of
from loyalty.queries import held_tier_ids, tiers
from loyalty.refusals import NoLadder
from loyalty.sentences import change_sentence, keep_sentence, rise_sentence
from members.admin import panels
from members.admin.keyset import page_of
from members.models import Member
from members.queries import family_ids, programme

_ICONS = {
    "risen": "trending_up",
    "kept": "check",
    "fallen": "trending_down",
    "undone": "undo",
    "grace": "hourglass_top",
    "restored": "undo",
}
#: Decisions that compare a period with what keeping the tier took.
_REVIEWED = frozenset({TierChange.Reason.KEPT, TierChange.Reason.FALLEN, TierChange.Reason.GRACE})


def _percent(part: int, whole: int) -> int:
    return 100 if whole <= 0 else max(0, min(100, part * 100 // whole))


def _head(member: Member, at: datetime) -> dict[str, Any]:
    try:
        progress = progress_of(member.pk, at)
    except NoLadder:
        return {"progress": None}
    return {
        "progress": progress,
        "badge": tier_badge(progress.held),
        "lifted": held_words(progress.held, progress.tier, member.pk, at),
        "rise": rise_sentence(progress),
        "rise_percent": _percent(progress.credits, progress.rise_needed) if progress.rise_needed else None,
        "keep": keep_sentence(progress),
        "keep_percent": _percent(progress.keep_credits or 0, progress.keep_needed or 0)
        if progress.valid_until
        else None,
    }


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    changes = TierChange.objects.filter(member_id__in=family_ids(member.pk)).select_related("from_tier", "to_tier")
    page = page_of(changes, by=("happened_at", "number"), cursor=request.GET.get("cursor", ""))
    told = [
        {
            "id": change.pk,
            "sentence": change_sentence(change),
            "move": "" if change.from_tier == change.to_tier else f"{change.from_tier.name} → {change.to_tier.name}",
            "percent": _reached(change),
            "icon": _ICONS[change.reason],
            "happened_at": change.happened_at,
        }
        for change in page.rows
    ]
    head = _head(member, at)
    return {
        **head,
        **given_to(member, request, at),
        "page": page,
        "changes": told,
        "member_id": member.pk,
        "period": _period(head["progress"]),
        "chat": _for_chat(head, told),
        "may_grant_grace": request.user.has_perm(GRANT_GRACE),
    }


def _reached(change: TierChange) -> int | None:
    """Return how much of what keeping a tier took was there at a review, in percent; None where the bar would say nothing."""
    if change.reason not in _REVIEWED or change.cause or change.figures:
        return None
    return _percent(change.credits, change.needed_credits)


def _period(progress: TierProgress | None) -> str:
    """Return which period the next review counts."""
    if progress is None or progress.keep_from is None or progress.valid_until is None:
        return ""
    tz = programme().tz
    words = {
        "from": date_format(business_date(progress.keep_from, tz)),
        "until": date_format(last_day_before(progress.valid_until, tz)),
    }
    return _now("The qualifying period runs from %(from)s to %(until)s.") % words


def _for_chat(head: dict[str, Any], told: Sequence[Mapping[str, Any]]) -> str:
    """Return what staff may write to the member: the newest decision with its day, and what comes next."""
    lines = [
        _now("%(name)s: %(sentence)s")
        % {"name": date_format(business_date(change["happened_at"], programme().tz)), "sentence": change["sentence"]}
        for change in told[:1]
    ]
    return "\n".join(line for line in [*lines, head.get("keep", ""), head.get("rise", "")] if line)


def _column(member_ids: Sequence[int]) -> Mapping[int, SafeString]:
    ladder = tiers()
    if not ladder:
        return {}
    badges = {tier.pk: tier_badge(tier) for tier in ladder}
    try:
        held = held_tier_ids(member_ids, timezone.now())
    except NoLadder:
        held = {}
    return {member_id: badges[held.get(member_id, ladder[0].pk)] for member_id in member_ids}


class TierFilter(DropdownFilter):
    """Members who hold a tier, by what they earned or by a floor. Without a standing they hold the lowest one."""

    title = _("tier")
    parameter_name = "tier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(tier.code, tier.name) for tier in tiers()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Member]) -> QuerySet[Member]:
        tier = Tier.objects.filter(code=self.value()).first() if self.value() else None
        if tier is None:
            return queryset
        # As a look-up for each member in turn: the list is then read in its own order and stops after a page.
        now = timezone.now()
        in_force = Q(floor_from__lte=now) & (Q(floor_until__isnull=True) | Q(floor_until__gt=now))
        standings = TierStanding.objects.filter(member=OuterRef("pk"))
        above = Q(tier__rank__gt=tier.rank) | in_force & Q(floor_tier__rank__gt=tier.rank)
        if Tier.objects.filter(rank__lt=tier.rank).exists():
            here = Q(tier=tier) | in_force & Q(floor_tier=tier)
            return queryset.filter(Exists(standings.filter(here).exclude(above)))
        return queryset.filter(~Exists(standings.filter(above)))


panels.register_header("tier", order=10, template="portal/member/tier_head.html", context=_head)
panels.register_tab(
    "tier",
    label=_("Tier"),
    order=30,
    template="portal/member/tier.html",
    context=_tab,
    permission="loyalty.view_tierchange",
)
panels.register_list_column("tier", label=_("tier"), order=10, load=_column)
panels.register_list_filter(TierFilter)
