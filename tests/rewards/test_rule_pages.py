"""The pages on which staff write, publish and end earn rules: sentences and typed fields, never codes."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from members.models import TimelineEntry
from rewards.admin.rules_warnings import warnings_of
from rewards.models import Category, EarnRule, EarnRuleVersion, PointsCurrency, Product, ProgrammeCap
from rewards.queries import labels_of
from rewards.rule_sentence import sentence
from rewards.services.rules import TERMS
from tests.factories.people import a_channel, a_store
from tests.factories.portal import signed_in
from tests.factories.rules import a_rule, base_rule
from tests.harness.forms import form_on

ADD, LIST = reverse("admin:rewards_earnrule_add"), reverse("admin:rewards_earnrule_changelist")
pytestmark = pytest.mark.django_db


@pytest.fixture
def in_english() -> None:
    translation.activate("en")


def address(page: str, *args: int) -> str:
    return reverse(f"admin:rewards_earnrule_{page}", args=args)


@pytest.fixture
def client() -> Client:
    return signed_in(superuser=True)


def points() -> PointsCurrency:
    return PointsCurrency.objects.get(code="points")


def sent(**changes: Any) -> dict[str, Any]:
    """What is posted for a rule for purchases: a point for each 1.00."""
    return {
        "name_zh_hans": "周末", "name_zh_hant": "", "name_en": "Weekend", "currency": points().pk, "mode": "extra", "gives": "step",
        "points_per_step": "2", "step_amount": "10", "basis": "order", "rounding": "floor", "gets_tier_multiplier": "on",
        "pending_days": "7", "expiry_months": "12", "condition-mode": "all", **changes,
    }  # fmt: skip


def make(client: Client, **changes: Any) -> EarnRuleVersion:
    answer = client.post(f"{ADD}?kind=spend", sent(**changes))
    assert answer.status_code == 302, answer.content.decode()
    return EarnRuleVersion.objects.select_related("rule").latest("pk")


def a_full_draft() -> EarnRuleVersion:
    """A draft in which every field says something."""
    coffee, cake = (
        Category.objects.create(code="coffee", name="Coffee"),
        Category.objects.create(code="cake", name="Cake"),
    )
    version = a_rule("Everything", state="draft")
    terms = {
        "note": "for the autumn", "valid_from": datetime(2027, 1, 1, tzinfo=UTC), "valid_to": datetime(2027, 2, 1, tzinfo=UTC),
        "mode": "base", "priority": 7, "points_per_step": 3, "step_amount": Decimal("10.00"), "basis": "line", "rounding": "up",
        "min_spend_amount": Decimal("20.50"), "category_ids": [coffee.pk], "skus": ["A1", "B2"], "brands": ["Acme"],
        "excluded_category_ids": [cake.pk], "excluded_skus": ["C3"], "excluded_brands": ["Zed"], "channel_ids": [a_channel().pk],
        "store_ids": [a_store().pk], "weekdays": [0, 6], "hour_from": 22, "hour_to": 6, "first_order_only": True,
        "min_orders": 3, "within_days": 30, "gets_tier_multiplier": False, "gets_promotions": False, "pending_days": 14,
        "expiry_months": 18, "cap_order_points": 100, "cap_day_points": 200, "cap_month_points": 300, "cap_member_points": 400,
        "budget_points": 50_000,
        "condition": {
            "any": [
                {"fact": "rewards.spend?days=90", "op": "gte", "value": "99.5"},
                {"all": [
                    {"fact": "loyalty.tier", "op": "in", "value": ["gold"]},
                    {"fact": "members.is_birthday", "op": "is", "value": True},
                ]},
            ]
        },
    }  # fmt: skip
    EarnRuleVersion.objects.filter(pk=version.pk).update(**terms)
    version.refresh_from_db()
    return version


def said_by(version: EarnRuleVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in TERMS}


class TestForm:
    """The form …"""

    def test_asks_first_what_the_points_are_for(self, client: Client) -> None:
        page = client.get(ADD).text
        assert "kind=spend" in page
        assert "kind=behaviour" in page

    def test_of_a_full_draft_sends_back_just_what_it_showed(self, client: Client) -> None:
        version = a_full_draft()
        before = said_by(version)
        assert set(before) == set(TERMS)
        where = address("draft", version.pk)
        fields = form_on(client.get(where).text, "gives")
        answer = client.post(where, fields)
        assert answer.status_code == 302, answer.text
        version.refresh_from_db()
        assert said_by(version) == before

    def test_of_a_rule_with_fixed_points_sends_back_just_what_it_showed(self, client: Client) -> None:
        version = a_rule(
            "Review", activity_kind="review", state="draft", points_fixed=30, cap_day_count=2, cap_month_count=9
        )
        before = said_by(version)
        where = address("draft", version.pk)
        fields = form_on(client.get(where).text, "gives")
        assert fields["gives"] == ["fixed"]
        assert client.post(where, fields).status_code == 302
        version.refresh_from_db()
        assert said_by(version) == before

    def test_writes_a_draft_of_a_rule_for_purchases(self, client: Client) -> None:
        version = make(
            client, skus="A1，B2\nA1", weekdays=["5", "6"], hour_from="8", hour_to="11", cap_day_points="50",
            **{"condition-part": ["c1"], "condition-c1-fact": "members.joined_days", "condition-c1-op": "lte", "condition-c1-value": "30"},
        )  # fmt: skip
        assert (labels_of(version.rule, "name"), version.rule.kind) == ({"zh-hans": "周末", "en": "Weekend"}, "spend")
        assert (version.state, version.mode, version.points_per_step, version.step_amount) == ("draft", "extra", 2, 10)
        assert (version.skus, version.weekdays, version.hour_from, version.hour_to) == (["A1", "B2"], [5, 6], 8, 11)
        assert version.condition == {"all": [{"fact": "members.joined_days", "op": "lte", "value": 30}]}
        assert (version.gets_promotions, version.gets_tier_multiplier, version.cap_day_points) == (False, True, 50)

    def test_writes_a_draft_of_a_rule_for_behaviour(self, client: Client) -> None:
        wanted = {"name_zh_hans": "生日", "currency": points().pk, "activity_kind": "birthday", "gives": "fixed",
                  "points_fixed": "100", "expiry_months": "12", "condition-mode": "all"}  # fmt: skip
        assert client.post(f"{ADD}?kind=behaviour", wanted).status_code == 302
        version = EarnRuleVersion.objects.select_related("rule").latest("pk")
        assert (version.rule.kind, version.rule.activity_kind, version.points_fixed) == ("behaviour", "birthday", 100)

    def test_forgets_the_figures_of_the_way_that_was_not_chosen(self, client: Client) -> None:
        version = make(client, gives="fixed", points_fixed="25", step_amount="", basis="line", priority="x")
        assert (version.points_fixed, version.basis, version.step_amount, version.priority) == (25, "order", 1, 0)

    @pytest.mark.parametrize(
        ("changes", "field", "words"),
        [
            ({"name_zh_hans": ""}, "name_zh_hans", "required"),
            ({"gives": "fixed", "points_fixed": ""}, "points_fixed", "how many points"),
            ({"step_amount": "0"}, "step_amount", "greater than or equal to 0.01"),
            ({"hour_from": "8"}, "hour_to", "Name both hours"),
            ({"hour_from": "8", "hour_to": "8"}, "hour_to", "The hours are the same"),
            ({"min_orders": "3"}, "within_days", "Say both"),
            ({"budget_points": "500"}, "budget_points", "multiplied neither"),
            ({"expiry_months": ""}, "expiry_months", "after how many months"),
            ({"cap_day_points": "0"}, "cap_day_points", "greater than or equal to 1"),
            ({"valid_from_0": "2027-02-01", "valid_from_1": "00:00", "valid_to_0": "2027-01-01", "valid_to_1": "00:00"},
             "valid_to", "before the beginning"),
            ({"weekdays": ["9"]}, "weekdays", "not one of the available"),
            ({"condition-part": ["c1"], "condition-c1-fact": "rewards.orders", "condition-c1-op": "gte",
              "condition-c1-value": "many", "condition-c1-arg-days": "30"}, "condition", "Condition 1 (Orders in the last days): “many” is no number."),
        ],
    )  # fmt: skip
    def test_says_at_the_field_what_is_wrong_and_writes_nothing(
        self, client: Client, changes: dict[str, Any], field: str, words: str
    ) -> None:
        rules = EarnRule.objects.count()
        answer = client.post(f"{ADD}?kind=spend", sent(**changes))
        assert answer.status_code == 200
        assert words in " ".join(answer.context["form"].errors[field])
        assert words.split("“", maxsplit=1)[0] in answer.text
        assert EarnRule.objects.count() == rules

    def test_shows_no_field_of_the_other_kind(self, client: Client) -> None:
        page = client.get(f"{ADD}?kind=behaviour").text
        assert 'name="skus"' not in page
        assert 'name="cap_day_count"' in page

    def test_of_what_is_published_can_not_be_opened(self, client: Client) -> None:
        published = base_rule().versions.get()
        for page in ("draft", "publish", "discard"):
            assert client.get(address(page, published.pk)).status_code == 404


class TestSentence:
    """The sentence beside the form …"""

    def test_says_what_the_draft_will_say(self, client: Client) -> None:
        wanted = sent(weekdays=["5"], cap_day_points="50")
        beside = client.post(f"{address('words')}?kind=spend", wanted).text
        version = make(client, weekdays=["5"], cap_day_points="50")
        assert sentence(version) in beside
        assert "2 points for each ¥10.00 spent" in beside

    def test_follows_a_draft_that_is_changed_and_names_what_is_missing(self, client: Client) -> None:
        version = a_full_draft()
        where = address("draft_words", version.pk)
        fields = form_on(client.get(address("draft", version.pk)).text, "gives")
        assert sentence(version) in client.post(where, fields).text.replace("&quot;", '"')
        answer = client.post(where, {**fields, "points_per_step": ["9"], "hour_to": [""]}).text
        assert "9 points for each" in answer
        assert "To be looked at: To (hour)" in answer

    def test_changes_nothing(self, client: Client) -> None:
        version = a_full_draft()
        client.post(address("draft_words", version.pk), sent(points_per_step="77"))
        version.refresh_from_db()
        assert version.points_per_step == 3


@pytest.mark.usefixtures("in_english")
class TestWarnings:
    """Before publishing, staff are warned of …"""

    def test_a_rule_without_end_limit_and_names(self) -> None:
        found = " ".join(warnings_of(a_rule("Extra", state="draft", mode="extra"), at=timezone.now()))
        for words in ("has no end", "There is no limit", "The name is missing in"):
            assert words in found

    def test_articles_nobody_sells(self) -> None:
        Product.objects.create(sku="A1", name="A")
        version = a_rule("Extra", state="draft", mode="extra", skus=["A1", "ZZ"], cap_day_points=1)
        found = warnings_of(version, at=timezone.now())
        assert any("1 article number is not in the catalogue: ZZ." in words for words in found)

    def test_rules_that_count_the_same_goods(self) -> None:
        a_rule("Tea days", mode="extra", brands=["Tea"])
        a_rule("Last year", mode="extra", brands=["Tea"], valid_to=timezone.now() - timedelta(days=1))
        same, other = (a_rule("Extra", state="draft", mode="extra", brands=[brand]) for brand in ("tea", "cake"))
        assert any("Tea days" in words for words in warnings_of(same, at=timezone.now()))
        assert not any("Last year" in words for words in warnings_of(same, at=timezone.now()))
        assert not any("Tea days" in words for words in warnings_of(other, at=timezone.now()))

    def test_nothing_when_nothing_is_amiss(self) -> None:
        version = a_rule("Base", state="draft")
        EarnRule.objects.filter(pk=version.rule_id).update(name_zh_hans="基", name_zh_hant="基", name_en="Base")
        version.priority = 3
        version.rule.refresh_from_db()
        assert warnings_of(version, at=timezone.now()) == []


class TestPublishing:
    """A draft …"""

    def test_is_published_now_with_its_reason(self, client: Client) -> None:
        version = make(client)
        dialog = client.get(address("publish", version.pk))
        assert "Nothing of this rule is in force yet." in dialog.text
        answer = client.post(address("publish", version.pk), {"reason": "autumn", "_form_submitted": "True"})
        assert answer["HX-Redirect"] == address("change", version.rule_id)
        version.refresh_from_db()
        assert version.is_in_force(timezone.now())
        told = TimelineEntry.objects.get(kind="rewards.earn_rule_published.v1")
        assert told.payload == {"rule": version.rule_id, "version": 1, "reason": "autumn"}
        page = client.get(address("change", version.rule_id)).text
        assert "in force" in page
        assert sentence(version) in page

    def test_takes_the_place_of_the_version_before_it_from_a_day_on(self, client: Client) -> None:
        rule = base_rule()
        answer = client.post(address("new_version", rule.pk))
        draft = rule.versions.get(state="draft")
        assert answer["Location"] == address("draft", draft.pk)
        assert "It takes the place of version 1: 1 point for each" in client.get(address("publish", draft.pk)).text
        begins = (timezone.localtime() + timedelta(days=3)).replace(second=0, microsecond=0)
        client.post(
            address("publish", draft.pk),
            {"valid_from": f"{begins:%Y-%m-%dT%H:%M}", "reason": "from Monday", "_form_submitted": "True"},
        )
        first, second = rule.versions.order_by("number")
        assert (first.valid_to, second.valid_from, second.state) == (begins, begins, "published")
        assert "scheduled" in client.get(address("change", rule.pk)).text
        client.post(address("withdraw", second.pk), {"reason": "no", "_form_submitted": "True"})
        first.refresh_from_db()
        assert first.valid_to is None

    def test_needs_a_reason(self, client: Client) -> None:
        version = make(client)
        answer = client.post(address("publish", version.pk), {"reason": "", "_form_submitted": "True"})
        assert answer.status_code == 200
        version.refresh_from_db()
        assert version.state == "draft"

    def test_that_would_begin_in_the_past_stays_a_draft(self, client: Client) -> None:
        version = make(client)
        client.post(
            address("publish", version.pk), {"valid_from": "2020-01-01T00:00", "reason": "x", "_form_submitted": "True"}
        )
        version.refresh_from_db()
        assert version.state == "draft"
        assert "at the earliest" in client.get(LIST).text

    def test_is_thrown_away(self, client: Client) -> None:
        version = make(client)
        client.post(address("discard", version.pk), {"reason": "a slip", "_form_submitted": "True"})
        assert not EarnRuleVersion.objects.filter(pk=version.pk).exists()

    def test_of_a_rule_that_runs_can_rename_it(self, client: Client) -> None:
        version = a_full_draft()
        where = address("draft", version.pk)
        fields = form_on(client.get(where).text, "gives")
        client.post(where, {**fields, "name_zh_hans": ["全部"], "name_en": ["All of it"]})
        version.rule.refresh_from_db()
        assert labels_of(version.rule, "name") == {"zh-hans": "全部", "en": "All of it"}


class TestEnding:
    def test_ends_the_rule_and_says_why(self, client: Client) -> None:
        version = a_rule("Extra", mode="extra")
        client.post(address("end", version.rule_id), {"reason": "too dear", "_form_submitted": "True"})
        version.refresh_from_db()
        assert version.valid_to is not None
        assert "ended" in client.get(address("change", version.rule_id)).text
        assert TimelineEntry.objects.get(kind="rewards.earn_rule_ended.v1").payload["reason"] == "too dear"


class TestRights:
    """Staff …"""

    @pytest.fixture
    def pages(self) -> list[tuple[str, str]]:
        draft, running = a_rule("Draft", state="draft"), a_rule("Running", mode="extra")
        return [
            ("get", f"{ADD}?kind=spend"), ("get", address("draft", draft.pk)), ("post", address("words") + "?kind=spend"),
            ("post", address("condition")), ("post", address("new_version", running.rule_id)),
            ("get", address("publish", draft.pk)), ("get", address("discard", draft.pk)),
            ("get", address("end", running.rule_id)), ("get", address("withdraw", running.pk)),
        ]  # fmt: skip

    def test_who_may_only_look_read_the_rules_and_change_nothing(self, pages: list[tuple[str, str]]) -> None:
        client = signed_in("service")
        rule = EarnRule.objects.get(name="Running")
        shown = client.get(address("change", rule.pk))
        assert shown.status_code == 200
        for button in ("New version", "Publish", "Throw away"):
            assert not re.search(rf">\s*{button}\s*<", shown.text)
        assert client.get(LIST).status_code == 200
        for method, where in pages:
            assert getattr(client, method)(where).status_code == 403, where

    def test_who_may_not_see_rules_see_nothing(self, pages: list[tuple[str, str]]) -> None:
        client, visitor = signed_in(), Client()
        for method, where in [*pages, ("get", LIST), ("get", address("change", base_rule().pk))]:
            assert getattr(client, method)(where).status_code == 403, where
            assert getattr(visitor, method)(where).status_code == 302, where


class TestLimits:
    """The limits of all rules together …"""

    def test_are_set_from_now_on_and_keep_what_held_before(self, client: Client) -> None:
        where = address("limits")
        for day in ("100", "200"):
            sent_form = {
                "currency": "points",
                "points-day_points": day,
                "points-month_points": "",
                "points-reason": "too dear",
            }
            assert client.post(where, sent_form).status_code == 302
        old, new = ProgrammeCap.objects.order_by("valid_from")
        assert (old.day_points, old.valid_to, new.day_points, new.month_points) == (100, new.valid_from, 200, None)
        assert (
            TimelineEntry.objects.filter(kind="rewards.programme_cap_set.v1").latest("pk").payload["reason"]
            == "too dear"
        )
        assert "At most 200 points a member and day." in client.get(where).text

    def test_that_make_no_sense_change_nothing(self, client: Client) -> None:
        for wrong in ({"points-day_points": "0"}, {"points-reason": ""}, {"points-day_points": "x"}):
            sent_form = {"currency": "points", "points-day_points": "5", "points-reason": "r", **wrong}
            assert client.post(address("limits"), sent_form).status_code == 200
        assert ProgrammeCap.objects.count() == 0

    def test_are_read_by_all_who_read_rules_and_set_by_those_who_publish(self) -> None:
        client = signed_in("service")
        assert "Set from now on" not in client.get(address("limits")).text
        assert client.post(address("limits"), {"currency": "points"}).status_code == 403


class TestPages:
    def test_the_list_says_state_and_sentence(self, client: Client) -> None:
        a_rule("Old", mode="extra", valid_to=timezone.now() - timedelta(days=1))
        a_rule("Soon", mode="extra", valid_from=timezone.now() + timedelta(days=1))
        a_rule("Written", state="draft")
        page = client.get(LIST).text
        for words in ("in force", "scheduled", "ended", "draft", "1 point for each ¥1.00 spent"):
            assert words in page, words

    def test_take_few_queries(self, client: Client) -> None:
        for number in range(8):
            version = a_rule(f"Extra {number}", mode="extra", store_ids=[a_store(f"S{number}").pk], state="draft")
        for page in (LIST, address("change", version.rule_id), address("draft", version.pk)):
            client.get(page)
            with CaptureQueriesContext(connection) as captured:
                assert client.get(page).status_code == 200
            assert len(captured) <= 12, [query["sql"] for query in captured]

    def test_show_no_json_and_no_codes(self, client: Client) -> None:
        version = a_full_draft()
        for page in (address("draft", version.pk), address("change", version.rule_id)):
            text = client.get(page).text
            for code in ('{"any"', "&quot;fact&quot;", "points_per_step</"):
                assert code not in text
