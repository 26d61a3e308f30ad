"""Pages of the personal-information desk: wishes, oldest due first, with certificates; and the texts of consents."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from modeltranslation.utils import build_localized_fieldname
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.links import member_link
from members.admin.privacy_dialogs import HANDLE
from members.admin.timeline import ActorNames, Names, register_sentence
from members.certificate import CONTENT_TYPE, certificate_of, erased_words
from members.models import ConsentText, ContactChannel, PrivacyRequest, Purpose
from members.refusals import Refusal
from members.services.consents import publish_text, text_in_force
from members.services.privacy import take_copy

Payload = Mapping[str, Any]
_NAMES: Final[Mapping[str, str | Promise]] = dict(settings.LANGUAGES)
PUBLISH: Final = "members.publish_consenttext"
STATE_COLOURS = {"waiting": "warning", "done": "success", "withdrawn": "info", "failed": "danger"}


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(HistoryAdmin):
    """Wishes to get a copy or to be erased. What is to be done about one is on the member page."""

    is_nameless = True
    list_display = (
        "number_link",
        "kind",
        "member_number",
        "state_badge",
        "asked_at",
        "due_at",
        "certificate",
    )
    list_select_related = ("member",)
    list_filter = (("kind", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter))
    ordering = ("-asked_at", "-id")
    fields = (
        "number_shown",
        "kind",
        "member_number",
        "state_badge",
        "asked_by",
        "asked_at",
        "due_at",
        "ended_at",
        "link_until",
        "erased",
        "certificate",
    )
    readonly_fields = fields
    empty_sentence = gettext_lazy(
        "Nobody has asked for a copy of their data or to be erased. Open a member, then the tab of personal data."
    )

    @display(description=gettext_lazy("number"))
    def number_link(self, wish: PrivacyRequest) -> SafeString:
        address = reverse("admin:members_member_change", args=[wish.member_id])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500 pn-number" href="{}?tab=privacy">{}</a>',
            address,
            wish.number,
        )

    def get_fields(self, request: HttpRequest, obj: PrivacyRequest | None = None) -> tuple[str, ...]:
        of_other_kind = (
            ("link_until",) if obj and obj.kind == PrivacyRequest.Kind.ERASURE else ("due_at", "erased", "certificate")
        )
        return tuple(name for name in self.fields if name not in of_other_kind)

    @display(description=gettext_lazy("asked for by"))
    def asked_by(self, wish: PrivacyRequest) -> str:
        return f"{ActorNames.of([wish]).name(wish)} · {wish.get_way_display()}"

    @display(description=gettext_lazy("what was erased"))
    def erased(self, wish: PrivacyRequest) -> str:
        words = (f"{label}: {number}" for label, number in erased_words(wish))
        return _("; ").join(words) or "–"

    @display(description=gettext_lazy("number"))
    def number_shown(self, wish: PrivacyRequest) -> str:
        return wish.number

    @display(description=gettext_lazy("member"))
    def member_number(self, wish: PrivacyRequest) -> SafeString:
        return member_link(wish.member)

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state_badge(self, wish: PrivacyRequest) -> Badge:
        return Badge(wish.state, wish.get_state_display())

    @display(description=gettext_lazy("certificate"))
    def certificate(self, wish: PrivacyRequest) -> SafeString | str:
        if wish.kind != PrivacyRequest.Kind.ERASURE or wish.state != PrivacyRequest.State.DONE:
            return "–"
        address = reverse("admin:members_privacyrequest_certificate", args=[wish.pk])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, _("PDF"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        copy = self.admin_site.admin_view(self.fetch_copy)
        own = [
            path("<int:wish_id>/certificate/", view, name="members_privacyrequest_certificate"),
            path("<int:wish_id>/copy/", copy, name="members_privacyrequest_copy"),
        ]
        return own + super().get_urls()

    def download(self, request: HttpRequest, wish_id: int) -> HttpResponse:
        """The certificate of an erasure, drawn from its record in the language of the reader."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wish = PrivacyRequest.objects.filter(
            pk=wish_id, kind=PrivacyRequest.Kind.ERASURE, state=PrivacyRequest.State.DONE
        ).first()
        if wish is None:
            raise Http404
        answer = HttpResponse(certificate_of(wish), content_type=CONTENT_TYPE)
        name = f"{wish.number}.pdf"
        answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
        answer["Cache-Control"] = "no-store"
        return answer

    def fetch_copy(self, request: HttpRequest, wish_id: int) -> HttpResponse:
        """The archive of a copy, after writing down who took it."""
        if not request.user.has_perm(HANDLE):
            raise PermissionDenied
        wish = PrivacyRequest.objects.filter(pk=wish_id, kind=PrivacyRequest.Kind.COPY).first()
        if wish is None:
            raise Http404
        try:
            taken = take_copy(
                request_id=wish.pk, by=actor_of(request), at=timezone.now(), ip_address=request.META.get("REMOTE_ADDR")
            )
        except Refusal as refusal:
            say_refusal(request, refusal)
            address = reverse("admin:members_member_change", args=[wish.member_id])
            return HttpResponseRedirect(f"{address}?tab=privacy")
        answer = HttpResponse(taken.content, content_type=taken.content_type)
        answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=taken.name)
        answer["Cache-Control"] = "no-store"
        return answer


def _in_language(text: ConsentText, tag: str) -> str:
    return getattr(text, build_localized_fieldname("body", tag)) or "–"


class ConsentTextForm(forms.Form):
    """A new version: new words, in every language."""

    purpose = forms.ChoiceField(label=gettext_lazy("Purpose"), choices=Purpose.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for tag, name in settings.LANGUAGES:
            self.fields[f"body_{tag.replace('-', '_')}"] = forms.CharField(
                label=name, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "lang": tag})
            )

    def words(self) -> dict[str, str]:
        """Return the text by suffix of language."""
        return {
            name.removeprefix("body_"): text for name, text in self.cleaned_data.items() if name.startswith("body_")
        }


@admin.register(ConsentText)
class ConsentTextAdmin(HistoryAdmin):
    """The words that members are asked with. A version is never changed; publishing writes the next one."""

    is_nameless = True
    list_display = ("purpose", "version", "beginning", "valid_from")
    list_filter = (("purpose", ChoicesDropdownFilter),)
    ordering = ("purpose", "-version")
    fields = ("purpose", "version", "words_zh_hans", "words_zh_hant", "words_en", "valid_from")
    readonly_fields = fields
    actions_list = ("publish",)
    empty_sentence = gettext_lazy("No text yet. Nobody can agree to a purpose before it has one.")

    @display(description=_NAMES["zh-hans"])
    def words_zh_hans(self, text: ConsentText) -> str:
        return _in_language(text, "zh-hans")

    @display(description=_NAMES["zh-hant"])
    def words_zh_hant(self, text: ConsentText) -> str:
        return _in_language(text, "zh-hant")

    @display(description=_NAMES["en"])
    def words_en(self, text: ConsentText) -> str:
        return _in_language(text, "en")

    @display(description=gettext_lazy("text"))
    def beginning(self, text: ConsentText) -> str:
        return text.body if len(text.body) <= 60 else f"{text.body[:59]}…"

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PUBLISH)

    @action(
        description=gettext_lazy("Publish new words"), url_path="publish", icon="edit_note", permissions=["publish"]
    )
    def publish(self, request: HttpRequest) -> HttpResponse:
        """The form of the next version. What was agreed to under the old words stays agreed to."""
        if not self.has_publish_permission(request):
            raise PermissionDenied
        form = ConsentTextForm(request.POST or None)
        there = reverse("admin:members_consenttext_changelist")
        if form.is_valid():
            try:
                text = publish_text(
                    purpose=form.cleaned_data["purpose"], body=form.words(), by=actor_of(request), at=timezone.now()
                )
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("Version %(version)s is in force now.") % {"version": text.version})
                return HttpResponseRedirect(there)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Publish new words"),
            "form": form,
            "media": self.media + form.media,
            "texts": [(purpose.label, text_in_force(purpose, timezone.now())) for purpose in Purpose],
            "back": there,
        }
        return render(request, "portal/consent_text.html", context)


def _consent_changed(payload: Payload, names: Names) -> str:
    purpose = Purpose(payload["purpose"]).label
    channels = [str(ContactChannel(channel).label) for channel in payload.get("channels", []) if channel]
    if payload["purpose"] == Purpose.CONTACT:
        return _("The stop of all contact was taken back.") if payload["given"] else _("All contact was stopped.")
    figures = {"purpose": purpose, "channels": _(", ").join(channels)}
    if channels:
        said_yes, said_no = _("Said yes to %(purpose)s: %(channels)s."), _("Said no to %(purpose)s: %(channels)s.")
    else:
        said_yes, said_no = _("Said yes to %(purpose)s."), _("Said no to %(purpose)s.")
    return (said_yes if payload["given"] else said_no) % figures


def _always(words: Any) -> Any:
    def tell(payload: Payload, names: Names) -> str:
        return str(words)

    return tell


def _text_published(payload: Payload, names: Names) -> str:
    figures = {"purpose": Purpose(payload["purpose"]).label, "version": payload["version"]}
    return _("Version %(version)s of the text for “%(purpose)s” was published.") % figures


register_sentence("members.consent_changed.v1", _consent_changed, icon="how_to_reg")
register_sentence("members.consent_text_published.v1", _text_published, icon="article")
for _kind, _words, _icon in (
    ("members.copy_asked.v1", gettext_lazy("A copy of all data was asked for."), "folder_zip"),
    ("members.copy_taken.v1", gettext_lazy("The copy of all data was fetched."), "download"),
    ("members.copy_made.v1", gettext_lazy("The copy of all data is ready."), "folder_zip"),
    ("members.erasure_asked.v1", gettext_lazy("Wants to be erased."), "person_remove"),
    ("members.erasure_taken_back.v1", gettext_lazy("Does not want to be erased any more."), "person_add"),
    ("members.erased.v1", gettext_lazy("The person was erased."), "person_off"),
):
    register_sentence(_kind, _always(_words), icon=_icon)
