"""Vouchers that a benefit promises: issued from the template it names, once for each use of an entitlement.

The voucher's public id is derived from the entitlement and the number of the use, with a secret, so that telling it again
issues nothing and nobody can guess it. Who holds as many unused ones as one may gets no more; the timeline says so.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from members import timeline
from members.actors import Actor
from members.models import Member, TimelineEntry
from rewards.events_vouchers import vouchers_left_out
from rewards.models import Voucher, VoucherTemplate
from rewards.services.orders import hold_bearer
from rewards.services.secret_codes import derived_id
from rewards.services.voucher_issue import VoucherNotIssued, issue_vouchers
from rewards.vouchers_held import held_by


class VoucherTemplateMissing(Exception):
    """A benefit names a template that does not exist, or issues no more; the entry waits with the parked ones until it does."""


def voucher_id_for(*, entitlement_id: int, number: int) -> UUID:
    """Return the public id of the voucher for one use (1 is the first) of an entitlement."""
    return derived_id("benefit-voucher", entitlement_id, number)


def issue_due_vouchers(*, entries: Sequence[TimelineEntry], by: Actor) -> int:
    """Issue what entries about entitlements say is due; return how many vouchers are new. Members who left get none.

    Raises VoucherTemplateMissing.
    """
    issued = 0
    for entry in entries:
        due = entry.payload.get("vouchers")
        if due and entry.member_id is not None:
            issued += _issue(
                member_id=entry.member_id, entitlement_id=entry.payload["entitlement"], template_code=due["template"],
                numbers=range(due["first"], due["first"] + due["count"]), by=by, at=entry.happened_at,
            )  # fmt: skip
    return issued


@transaction.atomic
def _issue(
    *, member_id: int, entitlement_id: int, template_code: str, numbers: Sequence[int], by: Actor, at: datetime
) -> int:
    template = VoucherTemplate.objects.filter(code=template_code).first()
    if template is None:
        raise VoucherTemplateMissing(template_code)
    if template.most_held is not None:  # batches of the template count as well, and hold members as we do
        VoucherTemplate.objects.select_for_update(no_key=True).only("pk").get(pk=template.pk)
    bearer = hold_bearer(member_id)
    if Member.objects.filter(pk=bearer, status=Member.Status.CLOSED).exists():
        return 0
    rows = [(bearer, voucher_id_for(entitlement_id=entitlement_id, number=number)) for number in numbers]
    room = _room_for(template, bearer, rows, at)
    try:
        issued = issue_vouchers(
            template=template,
            rows=rows[:room],
            origin=Voucher.Origin.BENEFIT,
            origin_ref=f"entitlement:{entitlement_id}",
            by=by,
            at=at,
        )
    except VoucherNotIssued as refusal:
        raise VoucherTemplateMissing(template_code) from refusal
    if room < len(rows) and template.most_held is not None:
        timeline.record([
            vouchers_left_out(
                template_id=template.pk, member_id=bearer, entitlement_id=entitlement_id, vouchers=len(rows) - room,
                most=template.most_held, happened_at=at, by=by,
            )
        ])  # fmt: skip
    return len(issued)


def _room_for(template: VoucherTemplate, member_id: int, rows: Sequence[tuple[int, UUID]], at: datetime) -> int:
    """Return how many of the rows a member may hold, those of them that were issued before included. The member is locked."""
    if template.most_held is None:
        return len(rows)
    known = Voucher.objects.filter(public_id__in=[public_id for _member, public_id in rows]).count()
    free = max(0, template.most_held - held_by(template, [member_id], at=at).get(member_id, 0))
    return min(len(rows), known + free)
