"""A list of adjustments, carried out after one approval by a job, row by row, and taken back by one undo.

A row is posted under the key of its batch and number, so that a job that was killed adds only what is missing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members import jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.identifiers import NotFound
from members.models import Job, Member, OwnMembership, Proposal
from members.personal_words import lasting_file_name
from members.queries import programme, status_sql
from members.refusals import Refusal
from rewards import ledger
from rewards.ending import money_per_point, worth
from rewards.models import Adjustment, AdjustmentBatch, AdjustmentBatchRow
from rewards.refusals import RewardsRefusal
from rewards.services.adjustments import Why, post_adjustment
from rewards.services.by_hand import Params
from rewards.services.corrections import LEAVE, RESTORE, CorrectedAlready, correct
from rewards.services.orders import check_active

BATCH: Final = "rewards.adjust_batch"
SOURCE: Final = "adjustment_batch"
PERMISSION: Final = "rewards.batch_adjust"
CHUNK: Final = 500


class BatchIsProposed(RewardsRefusal):
    """The batch was proposed before."""

    code = "batch_is_proposed"
    text = gettext_lazy("This list was proposed already.")


class BatchHasNoRows(RewardsRefusal):
    """No row of it can be carried out."""

    code = "batch_has_no_rows"
    text = gettext_lazy("No row of this list can be carried out.")


def propose_batch(
    *, batch_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Carry a batch out within the operator's limits, else let a colleague decide about all of it.

    Raises BatchIsProposed, BatchHasNoRows, NotFound, and as `members.proposals.propose` does.
    """
    with transaction.atomic():
        batch = AdjustmentBatch.objects.select_for_update(no_key=True).filter(pk=batch_id).first()
        if batch is None:
            raise NotFound
        if _is_proposed(batch, request_id):
            raise BatchIsProposed
        if not batch.rows_good:
            raise BatchHasNoRows
        # The name of a file may be a person's; what is proposed is kept for ever.
        file = lasting_file_name(batch.file_name, batch.created_at.astimezone(programme().tz))
        params = {
            "batch": batch.pk, "file": file, "rows": batch.rows_good, "given": batch.points_given,
            "taken": batch.points_taken, "currency": batch.currency_id,
        }  # fmt: skip
        outcome = proposals.propose(kind=BATCH, params=params, reason=reason, by=by, at=at, request_id=request_id)
        AdjustmentBatch.objects.filter(pk=batch.pk).update(proposal_id=outcome.proposal_id)
    return outcome


def _is_proposed(batch: AdjustmentBatch, request_id: str) -> bool:
    """Whether another request has proposed the batch, and it was not turned down."""
    proposal = batch.proposal
    if proposal is None or (request_id and proposal.request_id == request_id):
        return False
    return proposal.state in (Proposal.State.WAITING, Proposal.State.CARRIED_OUT)


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    batch = AdjustmentBatch.objects.select_for_update(no_key=True).get(pk=params["batch"])
    if batch.job_id is not None:
        raise BatchIsProposed
    job = jobs.start_job(
        kind=BATCH, title_params=dict(params), params={"batch": batch.pk, "proposal": proposal.pk}, total=batch.rows_good,
        by=Actor("operator", proposal.maker_id), at=at,
    )  # fmt: skip
    AdjustmentBatch.objects.filter(pk=batch.pk).update(job=job, proposal=proposal)
    return _("A job carries it out; see the list of jobs.")


def run_batch(run: jobs.JobRun) -> None:
    """Post the rows of a batch in chunks; a row that can not be posted any more is told and passed over."""
    proposal = Proposal.objects.get(pk=run.params["proposal"])
    batch = AdjustmentBatch.objects.get(pk=run.params["batch"])
    while True:
        with run.chunk() as at:
            rows = list(
                AdjustmentBatchRow.objects.filter(batch=batch, number__gt=run.cursor.get("row", 0))
                .select_related("reason_code")
                .order_by("number")[:CHUNK]
            )
            if not rows:
                return
            states = _lock(batch.currency_id, [row.member_id for row in rows])
            failed = 0
            for row in rows:
                try:
                    with transaction.atomic():
                        _post(batch, row, states[row.member_id], proposal, run.by, at)
                except Refusal as refusal:
                    failed += 1
                    cells = {
                        "member": states[row.member_id][0],
                        "points": row.points,
                        "reason": row.reason_code.code,
                        "note": row.note,
                    }
                    run.error_row(cells, refusal, number=row.number)
            run.advance(ok=len(rows) - failed, failed=failed, cursor={"row": rows[-1].number})


def _lock(currency_id: int, member_ids: Sequence[int]) -> dict[int, tuple[str, str, str]]:
    """Hold the members of a chunk as they are, and lock their accounts, ascending.

    Returns by id: the number, the status as far as earning goes, and as far as spending goes.
    """
    ids = sorted(set(member_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, member_no, {status_sql(Member.Act.EARN)}, {status_sql(Member.Act.SPEND)}
            FROM members_member WHERE id = ANY (%s) ORDER BY id FOR SHARE
            """,  # noqa: S608
            [ids],
        )
        states = {row[0]: (row[1], row[2], row[3]) for row in cursor.fetchall()}
    ledger.lock_accounts(member_ids=ids, currency=currency_id)
    return states


def _post(
    batch: AdjustmentBatch,
    row: AdjustmentBatchRow,
    state: tuple[str, str, str],
    proposal: Proposal,
    by: Actor,
    at: datetime,
) -> None:
    member_no, to_earn, to_spend = state
    check_active(member_no, to_earn if row.points > 0 else to_spend)
    post_adjustment(
        member_id=row.member_id, currency_id=batch.currency_id, points=row.points, asked=Why(row.reason_code, row.note), source=SOURCE,
        natural_key=f"{batch.pk}:{row.number}", proposal=proposal, batch_row_id=row.pk, by=by, at=at,
    )  # fmt: skip


# --- Undo ---------------------------------------------------------------------------------------------------------------
def undo_preview(job: Job, at: datetime) -> jobs.UndoPreview:
    """Return how much of a batch can still be taken back: one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), coalesce(sum(a.points) FILTER (WHERE a.points > 0), 0)::bigint, coalesce(sum(l.remaining), 0)::bigint,
                count(*) FILTER (WHERE a.points > 0 AND coalesce(l.remaining, 0) < a.points),
                coalesce(-sum(a.points) FILTER (WHERE a.points < 0), 0)::bigint
            FROM rewards_adjustment a
            JOIN rewards_adjustmentbatchrow r ON r.id = a.batch_row_id
            LEFT JOIN LATERAL (SELECT sum(remaining) AS remaining FROM rewards_lot WHERE transaction_id = a.transaction_id) l ON true
            WHERE r.batch_id = %s
            """,
            [job.params["batch"]],
        )
        rows, given, left, spent_rows, taken = cursor.fetchone()
    lines = [
        _("%(left)s of %(given)s points that were given can be taken back.")
        % {"left": grouped(left), "given": grouped(given)}
    ]
    if spent_rows:
        lines.append(
            ngettext(
                "%(members)s member has used some of them; %(points)s points stay with the members.",
                "%(members)s members have used some of them; %(points)s points stay with the members.",
                spent_rows,
            )
            % {"members": grouped(spent_rows), "points": grouped(given - left)}
        )
    if taken:
        lines.append(_("%(points)s points that were taken come back.") % {"points": grouped(taken)})
    return jobs.UndoPreview(total=rows, lines=tuple(lines), is_possible=rows > 0)


def undo_batch(run: jobs.JobRun) -> None:
    """Take every adjustment of a batch back, in chunks: what is left of points given, all of points taken."""
    if run.undoes is None:
        return
    proposal = Proposal.objects.get(pk=run.params["proposal"])
    batch = AdjustmentBatch.objects.get(pk=run.params["batch"])
    while True:
        with run.chunk() as at:
            rows = list(
                Adjustment.objects.filter(batch_row__batch=batch, batch_row__number__gt=run.cursor.get("row", 0))
                .select_related("batch_row", "member")
                .order_by("batch_row__number")[:CHUNK]
            )
            if not rows:
                return
            _lock(batch.currency_id, [row.member_id for row in rows])
            ok = failed = 0
            for row in rows:
                try:
                    with transaction.atomic():
                        _take_back(row, proposal, run.by, at)
                    ok += 1
                except Refusal as refusal:
                    failed += 1
                    run.error_row(
                        {"member": row.member.member_no, "points": row.points}, refusal, number=_number_of(row)
                    )
            run.advance(ok=ok, failed=failed, cursor={"row": _number_of(rows[-1])})


def _number_of(row: Adjustment) -> int:
    return row.batch_row.number if row.batch_row else 0


def _take_back(row: Adjustment, proposal: Proposal, by: Actor, at: datetime) -> None:
    try:
        correct(
            transaction_id=row.transaction_id, choice=LEAVE if row.points > 0 else RESTORE, by=by, at=at, reason=SOURCE,
            proposal=proposal,
        )  # fmt: skip
    except CorrectedAlready:
        return


# --- Proposals ----------------------------------------------------------------------------------------------------------
def _sentence(params: Mapping[str, Any]) -> str:
    figures = {
        "file": params["file"], "rows": grouped(params["rows"]), "given": grouped(params["given"]), "taken": grouped(params["taken"]),
    }  # fmt: skip
    return (
        ngettext(
            "Adjust points by the list “%(file)s”: %(rows)s row, %(given)s points given, %(taken)s taken.",
            "Adjust points by the list “%(file)s”: %(rows)s rows, %(given)s points given, %(taken)s taken.",
            params["rows"],
        )
        % figures
    )


def _effect(params: Params, at: datetime) -> Effect:
    batch = AdjustmentBatch.objects.get(pk=params["batch"])
    lines = (
        EffectLine(_("Rows"), "–", batch.rows_good),
        EffectLine(_("Points given"), "–", batch.points_given),
        EffectLine(_("Points taken"), "–", batch.points_taken),
    )
    net = batch.points_given - batch.points_taken
    return Effect(lines, cost_points=net, cost_amount=worth(net, money_per_point(batch.currency_id, at)))


def _own_members(params: Params) -> Collection[int]:
    """Return those members of the batch who are staff in private life; the others concern nobody who decides."""
    rows = AdjustmentBatchRow.objects.filter(batch=params["batch"], member__in=OwnMembership.objects.values("member"))
    return list(rows.values_list("member_id", flat=True))


def register() -> None:
    """Make batches known to those who approve, and to the workers that do long work."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=BATCH, label=gettext_lazy("List of points adjustments"), permission=PERMISSION, sentence=_sentence, effect=_effect,
            carry_out=_carry_out, amount=lambda params: params["given"] + params["taken"], concerned=_own_members,
        )
    )  # fmt: skip
    jobs.register_kind(
        jobs.JobKind(
            code=BATCH, label=gettext_lazy("List of points adjustments"), run=run_batch, title=_sentence, can_undo=undo_preview,
            undo=undo_batch, permission=PERMISSION,
        )
    )  # fmt: skip
