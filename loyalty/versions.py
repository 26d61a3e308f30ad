"""The versions of the ladder and where each stands: draft, waiting, scheduled, in force, archived. And books with a draft in."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from loyalty.ladder import Ladder, LadderBook
from loyalty.models import LadderPolicy, LadderPreview, LadderVersion, Tier
from loyalty.periods import midnight
from loyalty.queries import snapshot, versions_with_rules
from loyalty.refusals import NoLadder
from members.models import Proposal
from members.queries import programme

PUBLISH: Final = "loyalty.publish_ladder"

#: Key → (words, colour of the label).
STATES: Final[Mapping[str, tuple[Promise, str]]] = {
    "draft": (pgettext_lazy("ladder version", "draft"), "warning"),
    "waiting": (pgettext_lazy("ladder version", "waiting for approval"), "warning"),
    "scheduled": (pgettext_lazy("ladder version", "scheduled"), "info"),
    "live": (pgettext_lazy("ladder version", "in force"), "success"),
    "archived": (pgettext_lazy("ladder version", "archived"), "default"),
    "discarded": (pgettext_lazy("ladder version", "thrown away"), "danger"),
}

Terms = Mapping[str, Any]
#: What a version says of itself, beside its tiers. All can be written while it is a draft.
TERM_FIELDS: Final = (
    "window", "qualifying_months", "validity_months", "rises", "soft_landing", "grace_percent", "grace_days",
    "carries_over", "credits_per_unit", "weight_credits", "weight_spend", "weight_orders", "weight_active_days",
    "weight_activity", "weight_tenure_months",
)  # fmt: skip
PLAN_FIELDS: Final = ("note", "planned_date", "notice_date", "haste_reason")


def touched(version_id: int) -> str:
    """Return how proposals name a version that they touch."""
    return f"ladder:{version_id}"


def waiting_of(version_ids: Iterable[int]) -> dict[int, int]:
    """Return which versions wait for approval, each with its proposal."""
    names = {touched(version_id): version_id for version_id in version_ids}
    waiting = Proposal.objects.filter(
        state=Proposal.State.WAITING, kind=PUBLISH, touches__overlap=list(names)
    ).values_list("pk", "touches")
    return {names[name]: pk for pk, touches in waiting for name in touches if name in names}


def state_of(version: LadderVersion, at: datetime, *, is_waiting: bool) -> str:
    """Return the key of the state of a version at a moment; `is_waiting` comes from `waiting_of`."""
    if version.discarded_at is not None:
        return "discarded"
    if version.valid_from is None:
        return "waiting" if is_waiting else "draft"
    if version.valid_from > at:
        return "scheduled"
    return "archived" if version.valid_to is not None and version.valid_to <= at else "live"


def is_draft(version: LadderVersion) -> bool:
    """Whether a version has no place in time yet and is not thrown away; it may be waiting for approval."""
    return version.valid_from is None and version.discarded_at is None


def ladder_policy() -> LadderPolicy:
    """Return how careful the programme is."""
    return LadderPolicy.objects.get(pk=1)


def version_judging(moment: datetime) -> LadderVersion | None:
    """Return the version that judges a moment, with its rules: before the first one, the first; None without any."""
    published = versions_with_rules().filter(valid_from__isnull=False)
    found = published.filter(valid_from__lte=moment).order_by("-valid_from").first()
    return found or published.order_by("valid_from").first()


def ranks_now() -> dict[int, int]:
    """Return the rank of every tier."""
    return dict(Tier.objects.values_list("pk", "rank"))


def ladder_of(version_id: int, *, moment: datetime) -> Ladder:
    """Return a version as a plain value, a draft as if it began at `moment`."""
    version = versions_with_rules().get(pk=version_id)
    return snapshot(version, version.valid_from or moment, ranks_now())


def published_book() -> LadderBook:
    """Return the published versions and the tiers as they are in this very moment. Raises NoLadder."""
    return _book(None)


def book_with(draft: Ladder) -> LadderBook:
    """Return the book in which a version takes the place of everything that begins when it does, or later."""
    return _book(draft)


def _book(draft: Ladder | None) -> LadderBook:
    tiers = list(Tier.objects.values_list("pk", "code", "rank"))
    ranks = {pk: rank for pk, _code, rank in tiers}
    rows = versions_with_rules().filter(valid_from__isnull=False)
    ladders = [snapshot(row, row.valid_from, ranks) for row in rows if row.valid_from is not None]
    if draft is not None:
        ladders = [one for one in ladders if one.valid_from < draft.valid_from and one.id != draft.id] + [draft]
    ladders = [one for one in ladders if one.steps]
    if not ladders:
        raise NoLadder
    return LadderBook.of(ladders, programme().tz, tiers)


def begin_of(day: date) -> datetime:
    """Return the moment at which a day begins in the programme's zone."""
    return midnight(day, programme().tz)


def rules_digest(ladder: Ladder) -> str:
    """Return what tells the rules of two versions apart, wherever in time they stand."""
    weights = ladder.steps[0].rise.weights if ladder.steps else {}
    said = [
        ladder.window, ladder.qualifying_months, ladder.validity_months, ladder.rises_at_once, ladder.soft_landing,
        ladder.grace_percent, ladder.grace_days, ladder.carries_over, ladder.credits_per_unit,
        sorted(ladder.activity_scores.items()),
        [
            [
                step.code, str(step.points_multiplier.normalize()),
                *(
                    [[[metric, str(value.normalize())] for metric, value in criteria], criteria.least]
                    for criteria in (step.rise, step.keep)
                ),
            ]
            for step in ladder.steps
        ],
        sorted((metric, str(weight.normalize())) for metric, weight in weights.items()),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def latest_preview(version_id: int) -> LadderPreview | None:
    """Return the newest preview of a version, finished or not."""
    return LadderPreview.objects.filter(version_id=version_id).select_related("job").order_by("-pk").first()


def good_preview(version_id: int, *, digest: str, at: datetime) -> LadderPreview | None:
    """Return the newest finished preview of exactly these rules that has not expired, or None."""
    good = LadderPreview.objects.filter(
        version_id=version_id, digest=digest, finished_at__isnull=False, expires_at__gt=at
    )
    return good.order_by("-pk").first()


def next_number() -> int:
    """Return the number of the next version."""
    last = LadderVersion.objects.order_by("-number").values_list("number", flat=True).first()
    return (last or 0) + 1
