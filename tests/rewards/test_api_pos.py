"""Tills over HTTP: find a member, record orders and returns, use vouchers."""

from datetime import timedelta
from typing import Any

import pytest

from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import ApiKey, IdempotentAnswer, Member, MemberPerson
from members.services.keys import MEMBERS_RESOLVE, ORDERS_READ, ORDERS_WRITE, VOUCHERS_REDEEM, revoke_key
from members.services.status import freeze_member
from rewards.models import LedgerEntry, Purchase, PurchasePayer, PurchaseReturn, Reward, Voucher, VoucherTemplate
from rewards.queries import balance_of
from rewards.services.payers import payer_hash
from rewards.services.redemptions import redeem_reward
from tests.factories.api import Caller, Till, make_member, make_store, make_till, now, order_body, problem_of, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    return make_member(full_name="张小丰", phone="13800138000")


def ref(member: Member) -> str:
    return public_ref(MEMBER, member.public_id)


def earned(till: Till, member: Member, amount: str = "50.00") -> dict[str, Any]:
    body = order_body(ref(member), amount=amount)
    assert till.post("/pos/orders", body, key=body["external_order_no"]).status_code == 201
    return body


class TestFindingAMember:
    def test_by_phone_answers_what_a_till_may_know(self, till: Till, member: Member) -> None:
        answer = till.post("/pos/members/resolve", {"phone": "138 0013 8000"})
        assert answer.status_code == 200
        assert answer.json() == {
            "member_ref": ref(member),
            "member_no": member.member_no,
            "name": "张*丰",
            "greeting": answer.json()["greeting"],
            "identified_by": "phone",
            "purpose": "earn",
            "may_spend": False,
            "spend_needs": None,
            "resolution": None,
            "good_until": None,
            "sent_code": None,
            "tier": {"code": "member", "label": answer.json()["tier"]["label"]},
            "points_available": 0,
            "vouchers_usable": 0,
        }
        assert answer.headers["Cache-Control"] == "no-store"

    def test_by_member_number(self, till: Till, member: Member) -> None:
        answer = till.post("/pos/members/resolve", {"member_no": member.member_no})
        assert answer.json()["member_ref"] == ref(member)
        assert answer.json()["identified_by"] == "member_no"

    @pytest.mark.parametrize("asked", [{"phone": "13900139000"}, {"member_no": "123"}, {"phone": "nonsense"}])
    def test_nobody_is_not_found(self, till: Till, asked: dict[str, str]) -> None:
        assert problem_of(till.post("/pos/members/resolve", asked)) == (404, "not_found")

    @pytest.mark.parametrize(
        "asked", [{}, {"phone": "13800138000", "member_no": "1"}, {"phone": ""}, {"phone": 13800138000}, [], None, "x"]
    )
    def test_anything_but_one_name_is_no_request(self, till: Till, asked: Any) -> None:
        assert problem_of(till.post("/pos/members/resolve", asked)) == (400, "validation_error")

    def test_a_frozen_member_is_said_to_be_frozen(self, till: Till, member: Member) -> None:
        freeze_member(
            member_id=member.pk, reason="lost card", release_at=now() + timedelta(days=1), by=SYSTEM, at=now()
        )
        assert problem_of(till.post("/pos/members/resolve", {"phone": "13800138000"})) == (409, "member_frozen")

    def test_a_member_whose_person_was_erased_has_no_name(self, till: Till, member: Member) -> None:
        MemberPerson.objects.filter(member=member).delete()
        assert till.post("/pos/members/resolve", {"member_no": member.member_no}).json()["name"] == ""


class TestRecordingAnOrder:
    def test_answers_what_the_receipt_prints(self, till: Till, member: Member) -> None:
        body = order_body(ref(member), amount="88.80")
        answer = till.post("/pos/orders", body, key="k1")
        assert answer.status_code == 201, answer.content
        receipt = answer.json()
        assert receipt["external_order_no"] == body["external_order_no"]
        assert receipt["member_ref"] == ref(member)
        assert (receipt["total_amount"], receipt["currency"]) == ("88.80", "CNY")
        assert receipt["points_earned"] == sum(line["points"] for line in receipt["explain"]) == 88
        assert receipt["points_available"] == 88
        assert receipt["tier_credits"] == 88
        assert receipt["already_processed"] is False
        assert receipt["ordered_at"].endswith("Z")
        assert "Idempotency-Replayed" not in answer.headers

    def test_belongs_to_the_store_channel_and_source_of_the_key(self, till: Till, member: Member) -> None:
        earned(till, member)
        purchase = Purchase.objects.get()
        assert (purchase.store_id, purchase.channel_id, purchase.source) == (
            till.key.store_id,
            till.key.channel_id,
            till.key.source,
        )

    def test_who_paid_is_kept_as_a_hash_and_nowhere_in_words(self, till: Till, member: Member) -> None:
        body = order_body(ref(member)) | {"payer": "2088 1234"}
        assert till.post("/pos/orders", body, key="k").status_code == 201
        assert bytes(PurchasePayer.objects.get().payer) == payer_hash("20881234")
        assert "2088" not in str(list(IdempotentAnswer.objects.values()))

    def test_a_guest_earns_nothing(self, till: Till) -> None:
        receipt = till.post("/pos/orders", order_body(), key="k").json()
        assert (receipt["member_ref"], receipt["points_earned"], receipt["tier"]) == (None, 0, None)

    def test_a_repeat_gets_the_same_answer_and_earns_once(self, till: Till, member: Member) -> None:
        body = order_body(ref(member))
        first, again = till.post("/pos/orders", body, key="k1"), till.post("/pos/orders", body, key='"k1"')
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert LedgerEntry.objects.count() == 1

    def test_the_same_order_with_a_new_key_is_already_processed(self, till: Till, member: Member) -> None:
        body = order_body(ref(member))
        first, again = till.post("/pos/orders", body, key="k1"), till.post("/pos/orders", body, key="k2")
        assert again.status_code == 200
        assert again.json() == first.json() | {"already_processed": True}
        assert LedgerEntry.objects.count() == 1

    def test_another_order_under_the_same_number_is_a_conflict(self, till: Till, member: Member) -> None:
        body = order_body(ref(member))
        till.post("/pos/orders", body, key="k1")
        other = body | {"lines": [{"sku": "LATTE", "quantity": "1", "amount": "51.00"}]}
        assert problem_of(till.post("/pos/orders", other, key="k2")) == (409, "order_conflict")
        assert balance_of(member.pk, now()).available == 50

    def test_the_key_with_another_body_is_refused(self, till: Till, member: Member) -> None:
        till.post("/pos/orders", order_body(ref(member)), key="k1")
        assert problem_of(till.post("/pos/orders", order_body(ref(member)), key="k1")) == (
            422,
            "idempotency_key_reused",
        )
        assert Purchase.objects.count() == 1

    def test_without_a_key_is_refused(self, till: Till, member: Member) -> None:
        assert problem_of(till.post("/pos/orders", order_body(ref(member)))) == (400, "idempotency_key_missing")
        assert problem_of(till.post("/pos/orders", order_body(ref(member)), key='""')) == (
            400,
            "idempotency_key_missing",
        )
        assert problem_of(till.post("/pos/orders", order_body(ref(member)), key="k" * 121)) == (
            400,
            "idempotency_key_invalid",
        )
        assert not Purchase.objects.exists()

    def test_a_refused_key_may_be_tried_again(self, till: Till, member: Member) -> None:
        freeze_member(
            member_id=member.pk, reason="lost card", release_at=now() + timedelta(days=1), by=SYSTEM, at=now()
        )
        assert problem_of(till.post("/pos/orders", order_body(ref(member)), key="k1")) == (409, "member_frozen")
        assert not Purchase.objects.exists()
        assert not IdempotentAnswer.objects.exists()
        assert till.post("/pos/orders", order_body(), key="k1").status_code == 201

    def test_two_tills_may_use_the_same_key(self, till: Till, member: Member) -> None:
        other = make_till(make_store("S02"), source="till-2")
        body = order_body(ref(member))
        assert till.post("/pos/orders", body, key="k1").status_code == 201
        assert other.post("/pos/orders", body, key="k1").status_code == 201

    def test_an_unknown_member_is_not_found(self, till: Till) -> None:
        assert problem_of(till.post("/pos/orders", order_body("mem_" + "0" * 26), key="k")) == (404, "not_found")

    def test_a_till_that_names_another_store_is_refused(self, till: Till, member: Member) -> None:
        answer = till.post("/pos/orders", order_body(ref(member), store="S99"), key="k")
        assert problem_of(answer) == (403, "wrong_store")
        assert till.post("/pos/orders", order_body(ref(member), store="S01"), key="k").status_code == 201

    def test_a_balance_in_the_body_is_refused(self, till: Till, member: Member) -> None:
        extra: dict[str, Any] = {
            "points": 999999,
            "tier": "gold",
            "points_available": 1,
            "source": "other",
            "store_id": 7,
            "member_id": 1,
        }
        answer = till.post("/pos/orders", order_body(ref(member), **extra), key="k")
        assert {error["pointer"] for error in answer.json()["errors"]} == {f"#/{name}" for name in extra}
        assert not Purchase.objects.exists()


LINE = {"sku": "LATTE", "quantity": "1", "amount": "1.00"}


class TestWhatIsNoOrder:
    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"lines": []}, "#/lines"),
            ({"lines": "x"}, "#/lines"),
            ({"lines": [LINE] * 201}, "#/lines"),
            ({"lines": [LINE, {"sku": "A"}]}, "#/lines/1/quantity"),
            ({"lines": [LINE | {"amount": "-1"}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": "1.005"}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": "99999999999999999999"}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": "1e400"}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": "NaN"}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": "Infinity"}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": {}}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"amount": True}]}, "#/lines/0/amount"),
            ({"lines": [LINE | {"quantity": "0"}]}, "#/lines/0/quantity"),
            ({"lines": [LINE | {"sku": "A\x00B"}]}, "#/lines/0/sku"),
            ({"lines": [LINE | {"sku": "A\nB"}]}, "#/lines/0/sku"),
            ({"lines": [LINE | {"name": "\ud800"}]}, "#/lines/0/name"),
            ({"lines": [LINE | {"amount": "9999999.00"}] * 2}, "#/lines"),
            ({"external_order_no": ""}, "#/external_order_no"),
            ({"external_order_no": "a/b"}, "#/external_order_no"),
            ({"external_order_no": "x" * 81}, "#/external_order_no"),
            ({"external_order_no": 7}, "#/external_order_no"),
            ({"ordered_at": None}, "#/ordered_at"),
            ({"ordered_at": "2026-07-05T14:10:00"}, "#/ordered_at"),
            ({"ordered_at": "0001-01-01T00:00:00+14:00"}, "#/ordered_at"),
            ({"ordered_at": "9999-12-31T23:59:59Z"}, "#/ordered_at"),
            ({"member_ref": "mem_x"}, "#/member_ref"),
            ({"member_ref": 7}, "#/member_ref"),
            ({"currency": "USD"}, "#/currency"),
        ],
    )
    def test_is_named_with_its_place(self, till: Till, changes: dict[str, Any], pointer: str) -> None:
        answer = till.post("/pos/orders", order_body(**changes), key="k")
        assert problem_of(answer) == (400, "validation_error")
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
        assert not Purchase.objects.exists()

    def test_an_order_from_the_future_is_refused(self, till: Till) -> None:
        body = order_body(ordered_at=(now() + timedelta(hours=1)).isoformat())
        assert problem_of(till.post("/pos/orders", body, key="k")) == (422, "order_in_future")

    def test_missing_fields_are_all_named(self, till: Till) -> None:
        answer = till.post("/pos/orders", {}, key="k")
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "#/external_order_no",
            "#/ordered_at",
            "#/lines",
        ]
        assert {error["code"] for error in answer.json()["errors"]} == {"required"}


class TestAskingForAnOrder:
    def test_tells_lines_and_returns(self, till: Till, member: Member) -> None:
        body = earned(till, member)
        number = body["external_order_no"]
        till.post(
            f"/pos/orders/{number}/returns", {"external_return_no": "R1", "returned_at": now().isoformat()}, key="r"
        )
        told = till.get(f"/pos/orders/{number}").json()
        assert told["points_earned"] == 50
        assert [(line["line_no"], line["amount"]) for line in told["lines"]] == [(1, "50.00")]
        assert [(one["external_return_no"], one["points"]) for one in told["returns"]] == [("R1", 50)]
        assert told["points_available"] == 0

    def test_of_another_store_there_is_nothing(self, till: Till, member: Member) -> None:
        number = earned(till, member)["external_order_no"]
        neighbour = make_till(make_store("S02"), source=till.key.source)
        stranger = make_till(make_store("S03"), source="elsewhere")
        for other in (neighbour, stranger):
            assert problem_of(other.get(f"/pos/orders/{number}")) == (404, "not_found")
            body = {"external_return_no": "R1", "returned_at": now().isoformat()}
            assert problem_of(other.post(f"/pos/orders/{number}/returns", body, key="r")) == (404, "not_found")
        assert not PurchaseReturn.objects.exists()

    @pytest.mark.parametrize("number", ["unknown", "%00", "a%0Ab", "%ff", "x" * 200])
    def test_odd_numbers_are_not_found(self, till: Till, number: str) -> None:
        assert problem_of(till.get(f"/pos/orders/{number}")) == (404, "not_found")


class TestReturningGoods:
    def test_takes_the_points_back(self, till: Till, member: Member) -> None:
        number = earned(till, member)["external_order_no"]
        body = {
            "external_return_no": "R1",
            "returned_at": now().isoformat(),
            "lines": [{"line_no": 1, "quantity": "1"}],
        }
        answer = till.post(f"/pos/orders/{number}/returns", body, key="r1")
        assert answer.status_code == 201, answer.content
        receipt = answer.json()
        assert (receipt["amount"], receipt["points_taken_back"], receipt["points_to_arrears"]) == ("50.00", 50, 0)
        assert balance_of(member.pk, now()).available == 0
        again = till.post(f"/pos/orders/{number}/returns", body, key="r1")
        assert (again.status_code, again.json()) == (201, receipt)
        later = till.post(f"/pos/orders/{number}/returns", body, key="r2")
        assert (later.status_code, later.json()) == (200, receipt | {"already_processed": True})

    def test_dry_run_says_the_same_and_changes_nothing(self, till: Till, member: Member) -> None:
        number = earned(till, member)["external_order_no"]
        body = {"external_return_no": "R1", "returned_at": now().isoformat()}
        told = till.post(f"/pos/orders/{number}/returns?dry_run=true", body)
        assert (told.status_code, told.json()["points_taken_back"], told.json()["dry_run"]) == (200, 50, True)
        assert not PurchaseReturn.objects.exists()
        assert balance_of(member.pk, now()).available == 50
        done = till.post(f"/pos/orders/{number}/returns", body, key="r").json()
        assert {**done, "id": "", "dry_run": True} == {**told.json(), "id": ""}

    def test_more_than_was_bought_is_refused(self, till: Till, member: Member) -> None:
        number = earned(till, member)["external_order_no"]
        body = {
            "external_return_no": "R1",
            "returned_at": now().isoformat(),
            "lines": [{"line_no": 1, "quantity": "2"}],
        }
        assert problem_of(till.post(f"/pos/orders/{number}/returns", body, key="r"))[1] == "return_exceeds_order"
        assert balance_of(member.pk, now()).available == 50

    def test_the_key_is_bound_to_the_order_too(self, till: Till, member: Member) -> None:
        first, second = (earned(till, member)["external_order_no"] for _ in range(2))
        body = {"external_return_no": "R1", "returned_at": now().isoformat()}
        assert till.post(f"/pos/orders/{first}/returns", body, key="r").status_code == 201
        assert problem_of(till.post(f"/pos/orders/{second}/returns", body, key="r")) == (422, "idempotency_key_reused")

    def test_needs_a_key_unless_it_is_dry(self, till: Till, member: Member) -> None:
        number = earned(till, member)["external_order_no"]
        body = {"external_return_no": "R1", "returned_at": now().isoformat()}
        assert problem_of(till.post(f"/pos/orders/{number}/returns", body)) == (400, "idempotency_key_missing")
        odd = till.post(f"/pos/orders/{number}/returns?dry_run=perhaps", body, key="r")
        assert problem_of(odd) == (400, "validation_error")
        assert odd.json()["errors"][0]["parameter"] == "dry_run"


@pytest.fixture
def reward() -> Reward:
    template = VoucherTemplate.objects.create(
        code="ten", name="Ten off", kind="amount", off_amount="10.00", min_spend_amount="30.00", validity_days=30
    )
    return Reward.objects.create(
        name="Ten off",
        price_points=40,
        template=template,
        stock=3,
        per_member_limit=2,
        valid_from=now() - timedelta(days=1),
    )


class TestUsingAVoucher:
    @pytest.fixture
    def code(self, till: Till, member: Member, reward: Reward) -> str:
        earned(till, member)
        receipt = redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id="one", by=SYSTEM, at=now())
        return receipt.code

    def test_gives_what_it_is_worth_once(self, till: Till, code: str) -> None:
        body = {"code": code.lower().replace("-", " "), "external_order_no": "T9", "spend_amount": "35.00"}
        answer = till.post("/pos/vouchers/redeem", body, key="v1")
        assert answer.status_code == 200, answer.content
        assert (answer.json()["off_amount"], answer.json()["currency"]) == ("10.00", "CNY")
        assert answer.json()["already_processed"] is False
        assert till.post("/pos/vouchers/redeem", body, key="v1").json() == answer.json()
        assert till.post("/pos/vouchers/redeem", body, key="v2").json() == answer.json() | {"already_processed": True}
        other = body | {"external_order_no": "T10"}
        assert problem_of(till.post("/pos/vouchers/redeem", other, key="v3")) == (409, "voucher_used")
        assert code.replace("-", "") not in str(list(IdempotentAnswer.objects.values_list("answer", flat=True)))

    def test_can_be_checked_first(self, till: Till, code: str) -> None:
        told = till.post("/pos/vouchers/verify", {"code": code, "spend_amount": "35.00"})
        assert (told.status_code, told.json()["off_amount"]) == (200, "10.00")
        assert Voucher.objects.get().state == Voucher.State.ISSUED
        assert problem_of(till.post("/pos/vouchers/verify", {"code": code, "spend_amount": "5"})) == (409, "min_spend")
        assert problem_of(till.post("/pos/vouchers/verify", {"code": "0000"})) == (409, "voucher_not_usable")

    def test_too_small_an_order_is_told_what_is_needed(self, till: Till, code: str) -> None:
        answer = till.post(
            "/pos/vouchers/redeem", {"code": code, "external_order_no": "T9", "spend_amount": "5.00"}, key="v"
        )
        assert problem_of(answer) == (409, "min_spend")
        assert answer.json()["required"] == "30.00"
        assert Voucher.objects.get().state == Voucher.State.ISSUED


CALLS = [
    ("post", "/pos/members/resolve", MEMBERS_RESOLVE),
    ("post", "/pos/orders", ORDERS_WRITE),
    ("get", "/pos/orders/T1", ORDERS_READ),
    ("post", "/pos/orders/T1/returns", ORDERS_WRITE),
    ("post", "/pos/vouchers/verify", VOUCHERS_REDEEM),
    ("post", "/pos/vouchers/redeem", VOUCHERS_REDEEM),
]


def call(caller: Caller, method: str, path: str) -> Any:
    return caller.get(path) if method == "get" else caller.post(path, {}, key="k")


class TestWhoMayCall:
    @pytest.mark.parametrize(("method", "path", "scope"), CALLS)
    def test_only_a_till_with_the_scope(self, method: str, path: str, scope: str) -> None:
        assert problem_of(call(Caller(), method, path)) == (401, "authentication_required")
        assert problem_of(call(sign_in(make_member()), method, path)) == (403, "insufficient_scope")
        others = {MEMBERS_RESOLVE, ORDERS_READ, ORDERS_WRITE, VOUCHERS_REDEEM} - {scope}
        assert problem_of(call(make_till(scopes=others), method, path)) == (403, "insufficient_scope")
        assert call(make_till(scopes={scope}), method, path).status_code not in (401, 403)

    def test_a_revoked_key_is_known_no_more(self, till: Till) -> None:
        revoke_key(key_id=till.key.pk, reason="lost", by=SYSTEM, at=now())
        answer = till.get("/pos/orders/T1")
        assert problem_of(answer) == (401, "authentication_required")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="perennial", error="invalid_token"'

    @pytest.mark.parametrize("secret", ["pk_live_nope", "mt_nope", "nope", "x" * 500, "ключ", "pk_live_a b"])
    def test_unknown_secrets_are_refused(self, secret: str) -> None:
        caller = Caller()
        caller.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
        assert problem_of(caller.get("/pos/orders/T1")) == (401, "authentication_required")

    def test_the_secret_is_kept_nowhere(self, till: Till) -> None:
        row = ApiKey.objects.filter(pk=till.key.pk).values().get()
        assert till.secret not in str(row)
        assert len(till.secret) == len("pk_live_") + 40
