"""Cards: a number that checks itself, one member at a time, and never twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import connection

from members.actors import Actor
from members.models import Card, CardBatch, Member, OwnMembership, TimelineEntry
from members.own_accounts import OwnAccount
from members.refusals import MembersRefusal
from members.services import cards
from members.services.status import ReasonMissing
from members.services.tokens import MemberIsClosed
from tests.factories.api import make_channel, make_member
from tests.factories.portal import an_operator

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
STAFF = Actor("operator", 7)


def a_batch(quantity: int = 5, prefix: str = "6688") -> list[str]:
    """Make a batch; return the numbers of its cards in order."""
    batch = cards.make_batch(name="Spring", prefix=prefix, quantity=quantity, by=STAFF, at=AT)
    return list(Card.objects.filter(batch=batch).order_by("number").values_list("number", flat=True))


def luhn_is_right(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def bind(member: Member, number: str) -> Card:
    return cards.bind_card(member_id=member.pk, number=number, by=STAFF, at=AT)


@pytest.fixture
def member(db: None) -> Member:
    make_channel()
    return make_member()


@pytest.mark.django_db
class TestABatch:
    def test_has_numbers_that_check_themselves_and_go_on_where_the_last_one_ended(self) -> None:
        first, second = a_batch(12), a_batch(3)
        assert len(set(first + second)) == 15
        assert all(
            len(number) == 13 and number.startswith("6688") and luhn_is_right(number) for number in first + second
        )
        assert [int(number[4:12]) for number in first + second] == list(range(15))
        assert TimelineEntry.objects.filter(kind="members.card_batch_made.v1").count() == 2

    @pytest.mark.parametrize(
        ("prefix", "quantity", "refusal"),
        [
            ("668", 1, cards.CardPrefixInvalid), ("0688", 1, cards.CardPrefixInvalid), ("66a8", 1, cards.CardPrefixInvalid),
            ("668866889", 1, cards.CardPrefixInvalid), ("６６８８", 1, cards.CardPrefixInvalid),
            ("6688", 0, cards.CardBatchSize), ("6688", 100_001, cards.CardBatchSize),
        ],
    )  # fmt: skip
    def test_is_refused_and_nothing_made(self, prefix: str, quantity: int, refusal: type[MembersRefusal]) -> None:
        with pytest.raises(refusal):
            a_batch(quantity, prefix)
        assert not CardBatch.objects.exists()
        assert not Card.objects.exists()

    def test_of_ten_thousand_is_made_in_a_few_statements(self) -> None:
        assert len(a_batch(10_000)) == 10_000


class TestACard:
    def test_is_given_to_one_member_once(self, member: Member) -> None:
        number, other_number, *_rest = a_batch()
        card = bind(member, f" {number} ")
        assert (card.state, card.member, card.bound_at) == (Card.State.IN_USE, member, AT)
        assert bind(member, number) == card
        with pytest.raises(cards.HasCard):
            bind(member, other_number)
        with pytest.raises(cards.CardNotInStock):
            bind(make_member(), number)
        assert Card.objects.get(number=other_number).state == Card.State.IN_STOCK
        assert TimelineEntry.objects.filter(kind="members.card_bound.v1").count() == 1

    def test_that_was_lost_opens_nothing_and_has_a_successor(self, member: Member) -> None:
        old, new, third, *_rest = a_batch()
        bind(member, old)
        with pytest.raises(ReasonMissing):
            cards.report_lost(member_id=member.pk, number=old, reason="", by=STAFF, at=AT)
        cards.report_lost(member_id=member.pk, number=old, reason="stolen", by=STAFF, at=AT)
        with pytest.raises(cards.CardNotInUse):
            cards.report_lost(member_id=member.pk, number=old, reason="again", by=STAFF, at=AT)
        given = cards.replace_card(
            member_id=member.pk, old_number=old, new_number=new, reason="stolen", by=STAFF, at=AT
        )
        lost = Card.objects.get(number=old)
        assert (lost.state, lost.replaced_by) == (Card.State.LOST, given)
        with pytest.raises(cards.CardNotInUse):
            cards.replace_card(member_id=member.pk, old_number=old, new_number=third, reason="x", by=STAFF, at=AT)
        with pytest.raises(cards.CardNotInStock):
            bind(make_member(), old)

    def test_is_replaced_in_one_step_or_not_at_all(self, member: Member) -> None:
        old, new, theirs, *_rest = a_batch()
        bind(member, old)
        bind(make_member(), theirs)
        with pytest.raises(cards.CardNotInStock):
            cards.replace_card(member_id=member.pk, old_number=old, new_number=theirs, reason="x", by=STAFF, at=AT)
        assert Card.objects.get(number=old).state == Card.State.IN_USE
        with pytest.raises(cards.CardUnknown):
            cards.replace_card(member_id=member.pk, old_number=theirs, new_number=new, reason="x", by=STAFF, at=AT)
        cards.replace_card(member_id=member.pk, old_number=old, new_number=new, reason="worn out", by=STAFF, at=AT)
        assert Card.objects.get(number=old).state == Card.State.REPLACED
        assert Card.objects.get(number=new).member == member

    def test_is_given_back(self, member: Member) -> None:
        number, other, *_rest = a_batch()
        bind(member, number)
        cards.take_card_back(member_id=member.pk, number=number, reason="moved", by=STAFF, at=AT)
        assert bind(member, other).state == Card.State.IN_USE

    def test_is_not_given_to_who_has_left(self, member: Member) -> None:
        number, *_rest = a_batch()
        Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)
        with pytest.raises(MemberIsClosed):
            bind(member, number)
        with pytest.raises(cards.CardUnknown):
            bind(make_member(), "6688000000099")
        assert Card.objects.get(number=number).state == Card.State.IN_STOCK

    def test_is_given_to_staff_by_a_colleague_only(self, member: Member) -> None:
        first, second = a_batch(2)
        operator = an_operator()
        OwnMembership.objects.create(operator=operator, member=member)
        oneself = Actor("operator", operator.pk)
        with pytest.raises(OwnAccount):
            cards.bind_card(member_id=member.pk, number=first, by=oneself, at=AT)
        bind(member, first)
        with pytest.raises(OwnAccount):
            cards.replace_card(
                member_id=member.pk, old_number=first, new_number=second, reason="worn", by=oneself, at=AT
            )
        assert [card.state for card in Card.objects.order_by("number")] == ["in_use", "in_stock"]


class TestAtOnce:
    def test_one_of_eight_members_gets_the_card(self, committed_db: str) -> None:
        number, *_rest = a_batch()
        members = [make_member() for _number in range(8)]
        answers = _at_once([lambda member=member: bind(member, number) for member in members])  # type: ignore[misc]
        assert sorted(type(answer).__name__ for answer in answers) == ["Card"] + ["CardNotInStock"] * 7
        assert Card.objects.filter(state=Card.State.IN_USE).count() == 1

    def test_a_member_gets_one_of_eight_cards(self, committed_db: str) -> None:
        numbers = a_batch(8)
        member = make_member()
        answers = _at_once([lambda number=number: bind(member, number) for number in numbers])  # type: ignore[misc]
        assert sorted(type(answer).__name__ for answer in answers) == ["Card"] + ["HasCard"] * 7

    def test_batches_share_no_number(self, committed_db: str) -> None:
        answers = _at_once([
            lambda: cards.make_batch(name="x", prefix="6688", quantity=50, by=STAFF, at=AT) for _number in range(6)
        ])  # fmt: skip
        assert {type(answer).__name__ for answer in answers} == {"CardBatch"}
        assert Card.objects.count() == 300


def _at_once(acts: list[Callable[[], Card | CardBatch]]) -> list[Card | CardBatch | MembersRefusal]:
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Card | CardBatch]) -> Card | CardBatch | MembersRefusal:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return act()
        except MembersRefusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(run, act) for act in acts]]
