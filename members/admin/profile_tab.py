"""The tab of what is known of a member: details, how complete that is, what they prefer, and where they come from."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.admin import panels
from members.admin.links import member_link
from members.models import Member, MemberPreference
from members.profiles import completeness_of, details_of

_MOST_INVITEES = 1_000


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    details = details_of(member.pk)
    preference = MemberPreference.objects.filter(pk=member.pk).first()
    channels = dict(MemberPreference.Channel.choices)
    invitees = Member.objects.filter(inviter=member)[: _MOST_INVITEES + 1].count()
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
    }


panels.register_tab(
    "profile",
    label=_("Profile"),
    order=60,
    template="portal/member/profile.html",
    context=_tab,
    permission="members.view_personal_data",
)
