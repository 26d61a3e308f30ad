"""The rows of the ground floor. Import from here, not from the modules."""

from members.models.access import ApiKey, IdempotentAnswer, MemberToken
from members.models.activities import Activity, ActivityKind
from members.models.decisions import Decision
from members.models.operators import Operator
from members.models.people import Identity, Member, MemberPerson
from members.models.places import Brand, Channel, Store
from members.models.programme import Programme
from members.models.proposals import ApprovalRule, LimitUsage, OperatorLimit, OwnMembership, Proposal
from members.models.timeline import ParkedEntry, Subscription, TimelineEntry
from members.models.work import Job, JobErrorRow, JobFile

__all__ = [
    "Activity",
    "ActivityKind",
    "ApiKey",
    "ApprovalRule",
    "Brand",
    "Channel",
    "Decision",
    "IdempotentAnswer",
    "Identity",
    "Job",
    "JobErrorRow",
    "JobFile",
    "LimitUsage",
    "Member",
    "MemberPerson",
    "MemberToken",
    "Operator",
    "OperatorLimit",
    "OwnMembership",
    "ParkedEntry",
    "Programme",
    "Proposal",
    "Store",
    "Subscription",
    "TimelineEntry",
]
