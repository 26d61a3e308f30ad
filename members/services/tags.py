"""Tags: made by staff, put on members and taken off again, with why; those with a rule follow it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import MemberTag, Segment, Tag
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.refusals import MembersRefusal
from members.services.enrolment import broken_constraint
from members.services.segment_keeping import TAG_ADDED, TAG_REMOVED
from members.services.segments import (
    SegmentHasNoCondition,
    make_segment,
    publish_segment,
    retire_segment,
    write_segment,
)
from members.services.status import ReasonMissing
from members.timeline import NewEntry, nudge, record

_CODE_IS_TAKEN = "members_tag_code"
CODE: Final = r"^[a-z][a-z0-9_]{0,39}$"
MOST_MEMBERS: Final = 500_000


class TagCodeTaken(MembersRefusal):
    """Another tag has this code."""

    code = "tag_code_taken"
    text = _("There is a tag with the code “%(tag)s” already.")


class TagIsAutomatic(MembersRefusal):
    """A tag with a rule is put on and taken off by the rule alone."""

    code = "tag_is_automatic"
    text = _("The tag “%(tag)s” follows a rule; nobody puts it on or takes it off by hand.")


class TagIsOff(MembersRefusal):
    """The tag is not used any more."""

    code = "tag_is_off"
    text = _("The tag “%(tag)s” is not in use any more.")


class TooManyToTag(MembersRefusal):
    """More members at once than tags are put on."""

    code = "too_many_to_tag"
    text = _("%(members)s members are more than the %(most)s that can be tagged at once.")
    status = 422


def make_tag(
    *,
    code: str,
    name: str,
    note: str = "",
    colour: Tag.Colour = Tag.Colour.GREY,
    keep_days: int | None = None,
    condition: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
) -> Tag:
    """Make a tag and return it; with a condition it is automatic, and a job begins to put it on whoever meets it.

    Raises `TagCodeTaken`, `TagRuleAsksForTags`, `ConditionInvalid`, `TooManyLiveSegments`.
    """
    tag = Tag(code=code, name=clean_name(name)[:40], note=clean_name(note)[:200], colour=colour, keep_days=keep_days)
    with transaction.atomic():  # a tag whose rule is refused is not left behind as one by hand
        try:
            with transaction.atomic():
                tag.save(force_insert=True)
        except IntegrityError as error:
            if broken_constraint(error).startswith(_CODE_IS_TAKEN):
                raise TagCodeTaken(tag=code) from error
            raise
        if condition:
            rule = make_segment(name=tag.name, condition=condition, is_of_tag=True, by=by, at=at)
            Tag.objects.filter(pk=tag.pk).update(rule=rule)
            tag.rule = rule
            publish_segment(segment_id=rule.pk, by=by, at=at)
    return tag


def change_tag(
    *,
    tag_id: int,
    name: str,
    note: str,
    colour: Tag.Colour,
    keep_days: int | None,
    is_on: bool,
    condition: Mapping[str, Any] | None,
    by: Actor,
    at: datetime,
) -> None:
    """Change a tag, and what its rule says. A tag that was made for one use, by hand or by rule, stays so.

    Those who have it keep their own day on which it falls off. Raises `SegmentHasNoCondition`, `TagRuleAsksForTags`,
    `ConditionInvalid`, `TagIsOff`, `NotFound`.
    """
    with transaction.atomic():
        tag = _locked(tag_id)
        if not tag.is_on and is_on and tag.rule_id:
            raise TagIsOff(tag=tag.name)  # its rule is retired; a new tag takes its place
        if tag.rule_id and tag.is_on:
            if not condition:
                raise SegmentHasNoCondition
            write_segment(segment_id=tag.rule_id, name=clean_name(name), note="", condition=condition, by=by, at=at)
            if not is_on:
                retire_segment(segment_id=tag.rule_id, reason="tag switched off", by=by, at=at)
        tag.name, tag.note, tag.colour, tag.is_on = clean_name(name)[:40], clean_name(note)[:200], colour, is_on
        tag.keep_days = None if tag.rule_id else keep_days
        tag.save()


def add_tag(
    *,
    member_ids: Sequence[int],
    tag_id: int,
    by: Actor,
    at: datetime,
    reason: str,
    expires_at: datetime | None = None,
    quiet: bool = False,
) -> int:
    """Put a tag on members, in one statement; return on how many it was not before. Merged and unknown members are left out.

    It falls off at `expires_at`, or after the tag's own days. `quiet`: nobody is written to for it. Raises `TagIsOff`,
    `TagIsAutomatic`, `ReasonMissing`, `WordsNamePerson`, `TooManyToTag`, `NotFound`.
    """
    words = _words(reason, member_ids)
    with transaction.atomic():
        tag = _locked(tag_id)
        if tag.rule_id:
            raise TagIsAutomatic(tag=tag.name)
        if not tag.is_on:
            raise TagIsOff(tag=tag.name)
        end = expires_at or (at + timedelta(days=tag.keep_days) if tag.keep_days else None)
        with connection.cursor() as cursor:
            # One that has fallen off counts no more, although that is not written down yet.
            cursor.execute(
                """
                UPDATE members_membertag SET ended_at = expires_at, "end" = 'expired'
                WHERE tag_id = %s AND member_id = ANY (%s::bigint[]) AND ended_at IS NULL AND expires_at <= %s
                """,
                [tag.pk, list(member_ids), at],
            )
            cursor.execute(
                f"""
                WITH put AS (
                    INSERT INTO members_membertag (tag_id, member_id, since_at, expires_at, reason, actor_kind, actor_id)
                    SELECT %(tag)s, m.id, %(at)s, %(end)s, %(reason)s, %(kind)s, %(actor)s
                    FROM members_member m WHERE m.id = ANY (%(members)s::bigint[]) AND m.merged_into_id IS NULL
                    ON CONFLICT (member_id, tag_id) WHERE ended_at IS NULL DO NOTHING
                    RETURNING member_id
                ), {_TELL}
                SELECT count(*) FROM put
                """,  # noqa: S608 - a constant of this module
                _telling(TAG_ADDED, tag, by, at, words, quiet)
                | {"end": end, "reason": words, "members": list(member_ids)},
            )
            number = cursor.fetchone()[0]
        nudge()
    return number


def remove_tag(
    *, member_ids: Sequence[int], tag_id: int, by: Actor, at: datetime, reason: str, quiet: bool = False
) -> int:
    """Take a tag off members, in one statement; return off how many. Raises `TagIsAutomatic`, `ReasonMissing`, `TooManyToTag`, `NotFound`."""
    words = _words(reason, member_ids)
    with transaction.atomic():
        tag = _locked(tag_id)
        if tag.rule_id:
            raise TagIsAutomatic(tag=tag.name)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH put AS (
                    UPDATE members_membertag SET ended_at = greatest(%(at)s, since_at), "end" = 'taken_off'
                    WHERE tag_id = %(tag)s AND member_id = ANY (%(members)s::bigint[]) AND ended_at IS NULL
                    RETURNING member_id
                ), {_TELL}
                SELECT count(*) FROM put
                """,  # noqa: S608 - a constant of this module
                _telling(TAG_REMOVED, tag, by, at, words, quiet) | {"members": list(member_ids)},
            )
            number = cursor.fetchone()[0]
        nudge()
    return number


_TELL: Final = """
    told AS (
        INSERT INTO members_timelineentry (kind, member_id, happened_at, actor_kind, actor_id, payload)
        SELECT %(news)s, put.member_id, %(at)s, %(kind)s, %(actor)s, %(figures)s::jsonb FROM put
    )
"""


def _telling(news: str, tag: Tag, by: Actor, at: datetime, words: str, quiet: bool) -> dict[str, Any]:
    figures = NewEntry(
        news, None, at, by, {"tag": tag.pk, "automatic": False, "reason": words} | ({"quiet": True} if quiet else {})
    )
    return {"news": news, "at": at, "kind": by.kind, "actor": by.id, "tag": tag.pk, "figures": figures.row()[6]}


def expire_tags(*, at: datetime, limit: int = 5_000) -> int:
    """Write down of up to `limit` tags that they have fallen off, and tell the timeline; return how many."""
    with transaction.atomic():
        due = list(
            MemberTag.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(ended_at__isnull=True, expires_at__lte=at)
            .order_by("expires_at")
            .only("pk", "tag_id", "member_id", "expires_at")[:limit]
        )
        with connection.cursor() as cursor:
            cursor.execute(
                """UPDATE members_membertag SET ended_at = expires_at, "end" = 'expired' WHERE id = ANY (%s::bigint[])""",
                [[one.pk for one in due]],
            )
        for start in range(0, len(due), 1_000):
            record(
                [
                    NewEntry(
                        TAG_REMOVED, one.member_id, one.expires_at or at, SYSTEM, {"tag": one.tag_id, "expired": True}
                    )
                    for one in due[start : start + 1_000]
                ]
            )
        nudge()
    return len(due)


def _words(reason: str, member_ids: Sequence[int]) -> str:
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    if len(member_ids) > MOST_MEMBERS:
        raise TooManyToTag(members=len(member_ids), most=MOST_MEMBERS)
    refuse_personal_words(words, member_ids=member_ids)
    return words


def _locked(tag_id: int) -> Tag:
    tag = Tag.objects.select_for_update(no_key=True).filter(pk=tag_id).first()
    if tag is None:
        raise NotFound
    return tag


def rule_of(tag: Tag) -> Segment | None:
    """Return the rule of an automatic tag."""
    return Segment.objects.filter(pk=tag.rule_id).first() if tag.rule_id else None
