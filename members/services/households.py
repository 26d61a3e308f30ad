"""Households: who lives together and agreed to it, what they share, and who of them pays for the others with points."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.consents import ADULT_YEARS
from members.identifiers import NotFound
from members.models import Household, HouseholdMember, Member, PrivacyRequest
from members.own_accounts import refuse_own_account
from members.queries import programme
from members.refusals import MembersRefusal
from members.services.consents import is_child
from members.services.status import words_of_reason
from members.services.tokens import MemberIsClosed
from members.timeline import NewEntry, nudge, record

MOST_PEOPLE: Final = 8
Role = HouseholdMember.Role


class AgreementMissing(MembersRefusal):
    """Nobody is made part of a household without their agreement."""

    code = "agreement_missing"
    text = _("Both members must agree to be one household.")
    status = 422


class LivesElsewhere(MembersRefusal):
    """The member belongs to a household already."""

    code = "lives_elsewhere"
    text = _("This member belongs to a household already.")


class HouseholdFull(MembersRefusal):
    """A household has a bounded number of people."""

    code = "household_full"
    text = _("A household has at most %(most)s members.")


class NoHousehold(MembersRefusal):
    """The member belongs to no household."""

    code = "no_household"
    text = _("This member belongs to no household.")


class ChildrenKeepTheirPoints(MembersRefusal):
    """What a child has is not spent by those who would have to agree for it."""

    code = "children_keep_their_points"
    text = _("The points of a child are not used for others.")
    status = 422


class NotWithOneself(MembersRefusal):
    """A household is of two at least."""

    code = "not_with_oneself"
    text = _("Choose another member.")
    status = 422


def join_household(
    *, member_id: int, newcomer_id: int, role: HouseholdMember.Role, both_agreed: bool, by: Actor, at: datetime
) -> Household:
    """Let a member into the household of another, who becomes its head when there is none yet; return it.

    `role` is the newcomer's, adult or child. The caller has asked both members. Raises `AgreementMissing`,
    `NotWithOneself`, `OwnAccount`, `LivesElsewhere`, `HouseholdFull`, `MemberIsClosed`, `NotFound`.
    """
    if not both_agreed:
        raise AgreementMissing
    if member_id == newcomer_id:
        raise NotWithOneself
    with transaction.atomic():
        members = _locked(member_id, newcomer_id)
        refuse_own_account(by, [member_id, newcomer_id])
        if any(member.status == Member.Status.CLOSED for member in members):
            raise MemberIsClosed
        if _part_of(newcomer_id) is not None:
            raise LivesElsewhere
        own = _part_of(member_id)
        if own is None:
            household = Household.objects.create(made_at=at)
            _enter(household, member_id, Role.HEAD, by, at)
        else:
            household = Household.objects.select_for_update(no_key=True).get(pk=own.household_id)
            if HouseholdMember.objects.filter(household=household, left_at__isnull=True).count() >= MOST_PEOPLE:
                raise HouseholdFull(most=MOST_PEOPLE)
        _enter(household, newcomer_id, Role.CHILD if role == Role.CHILD else Role.ADULT, by, at)
        nudge()
    return household


def leave_household(*, member_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Take a member out of their household. The eldest of the others becomes its head; who is left alone leaves as well.

    Raises `NoHousehold`, `ReasonMissing`, `NotFound`.
    """
    words = words_of_reason(reason)
    with transaction.atomic():
        _locked(member_id)
        own = _part_of(member_id)
        if own is None:
            raise NoHousehold
        household = Household.objects.select_for_update(no_key=True).get(pk=own.household_id)
        _go(own, by, at, words)
        others = list(
            HouseholdMember.objects.filter(household=household, left_at__isnull=True).order_by("agreed_at", "pk")
        )
        if len(others) < 2:
            for other in others:
                _go(other, by, at, words)
            household.ended_at = at
            household.save(update_fields=["ended_at"])
        elif own.role == Role.HEAD:
            heir = next((other for other in others if other.role == Role.ADULT), others[0])
            heir.role = Role.HEAD
            heir.save(update_fields=["role"])
        nudge()


def share_in_household(*, member_id: int, benefits: bool, vouchers: bool, by: Actor, at: datetime) -> None:
    """Say what the people of a member's household share. Raises `NoHousehold`, `NotFound`."""
    with transaction.atomic():
        _locked(member_id)
        own = _part_of(member_id)
        if own is None:
            raise NoHousehold
        household = Household.objects.select_for_update(no_key=True).get(pk=own.household_id)
        if (household.shares_benefits, household.shares_vouchers) == (benefits, vouchers):
            return
        household.shares_benefits, household.shares_vouchers = benefits, vouchers
        household.save(update_fields=["shares_benefits", "shares_vouchers"])
        payload = {"household": household.pk, "benefits": benefits, "vouchers": vouchers}
        record([NewEntry("members.household_sharing_changed.v1", member_id, at, by, payload)])
        nudge()


def share_points(*, member_id: int, agrees: bool, by: Actor, at: datetime) -> None:
    """Note that a member agrees to pay for the others of the household with points, or takes that back; at once in force.

    The caller has asked the member. Staff note no yes in the household they live in themselves. Raises `NoHousehold`,
    `OwnAccount`, `ChildrenKeepTheirPoints`, `MemberIsClosed`, `NotFound`.
    """
    with transaction.atomic():
        (member,) = _locked(member_id)
        own = _part_of(member_id)
        if own is None:
            raise NoHousehold
        if agrees:
            people = HouseholdMember.objects.filter(household=own.household_id, left_at__isnull=True)
            refuse_own_account(by, list(people.values_list("member_id", flat=True)))
        if agrees and member.status == Member.Status.CLOSED:
            raise MemberIsClosed
        if agrees and (own.role == Role.CHILD or is_child(member_id, at)):
            raise ChildrenKeepTheirPoints
        if agrees == (own.points_shared_at is not None):
            return
        own.points_shared_at = at if agrees else None
        own.save(update_fields=["points_shared_at"])
        payload = {"household": own.household_id, "agrees": agrees}
        record([NewEntry("members.household_points_shared.v1", member_id, at, by, payload)])
        nudge()


def payers_for(member_id: int, at: datetime) -> QuerySet[HouseholdMember]:
    """Return the parts of those in a member's household who agreed to pay for the others, and may spend points now.

    Left out is who is frozen for spending, has left, was merged into another, waits to be erased, or is a child by their
    birthday. Somebody's wish, standing and part in the household change under the lock of that member only.
    """
    today = at.astimezone(programme().tz).date()
    youngest = today.replace(year=today.year - ADULT_YEARS, day=min(today.day, 28) if today.month == 2 else today.day)
    erasure = PrivacyRequest.objects.filter(
        member=OuterRef("member"), kind=PrivacyRequest.Kind.ERASURE, state=PrivacyRequest.State.WAITING
    )
    return sharing_points(member_id).filter(
        Q(member__status=Member.Status.ACTIVE) | Q(member__status=Member.Status.FROZEN, member__frozen_but_spends=True),
        Q(member__person__birthday__isnull=True) | Q(member__person__birthday__lte=youngest),
        ~Exists(erasure),
        member__merged_into__isnull=True,
    )


def sharing_points(member_id: int) -> QuerySet[HouseholdMember]:
    """Return the parts of the others in a member's household who agreed to pay for it, whether they may now or not."""
    others = HouseholdMember.objects.filter(
        household__people__member_id=member_id, household__people__left_at__isnull=True
    )
    return others.filter(left_at__isnull=True, points_shared_at__isnull=False).exclude(member_id=member_id)


def hold_household(*, member_id: int) -> list[int]:
    """Keep a member and all who live in the same household as they are until the end of the transaction; return who.

    They are locked in ascending order, and against whatever else is told of them. Who joins beside us is not among them,
    nor is who was merged into another: what is told in such a name locks it before the survivor.
    """
    people = HouseholdMember.objects.filter(
        household__people__member_id=member_id, household__people__left_at__isnull=True, left_at__isnull=True,
        member__merged_into__isnull=True,
    )  # fmt: skip
    return [member.pk for member in _locked(*{member_id, *people.values_list("member_id", flat=True)})]


def _locked(*member_ids: int) -> list[Member]:
    """Return the members, locked in ascending order. Raises `NotFound`."""
    rows = Member.objects.select_for_update(no_key=True).filter(pk__in=member_ids).order_by("pk")
    members = list(rows)
    if len(members) != len(member_ids):
        raise NotFound
    return members


def _part_of(member_id: int) -> HouseholdMember | None:
    return HouseholdMember.objects.filter(member_id=member_id, left_at__isnull=True).first()


def _enter(household: Household, member_id: int, role: HouseholdMember.Role, by: Actor, at: datetime) -> None:
    HouseholdMember.objects.create(
        household=household, member_id=member_id, role=role, agreed_at=at, actor_kind=by.kind, actor_id=by.id
    )
    payload = {"household": household.pk, "role": str(role)}
    record([NewEntry("members.household_joined.v1", member_id, at, by, payload)])


def _go(part: HouseholdMember, by: Actor, at: datetime, words: str) -> None:
    part.left_at = at
    part.save(update_fields=["left_at"])
    payload = {"household": part.household_id, "reason": words}
    record([NewEntry("members.household_left.v1", part.member_id, at, by, payload)])
