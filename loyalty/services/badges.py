"""Badges as staff make them and give them by hand, and the title that a member wears."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from loyalty.badge_queries import held_badges
from loyalty.identity_codes import code_of
from loyalty.identity_facts import HAS_BADGE, STAGE
from loyalty.models import Badge, BadgeAward, MemberTitle
from loyalty.refusals import BadgeHeld, BadgeIsOff, BadgeNotHeld, RuleAsksForIdentity, TitleNotHeld
from loyalty.services.badge_awards import Award, award, take_back
from loyalty.services.identity_keeping import SETTLE_BADGE
from members.actors import Actor
from members.conditions import fact_keys, parse
from members.identifiers import NotFound
from members.jobs import start_job
from members.models import Job, Member, Segment
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.queries import family_ids
from members.services.segments import make_segment, publish_segment, retire_segment, write_segment
from members.services.status import ReasonMissing
from members.tag_facts import HAS_TAG

_RULES_GO_ROUND: Final = (HAS_TAG, HAS_BADGE, STAGE)


def check_rule(condition: Mapping[str, Any] | None) -> None:
    """Refuse the condition of a badge, stage or task that asks for what follows rules itself. Raises `RuleAsksForIdentity`, `ConditionInvalid`."""
    if any(key.partition("?")[0] in _RULES_GO_ROUND for key in fact_keys(parse(condition))):
        raise RuleAsksForIdentity


def keep_rule(
    rule: Segment | None, *, name: str, condition: Mapping[str, Any] | None, by: Actor, at: datetime
) -> Segment | None:
    """Make, write or retire the rule of a badge, stage or task, in the caller's transaction; return the one that holds.

    Raises `RuleAsksForIdentity`, `ConditionInvalid`, `TooManyLiveSegments`.
    """
    check_rule(condition)
    if rule is not None and condition:
        write_segment(segment_id=rule.pk, name=name, note="", condition=condition, by=by, at=at)
        return rule
    if rule is not None:
        retire_segment(segment_id=rule.pk, reason="rule taken away", by=by, at=at)
        return None
    if not condition:
        return None
    made = make_segment(name=name, condition=condition, is_of_tag=True, by=by, at=at)
    publish_segment(segment_id=made.pk, by=by, at=at)
    return made


def save_badge(*, badge: Badge, condition: Mapping[str, Any] | None, by: Actor, at: datetime) -> Job | None:
    """Write a badge, new or changed, with its rule (None: by hand and for tasks only); return the job that settles it, if there is one.

    Who has it keeps it when the rule is changed or taken away, unless it can be lost and the new rule is not met. Raises
    `RuleAsksForIdentity`, `ConditionInvalid`, `TooManyLiveSegments`, `WordsNamePerson`.
    """
    refuse_personal_words(*texts_of(badge, ("name", "text", "title")))
    with transaction.atomic():
        before = None
        if badge._state.adding:
            badge.code = code_of(Badge, badge)
        else:
            before = Badge.objects.select_for_update(no_key=True).get(pk=badge.pk)
        badge.rule = keep_rule(badge.rule, name=badge.name, condition=condition, by=by, at=at)
        if badge.valid_from is not None and badge.valid_from > at:
            badge.opened_at = None
        else:
            badge.opened_at = badge.opened_at or at
        badge.save()
        if before is None or badge.rule_id is None or not badge.is_on:
            return None
        opens = before.opened_at is None and badge.opened_at is not None
        widened = before.valid_until is not None and before.valid_until <= at
        if before.is_on and badge.is_losable == before.is_losable and not opens and not widened:
            return None
        return _settle(badge, by, at)


def open_due_badges(*, at: datetime, by: Actor, limit: int = 50) -> int:
    """Begin to give the badges that can be earned from now on to whoever meets their rule already; return how many."""
    opened = 0
    for _ in range(limit):
        with transaction.atomic():
            due = Badge.objects.select_for_update(no_key=True, skip_locked=True).filter(
                opened_at__isnull=True, valid_from__lte=at
            )
            badge = due.order_by("pk").first()
            if badge is None:
                break
            Badge.objects.filter(pk=badge.pk).update(opened_at=at)
            if badge.is_on and badge.rule_id:
                _settle(badge, by, at)
        opened += 1
    return opened


def _settle(badge: Badge, by: Actor, at: datetime) -> Job:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        (last,) = cursor.fetchone()
    params = {"badge": badge.pk}
    return start_job(kind=SETTLE_BADGE, title_params={"name": badge.name}, params=params, total=last, by=by, at=at)


def texts_of(row: Any, fields: tuple[str, ...]) -> list[str]:
    """Return what staff wrote in these fields, in all languages."""
    columns = [f"{field}_{language}" for field in fields for language in ("zh_hans", "zh_hant", "en")]
    return [text for column in columns if (text := getattr(row, column, ""))]


# --- By hand -----------------------------------------------------------------------------------------------------------
def award_by_hand(*, member_id: int, badge_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Give a badge to a member, with why. Raises `BadgeIsOff`, `BadgeHeld`, `ReasonMissing`, `WordsNamePerson`, `NotFound`."""
    words = _reason(reason, member_id)
    with transaction.atomic():
        badge = _badge(badge_id)
        if not badge.is_on:
            raise BadgeIsOff(badge=badge.name)
        if not Member.objects.filter(pk=member_id, merged_into=None).exists():
            raise NotFound
        if any(held.badge.pk == badge.pk for held in held_badges(member_id)):
            raise BadgeHeld(badge=badge.name)
        if not award(badge, {member_id: []}, Award(BadgeAward.Cause.HAND, at, by, words)):
            raise BadgeHeld(badge=badge.name)


def take_back_by_hand(*, member_id: int, badge_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Take a badge from a member, however it came. Raises `BadgeNotHeld`, `ReasonMissing`, `WordsNamePerson`, `NotFound`."""
    words = _reason(reason, member_id)
    with transaction.atomic():
        badge = _badge(badge_id)
        family = dict.fromkeys(family_ids(member_id), ())
        if not take_back(badge, family, Award(BadgeAward.Cause.HAND, at, by, words)):
            raise BadgeNotHeld(badge=badge.name)


def _reason(reason: str, member_id: int) -> str:
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    refuse_personal_words(words, member_ids=[member_id])
    return words


def _badge(badge_id: int) -> Badge:
    badge = Badge.objects.filter(pk=badge_id).first()
    if badge is None:
        raise NotFound
    return badge


# --- The title ---------------------------------------------------------------------------------------------------------
def choose_title(*, member_id: int, badge_code: str | None, at: datetime) -> None:
    """Let a member wear the title of a badge they have, or none. Raises `TitleNotHeld`."""
    badge = None
    if badge_code is not None:
        held = [one.badge for one in held_badges(member_id) if one.badge.code == badge_code]
        badge = next((one for one in held if one.title), None)
        if badge is None:
            raise TitleNotHeld
    MemberTitle.objects.update_or_create(member_id=member_id, defaults={"badge": badge, "chosen_at": at})
