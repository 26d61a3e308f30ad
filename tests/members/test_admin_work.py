"""The pages of jobs, approvals and limits: what staff see, what they may press, and what is written down."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from members import jobs, proposals
from members.admin.jobs import progress_of
from members.admin.proposals import span_in_words, waiting_badge
from members.admin.timeline import told_kinds
from members.jobs import InputFile, JobRun, start_job
from members.models import Channel, Job, Operator, OperatorLimit, OwnMembership, Proposal, TimelineEntry
from members.proposals import effect_now
from members.services.jobs import cancel_job, run_job
from members.sheets import safe_text, sheet
from tests.factories.people import a_member
from tests.factories.portal import an_operator
from tests.factories.work import BRANDS, a_job, a_job_kind, a_proposal, a_proposal_kind, actor, brands_of, made_by

RIGHTS = ("view_job", "view_proposal")
MEANT = {"_form_submitted": "True"}


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "_kinds", {})
    monkeypatch.setattr(jobs, "_kinds", {})
    a_proposal_kind()
    a_job_kind()


def somebody(*roles: str, rights: tuple[str, ...] = RIGHTS) -> Operator:
    """An operator with roles and rights of this test, whatever roles have."""
    operator = an_operator(*roles)
    operator.user_permissions.add(*Permission.objects.filter(content_type__app_label="members", codename__in=rights))
    return operator


def an_approving_supervisor() -> Operator:
    return somebody("service supervisor", rights=(*RIGHTS, "approve_proposal"))


def window(operator: Operator, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(operator)
    return client


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:members_{name}", args=arguments)


def done_job(owner: Operator, total: int = 4, **params: Any) -> Job:
    job = a_job(total, at=timezone.now(), by=actor(owner), **params)
    run_job(job_id=job.pk, worker="one", clock=timezone.now)
    job.refresh_from_db()
    return job


@pytest.mark.django_db
class TestThePageOfAJob:
    def test_shows_its_sentence_counts_and_milestones(self) -> None:
        owner = somebody("service")
        job = done_job(owner, bad=[2])
        text = window(owner).get(page("job_change", job.pk)).text
        for words in (
            "Make 4 brands",
            "4 of 4 rows",
            "3 went well",
            "1 refused",
            "Done. Rows that went well: 3; refused: 1.",
            str(owner),
        ):
            assert words in text
        assert "every 2s" not in text

    def test_asks_again_every_two_seconds_while_it_is_worked_at(self) -> None:
        owner = somebody("service")
        job = a_job(4, at=timezone.now(), by=actor(owner))
        client = window(owner)
        assert 'hx-trigger="every 2s"' in client.get(page("job_change", job.pk)).text
        assert "HX-Refresh" not in client.get(page("job_progress", job.pk)).headers
        run_job(job_id=job.pk, worker="one", clock=timezone.now)
        assert client.get(page("job_progress", job.pk)).headers["HX-Refresh"] == "true"

    def test_is_for_its_owner_and_for_those_who_may_see_the_kind(self) -> None:
        a_job_kind(permission="members.change_programme")
        job = done_job(somebody("service"))
        assert window(somebody("service supervisor")).get(page("job_change", job.pk)).status_code == 404
        assert window(somebody("administrator")).get(page("job_change", job.pk)).status_code == 200
        assert window(an_operator()).get(page("job_change", job.pk)).status_code == 403

    def test_stops_lets_go_on_and_takes_back_by_posts_of_the_owner(self) -> None:
        owner = somebody("service")
        client = window(owner)
        job = a_job(4, at=timezone.now(), by=actor(owner))
        for act, state in (("stop", "cancelled"), ("continue", "queued")):
            asked = client.get(page(f"job_{act}", job.pk))
            assert 'id="dialog"' in asked.text
            job.refresh_from_db()
            assert job.state != state
            answer = client.post(page(f"job_{act}", job.pk), MEANT)
            assert answer.headers["HX-Redirect"] == page("job_change", job.pk)
            job.refresh_from_db()
            assert job.state == state
        run_job(job_id=job.pk, worker="one", clock=timezone.now)
        assert "4 rows are taken back. Brands that sell stay." in client.get(page("job_take_back", job.pk)).text
        client.post(page("job_take_back", job.pk), MEANT)
        back = Job.objects.get(undoes=job)
        assert back.owner == owner
        run_job(job_id=back.pk, worker="one", clock=timezone.now)
        assert brands_of(job) == []
        assert client.get(page("job_take_back", job.pk)).status_code == 403

    def test_is_stopped_by_others_only_with_the_right(self) -> None:
        job = a_job(4, at=timezone.now(), by=actor(somebody("service")))
        assert window(somebody("service")).post(page("job_stop", job.pk), MEANT).status_code == 403
        job.refresh_from_db()
        assert job.state == Job.State.QUEUED
        assert (
            window(somebody("service", rights=(*RIGHTS, "change_job")))
            .post(page("job_stop", job.pk), MEANT)
            .status_code
            == 200
        )
        job.refresh_from_db()
        assert job.state == Job.State.CANCELLED

    def test_gives_refused_rows_as_a_sheet_with_reasons_and_writes_that_down(self) -> None:
        owner = somebody("service")
        job = done_job(owner, bad=[2, 3])
        answer = window(owner).get(page("job_file", job.pk, "refused"))
        assert "refused-rows" in answer.headers["Content-Disposition"]
        rows = list(openpyxl.load_workbook(BytesIO(answer.content)).active.values)
        assert rows == [
            ("Row", "No.", "Name", "Reason"),
            (2, 2, "'=Row 2", "Not today: closed."),
            (3, 3, "'=Row 3", "Not today: closed."),
        ]
        assert TimelineEntry.objects.get(kind="members.job_file_taken.v1").actor_id == owner.pk

    def test_says_when_the_sheet_holds_only_the_first_refused_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        owner = somebody("service")
        job = done_job(owner, bad=[1, 2, 3])
        assert "Download 3 refused rows" in window(owner).get(page("job_change", job.pk)).text
        monkeypatch.setattr("members.admin.jobs.MOST_ROWS", 2)
        shown = window(owner).get(page("job_change", job.pk)).text
        assert "Download 2 refused rows" in shown
        assert "The file holds the first 2 refused rows." in shown

    def test_offers_to_go_on_as_long_as_its_files_are_kept(self) -> None:
        owner = somebody("service")
        job = a_job(3, at=timezone.now(), by=actor(owner))
        cancel_job(job_id=job.pk, by=actor(owner), at=timezone.now())
        address = page("job_continue", job.pk)
        assert address in window(owner).get(page("job_change", job.pk)).text
        Job.objects.filter(pk=job.pk).update(files_expire_at=timezone.now())
        assert address not in window(owner).get(page("job_change", job.pk)).text

    def test_keeps_files_with_personal_data_from_others(self) -> None:
        def run(run: JobRun) -> None:
            with run.chunk() as at:
                run.save_result(name="out.csv", content=b"names", at=at)

        a_job_kind(run=run, permission="members.view_job")
        owner, other = somebody(), somebody()
        job = start_job(
            kind=BRANDS,
            title_params={},
            params={},
            total=0,
            by=actor(owner),
            at=timezone.now(),
            file=InputFile("i", b""),
        )
        run_job(job_id=job.pk, worker="one", clock=timezone.now)
        assert window(other).get(page("job_change", job.pk)).status_code == 200
        assert window(other).get(page("job_file", job.pk, "result")).status_code == 403
        assert not TimelineEntry.objects.filter(kind="members.job_file_taken.v1").exists()
        assert window(owner).get(page("job_file", job.pk, "result")).content == b"names"
        assert window(owner).get(page("job_file", job.pk, "input")).status_code == 403
        unmasked = somebody(rights=(*RIGHTS, "view_personal_data"))
        assert window(unmasked).get(page("job_file", job.pk, "result")).content == b"names"

    def test_that_has_expired_says_that_there_is_nothing(self) -> None:
        owner = somebody("service")
        job = done_job(owner)
        answer = window(owner).get(page("job_file", job.pk, "refused"), follow=True)
        assert answer.redirect_chain[0][0] == page("job_change", job.pk)
        assert "There is nothing at this address." in answer.text

    def test_tells_the_rate_and_what_is_left(self) -> None:
        job = Job(state=Job.State.RUNNING, total=1_000, done=250, ran_ms=5_000)
        assert progress_of(job) == {
            "percent": 25, "left": 750, "rate": "50 rows a second", "time_left": "15 seconds", "took": "",
        }  # fmt: skip
        assert progress_of(Job(state=Job.State.RUNNING, done=3))["percent"] is None
        assert progress_of(Job(state=Job.State.DONE, total=10, done=9, ran_ms=7_200_000))["took"] == "2 hours"


@pytest.mark.django_db
class TestTheTray:
    def test_shows_ones_own_work_that_is_not_long_ended(self) -> None:
        owner = somebody("service")
        a_job(4, at=timezone.now(), by=actor(owner))
        done_job(owner, total=3)
        old = done_job(owner, total=2)
        Job.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(minutes=11))
        done_job(somebody("service"), total=1)
        text = window(owner).get(page("job_tray")).text
        assert "1 job is running" in text
        assert [number for number in range(1, 5) if f"Make {number} brands" in text] == [3, 4]
        assert "every 5s" in text
        assert "<details >" in text
        assert "<details open>" in window(owner).get(page("job_tray"), {"open": "1"}).text

    def test_is_empty_and_asks_no_more_without_work(self) -> None:
        text = window(somebody("service")).get(page("job_tray")).text
        assert "<details" not in text
        assert "every" not in text

    def test_is_asked_for_by_every_page_of_those_who_have_jobs(self) -> None:
        assert page("job_tray") in window(somebody("service")).get(reverse("admin:index")).text
        assert page("job_tray") in window(somebody("service")).get(page("member_changelist")).text
        assert page("job_tray") not in window(an_operator()).get(reverse("admin:index")).text


@pytest.mark.django_db
class TestTheInbox:
    def test_groups_by_kind_what_the_operator_may_decide(self) -> None:
        now = timezone.now()
        for number in range(3):
            a_proposal(1_000 + number, at=now - timedelta(hours=5), code=f"bonus-{number}")
        supervisor = an_approving_supervisor()
        text = window(supervisor).get(page("proposal_changelist")).text
        assert "Give points" in text
        assert "3 proposals, the oldest waiting for 5 hours" in text
        assert "3,003 points in all" in text
        assert [f"Give {1_000 + n} points" in text for n in range(3)] == [True] * 3
        request = RequestFactory().get("/")
        request.user = supervisor
        assert waiting_badge(request) == "3"

    def test_shows_makers_their_own_and_nobody_elses(self) -> None:
        maker = somebody("service")
        a_proposal(501, at=timezone.now(), maker=maker)
        a_proposal(502, at=timezone.now(), code="another")
        text = window(maker).get(page("proposal_changelist")).text
        assert "What you proposed" in text
        assert "Give 501 points" in text
        assert "Give 502 points" not in text
        request = RequestFactory().get("/")
        request.user = maker
        assert waiting_badge(request) == ""

    def test_takes_the_same_few_queries_however_much_waits(self) -> None:
        supervisor = an_approving_supervisor()
        counts = []
        for batch in (2, 40):
            for number in range(batch):
                a_proposal(501, at=timezone.now(), code=f"bonus-{batch}-{number}")
            client = window(supervisor)
            client.get(page("proposal_changelist"))
            with CaptureQueriesContext(connection) as captured:
                client.get(page("proposal_changelist"))
            counts.append(len(captured.captured_queries))
        assert counts[0] == counts[1] <= 12

    def test_lists_all_with_a_query(self) -> None:
        maker = somebody("service")
        a_proposal(5, at=timezone.now(), maker=maker)
        text = window(maker).get(page("proposal_changelist") + "?state__exact=carried_out").text
        assert "Give 5 points" in text


@pytest.mark.django_db
class TestTheCard:
    def waiting(self, points: int = 501, maker: Operator | None = None, **details: Any) -> Proposal:
        outcome = a_proposal(points, at=timezone.now() - timedelta(hours=2), maker=maker, **details)
        return Proposal.objects.get(pk=outcome.proposal_id)

    def test_says_who_why_and_what_changes(self) -> None:
        maker = an_operator("service")
        a_proposal(300, at=timezone.now() - timedelta(days=2), maker=maker, code="before")
        proposal = self.waiting(maker=maker)
        text = window(an_approving_supervisor()).get(page("proposal_card", proposal.pk)).text
        for words in (
            str(maker), "Late delivery", "Cost: 501 points", "Approve 501 points", "Similar cases",
            "other proposals: 1; carried out: 1 (300 points); refused or sent back: 0.",
        ):  # fmt: skip
            assert words in text, words
        assert "different from when" not in text

    def test_shows_in_red_what_has_changed_since(self) -> None:
        proposal = self.waiting()
        before = Channel.objects.filter(kind=Channel.Kind.TILL).count()
        Channel.objects.create(code="new-till", name="New", kind=Channel.Kind.TILL)
        text = window(an_approving_supervisor()).get(page("proposal_change", proposal.pk)).text
        assert "different from when it was proposed" in text
        assert f'{before + 1}<span class="pn-then">{before}</span>' in text

    def test_approves_what_was_seen(self) -> None:
        proposal = self.waiting()
        client = window(an_approving_supervisor())
        seen = effect_now(proposal=proposal, at=timezone.now()).digest
        Channel.objects.create(code="new-till", name="New", kind=Channel.Kind.TILL)
        answer = client.post(page("proposal_approve", proposal.pk), {"seen": seen}, follow=True)
        assert "is different now" in answer.text
        assert not made_by("bonus")
        seen = effect_now(proposal=proposal, at=timezone.now()).digest
        answer = client.post(page("proposal_approve", proposal.pk), {"seen": seen, "reason": "Fine"}, follow=True)
        assert "501 points were given." in answer.text
        assert made_by("bonus")

    def test_is_not_approved_by_a_link(self) -> None:
        proposal = self.waiting()
        assert window(an_approving_supervisor()).get(page("proposal_approve", proposal.pk)).status_code == 405
        assert not made_by("bonus")

    def test_offers_makers_to_withdraw_and_nothing_else(self) -> None:
        maker = an_approving_supervisor()
        proposal = self.waiting(5_001, maker)
        client = window(maker)
        text = client.get(page("proposal_change", proposal.pk)).text
        assert page("proposal_withdraw", proposal.pk) in text
        assert page("proposal_approve", proposal.pk) not in text
        answer = client.post(page("proposal_approve", proposal.pk), {"seen": ""}, follow=True)
        assert "somebody else has to decide" in answer.text
        assert not made_by("bonus")
        client.post(page("proposal_withdraw", proposal.pk), {**MEANT, "reason": "A slip"})
        proposal.refresh_from_db()
        assert proposal.state == Proposal.State.WITHDRAWN

    @pytest.mark.parametrize(("act", "state"), [("refuse", "refused"), ("send_back", "sent_back")])
    def test_turns_down_with_a_reason(self, act: str, state: str) -> None:
        proposal = self.waiting()
        client = window(an_approving_supervisor())
        assert 'id="dialog"' in client.get(page(f"proposal_{act}", proposal.pk)).text
        client.post(page(f"proposal_{act}", proposal.pk), {**MEANT, "reason": ""})
        proposal.refresh_from_db()
        assert proposal.state == Proposal.State.WAITING
        client.post(page(f"proposal_{act}", proposal.pk), {**MEANT, "reason": "Too much"})
        proposal.refresh_from_db()
        assert (proposal.state, proposal.decision_reason) == (state, "Too much")
        assert "Too much" in client.get(page("proposal_change", proposal.pk)).text

    def test_needs_two_when_it_is_much(self) -> None:
        proposal = self.waiting(200_001)
        first = an_approving_supervisor()
        seen = effect_now(proposal=proposal, at=timezone.now()).digest
        client = window(first)
        assert "Approve as the first of two" in client.get(page("proposal_card", proposal.pk)).text
        client.post(page("proposal_approve", proposal.pk), {"seen": seen})
        assert "A second person has to approve it too" in client.get(page("proposal_card", proposal.pk)).text
        assert "Give 200001 points" not in client.get(page("proposal_changelist")).text
        window(an_approving_supervisor()).post(page("proposal_approve", proposal.pk), {"seen": seen})
        assert made_by("bonus")

    def test_is_hidden_from_those_who_have_nothing_to_do_with_it(self) -> None:
        proposal = self.waiting()
        for act in ("change", "card", "approve", "refuse", "send_back", "withdraw"):
            where = page(f"proposal_{act}", proposal.pk)
            assert window(somebody("analyst")).post(where, {**MEANT, "reason": "x"}).status_code == 404, act
            assert window(an_operator()).post(where, {**MEANT, "reason": "x"}).status_code == 403, act
        proposal.refresh_from_db()
        assert proposal.state == Proposal.State.WAITING

    def test_says_nothing_of_what_is_stored(self) -> None:
        proposal = self.waiting()
        text = window(an_approving_supervisor()).get(page("proposal_change", proposal.pk)).text
        assert "test.bonus" not in text
        assert "&quot;points&quot;" not in text

    @pytest.mark.parametrize(
        ("span", "words"),
        [
            (timedelta(seconds=70), "1 minute"), (timedelta(minutes=59), "59 minutes"), (timedelta(hours=47), "47 hours"),
            (timedelta(hours=72), "3 days"),
        ],
    )  # fmt: skip
    def test_tells_spans_in_words(self, span: timedelta, words: str) -> None:
        assert span_in_words(span) == words


@pytest.mark.django_db
class TestThePagesOfLimits:
    def boss(self) -> Client:
        rights = ("view_operatorlimit", "add_operatorlimit", "change_operatorlimit", "view_approvalrule")
        return window(somebody("administrator", rights=rights))

    def test_show_roles_and_figures_in_words(self) -> None:
        text = self.boss().get(page("operatorlimit_changelist")).text
        for words in ("customer service", "service supervisor", "50,000", "points given, taken or moved"):
            assert words in text
        assert "200,000" in self.boss().get(page("approvalrule_changelist")).text

    def test_change_figures_and_keep_role_and_family(self) -> None:
        limit = OperatorLimit.objects.get(role__name="service", family="points")
        where = page("operatorlimit_change", limit.pk)
        client = self.boss()
        assert client.get(where).status_code == 200
        marketing = Group.objects.get(name="marketing")
        sent = {"per_entry_points": 600, "per_day_points": 6_000, "role": marketing.pk, "family": "x"}
        assert client.post(where, sent).status_code == 302
        limit.refresh_from_db()
        assert (limit.per_entry_points, limit.per_day_points) == (600, 6_000)
        assert (limit.role.name, limit.family) == ("service", "points")
        text = client.get(where).text
        assert "What it was, newest first" in text
        assert [figure in text for figure in ("6,000", "5,000", "automatic")] == [True] * 3

    def test_add_a_limit_for_a_role_that_has_none(self) -> None:
        sent = {
            "role": Group.objects.get(name="marketing").pk, "family": "points", "per_entry_points": 10, "per_day_points": 5,
        }  # fmt: skip
        client = self.boss()
        assert "limit_of_an_entry" in client.post(page("operatorlimit_add"), sent).text
        assert client.post(page("operatorlimit_add"), {**sent, "per_day_points": 50}).status_code == 302
        assert OperatorLimit.objects.filter(role__name="marketing", per_day_points=50).exists()

    def test_link_operators_with_their_own_accounts(self) -> None:
        rights = ("add_ownmembership", "view_ownmembership", "change_ownmembership")
        boss, clerk, member = somebody("administrator", rights=rights), an_operator("service"), a_member()
        client = window(boss)
        where = page("operator_change", clerk.pk)
        assert "Own member accounts" in client.get(where).text
        sent = {
            "username": clerk.username, "is_active": "on", "own_memberships-TOTAL_FORMS": 1,
            "own_memberships-INITIAL_FORMS": 0, "own_memberships-0-member": member.pk,
        }  # fmt: skip
        answer = client.post(where, sent)
        assert answer.status_code == 302, answer.text
        assert OwnMembership.objects.get().operator == clerk

    @pytest.mark.parametrize("is_superuser", [False, True])
    def test_let_nobody_lift_their_own_guard(self, is_superuser: bool) -> None:
        rights = ("view_operator", "change_operator", "add_ownmembership", "view_ownmembership", "change_ownmembership",
            "delete_ownmembership")  # fmt: skip
        boss = an_operator(superuser=True) if is_superuser else somebody("administrator", rights=rights)
        colleague = somebody("administrator", rights=rights)
        if is_superuser:
            Operator.objects.filter(pk=colleague.pk).update(is_superuser=True)
        own, other = a_member(), a_member()
        noted = OwnMembership.objects.create(operator=boss, member=own)
        where = page("operator_change", boss.pk)
        text = window(boss).get(where).text
        assert "Own member accounts" in text
        assert "own_memberships-0-DELETE" not in text
        account = {"username": boss.username, "is_active": "on"}
        first = {
            "own_memberships-TOTAL_FORMS": 1, "own_memberships-INITIAL_FORMS": 1, "own_memberships-0-id": noted.pk,
            "own_memberships-0-operator": boss.pk, "own_memberships-0-member": own.pk,
        }  # fmt: skip
        second = {"own_memberships-TOTAL_FORMS": 2, "own_memberships-1-member": other.pk}
        for wish in ({"own_memberships-0-DELETE": "on"}, {"own_memberships-0-member": other.pk}, second):
            window(boss).post(where, account | first | wish)
            assert list(OwnMembership.objects.values_list("operator", "member")) == [(boss.pk, own.pk)]
        window(colleague).post(where, account | first | {"own_memberships-0-DELETE": "on"})
        assert not OwnMembership.objects.exists()


class TestSheets:
    @pytest.mark.parametrize("text", ["=1+1", "+SUM(1)", "-cmd|' /C calc'!A0", "@A1", "\tx", "＝1"])
    def test_escape_what_a_spreadsheet_would_compute(self, text: str) -> None:
        assert safe_text(text).startswith("'")

    @pytest.mark.parametrize("text", ["abc", "+8613800138000", "-5", "-1,234.50", "1+1", ""])
    def test_leave_alone_what_computes_nothing(self, text: str) -> None:
        assert safe_text(text) == text

    def test_hold_numbers_as_numbers_and_no_control_characters(self) -> None:
        content = sheet(title="a/b", header=["=x", "n"], rows=[["a\x00b", -5], ["@b", None]])
        page = openpyxl.load_workbook(BytesIO(content)).active
        assert page.title == "a b"
        assert list(page.values) == [("'=x", "n"), ("a b", -5), ("'@b", None)]


@pytest.mark.django_db
class TestMilestones:
    @pytest.mark.parametrize("module", [jobs, proposals])
    def test_are_found_by_their_own_index(self, module: Any) -> None:
        done_job(somebody("service"))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            plan = (
                TimelineEntry.objects.filter(subject="job:1", kind__in=module.MILESTONES).order_by("-id")[:20].explain()
            )
        # The index of a partition is named after its columns.
        assert "subject_id_idx" in plan
        assert "Filter: ((subject" not in plan

    def test_have_sentences(self) -> None:
        assert {*jobs.MILESTONES, *proposals.MILESTONES} <= told_kinds()
