"""The page of the ledger's proof: sealed blocks, anchors, and what each verification found."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from members.admin.base import Badge, HistoryAdmin, ReadOnlyInline, actor_of
from members.admin.dialogs import ConfirmDialog
from members.admin.links import member_link
from members.figures import grouped
from rewards.models import LedgerVerification, VerificationFinding
from rewards.services.anchoring import export_anchors
from rewards.services.proof import state_of_proof
from rewards.services.verification import words_of
from rewards.services.verification_jobs import PERMISSION, start_verification

EXPORT = "rewards.export_ledgeranchor"


class FindingInline(ReadOnlyInline):
    """What a verification found, in words; the rows themselves are named by the command and the log."""

    model = VerificationFinding
    verbose_name_plural = _("what is wrong")
    fields = readonly_fields = ("what", "member_page")
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("member")

    @display(description=_("what is wrong"))
    def what(self, finding: VerificationFinding) -> str:
        return str(words_of(finding.check_name))

    @display(description=_("member"))
    def member_page(self, finding: VerificationFinding) -> SafeString | str:
        return member_link(finding.member) or "–"


@admin.register(LedgerVerification)
class LedgerVerificationAdmin(HistoryAdmin):
    """How the proof of the ledger stands, and its verifications, newest first."""

    is_nameless = True
    list_display = ("finished_at", "outcome", "checked", "took")
    list_display_links = ("finished_at",)
    list_before_template = "portal/proof.html"
    ordering = ("-id",)
    fields = ("started_at", "finished_at", "outcome", "checked")
    readonly_fields = ("outcome", "checked")
    inlines = (FindingInline,)
    actions_list = ("verify_now", "download_anchors")
    empty_sentence = _(
        "The ledger has not been verified yet. Each night all balances, lots and hashes are derived from history again; "
        "what was found stands here."
    )

    @display(description=_("outcome"), label={"sound": "success", "unsound": "danger"})
    def outcome(self, run: LedgerVerification) -> Badge:
        if not run.findings_count:
            return Badge("sound", _("sound"))
        words = ngettext("%(number)s row is wrong", "%(number)s rows are wrong", run.findings_count)
        return Badge("unsound", words % {"number": grouped(run.findings_count)})

    @display(description=_("points entries checked"))
    def checked(self, run: LedgerVerification) -> str:
        return grouped(run.entries)

    @display(description=_("duration (seconds)"))
    def took(self, run: LedgerVerification) -> str:
        return f"{(run.finished_at - run.started_at).total_seconds():,.1f}"

    def get_inlines(self, request: HttpRequest, obj: LedgerVerification | None) -> Any:
        """Say what is wrong only where something is."""
        return self.inlines if obj is not None and obj.findings_count else ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        proof = state_of_proof(at=timezone.now()) if self.has_view_permission(request) else None
        return super().changelist_view(request, {**(extra_context or {}), "proof": proof})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.anchors)
        return [path("anchors.txt", view, name="rewards_ledgerverification_anchors"), *super().get_urls()]

    def anchors(self, request: HttpRequest) -> HttpResponse:
        """All anchors as a file; that they were taken out is noted."""
        if not request.user.has_perm(EXPORT):
            raise PermissionDenied
        at = timezone.now()
        lines = export_anchors(since=None, by=actor_of(request), at=at)
        headers = {
            "Content-Disposition": f'attachment; filename="ledger-anchors-{at:%Y-%m-%d}.txt"',
            "Cache-Control": "no-store",
        }
        return HttpResponse(lines, content_type="text/plain; charset=utf-8", headers=headers)

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(EXPORT)

    @action(
        description=_("Verify now"),
        url_path="verify",
        permissions=["verify"],
        icon="fact_check",
        dialog={
            "title": _("Verify the points ledger now?"),
            "description": _(
                "All balances, lots, holds and sealed blocks are derived from history again, beside the running business. "
                "This takes from seconds to minutes."
            ),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Verify"),
        },
    )
    def verify_now(self, request: HttpRequest, form: ConfirmDialog) -> HttpResponse:
        job = start_verification(by=actor_of(request), at=timezone.now())
        messages.success(request, _("The verification has been started."))
        return HttpResponse(headers={"HX-Redirect": reverse("admin:members_job_change", args=[job.pk])})

    @action(description=_("Download the anchors"), url_path="download-anchors", permissions=["export"], icon="download")
    def download_anchors(self, request: HttpRequest) -> HttpResponse:
        return self.anchors(request)
