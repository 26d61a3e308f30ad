"""The jobs of staff about tiers and benefits, walked in Chromium by the role that has them, in Chinese."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from playwright.sync_api import expect

from loyalty.models import LadderVersion, ReviewRun, Tier, TierBenefit, TierChange, TierRule, TierStanding
from loyalty.periods import business_date, day_bounds
from loyalty.queries import forget_ladder_book
from loyalty.services.standing import review_due_tiers
from members.actors import SYSTEM
from members.models import Member, Proposal
from members.queries import programme
from members.services.status import freeze_member
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.api import sign_in
from tests.factories.benefits import a_benefit, given_by, holding
from tests.factories.orders import a_return, an_order
from tests.factories.plans import a_floor
from tests.factories.portal import a_named_member, an_operator
from tests.factories.segments import run_waiting_jobs
from tests.harness.walks import Walk, Walks
from tests.loyalty.stories import make_member, purchase, tell

#: Clicks and keys that are not typing, by role and job, from the home page on. They may only fall.
MOST_STEPS: Final[Mapping[tuple[str, str], int]] = {
    ("service", "3 why a tier was lost"): 4,
    ("service", "3 what counted then"): 4,
    ("service", "3 ask for grace"): 6,
    ("service supervisor", "3 grant grace"): 3,
    ("marketing", "33 draft and preview"): 9,
    ("marketing", "33 propose too late"): 5,
    ("marketing", "33 propose"): 7,
    ("finance", "33 approve"): 3,
    ("marketing", "33 read what holds"): 2,
    ("administrator", "34 dry run"): 4,
    ("administrator", "34 one wave, stop, and the rest"): 7,
    ("administrator", "34 undo"): 4,
    ("marketing", "39 change a cell"): 7,
    ("marketing", "39 mend what the lint says"): 6,
    ("marketing", "39 propose"): 10,
    ("finance", "39 approve"): 3,
}


def this_month() -> datetime:
    """Return the moment at which this month began in the programme's zone."""
    now = timezone.now().astimezone(programme().tz)
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def a_fallen_member() -> Member:
    """Return who had bought for 3,760 when diamond was reviewed this month, two orders of which, 640 in all, came back."""
    member, due = a_named_member("张三丰", "13912345678"), this_month()
    rise = due.replace(year=due.year - 1) - timedelta(days=10)
    for number, amount, ordered_at in (
        ("A-1", "5200.00", rise),
        ("A-2", "2320.00", due - timedelta(days=200)),
        ("A-3", "800.00", due - timedelta(days=90)),
        ("A-4", "340.00", due - timedelta(days=60)),
        ("A-5", "300.00", due - timedelta(days=40)),
    ):
        order = an_order(member, amount, number=number, ordered_at=ordered_at)
        record_purchase(order=order, by=SYSTEM, at=ordered_at)
        if number in ("A-4", "A-5"):
            back = a_return(order, number=f"B{number}")
            record_return(ret=back, by=SYSTEM, at=back.returned_at)
    review_due_tiers(at=timezone.now(), by=SYSTEM)
    return member


class TestWhyATierWasLost:
    SENTENCE = "考核期内成长值 3,120，钻石卡保级需 4,000，差 880（退货扣回 640）。"

    def test_is_told_with_its_figures_to_staff_and_member_alike(self, walk: Walks) -> None:
        member = a_fallen_member()
        staff = an_operator("service")
        with walk(staff, "3 why a tier was lost") as one:
            one.window.context.grant_permissions(["clipboard-read", "clipboard-write"])
            one.find("13912345678")
            one.tab("等级")
            expect(one.page.locator(".pn-line").first).to_contain_text(f"钻石卡 → 金卡{self.SENTENCE}")
            expect(one.page.locator(".pn-line .pn-bar span").first).to_have_attribute("style", "width: 78%")
            one.click(one.page.get_by_role("button", name="复制聊天文字"))
            one.sees("已复制")
            copied = str(one.page.evaluate("navigator.clipboard.readText()"))
        me = sign_in(member)
        me.language = "zh-hans"
        [told] = me.get("/me/tier/history").json()["items"][:1]
        assert (told["reason"], told["sentence"]) == ("fallen", self.SENTENCE)
        standing = me.get("/me/tier").json()
        assert copied.splitlines() == [copied.splitlines()[0], standing["keep_sentence"], standing["sentence"]]
        assert copied.splitlines()[0].endswith(self.SENTENCE)

        with walk(staff, "3 what counted then") as one:
            one.find("13912345678")
            one.tab("等级")
            one.click(one.page.get_by_role("link", name="计入明细", exact=True).first)
            one.sees(self.SENTENCE, "A-2", "BA-4", "BA-5", "成长值合计 3,120")

    def test_can_be_softened_by_grace_that_another_approves(self, walk: Walks) -> None:
        member = a_fallen_member()
        with walk(an_operator("service"), "3 ask for grace") as one:
            one.find("13912345678")
            one.tab("等级")
            one.click("给予宽限期")
            one.write("reason", "退货是门店的错")
            one.click("提交审批")
        assert TierStanding.objects.get(member=member).tier.code == "gold"
        with walk(an_operator("service supervisor"), "3 grant grace") as one:
            one.menu("审批")
            one.click(one.page.locator("details.pn-proposal summary"))
            one.sees(member.member_no, "金卡", "钻石卡", self.SENTENCE)
            one.click(one.page.locator("[data-key=a]"))
            one.sees("没有待您审批的提案")
        assert TierStanding.objects.get(member=member).tier.code == "diamond"
        assert TierChange.objects.filter(member=member, reason="grace").count() == 1


def spent(credits: int, *, days: int = 30) -> Member:
    """Return a member without a name who bought for so much some days ago."""
    member = make_member()
    tell(purchase(member.pk, f"spent-{member.pk}", credits, timezone.now() - timedelta(days=days)))
    return member


class TestNextYearsLadder:
    def test_is_previewed_and_approved_and_stands_as_scheduled(self, walk: Walks) -> None:
        for credits in (100, 520, 1_470, 1_480, 1_900, 5_100):
            spent(credits)
        today, gold = business_date(timezone.now(), programme().tz), Tier.objects.get(code="gold")
        begin = today + timedelta(days=45)
        staff = an_operator("marketing")
        with walk(staff, "33 draft and preview") as one:
            self._version(one, 1)
            one.click("复制为新草稿")
            one.write(f"t{gold.pk}_rise_credits", "1475")
            one.write("planned_date", begin.isoformat())
            one.write("notice_date", (today + timedelta(days=16)).isoformat())
            one.click("保存草稿")
            expect(one.page.locator("td.pn-changed:not(.pn-number)")).to_have_count(1)
            one.click("预览")
            one.click("开始测算")
            run_waiting_jobs(timezone.now())
            one.page.reload()
            one.sees("测算 1：")
            matrix = one.page.locator("section.pn-card", has_text="从现行规则到此版本")
            expect(matrix.locator("td.pn-plus")).to_have_text(["▲ 1"])
            expect(matrix.locator("td.pn-minus")).to_have_count(0)
            near = one.page.locator("section.pn-card", has_text="距门槛 5 % 以内").locator("tr", has_text="金卡")
            expect(near.locator("td")).to_have_text(["1", "1", "0", "0"])
        draft = LadderVersion.objects.get(number=2)
        assert TierRule.objects.get(ladder=draft, tier=gold).rise_credits == 1_475

        with walk(staff, "33 propose too late") as one:
            self._version(one, 2)
            self._propose(one)
            one.sees("会员只能在第 2 版生效前 29 天收到通知")
        assert not Proposal.objects.exists()
        with walk(staff, "33 propose") as one:
            self._version(one, 2)
            one.write("notice_date", (today + timedelta(days=15)).isoformat())
            one.click("保存草稿")
            self._propose(one)
            one.sees("此版本正在等待审批")
        with walk(an_operator("finance"), "33 approve") as one:
            one.menu("审批")
            one.click(one.page.locator("details.pn-proposal summary"))
            one.sees("金卡，升级", "成长值 1,500", "成长值 1,475", "等级变高的会员")
            one.click(one.page.locator("[data-key=a]"))
            one.sees("没有待您审批的提案")
        draft.refresh_from_db()
        old = LadderVersion.objects.get(number=1)
        assert draft.valid_from == old.valid_to == day_bounds(begin, programme().tz)[0]
        with walk(staff, "33 read what holds") as one:
            one.menu("等级方案")
            expect(one.page.locator("#result_list .field-state")).to_have_text(["已排期", "生效中"])
            one.click(one.page.locator("#result_list a", has_text="第 1 版"))
            one.sees("金卡：升级：成长值 1,500")
            one.window.open(f"/admin/loyalty/ladderversion/rules-on/?day={begin}")
            one.sees("金卡：升级：成长值 1,475")

    def _version(self, one: Walk, number: int) -> None:
        """Open a version of the ladder."""
        one.menu("等级方案")
        one.click(one.page.locator("#result_list a", has_text=f"第 {number} 版"))

    def _propose(self, one: Walk) -> None:
        """Ask finance to approve the draft that is open."""
        one.click("提交审批")
        one.write(one.dialog.locator("[name=reason]"), "明年门槛调整")
        one.click("提交审批", one.dialog)


def due_today(code: str, credits: int = 0) -> Member:
    """Return a member with a name whose tier is reviewed today, after a purchase for so many credits."""
    member, (today, _tomorrow) = (
        a_named_member("王小明"),
        day_bounds(business_date(timezone.now(), programme().tz), programme().tz),
    )
    if credits:
        tell(purchase(member.pk, f"spent-{member.pk}", credits, today - timedelta(days=40)))
    return holding(code, since=today - timedelta(days=400), valid_until=today, member=member)


class TestAReviewOfTiers:
    def test_is_looked_at_run_in_waves_and_undone(self, walk: Walks) -> None:
        LadderVersion.objects.update(grace_percent=10, grace_days=30)
        forget_ladder_book()
        now = timezone.now()
        for _ in range(14):
            due_today("silver")
        for credits in (450, 480):
            due_today("silver", credits)
        near, frozen, locked = due_today("silver", 390), due_today("silver"), due_today("gold")
        freeze_member(member_id=frozen.pk, reason="checked", release_at=now + timedelta(days=9), by=SYSTEM, at=now)
        a_floor(locked.pk, "gold", now - timedelta(days=9), now + timedelta(days=90))
        lost = due_today("diamond", 1_300)
        before = dict(TierStanding.objects.values_list("member", "tier__code"))
        staff = an_operator("administrator")
        with walk(staff, "34 dry run") as one:
            one.menu("定级批次")
            one.click("安排定级")
            one.click(one.page.locator("tr", has_text="20").locator("button"))
            one.click("试运行")
            run_waiting_jobs(now)
            one.sees("试运行完成", "保级还差成长值 400（0 / 400）", "否则变为普通会员。", locked.member_no)
            self._shows(one, "降级", "银卡", "普通会员", "15", "–")
            self._shows(one, "降级", "钻石卡", "金卡", "1", "–")
            self._shows(one, "获得宽限期", "银卡", "银卡", "1", "–")
            self._shows(one, "保级", "银卡", "银卡", "2", "–")
            for words, who in (("冻结", frozen), ("接近门槛", near)):
                expect(one.page.locator("section div", has_text=words).last).to_contain_text(who.member_no)
        assert dict(TierStanding.objects.values_list("member", "tier__code")) == before

        with walk(staff, "34 one wave, stop, and the rest") as one:
            one.menu("定级批次")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("分批开始")
            run_waiting_jobs(now, ends="cancelled")
            one.sees("2 / 20 位会员")
            one.click("继续下一批")
            one.click("在下一个安全点停止")
            expect(one.page.locator(".pn-card .pn-badge").first).to_have_text("已停止", timeout=15_000)
            one.click(one.page.locator("[name=pauses]"))
            one.click("继续下一批")
            run_waiting_jobs(now)
            one.sees("20 / 20 位会员")
            self._shows(one, "降级", "银卡", "普通会员", "15", "15")
            self._shows(one, "降级", "钻石卡", "金卡", "1", "1")
        assert TierStanding.objects.get(member=near).tier.code == "silver"
        assert TierStanding.objects.get(member=lost).tier.code == "gold"
        run = ReviewRun.objects.get()
        assert run.state == ReviewRun.State.DONE

        with walk(staff, "34 undo") as one:
            one.menu("定级批次")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click(one.page.locator("summary", has_text="整次撤销"))
            one.sees("位会员恢复到先前的等级")
            one.click(one.page.locator("button[value=undo]"))
            run_waiting_jobs(timezone.now())
            expect(one.page.locator(".pn-card .pn-badge").first).to_have_text("已撤销", timeout=15_000)
        assert dict(TierStanding.objects.values_list("member", "tier__code")) == before

    @staticmethod
    def _shows(one: Walk, *cells: str) -> None:
        """Expect a line of the matrix: reason, tier before and after, dry run, decided."""
        expect(one.page.locator("tr", has_text=re.compile(r"\s*".join(cells)))).to_have_count(1)


class TestTheGridOfBenefits:
    def test_is_changed_in_a_draft_checked_and_approved(self, walk: Walks) -> None:
        lounge = a_benefit(
            "lounge", name_zh_hans="贵宾厅", name_zh_hant="貴賓廳", name_en="Lounge",
            sentence_zh_hans="每年可用{quota}次贵宾厅", sentence_en="{quota} visits a year",
        )  # fmt: skip
        given_by("gold", lounge, quota=2)
        given_by("diamond", lounge, quota=6)
        begin = business_date(timezone.now(), programme().tz) + timedelta(days=40)
        staff = an_operator("marketing")
        with walk(staff, "39 change a cell") as one:
            one.menu("各等级权益")
            expect(one.page.locator(".pn-changed")).to_have_count(0)
            one.sees("第 1 版已生效，其权益只能通过之后生效的版本更改。")
            one.click("查看版本")
            one.click("复制为新草稿")
            one.click("各等级权益")
            one.click("编辑")
            one.write("gold-lounge-quota", "8")
            one.click("保存权益矩阵")
            expect(one.page.locator("td.pn-changed:not(.pn-number)")).to_have_text(["每年 8 次每年 2 次"])
            one.sees("钻石卡的“贵宾厅”少于金卡：前者 每年 6 次，后者 每年 8 次。", "缺少繁體中文", "¥240.00")
        with walk(staff, "39 mend what the lint says") as one:
            one.menu("各等级权益")
            one.click("第 2 版")
            one.click("编辑")
            one.write("diamond-lounge-quota", "10")
            one.click("保存权益矩阵")
            expect(one.page.locator("td.pn-changed:not(.pn-number)")).to_have_count(2)
            expect(one.page.locator(".pn-warnings")).to_have_count(0)
            expect(one.page.locator(".pn-phone")).to_contain_text(["每年可用10次贵宾厅", "未翻译", "10 visits a year"])
            one.click("金卡", one.page.locator("section", has_text="会员看到的"))
            expect(one.page.locator(".pn-phone").first).to_contain_text("每年可用8次贵宾厅")

        with walk(staff, "39 propose") as one:
            one.menu("等级方案")
            one.click(one.page.locator("#result_list a", has_text="第 2 版"))
            one.write("planned_date", begin.isoformat())
            one.click("保存草稿")
            one.click("预览")
            one.click("开始测算")
            run_waiting_jobs(timezone.now())
            one.page.reload()
            one.sees("测算 1：")
            one.click("返回版本")
            one.click("提交审批")
            one.write(one.dialog.locator("[name=reason]"), "明年权益")
            one.click("提交审批", one.dialog)
            one.sees("此版本正在等待审批")
            one.window.open(f"/admin/loyalty/benefit/grid/{LadderVersion.objects.get(number=2).pk}/")
            one.sees("第 2 版正在等待审批")
        with walk(an_operator("finance"), "39 approve") as one:
            one.menu("审批")
            one.click(one.page.locator("details.pn-proposal summary"))
            row = one.page.locator("tr", has_text="贵宾厅").filter(has_text="金卡")
            expect(row).to_contain_text(re.compile(r"每年 2 次\s*每年 8 次"))
            one.click(one.page.locator("[data-key=a]"))
            one.sees("没有待您审批的提案")
        version = LadderVersion.objects.get(number=2)
        assert version.valid_from == day_bounds(begin, programme().tz)[0]
        cells = TierBenefit.objects.filter(ladder=version).values_list("tier__code", "quota")
        assert set(cells) == {("gold", 8), ("diamond", 10)}
