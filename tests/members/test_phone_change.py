"""Another phone number: with codes to both, or by staff with a proof; afterwards nothing leaves the account for a day."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.channels.sms import MemorySms
from members.actors import SYSTEM
from members.admin.timeline import tell
from members.models import GuessingAlarm, Member, MemberPerson, MemberSession, OneTimeCode, TimelineEntry
from members.queries import cooling_until
from members.services.guessing import wrong_try
from members.services.idempotency import Answer
from members.services.one_time_codes import KIND
from members.services.phone_change import COOLING, CoolingDown
from members.services.tokens import begin_session
from rewards import ledger
from rewards.services.holds import hold_points
from rewards.services.transfers import TransferTooSoon, check_cooldown
from tests.factories.api import Caller, make_member, now, problem_of, sign_in
from tests.factories.portal import an_operator

OLD, NEW = "+8613800138000", "+8613900139000"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_messages() -> None:
    MemorySms.sent.clear()


def staff_who(*permissions: str) -> Client:
    """Return the browser of a colleague who holds these permissions."""
    operator = an_operator()
    operator.user_permissions.set(Permission.objects.filter(codename__in=[one.split(".")[1] for one in permissions]))
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    return client


def code_to(phone: str) -> str:
    return next(one.params["code"] for one in reversed(MemorySms.sent) if one.phone == phone and "code" in one.params)


def codes(me: Caller, phone: str = NEW) -> dict[str, Any]:
    answer = me.post("/me/phone-change/codes", {"phone": phone})
    assert answer.status_code == 201, answer.content
    ids = answer.json()
    body = {"phone": phone, "new_code_id": ids["new_code_id"], "new_code": code_to(phone)}
    if ids["old_code_id"]:
        body |= {"old_code_id": ids["old_code_id"], "old_code": code_to(OLD)}
    return body


class TestAMember:
    def test_changes_the_number_with_codes_to_both(self) -> None:
        member = make_member(phone=OLD)
        elsewhere = begin_session(member_id=member.pk, way="wechat", at=now())
        me = sign_in(member)
        body = codes(me)
        answer = me.post("/me/phone-change", body, key="one")
        assert (answer.status_code, answer.json()["phone_masked"]) == (200, "139****9000")
        assert MemberPerson.objects.get(pk=member.pk).phone == NEW
        assert me.get("/me").status_code == 200
        assert problem_of(Caller(elsewhere.secret).get("/me")) == (401, "token_expired")
        assert MemberSession.objects.get(pk=elsewhere.session.pk).end == "phone"
        assert [one.phone for one in MemorySms.sent if one.kind.startswith("phone_changed")] == [OLD, NEW]
        assert NEW[3:] not in MemorySms.sent[-2].text  # the old number learns no more than it must
        again = me.post("/me/phone-change", body, key="one")
        assert (again.json(), again.headers["Idempotency-Replayed"]) == (answer.json(), "true")
        assert len([one for one in MemorySms.sent if one.kind.startswith("phone_changed")]) == 2

    def test_is_not_changed_without_codes_when_the_kept_answer_goes_away_meanwhile(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        me = sign_in(make_member(phone=OLD))
        body = codes(me)
        with monkeypatch.context() as tidied:
            tidied.setattr("members.api.phone_change.kept_answer", lambda **_whose: Answer(200, {}))
            answer = me.post("/me/phone-change", body, key="one")
        assert problem_of(answer) == (409, "request_in_progress")
        assert not MemberPerson.objects.filter(phone=NEW).exists()
        assert me.post("/me/phone-change", body, key="one").status_code == 200

    def test_then_keeps_points_in_for_a_day(self) -> None:
        member, friend = make_member(phone=OLD), make_member()
        me = sign_in(member)
        assert me.post("/me/phone-change", codes(me), key="one").status_code == 200
        until = cooling_until(member.pk, now())
        assert until is not None
        with pytest.raises(TransferTooSoon):
            check_cooldown(member_id=member.pk, currency_id=ledger.currency_id(), at=until - timedelta(seconds=1))
        with pytest.raises(CoolingDown):
            hold_points(
                member_id=member.pk, points=1, source="till", external_ref="x", by=SYSTEM, at=until - COOLING / 2
            )
        assert cooling_until(member.pk, until) is None
        assert cooling_until(friend.pk, now()) is None

    def test_needs_both_codes(self) -> None:
        me = sign_in(make_member(phone=OLD))
        body = codes(me)
        wrong_old = body | {"old_code": f"{(int(body['old_code']) + 1) % 10**7:07}"}
        assert problem_of(me.post("/me/phone-change", wrong_old, key="a")) == (422, "code_wrong")
        without = {name: value for name, value in body.items() if not name.startswith("old")}
        assert problem_of(me.post("/me/phone-change", without, key="b")) == (400, "validation_error")
        swapped = body | {"new_code_id": body["old_code_id"], "new_code": body["old_code"]}
        assert problem_of(me.post("/me/phone-change", swapped, key="c")) == (422, "code_wrong")
        stranger = sign_in(make_member(phone="+8613700137000"))
        assert problem_of(stranger.post("/me/phone-change", body, key="d"))[1] in ("code_wrong", "validation_error")
        assert problem_of(me.post("/me/phone-change", body)) == (400, "idempotency_key_missing")
        assert MemberPerson.objects.filter(phone=NEW).count() == 0
        assert me.post("/me/phone-change", body, key="e").status_code == 200

    def test_without_a_number_needs_the_code_to_the_new_one(self) -> None:
        me = sign_in(make_member())
        assert me.post("/me/phone-change", codes(me), key="one").status_code == 200

    def test_is_told_that_somebody_has_the_number_and_so_are_the_staff(self) -> None:
        member, holder = make_member(phone=OLD), make_member(phone=NEW)
        me = sign_in(member)
        answer = me.post("/me/phone-change", codes(me), key="one")
        assert problem_of(answer) == (409, "phone_in_use")
        assert holder.member_no not in answer.content.decode()
        assert MemberPerson.objects.get(pk=member.pk).phone == OLD
        assert cooling_until(member.pk, now()) is None
        entry = TimelineEntry.objects.get(kind="members.phone_taken.v1", member=member)
        assert holder.member_no in str(tell([entry])[0])


class TestStaff:
    def page(self, member: Member) -> str:
        return reverse("admin:members_member_phone", args=[member.pk])

    def asked(self, client: Client, member: Member, phone: str = "13900139000") -> Any:
        said = {"step": "number", "phone": phone, "proof": "orders", "reason": "lost the phone"}
        return client.post(self.page(member), said)

    def second(self, client: Client, member: Member, code: str) -> Any:
        sent = OneTimeCode.objects.latest("pk")
        said = {
            "step": "code", "phone": NEW, "proof": "orders", "reason": "lost the phone", "code_id": str(sent.public_id), "code": code,
        }  # fmt: skip
        return client.post(self.page(member), said)

    def test_change_the_number_with_a_code_and_a_proof(self) -> None:
        member = make_member(phone=OLD)
        phone = begin_session(member_id=member.pk, way="wechat", at=now())
        staff = staff_who("members.view_member", "members.change_phone")
        assert staff.get(self.page(member)).status_code == 200
        first = self.asked(staff, member)
        assert "139****9000" in first.text
        assert self.second(staff, member, "0000000" if code_to(NEW) != "0000000" else "1111111").status_code == 200
        assert MemberPerson.objects.get(pk=member.pk).phone == OLD
        assert self.second(staff, member, code_to(NEW)).status_code == 302
        assert MemberPerson.objects.get(pk=member.pk).phone == NEW
        assert cooling_until(member.pk, now()) is not None
        assert problem_of(Caller(phone.secret).get("/me")) == (401, "token_expired")
        assert {one.phone for one in MemorySms.sent if one.kind.startswith("phone_changed")} == {OLD, NEW}
        told = TimelineEntry.objects.get(kind="members.phone_changed.v1")
        assert told.payload["proof"] == "orders"
        assert str(NEW) not in str(told.payload)

    def test_are_led_to_the_merge_when_somebody_has_the_number(self) -> None:
        member, holder = make_member(phone=OLD), make_member(phone=NEW)
        staff = staff_who("members.view_member", "members.change_phone", "members.merge_members")
        assert holder.member_no in self.asked(staff, member).text
        answer = self.second(staff, member, code_to(NEW))
        assert answer.headers["Location"] == reverse("admin:members_merge_compare", args=[member.pk, holder.pk])
        assert MemberPerson.objects.get(pk=member.pk).phone == OLD

    def test_without_the_permission_may_not(self) -> None:
        member = make_member(phone=OLD)
        assert staff_who("members.view_member").get(self.page(member)).status_code == 403

    def test_see_where_a_member_is_signed_in_and_sign_them_out(
        self, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        member = make_member(phone=OLD)
        one = begin_session(member_id=member.pk, way="wechat", device="iPhone 17", at=now())
        two = begin_session(member_id=member.pk, way="sms", device="Pixel 11", at=now())
        staff = staff_who("members.view_member", "members.end_membersession")
        tab = reverse("admin:members_member_tab", args=[member.pk, "sign_ins"])
        with django_assert_max_num_queries(12):
            text = staff.get(tab, headers={"hx-request": "true"}).text
        assert "iPhone 17" in text
        assert "Pixel 11" in text
        dialog = reverse("admin:members_member_sign_ins", args=[member.pk, "end"])
        assert "iPhone 17" in staff.get(dialog).text
        staff.post(dialog, {"_form_submitted": "on", "session": one.session.pk, "reason": "lost"})
        assert problem_of(Caller(one.secret).get("/me")) == (401, "token_expired")
        assert Caller(two.secret).get("/me").status_code == 200
        staff.post(
            reverse("admin:members_member_sign_ins", args=[member.pk, "end_all"]),
            {"_form_submitted": "on", "reason": "lost"},
        )
        assert problem_of(Caller(two.secret).get("/me")) == (401, "token_expired")
        assert staff_who("members.view_member").get(dialog).status_code == 403

    def test_see_guessing_above_the_risk_reviews_and_note_what_it_was(self) -> None:
        for number in range(60):
            wrong_try(kind=KIND, partitions={"phone": f"+861{number}"}, at=timezone.now())
        staff = staff_who("members.view_riskreview", "members.view_guessingalarm", "members.settle_guessingalarm")
        above = staff.get(reverse("admin:members_riskreview_changelist"), {"state__exact": "waiting"}).text
        assert reverse("admin:members_guessingalarm_changelist") in above
        assert staff.get(reverse("admin:members_guessingalarm_changelist")).status_code == 200
        alarm = GuessingAlarm.objects.get()
        settle = reverse("admin:members_guessingalarm_settle", args=[alarm.pk])
        assert staff.get(settle).status_code == 200
        staff.post(settle, {"_form_submitted": "on", "reason": "a test of ours"})
        alarm.refresh_from_db()
        assert alarm.reason == "a test of ours"
        assert staff_who("members.view_guessingalarm").get(settle).status_code == 404
