"""The tab of a member's cards and names elsewhere, and its dialogs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from members.actors import Actor
from members.admin import panels
from members.admin.standing_dialogs import Wish, wish_dialog
from members.electronic_card import electronic_card_of
from members.models import Card, Identity, Member
from members.services.cards import bind_card, replace_card, report_lost, take_card_back
from members.services.identities import link_identity, unlink_identity

_MOST_CARDS = 50


def _reason() -> forms.CharField:
    return forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )


def _number(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=20, widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric", "autofocus": True})
    )


class BindDialog(BaseDialogForm):
    """Which card is given out."""

    number = _number(_("Card number"))


class EndCardDialog(BaseDialogForm):
    """Which card ends, and why. The card in use is filled in."""

    number = _number(_("Card number"))
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["number"].initial = _current(self.object_id)


class ReplaceDialog(EndCardDialog):
    """Which card takes the place of which."""

    new_number = _number(_("Number of the new card"))
    field_order = ("number", "new_number", "reason")


class LinkDialog(BaseDialogForm):
    """Under which name another system knows the member."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Identity.Kind.choices, widget=UnfoldAdminSelectWidget)
    issuer = forms.CharField(
        label=_("Issued by"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The shop, the appid of the mini-program or app, or the WeChat open platform account."),
    )
    value = forms.CharField(label=_("Identity"), max_length=120, widget=UnfoldAdminTextInputWidget)


class UnlinkDialog(BaseDialogForm):
    """Which name is forgotten, and why."""

    identity = forms.ChoiceField(label=_("Identity"), widget=UnfoldAdminSelectWidget)
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        identities = Identity.objects.filter(member_id=self.object_id).order_by("kind", "issuer", "pk")
        choices = [(one.pk, f"{one.get_kind_display()} · {one.issuer} · {masked(one.value)}") for one in identities]
        self.fields["identity"].choices = choices


def masked(value: str) -> str:
    """Return a name of another system so that its owner recognises it: its last four characters, of short ones fewer."""
    return f"…{value[-4:]}" if len(value) > 8 else f"…{value[-1:]}"


def _bind(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    bind_card(member_id=member_id, number=form.cleaned_data["number"], by=by, at=at)


def _lost(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    report_lost(member_id=member_id, **_card_and_reason(form), by=by, at=at)


def _back(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    take_card_back(member_id=member_id, **_card_and_reason(form), by=by, at=at)


def _replace(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    replace_card(
        member_id=member_id,
        old_number=wanted["number"],
        new_number=wanted["new_number"],
        reason=wanted["reason"],
        by=by,
        at=at,
    )


def _link(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    kind = Identity.Kind(wanted["kind"])
    link_identity(member_id=member_id, kind=kind, issuer=wanted["issuer"], value=wanted["value"], by=by, at=at)


def _unlink(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    unlink_identity(member_id=member_id, identity_id=int(wanted["identity"]), reason=wanted["reason"], by=by, at=at)


def _card_and_reason(form: Any) -> dict[str, Any]:
    return {"number": form.cleaned_data["number"], "reason": form.cleaned_data["reason"]}


CARD_WISHES: Final[Mapping[str, Wish]] = {
    "bind": Wish(
        "members.change_card",
        _("Give out a card"),
        _("Read the number from the card, or scan it."),
        _("Give out the card"),
        _("The card is in use."),
        BindDialog,
        _bind,
    ),
    "lost": Wish(
        "members.change_card",
        _("Was the card lost?"),
        _("It opens nothing from now on, for good."),
        _("Report the card lost"),
        _("The card is blocked."),
        EndCardDialog,
        _lost,
    ),
    "replace": Wish(
        "members.change_card",
        _("Replace a card"),
        _("The new card takes the place of the one in use, or of a lost one."),
        _("Replace the card"),
        _("The new card is in use."),
        ReplaceDialog,
        _replace,
    ),
    "back": Wish(
        "members.change_card",
        _("Was the card given back?"),
        _("It is not given out again."),
        _("Take the card back"),
        _("The card was taken back."),
        EndCardDialog,
        _back,
    ),
    "link": Wish(
        "members.change_identity",
        _("Add a name of another system"),
        _("Make sure that the account is the member's."),
        _("Add the identity"),
        _("The identity was added."),
        LinkDialog,
        _link,
    ),
    "unlink": Wish(
        "members.change_identity",
        _("Forget a name of another system?"),
        _("Who signs in there is not known as this member any more."),
        _("Forget the identity"),
        _("The identity was forgotten."),
        UnlinkDialog,
        _unlink,
    ),
}


def card_dialog(request: HttpRequest, member: Member, wish: str) -> HttpResponse:
    """Show the dialog of a wish, or carry it out and lead back to the tab."""
    then = reverse("admin:members_member_change", args=[member.pk]) + "?tab=identities"
    return wish_dialog(request, member, CARD_WISHES[wish], then)


def _current(member_id: Any) -> str:
    in_use = Card.objects.filter(member_id=member_id, state=Card.State.IN_USE)
    return in_use.values_list("number", flat=True).first() or ""


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    identities = Identity.objects.filter(member=member).order_by("kind", "issuer", "pk")
    cards = list(Card.objects.filter(member=member).select_related("batch").order_by("-bound_at", "-pk")[:_MOST_CARDS])
    return {
        "electronic": None if member.status == Member.Status.CLOSED else electronic_card_of(member),
        "handouts": [
            {"key": one.key, "label": one.label, "missing": _missing(one.missing(at), request)}
            for one in panels.handouts(request)
        ],
        "identities": [
            {"kind": one.get_kind_display(), "issuer": one.issuer, "value": masked(one.value), "since": one.linked_at}
            for one in identities
        ],
        "cards": cards,
        "has_card": any(card.state == Card.State.IN_USE for card in cards),
        "was_lost": any(card.state == Card.State.LOST and card.replaced_by_id is None for card in cards),
    }


def _missing(what: str, request: HttpRequest) -> str:
    """Return what has to be set up first: in full to who runs the portal; to others, that somebody has to."""
    if not what or request.user.has_perm("members.change_operator"):
        return what
    return _now("not set up yet. An administrator sees here what is missing.")


panels.register_tab(
    "identities", label=_("Cards and identities"), order=70, template="portal/member/identities.html", context=_tab
)
