"""The counter (核销): one field for the scanner, one large answer, and what this shift has handed over."""

import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from members.admin.base import actor_of, say_refusal, store_scope
from members.decisions import keep_refusal
from members.figures import money
from members.models import Store
from members.queries import programme
from members.refusals import Refusal
from rewards.counter_queries import shift_of
from rewards.models import Redemption, Voucher
from rewards.services.code_guessing import COUNTER, counted
from rewards.services.counter import CodeNotKnown, Served, serve, take_pickup_back, take_voucher_back
from rewards.services.voucher_refusals import MinSpendNotReached
from rewards.services.vouchers import UNDO_FOR
from rewards.voucher_sentence import voucher_sentence

if TYPE_CHECKING:
    from rewards.admin.vouchers import VoucherAdmin

PERMISSION: Final = "rewards.serve_at_counter"
ADDRESS: Final = "admin:rewards_voucher_counter"
_STORE: Final = "counter_store"
#: Where a refusal was said, as decisions of the API name their route.
_SUBJECT: Final = "counter"
_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class ScanForm(forms.Form):
    """What the scanner or the keyboard gives. A scanner types where the cursor stands: a code among amounts is meant as the code."""

    code = forms.CharField(label=gettext_lazy("Code of a voucher or a pick-up"), max_length=60)
    spend_amount = forms.DecimalField(
        label=gettext_lazy("Amount of the order"), max_digits=10, decimal_places=2, min_value=Decimal(0), required=False
    )
    order_no = forms.CharField(label=gettext_lazy("Order number"), max_length=80, required=False)
    slip_no = forms.RegexField(r"\AC-[0-9A-Z]{8}\Z", widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None = None) -> None:
        amount = data.get("spend_amount", "") if data else ""
        if data is not None and any(letter.isalpha() for letter in amount):
            data = data.copy()
            data["code"], data["spend_amount"] = amount, ""
        super().__init__(data)


class CounterPage:
    """The views of the counter, within the pages of vouchers."""

    def __init__(self, model_admin: "VoucherAdmin") -> None:
        self.model_admin = model_admin

    def page(self, request: HttpRequest) -> HttpResponse:
        """The page with the field; a code that is posted is served, and the answer shown large."""
        self._require(request)
        stores = _stores(request)
        store = _chosen(request, stores)
        form = ScanForm(request.POST if request.method == "POST" else None)
        shown: dict[str, Any] = {}
        if store is not None and request.method == "POST" and form.is_valid():
            shown = _served(request, store, form)
            form = ScanForm()
        elif store is not None and form.is_bound:
            shown = {"again": form["code"].value()}
        site = self.model_admin.admin_site
        request.current_app = site.name
        now = timezone.now()
        since = timezone.localtime(now, programme().tz).replace(hour=0, minute=0, second=0, microsecond=0)
        context = {
            **site.each_context(request), "opts": self.model_admin.opts, "title": _("Counter"), "media": self.model_admin.media,
            "stores": stores, "store": store, "form": form, "slip_no": _slip_no(), "undo_minutes": int(UNDO_FOR.total_seconds() // 60),
            "shift": shift_of(store.pk, since=since) if store else None, "undoable_since": now - UNDO_FOR, **shown,
        }  # fmt: skip
        answer = render(request, "portal/vouchers/counter.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def take_back(self, request: HttpRequest) -> HttpResponse:
        """Take back what was handed over some minutes ago."""
        self._require(request)
        store = _chosen(request, _stores(request))
        if request.method != "POST" or store is None:
            return HttpResponseRedirect(reverse(ADDRESS))
        by, at = actor_of(request), timezone.now()
        try:
            if "voucher" in request.POST:
                take_voucher_back(voucher_id=_number(request, "voucher"), store_id=store.pk, by=by, at=at)
                messages.success(request, _("The voucher can be used again."))
            else:
                take_pickup_back(redemption_id=_number(request, "redemption"), store_id=store.pk, by=by, at=at)
                messages.success(request, _("The order waits to be picked up again."))
        except Refusal as refusal:
            say_refusal(request, refusal)
        return HttpResponseRedirect(reverse(ADDRESS))

    def _require(self, request: HttpRequest) -> None:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied


counter_post = sensitive_post_parameters("code")


def _served(request: HttpRequest, store: Store, form: ScanForm) -> dict[str, Any]:
    asked, by, at = form.cleaned_data, actor_of(request), timezone.now()
    try:
        with counted(kind=COUNTER, partitions={"operator": str(by.id)}, wrong=CodeNotKnown, at=at):
            served = serve(
                code=asked["code"], store_id=store.pk, order_no=asked["order_no"] or asked["slip_no"],
                spend_amount=asked["spend_amount"], by=by, at=at,
            )  # fmt: skip
    except Refusal as refusal:
        keep_refusal(refusal, member_id=None, subject=_SUBJECT, by=by, at=at)
        asks_amount = isinstance(refusal, MinSpendNotReached) and asked["spend_amount"] is None
        if not asks_amount:
            return {"refused": refusal.sentence()}
        words = _("This voucher needs an order of %(required)s or more. How much is the order?")
        required = money(Decimal(str(refusal.params["required"])), programme().currency)
        return {"refused": words % {"required": required}, "asks_amount": True, "again": asked["code"]}
    return {"served": served, **_words(served)}


def _words(served: Served) -> dict[str, Any]:
    """Return what to give and what to collect, in words."""
    if served.voucher is not None:
        voucher = Voucher.objects.select_related("template", "member").get(pk=served.voucher.pk)
        return {"what": voucher.template.name, "rules": voucher_sentence(voucher.template), "member": voucher.member}
    assert served.redemption is not None  # noqa: S101 - it is one or the other
    order = Redemption.objects.select_related("reward", "member").get(pk=served.redemption.pk)
    return {"what": order.reward.name, "rules": "", "member": order.member, "to_collect": order.cash_amount or None}


def _stores(request: HttpRequest) -> list[Store]:
    """Return the stores at whose counter this operator may stand."""
    scope = store_scope(request)
    stores = Store.objects.all() if scope is None else Store.objects.filter(pk__in=scope)
    return list(stores.order_by("code")[:500])


def _chosen(request: HttpRequest, stores: list[Store]) -> Store | None:
    """Return the store that was chosen for this session; the only one where there is no choice."""
    asked = request.GET.get("store") or request.session.get(_STORE)
    store = next((one for one in stores if one.code == asked), stores[0] if len(stores) == 1 else None)
    if store is not None and request.session.get(_STORE) != store.code:
        request.session[_STORE] = store.code
    return store


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _slip_no() -> str:
    """Return the number of a slip, for what has no order: sent again it is the same one, so nothing happens twice."""
    return "C-" + "".join(secrets.choice(_LETTERS) for _place in range(8))
