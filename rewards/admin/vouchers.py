"""Pages of voucher templates and of the vouchers that members hold. A voucher's code is never shown to staff."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, ReadOnlyInline, TranslatedAdmin
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from rewards.admin.wording import template_sentence
from rewards.models import Voucher, VoucherEvent, VoucherTemplate

STATE_COLOURS = {"issued": "success", "used": "info", "expired": "warning"}


@admin.register(VoucherTemplate)
class VoucherTemplateAdmin(TranslatedAdmin):
    """What vouchers are worth."""

    list_display = ("name", "sentence", "code", "kind")
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("code", "name")
    fields = ("code", "name", "sentence", "terms", "kind", "off_amount", "min_spend_amount", "validity_days")
    readonly_fields = ("sentence",)
    conditional_fields = {"off_amount": "kind == 'amount'"}
    empty_sentence = _("No voucher template yet. Rewards give vouchers that are made from one.")

    def get_form(
        self, request: HttpRequest, obj: VoucherTemplate | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """A voucher in a member's hands keeps its worth: what it gives is fixed from the first one on; a change is a new template."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and obj.vouchers.exists():
            for name in {"kind", "off_amount", "min_spend_amount"} & form.base_fields.keys():
                form.base_fields[name].disabled = True
                form.base_fields[name].help_text = _(
                    "Fixed: members hold vouchers of this template. Make a new template instead."
                )
        return form

    @display(description=_("in words"))
    def sentence(self, template: VoucherTemplate) -> str:
        return template_sentence(template) if template.pk else "–"


class VoucherEventInline(ReadOnlyInline):
    """What became of a voucher."""

    model = VoucherEvent
    fields = ("to_state", "store", "external_order_no", "happened_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoucherEvent]:
        return super().get_queryset(request).select_related("store")


@admin.register(Voucher)
class VoucherAdmin(FactAdmin):
    """Vouchers, newest first."""

    is_nameless = True
    list_display = ("issued_at", "member_page", "template", "state_badge", "expires_at")
    list_select_related = ("member", "template")
    list_filter = (("state", ChoicesDropdownFilter), ("template", RelatedDropdownFilter), ("issued_at", DayRangeFilter))
    ordering = ("-issued_at", "-id")
    fields = ("member", "template", "state_badge", "issued_at", "expires_at")
    readonly_fields = ("state_badge",)
    inlines = (VoucherEventInline,)
    empty_sentence = _("No voucher yet. Members get one with each reward they redeem.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voucher]:
        return super().get_queryset(request).defer("code_hmac")

    @display(description=_("member"))
    def member_page(self, voucher: Voucher) -> SafeString:
        return member_link(voucher.member)

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, voucher: Voucher) -> Badge:
        return Badge(voucher.state, voucher.get_state_display())
