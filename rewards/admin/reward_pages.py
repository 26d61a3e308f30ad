"""Pages beside the form of a reward: what is typed, in words and as members see it, and the page that changes the price."""

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget

from members.admin.base import actor_of, say_refusal
from members.admin.days import local_day
from members.models import Proposal
from members.refusals import Refusal
from rewards.admin.by_hand import MOST_POINTS, HandForm, ReasonField
from rewards.admin.reward_words import missing_languages, reward_sentence, worth_sentence
from rewards.ending import money_per_point
from rewards.ledger import currency_id
from rewards.models import Reward, RewardImage, RewardPrice
from rewards.reward_prices import PriceNow, bought_by_month, planned_price, price_at, saved_up
from rewards.services.reward_prices import (
    LEAST_NOTICE_DAYS,
    MOST_DAYS,
    PERMISSION,
    RAISE,
    USUAL_NOTICE_DAYS,
    NewPrice,
    ask_price,
    price_words,
    withdraw_price,
)

if TYPE_CHECKING:
    from rewards.admin.catalog import RewardAdmin

SEE: Final = "rewards.view_reward"
_MOST_VERSIONS = 20


class PriceForm(HandForm):
    """A new price, how long before it comes members are told, and how long the old one is honoured."""

    points = forms.IntegerField(
        label=gettext_lazy("Price (points)"), min_value=1, max_value=MOST_POINTS, widget=UnfoldAdminIntegerFieldWidget
    )
    cash_amount = forms.DecimalField(
        label=gettext_lazy("To be paid besides (money)"), min_value=0, max_digits=10, decimal_places=2, initial=0,
        widget=UnfoldAdminDecimalFieldWidget,
    )  # fmt: skip
    notice_days = forms.IntegerField(
        label=gettext_lazy("Notice (days)"), min_value=LEAST_NOTICE_DAYS, max_value=MOST_DAYS, initial=USUAL_NOTICE_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Where it gets dearer: how long members know of it before it comes, from the approval on."),
    )  # fmt: skip
    honour_days = forms.IntegerField(
        label=gettext_lazy("Old price honoured for (days)"), min_value=0, max_value=MOST_DAYS, initial=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("After the dearer one came, for members who had saved enough or wished for it."),
    )  # fmt: skip
    reason = ReasonField(help_text=gettext_lazy("Stays with the price for colleagues. No names or numbers of people."))

    def wanted(self, reward_id: int) -> NewPrice:
        """Return the price asked for."""
        told = self.cleaned_data
        return NewPrice(reward_id, told["points"], told["cash_amount"], told["notice_days"], told["honour_days"])


class RewardPages:
    """The views of one reward."""

    def __init__(self, model_admin: "RewardAdmin") -> None:
        self.model_admin = model_admin

    def look(self, request: HttpRequest, reward_id: int = 0) -> HttpResponse:
        """What stands in the form now: the reward in words, what a point buys of it, and as members see it."""
        if not (self.model_admin.has_add_permission(request) or self.model_admin.has_change_permission(request)):
            raise PermissionDenied
        at = timezone.now()
        kept = Reward.objects.filter(pk=reward_id).first() if reward_id else None
        form = self.model_admin.get_form(request, kept, change=kept is not None)(request.POST or None, instance=kept)
        form.is_valid()
        found = getattr(form, "cleaned_data", {})
        reward = kept or Reward()
        for name, value in found.items():
            if name != "store_ids" and hasattr(Reward, name):
                setattr(reward, name, value)
        price = price_at(kept, at) if kept else _typed_price(found)
        context = {
            "reward": reward,
            "sentence": reward_sentence(reward, price.points, price.cash_amount) if price.points else "",
            "worth": worth_sentence(price.points, price.cash_amount, reward.cost_amount, _norm(at)),
            "missing": missing_languages(reward),
            "phones": _phones(reward, price),
            "picture": _first_picture(reward.pk),
        }
        return render(request, "portal/rewards/look.html", context)

    def price(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """The price: what it was, is and will be, and the form that changes it."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        at = timezone.now()
        reward = self._reward(reward_id)
        may_change = request.user.has_perm(PERMISSION)
        now, planned = price_at(reward, at), planned_price(reward.pk, at)
        asked = Proposal.objects.filter(kind=RAISE, state=Proposal.State.WAITING, params__reward=reward.pk).first()
        initial = {"points": now.points, "cash_amount": now.cash_amount}
        is_open = may_change and planned is None and asked is None
        form = PriceForm(request.POST or None, initial=initial) if is_open else None
        if form is not None and request.method == "POST" and form.is_valid():
            try:
                outcome = ask_price(
                    wanted=form.wanted(reward.pk), reason=form.cleaned_data["reason"], by=actor_of(request), at=at,
                    request_id=form.cleaned_data["request_id"],
                )  # fmt: skip
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                if outcome.price is not None:
                    messages.success(request, _("The new price is in force."))
                elif outcome.proposal is not None and outcome.proposal.waiting:
                    messages.warning(request, _("It gets dearer: that waits for a colleague's approval."))
                return HttpResponseRedirect(reverse("admin:rewards_reward_price", args=[reward.pk]))
        site = self.model_admin.admin_site
        request.current_app = site.name
        context = {
            **site.each_context(request),
            "opts": self.model_admin.opts,
            "title": _("Price of “%(reward)s”") % {"reward": reward.name},
            "reward": reward,
            "form": form,
            "media": self.model_admin.media + form.media if form else self.model_admin.media,
            "price": price_words(now.points, now.cash_amount),
            "since": now.since,
            "worth": worth_sentence(now.points, now.cash_amount, reward.cost_amount, _norm(at)),
            "planned": planned,
            "planned_price": price_words(planned.price_points, planned.cash_amount) if planned else "",
            "asked": asked,
            "asked_price": price_words(asked.params["points"], Decimal(asked.params["cash"])) if asked else "",
            "may_change": may_change,
            "versions": _versions(reward, at),
            "effect": reverse("admin:rewards_reward_price_effect", args=[reward.pk]),
        }
        return render(request, "portal/rewards/price.html", context)

    def effect(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """What the price that stands in the form would do: who has saved enough, and what a point would buy."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        at = timezone.now()
        reward = self._reward(reward_id)
        form = PriceForm(request.POST or None)
        form.is_valid()
        told = getattr(form, "cleaned_data", {})
        if not told.get("points"):
            return HttpResponse()
        now = price_at(reward, at)
        wanted = NewPrice(reward.pk, told["points"], told.get("cash_amount") or Decimal(0))
        is_dearer = wanted.is_dearer(now)
        context = {
            "is_same": (wanted.points, wanted.cash_amount) == (now.points, now.cash_amount),
            "is_dearer": is_dearer,
            "is_planned": reward.valid_from > at,
            "before": price_words(now.points, now.cash_amount),
            "after": price_words(wanted.points, wanted.cash_amount),
            "saved": saved_up(reward=reward, points=now.points, new_points=wanted.points) if is_dearer else None,
            "worth": worth_sentence(wanted.points, wanted.cash_amount, reward.cost_amount, _norm(at)),
        }
        return render(request, "portal/rewards/effect.html", context)

    def bought(self, request: HttpRequest) -> HttpResponse:
        """What 100 points bought over the last months, with how it is reckoned."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        at = timezone.now()
        months = bought_by_month(at=at)
        known = [month.amount for month in months if month.amount is not None]
        change = (known[-1] - known[0]) / known[0] * 100 if len(known) > 1 and known[0] else None
        norm = _norm(at)
        site = self.model_admin.admin_site
        request.current_app = site.name
        context = {
            **site.each_context(request),
            "opts": self.model_admin.opts,
            "title": _("What 100 points buy"),
            "months": [(month, local_month(month.date), _share(month.amount, known)) for month in months],
            "now": known[-1] if known else None,
            "change": None if change is None else f"{change:+.1f}",
            "norm": None if norm is None else 100 * norm,
        }
        return render(request, "portal/rewards/bought.html", context)

    def withdraw(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """Take back the price that was announced and has not come yet."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        at = timezone.now()
        planned = planned_price(self._reward(reward_id).pk, at)
        if planned is not None:
            try:
                withdraw_price(price_id=planned.pk, by=actor_of(request), at=at)
            except Refusal as refusal:
                say_refusal(request, refusal)
            else:
                messages.success(request, _("The announced price is withdrawn; the price stays as it is."))
        return HttpResponseRedirect(reverse("admin:rewards_reward_price", args=[reward_id]))

    def _reward(self, reward_id: int) -> Reward:
        reward = Reward.objects.select_related("least_tier", "segment").filter(pk=reward_id).first()
        if reward is None:
            raise Http404
        return reward


def local_month(day: date) -> str:
    """Return a day as it stands beside a bar."""
    return date_format(day, "SHORT_DATE_FORMAT")


def _share(amount: Decimal | None, known: list[Decimal]) -> int:
    """Return how long the bar of an amount is, in percent of the longest one."""
    return round(100 * amount / max(known)) if amount is not None and max(known) > 0 else 0


def _norm(at: datetime) -> Decimal | None:
    return money_per_point(currency_id(), at)


def _typed_price(found: dict[str, Any]) -> PriceNow:
    return PriceNow(found.get("price_points") or 0, found.get("cash_amount") or Decimal(0))


def _first_picture(reward_id: int | None) -> str:
    """Return the address of the picture that members see first; empty where there is none."""
    images = (
        RewardImage.objects.filter(reward=reward_id).order_by("sort_order", "pk")
        if reward_id
        else RewardImage.objects.none()
    )
    digest = images.values_list("small", flat=True).first()
    return reverse("reward_picture", args=[digest]) if digest else ""


def _phones(reward: Reward, price: PriceNow) -> list[dict[str, Any]]:
    """Return what members read of a reward, in each language; `is_missing` where a text falls back to another one."""
    phones = []
    for code, label in settings.LANGUAGES:
        suffix = code.replace("-", "_")
        with override(code):
            phones.append({
                "code": code, "language": label, "name": reward.name, "description": reward.description,
                "place": reward.event_place if reward.kind == Reward.Kind.TICKET else "",
                "price": price_words(price.points, price.cash_amount) if price.points else "",
                "is_missing": not getattr(reward, f"name_{suffix}")
                or bool(reward.description and not getattr(reward, f"description_{suffix}")),
            })  # fmt: skip
    return phones


def _versions(reward: Reward, at: datetime) -> list[dict[str, Any]]:
    rows = RewardPrice.objects.filter(reward=reward).select_related("operator").order_by("-valid_from", "-pk")
    return [
        {
            "price": price_words(row.price_points, row.cash_amount),
            "from": local_day(row.valid_from),
            "honoured": local_day(row.honoured_until) if row.honoured_until else "",
            "reason": row.reason,
            "by": str(row.operator or "–"),
            "is_withdrawn": row.withdrawn_at is not None,
            "is_planned": row.withdrawn_at is None and row.valid_from > at,
        }
        for row in rows[:_MOST_VERSIONS]
    ]
