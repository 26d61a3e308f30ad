"""The catalogue, the wish list and orders of rewards over HTTP."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from loyalty.models import Tier
from loyalty.pictures import PictureNotUnderstood, PictureOfWrongSize
from members.actors import SYSTEM
from members.decisions import record_decision
from members.identifiers import QUOTE, REWARD, STORE, public_ref
from members.models import Decision, IdempotentAnswer, Member
from rewards.models import FlashSale, Redemption, RedemptionState, Reward, RewardCategory, RewardPicture, RewardPrice
from rewards.services.digital_codes import add_codes
from rewards.services.fulfilment import move_redemption
from rewards.services.reward_images import drawn_picture, save_reward_picture
from tests.factories.api import Caller, Till, make_member, make_store, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ADDRESS = {"name": "张小丰", "phone": "13800138000", "lines": ["上海市黄浦区", "南京东路 1 号"]}


@pytest.fixture
def member() -> Member:
    found = make_member(full_name="张小丰", phone="13800138000")
    give_points(found, 100, moment=now() - DAY)
    return found


@pytest.fixture
def me(member: Member) -> Caller:
    return sign_in(member)


@pytest.fixture
def till() -> Till:
    return make_till()


def a_gift(price_points: int = 30, **more: Any) -> Reward:
    values = {
        "kind": "gift",
        "template": None,
        "by_post": True,
        "in_store": True,
        "name": "Mug",
        "cash_amount": Decimal("9.90"),
    }
    return Reward.objects.get(pk=a_reward(price_points, **{**values, **more}).pk)


def ref(reward: Reward) -> str:
    return public_ref(REWARD, reward.public_id)


def a_picture(width: int = 800, height: int = 400, kind: str = "PNG") -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (width, height), (200, 30, 40)).save(drawn, kind)
    return drawn.getvalue()


class TestTheCatalogue:
    """The catalogue …"""

    def test_tells_everybody_and_a_member_more(self, me: Caller) -> None:
        highest = Tier.objects.order_by("-rank").first()
        category = RewardCategory.objects.create(code="home", name="Home")
        gift = a_gift(130, category=category, stock=3, least_tier=highest)
        FlashSale.objects.create(reward=gift, price_points=120, cash_amount=5, starts_at=now(), ends_at=now() + DAY)
        RewardPrice.objects.create(
            reward=gift, price_points=150, announced_at=now(), valid_from=now() + DAY, reason="dearer"
        )
        told = Caller().get(f"/rewards/{ref(gift)}").json()
        assert (told["price_points"], told["list_price_points"], told["cash_amount"]) == (120, 130, "5.00")
        assert (told["kind"], told["delivery"], told["stock_left"], told["voucher"]) == (
            "gift",
            ["post", "store"],
            3,
            None,
        )
        assert (told["affordable"], told["eligible"], told["wished"], told["reasons"]) == (None, None, None, [])
        assert told["next_price"]["price_points"] == 150
        mine = me.get(f"/rewards/{ref(gift)}").json()
        assert (mine["affordable"], mine["missing_points"], mine["eligible"]) == (False, 20, False)
        assert [one["code"] for one in mine["reasons"]] == ["tier_too_low"]
        assert highest is not None
        assert highest.name in mine["reasons"][0]["detail"]

    def test_is_filtered_by_category_kind_and_the_price_of_now(self) -> None:
        category = RewardCategory.objects.create(code="home", name="Home")
        gift, voucher = a_gift(90, category=category), a_reward(50)
        FlashSale.objects.create(reward=gift, price_points=40, starts_at=now(), ends_at=now() + DAY)
        RewardPrice.objects.create(
            reward=voucher, price_points=70, announced_at=now() - DAY, valid_from=now() - DAY, reason="dearer"
        )
        found = {
            query: [one["id"] for one in Caller().get(f"/rewards?{query}").json()["items"]]
            for query in ("category=home", "kind=voucher", "max_points=60", "max_points=70")
        }
        assert found == {
            "category=home": [ref(gift)], "kind=voucher": [ref(voucher)], "max_points=60": [ref(gift)],
            "max_points=70": [ref(gift), ref(voucher)],
        }  # fmt: skip
        assert problem_of(Caller().get("/rewards?kind=car"))[0] == 400

    def test_is_told_in_a_bounded_number_of_queries(self, me: Caller, django_assert_max_num_queries: Any) -> None:
        for _ in range(12):
            a_gift(per_member_limit=2, active_days=9)
        with django_assert_max_num_queries(22):
            assert len(me.get("/rewards").json()["items"]) == 12

    def test_is_known_by_its_etag(self) -> None:
        a_gift()
        first = Caller().get("/rewards")
        assert first.headers["Cache-Control"] == "public, max-age=60"
        assert Caller().get("/rewards", if_none_match=first.headers["ETag"]).status_code == 304


class TestPictures:
    """A picture of a reward …"""

    def test_is_drawn_anew_in_three_sizes(self) -> None:
        gift = a_gift()
        uploaded = a_picture()
        save_reward_picture(reward_id=gift.pk, content=uploaded, alt={"en": "A mug"}, at=now())
        (image,) = Caller().get(f"/rewards/{ref(gift)}").json()["images"]
        assert (image["alt"], image["colour"]) == ("A mug", "#c81e28")
        assert [(one["width"], one["height"]) for one in image["variants"]] == [(200, 100), (600, 300), (800, 400)]
        answer = Client().get(image["variants"][0]["path"])
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
        assert "immutable" in answer.headers["Cache-Control"]
        with Image.open(BytesIO(answer.content)) as drawn:
            assert (drawn.format, drawn.size) == ("WEBP", (200, 100))
        assert uploaded not in [bytes(one.content) for one in RewardPicture.objects.all()]
        assert Client().get(f"/rewards/pictures/{'0' * 64}.webp").status_code == 404

    @pytest.mark.parametrize(
        ("content", "refusal"), [(b"<svg/>", PictureNotUnderstood), (a_picture(100, 400), PictureOfWrongSize)]
    )
    def test_is_a_picture(self, content: bytes, refusal: type[Exception]) -> None:
        with pytest.raises(refusal):
            drawn_picture(content)


class TestWishes:
    """A wish list …"""

    def test_holds_each_reward_once_and_is_its_members(self, me: Caller, member: Member) -> None:
        gift = a_gift()
        for _ in range(2):
            assert me.put(f"/me/wishes/{ref(gift)}", {}).status_code == 204
        (wish,) = me.get("/me/wishes").json()["items"]
        assert (wish["reward"]["id"], wish["reward"]["wished"], wish["on_shelf"]) == (ref(gift), True, True)
        assert sign_in(make_member(phone="13800138009")).get("/me/wishes").json()["items"] == []
        for _ in range(2):
            assert delete(me, f"/me/wishes/{ref(gift)}").status_code == 204
        assert me.get("/me/wishes").json()["items"] == []
        assert problem_of(me.put("/me/wishes/rwd_" + "0" * 26, {}))[0] == 404


class TestOrders:
    """An order over HTTP …"""

    def test_goes_from_quote_to_parcel(self, me: Caller) -> None:
        gift = a_gift(stock=2)
        quote = me.post("/me/redemptions/quote", {"reward": ref(gift)}).json()
        assert (quote["price_points"], quote["cash_amount"], quote["can_redeem"]) == (30, "9.90", True)
        assert Decision.objects.get(kind="quote").code == "reward_quote"
        body = {"quote": quote["quote_id"], "delivery": "post", "address": ADDRESS}
        placed = me.post("/me/redemptions", body, key="k")
        assert placed.status_code == 201, placed.content
        order = placed.json()
        assert (order["state"], order["points_available"], order["cancellable"]) == ("placed", 70, True)
        assert "13800138000" not in str(IdempotentAnswer.objects.get().answer)
        again = me.post("/me/redemptions", body, key="k")
        assert (again.json(), again.headers["Idempotency-Replayed"]) == (order, "true")
        kept = Redemption.objects.get()
        move_redemption(
            redemption_id=kept.pk,
            to_state=RedemptionState.SHIPPED,
            by=SYSTEM,
            at=now(),
            carrier="SF",
            tracking_no="SF1",
        )
        told = me.get(f"/me/redemptions/{order['id']}").json()
        assert (told["state"], told["carrier"], told["tracking_no"], told["pickup_code"]) == (
            "shipped",
            "SF",
            "SF1",
            None,
        )
        assert told["address"]["lines"] == ADDRESS["lines"]
        late = me.post(f"/me/redemptions/{order['id']}/cancel", {}, key="c")
        assert problem_of(late) == (409, "not_cancellable")

    def test_at_another_price_than_quoted_gets_a_new_quote(self, me: Caller) -> None:
        gift = a_gift()
        quote = me.post("/me/redemptions/quote", {"reward": ref(gift)}).json()
        Reward.objects.update(price_points=35)
        body = {"quote": quote["quote_id"], "delivery": "post", "address": ADDRESS}
        refused = me.post("/me/redemptions", body, key="k")
        assert problem_of(refused) == (409, "price_changed")
        fresh = refused.json()["quote"]
        assert (fresh["price_points"], refused.json()["price_points"]) == (35, 35)
        assert not Redemption.objects.exists()
        body["quote"] = fresh["quote_id"]
        assert me.post("/me/redemptions", body, key="k").json()["points"] == 35

    def test_needs_a_quote_that_lives_and_is_its_own(self, me: Caller, member: Member) -> None:
        quote = me.post("/me/redemptions/quote", {"reward": ref(a_reward())}).json()["quote_id"]
        other = make_member(phone="13800138009")
        give_points(other, 100, moment=now() - DAY)
        assert problem_of(sign_in(other).post("/me/redemptions", {"quote": quote}, key="k")) == (409, "quote_expired")
        trace = {**Decision.objects.get(kind="quote").trace, "until": (now() - DAY).isoformat()}
        old = record_decision(
            kind="quote", member_id=member.pk, subject="reward", code="reward_quote", trace=trace, by=SYSTEM, at=now()
        )
        refused = me.post("/me/redemptions", {"quote": public_ref(QUOTE, old)}, key="k")
        assert problem_of(refused) == (409, "quote_expired")

    def test_is_cancelled_once_by_its_member_alone(self, me: Caller, member: Member) -> None:
        order = me.post("/me/redemptions", {"reward": ref(a_reward(40))}, key="k").json()
        other = sign_in(make_member(phone="13800138009"))
        for path in (f"/me/redemptions/{order['id']}/cancel",):
            assert problem_of(other.post(path, {}, key="c"))[0] == 404
        assert problem_of(other.get(f"/me/redemptions/{order['id']}"))[0] == 404
        for key in ("c", "c", "d"):
            answer = me.post(f"/me/redemptions/{order['id']}/cancel", {}, key=key).json()
            assert (answer["state"], answer["voucher"]["state"]) == ("cancelled", "voided")
        assert me.get("/me/points").json()["available"] == 100

    def test_of_a_digital_code_shows_it_to_its_member_only(self, me: Caller) -> None:
        reward = a_reward(kind="digital", template=None)
        add_codes(reward_id=reward.pk, codes=["NETFLIX-1"], by=SYSTEM, at=now() - DAY)
        placed = me.post("/me/redemptions", {"reward": ref(Reward.objects.get(pk=reward.pk))}, key="k")
        assert b"NETFLIX" not in placed.content
        assert me.get(f"/me/redemptions/{placed.json()['id']}").json()["digital_code"] == "NETFLIX-1"
        assert b"NETFLIX" not in me.get("/me/redemptions").content

    def test_writes_no_field_of_the_servers(self, me: Caller) -> None:
        for name in ("state", "points", "price_points", "member", "stock"):
            answer = me.post("/me/redemptions", {"reward": ref(a_reward()), name: "1"}, key=name)
            assert problem_of(answer) == (400, "validation_error")
        assert not Redemption.objects.exists()


class TestPickups:
    """A pick-up at the till …"""

    def test_is_completed_once_in_the_store_of_the_key(self, me: Caller, till: Till) -> None:
        store = make_store()
        body = {"reward": ref(a_gift()), "delivery": "store", "store": public_ref(STORE, store.public_id)}
        order = me.post("/me/redemptions", body, key="k").json()
        assert order["store"]["code"] == "S01"
        code = me.get(f"/me/redemptions/{order['id']}").json()["pickup_code"]
        path = f"/pos/pickups/{code}/complete"
        assert problem_of(till.post(path, {}, key="a")) == (409, "pickup_not_ready")
        move_redemption(redemption_id=Redemption.objects.get().pk, to_state=RedemptionState.READY, by=SYSTEM, at=now())
        elsewhere = make_till(make_store("S02"), source="till-2")
        assert problem_of(elsewhere.post(path, {}, key="a")) == (409, "wrong_store")
        assert problem_of(till.post(path, {"store": "S02"}, key="a")) == (403, "wrong_store")
        assert problem_of(till.post("/pos/pickups/0000-0000-0000-0000/complete", {}, key="a")) == (
            404,
            "pickup_not_found",
        )
        done = till.post(path, {"store": "S01"}, key="b").json()
        assert (done["state"], done["cash_amount"], done["already_processed"]) == ("done", "9.90", False)
        assert till.post(path, {}, key="c").json()["already_processed"] is True
        assert me.get(f"/me/redemptions/{order['id']}").json()["pickup_code"] is None

    def test_needs_the_scope(self, me: Caller) -> None:
        till = make_till(scopes=["orders.write"])
        answer = till.post("/pos/pickups/0000-0000-0000-0000/complete", {}, key="a")
        assert problem_of(answer) == (403, "insufficient_scope")


def delete(caller: Caller, path: str) -> Any:
    """DELETE a path under /api/v1."""
    return caller.client.delete(f"/api/v1{path}", headers={"authorization": f"Bearer {caller.secret}"})
