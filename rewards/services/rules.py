"""Write, publish and end earn rules. What is published is never changed: a change is a new version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.conditions import ConditionInvalid, parse
from members.wording import together
from rewards import events
from rewards.models import Budget, BudgetSlice, EarnRule, EarnRuleVersion, ProgrammeCap
from rewards.queries import forget_rules
from rewards.refusals import RewardsRefusal
from rewards.services.caps import SLICES, set_budget

#: What a draft may say; the rest of a version is written by the services here.
TERMS = frozenset(
    field.name
    for field in EarnRuleVersion._meta.get_fields()
    if field.name not in {"id", "rule", "number", "state", "events"} and not field.auto_created
)
_ONLY_FOR_PURCHASES = (
    "category_ids", "skus", "brands", "excluded_category_ids", "excluded_skus", "excluded_brands", "first_order_only",
    "min_orders", "within_days", "cap_order_points",
)  # fmt: skip
_ONLY_FOR_BEHAVIOUR = ("cap_day_count", "cap_month_count")


class RuleNotDraft(RewardsRefusal):
    """Only a draft can be changed, published or thrown away."""

    code = "rule_not_draft"
    text = _("Version %(number)s of “%(name)s” is no draft any more. Make a new version.")


class RuleInvalid(RewardsRefusal):
    """What a draft says can not be."""

    code = "rule_invalid"
    status = 422
    text = _("The rule can not be published like this: %(why)s")


class RuleBeginsInPast(RewardsRefusal):
    """A version would change what was earned already."""

    code = "rule_begins_in_past"
    status = 422
    text = _("The rule can begin at %(earliest)s at the earliest.")


class RuleOverlaps(RewardsRefusal):
    """Another version is planned for the same time."""

    code = "rule_overlaps"
    text = _(
        "Version %(number)s of “%(name)s” is planned from %(begins)s on. End this one before, or withdraw that one."
    )


class RuleHasBegun(RewardsRefusal):
    """What has begun can be ended, not withdrawn."""

    code = "rule_has_begun"
    text = _("Version %(number)s of “%(name)s” has begun. It can be ended, not withdrawn.")


class RuleNotInForce(RewardsRefusal):
    """There is nothing to end."""

    code = "rule_not_in_force"
    text = _("“%(name)s” is not in force at %(moment)s.")


@transaction.atomic
def make_rule(
    *, names: Mapping[str, str], kind: str, activity_kind: str = "", currency_id: int, terms: Mapping[str, Any], by: Actor, at: datetime
) -> EarnRuleVersion:  # fmt: skip
    """Make a rule with its first draft; return the draft. `names` are columns of the name, as `name_en`. Raises RuleInvalid."""
    rule = EarnRule(kind=kind, activity_kind=activity_kind, currency_id=currency_id, **names)
    _check(rule)
    rule.save()
    draft = EarnRuleVersion(rule=rule, number=1)
    return _write(draft, terms)


@transaction.atomic
def name_rule(*, rule_id: int, names: Mapping[str, str], by: Actor, at: datetime) -> EarnRule:
    """Call a rule otherwise, by the columns of its languages; what was earned keeps the name of its day. Raises RuleInvalid."""
    rule = EarnRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    if all(getattr(rule, column) == name for column, name in names.items()):
        return rule
    for column, name in names.items():
        setattr(rule, column, name)
    _check(rule)
    rule.save()
    transaction.on_commit(forget_rules)
    return rule


@transaction.atomic
def draft_version(*, rule_id: int, by: Actor, at: datetime) -> EarnRuleVersion:
    """Return the rule's draft; when it has none, a new one that says what the newest published version says."""
    rule = EarnRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    draft = rule.versions.filter(state=EarnRuleVersion.State.DRAFT).first()
    if draft is not None:
        return draft
    newest = rule.versions.filter(state=EarnRuleVersion.State.PUBLISHED).order_by("-valid_from").first()
    number = (rule.versions.aggregate(Max("number"))["number__max"] or 0) + 1
    draft = EarnRuleVersion(rule=rule, number=number)
    for name in TERMS - {"note", "valid_from", "valid_to"} if newest else ():
        setattr(draft, name, getattr(newest, name))
    draft.save()
    return draft


@transaction.atomic
def write_draft(*, version_id: int, terms: Mapping[str, Any], by: Actor, at: datetime) -> EarnRuleVersion:
    """Write what a draft says; terms that are not given stay. Raises RuleNotDraft, RuleInvalid."""
    return _write(_lock_draft(version_id), terms)


@transaction.atomic
def delete_draft(*, version_id: int, by: Actor, at: datetime) -> None:
    """Throw a draft away. Raises RuleNotDraft."""
    _lock_draft(version_id).delete()


@transaction.atomic
def publish_version(
    *, version_id: int, valid_from: datetime | None = None, reason: str = "", by: Actor, at: datetime
) -> EarnRuleVersion:
    """Publish a draft from a moment on (its own beginning, else now); the version before it ends there.

    Raises RuleNotDraft, RuleInvalid, RuleBeginsInPast, RuleOverlaps.
    """
    draft = _lock_draft(version_id)
    begins = valid_from or draft.valid_from or at
    if begins < at:
        raise RuleBeginsInPast(earliest=at)
    if draft.valid_to is not None and draft.valid_to <= begins:
        raise RuleInvalid(why=_("It would end before it begins."))
    draft.valid_from = begins
    draft.state = EarnRuleVersion.State.PUBLISHED
    _check_terms(draft)
    _make_room(draft, begins)
    _set_aside(draft, at)
    draft.save()
    _tell("published", draft, by, at, reason)
    return draft


@transaction.atomic
def end_rule(
    *, rule_id: int, valid_to: datetime | None = None, reason: str = "", by: Actor, at: datetime
) -> EarnRuleVersion:
    """End the version that is in force at a moment (now), there. Raises RuleNotInForce, RuleBeginsInPast.

    Versions planned for later stay planned; they can be withdrawn.
    """
    rule = EarnRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    ends = valid_to or at
    if ends < at:
        raise RuleBeginsInPast(earliest=at)
    version = _in_force(rule, ends)
    if version is None:
        raise RuleNotInForce(name=rule.name, moment=ends)
    version.valid_to = ends
    version.save(update_fields=["valid_to"])
    _tell("ended", version, by, at, reason)
    return version


@transaction.atomic
def withdraw_version(*, version_id: int, reason: str = "", by: Actor, at: datetime) -> EarnRuleVersion:
    """Withdraw a published version that has not begun; the one before it goes on. Raises RuleHasBegun."""
    rule_id = EarnRuleVersion.objects.values_list("rule_id", flat=True).get(pk=version_id)
    rule = EarnRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    version = rule.versions.get(pk=version_id)
    if version.state != EarnRuleVersion.State.PUBLISHED or version.valid_from is None or version.valid_from <= at:
        raise RuleHasBegun(name=rule.name, number=version.number)
    version.state = EarnRuleVersion.State.WITHDRAWN
    version.save(update_fields=["state"])
    # The version that was cut for it goes on, unless it had an end of its own before.
    rule.versions.filter(state=EarnRuleVersion.State.PUBLISHED, valid_to=version.valid_from).update(
        valid_to=version.valid_to
    )
    _tell("withdrawn", version, by, at, reason)
    return version


@transaction.atomic
def set_programme_cap(
    *, currency_id: int, day_points: int | None, month_points: int | None, reason: str = "", by: Actor, at: datetime
) -> ProgrammeCap | None:
    """Limit from now on what a member earns by all rules together; both None: no limit any more. Raises RuleInvalid."""
    ProgrammeCap.objects.filter(currency=currency_id, valid_from__gte=at).delete()
    ProgrammeCap.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=at), currency=currency_id).update(valid_to=at)
    cap = None
    if day_points is not None or month_points is not None:
        cap = ProgrammeCap(currency_id=currency_id, day_points=day_points, month_points=month_points, valid_from=at)
        _check(cap)
        cap.save()
    timeline.record(
        [
            events.programme_cap_set(
                currency_id=currency_id,
                day_points=day_points,
                month_points=month_points,
                reason=reason,
                happened_at=at,
                by=by,
            )
        ]
    )
    transaction.on_commit(forget_rules)
    return cap


def _lock_draft(version_id: int) -> EarnRuleVersion:
    rule_id = EarnRuleVersion.objects.values_list("rule_id", flat=True).get(pk=version_id)
    rule = EarnRule.objects.select_for_update(no_key=True).get(pk=rule_id)
    version = rule.versions.get(pk=version_id)
    if version.state != EarnRuleVersion.State.DRAFT:
        raise RuleNotDraft(name=rule.name, number=version.number)
    version.rule = rule
    return version


def _write(draft: EarnRuleVersion, terms: Mapping[str, Any]) -> EarnRuleVersion:
    unknown = terms.keys() - TERMS
    if unknown:
        raise ValueError(f"a version has no {sorted(unknown)}")
    for name, value in terms.items():
        setattr(draft, name, value)
    _check_terms(draft)
    draft.save()
    return draft


def _check(row: EarnRule | EarnRuleVersion | ProgrammeCap) -> None:
    """Raise RuleInvalid with the first thing that fields and constraints object to."""
    try:
        row.full_clean(validate_unique=False)
    except ValidationError as error:
        raise RuleInvalid(why=together(error.messages)) from error


def _check_terms(version: EarnRuleVersion) -> None:
    """Raise RuleInvalid when a version says what can not be; overlaps are looked at when it is published."""
    try:
        version.full_clean(
            exclude=["valid_from"] if version.valid_from is None else [],
            validate_unique=False,
            validate_constraints=False,
        )
        _constraints(version)
        parse(version.condition)
    except ValidationError as error:
        raise RuleInvalid(why=together(error.messages)) from error
    except ConditionInvalid as refusal:
        raise RuleInvalid(why=refusal.sentence()) from refusal
    is_spend = version.rule.kind == EarnRule.Kind.SPEND
    for name in _ONLY_FOR_BEHAVIOUR if is_spend else _ONLY_FOR_PURCHASES:
        if getattr(version, name):
            label = EarnRuleVersion._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            why = _("“%(field)s” is only for behaviour.") if is_spend else _("“%(field)s” is only for purchases.")
            raise RuleInvalid(why=str(why) % {"field": label})


def _constraints(version: EarnRuleVersion) -> None:
    """Validate the constraints of the table but those that compare with other versions."""
    alone = [
        constraint
        for constraint in EarnRuleVersion._meta.constraints
        if constraint.name not in {"one_version_of_an_earn_rule_is_in_force_at_a_time", "earn_rule_has_a_version_once"}
    ]
    for constraint in alone:
        constraint.validate(EarnRuleVersion, version)


def _in_force(rule: EarnRule, moment: datetime) -> EarnRuleVersion | None:
    """Return the published version that is in force just at or before a moment and goes beyond it."""
    return rule.versions.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=moment), state=EarnRuleVersion.State.PUBLISHED, valid_from__lt=moment
    ).first()


def _make_room(draft: EarnRuleVersion, begins: datetime) -> None:
    """End the version before at the beginning of the draft; refuse when another one is planned within its span."""
    published = draft.rule.versions.filter(state=EarnRuleVersion.State.PUBLISHED)
    planned = published.filter(Q(valid_from__gte=begins)).order_by("valid_from").first()
    if planned is not None and (draft.valid_to is None or draft.valid_to > planned.valid_from):  # type: ignore[operator]
        raise RuleOverlaps(name=draft.rule.name, number=planned.number, begins=planned.valid_from)
    before = _in_force(draft.rule, begins)
    if before is not None:
        before.valid_to = begins
        before.save(update_fields=["valid_to"])


def _set_aside(version: EarnRuleVersion, at: datetime) -> None:
    """Give a rule with a budget its row and slices. The budget of a version that begins later is set when it begins."""
    if version.budget_points is None:
        return
    rule = version.rule
    if rule.budget_id is None:
        rule.budget = Budget.objects.create(total_points=0)
        BudgetSlice.objects.bulk_create(
            BudgetSlice(budget=rule.budget, slice_no=number, capacity=0) for number in range(SLICES)
        )
        rule.save(update_fields=["budget"])
        set_budget(budget_id=rule.budget.pk, total_points=version.budget_points)
    elif version.valid_from is not None and version.valid_from <= at:
        set_budget(budget_id=rule.budget_id, total_points=version.budget_points)


def _tell(verb: str, version: EarnRuleVersion, by: Actor, at: datetime, reason: str) -> None:
    """Write what was done to a version to the timeline; this process reads the rules anew after the commit."""
    timeline.record(
        [
            events.earn_rule_changed(
                verb=verb, rule_id=version.rule_id, number=version.number, reason=reason, happened_at=at, by=by
            )
        ]
    )
    transaction.on_commit(forget_rules)
