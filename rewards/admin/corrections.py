"""冲正 of one entry: what can still be taken back, what becomes of the rest, and the chain of postings."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from members.admin.base import actor_of
from members.admin.days import local_day
from members.figures import grouped
from members.refusals import Refusal
from rewards.admin.by_hand import HandForm, HandPages, Page, ReasonField
from rewards.models import LedgerEntry, LedgerTransaction
from rewards.services.corrections import (
    ARREARS,
    CORRECT,
    LEAVE,
    OTHERS,
    RESTORE,
    Correction,
    correction_of,
    propose_correction,
)

RIGHT = "rewards.correct_points"
_MOST_LINKS = 20


class CorrectionForm(HandForm):
    """What becomes of points that are spent, and why the posting was wrong."""

    choice = forms.ChoiceField(label=gettext_lazy("Points that are spent already"), widget=UnfoldAdminSelectWidget)
    reason = ReasonField()

    def __init__(self, *args: Any, found: Correction | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = _choices(found) if found else {}
        self.fields["choice"].choices = list(words.items())  # type: ignore[attr-defined]
        if len(words) < 2:
            self.fields["choice"].widget = forms.HiddenInput()
            self.initial.setdefault("choice", next(iter(words), ""))


def _choices(found: Correction) -> dict[str, str]:
    words = {
        LEAVE: _("let %(points)s points go") % {"points": grouped(found.left(LEAVE))},
        OTHERS: _("take them from other points; let %(points)s go") % {"points": grouped(found.left(OTHERS))},
        ARREARS: _("take them from other points; %(points)s become arrears, with approval")
        % {"points": grouped(found.owed(ARREARS))},
        RESTORE: _("give all back"),
    }
    return {choice: words[choice] for choice in found.choices}


class CorrectionPages(HandPages):
    """Taking one posting back."""

    def correct(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """The page that shows what can be taken back and asks what becomes of the rest."""
        self.require(request, RIGHT)
        entry = LedgerEntry.objects.select_related("transaction").filter(pk=entry_id).first()
        if entry is None:
            raise Http404
        member, at = self.member(entry.member_id), timezone.now()
        try:
            found = correction_of(transaction_id=entry.transaction_id, at=at)
        except Refusal as refusal:
            form = CorrectionForm(found=None, data={})
            form.errors.clear()
            form.fields.clear()
            form.add_error(None, refusal.sentence())
            return self.show(request, member, form, Page(_("Take a posting back"), "", can_send=False), at)
        page = Page(
            title=_("Take a posting back"), submit=_("Take back"), kind=CORRECT, facts=_facts(entry, found), intro=_intro(found)
        )  # fmt: skip
        form = CorrectionForm(request.POST or None, found=found)
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            answer = self.send(
                request, form,
                lambda: propose_correction(
                    transaction_id=entry.transaction_id, choice=wanted["choice"], reason=wanted["reason"], by=actor_of(request), at=at,
                    request_id=wanted["request_id"],
                ),
                member.pk,
            )  # fmt: skip
            if answer is not None:
                return answer
        return self.show(request, member, form, page, at)


def _intro(found: Correction) -> str:
    if not found.is_credit:
        return _("%(points)s points come back to the lots they were taken from.") % {"points": grouped(found.points)}
    return _("Of %(points)s points, %(own)s can be taken back; %(spent)s are spent.") % {
        "points": grouped(found.points), "own": grouped(found.own), "spent": grouped(found.spent),
    }  # fmt: skip


def _facts(entry: LedgerEntry, found: Correction) -> list[tuple[Any, Any]]:
    facts: list[tuple[Any, Any]] = [
        (_("Posting"), entry.transaction.get_kind_display()),
        (_("Points of the posting"), grouped(found.points)),
    ]
    if found.is_credit:
        facts += [(_("Left of them"), grouped(found.own)), (_("Spent"), grouped(found.spent))]
        if found.expired:
            facts.append((_("Expired, which are forgiven"), grouped(found.expired)))
        if found.spent:
            facts.append((_("Other points of the member"), grouped(found.others)))
    return facts


def chain_of(entry: LedgerEntry) -> SafeString | str:
    """Return the postings that this one takes back, and those that take it back, as links: two queries."""
    lines = []
    if entry.transaction.reverses_id is not None:
        lines += [(_("takes back"), *link) for link in _links([entry.transaction.reverses_id], entry.account_id)]
    taken_back = list(
        LedgerTransaction.objects.filter(reverses=entry.transaction_id)
        .order_by("pk")
        .values_list("pk", flat=True)[:_MOST_LINKS]
    )
    lines += [(_("taken back by"), *link) for link in _links(taken_back, entry.account_id)]
    if not lines:
        return "–"
    return format_html(
        "<ul>{}</ul>",
        format_html_join("", '<li>{} <a class="text-primary-600 dark:text-primary-500" href="{}">{}</a></li>', lines),
    )


def _links(transaction_ids: list[int], account_id: int) -> list[tuple[str, str]]:
    entries = LedgerEntry.objects.filter(transaction__in=transaction_ids, account=account_id).select_related(
        "transaction"
    )
    return [
        (
            reverse("admin:rewards_ledgerentry_change", args=[entry.pk]),
            _("%(kind)s, %(day)s")
            % {"kind": entry.transaction.get_kind_display(), "day": local_day(entry.happened_at)},
        )
        for entry in entries.order_by("seq")
    ]
