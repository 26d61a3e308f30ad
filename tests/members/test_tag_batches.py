"""A tag for everybody in a list: one approval, a job, one undo."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from members.identifiers import NotFound
from members.models import Job, Member, MemberTag, Operator, Proposal, Segment, SegmentSpan, Tag
from members.personal_words import WordsNamePerson
from members.proposals import approve
from members.services import tag_batches
from members.services.jobs import undo_job
from members.services.tag_batches import NobodyToTag, propose_tagging
from members.services.tags import TagIsOff, add_tag, make_tag
from tests.factories.imports import may, work
from tests.factories.people import a_member
from tests.factories.portal import an_operator, signed_in
from tests.factories.times import at
from tests.factories.work import actor, an_approver

NOON = at("2026-03-15 12:00")


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)


def a_maker() -> Operator:
    return may(an_operator("marketing"), "members.put_tags")


def an_approving_colleague() -> Operator:
    return may(an_approver("administrator"), "members.put_tags")


def a_tag(code: str = "vip") -> Tag:
    return make_tag(code=code, name=code.upper(), by=actor(a_maker()), at=NOON)


def a_list(*members: Member) -> Segment:
    segment = Segment.objects.create(
        name="Guests of the opening", kind=Segment.Kind.STATIC, state=Segment.State.READY, members_count=len(members), created_at=NOON
    )  # fmt: skip
    for member in members:
        SegmentSpan.objects.create(
            segment=segment, member=member, entered_at=NOON, entered_cause="list", entered_number=0, entered_tests=0
        )
    return segment


def asked(tag: Tag, segment: Segment, **details: Any) -> int:
    return propose_tagging(
        **{
            "tag_id": tag.pk,
            "segment_id": segment.pk,
            "reason": "They were invited",
            "by": actor(a_maker()),
            "at": NOON,
            **details,
        }
    ).proposal_id


def carried_out(proposal_id: int) -> Job:
    approve(proposal_id=proposal_id, by=actor(an_approving_colleague()), at=NOON)
    job = Job.objects.latest("pk")
    assert work(job, NOON) == "done"
    job.refresh_from_db()
    return job


def tagged(tag: Tag) -> set[int]:
    return set(MemberTag.objects.filter(tag=tag, ended_at__isnull=True).values_list("member_id", flat=True))


@pytest.mark.django_db
class TestATagForAList:
    def test_waits_for_a_colleague_and_is_put_on_in_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tag_batches, "_CHUNK", 2)
        members = [a_member() for _number in range(5)]
        tag, segment = a_tag(), a_list(*members)
        proposal_id = asked(tag, segment)
        assert Proposal.objects.get(pk=proposal_id).state == Proposal.State.WAITING
        assert tagged(tag) == set()
        job = carried_out(proposal_id)
        assert tagged(tag) == {member.pk for member in members}
        assert (job.done, job.ok, job.total) == (5, 5, 5)

    def test_reaches_who_is_in_the_list_when_it_is_carried_out(self) -> None:
        stays, leaves, comes = a_member(), a_member(), a_member()
        tag, segment = a_tag(), a_list(stays, leaves)
        proposal_id = asked(tag, segment)
        SegmentSpan.objects.filter(member=leaves).update(left_at=NOON)
        SegmentSpan.objects.create(
            segment=segment, member=comes, entered_at=NOON, entered_cause="list", entered_number=0, entered_tests=0
        )
        carried_out(proposal_id)
        assert tagged(tag) == {stays.pk, comes.pk}

    def test_is_taken_back_as_a_whole_but_for_those_who_had_it(self) -> None:
        before, since = a_member(), a_member()
        tag, segment = a_tag(), a_list(before, since)
        earlier = NOON - timedelta(days=3)
        add_tag(member_ids=[before.pk], tag_id=tag.pk, by=actor(a_maker()), at=earlier, reason="Always")
        job = carried_out(asked(tag, segment))
        undo = undo_job(job_id=job.pk, by=actor(a_maker()), at=NOON)
        assert work(undo, NOON) == "done"
        assert tagged(tag) == {before.pk}

    def test_is_not_asked_for_in_vain(self) -> None:
        tag, empty, full = a_tag(), a_list(), None
        with pytest.raises(NobodyToTag):
            asked(tag, empty)
        Segment.objects.filter(pk=empty.pk).update(name="Old")
        full = a_list(a_member())
        with pytest.raises(WordsNamePerson):
            asked(tag, full, reason="For 13800138000")
        with pytest.raises(NotFound):
            asked(tag, full, segment_id=0)
        Tag.objects.filter(pk=tag.pk).update(is_on=False)
        with pytest.raises(TagIsOff):
            asked(tag, full)
        assert not Proposal.objects.exists()

    def test_is_asked_for_on_a_page_of_the_tag(self) -> None:
        tag, segment = a_tag(), a_list(a_member())
        client = signed_in(superuser=True)
        address = reverse("admin:members_tag_many", args=[tag.pk])
        assert address in client.get(reverse("admin:members_tag_change", args=[tag.pk])).text
        form = client.get(address).text
        assert "Guests of the opening · 1 member" in form
        answer = client.post(
            address, {"segment": segment.pk, "reason": "They were invited", "request_id": "r1"}, follow=True
        )
        assert "It waits for a colleague to approve it." in answer.text
        assert Proposal.objects.get().kind == "members.tag_many"
        assert signed_in().get(address).status_code == 403
