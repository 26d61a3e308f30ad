"""What the demo's staff did with vouchers by hand: two batches, one of them taken back, and goodwill for single members."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from config.demo.scenes import Scene, Scenes
from members import proposals
from members.models import Proposal, Segment
from members.services.jobs import undo_job
from rewards.models import Voucher, VoucherBatch, VoucherTemplate
from rewards.services.voucher_batches import draw_up_batch, propose_batch
from rewards.services.voucher_goodwill import propose_extension, propose_give, propose_reissue, void_voucher

_SKIP: Final = VoucherBatch.Duplicates.SKIP
State = Voucher.State


class VouchersByHand(Scenes):
    """Batches and goodwill of the last weeks."""

    def planned(self) -> list[Scene]:
        """Return the batches, then what was done for single members."""
        return [
            Scene(self._when(4, 10), self._batch),
            Scene(self._when(3, 15), self._wrong_batch),
            Scene(self._when(6, 11), self._given),
            Scene(self._when(5, 16), self._extended),
            Scene(self._when(4, 14), self._reissued),
            Scene(self._when(2, 10), self._voided),
        ]

    # --- Batches ----------------------------------------------------------------------------------------------------
    def _batch(self, at: datetime) -> None:
        """For those whom a store has invited to its anniversary."""
        self._issue("afternoon-20", "滨江店周年邀请", "周年庆到店礼", at)

    def _wrong_batch(self, at: datetime) -> None:
        """The wrong segment: half an hour later all is taken back, as far as it was not used."""
        batch = self._issue("free-delivery", "华东常客", "外卖满月免配送费", at)
        if batch is not None and batch.job_id is not None:
            later = at + timedelta(minutes=35)
            undo_job(job_id=batch.job_id, by=self.staff["marketing"], at=later)
            self._work_off(later)

    def _issue(self, template: str, segment: str, reason: str, at: datetime) -> VoucherBatch | None:
        """Issue a template to a segment, after a colleague agreed where that is needed; None where nobody is in it."""
        found = Segment.objects.filter(name=segment, state=Segment.State.READY, members_count__gt=0).first()
        if found is None:
            return None
        by = self.staff["marketing"]
        batch = draw_up_batch(
            template_id=VoucherTemplate.objects.get(code=template).pk, segment_id=found.pk, duplicates=_SKIP, by=by, at=at
        )  # fmt: skip
        asked = propose_batch(batch_id=batch.pk, reason=reason, by=by, at=at)
        if Proposal.objects.get(pk=asked.proposal_id).state == Proposal.State.WAITING:
            proposals.approve(
                proposal_id=asked.proposal_id, by=self.staff["admin"], at=at + timedelta(minutes=10), reason="预算内，同意"
            )  # fmt: skip
        self._work_off(at + timedelta(minutes=12))
        batch.refresh_from_db()
        return batch

    # --- Goodwill ---------------------------------------------------------------------------------------------------
    def _given(self, at: datetime) -> None:
        croissant = VoucherTemplate.objects.get(code="free-croissant")
        for place, member in enumerate(self._buyers(at, 3)):
            propose_give(
                member_id=member.pk, template_id=croissant.pk, reason=("可颂烤糊", "等餐超过半小时", "外卖漏送")[place],
                by=self.staff["service" if place % 2 else "service2"], at=at + timedelta(hours=place),
            )  # fmt: skip

    def _extended(self, at: datetime) -> None:
        soon = Voucher.objects.filter(state=State.ISSUED, expires_at__gt=at, expires_at__lt=at + timedelta(days=12))
        for voucher in self._some(soon.order_by("expires_at", "pk"), 2):
            propose_extension(
                voucher_id=voucher.pk, until=voucher.expires_at + timedelta(days=14), reason="门店装修停业两周，顺延",
                by=self.staff["service"], at=at,
            )  # fmt: skip

    def _reissued(self, at: datetime) -> None:
        over = Voucher.objects.filter(state=State.EXPIRED, expires_at__gt=at - timedelta(days=20))
        for voucher in self._some(over.order_by("-expires_at", "pk"), 1):
            propose_reissue(
                voucher_id=voucher.pk, reason="券过期当天系统升级无法使用", by=self.staff["service2"], at=at
            )

    def _voided(self, at: datetime) -> None:
        by_mistake = Voucher.objects.filter(state=State.ISSUED, origin=Voucher.Origin.STAFF)
        for voucher in self._some(by_mistake.order_by("-pk"), 1):
            void_voucher(voucher_id=voucher.pk, reason="重复补发", by=self.staff["supervisor"], at=at)

    def _some(self, vouchers: QuerySet[Voucher], count: int) -> list[Voucher]:
        """Return the first of some vouchers, of members who are active and not told."""
        free = vouchers.exclude(member__in=self._told_ids()).filter(member__status="active", member__merged_into=None)
        return list(free[:count])
