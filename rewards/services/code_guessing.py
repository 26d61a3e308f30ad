"""Guessing at codes of vouchers, pick-ups, offers and gifts: what is counted, under which keys, and when it locks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext_lazy as _

from members.services.guessing import Bound, GuessKind, refuse_if_locked, register_guessing, wrong_try
from rewards.refusals import RewardsRefusal

VOUCHER: Final = "voucher_code"
PICKUP: Final = "pickup_code"
CLAIM: Final = "claim_code"
GIFT: Final = "gift_token"
COUNTER: Final = "counter_code"
RECIPIENT: Final = "transfer_recipient"

#: At a till people mistype what members show them: more tries, and back at work soon.
_AT_TILL: Final = {"key": Bound(20, lock=timedelta(minutes=5)), "address": Bound(100)}
#: Ten tries in an hour: the lock lasts as long as they are counted, and a right code does not begin them anew.
_BY_MEMBER: Final = {"member": Bound(10, lock=timedelta(hours=1)), "address": Bound(100)}

register_guessing(GuessKind(VOUCHER, _("voucher codes at the till"), _AT_TILL))
register_guessing(GuessKind(PICKUP, _("pick-up codes at the till"), _AT_TILL))
register_guessing(GuessKind(CLAIM, _("codes of voucher offers"), {**_AT_TILL, **_BY_MEMBER}))
register_guessing(GuessKind(GIFT, _("gifts of friends"), _BY_MEMBER))
#: Who asks of one number after the other whether somebody has it is done for the day.
register_guessing(
    GuessKind(
        RECIPIENT,
        _("friends to give points to"),
        {"member": Bound(5, timedelta(days=1), timedelta(days=1)), "address": Bound(50)},
    )
)
register_guessing(GuessKind(COUNTER, _("codes at the counter"), {"operator": Bound(20, lock=timedelta(minutes=5))}))


@contextmanager
def counted(
    *,
    kind: str,
    partitions: Mapping[str, str],
    wrong: type[RewardsRefusal],
    at: datetime,
    member_id: int | None = None,
) -> Iterator[None]:
    """Count a wrong try when the block raises `wrong`. Around the transaction of the effect, so that it stays counted.

    `member_id`: the member who asks; a lock opens a risk review of them. Raises TooManyTries before anything is looked at.
    """
    refuse_if_locked(kind=kind, partitions=partitions, at=at)
    try:
        yield
    except wrong:
        wrong_try(kind=kind, partitions=partitions, at=at, member_id=member_id)
        raise
