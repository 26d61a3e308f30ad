"""What happened with badges and stages, as sentences of the timeline."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from loyalty import identity_events as events
from loyalty.identity_facts import badge_names, stage_names
from loyalty.models import StageTask
from loyalty.unlocks import benefit_names
from members.admin.timeline import Names, register_sentence

Payload = Mapping[str, Any]


def _badges(codes: Iterable[str]) -> Mapping[str, str]:
    return badge_names([code for code in codes if code])


def _stages(codes: Iterable[str]) -> Mapping[str, str]:
    return {"": _("no stage"), **stage_names([code for code in codes if code])}


def _tasks(codes: Iterable[str]) -> Mapping[str, str]:
    return {task.code: task.name for task in StageTask.objects.filter(code__in=[code for code in codes if code])}


def _benefits(codes: Iterable[str]) -> Mapping[str, str]:
    return benefit_names([code for code in codes if code])


def _awarded(payload: Payload, names: Names) -> str:
    words = {"badge": names["badge"]}
    match payload.get("cause"):
        case "hand":
            return _("Was given the badge “%(badge)s” by staff.") % words
        case "task":
            return _("Unlocked the badge “%(badge)s” by the task “%(task)s”.") % {**words, "task": names["task"]}
    return _("Earned the badge “%(badge)s”.") % words


def _taken_back(payload: Payload, names: Names) -> str:
    words = {"badge": names["badge"]}
    if payload.get("cause") == "hand":
        return _("The badge “%(badge)s” was taken back by staff.") % words
    return _("Lost the badge “%(badge)s”: its rule is no longer met.") % words


def _changed(payload: Payload, names: Names) -> str:
    return _("Came from the stage “%(from)s” to “%(to)s”.") % {"from": names["from"], "to": names["to"]}


def _done(payload: Payload, names: Names) -> str:
    words = {"task": names["task"], "stage": names["stage"]}
    said = _("Did the task “%(task)s” of the stage “%(stage)s”.") % words
    if not names["benefit"]:  # it unlocks none, or one that is not given any more
        return said
    return _("%(said)s It unlocks “%(benefit)s”.") % {"said": said, "benefit": names["benefit"]}


register_sentence(events.BADGE_AWARDED, _awarded, icon="workspace_premium", names={"badge": _badges, "task": _tasks})
register_sentence(events.BADGE_TAKEN_BACK, _taken_back, icon="remove_moderator", names={"badge": _badges})
register_sentence(events.STAGE_CHANGED, _changed, icon="eco", names={"from": _stages, "to": _stages})
register_sentence(
    events.STAGE_TASK_DONE, _done, icon="task_alt", names={"task": _tasks, "stage": _stages, "benefit": _benefits}
)
