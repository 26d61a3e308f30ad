"""The long work of segments: filling one, counting one exactly, making a fixed list out of numbers that staff have."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from phonenumbers import country_code_for_region

from members.conditions import compile, parse, tests_of
from members.identifiers import MEMBER, NotFound, parse_ref
from members.jobs import JobKind, JobRun, register_kind
from members.models import Segment
from members.phones import InvalidPhone, parse_phone
from members.queries import region
from members.services.segment_keeping import BY_FILLING, compare_range

FILL: Final = "members.fill_segment"
COUNT: Final = "members.count_segment"
LIST: Final = "members.fill_list"
BY_LIST: Final = "listed"
#: A chunk holds the lock of all who change stays: it has to be short.
_FILLED_AT_ONCE: Final = 10_000
_COUNTED_AT_ONCE: Final = 50_000
_LINES_AT_ONCE: Final = 20_000
_NOBODY: Final = gettext_noop("No member is known by this.")


def register() -> None:
    """Register the kinds of work."""
    for code, label, title, run in (
        (FILL, _("Filling segments"), _fill_title, fill_segment),
        (COUNT, _("Counting segments"), _count_title, count_exactly),
        (LIST, _("Filling fixed lists"), _fill_title, fill_list),
    ):
        register_kind(JobKind(code, label, run, title=title, permission="members.view_segment"))


def _fill_title(params: Mapping[str, Any]) -> str:
    return _now("Fill the segment “%(name)s”") % params


def _count_title(params: Mapping[str, Any]) -> str:
    return _now("Count the members of the segment “%(name)s”") % params


# --- By condition ------------------------------------------------------------------------------------------------------
def fill_segment(run: JobRun) -> None:
    """Compare every member with the condition; the members who came meanwhile were told by the timeline."""
    segment_id, number = run.params["segment"], run.params["number"]
    while not run.cursor.get("is_over"):
        with run.chunk() as at:
            segment = Segment.objects.filter(pk=segment_id, number=number, state=Segment.State.FILLING).first()
            after = run.cursor.get("after", 0)
            if segment is None:  # written anew, or retired: another job does it, or nobody
                run.advance(cursor={"is_over": True})
                continue
            if segment.kind == Segment.Kind.LIVE:
                last, members = compare_range(
                    segment_ids=[segment_id],
                    after=after,
                    limit=_FILLED_AT_ONCE,
                    cause=BY_FILLING,
                    at=at,
                    version=number,
                )
            else:
                last, members = _take_range(segment, after, at)
            is_over = members == 0 or last >= run.params["last"]
            run.advance(done=members, ok=members, cursor={"after": last, "is_over": is_over})
            if is_over:
                run.set_total(run.job.done + members)
                # Not when it was written anew meanwhile: the job of that version asks everybody again.
                ours = Segment.objects.filter(pk=segment_id, number=number, state=Segment.State.FILLING)
                ours.update(state=Segment.State.READY, compared_at=at)


_TAKE: Final = """
    INSERT INTO members_segmentspan (segment_id, member_id, entered_at, entered_cause, entered_number, entered_tests)
    SELECT %(segment)s, m.id, %(at)s, %(cause)s, 1, %(tests)s FROM members_member m
    WHERE m.id > %(after)s AND m.id <= %(last)s AND m.merged_into_id IS NULL AND {met}
    ON CONFLICT (member_id, segment_id) WHERE left_at IS NULL DO NOTHING
"""


def _take_range(segment: Segment, after: int, at: datetime) -> tuple[int, int]:
    """Put the next members who meet the condition on a fixed list; return the last one asked and how many were asked."""
    node = parse(segment.condition)
    condition = compile(node, at=at)
    last, members = _range(after, _COUNTED_AT_ONCE)
    if members:
        # All tests of an "all" were met; which of an "any" is not asked of a list that never changes.
        tests = (1 << len(tests_of(node))) - 1 if node.mode == "all" else 0
        params = {
            **condition.params, "segment": segment.pk, "at": at, "cause": BY_FILLING, "tests": tests, "after": after, "last": last,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(_TAKE.format(met=condition.sql), params)
            taken = cursor.rowcount
        Segment.objects.filter(pk=segment.pk).update(members_count=F("members_count") + taken)
    return last, members


def count_exactly(run: JobRun) -> None:
    """Count the members who meet the condition of a segment, and note the figure with its moment."""
    while not run.cursor.get("is_over"):
        with run.chunk() as at:
            segment = Segment.objects.filter(pk=run.params["segment"]).first()
            if segment is None:
                raise NotFound
            before = run.cursor or {"after": 0, "found": 0, "condition": segment.condition}
            last, members = _range(before["after"], _COUNTED_AT_ONCE)
            found = before["found"] + (_count(before["condition"], before["after"], last, at) if members else 0)
            is_over = members == 0 or last >= run.params["last"]
            run.advance(done=members, ok=members, cursor={**before, "after": last, "found": found, "is_over": is_over})
            if is_over:
                run.set_total(run.job.done + members)
                same = Segment.objects.filter(pk=segment.pk, condition=before["condition"])
                same.update(counted=found, counted_at=at)


def _count(stored: object, after: int, last: int, at: datetime) -> int:
    condition = compile(parse(stored), at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM members_member m"  # noqa: S608 - the expressions are those of registered facts
            f" WHERE m.id > %(after)s AND m.id <= %(last)s AND m.merged_into_id IS NULL AND {condition.sql}",
            {**condition.params, "after": after, "last": last},
        )
        return cursor.fetchone()[0]


def _range(after: int, limit: int) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(id), 0), count(*)"
            " FROM (SELECT id FROM members_member WHERE id > %s ORDER BY id LIMIT %s) r",
            [after, limit],
        )
        return cursor.fetchone()


# --- By a list of numbers ----------------------------------------------------------------------------------------------
def lines_of(content: bytes) -> list[str]:
    """Return the entries of a file: the first cell of each line that is not empty, at most 120 characters of it."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = content.decode("utf-8", "replace")
    cells = (re.split(r"[,;\t，；]", line, maxsplit=1)[0].strip().strip('"')[:120] for line in text.splitlines())
    return [cell for cell in cells if cell]


def fill_list(run: JobRun) -> None:
    """Put the members whom a file names, by number, phone or public id, on a fixed list; refuse the lines that name nobody."""
    lines = lines_of(run.input())
    segment_id = run.params["segment"]
    while not run.cursor.get("is_over"):
        with run.chunk() as at:
            start = run.cursor.get("line", 0)
            part = lines[start : start + _LINES_AT_ONCE]
            found = _members_named(part)
            refused = [number for number, line in enumerate(part) if line not in found]
            for number in refused:
                run.error_row({_now("Entry"): part[number]}, _NOBODY, number=start + number + 1)
            put_on_list(segment_id=segment_id, member_ids=sorted(set(found.values())), cause=BY_LIST, at=at)
            is_over = start + len(part) >= len(lines)
            run.advance(
                ok=len(part) - len(refused),
                failed=len(refused),
                cursor={"line": start + len(part), "is_over": is_over},
            )
            if is_over:
                Segment.objects.filter(pk=segment_id, state=Segment.State.FILLING).update(state=Segment.State.READY)


def put_on_list(*, segment_id: int, member_ids: Sequence[int], cause: str, at: datetime) -> int:
    """Put members on a fixed list, within the caller's transaction; return how many were not on it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_segmentspan
                (segment_id, member_id, entered_at, entered_cause, entered_number, entered_tests)
            SELECT %s, m.id, %s, %s, 0, 0 FROM members_member m
            WHERE m.id = ANY (%s::bigint[]) AND m.merged_into_id IS NULL
            ON CONFLICT (member_id, segment_id) WHERE left_at IS NULL DO NOTHING
            """,
            [segment_id, at, cause, list(member_ids)],
        )
        taken = cursor.rowcount
    if taken:
        Segment.objects.filter(pk=segment_id).update(members_count=F("members_count") + taken)
    return taken


_BETWEEN_FIGURES: Final = re.compile(r"[ ()-]")
_FIGURES: Final = re.compile(r"^\+?[1-9][0-9]{6,14}$")
_BY_NUMBER: Final = "SELECT member_no, id FROM members_member WHERE member_no = ANY (%s::text[])"
_BY_REF: Final = "SELECT public_id::text, id FROM members_member WHERE public_id = ANY (%s::uuid[])"
_BY_PHONE: Final = "SELECT phone, member_id FROM members_memberperson WHERE phone = ANY (%s::text[])"


def _members_named(lines: Sequence[str]) -> dict[str, int]:
    """Return the members by the entry that names them. What is no member number is read as a public id or a phone."""
    found = _looked_up(_BY_NUMBER, {line: [line] for line in lines})
    found |= _looked_up(_BY_PHONE, _as_they_stand([line for line in lines if line not in found]))
    phones: dict[str, list[str]] = {}
    refs: dict[str, list[str]] = {}
    home = region()
    for line in dict.fromkeys(lines):
        if line in found:
            continue
        try:
            if line.lower().startswith(f"{MEMBER}_"):
                refs.setdefault(str(parse_ref(MEMBER, line)), []).append(line)
            else:
                phones.setdefault(parse_phone(line, region=home), []).append(line)
        except (NotFound, InvalidPhone):
            continue
    return found | _looked_up(_BY_REF, refs) | _looked_up(_BY_PHONE, phones)


def _as_they_stand(lines: Sequence[str]) -> dict[str, list[str]]:
    """Return the lines by the phone they are when they need no reading: most do not, and reading one takes long."""
    code = country_code_for_region(region())
    asked: dict[str, list[str]] = {}
    for line in lines:
        figures = _BETWEEN_FIGURES.sub("", line)
        if _FIGURES.match(figures):
            asked.setdefault(figures if figures.startswith("+") else f"+{code}{figures}", []).append(line)
    return asked


def _looked_up(sql: str, asked: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the members by the entries that stand for the keys that were found."""
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(asked)])
        return {line: member for key, member in cursor.fetchall() for line in asked[key]}
