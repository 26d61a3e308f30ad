"""The rows of the ground floor. Import from here, not from the modules."""

from members.models.access import ApiKey, IdempotentAnswer, MemberToken
from members.models.operators import Operator
from members.models.people import Identity, Member, MemberPerson
from members.models.places import Brand, Channel, Store
from members.models.programme import Programme
from members.models.timeline import ParkedEntry, Subscription, TimelineEntry

__all__ = [
    "ApiKey",
    "Brand",
    "Channel",
    "IdempotentAnswer",
    "Identity",
    "Member",
    "MemberPerson",
    "MemberToken",
    "Operator",
    "ParkedEntry",
    "Programme",
    "Store",
    "Subscription",
    "TimelineEntry",
]
