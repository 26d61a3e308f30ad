"""Pages of voucher templates and of the vouchers that members hold. A voucher's code is never shown to staff."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from modeltranslation.utils import build_localized_fieldname
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, ReadOnlyInline, TranslatedAdmin
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from rewards.admin.counter import CounterPage, counter_post
from rewards.admin.voucher_actions import voucher_with_hand
from rewards.admin.voucher_form import BLOCKS, FIELDS, FIXED, SHOWN_WHEN, TEXTS, VoucherTemplateForm, template_warnings
from rewards.models import Voucher, VoucherEvent, VoucherTemplate
from rewards.voucher_sentence import voucher_names_for, voucher_sentence

STATE_COLOURS = {
    "issued": "success", "offered": "info", "held": "warning", "used": "info", "expired": "warning", "voided": "danger",
}  # fmt: skip


@admin.register(VoucherTemplate)
class VoucherTemplateAdmin(TranslatedAdmin):
    """What vouchers are worth, when and where they may be used, and how many there may be."""

    form = VoucherTemplateForm
    list_display = ("name", "sentence", "kind", "issuing")
    list_filter = (("kind", ChoicesDropdownFilter), "is_retired")
    search_fields = ("code", "name")
    fields = (*FIELDS, *TEXTS)
    conditional_fields = SHOWN_WHEN
    change_form_before_template = "portal/vouchers/beside.html"
    empty_sentence = _("No voucher template yet. Rewards, benefits and batches give vouchers that are made from one.")

    def get_fieldsets(self, request: HttpRequest, obj: VoucherTemplate | None = None) -> list[Any]:
        """Blocks that follow the questions staff ask, and a tab for each language."""
        blocks: list[Any] = [(title, {"fields": list(names)}) for title, names in BLOCKS]
        tabs = [
            (label, {"fields": [build_localized_fieldname(name, language) for name in TEXTS], "classes": ["tab"]})
            for language, label in settings.LANGUAGES
        ]
        return [*blocks, *tabs]

    def get_form(
        self, request: HttpRequest, obj: VoucherTemplate | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """A voucher in a member's hands keeps its worth: what it gives is fixed from the first one on; a change is a new template."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.is_held = obj is not None and obj.vouchers.exists()
        if form.is_held:
            for name in FIXED:
                if name in form.base_fields:
                    form.base_fields[name].disabled = True
                    form.base_fields[name].help_text = _(
                        "Fixed: members hold vouchers of this template. Make a new template instead."
                    )
        if obj is not None and "code" in form.base_fields:
            form.base_fields["code"].disabled = True
        return form

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("look/", view(self.look), name="rewards_vouchertemplate_look"),
            path("<int:template_id>/look/", view(self.look), name="rewards_vouchertemplate_look_at"),
        ]
        return own + super().get_urls()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        known = object_id is not None and object_id.isdecimal()
        at, args = ("look_at", [object_id]) if known else ("look", [])
        look = reverse(f"admin:rewards_vouchertemplate_{at}", args=args)
        return super().changeform_view(request, object_id, form_url, {"look": look, **(extra_context or {})})

    def look(self, request: HttpRequest, template_id: int = 0) -> HttpResponse:
        """What stands in the form now, in words, with what is missing and what to think of."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        kept = VoucherTemplate.objects.filter(pk=template_id).first() if template_id else None
        form = self.get_form(request, kept, change=kept is not None)(request.POST or None, instance=kept)
        form.is_valid()
        template: VoucherTemplate = form.instance
        for name, value in getattr(form, "cleaned_data", {}).items():
            setattr(template, name, value)
        missing = [str(form.fields[name].label) for name in form.errors if name in form.fields]
        context = {
            "sentence": voucher_sentence(template) if template.kind and not _is_open(template) else "",
            "missing": missing,
            "warnings": [] if missing else template_warnings(template),
        }
        return render(request, "portal/vouchers/words.html", context)

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Read the names that the sentences of the page need at once."""
        templates = [row for row in rows if isinstance(row, VoucherTemplate)]
        names = voucher_names_for(templates)
        for template in templates:
            template.said = voucher_sentence(template, names)  # type: ignore[attr-defined]

    @display(description=_("in words"))
    def sentence(self, template: VoucherTemplate) -> str:
        return template.said  # type: ignore[attr-defined]

    @display(description=_("issuing"), label={"on": "success", "over": "warning", "off": "info"})
    def issuing(self, template: VoucherTemplate) -> Badge:
        if template.is_retired:
            return Badge("off", _("no more are issued"))
        if template.valid_to is not None and template.valid_to <= timezone.now():
            return Badge("over", _("its time is over"))
        return Badge("on", _("can be issued"))


class VoucherEventInline(ReadOnlyInline):
    """What became of a voucher."""

    model = VoucherEvent
    fields = ("to_state", "store", "external_order_no", "reason", "happened_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoucherEvent]:
        return super().get_queryset(request).select_related("store")


@admin.register(Voucher)
class VoucherAdmin(FactAdmin):
    """Vouchers, newest first."""

    is_nameless = True
    list_display = ("issued_at", "member_page", "template", "state_badge", "origin", "expires_at")
    list_select_related = ("member", "template")
    list_filter = (
        ("state", ChoicesDropdownFilter), ("template", RelatedDropdownFilter), ("origin", ChoicesDropdownFilter),
        ("issued_at", DayRangeFilter),
    )  # fmt: skip
    ordering = ("-issued_at", "-id")
    fields = (
        "member", "template", "state_badge", "origin", "issued_at", "valid_from", "expires_at", "used_at", "used_order_no",
        "used_off_amount",
    )  # fmt: skip
    readonly_fields = ("state_badge",)
    inlines = (VoucherEventInline,)
    change_form_outer_after_template = "portal/vouchers/hand.html"
    empty_sentence = _("No voucher yet. Members get one with rewards they redeem, benefits, batches and offers.")

    def get_urls(self) -> list[URLPattern]:
        view, counter = self.admin_site.admin_view, CounterPage(self)
        own = [
            path("counter/", counter_post(view(counter.page)), name="rewards_voucher_counter"),
            path("counter/back/", view(counter.take_back), name="rewards_voucher_counter_back"),
        ]
        return own + super().get_urls()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voucher]:
        return super().get_queryset(request).defer("code_hmac")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {"voucher_now": voucher_with_hand(object_id, timezone.now()), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, told)

    @display(description=_("member"))
    def member_page(self, voucher: Voucher) -> SafeString:
        return member_link(voucher.member)

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, voucher: Voucher) -> Badge:
        state = voucher.state_at(timezone.now())
        return Badge(state.value, state.label)


def _is_open(template: VoucherTemplate) -> bool:
    """Whether what it is valid for has not been said yet."""
    return template.validity_days is None and template.valid_to is None
