"""Pages of the details that staff define: what is asked of members, as what type, and what for."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Field
from django.forms import Field as FormField
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationTabularInline
from unfold.admin import TabularInline
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin
from members.models import AttributeChoice, MemberAttribute


class AttributeChoiceInline(TabularInline, TranslationTabularInline):
    """The answers of a detail with a list. Codes are for ever: profiles name them."""

    model = AttributeChoice
    fields = ("code", "name", "is_on", "order")
    extra = 0
    can_delete = False
    show_title = False
    verbose_name_plural = _("Answers (only for the types with a list)")

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        formfield = super().formfield_for_dbfield(db_field, request, **kwargs)
        original = getattr(db_field, "translated_field", None)
        if formfield and original is not None:
            language = dict(settings.LANGUAGES)[db_field.language]  # type: ignore[attr-defined]
            formfield.label = f"{capfirst(original.verbose_name)} · {language}"
        return formfield


@admin.register(MemberAttribute)
class MemberAttributeAdmin(TranslatedAdmin):
    """What is known of members beyond the fixed fields."""

    list_display = ("name", "code", "kind", "sensitivity_badge", "is_open_to_members", "counts", "is_on")
    ordering = ("order", "code")
    fields = (
        *("code", "name", "purpose", "kind", "unit"),
        *("sensitivity", "is_open_to_members", "counts", "is_on", "order"),
    )
    inlines = (AttributeChoiceInline,)
    empty_sentence = _("No detail yet. Add what you need to know of members, such as their occupation, and what for.")

    @display(description=_("sensitivity"), label={"ordinary": "info", "sensitive": "warning"})
    def sensitivity_badge(self, attribute: MemberAttribute) -> Badge:
        return Badge(attribute.sensitivity, _("sensitive") if attribute.is_sensitive else _("ordinary"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "kind") if obj is not None else ()
