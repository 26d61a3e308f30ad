"""What members are entitled to: the list, the tab of the member page, and the dialogs in which staff use, give and take back."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from loyalty.admin.badges import tier_badge
from loyalty.benefit_queries import benefits_of_member
from loyalty.benefit_words import cell_words, member_sentence, source_words, state_words, until_words
from loyalty.models import Benefit, Entitlement, EntitlementUse
from loyalty.services.benefit_proposals import GIVE, MOST_DAYS, MOST_USES, propose_benefit
from loyalty.services.entitlements import BY_STAFF, Use, revoke_entitlement, undo_use, use_benefit
from members.admin import panels
from members.admin.base import Badge, actor_of, say_refusal
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.admin.timeline import ActorNames
from members.figures import money
from members.models import Member, Operator
from members.proposals import my_limit
from members.queries import family_ids, programme
from members.refusals import Refusal

SEE = "loyalty.view_entitlement"
USE = "loyalty.use_entitlement"
GIVE_BY_HAND = "loyalty.give_benefit"
_COLOURS = {"granted": "success", "used_up": "info", "expired": "warning", "revoked": "danger"}
_SHOWN_USES = 25
_SHOWN = 100


class UseDialog(ReasonDialog):
    """Asks how the member used it; sent twice, it counts once."""

    request_id = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["request_id"].initial = uuid4().hex


class GiveDialog(UseDialog):
    """Asks what is given, how often, and for how long."""

    benefit: Any = forms.ModelChoiceField(
        label=_("Benefit"), queryset=Benefit.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    uses = forms.IntegerField(
        label=_("Uses"), min_value=1, max_value=MOST_USES, initial=1, widget=UnfoldAdminIntegerFieldWidget
    )
    days = forms.IntegerField(
        label=_("For how many days"), min_value=1, max_value=MOST_DAYS, initial=30, widget=UnfoldAdminIntegerFieldWidget
    )
    field_order = ("benefit", "uses", "days", "reason", "request_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        counted = Benefit.objects.filter(is_on=True, quota__isnull=False).order_by("kind", "code")
        cast(forms.ModelChoiceField, self.fields["benefit"]).queryset = counted
        limit = my_limit(operator=cast(Operator, self.request.user), kind=GIVE, at=timezone.now())
        words = (
            _now(
                "Alone you may give what costs %(each)s each time, and %(left)s more today; above that a colleague approves."
            )
            if limit.per_entry
            else _now("What has a cost waits until a colleague approves it.")
        )
        sign = programme().currency
        self.fields["uses"].help_text = words % {
            "each": money(Decimal(limit.per_entry), sign), "left": money(Decimal(limit.left_today), sign),
        }  # fmt: skip


@admin.register(Entitlement)
class EntitlementAdmin(FactAdmin):
    """What members were given, newest first."""

    is_nameless = True
    list_display = ("granted_at", "member_page", "benefit_name", "by_what", "uses", "until", "state_badge")
    list_display_links = ("granted_at",)
    list_select_related = ("member", "benefit", "tier")
    list_filter = (
        ("state", ChoicesDropdownFilter), ("source", ChoicesDropdownFilter), ("benefit", RelatedDropdownFilter),
        ("granted_at", DayRangeFilter),
    )  # fmt: skip
    ordering = ("-granted_at", "-id")
    fields = ("granted_at", "member_page", "benefit_name", "by_what", "uses", "valid_from", "valid_to", "in_words")
    readonly_fields = ("member_page", "benefit_name", "by_what", "uses", "in_words")
    empty_sentence = _(
        "Nobody was given a benefit yet. Tiers give what their grid says, once a benefit has uses in a period."
    )

    @display(description=_("member"))
    def member_page(self, row: Entitlement) -> SafeString:
        return member_link(row.member)

    @display(description=_("benefit"))
    def benefit_name(self, row: Entitlement) -> str:
        return row.benefit.name

    @display(description=_("given by"))
    def by_what(self, row: Entitlement) -> str:
        return source_words(row)

    @display(description=_("used"))
    def uses(self, row: Entitlement) -> str:
        return _now("%(used)s of %(quota)s") % {"used": row.used, "quota": row.quota}

    @display(description=_("last day"))
    def until(self, row: Entitlement) -> str:
        return until_words(row)

    @display(description=_("state"), label=_COLOURS)
    def state_badge(self, row: Entitlement) -> Badge:
        return Badge(row.state, row.get_state_display())

    @display(description=_("in words"))
    def in_words(self, row: Entitlement) -> str:
        return state_words(row, timezone.now())

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("<int:entitlement_id>/use/", self.use, "use"),
            ("<int:entitlement_id>/revoke/", self.revoke, "revoke"),
            ("uses/<int:use_id>/undo/", self.undo, "undo"),
            ("member/<int:member_id>/give/", self.give, "give"),
        ]
        view = self.admin_site.admin_view
        return [
            path(at, view(shown), name=f"loyalty_entitlement_{name}") for at, shown, name in own
        ] + super().get_urls()

    def use(self, request: HttpRequest, entitlement_id: int) -> HttpResponse:
        """The dialog in which staff note that the member uses it now."""
        row = _row(request, USE, entitlement_id)
        form = UseDialog(request, entitlement_id, request.POST or None)
        if not form.is_valid():
            title = _now("Does the member use “%(benefit)s” now?") % {"benefit": row.benefit.name}
            return _dialog(request, form, title, state_words(row, timezone.now()), _now("Count one use"))
        wanted = form.cleaned_data
        use = Use(row.member_id, BY_STAFF, wanted["request_id"], entitlement=row.public_id, reason=wanted["reason"])
        return carry_out(
            request, lambda: _ignore(use_benefit(use=use, by=actor_of(request), at=timezone.now())),
            done=_("One use is counted."), then=_address(row.member_id),
        )  # fmt: skip

    def revoke(self, request: HttpRequest, entitlement_id: int) -> HttpResponse:
        """The dialog in which staff take back what is left."""
        row = _row(request, GIVE_BY_HAND, entitlement_id)
        form = ReasonDialog(request, entitlement_id, request.POST or None)
        if not form.is_valid():
            title = _now("Take back what is left of “%(benefit)s”?") % {"benefit": row.benefit.name}
            return _dialog(
                request,
                form,
                title,
                _now("What was used stays used. The member is told nothing."),
                _now("Take it back"),
            )
        return carry_out(
            request,
            lambda: _ignore(
                revoke_entitlement(
                    entitlement_id=row.pk, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
                )
            ),
            done=_("It is taken back."), then=_address(row.member_id),
        )  # fmt: skip

    def undo(self, request: HttpRequest, use_id: int) -> HttpResponse:
        """The dialog in which staff take a use back."""
        _require(request, USE)
        use = EntitlementUse.objects.filter(pk=use_id).select_related("entitlement__benefit").first()
        if use is None:
            raise Http404
        form = ReasonDialog(request, use_id, request.POST or None)
        if not form.is_valid():
            title = _now("Take back this use of “%(benefit)s”?") % {"benefit": use.entitlement.benefit.name}
            return _dialog(
                request, form, title, _now("The member can use it again, until it ends."), _now("Take the use back")
            )
        return carry_out(
            request,
            lambda: _ignore(
                undo_use(use_id=use_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now())
            ),
            done=_("The use is taken back."), then=_address(use.entitlement.member_id),
        )  # fmt: skip

    def give(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog in which staff give a benefit, within their limit or for a colleague to approve."""
        _require(request, GIVE_BY_HAND)
        if not Member.objects.filter(pk=member_id).exists():
            raise Http404
        form = GiveDialog(request, member_id, request.POST or None)
        if not form.is_valid():
            words = _now("It can be used from now on, to the end of its last day.")
            return _dialog(request, form, _now("Give this member a benefit"), words, _now("Give it"))
        wanted = form.cleaned_data
        try:
            outcome = propose_benefit(
                member_id=member_id, benefit_id=wanted["benefit"].pk, uses=wanted["uses"], days=wanted["days"],
                reason=wanted["reason"], by=actor_of(request), at=timezone.now(), request_id=wanted["request_id"],
            )  # fmt: skip
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            if outcome.carried_out:
                messages.success(request, outcome.result)
            else:
                messages.warning(
                    request, _("This is above what you may do alone: it waits for a colleague to approve it.")
                )
        return HttpResponse(headers={"HX-Redirect": _address(member_id)})


# --- The member page --------------------------------------------------------------------------------------------------
def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    family = family_ids(member.pk)
    mine = benefits_of_member(member.pk, at)
    is_open = Q(state=Entitlement.State.GRANTED, valid_to__gt=at)
    order = Case(When(is_open, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = (
        Entitlement.objects.filter(member_id__in=family)
        .select_related("benefit", "tier")
        .order_by(order, "-valid_to", "-pk")
    )
    uses = list(
        EntitlementUse.objects.filter(entitlement__member_id__in=family)
        .select_related("benefit", "store", "undone_by").order_by("-happened_at", "-pk")[:_SHOWN_USES]
    )  # fmt: skip
    actors = ActorNames.of(uses)
    return {
        "tier": tier_badge(mine.tier) if mine.tier else "",
        "standing": [
            {
                "name": one.benefit.name,
                "words": cell_words(one.benefit, one.figure, None),
                "sentence": member_sentence(one.benefit, one.figure, one.quota),
            }
            for one in mine.standing
        ],
        "rows": [
            {
                "row": row, "words": state_words(row, at), "by": source_words(row),
                "is_open": row.state == Entitlement.State.GRANTED and row.valid_from <= at < row.valid_to,
                "percent": 100 * row.used // row.quota,
            }
            for row in rows[:_SHOWN]
        ],
        "uses": [
            {
                "use": use, "by": actors.name(use),
                "can_undo": use.undoes_id is None and not hasattr(use, "undone_by") and not use.benefit.voucher_template_code,
            }
            for use in uses
        ],
        "may_use": request.user.has_perm(USE),
        "may_give": request.user.has_perm(GIVE_BY_HAND),
    }  # fmt: skip


panels.register_tab(
    "benefits", label=_("Benefits"), order=35, template="portal/member/benefits.html", context=_tab, permission=SEE
)


def _row(request: HttpRequest, permission: str, entitlement_id: int) -> Entitlement:
    _require(request, permission)
    row = Entitlement.objects.select_related("benefit").filter(pk=entitlement_id).first()
    if row is None:
        raise Http404
    return row


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _dialog(request: HttpRequest, form: BaseDialogForm, title: str, description: str, button: str) -> HttpResponse:
    dialog = {"title": title, "description": description, "form_submit_text": button}
    return render(request, "unfold/helpers/dialog.html", {"dialog": dialog, "form": form, "form_submit_text": button})


def _address(member_id: int) -> str:
    return f"{reverse('admin:members_member_change', args=[member_id])}?tab=benefits"


def _ignore(_made: object) -> None:
    return None
