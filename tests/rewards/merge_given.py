"""Two records of one person, and what shops and staff do with them."""

from datetime import datetime, timedelta

from members.actors import SYSTEM
from members.models import Member, MemberPerson, Merge
from members.services.merging import merge_members, unmerge_members
from rewards.queries import Balance, balance_of
from rewards.services.verification import verify
from tests.factories.people import a_member

DAY = timedelta(days=1)


def a_person(name: str = "", **details: object) -> Member:
    """Return a member with personal data."""
    member = a_member()
    MemberPerson.objects.create(member=member, full_name=name, **details)
    return member


def merged(kept: Member, other: Member, *, at: datetime, **how: object) -> Merge:
    """Merge `other` into `kept`."""
    return merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=at, **how)  # type: ignore[arg-type]


def taken_apart(merge: Merge, *, at: datetime) -> None:
    """Take a merge apart."""
    unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=at)


def balances(*members: Member, at: datetime) -> list[Balance]:
    """Return the balances of members."""
    return [balance_of(member.pk, at) for member in members]


def nothing_is_wrong(at: datetime) -> None:
    """Let every check of the ledger run."""
    assert [(finding.check, finding.detail) for finding in verify(at=at)] == []
