"""Tiers over HTTP: the ladder of a day, a member's place on it, what if, and the history."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override

from loyalty.models import LadderVersion, QualificationEntry, TierChange, TierRule, TierStanding
from loyalty.queries import forget_ladder_book
from members.models import Member
from tests.factories.api import Caller, make_member, now, problem_of, sign_in
from tests.factories.benefits import a_benefit, given_by
from tests.loyalty.stories import SHANGHAI, goods_back, purchase, review, tell

pytestmark = pytest.mark.django_db

STANDING_QUERIES = 5


@pytest.fixture
def member() -> Member:
    member = make_member()
    joined_at = now() - timedelta(days=900)
    Member.objects.filter(pk=member.pk).update(joined_at=joined_at)
    return member


@pytest.fixture
def me(member: Member) -> Caller:
    return sign_in(member)


@pytest.fixture(autouse=True)
def _fresh_ladder() -> Any:
    forget_ladder_book()
    yield
    forget_ladder_book()


def bought(member: Member, ref: str, credits: int, happened_at: datetime) -> None:
    tell(purchase(member.pk, ref, credits, happened_at))


def figure(metric: str, have: str, needed: str, short: str) -> dict[str, str]:
    return {"metric": metric, "have": have, "needed": needed, "short": short}


def in_months(months: int) -> str:
    """Return the moment at which the month so many months on begins in Shanghai, as the API writes it."""
    local = timezone.now().astimezone(SHANGHAI)
    year, month0 = divmod(local.year * 12 + local.month - 1 + months, 12)
    moment = datetime(year, month0 + 1, 1, tzinfo=SHANGHAI) - timedelta(hours=8)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


class TestLadder:
    """GET /tiers …"""

    def test_tells_what_each_tier_takes_in_words(self) -> None:
        told = Caller().get("/tiers").json()
        assert [tier["code"] for tier in told["tiers"]] == ["member", "silver", "gold", "diamond"]
        gold = told["tiers"][2]
        assert gold["rise"] == {
            "must": 1,
            "thresholds": [{"metric": "credits", "needed": "1500.00"}],
            "sentence": "tier credits 1,500",
        }
        assert (told["window"], told["rises_at_once"], told["grace_days"]) == ("rolling", True, 0)

    def test_tells_a_ladder_that_is_to_come(self) -> None:
        begins = timezone.now() + timedelta(days=30)
        first = LadderVersion.objects.get()
        LadderVersion.objects.update(valid_to=begins)
        later = LadderVersion.objects.create(number=2, valid_from=begins, window="year")
        for rule in first.rules.all():
            rule.pk, rule.ladder, rule.rise_orders = None, later, 7
            rule.save()
        day = (begins + timedelta(days=2)).date().isoformat()
        told = Caller().get(f"/tiers?on={day}").json()
        assert (told["version"], told["window"]) == (2, "year")
        assert told["tiers"][1]["rise"]["sentence"] == "tier credits 500, orders 7"
        assert Caller().get("/tiers").json()["version"] == 1

    def test_tells_what_each_tier_gives_in_the_same_statements(self) -> None:
        words = {
            "name_en": "Off",
            "name_zh_hans": "折扣",
            "sentence_en": "{figure} % off",
            "sentence_zh_hans": "减 {figure}%",
        }
        off = a_benefit("off", kind="discount", quota=None, **words)
        given_by("gold", off, figure=Decimal(5))
        Caller().get("/tiers")
        with CaptureQueriesContext(connection) as few:
            gold = Caller().get("/tiers").json()["tiers"][2]
        assert gold["benefits"] == [
            {
                "code": "off", "kind": "discount", "kind_label": "discount", "label": "Off", "sentence": "5 % off",
                "figure": "5.00", "figure_label": "5 % off", "quota": None, "period": None,
            }
        ]  # fmt: skip
        for number in range(5):
            given_by("gold", a_benefit(f"more{number}"), quota=3)
        given_by("gold", a_benefit("away", is_on=False))
        Caller().get("/tiers")
        with CaptureQueriesContext(connection) as many, override("en"):
            told = Caller().get("/tiers", **{"accept-language": "zh-hans"}).json()["tiers"]
        assert len(many) == len(few)
        assert [(one["code"], one["quota"], one["period"]) for one in told[2]["benefits"][1:]] == [
            (f"more{number}", 3, "year") for number in range(5)
        ]
        assert told[2]["benefits"][0]["sentence"] == "减 5%"
        assert told[0]["benefits"] == []

    def test_refuses_a_day_that_can_not_be_read(self) -> None:
        assert problem_of(Caller().get("/tiers?on=soon")) == (400, "validation_error")

    def test_refuses_without_a_ladder(self, me: Caller) -> None:
        TierRule.objects.all().delete()
        forget_ladder_book()
        for answer in (Caller().get("/tiers"), me.get("/me/tier"), me.post("/me/tier/what-if", {"spend": "1"})):
            assert problem_of(answer)[1] == "no_ladder"


class TestMyTier:
    """GET /me/tier …"""

    def test_tells_a_newcomer_the_way_up(self, me: Caller) -> None:
        told = me.get("/me/tier").json()
        assert (told["tier"]["code"], told["next_tier"]["code"]) == ("member", "silver")
        assert told["rise"] == [figure("credits", "0.00", "500.00", "500.00")]
        assert told["rise_must"] == 1
        assert (told["keep"], told["keep_must"], told["keep_sentence"]) == ([], 0, "")
        assert (told["valid_until"], told["valid_until_on"], told["outlook"]) == (None, None, None)
        assert (told["rise_at"], told["in_grace"]) == (None, False)
        assert told["sentence"] == "0 of 500 tier credits; 500 more to Silver."

    def test_tells_what_the_review_will_ask_and_decide(self, me: Caller, member: Member) -> None:
        bought(member, "a", 600, now() - timedelta(days=1))
        told = me.get("/me/tier").json()
        assert (told["tier"]["code"], told["points_multiplier"]) == ("silver", "1.10")
        assert told["rise"] == [figure("credits", "600.00", "1500.00", "900.00")]
        # The review looks at the twelve months before it, which have not begun.
        assert told["keep"] == [figure("credits", "0.00", "400.00", "400.00")]
        assert (told["keep_credits"], told["credits_to_keep"]) == (400, 400)
        assert told["outlook"]["review_at"] == told["valid_until"]
        assert (told["outlook"]["tier"]["code"], told["outlook"]["reason"]) == ("member", "fallen")
        assert told["outlook"]["sentence"].startswith("If nothing else comes, the tier falls to Member after ")
        assert told["keep_sentence"].startswith("Silver is valid until ")

    def test_tells_a_year_old_tier_that_enough_is_there(self, me: Caller, member: Member) -> None:
        bought(member, "a", 600, now() - timedelta(days=330))
        bought(member, "b", 450, now() - timedelta(days=2))
        told = me.get("/me/tier").json()
        assert told["keep"] == [
            figure("credits", "450.00", "400.00", "0.00")
        ]  # the first lies before the review's year
        assert told["outlook"]["reason"] == "kept"
        assert told["outlook"]["tier"]["code"] == "silver"

    def test_counts_what_returns_took_back(self, me: Caller, member: Member) -> None:
        bought(member, "a", 300, now() - timedelta(days=3))
        tell(goods_back(member.pk, "r", 100, now() - timedelta(days=2), "a"))
        assert me.get("/me/tier").json()["rise"] == [figure("credits", "200.00", "500.00", "300.00")]

    def test_tells_every_metric_that_is_asked(self, me: Caller, member: Member) -> None:
        TierRule.objects.filter(tier__code="silver").update(rise_spend="1000.50", rise_orders=3, rise_least=1)
        bought(member, "a", 200, now() - timedelta(days=1))
        told = me.get("/me/tier").json()
        assert told["rise"] == [
            figure("credits", "200.00", "500.00", "300.00"),
            figure("spend", "200.00", "1000.50", "800.50"),
            figure("orders", "1.00", "3.00", "2.00"),
        ]
        assert told["rise_must"] == 1
        assert "orders 1 of 3" in told["sentence"]

    def test_tells_when_a_rise_that_waits_is_decided(self, me: Caller, member: Member) -> None:
        LadderVersion.objects.update(rises="waiting")
        bought(member, "a", 600, now() - timedelta(minutes=1))
        told = me.get("/me/tier").json()
        assert told["tier"]["code"] == "member"
        assert told["rise_at"] == in_months(1)
        assert told["sentence"].startswith("Enough for the next tier is there; it is decided after ")

    def test_tells_the_grace(self, me: Caller, member: Member) -> None:
        LadderVersion.objects.update(grace_percent=20, grace_days=45)
        begun = now() - timedelta(days=400)
        bought(member, "a", 600, begun)
        until = TierStanding.objects.get(member=member).valid_until
        assert until is not None
        bought(member, "b", 350, until - timedelta(days=5))
        review(until)
        told = me.get("/me/tier").json()
        assert told["in_grace"] is True
        assert told["keep"] == [figure("credits", "350.00", "400.00", "50.00")]
        assert told["valid_until"] > f"{now():%Y-%m-%d}"

    def test_costs_the_same_however_long_the_history(self, me: Caller, member: Member) -> None:
        bought(member, "a", 600, now() - timedelta(days=30))
        for day in range(20, 1, -1):
            bought(member, f"b{day}", 10, now() - timedelta(days=day))
        me.get("/me/tier")
        with CaptureQueriesContext(connection) as queries:
            me.get("/me/tier")
        assert len(queries) <= STANDING_QUERIES, [query["sql"] for query in queries]

    @pytest.mark.parametrize("path", ["/me/tier", "/me/tier/history"])
    def test_is_the_members_own(self, path: str) -> None:
        assert problem_of(Caller().get(path))[0] == 401


class TestWhatIf:
    """POST /me/tier/what-if …"""

    def test_tells_how_far_it_is_then(self, me: Caller, member: Member) -> None:
        bought(member, "a", 120, now() - timedelta(days=1))
        told = me.post("/me/tier/what-if", {"spend": "200.90"}).json()
        assert told["risen_to"] is None
        assert told["rise"] == [figure("credits", "320.00", "500.00", "180.00")]
        assert told["sentence"] == "320 of 500 tier credits; 180 more to Silver."
        assert (told["keep"], told["outlook"]) == ([], None)

    @pytest.mark.parametrize(
        ("spend", "tier"), [("499.99", None), ("500", "silver"), ("1500.00", "gold"), ("9999999999.99", "diamond")]
    )
    def test_tells_the_tier_it_lifts_to(self, me: Caller, spend: str, tier: str | None) -> None:
        told = me.post("/me/tier/what-if", {"spend": spend}).json()
        assert (told["risen_to"] or {}).get("code") == tier
        if tier:
            assert told["sentence"] == f"This purchase would lift to {tier.title()}."

    def test_tells_what_it_means_for_the_review(self, me: Caller, member: Member) -> None:
        bought(member, "a", 600, now() - timedelta(days=330))
        assert me.get("/me/tier").json()["outlook"]["reason"] == "fallen"
        short = Decimal(me.get("/me/tier").json()["keep"][0]["short"])
        told = me.post("/me/tier/what-if", {"spend": str(short)}).json()
        assert told["keep"][0]["short"] == "0.00"
        assert (told["outlook"]["reason"], told["outlook"]["tier"]["code"]) == ("kept", "silver")

    def test_counts_an_order_and_a_day_too(self, me: Caller, member: Member) -> None:
        TierRule.objects.filter(tier__code="silver").update(
            rise_credits=None, keep_credits=None, rise_orders=2, rise_active_days=2
        )
        bought(member, "a", 10, now() - timedelta(days=3))
        told = me.post("/me/tier/what-if", {"spend": "0.01"}).json()
        assert told["rise"] == [figure("orders", "2.00", "2.00", "0.00"), figure("active_days", "2.00", "2.00", "0.00")]
        assert told["risen_to"]["code"] == "silver"

    def test_keeps_nothing(self, me: Caller, member: Member) -> None:
        before = me.get("/me/tier").json()
        me.post("/me/tier/what-if", {"spend": "6000"})
        after = me.get("/me/tier").json()
        assert after | {"credits_from": ""} == before | {"credits_from": ""}
        assert not QualificationEntry.objects.exists()
        assert not TierChange.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"spend": "0"}, {"spend": "-1"}, {"spend": "0.001"}, {"spend": "NaN"}, {"spend": "1e999"}, {"spend": None},
            {"spend": "10000000000.00"}, {"spend": [1]}, [], "x", None, {"spend": "5", "tier": "gold"},
        ],
    )  # fmt: skip
    def test_refuses_what_is_no_purchase(self, me: Caller, body: Any) -> None:
        assert problem_of(me.post("/me/tier/what-if", body)) == (400, "validation_error")

    def test_is_the_members_own(self) -> None:
        assert problem_of(Caller().post("/me/tier/what-if", {"spend": "5"}))[0] == 401


class TestHistory:
    """GET /me/tier/history …"""

    def test_tells_every_decision_newest_first_with_its_reason(self, me: Caller, member: Member) -> None:
        bought(member, "a", 1600, now() - timedelta(days=460))
        review(now())
        told = me.get("/me/tier/history").json()
        rows = [(row["reason"], row["from_tier"]["code"], row["to_tier"]["code"]) for row in told["items"]]
        assert rows == [("fallen", "gold", "silver"), ("risen", "member", "gold")]
        assert told["items"][1]["sentence"] == (
            "Tier credits in the qualifying period: 1,600; rising to Gold needs 1,500."
        )
        assert told["items"][0]["sentence"].endswith("keeping Gold needs 1,200; 1,200 short.")
        assert told["items"][0]["valid_until"] > told["items"][0]["happened_at"]

    def test_comes_in_pages(self, me: Caller, member: Member) -> None:
        for number, credits in enumerate((500, 1000, 3500)):
            bought(member, f"a{number}", credits, now() - timedelta(days=9 - number))
        first = me.get("/me/tier/history?limit=2").json()
        second = me.get(f"/me/tier/history?limit=2&cursor={first['next']}").json()
        tiers = [[row["to_tier"]["code"] for row in page["items"]] for page in (first, second)]
        assert tiers == [["diamond", "gold"], ["silver"]]
        assert second["next"] is None
        assert me.get(f"/me/tier/history?limit=2&cursor={second['previous']}").json()["items"] == first["items"]
        assert problem_of(me.get("/me/tier/history?cursor=x")) == (400, "validation_error")

    def test_is_empty_for_who_never_rose(self, me: Caller) -> None:
        assert me.get("/me/tier/history").json() == {"items": [], "next": None, "previous": None}

    def test_shows_nothing_of_others(self, me: Caller) -> None:
        bought(make_member(), "a", 700, now() - timedelta(days=1))
        assert me.get("/me/tier/history").json()["items"] == []

    def test_takes_one_query_a_page(self, me: Caller, member: Member) -> None:
        for number, credits in enumerate((500, 1000, 3500)):
            bought(member, f"a{number}", credits, now() - timedelta(days=9 - number))
        me.get("/me/tier/history")
        counts = []
        for limit in (1, 3):
            with CaptureQueriesContext(connection) as queries:
                me.get(f"/me/tier/history?limit={limit}")
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_is_told_in_the_asked_language(self, me: Caller, member: Member) -> None:
        bought(member, "a", 700, now() - timedelta(days=1))
        me.language = "zh-Hant"
        assert me.get("/me/tier/history").json()["items"][0]["to_tier"]["label"] == "銀卡"
