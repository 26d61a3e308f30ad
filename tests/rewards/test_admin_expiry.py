"""The pages of expiry: policies in words, what expires when, the form that extends, the evidence of warnings."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from openpyxl import load_workbook

from loyalty.periods import add_months, business_date, end_of_day, last_of_month
from members.actors import SYSTEM
from members.models import Member, Proposal
from rewards.ledger import currency_id
from rewards.models import ExpiryPolicy, ExpiryWarning, Lot, PointsRate
from rewards.services.expiry_warnings import record_warning_receipt, warn_of_expiry
from tests.factories.histories import with_points
from tests.factories.portal import signed_in
from tests.factories.times import SHANGHAI

pytestmark = pytest.mark.django_db

ADD = reverse("admin:rewards_expirypolicy_add")
CALENDAR = reverse("admin:rewards_expiry_calendar")
EXTEND = reverse("admin:rewards_expiry_extend")


def today() -> date:
    return business_date(timezone.now(), SHANGHAI)


def ending(points: int, day: date) -> Member:
    """Return a member with points that can be used through a day."""
    return with_points(points, moment=timezone.now() - timedelta(days=3), expires_at=end_of_day(day, SHANGHAI))


def policy_form(**changes: Any) -> dict[str, Any]:
    """Return what the form sends for points that expire two years on, from tomorrow."""
    begin = today() + timedelta(days=1)
    return {
        "currency": currency_id(), "origin": "", "kind": "end_of_year", "years": "2", "months": "", "fixed_date": "",
        "grace_days": "0", "warn_days": "60, 14", "extend_unreached_days": "0", "valid_from_0": begin.isoformat(),
        "valid_from_1": "00:00:00", "valid_to_0": "", "valid_to_1": "", **changes,
    }  # fmt: skip


class TestPolicies:
    """The form of a policy …"""

    def test_ends_the_version_before_it(self) -> None:
        answer = signed_in(superuser=True).post(ADD, policy_form())
        assert answer.status_code == 302
        old, new = ExpiryPolicy.objects.order_by("valid_from")
        assert old.valid_to == new.valid_from
        assert (new.kind, new.years, new.months, new.warn_days) == ("end_of_year", 2, None, [60, 14])

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"years": ""}, "This is needed"),
            ({"kind": "rolling_months", "months": "0"}, "At least one month"),
            ({"kind": "inactivity", "months": "12"}, "This is needed"),
            (
                {"kind": "inactivity", "months": "12", "activities": ["purchase"], "origin": "1"},
                "whatever their source",
            ),
            ({"kind": "fixed_date"}, "This is needed"),
            ({"warn_days": "soon"}, "whole numbers"),
            ({"warn_days": "400"}, "whole numbers"),
            ({"grace_days": "400"}, "At most 366"),
            ({"valid_from_0": "2020-01-01"}, "only begin from now on"),
        ],
    )
    def test_says_what_is_wrong_and_changes_nothing(self, changes: dict[str, Any], complaint: str) -> None:
        answer = signed_in(superuser=True).post(ADD, policy_form(**changes))
        assert answer.status_code == 200
        assert complaint in answer.text
        (policy,) = ExpiryPolicy.objects.all()
        assert policy.valid_to is None

    def test_refuses_a_second_one_for_the_same_time(self) -> None:
        client = signed_in(superuser=True)
        client.post(ADD, policy_form())
        answer = client.post(ADD, policy_form())
        assert "is planned from" in answer.text
        assert ExpiryPolicy.objects.count() == 2

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({}, "Points expire at the end of the year, 2 years after the one in which they were earned."),
            ({"years": "0"}, "Points expire at the end of the year in which they were earned."),
            ({"kind": "never"}, "Points never expire."),
            (
                {"kind": "end_of_month", "months": "12", "grace_days": "5"},
                "12 months after they were earned. Then 5 more days of grace.",
            ),
            ({"kind": "rolling_months", "months": "1"}, "through the same day 1 month after they were earned"),
            ({"kind": "fixed_date", "fixed_date": "2027-03-31", "months": "6"}, "They live at least 6 months"),
            (
                {"kind": "inactivity", "months": "18", "activities": ["purchase", "redemption"]},
                "What counts: purchases, redemptions.",
            ),
            ({"warn_days": ""}, "Members are not warned."),
            ({"extend_unreached_days": "30"}, "keeps the points 30 days longer, once."),
        ],
    )
    def test_says_in_words_what_it_means_while_it_is_filled_in(self, changes: dict[str, Any], words: str) -> None:
        client = signed_in(superuser=True)
        answer = client.post(reverse("admin:rewards_expirypolicy_words"), policy_form(**changes))
        assert words in answer.text
        assert ExpiryPolicy.objects.count() == 1

    def test_moves_a_planned_version_and_the_end_of_the_one_before_it(self) -> None:
        client = signed_in(superuser=True)
        client.post(ADD, policy_form())
        old, new = ExpiryPolicy.objects.order_by("valid_from")
        for days in (30, 10):
            begin = today() + timedelta(days=days)
            where = reverse("admin:rewards_expirypolicy_change", args=[new.pk])
            assert client.post(where, policy_form(valid_from_0=begin.isoformat())).status_code == 302
            old.refresh_from_db()
            new.refresh_from_db()
            assert old.valid_to == new.valid_from == end_of_day(begin - timedelta(days=1), SHANGHAI)

    def test_keeps_a_version_in_force_from_reaching_into_the_next(self) -> None:
        client = signed_in(superuser=True)
        client.post(ADD, policy_form())
        old, new = ExpiryPolicy.objects.order_by("valid_from")
        where = reverse("admin:rewards_expirypolicy_change", args=[old.pk])
        answer = client.post(where, policy_form(valid_to_0="2040-01-01", valid_to_1="00:00"))
        assert "is planned from" in answer.text
        old.refresh_from_db()
        assert old.valid_to == new.valid_from

    def test_begins_with_what_is_usual(self) -> None:
        answer = signed_in(superuser=True).get(ADD)
        assert 'value="30, 7, 1"' in answer.text
        assert "all other sources" in answer.text

    def test_asks_for_more_while_something_is_missing(self) -> None:
        client = signed_in(superuser=True)
        answer = client.post(reverse("admin:rewards_expirypolicy_words"), policy_form(years=""))
        assert "Fill in what is missing" in answer.text

    def test_of_a_version_in_force_changes_its_warnings_and_its_end_only(self) -> None:
        policy = ExpiryPolicy.objects.get()
        client = signed_in(superuser=True)
        where = reverse("admin:rewards_expirypolicy_change", args=[policy.pk])
        assert "12 months after they were earned" in client.get(where).text
        sent = policy_form(
            warn_days="5", extend_unreached_days="30", kind="never", valid_to_0="2030-01-01", valid_to_1="00:00"
        )
        assert client.post(where, sent).status_code == 302
        policy.refresh_from_db()
        assert (policy.kind, policy.months, policy.warn_days, policy.extend_unreached_days) == (
            "end_of_month",
            12,
            [5],
            30,
        )
        assert policy.valid_to is not None


class TestWhatExpiresWhen:
    """The calendar …"""

    def test_shows_the_months_and_the_days_of_one_with_members_and_worth(self) -> None:
        PointsRate.objects.create(
            currency_id=currency_id(), valid_from=timezone.now() - timedelta(days=1), money_per_point=Decimal("0.01")
        )
        day = last_of_month(add_months(today().replace(day=1), 1))
        ending(12_345, day)
        ending(655, day)
        answer = signed_in("finance", superuser=True).get(CALENDAR, {"month": f"{day:%Y-%m}"})
        for text in ("13,000", "¥130.00", date_format(day, "DATE_FORMAT"), "One point is worth ¥0.01 now."):
            assert text in answer.text, text

    def test_says_so_where_nothing_expires(self) -> None:
        assert "No points expire in this month" in signed_in(superuser=True).get(CALENDAR).text

    def test_lists_the_lots_of_a_day(self) -> None:
        day = today() + timedelta(days=40)
        member = ending(500, day)
        answer = signed_in(superuser=True).get(reverse("admin:rewards_expiry_day", args=[day.isoformat()]))
        assert member.member_no in answer.text
        assert f"lot={Lot.objects.get(member=member).pk}" in answer.text

    def test_can_be_taken_away_as_a_workbook(self) -> None:
        day = last_of_month(add_months(today().replace(day=1), 1))
        ending(500, day)
        ending(7, day)
        answer = signed_in(superuser=True).get(reverse("admin:rewards_expiry_workbook"), {"month": f"{day:%Y-%m}"})
        rows = list(load_workbook(BytesIO(answer.content)).active.iter_rows(values_only=True))
        assert [row[1:4] for row in rows[1:]] == [(2, 2, 507), (None, 2, 507)]
        assert rows[1][0].date() == day

    @pytest.mark.parametrize("query", [{"month": "x"}, {"month": "2026-13"}, {"currency": "nothing"}])
    def test_of_something_that_does_not_exist_is_not_found(self, query: dict[str, str]) -> None:
        assert signed_in(superuser=True).get(CALENDAR, query).status_code == 404

    def test_and_what_belongs_to_it_are_closed_to_staff_without_the_right(self) -> None:
        visitor, outsider = Client(), signed_in()
        pages = [
            CALENDAR, EXTEND, reverse("admin:rewards_expiry_workbook"),
            reverse("admin:rewards_expiry_day", args=["2026-12-31"]), reverse("admin:rewards_expirypolicy_words"),
        ]  # fmt: skip
        for page in pages:
            assert visitor.get(page).status_code == 302
            assert outsider.get(page).status_code == 403


class TestExtending:
    """The form that extends …"""

    def test_shows_cost_and_limit_and_extends(self) -> None:
        day = today() + timedelta(days=40)
        member = ending(500, day)
        client = signed_in("service supervisor", superuser=True)
        where = f"{EXTEND}?ends={day.isoformat()}&member={member.pk}"
        shown = client.get(where)
        assert "5,000 points each time" in shown.text
        assert "Extend 500 points" in shown.text
        until = day + timedelta(days=30)
        sent = {"until": until.isoformat(), "reason": "the shop was closed", "request_id": "r1"}
        answer = client.post(where, sent, follow=True)
        assert "500 points in 1 lot extended." in answer.text
        assert Lot.objects.get(member=member).expires_at == end_of_day(until, SHANGHAI)

    def test_sent_twice_extends_once(self) -> None:
        day = today() + timedelta(days=40)
        ending(500, day)
        client = signed_in("service supervisor", superuser=True)
        sent = {"until": (day + timedelta(days=30)).isoformat(), "reason": "closed", "request_id": "r1"}
        for _ in range(2):
            client.post(f"{EXTEND}?ends={day.isoformat()}", sent)
        assert Proposal.objects.count() == 1

    def test_proposes_what_is_above_the_limit(self) -> None:
        day = today() + timedelta(days=40)
        member = ending(50_000, day)
        client = signed_in("service supervisor", superuser=True)
        where = f"{EXTEND}?ends={day.isoformat()}"
        assert "above your limit" in client.get(where).text
        sent = {"until": (day + timedelta(days=30)).isoformat(), "reason": "closed", "request_id": "r1"}
        answer = client.post(where, sent, follow=True)
        assert "waits for a colleague" in answer.text
        assert Lot.objects.get(member=member).expires_at == end_of_day(day, SHANGHAI)
        assert Proposal.objects.get().state == "waiting"

    def test_says_why_it_refuses_and_changes_nothing(self) -> None:
        day = today() + timedelta(days=40)
        member = ending(500, day)
        client = signed_in("service supervisor", superuser=True)
        sent = {"until": day.isoformat(), "reason": "closed", "request_id": "r1"}
        answer = client.post(f"{EXTEND}?ends={day.isoformat()}", sent)
        assert "has to be later" in answer.text
        assert Lot.objects.get(member=member).expires_at == end_of_day(day, SHANGHAI)


class TestWarnings:
    def test_show_what_became_of_them(self) -> None:
        reached, unreached, waiting = (ending(100, today() + timedelta(days=5)) for _ in range(3))
        warn_of_expiry(at=timezone.now(), by=SYSTEM)
        by_member = dict(ExpiryWarning.objects.values_list("member_id", "pk"))
        for member, delivered in ((reached, True), (unreached, False)):
            record_warning_receipt(
                warning_ids=[by_member[member.pk]], delivered=delivered, by=SYSTEM, at=timezone.now()
            )
        answer = signed_in(superuser=True).get(reverse("admin:rewards_expirywarning_changelist"))
        for text in ("delivered", "not reached", "no receipt yet", waiting.member_no):
            assert text in answer.text
