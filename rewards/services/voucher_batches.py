"""Vouchers for many members: drawn up, proposed with what they may cost, issued by a job, and taken back while unused.

Who gets one is who was in the segment when the job began. A voucher's public id is derived from the batch and the
member, so that a job that was killed issues only what is missing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members import jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped, money
from members.identifiers import NotFound
from members.limits import register_family
from members.models import Job, Member, OwnMembership, Proposal, Segment, SegmentSpan
from members.queries import programme
from members.segment_queries import segments_in_use, stays
from members.services.segments import make_list
from rewards.explanation import in_active_language
from rewards.models import Voucher, VoucherBatch, VoucherTemplate
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import Params, operator_id
from rewards.services.orders import hold_bearers
from rewards.services.secret_codes import derived_id
from rewards.services.voucher_batch_preview import BatchPreview, preview_of
from rewards.services.voucher_budgets import VoucherBudgetExhausted, budget_left
from rewards.services.voucher_issue import check_may_issue, issue_vouchers
from rewards.services.voucher_voiding import void_vouchers
from rewards.vouchers_held import held_by

BATCH: Final = "rewards.voucher_batch"
PERMISSION: Final = "rewards.issue_batch"
#: What limits by role are counted in: whole units of the programme's currency.
FAMILY: Final = "vouchers"
CHUNK: Final = 5_000
#: So much more than what was approved may come into the segment before it has to be approved anew.
_GROWTH: Final = Decimal("1.1")

_HAS_LEFT: Final = gettext_lazy("The member has left the programme.")
_HOLDS_MOST: Final = gettext_lazy("The member holds as many of these vouchers as one may.")
_NO_BUDGET: Final = gettext_lazy("The budget for this voucher is used up.")
_NO_BUDGET_FOR: Final = gettext_lazy("The budget for this voucher is used up; %(members)s more members got none.")

# Those who were in at the moment when the job began: who left since then comes by another index.
_NEXT: Final = """
    SELECT id, member_id FROM (
        (SELECT id, member_id FROM members_segmentspan
         WHERE segment_id = %(segment)s AND id > %(after)s AND left_at IS NULL AND entered_at <= %(at)s
         ORDER BY id LIMIT %(limit)s)
        UNION ALL
        (SELECT id, member_id FROM members_segmentspan
         WHERE segment_id = %(segment)s AND id > %(after)s AND left_at > %(at)s AND entered_at <= %(at)s
         ORDER BY id LIMIT %(limit)s)
    ) s ORDER BY id LIMIT %(limit)s
"""


class VoucherBatchIsProposed(RewardsRefusal):
    """The batch was proposed before."""

    code = "voucher_batch_is_proposed"
    text = gettext_lazy("These vouchers were proposed already.")


class VoucherBatchIsForNobody(RewardsRefusal):
    """Nobody would get a voucher."""

    code = "voucher_batch_is_for_nobody"
    status = 422
    text = gettext_lazy("Nobody would get a voucher.")


class VoucherListIsRead(RewardsRefusal):
    """The list of members is not read to its end."""

    code = "voucher_list_is_read"
    text = gettext_lazy("The list of members is still being read. Please wait a moment.")


class VoucherBatchOverBudget(RewardsRefusal):
    """The budget of the template does not reach."""

    code = "voucher_batch_over_budget"
    text = gettext_lazy("These vouchers may cost %(cost)s; %(left)s of the budget of “%(voucher)s” is left.")


class VoucherBatchHasGrown(RewardsRefusal):
    """Many more would get a voucher than were approved."""

    code = "voucher_batch_has_grown"
    text = gettext_lazy("%(people)s members would get a voucher now, not %(planned)s. Please propose it anew.")


# --- Drawing up --------------------------------------------------------------------------------------------------------
def draw_up_batch(
    *, template_id: int, segment_id: int | None, duplicates: str, by: Actor, at: datetime,
    listed: jobs.InputFile | None = None,
) -> VoucherBatch:  # fmt: skip
    """Write down a batch for a segment in use, or for the members whom a list names, who become a fixed list; return it.

    Raises VoucherNotIssued, NotAllowed, NotFound, and for a list as `members.services.segments.make_list` does.
    """
    template = VoucherTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise NotFound
    check_may_issue(template, at)
    with transaction.atomic():
        if listed is not None:
            moment = at.astimezone(programme().tz).strftime("%Y-%m-%d %H:%M:%S")
            segment, _job = make_list(name=f"{template.name[:55]} {moment}", file=listed, by=by, at=at)
        else:
            found = segments_in_use().filter(pk=segment_id or 0).first()
            if found is None:
                raise NotFound
            segment = found
        return VoucherBatch.objects.create(
            template=template, segment=segment, duplicates=duplicates, maker_id=operator_id(by), created_at=at
        )  # fmt: skip


def propose_batch(
    *, batch_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Issue a batch within the operator's limits, else let a colleague decide about all of it.

    Raises VoucherBatchIsProposed, VoucherListIsRead, VoucherBatchIsForNobody, VoucherBatchOverBudget,
    VoucherNotIssued, NotFound, and as `members.proposals.propose` does.
    """
    with transaction.atomic():
        batch = _locked(batch_id)
        if _is_proposed(batch, request_id):
            raise VoucherBatchIsProposed
        if batch.segment.state != Segment.State.READY:
            raise VoucherListIsRead
        preview = preview_of(batch, at=at)
        _check(batch, preview, at)
        batch.planned_people, batch.planned_amount = preview.people, preview.cost_amount
        params = {
            "batch": batch.pk, "template": batch.template_id, "names": labels_of(batch.template, "name"), "segment": batch.segment_id,
            "segment_name": batch.segment.name, "people": preview.people, "cost": str(preview.cost_amount),
            "amount": counted(preview.cost_amount, preview.people), "duplicates": batch.duplicates,
        }  # fmt: skip
        outcome = proposals.propose(kind=BATCH, params=params, reason=reason, by=by, at=at, request_id=request_id)
        VoucherBatch.objects.filter(pk=batch.pk).update(
            proposal_id=outcome.proposal_id, planned_people=preview.people, planned_amount=preview.cost_amount
        )
    return outcome


def counted(cost_amount: Decimal, vouchers: int) -> int:
    """Return what vouchers count towards limits: their cost in whole units; where nobody said it, 1 each."""
    return int(cost_amount.to_integral_value(ROUND_CEILING)) if cost_amount else vouchers


def _locked(batch_id: int) -> VoucherBatch:
    found = VoucherBatch.objects.select_for_update(no_key=True, of=("self",)).select_related("template", "segment")
    batch = found.filter(pk=batch_id).first()
    if batch is None:
        raise NotFound
    return batch


def _is_proposed(batch: VoucherBatch, request_id: str) -> bool:
    """Whether another request has proposed the batch, and it was not turned down."""
    if batch.proposal_id is None:
        return False
    proposal = Proposal.objects.get(pk=batch.proposal_id)
    if request_id and proposal.request_id == request_id:
        return False
    return proposal.state in (Proposal.State.WAITING, Proposal.State.CARRIED_OUT)


def _check(batch: VoucherBatch, preview: BatchPreview, at: datetime) -> None:
    check_may_issue(batch.template, at)
    if not preview.people:
        raise VoucherBatchIsForNobody
    if preview.is_over_budget and preview.budget_left is not None:
        currency = programme().currency
        raise VoucherBatchOverBudget(
            cost=money(preview.cost_amount, currency), left=money(preview.budget_left, currency), voucher=batch.template.name
        )  # fmt: skip


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    batch = _locked(params["batch"])
    if batch.job_id is not None:
        raise VoucherBatchIsProposed
    preview = preview_of(batch, at=at)
    _check(batch, preview, at)
    if preview.people > params["people"] * _GROWTH:
        raise VoucherBatchHasGrown(people=grouped(preview.people), planned=grouped(params["people"]))
    job = jobs.start_job(
        kind=BATCH, title_params=dict(params), params={"batch": batch.pk}, total=preview.listed,
        by=Actor("operator", proposal.maker_id), at=at,
    )  # fmt: skip
    VoucherBatch.objects.filter(pk=batch.pk).update(job=job, proposal=proposal)
    return _("A job issues them; see the list of jobs.")


# --- The job -----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Chunk:
    """What becomes of the members of one chunk: those who get a voucher, ascending, and those left out with the reason."""

    getting: list[int]
    left_out: list[tuple[int, str | Promise]]


def run_batch(run: jobs.JobRun) -> None:
    """Issue the vouchers of a batch, some thousand members at a time, until all had theirs or the budget is used up."""
    batch = VoucherBatch.objects.select_related("template").get(pk=run.params["batch"])
    if batch.began_at is None:
        with run.chunk() as at:
            VoucherBatch.objects.filter(pk=batch.pk).update(began_at=at)
            batch.began_at = at
            run.set_total(stays(batch.segment, on=at).count())
    while not run.cursor.get("is_over"):
        with run.chunk() as at:
            found = _next(batch, run.cursor.get("span", 0))
            if not found:
                return
            _issue(run, batch, found, at)


def _next(batch: VoucherBatch, after: int) -> list[tuple[int, int]]:
    params = {"segment": batch.segment_id, "after": after, "at": batch.began_at, "limit": CHUNK}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, params)
        return cursor.fetchall()


def _issue(run: jobs.JobRun, batch: VoucherBatch, found: Sequence[tuple[int, int]], at: datetime) -> None:
    """Issue what one chunk gets, and note what it does not get. Members are locked first, the budget last.

    Where one may hold only so many, batches of one template come after each other; single vouchers hold the member alone.
    """
    if batch.template.most_held is not None:
        VoucherTemplate.objects.select_for_update(no_key=True).only("pk").get(pk=batch.template_id)
    chunk = _sorted_out(batch, sorted(set(hold_bearers(member_id for _span, member_id in found).values())), at)
    issued = _write(batch, chunk.getting, run.by, at)
    failed = [*chunk.left_out]
    cursor: dict[str, Any] = {"span": found[-1][0]}
    done = len(found)
    if issued is None:  # the budget does not reach for all of them: for as many as it does
        reaches = _reaches(batch.template, len(chunk.getting))
        issued = _write(batch, chunk.getting[:reaches], run.by, at) or 0
        missed = chunk.getting[reaches if issued else 0 :]
        failed += [(member_id, _NO_BUDGET) for member_id in missed]
        cursor["is_over"] = True
    numbers = dict(Member.objects.filter(pk__in=[one for one, _why in failed]).values_list("pk", "member_no"))
    for place, (member_id, why) in enumerate(failed, start=run.job.done + 1):
        run.error_row({_("Member"): numbers[member_id]}, why, number=place)
    not_reached = max(run.total - run.job.done - done, 0) if cursor.get("is_over") else 0
    if not_reached:
        run.error_row({_("Member"): "…"}, _NO_BUDGET_FOR, number=run.job.done + done + 1, members=not_reached)
    VoucherBatch.objects.filter(pk=batch.pk).update(issued=F("issued") + issued)
    run.advance(done=done + not_reached, ok=issued, failed=len(failed) + not_reached, cursor=cursor)


def _sorted_out(batch: VoucherBatch, member_ids: Sequence[int], at: datetime) -> _Chunk:
    closed = set(
        Member.objects.filter(pk__in=member_ids, status=Member.Status.CLOSED).values_list("pk", flat=True)
    )  # fmt: skip
    held = held_by(batch.template, member_ids, at=at)
    most, skips = batch.template.most_held, batch.duplicates == VoucherBatch.Duplicates.SKIP
    chunk = _Chunk([], [(member_id, _HAS_LEFT) for member_id in member_ids if member_id in closed])
    for member_id in member_ids:
        number = held.get(member_id, 0)
        if member_id in closed or (skips and number):
            continue
        if most is not None and number >= most:
            chunk.left_out.append((member_id, _HOLDS_MOST))
        else:
            chunk.getting.append(member_id)
    return chunk


def _write(batch: VoucherBatch, member_ids: Sequence[int], by: Actor, at: datetime) -> int | None:
    """Return how many vouchers are new; None where the budget does not reach for them, and nothing was issued."""
    rows = [(member_id, derived_id("voucher-batch", batch.pk, member_id)) for member_id in member_ids]
    try:
        with transaction.atomic():
            return len(
                issue_vouchers(
                    template=batch.template, rows=rows, origin=Voucher.Origin.BATCH, origin_ref=str(batch.pk), by=by, at=at
                )
            )  # fmt: skip
    except VoucherBudgetExhausted:
        return None


def _reaches(template: VoucherTemplate, wanted: int) -> int:
    left, cost = budget_left(template), template.most_cost_amount
    return wanted if left is None or not cost else min(int(left // cost), wanted)


# --- Taking back -------------------------------------------------------------------------------------------------------
def undo_preview(job: Job, at: datetime) -> jobs.UndoPreview:
    """Return how many vouchers of a batch are unused, and how many can no longer be taken back."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FILTER (WHERE state = 'issued' AND expires_at > %(at)s), count(*) FILTER (WHERE state = 'used'),
                count(*) FILTER (WHERE state IN ('held', 'offered'))
            FROM rewards_voucher WHERE origin = 'batch' AND origin_ref = %(batch)s
            """,
            {"at": at, "batch": str(job.params["batch"])},
        )
        unused, used, held = cursor.fetchone()
    lines = [_("Vouchers that were used stay used: %(used)s.") % {"used": grouped(used)}]
    if held:
        lines.append(_("Held for an order or offered to a friend, and left alone: %(held)s.") % {"held": grouped(held)})
    return jobs.UndoPreview(total=unused, lines=tuple(lines), is_possible=unused > 0)


def undo_batch(run: jobs.JobRun) -> None:
    """Make the unused vouchers of a batch void, some thousand at a time; other systems are told, as they were of their issue."""
    if run.undoes is None:
        return
    of_batch = Voucher.objects.filter(origin=Voucher.Origin.BATCH, origin_ref=str(run.params["batch"]))
    while True:
        with run.chunk() as at:
            ids = list(
                of_batch.filter(pk__gt=run.cursor.get("voucher", 0)).order_by("pk").values_list("pk", flat=True)[:CHUNK]
            )
            if not ids:
                run.set_total(run.job.done)
                return
            voided = len(void_vouchers(voucher_ids=ids, by=run.by, at=at, reason="batch_taken_back"))
            if run.job.done + voided > run.total:
                run.set_total(run.job.done + voided)
            run.advance(ok=voided, cursor={"voucher": ids[-1]})


# --- Proposals ---------------------------------------------------------------------------------------------------------
def _sentence(params: Mapping[str, Any]) -> str:
    words = ngettext(
        "Give the voucher “%(voucher)s” to %(people)s member of “%(segment)s”; it costs %(cost)s at most.",
        "Give the voucher “%(voucher)s” to %(people)s members of “%(segment)s”; it costs %(cost)s at most.",
        params["people"],
    )
    return words % {
        "voucher": in_active_language(params["names"]), "people": grouped(params["people"]), "segment": params["segment_name"],
        "cost": money(Decimal(params["cost"]), programme().currency),
    }  # fmt: skip


def _effect(params: Params, at: datetime) -> Effect:
    batch = VoucherBatch.objects.select_related("template").get(pk=params["batch"])
    preview = preview_of(batch, at=at)
    lines = [
        EffectLine(_("Members who get a voucher"), 0, preview.people, is_compared=False),
        EffectLine(_("Left out: have one already"), "–", preview.have_one, is_compared=False),
        EffectLine(_("Left out: hold as many as one may"), "–", preview.hold_most, is_compared=False),
        EffectLine(_("Left out: have left"), "–", preview.have_left, is_compared=False),
    ]
    if preview.budget_left is not None:
        left = preview.budget_left
        currency = programme().currency
        after = money(left - preview.cost_amount, currency)
        lines.append(EffectLine(_("Budget left"), money(left, currency), after, is_compared=False))
    return Effect(tuple(lines), cost_amount=preview.cost_amount)


def _own_members(params: Params) -> Collection[int]:
    """Return those members of the segment who are staff in private life; the others concern nobody who decides."""
    own = OwnMembership.objects.values("member")
    spans = SegmentSpan.objects.filter(segment=params["segment"], left_at__isnull=True, member__in=own)
    return list(spans.values_list("member_id", flat=True))


def register() -> None:
    """Make batches of vouchers known to those who approve, with their limit, and to the workers that do long work."""
    register_family(FAMILY, gettext_lazy("what vouchers given by hand cost at most (whole units of the currency)"))
    label = gettext_lazy("Vouchers for many members")
    proposals.register_kind(
        proposals.ProposalKind(
            code=BATCH, label=label, permission=PERMISSION, sentence=_sentence, effect=_effect, carry_out=_carry_out,
            amount=lambda params: params["amount"], family=FAMILY, concerned=_own_members,
            touches=lambda params: [f"segment:{params['segment']}", f"voucher_template:{params['template']}"],
        )
    )  # fmt: skip
    jobs.register_kind(
        jobs.JobKind(
            code=BATCH, label=label, run=run_batch, title=_sentence, can_undo=undo_preview, undo=undo_batch, permission=PERMISSION
        )
    )  # fmt: skip
