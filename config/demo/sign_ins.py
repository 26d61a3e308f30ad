"""Where the demo's members are signed in, and a night on which somebody guessed at codes."""

from datetime import datetime, timedelta

from config.demo.scenes import Scene, Scenes
from members.models import Member, MemberPerson, MemberSession
from members.services.guessing import wrong_try
from members.services.member_sessions import sign_in
from members.services.one_time_codes import KIND

_DEVICES = (("wechat", "iPhone 17"), ("wechat", "Huawei Mate 80"), ("sms", "Xiaomi 16"), ("wechat", "OPPO Find X9"))
_WRONG_TRIES = 70
Way = MemberSession.Way


class SignIns(Scenes):
    """Sign-ins of the last days. Played last, so that what happened to a member before stays as it was told."""

    def planned(self) -> list[Scene]:
        """Return the scenes of the last hours."""
        scenes = ((20, self._phones), (15, self._guessing))
        return [Scene(self.now - timedelta(minutes=minutes), play) for minutes, play in scenes]

    def _phones(self, at: datetime) -> None:
        members = [*Member.objects.filter(pk__in=self._told_ids()).order_by("pk"), *self._buyers(at, 20)]
        for number, member in enumerate(members):
            if member.status_to(Member.Act.SIGN_IN) != Member.Status.ACTIVE or member.merged_into_id is not None:
                continue
            for way, device in (_DEVICES[number % len(_DEVICES)], *_DEVICES[:1])[: 1 + number % 2]:
                sign_in(member_id=member.pk, way=way, device=device, at=at - timedelta(minutes=number))

    def _guessing(self, at: datetime) -> None:
        """Somebody tries seven digits at the phones of members, from one address."""
        phones = MemberPerson.objects.exclude(phone=None).order_by("-pk").values_list("phone", flat=True)[:6]
        for number in range(_WRONG_TRIES if phones else 0):
            keys = {"phone": str(phones[number % len(phones)]), "address": "203.0.113.9"}
            wrong_try(kind=KIND, partitions=keys, at=at + timedelta(milliseconds=500 * number))
