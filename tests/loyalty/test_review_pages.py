"""The pages of runs of reviews, of what counted, and of grace: what they show, who may do what."""

from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty.models import ReviewRun, TierChange, TierStanding
from loyalty.periods import business_date
from members.models import Job, Member, Proposal
from members.queries import programme
from members.services.jobs import run_job
from tests.factories.portal import signed_in
from tests.factories.work import Clock
from tests.loyalty.stories import review
from tests.loyalty.test_review_runs import silver

PLAN = "admin:loyalty_reviewrun_plan"


def due_today(count: int = 1) -> tuple[list[Member], date]:
    """Members whose silver is reviewed today, and the day."""
    now = timezone.now()
    members = [silver() for _ in range(count)]
    today = business_date(now, programme().tz)
    TierStanding.objects.update(
        valid_until=now.astimezone(programme().tz).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    return members, today


def page_of(run: ReviewRun) -> str:
    return reverse("admin:loyalty_reviewrun_change", args=[run.pk])


def work_off() -> None:
    for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        run_job(job_id=job.pk, worker="test", clock=Clock(timezone.now()))


@pytest.mark.django_db
class TestRunOfReviews:
    def test_is_planned_looked_at_started_and_undone_on_its_page(self) -> None:
        [member], today = due_today()
        client = signed_in("administrator")
        planning = reverse(PLAN)
        assert "Plan a run" in client.get(planning).text
        client.post(planning, {"day": today.isoformat()})
        run = ReviewRun.objects.get()
        for act in ("forecast", "start"):
            client.post(page_of(run), {"act": act})
            work_off()
            page = client.get(page_of(run)).text
            assert "fall" in page
        assert "keeping it takes 400 more tier credits (0 of 400)" in page
        assert TierStanding.objects.get(member=member).tier.code == "member"
        client.post(page_of(run), {"act": "undo"})
        work_off()
        assert TierStanding.objects.get(member=member).tier.code == "silver"
        assert "undone" in client.get(page_of(run)).text

    def test_says_why_something_can_not_be_done(self) -> None:
        _members, today = due_today()
        client = signed_in("administrator")
        client.post(reverse(PLAN), {"day": today.isoformat()})
        answer = client.post(page_of(ReviewRun.objects.get()), {"act": "start"}, follow=True)
        assert "Please make a dry run first" in answer.text
        assert not Job.objects.exists()

    @pytest.mark.parametrize("role", ["service", "service supervisor", "marketing", "finance", "store", "analyst"])
    def test_is_for_administrators(self, role: str) -> None:
        _members, today = due_today()
        boss = signed_in("administrator")
        boss.post(reverse(PLAN), {"day": today.isoformat()})
        run = ReviewRun.objects.get()
        client = signed_in(role)
        assert client.get(reverse(PLAN)).status_code == 403
        for act in ("forecast", "start", "stop", "go_on", "undo", "close"):
            assert client.post(page_of(run), {"act": act}).status_code == 403
        assert ReviewRun.objects.get().closed_at is None
        assert not Job.objects.exists()

    def test_costs_few_statements_however_many_members(self) -> None:
        _members, today = due_today(30)
        client = signed_in("administrator")
        client.post(reverse(PLAN), {"day": today.isoformat()})
        run = ReviewRun.objects.get()
        client.post(page_of(run), {"act": "forecast"})
        work_off()
        client.get(page_of(run))
        for address in (page_of(run), reverse(PLAN), reverse("admin:loyalty_reviewrun_changelist")):
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            assert len(captured) <= 14


@pytest.mark.django_db
class TestTierTab:
    def test_has_the_sentence_for_chat_the_entries_and_grace(self) -> None:
        [member], _today = due_today()
        review(timezone.now())
        client = signed_in("service")
        tab = client.get(
            reverse("admin:members_member_tab", args=[member.pk, "tier"]), headers={"HX-Request": "true"}
        ).text
        for words in ("Copy for chat", "What counts now", "Grant grace", "What counted"):
            assert words in tab
        change = TierChange.objects.get(member=member, reason="fallen")
        assert "keeping" in client.get(reverse("admin:loyalty_tierchange_entries", args=[change.pk])).text
        first = TierChange.objects.get(member=member, number=1)
        entries = client.get(reverse("admin:loyalty_tierchange_entries", args=[first.pk])).text
        assert f"rise-{member.pk}" in entries
        assert "Together 500 tier credits" in entries
        assert client.get(reverse("admin:loyalty_tierchange_entries_now", args=[member.pk])).status_code == 200

    def test_grace_waits_for_a_colleague(self) -> None:
        [member], _today = due_today()
        client = signed_in("service")
        address = reverse("admin:loyalty_tierchange_grace", args=[member.pk])
        assert "A colleague has to approve it" in client.get(address).text
        client.post(address, {"request_id": "one", "days": "30", "reason": "a kind guest"})
        assert Proposal.objects.get().state == Proposal.State.WAITING
        assert not TierChange.objects.filter(reason="grace").exists()

    @pytest.mark.parametrize("role", ["store", "analyst", "marketing", "finance"])
    def test_grace_is_for_customer_service(self, role: str) -> None:
        [member], _today = due_today()
        client: Client = signed_in(role)
        address = reverse("admin:loyalty_tierchange_grace", args=[member.pk])
        assert client.post(address, {"request_id": "one", "days": "30", "reason": "x"}).status_code == 403
        assert not Proposal.objects.exists()


@pytest.mark.django_db
class TestWarnings:
    def test_are_set_by_administrators_in_days(self) -> None:
        client = signed_in("administrator")
        address = reverse("admin:loyalty_reviewpolicy_change", args=[1])
        client.post(address, {"warn_days": "45, 10"})
        assert "45, 10" in client.get(reverse("admin:loyalty_reviewpolicy_changelist")).text
        assert "whole numbers" in client.post(address, {"warn_days": "soon"}).text
