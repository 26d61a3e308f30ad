"""Earn rules are drafted, published, ended and withdrawn; what is published stays as it was published."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from members.actors import Actor
from members.models import TimelineEntry
from rewards.earning import Caps, Goods, ProgrammeCap
from rewards.models import BudgetSlice, EarnRule, EarnRuleVersion, PointsCurrency
from rewards.models import ProgrammeCap as ProgrammeCapRow
from rewards.queries import forget_rules, rule_book
from rewards.services.rules import (
    RuleBeginsInPast,
    RuleHasBegun,
    RuleInvalid,
    RuleNotDraft,
    RuleNotInForce,
    RuleOverlaps,
    delete_draft,
    draft_version,
    end_rule,
    make_rule,
    publish_version,
    set_programme_cap,
    withdraw_version,
    write_draft,
)
from tests.factories.rules import a_rule, base_rule

MARKETING = Actor("operator", 3)
NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
DAY = timedelta(days=1)
STATUS = {"all": [{"fact": "members.status", "op": "in", "value": ["active"]}]}


def points() -> int:
    return PointsCurrency.objects.get(code="points").pk


def a_draft(**terms: Any) -> EarnRuleVersion:
    """The draft of a new rule."""
    names = {"name": "新客", "name_zh_hans": "新客", "name_en": "New customers"}
    return make_rule(names=names, kind="spend", currency_id=points(), terms=terms, by=MARKETING, at=NOW)


def publish(version: EarnRuleVersion, **more: Any) -> EarnRuleVersion:
    return publish_version(version_id=version.pk, by=MARKETING, at=NOW, **more)


def a_change(rule: EarnRule, **terms: Any) -> EarnRuleVersion:
    """A draft of a rule that is there, with other terms."""
    draft = draft_version(rule_id=rule.pk, by=MARKETING, at=NOW)
    return write_draft(version_id=draft.pk, terms=terms, by=MARKETING, at=NOW)


def spans(rule: EarnRule) -> list[tuple[int, str, datetime | None, datetime | None]]:
    return list(rule.versions.order_by("number").values_list("number", "state", "valid_from", "valid_to"))


def rows() -> list[Any]:
    return [
        *EarnRule.objects.order_by("pk").values(),
        *EarnRuleVersion.objects.order_by("pk").values(),
        *ProgrammeCapRow.objects.order_by("pk").values(),
        *TimelineEntry.objects.order_by("pk").values("kind", "payload"),
    ]


@pytest.mark.django_db
class TestBeginning:
    def test_is_one_base_rule_for_every_purchase(self) -> None:
        rule = base_rule()
        assert (rule.kind, rule.activity_kind, rule.currency.code) == ("spend", "", "points")
        (version,) = rule.versions.all()
        assert (version.number, version.state, version.mode) == (1, "published", "base")
        (value,) = rule_book().at(NOW).base
        assert (value.counts_everything, value.points_for(Decimal("9.99"))) == (True, 9)


@pytest.mark.django_db
class TestDraft:
    """A draft …"""

    def test_of_a_new_rule_earns_nothing_until_it_is_published(self) -> None:
        draft = a_draft(points_fixed=100, mode="extra", first_order_only=True)
        assert (draft.number, draft.state, draft.valid_from) == (1, "draft", None)
        assert [rule.rule_id for rule in rule_book().at(NOW).extra] == []
        publish(draft)
        forget_rules()
        assert [rule.rule_id for rule in rule_book().at(NOW).extra] == [draft.rule_id]

    def test_of_a_change_begins_with_what_the_newest_version_says(self) -> None:
        first = publish(a_draft(points_per_step=3, skus=["A"], condition=STATUS, cap_day_points=50))
        draft = draft_version(rule_id=first.rule_id, by=MARKETING, at=NOW)
        assert (draft.number, draft.points_per_step, draft.skus, draft.condition, draft.cap_day_points) == (
            2,
            3,
            ["A"],
            STATUS,
            50,
        )
        assert (draft.state, draft.valid_from, draft.valid_to) == ("draft", None, None)

    def test_is_one_for_each_rule(self) -> None:
        rule = base_rule()
        first = draft_version(rule_id=rule.pk, by=MARKETING, at=NOW)
        assert draft_version(rule_id=rule.pk, by=MARKETING, at=NOW) == first

    def test_can_be_thrown_away(self) -> None:
        draft = draft_version(rule_id=base_rule().pk, by=MARKETING, at=NOW)
        delete_draft(version_id=draft.pk, by=MARKETING, at=NOW)
        assert base_rule().versions.count() == 1

    @pytest.mark.parametrize(
        "terms",
        [
            {"points_per_step": 0}, {"step_amount": 0}, {"points_fixed": 0}, {"points_fixed": 5, "basis": "line"},
            {"weekdays": [7]}, {"hour_from": 8}, {"hour_from": 8, "hour_to": 8}, {"min_orders": 3}, {"cap_day_points": 0},
            {"budget_points": 100}, {"min_spend_amount": -1}, {"expiry_months": 0}, {"mode": "other"}, {"rounding": "half"},
            {"condition": {"all": [{"fact": "nobody.knows", "op": "is", "value": True}]}}, {"cap_day_count": 2},
        ],
    )  # fmt: skip
    def test_that_says_what_can_not_be_is_refused(self, terms: dict[str, Any]) -> None:
        draft = a_draft()
        before = rows()
        with pytest.raises(RuleInvalid) as refused:
            write_draft(version_id=draft.pk, terms=terms, by=MARKETING, at=NOW)
        assert refused.value.params["why"]
        assert rows() == before

    @pytest.mark.parametrize("terms", [{"first_order_only": True}, {"skus": ["A"]}, {"cap_order_points": 5}])
    def test_for_behaviour_can_not_ask_about_goods_and_orders(self, terms: dict[str, Any]) -> None:
        make = {"names": {"name": "评价"}, "kind": "behaviour", "activity_kind": "review", "currency_id": points()}
        with pytest.raises(RuleInvalid):
            make_rule(**make, terms=terms, by=MARKETING, at=NOW)  # type: ignore[arg-type]
        assert make_rule(**make, terms={"points_fixed": 5, "cap_day_count": 2}, by=MARKETING, at=NOW).pk  # type: ignore[arg-type]

    def test_for_behaviour_names_the_behaviour(self) -> None:
        with pytest.raises(RuleInvalid):
            make_rule(names={"name": "评价"}, kind="behaviour", currency_id=points(), terms={}, by=MARKETING, at=NOW)

    def test_has_no_terms_that_nobody_knows(self) -> None:
        with pytest.raises(ValueError, match="state"):
            write_draft(version_id=a_draft().pk, terms={"state": "published"}, by=MARKETING, at=NOW)


@pytest.mark.django_db
class TestPublishing:
    """A published version …"""

    def test_is_in_force_from_now_or_from_the_day_it_names(self) -> None:
        assert publish(a_draft()).valid_from == NOW
        assert publish(a_draft(valid_from=NOW + DAY)).valid_from == NOW + DAY
        assert publish(a_draft(valid_from=NOW + DAY), valid_from=NOW + 2 * DAY).valid_from == NOW + 2 * DAY

    def test_ends_the_version_before_it(self) -> None:
        rule = base_rule()
        begin = rule.versions.get().valid_from
        publish(a_change(rule, points_per_step=2), valid_from=NOW + DAY)
        assert spans(rule) == [(1, "published", begin, NOW + DAY), (2, "published", NOW + DAY, None)]
        book = rule_book()
        assert [book.at(NOW + DAY * n).base[0].points_per_step for n in (0, 1)] == [1, 2]

    def test_is_told_on_the_timeline(self) -> None:
        version = publish(a_draft())
        entry = TimelineEntry.objects.get(kind="rewards.earn_rule_published.v1")
        assert (entry.payload, entry.member_id, entry.actor_id) == ({"rule": version.rule_id, "version": 1}, None, 3)

    def test_can_not_begin_in_the_past(self) -> None:
        draft = a_draft()
        before = rows()
        with pytest.raises(RuleBeginsInPast):
            publish(draft, valid_from=NOW - timedelta(microseconds=1))
        assert rows() == before

    def test_can_not_end_before_it_begins(self) -> None:
        with pytest.raises(RuleInvalid):
            publish(a_draft(valid_to=NOW))

    def test_can_not_reach_into_one_that_is_planned(self) -> None:
        rule = base_rule()
        publish(a_change(rule), valid_from=NOW + 5 * DAY)
        draft = a_change(rule, points_per_step=2)
        before = rows()
        with pytest.raises(RuleOverlaps) as refused:
            publish(draft, valid_from=NOW + DAY)
        assert refused.value.params["number"] == 2
        assert rows() == before

    def test_can_come_before_one_that_is_planned(self) -> None:
        rule = base_rule()
        publish(a_change(rule), valid_from=NOW + 5 * DAY)
        publish(a_change(rule, points_per_step=2, valid_to=NOW + 5 * DAY), valid_from=NOW + DAY)
        assert [version[2:] for version in spans(rule)[1:]] == [(NOW + 5 * DAY, None), (NOW + DAY, NOW + 5 * DAY)]

    def test_is_published_once(self) -> None:
        version = publish(a_draft())
        with pytest.raises(RuleNotDraft):
            publish(version)
        with pytest.raises(RuleNotDraft):
            write_draft(version_id=version.pk, terms={"points_per_step": 5}, by=MARKETING, at=NOW)
        with pytest.raises(RuleNotDraft):
            delete_draft(version_id=version.pk, by=MARKETING, at=NOW)

    @pytest.mark.parametrize(
        "change",
        [
            {"points_per_step": 2},
            {"skus": ["A"]},
            {"valid_from": NOW - DAY},
            {"state": "draft"},
            {"number": 9},
            {"note": "!"},
        ],
    )
    def test_stays_as_it_is_whoever_writes(self, change: dict[str, Any]) -> None:
        version = publish(a_draft())
        with pytest.raises(DatabaseError, match="is published"), transaction.atomic():
            EarnRuleVersion.objects.filter(pk=version.pk).update(**change)
        with pytest.raises(DatabaseError, match="is published"), transaction.atomic():
            EarnRuleVersion.objects.filter(pk=version.pk).delete()

    def test_is_never_in_force_beside_another_of_its_rule(self) -> None:
        version = publish(a_draft())
        with pytest.raises(IntegrityError, match="one_version_of_an_earn_rule"), transaction.atomic():
            EarnRuleVersion.objects.create(rule=version.rule, number=2, state="published", valid_from=NOW + DAY)
        assert a_rule(valid_from=NOW + DAY).pk


@pytest.mark.django_db
class TestEnd:
    """A rule …"""

    def test_ends_now_or_when_it_is_told(self) -> None:
        rule = publish(a_draft()).rule
        end_rule(rule_id=rule.pk, valid_to=NOW + 9 * DAY, by=MARKETING, at=NOW)
        end_rule(rule_id=rule.pk, by=MARKETING, at=NOW + DAY)
        assert spans(rule) == [(1, "published", NOW, NOW + DAY)]
        assert [entry.kind for entry in TimelineEntry.objects.order_by("pk")][-1] == "rewards.earn_rule_ended.v1"

    def test_does_not_end_in_the_past_nor_when_it_is_over(self) -> None:
        rule = publish(a_draft()).rule
        with pytest.raises(RuleBeginsInPast):
            end_rule(rule_id=rule.pk, valid_to=NOW, by=MARKETING, at=NOW + DAY)
        end_rule(rule_id=rule.pk, valid_to=NOW + DAY, by=MARKETING, at=NOW)
        before = rows()
        with pytest.raises(RuleNotInForce):
            end_rule(rule_id=rule.pk, by=MARKETING, at=NOW + DAY)
        assert rows() == before

    def test_goes_on_when_what_should_follow_is_withdrawn(self) -> None:
        rule = base_rule()
        planned = publish(a_change(rule, points_per_step=2), valid_from=NOW + DAY)
        withdraw_version(version_id=planned.pk, by=MARKETING, at=NOW)
        begin = spans(rule)[0][2]
        assert spans(rule) == [(1, "published", begin, None), (2, "withdrawn", NOW + DAY, None)]
        forget_rules()
        assert rule_book().at(NOW + 2 * DAY).base[0].number == 1

    def test_that_has_begun_is_not_withdrawn(self) -> None:
        version = publish(a_draft())
        before = rows()
        with pytest.raises(RuleHasBegun):
            withdraw_version(version_id=version.pk, by=MARKETING, at=NOW)
        assert rows() == before


@pytest.mark.django_db
class TestBudget:
    """The budget of a rule …"""

    TERMS = {"points_fixed": 10, "mode": "extra", "gets_tier_multiplier": False, "gets_promotions": False}

    def test_is_set_aside_when_it_is_published(self) -> None:
        version = publish(a_draft(**self.TERMS, budget_points=1_003))
        slices = BudgetSlice.objects.filter(budget=version.rule.budget_id)
        assert (sum(one.capacity for one in slices), {one.used for one in slices}) == (1_003, {0})
        assert {one.capacity for one in slices} == {62, 63}

    def test_goes_on_over_versions_with_what_was_taken(self) -> None:
        version = publish(a_draft(**self.TERMS, budget_points=100))
        BudgetSlice.objects.filter(budget=version.rule.budget_id).update(used=2)
        publish_version(version_id=a_change(version.rule, budget_points=200).pk, by=MARKETING, at=NOW + DAY)
        slices = BudgetSlice.objects.filter(budget=version.rule.budget_id)
        assert (sum(one.capacity for one in slices), sum(one.used for one in slices)) == (200, 32)

    def test_of_a_version_that_begins_later_waits_until_then(self) -> None:
        version = publish(a_draft(**self.TERMS, budget_points=100))
        publish(a_change(version.rule, budget_points=200), valid_from=NOW + DAY)
        assert sum(one.capacity for one in BudgetSlice.objects.filter(budget=version.rule.budget_id)) == 100

    def test_is_empty_in_the_book_when_everything_is_taken(self) -> None:
        version = publish(a_draft(**self.TERMS, budget_points=16))
        forget_rules()
        assert [rule.budget_is_empty for rule in rule_book().at(NOW).extra] == [False]
        BudgetSlice.objects.filter(budget=version.rule.budget_id).update(used=1)
        forget_rules()
        assert [rule.budget_is_empty for rule in rule_book().at(NOW).extra] == [True]


@pytest.mark.django_db
class TestProgrammeCap:
    """The cap on all rules together …"""

    def test_is_in_force_from_now_on(self) -> None:
        set_programme_cap(currency_id=points(), day_points=500, month_points=None, by=MARKETING, at=NOW)
        set_programme_cap(currency_id=points(), day_points=900, month_points=5_000, by=MARKETING, at=NOW + DAY)
        forget_rules()
        book = rule_book()
        assert book.at(NOW - DAY).caps == ()
        assert book.at(NOW).caps == (ProgrammeCap(points(), 500, None, NOW, NOW + DAY),)
        assert book.at(NOW + DAY).caps == (ProgrammeCap(points(), 900, 5_000, NOW + DAY, None),)

    def test_can_be_taken_away(self) -> None:
        set_programme_cap(currency_id=points(), day_points=500, month_points=None, by=MARKETING, at=NOW)
        set_programme_cap(currency_id=points(), day_points=None, month_points=None, by=MARKETING, at=NOW + DAY)
        forget_rules()
        assert rule_book().at(NOW + DAY).caps == ()
        told = TimelineEntry.objects.filter(kind="rewards.programme_cap_set.v1").order_by("pk").last()
        assert told is not None
        assert told.payload == {"currency": points(), "day_points": None, "month_points": None}

    def test_limits_at_least_a_point(self) -> None:
        before = rows()
        with pytest.raises(RuleInvalid):
            set_programme_cap(currency_id=points(), day_points=0, month_points=None, by=MARKETING, at=NOW)
        assert rows() == before


@pytest.mark.django_db
class TestBook:
    """The book of rules …"""

    def test_says_what_the_versions_say(self) -> None:
        version = a_rule(
            "Coffee", mode="extra", priority=4, points_per_step=2, step_amount=Decimal("5.00"), basis="line", rounding="up",
            min_spend_amount=Decimal("30.00"), category_ids=[3], brands=["House"], excluded_skus=["X"], channel_ids=[1], store_ids=[2],
            weekdays=[5, 6], hour_from=22, hour_to=6, first_order_only=True, min_orders=3, within_days=30, condition=STATUS,
            gets_promotions=False, pending_days=7, cap_order_points=1, cap_day_points=2, cap_month_points=3, cap_member_points=4,
        )  # fmt: skip
        (rule,) = rule_book().at(NOW).extra
        assert (rule.rule_id, rule.number, rule.priority, rule.is_extra) == (version.rule_id, 1, 4, True)
        assert (rule.points_per_step, rule.step_amount, rule.per_line, rule.rounding) == (2, 5, True, "up")
        assert rule.goods == Goods(category_ids=frozenset({3}), brands=frozenset({"house"}))
        assert (rule.excluded, rule.min_spend_amount) == (Goods(skus=frozenset({"X"})), 30)
        assert (rule.channel_ids, rule.store_ids, rule.weekdays, rule.hours) == ({1}, {2}, {5, 6}, (22, 6))
        assert (rule.first_order_only, rule.min_orders, rule.within_days) == (True, 3, 30)
        assert rule.condition is not None
        assert (rule.gets_tier_multiplier, rule.gets_promotions, rule.pending_days) == (True, False, 7)
        assert rule.caps == Caps(1, 2, 3, 4)

    def test_costs_two_queries_and_is_kept(self) -> None:
        rule_book()  # so that the currency is known
        forget_rules()
        for number in range(5):
            a_rule(f"Rule {number}", mode="extra")
        with CaptureQueriesContext(connection) as captured:
            rule_book()
            rule_book()
        assert len(captured) == 2

    def test_leaves_out_a_rule_that_can_not_be_read_any_more(self, caplog: pytest.LogCaptureFixture) -> None:
        a_rule("Broken", mode="extra", condition={"all": [{"fact": "gone.fact", "op": "is", "value": True}]})
        assert rule_book().at(NOW).extra == ()
        assert len(rule_book().at(NOW).base) == 1
        assert "can not be read" in caplog.text
