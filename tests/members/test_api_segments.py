"""Segments and behaviours over the API."""

import hashlib

import pytest

from members.identifiers import MEMBER, SEGMENT, public_ref
from members.models import Behaviour, ConsentEntry, Member, MemberPerson, Segment, TimelineEntry
from members.services.consents import give_consent, publish_text, withdraw_consent
from members.services.keys import MEMBERS_READ, SEGMENTS_READ
from tests.factories.api import SYSTEM, make_member, make_till, now, problem_of, sign_in
from tests.factories.segments import ACTIVE, a_live_segment, agrees_to_be_observed


def a_segment() -> Segment:
    return a_live_segment({"all": [ACTIVE]}, at=now(), name="Active ones")


def members_of(segment: Segment) -> str:
    return f"/integration/segments/{public_ref(SEGMENT, segment.public_id)}/members"


def agrees_to_sharing(member: Member) -> None:
    text = publish_text(purpose="sharing", body={"en": f"We pass it on {member.pk}."}, by=SYSTEM, at=now())
    give_consent(
        member_id=member.pk, purpose="sharing", version=text.version, way=ConsentEntry.Way.SELF, by=SYSTEM, at=now()
    )


@pytest.mark.django_db
class TestSegmentsForOtherSystems:
    def test_are_listed_by_name(self) -> None:
        make_member()
        segment = a_segment()
        answer = make_till(scopes=[SEGMENTS_READ]).get("/integration/segments")
        assert answer.status_code == 200
        [item] = answer.json()["items"]
        assert item["id"] == public_ref(SEGMENT, segment.public_id)
        assert (item["name"], item["kind"], item["members_count"]) == ("Active ones", "live", 1)

    def test_hand_out_hashes_of_those_who_agreed_to_be_passed_on(self) -> None:
        agreed, silent, unknown = make_member(phone="13800138000"), make_member(phone="13800138001"), make_member()
        agrees_to_sharing(agreed)
        agrees_to_sharing(unknown)  # has no phone
        segment = a_segment()
        answer = make_till(scopes=[SEGMENTS_READ]).get(members_of(segment))
        assert answer.status_code == 200
        [item] = answer.json()["items"]
        assert item["phone_sha256"] == hashlib.sha256(b"+8613800138000").hexdigest()
        assert "member_ref" not in item
        assert MemberPerson.objects.get(member=silent).phone not in answer.text
        entry = TimelineEntry.objects.get(kind="members.segment_handed_out.v1")
        assert entry.payload == {"segment": segment.pk, "ids": "phone_sha256", "members": 1}
        assert entry.actor_kind == "device"

    def test_leave_out_who_does_not_want_offers_to_be_chosen(self) -> None:
        member = make_member(phone="13800138000")
        agrees_to_sharing(member)
        segment = a_segment()
        till = make_till(scopes=[SEGMENTS_READ])
        assert len(till.get(members_of(segment)).json()["items"]) == 1
        withdraw_consent(
            member_id=member.pk, purpose="personalisation", channels=(), way=ConsentEntry.Way.SELF, by=SYSTEM, at=now()
        )
        assert till.get(members_of(segment)).json()["items"] == []

    def test_name_everybody_to_systems_of_the_business(self) -> None:
        members = [make_member() for _ in range(3)]
        segment = a_segment()
        till = make_till(scopes=[SEGMENTS_READ, MEMBERS_READ])
        first = till.get(f"{members_of(segment)}?ids=ref&limit=2").json()
        rest = till.get(f"{members_of(segment)}?ids=ref&limit=2&cursor={first['next']}").json()
        refs = [item["member_ref"] for item in first["items"] + rest["items"]]
        assert sorted(refs) == sorted(public_ref(MEMBER, member.public_id) for member in members)
        assert rest["next"] is None

    def test_are_refused_without_the_scopes_and_where_there_are_none(self) -> None:
        segment = a_segment()
        assert problem_of(make_till(scopes=["orders.read"]).get("/integration/segments"))[0] == 403
        till = make_till(scopes=[SEGMENTS_READ])
        assert problem_of(till.get(f"{members_of(segment)}?ids=ref"))[0] == 403
        assert problem_of(till.get(f"{members_of(segment)}?ids=phone"))[0] == 400
        assert problem_of(till.get("/integration/segments/seg_nothing/members")) == (404, "not_found")
        Segment.objects.filter(pk=segment.pk).update(state="retired", retired_at=now())
        assert problem_of(till.get(members_of(segment))) == (404, "not_found")
        assert not TimelineEntry.objects.filter(kind="members.segment_handed_out.v1").exists()


@pytest.mark.django_db
class TestEvents:
    def body(self, *kinds: str) -> dict[str, object]:
        moment = now().isoformat()
        return {
            "events": [
                {"id": f"e{number}", "kind": kind, "happened_at": moment, "subject": "LATTE"}
                for number, kind in enumerate(kinds)
            ]
        }

    def test_of_both_sorts_come_in_one_batch(self) -> None:
        member = make_member()
        agrees_to_be_observed(member, at=now())
        body = self.body("view", "share", "dance", "search")
        answer = sign_in(member).post("/me/events", body)
        assert answer.status_code == 202
        results = [(item["id"], item["result"]) for item in answer.json()["events"]]
        assert results == [("e0", "recorded"), ("e1", "recorded"), ("e2", "refused"), ("e3", "recorded")]
        assert Behaviour.objects.filter(member_id=member.pk, subject="LATTE").count() == 2
        again = sign_in(member).post("/me/events", body)
        assert [item["result"] for item in again.json()["events"]] == ["known", "known", "refused", "known"]

    def test_in_passing_need_consent(self) -> None:
        answer = sign_in(make_member()).post("/me/events", self.body("view", "share"))
        codes = [item["code"] for item in answer.json()["events"]]
        assert codes == ["behaviour_not_consented", None]
        assert not Behaviour.objects.exists()
