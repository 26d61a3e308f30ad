"""Members of one household pay for one another: only for a reward, only who agreed, and only where the policy says so."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from members.actors import SYSTEM
from members.admin.timeline import tell
from members.models import HouseholdMember, Member, MemberPerson, TimelineEntry
from members.services.households import leave_household, payers_for
from members.services.merging import merge_members
from members.services.privacy import request_erasure
from members.services.profile import ProfileChange, change_profile
from members.services.status import freeze_member
from rewards import ledger
from rewards.admin.currencies import policy_sentence
from rewards.explanation import explain
from rewards.ledger import InsufficientPoints
from rewards.models import Hold, LedgerEntry, LedgerTransaction, Lot, PointsAccount, PointsCurrency
from rewards.services.holds import hold_points
from rewards.services.household_points import HouseholdLacksPoints, household_would_add
from rewards.services.redemptions import OutOfStock, RequestConflict
from tests.factories.api import sign_in
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_member
from tests.factories.portal import signed_in
from tests.harness.dumps import dump
from tests.rewards.household_given import (
    BEFORE,
    DAY,
    a_household,
    agrees,
    all_points,
    findings,
    has,
    join,
    pays,
    redeem,
)
from tests.rewards.test_adjustments import in_arrears

pytestmark = pytest.mark.django_db
TRANSFER = LedgerTransaction.Kind.TRANSFER


def would_add(member: Member) -> int:
    return household_would_add(member_id=member.pk, currency_id=ledger.currency_id(), at=NOON)


def is_refused(member: Member, price: int = 30) -> InsufficientPoints:
    """Show that the redemption is refused for want of points and leaves everything as it was; return the refusal."""
    reward = a_reward(price, stock=5)
    before, told = dump(), TimelineEntry.objects.count()
    with pytest.raises(InsufficientPoints) as refused:
        redeem(member, reward)
    assert (dump(), TimelineEntry.objects.count()) == (before, told)
    return refused.value


class TestAHouseholdThatPays:
    def test_adds_what_is_missing_and_no_more(self) -> None:
        pays()
        child, mother = a_household(20, 100)
        receipt = redeem(child, a_reward(50))
        assert receipt.available == 0
        assert has(child, mother) == [0, 70]
        (moved,) = LedgerTransaction.objects.filter(kind=TRANSFER)
        assert (moved.member_id, moved.source, moved.happened_at) == (mother.pk, "household", NOON)
        assert findings() == []

    def test_is_left_alone_by_who_has_enough(self) -> None:
        pays()
        father, mother = a_household(50, 100)
        redeem(father, a_reward(50))
        assert has(father, mother) == [0, 100]
        assert not LedgerTransaction.objects.filter(kind=TRANSFER).exists()

    def test_gives_lots_that_keep_their_expiry(self) -> None:
        pays()
        father, mother = a_household(0, 100)
        redeem(father, a_reward(30))
        lot = Lot.objects.get(member=father)
        assert (lot.origin, lot.amount, lot.remaining, lot.expires_at) == (Lot.Origin.TRANSFER, 30, 0, NOON + 90 * DAY)
        assert lot.origin_lot == Lot.objects.get(member=mother)

    def test_gives_first_what_ends_first_wherever_it_lies(self) -> None:
        pays()
        one, other, third = a_household(0, 0, 0)
        asking = a_member()
        join(one, asking)
        for member, points, days in (
            (one, 10, 40), (one, 10, 5), (other, 10, 20), (other, 10, 60), (third, 10, None),
        ):  # fmt: skip
            end = None if days is None else NOON + days * DAY
            give_points(member, points, moment=BEFORE - timedelta(minutes=days or 0), expires_at=end)
        redeem(asking, a_reward(25))  # 5 days (one), 20 days (other), half of 40 days (one)
        assert has(one, other, third) == [5, 10, 10]
        redeem(asking, a_reward(22), "next")  # the rest of 40 days, 60 days, and seven that never end
        assert has(one, other, third) == [0, 0, 3]
        assert findings() == []

    def test_gives_first_what_inactivity_ends_first(self) -> None:
        pays()
        asking, one, other = a_household(0, 30, 30)
        PointsAccount.objects.filter(member=other).update(deadline_at=NOON + DAY)
        redeem(asking, a_reward(20))
        assert has(one, other) == [30, 10]

    def test_is_not_asked_for_points_past_their_end(self) -> None:
        pays()
        asking, one, other = a_household(0, 0, 0)
        give_points(one, 30, moment=BEFORE, expires_at=NOON)
        give_points(other, 30, moment=BEFORE)
        PointsAccount.objects.filter(member=other).update(deadline_at=NOON)
        assert would_add(asking) == 0
        assert is_refused(asking).params["available"] == 0

    def test_leaves_alone_what_is_set_aside(self) -> None:
        pays()
        asking, mother = a_household(0, 50)
        hold_points(member_id=mother.pk, points=30, source="till", external_ref="1", by=TILL, at=NOON)
        assert would_add(asking) == 20
        is_refused(asking)
        redeem(asking, a_reward(20), "less")
        assert (has(mother), Hold.objects.get().points) == ([0], 30)
        assert findings() == []

    def test_counts_what_comes_back_from_a_hold_past_its_end(self) -> None:
        pays()
        asking, mother = a_household(20, 50)
        hold_points(member_id=asking.pk, points=15, source="till", external_ref="1", by=TILL, at=BEFORE)
        redeem(asking, a_reward(60))
        assert has(asking, mother) == [0, 10]
        assert findings() == []

    def test_pays_into_an_account_whose_own_points_inactivity_ended(self) -> None:
        pays()
        asking, mother = a_household(20, 50)
        PointsAccount.objects.filter(member=asking).update(deadline_at=NOON)
        redeem(asking, a_reward(50))
        assert has(asking, mother) == [0, 0]
        assert findings() == []


class TestItsRefusal:
    def test_of_too_few_together_takes_nothing_and_says_what_there_is(self) -> None:
        pays()
        asking, _mother = a_household(10, 15)
        refusal = is_refused(asking)
        assert isinstance(refusal, HouseholdLacksPoints)
        assert refusal.code == "insufficient_points"
        with override("en"):
            assert refusal.sentence() == "30 points are needed, 10 are available; the household would add 15."

    def test_of_something_else_leaves_the_givers_points(self) -> None:
        pays()
        asking, _mother = a_household(10, 100)
        reward = a_reward(30, stock=0)
        before = dump()
        with pytest.raises(OutOfStock):
            redeem(asking, reward)
        assert dump() == before

    def test_while_the_policy_is_off(self) -> None:
        asking, _mother = a_household(10, 100)
        assert type(is_refused(asking)) is InsufficientPoints

    def test_of_points_for_anything_but_a_reward(self) -> None:
        pays()
        asking, mother = a_household(10, 100)
        with pytest.raises(InsufficientPoints):
            hold_points(member_id=asking.pk, points=30, source="till", external_ref="1", by=TILL, at=NOON)
        assert has(asking, mother) == [10, 100]

    def test_for_a_member_in_arrears(self) -> None:
        pays()
        asking, _mother = a_household(0, 100)
        in_arrears(asking, 40)
        assert would_add(asking) == 0
        is_refused(asking)

    def test_of_a_giver_in_arrears(self) -> None:
        pays()
        asking, mother = a_household(0, 100)
        PointsAccount.objects.filter(member=mother).update(debt=5)
        assert would_add(asking) == 0
        is_refused(asking)

    def test_for_a_member_with_a_new_phone_number(self) -> None:
        pays()
        asking, _mother = a_household(0, 100)
        MemberPerson.objects.create(member=asking)
        change_profile(member_id=asking.pk, change=ProfileChange(phone="13900139000"), by=SYSTEM, at=NOON)
        assert would_add(asking) == 0
        is_refused(asking)
        assert redeem(asking, a_reward(30), at=NOON + 2 * DAY).available == 0


def _freeze(member: Member) -> None:
    freeze_member(
        member_id=member.pk, reason="checked", acts=[Member.Act.SPEND], release_at=NOON + DAY, by=SYSTEM, at=BEFORE
    )


def _leave(member: Member) -> None:
    leave_household(member_id=member.pk, reason="moved", by=SYSTEM, at=BEFORE)


def _merge(member: Member) -> None:
    survivor = a_member()
    for one in (member, survivor):
        MemberPerson.objects.create(member=one)
    merge_members(kept_id=survivor.pk, merged_id=member.pk, reason="one person", by=SYSTEM, at=BEFORE)


def _erasure(member: Member) -> None:
    request_erasure(member_id=member.pk, way="staff", by=SYSTEM, at=BEFORE)


def _born_late(member: Member) -> None:
    MemberPerson.objects.create(member=member, birthday=date(NOON.year - 13, 1, 1))


def _closed(member: Member) -> None:
    Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)


class TestNothingIsTakenFrom:
    @pytest.mark.parametrize(
        "happens",
        [
            pytest.param(lambda member: agrees(member, says_yes=False), id="who took it back"),
            pytest.param(_freeze, id="who is frozen for spending"),
            pytest.param(_closed, id="who has left the programme"),
            pytest.param(_leave, id="who has left the household"),
            pytest.param(_merge, id="who was merged into another"),
            pytest.param(_erasure, id="who waits to be erased"),
            pytest.param(_born_late, id="who turned out to be a child"),
        ],
    )
    def test_a_member(self, happens: Callable[[Member], None]) -> None:
        pays()
        asking, mother, _father = a_household(10, 100, 0)
        assert would_add(asking) == 100
        happens(mother)
        assert would_add(asking) == 0
        is_refused(asking)

    def test_who_never_agreed(self) -> None:
        pays()
        asking, _mother = a_household(10, 100, agree=False)
        assert type(is_refused(asking)) is InsufficientPoints

    def test_another_household(self) -> None:
        pays()
        asking, _poor = a_household(10, 0)
        a_household(100, 100)
        is_refused(asking)

    def test_who_is_frozen_for_earning_only_pays(self) -> None:
        pays()
        asking, mother = a_household(0, 100)
        freeze_member(
            member_id=mother.pk, reason="checked", acts=[Member.Act.EARN], release_at=NOON + DAY, by=SYSTEM, at=BEFORE
        )
        redeem(asking, a_reward(30))
        assert has(mother) == [70]

    def test_a_child_by_its_role_in_the_database_either(self) -> None:
        mother, child = a_member(), a_member()
        join(mother, child, HouseholdMember.Role.CHILD)
        with pytest.raises(IntegrityError, match="points_are_shared_by_grown_ups"), transaction.atomic():
            HouseholdMember.objects.filter(member=child).update(points_shared_at=NOON)
        assert not payers_for(mother.pk, NOON).exists()


class TestARepeat:
    def test_gets_the_first_answer_and_moves_nothing(self) -> None:
        pays()
        asking, _mother = a_household(10, 100)
        reward = a_reward(30)
        first = redeem(asking, reward)
        before = dump()
        again = redeem(asking, reward)
        assert (again.redemption, again.already_recorded, dump()) == (first.redemption, True, before)

    def test_gets_it_when_nobody_would_pay_now(self) -> None:
        pays()
        asking, mother = a_household(10, 100)
        reward = a_reward(30)
        first = redeem(asking, reward)
        pays(False)
        agrees(mother, says_yes=False)
        assert redeem(asking, reward).redemption == first.redemption

    def test_by_the_giver_is_refused(self) -> None:
        pays()
        asking, mother = a_household(10, 100)
        reward = a_reward(30)
        redeem(asking, reward)
        with pytest.raises(RequestConflict):
            redeem(mother, reward)

    def test_may_have_a_key_as_long_as_keys_are(self) -> None:
        pays()
        asking, mother = a_household(10, 100)
        redeem(asking, a_reward(30), "w" * 80)
        assert has(asking, mother) == [0, 80]


class TestWhatIsTold:
    def test_both_sides_find_why(self) -> None:
        pays()
        asking, mother = a_household(10, 100)
        redeem(asking, a_reward(30, name_zh_hans="五元券", name_en="Five off"))
        with override("en"):
            whys = {
                (entry.member_id, entry.d_available): explain(entry.transaction.trace).notes
                for entry in LedgerEntry.objects.filter(happened_at=NOON)
            }
            moved = ["20 points of one member of the household, for what another lacked for Five off."]
            assert whys == {
                (mother.pk, -20): moved,
                (asking.pk, 20): moved,
                (asking.pk, -30): [
                    "Redeemed for Five off.", "What was missing came from others of the household: 20 points.",
                ],
            }  # fmt: skip

    def test_the_timelines_say_who_gave(self) -> None:
        pays()
        asking, mother = a_household(10, 100)
        receipt = redeem(asking, a_reward(30, name_en="Five off"))
        told = list(TimelineEntry.objects.filter(subject=f"redemption:{receipt.redemption.pk}").order_by("kind"))
        assert [entry.member_id for entry in told] == [mother.pk, asking.pk]
        with override("en"):
            assert [entry.sentence for entry in tell(told)] == [
                f"Paid 20 points for member {asking.member_no} of the household, for Five off.",
                "Redeemed 30 points for Five off, 20 points of them from others of the household.",
            ]

    def test_the_policy_says_so(self) -> None:
        sentence = "What a member lacks for a reward comes from those in the household who agreed to it."
        with override("en"):
            assert sentence not in policy_sentence(PointsCurrency.objects.get(code="points"))
            pays()
            assert policy_sentence(PointsCurrency.objects.get(code="points")).endswith(sentence)

    def test_the_member_reads_what_the_household_would_add(self) -> None:
        asking, _mother = a_household(10, 100)
        PointsAccount.objects.update(deadline_at=None)
        me = sign_in(asking)
        assert "household_available" not in me.get("/me/points").json()
        pays()
        at_hand = household_would_add(member_id=asking.pk, currency_id=ledger.currency_id(), at=timezone.now())
        body = me.get("/me/points").json()
        assert (body["available"] + body["household_available"], at_hand) == (body["available"] + at_hand, at_hand)
        assert sign_in(a_member()).get("/me/points").json()["household_available"] == 0

    def test_staff_read_it_on_the_member_page(self) -> None:
        asking, mother = a_member(), a_member()
        give_points(mother, 100, moment=timezone.now() - DAY)
        join(asking, mother)
        agrees(mother)
        page = reverse("admin:members_member_change", args=[asking.pk]) + "?tab=points"
        sentence = "For a reward, others of the household would add 100 points."
        client = signed_in("service")
        assert sentence not in client.get(page).text
        pays()
        assert sentence in client.get(page).text


class TestWhatItCosts:
    @pytest.mark.parametrize("is_on", [False, True])
    def test_no_statement_where_nobody_else_pays(self, is_on: bool) -> None:
        pays(is_on)
        member, reward = a_member(), a_reward(30)
        give_points(member, 100, moment=BEFORE)
        redeem(member, reward, "warm up")
        with CaptureQueriesContext(connection) as made:
            redeem(member, reward)
        statements = [query["sql"] for query in made.captured_queries if "SAVEPOINT" not in query["sql"]]
        assert len(statements) == 11
        assert (
            len(made) - len(statements) == 4
        )  # the service's own and that of issuing, inside the transaction of the test
        dear = a_reward(500)
        with CaptureQueriesContext(connection) as made, pytest.raises(InsufficientPoints):
            redeem(member, dear, "too dear")
        assert len([query for query in made.captured_queries if "SAVEPOINT" not in query["sql"]]) == 4


class TestWhatComesBack:
    def test_goes_to_who_redeemed(self) -> None:
        """There is no cancelling of rewards yet; the ledger's restore shows whose the points would be."""
        pays()
        asking, mother = a_household(10, 100)
        redeem(asking, a_reward(30))
        posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.REDEEM)
        with transaction.atomic():
            ledger.restore(
                origin_transaction_id=posted.pk, points=None, days_min=0, source="t", natural_key="back", at=NOON, by=SYSTEM,
                trace={"v": 2},
            )  # fmt: skip
        assert has(asking, mother) == [30, 80]
        assert all_points() == 110
        assert findings() == []

    def test_ends_when_it_would_have_ended_with_who_gave(self) -> None:
        pays()
        asking, mother = a_household(0, 100)
        redeem(asking, a_reward(30))
        posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.REDEEM)
        with transaction.atomic():
            ledger.restore(
                origin_transaction_id=posted.pk, points=None, days_min=0, source="t", natural_key="back", at=NOON, by=SYSTEM,
                trace={"v": 2},
            )  # fmt: skip
        end = NOON + 90 * DAY
        assert has(asking, mother, at=end - timedelta(seconds=1)) == [30, 70]
        assert has(asking, mother, at=end) == [0, 0]
