"""What the demo's staff did with tiers: the reviews of a month in a run, grace for a regular guest, warnings ahead."""

from datetime import datetime, timedelta

from config.demo.regulars import GRACED, WARNED, month_reviewed
from config.demo.scenes import Scene, Scenes
from loyalty.models import ReviewRun
from loyalty.services.grace import propose_grace
from loyalty.services.review_runs import NothingToReview, close_run, plan_run, start_forecast, start_run
from loyalty.services.review_warnings import warn_of_reviews
from members import proposals
from members.actors import SYSTEM


class TierScenes(Scenes):
    """The scenes around the reviews of the present month."""

    def planned(self) -> list[Scene]:
        """Return what was planned, run, granted, and what waits."""
        self.first = month_reviewed(self.now, self.tz).astimezone(self.tz).replace(hour=9, minute=30)
        return [
            Scene(self.first - timedelta(days=4), self._plan),
            Scene(self.first, self._run),
            Scene(self._when(2, 11), self._grace),
            Scene(self.now - timedelta(hours=3), self._grace_that_waits),
            Scene(self.now - timedelta(minutes=2), self._warn),
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
        """The tier that fell is given back for a time; a colleague approves an hour later."""
        for member in self._told(GRACED):
            asked = propose_grace(
                member_id=member.pk, days=30, reason="出差两个月，下月回店消费", by=self.staff["service"], at=at
            )
            proposals.approve(
                proposal_id=asked.proposal_id, by=self.staff["supervisor"], at=at + timedelta(hours=1), reason="老客户，同意"
            )  # fmt: skip

    def _grace_that_waits(self, at: datetime) -> None:
        for member in self._told(WARNED):
            propose_grace(member_id=member.pk, days=14, reason="门店装修停业两周", by=self.staff["service2"], at=at)
