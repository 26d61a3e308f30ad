"""Ways to earn points as members read them: the rules in force, those that everybody may know, and those for one member."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import batched

from django.db.models import Q

from members.conditions import ConditionInvalid, Node, evaluate, fact_keys, parse
from members.facts import MOST_FACTS, FactValue, choices_remembered, values_for
from rewards.models import EarnRule, EarnRuleVersion
from rewards.rule_sentence import names_for, sentence

#: A rule for members of whom more is known than this is an offer to some, and not told to everybody.
PUBLIC_FACTS = frozenset(
    {
        "loyalty.tier",
        "loyalty.tier_rank",
        "members.joined_date",
        "members.joined_days",
        "members.birthday_month",
        "members.is_birthday",
        "members.is_birthday_month",
    }
)


@dataclass(frozen=True, slots=True)
class WayToEarn:
    """A rule in force with its sentence in the active language; whether it is for the member who asks, None where nobody is known."""

    version: EarnRuleVersion
    sentence: str
    is_for_me: bool | None


def versions_at(moment: datetime) -> list[EarnRuleVersion]:
    """Return the versions in force at a moment: for purchases, then for behaviour; base rules before extra ones."""
    in_force = Q(valid_to__isnull=True) | Q(valid_to__gt=moment)
    published = EarnRuleVersion.objects.filter(in_force, state=EarnRuleVersion.State.PUBLISHED, valid_from__lte=moment)
    order = {EarnRule.Kind.SPEND: 0, EarnRule.Kind.BEHAVIOUR: 1}
    found = published.select_related("rule__currency").order_by("mode", "rule_id")
    return sorted(found, key=lambda version: order[EarnRule.Kind(version.rule.kind)])


def is_for_all(version: EarnRuleVersion) -> bool:
    """Whether everybody may know of a version: it asks for nothing of a member, or for what is no secret."""
    if not version.condition:
        return True
    condition = _condition(version)
    return condition is not None and PUBLIC_FACTS.issuperset(fact_keys(condition))


def ways_to_earn(*, moment: datetime, member_id: int | None = None) -> list[WayToEarn]:
    """Return the ways to earn that everybody may know; for a member also those that are met: one more statement."""
    versions = versions_at(moment)
    conditions = {version.pk: _condition(version) for version in versions if version.condition}
    met: dict[int, bool] = {}
    if member_id is not None:
        values = _values(member_id, (one for one in conditions.values() if one is not None), moment)
        met = {pk: one is not None and evaluate(one, values).met for pk, one in conditions.items()}
    told = [version for version in versions if met.get(version.pk) or is_for_all(version)]
    names = names_for(told)
    with choices_remembered():
        return [
            WayToEarn(version, sentence(version, names), None if member_id is None else met.get(version.pk, True))
            for version in told
        ]


def _condition(version: EarnRuleVersion) -> Node | None:
    """Return what a version asks of a member; None where it can not be read any more."""
    try:
        return parse(version.condition)
    except ConditionInvalid:
        return None


def _values(member_id: int, conditions: Iterable[Node], moment: datetime) -> Mapping[str, FactValue]:
    keys = dict.fromkeys(key for condition in conditions for key in fact_keys(condition))
    values: dict[str, FactValue] = {}
    for some in batched(keys, MOST_FACTS):
        values |= values_for(member_id, some, moment)
    return values
