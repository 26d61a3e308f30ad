"""Pages of earn rules: what each says now, its versions, the draft that is written, what it would have given.

What is published is never changed; a change is a new version. Every button calls one service.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.decorators import action, display

from members.admin.base import Badge, TranslatedAdmin, actor_of
from members.admin.condition_editor import condition_fragment
from members.admin.dialogs import ReasonDialog, carry_out
from members.queries import programme
from members.refusals import Refusal
from members.wording import together
from rewards.admin.rules_dialogs import EndDialog, PublishDialog, ask
from rewards.admin.rules_form import NAME_FIELDS, RuleForm
from rewards.admin.rules_limits import limits_page
from rewards.admin.rules_preview import SPANS, preview_context
from rewards.admin.rules_states import STATES, badge, standing, state_of
from rewards.admin.rules_warnings import warnings_of
from rewards.models import EarnRule, EarnRuleVersion
from rewards.rule_sentence import names_for, sentence
from rewards.services.rules import (
    delete_draft,
    draft_version,
    end_rule,
    make_rule,
    name_rule,
    publish_version,
    withdraw_version,
    write_draft,
)

SEE = "rewards.view_earnrule"
ADD = "rewards.add_earnrule"
WRITE = "rewards.change_earnrule"
PUBLISH = "rewards.publish_earnruleversion"

_CONDITION = reverse_lazy("admin:rewards_earnrule_condition")
_MOST_VERSIONS = 30


@admin.register(EarnRule)
class EarnRuleAdmin(TranslatedAdmin):
    """Earn rules."""

    list_display = ("name", "currency", "earned_for", "sentence", "state")
    list_display_links = ("name",)
    list_select_related = ("currency",)
    list_filter = ("kind",)
    sortable_by = ()
    ordering = ("kind", "id")
    fields = ("name", "kind", "currency")
    actions_list = ("all_limits",)
    empty_sentence = gettext_lazy("No earn rule yet. Until there is one, purchases earn nothing.")

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Get the versions of a page of rules, and the names in their sentences."""
        now = timezone.now()
        found: dict[int, list[EarnRuleVersion]] = {row.pk: [] for row in rows}
        for one in EarnRuleVersion.objects.filter(rule__in=found).select_related("rule"):
            found[one.rule_id].append(one)
        standings = {pk: standing(versions, now) for pk, versions in found.items()}
        names = names_for([version for _state, version in standings.values() if version])
        for row in rows:
            state, version = standings[row.pk]
            row.state_key = state  # type: ignore[attr-defined]
            row.said = sentence(version, names) if version else "–"  # type: ignore[attr-defined]

    @display(description=pgettext_lazy("earn rule", "earned"))
    def earned_for(self, rule: EarnRule) -> str:
        return rule.get_kind_display()

    @display(description=gettext_lazy("in words"))
    def sentence(self, rule: EarnRule) -> str:
        return rule.said  # type: ignore[attr-defined]

    @display(description=gettext_lazy("state"), label={key: colour for key, (_words, colour) in STATES.items()})
    def state(self, rule: EarnRule) -> Badge:
        key: str = rule.state_key  # type: ignore[attr-defined]
        return Badge(key, STATES[key][0])

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("words/", self.words, "words"),
            ("condition/", self.condition, "condition"),
            ("limits/", self.limits, "limits"),
            ("<int:rule_id>/new-version/", self.new_version, "new_version"),
            ("<int:rule_id>/end/", self.end, "end"),
            ("version/<int:version_id>/", self.draft, "draft"),
            ("version/<int:version_id>/words/", self.words, "draft_words"),
            ("version/<int:version_id>/preview/", self.preview, "preview"),
            ("version/<int:version_id>/publish/", self.publish, "publish"),
            ("version/<int:version_id>/withdraw/", self.withdraw, "withdraw"),
            ("version/<int:version_id>/discard/", self.discard, "discard"),
        ]
        view = self.admin_site.admin_view
        return [path(at, view(shown), name=f"rewards_earnrule_{name}") for at, shown, name in own] + super().get_urls()

    # --- Pages ---------------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A rule with its versions, newest first, and what can be done with it."""
        _require(request, SEE)
        now = timezone.now()
        rule = _rule(unquote(object_id))
        versions = list(rule.versions.order_by("-number")[:_MOST_VERSIONS])
        for version in versions:
            version.rule = rule
        names = names_for(versions)
        state, _version = standing(versions, now)
        context = {
            **self._context(request, rule),
            "state": badge(state),
            "versions": [_row(version, sentence(version, names), now) for version in versions],
            "has_draft": any(version.state == EarnRuleVersion.State.DRAFT for version in versions),
            "is_running": state == "running",
            "may_write": request.user.has_perm(WRITE),
            "may_publish": request.user.has_perm(PUBLISH),
            **_as_of(now),
        }
        return render(request, "portal/rules/page.html", context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First the choice between purchases and behaviour, then the form of the first draft."""
        _require(request, ADD)
        kind = request.GET.get("kind", "")
        if kind not in EarnRule.Kind.values:
            context = {**self._context(request, None), "title": _("New earn rule")}
            return render(request, "portal/rules/kinds.html", context)
        form = RuleForm(request.POST or None, kind=kind, condition_address=str(_CONDITION))
        if request.method == "POST" and form.is_valid():
            try:
                made = make_rule(
                    names={"name": form.names()[NAME_FIELDS[0]], **form.names()}, kind=kind, activity_kind=form.cleaned_data.get("activity_kind", ""),
                    currency_id=form.cleaned_data["currency"], terms=form.terms(), by=actor_of(request), at=timezone.now(),
                )  # fmt: skip
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("The draft is saved. Nothing is earned by it until it is published."))
                return HttpResponseRedirect(_address("change", made.rule_id))
        title = _("New rule for purchases") if form.is_spend else _("New rule for behaviour")
        words = f"{_address('words')}?kind={kind}"
        return self._show_form(request, form, title=title, words=words, back=_address("changelist"))

    def draft(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The form of a draft."""
        _require(request, WRITE)
        version = _version(version_id, EarnRuleVersion.State.DRAFT)
        form = self._form(request, version)
        if request.method == "POST" and form.is_valid():
            try:
                self._save(form, version, request)
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("The draft is saved. Nothing is earned by it until it is published."))
                wants_preview = "preview" in request.POST
                then = ("preview", version.pk) if wants_preview else ("change", version.rule_id)
                return HttpResponseRedirect(_address(*then))
        title = _("%(name)s: draft of version %(number)s") % {"name": version.rule.name, "number": version.number}
        words, back = _address("draft_words", version.pk), _address("change", version.rule_id)
        return self._show_form(request, form, title=title, words=words, back=back, rule=version.rule)

    @transaction.atomic
    def _save(self, form: RuleForm, version: EarnRuleVersion, request: HttpRequest) -> None:
        by, at = actor_of(request), timezone.now()
        name_rule(rule_id=version.rule_id, names=form.names(), by=by, at=at)
        write_draft(version_id=version.pk, terms=form.terms(), by=by, at=at)

    def words(self, request: HttpRequest, version_id: int | None = None) -> HttpResponse:
        """What the form says, in words, with what is still missing and what to think of: for the page that is open."""
        _require(request, WRITE if version_id else ADD)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        if version_id:
            form = self._form(request, _version(version_id, EarnRuleVersion.State.DRAFT))
        else:
            kind = request.GET.get("kind", "")
            if kind not in EarnRule.Kind.values:
                raise Http404
            form = RuleForm(request.POST, kind=kind, condition_address=str(_CONDITION))
        form.is_valid()
        said = form.said()
        missing = [str(form.fields[name].label) for name in form.errors if name in form.fields]
        context = {
            "sentence": sentence(said),
            "missing": missing,
            "warnings": [] if missing else warnings_of(said, at=timezone.now()),
        }
        return render(request, "portal/rules/words.html", context)

    def condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        if not (request.user.has_perm(WRITE) or request.user.has_perm(ADD)):
            raise PermissionDenied
        return condition_fragment(request, name="condition", address=str(_CONDITION))

    @action(description=gettext_lazy("Limits of all rules together"), url_path="all-limits", icon="speed")
    def all_limits(self, request: HttpRequest) -> HttpResponse:
        """Lead to the page of limits."""
        return HttpResponseRedirect(_address("limits"))

    def limits(self, request: HttpRequest) -> HttpResponse:
        """The limits on what a member earns by all rules together."""
        _require(request, PUBLISH if request.method == "POST" else SEE)
        return limits_page(self, request, may_set=request.user.has_perm(PUBLISH))

    def preview(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """What the orders of the last days would have earned with a version."""
        _require(request, SEE)
        now = timezone.now()
        version = _version(version_id)
        days = SPANS[0]
        if request.GET.get("days") in {str(span) for span in SPANS}:
            days = int(request.GET["days"])
        context = {
            **self._context(request, version.rule),
            "title": _("%(name)s: version %(number)s over real orders") % {"name": version.rule.name, "number": version.number},
            "version": version,
            "sentence": sentence(version),
            "state": badge(state_of(version, now)),
            "is_draft": version.state == EarnRuleVersion.State.DRAFT,
            "may_publish": request.user.has_perm(PUBLISH),
            "warnings": warnings_of(version, at=now) if version.state == EarnRuleVersion.State.DRAFT else [],
            **preview_context(version, days=days, at=now),
            **_as_of(now),
        }  # fmt: skip
        return render(request, "portal/rules/preview.html", context)

    # --- Buttons -------------------------------------------------------------------------------------------------------
    def new_version(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """Make a draft that says what the newest version says, and open it."""
        _require(request, WRITE)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        draft = draft_version(rule_id=_rule(rule_id).pk, by=actor_of(request), at=timezone.now())
        return HttpResponseRedirect(_address("draft", draft.pk))

    def publish(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that publishes: from when, what it replaces, why."""
        _require(request, PUBLISH)
        now = timezone.now()
        version = _version(version_id, EarnRuleVersion.State.DRAFT)
        form = PublishDialog(request, version_id, request.POST or None, initial={"valid_from": version.valid_from})
        if not form.is_valid():
            return ask(
                request, form, title=_("Publish version %(number)s of “%(name)s”?"), button=_("Publish"), version=version,
                description=together([_replaced(version, now), *warnings_of(version, at=now)]),
            )  # fmt: skip

        def act() -> None:
            publish_version(
                version_id=version_id, valid_from=form.cleaned_data["valid_from"], reason=form.cleaned_data["reason"],
                by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        return carry_out(request, act, done=_("The version is published."), then=_address("change", version.rule_id))

    def end(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """The dialog that ends the version in force."""
        _require(request, PUBLISH)
        rule = _rule(rule_id)
        form = EndDialog(request, rule_id, request.POST or None)
        if not form.is_valid():
            description = _("Nothing is earned by it from then on. What members have keeps its end.")
            return ask(
                request, form, title=_("End “%(name)s”?"), button=_("End the rule"), rule=rule, description=description
            )

        def act() -> None:
            end_rule(
                rule_id=rule_id, valid_to=form.cleaned_data["valid_to"], reason=form.cleaned_data["reason"],
                by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        return carry_out(request, act, done=_("The end is set."), then=_address("change", rule_id))

    def withdraw(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that withdraws a version which has not begun."""
        _require(request, PUBLISH)
        version = _version(version_id, EarnRuleVersion.State.PUBLISHED)
        form = ReasonDialog(request, version_id, request.POST or None)
        if not form.is_valid():
            return ask(
                request, form, title=_("Withdraw version %(number)s of “%(name)s”?"), button=_("Withdraw"), version=version,
                description=_("It will not begin; the version before it goes on."),
            )  # fmt: skip

        def act() -> None:
            withdraw_version(
                version_id=version_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            )

        return carry_out(request, act, done=_("The version is withdrawn."), then=_address("change", version.rule_id))

    def discard(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that throws a draft away."""
        _require(request, WRITE)
        version = _version(version_id, EarnRuleVersion.State.DRAFT)
        form = ReasonDialog(request, version_id, request.POST or None)
        if not form.is_valid():
            return ask(
                request, form, title=_("Throw the draft of version %(number)s of “%(name)s” away?"), button=_("Throw away"),
                version=version, description=_("What was written in it is lost. Nothing that is published changes."),
            )  # fmt: skip

        def act() -> None:
            delete_draft(version_id=version_id, by=actor_of(request), at=timezone.now())

        return carry_out(request, act, done=_("The draft is gone."), then=_address("change", version.rule_id))

    # --- Parts ---------------------------------------------------------------------------------------------------------
    def _form(self, request: HttpRequest, version: EarnRuleVersion) -> RuleForm:
        return RuleForm(
            request.POST or None, kind=version.rule.kind, version=version, condition_address=str(_CONDITION)
        )

    def _show_form(
        self, request: HttpRequest, form: RuleForm, *, title: str, words: str, back: str, rule: EarnRule | None = None
    ) -> HttpResponse:
        context = {
            **self._context(request, rule), "title": title, "form": form, "blocks": form.blocks(), "words": words,
            "back": back, "media": self.media + form.media, "is_new": rule is None, "currency": programme().currency,
        }  # fmt: skip
        return render(request, "portal/rules/form.html", context)

    def _context(self, request: HttpRequest, rule: EarnRule | None) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "object": rule,
            "rule": rule,
            "title": rule.name if rule else "",
        }


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _rule(rule_id: int | str) -> EarnRule:
    try:
        return EarnRule.objects.select_related("currency").get(pk=rule_id)
    except (EarnRule.DoesNotExist, ValueError) as error:
        raise Http404 from error


def _version(version_id: int, state: str | None = None) -> EarnRuleVersion:
    """Return a version; with a state, only one that is in it. Raises Http404."""
    found = EarnRuleVersion.objects.select_related("rule__currency").filter(pk=version_id).first()
    if found is None or (state is not None and found.state != state):
        raise Http404
    return found


def _address(page: str, *args: int) -> str:
    return reverse(f"admin:rewards_earnrule_{page}", args=args)


def _row(version: EarnRuleVersion, said: str, now: datetime) -> dict[str, Any]:
    state = state_of(version, now)
    return {"version": version, "sentence": said, "state": badge(state), "key": state}


def _as_of(now: datetime) -> Mapping[str, Any]:
    return {"as_of": now.astimezone(programme().tz), "zone": programme().zone}


def _replaced(version: EarnRuleVersion, now: datetime) -> str:
    """Return in words what a draft takes the place of."""
    others = list(version.rule.versions.filter(state=EarnRuleVersion.State.PUBLISHED).select_related("rule"))
    state, current = standing(others, now)
    if current is None or state not in ("running", "scheduled"):
        return _("Nothing of this rule is in force yet.")
    words = {"number": current.number, "sentence": sentence(current)}
    return _("It takes the place of version %(number)s: %(sentence)s") % words
