"""The rows of the ground floor. Import from here, not from the modules."""

from members.models.access import ApiKey, IdempotentAnswer, MemberToken
from members.models.activities import Activity, ActivityKind
from members.models.attributes import AttributeChoice, AttributeValue, MemberAttribute, MemberPreference
from members.models.behaviours import Behaviour
from members.models.cards import Card, CardBatch
from members.models.consents import ConsentEntry, ConsentState, ConsentText, ContactChannel, Purpose
from members.models.decisions import Decision
from members.models.devices import (
    KeyDay,
    KeyUse,
    MemberAtTill,
    MemberCodeDevice,
    SignedCall,
    TillActivation,
)
from members.models.exports import FileTaken, MemberExport, MemberExportPart
from members.models.households import Household, HouseholdMember
from members.models.imports import ImportMapping, MemberImport, MemberImportPart, MemberImportRow
from members.models.member_sign_in import MemberSession, OneTimeCode, RefreshToken, WeChatBinding
from members.models.merges import DuplicatePair, Merge
from members.models.onboarding import OnboardingTask
from members.models.operators import Operator
from members.models.people import Identity, Member, MemberPerson
from members.models.places import Brand, Channel, RecruitingSource, Region, Store
from members.models.privacy import PrivacyRequest
from members.models.programme import Programme
from members.models.proposals import ApprovalRule, LimitUsage, OperatorLimit, OwnMembership, Proposal
from members.models.rates import GuessingAlarm, RateCounter, WrongTries
from members.models.risk import RiskFinding, RiskReview, RiskRule
from members.models.segments import Segment, SegmentClock, SegmentDue, SegmentSpan, SegmentVersion
from members.models.sign_ins import FindTally, RecoveryCode, SecondStep, SignInTries
from members.models.standing import ClosingReason, Closure, MemberFreeze
from members.models.tags import MemberTag, Tag
from members.models.timeline import ParkedEntry, Subscription, TimelineEntry
from members.models.webhooks import WebhookDelivery, WebhookEndpoint
from members.models.work import Job, JobErrorRow, JobFile

__all__ = [
    "Activity",
    "ActivityKind",
    "ApiKey",
    "ApprovalRule",
    "AttributeChoice",
    "AttributeValue",
    "Behaviour",
    "Brand",
    "Card",
    "CardBatch",
    "Channel",
    "ClosingReason",
    "Closure",
    "ConsentEntry",
    "ConsentState",
    "ConsentText",
    "ContactChannel",
    "Decision",
    "DuplicatePair",
    "FileTaken",
    "FindTally",
    "GuessingAlarm",
    "Household",
    "HouseholdMember",
    "IdempotentAnswer",
    "Identity",
    "ImportMapping",
    "Job",
    "JobErrorRow",
    "JobFile",
    "KeyDay",
    "KeyUse",
    "LimitUsage",
    "Member",
    "MemberAtTill",
    "MemberAttribute",
    "MemberCodeDevice",
    "MemberExport",
    "MemberExportPart",
    "MemberFreeze",
    "MemberImport",
    "MemberImportPart",
    "MemberImportRow",
    "MemberPerson",
    "MemberPreference",
    "MemberSession",
    "MemberTag",
    "MemberToken",
    "Merge",
    "OnboardingTask",
    "OneTimeCode",
    "Operator",
    "OperatorLimit",
    "OwnMembership",
    "ParkedEntry",
    "PrivacyRequest",
    "Programme",
    "Proposal",
    "Purpose",
    "RateCounter",
    "RecoveryCode",
    "RecruitingSource",
    "RefreshToken",
    "Region",
    "RiskFinding",
    "RiskReview",
    "RiskRule",
    "SecondStep",
    "Segment",
    "SegmentClock",
    "SegmentDue",
    "SegmentSpan",
    "SegmentVersion",
    "SignInTries",
    "SignedCall",
    "Store",
    "Subscription",
    "Tag",
    "TillActivation",
    "TimelineEntry",
    "WeChatBinding",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WrongTries",
]
