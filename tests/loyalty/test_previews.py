"""A preview says what would really happen, counts it, and survives its worker."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from loyalty.models import (
    LadderPolicy,
    LadderPreview,
    LadderPreviewPart,
    LadderVersion,
    Tier,
    TierChange,
    TierRule,
    TierStanding,
)
from loyalty.preview_words import PreviewFigures
from loyalty.queries import forget_ladder_book
from loyalty.services import previews
from loyalty.services.previews import register_base_points, start_preview
from loyalty.services.standing import count_fact, review_all_due
from loyalty.services.versions import RuleTerms, copy_version, write_draft
from loyalty.versions import begin_of, ladder_of
from members.actors import SYSTEM, Actor
from members.models import Job, JobFile, Member
from members.services.jobs import run_job
from tests.factories.portal import an_operator
from tests.harness.generated import examples
from tests.loyalty.stories import local, make_member, purchase

NOW = local("2026-03-10")
DAY = date(2026, 3, 10)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_ladder_book()
    with translation.override("en"):
        yield
    forget_ladder_book()


def tier_id(code: str) -> int:
    return Tier.objects.get(code=code).pk


def draft_asking(**asked: tuple[int, int]) -> LadderVersion:
    """Return a draft whose tiers ask for other tier credits (to rise, to keep)."""
    draft = copy_version(version_id=None, by=SYSTEM, at=NOW)
    rules = []
    for rule in TierRule.objects.filter(ladder=draft).select_related("tier"):
        lines = asked.get(rule.tier.code)
        rules.append(RuleTerms(rule.tier_id, {"rise_credits": lines[0], "keep_credits": lines[1]} if lines else {}))
    write_draft(version_id=draft.pk, terms={}, rules=rules, by=SYSTEM, at=NOW)
    return draft


def made(draft: LadderVersion, *, day: date = DAY, by: Actor = SYSTEM) -> LadderPreview:
    """Have a preview made, and return it."""
    preview = start_preview(version_id=draft.pk, day=day, by=by, at=NOW)
    assert preview.job_id
    run_job(job_id=preview.job_id, worker="test", clock=lambda: NOW)
    preview.refresh_from_db()
    return preview


def figures(preview: LadderPreview) -> PreviewFigures:
    return PreviewFigures.of(preview, ladder_of(preview.version_id, moment=begin_of(preview.day)))


def member_with(*credits: int, moment: str = "2026-02-01") -> Member:
    """Return a member who bought for so many credits at a time."""
    member = make_member()
    for number, bought in enumerate(credits):
        count_fact(fact=purchase(member.pk, f"{member.pk}-{number}", bought, local(moment)), by=SYSTEM, at=NOW)
    return member


# --- What really happens ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Drawn:
    """A draft of an example, and what members did: (days ago, credits) each."""

    window: str
    months: int
    soft_landing: bool
    grace: tuple[int, int]
    lines: tuple[int, int, int]
    keep_percent: int
    orders: int | None
    least: int
    days_ahead: int
    members: tuple[tuple[tuple[int, int], ...], ...]


drawn = st.builds(
    Drawn,
    window=st.sampled_from(["rolling", "rolling", "year", "quarter", "joined", "tier"]),
    months=st.sampled_from([3, 6, 12, 24]),
    soft_landing=st.booleans(),
    grace=st.sampled_from([(0, 0), (20, 30)]),
    lines=st.lists(st.integers(1, 6000), min_size=3, max_size=3, unique=True).map(lambda found: tuple(sorted(found))),
    keep_percent=st.integers(0, 100),
    orders=st.one_of(st.none(), st.integers(1, 4)),
    least=st.integers(0, 1),
    days_ahead=st.integers(1, 400),
    members=st.lists(
        st.lists(st.tuples(st.integers(0, 800), st.integers(1, 4000)), max_size=5).map(tuple), min_size=1, max_size=8
    ).map(tuple),
)


@contextmanager
def _undone_afterwards() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    forget_ladder_book()


def _draft_of(drawn: Drawn) -> LadderVersion:
    draft = copy_version(version_id=None, by=SYSTEM, at=NOW)
    rules = [RuleTerms(tier_id("member"), {})]
    for code, line in zip(("silver", "gold", "diamond"), drawn.lines, strict=True):
        keep = line * drawn.keep_percent // 100
        values = {"rise_credits": line, "keep_credits": keep, "rise_least": drawn.least, "keep_least": drawn.least}
        rules.append(RuleTerms(tier_id(code), {**values, "rise_orders": drawn.orders, "keep_orders": drawn.orders}))
    terms = {
        "window": drawn.window, "qualifying_months": drawn.months, "soft_landing": drawn.soft_landing,
        "grace_percent": drawn.grace[0], "grace_days": drawn.grace[1],
    }  # fmt: skip
    write_draft(version_id=draft.pk, terms=terms, rules=rules, by=SYSTEM, at=NOW)
    return draft


def _everybody_is_assessed(moment: datetime) -> dict[int, int]:
    """Let everybody's rise and review fall on a moment, review, and return who holds what then."""
    TierStanding.objects.filter(tier__rank__gt=0).update(valid_until=moment)
    TierStanding.objects.update(rise_at=moment)
    lowest = tier_id("member")
    TierStanding.objects.bulk_create(
        TierStanding(member=member, tier_id=lowest, since_at=member.joined_at, rise_at=moment)
        for member in Member.objects.filter(standing__isnull=True)
    )
    review_all_due(at=moment, by=SYSTEM, limit=3)
    held = dict(TierStanding.objects.values_list("member_id", "tier_id"))
    return {pk: held.get(pk, lowest) for pk in Member.objects.values_list("pk", flat=True)}


@pytest.mark.django_db
class TestThePreview:
    @settings(max_examples=examples(60))
    @given(drawn=drawn)
    def test_is_what_happens_once_the_version_is_in_force(self, drawn: Drawn) -> None:
        with _undone_afterwards():
            day = DAY + timedelta(days=drawn.days_ahead)
            facts = [
                purchase(member.pk, f"{member.pk}-{n}", credits, NOW - timedelta(days=days_ago))
                for member, bought in [(make_member(), bought) for bought in drawn.members]
                for n, (days_ago, credits) in enumerate(sorted(bought, reverse=True))
            ]
            for fact in sorted(facts, key=lambda fact: fact.happened_at):
                count_fact(fact=fact, by=SYSTEM, at=NOW)
            draft = _draft_of(drawn)
            told = Counter({tuple(ids): number for *ids, number in made(draft, day=day).figures["moves"]})
            lowest = tier_id("member")
            held = dict(TierStanding.objects.values_list("member_id", "tier_id"))
            with transaction.atomic():
                live = _everybody_is_assessed(begin_of(day))
                transaction.set_rollback(True)
            LadderVersion.objects.filter(number=1).update(valid_to=begin_of(day))
            LadderVersion.objects.filter(pk=draft.pk).update(valid_from=begin_of(day))
            forget_ladder_book()
            new = _everybody_is_assessed(begin_of(day))
            assert told == Counter((held.get(pk, lowest), live[pk], new[pk]) for pk in new)

    def test_moves_nobody_when_nothing_differs(self, db: None) -> None:
        for credits in (0, 450, 700, 1300, 1600, 6000):
            member_with(credits)
        shown = figures(made(copy_version(version_id=None, by=SYSTEM, at=NOW)))
        assert (shown.winners, shown.losers, shown.tally.members) == (0, 0, 6)

    def test_changes_nothing_itself(self, db: None) -> None:
        member_with(700)
        before = list(TierStanding.objects.values()), list(TierChange.objects.values())
        made(draft_asking(silver=(900, 800)))
        assert (list(TierStanding.objects.values()), list(TierChange.objects.values())) == before

    def test_counts_winners_losers_and_the_share_of_the_highest_tier(self, db: None) -> None:
        for credits in (0, 450, 700, 1600, 6000):
            member_with(credits)
        shown = figures(made(draft_asking(silver=(400, 300), gold=(2000, 1700), diamond=(7000, 6500))))
        assert shown.winners == 1  # 450 is enough for silver
        assert shown.losers == 2  # 1,600 keep gold no more, nor 6,000 diamond
        assert (shown.top_share_before, shown.top_share) == (Decimal("20.0"), Decimal("0.0"))
        assert shown.warnings == ["Nobody would hold: Diamond."]

    def test_warns_of_a_highest_tier_for_everybody(self, db: None) -> None:
        for credits in (10, 6000):
            member_with(credits)
        shown = figures(made(copy_version(version_id=None, by=SYSTEM, at=NOW)))
        assert "50.0% of all members would hold Diamond" in shown.warnings[0]
        LadderPolicy.objects.update(top_share_percent=60)
        shown = figures(LadderPreview.objects.get())
        assert "Diamond" not in shown.warnings[0]

    def test_counts_members_near_a_line(self, db: None) -> None:
        for credits in (474, 475, 499):  # 475 is 5 % below 500
            member_with(credits)
        for credits in (500, 525, 526):  # 525 is the last within 5 % above; silver is held at once and asks 400 to keep
            member_with(credits)
        draft = draft_asking(silver=(500, 500))
        assert made(draft).figures["near"][str(tier_id("silver"))] == [2, 0, 0, 1]
        fresh = draft_asking(silver=(525, 525), gold=(9000, 8000))
        assert made(fresh).figures["near"][str(tier_id("silver"))] == [1, 0, 1, 2]

    def test_spreads_members_over_the_metric(self, db: None) -> None:
        for credits in (100, 100, 5900, 40_000):
            member_with(credits)
        make_member()
        [histogram] = figures(made(copy_version(version_id=None, by=SYSTEM, at=NOW))).histograms
        assert histogram.nothing == 1
        assert [(number, bar.members) for number, bar in enumerate(histogram.bars) if bar.members] == [
            (0, 2),
            (23, 1),
            (24, 1),
        ]
        line = histogram.lines[-1]
        assert (str(line.tier), line.value) == ("Diamond", 5000)
        assert line.words == "5,000: about 2 of 5 members have it, 3 have less."

    def test_says_how_many_a_line_lets_through_that_is_moved(self, db: None) -> None:
        for credits in (100, 450, 700, 40_000):
            member_with(credits)
        make_member()
        shown = figures(made(draft_asking(silver=(750, 300))))
        [histogram] = shown.histograms
        assert (histogram.step, histogram.highest, histogram.highest_percent) == (50, 6_000, 96)
        silver = tier_id("silver")
        assert shown.line_words("credits", silver, Decimal(750)) == "750: about 1 of 5 members have it, 4 have less."
        moved = shown.line_words("credits", silver, Decimal(250))
        assert moved == "250: about 3 of 5 members have it, 2 have less; +2 against 750 in this version."
        assert "about 5 of 5" in shown.line_words("credits", silver, Decimal(0))
        assert "about 1 of 5" in shown.line_words("credits", silver, histogram.highest)
        with pytest.raises(KeyError):
            shown.line_words("orders", silver, Decimal(1))

    def test_costs_what_other_multipliers_make_of_a_year(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(previews, "_base_points", [])
        register_base_points(lambda ids, _from_at, _before_at: dict.fromkeys(ids, 1_000))
        member_with(450)  # member ×1.00 → silver ×1.10
        member_with(10)
        shown = figures(made(draft_asking(silver=(400, 300))))
        assert (shown.tally.base_points, shown.more_points) == (2_000, 100)

    def test_has_a_sheet_of_who_would_move(self, db: None) -> None:
        winner = member_with(450)
        member_with(700)
        preview = made(draft_asking(silver=(400, 300)))
        content = JobFile.objects.get(job=preview.job_id, role=JobFile.Role.RESULT).content
        rows = [row for row in load_workbook(BytesIO(bytes(content))).active.values if row[0]]
        assert len(rows) == 3
        assert rows[2] == (winner.member_no, "Member", "Member", "Silver", "higher", 450)
        assert not LadderPreviewPart.objects.exists()

    def test_leaves_out_who_has_left(self, db: None) -> None:
        gone = member_with(700)
        Member.objects.filter(pk=gone.pk).update(status=Member.Status.CLOSED)
        assert figures(made(draft_asking())).tally.members == 0

    def test_goes_on_where_a_worker_died(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        for credits in (0, 450, 700, 1600, 6000):
            member_with(credits)
        whole = made(draft_asking(silver=(400, 300))).figures
        monkeypatch.setattr(previews, "_CHUNK", 2)
        calls = []
        real = previews._assess_chunk

        def dies(*args: object) -> None:
            calls.append(args)
            if len(calls) == 2:
                raise KeyboardInterrupt
            real(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(previews, "_assess_chunk", dies)
        preview = start_preview(version_id=draft_asking(silver=(400, 300)).pk, day=DAY, by=SYSTEM, at=NOW)
        assert preview.job_id
        with pytest.raises(KeyboardInterrupt):
            run_job(job_id=preview.job_id, worker="first", clock=lambda: NOW)
        run_job(job_id=preview.job_id, worker="second", clock=lambda: NOW + timedelta(hours=1))
        preview.refresh_from_db()
        assert preview.finished_at
        assert preview.figures == whole

    def test_fails_when_the_rules_change_meanwhile(self, db: None) -> None:
        draft = draft_asking(silver=(400, 300))
        preview = start_preview(version_id=draft.pk, day=DAY, by=SYSTEM, at=NOW)
        TierRule.objects.filter(ladder=draft, tier__code="silver").update(rise_credits=401)
        assert preview.job_id
        assert run_job(job_id=preview.job_id, worker="test", clock=lambda: NOW) == Job.State.FAILED
        preview.refresh_from_db()
        assert preview.finished_at is None

    def test_takes_as_many_statements_for_many_members_as_for_few(self, db: None) -> None:
        counts = []
        for number in (2, 40):
            for _ in range(number):
                member_with(700)
            draft = draft_asking(silver=(400, 300))
            preview = start_preview(version_id=draft.pk, day=DAY, by=SYSTEM, at=NOW)
            assert preview.job_id
            with CaptureQueriesContext(connection) as queries:
                run_job(job_id=preview.job_id, worker="test", clock=lambda: NOW)
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_knows_who_asked(self, db: None) -> None:
        operator = an_operator("marketing")
        preview = made(draft_asking(), by=Actor("operator", operator.pk))
        assert preview.made_by_id == operator.pk
        assert preview.job is not None
        assert preview.job.owner_id == operator.pk
