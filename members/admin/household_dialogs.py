"""Dialogs about a member's household."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from members.actors import Actor
from members.admin.dialogs import ReasonDialog
from members.admin.search import member_named
from members.admin.standing_dialogs import Wish, wish_dialog
from members.models import Household, HouseholdMember, Member
from members.queries import MemberNotFound
from members.services.households import join_household, leave_household, share_in_household, share_points


class JoinDialog(BaseDialogForm):
    """Who joins the household, as what, and whether both agreed."""

    newcomer = forms.CharField(
        label=_("Member who joins"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Member number or phone, exactly."),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[(role.value, role.label) for role in (HouseholdMember.Role.ADULT, HouseholdMember.Role.CHILD)],
        widget=UnfoldAdminSelectWidget,
    )
    both_agreed = forms.BooleanField(
        label=_("Both members agreed"),
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("For a child, whoever has the care of it. The moment is kept."),
    )


class SharingDialog(BaseDialogForm):
    """What the people of the household share."""

    benefits = forms.BooleanField(label=_("Benefits"), required=False, widget=UnfoldBooleanSwitchWidget)
    vouchers = forms.BooleanField(label=_("Vouchers"), required=False, widget=UnfoldBooleanSwitchWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        household = household_of(self.object_id)
        if household is not None:
            self.fields["benefits"].initial = household.shares_benefits
            self.fields["vouchers"].initial = household.shares_vouchers


class PointsDialog(BaseDialogForm):
    """Whether the member pays for the others with points."""

    agrees = forms.BooleanField(
        label=_("The member agreed to pay for the others"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Asked of this member alone; the moment is kept. Switched off, it is taken back at once."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = HouseholdMember.objects.filter(member_id=self.object_id, left_at__isnull=True).first()
        self.fields["agrees"].initial = own is not None and own.points_shared_at is not None


def household_of(member_id: Any) -> Household | None:
    """Return the household that a member belongs to."""
    return Household.objects.filter(people__member_id=member_id, people__left_at__isnull=True).first()


def people_of(household: Household) -> list[HouseholdMember]:
    """Return who belongs to a household, the head first."""
    people = household.people.filter(left_at__isnull=True).select_related("member")
    return sorted(people, key=lambda part: (part.role != HouseholdMember.Role.HEAD, part.agreed_at, part.pk))


def _join(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    newcomer = member_named(wanted["newcomer"])
    if newcomer is None:
        raise MemberNotFound
    join_household(
        member_id=member_id,
        newcomer_id=newcomer.pk,
        role=HouseholdMember.Role(wanted["role"]),
        both_agreed=wanted["both_agreed"],
        by=by,
        at=at,
    )


HOUSEHOLD_WISHES: Final[Mapping[str, Wish]] = {
    "join": Wish(
        "members.change_member",
        _("Who belongs to the household?"),
        _(
            "Each keeps their own points. What is shared besides is said for the whole household, and each says whether they pay for the others."
        ),
        _("Let them join"),
        _("They are one household now."),
        JoinDialog,
        _join,
    ),
    "leave": Wish(
        "members.change_member",
        _("Does this member leave the household?"),
        _("What the others shared can not be used any more. Who is left alone is no household."),
        _("Leave the household"),
        _("The member has left the household."),
        ReasonDialog,
        lambda member_id, form, by, at: leave_household(
            member_id=member_id, reason=form.cleaned_data["reason"], by=by, at=at
        ),
    ),
    "sharing": Wish(
        "members.change_member",
        _("What does the household share?"),
        _("Each says for themselves whether they pay for the others with points."),
        _("Save"),
        _("It is noted what the household shares."),
        SharingDialog,
        lambda member_id, form, by, at: share_in_household(
            member_id=member_id,
            benefits=form.cleaned_data["benefits"],
            vouchers=form.cleaned_data["vouchers"],
            by=by,
            at=at,
        ),
    ),
    "points": Wish(
        "members.change_member",
        _("Does this member pay for the others with points?"),
        _(
            "When another one of the household lacks points for a reward, and the policy of the points allows it, what is missing is taken from whoever agreed. The others then see how much the household would add."
        ),
        _("Save"),
        _("It is noted whether this member pays for the others."),
        PointsDialog,
        lambda member_id, form, by, at: share_points(
            member_id=member_id, agrees=form.cleaned_data["agrees"], by=by, at=at
        ),
    ),
}


def household_dialog(request: HttpRequest, member: Member, wish: str) -> HttpResponse:
    """Show the dialog of a wish, or carry it out and lead back to the tab."""
    then = reverse("admin:members_member_change", args=[member.pk]) + "?tab=profile"
    return wish_dialog(request, member, HOUSEHOLD_WISHES[wish], then)
