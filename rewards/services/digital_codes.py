"""Digital codes: a pool that staff upload, encrypted; each code is given to one redemption, and shown to its member alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from rewards.encryption import decrypted, encrypted
from rewards.models import DigitalCode, Reward
from rewards.refusals import RewardsRefusal
from rewards.services.secret_codes import keyed

WHAT: Final = "digital-code"
MOST_CODES: Final = 20_000
LONGEST_CODE: Final = 200


class NotAPool(RewardsRefusal):
    """The reward gives no digital codes."""

    code = "not_a_pool"
    status = 422
    text = _("This reward gives no digital codes.")


class TooManyCodes(RewardsRefusal):
    """More than are taken at once."""

    code = "too_many_codes"
    status = 422
    text = _("At most %(most)s codes are taken at once. Please divide the file.")


class PoolEndsBefore(RewardsRefusal):
    """The codes would be over before they are uploaded."""

    code = "codes_are_over"
    status = 422
    text = _("These codes could not be used any more: their last moment has come.")


@dataclass(frozen=True, slots=True)
class Codes:
    """What an upload holds: codes that are new, and how many are known already, twice in it, or too long."""

    new: tuple[str, ...]
    known: int = 0
    twice: int = 0
    too_long: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """How many codes of a reward can still be given, were given, and were taken out."""

    free: int = 0
    given: int = 0
    void: int = 0


def code_key(code: str) -> bytes:
    """Return the key under which an uploaded code is known. Codes of others are taken to the letter."""
    return keyed(f"{WHAT}-lookup:{code}".encode())


def read_codes(lines: Sequence[str]) -> Codes:
    """Return what adding these codes would do, and change nothing. Empty ones are passed over. Raises TooManyCodes.

    A line is measured with the blanks around it: who reads a file may have cut it there.
    """
    told = [line for line in lines if line.strip()]
    if len(told) > MOST_CODES:
        raise TooManyCodes(most=MOST_CODES)
    fit = [line.strip() for line in told if len(line) <= LONGEST_CODE]
    once = list(dict.fromkeys(fit))
    keys = {code_key(code): code for code in once}
    known = {
        bytes(key) for key in DigitalCode.objects.filter(code_hmac__in=list(keys)).values_list("code_hmac", flat=True)
    }
    new = tuple(code for key, code in keys.items() if key not in known)
    return Codes(new, len(known), len(fit) - len(once), len(told) - len(fit))


@transaction.atomic
def add_codes(
    *, reward_id: int, codes: Sequence[str], expires_at: datetime | None = None, by: Actor, at: datetime
) -> tuple[int, int]:
    """Add codes to the pool of a reward; return how many are new and how many were not taken. Told again, none is new.

    Raises NotAPool, TooManyCodes, PoolEndsBefore.
    """
    if not Reward.objects.filter(pk=reward_id, kind=Reward.Kind.DIGITAL).exists():
        raise NotAPool
    if expires_at is not None and expires_at <= at:
        raise PoolEndsBefore
    found = read_codes(codes)
    before = DigitalCode.objects.filter(reward=reward_id).count()
    # Ascending by key, so that two uploads of the same file do not wait for each other in a ring.
    DigitalCode.objects.bulk_create(
        [
            DigitalCode(
                reward_id=reward_id, ciphertext=encrypted(WHAT, code), code_hmac=code_key(code), uploaded_at=at,
                expires_at=expires_at, operator_id=by.id if by.kind == "operator" else None,
            )
            for code in sorted(found.new, key=code_key)
        ],
        batch_size=2_000,
        ignore_conflicts=True,
    )  # fmt: skip
    added = DigitalCode.objects.filter(reward=reward_id).count() - before
    return added, len([code for code in codes if code.strip()]) - added


@transaction.atomic
def take_codes_out(*, reward_id: int, by: Actor, at: datetime, limit: int = MOST_CODES) -> int:
    """Take the free codes of a reward out of its pool, for good; return how many. Those that were given stay."""
    free = DigitalCode.objects.filter(reward=reward_id, state=DigitalCode.State.FREE).order_by("pk")
    ids = list(free.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
    return DigitalCode.objects.filter(pk__in=ids).update(state=DigitalCode.State.VOID, voided_at=at)


def codes_left(reward_ids: Collection[int], at: datetime) -> Mapping[int, Pool]:
    """Return the pools of rewards by id: one query. A free code that is over can not be given, and counts as taken out."""
    over = Q(state=DigitalCode.State.FREE, expires_at__lte=at)
    rows = (
        DigitalCode.objects.filter(reward__in=list(reward_ids))
        .values("reward_id")
        .annotate(
            free=Count("pk", filter=Q(state=DigitalCode.State.FREE) & ~over),
            given=Count("pk", filter=Q(state=DigitalCode.State.GIVEN)),
            void=Count("pk", filter=Q(state=DigitalCode.State.VOID) | over),
        )
    )
    return {row["reward_id"]: Pool(row["free"], row["given"], row["void"]) for row in rows}


def give_code(*, reward_id: int, redemption_id: int, at: datetime) -> bool:
    """Give a free code of a reward to a redemption, in the caller's transaction; False where none is left.

    One that nobody else is about to take, else whichever is free once the others are done.
    """
    return _give(reward_id, redemption_id, at, "SKIP LOCKED") or _give(reward_id, redemption_id, at, "")


def _give(reward_id: int, redemption_id: int, at: datetime, how: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE rewards_digitalcode SET state = 'given', redemption_id = %(redemption)s, given_at = %(at)s
            WHERE state = 'free' AND id = (
                SELECT id FROM rewards_digitalcode
                WHERE reward_id = %(reward)s AND state = 'free' AND (expires_at IS NULL OR expires_at > %(at)s)
                ORDER BY id LIMIT 1 FOR NO KEY UPDATE {how})
            """,  # noqa: S608 - constants
            {"reward": reward_id, "redemption": redemption_id, "at": at},
        )
        return bool(cursor.rowcount)


def void_given_code(*, redemption_id: int, at: datetime) -> None:
    """Take the code of a redemption out: its points were given back."""
    given = DigitalCode.objects.filter(redemption=redemption_id, state=DigitalCode.State.GIVEN)
    given.update(state=DigitalCode.State.VOID, voided_at=at)


def code_of(redemption_id: int) -> DigitalCode | None:
    """Return the code that a redemption was given, with its text as `plain`; for the eyes of its member."""
    found = DigitalCode.objects.filter(redemption=redemption_id, state=DigitalCode.State.GIVEN).first()
    if found is not None:
        found.plain = decrypted(WHAT, bytes(found.ciphertext))  # type: ignore[attr-defined]
    return found
