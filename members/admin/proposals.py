"""Pages of proposals: the inbox, grouped by kind, the card of each, and the list of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from weakref import WeakKeyDictionary

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from members import proposals
from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.timeline import Names, Renderer, register_sentence, tell
from members.figures import grouped
from members.models import Operator, Proposal, TimelineEntry
from members.proposals import APPROVE, MILESTONES, EffectChanged, approve, effect_now, kind_of, may_decide, sentence_of
from members.refusals import Refusal
from members.services.approvals import MOST_TOGETHER, Together, approve_together, conflicts_of

STATE_COLOURS = {
    "waiting": "warning", "carried_out": "success", "refused": "danger", "sent_back": "info", "withdrawn": "info", "expired": "info",
}  # fmt: skip
_MOST_IN_INBOX = 100
_SIMILAR = 5
_MAKER_DAYS = 30


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A proposal that waits, as the inbox tells it."""

    proposal: Proposal
    sentence: str
    age: str
    expires_in: str


@dataclass(frozen=True, slots=True)
class InboxGroup:
    """What waits of one kind: how many, for how long, and how much in all."""

    label: str
    rows: tuple[InboxRow, ...]
    oldest: str
    amount: int
    code: str

    @property
    def alike(self) -> int:
        """How many of them can be approved in one go; 0 where that makes no sense."""
        single = sum(row.proposal.approvals_needed < 2 and bool(row.expires_in) for row in self.rows)
        return single if single > 1 else 0


def waiting_for(operator: Operator) -> QuerySet[Proposal]:
    """Return the proposals that this operator may decide, longest waiting first."""
    if not operator.has_perm(APPROVE):
        return Proposal.objects.none()
    allowed = [kind.code for kind in proposals.kinds() if operator.has_perm(kind.approve_permission or kind.permission)]
    waiting = Proposal.objects.filter(state=Proposal.State.WAITING, kind__in=allowed).exclude(maker=operator)
    return waiting.exclude(first_checker=operator).select_related("maker", "first_checker").order_by("expires_at", "pk")


_waiting: WeakKeyDictionary[HttpRequest, int] = WeakKeyDictionary()


def waiting_badge(request: HttpRequest) -> str:
    """Return how many proposals wait for this operator, for the menu and the home page; nothing where there is none.

    Counted once for each request.
    """
    number = _waiting.get(request)
    if number is None:
        number = _waiting[request] = waiting_for(cast(Operator, request.user))[: _MOST_IN_INBOX + 1].count()
    return "" if not number else f"{_MOST_IN_INBOX}+" if number > _MOST_IN_INBOX else str(number)


def span_in_words(span: timedelta) -> str:
    """Return how long something took or will take: minutes, hours or days."""
    minutes = max(round(span.total_seconds() / 60), 1)
    if minutes < 60:
        return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}
    hours = minutes // 60
    if hours < 48:
        return ngettext("%(number)s hour", "%(number)s hours", hours) % {"number": hours}
    return ngettext("%(number)s day", "%(number)s days", hours // 24) % {"number": hours // 24}


@admin.register(Proposal)
class ProposalAdmin(HistoryAdmin):
    """The inbox of what waits, and behind it the list of everything that was proposed."""

    is_nameless = True
    list_display = ("sentence", "maker", "amount_shown", "state_badge", "created_at", "decided_by")
    list_display_links = ("sentence",)
    list_select_related = ("maker", "decided_by")
    list_filter = (("state", ChoicesDropdownFilter),)
    ordering = ("-created_at", "-id")
    empty_sentence = gettext_lazy(
        "Nothing was proposed yet. What goes beyond somebody's limit waits here for a colleague's approval."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Proposal]:
        operator = cast(Operator, request.user)
        allowed = [
            kind.code
            for kind in proposals.kinds()
            if operator.has_perm(kind.permission)
            or (kind.approve_permission and operator.has_perm(kind.approve_permission))
        ]
        mine_or_of_my_work = Q(maker=operator) | Q(kind__in=allowed)
        return super().get_queryset(request).filter(mine_or_of_my_work)

    @display(description=gettext_lazy("proposal"))
    def sentence(self, proposal: Proposal) -> str:
        return sentence_of(proposal)

    @display(description=gettext_lazy("points"))
    def amount_shown(self, proposal: Proposal) -> str:
        return grouped(proposal.amount) if proposal.amount else "–"

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state_badge(self, proposal: Proposal) -> Badge:
        return Badge(proposal.state, proposal.get_state_display())

    def get_urls(self) -> list[URLPattern]:
        page = ProposalPage(self)
        view = self.admin_site.admin_view
        own = [
            path("approve-together/", view(page.approve_together), name="members_proposal_approve_together"),
            path("<int:proposal_id>/card/", view(page.card), name="members_proposal_card"),
            path("<int:proposal_id>/approve/", view(page.approve), name="members_proposal_approve"),
            path("<int:proposal_id>/refuse/", view(page.refuse), name="members_proposal_refuse"),
            path("<int:proposal_id>/send-back/", view(page.send_back), name="members_proposal_send_back"),
            path("<int:proposal_id>/withdraw/", view(page.withdraw), name="members_proposal_withdraw"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The inbox; with a query, the list of all."""
        if request.GET:
            return super().changelist_view(request, extra_context)
        return ProposalPage(self).inbox(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not object_id.isdigit():
            raise Http404
        return ProposalPage(self).show(request, int(object_id))


class ProposalPage:
    """The inbox and the views of one proposal."""

    def __init__(self, model_admin: ProposalAdmin) -> None:
        self.model_admin = model_admin

    def inbox(self, request: HttpRequest) -> HttpResponse:
        """What waits for this operator, by kind, and what this operator proposed."""
        self._require_view(request)
        at, operator = timezone.now(), cast(Operator, request.user)
        mine = Proposal.objects.filter(maker=operator, state=Proposal.State.WAITING).select_related("first_checker")
        context = {
            **self._site_context(request),
            "opts": None,  # the heading is that of the menu's entry
            "title": _("Approvals"),
            "content_title": _("Approvals"),
            "groups": _grouped_by_kind(list(waiting_for(operator)[:_MOST_IN_INBOX]), at),
            "mine": [_row(proposal, at) for proposal in mine.order_by("expires_at", "pk")[:_MOST_IN_INBOX]],
            "may_approve": operator.has_perm(APPROVE),
            "most": _MOST_IN_INBOX,
        }
        return render(request, "portal/inbox.html", context)

    def show(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """The card on a page of its own."""
        proposal = self._proposal(request, proposal_id)
        context = {
            **self._site_context(request),
            **self._card(request, proposal),
            "title": sentence_of(proposal),
            "milestones": _milestones(proposal),
        }
        return render(request, "portal/proposal.html", context)

    def card(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """The card for the inbox, fetched when its row is opened."""
        return render(request, "portal/proposal_card.html", self._card(request, self._proposal(request, proposal_id)))

    def approve(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """Approve what was seen on the card."""
        self._proposal(request, proposal_id)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        try:
            outcome = approve(
                proposal_id=proposal_id,
                by=actor_of(request),
                at=timezone.now(),
                reason=request.POST.get("reason", ""),
                seen=request.POST.get("seen", ""),
            )
        except EffectChanged as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(_address(proposal_id))
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            messages.success(
                request, outcome.result or _("You approved it. It is carried out once a second person approves it too.")
            )
        return HttpResponseRedirect(reverse("admin:members_proposal_changelist"))

    def approve_together(self, request: HttpRequest) -> HttpResponse:
        """Approve alike proposals that were chosen in the inbox."""
        self._require_view(request)
        if not request.user.has_perm(APPROVE):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        chosen = [int(one) for one in request.POST.getlist("proposal")[: MOST_TOGETHER + 1] if one.isdecimal()]
        mine = set(waiting_for(cast(Operator, request.user)).filter(pk__in=chosen).values_list("pk", flat=True))
        try:
            together = approve_together(
                proposal_ids=[one for one in chosen if one in mine], by=actor_of(request), at=timezone.now()
            )
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            _say_together(request, together)
        return HttpResponseRedirect(reverse("admin:members_proposal_changelist"))

    def refuse(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """The dialog that refuses for good."""
        dialog = {
            "title": _("Refuse this proposal?"),
            "description": _("Nothing is changed. Whoever made it reads your reason."),
            "form_submit_text": _("Refuse it"),
        }
        return self._ask_why(request, proposal_id, dialog, proposals.refuse, _("The proposal was refused."))

    def send_back(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """The dialog that gives it back to its maker."""
        dialog = {
            "title": _("Send this proposal back?"),
            "description": _("Nothing is changed. Say what should be different; it can be proposed anew."),
            "form_submit_text": _("Send it back"),
        }
        return self._ask_why(request, proposal_id, dialog, proposals.send_back, _("The proposal was sent back."))

    def withdraw(self, request: HttpRequest, proposal_id: int) -> HttpResponse:
        """The dialog in which the maker takes it back."""
        dialog = {
            "title": _("Withdraw your proposal?"),
            "description": _("Nothing is changed. You can propose it anew."),
            "form_submit_text": _("Withdraw it"),
        }
        return self._ask_why(request, proposal_id, dialog, proposals.withdraw, _("The proposal was withdrawn."))

    def _ask_why(
        self, request: HttpRequest, proposal_id: int, dialog: dict[str, Any], service: Any, done: str
    ) -> HttpResponse:
        self._proposal(request, proposal_id)
        form = ReasonDialog(request, proposal_id, request.POST or None)
        if not form.is_valid():
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request,
            lambda: service(
                proposal_id=proposal_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            ),
            done=done,
            then=reverse("admin:members_proposal_changelist"),
        )

    def _card(self, request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
        at, operator = timezone.now(), cast(Operator, request.user)
        waits = proposal.state == Proposal.State.WAITING
        is_late = waits and proposal.expires_at <= at
        kind = kind_of(proposal)
        similar = Proposal.objects.filter(kind=proposal.kind).exclude(pk=proposal.pk)
        similar = similar.exclude(state=Proposal.State.WAITING).select_related("maker").order_by("-created_at", "-pk")
        missing = proposal.approvals_needed - (proposal.first_checker_id is not None)
        return {
            "proposal": proposal,
            "sentence": sentence_of(proposal),
            "kind_label": kind.label if kind else "",
            "state": Badge(proposal.state, proposal.get_state_display()),
            "effect": effect_now(proposal=proposal, at=at),
            "age": span_in_words(at - proposal.created_at),
            "expires_in": span_in_words(proposal.expires_at - at) if waits and not is_late else "",
            "is_late": is_late,
            "maker_lately": _maker_lately(proposal, at),
            "similar": [(other, sentence_of(other)) for other in similar[:_SIMILAR]],
            "conflicts": [(other, sentence_of(other)) for other in conflicts_of(proposal)],
            "waits_for_two": waits and missing > 1,
            "may_decide": waits and not is_late and may_decide(proposal, operator),
            "approved_by_me": proposal.first_checker_id == operator.pk,
            "is_mine": proposal.maker_id == operator.pk,
            "may_withdraw": waits and proposal.maker_id == operator.pk,
        }

    def _site_context(self, request: HttpRequest) -> dict[str, Any]:
        site = self.model_admin.admin_site
        request.current_app = site.name
        return {**site.each_context(request), "opts": self.model_admin.opts}

    def _require_view(self, request: HttpRequest) -> None:
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied

    def _proposal(self, request: HttpRequest, proposal_id: int) -> Proposal:
        self._require_view(request)
        people = ("maker", "first_checker", "second_checker", "decided_by")
        proposal = self.model_admin.get_queryset(request).select_related(*people).filter(pk=proposal_id).first()
        if proposal is None:
            raise Http404
        return proposal


def _row(proposal: Proposal, at: datetime) -> InboxRow:
    left = proposal.expires_at - at
    return InboxRow(
        proposal,
        sentence_of(proposal),
        span_in_words(at - proposal.created_at),
        span_in_words(left) if left > timedelta() else "",
    )


def _grouped_by_kind(waiting: Sequence[Proposal], at: datetime) -> list[InboxGroup]:
    by_kind: dict[str, list[Proposal]] = {}
    for proposal in waiting:
        by_kind.setdefault(proposal.kind, []).append(proposal)
    groups = []
    for kind in proposals.kinds():
        found = by_kind.get(kind.code, [])
        if found:
            oldest = min(proposal.created_at for proposal in found)
            rows = tuple(_row(proposal, at) for proposal in found)
            amount = sum(proposal.amount for proposal in found)
            groups.append(InboxGroup(str(kind.label), rows, span_in_words(at - oldest), amount, kind.code))
    return groups


def _say_together(request: HttpRequest, together: Together) -> None:
    """Tell how many were carried out, and why each of the others was left."""
    if together.done:
        number = len(together.done)
        done = ngettext(
            "%(number)s proposal was approved and carried out.",
            "%(number)s proposals were approved and carried out.",
            number,
        )
        messages.success(request, done % {"number": number})
    for _proposal_id, refusal in together.left:
        messages.warning(request, _("One proposal still waits: %(reason)s") % {"reason": refusal.sentence()})


def _maker_lately(proposal: Proposal, at: datetime) -> dict[str, Any]:
    """Return what the maker proposed in the last 30 days: how many and how much, carried out or turned down."""
    lately = Proposal.objects.filter(maker_id=proposal.maker_id, created_at__gte=at - timedelta(days=_MAKER_DAYS))
    done = Q(state=Proposal.State.CARRIED_OUT)
    return lately.exclude(pk=proposal.pk).aggregate(
        made=Count("pk"),
        done=Count("pk", filter=done),
        points=Sum("amount", filter=done, default=0),
        turned_down=Count("pk", filter=Q(state__in=[Proposal.State.REFUSED, Proposal.State.SENT_BACK])),
    )


def _milestones(proposal: Proposal) -> list[Any]:
    entries = TimelineEntry.objects.filter(subject=f"proposal:{proposal.pk}", kind__in=MILESTONES)
    return tell(list(entries.order_by("id")[:_MOST_IN_INBOX]))


def _address(proposal_id: int) -> str:
    return reverse("admin:members_proposal_change", args=[proposal_id])


_TOLD: dict[str, tuple[Promise, str]] = {
    "proposed": (gettext_lazy("Proposed: %(reason)s"), "edit_note"),
    "approved": (gettext_lazy("Approved by the first of two people."), "how_to_reg"),
    "carried_out": (gettext_lazy("Carried out."), "check_circle"),
    "refused": (gettext_lazy("Refused: %(reason)s"), "block"),
    "sent_back": (gettext_lazy("Sent back: %(reason)s"), "undo"),
    "withdrawn": (gettext_lazy("Withdrawn: %(reason)s"), "delete_forever"),
    "expired": (gettext_lazy("Expired without a decision."), "timer_off"),
}


def _teller(words: Promise) -> Renderer:
    def tell_reason(payload: Mapping[str, Any], names: Names) -> str:
        return str(words) % {"reason": payload.get("reason") or "–"}

    return tell_reason


for _what, (_words, _icon) in _TOLD.items():
    register_sentence(f"members.proposal_{_what}.v1", _teller(_words), icon=_icon)
