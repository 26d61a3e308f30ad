"""Offers of vouchers: drafted on a form, started, paused and ended by buttons, with the code to scan."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import segno
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin, actor_of, say_refusal
from members.admin.dialogs import ConfirmDialog, ReasonDialog, carry_out
from members.figures import grouped
from members.refusals import Refusal
from members.segment_queries import segments_in_use
from rewards.models import VoucherClaim, VoucherOffer, VoucherTemplate
from rewards.services.voucher_offers import begin_draft, end_offer, new_claim_code, pause_offer, scan_code, start_offer
from rewards.voucher_offer_sentence import offer_sentence
from rewards.voucher_sentence import voucher_names_for

RUN: Final = "rewards.run_voucheroffer"
_COLOURS: Final = {"draft": "warning", "running": "success", "paused": "info", "ended": "default"}
_FIXED: Final = ("template", "segment", "min_tier")
_MOST_CLAIMS: Final = 1_000
State = VoucherOffer.State


class VoucherOfferForm(ModelForm):
    """An offer."""

    def clean_total_limit(self) -> int | None:
        """There can not be fewer than members have claimed."""
        total: int | None = self.cleaned_data["total_limit"]
        if total is not None and total < self.instance.claimed:
            words = _now("Members have claimed %(number)s already.") % {"number": grouped(self.instance.claimed)}
            self.add_error("total_limit", words)
        return total


@admin.register(VoucherOffer)
class VoucherOfferAdmin(TranslatedAdmin):
    """The offers, newest first."""

    form = VoucherOfferForm
    list_display = ("name", "sentence", "state_badge", "claimed_of_all", "begins_at", "ends_at")
    list_select_related = ("template", "segment", "min_tier")
    list_filter = (("state", ChoicesDropdownFilter), ("template", RelatedDropdownFilter))
    ordering = ("-begins_at", "-id")
    sortable_by = ()
    fields = (
        "name", "sentence", "template", "begins_at", "ends_at", "segment", "min_tier", "per_member_limit", "total_limit",
        "by_button", "by_scan",
    )  # fmt: skip
    readonly_fields = ("sentence",)
    change_form_outer_after_template = "portal/vouchers/offer.html"
    empty_sentence = _(
        "No voucher offer yet. Members claim vouchers of an offer themselves, in the app or by scanning."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Look up the names in the sentences of this page once."""
        offers = [row for row in rows if isinstance(row, VoucherOffer)]
        names = voucher_names_for(offer.template for offer in offers)
        for offer in offers:
            offer.names = names  # type: ignore[attr-defined]

    @display(description=_("in words"))
    def sentence(self, offer: VoucherOffer) -> str:
        return offer_sentence(offer, getattr(offer, "names", None)) if offer.pk else "–"

    @display(description=_("state"), label=_COLOURS)
    def state_badge(self, offer: VoucherOffer) -> Badge:
        return Badge(offer.state, offer.get_state_display())

    @display(description=_("claimed"))
    def claimed_of_all(self, offer: VoucherOffer) -> str:
        if offer.total_limit is None:
            return grouped(offer.claimed)
        return _now("%(claimed)s of %(total)s") % {
            "claimed": grouped(offer.claimed), "total": grouped(offer.total_limit)
        }  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: VoucherOffer | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """What members have claimed stays what it was; for another voucher there is another offer."""
        form = super().get_form(request, obj, change=change, **kwargs)
        fields: dict[str, Any] = form.base_fields
        if "segment" in fields:
            fields["segment"].queryset = segments_in_use()
        if "template" in fields:
            fields["template"].queryset = VoucherTemplate.objects.filter(is_retired=False).order_by("name", "pk")
        if obj is not None and obj.state != State.DRAFT:
            for name in {*_FIXED} & fields.keys():
                fields[name].queryset = fields[name].queryset.model.objects.all()
                fields[name].disabled = True
                fields[name].help_text = _("Fixed: the offer was started. Make another offer instead.")
        return form

    def has_change_permission(self, request: HttpRequest, obj: VoucherOffer | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.state != State.ENDED)

    def save_model(self, request: HttpRequest, obj: VoucherOffer, form: ModelForm, change: bool) -> None:
        if not change:
            begin_draft(obj, at=timezone.now())
            super().save_model(request, obj, form, change)
        elif form.changed_data:  # only these: members claim meanwhile
            obj.save(update_fields=form.changed_data)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:offer_id>/start/", view(self.start), name="rewards_voucheroffer_start"),
            path("<int:offer_id>/pause/", view(self.pause), name="rewards_voucheroffer_pause"),
            path("<int:offer_id>/end/", view(self.end), name="rewards_voucheroffer_end"),
            path("<int:offer_id>/claim-code/", view(self.claim_code), name="rewards_voucheroffer_claim_code"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        offer = VoucherOffer.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        told = {"beside": _beside(request, offer)} if offer is not None else {}
        return super().change_view(request, object_id, form_url, {**told, **(extra_context or {})})

    def start(self, request: HttpRequest, offer_id: int) -> HttpResponse:
        """The dialog that lets members claim."""
        dialog = {
            "title": _now("Start this offer?"), "description": _now("From its first moment on, members can claim vouchers."),
            "form_submit_text": _now("Start the offer"),
        }  # fmt: skip
        form = ConfirmDialog(request, offer_id, request.POST or None)
        return self._ask(request, offer_id, dialog, form, start_offer, _now("The offer runs."))

    def pause(self, request: HttpRequest, offer_id: int) -> HttpResponse:
        """The dialog that lets nobody claim for a while."""
        dialog = {
            "title": _now("Pause this offer?"), "description": _now("Nobody can claim until it is started again."),
            "form_submit_text": _now("Pause the offer"),
        }  # fmt: skip
        form = ReasonDialog(request, offer_id, request.POST or None)
        act = lambda **told: pause_offer(reason=form.cleaned_data["reason"], **told)  # noqa: E731
        return self._ask(request, offer_id, dialog, form, act, _now("The offer is paused."))

    def end(self, request: HttpRequest, offer_id: int) -> HttpResponse:
        """The dialog that ends an offer for good."""
        dialog = {
            "title": _now("End this offer for good?"), "description": _now("Vouchers that members have claimed stay theirs."),
            "form_submit_text": _now("End the offer"),
        }  # fmt: skip
        form = ReasonDialog(request, offer_id, request.POST or None)
        act = lambda **told: end_offer(reason=form.cleaned_data["reason"], **told)  # noqa: E731
        return self._ask(request, offer_id, dialog, form, act, _now("The offer is ended."))

    def claim_code(self, request: HttpRequest, offer_id: int) -> HttpResponse:
        """Makes a claim code in place of the one before, and shows it this once."""
        offer = self._offer(request, offer_id)
        if request.method != "POST":
            return HttpResponseRedirect(_address(offer_id))
        try:
            code = new_claim_code(offer_id=offer.pk, by=actor_of(request), at=timezone.now())
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(_address(offer_id))
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": offer.name, "offer": offer, "code": code,
        }  # fmt: skip
        answer = render(request, "portal/vouchers/claim_code.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def _ask(
        self,
        request: HttpRequest,
        offer_id: int,
        dialog: dict[str, Any],
        form: Any,
        act: Callable[..., None],
        done: str,
    ) -> HttpResponse:
        self._offer(request, offer_id)
        if request.method != "POST" or not form.is_valid():
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request, lambda: act(offer_id=offer_id, by=actor_of(request), at=timezone.now()), done=done, then=_address(offer_id)
        )  # fmt: skip

    def _offer(self, request: HttpRequest, offer_id: int) -> VoucherOffer:
        if not request.user.has_perm(RUN):
            raise PermissionDenied
        offer = VoucherOffer.objects.filter(pk=offer_id).first()
        if offer is None:
            raise Http404
        return offer


def _beside(request: HttpRequest, offer: VoucherOffer) -> dict[str, Any]:
    may_run = request.user.has_perm(RUN)
    return {
        "offer": offer,
        "code": scan_code(offer) if offer.by_scan and may_run else "",
        "picture": _picture(scan_code(offer)) if offer.by_scan and may_run else "",
        "has_claim_code": offer.claim_code_hmac is not None,
        "took": _took(offer),
        "may_start": may_run and offer.state in (State.DRAFT, State.PAUSED),
        "may_pause": may_run and offer.state == State.RUNNING,
        "may_end": may_run and offer.state != State.ENDED,
    }


def _picture(code: str) -> SafeString:
    """Return the code to scan as a picture for the page."""
    return mark_safe(segno.make_qr(code, error="q").svg_inline(scale=4))  # noqa: S308 - our own picture of our own code


def _took(offer: VoucherOffer) -> str:
    """Return how long the last claims took by half of the members who say so, in seconds; empty where nobody does."""
    times = (
        VoucherClaim.objects.filter(offer=offer, took_ms__isnull=False)
        .order_by("-pk")
        .values_list("took_ms", flat=True)
    )
    found = sorted(time for time in times[:_MOST_CLAIMS] if time is not None)
    if not found:
        return ""
    return _now("%(seconds)s seconds") % {"seconds": f"{found[len(found) // 2] / 1_000:.1f}"}


def _address(offer_id: int) -> str:
    return reverse("admin:rewards_voucheroffer_change", args=[offer_id])
