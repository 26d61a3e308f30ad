"""Members over HTTP: summary, points with their reasons, redemptions, vouchers, and the catalogue."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Promotion
from members.actors import SYSTEM
from members.identifiers import MEMBER, REWARD, public_ref
from members.models import IdempotentAnswer, Member
from members.services.status import freeze_member
from rewards.models import LedgerEntry, Redemption, Reward, Voucher, VoucherTemplate
from tests.factories.api import Caller, Till, make_member, make_till, now, order_body, problem_of, sign_in

pytestmark = pytest.mark.django_db

SUMMARY_QUERIES = 8


@pytest.fixture
def member() -> Member:
    return make_member(full_name="张小丰", phone="13800138000")


@pytest.fixture
def me(member: Member) -> Caller:
    return sign_in(member)


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def buys(till: Till) -> Callable[..., dict[str, Any]]:
    """A function that lets a member buy something and returns the receipt."""

    def buy(member: Member, amount: str = "50.00") -> dict[str, Any]:
        body = order_body(public_ref(MEMBER, member.public_id), amount=amount)
        answer = till.post("/pos/orders", body, key=body["external_order_no"])
        assert answer.status_code == 201, answer.content
        receipt: dict[str, Any] = answer.json()
        return receipt

    return buy


def make_reward(**changes: Any) -> Reward:
    number = Reward.objects.count()
    template = VoucherTemplate.objects.create(
        code=f"ten-{number}",
        name="Ten off",
        kind="amount",
        off_amount="10.00",
        min_spend_amount="30.00",
        validity_days=30,
    )
    values = {
        "name": f"Ten off {number}",
        "price_points": 40,
        "template": template,
        "stock": 3,
        "valid_from": now() - timedelta(days=1),
    }
    reward = Reward.objects.create(**values | changes)
    return Reward.objects.get(pk=reward.pk)


def ref(reward: Reward) -> str:
    return public_ref(REWARD, reward.public_id)


class TestSummary:
    def test_says_it_all_in_one_call(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member, "120.00")
        told = me.get("/me/summary").json()
        assert told["member"] == {
            "id": public_ref(MEMBER, member.public_id),
            "member_no": member.member_no,
            "name": "张小丰",
            "joined_at": told["member"]["joined_at"],
        }
        assert told["points"]["available"] == 120
        assert told["points"]["expiring_next"]["points"] == 120
        assert told["tier"]["code"] == "member"
        assert told["tier"]["credits"] == 120
        assert told["tier"]["sentence"]
        assert told["vouchers_usable"] == 0

    def test_takes_few_queries(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member)
        me.get("/me/summary")
        with CaptureQueriesContext(connection) as queries:
            assert me.get("/me/summary").status_code == 200
        assert len(queries) <= SUMMARY_QUERIES, [query["sql"] for query in queries]


class TestPoints:
    def test_sum_to_the_ledger(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member)
        buys(member, "30.00")
        told = me.get("/me/points").json()
        assert (told["available"], told["pending"], told["held"], told["arrears"]) == (80, 0, 0, 0)
        assert sum(part["points"] for part in told["expiring"]) == 80
        assert told["as_of"].endswith("Z")

    def test_expiry_is_told_as_a_moment_and_as_the_last_day(
        self, me: Caller, member: Member, buys: Callable[..., Any]
    ) -> None:
        buys(member)
        part = me.get("/me/points").json()["expiring"][0]
        assert part["expires_at"].endswith("T16:00:00Z")  # local midnight at which the next month begins
        assert part["expires_on"] == part["expires_at"][:10]  # the last day of the month before it

    def test_entries_come_newest_first_in_pages(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        for amount in range(1, 8):
            buys(member, f"{amount}.00")
        first = me.get("/me/points/entries?limit=3").json()
        second = me.get(f"/me/points/entries?limit=3&cursor={first['next']}").json()
        third = me.get(f"/me/points/entries?limit=3&cursor={second['next']}").json()
        pages = [[entry["available_change"] for entry in page["items"]] for page in (first, second, third)]
        assert pages == [[7, 6, 5], [4, 3, 2], [1]]
        assert (first["previous"], third["next"]) == (None, None)
        back = me.get(f"/me/points/entries?limit=3&cursor={third['previous']}").json()
        assert back["items"] == second["items"]
        assert me.get(f"/me/points/entries?limit=3&cursor={back['previous']}").json() == first | {"previous": None}

    def test_entries_can_be_narrowed(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member)
        assert len(me.get("/me/points/entries?kind=earn").json()["items"]) == 1
        assert me.get("/me/points/entries?kind=redeem").json()["items"] == []
        assert len(me.get("/me/points/entries?since=2020-01-01&until=2099-12-31").json()["items"]) == 1
        assert me.get("/me/points/entries?until=2020-01-01").json()["items"] == []

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=", "limit"), ("limit=١", "limit"),
            ("cursor=x", "cursor"), ("cursor=%00", "cursor"), ("cursor=W10", "cursor"), ("cursor=ключ", "cursor"),
            ("cursor=WyJuIiwic2VxIiwiMjAyNi0wMS0wMSIsMV0", "cursor"), ("kind=gift", "kind"), ("since=yesterday", "since"),
            ("since=0001-01-01", "since"), ("until=9999-12-31", "until"),
        ],
    )  # fmt: skip
    def test_what_can_not_be_read_is_named(self, me: Caller, query: str, parameter: str) -> None:
        answer = me.get(f"/me/points/entries?{query}")
        assert problem_of(answer) == (400, "validation_error")
        assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]

    def test_a_cursor_of_another_list_is_refused(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member)
        buys(member)
        cursor = me.get("/me/points/entries?limit=1").json()["next"]
        assert problem_of(me.get(f"/me/vouchers?cursor={cursor}")) == (400, "validation_error")

    def test_an_entry_explains_itself(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        Promotion.objects.create(
            name="双倍积分", name_en="Double points", state=Promotion.State.LIVE, factor=Decimal(2),
            starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=1),
        )  # fmt: skip
        receipt = buys(member)
        assert [line["kind"] for line in receipt["explain"]] == ["base", "promotion"]
        entry = me.get("/me/points/entries").json()["items"][0]
        assert entry["id"].startswith("ent_")
        assert (entry["kind"], entry["reference"]) == ("earn", receipt["external_order_no"])
        told = me.get(f"/me/points/entries/{entry['id']}").json()
        assert told["explanation"]["lines"] == receipt["explain"]
        assert [line["label"] for line in told["explanation"]["lines"]][1] == "Double points"
        assert [(lot["points_change"], lot["expires_on"] is not None) for lot in told["lots"]] == [
            (50, True),
            (50, True),
        ]

    @pytest.mark.parametrize("entry", ["ent_999", "ent_x", "ent_", "ent_1234567890123456789", "mem_1", "1"])
    def test_no_entry_is_not_found(self, me: Caller, entry: str) -> None:
        assert problem_of(me.get(f"/me/points/entries/{entry}")) == (404, "not_found")


class TestTier:
    def test_says_what_is_missing(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member, "120.00")
        told = me.get("/me/tier").json()
        assert told["credits"] == 120
        assert told["credits_to_next"] == told["next_tier_credits"] - 120
        assert told["valid_until"] is None

    def test_a_rise_is_valid_to_the_end_of_a_month(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        receipt = buys(member, "6000.00")
        told = me.get("/me/tier").json()
        assert receipt["tier_change"]["to"]["code"] == told["tier"]["code"] != "member"
        assert told["valid_until_on"] == told["valid_until"][:10]
        assert told["keep_credits"] > 0


class TestCatalogue:
    def test_shows_what_is_on_the_shelf(self) -> None:
        make_reward(sort_order=2)
        make_reward(sort_order=1)
        make_reward(valid_to=now() - timedelta(hours=1))
        make_reward(valid_from=now() + timedelta(hours=1))
        names = [reward["name"] for reward in Caller().get("/rewards").json()["items"]]
        assert names == ["Ten off 1", "Ten off 0"]

    def test_pages_run_along_the_shelf(self) -> None:
        for order in (3, 1, 1, 2):
            make_reward(sort_order=order)
        caller, names = Caller(), []
        cursor: str | None = ""
        while cursor is not None:
            page = caller.get(f"/rewards?limit=1&cursor={cursor}").json()
            names += [reward["name"] for reward in page["items"]]
            cursor = page["next"]
        assert names == ["Ten off 1", "Ten off 2", "Ten off 3", "Ten off 0"]

    def test_tells_a_member_what_they_can_afford(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        reward = make_reward(price_points=60)
        buys(member)
        anybody, mine = Caller().get(f"/rewards/{ref(reward)}"), me.get(f"/rewards/{ref(reward)}")
        assert (anybody.json()["affordable"], anybody.json()["missing_points"]) == (None, None)
        assert (mine.json()["affordable"], mine.json()["missing_points"]) == (False, 10)
        assert anybody.headers["Cache-Control"] == "public, max-age=60"
        assert mine.headers["Cache-Control"] == "no-store"
        assert "Authorization" in mine.headers["Vary"]
        assert "Accept-Language" in mine.headers["Vary"]

    def test_can_be_narrowed_by_price(self) -> None:
        make_reward(price_points=10)
        make_reward(price_points=500)
        assert [one["price_points"] for one in Caller().get("/rewards?max_points=100").json()["items"]] == [10]
        for bad in ("x", "0", "-1", "1e30", "NaN"):
            assert problem_of(Caller().get(f"/rewards?max_points={bad}")) == (400, "validation_error")

    def test_what_is_not_on_the_shelf_is_not_found(self) -> None:
        gone = make_reward(valid_to=now() - timedelta(hours=1))
        for name in (ref(gone), "rwd_" + "0" * 26, "rwd_x", "x"):
            assert problem_of(Caller().get(f"/rewards/{name}")) == (404, "not_found")

    def test_a_known_page_is_not_sent_again(self) -> None:
        reward = make_reward()
        caller = Caller()
        first = caller.get("/rewards")
        assert caller.get("/rewards", if_none_match=first.headers["ETag"]).status_code == 304
        reward.stock = 2
        reward.save()
        assert caller.get("/rewards", if_none_match=first.headers["ETag"]).status_code == 200


class TestRedeeming:
    def test_takes_points_and_gives_a_voucher(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        reward = make_reward()
        buys(member)
        answer = me.post("/me/redemptions", {"reward": ref(reward)}, key="k1")
        assert answer.status_code == 201, answer.content
        receipt = answer.json()
        assert (receipt["points"], receipt["points_available"], receipt["already_processed"]) == (40, 10, False)
        assert receipt["voucher"]["state"] == "issued"
        voucher = me.get(f"/me/vouchers/{receipt['voucher']['id']}").json()
        assert len(voucher["code"]) == 19
        assert voucher["code"] not in str(IdempotentAnswer.objects.get(route="POST /me/redemptions").answer)
        assert me.get(f"/me/redemptions/{receipt['id']}").json()["voucher"]["id"] == voucher["id"]
        assert [one["id"] for one in me.get("/me/redemptions").json()["items"]] == [receipt["id"]]
        assert [one["id"] for one in me.get("/me/vouchers?state=issued").json()["items"]] == [voucher["id"]]
        assert me.get("/me/vouchers?state=used").json()["items"] == []

    def test_a_repeat_redeems_once(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        reward = make_reward()
        buys(member, "100.00")
        first = me.post("/me/redemptions", {"reward": ref(reward)}, key="k1")
        again = sign_in(member).post("/me/redemptions", {"reward": ref(reward)}, key="k1")
        assert again.json() == first.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        assert Redemption.objects.count() == 1

    def test_a_late_repeat_is_answered_from_the_fact(
        self, me: Caller, member: Member, buys: Callable[..., Any]
    ) -> None:
        reward = make_reward()
        buys(member, "100.00")
        first = me.post("/me/redemptions", {"reward": ref(reward)}, key="k1").json()
        IdempotentAnswer.objects.all().delete()
        late = me.post("/me/redemptions", {"reward": ref(reward)}, key="k1")
        assert (late.status_code, late.json()) == (200, first | {"already_processed": True})
        assert Redemption.objects.count() == 1

    def test_too_few_points_are_told_with_figures(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        reward = make_reward(price_points=60)
        buys(member)
        answer = me.post("/me/redemptions", {"reward": ref(reward)}, key="k1")
        assert problem_of(answer) == (409, "insufficient_points")
        assert (answer.json()["required"], answer.json()["available"]) == (60, 50)
        assert not Voucher.objects.exists()
        assert LedgerEntry.objects.count() == 1

    def test_refusals_have_names(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member, "500.00")
        none_left, once = make_reward(stock=0), make_reward(per_member_limit=1)
        assert problem_of(me.post("/me/redemptions", {"reward": ref(none_left)}, key="a")) == (409, "out_of_stock")
        assert me.post("/me/redemptions", {"reward": ref(once)}, key="b").status_code == 201
        assert problem_of(me.post("/me/redemptions", {"reward": ref(once)}, key="c")) == (409, "cap_reached")
        assert problem_of(me.post("/me/redemptions", {"reward": "rwd_" + "0" * 26}, key="d"))[0] == 404
        assert problem_of(me.post("/me/redemptions", {"reward": "x"}, key="e")) == (400, "validation_error")
        assert problem_of(me.post("/me/redemptions", {"reward": ref(once)})) == (400, "idempotency_key_missing")
        assert Redemption.objects.count() == 1

    def test_a_used_voucher_shows_where_and_no_code(
        self, me: Caller, member: Member, till: Till, buys: Callable[..., Any]
    ) -> None:
        buys(member)
        voucher = me.post("/me/redemptions", {"reward": ref(make_reward())}, key="k").json()["voucher"]
        code = me.get(f"/me/vouchers/{voucher['id']}").json()["code"]
        used = till.post(
            "/pos/vouchers/redeem", {"code": code, "external_order_no": "T9", "spend_amount": "40.00"}, key="u"
        )
        assert used.status_code == 200
        told = me.get(f"/me/vouchers/{voucher['id']}").json()
        assert (told["state"], told["code"], told["use"]["external_order_no"]) == ("used", None, "T9")
        assert told["use"]["store"]["code"] == "S01"

    def test_past_its_end_a_voucher_is_expired_before_the_task_says_so(
        self, me: Caller, member: Member, buys: Callable[..., Any]
    ) -> None:
        buys(member)
        voucher = me.post("/me/redemptions", {"reward": ref(make_reward())}, key="k").json()["voucher"]
        Voucher.objects.update(
            issued_at=now() - timedelta(days=41),
            valid_from=now() - timedelta(days=40),
            expires_at=now() - timedelta(days=10),
        )
        told = me.get(f"/me/vouchers/{voucher['id']}").json()
        assert (told["state"], told["code"]) == ("expired", None)
        assert len(me.get("/me/vouchers?state=expired").json()["items"]) == 1
        assert me.get("/me/vouchers?state=issued").json()["items"] == []


MINE = ["/me/summary", "/me/points", "/me/points/entries", "/me/tier", "/me/redemptions", "/me/vouchers"]


class TestWhoMayCall:
    @pytest.mark.parametrize("path", [*MINE, "/me/points/entries/ent_1", "/me/redemptions/rdm_x", "/me/vouchers/vch_x"])
    def test_only_members(self, path: str, till: Till) -> None:
        anonymous = Caller().get(path)
        assert problem_of(anonymous) == (401, "authentication_required")
        assert anonymous.headers["WWW-Authenticate"].startswith("Bearer")
        assert problem_of(till.get(path)) == (403, "insufficient_scope")

    @pytest.mark.parametrize("path", MINE)
    def test_nothing_of_it_is_kept_by_caches(self, me: Caller, path: str) -> None:
        assert me.get(path).headers["Cache-Control"] == "no-store"

    def test_nothing_of_another_member_can_be_seen(self, me: Caller, member: Member, buys: Callable[..., Any]) -> None:
        buys(member)
        redemption = me.post("/me/redemptions", {"reward": ref(make_reward())}, key="k").json()
        other = make_member(phone="13900139000")
        stranger = sign_in(other)
        for path in (
            f"/me/redemptions/{redemption['id']}",
            f"/me/vouchers/{redemption['voucher']['id']}",
            "/me/points/entries/ent_1",
        ):
            assert me.get(path).status_code == 200
            assert problem_of(stranger.get(path)) == (404, "not_found")
        for path in ("/me/points/entries", "/me/redemptions", "/me/vouchers"):
            assert stranger.get(path).json()["items"] == []
        assert stranger.get("/me/points").json()["available"] == 0
        spent = stranger.post("/me/redemptions", {"reward": redemption["reward"]["id"]}, key="k")
        assert problem_of(spent) == (409, "insufficient_points")

    def test_a_frozen_member_is_out_at_once(self, me: Caller, member: Member) -> None:
        freeze_member(
            member_id=member.pk, reason="lost phone", release_at=now() + timedelta(days=1), by=SYSTEM, at=now()
        )
        assert problem_of(me.get("/me/summary")) == (403, "member_frozen")
