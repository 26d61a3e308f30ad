"""Tills over HTTP: who stands here, by what they show; and joining."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from members import ports
from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import ConsentState, Member, MemberAtTill, MemberPerson, Store
from members.ports import UrgentMessage
from members.services.cards import bind_card
from members.services.keys import MEMBERS_RESOLVE, ORDERS_READ
from members.services.status import freeze_member
from rewards.models import Voucher
from tests.factories.api import Caller, Till, make_member, make_store, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_template, a_voucher
from tests.members.test_cards import a_batch
from tests.members.test_devices import an_activation

pytestmark = pytest.mark.django_db
RESOLVE = "/pos/members/resolve"


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    return make_member(full_name="张小丰", phone="13800138000")


@pytest.fixture
def phone(member: Member) -> Caller:
    return sign_in(member)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[UrgentMessage]:
    """Text messages that went out."""
    messages: list[UrgentMessage] = []
    monkeypatch.setattr(ports, "_senders", [messages.append])
    return messages


def ref(member: Member) -> str:
    return public_ref(MEMBER, member.public_id)


def code_of(phone: Caller) -> str:
    answer = phone.get("/me/code")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    shown: str = answer.json()["code"]
    return shown


class TestMyCode:
    def test_changes_each_half_minute_and_names_its_seed(self, phone: Caller) -> None:
        shown = phone.get("/me/code").json()
        seed = phone.post("/me/code/seed", None).json()
        assert shown["code"].startswith(seed["prefix"])
        assert shown["seed_id"] == seed["seed_id"]
        assert (seed["digits"], seed["step_seconds"], seed["check"]) == (6, 30, "mod97-10")
        assert shown["refresh_after"] > shown["server_time"]
        assert phone.post("/me/code/seed", None).json()["seed"] == seed["seed"]

    def test_is_for_members(self, till: Till) -> None:
        for answer in (till.get("/me/code"), till.post("/me/code/seed", None)):
            assert problem_of(answer) == (403, "insufficient_scope")
        assert problem_of(Caller().get("/me/code")) == (401, "authentication_required")

    def test_is_not_shown_by_a_frozen_member(self, member: Member, phone: Caller) -> None:
        acts = [Member.Act.EARN, Member.Act.SPEND]
        freeze_member(
            member_id=member.pk, reason="x", release_at=now() + timedelta(days=1), acts=acts, by=SYSTEM, at=now()
        )
        assert problem_of(phone.get("/me/code")) == (403, "member_frozen")
        assert problem_of(phone.post("/me/code/seed", None)) == (403, "member_frozen")


class TestACodeAtTheTill:
    def test_lets_the_member_spend_here_and_nowhere_else(self, till: Till, member: Member, phone: Caller) -> None:
        code = code_of(phone)
        answer = till.post(RESOLVE, {"code": code, "purpose": "spend"}).json()
        assert (answer["member_ref"], answer["name"], answer["identified_by"]) == (ref(member), "张*丰", "code")
        assert (answer["may_spend"], answer["spend_needs"]) == (True, None)
        assert answer["resolution"].startswith("shw_")
        assert "张*丰" in answer["greeting"]
        assert till.post(RESOLVE, {"code": code, "purpose": "spend"}).json() == answer  # the answer got lost
        other = make_till(make_store("S02"))
        assert problem_of(other.post(RESOLVE, {"code": code, "purpose": "spend"})) == (409, "code_reused")
        assert MemberAtTill.objects.count() == 1

    def test_may_be_shown_more_than_once_to_earn(self, till: Till, phone: Caller) -> None:
        code = code_of(phone)
        for one in (till, till, make_till(make_store("S02"))):
            answer = one.post(RESOLVE, {"code": code}).json()
            assert (answer["may_spend"], answer["resolution"], answer["purpose"]) == (False, None, "earn")
        assert not MemberAtTill.objects.exists()

    def test_that_is_wrong_is_unknown(self, till: Till, phone: Caller) -> None:
        code = code_of(phone)
        for wrong in ("1" * 20, code[:-1] + str((int(code[-1]) + 1) % 10), code[:19], "x"):
            assert problem_of(till.post(RESOLVE, {"code": wrong})) == (404, "code_unknown")

    def test_ends_when_the_phone_signs_out(self, till: Till, phone: Caller) -> None:
        code = code_of(phone)
        assert phone.post("/auth/logout", None).status_code in (200, 204)
        assert problem_of(till.post(RESOLVE, {"code": code})) == (404, "code_unknown")

    def test_of_who_may_not_spend_is_not_used_up(self, till: Till, member: Member, phone: Caller) -> None:
        code = code_of(phone)
        freeze_member(
            member_id=member.pk, reason="x", release_at=now() + timedelta(days=1), acts=[Member.Act.SPEND], by=SYSTEM, at=now()
        )  # fmt: skip
        assert problem_of(till.post(RESOLVE, {"code": code, "purpose": "spend"})) == (409, "member_frozen")
        assert till.post(RESOLVE, {"code": code}).status_code == 200  # earning was left open
        assert not MemberAtTill.objects.exists()

    def test_needs_the_scope(self, phone: Caller) -> None:
        code = code_of(phone)
        assert problem_of(make_till(scopes=[ORDERS_READ]).post(RESOLVE, {"code": code})) == (403, "insufficient_scope")


class TestWithoutACode:
    def test_a_phone_or_a_number_lets_earn_only(self, till: Till, member: Member) -> None:
        for named in ({"phone": "13800138000"}, {"member_no": member.member_no}):
            answer = till.post(RESOLVE, {**named, "purpose": "spend"}).json()
            assert (answer["may_spend"], answer["spend_needs"]) == (False, "code_or_one_time_code")
        assert not MemberAtTill.objects.exists()

    def test_counts_the_vouchers_that_can_be_used_in_this_store_now(self, till: Till, member: Member) -> None:
        here, there = make_store(), make_store("S02")
        terms: list[dict[str, Any]] = [
            {}, {"store_ids": [here.pk]}, {"store_ids": [there.pk]}, {"channel_ids": [till.key.channel_id + 1]},
            {"weekdays": [now().astimezone(ZoneInfo("Asia/Shanghai")).isoweekday() % 7 + 1]},
        ]  # fmt: skip
        for number, more in enumerate(terms):
            a_voucher(member.pk, a_template(f"t{number}", **more), issued_at=now() - timedelta(hours=1))
        held = a_voucher(member.pk, issued_at=now() - timedelta(hours=1))
        Voucher.objects.filter(pk=held.pk).update(state="offered", held_until=now() + timedelta(hours=1))
        assert till.post(RESOLVE, {"phone": "13800138000"}).json()["vouchers_usable"] == 2
        assert make_till(there).post(RESOLVE, {"phone": "13800138000"}).json()["vouchers_usable"] == 2

    def test_a_card_in_hand_lets_spend(self, till: Till, member: Member) -> None:
        number, *_rest = a_batch()
        bind_card(member_id=member.pk, number=number, by=SYSTEM, at=now())
        answer = till.post(RESOLVE, {"card_no": number, "purpose": "spend"}).json()
        assert (answer["may_spend"], answer["identified_by"]) == (True, "card_no")

    def test_a_one_time_code_lets_spend_at_the_till_that_sent_it(
        self, till: Till, sent: list[UrgentMessage], member: Member
    ) -> None:
        asked: dict[str, Any] = {"phone": "13800138000", "purpose": "spend"}
        answer = till.post(RESOLVE, {**asked, "send_code": True}).json()
        code_id = answer["sent_code"]["code_id"]
        (message,) = sent
        assert message.phone == "+8613800138000"
        brought = {"code_id": code_id, "code": message.params["code"]}
        wrong = {"code_id": code_id, "code": "0000000" if brought["code"] != "0000000" else "1111111"}
        assert problem_of(till.post(RESOLVE, {**asked, "one_time_code": wrong})) == (422, "code_wrong")
        other = make_till(make_store("S02"))
        assert problem_of(other.post(RESOLVE, {**asked, "one_time_code": brought})) == (422, "code_wrong")
        stranger = make_member(phone="13900139000")
        theirs = {"member_no": stranger.member_no, "purpose": "spend", "one_time_code": brought}
        assert problem_of(till.post(RESOLVE, theirs)) == (422, "code_wrong")
        answer = till.post(RESOLVE, {**asked, "one_time_code": brought}).json()
        assert answer["may_spend"] is True
        assert MemberAtTill.objects.get().by == "sms"
        assert problem_of(till.post(RESOLVE, {**asked, "one_time_code": brought})) == (422, "code_expired")

    def test_a_member_without_a_phone_needs_the_code(self, till: Till, sent: list[UrgentMessage]) -> None:
        nameless = make_member()
        answer = till.post(RESOLVE, {"member_no": nameless.member_no, "purpose": "spend", "send_code": True}).json()
        assert (answer["spend_needs"], answer["sent_code"], answer["greeting"], sent) == ("code", None, "Welcome.", [])

    def test_a_birthday_is_greeted(self, till: Till, member: Member) -> None:
        today = now().astimezone(ZoneInfo("Asia/Shanghai")).date()
        MemberPerson.objects.filter(pk=member.pk).update(birthday=date(1988, today.month, today.day))
        assert "Happy birthday" in till.post(RESOLVE, {"phone": "13800138000"}).json()["greeting"]


class TestJoining:
    body: dict[str, Any] = {
        "phone": "138 0013 8000", "name": "张小丰",
        "consents": [{"purpose": "service", "text_version": 1}, {"purpose": "marketing", "text_version": 1, "channels": ["sms"]}],
    }  # fmt: skip

    def test_makes_a_member_of_the_store_with_what_they_agree_to(self, till: Till) -> None:
        answer = till.post("/pos/members", self.body, key="j1")
        assert answer.status_code == 201
        member = Member.objects.get()
        assert answer.json() == {"member_ref": ref(member), "member_no": member.member_no, "name": "张*丰"}
        assert member.home_store == member.joined_store == Store.objects.get(code="S01")
        said = set(ConsentState.objects.filter(is_given=True).values_list("purpose", "channel"))
        assert ("marketing", "sms") in said
        assert ("marketing", "email") not in said
        again = till.post("/pos/members", self.body, key="j1")
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
        assert Member.objects.count() == 1

    def test_says_nothing_of_whose_a_known_phone_is(self, till: Till, member: Member) -> None:
        answer = till.post("/pos/members", self.body, key="j1")
        assert problem_of(answer) == (409, "phone_in_use")
        for told in (member.member_no, ref(member), "张", "丰"):
            assert told not in answer.text
        assert Member.objects.count() == 1

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"consents": [{"purpose": "marketing", "text_version": 1}]}, (422, "consent_required")),
            ({"consents": []}, (422, "consent_required")),
            ({"consents": [{"purpose": "service", "text_version": 7}]}, None),
            ({"phone": "12"}, (422, "invalid_phone")),
            ({"consents": [{"purpose": "service"}]}, (400, "validation_error")),
        ],
    )
    def test_without_words_that_hold_makes_nobody(
        self, till: Till, change: dict[str, Any], problem: tuple[int, str] | None
    ) -> None:
        said = problem_of(till.post("/pos/members", {**self.body, **change}, key="j1"))
        assert said == problem or (problem is None and said[1] == "consent_text_outdated")
        assert not Member.objects.exists()

    def test_needs_key_and_scope(self, till: Till) -> None:
        assert problem_of(till.post("/pos/members", self.body)) == (400, "idempotency_key_missing")
        only = make_till(scopes=[MEMBERS_RESOLVE])
        assert problem_of(only.post("/pos/members", self.body, key="j1")) == (403, "insufficient_scope")


class TestActivating:
    def test_gives_a_key_that_opens(self) -> None:
        made = an_activation(at=now())
        answer = Caller().post("/pos/devices/activate", {"code": made.code, "device": "Sunmi T2"})
        assert answer.status_code == 201
        assert answer.headers["Cache-Control"] == "no-store"
        body = answer.json()
        assert (body["name"], body["store"]["code"]) == ("Till 2", "S01")
        assert Till(secret=body["key"]).post(RESOLVE, {"member_no": "1"}).json()["code"] == "not_found"
        again = Caller().post("/pos/devices/activate", {"code": made.code})
        assert problem_of(again) == (404, "activation_code_unknown")
        for _time in range(9):
            Caller().post("/pos/devices/activate", {"code": "0000-0000-0000"})
        assert problem_of(Caller().post("/pos/devices/activate", {"code": "0000-0000-0000"})) == (429, "too_many_tries")
