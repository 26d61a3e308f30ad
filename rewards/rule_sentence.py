"""An earn rule in words: one sentence for forms, lists, approvals and interfaces, in the active language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members import conditions
from members.conditions import ConditionInvalid
from members.figures import money
from members.models import ActivityKind, Channel, Store
from members.queries import programme
from members.wording import listed
from rewards.explanation import plain, points_words, times_words, weekday_names
from rewards.models import Category, EarnRule, EarnRuleVersion
from rewards.models.rules import BIRTHDAY

_NAMED = 3


@dataclass(frozen=True, slots=True)
class RuleNames:
    """The names, in the active language, of what versions list by id. One that is gone is called by its number."""

    categories: Mapping[int, str] = field(default_factory=dict)
    stores: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)
    activities: Mapping[str, str] = field(default_factory=dict)


def names_for(versions: Iterable[EarnRuleVersion]) -> RuleNames:
    """Return the names that the sentences of versions need: at most one query for each sort of name."""
    rows = list(versions)
    categories = {pk for row in rows for pk in [*row.category_ids, *row.excluded_category_ids]}
    stores = {pk for row in rows for pk in row.store_ids}
    channels = {pk for row in rows for pk in row.channel_ids}
    kinds = {row.rule.activity_kind for row in rows} - {"", BIRTHDAY}
    return RuleNames(
        {row.pk: row.name for row in Category.objects.filter(pk__in=categories)} if categories else {},
        {row.pk: row.name for row in Store.objects.filter(pk__in=stores)} if stores else {},
        {row.pk: row.name for row in Channel.objects.filter(pk__in=channels)} if channels else {},
        {row.code: row.name for row in ActivityKind.objects.filter(code__in=kinds)} if kinds else {},
    )


def sentence(version: EarnRuleVersion, names: RuleNames | None = None) -> str:
    """Return what a version says as one sentence. For many versions get their names once, with `names_for`."""
    known = names or names_for([version])
    is_spend = version.rule.kind == EarnRule.Kind.SPEND
    parts = [_earned(version, known), *(_bought(version, known) if is_spend else []), *_where_and_when(version, known)]
    parts += [*_who(version), *_limits(version), *_multiplied(version), _spendable(version)]
    return _("%(parts)s.") % {"parts": pgettext("between parts of a sentence", ", ").join(parts)}


def activity_name(code: str, names: RuleNames | None = None) -> str:
    """Return what a behaviour is called."""
    if code == BIRTHDAY:
        return _("birthday")
    return names.activities.get(code, code) if names else code


def _earned(version: EarnRuleVersion, names: RuleNames) -> str:
    is_spend = version.rule.kind == EarnRule.Kind.SPEND
    if version.points_fixed is not None:
        points = points_words(version.points_fixed)
        figures = {"points": points, "activity": activity_name(version.rule.activity_kind, names)}
        return (_("%(points)s for an order") if is_spend else _("%(points)s for each %(activity)s")) % figures
    points = points_words(version.points_per_step)
    if not is_spend:
        return _("%(points)s for each %(step)s of the figure of %(activity)s") % {
            "points": points,
            "step": plain(version.step_amount),
            "activity": activity_name(version.rule.activity_kind, names),
        }
    step = money(version.step_amount, programme().currency)
    text = {
        ("floor", "order"): _("%(points)s for each %(step)s spent"),
        ("floor", "line"): _("%(points)s for each %(step)s of a line"),
        ("nearest", "order"): _("%(points)s for each %(step)s spent, rounded to the nearest step"),
        ("nearest", "line"): _("%(points)s for each %(step)s of a line, rounded to the nearest step"),
        ("up", "order"): _("%(points)s for each %(step)s spent, a step begun counts"),
        ("up", "line"): _("%(points)s for each %(step)s of a line, a step begun counts"),
    }[version.rounding, version.basis]
    return text % {"points": points, "step": step}


def _bought(version: EarnRuleVersion, names: RuleNames) -> list[str]:
    parts = []
    if version.mode == EarnRuleVersion.Mode.EXTRA:
        parts.append(_("on top of the other rules"))
    goods = _goods(version.category_ids, version.skus, version.brands, names)
    if goods:
        parts.append(_("on %(goods)s") % {"goods": goods})
    excluded = _goods(version.excluded_category_ids, version.excluded_skus, version.excluded_brands, names)
    if excluded:
        parts.append(_("not on %(goods)s") % {"goods": excluded})
    if version.min_spend_amount:
        amount = money(version.min_spend_amount, programme().currency)
        parts.append(_("from a spend of %(amount)s") % {"amount": amount})
    return parts


def _goods(category_ids: Iterable[int], skus: Iterable[str], brands: Iterable[str], names: RuleNames) -> str:
    words = [names.categories.get(pk, f"#{pk}") for pk in category_ids]
    return _some([*words, *brands, *skus])


def _some(words: list[str]) -> str:
    """Return a list in words: the first three and how many more."""
    if len(words) <= _NAMED:
        return listed(words) if words else ""
    more = len(words) - _NAMED
    rest = ngettext("%(count)s more", "%(count)s more", more) % {"count": more}
    return listed([*words[:_NAMED], rest])


def _where_and_when(version: EarnRuleVersion, names: RuleNames) -> list[str]:
    parts = []
    if version.channel_ids:
        channels = _some([names.channels.get(pk, f"#{pk}") for pk in version.channel_ids])
        parts.append(_("by way of %(channels)s") % {"channels": channels})
    if version.store_ids:
        parts.append(
            _("in %(stores)s") % {"stores": _some([names.stores.get(pk, f"#{pk}") for pk in version.store_ids])}
        )
    if version.weekdays:
        parts.append(_("on %(weekdays)s") % {"weekdays": weekday_names(version.weekdays)})
    if version.hour_from is not None and version.hour_to is not None:
        hours = {"from": f"{version.hour_from}:00", "to": f"{version.hour_to}:00"}
        parts.append(_("from %(from)s to %(to)s") % hours)
    return parts


def _who(version: EarnRuleVersion) -> list[str]:
    parts = []
    if version.first_order_only:
        parts.append(_("on the first order"))
    if version.min_orders is not None and version.within_days is not None:
        text = ngettext(
            "from the %(count)s order within %(days)s days on",
            "from %(count)s orders within %(days)s days on",
            version.min_orders,
        )
        parts.append(text % {"count": version.min_orders, "days": version.within_days})
    if version.condition:
        try:
            words = conditions.sentence(conditions.parse(version.condition))
        except ConditionInvalid:
            words = _("a condition that can not be read any more")
        parts.append(_("for members with: %(condition)s") % {"condition": words})
    if version.rule.kind == EarnRule.Kind.BEHAVIOUR and version.rule.activity_kind == BIRTHDAY:
        parts.append(_("once a year"))
    return parts


def _limits(version: EarnRuleVersion) -> list[str]:
    points = [
        (version.cap_order_points, _("at most %(points)s an order")),
        (version.cap_day_points, _("at most %(points)s a member and day")),
        (version.cap_month_points, _("at most %(points)s a member and month")),
        (version.cap_member_points, _("at most %(points)s a member in all")),
        (version.budget_points, _("at most %(points)s to all members together")),
    ]
    times = [
        (version.cap_day_count, _("at most %(times)s a member and day")),
        (version.cap_month_count, _("at most %(times)s a member and month")),
    ]
    return [
        *(text % {"points": points_words(limit)} for limit, text in points if limit is not None),
        *(text % {"times": times_words(limit)} for limit, text in times if limit is not None),
    ]


def _multiplied(version: EarnRuleVersion) -> list[str]:
    if version.gets_tier_multiplier and version.gets_promotions:
        return []
    if version.gets_tier_multiplier:
        return [_("not multiplied by promotions")]
    if version.gets_promotions:
        return [_("not multiplied by tiers")]
    return [_("multiplied neither by tiers nor by promotions")]


def _spendable(version: EarnRuleVersion) -> str:
    if not version.pending_days:
        return _("spendable at once")
    text = ngettext("spendable after %(days)s day", "spendable after %(days)s days", version.pending_days)
    return text % {"days": version.pending_days}
