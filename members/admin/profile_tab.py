"""The tab of what is known of a member: details, preferences, household, origin, and what a new one is invited to do."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.admin import panels
from members.admin.household_dialogs import household_of, people_of
from members.admin.links import member_link
from members.models import ContactChannel, Member, MemberPreference
from members.onboarding import tasks_of
from members.profiles import completeness_of, details_of

_MOST_INVITEES = 1_000


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    details = details_of(member.pk)
    preference = MemberPreference.objects.filter(pk=member.pk).first()
    channels = dict(ContactChannel.choices)
    invitees = Member.objects.filter(inviter=member)[: _MOST_INVITEES + 1].count()
    household = household_of(member.pk)
    people = people_of(household) if household else []
    return {
        # What is sensitive is seen in the form only, whose opening is written down.
        "details": [
            {
                "label": one.attribute.name,
                "words": _("kept, shown in the form") if one.attribute.is_sensitive and one.words else one.words,
                "purpose": one.attribute.purpose,
            }
            for one in details
        ],
        "completeness": completeness_of(member, details),
        "preference": preference,
        "channels": [channels.get(code, code) for code in preference.channels] if preference else [],
        "inviter": member_link(member.inviter),
        "invitees": invitees,
        "most_invitees": _MOST_INVITEES,
        "household": household,
        "people": [(part.get_role_display(), member_link(part.member), part.points_shared_at) for part in people],
        "tasks": tasks_of(member, at),
    }


panels.register_tab(
    "profile",
    label=_("Profile"),
    order=60,
    template="portal/member/profile.html",
    context=_tab,
    permission="members.view_personal_data",
)
