"""Benefits over the API: a member's own, and at the till."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from loyalty.models import Benefit, Entitlement, EntitlementUse
from members.identifiers import ENTITLEMENT, MEMBER, public_ref
from members.models import Member
from members.services.keys import ORDERS_WRITE
from tests.factories.api import Till, make_member, make_store, make_till, now, problem_of, sign_in
from tests.factories.benefits import a_benefit, an_entitlement, given_by, holding

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    return holding("gold", since=now() - timedelta(days=5), member=make_member())


@pytest.fixture
def till() -> Till:
    return make_till()


def ref(row: Entitlement) -> str:
    row.refresh_from_db()
    return public_ref(ENTITLEMENT, row.public_id)


class TestMyBenefits:
    """My benefits …"""

    def test_are_what_the_tier_gives_and_what_is_counted(self, member: Member) -> None:
        five = a_benefit(
            "five", kind=Benefit.Kind.DISCOUNT, quota=None, name_en="Discount", sentence_en="{figure} % off coffee"
        )
        given_by("gold", five, figure=Decimal(5))
        open_one = an_entitlement(member, a_benefit("lounge", is_used_in_app=True), at=now() - timedelta(hours=1))
        ended = an_entitlement(member, a_benefit("tea"), at=now() - timedelta(days=9), days=3)
        answer = sign_in(member).get("/me/benefits")
        assert answer.status_code == 200
        body = answer.json()
        assert body["tier"]["code"] == "gold"
        assert body["standing"] == [
            {
                "code": "five", "kind": "discount", "kind_label": "discount", "label": "Discount", "figure": "5.00",
                "figure_label": "5 % off", "sentence": "5 % off coffee",
            }
        ]  # fmt: skip
        assert [(one["id"], one["left"], one["quota"], one["can_claim"]) for one in body["entitlements"]] == [
            (ref(open_one), 2, 2, True), (ref(ended), 0, 2, False),
        ]  # fmt: skip
        assert body["entitlements"][0]["state_sentence"].startswith("2 of 2 left until ")

    def test_of_a_member_without_any_are_empty(self) -> None:
        body = sign_in(make_member()).get("/me/benefits").json()
        assert (body["standing"], body["entitlements"], body["tier"]["code"]) == ([], [], "member")

    def test_are_for_members_only(self, till: Till) -> None:
        assert problem_of(till.get("/me/benefits"))[0] in (401, 403)


class TestClaiming:
    """Claiming …"""

    def test_counts_once_for_each_key(self, member: Member) -> None:
        row = an_entitlement(member, a_benefit("lounge", is_used_in_app=True), at=now() - timedelta(hours=1))
        caller = sign_in(member)
        first, again, other = (caller.post(f"/me/benefits/{ref(row)}/claim", {}, key=key) for key in ("k1", "k1", "k2"))
        assert [one.status_code for one in (first, again, other)] == [200] * 3
        assert first.json() == again.json()
        assert (first.json()["left"], other.json()["left"]) == (1, 0)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert problem_of(caller.post(f"/me/benefits/{ref(row)}/claim", {}, key="k3")) == (409, "benefit_exhausted")

    def test_needs_a_key_and_an_entitlement_of_ones_own_that_is_used_in_the_app(self, member: Member) -> None:
        in_store = an_entitlement(member, a_benefit("tea"), at=now() - timedelta(hours=1))
        foreign = an_entitlement(make_member(), a_benefit("x", is_used_in_app=True), at=now() - timedelta(hours=1))
        caller = sign_in(member)
        assert problem_of(caller.post(f"/me/benefits/{ref(in_store)}/claim", {})) == (400, "idempotency_key_missing")
        answer = caller.post(f"/me/benefits/{ref(in_store)}/claim", {}, key="a")
        assert problem_of(answer) == (409, "benefit_not_used_in_app")
        assert problem_of(caller.post(f"/me/benefits/{ref(foreign)}/claim", {}, key="b")) == (404, "not_found")
        assert problem_of(caller.post("/me/benefits/etl_nonsense/claim", {}, key="c")) == (404, "not_found")
        assert not EntitlementUse.objects.exists()

    def test_of_a_frozen_member_is_refused(self, member: Member) -> None:
        row = an_entitlement(member, a_benefit("lounge", is_used_in_app=True), at=now() - timedelta(hours=1))
        caller = sign_in(member)
        Member.objects.filter(pk=member.pk).update(status="frozen", frozen_but_signs_in=True)
        assert problem_of(caller.post(f"/me/benefits/{ref(row)}/claim", {}, key="k")) == (409, "member_frozen")


class TestAtTheTill:
    """A use at the till …"""

    def body(self, member: Member, number: str = "U-1", **changes: object) -> dict[str, object]:
        member_ref = public_ref(MEMBER, member.public_id)
        return {"member_ref": member_ref, "benefit": "lounge", "external_ref": number, **changes}

    def test_is_counted_in_its_store_once_also_under_a_new_key(self, member: Member, till: Till) -> None:
        an_entitlement(member, a_benefit("lounge"), at=now() - timedelta(hours=1))
        first = till.post("/pos/benefits/use", self.body(member), key="k1")
        again = till.post("/pos/benefits/use", self.body(member), key="k2")
        assert (first.status_code, first.json()["left"], first.json()["already_processed"]) == (200, 1, False)
        assert (again.status_code, again.json()["left"], again.json()["already_processed"]) == (200, 1, True)
        use = EntitlementUse.objects.get()
        assert (use.store_id, use.source, use.external_ref) == (till.key.store_id, till.key.source, "U-1")
        other = till.post("/pos/benefits/use", self.body(member, uses=2), key="k3")
        assert problem_of(other) == (422, "use_conflict")

    def test_is_refused_with_its_code(self, member: Member, till: Till) -> None:
        assert problem_of(till.post("/pos/benefits/use", self.body(member), key="a")) == (409, "benefit_not_held")
        away = [(now().weekday() + 3) % 7]
        an_entitlement(member, a_benefit("lounge", weekdays=away), at=now() - timedelta(hours=1))
        assert problem_of(till.post("/pos/benefits/use", self.body(member), key="b")) == (409, "not_in_window")
        answer = till.post("/pos/benefits/use", {**self.body(member), "member": "x"}, key="c")
        assert problem_of(answer) == (400, "validation_error")
        assert not EntitlementUse.objects.exists()

    def test_needs_the_scope_and_a_key(self, member: Member, till: Till) -> None:
        assert problem_of(till.post("/pos/benefits/use", self.body(member)))[1] == "idempotency_key_missing"
        narrow = make_till(scopes=[ORDERS_WRITE])
        assert problem_of(narrow.post("/pos/benefits/use", self.body(member), key="k"))[0] == 403


class TestTakingBackAtTheTill:
    """Taking a use back at the till …"""

    REASON: ClassVar = {"reason": "pressed by mistake"}

    def used(self, member: Member, till: Till, number: str = "U-1", **terms: Any) -> Entitlement:
        row = an_entitlement(member, a_benefit("lounge", **terms), at=now() - timedelta(hours=1))
        body = {"member_ref": public_ref(MEMBER, member.public_id), "benefit": "lounge", "external_ref": number}
        assert till.post("/pos/benefits/use", body, key=f"use-{number}").status_code == 200
        return row

    def test_gives_it_back_once(self, member: Member, till: Till) -> None:
        row = self.used(member, till)
        first, same, again = (till.post("/pos/benefits/uses/U-1/undo", self.REASON, key=key) for key in ("a", "a", "b"))
        assert [one.status_code for one in (first, same, again)] == [200] * 3
        told = first.json()
        assert (told["entitlement"], told["given_back"], told["left"], told["already_processed"]) == (
            ref(row),
            1,
            2,
            False,
        )
        assert same.json() == told
        assert again.json() == {**told, "already_processed": True}
        undone = EntitlementUse.objects.get(undoes__isnull=False)
        assert (undone.units, undone.reason, undone.actor_kind) == (-1, "pressed by mistake", "device")
        assert EntitlementUse.objects.count() == 2

    def test_is_refused_with_its_code(self, member: Member, till: Till) -> None:
        self.used(member, till, voucher_template_code="gift", is_given_at_once=False)
        answer = till.post("/pos/benefits/uses/U-1/undo", self.REASON, key="a")
        assert problem_of(answer) == (409, "vouchers_were_issued")
        assert "A voucher was issued for this use" in answer.json()["detail"]
        for number, body, problem in (
            ("U-2", self.REASON, (404, "not_found")),
            ("U-1", {}, (400, "validation_error")),
            ("U-1", {"reason": "call 13800138000"}, (422, "words_name_person")),
        ):
            answer = till.post(f"/pos/benefits/uses/{number}/undo", body, key=f"{number}-{problem[0]}")
            assert problem_of(answer) == problem
        assert EntitlementUse.objects.count() == 1

    def test_is_for_the_till_that_told_it(self, member: Member, till: Till) -> None:
        self.used(member, till)
        for other in (make_till(make_store("S02")), make_till(source="elsewhere")):
            answer = other.post("/pos/benefits/uses/U-1/undo", self.REASON, key="k")
            assert problem_of(answer) == (404, "not_found")
        narrow = make_till(scopes=[ORDERS_WRITE])
        assert problem_of(narrow.post("/pos/benefits/uses/U-1/undo", self.REASON, key="k"))[0] == 403
        assert problem_of(till.post("/pos/benefits/uses/U-1/undo", self.REASON))[1] == "idempotency_key_missing"
        assert EntitlementUse.objects.count() == 1
