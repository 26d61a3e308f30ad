"""Stages and their tasks as staff make them, change them and retire them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.identity_codes import code_of
from loyalty.identity_events import STAGE_RETIRED
from loyalty.models import Stage, StageTask
from loyalty.refusals import StageIsRetired, StageNeedsRule, StagePlaceTaken, TaskNeedsRule
from loyalty.services.badges import keep_rule, texts_of
from loyalty.services.identity_keeping import LEAVE_STAGE
from members.actors import Actor
from members.identifiers import NotFound
from members.jobs import start_job
from members.models import Job
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.services.segment_keeping import hold_clock
from members.services.segments import retire_segment
from members.services.status import ReasonMissing
from members.timeline import NewEntry, record


def check_stage(*, stage: Stage, has_rule: bool, position: int | None = None) -> None:
    """Refuse a stage whose place is taken, or a second one in which everybody begins. Raises `StagePlaceTaken`, `StageNeedsRule`."""
    place = stage.position if position is None else position
    for other in Stage.objects.filter(is_on=True).exclude(pk=stage.pk):
        if other.position == place:
            raise StagePlaceTaken(stage=other.name, place=other.position)
        if other.rule_id is None and not has_rule:
            raise StageNeedsRule(stage=other.name)


def save_stage(*, stage: Stage, condition: Mapping[str, Any] | None, by: Actor, at: datetime) -> None:
    """Write a stage, new or changed, with its rule; one without is where everybody begins. Its place stays as it was made.

    Raises `StagePlaceTaken`, `StageNeedsRule`, `StageIsRetired`, `RuleAsksForIdentity`, `ConditionInvalid`,
    `TooManyLiveSegments`, `WordsNamePerson`.
    """
    refuse_personal_words(*texts_of(stage, ("name", "text")))
    with transaction.atomic():
        hold_clock(at=at)  # members are brought to their stages by the same places
        if stage._state.adding:
            stage.code = code_of(Stage, stage)
        else:
            before = Stage.objects.select_for_update(no_key=True).get(pk=stage.pk)
            if not before.is_on:
                raise StageIsRetired(name=before.name)
            stage.position = before.position
            if before.rule_id and not condition:
                raise StageNeedsRule(stage=_first_name(before))
        check_stage(stage=stage, has_rule=bool(condition))
        stage.rule = keep_rule(stage.rule, name=stage.name, condition=condition, by=by, at=at)
        stage.save()


def _first_name(stage: Stage) -> str:
    first = Stage.objects.filter(is_on=True, rule__isnull=True).first()
    return first.name if first else stage.name


def retire_stage(*, stage_id: int, reason: str, by: Actor, at: datetime) -> Job | None:
    """Stop using a stage and its tasks; return the job that brings its members to their stage.

    Raises `StageIsRetired`, `ReasonMissing`, `WordsNamePerson`, `NotFound`.
    """
    words = _reason(reason)
    with transaction.atomic():
        hold_clock(at=at)
        stage = Stage.objects.select_for_update(no_key=True).filter(pk=stage_id).first()
        if stage is None:
            raise NotFound
        if not stage.is_on:
            raise StageIsRetired(name=stage.name)
        for task in StageTask.objects.filter(stage=stage, is_on=True):
            retire_task(task_id=task.pk, reason=words, by=by, at=at)
        Stage.objects.filter(pk=stage.pk).update(is_on=False)
        figures = {"stage": stage.code, "reason": words}
        record([NewEntry(STAGE_RETIRED, None, at, by, figures, f"stage:{stage.pk}")])
        if stage.rule_id is None:
            return None
        retire_segment(segment_id=stage.rule_id, reason=words, by=by, at=at)
        params = {"stage": stage.pk}
        return start_job(kind=LEAVE_STAGE, title_params={"name": stage.name}, params=params, total=0, by=by, at=at)


def save_task(*, task: StageTask, condition: Mapping[str, Any] | None, by: Actor, at: datetime) -> None:
    """Write a task of a stage, new or changed, with the rule that tells when it is done. It stays with its stage.

    Raises `TaskNeedsRule`, `StageIsRetired`, `RuleAsksForIdentity`, `ConditionInvalid`, `TooManyLiveSegments`,
    `WordsNamePerson`.
    """
    refuse_personal_words(*texts_of(task, ("name", "text")))
    if not condition:
        raise TaskNeedsRule
    with transaction.atomic():
        if task._state.adding:
            task.code = code_of(StageTask, task)
        else:
            before = StageTask.objects.select_for_update(no_key=True).get(pk=task.pk)
            if not before.is_on:
                raise StageIsRetired(name=before.name)
            task.stage_id = before.stage_id
        if not Stage.objects.filter(pk=task.stage_id, is_on=True).exists():
            raise StageIsRetired(name=task.stage.name)
        task.rule = keep_rule(task.rule, name=task.name, condition=condition, by=by, at=at)
        task.save()


def retire_task(*, task_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Stop asking for a task; who did it has done it. Raises `StageIsRetired`, `ReasonMissing`, `WordsNamePerson`, `NotFound`."""
    words = _reason(reason)
    with transaction.atomic():
        task = StageTask.objects.select_for_update(no_key=True).filter(pk=task_id).first()
        if task is None:
            raise NotFound
        if not task.is_on:
            raise StageIsRetired(name=task.name)
        StageTask.objects.filter(pk=task.pk).update(is_on=False)
        if task.rule_id:
            retire_segment(segment_id=task.rule_id, reason=words, by=by, at=at)


def _reason(reason: str) -> str:
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    refuse_personal_words(words)
    return words
