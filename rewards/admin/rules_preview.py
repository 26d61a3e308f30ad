"""The preview of a version as its page shows it: figures, money, a few real orders with their reasons."""

from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from members.models import Member
from rewards.earning import PurchaseFacts
from rewards.explanation import explain
from rewards.models import EarnRule, EarnRuleVersion
from rewards.models.rules import BIRTHDAY
from rewards.services.rule_preview import MOST, Sample, preview_version

SPANS: Final = (7, 28)


def preview_context(version: EarnRuleVersion, *, days: int, at: datetime) -> dict[str, Any]:
    """Return what the preview page shows beside the rule itself."""
    is_spend = version.rule.kind == EarnRule.Kind.SPEND
    shared = {"days": days, "spans": SPANS, "is_spend": is_spend, "most": MOST}
    if version.rule.activity_kind == BIRTHDAY:
        return {**shared, "preview": None}
    found = preview_version(version=version, days=days, at=at)
    member_ids = {sample.occasion.facts.member_id for sample in found.samples}
    if found.top_member:
        member_ids.add(found.top_member[0])
    members = {member.pk: member for member in Member.objects.filter(pk__in=member_ids)}
    return {
        **shared,
        "preview": found,
        "samples": [_sample(sample, members) for sample in found.samples],
        "top": {"member": members[found.top_member[0]], "points": found.top_member[1]} if found.top_member else None,
        "left_out": _left_out(is_spend=is_spend),
    }


def _sample(sample: Sample, members: dict[int, Member]) -> dict[str, Any]:
    facts = sample.occasion.facts
    return {
        "number": sample.occasion.name,
        "moment": sample.occasion.moment,
        "member": members[facts.member_id],
        "amount": facts.amount if isinstance(facts, PurchaseFacts) else None,
        "before": sample.before,
        "after": sample.after,
        "difference": sample.after - sample.before,
        "why_before": explain(sample.trace_before),
        "why_after": explain(sample.trace_after),
    }


def _left_out(*, is_spend: bool) -> list[str]:
    """Return what the figures do not say."""
    found = [
        _(
            "Both figures are worked out anew by the rules in force when the version begins; what was posted then may differ."
        ),
        _("Tiers are those of each order; that more points change behaviour, or bring a tier sooner, is not in it."),
        _("What members had earned towards limits before these days is not counted."),
    ]
    if is_spend:
        found.append(_("Promotions count as they were at the time of each order. Returns are left out."))
    return found
