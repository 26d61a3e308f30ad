"""The tabs of what a member agrees to, and of the member's wishes about personal data with who looked at it."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.admin import panels
from members.admin.keyset import page_of
from members.admin.privacy_dialogs import HANDLE, RECORD
from members.admin.timeline import ActorNames
from members.consents import ALLOWED_UNTIL_NO, CONTACTING, channels_of
from members.models import ConsentEntry, ConsentState, ContactChannel, Member, PrivacyRequest, Purpose, TimelineEntry
from members.queries import family_ids
from members.services.personal_data import REASONS, VIEWED
from members.services.privacy import checklist

#: What counts as having seen who a member is.
LOOKS: Final = (VIEWED, "members.copy_asked.v1", "members.copy_taken.v1")
_FIELDS: Final = {
    "full_name": gettext_lazy("name"),
    "phone": gettext_lazy("phone"),
    "email": gettext_lazy("e-mail"),
    "birthday": gettext_lazy("birthday"),
}
_MOST_WISHES: Final = 20


def _consents_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    states = {(state.purpose, state.channel): state for state in ConsentState.objects.filter(member=member)}
    texts = dict(
        ConsentEntry.objects.filter(pk__in=[state.entry_id for state in states.values()]).values_list(
            "pk", "text__version"
        )
    )
    stop = states.get((Purpose.CONTACT, ""))
    is_stopped = stop is not None and not stop.is_given
    is_leaving = PrivacyRequest.objects.filter(
        member=member, kind=PrivacyRequest.Kind.ERASURE, state=PrivacyRequest.State.WAITING
    ).exists()
    rows = []
    for purpose in Purpose:
        if purpose == Purpose.CONTACT:
            continue
        cells = []
        for channel in channels_of(purpose):
            state = states.get((purpose, channel))
            said_yes = state.is_given if state else purpose in ALLOWED_UNTIL_NO
            cells.append(
                {
                    "label": ContactChannel(channel).label if channel else "",
                    "state": state,
                    "version": texts.get(state.entry_id) if state else None,
                    "is_allowed": said_yes and not is_leaving and not (is_stopped and purpose in CONTACTING),
                }
            )
        rows.append({"label": purpose.label, "needs_yes": purpose not in ALLOWED_UNTIL_NO, "cells": cells})
    page = page_of(
        ConsentEntry.objects.filter(member__in=family_ids(member.pk)).select_related("text"),
        by=("happened_at", "id"),
        cursor=request.GET.get("cursor", ""),
    )
    actors = ActorNames.of(page.rows)
    return {
        "rows": rows,
        "stop": stop,
        "is_stopped": is_stopped,
        "is_leaving": is_leaving,
        "page": page,
        "history": [(entry, actors.name(entry)) for entry in page.rows],
        "may_record": request.user.has_perm(RECORD),
    }


def _privacy_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    family = family_ids(member.pk)
    wishes = list(PrivacyRequest.objects.filter(member__in=family).order_by("-asked_at", "-pk")[:_MOST_WISHES])
    waiting = next(
        (wish for wish in wishes if _is(wish, PrivacyRequest.Kind.ERASURE, PrivacyRequest.State.WAITING)), None
    )
    is_erased = any(_is(wish, PrivacyRequest.Kind.ERASURE, PrivacyRequest.State.DONE) for wish in wishes)
    page = page_of(
        TimelineEntry.objects.filter(member__in=family, kind__in=LOOKS),
        by=("id",),
        cursor=request.GET.get("cursor", ""),
    )
    actors = ActorNames.of(page.rows)
    return {
        "wishes": [
            {
                "wish": wish,
                "is_erasure": wish.kind == PrivacyRequest.Kind.ERASURE,
                "can_be_fetched": wish.state == PrivacyRequest.State.DONE
                and wish.link_until is not None
                and wish.link_until > at
                and request.user.has_perm(HANDLE),
            }
            for wish in wishes
        ],
        "waiting": waiting,
        "obstacles": checklist(member_id=member.pk, at=at).obstacles if waiting else [],
        "is_erased": is_erased,
        "may_handle": request.user.has_perm(HANDLE) and not is_erased and member.merged_into_id is None,
        "page": page,
        "looks": [
            {"at": entry.happened_at, "by": actors.name(entry), "what": _what(entry), "why": _why(entry)}
            for entry in page.rows
        ],
    }


def _is(wish: PrivacyRequest, kind: PrivacyRequest.Kind, state: PrivacyRequest.State) -> bool:
    return wish.kind == kind and wish.state == state


def _what(entry: TimelineEntry) -> str:
    if entry.kind != VIEWED:
        return _("a copy of all data")
    fields = entry.payload.get("fields") or list(_FIELDS)
    return _(", ").join(str(_FIELDS.get(field, field)) for field in fields)


def _why(entry: TimelineEntry) -> str:
    reason = str(REASONS.get(entry.payload.get("reason", ""), ""))
    words = entry.payload.get("words", "")
    return f"{reason}: {words}" if reason and words else reason or words


panels.register_tab(
    "consents",
    label=gettext_lazy("Consents"),
    order=70,
    template="portal/member/consents.html",
    context=_consents_tab,
    permission="members.view_consententry",
)
panels.register_tab(
    "privacy",
    label=gettext_lazy("Personal data"),
    order=75,
    template="portal/member/privacy.html",
    context=_privacy_tab,
    permission="members.view_privacyrequest",
)
