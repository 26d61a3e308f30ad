"""What tests of vouchers that come to members begin with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission

from members.actors import SYSTEM
from members.models import Member, Operator, Proposal, Segment, TimelineEntry
from members.services.segment_jobs import put_on_list
from rewards.models import (
    Voucher,
    VoucherBatch,
    VoucherBudget,
    VoucherClaim,
    VoucherEvent,
    VoucherGift,
    VoucherGoodwill,
    VoucherOffer,
    VoucherTemplate,
)
from rewards.services.voucher_issue import issue_vouchers
from rewards.services.voucher_offers import begin_draft
from tests.factories.catalogue import a_template
from tests.factories.orders import NOON
from tests.factories.portal import an_operator

BEFORE = NOON - timedelta(days=1)
RIGHTS = ("issue_batch", "give_voucher", "extend_voucher", "void_voucher", "run_voucheroffer")


def may_issue(operator: Operator, *rights: str) -> Operator:
    """Let an operator issue vouchers, and approve proposals."""
    wanted = Permission.objects.filter(codename__in=[*(rights or RIGHTS), "approve_proposal"])
    operator.user_permissions.add(*wanted)
    return Operator.objects.get(pk=operator.pk)


def issuer(role: str = "service") -> Operator:
    """Return an operator with the limits of a role (service: 100 each time, 500 a day) and every right to issue vouchers."""
    return may_issue(an_operator(role))


def a_list_of(members: Sequence[Member], name: str = "Some", *, at: datetime = BEFORE) -> Segment:
    """Return a fixed list of members that can be used."""
    segment = Segment.objects.create(
        name=name, kind=Segment.Kind.STATIC, state=Segment.State.READY, number=1, created_at=at
    )
    put_on_list(segment_id=segment.pk, member_ids=[member.pk for member in members], cause="list", at=at)
    return segment


def an_offer(template: VoucherTemplate | None = None, **changes: Any) -> VoucherOffer:
    """Return an offer that runs from the day before noon, claimed by the button and by scanning unless told otherwise."""
    values: dict[str, Any] = {
        "name": "Welcome", "template": template or a_template(), "begins_at": BEFORE, "by_scan": True,
        "state": VoucherOffer.State.RUNNING, **changes,
    }  # fmt: skip
    offer = VoucherOffer(**values)
    begin_draft(offer, at=BEFORE)
    offer.save()
    return offer


def a_voucher(member: Member, template: VoucherTemplate | None = None, *, at: datetime = NOON) -> Voucher:
    """Return a voucher that was issued to a member."""
    (voucher_id,) = issue_vouchers(
        template=template or a_template(), rows=[(member.pk, uuid4())], origin=Voucher.Origin.STAFF, by=SYSTEM, at=at
    )
    return Voucher.objects.select_related("template").get(pk=voucher_id)


def stand() -> dict[str, Any]:
    """Return what a refusal must leave as it is."""
    models = (
        Voucher, VoucherEvent, VoucherBudget, VoucherBatch, VoucherOffer, VoucherClaim, VoucherGift, VoucherGoodwill, Proposal,
    )  # fmt: skip
    found: dict[str, Any] = {model.__name__: list(model.objects.order_by("pk").values()) for model in models}
    found["timeline"] = TimelineEntry.objects.count()
    return found
