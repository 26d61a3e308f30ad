"""Members are told before a review takes their tier, and before a plan ends."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils.translation import override

from campaigns import notes
from campaigns.handlers import register
from campaigns.models import Message
from campaigns.services.messages import Delivery, deliver_due_messages, queue_messages
from campaigns.services.occasions import OCCASIONS, occasion_sentence
from loyalty.events import PLAN_ENDS_SOON, TIER_AT_RISK
from loyalty.models import Tier
from loyalty.queries import forget_ladder_book
from loyalty.services.plan_payments import sell_plan
from loyalty.services.plan_upkeep import remind_of_ends
from loyalty.services.review_warnings import warn_of_reviews
from members.actors import SYSTEM
from members.models import Member, MemberPerson, TimelineEntry
from tests.campaigns.test_messages import SKIPPED, state_of
from tests.factories.plans import a_plan
from tests.loyalty.stories import local, make_member, purchase, tell

pytestmark = pytest.mark.django_db
BOUGHT = local("2025-03-15")
WARNED = local("2026-03-03 09:00")  # 29 days before the review of 1 April
PAID = local("2026-03-05")


def somebody(language: str = "en") -> Member:
    member = make_member()
    Member.objects.filter(pk=member.pk).update(language=language)
    MemberPerson.objects.create(member=member, full_name="Ann Lee", email="ann@example.com")
    Tier.objects.filter(code="silver").update(name_en="Silver", name_zh_hans="银卡", name_zh_hant="銀卡")
    forget_ladder_book()
    return member


def entries(kind: str, moment: datetime) -> list[TimelineEntry]:
    """Return what was told at a moment, as a subscriber gets it right then."""
    found = list(TimelineEntry.objects.filter(kind=kind, happened_at=moment).order_by("pk"))
    for entry in found:
        entry.recorded_at = moment
    return found


def warned(member: Member, credits: int = 300) -> list[TimelineEntry]:
    tell(purchase(member.pk, "rise", 500, BOUGHT))
    tell(purchase(member.pk, "some", credits, local("2025-12-01")))
    warn_of_reviews(at=WARNED, by=SYSTEM)
    return entries(TIER_AT_RISK, WARNED)


def reminded(member: Member) -> tuple[datetime, list[TimelineEntry]]:
    a_plan(months=12)
    plan = sell_plan(
        member_id=member.pk, plan_code="gold_year", receipt_no="R-1", renews_intended=False, reason="paid", by=SYSTEM, at=PAID
    ).membership  # fmt: skip
    at = plan.valid_until - timedelta(days=7)
    remind_of_ends(at=at)
    return at, entries(PLAN_ENDS_SOON, at)


def letter(told: list[TimelineEntry], at: datetime) -> tuple[str, str]:
    """Send what was told, told twice, and return the title and the text of the one letter."""
    queue_messages(entries=told)
    queue_messages(entries=told)
    assert deliver_due_messages(at=at) == Delivery(sent=1)
    (sent,) = mail.outbox
    title, text = str(sent.subject), str(sent.body)
    assert "{" not in title + text
    return title, text


class TestATierAtRisk:
    """The warning before a review …"""

    @pytest.mark.parametrize(
        ("language", "title", "words"),
        [
            ("en", "Keep Silver: until March 31, 2026", ["28 days from now", "100", "300", "400"]),
            ("zh-hans", "保持银卡，请在 2026年3月31日 前完成", ["还有 28 天", "100", "300", "400"]),
            ("zh-hant", "保持銀卡，請在 2026年3月31日 前完成", ["還有 28 天", "100", "300", "400"]),
        ],
    )
    def test_names_the_gap_and_the_day(self, language: str, title: str, words: list[str]) -> None:
        subject, body = letter(warned(somebody(language)), WARNED)
        assert subject == title
        assert [part for part in words if part not in body] == []

    def test_says_in_words_what_lacks_and_what_comes(self) -> None:
        _subject, body = letter(warned(somebody()), WARNED)
        assert "still missing: 100 tier credits (300 of 400)." in body
        assert "Without them it becomes Member." in body

    @pytest.mark.parametrize(
        ("must", "gap"),
        [
            (3, "spend ¥2,000.00 (¥3,000.00 of ¥5,000.00), orders 2 (4 of 6)"),
            (2, "spend ¥2,000.00 (¥3,000.00 of ¥5,000.00), orders 2 (4 of 6); 1 of these is needed"),
        ],
    )
    def test_names_each_figure_that_lacks(self, must: int, gap: str) -> None:
        figures: dict[str, Any] = {
            "review_date": "2026-03-31", "from": "silver", "to": "member", "outlook": "fallen", "credits": 1, "needed": 1,
            "short": 0, "must": must,
            "figures": [["spend", "3000", "5000", "0"], ["orders", "4", "6", "0"], ["active_days", "9", "5", "0"]],
        }  # fmt: skip
        with override("en"):
            assert OCCASIONS["tier_at_risk"].values(figures, WARNED)["gap"] == gap

    def test_comes_too_late_after_the_day(self) -> None:
        member = somebody()
        queue_messages(entries=warned(member))
        Message.objects.update(next_attempt_at=local("2026-04-01 00:05"))
        assert deliver_due_messages(at=local("2026-04-01 00:10")) == Delivery(skipped=1)
        assert state_of(member)[:2] == (SKIPPED, notes.TOO_LATE)


class TestAPlanThatEnds:
    """The reminder before a plan ends …"""

    @pytest.mark.parametrize(
        ("language", "title", "words"),
        [
            ("en", "Gold Year ends on March 4, 2027", ["6 days from now", "Nothing is charged by itself"]),
            ("zh-hans", "您的Gold Year将于 2027年3月4日 到期", ["还有 6 天", "不会自动扣款"]),
            ("zh-hant", "您的Gold Year將於 2027年3月4日 到期", ["還有 6 天", "不會自動扣款"]),
        ],
    )
    def test_names_the_plan_and_its_last_day(self, language: str, title: str, words: list[str]) -> None:
        at, told = reminded(somebody(language))
        subject, body = letter(told, at)
        assert subject == title
        assert [part for part in words if part not in body] == []

    def test_comes_too_late_once_it_has_ended(self) -> None:
        member = somebody()
        at, told = reminded(member)
        queue_messages(entries=told)
        later = at + timedelta(days=7)
        Message.objects.update(next_attempt_at=later)
        assert deliver_due_messages(at=later) == Delivery(skipped=1)
        assert state_of(member)[:2] == (SKIPPED, notes.TOO_LATE)


def test_each_occasion_says_when_its_message_goes_out() -> None:
    register()
    with override("en"):
        assert len({occasion_sentence(occasion) for occasion in OCCASIONS}) == len(OCCASIONS) == 4
