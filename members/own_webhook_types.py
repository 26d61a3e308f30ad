"""What other systems may be told of members: that they came, changed, were merged, left; consents; finished jobs."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from members.identifiers import JOB, MEMBER, STORE
from members.models import Job, Member, Store, TimelineEntry
from members.services.consents import CHANGED
from members.services.merging import MERGED, UNMERGED
from members.webhook_types import (
    flag,
    instant_of,
    moment,
    number,
    ref,
    refs_of,
    register_event_type,
    simply,
    text,
    texts,
)

Entries = Sequence[TimelineEntry]
Built = dict[int, dict[str, Any]]


def _created(entries: Entries) -> Built:
    stores = refs_of(Store, STORE, (entry.payload.get("store") for entry in entries))
    return {entry.pk: {"store_id": stores.get(entry.payload.get("store") or 0)} for entry in entries}


def _updated(entries: Entries) -> Built:
    """Say which fields changed. What is kept beside them for staff (the details, by name) stays here."""
    return {entry.pk: {"fields": entry.payload.get("fields", [])} for entry in entries}


def _merged(entries: Entries) -> Built:
    others = refs_of(Member, MEMBER, (entry.payload["merged"] for entry in entries))
    return {entry.pk: {"merged_ref": others[entry.payload["merged"]]} for entry in entries}


def _unmerged(entries: Entries) -> Built:
    others = refs_of(Member, MEMBER, (entry.payload["other"] for entry in entries))
    return {entry.pk: {"other_ref": others[entry.payload["other"]]} for entry in entries}


def _frozen(entries: Entries) -> Built:
    return {
        entry.pk: {"acts": entry.payload.get("acts", []), "until": instant_of(entry.payload.get("until"))}
        for entry in entries
    }


def _consents(entries: Entries) -> Built:
    return {
        entry.pk: {
            "purpose": entry.payload["purpose"],
            "given": entry.payload["given"],
            "channels": [channel for channel in entry.payload["channels"] if channel],
        }
        for entry in entries
    }


def _jobs(entries: Entries) -> Built:
    jobs = refs_of(Job, JOB, (entry.payload["job"] for entry in entries))
    return {
        entry.pk: {
            "job_id": jobs[entry.payload["job"]],
            "state": _JOB_STATES[entry.kind],
            **{name: entry.payload.get(name, 0) for name in ("total", "done", "ok", "failed")},
        }
        for entry in entries
    }


_JOB_STATES = {
    "members.job_done.v1": "done",
    "members.job_failed.v1": "failed",
    "members.job_stopped.v1": "cancelled",
}


def register() -> None:
    """Register the types of this floor."""
    register_event_type(
        "member.created",
        kinds=["members.enrolled.v1"],
        label=_("a member joined"),
        parts=[ref("store_id", STORE, "Where they joined; null without a store.", or_none=True)],
        build=_created,
    )
    register_event_type(
        "member.updated",
        kinds=["members.profile_changed.v1"],
        label=_("a profile was changed"),
        parts=[texts("fields", "Names of the fields that are different now, never their values.", ["full_name"])],
        build=_updated,
    )
    register_event_type(
        "member.merged",
        kinds=[MERGED],
        label=_("two members were merged"),
        parts=[ref("merged_ref", MEMBER, "The member that is no more; `member_ref` is the one that stays.")],
        build=_merged,
    )
    register_event_type(
        "member.unmerged",
        kinds=[UNMERGED],
        label=_("a merge was taken apart"),
        parts=[ref("other_ref", MEMBER, "The other of the two, who has their own account again.")],
        build=_unmerged,
    )
    register_event_type(
        "member.frozen",
        kinds=["members.frozen.v1"],
        label=_("a member was frozen"),
        parts=[
            texts("acts", "What is forbidden: earn, spend, sign_in.", ["spend"]),
            moment("until", "When the freeze ends by itself.", or_none=True),
        ],
        build=_frozen,
    )
    register_event_type(
        "member.unfrozen", kinds=["members.unfrozen.v1"], label=_("a freeze ended"), build=simply()
    )  # fmt: skip
    register_event_type("member.closed", kinds=["members.closed.v1"], label=_("a member left"), build=simply())
    register_event_type(
        "member.reopened", kinds=["members.reopened.v1"], label=_("a closed membership was opened again"), build=simply()
    )  # fmt: skip
    register_event_type(
        "consent.changed",
        kinds=[CHANGED],
        label=_("a consent was given or taken back"),
        parts=[
            text("purpose", "What it is for.", "marketing"),
            flag("given", "Whether it is a yes."),
            texts("channels", "Ways of contact it is about; empty where the purpose has none.", ["sms"]),
        ],
        build=_consents,
    )
    register_event_type(
        "job.finished",
        kinds=list(_JOB_STATES),
        label=_("a job ended"),
        about_member=False,
        parts=[
            ref("job_id", JOB, "The job; read more of it at `/jobs/{id}`."),
            text("state", "How it ended.", "done", choices=["done", "failed", "cancelled"]),
            number("total", "Rows in all; 0 where that was not known.", 1000),
            number("done", "Rows worked through.", 1000),
            number("ok", "Rows that went well.", 998),
            number("failed", "Rows that were refused.", 2),
        ],
        build=_jobs,
    )
