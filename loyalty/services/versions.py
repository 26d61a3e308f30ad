"""Drafts of the ladder: made as a copy or from a starter ladder, written, thrown away; and tiers inserted between two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F
from modeltranslation.utils import build_localized_fieldname

from loyalty.criteria import METRICS
from loyalty.models import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.refusals import DraftIsWaiting, NotADraft, TierCodeTaken
from loyalty.services.benefits import copy_grid
from loyalty.starters import STARTERS
from loyalty.versions import PLAN_FIELDS, TERM_FIELDS, is_draft, next_number, version_judging, waiting_of
from members.actors import Actor
from members.identifiers import NotFound

RULE_FIELDS: Final = (
    *(f"{purpose}_{metric}" for purpose in ("rise", "keep") for metric in METRICS),
    "rise_least",
    "keep_least",
    "is_by_hand",
    "points_multiplier",
)


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What one tier takes and gives in a draft: values by the names of `RULE_FIELDS`; what is left out stays as it is."""

    tier_id: int
    values: Mapping[str, Any]


def lock_versions() -> dict[int, LadderVersion]:
    """Lock all versions, in one order, so that those who write or publish come one after another. In a transaction."""
    return {row.pk: row for row in LadderVersion.objects.select_for_update(no_key=True).order_by("pk")}


def lock_draft(version_id: int) -> LadderVersion:
    """Lock all versions and return a draft that nobody is asked to approve. Raises NotFound, NotADraft, DraftIsWaiting."""
    version = lock_versions().get(version_id)
    if version is None:
        raise NotFound
    if not is_draft(version):
        raise NotADraft(number=version.number)
    if waiting_of([version.pk]):
        raise DraftIsWaiting(number=version.number)
    return version


@transaction.atomic
def copy_version(*, version_id: int | None, by: Actor, at: datetime) -> LadderVersion:
    """Make a draft that says what a version says (None: the one in force). Raises NotFound."""
    versions = lock_versions()
    source = versions.get(version_id) if version_id is not None else version_judging(at)
    if source is None:
        raise NotFound
    draft = LadderVersion.objects.create(number=next_number(), **{name: getattr(source, name) for name in TERM_FIELDS})
    rules = TierRule.objects.filter(ladder=source)
    TierRule.objects.bulk_create(
        TierRule(ladder=draft, tier_id=rule.tier_id, **{name: getattr(rule, name) for name in RULE_FIELDS})
        for rule in rules
    )
    scores = ActivityScore.objects.filter(ladder=source)
    ActivityScore.objects.bulk_create(
        ActivityScore(ladder=draft, kind_id=score.kind_id, score=score.score) for score in scores
    )
    copy_grid(from_ladder_id=source.pk, to_ladder_id=draft.pk)
    return draft


@transaction.atomic
def start_version(*, starter: str, by: Actor, at: datetime) -> LadderVersion:
    """Make a draft from a starter ladder, for the tiers there are. Raises NotFound where there is no such starter."""
    plan = STARTERS.get(starter)
    if plan is None:
        raise NotFound
    lock_versions()
    draft = LadderVersion.objects.create(number=next_number(), **plan.terms)
    in_force = version_judging(at)
    multipliers = {rule.tier_id: rule.points_multiplier for rule in in_force.rules.all()} if in_force else {}
    rules = []
    for position, tier in enumerate(Tier.objects.order_by("rank")):
        rule = TierRule(ladder=draft, tier=tier, points_multiplier=multipliers.get(tier.pk, Decimal(1)))
        if position:
            rise, keep = plan.thresholds(position - 1)
            setattr(rule, f"rise_{plan.metric}", rise)
            setattr(rule, f"keep_{plan.metric}", keep)
        rules.append(rule)
    TierRule.objects.bulk_create(rules)
    return draft


@transaction.atomic
def write_draft(
    *,
    version_id: int,
    terms: Mapping[str, Any],
    rules: Sequence[RuleTerms],
    scores: Mapping[int, int] | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Write what a draft says: terms and plans by field, rules of its tiers, scores by kind of activity (None: as they are).

    A tier without rules here is not in the version. Raises as `lock_draft` does; IntegrityError for what no version may say.
    """
    draft = lock_draft(version_id)
    for name, value in terms.items():
        if name not in TERM_FIELDS + PLAN_FIELDS:
            raise KeyError(name)
        setattr(draft, name, value)
    draft.save()
    known = {rule.tier_id: rule for rule in TierRule.objects.filter(ladder=draft)}
    for terms_of_tier in rules:
        rule = known.pop(terms_of_tier.tier_id, None) or TierRule(ladder=draft, tier_id=terms_of_tier.tier_id)
        for name in RULE_FIELDS:
            if name in terms_of_tier.values:
                setattr(rule, name, terms_of_tier.values[name])
        rule.save()
    TierRule.objects.filter(pk__in=[rule.pk for rule in known.values()]).delete()
    if scores is not None:
        ActivityScore.objects.filter(ladder=draft).exclude(kind_id__in=scores).delete()
        ActivityScore.objects.bulk_create(
            [ActivityScore(ladder=draft, kind_id=kind_id, score=score) for kind_id, score in scores.items()],
            update_conflicts=True, unique_fields=["ladder", "kind"], update_fields=["score"],
        )  # fmt: skip


@transaction.atomic
def discard_draft(*, version_id: int, by: Actor, at: datetime) -> None:
    """Throw a draft away; it stays readable. Raises as `lock_draft` does."""
    draft = lock_draft(version_id)
    draft.discarded_at = at
    draft.save(update_fields=["discarded_at"])


@transaction.atomic
def insert_tier(
    *, version_id: int, above_tier_id: int, code: str, names: Mapping[str, str], colour: str, by: Actor, at: datetime
) -> Tier:
    """Make a tier right above another one and put it into a draft, in which it asks for nothing yet; return it.

    The ranks of the tiers above move up by one in the same statement; their order, and with it everybody's tier, stays.
    `names` by language. Raises NotFound, TierCodeTaken, and as `lock_draft` does.
    """
    draft = lock_draft(version_id)
    tiers = {tier.pk: tier for tier in Tier.objects.select_for_update().order_by("pk")}
    below = tiers.get(above_tier_id)
    if below is None:
        raise NotFound
    if any(tier.code == code for tier in tiers.values()):
        raise TierCodeTaken(code=code)
    Tier.objects.filter(rank__gt=below.rank).update(rank=F("rank") + 1)
    texts = {build_localized_fieldname("name", language): names[language] for language, _label in settings.LANGUAGES}
    tier = Tier.objects.create(code=code, rank=below.rank + 1, colour=colour, **texts)
    TierRule.objects.create(ladder=draft, tier=tier, points_multiplier=_multiplier(draft, below))
    transaction.on_commit(forget_ladder_book)
    forget_ladder_book()
    return tier


def _multiplier(draft: LadderVersion, below: Tier) -> Decimal:
    rule = TierRule.objects.filter(ladder=draft, tier=below).first()
    return rule.points_multiplier if rule else Decimal(1)
