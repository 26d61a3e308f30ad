"""The ground floor's own part in a whole member: the copy of the profile, erasing it, and consents at a merge."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from members.lifecycle import Part, PreviewLine, Section, register_part
from members.models import (
    Activity,
    AttributeValue,
    Behaviour,
    Card,
    Closure,
    ConsentEntry,
    ConsentState,
    Identity,
    Member,
    MemberFreeze,
    MemberPerson,
    MemberPreference,
    MemberSession,
    MemberTag,
    PrivacyRequest,
    TimelineEntry,
)
from members.services import consents, erasing, sweeping
from members.services.personal_data import REASONS, VIEWED


def register() -> None:
    """Register what members does when a member is copied out, erased, or merged. Called once, from `AppConfig.ready()`."""
    register_part(
        Part(
            "members.privacy",
            export=export,
            erase_obstacles=erasing.erase_obstacles,
            erase=erasing.erase,
            sweep=sweeping.sweep,
            erases=erasing.ERASES,
        )
    )
    register_part(
        Part(
            "members.consents",
            merge_preview=_consents_preview,
            merge=consents.take_over_refusals,
            unmerge=consents.give_refusals_back,
        )
    )


def export(member_id: int, at: datetime) -> list[Section]:
    """Return everything the ground floor keeps of a member."""
    return [*_who(member_id), *_said(member_id), *_did(member_id), *_others_did(member_id)]


def _who(member_id: int) -> list[Section]:
    member = Member.objects.select_related("channel", "home_store").get(pk=member_id)
    person = MemberPerson.objects.filter(pk=member_id).first() or MemberPerson()
    profile = [
        member.member_no, person.full_name, person.phone, person.email, person.birthday, member.joined_at,
        str(member.channel), str(member.home_store or ""), member.language, str(member.get_status_display()),
    ]  # fmt: skip
    details = [
        [str(value.attribute), value.attribute.purpose, _value_of(value), value.agreed_at, value.changed_at]
        for value in AttributeValue.objects.filter(member=member_id)
        .select_related("attribute")
        .order_by("attribute_id")
    ]
    preferences = MemberPreference.objects.filter(pk=member_id)
    return [
        Section(
            "profile",
            _("Profile"),
            ("member_no", "name", "phone", "email", "birthday", "joined_at", "joined_through", "home_store", "language", "status"),
            [profile],
            (
                _("member number"), _("name"), _("phone"), _("e-mail"), _("birthday"), _("joined at"), _("joined through"),
                _("home store"), _("language"), _("status"),
            ),
        ),
        Section(
            "identities",
            _("Ids in other systems"),
            ("kind", "issued_by", "identity", "linked_at"),
            [
                [str(row.get_kind_display()), row.issuer, row.value, row.linked_at]
                for row in Identity.objects.filter(member=member_id).order_by("pk")
            ],
            (_("kind"), _("issued by"), _("identity"), _("linked at")),
        ),
        Section(
            "cards",
            _("Cards"),
            ("number", "state", "given_out_at", "ended_at"),
            [
                [row.number, str(row.get_state_display()), row.bound_at, row.ended_at]
                for row in Card.objects.filter(member=member_id).order_by("pk")
            ],
            (_("card number"), _("state"), _("given out at"), _("ended at")),
        ),
        Section(
            "details",
            _("Details"),
            ("detail", "kept_for", "value", "agreed_at", "changed_at"),
            details,
            (_("detail"), _("what it is kept for"), _("value"), _("agreed at"), _("changed at")),
        ),
        Section(
            "preferences",
            _("Preferences"),
            ("channels", "quiet_from", "quiet_to", "changed_at"),
            [[list(row.channels), row.quiet_from, row.quiet_to, row.changed_at] for row in preferences],
            (_("channels, the dearest first"), _("quiet from"), _("quiet until"), _("changed at")),
        ),
    ]  # fmt: skip


def _said(member_id: int) -> list[Section]:
    entries = ConsentEntry.objects.filter(member=member_id).select_related("text").order_by("happened_at", "pk")
    wishes = PrivacyRequest.objects.filter(member=member_id).order_by("pk")
    leaving = Closure.objects.filter(member=member_id).select_related("reason").order_by("pk")
    return [
        Section(
            "consents",
            _("Consents"),
            ("purpose", "channel", "decision", "text_version", "text", "how", "by_guardian", "happened_at"),
            [
                [
                    str(row.get_purpose_display()), str(row.get_channel_display() if row.channel else ""),
                    str(row.get_decision_display()), row.text.version if row.text else None, row.text.body if row.text else "",
                    str(row.get_way_display()), row.by_guardian, row.happened_at,
                ]
                for row in entries
            ],
            (
                _("purpose"), _("channel"), _("decision"), _("version"), _("text"), _("how it was said"),
                _("said by a parent or guardian"), _("happened at"),
            ),
        ),
        Section(
            "wishes",
            _("Wishes about personal data"),
            ("number", "kind", "state", "asked_at", "due_at", "ended_at"),
            [
                [row.number, str(row.get_kind_display()), str(row.get_state_display()), row.asked_at, row.due_at, row.ended_at]
                for row in wishes
            ],
            (_("number"), _("what is asked for"), _("state"), _("asked for at"), _("due at"), _("ended at")),
        ),
        Section(
            "leaving",
            _("Leaving"),
            ("reason", "note", "state", "asked_at", "takes_effect_at"),
            [
                [str(row.reason), row.note, str(row.get_state_display()), row.asked_at, row.effective_at]
                for row in leaving
            ],
            (_("reason for leaving"), _("note"), _("state"), _("asked for at"), _("takes effect at")),
        ),
    ]  # fmt: skip


def _did(member_id: int) -> list[Section]:
    behaviours = Behaviour.objects.filter(member_id=member_id).order_by("happened_at", "pk")
    activities = Activity.objects.filter(member=member_id).select_related("store").order_by("happened_at", "pk")
    return [
        Section(
            "activities",
            _("Activities"),
            ("behaviour", "value", "store", "source", "reference", "happened_at"),
            [
                [row.kind, row.value, str(row.store or ""), row.source, row.external_ref, row.happened_at]
                for row in activities
            ],
            (_("behaviour"), _("figure"), _("store"), _("source"), _("reference in the source"), _("happened at")),
        ),
        Section(
            "behaviour",
            _("What was looked at"),
            ("behaviour", "subject", "value", "happened_at", "kept_until"),
            [[row.kind, row.subject, row.value, row.happened_at, row.expires_at] for row in behaviours],
            (_("behaviour"), _("what it was about"), _("figure"), _("happened at"), _("kept until")),
        ),
        Section(
            "sign_ins",
            _("Sign-ins"),
            ("device", "created_at", "expires_at", "revoked_at"),
            [
                [row.device, row.created_at, row.expires_at, row.ended_at]
                for row in MemberSession.objects.filter(member=member_id).order_by("pk")
            ],
            (_("device"), _("created at"), _("expires at"), _("revoked at")),
        ),
    ]  # fmt: skip


def _others_did(member_id: int) -> list[Section]:
    """What the business thinks of a member, what it did to the membership, and when its staff looked at the person."""
    looks = TimelineEntry.objects.filter(member=member_id, kind=VIEWED).order_by("pk")
    return [
        Section(
            "tags",
            _("Tags"),
            ("tag", "since_at", "until_at", "why"),
            [
                [str(row.tag), row.since_at, row.ended_at or row.expires_at, row.reason]
                for row in MemberTag.objects.filter(member=member_id).select_related("tag").order_by("pk")
            ],
            (_("tag"), _("since"), _("until"), _("why")),
        ),
        Section(
            "freezes",
            _("Freezes"),
            ("reason", "from_at", "until_at"),
            [
                [row.reason, row.frozen_at, row.released_at or row.release_at]
                for row in MemberFreeze.objects.filter(member=member_id).order_by("pk")
            ],
            (_("reason"), _("frozen at"), _("until")),
        ),
        Section(
            "looks",
            _("Who looked at personal data"),
            ("by", "reason", "fields", "at"),
            [
                [row.actor_kind, str(REASONS.get(row.payload.get("reason", ""), "")), row.payload.get("fields", []), row.happened_at]
                for row in looks
            ],
            (_("by"), _("reason"), _("fields"), _("at")),
        ),
    ]  # fmt: skip


def _value_of(value: AttributeValue) -> Any:
    kept: Sequence[Any] = (value.text, value.number, value.date, value.flag, value.codes)
    return next((one for one in kept if one is not None), None)


def _consents_preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    refused = {
        member_id: set(ConsentState.objects.filter(member=member_id, is_given=False).values_list("purpose", "channel"))
        for member_id in (kept_id, merged_id)
    }
    figures = [len(refused[kept_id]), len(refused[merged_id]), len(refused[kept_id] | refused[merged_id])]
    if not any(figures):
        return []
    kept, merged, both = (
        ngettext("%(number)s refusal", "%(number)s refusals", number) % {"number": number} for number in figures
    )
    return [PreviewLine(pgettext_lazy("merge", "Consents: the strictest wins"), kept, merged, both)]
