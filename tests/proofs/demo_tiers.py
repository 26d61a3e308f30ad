"""What the demo shows of tiers, benefits and plans at every size: the members who are told, and what is around them."""

from datetime import datetime, timedelta

from django.utils.translation import override

from loyalty.models import (
    BadgeAward,
    Entitlement,
    LadderPreview,
    LadderVersion,
    MemberStage,
    MemberTitle,
    PlanMembership,
    PublishedRules,
    ReviewRun,
    StageTaskDone,
    TierChange,
    TierFloor,
    TierWarning,
)
from loyalty.periods import business_date, last_day_before
from loyalty.plan_queries import running_plan
from loyalty.progress import progress_of
from loyalty.queries import standing_of
from loyalty.sentences import change_sentence
from members.models import Member, Proposal
from members.queries import programme

Reason = TierChange.Reason


def check_tiers(now: datetime) -> None:
    """Hold what the demo shows against what it is meant to show."""
    check_movement(now)
    check_reviews(now)
    check_what_is_given(now)
    check_plans(now)
    check_identity()
    [draft] = LadderVersion.objects.filter(valid_from=None)
    preview = LadderPreview.objects.filter(version=draft, finished_at__isnull=False).latest("pk")
    assert any(today != next_year for _held, today, next_year, _members in preview.figures["moves"])
    assert PublishedRules.objects.filter(valid_from__lte=now).exists()


def told(name: str) -> Member:
    """Return one of those whose story is told (config/demo/regulars.py)."""
    return Member.objects.get(person__full_name=name)


def _course(name: str) -> list[tuple[str, str, str]]:
    changes = TierChange.objects.filter(member=told(name)).order_by("number")
    return list(changes.values_list("reason", "from_tier__code", "to_tier__code"))


def check_movement(now: datetime) -> None:
    """Rises, a soft landing with its reason in three languages, a grace that runs, a tier that was kept."""
    rises = [(Reason.RISEN, "member", "silver"), (Reason.RISEN, "silver", "gold")]
    assert TierChange.objects.filter(reason=Reason.RISEN).count() > 10
    assert _course("叶晚秋") == [
        rises[0],
        (Reason.KEPT, "silver", "silver"),
        rises[1],
        (Reason.FALLEN, "gold", "silver"),
    ]
    for language in ("zh-hans", "zh-hant", "en"):
        with override(language):
            fall = TierChange.objects.filter(member=told("叶晚秋")).latest("number")
            assert all(figure in change_sentence(fall) for figure in ("238", "1,200", "962", "98"))
    assert _course("顾长宁") == [*rises, (Reason.FALLEN, "gold", "silver"), (Reason.GRACE, "silver", "gold")]
    assert _course("陆时雨") == [*rises, (Reason.KEPT, "gold", "gold")]
    grace = progress_of(told("顾长宁").pk, now)
    assert (grace.tier.code, grace.is_in_grace, grace.keep_gap) == ("gold", True, 66)
    assert grace.valid_until is not None
    assert now < grace.valid_until < now + timedelta(days=31)


def check_reviews(now: datetime) -> None:
    """A run that is done, after a dry run; warnings of the reviews ahead; grace that somebody has to decide about."""
    run = ReviewRun.objects.get()
    assert run.state == ReviewRun.State.DONE
    assert (
        {reason for _wave, reason, *_ in run.counts}
        == {reason for _wave, reason, *_ in run.forecast}
        == {"kept", "fallen"}
    )
    tz = programme().tz
    for name, figures in (("何小满", (294, 400)), ("顾长宁", (1_134, 1_200))):
        member = told(name)
        warning = TierWarning.objects.filter(member=member).latest("warned_at")
        ends_at = standing_of(member.pk, now).valid_until
        assert (warning.credits, warning.needed_credits) == figures
        assert ends_at is not None
        assert business_date(now, tz) <= warning.review_date == last_day_before(ends_at, tz)
    [waits] = Proposal.objects.filter(kind="loyalty.give_grace", state=Proposal.State.WAITING)
    assert waits.params["member"] == told("何小满").pk


def check_what_is_given(now: datetime) -> None:
    """A tier set by hand, and benefits of which half was used."""
    locked = told("韩霁月")
    floor = TierFloor.objects.get(member=locked, source=TierFloor.Source.STAFF, ended_at=None)
    assert floor.valid_from < now < (floor.valid_until or now)
    standing = standing_of(locked.pk, now)
    assert (standing.tier.code, standing.earned.code) == ("silver", "member")
    deliveries = Entitlement.objects.get(
        member=told("陆时雨"), benefit__code="free-delivery", valid_from__lte=now, valid_to__gt=now
    )
    assert 0 < deliveries.used < deliveries.quota


def check_plans(now: datetime) -> None:
    """Plans that run, that were tried, that ended; one lifts its member, one is about to end, one was paid back."""
    assert set(PlanMembership.objects.values_list("state", flat=True)) >= {"active", "trial", "ended", "refunded"}
    payer, ends, refunded = (told(name) for name in ("沈一舟", "宋知夏", "白露生"))
    standing = standing_of(payer.pk, now)
    assert (standing.tier.code, standing.earned.code) == ("gold", "silver")
    assert running_plan(payer.pk, now)
    ending = running_plan(ends.pk, now)
    assert ending is not None
    assert ending.valid_until < now + timedelta(days=7)
    assert not ending.renews_intended
    assert ending.periods.get().reminded_days in (1, 7)
    assert PlanMembership.objects.get(member=refunded).state == PlanMembership.State.REFUNDED


def check_identity() -> None:
    """Badges by rule and by hand, titles, stages, and their tasks."""
    assert set(BadgeAward.objects.values_list("cause", flat=True)) >= {BadgeAward.Cause.RULE, BadgeAward.Cause.HAND}
    assert MemberTitle.objects.exists()
    assert MemberStage.objects.exclude(stage=None).values("stage").distinct().count() > 1
    assert StageTaskDone.objects.exists()
