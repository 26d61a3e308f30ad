"""What the demo's staff did with tiers: the reviews of a month in a run, grace for a regular guest, warnings ahead."""

from datetime import datetime, timedelta

from config.demo.scenes import Scene, Scenes
from loyalty.models import ReviewRun, TierStanding
from loyalty.services.grace import propose_grace
from loyalty.services.review_runs import NothingToReview, close_run, plan_run, start_forecast, start_run
from loyalty.services.review_warnings import warn_of_reviews
from members import proposals
from members.actors import SYSTEM
from members.models import Member


class TierScenes(Scenes):
    """The scenes around the reviews of the present month."""

    def planned(self) -> list[Scene]:
        """Return what was planned, run, granted, and what waits."""
        first = (self.now - timedelta(days=2)).astimezone(self.tz)
        self.first = first.replace(day=1, hour=9, minute=30, second=0, microsecond=0)
        return [
            Scene(self.first - timedelta(days=4), self._plan),
            Scene(self.first, self._run),
            Scene(self._when(2, 11), self._grace),
            Scene(self._when(1, 9, 0), self._warn),
            Scene(self.now - timedelta(hours=3), self._grace_that_waits),
        ]

    def _plan(self, at: datetime) -> None:
        run = plan_run(day=self.first.date(), by=self.staff["admin"], at=at)
        start_forecast(run_id=run.pk, by=self.staff["admin"], at=at)
        self._work_off(at)

    def _run(self, at: datetime) -> None:
        run = ReviewRun.objects.get(day=self.first.date())
        try:
            start_run(run_id=run.pk, pauses=False, by=self.staff["admin"], at=at)
        except NothingToReview:
            close_run(run_id=run.pk, at=at)
        self._work_off(at)

    def _warn(self, at: datetime) -> None:
        warn_of_reviews(at=at, by=SYSTEM)

    def _grace(self, at: datetime) -> None:
        """A colleague approves an hour later."""
        for member in self._at_risk(at, 1):
            asked = propose_grace(
                member_id=member.pk, days=30, reason="出差两个月，下月回店消费", by=self.staff["service"], at=at
            )
            proposals.approve(
                proposal_id=asked.proposal_id, by=self.staff["supervisor"], at=at + timedelta(hours=1), reason="老客户，同意"
            )  # fmt: skip

    def _grace_that_waits(self, at: datetime) -> None:
        for member in self._at_risk(at, 1):
            propose_grace(member_id=member.pk, days=14, reason="门店装修停业两周", by=self.staff["service2"], at=at)

    def _at_risk(self, at: datetime, count: int) -> list[Member]:
        soon = TierStanding.objects.filter(valid_until__gt=at, valid_until__lt=at + timedelta(days=45))
        active = Member.objects.filter(pk__in=soon.values("member_id"), status=Member.Status.ACTIVE).order_by("pk")[
            :200
        ]
        return self.random.sample(list(active), min(count, len(active)))
