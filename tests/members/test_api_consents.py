"""Consents and the copy of one's own data over the API."""

import io
import json
import zipfile

import pytest
from django.utils import timezone

from members.models import ConsentEntry, Job
from members.services.jobs import run_job
from members.services.tokens import issue_member_token
from tests.factories.api import Caller, make_member, now


def signed_in(**details: object) -> tuple[Caller, int]:
    member = make_member(**{"full_name": "张三丰", "phone": "13912345678", **details})
    return Caller(issue_member_token(member_id=member.pk, at=now()).secret), member.pk


@pytest.mark.django_db
class TestConsents:
    def test_are_listed_with_their_words_and_what_was_said(self) -> None:
        caller, _member = signed_in()
        answer = caller.get("/me/consents")
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        consents = {one["purpose"]: one for one in answer.json()["consents"]}
        assert set(consents) == {"contact", "service", "marketing", "research", "personalisation", "behaviour", "sensitive", "sharing"}  # fmt: skip
        assert consents["marketing"]["needs_yes"] is True
        assert consents["marketing"]["text"]["version"] == 1
        assert consents["marketing"]["channels"][0] == {"channel": "email", "said": "nothing", "since": None, "is_allowed": False}  # fmt: skip
        assert consents["contact"]["channels"] == [{"channel": None, "said": "nothing", "since": None, "is_allowed": True}]  # fmt: skip

    def test_hold_as_soon_as_they_are_said_and_are_taken_back_as_easily(self) -> None:
        caller, member_id = signed_in()
        yes = caller.put("/me/consents/marketing", {"given": True, "channels": ["sms"], "text_version": 1})
        assert yes.status_code == 200
        by_channel = {one["channel"]: one["is_allowed"] for one in yes.json()["channels"]}
        assert by_channel["sms"] is True
        assert by_channel["email"] is False
        no = caller.put("/me/consents/marketing", {"given": False})
        assert not any(one["is_allowed"] for one in no.json()["channels"])
        again = caller.put("/me/consents/marketing", {"given": False})
        assert again.json() == no.json()
        entries = ConsentEntry.objects.filter(member=member_id)
        assert entries.filter(channel="sms").count() == 2
        assert set(entries.values_list("way", "actor_kind")) == {("self", "member")}

    def test_to_contact_stop_everything_else(self) -> None:
        caller, _member = signed_in()
        caller.put("/me/consents/marketing", {"given": True, "channels": ["sms"], "text_version": 1})
        caller.put("/me/consents/contact", {"given": False})
        marketing = caller.get("/me/consents/marketing").json()
        sms = next(one for one in marketing["channels"] if one["channel"] == "sms")
        assert (sms["said"], sms["is_allowed"]) == ("given", False)

    @pytest.mark.parametrize(
        ("path", "body", "status", "code"),
        [
            ("/me/consents/fun", {"given": False}, 404, "purpose_unknown"),
            ("/me/consents/marketing", {"given": True}, 400, "validation_error"),
            ("/me/consents/marketing", {"given": True, "text_version": 2}, 409, "consent_text_outdated"),
            ("/me/consents/service", {"given": False, "channels": ["post"]}, 422, "consent_channel_unknown"),
            ("/me/consents/marketing", {"given": False, "channel": "sms"}, 400, "validation_error"),
        ],
    )
    def test_are_refused_where_they_mean_nothing(
        self, path: str, body: dict[str, object], status: int, code: str
    ) -> None:
        caller, member_id = signed_in()
        answer = caller.put(path, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert not ConsentEntry.objects.filter(member=member_id).exists()

    def test_are_the_members_own(self) -> None:
        assert Caller().get("/me/consents").status_code == 401


@pytest.mark.django_db
class TestTheCopyOfMyData:
    def test_is_made_by_a_job_and_fetched_by_its_link(self) -> None:
        caller, member_id = signed_in()
        answer = caller.post("/me/data-export", {})
        assert answer.status_code == 202
        job = Job.objects.get(member=member_id)
        assert answer.json()["result"] is None
        assert caller.post("/me/data-export", {}).json()["id"] == answer.json()["id"]
        assert run_job(job_id=job.pk, worker="w", clock=timezone.now) == "done"
        told = caller.get(f"/jobs/{answer.json()['id']}").json()
        assert told["state"] == "done"
        file = Caller().client.get(told["result"]["url"])
        assert file.status_code == 200
        assert file["Cache-Control"] == "no-store"
        with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
            profile = json.loads(archive.read("data.json"))["data"]["profile"]
        assert [row["name"] for row in profile] == ["张三丰"]

    def test_is_nobody_elses(self) -> None:
        caller, _member = signed_in()
        job = caller.post("/me/data-export", {}).json()["id"]
        other, _other = signed_in(phone="13800000009")
        assert other.get(f"/jobs/{job}").status_code == 404
