"""The pages of the month close."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.models import TimelineEntry
from rewards.models import ClosingAccount, MonthClose, PointsCurrency, Voucher
from rewards.services.close import preview_close, refresh_drafts
from tests.factories.catalogue import a_template
from tests.factories.portal import an_operator
from tests.factories.times import at
from tests.rewards.closing import Books, month, set_value
from tests.rewards.test_close import AUGUST, SEPTEMBER, told
from tests.rewards.test_close_stores import an_accountants_month
from tests.rewards.test_close_vouchers import books_of_the_programme, issue, use

pytestmark = pytest.mark.django_db

LIST = "admin:rewards_monthclose_changelist"
DIALOG = {"_form_submitted": "True"}
MOST_QUERIES = 12


def signed_in(*rights: str, language: str = "en") -> Client:
    """Return a browser of a member of staff who has these rights of rewards and no others."""
    operator = an_operator()
    operator.user_permissions.set(Permission.objects.filter(content_type__app_label="rewards", codename__in=rights))
    assert operator.user_permissions.count() == len(rights)
    client = Client(headers={"accept-language": language})
    client.force_login(operator)
    return client


def finance(language: str = "en") -> Client:
    return signed_in("view_monthclose", "lock_month", "view_closingaccount", "change_closingaccount", language=language)


def page(close: MonthClose) -> str:
    return reverse("admin:rewards_monthclose_change", args=[close.pk])


def draft_of(books: Books, text: str = AUGUST) -> MonthClose:
    return preview_close(currency_id=books.currency.pk, month=month(text), at=at("2026-10-01"))


class TestTheList:
    def test_says_what_it_is_for_while_it_is_empty(self) -> None:
        answer = finance().get(reverse(LIST))
        assert "No month was worked out yet" in answer.text
        assert "Work out a month" in answer.text

    def test_shows_state_balance_and_agreement_in_few_queries(self) -> None:
        books = told()
        books.lock(AUGUST)
        draft_of(books, SEPTEMBER)
        client = finance()
        client.get(reverse(LIST))
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(reverse(LIST))
        assert len(captured) <= MOST_QUERIES
        for text in ("2026-08", "2026-09", "1,250", "615", "locked", "draft", "¥12.50"):
            assert text in answer.text, text

    def test_works_a_month_out_from_its_dialog(self) -> None:
        books = told()
        client = finance()
        where = reverse("admin:rewards_monthclose_work_out")
        assert "Begin the books with this month" in client.get(where).text
        answer = client.post(where, {**DIALOG, "currency": books.currency.pk, "month": "2026-08-01"})
        close = MonthClose.objects.get()
        assert answer.headers["HX-Redirect"] == page(close)
        assert (close.currency, close.closing_points) == (books.currency, 1_250)

    def test_says_why_a_month_can_not_be_worked_out(self) -> None:
        books = told()
        client = finance()
        where = reverse("admin:rewards_monthclose_work_out")
        client.post(where, {**DIALOG, "currency": books.currency.pk, "month": "2026-09-01"})
        assert "2026-08 is still open. Close it before 2026-09." in client.get(reverse(LIST)).text
        assert not MonthClose.objects.exists()


class TestThePageOfAMonth:
    @pytest.mark.parametrize("part", ["source", "store", "tier"])
    @pytest.mark.parametrize("language", ["zh-hans", "zh-hant", "en"])
    def test_answers_in_each_language_in_few_queries(self, part: str, language: str) -> None:
        books = told()
        books.lock(AUGUST)
        close = books.lock(SEPTEMBER)
        client = finance(language)
        client.get(page(close))
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(page(close), {"by": part})
        assert answer.status_code == 200
        assert f'lang="{language}"' in answer.text
        assert len(captured) <= MOST_QUERIES
        assert "615" in answer.text

    def test_takes_as_many_queries_for_many_lines_as_for_few(self) -> None:
        few, many = Books(), told()
        closes = [few.lock(AUGUST), many.lock(AUGUST)]
        client = finance()
        client.get(page(closes[0]))
        counts = []
        for close in closes:
            with CaptureQueriesContext(connection) as captured:
                client.get(page(close))
            counts.append(len(captured))
        assert counts[0] == counts[1]

    def test_tells_the_agreement_and_the_method_in_words(self) -> None:
        close = told().lock(AUGUST)
        text = finance().get(page(close)).text
        assert "The books agree to the point." in text
        assert "One point is worth 0.01 CNY" in text
        assert "Liability: 1,250 points × 0.01 × (1 − 0.00 %) = ¥12.50." in text

    def test_settles_between_stores_with_the_method_in_words(self) -> None:
        text = finance().get(page(an_accountants_month().lock(SEPTEMBER))).text
        for words in ("Settlement between stores", "Store N", "head office (no store)", "−¥3.00", "owes", "receives"):
            assert words in text, words
        assert "In all 830 points redeemed and 50 given back, as the roll-forward says." in text
        assert "No points were redeemed in this month" in finance().get(page(draft_of(Books()))).text

    @pytest.mark.parametrize("language", ["zh-hans", "zh-hant", "en"])
    def test_states_the_vouchers_that_are_out_in_few_queries(self, language: str) -> None:
        books, five = books_of_the_programme(), a_template()
        for voucher in issue(five, "2026-08-05", 10)[:4]:
            use(voucher, "2026-08-06")
        close = books.lock(AUGUST)
        client = finance(language)
        client.get(page(close))
        with CaptureQueriesContext(connection) as captured:
            text = client.get(page(close)).text
        assert len(captured) <= MOST_QUERIES
        assert "¥30.00" in text
        assert "¥30.01" in text  # with the one point that is out
        if language == "en":
            assert "Movements and vouchers give the same numbers." in text
            assert "from 4 vouchers" in text

    def test_of_vouchers_that_contradict_their_events_shows_red_and_stays_open(self) -> None:
        books, five = books_of_the_programme(), a_template()
        issue(five, "2026-08-05", 2)
        Voucher.objects.update(state="expired")
        close = draft_of(books)
        client = finance()
        assert "Movements and vouchers disagree." in client.get(page(close)).text
        client.post(reverse("admin:rewards_monthclose_lock", args=[close.pk]), {**DIALOG, "reason": "month end"})
        close.refresh_from_db()
        assert close.state == "draft"
        assert "Movements give 2 vouchers, the vouchers themselves 0." in client.get(page(close)).text

    def test_of_a_month_locked_before_says_that_there_is_no_settlement(self) -> None:
        close = draft_of(told())
        MonthClose.objects.filter(pk=close.pk).update(has_settlement=False)
        assert "locked before the portal settled between stores" in finance().get(page(close)).text

    def test_of_contradicting_books_shows_red_and_stays_open(self) -> None:
        books = told()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE rewards_pointsaccount SET available = available + 1 WHERE currency_id = %s", [books.currency.pk]
            )
        close = draft_of(books)
        client = finance()
        assert "The books disagree." in client.get(page(close)).text
        client.post(reverse("admin:rewards_monthclose_lock", args=[close.pk]), {**DIALOG, "reason": "month end"})
        close.refresh_from_db()
        assert close.state == "draft"
        assert "Have the ledger checked" in client.get(page(close)).text

    def test_locks_from_its_dialog_with_a_reason(self) -> None:
        close = draft_of(told())
        client = finance()
        where = reverse("admin:rewards_monthclose_lock", args=[close.pk])
        assert "Lock 2026-08?" in client.get(where).text
        assert "HX-Redirect" not in client.post(where, {**DIALOG, "reason": ""}).headers
        answer = client.post(where, {**DIALOG, "reason": "August is complete"})
        assert answer.headers["HX-Redirect"] == page(close)
        close.refresh_from_db()
        assert (close.state, close.reason) == ("locked", "August is complete")
        assert close.locked_by is not None
        entry = TimelineEntry.objects.get(kind="rewards.month_locked.v1")
        assert (entry.actor_kind, entry.actor_id) == ("operator", close.locked_by_id)
        text = client.get(page(close)).text
        assert "August is complete" in text
        assert "Work out anew" not in text

    def test_works_a_draft_out_anew(self) -> None:
        books = told()
        close = draft_of(books)
        set_value(books.currency, "0.02", "2026-08-30")
        client = finance()
        assert client.get(reverse("admin:rewards_monthclose_again", args=[close.pk])).status_code == 405
        client.post(reverse("admin:rewards_monthclose_again", args=[close.pk]))
        assert "¥25.00" in client.get(page(close)).text

    def test_gives_out_workbook_and_journal(self) -> None:
        close = told().lock(AUGUST)
        client = finance()
        workbook = client.get(reverse("admin:rewards_monthclose_workbook", args=[close.pk]))
        assert workbook.content.startswith(b"PK")
        assert f'filename="points-{close.currency.code}-2026-08.xlsx"' in workbook.headers["Content-Disposition"]
        journal = client.get(reverse("admin:rewards_monthclose_journal", args=[close.pk]))
        assert "2026-08-31" in journal.content.decode("utf-8-sig")

    def test_gives_out_no_journal_of_a_draft(self) -> None:
        close = draft_of(told())
        client = finance()
        answer = client.get(reverse("admin:rewards_monthclose_journal", args=[close.pk]), follow=True)
        assert "is a draft" in answer.text


class TestRights:
    def test_those_who_may_look_can_not_lock(self) -> None:
        close = draft_of(told())
        client = signed_in("view_monthclose")
        assert "Lock the month" not in client.get(page(close)).text
        assert "Work out a month" not in client.get(reverse(LIST)).text
        for name in ("lock", "again"):
            assert (
                client.post(
                    reverse(f"admin:rewards_monthclose_{name}", args=[close.pk]), {**DIALOG, "reason": "x"}
                ).status_code
                == 403
            )
        assert client.post(reverse("admin:rewards_monthclose_work_out"), DIALOG).status_code == 403
        close.refresh_from_db()
        assert close.state == "draft"

    @pytest.mark.parametrize("name", ["change", "lock", "again", "workbook", "journal"])
    def test_others_see_nothing(self, name: str) -> None:
        close = told().lock(AUGUST)
        client = signed_in("view_voucher")
        assert client.get(reverse(f"admin:rewards_monthclose_{name}", args=[close.pk])).status_code == 403

    def test_an_unknown_month_is_not_found(self) -> None:
        assert finance().get(reverse("admin:rewards_monthclose_workbook", args=[999_999])).status_code == 404


class TestTheAccountsOfTheJournal:
    def test_are_set_by_finance_and_kept_with_their_history(self) -> None:
        account = ClosingAccount.objects.get(purpose="liability")
        client = finance()
        assert "2205.01" in client.get(reverse("admin:rewards_closingaccount_changelist")).text
        where = reverse("admin:rewards_closingaccount_change", args=[account.pk])
        client.post(where, {"code": "2204-88"})
        account.refresh_from_db()
        assert account.code == "2204-88"
        history: Any = apps.get_model("rewards", "ClosingAccountEvent")
        kept = history.objects.filter(id=account.pk).order_by("pgh_id")
        assert [version.code for version in kept] == ["2205.01", "2204-88"]

    def test_refuse_what_a_spreadsheet_would_run(self) -> None:
        account = ClosingAccount.objects.get(purpose="liability")
        answer = finance().post(reverse("admin:rewards_closingaccount_change", args=[account.pk]), {"code": "=1+1"})
        assert answer.status_code == 200
        account.refresh_from_db()
        assert account.code == "2205.01"


class TestTheNightlyDraft:
    def test_is_made_of_the_open_month_and_worked_out_anew(self) -> None:
        PointsCurrency.objects.exclude(code="points").delete()
        books = told()
        refresh_drafts(at=at("2026-10-02"))
        close = MonthClose.objects.get(currency=books.currency)
        assert (close.month, close.closing_points) == (month(AUGUST), 1_250)
        books.lock(AUGUST)
        refresh_drafts(at=at("2026-10-03"))
        draft = MonthClose.objects.get(currency=books.currency, state="draft")
        assert (draft.month, draft.closing_points) == (month(SEPTEMBER), 615)

    def test_keeps_to_the_month_that_finance_has_chosen(self) -> None:
        books = told()
        preview_close(currency_id=books.currency.pk, month=month(SEPTEMBER), at=at("2026-10-02"), begins_books=True)
        refresh_drafts(at=at("2026-10-03"))
        draft = MonthClose.objects.get(currency=books.currency)
        assert (draft.month, draft.begins_books, draft.opening_points) == (month(SEPTEMBER), True, 1_250)

    def test_is_not_made_of_a_month_that_has_not_begun(self) -> None:
        books = told()
        for text in (AUGUST, SEPTEMBER):
            books.lock(text)
        refresh_drafts(at=at("2026-09-30"))
        assert not MonthClose.objects.filter(currency=books.currency, state="draft").exists()
