"""The jobs of staff about vouchers, rewards and their orders, walked in Chromium by the role that has them, in Chinese."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from django.utils import timezone
from openpyxl import load_workbook
from playwright.sync_api import Locator, expect

from campaigns.channels.sms import MemorySms
from members.actors import Actor
from members.models import Member, MemberPerson, MemberSession, Proposal
from members.queries import cooling_until
from members.services.tokens import begin_session
from rewards.models import Redemption, RedemptionState, Reward, RewardPrice, Voucher, VoucherBatch, VoucherGoodwill
from rewards.services.addresses import checked_address
from rewards.services.redemptions import Wanted, redeem_reward
from rewards.services.vouchers import voucher_code
from tests.factories.api import make_till
from tests.factories.catalogue import a_template
from tests.factories.catalogue import a_voucher as voucher_of
from tests.factories.fulfilment import a_gift
from tests.factories.portal import a_named_member, an_operator
from tests.factories.segments import run_waiting_jobs
from tests.factories.till import a_cart, quoted, with_points
from tests.harness.walks import Walk, Walks
from tests.rewards.voucher_given import a_list_of

#: Clicks and keys that are not typing, by role and job, from the home page on. They may only fall.
MOST_STEPS: Final[Mapping[tuple[str, str], int]] = {
    ("service", "4 why a voucher was refused"): 4,
    ("service", "5 extend a voucher"): 6,
    ("service", "5 take the extension back"): 7,
    ("service", "5 reissue and make void"): 9,
    ("service", "5 give a voucher"): 8,
    ("service", "8 another phone number"): 11,
    ("service", "8 the number is another member's"): 10,
    ("service", "11 papers of what waits"): 4,
    ("service", "11 tracking numbers from a file"): 6,
    ("service", "11 out of stock"): 7,
    ("marketing", "20 issue to a segment"): 9,
    ("finance", "20 approve"): 3,
    ("marketing", "20 take back what is unused"): 4,
    ("marketing", "24 put a reward on the shelf"): 9,
    ("marketing", "24 a dearer price"): 6,
    ("finance", "24 approve"): 3,
}
PHONE_NO: Final = "13912345678"


def a_holder(*vouchers: str) -> tuple[Member, list[Voucher]]:
    """Return a member who got vouchers of these names yesterday, ¥5 off each, good for thirty days."""
    member, at = a_named_member("张三丰", PHONE_NO), timezone.now() - timedelta(days=1)
    return member, [
        voucher_of(member.pk, a_template(f"v{place}", name=name), issued_at=at) for place, name in enumerate(vouchers)
    ]


class TestWhyAVoucherWasRefused:
    def test_is_told_on_the_members_page_for_refusals_and_quotes(self, walk: Walks) -> None:
        member, [voucher] = a_holder("满减券")
        over = a_template("over", name="满百券", off_amount=Decimal(20), min_spend_amount=Decimal(100))
        refused = voucher_of(member.pk, over, issued_at=timezone.now() - timedelta(hours=1))
        till = make_till()
        body = {"code": voucher_code(refused.public_id), "external_order_no": "O-1", "spend_amount": "86.00"}
        assert till.post("/pos/vouchers/redeem", body, key="one").status_code == 409
        quoted(till, member, a_cart("86.00"))
        assert voucher.state == Voucher.State.ISSUED
        with walk(an_operator("service"), "4 why a voucher was refused") as one:
            one.find(PHONE_NO)
            one.tab("拒绝与试算")
            one.sees("这张优惠券需满 100.00 使用，本单为 86.00。")
            one.click(one.page.locator("summary", has_text="为什么？"))
            one.sees("“满百券”未适用：这张优惠券需满 ¥100.00 使用")


class TestGoodwill:
    def test_extends_reissues_gives_and_takes_back(self, walk: Walks) -> None:
        member, [longer, again, gone] = a_holder("延期的券", "重发的券", "作废的券")
        staff, ends = an_operator("service"), longer.expires_at
        with walk(staff, "5 extend a voucher") as one:
            self._row(one, "延期的券", "延长")
            one.sees("¥5.00")
            one.write("reason", "门店停业三天")
            one.click("延期")
            expect(self._line(one, "延期的券")).to_contain_text("手动操作")
        longer.refresh_from_db()
        assert longer.expires_at - ends == timedelta(days=30)

        with walk(staff, "5 take the extension back") as one:
            self._row(one, "延期的券", "手动操作：延期")
            one.click("收回")
            one.write(one.dialog.locator("[name=reason]"), "点错了")
            one.click("收回", one.dialog)
            one.sees("已撤回。")
        longer.refresh_from_db()
        assert longer.expires_at == ends

        with walk(staff, "5 reissue and make void") as one:
            self._row(one, "重发的券", "重发")
            one.write("reason", "换了手机")
            one.click("重发")
            self._row(one, "作废的券", "作废", found=True)
            one.write(one.dialog.locator("[name=reason]"), "发错人")
            one.click("作废", one.dialog)
            one.sees("此券已作废。")
        again.refresh_from_db()
        gone.refresh_from_db()
        assert again.state == gone.state == Voucher.State.VOIDED

        with walk(staff, "5 give a voucher") as one:
            one.find(PHONE_NO)
            one.tab("优惠券")
            one.click("发券")
            one.choose("template", "延期的券")
            one.write("reason", "咖啡洒了")
            one.click("发券")
            expect(one.page.locator(".pn-table tbody tr")).to_have_count(5)
        assert Voucher.objects.filter(member=member, state=Voucher.State.ISSUED).count() == 3
        assert VoucherGoodwill.objects.filter(maker=staff).count() == 5

    def _row(self, one: Walk, name: str, button: str, *, found: bool = False) -> None:
        if not found:
            one.find(PHONE_NO)
            one.tab("优惠券")
        one.click(button, self._line(one, name))

    @staticmethod
    def _line(one: Walk, name: str) -> Locator:
        return one.page.locator(".pn-table tbody tr", has_text=name).last


class TestAnotherPhone:
    def test_needs_a_code_to_it_and_a_proof(self, walk: Walks) -> None:
        member, staff = a_named_member("张三丰", PHONE_NO), an_operator("service")
        other = a_named_member("张三丰", "13700137000")
        elsewhere = begin_session(member_id=member.pk, way="wechat", at=timezone.now())
        with walk(staff, "8 the number is another member's") as one:
            self._ask(one, "137 0013 7000")
            one.sees(f"会员 {other.member_no} 使用此号码。")
            one.click("比对两个会员")
            one.sees("合并")
        with walk(staff, "8 another phone number") as one:
            self._ask(one, "139 0013 9000")
            one.sees("139****9000")
            code = next(sent.params["code"] for sent in reversed(MemorySms.sent) if sent.phone == "+8613900139000")
            one.click(one.page.locator("[name=code]"))
            one.type(code)
            one.click("更改号码")
            one.sees("手机号已更改，会员已在所有设备退出登录。")
        assert MemberPerson.objects.get(pk=member.pk).phone == "+8613900139000"
        assert MemberSession.objects.get(pk=elsewhere.session.pk).end == "phone"
        assert cooling_until(member.pk, timezone.now()) is not None

    @staticmethod
    def _ask(one: Walk, phone: str) -> None:
        one.find(PHONE_NO)
        one.tab("登录与设备")
        one.click("更改手机号")
        one.click(one.page.locator("[name=phone]"))
        one.type(phone)
        one.choose("proof", "在门店核对身份证件")
        one.write("reason", "旧手机丢了")
        one.click("向新号码发送验证码")


class TestOrdersOfRewards:
    @pytest.fixture
    def orders(self) -> list[Redemption]:
        """Two mugs and a lamp that were redeemed nine days ago, to be sent by post."""
        member, at = a_named_member("张三丰", PHONE_NO), timezone.now() - timedelta(days=9)
        with_points(member, 1_000, at=at)
        address = checked_address(name="张三丰", phone="13800138000", lines=["南京东路 1 号"])
        rewards = [a_gift("马克杯"), a_gift("马克杯"), a_gift("台灯", 400)]
        return [
            redeem_reward(
                member_id=member.pk, reward_id=reward.pk, request_id=f"walk-{reward.pk}", at=at, by=Actor("member", member.pk),
                wanted=Wanted(delivery="post", address=address),
            ).redemption
            for reward in rewards
        ]  # fmt: skip

    def test_are_sent_with_papers_and_a_file_and_paid_back_where_there_is_none_left(
        self, walk: Walks, orders: list[Redemption], tmp_path: Path
    ) -> None:
        staff = an_operator("service")
        with walk(staff, "11 papers of what waits") as one:
            one.click(one.page.locator(".pn-todo", has_text="逾期的兑换单"))
            one.menu("兑换单")
            expect(one.page.locator("#result_list .pn-minus")).to_have_count(3)
            assert one.download("拣货单").path().read_bytes().startswith(b"%PDF")
            book = load_workbook(BytesIO(one.download("包裹清单").path().read_bytes()))
        sheet = book.active
        for row in range(2, 4):
            sheet.cell(row, 2).value, sheet.cell(row, 3).value = "顺丰", f"SF10000{row}"
        sheet.cell(4, 2).value, sheet.cell(4, 3).value = "顺丰", "x"
        book.save(tmp_path / "parcels.xlsx")

        with walk(staff, "11 tracking numbers from a file") as one:
            one.menu("兑换单")
            one.click("运单号")
            one.give(tmp_path / "parcels.xlsx")
            one.click("检查名单")
            one.sees("文件的处理结果预览", "SF100002")
            assert Redemption.objects.filter(state=RedemptionState.PLACED).count() == 3
            one.click("将 2 笔兑换单发货")
            run_waiting_jobs(timezone.now())
            one.page.reload()
            expect(one.page.locator(".pn-card").first).to_contain_text("2 / 2")
        assert set(Redemption.objects.filter(state="shipped")) == set(orders[:2])

        with walk(staff, "11 out of stock") as one:
            one.menu("兑换单")
            one.click(one.page.locator("#result_list tbody .action-select"))
            one.choose(one.page.locator("select[name=action]"), "缺货退积分")
            one.click(one.page.locator("button[name=index]:visible"))
            one.write("reason", "厂家停产")
            one.click("退回 1 笔兑换单的积分")
            one.sees("已退回 1 笔兑换单的积分。")
        orders[2].refresh_from_db()
        assert orders[2].state == RedemptionState.REFUNDED


class TestVouchersForMany:
    def test_are_previewed_issued_by_a_job_and_taken_back(self, walk: Walks) -> None:
        members = [a_named_member("会员" + name) for name in "甲乙丙"]
        a_list_of(members, "常客", at=timezone.now() - timedelta(days=1))
        a_template("many", name="周末券", budget_amount=Decimal(500))
        staff = an_operator("marketing")
        with walk(staff, "20 issue to a segment") as one:
            one.menu("批量发券")
            one.click("批量发券")
            one.choose("template", "周末券")
            one.choose("segment", "常客")
            one.click("查看预览")
            one.sees("¥15.00", "¥500.00")
            one.write("reason", "周末回馈")
            one.click("发放给 3 位会员")
            assert not Voucher.objects.exists()
            run_waiting_jobs(timezone.now())
            one.page.reload()
        assert VoucherBatch.objects.get().issued == Voucher.objects.count() == 3
        Voucher.objects.filter(member=members[0]).update(state=Voucher.State.USED, used_at=timezone.now())
        with walk(staff, "20 take back what is unused") as one:
            one.menu("批量发券")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("撤回 2 张未使用的券")
            one.click(one.dialog.locator("button[type=submit]"))
            run_waiting_jobs(timezone.now())
        assert Voucher.objects.filter(state=Voucher.State.VOIDED).count() == 2


class TestAReward:
    def test_is_put_on_the_shelf_and_a_rise_of_its_price_waits(self, walk: Walks) -> None:
        a_template("mug", name="马克杯券")
        rich, poor = a_named_member("王小明"), a_named_member("李四")
        with_points(rich, 900)
        with_points(poor, 620)
        staff = an_operator("marketing")
        with walk(staff, "24 put a reward on the shelf") as one:
            one.menu("兑换品")
            one.click(one.page.locator("a.addlink, #container a[href$='/reward/add/']").first)
            one.choose("kind", "礼品")
            one.write("price_points", "600")
            one.write("cost_amount", "18")
            one.click(one.page.locator("[name=by_post]"))
            one.write("name_zh_hans", "马克杯")
            expect(one.page.locator("#look")).to_contain_text("600 分")
            one.click("保存")
        reward = Reward.objects.get()
        with walk(staff, "24 a dearer price") as one:
            one.menu("兑换品")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("此兑换品的价格")
            one.write("points", "700")
            one.write("reason", "进价上涨")
            one.sees("影响 2 位已攒够的会员。")
            one.click("更改价格或提交审批")
            one.sees("由 600 分 改为 700 分。 涨价须等待同事审批。")
            expect(one.page.locator("[name=points]")).to_have_count(0)
        assert Proposal.objects.get().state == Proposal.State.WAITING
        with walk(an_operator("finance"), "24 approve") as one:
            one.approve()
        [price] = RewardPrice.objects.filter(reward=reward)
        assert (price.price_points, price.valid_from > timezone.now() + timedelta(days=7)) == (700, True)
