"""What waits on the desks of the demo's staff when the trade is over: freezes, farewells, risks, files in and out."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from config.demo.alike import tell_alike, those_alike
from config.demo.business import MENU
from config.demo.people import GIVEN, SURNAMES
from config.demo.scenes import Scene, Scenes
from members import proposals
from members.actors import Actor
from members.models import (
    Channel,
    ConsentEntry,
    JobFile,
    Member,
    MemberExport,
    MemberImport,
    OwnMembership,
    RiskReview,
    Segment,
    Store,
    Tag,
)
from members.refusals import Refusal
from members.services.closing import ask_to_leave, stay_after_all
from members.services.exports import Wanted, propose_export
from members.services.imports.checking import Choices, check_import
from members.services.imports.deciding import propose_import
from members.services.imports.fields import guess
from members.services.imports.files import take_in
from members.services.jobs import take_file
from members.services.privacy import request_copy, request_erasure
from members.services.risk import release_review, run_rules
from members.services.status import freeze_member
from members.services.tag_batches import propose_tagging
from rewards.models import Purchase
from rewards.services.payers import payer_hash
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.returns import Return, record_return

#: Members whom the file of the shop that was taken over brings in.
IMPORTED = 36
_HEADER = "会员号,姓名,手机,邮箱,生日,入会日期,积分"
_LATTE = next(article for article in MENU if article.sku == "C-LAT")
_BEANS = next(article for article in MENU if article.sku == "R-BEA")
Act = Member.Act


class Cases(Scenes):
    """Scenes that change what a member may do, or that wait for somebody. Played in their order, after the last order."""

    chosen: frozenset[int] = frozenset()

    def planned(self) -> list[Scene]:
        """Return the scenes of the last hours."""
        scenes = (
            (170, self._look_for_risk), (150, self._freeze), (130, self._farewells), (110, self._wishes), (95, self._duplicates),
            (80, self._import), (60, self._import_that_waits), (45, self._exports), (25, self._tag_that_waits),
        )  # fmt: skip
        return [Scene(self.now - timedelta(minutes=minutes), play) for minutes, play in scenes]

    def _quiet_members(self, at: datetime, count: int) -> list[Member]:
        """Return members of whom nothing is open, others each time."""
        passed = self.chosen | those_alike(self.people)
        buyers = self._buyers(at, count + len(passed) + 6)
        found = [one for one in buyers if one.pk not in passed and not one.households.exists()][:count]
        self.chosen |= {one.pk for one in found}
        return found

    # --- Risks and freezes --------------------------------------------------------------------------------------------
    def _look_for_risk(self, at: datetime) -> None:
        """Yesterday one bought eight times within the hour, a colleague rang up her own coffees, one brought most things back,
        and one account paid for four.
        """
        members = self._quiet_members(at, 7)
        if len(members) < 7:
            return
        # Who bought least before: of the others three things are not most.
        regretful, hasty, own, *paid_for = sorted(members, key=lambda one: Purchase.objects.filter(member=one).count())
        OwnMembership.objects.get_or_create(operator_id=self.staff["store"].id or 0, member=own)
        for number in range(8):
            self._buy(hasty, self._when(1, 15, 3 + 6 * number), f"RA{number}")
        for number in range(5):
            self._buy(own, self._when(1, 10 + number, 25), f"RB{number}")
        bought = [self._buy(regretful, self._when(4, 11 + number, 40), f"RC{number}", dear=True) for number in range(3)]
        for number, order in enumerate(bought):
            returned_at = self._when(1, 17, 10 + 5 * number)
            ret = Return(
                source="till", external_return_no=f"R-{order.external_order_no}", external_order_no=order.external_order_no,
                channel_id=order.channel_id, store_id=order.store_id, returned_at=returned_at,
            )  # fmt: skip
            record_return(ret=ret, by=Actor("system"), at=returned_at, quiet=True)
        for number, member in enumerate(paid_for):
            self._buy(member, self._when(1, 19, 5 + 9 * number), f"RD{number}", payer=payer_hash("wx-4417-0926"))
        run_rules(at=at)
        usual = (
            RiskReview.objects.filter(state=RiskReview.State.WAITING).exclude(member__in=members).order_by("pk").first()
        )
        if usual is not None:
            release_review(
                review_id=usual.pk,
                reason="公司团购，门店已核实",
                by=self.staff["supervisor"],
                at=at + timedelta(minutes=9),
            )

    def _buy(
        self, member: Member, at: datetime, number: str, *, dear: bool = False, payer: bytes | None = None
    ) -> Order:
        store = Store.objects.get(code="SH01")
        article = _BEANS if dear else _LATTE
        order = Order(
            source="till", external_order_no=f"{store.code}-{at.astimezone(self.tz):%y%m%d}-{number}", member_id=member.pk,
            channel_id=Channel.objects.get(code="till").pk, store_id=store.pk, ordered_at=at,
            lines=(OrderLine(article.sku, article.name, Decimal(1), article.price, article.price, earns=True),), payer=payer,
        )  # fmt: skip
        record_purchase(order=order, by=Actor("system"), at=at, quiet=True)
        return order

    def _freeze(self, at: datetime) -> None:
        by = self.staff["supervisor"]
        for member, acts, days, reason in zip(
            self._quiet_members(at, 2),
            ((Act.SPEND, Act.SIGN_IN), tuple(Act)),
            (14, 30),
            ("来电称账号被盗用，等待核实", "多次异常退货，待门店说明"),
            strict=False,
        ):
            release_at = (
                (at + timedelta(days=days)).astimezone(self.tz).replace(hour=0, minute=0, second=0, microsecond=0)
            )
            freeze_member(member_id=member.pk, reason=reason, release_at=release_at, acts=acts, by=by, at=at)

    # --- Leaving, data, duplicates ------------------------------------------------------------------------------------
    def _farewells(self, at: datetime) -> None:
        by = self.staff["supervisor"]
        members = self._quiet_members(at, 3)
        for member, reason, note in zip(
            members, ("moved_away", "too_many_messages", "no_benefit"), ("搬去外地", "", "希望保留积分"), strict=False
        ):
            ask_to_leave(member_id=member.pk, reason=reason, note=note, by=by, at=at)
        for member in members[2:]:
            stay_after_all(member_id=member.pk, by=by, at=at + timedelta(minutes=15))

    def _wishes(self, at: datetime) -> None:
        by = self.staff["supervisor"]
        members = self._quiet_members(at, 2)
        for member in members[:1]:
            request_copy(member_id=member.pk, way=ConsentEntry.Way.CALL, by=by, at=at)
            self._work_off(at)
        for member in members[1:]:
            request_erasure(member_id=member.pk, way=ConsentEntry.Way.PAPER, by=by, at=at)

    def _duplicates(self, at: datetime) -> None:
        tell_alike(self.people, by=self.staff["supervisor"], at=at)

    # --- Files in and out ---------------------------------------------------------------------------------------------
    def _rows(self, prefix: str, count: int) -> list[str]:
        rows = []
        for number in range(1, count + 1):
            name = self.random.choice(SURNAMES) + self.random.choice(GIVEN) + self.random.choice(GIVEN)
            birthday = date(self.random.randint(1965, 2005), self.random.randint(1, 12), self.random.randint(1, 28))
            joined = date(2023, self.random.randint(1, 12), self.random.randint(1, 28))
            if number % 4 == 0:  # who has bought nothing at ours yet
                joined = (self.now.astimezone(self.tz) - timedelta(days=self.random.randint(2, 25))).date()
            points = self.random.choice([0, 60, 120, 180, 240, 360, 520])
            phone = f"199{self.random.randrange(10**8):08}"
            rows.append(f"{prefix}{number:04},{name},{phone},,{birthday:%Y/%m/%d},{joined:%Y/%m/%d},{points}")
        return rows

    def _checked(self, name: str, rows: Sequence[str], issuer: str, at: datetime) -> MemberImport:
        by = self.staff["supervisor"]
        content = "\n".join([_HEADER, *rows]).encode("utf-8-sig")
        made = take_in(name=name, pieces=[content], by=by, at=at)
        choices = Choices(
            on_known=MemberImport.OnKnown.MERGE, issuer=issuer, channel_id=Channel.objects.get(code="import").pk,
            home_store_id=Store.objects.get(code="SZ01").pk, joined_date=at.astimezone(self.tz).date(),
        )  # fmt: skip
        check_import(import_id=made.pk, fields=guess(made.columns), choices=choices, by=by, at=at)
        self._work_off(at)
        return made

    def _import(self, at: datetime) -> None:
        """The members of a coffee shop that was taken over: most are new, one is known, five rows can not be used."""
        rows = self._rows("ML", IMPORTED)
        known = self._quiet_members(at, 1)
        rows += [f"ML0{900 + number},,{member.person.phone},,,,100" for number, member in enumerate(known)]
        rows += [
            "ML0991,周小北,1380013800,,,,",
            "ML0992,吴桐,,wutong(at)example.com,,,50",
            "ML0993,郑一,19912345678,,1990/13/40,,",
            "ML0994,孙月,19912345679,,,,一百",
            ",钱来,,,,,30",
        ]
        made = self._checked("木兰咖啡-会员导出.csv", rows, "mulan-pos", at)
        asked = propose_import(
            import_id=made.pk,
            reason="平江路店并入，会员迁移",
            by=self.staff["supervisor"],
            at=at + timedelta(minutes=4),
        )
        done_at = at + timedelta(minutes=11)
        proposals.approve(proposal_id=asked.proposal_id, by=self.staff["supervisor2"], at=done_at, reason="已核对名单")
        self._work_off(done_at)

    def _import_that_waits(self, at: datetime) -> None:
        made = self._checked("观前街店-手工登记表.csv", self._rows("GQ", 18), "paper-forms", at)
        propose_import(
            import_id=made.pk, reason="停电期间的纸质登记", by=self.staff["supervisor"], at=at + timedelta(minutes=3)
        )

    def _exports(self, at: datetime) -> None:
        by = self.staff["marketing"]
        fields = ["member_no", "full_name", "phone", "home_store", "joined_at"]
        for minutes, purpose, segment_name in (
            (0, "给门店核对周年邀请名单", "滨江店周年邀请"),
            (12, "沉睡会员电话回访抽样", "沉睡"),
        ):
            segment = Segment.objects.filter(name__startswith=segment_name, state=Segment.State.READY).first()
            if segment is None:
                continue
            wanted = Wanted(purpose=purpose, fields=fields, segment_id=segment.pk)
            try:
                propose_export(wanted=wanted, by=by, at=at + timedelta(minutes=minutes))
            except Refusal:
                continue  # of few members nobody sleeps
        self._work_off(at)
        self._labels_for_parcels(at)

    def _labels_for_parcels(self, at: datetime) -> None:
        """Phone numbers in full leave once a second administrator has approved it; the file is taken."""
        segment = Segment.objects.filter(name="滨江店周年邀请", state=Segment.State.READY).first()
        if segment is None:
            return
        by = self.staff["admin"]
        wanted = Wanted(
            purpose="寄送周年礼盒的快递面单",
            fields=["full_name", "phone", "home_store"],
            segment_id=segment.pk,
            is_unmasked=True,
        )
        export, asked = propose_export(wanted=wanted, by=by, at=at - timedelta(days=2))
        done_at = at - timedelta(days=2) + timedelta(minutes=40)
        proposals.approve(
            proposal_id=asked.proposal_id, by=self.staff["admin2"], at=done_at, reason="仅限本次寄送，寄出后删除"
        )
        self._work_off(done_at)
        job = MemberExport.objects.select_related("job").get(pk=export.pk).job
        if job is not None:
            take_file(
                job_id=job.pk,
                role=JobFile.Role.RESULT,
                by=by,
                at=done_at + timedelta(minutes=6),
                ip_address="10.20.3.14",
            )

    def _tag_that_waits(self, at: datetime) -> None:
        segment = Segment.objects.filter(is_of_tag=False, state=Segment.State.READY, name__contains="生日").first()
        tag = Tag.objects.filter(code="birthday_gift").first()
        if segment is not None and tag is not None and segment.members_count:
            propose_tagging(
                tag_id=tag.pk, segment_id=segment.pk, reason="本月生日会员备礼", by=self.staff["marketing"], at=at
            )
