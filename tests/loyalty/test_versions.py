"""Versions of the ladder from draft to archive: who may do what when, what is refused, and that nothing else moves."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils.translation import override

from loyalty.facts import _TIER_ID
from loyalty.models import LadderPreview, LadderVersion, Tier, TierChange, TierRule, TierStanding
from loyalty.queries import forget_ladder_book, ladder_book
from loyalty.refusals import (
    BeginningMissing,
    DraftChanged,
    DraftHasErrors,
    DraftIsWaiting,
    MomentIsTaken,
    NotADraft,
    NoticeTooShort,
    NotScheduled,
    PreviewMissing,
    TierCodeTaken,
)
from loyalty.services.previews import start_preview
from loyalty.services.publishing import propose_version, withdraw_version
from loyalty.services.versions import (
    RuleTerms,
    copy_version,
    discard_draft,
    insert_tier,
    start_version,
    write_draft,
)
from loyalty.versions import state_of, version_judging, waiting_of
from members import proposals
from members.actors import Actor
from members.models import Operator, Proposal
from members.services.jobs import run_job
from tests.factories.portal import an_operator
from tests.loyalty.stories import local, make_member, purchase, review, tell

NOW = local("2026-03-10")
TODAY = date(2026, 3, 10)
BEGIN = date(2026, 7, 1)


def actor(operator: Operator) -> Actor:
    """Return an operator as one who acts."""
    return Actor("operator", operator.pk)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_ladder_book()
    yield
    forget_ladder_book()


@pytest.fixture
def marketing(db: None) -> Actor:
    return actor(an_operator("marketing"))


@pytest.fixture
def finance(db: None) -> Actor:
    return actor(an_operator("finance"))


def tier(code: str) -> Tier:
    return Tier.objects.get(code=code)


def previewed(version_id: int, by: Actor, *, at: datetime = NOW, day: date = TODAY) -> LadderPreview:
    """Have the preview of a draft made, and return it finished."""
    preview = start_preview(version_id=version_id, day=day, by=by, at=at)
    assert preview.job_id
    run_job(job_id=preview.job_id, worker="test", clock=lambda: at)
    preview.refresh_from_db()
    assert preview.finished_at == at
    return preview


def ready(by: Actor, *, begin: date = BEGIN, at: datetime = NOW, **terms: Any) -> LadderVersion:
    """Return a draft, a copy of the version in force, with a day to begin and a preview."""
    draft = copy_version(version_id=None, by=by, at=at)
    write_draft(
        version_id=draft.pk, terms={"planned_date": begin, "grace_days": 30, "grace_percent": 10, **terms}, rules=same(draft), by=by, at=at
    )  # fmt: skip
    previewed(draft.pk, by, at=at)
    draft.refresh_from_db()
    return draft


def same(draft: LadderVersion, **changed: dict[str, Any]) -> list[RuleTerms]:
    """Return rules that leave a draft's as they are, but for some values by code of tier."""
    rules = TierRule.objects.filter(ladder=draft).select_related("tier")
    return [RuleTerms(rule.tier_id, changed.get(rule.tier.code, {})) for rule in rules]


def published(by: Actor, checker: Actor, *, at: datetime = NOW, **terms: Any) -> LadderVersion:
    """Return a version that went all the way."""
    draft = ready(by, at=at, **terms)
    outcome = propose_version(version_id=draft.pk, reason="Next year's lines", by=by, at=at)
    done = proposals.approve(proposal_id=outcome.proposal_id, by=checker, at=at)
    assert done.carried_out
    draft.refresh_from_db()
    return draft


def state(version: LadderVersion, at: datetime) -> str:
    version.refresh_from_db()
    return state_of(version, at, is_waiting=version.pk in waiting_of([version.pk]))


@pytest.mark.django_db
class TestADraft:
    def test_says_what_the_version_in_force_says_and_judges_nobody(self, marketing: Actor) -> None:
        before = ladder_book()
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        forget_ladder_book()
        assert draft.number == 2
        assert state(draft, NOW) == "draft"
        assert TierRule.objects.filter(ladder=draft).count() == 4
        assert ladder_book() == before

    def test_can_be_there_several_times(self, marketing: Actor) -> None:
        drafts = [copy_version(version_id=None, by=marketing, at=NOW) for _ in range(3)]
        assert [draft.number for draft in drafts] == [2, 3, 4]

    def test_leaves_the_facts_of_tiers_alone(self, marketing: Actor) -> None:
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        write_draft(version_id=draft.pk, terms={}, rules=[RuleTerms(tier("gold").pk, {})], by=marketing, at=NOW)
        member = make_member()
        from_sql = f"SELECT ({_TIER_ID}) FROM members_member m WHERE m.id = %(id)s"
        with connection.cursor() as cursor:
            cursor.execute(from_sql, {"at": NOW, "id": member.pk})
            assert cursor.fetchone() == (tier("member").pk,)

    @pytest.mark.parametrize("starter", ["spend", "visits", "tenure"])
    def test_can_be_made_from_a_starter_ladder_without_errors(self, marketing: Actor, starter: str) -> None:
        draft = start_version(starter=starter, by=marketing, at=NOW)
        write_draft(version_id=draft.pk, terms={"planned_date": BEGIN}, rules=same(draft), by=marketing, at=NOW)
        previewed(draft.pk, marketing)
        assert propose_version(version_id=draft.pk, reason="Anew", by=marketing, at=NOW).waiting

    def test_thrown_away_stays_and_is_written_no_more(self, marketing: Actor) -> None:
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        discard_draft(version_id=draft.pk, by=marketing, at=NOW)
        assert state(draft, NOW) == "discarded"
        with pytest.raises(NotADraft):
            write_draft(version_id=draft.pk, terms={"grace_days": 3}, rules=[], by=marketing, at=NOW)

    def test_can_not_have_an_end_alone(self, marketing: Actor) -> None:
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        with pytest.raises(IntegrityError, match="no_place_in_time"), transaction.atomic():
            LadderVersion.objects.filter(pk=draft.pk).update(valid_to=NOW)


@pytest.mark.django_db
class TestPublishing:
    def test_needs_a_second_person_and_ends_the_version_before(self, marketing: Actor, finance: Actor) -> None:
        draft = ready(marketing)
        outcome = propose_version(version_id=draft.pk, reason="Next year", by=marketing, at=NOW)
        assert outcome.waiting
        assert state(draft, NOW) == "waiting"
        with pytest.raises(proposals.NotAllowed):
            proposals.approve(proposal_id=outcome.proposal_id, by=marketing, at=NOW)
        assert proposals.approve(proposal_id=outcome.proposal_id, by=finance, at=NOW).carried_out
        begin = local("2026-07-01 00:00")
        assert state(draft, NOW) == "scheduled"
        assert (draft.valid_from, draft.valid_to, draft.notice_date) == (begin, None, TODAY)
        assert draft.published_by_id == finance.id
        assert LadderVersion.objects.get(number=1).valid_to == begin
        assert state(draft, begin) == "live"
        assert state(LadderVersion.objects.get(number=1), begin) == "archived"
        assert [ladder_book().at(moment).number for moment in (begin - timedelta(seconds=1), begin)] == [1, 2]

    def test_is_not_approved_by_its_maker(self, db: None) -> None:
        both = actor(an_operator("administrator"))
        outcome = propose_version(version_id=ready(both).pk, reason="Mine", by=both, at=NOW)
        with pytest.raises(proposals.MakerCanNotDecide):
            proposals.approve(proposal_id=outcome.proposal_id, by=both, at=NOW)

    def test_tells_the_proposal_what_differs_and_what_the_preview_says(self, marketing: Actor) -> None:
        draft = ready(marketing)
        outcome = propose_version(version_id=draft.pk, reason="Next year", by=marketing, at=NOW)
        lines = {line[0]: line[1:] for line in Proposal.objects.get(pk=outcome.proposal_id).effect["lines"]["en"]}
        assert lines["Grace (days)"] == ["0", "30"]
        assert lines["Grace near the line (%)"] == ["0", "10"]
        assert lines["Members who stand lower"] == ["–", "0"]

    def test_keeps_the_draft_as_it_was_proposed(self, marketing: Actor) -> None:
        draft = ready(marketing)
        outcome = propose_version(version_id=draft.pk, reason="Next year", by=marketing, at=NOW)
        with pytest.raises(DraftIsWaiting):
            write_draft(version_id=draft.pk, terms={"grace_days": 3}, rules=[], by=marketing, at=NOW)
        with pytest.raises(DraftIsWaiting):
            propose_version(version_id=draft.pk, reason="Again", by=marketing, at=NOW)
        proposals.withdraw(proposal_id=outcome.proposal_id, by=marketing, at=NOW)
        write_draft(version_id=draft.pk, terms={"grace_days": 3}, rules=same(draft), by=marketing, at=NOW)
        assert state(draft, NOW) == "draft"

    def test_refuses_what_was_changed_behind_the_proposal(self, marketing: Actor, finance: Actor) -> None:
        draft = ready(marketing)
        outcome = propose_version(version_id=draft.pk, reason="Next year", by=marketing, at=NOW)
        TierRule.objects.filter(ladder=draft, tier__code="gold").update(rise_credits=1600)
        with pytest.raises(proposals.EffectChanged):
            proposals.approve(proposal_id=outcome.proposal_id, by=finance, at=NOW)
        seen = proposals.effect_now(proposal=Proposal.objects.get(pk=outcome.proposal_id), at=NOW).digest
        with pytest.raises(DraftChanged):
            proposals.approve(proposal_id=outcome.proposal_id, by=finance, at=NOW, seen=seen)
        assert state(draft, NOW) == "waiting"
        assert LadderVersion.objects.get(number=1).valid_to is None

    def test_refuses_a_day_that_is_missing_or_past(self, marketing: Actor) -> None:
        for day in (None, TODAY):
            with pytest.raises(BeginningMissing):
                propose_version(version_id=ready(marketing, planned_date=day).pk, reason="Now", by=marketing, at=NOW)

    def test_refuses_a_short_notice_without_a_reason(self, marketing: Actor) -> None:
        draft = ready(marketing, begin=TODAY + timedelta(days=29))
        with pytest.raises(NoticeTooShort) as refused:
            propose_version(version_id=draft.pk, reason="Soon", by=marketing, at=NOW)
        assert refused.value.params == {"days": 29, "number": 2, "needed": 30}
        allowed: list[dict[str, Any]] = [
            {"planned_date": TODAY + timedelta(days=29), "haste_reason": "An error in the rules"},
            {"planned_date": TODAY + timedelta(days=30)},
        ]
        for terms in allowed:
            hasty = ready(marketing, **terms)
            assert propose_version(version_id=hasty.pk, reason="Soon", by=marketing, at=NOW).waiting

    def test_counts_the_notice_from_the_day_on_which_members_are_told(self, marketing: Actor) -> None:
        draft = ready(marketing, notice_date=BEGIN - timedelta(days=10))
        with pytest.raises(NoticeTooShort):
            propose_version(version_id=draft.pk, reason="Late", by=marketing, at=NOW)

    def test_refuses_rules_that_contradict_themselves(self, marketing: Actor) -> None:
        draft = ready(marketing)
        write_draft(
            version_id=draft.pk, terms={}, rules=same(draft, gold={"rise_credits": 400, "keep_credits": 300}), by=marketing, at=NOW
        )  # fmt: skip
        with override("en"), pytest.raises(DraftHasErrors, match=r"takes less than rising to"):
            propose_version(version_id=draft.pk, reason="Odd", by=marketing, at=NOW)

    def test_refuses_without_a_preview_of_these_very_rules(self, marketing: Actor) -> None:
        draft = ready(marketing)
        with pytest.raises(PreviewMissing):  # the preview has expired
            propose_version(version_id=draft.pk, reason="Late", by=marketing, at=NOW + timedelta(days=8))
        write_draft(version_id=draft.pk, terms={"grace_days": 31}, rules=same(draft), by=marketing, at=NOW)
        with pytest.raises(PreviewMissing):
            propose_version(version_id=draft.pk, reason="Changed", by=marketing, at=NOW)

    def test_is_refused_to_those_who_may_not(self, marketing: Actor, finance: Actor) -> None:
        draft = ready(marketing)
        with pytest.raises(proposals.NotAllowed):
            propose_version(version_id=draft.pk, reason="Mine", by=finance, at=NOW)

    def test_puts_a_version_between_two(self, marketing: Actor, finance: Actor) -> None:
        later = published(marketing, finance, begin=date(2027, 1, 1))
        between = published(marketing, finance, grace_days=7)
        numbers = [
            ladder_book().at(local(day)).number for day in ("2026-06-30", "2026-07-01", "2026-12-31", "2027-01-01")
        ]
        assert numbers == [1, between.number, between.number, later.number]

    def test_refuses_a_day_that_is_taken(self, marketing: Actor, finance: Actor) -> None:
        published(marketing, finance)
        with pytest.raises(MomentIsTaken):
            propose_version(version_id=ready(marketing).pk, reason="Too", by=marketing, at=NOW)


@pytest.mark.django_db
class TestWithdrawing:
    def test_makes_it_a_draft_again_and_lets_the_version_before_go_on(self, marketing: Actor, finance: Actor) -> None:
        version = published(marketing, finance)
        withdraw_version(version_id=version.pk, reason="Wrong lines", by=marketing, at=NOW)
        assert state(version, NOW) == "draft"
        assert LadderVersion.objects.get(number=1).valid_to is None
        assert ladder_book().at(local("2027-01-01")).number == 1

    def test_is_refused_once_it_has_begun(self, marketing: Actor, finance: Actor) -> None:
        version = published(marketing, finance)
        for moment, pk in ((local("2026-07-01 00:00"), version.pk), (NOW, LadderVersion.objects.get(number=1).pk)):
            with pytest.raises(NotScheduled):
                withdraw_version(version_id=pk, reason="Too late", by=marketing, at=moment)
        assert version.valid_from is not None


@pytest.mark.django_db
class TestInsertingATier:
    def test_moves_nobody(self, marketing: Actor) -> None:
        members = [make_member() for _ in range(4)]
        for member, credits in zip(members, (0, 600, 1600, 6000), strict=True):
            tell(purchase(member.pk, f"p{member.pk}", credits, local("2026-02-01")))
        before = list(TierStanding.objects.order_by("member").values())
        order = list(Tier.objects.order_by("rank").values_list("code", flat=True))
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        insert_tier(
            version_id=draft.pk, above_tier_id=tier("silver").pk, code="jade", colour="#00aa66",
            names={"zh-hans": "翡翠", "zh-hant": "翡翠", "en": "Jade"}, by=marketing, at=NOW,
        )  # fmt: skip
        assert list(TierStanding.objects.order_by("member").values()) == before
        assert list(Tier.objects.order_by("rank").values_list("code", "rank")) == [
            ("member", 0), ("silver", 1), ("jade", 2), ("gold", 3), ("diamond", 4),
        ]  # fmt: skip
        assert [
            code for code in Tier.objects.order_by("rank").values_list("code", flat=True) if code != "jade"
        ] == order
        silver = members[1]
        review(local("2027-03-01 00:00"))  # the reviews of the version in force know nothing of the new tier
        tell(purchase(silver.pk, "more", 2000, local("2027-03-02")))
        assert [(row.from_tier.code, row.to_tier.code) for row in TierChange.objects.filter(member=silver).order_by("number")] == [
            ("member", "silver"), ("silver", "member"), ("member", "gold"),
        ]  # fmt: skip

    def test_puts_nobody_on_the_sheet_who_would_not_move(self, marketing: Actor) -> None:
        members = [make_member() for _ in range(3)]
        for member, credits in zip(members, (700, 1200, 1600), strict=True):
            tell(purchase(member.pk, f"p{member.pk}", credits, local("2026-02-01")))
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        jade = insert_tier(
            version_id=draft.pk, above_tier_id=tier("silver").pk, code="jade", colour="#00aa66",
            names={"zh-hans": "翡翠", "zh-hant": "翡翠", "en": "Jade"}, by=marketing, at=NOW,
        )  # fmt: skip
        write_draft(
            version_id=draft.pk, terms={}, by=marketing, at=NOW,
            rules=same(draft, jade={"rise_credits": 1000, "keep_credits": 800, "points_multiplier": Decimal("1.2")}),
        )  # fmt: skip
        moves = {tuple(ids): number for *ids, number in previewed(draft.pk, marketing).figures["moves"]}
        silver, gold = tier("silver").pk, tier("gold").pk
        assert moves == {(silver, silver, silver): 1, (silver, silver, jade.pk): 1, (gold, gold, gold): 1}

    def test_refuses_a_code_that_is_taken(self, marketing: Actor) -> None:
        draft = copy_version(version_id=None, by=marketing, at=NOW)
        with pytest.raises(TierCodeTaken):
            insert_tier(
                version_id=draft.pk, above_tier_id=tier("silver").pk, code="gold", colour="#00aa66",
                names={"zh-hans": "金", "zh-hant": "金", "en": "Gold"}, by=marketing, at=NOW,
            )  # fmt: skip
        assert Tier.objects.count() == 4


@pytest.mark.django_db
class TestRulesInForce:
    def test_can_be_asked_for_any_day(self, marketing: Actor, finance: Actor) -> None:
        copy_version(version_id=None, by=marketing, at=NOW)
        published(marketing, finance)
        days = {"1990-01-01": 1, "2026-06-30": 1, "2026-07-01": 3, "2050-01-01": 3}
        assert {day: getattr(version_judging(local(day)), "number", None) for day in days} == days


class TestTwoAtOnce:
    def test_publish_one_after_another(self, committed_db: str) -> None:
        maker, checker = actor(an_operator("marketing")), actor(an_operator("finance"))
        waiting = [
            propose_version(
                version_id=ready(maker, begin=begin).pk, reason="At once", by=maker, at=NOW
            ).proposal_id
            for begin in (BEGIN, BEGIN, date(2026, 9, 1))
        ]  # fmt: skip
        outcomes = _together([lambda pk=pk: proposals.approve(proposal_id=pk, by=checker, at=NOW) for pk in waiting])
        refused = [type(one) for one in outcomes if isinstance(one, Exception)]
        assert refused in ([MomentIsTaken], [proposals.EffectChanged])
        spans = list(LadderVersion.objects.filter(valid_from__isnull=False).order_by("valid_from"))
        assert [one.valid_to for one in spans] == [*(one.valid_from for one in spans[1:]), None]


def _together(acts: list[Any]) -> list[Any]:
    barrier, outcomes = Barrier(len(acts)), [None] * len(acts)

    def run(position: int) -> None:
        try:
            barrier.wait()
            outcomes[position] = acts[position]()
        except Exception as error:  # noqa: BLE001 - what was refused is what is asked about
            outcomes[position] = error  # type: ignore[call-overload]
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(position,)) for position in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes
