"""Badges, titles and the growth map to members."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from loyalty.models import MemberTitle
from loyalty.services.badges import award_by_hand
from loyalty.unlocks import register_benefits
from tests.factories.api import Caller, make_member, problem_of, sign_in
from tests.factories.identity import a_badge, a_stage, a_task, did, does
from tests.loyalty.test_badges import STAFF


@pytest.mark.django_db
class TestBadges:
    def test_show_what_is_held_what_is_open_and_the_title(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        at = timezone.now() - timedelta(hours=1)
        member = make_member()
        badge = a_badge(
            at=at, name="Regular", title="Regular guest", text="Ten orders", colour="#112233", icon="local_cafe"
        )
        a_badge(did("review", 5), at=at, name="Critic")
        a_badge(at=at, name="Off", is_on=False)
        award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="x", by=STAFF, at=at)
        caller = sign_in(member)
        with django_assert_max_num_queries(10):
            body = caller.get("/me/badges").json()
        assert body["title"] == {"badge": "regular", "title": "Regular guest"}
        (held,) = body["held"]
        assert held.pop("held_since")
        assert held == {
            "code": "regular", "label": "Regular", "text": "Ten orders", "icon": "local_cafe", "colour": "#112233", "title": "Regular guest"
        }  # fmt: skip
        assert [(one["code"], one["held_since"]) for one in body["open"]] == [("critic", None)]

    def test_lend_a_title_that_the_member_chooses(self) -> None:
        at = timezone.now() - timedelta(hours=1)
        member = make_member()
        for name in ("One", "Two"):
            badge = a_badge(at=at, name=name, title=name)
            award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="x", by=STAFF, at=at)
        caller = sign_in(member)
        assert caller.get("/me/badges").json()["title"]["title"] == "Two"
        for _repeat in range(2):
            assert caller.put("/me/title", {"badge": "one"}).json()["title"]["title"] == "One"
        assert caller.put("/me/title", {"badge": None}).json()["title"] is None
        assert problem_of(caller.put("/me/title", {"badge": "other"})) == (422, "title_not_held")
        assert problem_of(caller.put("/me/title", {}))[0] == 400
        assert MemberTitle.objects.get().badge is None


@pytest.mark.django_db
class TestTheGrowthMap:
    def test_says_where_one_is_what_to_do_and_what_it_unlocks(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        at = timezone.now() - timedelta(hours=1)
        register_benefits(coffee)
        member = make_member()
        begun, further = a_stage(10, at=at, name="New"), a_stage(20, did("review", 2), at=at, name="Growing")
        a_task(
            begun, did("check_in", 4), at=at, name="Drop by", badge=a_badge(at=at, name="Star"), benefit_code="coffee"
        )
        a_task(begun, did("review", 1), at=at, name="Say something", order=1)
        a_task(further, did("check_in", 9), at=at, name="Later")
        does(member, "check_in", at)
        does(member, "review", at)
        caller = sign_in(member)
        with django_assert_max_num_queries(14):
            body = caller.get("/me/growth").json()
        assert (body["stage"], [stage["is_reached"] for stage in body["stages"]]) == ("new", [True, False])
        drop_by, said = body["stages"][0]["tasks"]
        (step,) = drop_by["steps"]
        assert (step["current"], step["needed"], step["percent"], step["found"]) == ("1", "4", 25, "1 time")
        assert drop_by["unlocks"] == [
            {"kind": "badge", "code": "star", "label": "Star"}, {"kind": "benefit", "code": "coffee", "label": "A free coffee"}
        ]  # fmt: skip
        assert (drop_by["is_done"], said["is_done"], said["steps"]) == (False, True, [])
        assert said["done_at"]
        assert body["stages"][1]["tasks"][0]["steps"] == []

    def test_is_empty_without_stages(self) -> None:
        body = sign_in(make_member()).get("/me/growth").json()
        assert (body["stage"], body["stages"]) == (None, [])

    def test_is_for_members(self) -> None:
        for path in ("/me/growth", "/me/badges"):
            assert problem_of(Caller().get(path))[0] == 401
        assert problem_of(Caller().put("/me/title", {"badge": None}))[0] == 401


def coffee(only: object) -> dict[str, str]:
    return {"coffee": "A free coffee"}
