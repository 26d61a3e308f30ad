"""What a frozen member reads: a fixed sentence about what is frozen and until when. Never the reason that staff noted."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Self

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from members.models import Member, MemberFreeze
from members.queries import programme
from members.refusals import Refusal
from members.wording import enumerated


class TellsFreeze(Refusal):
    """A refusal to a frozen member that says, once it is told which freeze it is, what the member reads."""

    freeze: MemberFreeze | None = None

    def by(self, freeze: MemberFreeze | None) -> Self:
        """Say which freeze it is; its end travels to clients with the figures."""
        if freeze is not None:
            self.freeze = freeze
            self.params = {**self.params, "until": freeze.release_at}
        return self

    def sentence(self) -> str:
        """Return what is frozen, until when and what to do, in the active language; the plain text without a freeze."""
        if self.freeze is None:
            return super().sentence()
        return words_of_freeze(self.freeze.acts, self.freeze.release_at)


def words_of_freeze(acts: Collection[Member.Act], until: datetime) -> str:
    """Return, in the active language, what a member reads of whom these acts are frozen until a moment."""
    last = (until - timedelta(microseconds=1)).astimezone(programme().tz).date()
    day = date_format(last, "DATE_FORMAT")
    frozen = enumerated(act.label for act in Member.Act if act in acts)
    return _("Not possible until the end of %(day)s: %(acts)s. Please ask the staff about it.") % {
        "day": day,
        "acts": frozen,
    }


def freeze_of(member: Member) -> MemberFreeze | None:
    """Return the freeze in force of a member, None without one; members who are not frozen cost no query."""
    if member.status != Member.Status.FROZEN:
        return None
    return MemberFreeze.objects.filter(member=member.pk, released_at__isnull=True).first()
