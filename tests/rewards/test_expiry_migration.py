"""The policies that the migration makes of what earn rules said."""

from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from rewards.ledger import currency_id
from rewards.models import EarnRuleVersion
from tests.factories.rules import follow_base_rule
from tests.factories.times import at

pytestmark = pytest.mark.django_db

_migration: Any = import_module("rewards.migrations.0008_expiry_policies")


def spans() -> list[tuple[int, datetime, datetime | None]]:
    return _migration._spans(apps, currency_id())


class TestPoliciesOfEarnRules:
    def test_are_as_their_rule_was_and_reach_back_and_on_without_an_end(self) -> None:
        assert [(months, end) for months, _begin, end in spans()] == [(12, None)]

    def test_change_with_the_months_of_the_versions_only(self) -> None:
        for begin, months in (("2026-12-01", 12), ("2027-01-01", 24), ("2027-02-01", 24), ("2027-03-01", 6)):
            follow_base_rule(valid_from=at(begin), expiry_months=months)
        assert [(months, end) for months, _begin, end in spans()] == [
            (12, at("2027-01-01")),
            (24, at("2027-03-01")),
            (6, None),
        ]

    def test_last_twelve_months_where_there_is_no_rule(self) -> None:
        EarnRuleVersion.objects.update(state="withdrawn")
        assert [(months, end) for months, _begin, end in spans()] == [(12, None)]
