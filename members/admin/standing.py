"""Lists of freezes, of members who leave, and of the reasons they give."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from members.admin.base import Badge, TranslatedAdmin
from members.admin.days import last_day
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.models import ClosingReason, Closure, MemberFreeze

CLOSURE_COLOURS = {"asked": "warning", "closed": "info", "taken_back": "success"}


@admin.register(MemberFreeze)
class MemberFreezeAdmin(FactAdmin):
    """Freezes, newest first: what is frozen, why, and when it ends by itself."""

    list_display = ("member_shown", "frozen_acts", "reason", "frozen_at", "ends", "in_force")
    list_select_related = ("member",)
    list_filter = (("frozen_at", DayRangeFilter), ("release_at", DayRangeFilter))
    ordering = ("-frozen_at", "-id")
    fields = ("member_shown", "frozen_acts", "reason", "frozen_at", "ends", "released_at")
    readonly_fields = fields
    is_nameless = True
    store_path = "member__home_store"
    empty_sentence = _("No member was frozen yet. Freeze a suspicious one on their page; it ends by itself.")

    @display(description=_("member"))
    def member_shown(self, freeze: MemberFreeze) -> SafeString:
        return member_link(freeze.member)

    @display(description=_("can not"))
    def frozen_acts(self, freeze: MemberFreeze) -> str:
        return _now(", ").join(str(act.label) for act in freeze.acts)

    @display(description=_("until the end of"), ordering="release_at")
    def ends(self, freeze: MemberFreeze) -> str:
        return last_day(freeze.release_at)

    @display(description=_("in force"), label={True: "warning", False: "info"})
    def in_force(self, freeze: MemberFreeze) -> Badge:
        is_open = freeze.released_at is None
        return Badge(is_open, _("in force") if is_open else _("released"))


@admin.register(Closure)
class ClosureAdmin(FactAdmin):
    """Who leaves and why, newest first. Filtered by reason and day it is the report of reasons."""

    list_display = ("member_shown", "reason", "state_badge", "asked_at", "effective_at", "note")
    list_select_related = ("member", "reason")
    list_filter = (
        ("reason", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("asked_at", DayRangeFilter),
    )
    ordering = ("-asked_at", "-id")
    fields = ("member_shown", "reason", "note", "state_badge", "asked_at", "effective_at", "closed_at", "taken_back_at")
    readonly_fields = fields
    is_nameless = True
    store_path = "member__home_store"
    empty_sentence = _("Nobody has asked to leave. Members ask in their app; staff note it on the member's page.")

    @display(description=_("member"))
    def member_shown(self, closure: Closure) -> SafeString:
        return member_link(closure.member)

    @display(description=_("state"), label=CLOSURE_COLOURS)
    def state_badge(self, closure: Closure) -> Badge:
        return Badge(closure.state, closure.get_state_display())


@admin.register(ClosingReason)
class ClosingReasonAdmin(TranslatedAdmin):
    """Why members leave, as the forms offer it."""

    list_display = ("name", "code", "is_on", "is_open_to_members", "order")
    ordering = ("order", "code")
    fields = ("code", "name", "is_on", "is_open_to_members", "order")
    empty_sentence = _("No reason yet. Without one nobody can leave; add the reasons that the forms shall offer.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()
