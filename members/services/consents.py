"""Saying yes and no: the ledger of consents, and what is in force after each entry. Effective with the commit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.consents import ADULT_YEARS, ALLOWED_UNTIL_NO, channels_of
from members.identifiers import NotFound
from members.lifecycle import Merge
from members.models import ConsentEntry, ConsentState, ConsentText, Member, MemberPerson, Purpose
from members.queries import programme
from members.refusals import MembersRefusal
from members.timeline import NewEntry, nudge, record

CHANGED: Final = "members.consent_changed.v1"
Decision = ConsentEntry.Decision
Way = ConsentEntry.Way
_LEAP_DAY: Final = (2, 29)


class PurposeUnknown(MembersRefusal):
    """Nobody is asked for this."""

    code = "purpose_unknown"
    text = _("“%(purpose)s” is no purpose that members are asked about.")
    status = 404


class ConsentChannelUnknown(MembersRefusal):
    """The purpose is not agreed to in this channel."""

    code = "consent_channel_unknown"
    text = _("This purpose is agreed to in these channels: %(known)s.")
    status = 422


class ConsentTextOutdated(MembersRefusal):
    """A yes is a yes to words: those that are in force."""

    code = "consent_text_outdated"
    text = _("The text in force is version %(version)s. Please show that one and ask again.")


class ConsentTextMissing(MembersRefusal):
    """Nobody can agree to words that do not exist."""

    code = "consent_text_missing"
    text = _("There is no text for this purpose yet, so nobody can agree to it.")


class GuardianNeeded(MembersRefusal):
    """A child can not agree by itself."""

    code = "guardian_needed"
    text = _("Members under %(years)s need the agreement of a parent or guardian.")
    status = 422


class TextUnchanged(MembersRefusal):
    """A new version says something new."""

    code = "consent_text_unchanged"
    text = _("These are the words of the version in force.")


@dataclass(frozen=True, slots=True)
class Changed:
    """What a call changed: the channels in which something is different now ("": the purpose as a whole)."""

    channels: tuple[str, ...]

    @property
    def repeated(self) -> bool:
        """Whether everything was so before."""
        return not self.channels


def text_in_force(purpose: str, at: datetime) -> ConsentText | None:
    """Return the words that are put to members at a moment; None where there are none yet."""
    return ConsentText.objects.filter(purpose=purpose, valid_from__lte=at).order_by("-valid_from", "-version").first()


def latest_text(purpose: str) -> ConsentText | None:
    """Return the last version of the words for a purpose; None where there are none."""
    return ConsentText.objects.filter(purpose=purpose).order_by("-version").first()


def same_words(text: ConsentText, body: Mapping[str, str]) -> bool:
    """Return whether a version says just this, in every language."""
    return all(getattr(text, f"body_{suffix}") == words.strip() for suffix, words in body.items())


def give_consent(
    *, member_id: int, purpose: str, channels: Iterable[str] = (), version: int, way: str, by: Actor, at: datetime, by_guardian: bool = False,
) -> Changed:  # fmt: skip
    """Write down a yes to the words in force, in some channels of the purpose (none named: in all of them).

    Raises `PurposeUnknown`, `ConsentChannelUnknown`, `ConsentTextMissing`, `ConsentTextOutdated`, `GuardianNeeded`,
    `NotFound`.
    """
    wanted = checked_channels(purpose, channels)
    with transaction.atomic():
        member_id = _lock(member_id)
        text = text_in_force(purpose, at)
        if text is None:
            raise ConsentTextMissing
        if text.version != version:
            raise ConsentTextOutdated(version=text.version)
        if purpose not in ALLOWED_UNTIL_NO and not by_guardian and is_child(member_id, at):
            raise GuardianNeeded(years=ADULT_YEARS)
        said = _Said(purpose, Decision.GIVEN, text, way, by_guardian, by, at)
        return _write(member_id, wanted, said)


def withdraw_consent(
    *, member_id: int, purpose: str, channels: Iterable[str] = (), way: str, by: Actor, at: datetime
) -> Changed:
    """Write down a no, in some channels of the purpose (none named: in all of them). Needs no text and no reason.

    Raises `PurposeUnknown`, `ConsentChannelUnknown`, `NotFound`.
    """
    wanted = checked_channels(purpose, channels)
    with transaction.atomic():
        member_id = _lock(member_id)
        said = _Said(purpose, Decision.WITHDRAWN, text_in_force(purpose, at), way, False, by, at)
        return _write(member_id, wanted, said)


def stop_contact(*, member_id: int, way: str, by: Actor, at: datetime) -> Changed:
    """The global stop: nobody writes to or calls the member any more, from the commit on. Single consents stay as they are."""
    return withdraw_consent(member_id=member_id, purpose=Purpose.CONTACT, way=way, by=by, at=at)


def resume_contact(*, member_id: int, way: str, by: Actor, at: datetime) -> Changed:
    """Take a global stop back: the single consents hold again. Raises as `give_consent` does."""
    text = text_in_force(Purpose.CONTACT, at)
    if text is None:
        raise ConsentTextMissing
    return give_consent(member_id=member_id, purpose=Purpose.CONTACT, version=text.version, way=way, by=by, at=at)


def publish_text(*, purpose: str, body: Mapping[str, str], by: Actor, at: datetime) -> ConsentText:
    """Put new words in the place of those in force; `body` is the text by suffix of language (zh_hans, zh_hant, en).

    What was agreed to before stays agreed to, under the words that were seen. Raises `PurposeUnknown`, `TextUnchanged`.
    """
    if purpose not in Purpose.values:
        raise PurposeUnknown(purpose=purpose)
    columns = {f"body_{suffix}": words.strip() for suffix, words in body.items()}
    with transaction.atomic():
        # Two who publish at a time are kept apart by the unique number; the second one is told so by the database.
        latest = latest_text(purpose)
        if latest is not None and same_words(latest, body):
            raise TextUnchanged
        number = latest.version + 1 if latest else 1
        text = ConsentText.objects.create(purpose=purpose, version=number, valid_from=at, **columns)
        record(
            [NewEntry("members.consent_text_published.v1", None, at, by, {"purpose": purpose, "version": text.version})]
        )
    return text


def is_child(member_id: int, at: datetime) -> bool:
    """Return whether somebody else has to agree for this member: the birthday is known, and too late."""
    birthday = MemberPerson.objects.filter(pk=member_id).values_list("birthday", flat=True).first()
    if birthday is None:
        return False
    today = at.astimezone(programme().tz).date()
    day = (2, 28) if (birthday.month, birthday.day) == _LEAP_DAY else (birthday.month, birthday.day)
    years = today.year - birthday.year - ((today.month, today.day) < day)
    return years < ADULT_YEARS


@dataclass(frozen=True, slots=True)
class _Said:
    """What is to be written for each channel."""

    purpose: str
    decision: str
    text: ConsentText | None
    way: str
    by_guardian: bool
    by: Actor
    at: datetime


def checked_channels(purpose: str, channels: Iterable[str]) -> tuple[str, ...]:
    """Return the channels meant: those named, or all of the purpose. Raises `PurposeUnknown`, `ConsentChannelUnknown`."""
    if purpose not in Purpose.values:
        raise PurposeUnknown(purpose=purpose)
    known = channels_of(purpose)
    wanted = tuple(dict.fromkeys(str(channel) for channel in channels)) or known
    if not set(wanted) <= set(known):
        raise ConsentChannelUnknown(known=", ".join(channel for channel in known if channel) or "–")
    return wanted


def _lock(member_id: int) -> int:
    """Lock the member, so that two answers of one member come one after the other; return whose answer it is.

    Of a member who was merged it is the survivor's: nobody is written to under the old name.
    """
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    return member.pk if member.merged_into_id is None else _lock(member.merged_into_id)


def _write(member_id: int, channels: Sequence[str], said: _Said) -> Changed:
    """Write an entry for each channel where something is different now, and what is in force after it."""
    given = said.decision == Decision.GIVEN
    known = {state.channel: state for state in ConsentState.objects.filter(member_id=member_id, purpose=said.purpose)}
    last = ConsentEntry.objects.in_bulk([state.entry_id for state in known.values()])
    changed = [
        channel
        for channel in channels
        if channel not in known
        or known[channel].is_given != given
        or (given and known[channel].by_guardian != said.by_guardian)
        or (given and said.text is not None and last[known[channel].entry_id].text_id != said.text.pk)
        # A no that came with a merge goes with it; the member's own no stays.
        or (not given and last[known[channel].entry_id].way == Way.MERGE != said.way)
    ]
    entries = ConsentEntry.objects.bulk_create([
        ConsentEntry(
            member_id=member_id, purpose=said.purpose, channel=channel, decision=said.decision, text=said.text, way=said.way,
            by_guardian=said.by_guardian, actor_kind=said.by.kind, actor_id=said.by.id, happened_at=said.at,
        )
        for channel in changed
    ])  # fmt: skip
    ConsentState.objects.bulk_create(
        [
            ConsentState(
                member_id=member_id, purpose=said.purpose, channel=entry.channel, is_given=given, by_guardian=said.by_guardian,
                since_at=said.at, entry=entry,
            )
            for entry in entries
        ],
        update_conflicts=True,
        unique_fields=["member", "purpose", "channel"],
        update_fields=["is_given", "by_guardian", "since_at", "entry"],
    )  # fmt: skip
    if entries:
        payload = {"purpose": str(said.purpose), "given": given, "channels": [entry.channel for entry in entries]}
        record([NewEntry(CHANGED, member_id, said.at, said.by, payload)])
        nudge()
    return Changed(tuple(changed))


def take_over_refusals(merge: Merge) -> dict[str, Any]:
    """The strictest wins: whatever the merged member said no to, the surviving one says no to. Return what was written.

    For the merge of two members, in its transaction. What the merged member agreed to is not carried over: it was said
    for the address that was given with it.
    """
    refused = ConsentState.objects.filter(member_id=merge.merged_id, is_given=False)
    own = {(state.purpose, state.channel): state for state in ConsentState.objects.filter(member_id=merge.kept_id)}
    taken: list[list[Any]] = []
    for state in refused.order_by("purpose", "channel"):
        before = own.get((state.purpose, state.channel))
        if before is not None and not before.is_given:
            continue
        said = _Said(state.purpose, Decision.WITHDRAWN, None, Way.MERGE, False, merge.by, merge.at)
        _write(merge.kept_id, [state.channel], said)
        taken.append([state.purpose, state.channel, before.entry_id if before else None])
    return {"refusals": taken}


def give_refusals_back(merge: Merge, memo: dict[str, Any]) -> None:
    """Undo `take_over_refusals`, where nothing else was said since: each member's own word holds again."""
    for purpose, channel, entry_id in memo.get("refusals", []):
        state = ConsentState.objects.select_related("entry").get(
            member_id=merge.kept_id, purpose=purpose, channel=channel
        )
        if state.entry.way != Way.MERGE:
            continue
        before = ConsentEntry.objects.select_related("text").filter(pk=entry_id).first()
        if before is not None:
            said = _Said(purpose, Decision.GIVEN, before.text, Way.MERGE, before.by_guardian, merge.by, merge.at)
            _write(merge.kept_id, [channel], said)
            continue
        state.delete()
        ConsentEntry.objects.create(
            member_id=merge.kept_id, purpose=purpose, channel=channel, decision=Decision.CLEARED, way=Way.MERGE,
            actor_kind=merge.by.kind, actor_id=merge.by.id, happened_at=merge.at,
        )  # fmt: skip
