"""Cards: printed in batches, given out, lost, replaced."""

from datetime import datetime
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Max
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Card, CardBatch, Member
from members.models.cards import MOST_CARDS, RUNNING_DIGITS
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.refusals import MembersRefusal
from members.services.enrolment import broken_constraint
from members.services.status import words_of_reason
from members.services.tokens import MemberIsClosed
from members.timeline import NewEntry, nudge, record

_ONE_IN_USE: Final = "member_has_one_card_in_use"
_NUMBER_IS_TAKEN = "members_card_number"


class CardPrefixInvalid(MembersRefusal):
    """The digits can not begin card numbers."""

    code = "card_prefix_invalid"
    text = _("The numbers of a batch begin with four to eight digits, and not with 0.")
    status = 422


class CardBatchSize(MembersRefusal):
    """Too few or too many cards, or no numbers are left under these digits."""

    code = "card_batch_size"
    text = _("A batch has 1 to %(most)s cards, and %(left)s numbers are left that begin so.")
    status = 422


class CardNumbersTaken(MembersRefusal):
    """A shorter or longer prefix has made the same numbers before."""

    code = "card_numbers_taken"
    text = _("Cards with these numbers exist already. Choose other first digits.")


class CardUnknown(NotFound):
    """There is no such card, or it is not one of this member."""

    text = _("There is no such card.")


class CardNotInStock(MembersRefusal):
    """The card was given out before."""

    code = "card_not_in_stock"
    text = _("This card was given out before.")


class CardNotInUse(MembersRefusal):
    """The card has ended."""

    code = "card_not_in_use"
    text = _("This card is not in use any more.")


class HasCard(MembersRefusal):
    """The member has a card in use."""

    code = "has_card"
    text = _("The member has a card in use. Report it lost or replace it first.")


def make_batch(
    *, name: str, prefix: str, quantity: int, store_id: int | None = None, by: Actor, at: datetime
) -> CardBatch:
    """Make so many cards with new numbers, which go on where the last batch with these first digits ended.

    Raises `CardPrefixInvalid`, `CardBatchSize`, `CardNumbersTaken`.
    """
    if not (prefix.isascii() and prefix.isdigit() and 4 <= len(prefix) <= 8 and prefix[0] != "0"):
        raise CardPrefixInvalid
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('members_cardbatch'))")
            used = CardBatch.objects.filter(prefix=prefix).aggregate(end=Max(F("first_running") + F("quantity")))["end"]
            first = used or 0
            left = 10**RUNNING_DIGITS - first
            if not 1 <= quantity <= min(MOST_CARDS, left):
                raise CardBatchSize(most=MOST_CARDS, left=left)
            batch = CardBatch.objects.create(
                name=clean_name(name), prefix=prefix, first_running=first, quantity=quantity, store_id=store_id, made_at=at
            )  # fmt: skip
            cursor.execute(
                """
                INSERT INTO members_card (batch_id, number)
                SELECT %s, members_format_member_no((%s || lpad(n::text, %s, '0'))::bigint)
                FROM generate_series(%s, %s) AS n
                """,
                [batch.pk, prefix, RUNNING_DIGITS, first, first + quantity - 1],
            )
            payload = {"batch": batch.pk, "quantity": quantity, "store": store_id}
            record([NewEntry("members.card_batch_made.v1", None, at, by, payload, f"card_batch:{batch.pk}")])
            nudge()
    except IntegrityError as error:
        if broken_constraint(error).startswith(_NUMBER_IS_TAKEN):
            raise CardNumbersTaken from error
        raise
    return batch


def bind_card(*, member_id: int, number: str, by: Actor, at: datetime) -> Card:
    """Give a card in stock to a member. The same card again is no fault.

    Raises `OwnAccount`, `CardUnknown`, `CardNotInStock`, `HasCard`, `MemberIsClosed`, `NotFound`.
    """
    with transaction.atomic():
        member = _locked(member_id)
        refuse_own_account(by, [member.pk])
        card = _card(number)
        if card.state == Card.State.IN_USE and card.member_id == member.pk:
            return card
        _give(card, member, at)
        record([NewEntry("members.card_bound.v1", member.pk, at, by, {"card": card.pk})])
        nudge()
    return card


def report_lost(*, member_id: int, number: str, reason: str, by: Actor, at: datetime) -> Card:
    """End a card that was lost or stolen; it opens nothing from now on.

    Raises `CardUnknown`, `CardNotInUse`, `ReasonMissing`, `NotFound`.
    """
    return _end(member_id, number, Card.State.LOST, "members.card_lost.v1", reason, by, at)


def take_card_back(*, member_id: int, number: str, reason: str, by: Actor, at: datetime) -> Card:
    """End a card that the member gave back. Raises `CardUnknown`, `CardNotInUse`, `ReasonMissing`, `NotFound`."""
    return _end(member_id, number, Card.State.RETURNED, "members.card_returned.v1", reason, by, at)


def replace_card(*, member_id: int, old_number: str, new_number: str, reason: str, by: Actor, at: datetime) -> Card:
    """Give a member a card in stock for one that is in use or was lost; return the new one.

    Raises `OwnAccount`, `CardUnknown`, `CardNotInStock`, `CardNotInUse`, `HasCard`, `MemberIsClosed`, `ReasonMissing`,
    `NotFound`.
    """
    words = words_of_reason(reason)
    with transaction.atomic():
        member = _locked(member_id)
        refuse_own_account(by, [member.pk])
        # In the order of their numbers, so that two who swap cards do not wait for each other.
        both = {number: _card(number) for number in sorted({old_number.strip(), new_number.strip()})}
        old, new = both[old_number.strip()], both[new_number.strip()]
        if old.member_id != member.pk:
            raise CardUnknown
        if old.state not in (Card.State.IN_USE, Card.State.LOST) or old.replaced_by_id is not None:
            raise CardNotInUse
        if old.state == Card.State.IN_USE:
            old.state, old.ended_at = Card.State.REPLACED, at
            old.save(update_fields=["state", "ended_at"])
        _give(new, member, at)
        old.replaced_by = new
        old.save(update_fields=["replaced_by"])
        payload = {"card": old.pk, "new_card": new.pk, "reason": words}
        record([NewEntry("members.card_replaced.v1", member.pk, at, by, payload)])
        nudge()
    return new


def _end(member_id: int, number: str, state: Card.State, kind: str, reason: str, by: Actor, at: datetime) -> Card:
    words = words_of_reason(reason)
    with transaction.atomic():
        member = _locked(member_id, closed_too=True)
        card = _card(number)
        if card.member_id != member.pk:
            raise CardUnknown
        if card.state != Card.State.IN_USE:
            raise CardNotInUse
        card.state, card.ended_at = state, at
        card.save(update_fields=["state", "ended_at"])
        record([NewEntry(kind, member.pk, at, by, {"card": card.pk, "reason": words})])
        nudge()
    return card


def _give(card: Card, member: Member, at: datetime) -> None:
    if card.state != Card.State.IN_STOCK:
        raise CardNotInStock
    card.state, card.member, card.bound_at = Card.State.IN_USE, member, at
    try:
        with transaction.atomic():
            card.save(update_fields=["state", "member", "bound_at"])
    except IntegrityError as error:
        if broken_constraint(error) == _ONE_IN_USE:
            raise HasCard from error
        raise


def _locked(member_id: int, *, closed_too: bool = False) -> Member:
    """Return the member, locked before any card."""
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    if member.status == Member.Status.CLOSED and not closed_too:
        raise MemberIsClosed
    return member


def _card(number: str) -> Card:
    card = Card.objects.select_for_update(no_key=True).filter(number=number.strip()).first()
    if card is None:
        raise CardUnknown
    return card
