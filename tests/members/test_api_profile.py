"""GET and PATCH /me, preferences, leaving, and members told by other systems."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import translation
from django.utils.formats import date_format

from campaigns.channels.sms import MemorySms
from members.actors import SYSTEM
from members.admin.timeline import tell
from members.freeze_words import words_of_freeze
from members.identifiers import REWARD, public_ref
from members.models import (
    AttributeValue,
    Closure,
    Identity,
    Member,
    MemberFreeze,
    MemberPerson,
    MemberPreference,
    Region,
    TimelineEntry,
)
from members.queries import cooling_until, forget_programme, programme
from members.services.keys import MEMBERS_READ, MEMBERS_WRITE, ORDERS_WRITE
from members.services.status import freeze_member
from members.services.tokens import begin_session
from tests.factories.api import API, Caller, make_member, make_store, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_reward
from tests.members.test_cards import a_batch, bind
from tests.members.test_profiles import an_attribute

pytestmark = pytest.mark.django_db


def send(caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Send JSON by any method."""
    return getattr(caller.client, method)(
        f"{API}{path}", json.dumps(body), content_type="application/json", headers=caller._headers(headers)
    )


@pytest.fixture
def member() -> Member:
    forget_programme()
    return make_member(full_name="张三丰", phone="13800138000")


@pytest.fixture
def caller(member: Member) -> Caller:
    return sign_in(member)


def a_freeze(member: Member, *acts: Member.Act) -> MemberFreeze:
    at = now()
    reason, until = "velocity", at + timedelta(days=9)
    return freeze_member(member_id=member.pk, reason=reason, acts=acts, release_at=until, by=SYSTEM, at=at)


def a_reward_ref() -> str:
    return public_ref(REWARD, a_reward(30).public_id)


def etag_of(caller: Caller, path: str = "/me") -> str:
    return str(caller.get(path).headers["ETag"])


class TestMyProfile:
    def test_tells_who_i_am_and_what_is_asked(self, member: Member, caller: Caller) -> None:
        an_attribute("choice", counts=True)
        store = make_store()
        Member.objects.filter(pk=member.pk).update(
            home_store=store, home_region=Region.objects.create(code="n", name="N")
        )
        answer = caller.get("/me")
        body = answer.json()
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert (body["name"], body["phone"], body["home_store"]["code"], body["home_region"]["code"]) == (
            "张三丰", "+8613800138000", "S01", "n",
        )  # fmt: skip
        assert body["details"][0]["answers"][0] == {"code": "tea", "label": "Tea"}
        assert body["details"][0]["value"] is None
        assert body["completeness"]["percent"] == 50

    def test_changes_what_is_named_and_gives_a_new_etag(self, member: Member, caller: Caller) -> None:
        an_attribute("choices")
        before = etag_of(caller)
        ref = caller.get("/me").json()["id"]
        body = {
            "name": "张小丰", "email": "zhang@example.com", "birthday": "1990-05-01", "language": "en",
            "home_store": None, "details": {"thing": ["water", "tea"]},
        }  # fmt: skip
        answer = send(caller, "patch", "/me", body, if_match=before)
        assert answer.status_code == 200, answer.json()
        told = answer.json()
        assert (told["id"], told["name"], told["email"], told["birthday"], told["language"]) == (
            ref, "张小丰", "zhang@example.com", "1990-05-01", "en",
        )  # fmt: skip
        assert told["details"][0]["value"] == ["tea", "water"]
        assert answer.headers["ETag"] != before
        assert answer.headers["ETag"] == etag_of(caller)

    def test_needs_if_match_and_refuses_a_stale_one(self, member: Member, caller: Caller) -> None:
        assert problem_of(send(caller, "patch", "/me", {"name": "A"})) == (428, "precondition_required")
        etag = etag_of(caller)
        assert send(caller, "patch", "/me", {"name": "A"}, if_match=etag).status_code == 200
        for stale in (etag, 'W/"1-0000000000000000"', '"x"', "1"):
            assert problem_of(send(caller, "patch", "/me", {"name": "B"}, if_match=stale)) == (
                412,
                "precondition_failed",
            )
        assert MemberPerson.objects.get(pk=member.pk).full_name == "A"
        assert send(caller, "patch", "/me", {"name": "C"}, if_match="*").status_code == 200

    def test_an_etag_in_another_language_names_the_same_version(self, caller: Caller) -> None:
        etag = caller.get("/me", accept_language="zh-Hans").headers["ETag"]
        assert etag != etag_of(caller)
        assert send(caller, "patch", "/me", {"name": "A"}, if_match=etag).status_code == 200

    def test_the_birthday_changes_once_a_year(self, member: Member, caller: Caller) -> None:
        for birthday in ("1990-05-01", "1990-05-02"):
            assert send(caller, "patch", "/me", {"birthday": birthday}, if_match="*").status_code == 200
        answer = send(caller, "patch", "/me", {"birthday": "1990-05-03"}, if_match="*")
        assert problem_of(answer) == (409, "birthday_locked")
        assert answer.json()["day"] == caller.get("/me").json()["birthday_locked_until"]
        assert MemberPerson.objects.get(pk=member.pk).birthday.isoformat() == "1990-05-02"  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"phone": "13900139000"}, 400, "validation_error"), ({"status": "closed"}, 400, "validation_error"),
            ({"member_no": "1"}, 400, "validation_error"), ({"home_store": "sto_00000000000000000000000000"}, 400, "validation_error"),
            ({"language": "fr"}, 400, "validation_error"), ({"birthday": "2100-01-01"}, 422, "invalid_birthday"),
            ({"details": {"unknown": 1}}, 422, "detail_unknown"), ({"details": {"thing": "beer"}}, 422, "detail_invalid"),
            ({"details": {"health": "x"}}, 422, "consent_required"), ({"details": {"staff_only": "x"}}, 422, "detail_unknown"),
            ({"details": {f"d{number}": 1 for number in range(101)}}, 400, "validation_error"),
        ],
    )  # fmt: skip
    def test_refuses_the_rest_and_changes_nothing(
        self, member: Member, caller: Caller, body: dict[str, Any], status: int, code: str
    ) -> None:
        an_attribute("choice")
        an_attribute("text", code="health", sensitivity="sensitive")
        an_attribute("text", code="staff_only", is_open_to_members=False)
        answer = send(caller, "patch", "/me", {"name": "Changed", **body}, if_match="*")
        assert problem_of(answer) == (status, code), answer.json()
        assert MemberPerson.objects.get(pk=member.pk).full_name == "张三丰"
        assert not AttributeValue.objects.exists()
        assert not TimelineEntry.objects.filter(kind="members.profile_changed.v1").exists()

    def test_a_sensitive_detail_is_kept_when_agreed(self, caller: Caller) -> None:
        an_attribute("text", code="health", sensitivity="sensitive")
        body = {"details": {"health": "allergic"}, "agreed": ["health"]}
        assert send(caller, "patch", "/me", body, if_match="*").status_code == 200
        assert AttributeValue.objects.get().agreed_at is not None

    def test_is_open_to_who_may_sign_in_while_frozen(self, member: Member, caller: Caller) -> None:
        until = now() + timedelta(days=1)
        freeze_member(member_id=member.pk, reason="x", release_at=until, acts=[Member.Act.SPEND], by=SYSTEM, at=now())
        assert caller.get("/me").status_code == 200


class TestAFreeze:
    def test_is_told_to_its_member_in_fixed_words_without_the_reason_of_staff(
        self, member: Member, caller: Caller
    ) -> None:
        assert caller.get("/me").json()["freeze"] is None
        freeze = a_freeze(member, Member.Act.EARN, Member.Act.SPEND)
        told = caller.get("/me").json()["freeze"]
        last = (freeze.release_at - timedelta(microseconds=1)).astimezone(programme().tz).date()
        with translation.override("en"):
            day = date_format(last, "DATE_FORMAT")
        assert told["acts"] == ["earn", "spend"]
        assert told["text"] == (
            f"Not possible until the end of {day}: earn points, spend points and vouchers. Please ask the staff about it."
        )
        assert "velocity" not in caller.get("/me").text

    def test_of_spending_is_told_to_whoever_redeems(self, member: Member, caller: Caller) -> None:
        freeze = a_freeze(member, Member.Act.SPEND)
        answer = caller.post("/me/redemptions", {"reward": a_reward_ref()}, key="frozen-1")
        assert problem_of(answer) == (409, "member_frozen")
        assert answer.json()["detail"].startswith("Not possible until the end of")
        assert datetime.fromisoformat(answer.json()["until"]) == freeze.release_at

    @pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "en"])
    def test_of_signing_in_says_in_the_refusal_what_and_until_when(
        self, member: Member, caller: Caller, language: str
    ) -> None:
        freeze = a_freeze(member, Member.Act.SIGN_IN)
        caller.language = language
        answer = caller.get("/me")
        assert problem_of(answer) == (403, "member_frozen")
        with translation.override(language.lower()):
            assert answer.json()["detail"] == words_of_freeze(freeze.acts, freeze.release_at)
        assert datetime.fromisoformat(answer.json()["until"]) == freeze.release_at
        assert "velocity" not in answer.text


class TestMyPreferences:
    BODY = {"language": "en", "channels": ["wechat", "sms"], "quiet_hours": {"start": "22:00", "end": "08:00"}}

    def test_are_empty_told_and_read_again(self, member: Member, caller: Caller) -> None:
        assert caller.get("/me/preferences").json() == {"language": "zh-hans", "channels": [], "quiet_hours": None}
        answer = send(caller, "put", "/me/preferences", self.BODY, if_match=etag_of(caller, "/me/preferences"))
        assert answer.json() == self.BODY
        assert caller.get("/me/preferences").json() == self.BODY
        assert (
            send(caller, "put", "/me/preferences", self.BODY | {"quiet_hours": None}, if_match="*").status_code == 200
        )
        assert MemberPreference.objects.get().quiet_from is None

    @pytest.mark.parametrize(
        "change",
        [
            {"channels": ["pigeon"]}, {"language": "fr"}, {"quiet_hours": {"start": "25:00", "end": "08:00"}}, {"quiet_hours": {"start": "22:00"}},
            {"more": 1}, {"channels": ["sms"] * 7},
        ],
    )  # fmt: skip
    def test_refuse_what_is_none(self, caller: Caller, change: dict[str, Any]) -> None:
        answer = send(caller, "put", "/me/preferences", self.BODY | change, if_match="*")
        assert problem_of(answer) == (400, "validation_error")
        assert not MemberPreference.objects.exists()

    def test_need_two_ends_and_if_match(self, caller: Caller) -> None:
        same = {"quiet_hours": {"start": "08:00", "end": "08:00"}}
        answer = send(caller, "put", "/me/preferences", self.BODY | same, if_match="*")
        assert problem_of(answer) == (422, "quiet_hours_invalid")
        assert problem_of(send(caller, "put", "/me/preferences", self.BODY)) == (428, "precondition_required")
        assert not MemberPreference.objects.exists()


class TestMyClosure:
    def test_is_asked_for_and_taken_back(self, member: Member, caller: Caller) -> None:
        before = caller.get("/me/closure").json()
        assert (before["state"], before["days"]) == ("member", 7)
        assert "abuse" not in {reason["code"] for reason in before["reasons"]}
        answer = caller.post("/me/closure", {"reason": "privacy"})
        assert answer.status_code == 201
        assert (answer.json()["state"], answer.json()["reason"]["code"]) == ("leaving", "privacy")
        assert problem_of(caller.post("/me/closure", {"reason": "privacy"})) == (409, "leaving_already")
        assert send(caller, "delete", "/me/closure").status_code == 204
        assert problem_of(send(caller, "delete", "/me/closure")) == (409, "not_leaving")
        assert Closure.objects.get().state == Closure.State.TAKEN_BACK

    @pytest.mark.parametrize("reason", ["abuse", "nothing", ""])
    def test_refuses_reasons_that_are_not_offered(self, caller: Caller, reason: str) -> None:
        status, _code = problem_of(caller.post("/me/closure", {"reason": reason}))
        assert status in (400, 422)
        assert not Closure.objects.exists()


class TestMembersOfAShop:
    WHO = {"name": "李四", "phone": "139 0000 1111", "birthday": "1991-02-03"}

    def till(self, *scopes: str, source: str = "shop") -> Caller:
        return make_till(scopes=scopes or (MEMBERS_READ, MEMBERS_WRITE), source=source)

    def test_are_made_changed_and_read_under_the_shops_id(self) -> None:
        an_attribute("yes_no")
        shop = self.till()
        made = send(shop, "put", "/integration/members/C-1", self.WHO)
        assert made.status_code == 201
        again = send(shop, "put", "/integration/members/C-1", {"name": "李小四", "details": {"thing": True}})
        assert again.status_code == 200
        read = shop.get("/integration/members/C-1")
        assert read.json() == again.json()
        assert read.headers["ETag"] == again.headers["ETag"]
        told = read.json()
        assert (told["name"], told["phone"], told["birthday"], told["details"], told["status"]) == (
            "李小四", "+8613900001111", "1991-02-03", {"thing": True}, "active",
        )  # fmt: skip
        member = Member.objects.get()
        assert member.joined_store is not None
        assert Identity.objects.get().issuer == "shop"

    def test_with_the_phone_of_another_are_reported_and_never_merged(self, member: Member) -> None:
        shop = self.till()
        answer = send(shop, "put", "/integration/members/C-1", {"name": "X", "phone": "13800138000"})
        assert problem_of(answer) == (409, "phone_in_use")
        assert member.member_no not in answer.content.decode()
        assert Member.objects.count() == 1
        assert not Identity.objects.exists()
        send(shop, "put", "/integration/members/C-2", {"name": "Y"})
        answer = send(shop, "put", "/integration/members/C-2", {"name": "Z", "phone": "13800138000"})
        assert problem_of(answer) == (409, "phone_in_use")
        assert shop.get("/integration/members/C-2").json()["name"] == "Y"

    def test_who_are_told_with_another_phone_are_signed_out_and_keep_their_points_in(self) -> None:
        MemorySms.sent.clear()
        shop = self.till()
        send(shop, "put", "/integration/members/C-1", {"name": "Y"})
        send(shop, "put", "/integration/members/C-1", self.WHO)  # a first number is no change, and the same is none
        member = Member.objects.get()
        phone = begin_session(member_id=member.pk, way="wechat", at=now())
        send(shop, "put", "/integration/members/C-1", {"phone": "+86 139 0000 1111", "name": "Z"})
        assert cooling_until(member.pk, now()) is None
        assert Caller(phone.secret).get("/me").status_code == 200
        for _time in range(2):  # the second time it is there
            send(shop, "put", "/integration/members/C-1", {"phone": "13900002222"})
        assert cooling_until(member.pk, now()) is not None
        assert problem_of(Caller(phone.secret).get("/me")) == (401, "token_expired")
        assert [one.phone for one in MemorySms.sent] == ["+8613900001111", "+8613900002222"]
        told = TimelineEntry.objects.get(kind="members.phone_changed.v1")
        assert told.payload["source"] == "shop"
        with translation.override("en"):
            assert "another system (shop)" in str(tell([told])[0])

    def test_whose_phone_is_taken_off_are_told_so_on_the_old_one(self) -> None:
        MemorySms.sent.clear()
        shop = self.till()
        send(shop, "put", "/integration/members/C-1", self.WHO)
        send(shop, "put", "/integration/members/C-1", {"phone": None})
        member = Member.objects.get()
        assert cooling_until(member.pk, now()) is not None
        assert [(one.phone, one.kind) for one in MemorySms.sent] == [("+8613900001111", "phone_changed_old")]

    def test_with_the_phone_of_another_stay_signed_in(self, member: Member) -> None:
        MemorySms.sent.clear()
        shop = self.till()
        send(shop, "put", "/integration/members/C-1", self.WHO)
        answer = send(shop, "put", "/integration/members/C-1", {"phone": "13800138000"})
        assert problem_of(answer) == (409, "phone_in_use")
        assert not Member.objects.filter(cooling_until__isnull=False).exists()
        assert not MemorySms.sent

    def test_take_if_match_when_it_is_sent(self) -> None:
        shop = self.till()
        assert problem_of(send(shop, "put", "/integration/members/C-1", self.WHO, if_match='"1-0000000000000000"')) == (
            412, "precondition_failed",
        )  # fmt: skip
        etag = send(shop, "put", "/integration/members/C-1", self.WHO).headers["ETag"]
        assert send(shop, "put", "/integration/members/C-1", {"name": "A"}, if_match=etag).status_code == 200
        answer = send(shop, "put", "/integration/members/C-1", {"name": "B"}, if_match=etag)
        assert problem_of(answer) == (412, "precondition_failed")
        assert shop.get("/integration/members/C-1").json()["name"] == "A"

    def test_of_another_source_are_not_seen(self) -> None:
        send(self.till(), "put", "/integration/members/C-1", self.WHO)
        assert problem_of(self.till(source="other").get("/integration/members/C-1"))[0] == 404

    def test_need_the_scope_of_what_is_done(self) -> None:
        send(self.till(), "put", "/integration/members/C-1", self.WHO)
        reads, writes, neither = self.till(MEMBERS_READ), self.till(MEMBERS_WRITE), self.till(ORDERS_WRITE)
        assert reads.get("/integration/members/C-1").status_code == 200
        assert problem_of(send(reads, "put", "/integration/members/C-1", {"name": "A"}))[0] == 403
        assert problem_of(writes.get("/integration/members/C-1"))[0] == 403
        assert problem_of(neither.get("/integration/members/C-1"))[0] == 403
        assert Member.objects.get().person.full_name == "李四"

    def test_who_have_left_are_not_changed(self) -> None:
        shop = self.till()
        send(shop, "put", "/integration/members/C-1", self.WHO)
        Member.objects.update(status=Member.Status.CLOSED)
        assert problem_of(send(shop, "put", "/integration/members/C-1", {"name": "A"})) == (403, "member_closed")
        assert shop.get("/integration/members/C-1").json()["status"] == "closed"


class TestAtTheTill:
    def test_a_card_names_its_member_until_it_is_lost(self, member: Member) -> None:
        number, *_rest = a_batch()
        bind(member, number)
        till = make_till()
        answer = till.post("/pos/members/resolve", {"card_no": number})
        assert (answer.json()["member_no"], answer.json()["identified_by"]) == (member.member_no, "card_no")
        member.cards.update(state="lost", ended_at=now())
        assert problem_of(till.post("/pos/members/resolve", {"card_no": number}))[0] == 404

    def test_a_member_frozen_in_part_is_still_found(self, member: Member) -> None:
        until = now() + timedelta(days=1)
        freeze_member(member_id=member.pk, reason="x", release_at=until, acts=[Member.Act.SPEND], by=SYSTEM, at=now())
        till = make_till()
        assert till.post("/pos/members/resolve", {"member_no": member.member_no}).status_code == 200
