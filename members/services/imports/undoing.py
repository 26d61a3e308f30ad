"""Taking an import back within 7 days: members it made are closed and forgotten, members it changed get back what they had.

A member who has been used since (bought, been looked after by staff, signed in) stays, and so does what was changed since.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members import timeline
from members.actors import Actor
from members.figures import grouped
from members.jobs import JobRun, UndoPreview
from members.models import Identity, Job, Member, MemberImport, MemberImportRow, MemberPerson
from members.names import search_keys
from members.opening_balances import opening_balances
from members.services.imports.matching import owners_of
from members.services.imports.refusals import ImportFileGone

KEPT_AFTER: Final = timedelta(days=7)
_CHUNK: Final = 500
USED_SINCE: Final = gettext_lazy("Something happened with member %(member)s since the import; the member stays.")
CHANGED_SINCE: Final = gettext_lazy("Member %(member)s was changed since the import; nothing of it is taken back.")

TAKEN_SINCE: Final = gettext_lazy(
    "The phone or the e-mail address that member %(member)s had belongs to another member now; nothing of it is taken back."
)
PROFILE_CHANGED: Final = "members.profile_changed.v1"
IDENTITY_LINKED: Final = "members.identity_linked.v1"
_OWN_KINDS: Final = ("members.enrolled.v1", PROFILE_CHANGED, IDENTITY_LINKED)

State = MemberImportRow.State

# Whether anything has happened with a member that did not happen by itself and was not this import: by its number alone
# an import of orders could be taken for it, so that its own entries are told by their kinds, too.
_USED: Final = """
    (EXISTS (
        SELECT 1 FROM members_timelineentry t
        WHERE t.member_id = r.member_id AND t.recorded_at >= %(since)s
          AND t.kind <> 'members.personal_data_viewed.v1' AND t.actor_kind <> 'system'
          AND NOT (t.actor_kind = 'import' AND t.actor_id = %(import)s AND t.kind = ANY (%(own)s)))
     OR EXISTS (SELECT 1 FROM members_membertoken k WHERE k.member_id = r.member_id AND k.created_at >= %(since)s))"""


def undo_preview(job: Job, at: datetime) -> UndoPreview:
    """Return how much of an import can still be taken back."""
    member_import = MemberImport.objects.filter(job=job).first()
    if member_import is None or job.finished_at is None or at >= job.finished_at + KEPT_AFTER:
        return UndoPreview(total=0, is_possible=False)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*) FILTER (WHERE r.state = 'made'), count(*) FILTER (WHERE r.state = 'changed'),
                count(*) FILTER (WHERE r.state = 'made' AND {_USED})
            FROM members_memberimportrow r WHERE r.member_import_id = %(import)s AND r.state IN ('made', 'changed')
            """,  # noqa: S608
            {"import": member_import.pk, "since": job.created_at, "own": _own_kinds()},
        )
        made, changed, used = cursor.fetchone()
    lines = [
        _("%(number)s members whom it made are closed, and what is personal about them is deleted.")
        % {"number": grouped(made - used)},
        _("%(number)s members whom it changed get back what they had.") % {"number": grouped(changed)},
        _("Opening balances are taken back as far as they are left."),
    ]
    if used:
        lines.append(
            ngettext(
                "%(number)s member has been used since, and stays.",
                "%(number)s members have been used since, and stay.",
                used,
            )
            % {"number": grouped(used)}
        )
    return UndoPreview(total=made + changed, lines=tuple(lines), is_possible=made + changed > 0)


def run_undo(run: JobRun) -> None:
    """Take an import back, in chunks. What has been used or changed since stays, and is told. Raises `ImportFileGone`."""
    if run.undoes is None:
        return
    member_import = MemberImport.objects.select_related("proposal").get(job=run.undoes)
    while True:
        with run.chunk() as at:
            if member_import.expires_at <= at and run.job.done < run.total:
                raise ImportFileGone
            rows = list(
                MemberImportRow.objects.filter(
                    member_import=member_import, number__gt=run.cursor.get("row", 0),
                    state__in=[State.MADE, State.CHANGED],
                ).order_by("number")[:_CHUNK]
            )  # fmt: skip
            if not rows:
                return
            _take_back_chunk(run, member_import, rows, at)


def _take_back_chunk(run: JobRun, member_import: MemberImport, rows: Sequence[MemberImportRow], at: datetime) -> None:
    ids = [row.member_id for row in rows if row.member_id is not None]
    numbers = {
        member.pk: member.member_no
        for member in Member.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    }
    used = _used(member_import, run.undoes.created_at if run.undoes else at, ids)
    made = [row for row in rows if row.state == State.MADE and row.member_id not in used]
    changed, kept = _give_back(member_import, [row for row in rows if row.state == State.CHANGED])
    by = Actor("import", member_import.pk)
    if (balances := opening_balances()) is not None and member_import.proposal is not None:
        keys = [f"{member_import.pk}:{row.number}" for row in (*made, *changed) if row.points]
        balances.take_back(member_import.issuer, keys, run.by, at, member_import.proposal)
    _forget(made)  # after their points: the account of a closed member is closed, too
    done = {row.pk for row in (*made, *changed)}
    MemberImportRow.objects.filter(pk__in=done).update(state=State.TAKEN_BACK)
    timeline.record_many(
        timeline.NewEntry("members.import_taken_back.v1", row.member_id, at, by, {"import": member_import.pk})
        for row in (*made, *changed)
    )
    timeline.nudge()
    for row in rows:
        if row.pk in done:
            continue
        cells = dict(zip(member_import.columns, row.cells, strict=False))
        run.error_row(
            cells, kept.get(row.pk, USED_SINCE), number=row.number, member=numbers.get(row.member_id or 0, "")
        )
    run.advance(ok=len(done), failed=len(rows) - len(done), cursor={"row": rows[-1].number})


def _used(member_import: MemberImport, since: datetime, member_ids: Sequence[int | None]) -> set[int]:
    """Return those of the members with whom anything happened since the import."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.member_id FROM unnest(%(ids)s::bigint[]) AS r (member_id) WHERE {_USED}",  # noqa: S608
            {"ids": list(member_ids), "import": member_import.pk, "since": since, "own": _own_kinds()},
        )
        return {row[0] for row in cursor.fetchall()}


def _own_kinds() -> list[str]:
    """Return the kinds of entries that an import writes of members whom it makes."""
    balances = opening_balances()
    return [*_OWN_KINDS, *([balances.told_as] if balances else [])]


def _forget(rows: Sequence[MemberImportRow]) -> None:
    """Close members whom the import made, and delete what is personal about them: the phone is free again."""
    ids = [row.member_id for row in rows if row.member_id is not None]
    Identity.objects.filter(member__in=ids).delete()
    MemberPerson.objects.filter(pk__in=ids).delete()
    Member.objects.filter(pk__in=ids).update(status=Member.Status.CLOSED)


def _give_back(
    member_import: MemberImport, rows: Sequence[MemberImportRow]
) -> tuple[list[MemberImportRow], dict[int, Promise]]:
    """Give changed members what they had; return the rows done, and by id of the others why nothing of them is given back."""
    people = MemberPerson.objects.select_for_update(no_key=True).in_bulk([row.member_id for row in rows])
    members = Member.objects.in_bulk([row.member_id for row in rows])
    owners = owners_of(member_import, [value for row in rows for value in _names_before(row)])
    done: list[MemberImportRow] = []
    kept: dict[int, Promise] = {}
    for row in rows:
        person, member = people.get(row.member_id or 0), members[row.member_id or 0]
        change = {name: pair for name, pair in (row.before or {}).items() if name != "identity"}
        holders = {name: member if name in ("language", "home_store_id") else person for name in change}
        is_another = any(
            holder is None or _plain(getattr(holder, name)) != change[name][1] for name, holder in holders.items()
        )
        if is_another or member.status == Member.Status.CLOSED:
            kept[row.pk] = CHANGED_SINCE
            continue
        if any(owners[value].pk != member.pk for value in _names_before(row) if value in owners):
            kept[row.pk] = TAKEN_SINCE
            continue
        for name, holder in holders.items():
            setattr(holder, name, _value(name, change[name][0]))
        if person is not None and change:
            person.name_pinyin, person.name_initials = search_keys(person.full_name)
            person.save()
            member.profile_version += 1
            member.save(update_fields=["language", "home_store", "profile_version"])
        if "identity" in (row.before or {}):
            Identity.objects.filter(
                member=member, kind=Identity.Kind.EXTERNAL, issuer=member_import.issuer, value=row.external_id
            ).delete()
        done.append(row)
    return done, kept


def _names_before(row: MemberImportRow) -> list[str]:
    """Return the phone and the e-mail address (in small letters) that a member had before, where the import changed them."""
    before = [(row.before or {}).get(name, [None])[0] for name in ("phone", "email")]
    return [value.lower() for value in before if value]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _value(name: str, stored: Any) -> Any:
    return date.fromisoformat(stored) if name == "birthday" and stored else stored
