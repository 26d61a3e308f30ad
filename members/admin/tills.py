"""The tills of a store: which there are, and the page that lets another one in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from django.contrib import admin
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from members.admin.base import actor_of, say_refusal
from members.admin.key_forms import ActivateForm
from members.models import ApiKey, Store
from members.refusals import Refusal
from members.services.devices import MadeCode, make_activation
from members.services.keys import SCOPES
from members.wording import enumerated

_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class TillRow:
    """A key that acts for a store, as the page of the store tells it."""

    key: ApiKey
    scopes: str
    device: str
    last_used_at: datetime | None
    is_elsewhere: bool


def tills_of(store_id: int) -> list[TillRow]:
    """Return the keys that act for a store now, the newest first: two queries, at most fifty."""
    live = ApiKey.objects.filter(revoked_at__isnull=True).exclude(ends_at__lte=timezone.now())
    mine = live.filter(Q(store=store_id) | Q(stores=store_id)).distinct()
    found = mine.select_related("use", "activation").defer("key_sha256").order_by("-created_at", "-id")
    rows = []
    for key in found[:_MOST_SHOWN]:
        use, activation = getattr(key, "use", None), getattr(key, "activation", None)
        rows.append(
            TillRow(
                key,
                enumerated(SCOPES.get(scope, scope) for scope in key.scopes),
                activation.device if activation else "",
                use.last_used_at if use else None,
                key.store_id != store_id,
            )
        )
    return rows


def activate_page(request: HttpRequest, *, store: Store | None, opts: Any) -> HttpResponse:
    """Ask what the till will be; when that was said, show the code, once."""
    if store is None:
        raise Http404
    initial = {
        "name": _("Till %(number)s") % {"number": ApiKey.objects.filter(store=store).count() + 1},
        "source": "till",
    }
    form = ActivateForm(request.POST or None, initial=initial)
    made: MadeCode | None = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = make_activation(
                store_id=store.pk,
                channel_id=said["channel"].pk,
                name=said["name"],
                source=said["source"],
                scopes=said["scopes"],
                daily_points_ceiling=said["daily_points_ceiling"],
                reason=said["reason"],
                by=actor_of(request),
                at=timezone.now(),
            )
        except Refusal as refusal:
            say_refusal(request, refusal)
    context = {
        **admin.site.each_context(request),
        "opts": opts,
        "title": _("Activate a till in %(store)s") % {"store": store.name},
        "form": form,
        "store": store,
        "made": made,
        "back": reverse("admin:members_store_change", args=[store.pk]),
    }
    if made is not None:
        address = request.build_absolute_uri("/api/v1")
        context["square"] = segno.make(made.square_text(address), error="m").svg_inline(scale=7, border=3, light="#fff")
    answer = render(request, "portal/keys/activate.html", context)
    answer["Cache-Control"] = "no-store"
    return answer
