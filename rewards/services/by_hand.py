"""What all changes of points by hand share: who is concerned, what it is worth, the words of effects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.actors import Actor
from members.effects import Effect, EffectLine
from members.models import Member
from members.proposals import NotAllowed
from rewards import ledger
from rewards.ending import money_per_point, worth
from rewards.explanation import in_active_language
from rewards.queries import balance_of
from rewards.refusals import RewardsRefusal
from rewards.services.orders import MemberClosed

Params = Mapping[str, Any]
NOTE_LENGTH = 200


class NotAWholeNumber(RewardsRefusal):
    """So many points can not be moved."""

    code = "points_not_positive"
    status = 422
    text = gettext_lazy("Say how many points, at least 1.")


def hold_member(member_id: int, *, alone: bool = False) -> None:
    """Refuse if the member has left, and keep that so until the end of the transaction. Frozen members are corrected too.

    `alone`: nobody else holds the member meanwhile, for who counts what they have before giving more.
    """
    strength = "NO KEY UPDATE" if alone else "SHARE"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT member_no, status FROM members_member WHERE id = %s FOR {strength}", [member_id])  # noqa: S608
        member_no, status = cursor.fetchone()
    if status == Member.Status.CLOSED:
        raise MemberClosed(member_no=member_no)


def member_no_of(member_id: int) -> str:
    """Return a member's number."""
    return Member.objects.values_list("member_no", flat=True).get(pk=member_id)


def posted_id(posting: ledger.Posting) -> int:
    """Return the id of what was posted just now; a key that belongs to one proposal is never repeated."""
    if posting.transaction_id is None:
        message = "this was posted before, under a key that is used once"
        raise RuntimeError(message)
    return posting.transaction_id


def operator_id(by: Actor) -> int:
    """Return the id of the member of staff who acts. Raises NotAllowed for everybody else."""
    if by.kind != "operator" or by.id is None:
        raise NotAllowed
    return by.id


def default_currency(currency_id: int | None) -> int:
    """Return the currency meant: the default one when none is named."""
    return currency_id or ledger.currency_id()


def balance_effect(*, member_id: int, currency_id: int, change: int, points: int, at: datetime, lines: tuple[EffectLine, ...] = ()) -> Effect:  # fmt: skip
    """Return the effect on a member's balance; it moves with every purchase, which is no reason to look again."""
    told: list[EffectLine] = [*lines]
    if currency_id == ledger.currency_id():
        available = balance_of(member_id, at).available
        told.append(EffectLine(_("Available points"), available, available + change, is_compared=False))
    return Effect(told, cost_points=points, cost_amount=worth(points, money_per_point(currency_id, at)))


def label_in(params: Params, key: str = "label") -> str:
    """Return a name kept with a proposal in every language, in the active one."""
    return in_active_language(params.get(key) or {})
