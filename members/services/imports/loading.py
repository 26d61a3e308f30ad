"""The job that brings the members of a checked file in, chunk by chunk. Nothing is doubled when it begins again.

Members are made, or those we know are changed as the import says; their balances are posted; the row keeps what became of
it. Whoever joined between the check and now is recognised again, and what belongs to somebody else by now is refused.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, time
from typing import Any, Final

from django.db import IntegrityError, connection

from members import timeline
from members.actors import Actor
from members.jobs import JobRun
from members.models import Identity, Member, MemberImport, MemberImportRow, MemberPerson
from members.names import search_keys
from members.opening_balances import Opening, opening_balances
from members.queries import programme
from members.services.bulk_enrolment import NewMember, enrol_many
from members.services.imports.checking import tell_unusable
from members.services.imports.matching import HAS_LEFT, TAKEN, Unusable, owners_of, recognise, refuse_repeated
from members.services.imports.refusals import ImportFileGone
from members.services.imports.undoing import IDENTITY_LINKED, KEPT_AFTER, PROFILE_CHANGED

_CHUNK: Final = 1_000
_MOST_TRIES: Final = 5
_PERSONAL: Final = ("full_name", "phone", "email", "birthday")
_OF_MEMBER: Final = ("language", "home_store_id")
_OF_ONE_MEMBER_ONLY: Final = ("phone", "email")

State = MemberImportRow.State


def run_load(run: JobRun) -> None:
    """Bring in the good rows of an import, in the order of the file. Raises `ImportFileGone` once they are not kept any more."""
    member_import = MemberImport.objects.get(pk=run.params["import"])
    tries = 0
    while True:
        try:
            with run.chunk() as at:
                is_over = _load_chunk(run, member_import, at)
        except IntegrityError:
            # Somebody joined with the same phone between our look and our insert: look again.
            tries += 1
            if tries >= _MOST_TRIES:
                raise
            continue
        tries = 0
        if is_over:
            return


def _load_chunk(run: JobRun, member_import: MemberImport, at: datetime) -> bool:
    """Load the rows after the cursor; return whether there were none left, and the end of the import was written."""
    if member_import.expires_at <= at and run.job.done < run.total:
        raise ImportFileGone  # some of the rows may be deleted already, and would seem to be done
    after = run.cursor.get("row", 0)
    waiting = MemberImportRow.objects.filter(
        member_import=member_import, number__gt=after, state__in=[State.NEW, State.KNOWN]
    ).order_by("number")
    numbers = list(waiting.values_list("number", flat=True)[:_CHUNK])
    if not numbers:
        MemberImport.objects.filter(pk=member_import.pk).update(expires_at=at + KEPT_AFTER)
        return True
    first, last = numbers[0], numbers[-1]
    others_now, unusable = recognise(member_import, first, last)
    if others_now:
        unusable += refuse_repeated(member_import, first, last)
    rows = list(waiting.filter(number__range=(first, last)))
    by = Actor("import", member_import.pk)
    made = _make(member_import, [row for row in rows if row.state == State.NEW], by, at)
    changed, refused = _change(member_import, [row for row in rows if row.state == State.KNOWN], by, at)
    _keep_as_changed(changed, _open_balances(member_import, [*made, *changed], by, at))
    tell_unusable(run, member_import, [*unusable, *refused])
    failed = len(unusable) + len(refused)
    run.advance(ok=len(rows) - len(refused), failed=failed, cursor={"row": last})
    timeline.nudge()
    return False


def _make(
    member_import: MemberImport, rows: Sequence[MemberImportRow], by: Actor, at: datetime
) -> list[MemberImportRow]:
    joined = datetime.combine(member_import.joined_date, time(), programme().tz)
    new = [
        NewMember(
            joined_at=row.joined_at or min(joined, at), channel_id=member_import.channel_id,
            home_store_id=row.home_store_id or member_import.home_store_id, full_name=row.full_name, phone=row.phone,
            email=row.email, birthday=row.birthday, language=row.language or "zh-hans",
            identity=(member_import.issuer, row.external_id) if row.external_id else None,
        )
        for row in rows
    ]  # fmt: skip
    ids = enrol_many(members=new, by=by, at=at, quiet=member_import.is_quiet)
    for row, member_id in zip(rows, ids, strict=True):
        row.member_id, row.state = member_id, State.MADE
    _write_states(rows)
    return list(rows)


def _change(
    member_import: MemberImport, rows: Sequence[MemberImportRow], by: Actor, at: datetime
) -> tuple[list[MemberImportRow], list[Unusable]]:
    """Change the members we know as the import says; return the rows whose members take part, and those refused."""
    if member_import.on_known == MemberImport.OnKnown.SKIP:
        for row in rows:
            row.state = State.LEFT
        _write_states(rows)
        return [], []
    members = {
        member.pk: member
        for member in Member.objects.select_for_update(no_key=True)
        .filter(pk__in=[row.member_id for row in rows])
        .order_by("pk")
    }
    people = {
        person.pk: person
        for person in MemberPerson.objects.select_for_update(no_key=True).filter(pk__in=members).order_by("pk")
    }
    refused: list[Unusable] = []
    changed: list[MemberImportRow] = []
    for row in rows:
        member = members[row.member_id or 0]
        if member.status == Member.Status.CLOSED:
            row.state, row.member_id = State.BAD, None
            refused.append(Unusable(row.number, row.cells, HAS_LEFT, {"member": member.member_no}))
            continue
        person = people.get(member.pk) or MemberPerson(member=member)
        row.before = _wanted(member_import, row, member, person)
        changed.append(row)
    refused += _refuse_taken(member_import, changed)
    changed = [row for row in changed if row.state != State.BAD]
    for row in changed:
        row.state = State.CHANGED if row.before else State.LEFT
    _apply([row for row in changed if row.before], members, people)
    linked = _link(member_import, changed, at)
    for row in changed:
        if row.member_id in linked:
            row.before = {**(row.before or {}), "identity": [None, row.external_id]}
            row.state = State.CHANGED
    _write_states(rows)
    timeline.record_many(_told(member_import, changed, linked, by, at))
    return changed, refused


def _told(
    member_import: MemberImport, rows: Sequence[MemberImportRow], linked: Collection[int], by: Actor, at: datetime
) -> Iterator[timeline.NewEntry]:
    """Yield what the timeline is told of members who were changed."""
    identity = {"identity_kind": str(Identity.Kind.EXTERNAL), "issuer": member_import.issuer}
    for row in rows:
        fields = sorted({*(row.before or {})} - {"identity"})
        if fields:
            yield timeline.NewEntry(PROFILE_CHANGED, row.member_id, at, by, {"fields": fields})
        if row.member_id in linked:
            yield timeline.NewEntry(IDENTITY_LINKED, row.member_id, at, by, identity)


def _refuse_taken(member_import: MemberImport, rows: Sequence[MemberImportRow]) -> list[Unusable]:
    """Mark rows bad whose phone or e-mail address somebody else has by now; return them.

    What one has who was merged into the member of the row leads to that member already: it stays where it is.
    """
    told = [row.before[name][1] for row in rows for name in _OF_ONE_MEMBER_ONLY if row.before and name in row.before]
    owners = owners_of(member_import, told) if told else {}
    refused: list[Unusable] = []
    for row in rows:
        for name in _OF_ONE_MEMBER_ONLY:
            owner = owners.get(str(getattr(row, name)).lower()) if row.before and name in row.before else None
            if row.before is None or owner is None or owner.pk == row.member_id:
                continue
            if owner.merged_into_id == row.member_id:
                row.before = {key: pair for key, pair in row.before.items() if key != name} or None
                continue
            row.state, row.member_id, row.before = State.BAD, None, None
            refused.append(Unusable(row.number, row.cells, TAKEN, {"members": owner.member_no}))
    return refused


def _wanted(
    member_import: MemberImport, row: MemberImportRow, member: Member, person: MemberPerson
) -> dict[str, list[Any]] | None:
    """Return what a row changes, as field → [before, after]; None when it changes nothing."""
    wins = member_import.on_known == MemberImport.OnKnown.UPDATE
    found: dict[str, list[Any]] = {}
    for name in (*_PERSONAL, *_OF_MEMBER):
        holder: Any = person if name in _PERSONAL else member
        now, told = getattr(holder, name), getattr(row, name)
        if told in (None, "") or told == now or (now not in (None, "") and not wins):
            continue
        found[name] = [_plain(now), _plain(told)]
    return found or None


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _apply(rows: Sequence[MemberImportRow], members: dict[int, Member], people: dict[int, MemberPerson]) -> None:
    """Write what rows change: people in one statement, members in another."""
    touched_people, touched_members = [], []
    for row in rows:
        member = members[row.member_id or 0]
        person = people.get(member.pk) or MemberPerson.objects.create(member=member)
        for name in row.before or {}:
            setattr(person if name in _PERSONAL else member, name, getattr(row, name))
        person.name_pinyin, person.name_initials = search_keys(person.full_name)
        touched_people.append(person)
        touched_members.append(member)
    _write_people(touched_people)
    _write_members(touched_members)


def _write_people(people: Sequence[MemberPerson]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_memberperson p SET full_name = x.full_name, name_pinyin = x.pinyin, name_initials = x.initials,
                phone = x.phone, email = x.email, birthday = x.birthday
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::date[])
                AS x (member_id, full_name, pinyin, initials, phone, email, birthday)
            WHERE p.member_id = x.member_id
            """,
            [
                [one.pk for one in people], [one.full_name for one in people], [one.name_pinyin for one in people],
                [one.name_initials for one in people], [one.phone for one in people], [one.email for one in people],
                [one.birthday for one in people],
            ],
        )  # fmt: skip


def _write_members(members: Sequence[Member]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_member m
            SET language = x.language, home_store_id = x.home_store_id, profile_version = m.profile_version + 1
            FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS x (id, language, home_store_id) WHERE m.id = x.id
            """,
            [[one.pk for one in members], [one.language for one in members], [one.home_store_id for one in members]],
        )


def _link(member_import: MemberImport, rows: Sequence[MemberImportRow], at: datetime) -> set[int]:
    """Let members be known by their number in the other system, where they are not yet; return those who were not."""
    wanted = [(row.member_id, row.external_id) for row in rows if row.external_id]
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_identity (member_id, kind, issuer, value, linked_at)
            SELECT m, 'external', %s, v, %s FROM unnest(%s::bigint[], %s::text[]) AS x (m, v) ORDER BY v
            ON CONFLICT DO NOTHING RETURNING member_id
            """,
            [member_import.issuer, at, [one for one, _value in wanted], [value for _one, value in wanted]],
        )
        return {row[0] for row in cursor.fetchall()}


def _open_balances(member_import: MemberImport, rows: Sequence[MemberImportRow], by: Actor, at: datetime) -> set[int]:
    """Post the balances that members bring along, once for each member and system; return the members who got one."""
    balances = opening_balances()
    with_points = [row for row in rows if row.points and row.member_id is not None]
    if balances is None or not with_points:
        return set()
    standing = balances.standing(member_import.issuer, [row.member_id for row in with_points if row.member_id])
    openings = [
        Opening(row.member_id, row.points, opening_key(member_import.pk, row.number))
        for row in with_points
        if row.member_id and row.member_id not in standing
    ]
    if openings:
        balances.post(member_import.issuer, openings, by, at)
    return {opening.member_id for opening in openings}


def _keep_as_changed(rows: Sequence[MemberImportRow], with_balance: Collection[int]) -> None:
    """Keep rows that changed nothing but the balance as changed, so that it can be taken back."""
    late = [row for row in rows if row.state == State.LEFT and row.member_id in with_balance]
    for row in late:
        row.state = State.CHANGED
    if late:
        _write_states(late)


def opening_key(import_id: int, number: int) -> str:
    """Return what names the balance of a row for ever."""
    return f"{import_id}:{number}"


def _write_states(rows: Sequence[MemberImportRow]) -> None:
    """Keep what became of rows, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_memberimportrow r SET state = x.state, member_id = x.member_id, before = x.before::jsonb
            FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[]) AS x (id, state, member_id, before) WHERE r.id = x.id
            """,
            [
                [row.pk for row in rows], [str(row.state) for row in rows], [row.member_id for row in rows],
                [None if row.before is None else json.dumps(row.before) for row in rows],
            ],
        )  # fmt: skip
