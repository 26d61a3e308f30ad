"""Pages of till keys: issued with a secret that is shown once, revoked, never deleted."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.dialogs import ReasonDialog, carry_out
from members.models import ApiKey
from members.refusals import Refusal
from members.services.keys import (
    BENEFITS_USE,
    MEMBERS_RESOLVE,
    ORDERS_READ,
    ORDERS_WRITE,
    SCOPES,
    SIGNED_SCOPES,
    VOUCHERS_REDEEM,
    change_scopes,
    issue_key,
    revoke_key,
    signing_secret,
)
from members.wording import enumerated


class IssueKeyForm(forms.ModelForm):
    """What a new key is for."""

    scopes = forms.MultipleChoiceField(
        label=_("The till may"),
        choices=list(SCOPES.items()),
        initial=[MEMBERS_RESOLVE, ORDERS_READ, ORDERS_WRITE, VOUCHERS_REDEEM, BENEFITS_USE],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "store", "channel", "source", "scopes")


class ScopesDialog(ReasonDialog):
    """What a key may do from now on. What it would have to sign is for new keys only."""

    scopes = forms.MultipleChoiceField(label=_("The till may"), widget=UnfoldAdminCheckboxSelectMultipleWidget)
    field_order = ("scopes", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        has = ApiKey.objects.values_list("scopes", flat=True).get(pk=self.object_id)
        field = cast(forms.MultipleChoiceField, self.fields["scopes"])
        field.choices = [
            (scope, label) for scope, label in SCOPES.items() if scope in has or scope not in SIGNED_SCOPES
        ]
        field.initial = has


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    """Keys of tills."""

    form = IssueKeyForm
    list_display = ("name", "prefix", "store", "scope_names", "created_at", "state")
    list_filter = (("store", RelatedDropdownFilter),)
    list_display_links = ("name",)
    list_select_related = ("store",)
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("store",)
    actions_detail = ("scopes", "revoke")
    store_path = "store"
    empty_sentence = _("No till has a key yet. Issue one for each till; it is shown once.")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "store", "channel", "source", "scopes")
        return ("name", "prefix", "store", "channel", "source", "scope_names", "created_at", "state")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.add_apikey")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).defer("key_sha256")

    @display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return enumerated(SCOPES.get(scope, scope) for scope in key.scopes)

    @display(description=_("state"), label={"live": "success", "revoked": "danger"})
    def state(self, key: ApiKey) -> Badge:
        return Badge("revoked", _("revoked")) if key.revoked_at else Badge("live", _("in use"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Issue a key. The page that answers is the only place where its secret is ever seen."""
        if request.method == "POST" and self.has_add_permission(request):
            form = self.get_form(request)(request.POST)
            if form.is_valid():
                wanted = form.cleaned_data
                try:
                    issued = issue_key(
                        name=wanted["name"],
                        store_id=wanted["store"].pk,
                        channel_id=wanted["channel"].pk,
                        source=wanted["source"],
                        scopes=wanted["scopes"],
                        by=actor_of(request),
                        at=timezone.now(),
                    )
                except Refusal as refusal:
                    say_refusal(request, refusal)
                else:
                    messages.success(request, _("The key was issued."))
                    return self._show_secret(request, issued.key, issued.secret)
        return super().add_view(request, form_url, extra_context)

    def _show_secret(self, request: HttpRequest, key: ApiKey, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("New till key"),
            "key": key,
            "secret": secret,
            "signing": signing_secret(key) if SIGNED_SCOPES & {*key.scopes} else "",
        }
        answer = render(request, "portal/key_issued.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to change or revoke a key that is in use."""
        in_use = ApiKey.objects.filter(pk=object_id, revoked_at__isnull=True).exists()
        return super().get_actions_detail(request, object_id) if in_use else []

    def has_revoke_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.change_apikey")

    @action(
        description=_("What it may do"),
        url_path="scopes",
        permissions=["revoke"],
        icon="tune",
        dialog={
            "title": _("What may the holder of this key do?"),
            "description": _("Holds from the next call on. The key itself stays as it is."),
            "form_class": ScopesDialog,
            "form_submit_text": _("Change"),
        },
    )
    def scopes(self, request: HttpRequest, form: ScopesDialog, object_id: int) -> HttpResponse:
        def act() -> None:
            change_scopes(
                key_id=int(object_id), scopes=form.cleaned_data["scopes"], reason=form.cleaned_data["reason"],
                by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        then = reverse("admin:members_apikey_change", args=[object_id])
        return carry_out(request, act, done=_("The key was changed."), then=then)

    @action(
        description=_("Revoke"),
        url_path="revoke",
        permissions=["revoke"],
        icon="block",
        dialog={
            "title": _("Revoke this till key?"),
            "description": _(
                "The till is cut off at once, and for good. Issue a new key first if it shall go on working."
            ),
            "form_class": ReasonDialog,
            "form_submit_text": _("Revoke the key"),
        },
    )
    def revoke(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return carry_out(
            request,
            lambda: revoke_key(key_id=int(object_id), by=actor_of(request), at=timezone.now()),
            done=_("The key was revoked."),
            then=reverse("admin:members_apikey_changelist"),
        )
