"""What the demo's staff did with points in the last weeks: adjustments, corrections, transfers, gifts, exchanges, lists.

Each scene happens at its moment, through the services that the portal's pages call, by the accounts that can sign in.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from config.demo.business import Names, texts
from config.demo.scenes import Scene, Scenes
from members import proposals
from members.services.jobs import run_job
from rewards.models import (
    Adjustment,
    AdjustmentBatch,
    CharityProject,
    Direction,
    Partner,
    PartnerConversion,
    PartnerRate,
    PointsAccount,
    Purchase,
)
from rewards.services.adjustment_batches import propose_batch
from rewards.services.adjustment_files import read_batch
from rewards.services.adjustments import propose_adjustment, propose_missing_points, propose_write_off
from rewards.services.conversions import propose_conversion
from rewards.services.corrections import LEAVE, RESTORE, propose_correction
from rewards.services.donations import propose_donation
from rewards.services.missing_points import missing_points
from rewards.services.partner_files import export_conversions, read_answer, read_incoming
from rewards.services.transfers import propose_transfer

#: More points than a supervisor gives alone.
MORE_THAN_ALONE = 6_000
#: The earliest scene is so many days ago.
DAYS = 34
PROJECT: Names = ("山区孩子的早餐", "山區孩子的早餐", "Breakfast for children in the mountains")
PROJECT_TEXT: Names = (
    "每100积分为山区小学提供一份早餐。",
    "每100積分為山區小學提供一份早餐。",
    "100 points give a child at a mountain school one breakfast.",
)
AIRLINE: Names = ("云鹊航空", "雲鵲航空", "Cloud Magpie Airlines")
MILES: Names = ("里程", "里程", "miles")

# days ago, hour, points, reason, note
ADJUSTMENTS = [
    (33, 10, 200, "goodwill", ""), (31, 15, 100, "service-failure", ""), (29, 11, 300, "event", "社区手冲课到场奖励"),
    (27, 16, 150, "goodwill", ""), (24, 9, 500, "prize", "开业周抽奖三等奖"), (22, 14, -60, "granted-in-error", "同一活动发了两次"),
    (20, 10, 80, "service-failure", ""), (18, 17, 120, "goodwill", ""), (15, 11, 260, "event", "拉花比赛参赛奖励"),
    (13, 13, 40, "system-error", "收银机断网，补记积分"), (9, 10, 200, "goodwill", ""), (6, 15, -50, "granted-in-error", "录入了他人的会员号"),
    (4, 12, 100, "service-failure", ""), (2, 16, 300, "prize", "周末转盘二等奖"), (1, 11, 90, "goodwill", ""),
]  # fmt: skip


class PointsByHand(Scenes):
    """The scenes of the last weeks in which staff move points."""

    def planned(self) -> list[Scene]:
        """Return what was decided, what was moved, and what waits."""
        return [*self._decided(), *self._moved(), *self._waiting()]

    # --- Decided ------------------------------------------------------------------------------------------------------
    def _decided(self) -> list[Scene]:
        scenes = [
            Scene(self._when(days, hour), partial(self._adjust, points=points, reason=reason, note=note))
            for days, hour, points, reason, note in ADJUSTMENTS
        ]
        return [
            *scenes,
            Scene(self._when(12, 10), self._approved),
            Scene(self._when(8, 15), self._refused),
            Scene(self._when(7, 11), self._given_twice),
            Scene(self._when(5, 14), self._taken_from_the_wrong_one),
            Scene(self._when(3, 10), self._missing),
            Scene(self._when(10, 9), self._list_of_a_raffle),
            Scene(self._when(2, 9), self._arrears),
        ]

    def _adjust(self, at: datetime, points: int, reason: str, note: str, by: str = "service") -> None:
        for member in self._buyers(at, 1, points=max(-points, 0)):
            propose_adjustment(
                member_id=member.pk, points=points, reason_code=reason, note=note, by=self.staff[by], at=at
            )

    def _approved(self, at: datetime) -> None:
        """Above what an agent gives alone: a supervisor approves two hours later."""
        for member in self._buyers(at, 1):
            asked = propose_adjustment(
                member_id=member.pk, points=1_200, reason_code="goodwill", note="生日蛋糕送错，客人很失望", by=self.staff["service"], at=at
            )  # fmt: skip
            proposals.approve(
                proposal_id=asked.proposal_id, by=self.staff["supervisor"], at=at + timedelta(hours=2), reason="已与门店核实"
            )  # fmt: skip

    def _refused(self, at: datetime) -> None:
        for member in self._buyers(at, 1):
            asked = propose_adjustment(
                member_id=member.pk, points=3_000, reason_code="other", note="客人要求补偿等候时间", by=self.staff["service2"], at=at
            )  # fmt: skip
            proposals.refuse(
                proposal_id=asked.proposal_id, by=self.staff["supervisor"], at=at + timedelta(hours=1),
                reason="等候15分钟不适用此金额，请按服务失误补偿100分",
            )  # fmt: skip

    def _given_twice(self, at: datetime) -> None:
        for member in self._buyers(at, 1):
            for minutes in (0, 3):
                asked = propose_adjustment(
                    member_id=member.pk, points=200, reason_code="event", note="咖啡品鉴会到场奖励", by=self.staff["service2"],
                    at=at + timedelta(minutes=minutes),
                )  # fmt: skip
            self._correct(asked.proposal_id, LEAVE, "同一活动录入了两次", at + timedelta(hours=3))

    def _taken_from_the_wrong_one(self, at: datetime) -> None:
        for member in self._buyers(at, 1, points=150):
            asked = propose_adjustment(
                member_id=member.pk, points=-150, reason_code="granted-in-error", note="误发的活动积分", by=self.staff["service"], at=at
            )  # fmt: skip
            self._correct(asked.proposal_id, RESTORE, "扣错了会员", at + timedelta(hours=1))

    def _correct(self, proposal_id: int, choice: str, reason: str, at: datetime) -> None:
        posted = Adjustment.objects.get(proposal_id=proposal_id).transaction_id
        propose_correction(transaction_id=posted, choice=choice, reason=reason, by=self.staff["supervisor"], at=at)

    def _missing(self, at: datetime) -> None:
        """Orders of guests who had forgotten their card."""
        orders = Purchase.objects.filter(
            member=None, eligible_amount__range=(20, 200), ordered_at__lt=at, ordered_at__gt=at - timedelta(days=5)
        )
        members = self._buyers(at, 2)
        for member, order in zip(members, orders.order_by("-ordered_at", "pk")[:2], strict=False):
            found = missing_points(member_id=member.pk, order_no=order.external_order_no)
            propose_missing_points(
                member_id=member.pk, order_no=order.external_order_no, points=found.points, reason_code="missing-points",
                note="", by=self.staff["service"], at=at,
            )  # fmt: skip

    def _list_of_a_raffle(self, at: datetime) -> None:
        """A list within a supervisor's limits; the last row takes points that the member does not have any more."""
        rows = [(member.member_no, 120, "prize", "集章抽奖") for member in self._buyers(at, 25)]
        empty = PointsAccount.objects.filter(currency__code="points", available=0).order_by("pk").first()
        if empty is not None:
            rows.append((empty.member.member_no, -30, "granted-in-error", "集章卡作废"))
        batch = self._read("集章抽奖中奖名单.csv", rows, "supervisor", at)
        propose_batch(batch_id=batch.pk, reason="集章活动中奖名单", by=self.staff["supervisor"], at=at)
        job_id = AdjustmentBatch.objects.get(pk=batch.pk).job_id
        if job_id is not None:
            run_job(job_id=job_id, worker="demo", clock=lambda: at + timedelta(minutes=1))

    def _read(self, name: str, rows: Sequence[tuple[str, int, str, str]], by: str, at: datetime) -> AdjustmentBatch:
        lines = ["member,points,reason,note", *(",".join(map(str, row)) for row in rows)]
        return read_batch(name=name, content="\n".join(lines).encode(), by=self.staff[by], at=at)

    def _arrears(self, at: datetime) -> None:
        """Somebody owes points after a return; a colleague forgives them."""
        owing = PointsAccount.objects.filter(currency__code="points", debt__gt=0).order_by("-debt", "pk").first()
        if owing is not None:
            asked = propose_write_off(
                member_id=owing.member_id, points=owing.debt, reason="退货由门店原因造成，免除欠分", by=self.staff["supervisor"], at=at
            )  # fmt: skip
            proposals.approve(
                proposal_id=asked.proposal_id, by=self.staff["supervisor2"], at=at + timedelta(minutes=40)
            )

    # --- Moved --------------------------------------------------------------------------------------------------------
    def _moved(self) -> list[Scene]:
        return [
            *(Scene(self._when(days, 16, 30), self._transfer) for days in (26, 17, 11, 3)),
            *(Scene(self._when(days, 13, 45), self._donate) for days in range(30, 0, -2)),
            Scene(self._when(21, 11), self._exchange),
            Scene(self._when(20, 9), self._export),
            Scene(self._when(16, 10), self._answer),
            Scene(self._when(14, 10), self._incoming),
            Scene(self._when(1, 17), self._exchange),
        ]

    def _transfer(self, at: datetime) -> None:
        pair = [*self._buyers(at, 1, points=400), *self._buyers(at, 1)]
        if len(pair) == 2 and pair[0] != pair[1]:
            propose_transfer(
                sender_id=pair[0].pk, receiver_id=pair[1].pk, points=self.random.choice([100, 200, 300]), reason="家人转赠",
                by=self.staff["service"], at=at,
            )  # fmt: skip

    def _donate(self, at: datetime) -> None:
        project, _ = CharityProject.objects.get_or_create(
            name_en=PROJECT[2],
            defaults={
                **texts("name", PROJECT), **texts("description", PROJECT_TEXT), "starts_at": self._when(DAYS, 0, 0),
                "target_points": 20_000,
            },
        )  # fmt: skip
        for member in self._buyers(at, 2, points=300):
            propose_donation(
                member_id=member.pk, project_id=project.pk, points=self.random.choice([50, 100, 100, 200]), reason="会员来电捐赠",
                by=self.staff["service2"], at=at,
            )  # fmt: skip

    def _partner(self) -> Partner:
        partner, is_new = Partner.objects.get_or_create(
            code="cloud-magpie",
            defaults={**texts("name", AIRLINE), **texts("unit_name", MILES), "min_points": 500, "step_points": 100},
        )
        if is_new:
            for direction in Direction:
                PartnerRate.objects.create(
                    partner=partner, direction=direction, valid_from=self._when(DAYS, 0, 0), points=10, units=1
                )
        return partner

    def _exchange(self, at: datetime) -> None:
        partner = self._partner()
        for number, member in enumerate(self._buyers(at, 5, points=500)):
            propose_conversion(
                member_id=member.pk, partner_id=partner.pk, points=500, partner_account=f"CM {at:%m%d}{number + 1:04}",
                reason="会员要求兑换里程", by=self.staff["supervisor"], at=at + timedelta(minutes=7 * number),
            )  # fmt: skip

    def _export(self, at: datetime) -> None:
        partner = self._partner()
        if PartnerConversion.objects.filter(partner=partner, state=PartnerConversion.State.PENDING).exists():
            export_conversions(partner_id=partner.pk, by=self.staff["finance"], at=at)

    def _answer(self, at: datetime) -> None:
        """The airline books all but the last, whose number it does not know."""
        partner = self._partner()
        sent = PartnerConversion.objects.filter(partner=partner, state=PartnerConversion.State.EXPORTED).order_by("pk")
        refs = list(sent.values_list("line_ref", flat=True))
        lines = [
            "ref,result,reason",
            *(f"{ref},ok," for ref in refs[:-1]),
            *(f"{ref},rejected,查无此会员号" for ref in refs[-1:]),
        ]
        if refs:
            read_answer(
                partner_id=partner.pk, name=f"answer-{at:%Y%m%d}.csv", content="\n".join(lines).encode(), by=self.staff["finance"],
                at=at, dry_run=False,
            )  # fmt: skip

    def _incoming(self, at: datetime) -> None:
        members = self._buyers(at, 3)
        lines = [
            "ref,member,units",
            *(f"CMIN-{at:%m%d}-{n},{member.member_no},{n * 20}" for n, member in enumerate(members, 1)),
        ]
        read_incoming(
            partner_id=self._partner().pk, name=f"incoming-{at:%Y%m%d}.csv", content="\n".join(lines).encode(),
            by=self.staff["finance"], at=at, dry_run=False,
        )  # fmt: skip

    # --- Waiting ------------------------------------------------------------------------------------------------------
    def _waiting(self) -> list[Scene]:
        """Three proposals that somebody else decides."""
        return [
            Scene(
                self.now - timedelta(hours=5),
                partial(self._adjust, points=8_000, reason="prize", note="年度咖啡师大赛一等奖"),
            ),
            Scene(
                self.now - timedelta(hours=2),
                partial(self._adjust, points=900, reason="goodwill", note="外卖漏送两次", by="service2"),
            ),
            Scene(self.now - timedelta(minutes=50), self._list_that_waits),
        ]

    def _list_that_waits(self, at: datetime) -> None:
        members = self._buyers(at, 30)
        each = max(250, MORE_THAN_ALONE // max(len(members), 1))
        rows = [(member.member_no, each, "event", "会员感恩日到场奖励") for member in members]
        if rows:
            rows += [("M-0000", each, "event", "会员感恩日到场奖励"), (rows[0][0], 0, "event", "会员感恩日到场奖励")]
            batch = self._read("会员感恩日名单.csv", rows, "supervisor", at)
            propose_batch(batch_id=batch.pk, reason="会员感恩日到场名单", by=self.staff["supervisor"], at=at)
