"""The pages on which staff move points by hand: what they show before anything is sent, and what sending does."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from members.admin.days import local_day
from members.models import Member, Proposal
from rewards.ledger import ArrearsTooSmall
from rewards.models import (
    Adjustment,
    AdjustmentBatch,
    CharityProject,
    Donation,
    LedgerEntry,
    PartnerConversion,
    PartnerFile,
    PointsTransfer,
    TransferPolicy,
)
from rewards.queries import balance_of
from rewards.services.adjustments import propose_write_off
from rewards.services.purchases import record_purchase
from tests.factories.by_hand import a_partner, moved_by_hand
from tests.factories.histories import give_points
from tests.factories.orders import an_order
from tests.factories.people import TILL, a_member
from tests.factories.portal import an_operator, signed_in
from tests.rewards.by_hand import actor, staff
from tests.rewards.test_adjustments import in_arrears

PAGES = (
    "rewards_adjustment_adjust", "rewards_adjustment_forgive", "rewards_pointstransfer_transfer", "rewards_donation_donate",
    "rewards_partnerconversion_convert",
)  # fmt: skip
MOST_QUERIES = 24  # with those of the session, the menu and the balance


@pytest.fixture
def client() -> Client:
    """A supervisor who may do everything, within the limits of the role: 5,000 points each time."""
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(an_operator("service supervisor", superuser=True))
    return browser


@pytest.fixture
def member(db: None) -> Member:
    known = a_member()
    give_points(known, 3_000, moment=timezone.now() - timedelta(days=2))
    return known


def address(name: str, *arguments: Any) -> str:
    return reverse(f"admin:{name}", args=arguments)


def request_id(page: Any) -> str:
    found = re.search(r'name="request_id" value="(\w+)"', page.text)
    assert found
    return found.group(1)


def send(client: Client, where: str, **fields: Any) -> Any:
    """Open a page, fill in its form and send it, as a browser does."""
    return client.post(where, {"request_id": request_id(client.get(where)), **fields}, follow=True)


def available(member: Member) -> int:
    return balance_of(member.pk, timezone.now()).available


@pytest.mark.django_db
class TestEveryPage:
    @pytest.mark.parametrize("name", PAGES)
    def test_is_refused_without_its_right(self, name: str, member: Member) -> None:
        assert signed_in("analyst").get(address(name, member.pk)).status_code == 403

    @pytest.mark.parametrize("name", PAGES)
    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_opens_in_few_queries_in_each_language(self, name: str, language: str, member: Member) -> None:
        TransferPolicy.objects.update(is_enabled=True)
        CharityProject.objects.create(name="Trees", starts_at=timezone.now() - timedelta(days=1))
        a_partner("air", at=timezone.now())
        client = signed_in(superuser=True, language=language)
        client.get(address(name, member.pk))
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address(name, member.pk))
        assert answer.status_code == 200
        assert f'lang="{language}"' in answer.text
        assert len(captured) <= MOST_QUERIES

    def test_is_reached_from_the_member_page_by_those_who_may(self, client: Client, member: Member) -> None:
        links = [address(name, member.pk) for name in PAGES if name != "rewards_adjustment_forgive"]
        page = client.get(address("members_member_change", member.pk)).text
        assert [link for link in links if link not in page] == []
        without = signed_in("store").get(address("members_member_change", member.pk)).text
        assert [link for link in links if link in without] == []


@pytest.mark.django_db
class TestAdjusting:
    def test_says_the_limits_first_and_posts(self, client: Client, member: Member) -> None:
        where = address("rewards_adjustment_adjust", member.pk)
        page = client.get(where)
        assert "5,000 points each time; 50,000 of 50,000 are left today." in page.text
        answer = send(client, where, reason="goodwill", way="give", points="250", note="", order_no="")
        assert "250 points given to member" in answer.text
        assert available(member) == 3_250

    def test_above_the_limit_says_that_it_waits(self, client: Client, member: Member) -> None:
        where = address("rewards_adjustment_adjust", member.pk)
        answer = send(client, where, reason="goodwill", way="give", points="5001", note="", order_no="")
        assert "waits for 1 colleague" in answer.text
        assert available(member) == 3_000

    def test_sent_twice_posts_once(self, client: Client, member: Member) -> None:
        where = address("rewards_adjustment_adjust", member.pk)
        form = {
            "request_id": request_id(client.get(where)),
            "reason": "goodwill",
            "way": "give",
            "points": "9",
            "note": "",
            "order_no": "",
        }
        client.post(where, form)
        client.post(where, form)
        assert Adjustment.objects.count() == 1

    def test_shows_a_refusal_in_the_form(self, client: Client, member: Member) -> None:
        where = address("rewards_adjustment_adjust", member.pk)
        answer = send(client, where, reason="misuse", way="take", points="4000", note="x", order_no="")
        assert "4000 points are needed, 3000 are available." in answer.text
        assert not Proposal.objects.exists()

    def test_works_out_missing_points_before_it_credits_them(self, client: Client, member: Member) -> None:
        moment = timezone.now() - timedelta(days=1)
        record_purchase(order=an_order(None, "80.00", number="A-1", ordered_at=moment), by=TILL, at=moment)
        where = address("rewards_adjustment_adjust", member.pk)
        shown = send(
            client, where, reason="missing-points", way="give", points="", note="", order_no="A-1", work_out="1"
        )
        assert 'value="80"' in shown.text
        assert "Missing of the order" in shown.text
        assert not Adjustment.objects.exists()
        send(client, where, reason="missing-points", way="give", points="80", note="", order_no="A-1")
        assert Adjustment.objects.get().points == 80
        again = send(client, where, reason="missing-points", way="give", points="80", note="", order_no="A-1")
        entry = LedgerEntry.objects.get(transaction=Adjustment.objects.get().transaction)
        assert "Nothing is missing" in again.text
        assert address("rewards_ledgerentry_change", entry.pk) in again.text

    def test_does_not_credit_another_figure_than_was_shown(self, client: Client, member: Member) -> None:
        moment = timezone.now() - timedelta(days=1)
        record_purchase(order=an_order(None, "80.00", number="A-1", ordered_at=moment), by=TILL, at=moment)
        where = address("rewards_adjustment_adjust", member.pk)
        answer = send(client, where, reason="missing-points", way="give", points="500", note="", order_no="A-1")
        assert 'value="80"' in answer.text
        assert not Adjustment.objects.exists()


@pytest.mark.django_db
class TestTakingBack:
    def test_shows_what_is_left_takes_it_and_links_both_entries(self, client: Client, member: Member) -> None:
        send(
            client,
            address("rewards_adjustment_adjust", member.pk),
            reason="goodwill",
            way="give",
            points="200",
            note="",
            order_no="",
        )
        entry = LedgerEntry.objects.get(transaction=Adjustment.objects.get().transaction)
        where = address("rewards_adjustment_correct", entry.pk)
        tab = address("members_member_tab", member.pk, "points")
        own_page, offer = address("rewards_ledgerentry_change", entry.pk), f"{entry.pk}/take-back"
        assert where in client.get(tab, headers={"HX-Request": "true"}).text
        assert offer in client.get(own_page).text
        assert "Of 200 points, 200 can be taken back; 0 are spent." in client.get(where).text
        answer = send(client, where, choice="leave", reason="wrong member")
        assert "200 points taken back" in answer.text
        assert available(member) == 3_000
        opposite = LedgerEntry.objects.latest("pk")
        assert (
            address("rewards_ledgerentry_change", opposite.pk)
            in client.get(address("rewards_ledgerentry_change", entry.pk)).text
        )
        assert (
            address("rewards_ledgerentry_change", entry.pk)
            in client.get(address("rewards_ledgerentry_change", opposite.pk)).text
        )
        assert "was taken back already" in client.get(where).text
        shown = client.get(tab, headers={"HX-Request": "true"}).text
        assert where not in shown
        assert f"taken back on {local_day(opposite.happened_at)}" in shown
        assert offer not in client.get(own_page).text

    def test_points_staff_to_a_return_for_points_of_an_order(self, client: Client, member: Member) -> None:
        moment = timezone.now() - timedelta(days=1)
        record_purchase(order=an_order(member, "80.00", number="A-1", ordered_at=moment), by=TILL, at=moment)
        entry = LedgerEntry.objects.latest("pk")
        assert "Record a return" in client.get(address("rewards_adjustment_correct", entry.pk)).text


@pytest.mark.django_db
class TestGivingAway:
    def test_moves_points_to_a_member_found_by_number(self, client: Client, member: Member) -> None:
        where = address("rewards_pointstransfer_transfer", member.pk)
        assert "can not be given to other members" in client.get(where).text
        TransferPolicy.objects.update(is_enabled=True)
        other = a_member()
        assert "No member is known" in send(client, where, receiver="0", points="100", reason="a gift").text
        send(client, where, receiver=other.member_no, points="100", reason="a gift")
        assert PointsTransfer.objects.get().receiver == other
        assert "100 of 5,000 points, 1 of 3 times" in client.get(where).text

    def test_donates_and_shows_the_sum_of_the_project(self, client: Client, member: Member) -> None:
        where = address("rewards_donation_donate", member.pk)
        assert "No charity project takes points now." in client.get(where).text
        project = CharityProject.objects.create(
            name="Trees", starts_at=timezone.now() - timedelta(days=1), target_points=1_000
        )
        send(client, where, project=project.pk, points="250", reason="asked by phone")
        assert Donation.objects.get().points == 250
        assert "25% reached" in client.get(address("rewards_charityproject_changelist")).text
        assert "250" in client.get(address("rewards_charityproject_change", project.pk)).text

    def test_exchanges_and_carries_files_there_and_back(self, client: Client, member: Member) -> None:
        partner = a_partner("air", at=timezone.now())
        where = address("rewards_partnerconversion_convert", member.pk)
        assert "10 in miles for 100 points" in client.get(where).text
        send(client, where, partner=partner.pk, points="300", account="CA-1", reason="asked by phone")
        files = address("rewards_partner_files", partner.pk)
        assert "1 conversion waits" in client.get(files).text
        client.post(address("rewards_partner_export", partner.pk))
        made = PartnerFile.objects.get()
        download = client.get(address("rewards_partner_download", partner.pk, made.pk))
        row = PartnerConversion.objects.get()
        assert row.line_ref in download.content.decode()
        answer = f"ref,result,reason\n{row.line_ref},rejected,closed\n".encode()
        trial = client.post(files, {"kind": "answer", "file": SimpleUploadedFile("a.csv", answer)})
        assert "nothing was changed" in trial.text
        assert available(member) == 2_700
        booked = client.post(files, {"kind": "answer", "book": "1", "file": SimpleUploadedFile("a.csv", answer)})
        assert "The file was booked." in booked.text
        assert available(member) == 3_000
        statement = client.get(address("rewards_partner_statement", partner.pk))
        assert statement.content.startswith(b"PK")


@pytest.mark.django_db
class TestArrears:
    def test_are_forgiven_only_with_a_colleague(self, client: Client) -> None:
        debtor = a_member()
        in_arrears(debtor, 40)
        where = address("rewards_adjustment_forgive", debtor.pk)
        assert where in client.get(address("members_member_change", debtor.pk)).text
        assert "waits for 1 colleague" in send(client, where, points="40", reason="moved away").text
        with pytest.raises(ArrearsTooSmall):
            propose_write_off(member_id=debtor.pk, points=41, reason="x", by=actor(staff()), at=timezone.now())


@pytest.mark.django_db
class TestLists:
    def test_are_read_reported_and_proposed(
        self, client: Client, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)
        upload = address("rewards_adjustmentbatch_upload_list")
        content = f"member,points,reason\n{member.member_no},40,goodwill\nnobody,1,goodwill\n".encode()
        page = client.post(upload, {"file": SimpleUploadedFile("spring.csv", content)}, follow=True)
        batch = AdjustmentBatch.objects.get()
        assert "spring.csv" in page.text
        assert "No member is known by this." in page.text
        assert "The list moves 40 points." in page.text
        bad = client.get(address("rewards_adjustmentbatch_bad_rows", batch.pk))
        assert bad.content.startswith(b"PK")
        assert "no-store" in bad.headers["Cache-Control"]
        answer = send(client, address("rewards_adjustmentbatch_change", batch.pk), reason="spring")
        assert "A job carries it out" in answer.text
        batch.refresh_from_db()
        assert batch.job is not None
        assert address("members_job_change", batch.job_id) in answer.text

    def test_are_refused_when_they_are_none(self, client: Client) -> None:
        upload = address("rewards_adjustmentbatch_upload_list")
        page = client.post(upload, {"file": SimpleUploadedFile("a.csv", b"x,y\n1,2\n")})
        assert "Missing: member, points, reason" in page.text
        assert not AdjustmentBatch.objects.exists()


@pytest.mark.django_db
class TestTheLists:
    NAMES = (
        "adjustment", "reasoncode", "pointstransfer", "transferpolicy", "charityproject", "donation", "partner", "partnerconversion",
        "adjustmentbatch",
    )  # fmt: skip

    def test_take_the_same_few_queries_however_long_they_are(self, client: Client) -> None:
        self.add_rows(first=1, last=2)
        self.queries(client)  # what is kept per process is read once
        few = self.queries(client)
        self.add_rows(first=3, last=9)
        assert self.queries(client) == few
        assert max(few.values()) <= 12

    def add_rows(self, *, first: int, last: int) -> None:
        now = timezone.now()
        for number in range(first, last + 1):
            member = a_member()
            give_points(member, 500, moment=now - timedelta(days=1))
            moved_by_hand(number, member, an_operator("service supervisor"), at=now)

    def queries(self, client: Client) -> dict[str, int]:
        found = {}
        for name in self.NAMES:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address(f"rewards_{name}_changelist")).status_code == 200
            found[name] = len(captured)
        return found
