"""The public page of the programme: what it says, its versions and notices, and how it is served."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override

from loyalty.models import ActivityScore, Benefit, LadderVersion, PublishedRules, Tier, TierBenefit, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.rules_notice import MOST_SENTENCES, changes_between
from loyalty.rules_page import Block, Line, RulesPage, Section, page_from_json
from loyalty.rules_queries import notice_sentences, page_in, rules_on
from loyalty.services.published_rules import publish_rules
from loyalty.tasks import publish_rules as publish_rules_task
from members.actors import SYSTEM
from members.models import ActivityKind, Programme, TimelineEntry
from members.queries import forget_programme
from rewards.models import EarnRuleVersion
from rewards.services.rules import draft_version, publish_version, write_draft
from tests.factories.api import Caller, problem_of
from tests.factories.benefits import a_benefit, given_by
from tests.factories.portal import a_named_member, signed_in
from tests.loyalty.stories import SHANGHAI, local

LANGUAGES = [code for code, _name in settings.LANGUAGES]
MOST_QUERIES = 6
EVIL = "<u id=evil>\"'&{{7*7}}{%x%}"


def publish(at: datetime | None = None) -> list[int]:
    """Let beat's work be done at a moment (now)."""
    return publish_rules(by=SYSTEM, at=at or timezone.now())


def plan_ladder(begins: datetime, *, rises: dict[str, int], **terms: Any) -> LadderVersion:
    """Plan a version of the ladder like the one in force, but for its terms and what rising takes (by code of the tier)."""
    last = LadderVersion.objects.latest("number")
    LadderVersion.objects.filter(pk=last.pk).update(valid_to=begins)
    made = LadderVersion.objects.create(number=last.number + 1, valid_from=begins, **terms)
    for rule in last.rules.select_related("tier"):
        rule.pk, rule.ladder = None, made
        rule.rise_credits = rises.get(rule.tier.code, rule.rise_credits)
        rule.save()
    forget_ladder_book()
    return made


def sentences(version: PublishedRules, language: str = "en") -> list[str]:
    return list(page_in(version, language).sentences())


@pytest.fixture
def visitor() -> Client:
    return Client()


@pytest.mark.django_db
class TestWhatItSays:
    """The page …"""

    def test_tells_the_starter_ladder(self) -> None:
        publish()
        told = sentences(PublishedRules.objects.get())
        assert "To rise: tier credits 1,500 within the qualifying period." in told
        assert "To keep it at the review: tier credits 1,200." in told
        assert "Purchases earn 1.25 times the base points." in told
        assert "Every member starts here." in told
        assert "The qualifying period is the last 12 months, up to the day." in told
        assert "Members rise at once, with the purchase that reaches what is asked." in told
        assert "A tier is valid for 12 months, to the end of the month, and is then reviewed." in told
        assert "Whoever has less falls by one tier at most." in told
        assert "Each full ¥1.00 spent counts 1 tier credit." in told
        assert not [sentence for sentence in told if "more days, once" in sentence]  # no grace

    def test_tells_how_points_are_earned_and_when_they_expire(self) -> None:
        publish()
        page = page_in(PublishedRules.objects.get(), "en")
        assert [section.code for section in page.sections] == [
            "tiers", "period", "review", "counting", "earning", "expiry",
        ]  # fmt: skip
        earning, expiry = page.sections[-2:]
        assert "for each ¥1.00 spent" in earning.blocks[0].lines[0].words
        assert "expire at the end of the month" in expiry.blocks[0].lines[0].words

    def test_keeps_to_itself_what_some_are_offered(self) -> None:
        at = timezone.now()
        condition = {"all": [{"fact": "members.language", "op": "in", "value": ["en"]}]}
        draft = draft_version(rule_id=EarnRuleVersion.objects.get().rule_id, by=SYSTEM, at=at)
        write_draft(version_id=draft.pk, terms={"condition": condition}, by=SYSTEM, at=at)
        publish_version(version_id=draft.pk, by=SYSTEM, at=at)
        publish(at)
        page = page_in(PublishedRules.objects.get(), "en")
        earning = next(section for section in page.sections if section.code == "earning")
        assert earning.blocks == ()
        assert [line.words for line in earning.lines] == [
            "There are more ways to earn for some members; whoever has one is told."
        ]

    def test_tells_what_each_tier_gives_and_when_that_changes(self) -> None:
        off = a_benefit("off", kind="discount", quota=None, name_en="Member price", name_zh_hans="会员价")
        lounge = a_benefit("lounge", quota=2, name_en="Lounge", sentence_en="A seat by the window")
        parking = a_benefit("parking", quota=None, name_en="Parking")
        for tier, figure in (("gold", 5), ("diamond", 8)):
            given_by(tier, off, figure=Decimal(figure))
        given_by("diamond", lounge, quota=4)
        given_by("diamond", parking)
        publish()
        first = PublishedRules.objects.get()
        told = {
            block.key: [line.words for line in block.lines[3:]] for block in page_in(first, "en").sections[0].blocks
        }
        assert told == {
            "member": [], "silver": [], "gold": ["Member price: 5 % off"],
            "diamond": ["Member price: 8 % off", "Lounge: A seat by the window (4 uses a year)", "Parking"],
        }  # fmt: skip
        assert any("会员价" in sentence for sentence in sentences(first, "zh-hans"))
        Benefit.objects.filter(pk=off.pk).update(name_en="Price for members")  # other words only
        Benefit.objects.filter(pk=parking.pk).update(is_on=False)
        TierBenefit.objects.filter(benefit=lounge).update(quota=6)
        publish()
        second = PublishedRules.objects.latest("number")
        assert second.changes["en"] == [
            "Diamond: “Lounge: A seat by the window (6 uses a year)” instead of “Lounge: A seat by the window (4 uses a year)”",
            "Diamond, no longer: “Parking”",
        ]
        assert publish() == []

    def test_is_there_in_each_language(self) -> None:
        publish()
        version = PublishedRules.objects.get()
        assert sorted(version.pages) == sorted(LANGUAGES)
        names = [[block.title for block in page_in(version, code).sections[0].blocks] for code in LANGUAGES]
        assert names == [
            ["普通会员", "银卡", "金卡", "钻石卡"],
            ["普通會員", "銀卡", "金卡", "鑽石卡"],
            ["Member", "Silver", "Gold", "Diamond"],
        ]

    @pytest.mark.parametrize(
        ("terms", "told"),
        [
            ({"window": "year"}, "The qualifying period is the calendar year."),
            ({"window": "quarter"}, "The qualifying period is the calendar quarter."),
            ({"window": "joined"}, "counted from the day on which the member joined."),
            ({"window": "tier"}, "A tier is valid for a year and is then reviewed."),
            ({"window": "year"}, "A tier is valid to the end of the period after the one in which it was reached"),
            ({"rises": "waiting"}, "rise at the end of the month."),
            ({"rises": "waiting", "window": "year"}, "rise at the end of the period."),
            ({"soft_landing": False}, "falls to the highest tier for which it is enough."),
            ({"grace_percent": 10, "grace_days": 30}, "Whoever lacks at most 10% of it is given 30 more days, once"),
            ({"window": "year", "carries_over": True}, "count again in the next period, once."),
            ({"credits_per_unit": 2}, "Each full ¥1.00 spent counts 2 tier credits."),
        ],
    )
    def test_tells_the_terms_of_the_ladder(self, terms: dict[str, Any], told: str) -> None:
        LadderVersion.objects.update(**terms)
        publish()
        assert any(told in sentence for sentence in sentences(PublishedRules.objects.get()))

    def test_tells_other_metrics_and_what_they_count(self) -> None:
        ladder = LadderVersion.objects.get()
        kind = ActivityKind.objects.create(code="tasting", name="Tasting", name_en="Tasting")
        ActivityScore.objects.create(ladder=ladder, kind=kind, score=3)
        LadderVersion.objects.update(weight_spend="0.5", weight_orders=10)
        rule = TierRule.objects.filter(tier__code="silver")
        rule.update(
            rise_activity=9, rise_orders=5, rise_active_days=4, rise_tenure_months=2, rise_score=100, rise_least=1
        )
        TierRule.objects.filter(tier__code="diamond").update(rise_credits=None)
        TierRule.objects.filter(tier__code="gold").update(keep_credits=None)
        publish()
        told = sentences(PublishedRules.objects.get())
        assert any(one.startswith("To rise: 1 of these: tier credits 500, orders 5, active days 4") for one in told)
        assert "Tasting counts 3 activity points each time." in told
        assert "The score is the sum of: spend × 0.5, orders × 10." in told
        assert "Months of membership are full months since the member joined." in told
        assert "This tier can not be reached by shopping: the programme invites to it." in told
        assert "Once reached, it is kept without a condition." in told

    def test_names_no_member(self) -> None:
        member = a_named_member("张无忌", "13811112222")
        publish()
        kept = str(PublishedRules.objects.values().get())
        assert not [word for word in ("张无忌", "13811112222", member.member_no) if word in kept]


@pytest.mark.django_db
class TestVersions:
    """A version …"""

    def test_is_made_once_for_what_is_the_same(self) -> None:
        at = timezone.now()
        assert publish(at) == [1]
        assert publish(at) == publish(at + timedelta(days=1)) == []
        publish_rules_task()
        assert PublishedRules.objects.count() == 1

    def test_is_made_for_a_change_with_a_notice(self) -> None:
        at = timezone.now()
        publish(at)
        TierRule.objects.filter(tier__code="gold").update(rise_credits=1400)
        Tier.objects.filter(code="silver").update(name_en="Sterling")
        assert publish(at + timedelta(hours=1)) == [2]
        version = PublishedRules.objects.get(number=2)
        assert version.valid_from == at + timedelta(hours=1)
        assert notice_sentences(version, "en") == [
            "“Silver” is now called “Sterling”.",
            "Gold: “To rise: tier credits 1,400 within the qualifying period.” instead of "
            "“To rise: tier credits 1,500 within the qualifying period.”",
        ]
        assert len(notice_sentences(version, "zh-hans")) == 1  # the Chinese name is what it was
        assert rules_on(at).number == 1  # type: ignore[union-attr]
        assert rules_on(at + timedelta(days=9)).number == 2  # type: ignore[union-attr]

    def test_of_a_planned_ladder_is_announced(self) -> None:
        at, begins = timezone.now(), timezone.now() + timedelta(days=40)
        publish(at)
        plan_ladder(begins, rises={"diamond": 6000}, grace_percent=10, grace_days=30)
        assert publish(at + timedelta(minutes=1)) == [2]
        planned = PublishedRules.objects.get(number=2)
        assert planned.valid_from == begins
        assert len(notice_sentences(planned, "en")) == 2
        assert rules_on(begins - timedelta(seconds=1)).number == 1  # type: ignore[union-attr]
        assert rules_on(begins).number == 2  # type: ignore[union-attr]
        assert publish(begins + timedelta(days=1)) == []  # it came as announced

    def test_of_a_planned_earn_rule_is_announced(self) -> None:
        at, begins = timezone.now(), timezone.now() + timedelta(days=9)
        publish(at)
        rule = EarnRuleVersion.objects.get().rule
        draft = draft_version(rule_id=rule.pk, by=SYSTEM, at=at)
        EarnRuleVersion.objects.filter(pk=draft.pk).update(points_per_step=3)
        publish_version(version_id=draft.pk, valid_from=begins, by=SYSTEM, at=at)
        assert publish(at + timedelta(minutes=1)) == [2]
        (told,) = notice_sentences(PublishedRules.objects.get(number=2), "en")
        assert "3 points for each ¥1.00 spent" in told

    def test_that_was_announced_and_does_not_come_is_replaced(self) -> None:
        at, begins = timezone.now(), timezone.now() + timedelta(days=40)
        publish(at)
        made = plan_ladder(begins, rises={"diamond": 6000})
        publish(at + timedelta(minutes=1))
        later = begins + timedelta(days=30)
        LadderVersion.objects.filter(pk=made.pk).update(valid_from=later)
        LadderVersion.objects.filter(number=1).update(valid_to=later)
        assert publish(at + timedelta(minutes=2)) == [3, 4]
        instead, moved = PublishedRules.objects.filter(number__in=[3, 4]).order_by("number")
        assert (instead.valid_from, instead.replaces.number) == (begins, 2)  # type: ignore[union-attr]
        assert notice_sentences(instead, "en") == [
            "What was announced for this day does not come; the rules stay as they are."
        ]
        assert moved.valid_from == later
        assert len(notice_sentences(moved, "en")) == 1
        assert rules_on(begins).number == 3  # type: ignore[union-attr]
        assert rules_on(later).number == 4  # type: ignore[union-attr]
        assert publish(at + timedelta(minutes=3)) == []

    def test_that_only_words_make_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        at = timezone.now()
        publish(at)
        monkeypatch.setattr("loyalty.rules_of_ladder._fall", lambda _ladder: "One step down, and no more.")
        assert publish(at + timedelta(hours=1)) == [2]
        version = PublishedRules.objects.get(number=2)
        assert notice_sentences(version, "en") == ["Only the wording has changed; the rules are the same."]
        assert TimelineEntry.objects.filter(kind="loyalty.rules_changed.v1").latest("id").payload["changes"] == 0

    def test_is_told_to_the_timeline_as_a_fact_of_the_programme(self) -> None:
        at = timezone.now()
        publish(at)
        TierRule.objects.filter(tier__code="gold").update(rise_credits=1400)
        publish(at + timedelta(hours=1))
        entry = TimelineEntry.objects.filter(kind="loyalty.rules_changed.v1").latest("id")
        assert (entry.member_id, entry.subject) == (None, "rules:2")
        assert entry.payload == {
            "version": 2,
            "valid_from": (at + timedelta(hours=1)).isoformat(),
            "changes": 1,
            "replaces": None,
        }

    def test_is_never_changed(self) -> None:
        publish()
        for change in (
            lambda: PublishedRules.objects.update(number=7),
            lambda: PublishedRules.objects.all().delete(),
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                change()
        assert PublishedRules.objects.get().number == 1

    def test_is_read_as_it_was_kept(self) -> None:
        publish()
        version = PublishedRules.objects.get()
        for language in LANGUAGES:
            read = page_from_json(version.pages[language])
            assert json.loads(json.dumps(read.as_json())) == version.pages[language]

    def test_waits_for_a_ladder(self) -> None:
        TierRule.objects.all().delete()
        forget_ladder_book()
        publish_rules_task()
        assert not PublishedRules.objects.exists()


class TestNotice:
    """A notice …"""

    def told(self, before: list[Section], after: list[Section]) -> list[str]:
        with override("en"):
            return changes_between(RulesPage("Club", tuple(before)), RulesPage("Club", tuple(after)))

    def test_is_empty_where_only_words_differ(self) -> None:
        was, now = Section("a", "A", (Line("k", "old words", "7"),)), Section("a", "A!", (Line("k", "new words", "7"),))
        assert self.told([was], [now]) == []
        same_words = Section("a", "A", (Line("k", "old words", "another id"),))
        assert self.told([was], [same_words]) == []

    def test_names_what_comes_and_what_goes(self) -> None:
        gold = Block("gold", "Gold", (Line("rise", "To rise: 10.", "10"), Line("gift", "A cake.", "cake")))
        black = Block("black", "Black", (Line("rise", "To rise: 99.", "99"),))
        was = Section("tiers", "Tiers", (Line("a", "Old.", "1"),), (gold,))
        now = Section("tiers", "Tiers", (Line("b", "Fresh.", "1"),), (black,))
        assert self.told([was], [now]) == [
            "Tiers, new: “Fresh.”", "Tiers, no longer: “Old.”", "New: Black. To rise: 99.", "No longer there: Gold.",
        ]  # fmt: skip
        assert self.told([was], []) == ["Tiers, no longer: “Old.”", "No longer there: Gold."]

    def test_is_bounded(self) -> None:
        lines = tuple(Line(f"{number}", f"Line {number}.", f"{number}") for number in range(MOST_SENTENCES + 5))
        told = self.told([], [Section("a", "A", lines)])
        assert (len(told), told[-1]) == (MOST_SENTENCES + 1, "And 5 more changes.")


@pytest.mark.django_db
class TestPublicPage:
    """The public page …"""

    @pytest.mark.parametrize(
        ("language", "tag", "gold"),
        [("en", "en", "Gold"), ("zh-hans", "zh-Hans", "金卡"), ("zh-hant", "zh-Hant", "鑽石卡")],
    )
    def test_is_there_in_each_language_without_a_sign_in(
        self, visitor: Client, language: str, tag: str, gold: str
    ) -> None:
        publish()
        answer = visitor.get(f"/rules/{language}/", headers={"accept-language": "fr"})
        assert answer.status_code == 200
        assert answer.headers["Content-Language"] == tag
        assert f'<html lang="{tag}">' in answer.text
        assert gold in answer.text
        assert "<script" not in answer.text
        assert not answer.cookies
        assert "Cookie" not in answer.headers.get("Vary", "")

    @pytest.mark.parametrize(
        ("asked", "language"), [("zh_TW", "zh-hant"), ("zh-CN,en;q=0.5", "zh-hans"), ("en-GB", "en"), ("fr", "zh-hans")]
    )
    def test_leads_to_the_language_of_the_browser(self, visitor: Client, asked: str, language: str) -> None:
        answer = visitor.get("/rules/?on=2026-01-01", headers={"accept-language": asked})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/rules/{language}/?on=2026-01-01")

    def test_is_kept_by_caches(self, visitor: Client) -> None:
        publish()
        answer = visitor.get("/rules/en/")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        again = visitor.get("/rules/en/", headers={"if-none-match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        TierRule.objects.filter(tier__code="gold").update(rise_credits=1400)
        publish()
        changed = visitor.get("/rules/en/", headers={"if-none-match": answer.headers["ETag"]})
        assert changed.status_code == 200
        assert changed.headers["ETag"] != answer.headers["ETag"]

    def test_shows_the_version_of_a_day(self, visitor: Client) -> None:
        publish(local("2026-03-01 09:30"))
        TierRule.objects.filter(tier__code="gold").update(rise_credits=1400)
        publish(local("2026-05-01 09:30"))
        begins = timezone.now().astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
            days=20
        )
        plan_ladder(begins, rises={"gold": 1300})
        publish()
        past = visitor.get("/rules/en/?on=2026-04-30").text
        assert "tier credits 1,500 within" in past
        assert "These rules held until" in past
        today = visitor.get("/rules/en/").text
        assert "tier credits 1,400 within" in today
        assert "Coming changes" in today
        assert "instead of “To rise: tier credits 1,400" in today
        future = visitor.get(f"/rules/en/?on={begins.date().isoformat()}").text
        assert "These rules are announced." in future
        assert "tier credits 1,300 within" in future
        assert visitor.get("/rules/en/?on=2026-02-28").status_code == 404
        assert "tier credits 1,500 within" in visitor.get("/rules/en/?version=1").text
        assert visitor.get("/rules/en/?version=9").status_code == 404

    @pytest.mark.parametrize(
        "where",
        [
            "/rules/fr/",
            "/rules/en/?on=yesterday",
            "/rules/en/?on=",
            "/rules/en/?on=9999-12-31",
            "/rules/en/?on=٢",
            "/rules/en/?version=x",
            "/rules/en/?version=123456789",
        ],
    )
    def test_is_not_there_for_what_can_not_be_read(self, visitor: Client, where: str) -> None:
        publish()
        assert visitor.get(where).status_code == 404

    def test_says_when_nothing_was_published(self, visitor: Client) -> None:
        answer = visitor.get("/rules/en/")
        assert answer.status_code == 404
        assert "No rules have been published yet." in answer.text
        assert visitor.post("/rules/en/").status_code == 405

    def test_shows_what_staff_wrote_as_text(self, visitor: Client) -> None:
        Tier.objects.filter(code="gold").update(name_en=EVIL)
        Programme.objects.update(name_en=EVIL)
        forget_programme()
        publish()
        Tier.objects.filter(code="gold").update(name_en=f"{EVIL}2")
        publish()
        for text in (
            visitor.get("/rules/en/").text,
            signed_in("marketing").get("/admin/loyalty/publishedrules/now/").text,
        ):
            assert "<u id=evil" not in text
            assert "&lt;u id=evil" in text
            assert "{{7*7}}" in text
        forget_programme()

    def test_takes_as_many_queries_however_many_versions_there_are(self, visitor: Client) -> None:
        publish()
        counts = []
        for credits in (1400, 1350, 1300, 1250):
            TierRule.objects.filter(tier__code="gold").update(rise_credits=credits)
            publish()
            visitor.get("/rules/en/")
            with CaptureQueriesContext(connection) as queries:
                visitor.get("/rules/en/")
            counts.append(len(queries))
        assert max(counts) <= MOST_QUERIES
        assert counts[1] == counts[-1]


@pytest.mark.django_db
class TestApi:
    """GET /rules …"""

    def test_tells_the_page_by_parts(self) -> None:
        publish()
        answer = Caller(language="zh-Hant").get("/rules")
        told = answer.json()
        assert (told["version"], told["valid_to"], told["replaces"]) == (1, None, None)
        assert [section["code"] for section in told["sections"]][:2] == ["tiers", "period"]
        assert told["sections"][0]["blocks"][2]["title"] == "金卡"
        assert {"key", "sentence"} == told["sections"][0]["blocks"][2]["lines"][0].keys()
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert Caller(language="zh-Hant").get("/rules", if_none_match=answer.headers["ETag"]).status_code == 304
        assert Caller(language="en").get("/rules", if_none_match=answer.headers["ETag"]).status_code == 200

    def test_tells_the_page_of_a_day(self) -> None:
        publish(local("2026-03-01 09:30"))
        assert Caller().get("/rules?on=2026-03-01").json()["version"] == 1
        assert problem_of(Caller().get("/rules?on=2026-02-28")) == (404, "not_found")
        assert problem_of(Caller().get("/rules?on=soon")) == (400, "validation_error")

    def test_is_not_there_before_the_first_version(self) -> None:
        assert problem_of(Caller().get("/rules")) == (404, "not_found")

    def test_has_the_change_notices_in_pages(self) -> None:
        publish(datetime(2026, 1, 1, tzinfo=UTC))
        for day, credits in enumerate((1400, 1350, 1300), start=2):
            TierRule.objects.filter(tier__code="gold").update(rise_credits=credits)
            publish(datetime(2026, 1, day, tzinfo=UTC))
        first = Caller().get("/rules/changes?limit=2").json()
        second = Caller().get(f"/rules/changes?limit=2&cursor={first['next']}").json()
        assert [[notice["version"] for notice in page["items"]] for page in (first, second)] == [[4, 3], [2]]
        assert first["items"][0]["valid_from"] == "2026-01-04T00:00:00Z"
        assert "1,300" in first["items"][0]["changes"][0]
        with CaptureQueriesContext(connection) as queries:
            Caller().get("/rules/changes")
        assert len(queries) == 1


@pytest.mark.django_db
class TestStaffPage:
    """The page of staff …"""

    WHERE = "/admin/loyalty/publishedrules/now/"

    def test_previews_measures_and_warns(self) -> None:
        TierRule.objects.filter(tier__code="gold").update(rise_credits=600, keep_credits=300)
        forget_ladder_book()
        text = signed_in("marketing").get(self.WHERE, {"language": "zh-hant"}).text
        assert "鑽石卡" in text
        assert "Gold lies close to Silver: tier credits 600 against 500" in text
        assert "Gold asks for less than Silver to be kept" in text
        assert "easy to understand" in text
        forget_ladder_book()

    def test_shows_what_is_planned(self) -> None:
        begins = timezone.now() + timedelta(days=40)
        publish()
        plan_ladder(begins, rises={"gold": 1300})
        publish()
        day = begins.astimezone(SHANGHAI).date().isoformat()
        client = signed_in("analyst")
        assert f"?on={day}" in client.get(self.WHERE).text
        assert "tier credits 1,300 within" in client.get(self.WHERE, {"on": day}).text
        assert client.get(self.WHERE, {"on": "soon"}).status_code == 200
        listed = client.get("/admin/loyalty/publishedrules/").text
        assert "announced" in listed
        assert "instead of “To rise: tier credits 1,500" in listed

    def test_is_refused_without_the_right(self) -> None:
        assert signed_in().get(self.WHERE).status_code == 403

    def test_says_that_there_is_no_ladder(self) -> None:
        TierRule.objects.all().delete()
        forget_ladder_book()
        assert "No tier ladder has been published yet." in signed_in("marketing").get(self.WHERE).text
