"""Rewards in words: who can redeem one, for what, how often and when; what a point buys of it; the languages it lacks."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members.admin.days import last_day, local_moment
from members.figures import grouped, unit_value
from members.queries import programme
from members.wording import together
from rewards.models import FlashSale, Reward
from rewards.reward_prices import worth_of_a_point
from rewards.services.reward_prices import price_words

_TEXTS: Final = ("name", "description", "event_place")


def reward_sentence(reward: Reward, points: int, cash_amount: Decimal) -> str:
    """Return a reward at a price as sentences of the active language."""
    figures = {"who": _who(reward), "name": reward.name or "…", "price": price_words(points, cash_amount)}
    said = [_("%(who)s can redeem “%(name)s” for %(price)s.") % figures, *_limits(reward), *_when(reward)]
    if reward.by_post and reward.in_store:
        said.append(_("It is sent by post or handed over in a store, as the member likes."))
    elif reward.by_post:
        said.append(_("It is sent by post."))
    elif reward.in_store:
        said.append(_("It is handed over in a store."))
    return together(said)


def _who(reward: Reward) -> str:
    if reward.least_tier and reward.segment:
        figures = {"tier": reward.least_tier.name, "segment": reward.segment.name}
        return _("%(tier)s and above who are in “%(segment)s”") % figures
    if reward.least_tier:
        return _("%(tier)s and above") % {"tier": reward.least_tier.name}
    if reward.segment:
        return _("Who is in “%(segment)s”") % {"segment": reward.segment.name}
    return pgettext("of a reward", "Every member")


def _limits(reward: Reward) -> list[str]:
    said = []
    if reward.active_days:
        said.append(
            ngettext(
                "Only who bought something within the last %(days)s day.",
                "Only who bought something within the last %(days)s days.",
                reward.active_days,
            )
            % {"days": grouped(reward.active_days)}
        )
    if reward.per_member_limit:
        said.append(_("At most %(number)s for each member.") % {"number": grouped(reward.per_member_limit)})
    if reward.period_limit and reward.period:
        figures = {"number": grouped(reward.period_limit), "period": reward.get_period_display()}
        said.append(_("At most %(number)s for each member and %(period)s.") % figures)
    if reward.stock is not None:
        said.append(_("Left: %(stock)s.") % {"stock": grouped(reward.stock)})
    return said


def _when(reward: Reward) -> list[str]:
    begins: datetime | None = reward.valid_from  # none yet while the form is filled in
    if begins is None:
        return []
    if reward.valid_to is None:
        return [_("On the shelf from %(begin)s.") % {"begin": local_moment(begins)}]
    figures = {"begin": local_moment(begins), "end": last_day(reward.valid_to)}
    return [_("On the shelf from %(begin)s to the end of %(end)s.") % figures]


def worth_sentence(points: int, cash_amount: Decimal, cost_amount: Decimal | None, norm: Decimal | None) -> str:
    """Return what a point buys of a reward, beside what a point is worth in the books; empty without a cost."""
    worth = worth_of_a_point(points, cash_amount, cost_amount)
    if worth is None:
        return ""
    currency = programme().currency
    shown = unit_value(worth.quantize(Decimal("0.0001")), currency)
    if norm is None:
        return _("1 point ≈ %(worth)s; what a point is worth was not set.") % {"worth": shown}
    figures = {"worth": shown, "norm": unit_value(norm, currency)}
    if worth > norm:
        return _("1 point ≈ %(worth)s, the standard is %(norm)s: each point costs more than the books say.") % figures
    return _("1 point ≈ %(worth)s, the standard is %(norm)s.") % figures


def sale_sentence(sale: FlashSale) -> str:
    """Return a flash sale as a sentence of the active language."""
    figures = {
        "name": sale.reward.name, "price": price_words(sale.price_points, sale.cash_amount),
        "begin": local_moment(sale.starts_at), "end": local_moment(sale.ends_at),
    }  # fmt: skip
    said = [_("“%(name)s” for %(price)s from %(begin)s to %(end)s.") % figures]
    if sale.stock is not None:
        said.append(_("Left: %(stock)s.") % {"stock": grouped(sale.stock)})
    if sale.per_member_limit:
        said.append(_("At most %(number)s for each member.") % {"number": grouped(sale.per_member_limit)})
    return together(said)


def missing_languages(reward: Reward) -> list[str]:
    """Return the languages in which a text of a reward is missing that it has in another one."""
    codes = [(code.replace("-", "_"), str(label)) for code, label in settings.LANGUAGES]
    used = [
        text for text in _TEXTS if text == "name" or any(getattr(reward, f"{text}_{code}") for code, _label in codes)
    ]
    return [label for code, label in codes if not all(getattr(reward, f"{text}_{code}") for text in used)]
