"""What pages and the API read about tiers, and the sentences they show."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from loyalty.ladder import LadderBook
from loyalty.models import LadderVersion, Tier, TierRule
from loyalty.progress import progress_of
from loyalty.queries import forget_ladder_book, history_of, ladder_book, standing_of, tiers
from loyalty.sentences import change_sentence, keep_sentence, rise_sentence
from members.models import Member
from tests.loyalty.stories import goods_back, local, purchase, review, tell

MARCH = local("2025-03-15")
DUE = local("2026-04-01 00:00")


class TestLadderBook:
    def test_gives_the_version_in_force(self, db: None) -> None:
        first = LadderVersion.objects.get()
        first.valid_to = local("2025-01-01")
        first.save()
        second = LadderVersion.objects.create(number=2, valid_from=local("2025-01-01"), credits_per_unit=3)
        TierRule.objects.create(ladder=second, tier=Tier.objects.get(rank=0), rise_credits=0, keep_credits=0)
        forget_ladder_book()
        book = ladder_book()
        days = ["1997-06-01", "2024-12-31", "2025-01-01", "2030-01-01"]
        assert [book.at(local(day)).number for day in days] == [1, 1, 2, 2]
        assert book.at(local("2025-01-02")).credits_for(Decimal("99.99")) == 297

    def test_lets_the_last_version_judge_when_none_follows(self, db: None) -> None:
        LadderVersion.objects.update(valid_to=local("2025-01-01"))
        forget_ladder_book()
        assert ladder_book().at(local("2026-01-01")).number == 1

    def test_gives_a_tier_that_the_ladder_dropped_what_the_next_below_gets(self, db: None) -> None:
        TierRule.objects.filter(tier__code="gold").delete()
        forget_ladder_book()
        gold = ladder_book().tier_now(Tier.objects.get(code="gold").pk, MARCH)
        assert (gold.code, gold.points_multiplier) == ("gold", Decimal("1.10"))

    def test_is_read_once_for_a_while(self, db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        ladder_book()
        with django_assert_num_queries(0):
            assert isinstance(ladder_book(), LadderBook)

    def test_names_tiers_in_the_active_language(self, db: None) -> None:
        names = {}
        for language in ("zh-hans", "zh-hant", "en"):
            with translation.override(language):
                names[language] = [tier.name for tier in tiers()]
        assert names == {
            "zh-hans": ["普通会员", "银卡", "金卡", "钻石卡"],
            "zh-hant": ["普通會員", "銀卡", "金卡", "鑽石卡"],
            "en": ["Member", "Silver", "Gold", "Diamond"],
        }


class TestStarterLadder:
    def test_is_made_once_and_leaves_changed_figures_alone(self, db: None) -> None:
        TierRule.objects.filter(tier__code="gold").update(rise_credits=2000)
        migration = import_module("loyalty.migrations.0003_starter_ladder")
        migration.make(apps, connection.schema_editor())
        rules = TierRule.objects.order_by("tier__rank").values_list("tier__code", "rise_credits", "keep_credits")
        assert list(rules) == [("member", 0, 0), ("silver", 500, 400), ("gold", 2000, 1200), ("diamond", 5000, 4000)]


class TestProgress:
    def test_of_a_new_member(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 120, MARCH))
        progress = progress_of(member.pk, local("2025-04-01"))
        assert progress.tier.code == "member"
        assert progress.next_tier is not None
        assert progress.next_tier.code == "silver"
        assert (progress.credits, progress.rise_needed, progress.gap) == (120, 500, 380)
        assert (progress.keep_needed, progress.keep_gap, progress.valid_until) == (None, None, None)
        assert progress.window_from == local("2024-04-01 00:00")

    def test_of_a_member_with_a_tier_to_keep(
        self, member: Member, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        tell(purchase(member.pk, "b", 150, local("2025-05-01")))
        with django_assert_num_queries(3):
            progress = progress_of(member.pk, local("2025-05-02"))
        assert (progress.tier.code, progress.multiplier) == ("silver", Decimal("1.10"))
        assert (progress.credits, progress.gap) == (650, 850)
        assert (progress.keep_needed, progress.keep_credits, progress.keep_gap) == (400, 150, 250)
        assert (progress.keep_from, progress.valid_until) == (local("2025-04-01 00:00"), DUE)

    def test_of_the_highest_tier(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 9000, MARCH))
        progress = progress_of(member.pk, MARCH)
        assert (progress.next_tier, progress.rise_needed, progress.gap) == (None, None, None)
        with translation.override("en"):
            assert rise_sentence(progress) == "Diamond is the highest tier."

    def test_says_what_is_missing(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 1499, MARCH))
        with translation.override("en"):
            progress = progress_of(member.pk, MARCH)
            assert rise_sentence(progress) == "1,499 of 1,500 tier credits; 1 more to Gold."
            assert keep_sentence(progress) == (
                "Silver is valid until March 31, 2026; keeping it takes 400 more tier credits."
            )
            tell(purchase(member.pk, "b", 399, local("2025-04-02")))
            progress = progress_of(member.pk, local("2025-04-02"))
            assert keep_sentence(progress) == (
                "Gold is valid until April 30, 2026; keeping it takes 1,200 more tier credits."
            )

    def test_says_that_the_tier_is_kept(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        tell(purchase(member.pk, "b", 400, local("2025-04-02")))
        with translation.override("en"):
            progress = progress_of(member.pk, local("2025-04-02"))
            assert keep_sentence(progress) == (
                "Silver is valid until March 31, 2026; enough tier credits to keep it are there."
            )

    def test_has_no_word_on_keeping_what_does_not_end(self, member: Member) -> None:
        assert keep_sentence(progress_of(member.pk, MARCH)) == ""


class TestHistory:
    def test_says_why_with_the_numbers(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 5000, MARCH))
        tell(purchase(member.pk, "b", 3760, local("2025-06-01")))
        tell(goods_back(member.pk, "rb", 640, local("2025-06-10"), "b"))
        review(DUE)
        tell(purchase(member.pk, "c", 1200, local("2026-06-01")))
        review(local("2027-04-01 00:00"))
        tell(purchase(member.pk, "d", 4000, local("2027-04-02")))
        tell(goods_back(member.pk, "rd", 4000, local("2027-04-03"), "d"))
        review(local("2028-04-01 00:00"))
        with translation.override("en"):
            sentences = [change_sentence(change) for change in history_of(member.pk)]
        assert sentences == [
            "Tier credits in the qualifying period: 0; keeping Gold needs 1,200; 1,200 short "
            "(4,000 were taken back by returns).",
            "The purchase that lifted the member to Diamond was returned: 1,200 tier credits are left in its "
            "qualifying period; Diamond needs 5,000.",
            "Tier credits in the qualifying period: 5,200; rising to Diamond needs 5,000.",
            "Tier credits in the qualifying period: 1,200; keeping Gold needs 1,200.",
            "Tier credits in the qualifying period: 3,120; keeping Diamond needs 4,000; 880 short "
            "(640 were taken back by returns).",
            "Tier credits in the qualifying period: 5,000; rising to Diamond needs 5,000.",
        ]

    def test_is_read_in_one_statement(self, member: Member, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        review(DUE)
        with django_assert_num_queries(1):
            assert [change_sentence(change) != "" for change in history_of(member.pk)] == [True, True]


class TestStandingOf:
    @pytest.mark.parametrize(
        ("day", "code", "since", "until"),
        [
            ("2025-03-14", "member", None, None),
            ("2025-03-15", "silver", MARCH, DUE),
            ("2026-04-01", "silver", DUE, DUE + timedelta(days=365)),
            ("2027-04-01", "member", DUE + timedelta(days=365), None),
        ],
    )
    def test_knows_every_day(self, member: Member, day: str, code: str, since: object, until: object) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        tell(purchase(member.pk, "b", 400, local("2025-06-01")))
        review(local("2027-05-01"))
        standing = standing_of(member.pk, local(day))
        assert (standing.tier.code, standing.since_at, standing.valid_until) == (code, since, until)
