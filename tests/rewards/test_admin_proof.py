"""The page of the ledger's proof: what it says when all is well, what it says when not, and who may do what there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.actors import SYSTEM
from members.jobs import JobHandedOver, JobRun
from members.models import Job
from members.services.jobs import run_job
from rewards.models import AnchorExport, LedgerEntry, LedgerVerification
from rewards.services.anchoring import anchor_keys, anchor_ledger, read_anchors
from rewards.services.checks import SWEEPS
from rewards.services.proof import state_of_proof
from rewards.services.sealing import seal_ledger
from rewards.services.verification import CHECKS, run_verification
from rewards.services.verification_jobs import start_verification
from tests.factories.histories import a_small_history
from tests.factories.people import a_member
from tests.factories.portal import PASSWORD, an_operator
from tests.rewards.sealed import earn
from tests.rewards.tampering import arrears_of_an_account

PAGE = "admin:rewards_ledgerverification_changelist"
NOON = datetime(2026, 3, 15, 4, tzinfo=UTC)


def reader(*rights: str) -> Client:
    """A browser of staff who may see the page, and have these rights beside."""
    operator = an_operator()
    operator.user_permissions.set(
        Permission.objects.filter(codename__in=["view_ledgerverification", "view_job", *rights])
    )
    client = Client(headers={"accept-language": "en"})
    assert client.login(username=operator.username, password=PASSWORD)
    return client


def one_chunk_a_turn() -> Callable[[JobRun], AbstractContextManager[datetime]]:
    """Return a `JobRun.chunk` that hands the job over after each chunk."""
    chunk = JobRun.chunk
    seen: list[JobRun] = []

    @contextmanager
    def once(run: JobRun) -> Iterator[datetime]:
        if any(run is known for known in seen):
            raise JobHandedOver
        seen.append(run)
        with chunk(run) as at:
            yield at

    return once


@pytest.mark.django_db
class TestThePage:
    """The page of the proof …"""

    def test_says_what_it_is_for_when_it_is_empty(self) -> None:
        text = reader().get(reverse(PAGE)).text
        assert "Nothing is sealed yet." in text
        assert "The ledger has not been verified yet." in text
        assert 'role="alert"' not in text

    def test_says_in_words_what_a_verification_found(self) -> None:
        member, _ = a_small_history()
        arrears_of_an_account()
        run = run_verification(by=SYSTEM, at=timezone.now())
        client = reader()
        listed = client.get(reverse(PAGE)).text
        assert "found 1 row that is wrong" in listed
        assert "1 row is wrong" in listed
        text = client.get(reverse("admin:rewards_ledgerverification_change", args=[run.pk])).text
        assert "A balance is not the sum of its entries." in text
        assert member.member_no in text
        assert "balance_is_sum_of_entries" not in text

    def test_says_that_all_was_sound(self) -> None:
        a_small_history()
        run_verification(by=SYSTEM, at=timezone.now())
        text = reader().get(reverse(PAGE)).text
        assert "sound" in text
        assert 'role="alert"' not in text

    def test_is_closed_to_staff_without_the_right(self) -> None:
        client = Client()
        client.force_login(an_operator("store"))
        assert client.get(reverse(PAGE)).status_code == 403

    def test_lets_only_those_with_the_right_take_anchors_out(self) -> None:
        where = reverse("admin:rewards_ledgerverification_anchors")
        assert reader().get(where).status_code == 403
        assert "anchors.txt" not in reader().get(reverse(PAGE)).text
        assert reader("export_ledgeranchor").get(where).status_code == 200


@pytest.mark.usefixtures("committed_db")
class TestWithAChain:
    """With sealed blocks …"""

    def test_the_page_says_how_far_the_chain_and_the_anchors_have_come(self) -> None:
        earn(a_member().pk, range(3), at=NOON)
        seal_ledger(at=timezone.now())
        anchor_ledger(at=timezone.now())
        earn(a_member().pk, range(3, 5), at=NOON)
        text = reader().get(reverse(PAGE)).text
        assert "1 blocks with 3 points entries" in text
        assert "2 points entries, the oldest since" in text
        assert "over 3 points entries" in text
        assert "never. Only a copy kept elsewhere" in text
        assert "The points ledger has not been verified for more than a day." in text

    def test_anchors_are_downloaded_and_that_is_noted(self) -> None:
        earn(a_member().pk, range(3), at=NOON)
        seal_ledger(at=NOON)
        anchor_ledger(at=NOON)
        answer = reader("export_ledgeranchor").get(reverse("admin:rewards_ledgerverification_anchors"))
        (anchor,) = read_anchors(answer.text.splitlines())
        assert anchor.is_signed_with(anchor_keys())
        assert "attachment" in answer.headers["Content-Disposition"]
        assert AnchorExport.objects.get().actor_kind == "operator"

    def test_entries_that_wait_too_long_are_a_worry(self) -> None:
        earn(a_member().pk, range(2), at=NOON)
        recorded = LedgerEntry.objects.earliest("id").recorded_at
        assert state_of_proof(at=recorded + timedelta(minutes=4)).worries == []
        late = state_of_proof(at=recorded + timedelta(minutes=6))
        assert late.is_late
        assert len(late.worries) == 1


@pytest.mark.usefixtures("committed_db")
class TestAVerificationAskedFor:
    """A verification that staff ask for …"""

    def test_is_a_job_that_writes_down_what_it_found(self) -> None:
        member, _ = a_small_history()
        arrears_of_an_account()
        client = reader("run_ledgerverification")
        where = reverse("admin:rewards_ledgerverification_verify_now")
        assert client.get(where).status_code == 200
        assert not Job.objects.exists()
        client.post(where, {"_form_submitted": "True"})
        job = Job.objects.get()
        assert run_job(job_id=job.pk, worker=f"test-{uuid4()}", clock=timezone.now)
        job.refresh_from_db()
        assert (job.state, job.done, job.total) == ("done", len(SWEEPS) + 1, len(SWEEPS) + 1)
        run = LedgerVerification.objects.get()
        assert (run.findings_count, run.checks, run.entries) == (1, len(CHECKS), LedgerEntry.objects.count())
        assert run.findings.get().member_id == member.pk

    def test_goes_on_where_it_was_interrupted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_small_history()
        job = start_verification(by=SYSTEM, at=timezone.now())
        monkeypatch.setattr(JobRun, "chunk", one_chunk_a_turn())
        for _turn in range(len(SWEEPS) + 3):
            run_job(job_id=job.pk, worker="test", clock=timezone.now)
        job.refresh_from_db()
        assert (job.state, job.done) == ("done", len(SWEEPS) + 1)
        assert LedgerVerification.objects.get().entries == LedgerEntry.objects.count()
