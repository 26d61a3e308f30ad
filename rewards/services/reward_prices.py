"""New prices of rewards: cheaper at once, dearer only after notice, with a colleague's approval, and for a while as before
for those who had saved enough.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty.periods import business_date, midnight
from members import proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped, money, unit_value
from members.identifiers import NotFound
from members.models import Proposal
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.proposals import ProposalReasonMissing
from members.queries import programme
from rewards.models import Reward, RewardPrice
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.reward_prices import PriceNow, is_dearer, planned_price, price_at, saved_up, worth_of_a_point
from rewards.services.by_hand import label_in, operator_id

RAISE: Final = "rewards.raise_price"
PERMISSION: Final = "rewards.price_reward"
#: How long members know of a dearer price before it comes, and how long the old one may be honoured after.
LEAST_NOTICE_DAYS: Final = 7
USUAL_NOTICE_DAYS: Final = 30
MOST_DAYS: Final = 365
_LONGEST_REASON: Final = 200


class PriceIsTheSame(RewardsRefusal):
    """Nothing would change."""

    code = "price_is_the_same"
    status = 422
    text = _("The reward costs that much already.")


class PriceIsPlanned(RewardsRefusal):
    """One announced price at a time."""

    code = "price_is_planned"
    text = _("From %(date)s on it costs %(points)s points, as was announced. Withdraw that first.")


class NoticeTooShort(RewardsRefusal):
    """Members have to know of a dearer price for some days."""

    code = "notice_too_short"
    status = 422
    text = _("A dearer price has to be announced at least %(days)s days before it comes.")


class PriceIsInForce(RewardsRefusal):
    """What is in force is changed by another price."""

    code = "price_is_in_force"
    text = _("This price is in force already. Change it by a new price.")


class PriceNeedsApproval(RewardsRefusal):
    """It became dearer while it was asked for: the price in force fell meanwhile."""

    code = "price_needs_approval"
    text = _("This price is dearer than the one in force now: a colleague has to approve it.")


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price that somebody wants: of which reward, and where it is dearer: after how many days, and how long the old one is kept."""

    reward_id: int
    points: int
    cash_amount: Decimal = Decimal(0)
    notice_days: int = USUAL_NOTICE_DAYS
    honour_days: int = 0

    def is_dearer(self, than: PriceNow) -> bool:
        """Whether anybody could have to pay more: more points, or more money besides."""
        return is_dearer((self.points, self.cash_amount), (than.points, than.cash_amount))


@dataclass(frozen=True, slots=True)
class PriceOutcome:
    """What became of a price: in force (or planned) as a version, or waiting for a colleague."""

    price: RewardPrice | None
    proposal: proposals.ProposalOutcome | None = None


def ask_price(*, wanted: NewPrice, reason: str, by: Actor, at: datetime, request_id: str = "") -> PriceOutcome:
    """Change a price: at once where it is cheaper or the reward is not on the shelf yet, else after approval and notice.

    Raises PriceIsTheSame, PriceIsPlanned, NoticeTooShort, NotFound, and as `members.proposals.propose` does.
    """
    said = {
        "reward": wanted.reward_id, "points": wanted.points, "cash": str(wanted.cash_amount), "days": wanted.notice_days,
        "honour": wanted.honour_days,
    }  # fmt: skip
    if (earlier := proposals.made_before(kinds=[RAISE], said=said, by=by, request_id=request_id)) is not None:
        return PriceOutcome(None, earlier)
    reward, now = _checked(wanted, at)
    if not _is_announced(wanted, reward, now, at):
        with suppress(PriceNeedsApproval):
            return PriceOutcome(change_price(wanted=wanted, reason=reason, by=by, at=at, is_approved=False))
        reward, now = _checked(wanted, at)
    if wanted.notice_days < LEAST_NOTICE_DAYS:
        raise NoticeTooShort(days=LEAST_NOTICE_DAYS)
    params = {**said, "label": labels_of(reward, "name"), "from": [now.points, str(now.cash_amount)]}
    outcome = proposals.propose(kind=RAISE, params=params, reason=reason, by=by, at=at, request_id=request_id)
    return PriceOutcome(None, outcome)


@transaction.atomic
def change_price(*, wanted: NewPrice, reason: str, by: Actor, at: datetime, is_approved: bool) -> RewardPrice:
    """Write a new price of a reward and return it: from now on, or where it is dearer from the midnight after its notice.

    The approval of a dearer one is asked for by `ask_price`. Raises PriceNeedsApproval where it is dearer under the lock and
    nobody approved it, PriceIsTheSame, PriceIsPlanned, NotFound.
    """
    Reward.objects.select_for_update(no_key=True).filter(pk=wanted.reward_id).first()
    reward, now = _checked(wanted, at)
    words = _words(reason)
    is_announced = _is_announced(wanted, reward, now, at)
    if is_announced and not is_approved:
        raise PriceNeedsApproval
    begins = _begins(at, wanted.notice_days) if is_announced else at
    kept = wanted.honour_days and is_announced
    return RewardPrice.objects.create(
        reward=reward, price_points=wanted.points, cash_amount=wanted.cash_amount, announced_at=at, valid_from=begins,
        honoured_until=_begins(begins, wanted.honour_days) if kept else None, reason=words, operator_id=operator_id(by),
    )  # fmt: skip


@transaction.atomic
def withdraw_price(*, price_id: int, by: Actor, at: datetime) -> None:
    """Take back a price that was announced and has not come yet. Raises NotFound, PriceIsInForce."""
    price = RewardPrice.objects.select_for_update(no_key=True).filter(pk=price_id, withdrawn_at=None).first()
    if price is None:
        raise NotFound
    if price.valid_from <= at:
        raise PriceIsInForce
    price.withdrawn_at = at
    price.save(update_fields=["withdrawn_at"])


def _checked(wanted: NewPrice, at: datetime) -> tuple[Reward, PriceNow]:
    """Return the reward and what it costs now, or refuse a price that changes nothing or crosses an announced one."""
    reward = Reward.objects.select_related("least_tier").filter(pk=wanted.reward_id).first()
    if reward is None:
        raise NotFound
    if (planned := planned_price(reward.pk, at)) is not None:
        raise PriceIsPlanned(date=_day(planned.valid_from), points=grouped(planned.price_points))
    now = price_at(reward, at)
    if (wanted.points, wanted.cash_amount) == (now.points, now.cash_amount):
        raise PriceIsTheSame
    return reward, now


def _is_announced(wanted: NewPrice, reward: Reward, now: PriceNow, at: datetime) -> bool:
    """Whether a price is approved and announced before it comes: it is dearer, and the reward has been on the shelf."""
    return wanted.is_dearer(now) and reward.valid_from <= at


def _words(reason: str) -> str:
    words = clean_name(reason)[:_LONGEST_REASON]
    if not words:
        raise ProposalReasonMissing
    refuse_personal_words(words)
    return words


def _begins(at: datetime, days: int) -> datetime:
    """Return the first midnight that is at least so many days later."""
    tz = programme().tz
    later = at + timedelta(days=days)
    day = midnight(business_date(later, tz), tz)
    return day if day >= later else midnight(business_date(later, tz) + timedelta(days=1), tz)


def _day(moment: datetime) -> str:
    return date_format(moment.astimezone(programme().tz).date(), "DATE_FORMAT")


# --- Approval -----------------------------------------------------------------------------------------------------------
def price_words(points: int, cash_amount: Decimal) -> str:
    """Return a price in the active language: points, and money besides."""
    said = ngettext("%(points)s point", "%(points)s points", points) % {"points": grouped(points)}
    if not cash_amount:
        return said
    return _now("%(points)s and %(money)s") % {"points": said, "money": money(cash_amount, programme().currency)}


def _wanted(params: Mapping[str, Any]) -> NewPrice:
    return NewPrice(params["reward"], params["points"], Decimal(params["cash"]), params["days"], params["honour"])


def _sentence(params: Mapping[str, Any]) -> str:
    points, cash = params["from"]
    figures = {
        "reward": label_in(params), "before": price_words(points, Decimal(cash)),
        "after": price_words(params["points"], Decimal(params["cash"])), "days": grouped(params["days"]),
    }  # fmt: skip
    words = (
        _now("Make “%(reward)s” dearer: from %(before)s to %(after)s, %(days)s days after it is announced.") % figures
    )
    if not params["honour"]:
        return words
    kept = ngettext(
        "%(words)s Who had saved enough pays the old price for %(days)s day more.",
        "%(words)s Who had saved enough pays the old price for %(days)s days more.",
        params["honour"],
    )
    return kept % {"words": words, "days": grouped(params["honour"])}


def _effect(params: Mapping[str, Any], at: datetime) -> Effect:
    """What it would change now. How many have saved enough moves all day, which is no reason to look again."""
    wanted = _wanted(params)
    reward = Reward.objects.select_related("least_tier").get(pk=wanted.reward_id)
    now = price_at(reward, at)
    hit = saved_up(reward=reward, points=now.points, new_points=wanted.points)
    lines = [
        EffectLine(
            _("Price"), price_words(now.points, now.cash_amount), price_words(wanted.points, wanted.cash_amount)
        ),
        EffectLine(_("Members who have saved enough"), hit.enough, hit.enough - hit.no_longer, is_compared=False),
    ]
    worths = [
        worth_of_a_point(price.points, price.cash_amount, reward.cost_amount)
        for price in (now, PriceNow(wanted.points, wanted.cash_amount))
    ]
    if worths[0] is not None and worths[1] is not None:
        currency = programme().currency
        before, after = (unit_value(worth, currency) for worth in worths if worth is not None)
        lines.append(EffectLine(_("What a point buys of it"), before, after))
    return Effect(lines)


def _carry_out(params: Mapping[str, Any], by: Actor, at: datetime, proposal: Proposal) -> str:
    maker = Actor("operator", proposal.maker_id)
    price = change_price(wanted=_wanted(params), reason=proposal.reason, by=maker, at=at, is_approved=True)
    return _now("The new price comes on %(date)s.") % {"date": _day(price.valid_from)}


def _touches(params: Mapping[str, Any]) -> Collection[str]:
    return [f"reward:{params['reward']}"]


def register() -> None:
    """Make the dearer price known to those who approve."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=RAISE, label=_("Dearer price of a reward"), permission=PERMISSION, sentence=_sentence, effect=_effect,
            carry_out=_carry_out, always_waits=True, touches=_touches,
        )
    )  # fmt: skip
