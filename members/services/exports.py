"""Lists of members taken out of the portal: for a purpose, masked unless a second person approved otherwise, by a job.

Whatever leaves is kept as a `MemberExport`: who, for what, whom, which fields, how many, and who took the file when.

What is approved is what is written: the version of the segment, and the number of members, counted again when a list is
approved. Time goes on between the count and the file, so that a list may hold 1 % more (at least 10 members), and no more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Sum
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from members import conditions, jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.export_fields import PHONE, ExportField, export_fields, fact_sql, shown
from members.figures import grouped
from members.limits import business_day
from members.models import MemberExport, MemberExportPart, Operator, Proposal
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.queries import programme
from members.refusals import MembersRefusal
from members.services.export_whom import bound, condition_of, count, in_languages, in_words, margin, segment_number
from members.sheet_parts import book, rows_part
from members.wording import enumerated

EXPORT: Final = "members.export"
SMALL: Final = "members.export_small"
LARGE: Final = "members.export_large"
UNMASKED: Final = "members.export_unmasked"
PERMISSION: Final = "members.export_members"
UNMASKED_PERMISSION: Final = "members.export_unmasked"
#: How many masked rows one operator may take out on one business day without a second person.
ALONE_ROWS: Final = 500
MOST_ROWS: Final = 300_000
PURPOSE_LENGTH: Final = 300
#: How long the file can be taken.
LINK_LIVES: Final = timedelta(hours=24)
_IDS_AT_ONCE: Final = 10_000

Params = Mapping[str, Any]


class PurposeMissing(MembersRefusal):
    """Whoever takes data out says for what."""

    code = "purpose_missing"
    status = 422
    text = gettext_lazy("Please say what the list is for.")


class NoFieldsChosen(MembersRefusal):
    """A list without columns."""

    code = "no_fields_chosen"
    status = 422
    text = gettext_lazy("Choose at least one field.")


class NobodyToExport(MembersRefusal):
    """Nobody meets what was asked for."""

    code = "nobody_to_export"
    status = 422
    text = gettext_lazy("No member is in this list.")


class TooManyToExport(MembersRefusal):
    """More than one file holds."""

    code = "too_many_to_export"
    status = 422
    text = gettext_lazy("%(rows)s members are in this list; one file holds at most %(most)s.")


class ExportHasGrown(MembersRefusal):
    """More members are in the list than were approved."""

    code = "export_has_grown"
    text = gettext_lazy(
        "%(approved)s members were approved for this list; by now it holds more than %(most)s. Please ask for it anew."
    )


class ExportSegmentChanged(MembersRefusal):
    """The segment means others than when the list was approved."""

    code = "export_segment_changed"
    text = gettext_lazy("The segment was changed after this list was approved. Please ask for it anew.")


class ExportPartsGone(MembersRefusal):
    """What was read of the list is no longer kept."""

    code = "export_parts_gone"
    status = 410
    text = gettext_lazy("Parts of this list are no longer kept. Please ask for it anew.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list that somebody wants: whom (all who are in the programme, unless narrowed), which fields, and for what."""

    purpose: str
    fields: Sequence[str]
    condition: dict[str, Any] | None = None
    segment_id: int | None = None
    is_unmasked: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """How many members a list would hold, in words whom, and whether somebody has to approve it."""

    rows: int
    sentence: str
    needs_approval: bool
    rows_left_alone: int


def count_export(*, wanted: Wanted, by: Actor, at: datetime) -> Counted:
    """Return what a list would be, before it is asked for. Raises as `propose_export` does for a wrong wish."""
    _checked(wanted)
    rows = count(wanted, at)
    left = _rows_left_alone(by.id or 0, at)
    return Counted(rows, in_words(wanted), wanted.is_unmasked or rows > left, left)


def propose_export(
    *, wanted: Wanted, by: Actor, at: datetime, request_id: str = ""
) -> tuple[MemberExport, proposals.ProposalOutcome]:
    """Ask for a list: a job makes it at once when it is masked and small, else a colleague decides first.

    Return the export and what became of it. Raises `PurposeMissing`, `NoFieldsChosen`, `NobodyToExport`,
    `TooManyToExport`, `WordsNamePerson`, `ConditionInvalid`, and as `members.proposals.propose` does.
    """
    purpose = _checked(wanted)
    rows = count(wanted, at)
    if not rows:
        raise NobodyToExport
    if rows > MOST_ROWS:
        raise TooManyToExport(rows=grouped(rows), most=grouped(MOST_ROWS))
    with transaction.atomic():
        operator = Operator.objects.select_for_update(no_key=True).filter(pk=by.id or 0).first()
        if operator is None or by.kind != "operator":
            raise proposals.NotAllowed
        # The operator's row is locked, so that two lists at once do not both count as the last of the day.
        if request_id and (
            earlier := MemberExport.objects.filter(proposal__maker=operator, proposal__request_id=request_id).first()
        ):
            known = proposals.made_before(
                kinds=[SMALL, LARGE, UNMASKED], said={"unmasked": wanted.is_unmasked}, by=by, request_id=request_id
            )
            if known is not None:
                return earlier, known
        is_small = rows <= _rows_left_alone(operator.pk, at)
        export = MemberExport.objects.create(
            operator=operator, purpose=purpose, condition=wanted.condition, segment_id=wanted.segment_id, sentence=in_languages(wanted),
            fields=list(wanted.fields), is_unmasked=wanted.is_unmasked,
            holds_phones=wanted.is_unmasked and PHONE in wanted.fields, rows=rows, created_at=at,
        )  # fmt: skip
        params = {"export": export.pk, "rows": rows, "who": export.sentence, "unmasked": export.is_unmasked}
        kind = UNMASKED if wanted.is_unmasked else SMALL if is_small else LARGE
        outcome = proposals.propose(kind=kind, params=params, reason=purpose, by=by, at=at, request_id=request_id)
        MemberExport.objects.filter(pk=export.pk).update(proposal_id=outcome.proposal_id)
    export.refresh_from_db()
    return export, outcome


def log_export(
    *, kind: MemberExport.Kind, purpose: str, rows: int, fields: Sequence[str], is_unmasked: bool, by: Actor, at: datetime,
    segment_id: int | None = None,
) -> MemberExport:  # fmt: skip
    """Keep that data of members left by another way than a list: over the API, or as a copy for the member. Return it."""
    return MemberExport.objects.create(
        kind=kind, purpose=purpose[:PURPOSE_LENGTH], rows=rows, fields=list(fields), is_unmasked=is_unmasked,
        holds_phones=is_unmasked and PHONE in fields, segment_id=segment_id, created_at=at,
        operator_id=by.id if by.kind == "operator" else None, api_key_id=by.id if by.kind == "device" else None,
        member_id=by.id if by.kind == "member" else None,
    )  # fmt: skip


def forget_export_parts(*, at: datetime) -> int:
    """Delete what is left of lists whose time is over, finished or not; return how many parts."""
    over = MemberExport.objects.filter(created_at__lte=at - timedelta(days=7))
    gone = MemberExportPart.objects.filter(member_export__in=over).delete()[0]
    ended = MemberExportPart.objects.filter(member_export__job__files_expire_at__lte=at)
    return gone + ended.exclude(member_export__job__state__in=["queued", "running"]).delete()[0]


def _checked(wanted: Wanted) -> str:
    """Return the purpose, once the wish is known to be a sensible one."""
    purpose = clean_name(wanted.purpose)[:PURPOSE_LENGTH]
    if not purpose:
        raise PurposeMissing
    refuse_personal_words(purpose)
    if not wanted.fields or not set(wanted.fields) <= export_fields().keys():
        raise NoFieldsChosen
    if wanted.condition is not None:
        conditions.parse(wanted.condition)
    return purpose


def _rows_left_alone(operator_id: int, at: datetime) -> int:
    """Return how many masked rows the operator may still take out today without a second person."""
    day = business_day(at)
    since = datetime(day.year, day.month, day.day, tzinfo=programme().tz)
    alone = MemberExport.objects.filter(operator=operator_id, created_at__gte=since, proposal__kind=SMALL)
    return max(ALONE_ROWS - (alone.aggregate(rows=Sum("rows"))["rows"] or 0), 0)


def _count_now(export: MemberExport, params: Params, at: datetime) -> int:
    """Return how many members an export holds at a moment; at that of the wish they are counted already."""
    return params["rows"] if at == export.created_at else count(export, at)


# --- The job ------------------------------------------------------------------------------------------------------------
def run_export(run: jobs.JobRun) -> None:
    """Read the members some thousand ids at a time, keep each step's finished rows, and put the file together at the end.

    Raises `ExportSegmentChanged`, `ExportHasGrown`, `ExportPartsGone`, `FileTooLarge`.
    """
    export = MemberExport.objects.select_related("operator").get(pk=run.params["export"])
    known = export_fields()
    fields = [known[key] for key in export.fields if key in known]
    began = run.job.created_at  # one moment for the whole list, however long it takes
    last_id = _last_member_id()
    while (after := run.cursor.get("member", 0)) < last_id:
        with run.chunk():
            rows = _rows(export, fields, after, began)
            _refuse_others(run, export, run.job.done + len(rows))
            if rows:
                MemberExportPart.objects.create(
                    member_export=export, number=run.cursor.get("part", 0) + 1, content=rows_part(rows)
                )
            if run.job.done + len(rows) > run.total:
                run.set_total(run.job.done + len(rows))  # within the margin: a bar ends at what is written
            run.advance(
                ok=len(rows), cursor={"member": after + _IDS_AT_ONCE, "part": run.cursor.get("part", 0) + bool(rows)}
            )
    content = book(
        title=_("Members"), notes=_notes(export, run.job.done, began), header=[str(field.label) for field in fields],
        parts=_parts(export, run.cursor.get("part", 0)),
    )  # fmt: skip
    with run.chunk() as at:
        _refuse_others(run, export, run.job.done)
        run.save_result(name=_("members-%(number)s.xlsx") % {"number": export.pk}, content=content, at=at)
        run.set_total(run.job.done)
        MemberExport.objects.filter(pk=export.pk).update(rows=run.job.done)
        MemberExportPart.objects.filter(member_export=export).delete()


def _refuse_others(run: jobs.JobRun, export: MemberExport, rows: int) -> None:
    """Raise `ExportSegmentChanged` or `ExportHasGrown` where so many rows are not what was approved."""
    approved = run.params["rows"]
    most = min(approved + margin(approved), MOST_ROWS)
    if segment_number(export.segment_id) != run.params["segment_number"]:
        raise ExportSegmentChanged
    if rows > most:
        raise ExportHasGrown(approved=grouped(approved), most=grouped(most))


def _parts(export: MemberExport, last: int) -> Iterator[bytes]:
    """Yield the finished rows of all steps, one step at a time in memory. Raises `ExportPartsGone`."""
    for number in range(1, last + 1):
        part = MemberExportPart.objects.filter(member_export=export, number=number).first()
        if part is None:
            raise ExportPartsGone
        yield bytes(part.content)


def _last_member_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        return cursor.fetchone()[0]


def _rows(export: MemberExport, fields: Sequence[ExportField], after: int, at: datetime) -> list[list[Any]]:
    where, params = condition_of(export, at)
    columns = ", ".join(fact_sql(field) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {columns} FROM members_member m
            LEFT JOIN members_memberperson p ON p.member_id = m.id
            LEFT JOIN members_store s ON s.id = m.home_store_id
            WHERE m.id > %(after)s AND m.id <= %(upto)s AND {where} ORDER BY m.id
            """,  # noqa: S608 - fields and conditions are compiled from what is registered
            {**params, "after": after, "upto": after + _IDS_AT_ONCE},
        )
        found = cursor.fetchall()
    return [shown(fields, values, is_unmasked=export.is_unmasked) for values in found]


def _notes(export: MemberExport, rows: int, at: datetime) -> list[str]:
    """Return what stands above the list and on each printed page: whose list it is, so that it can be traced."""
    moment = date_format(localtime(at, programme().tz), "DATETIME_FORMAT")
    masked = _("unmasked") if export.is_unmasked else _("masked")
    return [
        _("Export %(number)s of %(programme)s, made for %(who)s on %(moment)s. %(rows)s members, %(masked)s.")
        % {
            "number": export.pk, "programme": programme().name, "who": str(export.operator), "moment": moment, "rows": grouped(rows),
            "masked": masked,
        },
        _("Purpose: %(purpose)s. Confidential: not to be passed on; to be deleted once it has served its purpose.")
        % {"purpose": export.purpose},
    ]  # fmt: skip


# --- Proposals ----------------------------------------------------------------------------------------------------------
def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    export = MemberExport.objects.select_for_update(no_key=True).get(pk=params["export"])
    maker = Actor("operator", proposal.maker_id)  # the file is for who asked, not for who approved
    rows = _count_now(export, params, at)
    if not rows:
        raise NobodyToExport
    if rows > MOST_ROWS:
        raise TooManyToExport(rows=grouped(rows), most=grouped(MOST_ROWS))
    approved = {"export": export.pk, "rows": rows, "segment_number": segment_number(export.segment_id)}
    job = jobs.start_job(kind=EXPORT, title_params=dict(params), params=approved, total=rows, by=maker, at=at)
    MemberExport.objects.filter(pk=export.pk).update(job=job, proposal=proposal)
    return _("A job makes the file; it can be taken for 24 hours once it is done.")


def _sentence(params: Params) -> str:
    figures = {"rows": grouped(params["rows"]), "who": _in_language(params["who"])}
    if params["unmasked"]:
        words = ngettext(
            "Export %(rows)s member unmasked: %(who)s.", "Export %(rows)s members unmasked: %(who)s.", params["rows"]
        )
    else:
        words = ngettext(
            "Export %(rows)s member, masked: %(who)s.", "Export %(rows)s members, masked: %(who)s.", params["rows"]
        )
    return words % figures


def _in_language(texts: Mapping[str, str]) -> str:
    return texts.get(get_language() or "") or next(iter(texts.values()), "")


def _effect(params: Params, at: datetime) -> Effect:
    export = MemberExport.objects.get(pk=params["export"])
    known = export_fields()
    labels = [str(known[key].label) for key in export.fields if key in known]
    yes, no = _("yes"), _("no")
    try:
        rows = _count_now(export, params, at)
    except conditions.ConditionInvalid:  # what it asks for is no longer there: carrying it out says so
        rows = None
    lines = [
        EffectLine(_("Members in the file"), "–", rows, is_compared=False),
        EffectLine(_("Fewer members than"), "–", None if rows is None else bound(params["rows"], rows)),
        EffectLine(_("Fields"), "–", enumerated(labels)),
        EffectLine(_("Phone numbers in full"), "–", yes if export.holds_phones else no),
    ]
    if export.segment_id is not None:
        lines.append(EffectLine(_("Version of the segment"), "–", segment_number(export.segment_id)))
    return Effect(lines)


def register() -> None:
    """Make exports known to those who approve, and to the workers that do long work."""
    kinds = (
        (SMALL, gettext_lazy("Small masked export"), PERMISSION, False),
        (LARGE, gettext_lazy("Export of members"), PERMISSION, True),
        (UNMASKED, gettext_lazy("Unmasked export of members"), UNMASKED_PERMISSION, True),
    )
    for code, label, permission, waits in kinds:
        proposals.register_kind(
            proposals.ProposalKind(
                code=code, label=label, permission=permission, sentence=_sentence, effect=_effect, carry_out=_carry_out,
                always_waits=waits,
            )
        )  # fmt: skip
    jobs.register_kind(
        jobs.JobKind(
            code=EXPORT, label=gettext_lazy("Export of members"), run=run_export, title=_sentence, permission=PERMISSION,
            files_kept=LINK_LIVES,
        )
    )  # fmt: skip
