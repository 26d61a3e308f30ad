"""The page of what members did in passing."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.models import Behaviour
from members.own_facts import activity_kinds


@admin.register(Behaviour)
class BehaviourAdmin(FactAdmin):
    """What members looked at, newest first."""

    is_nameless = True
    list_display = ("happened_at", "behaviour", "member_page", "subject", "expires_at")
    list_select_related = ("member",)
    list_filter = (("happened_at", DayRangeFilter),)
    list_display_links = None
    ordering = ("-happened_at", "-id")
    fields = ("behaviour", "subject", "value", "happened_at", "expires_at")
    readonly_fields = ("behaviour",)
    empty_sentence = _(
        "Nothing yet. Views, searches and visits that members' apps report, with their consent, stand here for a while."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        behaviours = [row for row in rows if isinstance(row, Behaviour)]
        names = activity_kinds({row.kind for row in behaviours})
        for row in behaviours:
            row.kind_name = names.get(row.kind, "")  # type: ignore[attr-defined]

    @display(description=_("behaviour"))
    def behaviour(self, one: Any) -> str:
        if not hasattr(one, "kind_name"):
            one.kind_name = activity_kinds([one.kind]).get(one.kind, "")
        return one.kind_name

    @display(description=_("member"))
    def member_page(self, one: Behaviour) -> SafeString:
        return member_link(one.member)
