"""How much staff may do alone: by role, each time and on a business day, never more."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from members.limits import (
    POINTS,
    LimitNow,
    approvals_for,
    business_day,
    count_towards_limit,
    families,
    family_label,
    limit_for,
    register_family,
)
from members.models import ApprovalRule, LimitUsage, OperatorLimit
from tests.factories.portal import an_operator
from tests.factories.times import at

NOON = at("2026-03-15 12:00")


def used_by(operator_id: int) -> int:
    return sum(LimitUsage.objects.filter(operator_id=operator_id).values_list("used_points", flat=True))


@pytest.mark.django_db
class TestLimitNow:
    @pytest.mark.parametrize(
        ("roles", "per_entry", "per_day"),
        [
            (("service",), 500, 5_000),
            (("service supervisor",), 5_000, 50_000),
            (("service", "service supervisor"), 5_000, 50_000),
            (("finance",), 5_000, 50_000),
            (("administrator",), 5_000, 50_000),
            (("marketing",), 0, 0),
            (("store", "analyst"), 0, 0),
            ((), 0, 0),
        ],
    )
    def test_is_the_highest_of_the_roles(self, roles: tuple[str, ...], per_entry: int, per_day: int) -> None:
        operator = an_operator(*roles)
        assert limit_for(operator_id=operator.pk, family=POINTS, at=NOON) == LimitNow(per_entry, per_day, 0)

    def test_tells_what_was_used_and_what_is_left_of_the_day(self) -> None:
        operator = an_operator("service")
        assert count_towards_limit(operator_id=operator.pk, family=POINTS, amount=480, at=NOON)
        limit = limit_for(operator_id=operator.pk, family=POINTS, at=NOON)
        assert (limit.used_today, limit.left_today) == (480, 4_520)
        assert limit.allows(500)
        assert not limit.allows(501)

    def test_leaves_nothing_where_the_limit_was_lowered_below_what_was_used(self) -> None:
        assert LimitNow(500, 100, 300).left_today == 0
        assert not LimitNow(500, 100, 300).allows(1)

    def test_is_of_one_family(self) -> None:
        register_family("test.vouchers", "vouchers given")
        assert ("test.vouchers", "vouchers given") in families()
        assert family_label("test.vouchers") == "vouchers given"
        operator = an_operator("service")
        assert limit_for(operator_id=operator.pk, family="test.vouchers", at=NOON) == LimitNow(0, 0, 0)


@pytest.mark.django_db
class TestCounting:
    def test_refuses_more_than_an_entry_may_have_and_counts_nothing(self) -> None:
        operator = an_operator("service")
        assert not count_towards_limit(operator_id=operator.pk, family=POINTS, amount=501, at=NOON)
        assert not LimitUsage.objects.exists()

    def test_fills_the_day_to_the_last_point_and_no_further(self) -> None:
        operator = an_operator("service")
        counted = [
            count_towards_limit(operator_id=operator.pk, family=POINTS, amount=500, at=NOON) for _time in range(11)
        ]
        assert counted == [True] * 10 + [False]
        assert used_by(operator.pk) == 5_000
        assert not count_towards_limit(operator_id=operator.pk, family=POINTS, amount=1, at=NOON)

    def test_begins_anew_at_midnight_of_the_programme(self) -> None:
        operator = an_operator("service")
        late, next_day = at("2026-03-15 23:59"), at("2026-03-16 00:00")
        assert business_day(late) != business_day(next_day)
        for moment in (late, next_day):
            OperatorLimit.objects.filter(role__name="service").update(per_day_points=500)
            assert count_towards_limit(operator_id=operator.pk, family=POINTS, amount=500, at=moment)
            assert not count_towards_limit(operator_id=operator.pk, family=POINTS, amount=1, at=moment)

    def test_of_nothing_is_always_allowed(self) -> None:
        assert count_towards_limit(operator_id=an_operator().pk, family=POINTS, amount=0, at=NOON)

    def test_keeps_operators_apart(self) -> None:
        one, other = an_operator("service"), an_operator("service")
        assert count_towards_limit(operator_id=one.pk, family=POINTS, amount=500, at=NOON)
        assert limit_for(operator_id=other.pk, family=POINTS, at=NOON).used_today == 0


class TestAnySeriesOfAmounts(TestCase):
    @given(st.lists(st.integers(0, 900), max_size=25), st.integers(0, 700), st.integers(0, 3_000))
    def test_never_passes_a_limit_and_refuses_only_what_would(self, amounts: list[int], entry: int, more: int) -> None:
        OperatorLimit.objects.filter(role__name="service").update(per_entry_points=entry, per_day_points=entry + more)
        operator = an_operator("service")
        used = 0
        for amount in amounts:
            fits = amount == 0 or (amount <= entry and used + amount <= entry + more)
            assert count_towards_limit(operator_id=operator.pk, family=POINTS, amount=amount, at=NOON) == fits
            used += amount if fits else 0
        assert used_by(operator.pk) == used <= entry + more


@pytest.mark.django_db
class TestLimitsOfRoles:
    def test_are_not_larger_for_an_entry_than_for_the_day(self) -> None:
        role = Group.objects.get(name="marketing")
        with pytest.raises(IntegrityError, match="limit_of_an_entry_is_within_that_of_the_day"), transaction.atomic():
            OperatorLimit.objects.create(role=role, family=POINTS, per_entry_points=2, per_day_points=1)

    def test_keep_every_version(self) -> None:
        limit = OperatorLimit.objects.get(role__name="service", family=POINTS)
        limit.per_entry_points = 600
        limit.save()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT per_entry_points FROM members_operatorlimitevent WHERE pgh_obj_id = %s ORDER BY pgh_id",
                [limit.pk],
            )
            assert [row[0] for row in cursor.fetchall()] == [500, 600]

    def test_ask_for_two_approvals_above_the_rule_of_the_family(self) -> None:
        assert approvals_for(family=POINTS, amount=200_000) == 1
        assert approvals_for(family=POINTS, amount=200_001) == 2
        ApprovalRule.objects.filter(family=POINTS).update(second_above_points=10)
        assert approvals_for(family=POINTS, amount=11) == 2
        assert approvals_for(family="test.unknown", amount=200_001) == 2
