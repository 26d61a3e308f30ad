"""Pages of till keys: issued with a secret that is shown once, bounded, rotated, revoked; never deleted."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from members.actors import Actor
from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.days import local_moment
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.key_forms import BoundsDialog, IssueKeyForm, RotateForm, ScopesDialog
from members.admin.timeline import tell
from members.figures import grouped
from members.models import ApiKey, TimelineEntry
from members.refusals import Refusal
from members.services.keys import (
    SCOPES,
    SIGNED_SCOPES,
    change_bounds,
    change_scopes,
    issue_key,
    revoke_key,
    rotate_key,
    rotate_signing_secret,
    signing_secret,
    signs_batches,
)
from members.wording import enumerated

_ENTRIES_SHOWN = 20
#: How many scopes of a key the list names.
_SCOPES_SHOWN = 3
_FACTS = ("name", "prefix", "state", "store", "more_stores", "channel", "source", "scope_names", "ceiling", "networks_shown", "last_used", "created_at", "ends")  # fmt: skip


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    """Keys of tills."""

    form = IssueKeyForm
    list_display = ("name", "prefix", "store", "scopes_in_short", "last_used", "ends", "state")
    list_filter = (("store", RelatedDropdownFilter),)
    list_display_links = ("name",)
    list_select_related = ("store", "use")
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("store",)
    actions_detail = ("rotate", "bounds", {"title": _("More"), "items": ["scopes", "rotate_signing", "revoke"]})
    change_form_outer_after_template = "portal/keys/history.html"
    store_path = "store"
    empty_sentence = _("No till has a key yet. Issue one for each till; it is shown once.")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "store", "channel", "source", "scopes", "daily_points_ceiling", "stores", "networks")
        return _FACTS

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.add_apikey")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).defer("key_sha256").select_related("store", "use", "channel")

    @display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return enumerated(SCOPES.get(scope, scope) for scope in key.scopes)

    @display(description=_("scopes"))
    def scopes_in_short(self, key: ApiKey) -> str:
        """A few of what a key may do; all of it stands on its page."""
        first, more = key.scopes[:_SCOPES_SHOWN], len(key.scopes) - _SCOPES_SHOWN
        words = enumerated(SCOPES.get(scope, scope) for scope in first)
        if more <= 0:
            return words
        return ngettext("%(some)s and %(count)s more", "%(some)s and %(count)s more", more) % {
            "some": words,
            "count": more,
        }

    @display(
        description=_("state"), label={"live": "success", "ending": "warning", "ended": "info", "revoked": "danger"}
    )
    def state(self, key: ApiKey) -> Badge:
        if key.revoked_at:
            return Badge("revoked", _("revoked"))
        if key.ends_at is None:
            return Badge("live", _("in use"))
        return Badge("ended", _("ended")) if key.ends_at <= timezone.now() else Badge("ending", _("ends soon"))

    @display(description=_("last used"))
    def last_used(self, key: ApiKey) -> str:
        use = getattr(key, "use", None)
        return local_moment(use.last_used_at) if use else _now("not used yet")

    @display(description=_("ends on"))
    def ends(self, key: ApiKey) -> str:
        end = key.revoked_at or key.ends_at
        return local_moment(end) if end else "–"

    @display(description=_("points a day at most"))
    def ceiling(self, key: ApiKey) -> str:
        return _now("no limit") if key.daily_points_ceiling is None else grouped(key.daily_points_ceiling)

    @display(description=_("networks"))
    def networks_shown(self, key: ApiKey) -> str:
        return enumerated(key.networks) or _now("any")

    @display(description=_("more stores"))
    def more_stores(self, key: ApiKey) -> str:
        return enumerated(store.name for store in key.stores.all()) or "–"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context: dict[str, Any] = dict(extra_context or {})
        if object_id.isdigit() and self.get_queryset(request).filter(pk=object_id).exists():
            entries = TimelineEntry.objects.filter(subject=f"key:{object_id}").order_by("-id")
            context["milestones"] = tell(list(entries[:_ENTRIES_SHOWN]))
        return super().change_view(request, object_id, form_url, context)

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
                        store_ids=[store.pk for store in wanted["stores"]],
                        networks=wanted["networks"],
                        daily_points_ceiling=wanted["daily_points_ceiling"],
                        by=actor_of(request),
                        at=timezone.now(),
                    )
                except Refusal as refusal:
                    say_refusal(request, refusal)
                else:
                    messages.success(request, _("The key was issued."))
                    return self._show_secret(request, issued.key, issued.secret)
        return super().add_view(request, form_url, extra_context)

    def _show_secret(self, request: HttpRequest, key: ApiKey, secret: str, signing: str = "") -> HttpResponse:
        """Show what is shown once: a key, a secret to sign with, or both."""
        if secret and (SIGNED_SCOPES & {*key.scopes} or signs_batches(key)):
            signing = signing_secret(key)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("New till key"),
            "key": key,
            "secret": secret,
            "signing": signing,
        }
        answer = render(request, "portal/key_issued.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to change or revoke a key that is in use."""
        live = ApiKey.objects.filter(pk=object_id, revoked_at__isnull=True).exclude(ends_at__lte=timezone.now())
        return super().get_actions_detail(request, object_id) if live.exists() else []

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
        description=_("Bounds"),
        url_path="bounds",
        permissions=["revoke"],
        icon="fence",
        dialog={
            "title": _("How far may this key go?"),
            "description": _("Holds from the next call on. The key itself stays as it is."),
            "form_class": BoundsDialog,
            "form_submit_text": _("Change"),
        },
    )
    def bounds(self, request: HttpRequest, form: BoundsDialog, object_id: int) -> HttpResponse:
        wanted = form.cleaned_data

        def act() -> None:
            change_bounds(
                key_id=int(object_id), store_ids=[store.pk for store in wanted["stores"]], networks=wanted["networks"],
                daily_points_ceiling=wanted["daily_points_ceiling"], ends_at=form.ends_at, reason=wanted["reason"],
                by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        then = reverse("admin:members_apikey_change", args=[object_id])
        return carry_out(request, act, done=_("The key was changed."), then=then)

    @action(description=_("Rotate"), url_path="rotate", permissions=["revoke"], icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for how long the old key goes on, and show the new one."""

        def act(key: ApiKey, days: int, reason: str, by: Actor, at: datetime) -> HttpResponse:
            issued = rotate_key(key_id=key.pk, overlap_days=days, reason=reason, by=by, at=at)
            return self._show_secret(request, issued.key, issued.secret)

        words = _now(
            "It has the same rights and bounds as the old one and is shown once. Put it into the till before the old one ends."
        )
        return self._ask(request, object_id, _now("A new key in the place of this one"), words, act)

    @action(description=_("Signing secret"), url_path="rotate-signing", permissions=["revoke"], icon="draw")
    def rotate_signing(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for how long the old secret is good, and show the new one."""

        def act(key: ApiKey, days: int, reason: str, by: Actor, at: datetime) -> HttpResponse:
            secret = rotate_signing_secret(key_id=key.pk, overlap_days=days, reason=reason, by=by, at=at)
            return self._show_secret(request, key, "", secret)

        words = _now(
            "For batches and servers, which sign what they send. Offline batches of this key are taken signed only from now on. "
            "The key itself stays as it is. The secret is shown once."
        )
        return self._ask(request, object_id, _now("A new secret to sign with"), words, act)

    def _ask(
        self,
        request: HttpRequest,
        object_id: int,
        title: str,
        words: str,
        act: Callable[[ApiKey, int, str, Actor, datetime], HttpResponse],
    ) -> HttpResponse:
        """Show the page that asks for an overlap and a reason; when it was sent, what comes of it."""
        key = self.get_queryset(request).filter(pk=object_id).first()
        if key is None:
            raise Http404
        form: forms.Form = RotateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                return act(key, said["overlap_days"], said["reason"], actor_of(request), timezone.now())
            except Refusal as refusal:
                say_refusal(request, refusal)
        back = reverse("admin:members_apikey_change", args=[key.pk])
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": title, "words": words, "form": form, "key": key,
            "back": back,
        }  # fmt: skip
        return render(request, "portal/keys/ask.html", context)

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
            lambda: revoke_key(
                key_id=int(object_id), reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            ),
            done=_("The key was revoked."),
            then=reverse("admin:members_apikey_changelist"),
        )
