"""Vouchers of one member by hand: give, extend, reissue, void, and take that back; and the list of what was done."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget

from members.admin.base import Badge, actor_of
from members.admin.days import local_moment
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import money
from members.models import Member, Operator
from members.proposals import ProposalOutcome, my_limit
from members.queries import programme
from members.refusals import Refusal
from rewards.admin.by_hand import HandForm, HandPages, ReasonField, say_outcome
from rewards.models import Voucher, VoucherGoodwill, VoucherTemplate
from rewards.services.voucher_goodwill import (
    DAYS_ALONE,
    GIVE,
    MAY_EXTEND,
    MAY_GIVE,
    MAY_VOID,
    goodwill_of_month,
    propose_extension,
    propose_give,
    propose_reissue,
    undo_goodwill,
    void_voucher,
)
from rewards.voucher_sentence import voucher_sentence

What = VoucherGoodwill.What
_COLOURS: Final = {"give": "success", "extend": "info", "reissue": "info", "void": "danger", "undo": "warning"}
_RIGHTS: Final = {What.GIVE: MAY_GIVE, What.EXTEND: MAY_EXTEND, What.REISSUE: MAY_EXTEND, What.VOID: MAY_VOID}


class GiveForm(HandForm):
    """Which voucher, and why."""

    template: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Voucher"), queryset=VoucherTemplate.objects.none(), widget=UnfoldAdminSelectWidget
    )
    reason = ReasonField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = VoucherTemplate.objects.filter(is_retired=False).order_by("name", "pk")
        self.fields["template"].queryset = templates  # type: ignore[attr-defined]


class ExtendForm(HandForm):
    """The last day, and why."""

    last_day = forms.DateField(label=_("Last day on which it can be used"), widget=UnfoldAdminDateWidget)
    reason = ReasonField()


class ReissueForm(HandForm):
    """Why."""

    reason = ReasonField()


class VoucherPages(HandPages):
    """The pages that give, extend and reissue vouchers of one member, and the dialogs that void and take back."""

    def give(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that gives a member a voucher."""
        self.require(request, MAY_GIVE)
        member, at = self.member(member_id), timezone.now()
        form = GiveForm(request.POST or None)
        texts = {"title": _now("Give a voucher"), "submit": _now("Give the voucher")}
        templates = form.fields["template"].queryset  # type: ignore[attr-defined]
        costs = [(str(one), money(one.most_cost_amount, programme().currency)) for one in templates[:50]]
        return self._page(
            request, member, form, {**texts, "costs": costs},
            lambda said: propose_give(
                member_id=member.pk, template_id=said["template"].pk, reason=said["reason"], by=actor_of(request), at=at,
                request_id=said["request_id"],
            ),
            at,
        )  # fmt: skip

    def extend(self, request: HttpRequest, voucher_id: int) -> HttpResponse:
        """The page that lets a voucher end later."""
        self.require(request, MAY_EXTEND)
        voucher, at = self._voucher(voucher_id), timezone.now()
        tz = programme().tz
        begins = max(voucher.expires_at, at)
        latest = localtime(begins - timedelta(microseconds=1), tz).date() + timedelta(days=DAYS_ALONE)
        form = ExtendForm(request.POST or None, initial={"last_day": latest})
        texts = {
            "title": _now("Extend a voucher"), "submit": _now("Extend the voucher"), "voucher": voucher,
            "intro": _now("Up to %(days)s days more are within your own limit; that is until %(day)s. More waits for a colleague.")
            % {"days": DAYS_ALONE, "day": date_format(latest, "DATE_FORMAT")},
        }  # fmt: skip

        def act(said: dict[str, Any]) -> ProposalOutcome:
            until = datetime.combine(said["last_day"] + timedelta(days=1), time(), tz)
            if said["last_day"] == latest:  # a voucher that ends within a day keeps its hour: exactly so many days more
                until = min(until, begins + timedelta(days=DAYS_ALONE))
            return propose_extension(
                voucher_id=voucher.pk, until=until, reason=said["reason"], by=actor_of(request), at=at,
                request_id=said["request_id"],
            )  # fmt: skip

        return self._page(request, voucher.member, form, texts, act, at)

    def reissue(self, request: HttpRequest, voucher_id: int) -> HttpResponse:
        """The page that gives a new voucher in place of one."""
        self.require(request, MAY_EXTEND)
        voucher, at = self._voucher(voucher_id), timezone.now()
        lives = voucher.state_at(at) == Voucher.State.ISSUED
        texts = {
            "title": _now("Reissue a voucher"), "submit": _now("Reissue the voucher"), "voucher": voucher,
            "intro": _now("The old one is made void; the new one has another code and the same end.")
            if lives
            else _now("The old one stays as it is; the new one has the days of its template, from today."),
            "costs_nothing": lives,
        }  # fmt: skip
        return self._page(
            request, voucher.member, ReissueForm(request.POST or None), texts,
            lambda said: propose_reissue(
                voucher_id=voucher.pk, reason=said["reason"], by=actor_of(request), at=at, request_id=said["request_id"]
            ),
            at,
        )  # fmt: skip

    def void(self, request: HttpRequest, voucher_id: int) -> HttpResponse:
        """The dialog that makes a voucher void."""
        self.require(request, MAY_VOID)
        voucher = self._voucher(voucher_id)
        dialog = {
            "title": _now("Make this voucher void?"), "description": voucher_sentence(voucher.template),
            "form_submit_text": _now("Make it void"),
        }  # fmt: skip
        return self._dialog(
            request, voucher.member_id, dialog,
            lambda reason: void_voucher(voucher_id=voucher.pk, reason=reason, by=actor_of(request), at=timezone.now()),
            _now("The voucher is void."),
        )  # fmt: skip

    def undo(self, request: HttpRequest, goodwill_id: int) -> HttpResponse:
        """The dialog that takes back what was done by hand."""
        row = VoucherGoodwill.objects.filter(pk=goodwill_id).exclude(what=What.UNDO).first()
        self.require(request, _RIGHTS.get(What(row.what), MAY_GIVE) if row else MAY_GIVE)
        if row is None:
            raise Http404
        dialog = {
            "title": _now("Take this back?"), "description": _now("The voucher is as it was before, unless it was used since."),
            "form_submit_text": _now("Take it back"),
        }  # fmt: skip
        return self._dialog(
            request, row.member_id, dialog,
            lambda reason: undo_goodwill(goodwill_id=row.pk, reason=reason, by=actor_of(request), at=timezone.now()),
            _now("Taken back."),
        )  # fmt: skip

    def _voucher(self, voucher_id: int) -> Voucher:
        voucher = Voucher.objects.select_related("template", "member").defer("code_hmac").filter(pk=voucher_id).first()
        if voucher is None:
            raise Http404
        return voucher

    def _page(
        self, request: HttpRequest, member: Member, form: forms.Form, texts: dict[str, Any],
        act: Callable[[dict[str, Any]], ProposalOutcome], at: datetime,
    ) -> HttpResponse:  # fmt: skip
        if request.method == "POST" and form.is_valid():
            try:
                outcome = act(form.cleaned_data)
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                say_outcome(request, outcome)
                return HttpResponseRedirect(_vouchers_of(member.pk))
        return self._show(request, member, form, texts, at)

    def _show(
        self, request: HttpRequest, member: Member, form: forms.Form, texts: dict[str, Any], at: datetime
    ) -> HttpResponse:
        operator = cast(Operator, request.user)
        used = goodwill_of_month(operator_id=operator.pk, at=at)
        currency = programme().currency
        limit = my_limit(operator=operator, kind=GIVE, at=at)
        request.current_app = self.model_admin.admin_site.name
        context = {
            **self.model_admin.admin_site.each_context(request), "opts": self.model_admin.opts, "title": texts["title"],
            "member": member, "form": form, "texts": texts, "limit": limit, "back": _vouchers_of(member.pk),
            "used_vouchers": used.vouchers, "used_amount": money(used.cost_amount, currency),
            "media": self.model_admin.media + form.media, **_terms(texts.get("voucher"), texts.get("costs_nothing", False), at),
        }  # fmt: skip
        return render(request, "portal/vouchers/action.html", context)

    def _dialog(
        self, request: HttpRequest, member_id: int, dialog: dict[str, str], act: Callable[[str], Any], done: str
    ) -> HttpResponse:
        form = ReasonDialog(request, member_id, request.POST or None)
        if request.method != "POST" or not form.is_valid():
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request, lambda: act(form.cleaned_data["reason"]), done=done, then=_vouchers_of(member_id)
        )  # fmt: skip


def _terms(voucher: Voucher | None, costs_nothing: bool, at: datetime) -> dict[str, Any]:
    """Return the original terms of a voucher, and what doing it costs, for the page."""
    if voucher is None:
        return {}
    cost = voucher.template.most_cost_amount
    return {
        "sentence": voucher_sentence(voucher.template),
        "state": voucher.state_at(at).label,
        "cost": money(cost * (not costs_nothing), programme().currency),
    }


def _vouchers_of(member_id: int) -> str:
    return reverse("admin:members_member_change", args=[member_id]) + "?tab=vouchers"


@admin.register(VoucherGoodwill)
class VoucherGoodwillAdmin(FactAdmin):
    """What staff did with vouchers of members, newest first."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "what_badge", "template", "cost", "ends", "maker", "taken_back")
    list_display_links = ("happened_at",)
    list_select_related = ("member", "voucher__template", "maker", "undone_by")
    list_filter = (("what", ChoicesDropdownFilter), ("happened_at", DayRangeFilter))
    ordering = ("-happened_at", "-id")
    fields = ("happened_at", "member_page", "what_badge", "template", "cost", "ends", "why", "maker", "taken_back")
    readonly_fields = ("member_page", "what_badge", "template", "cost", "ends", "why", "taken_back")
    change_form_outer_after_template = "portal/vouchers/goodwill.html"
    empty_sentence = _("Nobody has given or changed a voucher by hand yet. That is done on the page of a member.")

    @display(description=_("member"))
    def member_page(self, row: VoucherGoodwill) -> SafeString:
        return member_link(row.member)

    @display(description=_("what was done"), label=_COLOURS)
    def what_badge(self, row: VoucherGoodwill) -> Badge:
        return Badge(row.what, row.get_what_display())

    @display(description=_("voucher"))
    def template(self, row: VoucherGoodwill) -> str:
        return str(row.voucher.template)

    @display(description=_("costs at most"))
    def cost(self, row: VoucherGoodwill) -> str:
        return money(row.cost_amount, programme().currency) if row.cost_amount else "–"

    @display(description=_("ends at"))
    def ends(self, row: VoucherGoodwill) -> str:
        if row.new_expires_at is None:
            return "–"
        return date_format(localtime(row.new_expires_at, programme().tz), "DATETIME_FORMAT")

    @display(description=_("reason"))
    def why(self, row: VoucherGoodwill) -> str:
        return row.proposal.reason if row.proposal else "–"

    @display(description=_("taken back"))
    def taken_back(self, row: VoucherGoodwill) -> str:
        undone = getattr(row, "undone_by", None)
        return local_moment(undone.happened_at) if undone else "–"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = VoucherGoodwill.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        right = _RIGHTS.get(What(row.what)) if row is not None else None
        may_undo = right is not None and request.user.has_perm(right) and not hasattr(row, "undone_by")
        told = {"undo": reverse("admin:rewards_vouchergoodwill_undo", args=[object_id])} if may_undo else {}
        return super().change_view(request, object_id, form_url, {**told, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        pages, view = VoucherPages(self), self.admin_site.admin_view
        own = [
            path("member/<int:member_id>/give/", view(pages.give), name="rewards_vouchergoodwill_give"),
            path("voucher/<int:voucher_id>/extend/", view(pages.extend), name="rewards_vouchergoodwill_extend"),
            path("voucher/<int:voucher_id>/reissue/", view(pages.reissue), name="rewards_vouchergoodwill_reissue"),
            path("voucher/<int:voucher_id>/void/", view(pages.void), name="rewards_vouchergoodwill_void"),
            path("<int:goodwill_id>/take-back/", view(pages.undo), name="rewards_vouchergoodwill_undo"),
        ]
        return own + super().get_urls()


def voucher_rights(request: HttpRequest) -> dict[str, bool]:
    """Return what the operator may do with vouchers of a member, for the member page."""
    rights = {"may_give": MAY_GIVE, "may_extend": MAY_EXTEND, "may_void": MAY_VOID}
    return {name: request.user.has_perm(right) for name, right in rights.items()}


def voucher_with_hand(voucher_id: str, at: datetime) -> Voucher | None:
    """Return a voucher with its state at a moment and what was done with it by hand, for the buttons of its page."""
    if not voucher_id.isdigit():
        return None
    voucher = Voucher.objects.defer("code_hmac").filter(pk=voucher_id).first()
    if voucher is not None:
        voucher.now = voucher.state_at(at)  # type: ignore[attr-defined]
        voucher.by_hand = list(in_force_by_hand().filter(voucher=voucher))  # type: ignore[attr-defined]
    return voucher


def in_force_by_hand() -> QuerySet[VoucherGoodwill]:
    """Return what was done by hand and not taken back, newest first."""
    return VoucherGoodwill.objects.filter(undone_by__isnull=True).exclude(what=What.UNDO).order_by("-pk")
