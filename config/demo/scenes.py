"""What happens beside the trade: each scene at its moment, by the accounts that can sign in, through the portal's services."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from config.demo.people import Person
from config.demo.regulars import those_told
from members.actors import Actor
from members.models import Job, Member, Operator
from members.services.jobs import run_job
from rewards.models import PointsAccount, Purchase


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that happens at a moment."""

    at: datetime
    play: Callable[[datetime], None]


class Scenes(ABC):
    """Scenes that are played in order of time as the story reaches them."""

    people: Sequence[Person] = ()

    def __init__(self, *, now: datetime, tz: ZoneInfo, random: Random) -> None:
        self.now = now
        self.tz = tz
        self.random = random
        self.staff: dict[str, Actor] = {}
        self.scenes: list[Scene] = sorted(self.planned(), key=lambda one: one.at)

    @abstractmethod
    def planned(self) -> list[Scene]:
        """Return all scenes, in any order."""

    def play(self, end: datetime) -> None:
        """Play the scenes before `end` that were not played yet."""
        if not self.staff:
            self.staff = {row.username: Actor("operator", row.pk) for row in Operator.objects.all()}
        while self.scenes and self.scenes[0].at < end:
            scene = self.scenes.pop(0)
            scene.play(scene.at)

    def _when(self, days: int, hour: int, minute: int = 12) -> datetime:
        day = self.now.astimezone(self.tz) - timedelta(days=days)
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0)

    def _buyers(self, at: datetime, count: int, *, points: int = 0) -> list[Member]:
        """Return members who bought lately and have at least so many points, chosen by chance; nobody who is told."""
        rich = PointsAccount.objects.filter(currency__code="points", available__gte=points).values("member_id")
        lately = Purchase.objects.filter(ordered_at__lt=at, ordered_at__gt=at - timedelta(days=60), member__in=rich)
        lately = lately.exclude(member__in=self._told_ids())
        ids = list(dict.fromkeys(lately.order_by("-ordered_at", "pk").values_list("member_id", flat=True)[:400]))
        members = Member.objects.filter(pk__in=ids, status=Member.Status.ACTIVE).order_by("pk")
        return self.random.sample(list(members), min(count, len(members)))

    def _told(self, place: int) -> list[Member]:
        """Return the one who is told, by the names of config/demo/regulars.py; nobody where there are too few members."""
        person = those_told(self.people).get(place)
        return list(Member.objects.filter(pk=person.member_id)) if person else []

    def _told_ids(self) -> list[int]:
        return [person.member_id for person in those_told(self.people).values()]

    def _work_off(self, at: datetime) -> None:
        """Let a worker do all jobs that wait, a minute after they were asked for."""
        for job_id in Job.objects.filter(state=Job.State.QUEUED).order_by("pk").values_list("pk", flat=True):
            run_job(job_id=job_id, worker="demo", clock=lambda: at + timedelta(minutes=1))
