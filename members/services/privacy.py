"""Wishes about personal data: a copy, and erasure after days to think it over, with what it costs told before.

After an erasure the ledger, the orders and the proofs of consent stand under a pseudonym: new random names, nothing that
leads from them to the person. Everything else that said who it was is gone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members import lifecycle
from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.jobs import start_job
from members.models import JobFile, Member, PrivacyRequest
from members.personal_words import Traces, traces_of
from members.queries import family_ids, programme
from members.refusals import MembersRefusal
from members.services.data_copy import COPY_JOB, LINK_LIVES
from members.services.erasing import hold_work
from members.services.jobs import TakenFile, take_file
from members.timeline import NewEntry, nudge, record

Kind = PrivacyRequest.Kind
State = PrivacyRequest.State
_COMPARED_IN: Final = "en"
_MOST_TRIES: Final = 3


class ErasureAsked(MembersRefusal):
    """The erasure is on its way."""

    code = "erasure_asked"
    text = _("The erasure was asked for already. It takes place on %(day)s.")


class ErasureNotWaiting(MembersRefusal):
    """There is no erasure to be taken back, or it took place."""

    code = "erasure_not_waiting"
    text = _("No erasure waits here; one that took place can not be taken back.")


class ErasureNotDue(MembersRefusal):
    """The days to think it over are not up."""

    code = "erasure_not_due"
    text = _("The member may think it over until %(day)s.")


class ErasureHindered(MembersRefusal):
    """Something has to end first."""

    code = "erasure_hindered"
    text = _("This has to end first: %(obstacles)s")


class MergedAway(MembersRefusal):
    """The record belongs to another one."""

    code = "merged_away"
    text = _("This record was merged into %(member_no)s. Please go on there: the wish concerns both.")


class PersonErased(MembersRefusal):
    """There is nobody left to erase or to copy."""

    code = "person_erased"
    text = _("This person was erased already.")


@dataclass(frozen=True, slots=True)
class Checklist:
    """What an erasure would meet now: what has to end first, and what the member gives up."""

    obstacles: Sequence[lifecycle.Obstacle]
    losses: Sequence[lifecycle.PreviewLine]


def request_copy(*, member_id: int, way: str, by: Actor, at: datetime) -> PrivacyRequest:
    """Start the job that puts everything together that is kept of a member; return the wish with its job.

    While one is being made, or can still be fetched by the one who asked for it, that one is returned. Raises
    `MergedAway`, `PersonErased`, `NotFound`.
    """
    with transaction.atomic():
        member = _locked(member_id)
        refuse_erased(member_id)
        live = (
            PrivacyRequest.objects.select_related("job")
            .filter(member=member, kind=Kind.COPY, actor_kind=by.kind, actor_id=by.id)
            .filter(link_until__gt=at, state__in=[State.WAITING, State.DONE])
            .first()
        )
        if live is not None:
            return live
        PrivacyRequest.objects.filter(member=member, kind=Kind.COPY, state=State.WAITING).update(
            state=State.FAILED, ended_at=at
        )
        wish = PrivacyRequest.objects.create(
            kind=Kind.COPY, member=member, way=way, actor_kind=by.kind, actor_id=by.id, asked_at=at, link_until=at + LINK_LIVES,
        )  # fmt: skip
        with override(member.language):
            job = start_job(kind=COPY_JOB, title_params={}, params={"request": wish.pk}, total=1, by=by, at=at)
        wish.job = job
        wish.save(update_fields=["job"])
        record([NewEntry("members.copy_asked.v1", member.pk, at, by, {"request": wish.pk})])
        nudge()
    return wish


def take_copy(*, request_id: int, by: Actor, at: datetime, ip_address: str | None = None) -> TakenFile:
    """Return the archive of a copy, after the member's timeline was told who took it. Raises `JobFileGone`, `NotFound`."""
    with transaction.atomic():
        wish = PrivacyRequest.objects.filter(pk=request_id, kind=Kind.COPY, state=State.DONE, job__isnull=False).first()
        if wish is None or wish.job_id is None:
            raise NotFound
        taken = take_file(job_id=wish.job_id, role=JobFile.Role.RESULT, by=by, at=at, ip_address=ip_address)
        record([NewEntry("members.copy_taken.v1", wish.member_id, at, by, {"request": wish.pk})])
        nudge()
    return taken


def request_erasure(*, member_id: int, way: str, by: Actor, at: datetime) -> PrivacyRequest:
    """Note that a member wants to be erased; return the wish with the moment it falls due.

    From now on nobody contacts the member. What has to end first is told by `checklist`, and keeps the erasure waiting.
    Raises `ErasureAsked`, `PersonErased`, `MergedAway`, `NotFound`.
    """
    days = max(programme().closing_days, 1)
    try:
        with transaction.atomic():
            member = _locked(member_id)
            refuse_erased(member_id)
            known = PrivacyRequest.objects.filter(member=member, kind=Kind.ERASURE, state=State.WAITING).first()
            if known is not None:
                raise ErasureAsked(day=_day(known.due_at))
            wish = PrivacyRequest.objects.create(
                kind=Kind.ERASURE, member=member, way=way, actor_kind=by.kind, actor_id=by.id, asked_at=at,
                due_at=at + timedelta(days=days),
            )  # fmt: skip
            payload = {"request": wish.pk, "on": wish.due_at.isoformat() if wish.due_at else None}
            record([NewEntry("members.erasure_asked.v1", member.pk, at, by, payload)])
            nudge()
    except IntegrityError as error:  # asked beside us
        raise ErasureAsked(day=_day(at + timedelta(days=days))) from error
    return wish


def take_back_erasure(*, member_id: int, by: Actor, at: datetime) -> None:
    """End the wait for an erasure: everything stays as it was. Raises `ErasureNotWaiting`, `NotFound`."""
    with transaction.atomic():
        _locked(member_id)
        taken_back = PrivacyRequest.objects.filter(member=member_id, kind=Kind.ERASURE, state=State.WAITING).update(
            state=State.WITHDRAWN, ended_at=at
        )
        if not taken_back:
            raise ErasureNotWaiting
        record([NewEntry("members.erasure_taken_back.v1", member_id, at, by)])
        nudge()


def checklist(*, member_id: int, at: datetime) -> Checklist:
    """Return what an erasure of this member would meet now, in words of the active language."""
    family = family_ids(member_id)
    return Checklist(
        _obstacles(family, at), [line for part in lifecycle.parts() for one in family for line in part.settle(one, at)]
    )


def due_erasures(*, at: datetime, limit: int) -> list[int]:
    """Return the wishes to be erased whose days to think it over are up, longest due first."""
    due = PrivacyRequest.objects.filter(kind=Kind.ERASURE, state=State.WAITING, due_at__lte=at)
    return list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def erase_person(*, request_id: int, by: Actor = SYSTEM, at: datetime) -> PrivacyRequest:
    """Carry an erasure out, for the member and all records merged into it; return the wish with its counts.

    Nothing is touched while something is in the way. Then files that name the person go first and, once more, last (an
    export may have been written meanwhile); everything else is one transaction. Raises `ErasureNotWaiting`,
    `ErasureNotDue`, `ErasureHindered`, `NotFound`.
    """
    for _try in range(_MOST_TRIES):
        wish = _waiting(request_id, at)
        family = family_ids(wish.member_id)
        _refuse_hindered(family, at)
        traces = traces_of(family, at)
        swept = _sweep(traces)
        with transaction.atomic():
            _lock_all(wish.member_id, family)
            wish = _waiting(request_id, at)
            if family_ids(wish.member_id) != family:
                continue  # merged or taken apart while files were looked through: begin again, for those it is now
            hold_work()
            _refuse_hindered(family, at)
            traces |= traces_of(family, at)  # what was changed while files were looked through
            _erase_all(wish, family, Counter(swept), by, at)
        _sweep_last(traces)
        return wish
    raise ErasureHindered(obstacles=str(_("The records of the member are being merged or taken apart.")))


def _erase_all(wish: PrivacyRequest, family: Sequence[int], counts: Counter[str], by: Actor, at: datetime) -> None:
    """Erase the members, which are locked, and end the wish with what was given up and how many rows of which kind went."""
    with override(_COMPARED_IN):
        settled = [[str(line.label), line.kept] for line in checklist(member_id=wish.member_id, at=at).losses]
    for part in reversed(lifecycle.parts()):  # what hangs on the person is settled before the person goes
        for member_id in sorted(family):
            counts.update(part.erase(member_id, by, at))
    wish.state, wish.ended_at, wish.settled = State.DONE, at, settled
    wish.counts = {kind: number for kind, number in sorted(counts.items()) if number}
    wish.save(update_fields=["state", "ended_at", "counts", "settled"])
    record([NewEntry("members.erased.v1", wish.member_id, at, by, {"request": wish.pk})])
    nudge()


def erasure_waits(member_id: int) -> bool:
    """Return whether a member asked to be erased and can still take that back."""
    return PrivacyRequest.objects.filter(member=member_id, kind=Kind.ERASURE, state=State.WAITING).exists()


def is_erased(member_id: int) -> bool:
    """Return whether the person behind a member was erased."""
    return PrivacyRequest.objects.filter(member=member_id, kind=Kind.ERASURE, state=State.DONE).exists()


def refuse_erased(member_id: int) -> None:
    """Raise `PersonErased` where there is nobody left."""
    if is_erased(member_id):
        raise PersonErased


def _obstacles(family: Sequence[int], at: datetime) -> list[lifecycle.Obstacle]:
    return [obstacle for part in lifecycle.parts() for one in family for obstacle in part.erase_obstacles(one, at)]


def _refuse_hindered(family: Sequence[int], at: datetime) -> None:
    sentences = [str(obstacle.text) for obstacle in _obstacles(family, at)]
    if sentences:
        raise ErasureHindered(obstacles=" ".join(dict.fromkeys(sentences)))


def _sweep(traces: Traces) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for part in lifecycle.parts():
        counts.update(part.sweep(traces))
    return dict(counts)


def _sweep_last(traces: Traces) -> None:
    """Sweep once the person is gone. Nobody knows the words afterwards, so a lock that is held for long is met again."""
    for left in reversed(range(_MOST_TRIES)):
        try:
            _sweep(traces)
            return
        except DatabaseError:
            if not left:
                raise


def _waiting(request_id: int, at: datetime) -> PrivacyRequest:
    wish = PrivacyRequest.objects.filter(pk=request_id, kind=Kind.ERASURE).first()
    if wish is None:
        raise NotFound
    if wish.state != State.WAITING:
        raise ErasureNotWaiting
    if wish.due_at is not None and wish.due_at > at:
        raise ErasureNotDue(day=_day(wish.due_at))
    return wish


def _lock_all(member_id: int, family: Sequence[int]) -> None:
    """Lock those who were merged into a member first, then the member: as whatever is told in their names locks them."""
    members = Member.objects.select_for_update(no_key=True).order_by("pk")
    list(members.filter(pk__in=family).exclude(pk=member_id).values_list("pk"))
    list(members.filter(pk=member_id).values_list("pk"))


def _locked(member_id: int) -> Member:
    member = Member.objects.select_for_update(no_key=True, of=("self",)).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    if member.merged_into_id is not None:
        survivor = Member.objects.get(pk=member.merged_into_id)
        raise MergedAway(member_no=survivor.member_no)
    return member


def _day(moment: Any) -> Any:
    return moment.astimezone(programme().tz).date()
