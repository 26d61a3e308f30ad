"""The pages on which staff issue vouchers: what they show before anything is sent, and what sending does."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from members.models import Member
from members.services.jobs import run_job
from rewards.models import Voucher, VoucherBatch, VoucherGoodwill, VoucherOffer
from tests.factories.catalogue import a_template
from tests.factories.people import a_member
from tests.factories.portal import an_operator, signed_in
from tests.rewards.voucher_given import a_list_of, a_voucher, an_offer

pytestmark = pytest.mark.django_db
MOST_QUERIES = 24  # with those of the session and the menu


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)


@pytest.fixture
def client() -> Client:
    """A supervisor who may do everything, within the limits of the role: 1,000 each time."""
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(an_operator("service supervisor", superuser=True))
    return browser


def text_of(client: Client, name: str, *args: Any) -> str:
    """Return the text of a page, having looked how many queries it takes."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(reverse(f"admin:{name}", args=args))
    assert answer.status_code == 200
    assert len(queries) <= MOST_QUERIES, [query["sql"][:120] for query in queries]
    return answer.content.decode()


def sent(client: Client, name: str, *args: Any, **fields: Any) -> Any:
    """Send a form of a page, with a request of its own."""
    return client.post(reverse(f"admin:{name}", args=args), {"request_id": f"r-{name}", **fields}, follow=True)


class TestBatchPages:
    """A batch …"""

    def test_is_drawn_up_previewed_issued_and_taken_back(self, client: Client) -> None:
        members = [a_member() for _ in range(3)]
        segment, template = a_list_of(members), a_template(budget_amount=Decimal(500))
        assert "Nothing is issued yet" in text_of(client, "rewards_voucherbatch_draw_up")
        sent(client, "rewards_voucherbatch_draw_up", template=template.pk, segment=segment.pk, duplicates="skip")
        batch = VoucherBatch.objects.get()
        text = text_of(client, "rewards_voucherbatch_change", batch.pk)
        assert "Issue to 3 members" in text
        assert "¥15.00" in text
        assert "¥500.00" in text
        answer = sent(client, "rewards_voucherbatch_change", batch.pk, reason="Weekend")
        batch.refresh_from_db()
        assert "A job issues them" in answer.content.decode()
        assert batch.job is not None
        run_job(job_id=batch.job.pk, worker="test", clock=timezone.now)
        assert "Take back 3 unused vouchers" in text_of(client, "rewards_voucherbatch_change", batch.pk)
        assert "Some" in text_of(client, "rewards_voucherbatch_changelist")

    def test_takes_a_pasted_list(self, client: Client) -> None:
        member = a_member()
        sent(
            client, "rewards_voucherbatch_draw_up", template=a_template().pk, listed=member.member_no, duplicates="skip"
        )
        batch = VoucherBatch.objects.get()
        assert "The list is still being read" in text_of(client, "rewards_voucherbatch_change", batch.pk)

    def test_asks_for_one_way_of_saying_who(self, client: Client) -> None:
        answer = sent(client, "rewards_voucherbatch_draw_up", template=a_template().pk, duplicates="skip")
        assert "Choose a segment" in answer.content.decode()
        assert not VoucherBatch.objects.exists()

    def test_of_more_than_a_thousand_is_taken_back_only_with_the_number_typed(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        members = [a_member() for _ in range(3)]
        sent(
            client, "rewards_voucherbatch_draw_up", template=a_template().pk, segment=a_list_of(members).pk, duplicates="skip"
        )  # fmt: skip
        batch = VoucherBatch.objects.get()
        sent(client, "rewards_voucherbatch_change", batch.pk, reason="Weekend")
        batch.refresh_from_db()
        assert batch.job is not None
        run_job(job_id=batch.job.pk, worker="test", clock=timezone.now)
        monkeypatch.setattr("members.admin.dialogs.MOST_UNTYPED", 2)
        address = reverse("admin:members_job_take_back", args=[batch.job.pk])
        for typed in ("", "4"):
            client.post(address, {"_form_submitted": "True", "typed": typed})
            assert not batch.job.__class__.objects.filter(undoes=batch.job).exists()
        client.post(address, {"_form_submitted": "True", "typed": "3"})
        assert batch.job.__class__.objects.filter(undoes=batch.job).exists()


class TestOfferPages:
    """An offer …"""

    def test_is_drafted_started_and_given_a_claim_code(self, client: Client) -> None:
        now = timezone.localtime()
        answer = sent(
            client, "rewards_voucheroffer_add", name_zh_hans="周末券", name_en="Weekend", template=a_template().pk,
            begins_at_0=now.date().isoformat(), begins_at_1="00:00:00", per_member_limit=1, total_limit=10, by_button="on",
            by_scan="on",
        )  # fmt: skip
        offer = VoucherOffer.objects.get()
        assert (offer.state, answer.status_code) == ("draft", 200)
        text = text_of(client, "rewards_voucheroffer_change", offer.pk)
        assert "The code to scan" in text
        sent(client, "rewards_voucheroffer_start", offer.pk, _form_submitted="True")
        offer.refresh_from_db()
        assert offer.state == "running"
        code = sent(client, "rewards_voucheroffer_claim_code", offer.pk).content.decode()
        assert "shown this once" in code
        for name in ("pause", "end"):
            sent(client, f"rewards_voucheroffer_{name}", offer.pk, _form_submitted="True", reason="Over")
        offer.refresh_from_db()
        assert offer.state == "ended"
        assert "0 of 10" in text_of(client, "rewards_voucheroffer_changelist")

    def test_is_not_cut_below_what_was_claimed_nor_loses_claims_by_being_saved(self, client: Client) -> None:
        offer = an_offer(total_limit=10)
        VoucherOffer.objects.update(claimed=4)
        fields = {
            "name_zh_hans": "周末券", "begins_at_0": "2026-01-01", "begins_at_1": "00:00:00", "per_member_limit": 1, "by_button": "on",
        }  # fmt: skip
        assert (
            "4 already"
            in sent(client, "rewards_voucheroffer_change", offer.pk, total_limit=3, **fields).content.decode()
        )
        sent(client, "rewards_voucheroffer_change", offer.pk, total_limit=20, **fields)
        offer.refresh_from_db()
        assert (offer.total_limit, offer.claimed, offer.state) == (20, 4, "running")


class TestHandPages:
    """The page of a member's vouchers …"""

    def test_gives_extends_reissues_voids_and_takes_back(self, client: Client) -> None:
        member, template = a_member(), a_template()
        voucher = a_voucher(member, template, at=timezone.now() - timedelta(days=1))
        tab = client.get(reverse("admin:members_member_change", args=[member.pk]) + "?tab=vouchers").content.decode()
        for name in ("give", "extend", "reissue", "void"):
            of = member.pk if name == "give" else voucher.pk
            assert reverse(f"admin:rewards_vouchergoodwill_{name}", args=[of]) in tab
        assert "This month you have helped with 0 vouchers" in text_of(
            client, "rewards_vouchergoodwill_give", member.pk
        )
        sent(client, "rewards_vouchergoodwill_give", member.pk, template=template.pk, reason="Waited long")
        assert Voucher.objects.filter(member=member).count() == 2
        text = text_of(client, "rewards_vouchergoodwill_extend", voucher.pk)
        assert "Costs the brand at most" in text
        assert "This month you have helped with 1 voucher" in text
        before = voucher.expires_at
        last = (timezone.localtime(before) + timedelta(days=10)).date().isoformat()
        sent(client, "rewards_vouchergoodwill_extend", voucher.pk, last_day=last, reason="Was ill")
        voucher.refresh_from_db()
        assert voucher.expires_at > before + timedelta(days=9)
        sent(client, "rewards_vouchergoodwill_reissue", voucher.pk, reason="Code was seen")
        new = Voucher.objects.get(origin="reissue")
        sent(client, "rewards_vouchergoodwill_void", new.pk, _form_submitted="True", reason="Mistake")
        new.refresh_from_db()
        assert new.state == "voided"
        done = VoucherGoodwill.objects.latest("pk")
        assert "Take it back" in text_of(client, "rewards_vouchergoodwill_change", done.pk)
        sent(client, "rewards_vouchergoodwill_undo", done.pk, _form_submitted="True", reason="It was right")
        new.refresh_from_db()
        assert new.state == "issued"
        assert "taken back" in text_of(client, "rewards_vouchergoodwill_changelist")
        page = client.get(reverse("admin:rewards_voucher_change", args=[new.pk])).content.decode()
        assert reverse("admin:rewards_vouchergoodwill_extend", args=[new.pk]) in page

    def test_the_default_day_of_an_extension_is_within_ones_own_limit(self, client: Client) -> None:
        voucher = a_voucher(a_member(), at=timezone.now())
        last = (timezone.localtime(voucher.expires_at) + timedelta(days=30)).date().isoformat()
        answer = sent(client, "rewards_vouchergoodwill_extend", voucher.pk, last_day=last, reason="Was ill")
        assert "ends later" in answer.content.decode()

    def test_is_closed_to_those_without_the_right(self) -> None:
        outsider, member = signed_in("analyst"), a_member()
        voucher = a_voucher(member)
        offer = an_offer()
        for name, of in (
            ("rewards_vouchergoodwill_give", member.pk), ("rewards_vouchergoodwill_extend", voucher.pk),
            ("rewards_vouchergoodwill_reissue", voucher.pk), ("rewards_vouchergoodwill_void", voucher.pk),
            ("rewards_voucheroffer_start", offer.pk), ("rewards_voucheroffer_claim_code", offer.pk),
        ):  # fmt: skip
            assert outsider.post(reverse(f"admin:{name}", args=[of])).status_code == 403
        assert outsider.post(reverse("admin:rewards_voucherbatch_draw_up")).status_code == 403


def test_every_member_is_shown_with_no_voucher_too(client: Client) -> None:
    member: Member = a_member()
    tab = client.get(reverse("admin:members_member_change", args=[member.pk]) + "?tab=vouchers").content.decode()
    assert "Give a voucher" in tab
