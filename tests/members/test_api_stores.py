"""Stores over HTTP: open ones, the nearest first, read again only when something changed."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.models import Brand, Store
from tests.factories.api import Caller, make_store, problem_of
from tests.factories.portal import signed_in

pytestmark = pytest.mark.django_db
# People's Square; the Bund; Jing'an Temple; Hangzhou.
HERE = "31.23042,121.47370"
PLACES = {
    "S-JINGAN": ("31.22352", "121.44591"),
    "S-BUND": ("31.23993", "121.49056"),
    "S-HANGZHOU": ("30.25741", "120.16352"),
}
QUERIES = 2


@pytest.fixture
def stores() -> dict[str, Store]:
    for code, (latitude, longitude) in PLACES.items():
        store = make_store(code)
        Store.objects.filter(pk=store.pk).update(latitude=latitude, longitude=longitude, city=code[2:5])
    make_store("S-NOWHERE")
    Store.objects.filter(pk=make_store("S-CLOSED").pk).update(is_open=False, latitude="31.23", longitude="121.47")
    return {store.code: store for store in Store.objects.all()}


def listed(query: str = "", **headers: str) -> list[dict[str, Any]]:
    answer = Caller().get(f"/stores{query}", **headers)
    assert answer.status_code == 200, answer.content
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def codes(query: str = "") -> list[str]:
    return [one["code"] for one in listed(query)]


class TestStores:
    def test_near_come_with_their_distance_the_nearest_first(self, stores: dict[str, Store]) -> None:
        found = listed(f"?near={HERE}")
        assert [one["code"] for one in found] == ["S-BUND", "S-JINGAN", "S-HANGZHOU"]
        # By the haversine on a sphere of 6,371 km, worked out by hand.
        assert [one["distance_metres"] for one in found] == [
            pytest.approx(1917, abs=3), pytest.approx(2751, abs=3), pytest.approx(165_500, rel=0.01),
        ]  # fmt: skip
        assert (found[0]["latitude"], found[0]["brand"]["code"], found[0]["city"]) == (31.23993, "house", "BUN")

    def test_without_a_place_are_all_that_are_open(self, stores: dict[str, Store]) -> None:
        found = listed()
        assert {one["code"] for one in found} == {"S-BUND", "S-JINGAN", "S-HANGZHOU", "S-NOWHERE"}
        assert {one["distance_metres"] for one in found} == {None}

    @pytest.mark.parametrize("near", ["", f"near={HERE}&"])
    def test_come_in_pages_in_few_queries(self, stores: dict[str, Store], near: str) -> None:
        everything = codes(f"?{near}")
        with CaptureQueriesContext(connection) as queries:
            first = Caller().get(f"/stores?{near}limit=2").json()
        assert len(queries) <= QUERIES, [query["sql"] for query in queries]
        rest = Caller().get(f"/stores?{near}limit=2&cursor={first['next']}").json()
        assert [one["code"] for one in first["items"] + rest["items"]] == everything
        assert rest["next"] is None

    def test_can_be_narrowed_by_brand_and_city(self, stores: dict[str, Store]) -> None:
        other = Brand.objects.create(code="other", name="Other")
        Store.objects.filter(code="S-BUND").update(brand=other)
        assert codes("?brand=other") == ["S-BUND"]
        assert codes(f"?near={HERE}&city=HAN") == ["S-HANGZHOU"]
        assert codes("?brand=nobody") == []

    def test_speak_the_language_that_is_asked_for(self, stores: dict[str, Store]) -> None:
        Store.objects.filter(code="S-BUND").update(
            street_zh_hans="外滩1号", street_en="1 The Bund", opening_hours_en="Daily 8-20"
        )
        (english,) = [one for one in listed(f"?near={HERE}") if one["code"] == "S-BUND"]
        assert (english["address"], english["opening_hours"]) == ("1 The Bund", "Daily 8-20")
        answer = Caller(language="zh-CN").get(f"/stores?near={HERE}&limit=1")
        assert answer.json()["items"][0]["address"] == "外滩1号"

    def test_are_sent_again_only_when_something_changed(self, stores: dict[str, Store]) -> None:
        first = Caller().get("/stores")
        assert first.headers["Cache-Control"] == "public, max-age=300"
        known = {"if_none_match": first.headers["ETag"]}
        assert Caller().get("/stores", **known).status_code == 304
        Store.objects.filter(code="S-BUND").update(street_en="Elsewhere")
        assert Caller().get("/stores", **known).status_code == 200

    @pytest.mark.parametrize(
        "query",
        ["near=here", "near=91,0", "near=0,181", "near=nan,0", "near=1", "near=1,2,3", "near=", "near=1e400,0", "limit=0",
         "cursor=x", "brand=%00"],
    )  # fmt: skip
    def test_refuse_what_can_not_be_read(self, query: str) -> None:
        answer = Caller().get(f"/stores?{query}")
        assert problem_of(answer) == (400, "validation_error")
        assert {error["parameter"] for error in answer.json()["errors"]} == {query.partition("=")[0]}

    def test_at_the_other_side_of_the_world_are_far(self, stores: dict[str, Store]) -> None:
        Store.objects.filter(code="S-BUND").update(latitude="0", longitude="0")
        assert listed("?near=0,180&limit=10")[-1]["distance_metres"] == pytest.approx(20_015_087, abs=2)


class TestTheStorePage:
    def test_offers_where_it_lies_and_refuses_half_a_place(self, stores: dict[str, Store]) -> None:
        staff, store = signed_in(superuser=True), stores["S-NOWHERE"]
        page = reverse("admin:members_store_change", args=[store.pk])
        form = staff.get(page).context["adminform"].form
        assert {"latitude", "longitude", "street_en", "opening_hours_zh_hans"} <= form.fields.keys()
        filled = {name: form.get_initial_for_field(field, name) or "" for name, field in form.fields.items()}
        filled |= {"is_open": "on", "name_zh_hans": "店", "name_zh_hant": "店", "name_en": "Shop"}
        half = staff.post(page, filled | {"latitude": "31.2"})
        assert "or neither" in half.text
        whole = staff.post(page, filled | {"latitude": "31.2", "longitude": "121.4", "street_en": "Here"})
        assert whole.status_code == 302, whole.text
        store.refresh_from_db()
        assert (float(store.latitude or 0), float(store.longitude or 0)) == (31.2, 121.4)
        assert Store.objects.filter(pk=store.pk, street_en="Here").exists()

    def test_the_database_refuses_half_a_place(self, stores: dict[str, Store]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            Store.objects.filter(code="S-NOWHERE").update(latitude="31.2")
