"""The risk queue: members whom a colleague should look at, with what was found in words, and the decision."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from members.actors import Actor
from members.admin.base import Badge, StaffAdmin, in_store_scope
from members.admin.dialogs import ReasonDialog
from members.admin.filters import DayRangeFilter
from members.admin.guessing import alarms_waiting
from members.admin.links import member_link, shown_name
from members.admin.search import FactAdmin
from members.admin.standing_dialogs import FreezeDialog, Wish, wish_dialog
from members.admin.timeline import register_sentence
from members.models import Member, RiskFinding, RiskReview, RiskRule
from members.phones import mask_phone
from members.queries import region
from members.risk import signal
from members.services.risk import OPENED, RELEASED, freeze_under_review, release_review

DECIDE: Final = "members.decide_riskreview"
REVIEW_COLOURS = {"waiting": "warning", "released": "success", "frozen": "info"}
_MOST_FINDINGS: Final = 50
_MOST_EARLIER: Final = 10
_MOST_COUNTED: Final = 99


def words_of(finding: RiskFinding) -> str:
    """Return what was found, in the active language; the name of a rule that no floor knows any more stands for itself."""
    known = signal(finding.rule)
    return known.words(finding.figures) if known else finding.rule


def label_of(rule: str) -> str:
    """Return the name of a rule in the active language."""
    known = signal(rule)
    return str(known.label) if known else rule


def waiting_badge(request: HttpRequest) -> str:
    """Return how many reviews wait, for the menu; nothing where there is none."""
    waiting = RiskReview.objects.filter(in_store_scope(request, "member__home_store"), state=RiskReview.State.WAITING)
    number = len(waiting.order_by("opened_at", "pk").values_list("pk", flat=True)[: _MOST_COUNTED + 1])
    return "" if not number else f"{_MOST_COUNTED}+" if number > _MOST_COUNTED else str(number)


@admin.register(RiskReview)
class RiskReviewAdmin(FactAdmin):
    """What waits, oldest first; what was decided, newest first."""

    is_nameless = True
    list_display = ("member_shown", "evidence", "opened_at", "state_badge", "decided_by")
    list_display_links = ("evidence",)
    list_select_related = ("member__person", "decided_by")
    list_filter = (("state", ChoicesDropdownFilter), ("opened_at", DayRangeFilter))
    store_path = "member__home_store"
    list_before_template = "portal/risk/above_list.html"
    empty_sentence = _("Nobody looks suspicious. What the risk rules find opens a review here.")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        is_queue = request.GET.get("state__exact") == RiskReview.State.WAITING
        return ("opened_at", "id") if is_queue else ("-opened_at", "-id")

    def load_columns(self, rows: Sequence[Model]) -> None:
        told: dict[int, list[str]] = {row.pk: [] for row in rows}
        findings = RiskFinding.objects.filter(review__in=list(told)).order_by("pk") if told else ()
        for finding in findings:
            told[finding.review_id].append(words_of(finding))
        for row in rows:
            row.evidence_words = told[row.pk]  # type: ignore[attr-defined]

    @display(description=_("member"))
    def member_shown(self, review: RiskReview) -> SafeString:
        return format_html("{} {}", shown_name(review.member), member_link(review.member))

    @display(description=_("what was found"))
    def evidence(self, review: Any) -> SafeString:
        chips = ((words,) for words in review.evidence_words)
        return format_html_join(" ", '<span class="pn-badge">{}</span>', chips) or SafeString("–")

    @display(description=_("state"), label=REVIEW_COLOURS)
    def state_badge(self, review: RiskReview) -> Badge:
        return Badge(review.state, review.get_state_display())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [path("<int:review_id>/decide/<slug:wish>/", view(self.decide), name="members_riskreview_decide")]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Begin with what waits, oldest first."""
        if not request.GET and self.has_view_permission(request):
            return HttpResponseRedirect(f"{request.path}?state__exact={RiskReview.State.WAITING.value}")
        strip = {"guessing_alarms": alarms_waiting()} if request.user.has_perm("members.view_guessingalarm") else {}
        return super().changelist_view(request, {**(extra_context or {}), **strip})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One review: what was found, what was decided about the member before, and the decision."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        review = self._review(request, object_id)
        findings = RiskFinding.objects.filter(review=review).order_by("-found_at", "-pk")[:_MOST_FINDINGS]
        earlier = (
            RiskReview.objects.filter(member=review.member)
            .exclude(pk=review.pk)
            .select_related("decided_by")
            .order_by("-opened_at", "-pk")[:_MOST_EARLIER]
        )
        person = getattr(review.member, "person", None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Risk review"),
            "review": review,
            "member": review.member,
            "name": shown_name(review.member),
            "phone": mask_phone(person.phone, region=region()) if person and person.phone else "",
            "findings": [(label_of(finding.rule), words_of(finding), finding.found_at) for finding in findings],
            "others": [
                (shown_name(one), member_link(one))
                for one in _found_with(review.member_id, findings).filter(in_store_scope(request, "home_store"))
            ],
            "earlier": earlier,
            "may_decide": request.user.has_perm(DECIDE) and review.state == RiskReview.State.WAITING,
        }
        return render(request, "portal/risk/review.html", context)

    def decide(self, request: HttpRequest, review_id: int, wish: str) -> HttpResponse:
        """A dialog that decides: released, or frozen until a day."""
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        review = self._review(request, review_id)
        wishes = _wishes(review.pk)
        if wish not in wishes:
            raise Http404
        return wish_dialog(request, review.member, wishes[wish], reverse("admin:members_riskreview_changelist"))

    def _review(self, request: HttpRequest, review_id: int | str) -> RiskReview:
        rows = cast("QuerySet[RiskReview]", self.get_queryset(request))
        try:
            return rows.select_related("member__person", "decided_by", "freeze").get(pk=review_id)
        except (RiskReview.DoesNotExist, ValueError) as error:
            raise Http404 from error


@admin.register(RiskRule)
class RiskRuleAdmin(StaffAdmin):
    """The rules and their limits. What a rule asks is in its sentence."""

    list_display = ("name", "sentence", "is_on")  # the sentence has the limit, with its unit
    list_display_links = ("name",)
    ordering = ("code",)
    fields = ("sentence", "most", "is_on")
    readonly_fields = ("sentence",)
    is_nameless = True
    empty_sentence = _("No risk rule.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description=_("rule"))
    def name(self, rule: RiskRule) -> str:
        return label_of(rule.code)

    @display(description=_("opens a review at"))
    def sentence(self, rule: RiskRule) -> str:
        known = signal(rule.code)
        return known.sentence(rule.most) if known else "–"


def _found_with(member_id: int, findings: Iterable[RiskFinding]) -> QuerySet[Member]:
    """Return the members with whom one was found, as each rule found them last."""
    last: dict[str, datetime] = {}
    for finding in findings:  # newest first
        last.setdefault(finding.rule, finding.found_at)
    known = ((signal(rule), at) for rule, at in last.items())
    others = {other for one, at in known if one for other in one.others(member_id, at)}
    return Member.objects.filter(pk__in=others).select_related("person").order_by("pk")


def _wishes(review_id: int) -> Mapping[str, Wish]:
    def release(member_id: int, form: Any, by: Actor, at: datetime) -> None:
        release_review(review_id=review_id, reason=form.cleaned_data["reason"], by=by, at=at)

    def freeze(member_id: int, form: Any, by: Actor, at: datetime) -> None:
        freeze_under_review(
            review_id=review_id,
            reason=form.cleaned_data["reason"],
            acts=[Member.Act(act) for act in form.cleaned_data["acts"]],
            release_at=form.release_at(),
            by=by,
            at=at,
        )

    return {
        "release": Wish(
            DECIDE,
            _("Is everything in order?"),
            _("The review is closed; the same will not be found again. What is new opens another one."),
            _("Release"),
            _("The review is closed: nothing wrong."),
            ReasonDialog,
            release,
        ),
        "freeze": Wish(
            DECIDE,
            _("Freeze this member?"),
            _("Choose what is frozen. Without sign-in the member is signed out everywhere."),
            _("Freeze"),
            _("The member is frozen, and the review is closed."),
            FreezeDialog,
            freeze,
        ),
    }


register_sentence(
    OPENED,
    lambda payload, names: _now("Looks suspicious: %(rule)s.") % {"rule": label_of(payload["rule"])},
    icon="policy",
)
register_sentence(
    RELEASED,
    lambda payload, names: _now("Looked at: nothing wrong. %(reason)s") % {"reason": payload["reason"]},
    icon="verified_user",
)
