"""Points that other systems give and take with a key: within its ceiling at once, beyond it by staff, never twice."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from members import proposals
from members.actors import SYSTEM, Actor
from members.models import KeyDay, Member, Operator, Proposal
from members.proposals import MakerCanNotDecide, NotAllowed
from members.services.key_accounts import account_of_source
from members.services.keys import ORDERS_WRITE, rotate_key
from members.services.rates import forget_leases
from members.services.status import freeze_member
from rewards.models import Adjustment, LedgerTransaction, ReasonCode
from rewards.queries import balance_of
from rewards.services.key_adjustments import adjust_by_key
from tests.factories.api import Till, make_member, make_till, now, problem_of
from tests.factories.by_hand import may_move_points
from tests.factories.portal import an_operator, signed_in
from tests.factories.till import ref
from tests.harness.threads import together

PATH = "/integration/adjustments"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    forget_leases()


@pytest.fixture
def member() -> Member:
    return make_member()


@pytest.fixture
def reason() -> ReasonCode:
    return ReasonCode.objects.create(code="crm", label="Complaint", direction=ReasonCode.Direction.BOTH)


@pytest.fixture
def crm(reason: ReasonCode) -> Till:
    """A system whose key may move 1,000 points a day."""
    return with_ceiling(make_till(source="crm"), 1_000)


def with_ceiling(caller: Till, points: int | None) -> Till:
    caller.key.daily_points_ceiling = points
    caller.key.save()
    return caller


def body(member: Member, points: int = 300, **changes: Any) -> dict[str, Any]:
    return {"external_ref": "CRM-1", "member_ref": ref(member), "points": points, "reason_code": "crm"} | changes


def points_of(member: Member) -> int:
    return balance_of(member.pk, timezone.now()).available


def a_colleague() -> Actor:
    return Actor("operator", may_move_points(an_operator()).pk)


@pytest.mark.django_db
class TestWithinTheCeiling:
    def test_points_are_given_and_taken_at_once(self, crm: Till, member: Member) -> None:
        given = crm.post(PATH, body(member), key="1")
        assert given.status_code == 201, given.json()
        told = given.json()
        assert told | {"id": "", "created_at": "", "decided_at": ""} == {
            "id": "", "external_ref": "CRM-1", "state": "carried_out", "member_ref": ref(member), "points": 300, "reason_code": "crm",
            "reason_label": "Complaint", "approvals_missing": 0, "created_at": "", "expires_at": None, "decided_at": "",
            "already_processed": False,
        }  # fmt: skip
        assert points_of(member) == 300
        taken = crm.post(PATH, body(member, -100, external_ref="CRM-2"), key="2")
        assert (taken.status_code, points_of(member)) == (201, 200)
        assert KeyDay.objects.get(family=crm.key.family).points == 400
        assert crm.get(f"{PATH}/{told['id']}").json() == told | {"already_processed": True}
        maker = Adjustment.objects.values_list("maker__display_name", flat=True).distinct()
        assert list(maker) == ["crm"]

    def test_the_member_may_be_named_by_the_id_of_the_system(self, crm: Till) -> None:
        assert crm.put("/integration/members/C-9", {"name": "张三"}).status_code == 201
        asked = {"external_ref": "CRM-1", "external_id": "C-9", "points": 5, "reason_code": "crm"}
        assert crm.post(PATH, asked, key="1").status_code == 201
        assert problem_of(crm.post(PATH, asked | {"external_id": "C-8", "external_ref": "x"}, key="2")) == (
            404, "not_found",
        )  # fmt: skip

    def test_told_again_moves_nothing_ever(self, crm: Till, member: Member) -> None:
        first = crm.post(PATH, body(member), key="1").json()
        replayed = crm.post(PATH, body(member), key="1")
        assert (replayed.headers["Idempotency-Replayed"], replayed.json()) == ("true", first)
        successor = rotate_key(key_id=crm.key.pk, reason="yearly", by=SYSTEM, at=now())
        for caller in (crm, Till(secret=successor.secret, key=successor.key)):
            again = caller.post(PATH, body(member), key="2")
            assert (again.status_code, again.json()) == (200, first | {"already_processed": True})
        for other in ({"points": 301}, {"member_ref": ref(make_member())}, {"note": "Another"}):
            conflict = crm.post(PATH, body(member) | other, key=f"c{other}"[:20].replace(" ", ""))
            assert problem_of(conflict) == (409, "adjustment_conflict")
        assert (points_of(member), KeyDay.objects.get().points, Proposal.objects.count()) == (300, 300, 1)

    def test_numbers_are_those_of_a_source(self, crm: Till, member: Member) -> None:
        made = crm.post(PATH, body(member), key="1").json()
        other = with_ceiling(make_till(source="erp"), 1_000)
        assert problem_of(other.get(f"{PATH}/{made['id']}")) == (404, "not_found")
        assert other.post(PATH, body(member), key="1").status_code == 201
        assert points_of(member) == 600


@pytest.mark.django_db
class TestBeyondIt:
    def test_staff_decide(self, crm: Till, member: Member) -> None:
        assert crm.post(PATH, body(member, 900), key="1").status_code == 201
        more = crm.post(PATH, body(member, 101, external_ref="CRM-2"), key="2")
        assert (more.status_code, more.json()["state"], more.json()["approvals_missing"]) == (
            202,
            "pending_approval",
            1,
        )
        assert more.json()["expires_at"] > more.json()["created_at"]
        assert (points_of(member), KeyDay.objects.get().points) == (900, 900)
        assert crm.post(PATH, body(member, 101, external_ref="CRM-2"), key="3").status_code == 202
        proposal = Proposal.objects.get(state="waiting")
        proposals.approve(proposal_id=proposal.pk, by=a_colleague(), at=now())
        told = crm.get(f"{PATH}/{more.json()['id']}").json()
        assert (told["state"], told["expires_at"], points_of(member)) == ("carried_out", None, 1_001)
        assert KeyDay.objects.get().points == 900  # what people approved is not the key's
        assert crm.post(PATH, body(member, 101, external_ref="CRM-2"), key="4").json()["state"] == "carried_out"

    def test_a_refusal_is_told(self, crm: Till, member: Member) -> None:
        waits = crm.post(PATH, body(member, 5_000), key="1").json()
        proposals.refuse(proposal_id=Proposal.objects.get().pk, by=a_colleague(), at=now(), reason="Too much")
        told = crm.get(f"{PATH}/{waits['id']}").json()
        assert (told["state"], points_of(member)) == ("refused", 0)
        assert "Too much" not in str(told)

    def test_a_key_without_a_ceiling_moves_nothing_alone(self, crm: Till, member: Member) -> None:
        with_ceiling(crm, None)
        assert crm.post(PATH, body(member, 1), key="1").status_code == 202
        assert points_of(member) == 0

    def test_what_two_people_approve_is_never_done_alone(self, crm: Till, member: Member) -> None:
        with_ceiling(crm, 1_000_000)
        answer = crm.post(PATH, body(member, 200_001), key="1").json()
        assert (answer["state"], answer["approvals_missing"], points_of(member)) == ("pending_approval", 2, 0)

    def test_no_key_approves(self, crm: Till, member: Member) -> None:
        crm.post(PATH, body(member, 5_000), key="1")
        proposal = Proposal.objects.get()
        account = account_of_source("crm", permission="rewards.adjust_points")
        assert proposal.maker == account
        with pytest.raises(NotAllowed):
            proposals.approve(proposal_id=proposal.pk, by=Actor("device", crm.key.pk), at=now())
        may_move_points(account)  # even with every right
        with pytest.raises(MakerCanNotDecide):
            proposals.approve(proposal_id=proposal.pk, by=Actor("operator", account.pk), at=now())
        assert (points_of(member), Proposal.objects.get().state) == (0, "waiting")


class TestAtOnce:
    def test_one_number_moves_points_once_and_the_ceiling_is_never_passed(self, committed_db: str) -> None:
        ReasonCode.objects.create(code="crm", label="Complaint", direction=ReasonCode.Direction.BOTH)
        key, member = with_ceiling(make_till(source="crm"), 1_000).key, make_member()

        def adjust(external_ref: str) -> tuple[bool, str]:
            told = adjust_by_key(
                key=key, external_ref=external_ref, member_id=member.pk, points=300, reason_code="crm", note="", at=now()
            )  # fmt: skip
            return told.already_told, told.proposal.state

        same = together([lambda: adjust("CRM-0")] * 8)
        assert Counter(same) == {(False, "carried_out"): 1, (True, "carried_out"): 7}
        others = together([lambda number=number: adjust(f"CRM-{number}") for number in range(1, 9)])  # type: ignore[misc]
        assert Counter(others) == {(False, "carried_out"): 2, (False, "waiting"): 6}
        assert (points_of(member), KeyDay.objects.get().points) == (900, 900)


@pytest.mark.django_db
class TestARefusal:
    def test_changes_nothing(self, crm: Till, member: Member) -> None:
        ReasonCode.objects.create(code="gives", label="Gives", direction="credit", needs_note=True)
        asked = [
            (body(member, -1), (409, "insufficient_points")),
            (body(member, reason_code="none"), (422, "reason_not_offered")),
            (body(member, -1, reason_code="gives", note="x"), (422, "reason_does_not_fit")),
            (body(member, reason_code="gives"), (422, "note_missing")),
            (body(member, note="call 13800138000"), (422, "words_name_person")),
            (body(member, member_ref=f"mem_{'0' * 26}"), (404, "not_found")),
            (body(member, 0), (400, "validation_error")),
            (body(member, 10_000_001), (400, "validation_error")),
            (body(member, external_id="C-1"), (400, "validation_error")),
        ]
        for number, (told, problem) in enumerate(asked):
            assert problem_of(crm.post(PATH, told, key=str(number))) == problem
        at = now()
        freeze_member(member_id=member.pk, reason="suspected", release_at=at + timedelta(days=9), by=SYSTEM, at=at)
        for points in (10, 5_000):
            assert problem_of(crm.post(PATH, body(member, points), key="f")) == (409, "member_frozen")
        assert not Proposal.objects.exists()
        assert not LedgerTransaction.objects.exists()
        assert not KeyDay.objects.exists()

    def test_is_for_keys_without_the_scope(self, crm: Till, member: Member) -> None:
        till = make_till(scopes=[ORDERS_WRITE])
        assert problem_of(till.post(PATH, body(member), key="1")) == (403, "insufficient_scope")
        assert problem_of(till.get(f"{PATH}/prp_{'0' * 26}")) == (403, "insufficient_scope")
        assert problem_of(crm.post(PATH, body(member))) == (400, "idempotency_key_missing")


@pytest.mark.django_db
class TestTheAccountOfKeys:
    def test_can_not_sign_in_and_is_not_among_the_staff(self, crm: Till, member: Member) -> None:
        crm.post(PATH, body(member), key="1")
        account = Operator.objects.get(username="key:crm")
        assert not account.has_usable_password()
        assert not account.is_staff
        assert not account.has_perm("members.approve_proposal")
        assert account.get_all_permissions() == {"rewards.adjust_points"}
        with pytest.raises(ValidationError):  # nobody is given such a name
            account.clean_fields()
        listed = signed_in("administrator").get(reverse("admin:members_operator_changelist"))
        assert "key:crm" not in listed.text
        assert signed_in("administrator").get(
            reverse("admin:members_operator_change", args=[account.pk])
        ).status_code in (302, 404)

    def test_is_named_where_staff_decide(self, crm: Till, member: Member) -> None:
        crm.post(PATH, body(member, 5_000), key="1")
        proposal = Proposal.objects.get()
        page = signed_in("finance").get(reverse("admin:members_proposal_change", args=[proposal.pk]))
        assert page.status_code == 200
        assert "crm" in page.text
