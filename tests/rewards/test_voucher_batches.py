"""Vouchers for many: previewed, approved above the limit, issued once by a job that a crash does not double, taken back unused."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from members.jobs import InputFile, JobRun, title_of, words_of
from members.models import (
    Job,
    JobErrorRow,
    LimitUsage,
    Member,
    Operator,
    OwnMembership,
    Proposal,
    SegmentSpan,
    TimelineEntry,
)
from members.own_accounts import OwnAccount
from members.proposals import EffectChanged, approve, effect_now, sentence_of
from members.refusals import Refusal
from members.services.jobs import JobIsUndone, cancel_job, continue_job, run_job, undo_job, undo_preview
from rewards.models import Voucher, VoucherBatch, VoucherBudget, VoucherTemplate
from rewards.services import voucher_batches
from rewards.services.voucher_batch_preview import BatchPreview, preview_of
from rewards.services.voucher_batches import (
    VoucherBatchHasGrown,
    VoucherBatchIsForNobody,
    VoucherBatchIsProposed,
    VoucherBatchOverBudget,
    VoucherListIsRead,
    draw_up_batch,
    propose_batch,
)
from rewards.services.voucher_issue import VoucherNotIssued
from tests.factories.catalogue import a_template
from tests.factories.orders import NOON
from tests.factories.people import a_member
from tests.factories.segments import run_waiting_jobs
from tests.factories.work import Clock
from tests.rewards.by_hand import actor
from tests.rewards.voucher_given import a_list_of, a_voucher, issuer, stand

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)


def drawn_up(
    members: list[Member],
    template: VoucherTemplate | None = None,
    *,
    duplicates: str = "skip",
    by: Operator | None = None,
    name: str = "Some",
) -> VoucherBatch:
    segment = a_list_of(members, name)
    return draw_up_batch(
        template_id=(template or a_template()).pk, segment_id=segment.pk, duplicates=duplicates, by=actor(by or issuer()), at=NOON
    )  # fmt: skip


def issued(batch: VoucherBatch, by: Operator | None = None) -> Job:
    """Propose a batch within the limit, and return its job, not worked at yet."""
    outcome = propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(by or batch.maker), at=NOON)
    assert outcome.carried_out
    batch.refresh_from_db()
    assert batch.job is not None
    return batch.job


def work(job: Job, at: datetime = LATER) -> str:
    return run_job(job_id=job.pk, worker="test", clock=Clock(at))


def held(members: list[Member]) -> list[int]:
    """Return how many vouchers each holds that can be used."""
    live = Voucher.objects.filter(state=Voucher.State.ISSUED)
    return [live.filter(member=member).count() for member in members]


class TestPreview:
    """The preview of a batch …"""

    def test_says_who_gets_one_who_not_and_what_it_costs(self) -> None:
        template = a_template(most_held=2)
        fresh, one, two, gone = a_member(), a_member(), a_member(), a_member(status="closed")
        for member in (one, two, two):
            a_voucher(member, template)
        skips = preview_of(drawn_up([fresh, one, two, gone], template), at=NOON)
        again = preview_of(drawn_up([fresh, one, two, gone], template, duplicates="again", name="B"), at=NOON)
        assert _figures(skips) == (4, 1, 2, 0, 1, Decimal(5))
        assert _figures(again) == (4, 1, 0, 1, 2, Decimal(10))

    def test_counts_merged_members_as_one(self) -> None:
        kept, merged = a_member(), a_member()
        batch = drawn_up([kept, merged])
        Member.objects.filter(pk=merged.pk).update(merged_into=kept, status=Member.Status.CLOSED)
        assert preview_of(batch, at=NOON).people == 1
        work(issued(batch))
        assert held([kept, merged]) == [1, 0]

    def test_expects_use_as_earlier_batches_of_the_template_were_used(self) -> None:
        members = [a_member() for _ in range(4)]
        first = drawn_up(members)
        work(issued(first))
        some = Voucher.objects.filter(member__in=members[:3]).values("pk")
        Voucher.objects.filter(pk__in=some).update(state="used", used_at=LATER, used_off_amount=Decimal(4))
        similar = preview_of(drawn_up([a_member(), a_member()], name="B"), at=LATER).similar
        assert (similar.batches, similar.issued, similar.used, similar.percent_used) == (1, 4, 3, 75)
        assert similar.mean_off_amount == Decimal(4)
        assert preview_of(first, at=LATER).similar.batches == 0


def _figures(preview: BatchPreview) -> tuple[Any, ...]:
    return (preview.listed, preview.have_left, preview.have_one, preview.hold_most, preview.people, preview.cost_amount)


class TestBatch:
    """A batch …"""

    def test_gives_each_member_one_voucher(self) -> None:
        members = [a_member() for _ in range(3)]
        batch = drawn_up(members)
        job = issued(batch)
        assert work(job) == "done"
        batch.refresh_from_db()
        job.refresh_from_db()
        assert (held(members), batch.issued, job.ok, job.done, job.total) == ([1, 1, 1], 3, 3, 3, 3)
        voucher = Voucher.objects.filter(member=members[0]).get()
        assert (voucher.origin, voucher.origin_ref, voucher.issued_at) == ("batch", str(batch.pk), LATER)
        with override("en"):
            assert title_of(job) == "Give the voucher “5 off” to 3 members of “Some”; it costs ¥15.00 at most."
        assert LimitUsage.objects.get().used_points == 15

    def test_leaves_out_who_has_left_or_holds_the_most_and_says_so(self) -> None:
        template = a_template(most_held=1)
        fresh, full, gone = a_member(), a_member(), a_member(status="closed")
        a_voucher(full, template)
        job = issued(drawn_up([fresh, full, gone], template, duplicates="again"))
        work(job)
        job.refresh_from_db()
        rows = JobErrorRow.objects.filter(job=job).order_by("pk")
        with override("en"):
            told = {row.cells[0][1]: words_of(row.reason, row.reason_params) for row in rows}
        assert (job.ok, job.failed, held([fresh])) == (1, 2, [1])
        assert told == {
            full.member_no: "The member holds as many of these vouchers as one may.",
            gone.member_no: "The member has left the programme.",
        }

    def test_is_for_those_who_were_in_when_it_began(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(voucher_batches, "CHUNK", 1)
        inside = [a_member() for _ in range(3)]
        batch = drawn_up(inside)
        job, latecomer = issued(batch), a_member()
        chunks = 0

        def write(*args: Any, **kwargs: Any) -> Any:
            nonlocal chunks
            chunks += 1
            if chunks == 1:  # between the first chunk and the second one leaves, and one comes
                SegmentSpan.objects.filter(member=inside[2]).update(left_at=LATER + timedelta(minutes=1))
                SegmentSpan.objects.create(
                    segment=batch.segment, member=latecomer, entered_at=LATER + timedelta(minutes=1), entered_cause="list",
                    entered_number=0, entered_tests=0,
                )  # fmt: skip
            return real(*args, **kwargs)

        real = voucher_batches.issue_vouchers
        monkeypatch.setattr(voucher_batches, "issue_vouchers", write)
        work(job)
        assert (held(inside), held([latecomer])) == ([1, 1, 1], [0])

    def test_killed_in_the_middle_goes_on_and_doubles_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(voucher_batches, "CHUNK", 2)
        members = [a_member() for _ in range(5)]
        job = issued(drawn_up(members, duplicates="again"))
        real, calls = JobRun.advance, 0

        def die(run: JobRun, **kwargs: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise SystemExit
            real(run, **kwargs)

        monkeypatch.setattr(JobRun, "advance", die)
        with pytest.raises(SystemExit):
            work(job)
        assert sorted(held(members)) == [0, 0, 0, 1, 1]  # the first two, in whatever order they came
        monkeypatch.setattr(JobRun, "advance", real)
        assert work(job, LATER + timedelta(minutes=5)) == "done"
        assert held(members) == [1, 1, 1, 1, 1]

    def test_is_stopped_and_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(voucher_batches, "CHUNK", 1)
        members = [a_member() for _ in range(2)]
        batch = drawn_up(members)
        job = issued(batch)
        cancel_job(job_id=job.pk, by=actor(batch.maker), at=LATER)
        assert held(members) == [0, 0]
        continue_job(job_id=job.pk, by=actor(batch.maker), at=LATER)
        assert work(job) == "done"
        assert held(members) == [1, 1]

    def test_never_passes_the_budget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(voucher_batches, "CHUNK", 2)
        template = a_template(budget_amount=Decimal(25))
        members = [a_member() for _ in range(5)]
        batch = drawn_up(members, template)
        job = issued(batch)
        for _ in range(2):  # others take some of it meanwhile
            a_voucher(a_member(), template)
        assert work(job) == "done"
        job.refresh_from_db()
        batch.refresh_from_db()
        assert (sum(held(members)), batch.issued, job.ok, job.failed, job.done) == (3, 3, 3, 2, 5)
        assert VoucherBudget.objects.get().used_amount == Decimal(25)
        assert JobErrorRow.objects.filter(job=job).exists()

    def test_of_a_pasted_list_waits_until_it_is_read(self) -> None:
        members, maker = [a_member() for _ in range(2)], issuer()
        text = "\n".join([*(member.member_no for member in members), "nobody"])
        batch = draw_up_batch(
            template_id=a_template().pk, segment_id=None, duplicates="skip", by=actor(maker), at=NOON,
            listed=InputFile("list.txt", text.encode()),
        )  # fmt: skip
        with pytest.raises(VoucherListIsRead):
            propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(maker), at=NOON)
        run_waiting_jobs(NOON)
        work(issued(batch))
        assert held(members) == [1, 1]


class TestProposal:
    """A batch is proposed …"""

    def test_and_waits_above_the_limit_until_a_colleague_approves(self) -> None:
        members = [a_member() for _ in range(21)]  # ¥105; service may ¥100
        batch = drawn_up(members)
        outcome = propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(batch.maker), at=NOON)
        assert outcome.waiting
        proposal = Proposal.objects.get(pk=outcome.proposal_id)
        with override("en"):
            assert "21 members" in sentence_of(proposal)
        with pytest.raises(VoucherBatchIsProposed):
            propose_batch(batch_id=batch.pk, reason="Again", by=actor(batch.maker), at=NOON)
        assert approve(proposal_id=proposal.pk, by=actor(issuer()), at=LATER).carried_out
        batch.refresh_from_db()
        assert batch.job is not None
        work(batch.job)
        assert sum(held(members)) == 21

    def test_and_is_not_carried_out_for_many_more_than_were_approved(self) -> None:
        batch = drawn_up([a_member() for _ in range(21)])
        outcome = propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(batch.maker), at=NOON)
        for _ in range(3):
            SegmentSpan.objects.create(
                segment=batch.segment, member=a_member(), entered_at=NOON, entered_cause="list", entered_number=0, entered_tests=0
            )  # fmt: skip
        checker = actor(issuer())
        seen = effect_now(proposal=Proposal.objects.get(pk=outcome.proposal_id), at=LATER).digest
        before = stand()
        with pytest.raises(EffectChanged):
            approve(proposal_id=outcome.proposal_id, by=checker, at=LATER)
        with pytest.raises(VoucherBatchHasGrown):
            approve(proposal_id=outcome.proposal_id, by=checker, at=LATER, seen=seen)
        assert stand() == before

    @pytest.mark.parametrize(
        ("changes", "has_members", "refusal"),
        [
            ({}, False, VoucherBatchIsForNobody),
            ({"budget_amount": Decimal(4)}, True, VoucherBatchOverBudget),
            ({"is_retired": True}, True, VoucherNotIssued),
        ],
    )
    def test_and_refused_where_it_can_not_be_carried_out(
        self, changes: dict[str, Any], has_members: bool, refusal: type[Refusal]
    ) -> None:
        template = a_template()
        batch = drawn_up([a_member()] if has_members else [], template)
        VoucherTemplate.objects.filter(pk=template.pk).update(**changes)
        before = stand()
        with pytest.raises(refusal):
            propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(batch.maker), at=NOON)
        assert stand() == before

    def test_and_not_by_who_would_get_one(self) -> None:
        member, maker = a_member(), issuer()
        OwnMembership.objects.create(operator=maker, member=member)
        batch = drawn_up([member], by=maker)
        with pytest.raises(OwnAccount):
            propose_batch(batch_id=batch.pk, reason="Weekend", by=actor(maker), at=NOON)


class TestTakingBack:
    """A batch is taken back …"""

    def test_as_far_as_it_was_not_used(self) -> None:
        members = [a_member() for _ in range(3)]
        template = a_template(budget_amount=Decimal(100))
        batch = drawn_up(members, template)
        job = issued(batch)
        work(job)
        used = Voucher.objects.filter(member=members[0])
        used.update(state="used", used_at=LATER)
        job.refresh_from_db()
        with override("en"):
            preview = undo_preview(job=job, at=LATER)
            assert (preview.total, preview.lines) == (2, ("Vouchers that were used stay used: 1.",))
        undo = undo_job(job_id=job.pk, by=actor(batch.maker), at=LATER)
        assert work(undo) == "done"
        states = [Voucher.objects.get(member=member).state for member in members]
        assert states == ["used", "voided", "voided"]
        taken = TimelineEntry.objects.filter(kind="rewards.voucher_voided.v1")
        assert [bool(one.payload.get("quiet")) for one in taken] == [
            False,
            False,
        ]  # other systems are told, as of the issue
        assert VoucherBudget.objects.get().used_amount == Decimal(5)
        with pytest.raises(JobIsUndone):
            undo_job(job_id=job.pk, by=actor(batch.maker), at=LATER)
