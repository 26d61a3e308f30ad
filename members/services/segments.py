"""Segments as staff make them: a draft, published and filled, written anew, retired."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.conditions import Node, fact_keys, parse, stored
from members.identifiers import NotFound
from members.jobs import InputFile, start_job
from members.models import Job, Segment, SegmentVersion
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.refusals import MembersRefusal
from members.segment_uses import uses_of
from members.services.enrolment import broken_constraint
from members.services.segment_jobs import COUNT, FILL, LIST, lines_of
from members.services.status import ReasonMissing
from members.tag_facts import HAS_TAG
from members.timeline import NewEntry, nudge, record

#: How many segments and rules of tags are kept up at most: each event asks all of them.
MOST_LIVE: Final = 200
#: Entries of a list that is made from a file.
MOST_LISTED: Final = 500_000
NAME_IS_TAKEN: Final = "segment_name_is_used_once"


class SegmentNameTaken(MembersRefusal):
    """Another segment has this name."""

    code = "segment_name_taken"
    text = _("There is a segment “%(name)s” already.")


class SegmentHasNoCondition(MembersRefusal):
    """A segment by condition needs one."""

    code = "segment_has_no_condition"
    text = _("Say first who belongs to this segment.")
    status = 422


class SegmentIsNotADraft(MembersRefusal):
    """Only a draft can be published."""

    code = "segment_is_not_a_draft"
    text = _("This segment is published already.")


class SegmentIsRetired(MembersRefusal):
    """A retired segment does not change."""

    code = "segment_is_retired"
    text = _("This segment is retired.")


class SegmentIsUsed(MembersRefusal):
    """What is used is not retired."""

    code = "segment_is_used"
    text = _("%(uses)s use this segment. Please change them first.")


class TooManyLiveSegments(MembersRefusal):
    """As many segments are kept up as may be."""

    code = "too_many_live_segments"
    text = _("%(most)s segments and rules of tags are kept up to date already, which is the limit. Retire one first.")


class FixedListHasNoCondition(MembersRefusal):
    """The members of a fixed list stay as they are."""

    code = "fixed_list_has_no_condition"
    text = _("A fixed list does not change by a condition once it is filled.")


class TagRuleAsksForTags(MembersRefusal):
    """Tags that follow each other would never come to rest."""

    code = "tag_rule_asks_for_tags"
    text = _("The rule of a tag can not ask for tags.")
    status = 422


class ListIsEmpty(MembersRefusal):
    """A file without entries makes no list."""

    code = "list_is_empty"
    text = _("There is nobody in this list.")
    status = 422


class ListTooLong(MembersRefusal):
    """More entries than a list may have."""

    code = "list_too_long"
    text = _("The list has %(entries)s entries; at most %(most)s can be taken at once.")
    status = 422


def make_segment(
    *,
    name: str,
    note: str = "",
    kind: Segment.Kind = Segment.Kind.LIVE,
    condition: Mapping[str, Any] | None,
    by: Actor,
    at: datetime,
    is_of_tag: bool = False,
) -> Segment:
    """Write the draft of a segment and return it. Raises `SegmentNameTaken`, `ConditionInvalid`, `TagRuleAsksForTags`."""
    segment = Segment(
        name=clean_name(name)[:80], note=clean_name(note)[:200], kind=kind, created_at=at, is_of_tag=is_of_tag,
        condition=_checked(condition, is_of_tag=is_of_tag),
    )  # fmt: skip
    with transaction.atomic():
        _save(segment)
        _tell("made", segment, by, at)
    return segment


def write_segment(
    *, segment_id: int, name: str, note: str, condition: Mapping[str, Any] | None, by: Actor, at: datetime
) -> Job | None:
    """Change what a segment is called and whom it means; return the job that compares its members, if there is one.

    In a draft nothing else happens; in a live segment that is in use another condition is a new version of it. Raises
    `SegmentNameTaken`, `SegmentHasNoCondition`, `FixedListHasNoCondition`, `SegmentIsRetired`, `TagRuleAsksForTags`,
    `ConditionInvalid`, `NotFound`.
    """
    with transaction.atomic():
        segment = locked_segment(segment_id)
        if segment.state == Segment.State.RETIRED:
            raise SegmentIsRetired
        wanted = _checked(condition, is_of_tag=segment.is_of_tag)
        is_another = wanted != segment.condition
        segment.name, segment.note = clean_name(name)[:80], clean_name(note)[:200]
        if segment.state == Segment.State.DRAFT:
            segment.condition = wanted
            segment.counted = segment.counted_at = None
        elif is_another and segment.kind == Segment.Kind.STATIC:
            raise FixedListHasNoCondition
        elif is_another and not wanted:
            raise SegmentHasNoCondition
        job = None
        if is_another and segment.is_kept_up:
            segment.condition = wanted
            segment.state = Segment.State.FILLING
            segment.number += 1
            segment.sweep_from = None
            _save(segment)
            job = _begin(segment, by, at)
        else:
            _save(segment)
        _tell("written", segment, by, at)
    return job


def publish_segment(*, segment_id: int, by: Actor, at: datetime) -> Job:
    """Begin to fill a draft, and from now on to keep it up if it is a live one; return the job that fills it.

    Raises `SegmentIsNotADraft`, `SegmentHasNoCondition`, `TooManyLiveSegments`, `NotFound`.
    """
    with transaction.atomic():
        segment = locked_segment(segment_id)
        if segment.state != Segment.State.DRAFT:
            raise SegmentIsNotADraft
        if not segment.condition:
            raise SegmentHasNoCondition
        if segment.kind == Segment.Kind.LIVE:
            _check_room()
        segment.state = Segment.State.FILLING
        segment.number = 1
        _save(segment)
        job = _begin(segment, by, at)
        _tell("published", segment, by, at)
    return job


def retire_segment(*, segment_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Stop keeping a segment up; its stays are left as they are. Raises `SegmentIsUsed`, `SegmentIsRetired`, `ReasonMissing`, `NotFound`."""
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    refuse_personal_words(words)
    with transaction.atomic():
        segment = locked_segment(segment_id)
        if segment.state == Segment.State.RETIRED:
            raise SegmentIsRetired
        used_by = uses_of(segment.pk)
        if used_by:
            raise SegmentIsUsed(uses=", ".join(use.name for use in used_by[:5]))
        segment.state, segment.retired_at, segment.sweep_from = Segment.State.RETIRED, at, None
        _save(segment)
        _tell("retired", segment, by, at, reason=words)


def count_segment(*, segment_id: int, by: Actor, at: datetime) -> Job:
    """Begin to count exactly how many members meet the condition of a draft; return the job. Raises `SegmentHasNoCondition`, `NotFound`."""
    with transaction.atomic():
        segment = locked_segment(segment_id)
        if not segment.condition:
            raise SegmentHasNoCondition
        last = _last_member()
        params = {"segment": segment.pk, "last": last}
        return start_job(kind=COUNT, title_params={"name": segment.name}, params=params, total=last, by=by, at=at)


def make_list(*, name: str, note: str = "", file: InputFile, by: Actor, at: datetime) -> tuple[Segment, Job]:
    """Make a fixed list of the members whom a file names; return it and the job that fills it.

    Raises `SegmentNameTaken`, `ListIsEmpty`, `ListTooLong`, `FileTooLarge`.
    """
    entries = len(lines_of(file.content))
    if not entries:
        raise ListIsEmpty
    if entries > MOST_LISTED:
        raise ListTooLong(entries=entries, most=MOST_LISTED)
    segment = Segment(
        name=clean_name(name)[:80], note=clean_name(note)[:200], kind=Segment.Kind.STATIC, state=Segment.State.FILLING, created_at=at
    )  # fmt: skip
    with transaction.atomic():
        _save(segment)
        _tell("published", segment, by, at)
        job = start_job(
            kind=LIST, title_params={"name": segment.name}, params={"segment": segment.pk}, total=entries, by=by, at=at, file=file
        )  # fmt: skip
    return segment, job


def tell_handed_out(*, segment_id: int, ids: str, members: int, by: Actor, at: datetime) -> None:
    """Write down, within the caller's transaction, that so many members of a segment are handed to another system."""
    figures = {"segment": segment_id, "ids": ids, "members": members}
    record([NewEntry("members.segment_handed_out.v1", None, at, by, figures, f"segment:{segment_id}")])


def locked_segment(segment_id: int) -> Segment:
    """Return a segment, locked. Raises `NotFound`."""
    segment = Segment.objects.select_for_update(no_key=True).filter(pk=segment_id).first()
    if segment is None:
        raise NotFound
    return segment


def _begin(segment: Segment, by: Actor, at: datetime) -> Job:
    SegmentVersion.objects.create(
        segment=segment, number=segment.number, condition=segment.condition, from_at=at, actor_kind=by.kind, actor_id=by.id
    )  # fmt: skip
    last = _last_member()
    return start_job(
        kind=FILL,
        title_params={"name": segment.name},
        params={"segment": segment.pk, "number": segment.number, "last": last},
        total=last,
        by=by,
        at=at,
    )


def _last_member() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        return cursor.fetchone()[0]


def _checked(condition: Mapping[str, Any] | None, *, is_of_tag: bool) -> dict[str, Any] | None:
    """Return a condition as it is kept, or None for none."""
    node: Node = parse(condition)
    if is_of_tag and any(key.startswith(f"{HAS_TAG}?") for key in fact_keys(node)):
        raise TagRuleAsksForTags
    return stored(node) if node.parts else None


def _check_room() -> None:
    with connection.cursor() as cursor:
        # Two who publish at once could both take the last place.
        cursor.execute("SELECT 1 FROM members_segmentclock WHERE id = 1 FOR UPDATE")
    live = Segment.objects.filter(
        kind=Segment.Kind.LIVE, state__in=[Segment.State.FILLING, Segment.State.READY]
    ).count()
    if live >= MOST_LIVE:
        raise TooManyLiveSegments(most=MOST_LIVE)


def _save(segment: Segment) -> None:
    refuse_personal_words(segment.name, segment.note)
    # The count is kept by those who change stays, who do not wait for this row.
    kept = [
        field.name for field in Segment._meta.concrete_fields if field.name not in ("id", "public_id", "members_count")
    ]
    try:
        with transaction.atomic():
            segment.save(update_fields=None if segment._state.adding else kept)
    except IntegrityError as error:
        if broken_constraint(error) == NAME_IS_TAKEN:
            raise SegmentNameTaken(name=segment.name) from error
        raise


def _tell(what: str, segment: Segment, by: Actor, at: datetime, **more: Any) -> None:
    figures = {"segment": segment.pk, "version": segment.number, **more}
    record([NewEntry(f"members.segment_{what}.v1", None, at, by, figures, f"segment:{segment.pk}")])
    nudge()
