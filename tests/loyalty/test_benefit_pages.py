"""The pages of benefits: list and form, the grid, budgets, and the tab of the member page."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty.models import (
    Benefit,
    BenefitBudget,
    Entitlement,
    EntitlementUse,
    LadderVersion,
    Tier,
    TierBenefit,
    TierRule,
)
from loyalty.queries import forget_ladder_book
from loyalty.services.benefit_costs import stop_budget
from loyalty.services.tier_benefits import grant_due
from members.actors import SYSTEM
from members.models import Member, OperatorLimit, Proposal
from tests.factories.benefits import a_benefit, a_budget, an_entitlement, given_by, holding
from tests.factories.portal import a_named_member, signed_in

pytestmark = pytest.mark.django_db
SENT = {"_form_submitted": "True"}


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:loyalty_{name}", args=arguments)


def next_version(now: datetime) -> LadderVersion:
    """Return a version of the same tiers that begins in a month."""
    begin = now + timedelta(days=30)
    LadderVersion.objects.filter(number=1).update(valid_to=begin)
    version = LadderVersion.objects.create(number=2, valid_from=begin)
    for tier in Tier.objects.all():
        TierRule.objects.create(ladder=version, tier=tier, rise_credits=tier.rank * 500, keep_credits=0)
    forget_ladder_book()
    return version


def form_of_benefit(**changes: object) -> dict[str, object]:
    names = {f"name_{code}": "Lounge" for code in ("zh_hans", "zh_hant", "en")}
    sentences = {f"sentence_{code}": "{quota} visits" for code in ("zh_hans", "zh_hant", "en")}
    rest = {"code": "lounge", "kind": "visits", "is_on": "on", "period": "year", "quota": 2, "on_lowered": "at_once"}
    return {**names, **sentences, **rest, "voucher_template_code": "", **changes}


class TestTheForm:
    """The form of a benefit …"""

    def test_makes_one(self) -> None:
        answer = signed_in("marketing").post(page("benefit_add"), form_of_benefit(weekdays=["0", "1"]))
        assert answer.status_code == 302, answer.context["adminform"].errors
        benefit = Benefit.objects.get()
        assert (benefit.code, benefit.quota, benefit.weekdays, benefit.name) == ("lounge", 2, [0, 1], "Lounge")
        assert Benefit.events.rel.related_model.objects.count() == 1  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"quota": ""}, "quota"), ({"kind": "discount"}, "quota"), ({"kind": "vouchers"}, "voucher_template_code"),
            ({"kind": "gift", "quota": "", "voucher_template_code": "x"}, "quota"),
        ],
    )  # fmt: skip
    def test_says_what_does_not_go_together(self, changes: dict[str, object], field: str) -> None:
        answer = signed_in("marketing").post(page("benefit_add"), form_of_benefit(**changes))
        assert field in answer.context["adminform"].errors
        assert not Benefit.objects.exists()

    def test_is_not_for_those_who_may_only_look(self) -> None:
        assert signed_in("service").post(page("benefit_add"), form_of_benefit()).status_code == 403


class TestTheGrid:
    """The grid …"""

    def test_marks_what_differs_warns_where_more_is_less_and_shows_what_members_read(self, now: datetime) -> None:
        lounge = a_benefit("lounge", name_en="Lounge", sentence_en="{quota} visits", sentence_zh_hans="{quota}次")
        given_by("gold", lounge, quota=2)
        version = next_version(now)
        gold, diamond = Tier.objects.get(code="gold"), Tier.objects.get(code="diamond")
        for tier, quota in ((gold, 4), (diamond, 3)):
            TierBenefit.objects.create(ladder=version, tier=tier, benefit=lounge, quota=quota)
        client = signed_in("marketing")
        first = client.get(page("benefit_grid"), follow=True)
        assert first.status_code == 200
        assert "pn-changed" not in first.text
        text = client.get(page("benefit_grid_of", version.pk) + "?tier=gold").text
        assert text.count('class="pn-changed"') == 2
        assert "4 uses a year" in text
        assert "Diamond gives less of “Lounge” than Gold: 3 uses a year, not 4 uses a year." in text
        assert "4 visits" in text
        assert "4次" in text
        assert "繁體中文 is missing" in text
        assert "¥120.00" in text  # 4 uses of 30.00 a year
        assert '¥120.00<span class="pn-then">¥60.00</span>' in text  # 2 uses under the version in force
        assert "all others" in text

    def test_says_what_a_tier_costs_at_most_with_all_who_hold_it(self, now: datetime) -> None:
        given_by("gold", a_benefit("lounge"), quota=2)
        for _ in range(3):
            holding("gold", since=now)
        text = signed_in("marketing").get(page("benefit_grid"), follow=True).text
        assert "¥180.00" in text  # 3 members, 2 uses, 30.00 each

    def test_asks_for_figures_in_their_units(self, now: datetime) -> None:
        given_by("gold", a_benefit("bread", kind="discount", quota=None, unit_cost_amount=None), figure=Decimal(5))
        text = signed_in("marketing").get(page("benefit_grid_edit", next_version(now).pk)).text
        assert re.search(r'name="gold-bread-figure"[^>]*> % off', text)

    def test_is_edited_for_a_draft_only(self, now: datetime) -> None:
        lounge = a_benefit("lounge")
        a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None)
        given_by("gold", lounge)
        version = next_version(now)
        LadderVersion.objects.filter(pk=version.pk).update(valid_from=None)
        client, where = signed_in("marketing"), page("benefit_grid_edit", version.pk)
        assert 'name="gold-lounge-on" checked' in client.get(where).text  # begins with what is in force
        typed = {
            "gold-lounge-on": "on", "gold-lounge-quota": "2", "diamond-lounge-on": "on", "diamond-lounge-quota": "6",
            "diamond-five-on": "on", "diamond-five-figure": "",
        }  # fmt: skip
        wrong = client.post(where, typed)
        assert "Give a figure." in wrong.text
        assert not TierBenefit.objects.filter(ladder=version).exists()
        done = client.post(where, {**typed, "diamond-five-figure": "7.5"}, follow=True)
        assert "Cells that changed: 3." in done.text
        cells = TierBenefit.objects.filter(ladder=version).values_list("tier__code", "benefit__code", "figure", "quota")
        assert set(cells) == {
            ("gold", "lounge", None, None), ("diamond", "lounge", None, 6), ("diamond", "five", Decimal("7.50"), None),
        }  # fmt: skip
        in_force = LadderVersion.objects.get(number=1)
        refused = client.post(page("benefit_grid_edit", in_force.pk), {}, follow=True)
        assert "Version 1 is in force already." in refused.text
        assert TierBenefit.objects.filter(ladder=in_force).count() == 1

    def test_asks_for_a_figure_above_1_where_points_are_multiplied_and_warns_of_others(self, now: datetime) -> None:
        double = a_benefit("double", kind=Benefit.Kind.MULTIPLIER, quota=None, name_en="Double points")
        version = next_version(now)
        client, where = signed_in("marketing"), page("benefit_grid_edit", version.pk)
        wrong = client.post(where, {"gold-double-on": "on", "gold-double-figure": "1"})
        assert "Give a figure above 1" in wrong.text
        assert not TierBenefit.objects.exists()
        TierBenefit.objects.create(ladder=version, tier=Tier.objects.get(code="gold"), benefit=double, figure=1)
        assert "“Double points” gives Gold no more points" in client.get(page("benefit_grid_of", version.pk)).text

    def test_is_read_by_service_and_edited_by_nobody_else(self) -> None:
        version = LadderVersion.objects.get(number=1)
        assert signed_in("service").get(page("benefit_grid_of", version.pk)).status_code == 200
        assert signed_in("service").get(page("benefit_grid_edit", version.pk)).status_code == 403
        assert signed_in().get(page("benefit_grid_of", version.pk)).status_code == 403


class TestBudgets:
    """The pages of budgets …"""

    def form(self, benefit: Benefit, now: datetime, **changes: object) -> dict[str, object]:
        span = {
            "valid_from_0": f"{now - timedelta(days=1):%Y-%m-%d}", "valid_from_1": "00:00",
            "valid_to_0": f"{now + timedelta(days=30):%Y-%m-%d}", "valid_to_1": "00:00",
        }  # fmt: skip
        inline = {"notes-TOTAL_FORMS": 0, "notes-INITIAL_FORMS": 0}
        return {
            "benefit": benefit.pk,
            "total_units": 10,
            "throttle_percent": 100,
            "when_full": "stop",
            **span,
            **inline,
            **changes,
        }

    def test_make_one_and_refuse_what_can_not_hold(self, now: datetime) -> None:
        client, lounge, tea = signed_in("finance"), a_benefit("lounge"), a_benefit("tea", unit_cost_amount=None)
        for benefit, changes in (
            (lounge, {"total_units": ""}), (tea, {"total_amount": "50"}), (lounge, {"when_full": "swap"}),
            (lounge, {"when_full": "swap", "swap_benefit": lounge.pk}),
        ):  # fmt: skip
            answer = client.post(page("benefitbudget_add"), self.form(benefit, now, **changes))
            assert answer.status_code == 200, changes
            assert answer.context["adminform"].errors
        assert client.post(page("benefitbudget_add"), self.form(lounge, now)).status_code == 302
        overlapping = client.post(page("benefitbudget_add"), self.form(lounge, now))
        assert overlapping.status_code == 200
        assert BenefitBudget.objects.count() == 1

    def test_change_leaves_alone_what_is_promised_meanwhile(self, now: datetime) -> None:
        lounge = a_benefit("lounge")
        budget = a_budget(lounge, at=now, total_units=10)
        an_entitlement(a_named_member(), lounge, at=now, quota=8)
        answer = signed_in("finance").post(
            page("benefitbudget_change", budget.pk), self.form(lounge, now, total_units=20)
        )
        assert answer.status_code == 302, answer.context["adminform"].errors
        budget.refresh_from_db()
        assert (budget.total_units, budget.reserved_units, budget.warned_percent) == (20, 8, 0)

    def test_say_how_budgets_stand(self, now: datetime) -> None:
        lounge, tea = a_benefit("lounge"), a_benefit("tea")
        a_budget(lounge, at=now, total_units=10)
        stopped = a_budget(tea, at=now, total_amount=Decimal(500))
        an_entitlement(a_named_member(), lounge, at=now, quota=8)
        stop_budget(budget_id=stopped.pk, reason="no more tea", by=SYSTEM, at=now)
        text = signed_in("finance").get(page("benefitbudget_changelist")).text
        assert "80 % · 8 uses · ¥240.00" in text
        assert "stopped: no more tea" in text

    def test_are_not_named_by_a_number_of_the_database(self, now: datetime) -> None:
        budget = a_budget(a_benefit(), at=now, total_units=10)
        text = signed_in("finance").get(page("benefitbudget_change", budget.pk)).text
        assert f"{budget.benefit_id}/None" not in text

    def test_stop_and_resume_with_a_reason(self, now: datetime) -> None:
        budget = a_budget(a_benefit(), at=now, total_units=10)
        client = signed_in("finance")
        for act, is_stopped in (("stop", True), ("resume", False)):
            where = reverse("admin:loyalty_benefitbudget_changelist") + f"{budget.pk}/{act}/"
            assert client.post(where, {**SENT, "reason": ""}).status_code == 200
            answer = client.post(where, {**SENT, "reason": "because we say so"})
            assert "HX-Redirect" in answer.headers
            budget.refresh_from_db()
            assert (budget.stopped_at is not None) is is_stopped


class TestTheTab:
    """The tab of a member's benefits …"""

    @pytest.fixture
    def member(self, now: datetime) -> Member:
        return holding("gold", since=now - timedelta(days=9), member=a_named_member())

    def test_shows_what_the_tier_gives_and_what_is_left(self, member: Member, now: datetime) -> None:
        given_by(
            "gold", a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None, name_en="Discount"), figure=Decimal(5)
        )
        given_by("gold", a_benefit("lounge", name_en="Lounge"))
        grant_due(at=now, by=SYSTEM)
        text = self.tab(signed_in("service"), member)
        assert "5 % off" in text
        assert "2 of 2 left until" in text
        assert self.tab(signed_in("store"), member, 404) == ""

    def test_lets_staff_use_undo_and_take_back(self, member: Member, now: datetime) -> None:
        row = an_entitlement(member, a_benefit("lounge"), at=now)
        client = signed_in("service")
        dialog = client.get(page("entitlement_use", row.pk))
        assert "Count one use" in dialog.text
        sent = {**SENT, "reason": "showed the card", "request_id": "r1"}
        for _ in range(2):
            assert "HX-Redirect" in client.post(page("entitlement_use", row.pk), sent).headers
        use = EntitlementUse.objects.get()
        assert (use.units, use.reason, use.source) == (1, "showed the card", "staff")
        assert "showed the card" in self.tab(client, member)
        client.post(page("entitlement_undo", use.pk), {**SENT, "reason": "wrong guest"})
        row.refresh_from_db()
        assert (row.used, EntitlementUse.objects.count()) == (0, 2)
        client.post(page("entitlement_revoke", row.pk), {**SENT, "reason": "given by mistake"})
        row.refresh_from_db()
        assert row.state == Entitlement.State.REVOKED
        assert "Taken back by staff" in self.tab(client, member)

    def test_lets_staff_give_within_their_limit(self, member: Member) -> None:
        lounge, client = a_benefit("lounge"), signed_in("service")
        assert "¥100.00" in client.get(page("entitlement_give", member.pk)).text
        sent = {**SENT, "benefit": lounge.pk, "uses": 2, "days": 10, "reason": "waited long", "request_id": "r9"}
        client.post(page("entitlement_give", member.pk), sent)
        client.post(page("entitlement_give", member.pk), {**sent, "uses": 4, "request_id": "r10"})
        assert Entitlement.objects.get().quota == 2
        assert Proposal.objects.get(state=Proposal.State.WAITING).amount == 120
        assert OperatorLimit.objects.filter(family="benefit_cost").count() == 2

    def test_is_not_for_those_without_the_right(self, member: Member, now: datetime) -> None:
        row = an_entitlement(member, a_benefit(), at=now)
        client = signed_in("analyst")
        assert "Take it back" not in self.tab(client, member)
        for where in (
            page("entitlement_use", row.pk),
            page("entitlement_revoke", row.pk),
            page("entitlement_give", member.pk),
        ):
            assert client.post(where, {"reason": "x"}).status_code == 403

    def test_tells_the_timeline_in_words(self, member: Member, now: datetime) -> None:
        row = an_entitlement(member, a_benefit("lounge", name_en="Lounge"), at=now, days=400)
        client = signed_in("service")
        client.post(page("entitlement_use", row.pk), {**SENT, "reason": "showed the card", "request_id": "r1"})
        client.post(page("entitlement_revoke", row.pk), {**SENT, "reason": "given by mistake"})
        text = client.get(reverse("admin:members_member_change", args=[member.pk]) + "?tab=timeline").text
        assert "Was given “Lounge”, 2 uses until" in text
        assert "Used “Lounge”; 1 left." in text
        assert "“Lounge” was taken back (given by mistake); 1 were left." in text

    def tab(self, client: Client, member: Member, status: int = 200) -> str:
        where = reverse("admin:members_member_tab", args=[member.pk, "benefits"])
        answer = client.get(where, headers={"hx-request": "true"})
        assert answer.status_code == status
        return str(answer.text) if status == 200 else ""
