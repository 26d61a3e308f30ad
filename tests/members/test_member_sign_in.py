"""Signing in over the API: WeChat, codes to the phone, refresh tokens, sessions."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.channels.sms import MemorySms
from config.checks import text_messages, wechat_settings
from config.wechat_fake import FakeWeChat
from members import wechat
from members.actors import SYSTEM
from members.models import (
    ConsentState,
    Identity,
    Member,
    MemberPerson,
    MemberSession,
    MemberToken,
    OneTimeCode,
    RateCounter,
    RefreshToken,
    TimelineEntry,
    WeChatBinding,
)
from members.services import one_time_codes
from members.services.closing import ask_to_leave
from members.services.guessing import TooManyTries
from members.services.member_sessions import forget_sign_ins
from members.services.merging import merge_members
from members.services.one_time_codes import A_DAY, A_DAY_IN_ALL, DIGITS, CodeWrong, check_code, send_code
from members.services.one_time_codes import Caller as CodeCaller
from members.services.profile import ProfileChange, change_profile
from members.services.rates import Limit, RateLimited, forget_leases
from members.services.status import freeze_member
from members.services.tokens import MOST_SESSIONS, begin_session
from tests.factories.api import Caller, make_member, now, problem_of, sign_in
from tests.factories.wechat import a_wechat
from tests.harness.threads import together

PHONE, OTHER = "+8613800138000", "+8613900139000"
YES = [{"purpose": "service", "text_version": 1}]
SIGN_IN, STRANGER = OneTimeCode.Purpose.SIGN_IN, CodeCaller(place="203.0.113.9")


@pytest.fixture(autouse=True)
def no_messages() -> None:
    MemorySms.sent.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Let the edges' clock go on by a span."""
    real, ahead = timezone.now, [timedelta()]
    monkeypatch.setattr(timezone, "now", lambda: real() + ahead[0])

    def forward(span: timedelta) -> None:
        ahead[0] += span

    return forward


@pytest.fixture
def weixin() -> Iterator[FakeWeChat]:
    with a_wechat() as fake:
        yield fake


def code_sent(to: str = PHONE) -> str:
    message = next(one for one in reversed(MemorySms.sent) if one.phone == to)
    assert message.params["code"] in message.text
    return message.params["code"]


def send(phone: str = PHONE, caller: Caller | None = None) -> str:
    answer = (caller or Caller()).post("/auth/sms/send", {"phone": phone})
    assert answer.status_code == 201, answer.content
    return answer.json()["code_id"]


def verify(code_id: str, code: str, phone: str = PHONE, **more: Any) -> Any:
    return Caller().post("/auth/sms/verify", {"code_id": code_id, "phone": phone, "code": code, **more})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**DIGITS:0{DIGITS}}"


def refresh(token: str) -> Any:
    return Caller().post("/auth/refresh", {"refresh_token": token})


@pytest.mark.django_db
class TestACodeToThePhone:
    def test_signs_in_who_has_the_number(self) -> None:
        member = make_member(phone=PHONE)
        answer = verify(send("138 0013 8000"), code_sent(), phone="13800138000", device="Pixel")
        assert answer.status_code == 200
        body = answer.json()
        assert (body["member"]["member_no"], body["joined"], body["next"]) == (member.member_no, False, None)
        assert Caller(body["access_token"]).get("/me").json()["member_no"] == member.member_no
        assert MemberSession.objects.get(member=member).device == "Pixel"
        assert TimelineEntry.objects.filter(kind="members.session_begun.v1", member=member).exists()

    def test_lets_join_who_is_unknown_with_what_they_say_yes_to(self) -> None:
        code_id, code = send(), code_sent()
        assert problem_of(verify(code_id, code)) == (422, "consent_required")
        assert not Member.objects.exists()
        answer = verify(code_id, code, consents=YES)  # it was still good
        assert (answer.status_code, answer.json()["joined"]) == (201, True)
        member = Member.objects.get()
        assert member.person.phone == PHONE
        assert ConsentState.objects.filter(member=member, purpose="service", is_given=True).exists()
        assert problem_of(verify(code_id, code, consents=YES)) == (422, "code_expired")

    def test_answers_the_same_for_known_and_unknown_and_as_fast(self) -> None:
        make_member(phone=PHONE)
        send("+8613700137000")  # what is kept per process is read once
        known: list[float] = []
        unknown: list[float] = []
        asked: dict[str, set[str]] = {}
        for number in range(5):
            for phone, took in ((f"+861370013{7100 + number}", unknown), (PHONE, known)):
                forget_calls()
                with CaptureQueriesContext(connection) as captured:
                    began = time.process_time()
                    answer = Caller().post("/auth/sms/send", {"phone": phone})
                    took.append(time.process_time() - began)
                assert answer.json().keys() == {"code_id", "expires_at"}
                asked[phone] = {re.sub(r"'[^']*'|[0-9]+", "?", query["sql"]) for query in captured.captured_queries}
        assert abs(min(known) - min(unknown)) < 0.005
        # The other half of the time is the database's: it is asked the same, and nothing about members.
        assert len({frozenset(queries) for queries in asked.values()}) == 1
        assert not any("memberperson" in query for queries in asked.values() for query in queries)

    def test_is_kept_as_a_hash_and_has_more_than_twenty_bits(self) -> None:
        send()
        row = str(OneTimeCode.objects.values().get())
        assert code_sent() not in row
        assert PHONE[3:] not in row
        assert 10**DIGITS > 2**20

    def test_is_over_after_five_wrong_tries_even_for_the_right_one(self) -> None:
        code_id, code = send(), code_sent()
        for _try in range(5):
            assert problem_of(verify(code_id, wrong(code))) == (422, "code_wrong")
        assert problem_of(verify(code_id, code, consents=YES)) == (422, "code_expired")
        assert not Member.objects.exists()

    def test_locks_the_phone_after_two_codes_full_of_wrong_tries(self, clock: Callable[[timedelta], None]) -> None:
        for _round in range(2):
            code_id, code = send(), code_sent()
            for _try in range(5):
                verify(code_id, wrong(code))
            clock(timedelta(seconds=61))
        answer = Caller().post("/auth/sms/send", {"phone": PHONE})
        assert problem_of(answer) == (429, "too_many_tries")
        assert int(answer.headers["Retry-After"]) > 60
        send(OTHER)  # other phones are not concerned

    def test_is_good_for_its_own_request_phone_and_time_only(self, clock: Callable[[timedelta], None]) -> None:
        mine, code = send(), code_sent()
        theirs = send(OTHER)
        assert problem_of(verify(theirs, code, phone=OTHER, consents=YES))[1] == "code_wrong"
        assert problem_of(verify(mine, code, phone=OTHER, consents=YES))[1] == "code_wrong"
        clock(timedelta(minutes=10))
        assert problem_of(verify(mine, code, consents=YES))[1] == "code_expired"

    def test_is_sent_once_a_minute_and_five_times_a_day(self, clock: Callable[[timedelta], None]) -> None:
        for number in range(A_DAY.count):
            send()
            clock(timedelta(seconds=40))
            again = Caller().post("/auth/sms/send", {"phone": "138-0013-8000"})
            assert problem_of(again) == (429, "rate_limited"), number
            assert 1 <= int(again.headers["Retry-After"]) <= 20
            clock(timedelta(seconds=21))
        assert problem_of(Caller().post("/auth/sms/send", {"phone": PHONE}))[1] == "rate_limited"
        assert len(MemorySms.sent) == A_DAY.count
        clock(timedelta(days=1))
        send()

    def test_says_so_when_none_can_be_sent_and_leaves_nothing(self) -> None:
        with override_settings(SMS_SENDER=""):
            assert problem_of(Caller().post("/auth/sms/send", {"phone": PHONE})) == (503, "sms_unavailable")
        assert not OneTimeCode.objects.exists()

    def test_says_so_when_the_provider_answers_what_its_code_can_not_read(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        for fault in (ValueError(f"{PHONE}: no JSON"), TimeoutError(PHONE), RecursionError(), MemoryError(PHONE * 9)):

            def send_it(_self: object, _message: object, fault: Exception = fault) -> None:
                raise fault

            monkeypatch.setattr(MemorySms, "send", send_it)
            forget_calls()
            assert problem_of(Caller().post("/auth/sms/send", {"phone": PHONE})) == (503, "sms_unavailable")
        assert not OneTimeCode.objects.exists()
        assert type(fault).__name__ in caplog.text
        assert PHONE[3:] not in caplog.text

    def test_of_a_merged_record_signs_in_only_while_the_member_has_no_other(self) -> None:
        kept, other = make_member(), make_member(phone=PHONE)
        merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=now())
        assert verify(send(), code_sent()).json()["member"]["member_no"] == kept.member_no
        change_profile(member_id=kept.pk, change=ProfileChange(phone=OTHER), by=SYSTEM, at=now())
        forget_calls()
        sessions = MemberSession.objects.count()
        assert problem_of(verify(send(), code_sent(), consents=YES)) == (409, "phone_replaced")
        assert (MemberSession.objects.count(), Member.objects.count()) == (sessions, 2)
        assert verify(send(OTHER), code_sent(OTHER), phone=OTHER).json()["member"]["member_no"] == kept.member_no

    def test_does_not_sign_in_who_is_frozen_or_left(self) -> None:
        member = make_member(phone=PHONE)
        freeze_member(member_id=member.pk, reason="fraud", release_at=now() + timedelta(days=1), by=SYSTEM, at=now())
        assert problem_of(verify(send(), code_sent())) == (403, "member_frozen")
        assert not MemberSession.objects.exists()


@pytest.mark.django_db
class TestWhoMeddlesWithThePhoneOfAnother:
    """The services alone: calls from one address are limited before."""

    def test_does_not_lock_it_with_ids_that_are_made_up(self) -> None:
        sent = send_code(phone=PHONE, purpose=SIGN_IN, caller=STRANGER, language="en", at=now())
        for _try in range(12):
            with pytest.raises(CodeWrong):
                self.check(uuid4(), "0000000", STRANGER)
        assert self.check(sent.public_id, code_sent(), STRANGER)

    def test_locks_strangers_of_the_address_and_not_the_till_beside_them(self) -> None:
        till = CodeCaller("device:7", STRANGER.place)
        sent = [
            send_code(phone=phone, purpose=SIGN_IN, caller=caller, language="en", at=now())
            for phone, caller in ((OTHER, STRANGER), (PHONE, till))
        ]
        for _try in range(60):
            with pytest.raises(CodeWrong):
                self.check(uuid4(), "0000000", STRANGER, phone=OTHER)
        with pytest.raises(TooManyTries):
            self.check(sent[0].public_id, code_sent(OTHER), STRANGER, phone=OTHER)
        assert self.check(sent[1].public_id, code_sent(), till)

    def test_uses_up_the_codes_to_sign_in_of_a_day_and_not_those_for_the_till(self) -> None:
        at = now()
        purposes = [SIGN_IN] * 6 + [OneTimeCode.Purpose.TILL] * 6 + [OneTimeCode.Purpose.NEW_PHONE] * 3
        outcomes = ""
        for number, purpose in enumerate(purposes):
            try:
                later = at + timedelta(seconds=61 * number)
                send_code(phone=PHONE, purpose=purpose, caller=STRANGER, language="en", at=later)
            except RateLimited:
                outcomes += "-"
            else:
                outcomes += "x"
        assert outcomes == "xxxxx-" + "xxxxx-" + "xx-"
        assert (A_DAY.count, A_DAY_IN_ALL.count) == (5, 12)

    def test_uses_nothing_up_for_everybody_by_calls_that_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(one_time_codes, "ALTOGETHER", Limit("sms_all", 2, 3_600))
        at = now()
        send_code(phone=PHONE, purpose=SIGN_IN, caller=STRANGER, language="en", at=at)
        for _call in range(3):
            with pytest.raises(RateLimited):
                send_code(phone=PHONE, purpose=SIGN_IN, caller=STRANGER, language="en", at=at)
        send_code(phone=OTHER, purpose=SIGN_IN, caller=STRANGER, language="en", at=at)
        with pytest.raises(RateLimited):
            send_code(phone="+8613700137000", purpose=SIGN_IN, caller=STRANGER, language="en", at=at)
        assert len(MemorySms.sent) == 2

    @staticmethod
    def check(public_id: UUID, code: str, caller: CodeCaller, *, phone: str = PHONE) -> int:
        return check_code(public_id=public_id, phone=phone, code=code, purpose=SIGN_IN, caller=caller, at=now())


def forget_calls() -> None:
    """Forget that a code was sent lately."""
    RateCounter.objects.all().delete()
    forget_leases()


@pytest.mark.django_db
class TestARefreshToken:
    def signed_in(self) -> dict[str, Any]:
        make_member(phone=PHONE)
        return verify(send(), code_sent()).json()

    def test_gets_the_next_two_once(self, clock: Callable[[timedelta], None]) -> None:
        first = self.signed_in()
        clock(timedelta(hours=1, minutes=59))
        second = refresh(first["refresh_token"]).json()
        assert Caller(second["access_token"]).get("/me").status_code == 200
        assert Caller(first["access_token"]).get("/me").status_code == 200  # for what is under way
        clock(timedelta(seconds=61))
        assert problem_of(Caller(first["access_token"]).get("/me")) == (401, "token_expired")
        kept = str([*RefreshToken.objects.values(), *MemberToken.objects.values()])
        assert second["refresh_token"] not in kept
        assert second["access_token"] not in kept

    def test_that_comes_again_ends_the_session_for_everybody(self, clock: Callable[[timedelta], None]) -> None:
        first = self.signed_in()
        second = refresh(first["refresh_token"]).json()
        clock(timedelta(seconds=31))
        assert problem_of(refresh(first["refresh_token"])) == (401, "refresh_token_reused")
        assert problem_of(refresh(second["refresh_token"])) == (401, "token_expired")
        assert problem_of(Caller(second["access_token"]).get("/me")) == (401, "token_expired")
        assert MemberSession.objects.get().end == "reuse"
        told = TimelineEntry.objects.get(kind="members.session_ended.v1")
        assert told.payload["end"] == "reuse"
        assert MemorySms.sent[-1].kind == "session_ended"

    def test_whose_answer_was_lost_may_come_again_at_once(self, clock: Callable[[timedelta], None]) -> None:
        first = self.signed_in()
        lost = refresh(first["refresh_token"]).json()
        clock(timedelta(seconds=20))
        second = refresh(first["refresh_token"]).json()
        assert Caller(second["access_token"]).get("/me").status_code == 200
        assert problem_of(Caller(lost["access_token"]).get("/me")) == (401, "token_expired")
        # Whoever holds what was thought lost shows that it was not.
        assert problem_of(refresh(lost["refresh_token"])) == (401, "refresh_token_reused")
        assert problem_of(Caller(second["access_token"]).get("/me")) == (401, "token_expired")

    def test_of_a_used_pair_is_a_copy_even_at_once(self) -> None:
        first = self.signed_in()
        second = refresh(first["refresh_token"]).json()
        refresh(second["refresh_token"])
        assert problem_of(refresh(first["refresh_token"])) == (401, "refresh_token_reused")

    def test_ends_after_thirty_days_and_is_unknown_otherwise(self, clock: Callable[[timedelta], None]) -> None:
        first = self.signed_in()
        assert problem_of(refresh("mr_nobody")) == (401, "token_expired")
        clock(timedelta(days=30))
        assert problem_of(refresh(first["refresh_token"])) == (401, "token_expired")

    def test_dies_with_a_freeze_a_leave_and_a_logout(self) -> None:
        first = self.signed_in()
        assert Caller(first["access_token"]).post("/auth/logout", {}).status_code == 204
        assert problem_of(Caller(first["access_token"]).get("/me")) == (401, "token_expired")
        assert problem_of(refresh(first["refresh_token"])) == (401, "token_expired")
        member = Member.objects.get()
        second = begin_session(member_id=member.pk, way="sms", at=now())
        ask_to_leave(member_id=member.pk, reason="other", at_once=True, by=SYSTEM, at=now())
        assert problem_of(refresh(second.refresh_secret)) == (403, "member_closed")
        assert MemberSession.objects.get(pk=second.session.pk).end == "standing"


@pytest.mark.django_db
class TestSessions:
    def test_are_listed_with_the_one_that_asks(self) -> None:
        member = make_member(phone=PHONE)
        begin_session(member_id=member.pk, way="wechat", device="iPhone", at=now() - timedelta(days=1))
        me = sign_in(member)
        sign_in(make_member())
        found = me.get("/me/sessions").json()["sessions"]
        assert [(one["device"], one["signed_in_with"], one["is_current"]) for one in found] == [
            ("", "demo", True), ("iPhone", "wechat", False),
        ]  # fmt: skip

    def test_end_one_by_one_and_only_ones_own(self) -> None:
        member = make_member()
        phone = begin_session(member_id=member.pk, way="wechat", device="iPhone", at=now() - timedelta(days=1))
        me, stranger = sign_in(member), sign_in(make_member())
        its_id = me.get("/me/sessions").json()["sessions"][1]["id"]
        path = f"/api/v1/me/sessions/{its_id}"
        bearer = {"authorization": f"Bearer {stranger.secret}"}
        assert stranger.client.delete(path, headers=bearer).status_code == 404
        mine = {"authorization": f"Bearer {me.secret}"}
        assert me.client.delete(path, headers=mine).status_code == 204
        assert me.client.delete(path, headers=mine).status_code == 404
        assert problem_of(Caller(phone.secret).get("/me")) == (401, "token_expired")
        assert me.get("/me").status_code == 200

    def test_note_their_use_once_an_hour(self, clock: Callable[[timedelta], None]) -> None:
        me = sign_in(make_member())
        began = MemberSession.objects.get().last_used_at
        clock(timedelta(minutes=59))
        me.get("/me")
        assert MemberSession.objects.get().last_used_at == began
        clock(timedelta(minutes=2))
        me.get("/me")
        assert MemberSession.objects.get().last_used_at > began

    def test_are_ten_at_most(self) -> None:
        member = make_member()
        for number in range(MOST_SESSIONS + 2):
            begin_session(member_id=member.pk, way="sms", at=now() + timedelta(seconds=number))
        assert MemberSession.objects.filter(ended_at=None).count() == MOST_SESSIONS
        assert MemberSession.objects.filter(end="crowded").count() == 2

    def test_are_forgotten_when_they_were_over_for_long(self) -> None:
        member = make_member(phone=PHONE)
        send()
        begin_session(member_id=member.pk, way="sms", at=now())
        assert forget_sign_ins(at=now() + timedelta(days=29)) == 2  # the code and the access token
        assert forget_sign_ins(at=now() + timedelta(days=121)) == 2
        assert not MemberSession.objects.exists()


@pytest.mark.django_db
class TestWeChat:
    def login(self, weixin: FakeWeChat, user: str = "li") -> Any:
        return Caller().post("/auth/wechat/login", {"code": weixin.login_code(user), "device": "iPhone"})

    def bind(self, weixin: FakeWeChat, token: str, *, key: str = "k1", phone: str = PHONE[3:], **more: Any) -> Any:
        body = {"binding_token": token, "code": weixin.phone_code(phone), "consents": YES, **more}
        return Caller().post("/auth/wechat/phone", body, key=key)

    def test_leads_a_stranger_from_the_login_over_the_phone_to_a_membership(self, weixin: FakeWeChat) -> None:
        first = self.login(weixin).json()
        assert (first["member"], first["next"], first["access_token"]) == (None, "bind_phone", None)
        bound = self.bind(weixin, first["binding_token"])
        assert (bound.status_code, bound.json()["joined"], bound.json()["merged"]) == (201, True, False)
        member = Member.objects.get()
        assert (member.person.phone, member.channel.kind) == (PHONE, "mini_program")
        assert set(Identity.objects.values_list("kind", flat=True)) == {"wechat_openid", "wechat_unionid"}
        again = self.login(weixin).json()
        assert again["member"]["member_no"] == member.member_no
        assert Caller(again["access_token"]).get("/me").status_code == 200

    def test_attaches_to_who_has_the_number_and_merges_nobody(self, weixin: FakeWeChat) -> None:
        member = make_member(phone=PHONE)
        bound = self.bind(weixin, self.login(weixin).json()["binding_token"], consents=[])
        assert (bound.status_code, bound.json()["member"]["member_no"]) == (200, member.member_no)
        assert Member.objects.count() == 1
        assert self.login(weixin).json()["member"]["member_no"] == member.member_no

    def test_tells_who_gets_it_attached_once_and_nobody_who_joins(self, weixin: FakeWeChat) -> None:
        make_member(phone=PHONE)
        token = self.login(weixin).json()["binding_token"]
        body = {"binding_token": token, "code": weixin.phone_code(PHONE[3:]), "consents": []}
        for _time in range(2):
            assert Caller().post("/auth/wechat/phone", body, key="one").status_code == 200
        assert [(one.phone, one.kind) for one in MemorySms.sent] == [(PHONE, "wechat_attached")]
        joined = self.bind(weixin, self.login(weixin, "wang").json()["binding_token"], key="k2", phone=OTHER[3:])
        assert joined.status_code == 201
        assert len(MemorySms.sent) == 1

    def test_is_not_attached_by_an_earlier_number_of_a_merged_record(self, weixin: FakeWeChat) -> None:
        kept, other = make_member(phone=OTHER), make_member(phone=PHONE)
        merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=now())
        answer = self.bind(weixin, self.login(weixin).json()["binding_token"])
        assert problem_of(answer) == (409, "phone_replaced")
        assert not Identity.objects.exists()
        assert MemorySms.sent == []

    def test_asks_wechat_once_for_a_code_also_of_who_had_not_agreed_yet(self, weixin: FakeWeChat) -> None:
        token = self.login(weixin).json()["binding_token"]
        body = {"binding_token": token, "code": weixin.phone_code(PHONE[3:])}
        assert problem_of(Caller().post("/auth/wechat/phone", body, key="a")) == (422, "consent_required")
        assert not Member.objects.exists()
        with connection.cursor() as cursor:
            cursor.execute("SELECT answer::text FROM members_idempotentanswer")
            assert PHONE[3:] not in str(cursor.fetchall())
        other = self.login(weixin, "wang").json()["binding_token"]
        stolen = {**body, "binding_token": other, "consents": YES}
        assert problem_of(Caller().post("/auth/wechat/phone", stolen, key="s")) == (422, "wechat_code_invalid")
        joined = Caller().post("/auth/wechat/phone", body | {"consents": YES}, key="b")
        assert (joined.status_code, Member.objects.get().person.phone) == (201, PHONE)

    def test_repeats_a_lost_answer_with_new_tokens(self, weixin: FakeWeChat) -> None:
        body = {
            "binding_token": self.login(weixin).json()["binding_token"], "code": weixin.phone_code(PHONE[3:]), "consents": YES,
        }  # fmt: skip
        first = Caller().post("/auth/wechat/phone", body, key="one")
        second = Caller().post("/auth/wechat/phone", body, key="one")
        assert second.headers["Idempotency-Replayed"] == "true"
        assert (first.status_code, second.status_code) == (201, 201)
        assert Member.objects.count() == 1
        assert problem_of(Caller(first.json()["access_token"]).get("/me")) == (401, "token_expired")
        assert Caller(second.json()["access_token"]).get("/me").status_code == 200
        with connection.cursor() as cursor:
            cursor.execute("SELECT answer::text FROM members_idempotentanswer")
            assert "mt_" not in str(cursor.fetchall())

    def test_refuses_used_and_foreign_codes(self, weixin: FakeWeChat) -> None:
        code = weixin.login_code("li")
        assert Caller().post("/auth/wechat/login", {"code": code}).status_code == 200
        assert problem_of(Caller().post("/auth/wechat/login", {"code": code})) == (422, "wechat_code_invalid")
        token = self.login(weixin).json()["binding_token"]
        body = {"binding_token": token, "code": weixin.login_code("li"), "consents": YES}
        assert problem_of(Caller().post("/auth/wechat/phone", body, key="a")) == (422, "wechat_code_invalid")
        assert (
            problem_of(Caller().post("/auth/wechat/phone", {**body, "phone": PHONE}, key="b"))[1] == "validation_error"
        )
        assert problem_of(self.bind(weixin, "bt_guessed")) == (401, "token_expired")
        assert not Member.objects.exists()

    def test_says_what_wechat_refuses(self, weixin: FakeWeChat) -> None:
        token = self.login(weixin).json()["binding_token"]
        for errcode, problem in (
            (40029, (422, "wechat_code_invalid")), (40226, (403, "wechat_user_blocked")), (45011, (429, "rate_limited")),
            (-1, (503, "wechat_unavailable")), (40125, (503, "wechat_unavailable")),
        ):  # fmt: skip
            weixin.mood = errcode
            assert problem_of(self.login(weixin)) == problem, errcode
        weixin.mood = 1400001
        assert problem_of(self.bind(weixin, token)) == (409, "phone_quota_exhausted")

    @pytest.mark.parametrize("mood", ["junk", "html", "list", "empty", "huge", "injected"])
    def test_that_answers_nonsense_is_said_to_be_away(self, weixin: FakeWeChat, mood: str) -> None:
        weixin.mood = mood
        assert problem_of(self.login(weixin)) == (503, "wechat_unavailable")
        assert not WeChatBinding.objects.exists()

    def test_that_trickles_or_is_gone_is_not_waited_for(
        self, weixin: FakeWeChat, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wechat, "_WHOLE_SECONDS", 0.3)
        weixin.mood = "slow"
        began = time.monotonic()
        assert problem_of(self.login(weixin)) == (503, "wechat_unavailable")
        assert time.monotonic() - began < 3
        with override_settings(WECHAT_API_BASE="http://127.0.0.1:9"):
            assert problem_of(Caller().post("/auth/wechat/login", {"code": "x"})) == (503, "wechat_unavailable")

    def test_asks_for_the_access_token_once_and_anew_when_it_is_outdated(self, weixin: FakeWeChat) -> None:
        for number in range(2):
            assert wechat.phone_of(weixin.phone_code("13800138000"), at=now()) == PHONE, number
        assert weixin.asked.count("/cgi-bin/stable_token") == 1
        weixin.expire_tokens()
        assert wechat.phone_of(weixin.phone_code("13800138000"), at=now()) == PHONE
        assert weixin.asked.count("/cgi-bin/stable_token") == 2

    def test_that_speaks_for_another_app_or_of_long_ago_is_not_believed(self, weixin: FakeWeChat) -> None:
        with pytest.raises(wechat.WeChatUnavailable):
            wechat.phone_of(weixin.phone_code("13800138000"), at=now() + timedelta(minutes=11))
        code, weixin.appid = weixin.phone_code("13800138000"), "wxanother"
        with pytest.raises(wechat.WeChatUnavailable):
            wechat.phone_of(code, at=now())

    def test_keeps_its_session_key_and_our_secret_to_the_server(
        self, weixin: FakeWeChat, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        answers = [self.login(weixin)]
        token = answers[0].json()["binding_token"]
        answers.append(self.bind(weixin, token))
        weixin.mood = "html"
        answers.append(self.login(weixin))
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
            tables = [name for (name,) in cursor.fetchall() if name.startswith("members_")]
            rows = []
            for table in tables:
                cursor.execute(f"SELECT * FROM {table} LIMIT 1000")
                rows.append(str(cursor.fetchall()))
        said = "".join(answer.content.decode() for answer in answers) + "".join(rows)
        ours = "".join(
            record.getMessage() for record in caplog.records if record.name.startswith(("members", "config"))
        )
        for key in weixin.session_keys:
            assert key not in said + caplog.text
        assert weixin.session_keys
        assert weixin.secret not in said + ours
        assert token not in "".join(rows)

    def test_is_not_there_without_settings(self) -> None:
        assert problem_of(Caller().post("/auth/wechat/login", {"code": "x"})) == (409, "wechat_not_configured")

    def test_can_not_be_another_server_outside_of_the_demo(self, weixin: FakeWeChat) -> None:
        assert wechat_settings() == []
        with override_settings(DEMO=False, SMS_SENDER="campaigns.channels.sms.FileSms"):
            assert [problem.id for problem in [*wechat_settings(), *text_messages()]] == [
                "perennial.E002",
                "perennial.E003",
            ]
            assert problem_of(self.login(weixin)) == (503, "wechat_unavailable")
            assert "/sns/jscode2session" not in weixin.asked
            for base in (
                "http://api.weixin.qq.com",
                "https://api.weixin.qq.com.evil.example",
                "https://weixin.example",
            ):
                with override_settings(WECHAT_API_BASE=base):
                    assert wechat_settings(), base
            with override_settings(WECHAT_API_BASE="https://api.weixin.qq.com", SMS_SENDER=""):
                assert [*wechat_settings(), *text_messages()] == []


class TestTwoAtOnce:
    def test_with_one_number_become_one_member(self, committed_db: str) -> None:
        moment = now()
        ids = [send(), send(OTHER)]
        assert len(ids) == 2
        code = code_sent()

        def enter() -> int:
            return verify(ids[0], code, consents=YES).status_code

        assert sorted(together([enter] * 4)) == [201, 422, 422, 422]
        assert MemberPerson.objects.filter(phone=PHONE).count() == 1
        first = begin_session(member_id=Member.objects.get().pk, way="sms", at=moment)
        answers = together([lambda: refresh(first.refresh_secret).status_code] * 6)
        assert set(answers) <= {200, 401, 409}  # a lock may not be had in time
        live = RefreshToken.objects.filter(session=first.session, used_at=None, revoked_at=None)
        assert live.count() <= 1
