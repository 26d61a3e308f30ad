"""What is done with claims and gifts of vouchers of one person: the copy of them, and what ends at an erasure."""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.lifecycle import Part, Section, register_part
from rewards.models import VoucherClaim, VoucherGift
from rewards.services.voucher_gifts import cancel_gift


def register() -> None:
    """Register the part, before the one that ends vouchers. Called once, from `AppConfig.ready()`."""
    register_part(Part("rewards.vouchers", export=export, erase=erase))


def export(member_id: int, at: datetime) -> list[Section]:
    """Return the copy of what a member claimed, gave and was given."""
    claims = VoucherClaim.objects.filter(member=member_id).select_related("offer", "store").order_by("pk")
    gifts = VoucherGift.objects.filter(Q(giver=member_id) | Q(receiver=member_id)).select_related("voucher__template")
    return [
        Section(
            "voucher_claims",
            _("Vouchers claimed"),
            ("offer", "way", "store", "claimed_at"),
            [
                [str(row.offer), str(row.get_way_display()), str(row.store or ""), row.claimed_at]
                for row in claims.iterator(chunk_size=2_000)
            ],
            (_("offer"), _("way"), _("store"), _("claimed at")),
        ),
        Section(
            "voucher_gifts",
            _("Vouchers given to friends and received from them"),
            ("voucher", "direction", "state", "offered_at", "closed_at"),
            [
                [
                    str(row.voucher.template), "out" if row.giver_id == member_id else "in", str(row.get_state_display()),
                    row.offered_at, row.closed_at,
                ]
                for row in gifts.order_by("pk")
            ],
            (_("voucher"), _("direction"), _("state"), _("offered at"), _("closed at")),
        ),
    ]  # fmt: skip


def erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Take the offers to friends back that are open; the vouchers end with the others. Return how many."""
    opened = VoucherGift.objects.filter(voucher__member=member_id, state=VoucherGift.State.OFFERED)
    vouchers = list(opened.order_by("voucher_id").values_list("voucher_id", flat=True))
    for voucher_id in vouchers:
        cancel_gift(member_id=member_id, voucher_id=voucher_id, by=by, at=at)
    return {"voucher_gifts": len(vouchers)}
