"""A voucher in words: what it gives, when, where, on which goods, beside which others. One sentence, in the active language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members.figures import money
from members.models import Channel, Store
from members.queries import programme
from members.wording import listed
from rewards.explanation import plain, weekday_names
from rewards.models import Category, VoucherTemplate

_NAMED = 3


@dataclass(frozen=True, slots=True)
class VoucherNames:
    """The names, in the active language, of what templates list by id. One that is gone is called by its number."""

    categories: Mapping[int, str] = field(default_factory=dict)
    stores: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)


def voucher_names_for(templates: Iterable[VoucherTemplate]) -> VoucherNames:
    """Return the names that the sentences of templates need: at most one query for each sort of name."""
    rows = list(templates)
    categories = {pk for row in rows for pk in row.category_ids}
    stores = {pk for row in rows for pk in row.store_ids}
    channels = {pk for row in rows for pk in row.channel_ids}
    return VoucherNames(
        {row.pk: row.name for row in Category.objects.filter(pk__in=categories)} if categories else {},
        {row.pk: row.name for row in Store.objects.filter(pk__in=stores)} if stores else {},
        {row.pk: row.name for row in Channel.objects.filter(pk__in=channels)} if channels else {},
    )


def voucher_sentence(template: VoucherTemplate, names: VoucherNames | None = None) -> str:
    """Return what a voucher gives and when it may be used, as one sentence. For many get their names once."""
    known = names or voucher_names_for([template])
    parts = [
        voucher_worth(template),
        *_goods(template, known),
        *_where_and_when(template, known),
        valid_words(template),
        _beside(template),
        *_limits(template),
    ]
    return _("%(parts)s.") % {"parts": pgettext("between parts of a sentence", ", ").join(parts)}


def voucher_worth(template: VoucherTemplate) -> str:
    """Return what a voucher gives, without when and where."""
    currency, kind = programme().currency, template.kind
    spend = money(template.min_spend_amount, currency)
    if kind == VoucherTemplate.Kind.THRESHOLD and template.off_amount is not None:
        return _each(template, money(template.off_amount, currency), spend)
    if kind == VoucherTemplate.Kind.AMOUNT and template.off_amount is not None:
        worth = _("%(amount)s off") % {"amount": money(template.off_amount, currency)}
    elif kind == VoucherTemplate.Kind.PERCENT and template.off_percent is not None:
        worth = _percent(template, currency)
    elif kind == VoucherTemplate.Kind.SHIPPING:
        worth = _("free shipping")
    elif kind == VoucherTemplate.Kind.MULTIPLIER and template.multiplier is not None:
        worth = _("points times %(factor)s") % {"factor": plain(template.multiplier)}
    elif template.gift:
        worth = _("in exchange for %(gift)s") % {"gift": template.gift}
    else:
        worth = _("in exchange for the goods it names")
    on = _("on orders of %(amount)s or more") % {"amount": spend} if template.min_spend_amount else _("on every order")
    return pgettext("between parts of a sentence", ", ").join([worth, on])


def valid_words(template: VoucherTemplate) -> str:
    """Return from when until when vouchers of a template may be used."""
    if template.validity_days is not None:
        days = ngettext("%(days)s day", "%(days)s days", template.validity_days) % {"days": template.validity_days}
        if not template.starts_after_days:
            return _("valid for %(days)s") % {"days": days}
        later = ngettext("%(days)s day", "%(days)s days", template.starts_after_days)
        figures = {"days": days, "later": later % {"days": template.starts_after_days}}
        return _("valid for %(days)s, beginning %(later)s after it is issued") % figures
    tz = programme().tz
    until = date_format(timezone.localtime(template.valid_to, tz), "SHORT_DATETIME_FORMAT")
    if template.valid_from is None:
        return _("valid until %(until)s") % {"until": until}
    start = date_format(timezone.localtime(template.valid_from, tz), "SHORT_DATETIME_FORMAT")
    return _("valid from %(start)s until %(until)s") % {"start": start, "until": until}


def _each(template: VoucherTemplate, off: str, spend: str) -> str:
    figures = {"amount": off, "spend": spend, "times": template.most_times}
    if template.most_times == 1:
        return _("%(amount)s off from a spend of %(spend)s") % figures
    return _("%(amount)s off for each %(spend)s spent, at most %(times)s times") % figures


def _percent(template: VoucherTemplate, currency: str) -> str:
    figures = {"percent": plain(template.off_percent or Decimal(0))}
    if template.cap_amount is None:
        return _("%(percent)s %% off") % figures
    return _("%(percent)s %% off, at most %(cap)s") % {**figures, "cap": money(template.cap_amount, currency)}


def _goods(template: VoucherTemplate, names: VoucherNames) -> list[str]:
    words = [names.categories.get(pk, f"#{pk}") for pk in template.category_ids]
    goods = _some([*words, *template.skus])
    return [_("on %(goods)s") % {"goods": goods}] if goods else []


def _some(words: list[str]) -> str:
    """Return a list in words: the first three and how many more."""
    if len(words) <= _NAMED:
        return listed(words) if words else ""
    more = len(words) - _NAMED
    rest = ngettext("%(count)s more", "%(count)s more", more) % {"count": more}
    return listed([*words[:_NAMED], rest])


def _where_and_when(template: VoucherTemplate, names: VoucherNames) -> list[str]:
    parts = []
    if template.channel_ids:
        channels = _some([names.channels.get(pk, f"#{pk}") for pk in template.channel_ids])
        parts.append(_("by way of %(channels)s") % {"channels": channels})
    if template.store_ids:
        stores = _some([names.stores.get(pk, f"#{pk}") for pk in template.store_ids])
        parts.append(_("in %(stores)s") % {"stores": stores})
    if template.weekdays:
        parts.append(_("on %(weekdays)s") % {"weekdays": weekday_names(template.weekdays)})
    if template.hour_from is not None and template.hour_to is not None:
        hours = {"from": f"{template.hour_from}:00", "to": f"{template.hour_to}:00"}
        parts.append(_("from %(from)s to %(to)s") % hours)
    return parts


def _beside(template: VoucherTemplate) -> str:
    if template.stacking == VoucherTemplate.Stacking.ALONE:
        return _("not with other vouchers")
    if template.stacking == VoucherTemplate.Stacking.CLASS:
        return _("one of the group “%(group)s” an order") % {"group": template.stacking_class}
    return _("also with other vouchers")


def _limits(template: VoucherTemplate) -> list[str]:
    parts = []
    if template.most_used_per_day is not None:
        parts.append(_("at most %(count)s a member and day") % {"count": template.most_used_per_day})
    if template.most_held is not None:
        parts.append(_("at most %(count)s held by a member") % {"count": template.most_held})
    if template.budget_amount is not None:
        amount = money(template.budget_amount, programme().currency)
        parts.append(_("at most %(amount)s to all members together") % {"amount": amount})
    if template.is_giftable:
        parts.append(_("may be given to a friend"))
    if not template.is_given_back:
        parts.append(_("not given back with a return"))
    return parts
