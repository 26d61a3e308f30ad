"""GET /earning-rules: what everybody may know, and what is for one member."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rewards.models import EarnRuleVersion
from tests.factories.api import Caller, make_member, now, sign_in
from tests.factories.rules import a_rule

pytestmark = pytest.mark.django_db

SILVER = {"all": [{"fact": "loyalty.tier", "op": "in", "value": ["silver"]}]}
SPENT = {"all": [{"fact": "rewards.spend?days=90", "op": "gte", "value": 1000}]}


def told(caller: Caller) -> dict[str, dict[str, Any]]:
    """Return the rules that are told, by key."""
    answer = caller.get("/earning-rules")
    assert answer.status_code == 200, answer.content
    return {rule["key"]: rule for rule in answer.json()["rules"]}


def key_of(version: EarnRuleVersion) -> str:
    return f"rule_{version.rule_id}"


class TestEverybody:
    def test_reads_what_is_in_force_as_sentences(self) -> None:
        begun = now() - timedelta(days=1)
        tea = a_rule("Tea days", valid_from=begun, points_per_step=2, weekdays=[1])
        later = a_rule("Later", valid_from=now() + timedelta(days=1))
        over = a_rule("Over", valid_from=begun - timedelta(days=9), valid_to=begun)
        draft = a_rule("Draft", state=EarnRuleVersion.State.DRAFT, valid_from=None)
        rules = told(Caller())
        assert not {key_of(later), key_of(over), key_of(draft)} & rules.keys()
        rule = rules[key_of(tea)]
        assert rule["sentence"] == "2 points for each ¥1.00 spent, on Tuesday, spendable at once."
        assert (rule["earned_by"], rule["activity"], rule["points_currency"]) == ("spend", "", "points")
        assert (rule["is_for_me"], rule["valid_to"]) == (None, None)

    def test_reads_in_the_asked_language(self) -> None:
        rule = a_rule("Tea days", valid_from=now() - timedelta(days=1))
        assert "每消费" in told(Caller(language="zh-CN"))[key_of(rule)]["sentence"]

    def test_is_not_told_of_offers_to_some(self) -> None:
        begun = now() - timedelta(days=1)
        for_silver = a_rule("Silver", valid_from=begun, condition=SILVER)
        for_some = a_rule("Some", valid_from=begun, condition=SPENT)
        rules = told(Caller())
        assert key_of(for_silver) in rules
        assert key_of(for_some) not in rules


class TestAMember:
    def test_reads_whether_a_rule_is_for_them(self) -> None:
        begun = now() - timedelta(days=1)
        base, for_silver = a_rule("Base", valid_from=begun), a_rule("Silver", valid_from=begun, condition=SILVER)
        rules = told(sign_in(make_member()))
        assert rules[key_of(base)]["is_for_me"] is True
        assert rules[key_of(for_silver)]["is_for_me"] is False

    def test_is_told_of_an_offer_to_some_that_is_met_and_of_no_other(self) -> None:
        begun = now() - timedelta(days=1)
        few = {"all": [{"fact": "rewards.spend?days=90", "op": "lte", "value": 1000}]}
        met, unmet = a_rule("Met", valid_from=begun, condition=few), a_rule("Unmet", valid_from=begun, condition=SPENT)
        rules = told(sign_in(make_member()))
        assert rules[key_of(met)]["is_for_me"] is True
        assert key_of(unmet) not in rules

    def test_is_answered_for_themself_only(self) -> None:
        answer = sign_in(make_member()).get("/earning-rules")
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == (
            "no-store",
            "Authorization, Accept-Language",
        )
        assert "public" in Caller().get("/earning-rules").headers["Cache-Control"]

    def test_costs_no_more_for_more_rules(self) -> None:
        begun = now() - timedelta(days=1)
        caller = sign_in(make_member())
        a_rule("One", valid_from=begun, condition=SILVER)
        told(caller)
        counts = []
        for number in range(2):
            for _ in range(5 * number):
                a_rule("More", valid_from=begun, condition=SILVER)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                told(caller)
            counts.append(len(queries))
        assert counts[0] == counts[1]
