"""What to think of before a rule is published. Nothing here forbids anything."""

from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.models import ActivityKind
from members.wording import enumerated
from rewards.explanation import in_active_language
from rewards.models import EarnRule, EarnRuleVersion, Product
from rewards.models.rules import BIRTHDAY
from rewards.queries import labels_of, rule_book, rule_value
from rewards.rule_sentence import activity_name

_NAMED = 3


def warnings_of(version: EarnRuleVersion, *, at: datetime) -> list[str]:
    """Return a sentence for each thing that staff may have forgotten: a few queries. It begins at `at` at the earliest."""
    return [
        *_missing_names(version), *_endless(version), *_unknown_goods(version), *_beside(version, at), *_behaviour(version),
    ]  # fmt: skip


def _missing_names(version: EarnRuleVersion) -> list[str]:
    known = labels_of(version.rule, "name")
    missing = [str(label) for code, label in settings.LANGUAGES if code.lower() not in known]
    if not missing:
        return []
    return [_("The name is missing in: %(languages)s.") % {"languages": enumerated(missing)}]


def _endless(version: EarnRuleVersion) -> list[str]:
    is_extra = version.mode == EarnRuleVersion.Mode.EXTRA and version.rule.kind == EarnRule.Kind.SPEND
    found = []
    if version.valid_to is None and (is_extra or not rule_value(version).counts_everything):
        found.append(_("The rule has no end."))
    caps = (
        version.cap_order_points, version.cap_day_points, version.cap_month_points, version.cap_member_points,
        version.cap_day_count, version.cap_month_count, version.budget_points,
    )  # fmt: skip
    has_own_limit = version.first_order_only or version.rule.activity_kind == BIRTHDAY
    if (is_extra or version.rule.kind == EarnRule.Kind.BEHAVIOUR) and not any(caps) and not has_own_limit:
        found.append(_("There is no limit: a member can earn by it any number of times."))
    return found


def _unknown_goods(version: EarnRuleVersion) -> list[str]:
    named = [*version.skus, *version.excluded_skus]
    if not named:
        return []
    known = set(Product.objects.filter(sku__in=named).values_list("sku", flat=True))
    unknown = [sku for sku in named if sku not in known]
    if not unknown:
        return []
    words = ngettext(
        "%(count)s article number is not in the catalogue: %(some)s.",
        "%(count)s article numbers are not in the catalogue: %(some)s.",
        len(unknown),
    )
    return [words % {"count": len(unknown), "some": enumerated(unknown[:_NAMED])}]


def _beside(version: EarnRuleVersion, at: datetime) -> list[str]:
    """Return a sentence for each rule of the same sort that may count the same goods at the same time."""
    if version.rule.kind != EarnRule.Kind.SPEND:
        return []
    mine = rule_value(version)
    begins = max(mine.valid_from, at)
    names = []
    for other in rule_book().rules:
        if other.rule_id == version.rule_id or other.activity_kind or other.is_extra != mine.is_extra:
            continue
        if other.currency_id != mine.currency_id or (not mine.is_extra and other.priority != mine.priority):
            continue
        is_at_the_time = (mine.valid_to is None or other.valid_from < mine.valid_to) and (
            other.valid_to is None or begins < other.valid_to
        )
        shared = not mine.goods or not other.goods or any(
            not one.isdisjoint(two)
            for one, two in (
                (mine.goods.category_ids, other.goods.category_ids), (mine.goods.skus, other.goods.skus),
                (mine.goods.brands, other.goods.brands),
            )
        )  # fmt: skip
        if is_at_the_time and shared:
            names.append(in_active_language(other.names))
    if not names:
        return []
    listed = enumerated(dict.fromkeys(names[:_NAMED]))
    if mine.is_extra:
        return [_("Other extra rules count the same goods and add their points too: %(names)s.") % {"names": listed}]
    return [
        _("Base rules of the same priority count the same goods; the older one wins: %(names)s.") % {"names": listed}
    ]


def _behaviour(version: EarnRuleVersion) -> list[str]:
    code = version.rule.activity_kind
    if not code or code == BIRTHDAY:
        return []
    kind = ActivityKind.objects.filter(code=code).first()
    if kind is None or not kind.is_on:
        return [
            _("“%(behaviour)s” is not recorded at present.") % {"behaviour": kind.name if kind else activity_name(code)}
        ]
    if kind.is_open_to_members:
        return [_("Members' own apps may report “%(behaviour)s”; nobody checks it.") % {"behaviour": kind.name}]
    return []
