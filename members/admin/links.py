"""Members on rows of other lists: the masked name, and the link to the member page."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from members.models import Member
from members.names import mask_name


def shown_name(member: Member) -> str:
    """Return the masked name of a member; empty where it was erased. Select `person` along."""
    person = getattr(member, "person", None)
    return mask_name(person.full_name) if person else ""


def member_link(member: Member | None) -> SafeString:
    """Return the member's number as a link to the member page; empty for people who are not members."""
    if member is None:
        return SafeString()
    address = reverse("admin:members_member_change", args=[member.pk])
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500 pn-number" href="{}">{}</a>', address, member.member_no
    )
