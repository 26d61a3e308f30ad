"""The page of the programme's settings: one row, changed and never added."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from members.admin.base import TranslatedAdmin
from members.models import Programme
from members.queries import forget_programme


@admin.register(Programme)
class ProgrammeAdmin(TranslatedAdmin):
    """The one programme. Its list leads straight to it."""

    list_display = ("name", "zone", "currency")
    fields = ("name", "points_name", "zone", "currency", "closing_days", "second_step_required")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            return super().changelist_view(request, extra_context)
        return HttpResponseRedirect(reverse("admin:members_programme_change", args=[1]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Programme, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_programme()
