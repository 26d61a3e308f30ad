"""Search boxes over large tables: exact look-ups only, so that the answer takes the same time however much there is."""

import re
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from members.admin.base import HistoryAdmin
from members.models import Member
from members.queries import member_by_email, member_by_number, member_by_phone

#: Begins what stands in an address for a phone or an e-mail address that is nobody's.
HIDDEN: Final = "****"
_LEAST_OF_PHONE: Final = 8
_PHONE_LIKE: Final = re.compile(r"[\d\s()+.-]+")


def member_named(text: str) -> Member | None:
    """Return the member with exactly this number or phone."""
    return member_by_number(text) or member_by_phone(text)


def without_contact(text: str) -> str:
    """Return a member's number for a phone or an e-mail address, and stars where it is nobody's; other text as it is."""
    words = " ".join(text.split())
    if "@" in words:
        member = member_by_email(words)
    elif len(re.sub(r"\D", "", words)) >= _LEAST_OF_PHONE and _PHONE_LIKE.fullmatch(words):
        member = member_named(words)
    else:
        return text
    return member.member_no if member else f"{HIDDEN}{words[-2:]}"


class FactAdmin(HistoryAdmin):
    """A list of what happened to members: searched by a member's number or phone, or by a number of its own."""

    #: The path from a row to its member, along which an index leads back.
    member_path: ClassVar[str] = "member"
    #: A field that holds the row's own number, as on a receipt; empty where there is none.
    number_field: ClassVar[str] = ""
    search_help_text: Any = _("Member number or phone, exactly")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (self.member_path,)  # shows the box; what is looked up is below

    def for_address(self, text: str) -> str:
        own = self.number_field and self.model._default_manager.filter(**{self.number_field: text}).exists()
        return text if own else without_contact(text)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        if text.startswith(HIDDEN):
            return queryset.none(), False
        if self.number_field:
            own = queryset.filter(**{self.number_field: text})
            if own.exists():
                return own, False
        member = member_named(text)
        return (queryset.filter(**{self.member_path: member}) if member else queryset.none()), False
