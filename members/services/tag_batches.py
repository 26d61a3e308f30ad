"""A tag for everybody in a segment or a list: one approval, a job, and one undo for the whole of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members import jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.identifiers import NotFound
from members.models import Job, MemberTag, Proposal, SegmentSpan, Tag
from members.personal_words import refuse_personal_words
from members.refusals import MembersRefusal
from members.segment_queries import segments_in_use
from members.services.tags import TagIsAutomatic, TagIsOff, add_tag, remove_tag

TAG_MANY: Final = "members.tag_many"
PERMISSION: Final = "members.put_tags"
_CHUNK: Final = 5_000

Params = Mapping[str, Any]


class NobodyToTag(MembersRefusal):
    """Nobody is in the segment."""

    code = "nobody_to_tag"
    status = 422
    text = gettext_lazy("Nobody is in “%(segment)s”.")


def propose_tagging(
    *, tag_id: int, segment_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Ask a colleague to approve a tag for everybody who is in a segment then; return the proposal, which always waits.

    Raises `NotFound`, `TagIsAutomatic`, `TagIsOff`, `NobodyToTag`, `WordsNamePerson`, and as `propose` does.
    """
    refuse_personal_words(reason)
    tag = Tag.objects.filter(pk=tag_id).first()
    segment = segments_in_use().filter(pk=segment_id).first()
    if tag is None or segment is None:
        raise NotFound
    if tag.rule_id:
        raise TagIsAutomatic(tag=tag.name)
    if not tag.is_on:
        raise TagIsOff(tag=tag.name)
    if not segment.members_count:
        raise NobodyToTag(segment=segment.name)
    params = {"tag": tag.pk, "tag_name": tag.name, "segment": segment.pk, "segment_name": segment.name}
    return proposals.propose(kind=TAG_MANY, params=params, reason=reason, by=by, at=at, request_id=request_id)


def _members_in(segment_id: int) -> QuerySet[SegmentSpan]:
    return SegmentSpan.objects.filter(segment=segment_id, left_at__isnull=True)


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    segment = segments_in_use().filter(pk=params["segment"]).first()
    if segment is None:
        raise NotFound
    jobs.start_job(
        kind=TAG_MANY, title_params=dict(params),
        params={"tag": params["tag"], "segment": params["segment"], "proposal": proposal.pk}, total=segment.members_count,
        by=Actor("operator", proposal.maker_id), at=at,
    )  # fmt: skip
    return _("A job carries it out; see the list of jobs.")


def run_tagging(run: jobs.JobRun) -> None:
    """Put the tag on those who are in the segment, some thousand at a time. Who has it already keeps it as it is."""
    reason = Proposal.objects.values_list("reason", flat=True).get(pk=run.params["proposal"])
    while True:
        with run.chunk() as at:
            spans = _members_in(run.params["segment"]).filter(pk__gt=run.cursor.get("span", 0)).order_by("pk")
            found = list(spans.values_list("pk", "member_id")[:_CHUNK])
            reached = run.job.done + len(found)
            if reached > run.total or len(found) < _CHUNK:
                run.set_total(reached)  # some came or went since it was approved
            if not found:
                return
            members = [member_id for _pk, member_id in found]
            add_tag(member_ids=members, tag_id=run.params["tag"], reason=reason, by=run.by, at=at, quiet=True)
            run.advance(ok=len(found), cursor={"span": found[-1][0]})


def _put_by(job: Job) -> QuerySet[MemberTag]:
    """Return the tags that a job put on and that are on still."""
    reason = Proposal.objects.values_list("reason", flat=True).get(pk=job.params["proposal"])
    put = MemberTag.objects.filter(tag=job.params["tag"], ended_at__isnull=True, reason=reason[:200])
    return put.filter(
        actor_kind="operator", actor_id=job.owner_id, since_at__gte=job.started_at, since_at__lte=job.finished_at
    )


def undo_preview(job: Job, at: datetime) -> jobs.UndoPreview:
    """Return how many tags would come off."""
    number = _put_by(job).count() if job.started_at and job.finished_at else 0
    lines = (_("Members who had the tag before keep it."),)
    return jobs.UndoPreview(total=number, lines=lines, is_possible=number > 0)


def undo_tagging(run: jobs.JobRun) -> None:
    """Take the tags off again that the job put on, some thousand at a time."""
    if run.undoes is None:
        return
    reason = Proposal.objects.values_list("reason", flat=True).get(pk=run.params["proposal"])
    while True:
        with run.chunk() as at:
            put = _put_by(run.undoes).filter(pk__gt=run.cursor.get("put", 0)).order_by("pk")
            found = list(put.values_list("pk", "member_id")[:_CHUNK])
            if not found:
                run.set_total(run.job.done)
                return
            remove_tag(
                member_ids=[member_id for _pk, member_id in found], tag_id=run.params["tag"], reason=reason, by=run.by, at=at,
                quiet=True,
            )  # fmt: skip
            run.advance(ok=len(found), cursor={"put": found[-1][0]})


def _sentence(params: Params) -> str:
    return _("Put the tag “%(tag)s” on everybody in “%(segment)s”.") % {
        "tag": params["tag_name"], "segment": params["segment_name"],
    }  # fmt: skip


def _effect(params: Params, at: datetime) -> Effect:
    with transaction.atomic():
        members = _members_in(params["segment"])
        has_it = MemberTag.objects.filter(tag=params["tag"], ended_at__isnull=True).values("member")
        number = members.exclude(member__in=has_it).count()
        lines = (
            EffectLine(
                _("Members in “%(segment)s”") % {"segment": params["segment_name"]},
                "–",
                members.count(),
                is_compared=False,
            ),
            EffectLine(_("Members who get the tag"), "–", number, is_compared=False),
            EffectLine(_("Tag"), "–", params["tag_name"]),
        )
    return Effect(lines)


def said_of(number: int) -> str:
    """Return how many members are meant, in words."""
    return ngettext("%(number)s member", "%(number)s members", number) % {"number": grouped(number)}


def register() -> None:
    """Make tagging known to those who approve, and to the workers that do long work."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=TAG_MANY, label=gettext_lazy("Tag for many members"), permission=PERMISSION, sentence=_sentence, effect=_effect,
            carry_out=_carry_out, always_waits=True,
            touches=lambda params: [f"tag:{params['tag']}", f"segment:{params['segment']}"],
        )
    )  # fmt: skip
    jobs.register_kind(
        jobs.JobKind(
            code=TAG_MANY, label=gettext_lazy("Tag for many members"), run=run_tagging, title=_sentence, can_undo=undo_preview,
            undo=undo_tagging, permission=PERMISSION,
        )
    )  # fmt: skip
