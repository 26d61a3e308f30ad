"""What the published page of the programme says of points: how they are earned, and when they expire."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.rules_page import Block, Line, Section, register_rules_section
from rewards.expiry_wording import activity_choices, policy_sentence
from rewards.models import EarnRuleVersion, ExpiryPolicy, PointsCurrency
from rewards.rule_sentence import names_for, sentence
from rewards.ways_to_earn import is_for_all, versions_at

_POLICY_TERMS = (
    "kind", "months", "years", "fixed_date", "activities", "grace_days", "warn_days", "extend_unreached_days",
)  # fmt: skip


def earning_section(moment: datetime) -> Section | None:
    """Return how points are earned at a moment, one block for each currency; None where nothing is earned."""
    versions = versions_at(moment)
    told = [version for version in versions if is_for_all(version)]
    names = names_for(told)
    lines = defaultdict(list)
    for version in told:
        words = {"name": version.rule.name, "sentence": sentence(version, names)}
        line = Line(f"rule_{version.rule_id}", _("%(name)s: %(sentence)s") % words, f"version {version.pk}")
        lines[version.rule.currency_id].append(line)
    blocks = _blocks(lines)
    more = [] if len(told) == len(versions) else [_for_some()]
    return Section("earning", _("How points are earned"), tuple(more), blocks) if versions else None


def expiry_section(moment: datetime) -> Section | None:
    """Return when points expire that are earned at a moment; None where no points are."""
    lines = _expiry_lines(moment)
    blocks = _blocks(lines)
    return Section("expiry", _("When points expire"), (), blocks) if blocks else None


def register() -> None:
    """Let the page tell of points."""
    register_rules_section("earning", order=200, section=earning_section, moments=_earning_moments)
    register_rules_section("expiry", order=210, section=expiry_section, moments=_expiry_moments)


def _for_some() -> Line:
    return Line("for_some", _("There are more ways to earn for some members; whoever has one is told."), "for some")


def _expiry_lines(moment: datetime) -> Mapping[int, Sequence[Line]]:
    in_force = Q(valid_to__isnull=True) | Q(valid_to__gt=moment)
    policies = list(ExpiryPolicy.objects.filter(in_force, valid_from__lte=moment).order_by("origin", "pk"))
    names = dict(activity_choices()) if policies else {}
    lines = defaultdict(list)
    # What has no policy of its own comes first.
    for policy in sorted(policies, key=lambda one: one.origin or 0):
        words = policy_sentence(policy, names)
        if policy.origin:
            words = _("%(source)s: %(sentence)s") % {"source": policy.get_origin_display(), "sentence": words}
        sense = " ".join(str(getattr(policy, term)) for term in _POLICY_TERMS)
        lines[policy.currency_id].append(Line(f"origin_{policy.origin or 0}", words, sense))
    covered = {policy.currency_id for policy in policies if policy.origin is None}
    for version in versions_at(moment):
        if version.rule.currency_id not in covered and is_for_all(version):
            lines[version.rule.currency_id].append(_by_rule(version))
    return lines


def _by_rule(version: EarnRuleVersion) -> Line:
    months = version.expiry_months
    words = ngettext(
        "%(rule)s: the points expire at the end of the month, %(months)s month after they were earned.",
        "%(rule)s: the points expire at the end of the month, %(months)s months after they were earned.",
        months,
    ) % {"rule": version.rule.name, "months": months}
    return Line(f"rule_{version.rule_id}", words, str(months))


def _blocks(lines: Mapping[int, Sequence[Line]]) -> tuple[Block, ...]:
    currencies = PointsCurrency.objects.filter(pk__in=lines).order_by("pk")
    return tuple(Block(currency.code, currency.name, tuple(lines[currency.pk])) for currency in currencies)


def _earning_moments(after: datetime) -> Iterator[datetime]:
    published = EarnRuleVersion.objects.filter(state=EarnRuleVersion.State.PUBLISHED)
    yield from _beginnings_and_ends(published.values_list("valid_from", "valid_to"), after)


def _expiry_moments(after: datetime) -> Iterator[datetime]:
    yield from _beginnings_and_ends(ExpiryPolicy.objects.values_list("valid_from", "valid_to"), after)
    yield from _earning_moments(after)


def _beginnings_and_ends(
    spans: Iterable[tuple[datetime | None, datetime | None]], after: datetime
) -> Iterator[datetime]:
    for span in spans:
        yield from (moment for moment in span if moment is not None and moment > after)
