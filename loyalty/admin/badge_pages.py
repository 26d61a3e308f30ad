"""Pages of badges, and the dialogs that give one to a member or take it back."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import display

from loyalty.admin.identity_forms import BY_HAND, BadgeDialog, BadgeForm, RuleAdmin
from loyalty.badge_queries import MOST_COUNTED, holder_counts
from loyalty.models import Badge
from loyalty.services.badges import award_by_hand, save_badge, take_back_by_hand
from members.admin.base import Badge as Label
from members.admin.base import actor_of
from members.admin.condition_editor import condition_fragment
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.segment_looks import said
from members.facts import choices_remembered
from members.figures import grouped
from members.models import Segment

AWARD = "loyalty.award_badge"


def badge_chip(badge: Badge) -> SafeString:
    """Return the looks of a badge: its sign in its colour, with its name in the active language."""
    return format_html(
        '<span class="pn-badge"><span class="material-symbols-outlined" aria-hidden="true" style="color: {}">{}</span>{}</span>',
        badge.colour, badge.icon, badge.name,
    )  # fmt: skip


def many(number: int, most: int) -> str:
    """Return a figure that was counted up to a limit."""
    return _("more than %(most)s") % {"most": grouped(most)} if number > most else grouped(number)


@admin.register(Badge)
class BadgeAdmin(RuleAdmin):
    """Badges."""

    form = BadgeForm
    list_display = ("chip", "given_for", "holders", "worn_title", "state")
    list_display_links = ("chip",)
    list_select_related = ("rule",)
    sortable_by = ()
    ordering = ("id",)
    fields = (
        "condition", "is_losable", "icon", "colour", "is_on", "valid_from", "valid_until", "name", "text", "title",
    )  # fmt: skip
    change_form_before_template = "portal/identity/beside.html"
    empty_sentence = gettext_lazy(
        "No badge yet. A badge honours what a member did, such as the first order, or ten of them; it may carry a title."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Count who has the badges of this page, and say their rules."""
        badges = [row for row in rows if isinstance(row, Badge)]
        counted = holder_counts([badge.pk for badge in badges])
        with choices_remembered():
            for badge in badges:
                badge.held_by = many(counted[badge.pk], MOST_COUNTED)  # type: ignore[attr-defined]
                badge.meant = said(badge.rule.condition) if badge.rule else _("by hand, or for a task")  # type: ignore[attr-defined]

    @display(description=gettext_lazy("badge"))
    def chip(self, badge: Badge) -> SafeString:
        return badge_chip(badge)

    @display(description=gettext_lazy("given for"))
    def given_for(self, badge: Any) -> str:
        return badge.meant

    @display(description=gettext_lazy("members"))
    def holders(self, badge: Any) -> str:
        return badge.held_by

    @display(description=pgettext_lazy("badge", "title"))
    def worn_title(self, badge: Badge) -> str:
        return badge.title or "–"

    @display(
        description=gettext_lazy("state"),
        label={"on": "success", "filling": "warning", "planned": "info", "over": "info", "off": "danger"},
    )
    def state(self, badge: Badge) -> Label:
        at = timezone.now()
        if not badge.is_on:
            return Label("off", _("switched off"))
        if badge.valid_from and badge.valid_from > at:
            return Label("planned", _("planned"))
        if badge.valid_until and badge.valid_until <= at:
            return Label("over", _("over"))
        if badge.rule and badge.rule.state == Segment.State.FILLING:
            return Label("filling", _("being given"))
        return Label("on", _("in use"))

    @display(description=gettext_lazy("Rule"))
    def condition(self, badge: Badge) -> str:
        """The rule in words, for those who may not change it."""
        return said(badge.rule.condition) if badge.rule else _("by hand, or for a task")

    def save_model(self, request: HttpRequest, obj: Badge, form: ModelForm, change: bool) -> None:
        save_badge(badge=obj, condition=form.cleaned_data["condition"], by=actor_of(request), at=timezone.now())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("condition/", view(self.edit_condition), name="loyalty_badge_condition"),
            path("look/", view(self.looked_at), name="loyalty_badge_look"),
            path("give/<int:member_id>/", view(self.give), name="loyalty_badge_give"),
            path("take/<int:member_id>/<int:badge_id>/", view(self.take), name="loyalty_badge_take"),
        ]
        return own + super().get_urls()

    def edit_condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        return edited(self, request, "loyalty_badge_condition", BY_HAND)

    def give(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that gives a badge to a member."""
        _require(request, AWARD)
        form = BadgeDialog(request, member_id, request.POST or None)
        if not form.is_valid():
            words = _("The member sees it at once. The reason stays with it, for colleagues.")
            return dialog(request, form, _("Give a badge to this member"), words, _("Give it"))
        return carry_out(
            request,
            lambda: award_by_hand(
                member_id=member_id, badge_id=form.cleaned_data["badge"], reason=form.cleaned_data["reason"],
                by=actor_of(request), at=timezone.now(),
            ),
            done=_("The badge is given."),
            then=_member_address(member_id),
        )  # fmt: skip

    def take(self, request: HttpRequest, member_id: int, badge_id: int) -> HttpResponse:
        """The dialog that takes a badge back from a member."""
        _require(request, AWARD)
        badge = Badge.objects.filter(pk=badge_id).first()
        if badge is None:
            raise Http404
        form = ReasonDialog(request, member_id, request.POST or None)
        if not form.is_valid():
            title = _("Take “%(badge)s” back from this member?") % {"badge": badge.name}
            return dialog(request, form, title, _("That the member had it stays on record."), _("Take it back"))
        return carry_out(
            request,
            lambda: take_back_by_hand(
                member_id=member_id, badge_id=badge_id, reason=form.cleaned_data["reason"], by=actor_of(request),
                at=timezone.now(),
            ),
            done=_("The badge is taken back."),
            then=_member_address(member_id),
        )  # fmt: skip


def edited(page: RuleAdmin, request: HttpRequest, name: str, empty: Any) -> HttpResponse:
    """Return the condition editor after one of its buttons, and let the figure beside it be looked up anew."""
    if not (page.has_add_permission(request) or page.has_change_permission(request)):
        raise PermissionDenied
    answer = condition_fragment(request, name="condition", address=reverse(f"admin:{name}"), empty=str(empty))
    answer.headers["HX-Trigger-After-Settle"] = "condition-changed"
    return answer


def dialog(request: HttpRequest, form: Any, title: str, description: str, button: str) -> HttpResponse:
    """Return a dialog with a form."""
    shown = {"title": title, "description": description, "form_submit_text": button}
    context = {"dialog": shown, "form": form, "form_submit_text": button}
    return render(request, "unfold/helpers/dialog.html", context)


def _member_address(member_id: int) -> str:
    return f"{reverse('admin:members_member_change', args=[member_id])}?tab=growth"


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
