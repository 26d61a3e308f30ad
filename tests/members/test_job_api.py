"""Long work over the API: how far it is, to whoever asked for it, and its result behind a link that ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from members import jobs
from members.actors import Actor
from members.identifiers import JOB, public_ref
from members.jobs import JobRun, start_job
from members.models import FileTaken, Job
from members.services.jobs import run_job
from tests.factories.api import Caller, make_member, make_till, sign_in
from tests.factories.work import BRANDS, a_job_kind


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_kinds", {})
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)

    def run(run: JobRun) -> None:
        with run.chunk() as at:
            run.save_result(name="data.zip", content=b"PK data", at=at)
            run.advance(ok=2)

    a_job_kind(run=run, files_kept=timedelta(hours=24))


def a_job_of(by: Actor, *, done: bool = True) -> Job:
    job = start_job(kind=BRANDS, title_params={"number": 2}, params={}, total=2, by=by, at=timezone.now())
    if done:
        run_job(job_id=job.pk, worker="one", clock=timezone.now)
    return Job.objects.get(pk=job.pk)


def address(job: Job) -> str:
    return f"/jobs/{public_ref(JOB, job.public_id)}"


@pytest.mark.django_db
class TestAJob:
    def test_is_told_to_the_member_who_asked_for_it(self) -> None:
        member = make_member()
        job = a_job_of(Actor("member", member.pk), done=False)
        told = sign_in(member).get(address(job))
        assert told.status_code == 200
        body = told.json()
        assert body["title"] == "Make 2 brands"
        assert (body["state"], body["total"], body["done"], body["percent"], body["result"]) == (
            "queued",
            2,
            0,
            0,
            None,
        )

    def test_is_told_to_nobody_else(self) -> None:
        member, other = make_member(), make_member()
        job = a_job_of(Actor("member", member.pk))
        till = make_till()
        for caller in (sign_in(other), till):
            assert caller.get(address(job)).status_code == 404
        assert Caller().get(address(job)).status_code == 401
        assert sign_in(member).get("/jobs/job_nothing").status_code == 404

    def test_is_told_to_the_key_that_asked_for_it(self) -> None:
        till = make_till()
        key = till.key
        job = a_job_of(Actor("device", key.pk))
        assert till.get(address(job)).json()["state"] == "done"

    def test_gives_its_result_by_a_link_until_its_files_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        member = make_member()
        job = a_job_of(Actor("member", member.pk))
        result = sign_in(member).get(address(job)).json()["result"]
        assert result["name"] == "data.zip"
        anybody: Any = Caller().client
        taken = anybody.get(result["url"])
        assert (taken.status_code, taken.content) == (200, b"PK data")
        assert taken.headers["Cache-Control"] == "no-store"
        assert FileTaken.objects.get().job == job
        Job.objects.filter(pk=job.pk).update(files_expire_at=timezone.now())
        gone = anybody.get(result["url"])
        assert (gone.status_code, gone.json()["code"]) == (410, "job_file_gone")
        assert sign_in(member).get(address(job)).json()["result"] is None

    def test_gives_no_result_for_another_jobs_signature(self) -> None:
        member = make_member()
        one, two = (a_job_of(Actor("member", member.pk)) for _job in range(2))
        link = sign_in(member).get(address(one)).json()["result"]["url"]
        forged = link.replace(public_ref(JOB, one.public_id), public_ref(JOB, two.public_id))
        for url in (forged, link[:-3] + "xyz", link.split("?")[0]):
            assert Caller().client.get(url).status_code == 404
        assert not FileTaken.objects.exists()
