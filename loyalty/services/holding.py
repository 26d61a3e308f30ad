"""Keeping members as they are while something is done for them: a freeze or an erasure waits for us, or we see it."""

from collections.abc import Collection

from django.db import connection
from django.utils.translation import gettext_lazy as _

from loyalty.refusals import LoyaltyRefusal
from members.freeze_words import TellsFreeze
from members.identifiers import NotFound
from members.models import Member
from members.queries import status_sql


class MemberFrozen(TellsFreeze, LoyaltyRefusal):
    """The member is frozen."""

    code = "member_frozen"
    text = _("Member %(member_no)s is frozen and can not do this.")


class MemberClosed(LoyaltyRefusal):
    """The member has left the programme."""

    code = "member_closed"
    text = _("Member %(member_no)s has left the programme.")


def hold_user(member_id: int) -> int:
    """Return who uses what a member is entitled to: the member, or the one it was merged into. Both are held.

    Raises MemberFrozen (where the freeze forbids spending), MemberClosed, NotFound.
    """
    return _hold(member_id, status_sql(Member.Act.SPEND))


def hold_receiver(member_id: int) -> int:
    """Return who gets what is given to a member, as `hold_user` does; frozen members may be given something."""
    return _hold(member_id, "CASE status WHEN 'closed' THEN 'closed' ELSE 'active' END")


def hold_active(member_ids: Collection[int]) -> set[int]:
    """Return those of these members who are active and not merged into another; held, in ascending order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM members_member WHERE id = ANY (%s) AND status = 'active' AND merged_into_id IS NULL "
            "ORDER BY id FOR SHARE",
            [sorted(member_ids)],
        )
        return {row[0] for row in cursor.fetchall()}


def _hold(member_id: int, status: str) -> int:
    held = f"SELECT id, member_no, {status}, merged_into_id FROM members_member WHERE id = %s FOR SHARE"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(held, [member_id])
        found = cursor.fetchone()
        if found is not None and found[3] is not None:
            cursor.execute(held, [found[3]])
            found = cursor.fetchone()
    if found is None:
        raise NotFound
    if found[2] == Member.Status.FROZEN:
        raise MemberFrozen(member_no=found[1])
    if found[2] == Member.Status.CLOSED:
        raise MemberClosed(member_no=found[1])
    return int(found[0])
