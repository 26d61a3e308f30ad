"""The pages of the versions of the ladder: what each role sees and may do, in the words of staff."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty.models import LadderPreview, LadderVersion, Tier, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.services.previews import start_preview
from loyalty.services.versions import copy_version
from members.actors import SYSTEM
from members.models import Proposal
from members.services.jobs import run_job
from tests.factories.benefits import a_benefit, given_by
from tests.factories.portal import signed_in
from tests.loyalty.stories import make_member, purchase, tell


@pytest.fixture(autouse=True)
def _fresh(db: None) -> Iterator[None]:
    forget_ladder_book()
    yield
    forget_ladder_book()


@pytest.fixture
def marketing() -> Client:
    return signed_in("marketing")


@pytest.fixture
def draft() -> LadderVersion:
    return copy_version(version_id=None, by=SYSTEM, at=timezone.now())


def address(name: str, *args: int) -> str:
    return reverse(f"admin:loyalty_ladderversion_{name}", args=args)


def text_of(response: Any) -> str:
    assert response.status_code == 200, response
    return response.content.decode()


def filled(client: Client, draft: LadderVersion, **changed: Any) -> dict[str, Any]:
    """Return what a browser posts for the form of a draft as it stands, with some fields changed."""
    response = client.get(address("change", draft.pk))
    form, page = response.context["form"], text_of(response)
    found: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        if value is None or value is False or f'name="{bound.html_name}"' not in page:
            continue
        found[bound.html_name] = "on" if value is True else value
    found |= {name: value for name, value in changed.items() if value is not None}
    return {name: value for name, value in found.items() if changed.get(name, "") is not None}


class TestTheForm:
    def test_is_a_grid_of_the_metrics_in_use(self, marketing: Client, draft: LadderVersion) -> None:
        page = text_of(marketing.get(address("change", draft.pk)))
        gold = Tier.objects.get(code="gold").pk
        assert f'name="t{gold}_rise_credits"' in page
        assert f'name="t{gold}_rise_orders"' not in page
        assert "Gold: to rise: tier credits 1,500; to keep it: tier credits 1,200; points ×1.25." in page
        assert "What members did in the last 12 months counts." in page

    def test_writes_the_draft(self, marketing: Client, draft: LadderVersion) -> None:
        gold = Tier.objects.get(code="gold").pk
        sent = filled(
            marketing, draft, **{f"t{gold}_rise_credits": "1800", "soft_landing": None, "planned_date": "2099-01-01"}
        )
        assert marketing.post(address("change", draft.pk), sent).status_code == 302
        draft.refresh_from_db()
        assert (draft.soft_landing, str(draft.planned_date)) == (False, "2099-01-01")
        assert TierRule.objects.get(ladder=draft, tier=gold).rise_credits == 1800
        assert TierRule.objects.get(ladder=draft, tier__code="diamond").keep_credits == 4000
        page = text_of(marketing.get(address("change", draft.pk)))
        assert "Gold, to rise" in page
        assert "pn-changed" in page

    def test_opens_a_column_for_what_is_ticked(self, marketing: Client, draft: LadderVersion) -> None:
        response = marketing.post(address("change", draft.pk), filled(marketing, draft, metrics=["credits", "orders"]))
        page = text_of(marketing.get(response["Location"]))
        silver = Tier.objects.get(code="silver").pk
        assert f'name="t{silver}_rise_orders"' in page
        sent = {
            **filled(marketing, draft, metrics=["credits", "orders"]), f"t{silver}_rise_orders": "10", f"t{silver}_keep_orders": "8",
            f"t{silver}_rise_least": "1",
        }  # fmt: skip
        assert marketing.post(address("change", draft.pk), sent).status_code == 302
        rule = TierRule.objects.get(ladder=draft, tier=silver)
        assert (rule.rise_credits, rule.rise_orders, rule.keep_orders, rule.rise_least) == (500, 10, 8, 1)

    def test_refuses_keeping_that_takes_more_than_rising(self, marketing: Client, draft: LadderVersion) -> None:
        gold = Tier.objects.get(code="gold").pk
        page = text_of(
            marketing.post(address("change", draft.pk), filled(marketing, draft, **{f"t{gold}_keep_credits": "1501"}))
        )
        assert "Keeping takes no more than rising." in page
        assert TierRule.objects.get(ladder=draft, tier=gold).keep_credits == 1200

    def test_says_what_is_typed_and_keeps_nothing(self, marketing: Client, draft: LadderVersion) -> None:
        gold = Tier.objects.get(code="gold").pk
        sent = filled(marketing, draft, **{f"t{gold}_rise_credits": "400", f"t{gold}_keep_credits": "300"})
        page = text_of(marketing.post(address("words", draft.pk), sent))
        assert "Gold: to rise: tier credits 400" in page
        assert "Rising to Gold takes less than rising to Silver: tier credits 400 against 500." in page
        assert TierRule.objects.get(ladder=draft, tier=gold).rise_credits == 1500

    def test_takes_a_tier_off_the_ladder(self, marketing: Client, draft: LadderVersion) -> None:
        gold = Tier.objects.get(code="gold").pk
        marketing.post(address("change", draft.pk), filled(marketing, draft, **{f"t{gold}_on": None}))
        assert not TierRule.objects.filter(ladder=draft, tier=gold).exists()


class TestThePages:
    def test_show_the_version_in_force_without_a_form(self, marketing: Client) -> None:
        page = text_of(marketing.get(address("change", LadderVersion.objects.get().pk)))
        assert "in force" in page
        assert "Save the draft" not in page
        assert marketing.post(address("change", LadderVersion.objects.get().pk), {}).status_code == 403

    def test_offer_a_copy_and_three_starters(self, marketing: Client) -> None:
        page = text_of(marketing.get(address("add")))
        assert all(
            words in page for words in ("Copy the version in force", "By spend", "By visits", "By years of membership")
        )
        assert marketing.post(address("add"), {"starter": "visits"}).status_code == 302
        assert TierRule.objects.get(ladder__number=2, tier__code="silver").rise_active_days == 6

    def test_show_a_preview_with_its_figures(self, marketing: Client, draft: LadderVersion) -> None:
        tell(purchase(make_member().pk, "p", 450, timezone.now() - timedelta(days=30)))
        TierRule.objects.filter(ladder=draft, tier__code="silver").update(rise_credits=400, keep_credits=300)
        assert "No preview yet" in text_of(marketing.get(address("preview", draft.pk)))
        marketing.post(address("preview", draft.pk), {"day": timezone.localdate().isoformat()})
        assert "A job assesses all members" in text_of(marketing.get(address("preview", draft.pk)))
        run_job(job_id=LadderPreview.objects.get().job_id or 0, worker="test", clock=timezone.now)
        page = text_of(marketing.get(address("preview", draft.pk)))
        assert "▲ 1" in page
        assert "Within 5 % of a line" in page
        assert page.count('type="range"') == 3
        moved = {"metric": "credits", "tier": "silver", "value": "250"}
        assert "250: about 1 of 1 members have it" in text_of(marketing.get(address("line", draft.pk), moved))
        for wrong in ({"metric": "orders"}, {"tier": "member"}, {"value": "6001"}, {"value": "NaN"}, {"value": "-1"}):
            assert marketing.get(address("line", draft.pk), moved | wrong).status_code == 404, wrong

    def test_lead_from_the_draft_to_the_schedule(self, marketing: Client, draft: LadderVersion) -> None:
        begin = timezone.localdate() + timedelta(days=40)
        LadderVersion.objects.filter(pk=draft.pk).update(planned_date=begin)
        marketing.post(address("publish", draft.pk), {"reason": "Next year", "_form_submitted": "True"})
        assert not Proposal.objects.exists()  # no preview yet
        preview = start_preview(version_id=draft.pk, day=timezone.localdate(), by=SYSTEM, at=timezone.now())
        run_job(job_id=preview.job_id or 0, worker="test", clock=timezone.now)
        marketing.post(address("publish", draft.pk), {"reason": "Next year", "_form_submitted": "True"})
        proposal = Proposal.objects.get()
        assert "waiting for approval" in text_of(marketing.get(address("change", draft.pk)))
        finance = signed_in("finance")
        page = text_of(finance.get(reverse("admin:members_proposal_change", args=[proposal.pk])))
        assert "Members who stand lower" in page
        assert "waiting for approval" in text_of(finance.get(address("changelist")))

    def test_say_what_speaks_against_the_draft_before_one_asks(self, marketing: Client, draft: LadderVersion) -> None:
        lounge = a_benefit("lounge", name="Lounge", name_en="Lounge")
        given_by("gold", lounge)
        page = text_of(marketing.get(address("publish", draft.pk)))
        assert "Load 0: easy to understand." in page
        assert "Diamond gives less than Gold: Lounge (uses) 0 against 2." in page
        given_by("silver", lounge, ladder=draft.number)  # the draft has benefits of its own
        assert "Gold gives less than Silver: Lounge (uses) 0 against 2." in text_of(
            marketing.get(address("publish", draft.pk))
        )

    def test_show_the_rules_of_any_day(self, marketing: Client) -> None:
        page = text_of(marketing.get(address("rules_on"), {"day": "2026-01-31"}))
        assert "Silver: to rise: tier credits 500" in page

    def test_insert_a_tier(self, marketing: Client, draft: LadderVersion) -> None:
        sent = {
            "above": Tier.objects.get(code="silver").pk, "code": "jade", "colour": "#00aa66", "name_zh-hans": "翡翠",
            "name_zh-hant": "翡翠", "name_en": "Jade", "_form_submitted": "True",
        }  # fmt: skip
        assert "Insert a tier" in text_of(marketing.get(address("insert", draft.pk)))
        marketing.post(address("insert", draft.pk), sent)
        assert Tier.objects.get(code="jade").rank == 2
        assert "Nothing is asked to rise to Jade." in text_of(marketing.get(address("change", draft.pk)))

    @pytest.mark.parametrize("name", ["copy", "words", "insert", "publish", "withdraw", "discard"])
    def test_let_only_marketing_draft(self, draft: LadderVersion, name: str) -> None:
        for role in ("service", "store", "finance"):
            assert signed_in(role).post(address(name, draft.pk), {"reason": "x"}).status_code == 403

    def test_take_few_statements(self, marketing: Client, draft: LadderVersion) -> None:
        for _ in range(8):
            copy_version(version_id=None, by=SYSTEM, at=timezone.now())
        marketing.get(address("changelist"))
        for page, most in ((address("changelist"), 14), (address("change", draft.pk), 40)):
            with CaptureQueriesContext(connection) as queries:
                marketing.get(page)
            assert len(queries) <= most, [query["sql"][:80] for query in queries]

    def test_can_be_read_in_chinese(self, draft: LadderVersion) -> None:
        client = signed_in("marketing", language="zh-hans")
        assert "金卡" in text_of(client.get(address("change", draft.pk)))
