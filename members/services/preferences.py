"""What members prefer: channels, and hours in which they want to be left alone."""

from collections.abc import Sequence
from datetime import datetime, time

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member, MemberPreference
from members.refusals import MembersRefusal
from members.services.profile import ProfileChanged, known_language
from members.timeline import NewEntry, nudge, record


class QuietHoursInvalid(MembersRefusal):
    """Quiet hours have a beginning and another end."""

    code = "quiet_hours_invalid"
    text = _("Quiet hours need a beginning and an end that differ.")
    status = 422


def set_preferences(
    *,
    member_id: int,
    channels: Sequence[str],
    quiet_from: time | None,
    quiet_to: time | None,
    language: str,
    expected_version: int | None = None,
    by: Actor,
    at: datetime,
) -> list[str]:
    """Note what a member prefers; return the names of what is different now. Channels come with the dearest first.

    What a member prefers allows nothing that consent does not. Quiet hours may pass midnight. Raises
    `QuietHoursInvalid`, `ProfileChanged` (when another version than the expected one is there), `NotFound`.
    """
    if (quiet_from is None) != (quiet_to is None) or (quiet_from is not None and quiet_from == quiet_to):
        raise QuietHoursInvalid
    wanted = {"channels": list(dict.fromkeys(channels)), "quiet_from": quiet_from, "quiet_to": quiet_to}
    with transaction.atomic():
        member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
        if member is None:
            raise NotFound
        if expected_version is not None and member.profile_version != expected_version:
            raise ProfileChanged
        preference = MemberPreference.objects.filter(pk=member.pk).first() or MemberPreference(
            member=member, changed_at=at
        )
        changed = [name for name, value in wanted.items() if getattr(preference, name) != value]
        if changed:
            for name, value in wanted.items():
                setattr(preference, name, value)
            preference.changed_at = at
            preference.save()
        if member.language != known_language(language):
            member.language = language
            changed.append("language")
        if changed:
            member.profile_version += 1
            member.save(update_fields=["language", "profile_version"])
            record([NewEntry("members.preferences_changed.v1", member.pk, at, by, {"fields": sorted(changed)})])
            nudge()
    return sorted(changed)
