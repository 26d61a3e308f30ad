"""Points that staff moved by hand: one of each sort."""

from datetime import datetime, timedelta

from django.contrib.auth.models import Permission

from members.actors import SYSTEM, Actor
from members.models import Member, Operator
from members.services.enrolment import enrol_member
from rewards.models import CharityProject, Direction, Partner, PartnerRate, ReasonCode, TransferPolicy
from rewards.services.adjustment_files import read_batch
from rewards.services.adjustments import propose_adjustment
from rewards.services.conversions import propose_conversion
from rewards.services.donations import propose_donation
from rewards.services.transfers import propose_transfer

RIGHTS = (
    "adjust_points", "correct_points", "write_off_arrears", "batch_adjust", "transfer_points", "donate_points", "convert_points",
    "exchange_partner_files", "approve_proposal",
)  # fmt: skip


def may_move_points(operator: Operator) -> Operator:
    """Give an operator every right to move points by hand, whatever the roles have."""
    rights = list(Permission.objects.filter(codename__in=RIGHTS))
    assert len(rights) == len(RIGHTS)
    operator.user_permissions.add(*rights)
    return Operator.objects.get(pk=operator.pk)


def a_partner(code: str, *, at: datetime) -> Partner:
    """Return a partner who takes 100 points for 10 miles and gives 50 points for 10 miles."""
    partner, made = Partner.objects.get_or_create(
        code=code, defaults={"name": f"Airline {code}", "unit_name": "miles", "min_points": 100, "step_points": 100}
    )
    if made:
        for direction, points in ((Direction.OUT, 100), (Direction.IN, 50)):
            PartnerRate.objects.create(
                partner=partner, direction=direction, valid_from=at - timedelta(days=400), points=points, units=10
            )
    return partner


def moved_by_hand(number: int, member: Member, operator: Operator, *, at: datetime) -> None:
    """Move points of a member with at least 400 in every way there is, and set up what that needs."""
    by = Actor("operator", may_move_points(operator).pk)
    reason = ReasonCode.objects.create(code=f"reason-{number}", label=f"Reason {number}", direction="both")
    project = CharityProject.objects.create(name=f"Project {number}", starts_at=at - timedelta(days=30))
    partner = a_partner(f"air-{number}", at=at)
    TransferPolicy.objects.update(is_enabled=True, min_points=10, cooldown_hours=0)
    friend = enrol_member(channel_id=member.channel_id, by=SYSTEM, at=at - timedelta(days=1))
    propose_adjustment(member_id=member.pk, points=25, reason_code=reason.code, note="test", by=by, at=at)
    propose_transfer(sender_id=member.pk, receiver_id=friend.pk, points=30, reason="a gift", by=by, at=at)
    propose_donation(member_id=member.pk, project_id=project.pk, points=20, reason="asked by phone", by=by, at=at)
    propose_conversion(
        member_id=member.pk, partner_id=partner.pk, points=100, partner_account=f"CA-{number}", reason="asked by phone", by=by, at=at
    )  # fmt: skip
    read_batch(
        name=f"{number}.csv",
        content=f"member,points,reason\n{member.member_no},5,{reason.code}\n".encode(),
        by=by,
        at=at,
    )
