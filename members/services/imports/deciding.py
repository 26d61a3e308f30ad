"""An import that was checked is proposed, approved by a second person, and carried out by a job."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members import jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.models import MemberImport, Proposal
from members.opening_balances import opening_balances
from members.services.imports.checking import PERMISSION, is_under_way, lasting_name, locked_import
from members.services.imports.loading import run_load
from members.services.imports.refusals import (
    ImportFileGone,
    ImportHasNothingToDo,
    ImportIsNotChecked,
    ImportIsUnderWay,
)
from members.services.imports.undoing import run_undo, undo_preview

IMPORT: Final = "members.import"
#: How long rows are kept for a job that may be stopped and go on; its end makes it 7 days.
_KEPT_FOR_THE_JOB: Final = timedelta(days=14)

Params = Mapping[str, Any]


def propose_import(
    *, import_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Ask a colleague to approve an import that was checked; return the proposal, which always waits.

    Raises `NotFound`, `ImportIsUnderWay`, `ImportIsNotChecked`, `ImportFileGone`, `ImportHasNothingToDo`, and as
    `members.proposals.propose` does.
    """
    with transaction.atomic():
        member_import = locked_import(import_id)
        earlier = member_import.proposal
        is_repeat = earlier is not None and bool(request_id) and earlier.request_id == request_id
        if not is_repeat and is_under_way(member_import):
            raise ImportIsUnderWay
        if member_import.checked_at is None:
            raise ImportIsNotChecked
        if member_import.expires_at <= at:
            raise ImportFileGone
        if not _rows_to_do(member_import):
            raise ImportHasNothingToDo
        params = {
            "import": member_import.pk, "file": lasting_name(member_import), "new": member_import.rows_new,
            "known": member_import.rows_known, "on_known": member_import.on_known, "points": member_import.points_total,
        }  # fmt: skip
        outcome = proposals.propose(kind=IMPORT, params=params, reason=reason, by=by, at=at, request_id=request_id)
        MemberImport.objects.filter(pk=member_import.pk).update(proposal_id=outcome.proposal_id)
    return outcome


def _rows_to_do(member_import: MemberImport) -> int:
    skips = member_import.on_known == MemberImport.OnKnown.SKIP
    return member_import.rows_new + (0 if skips else member_import.rows_known)


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    member_import = locked_import(params["import"])
    if member_import.job_id is not None:
        raise ImportIsUnderWay
    if member_import.expires_at <= at:
        raise ImportFileGone
    maker = Actor("operator", proposal.maker_id)  # who sees it in the tray
    total = member_import.rows_new + member_import.rows_known
    job = jobs.start_job(
        kind=IMPORT, title_params=dict(params), params={"import": member_import.pk}, total=total, by=maker, at=at
    )
    MemberImport.objects.filter(pk=member_import.pk).update(
        job=job, proposal=proposal, expires_at=at + _KEPT_FOR_THE_JOB
    )
    return _("A job carries it out; see the list of jobs.")


def _sentence(params: Params) -> str:
    new = ngettext(
        "Import “%(file)s”: %(new)s new member, %(known)s known ones.",
        "Import “%(file)s”: %(new)s new members, %(known)s known ones.",
        params["new"],
    )
    return new % {"file": params["file"], "new": grouped(params["new"]), "known": grouped(params["known"])}


def _effect(params: Params, at: datetime) -> Effect:
    member_import = MemberImport.objects.get(pk=params["import"])
    on_known = MemberImport.OnKnown(member_import.on_known).label
    points = member_import.points_total
    lines = (
        EffectLine(_("New members"), "–", member_import.rows_new),
        EffectLine(_("Members we know"), "–", member_import.rows_known),
        EffectLine(_("What happens to members we know"), "–", on_known),
        EffectLine(_("Bad rows, left out"), "–", member_import.rows_bad),
        EffectLine(_("Opening balances (points)"), "–", points),
        EffectLine(
            _("Messages to the members"), "–", _("none") if member_import.is_quiet else _("as for all who join")
        ),
    )
    balances = opening_balances()
    return Effect(lines, cost_points=points, cost_amount=balances.worth(points, at) if balances and points else None)


def register() -> None:
    """Make imports known to those who approve, and to the workers that do long work."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=IMPORT, label=gettext_lazy("Import of members"), permission=PERMISSION, sentence=_sentence, effect=_effect,
            carry_out=_carry_out, amount=lambda params: params["points"], always_waits=True,
            touches=lambda params: [f"import:{params['import']}"],
        )
    )  # fmt: skip
    jobs.register_kind(
        jobs.JobKind(
            code=IMPORT, label=gettext_lazy("Import of members"), run=run_load, title=_sentence, can_undo=undo_preview,
            undo=run_undo, permission=PERMISSION,
        )
    )  # fmt: skip
