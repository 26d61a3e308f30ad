"""The jobs of staff about one member or a segment, walked in Chromium by the role that has them, in Chinese."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from members.actors import SYSTEM
from members.models import (
    ConsentState,
    DuplicatePair,
    Member,
    MemberFreeze,
    MemberPerson,
    Merge,
    Operator,
    PrivacyRequest,
    Proposal,
    Purpose,
    RiskReview,
    Segment,
    SegmentSpan,
    TimelineEntry,
)
from members.queries import programme
from members.services.duplicates import find_duplicates
from members.services.risk import run_rules
from members.services.status import freeze_member, release_freezes
from rewards.queries import balance_of
from rewards.services.payers import payer_hash
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from tests.factories.catalogue import a_reward
from tests.factories.orders import a_return, an_order
from tests.factories.portal import a_named_member, an_operator
from tests.factories.segments import run_waiting_jobs
from tests.harness.walks import Walk, Walks

#: Clicks and keys that are not typing, by role and job, from the home page on. They may only fall.
MOST_STEPS: Final[Mapping[tuple[str, str], int]] = {
    ("service", "1 find a member"): 2,
    ("service", "1 find a member and see the phone number"): 3,
    ("service", "7 merge two records"): 5,
    ("service", "7 take a merge apart"): 5,
    ("service supervisor", "9 freeze under review"): 6,
    ("service supervisor", "9 release a review"): 5,
    ("service supervisor", "9 freeze one of many with the same payer"): 6,
    ("service supervisor", "9 unfreeze before the day"): 5,
    ("service", "16 stop all messages"): 5,
    ("service", "16 note the wish to be erased"): 5,
    ("marketing", "18 segment from a template"): 6,
    ("marketing", "18 who is in a segment"): 3,
    ("service supervisor", "30 propose a large adjustment"): 9,
    ("service supervisor", "30 try to approve the own proposal"): 2,
    ("finance", "30 approve by keys"): 4,
    ("service", "edit a member"): 5,
    ("service", "two edit one member"): 4,
}


def available(member: Member) -> int:
    """Return the points that a member can use."""
    return balance_of(member.pk, timezone.now()).available


def suspects(at: datetime) -> list[Member]:
    """Return who bought eleven times within a day, who brought most things back, and four for whom one account paid."""
    hasty, regretful = a_named_member("李四", "13912345678"), a_named_member("周五", "13912345679")
    days = [at - timedelta(days=day) for day in (1, 2, 3)]
    noon = days[0].astimezone(programme().tz).replace(hour=12, minute=0)
    for number in range(11):
        moment = noon + timedelta(minutes=40 * number)
        record_purchase(order=an_order(hasty, "18.00", ordered_at=moment), by=SYSTEM, at=moment)
    for day in days:
        order = an_order(regretful, "400.00", ordered_at=day)
        record_purchase(order=order, by=SYSTEM, at=day)
        record_return(ret=a_return(order, returned_at=day + timedelta(hours=1)), by=SYSTEM, at=at)
    paid_for = [a_named_member(name, f"1391234568{n}") for n, name in enumerate(("吴一", "吴二", "吴三", "吴四"))]
    for member in paid_for:
        order = an_order(member, "88.00", ordered_at=days[1], payer=payer_hash("wx-1"))
        record_purchase(order=order, by=SYSTEM, at=days[1])
    return [hasty, regretful, *paid_for]


def a_buyer(
    name: str = "张三丰", phone: str = "13912345678", *, order_no: str = "20261120-77", days: int = 1
) -> tuple[Member, str]:
    """Return a member who bought for 600.00 so many days ago and redeemed a voucher, and the voucher's code."""
    member, at = a_named_member(name, phone), timezone.now() - timedelta(days=days)
    record_purchase(order=an_order(member, "600.00", number=order_no, ordered_at=at), by=SYSTEM, at=at)
    redeemed = redeem_reward(
        member_id=member.pk, reward_id=a_reward(100).pk, request_id=f"walk:{member.pk}", by=SYSTEM, at=at
    )
    return member, redeemed.code


class TestFindingAMember:
    @pytest.mark.parametrize("given", ["139 1234 5678", "张5678", "number", "20261120-77", "voucher"])
    def test_from_whatever_the_caller_gives(self, walk: Walks, given: str) -> None:
        member, voucher = a_buyer()
        a_named_member("李四", "13812345678")
        text = {"number": member.member_no, "voucher": voucher}.get(given, given)
        with walk(an_operator("service"), "1 find a member") as one:
            one.find(text)
            one.page.wait_for_url(f"**/admin/members/member/{member.pk}/change/")
            expect(one.page.locator("#member-person")).to_contain_text("张*丰")
            expect(one.page.locator("#member-person")).not_to_contain_text("1234")
        assert not TimelineEntry.objects.filter(kind="members.personal_data_viewed.v1").exists()

    def test_shows_the_phone_number_and_writes_the_look_down(self, walk: Walks) -> None:
        member, _voucher = a_buyer()
        staff = an_operator("service")
        with walk(staff, "1 find a member and see the phone number") as one:
            one.find("5678 张")
            one.click("显示手机号")
            expect(one.page.locator("#member-person")).to_contain_text("139 1234 5678")
            expect(one.page.locator("#member-person")).to_contain_text("张*丰")
        look = TimelineEntry.objects.get(kind="members.personal_data_viewed.v1")
        assert (look.member_id, look.actor_id, look.payload["fields"]) == (member.pk, staff.pk, ["phone"])


class TestMergingTwoRecords:
    def test_from_the_queue_and_taking_it_apart_again(self, walk: Walks) -> None:
        kept, _voucher = a_buyer("王小明", "13911112222")
        other, _code = a_buyer("王小明", "13711113333", order_no="20261120-78")
        MemberPerson.objects.filter(pk__in=[kept.pk, other.pk]).update(birthday="1990-02-03")
        find_duplicates(at=timezone.now())
        before = available(kept), available(other)
        assert before[0] > 0
        staff = an_operator("service")
        with walk(staff, "7 merge two records") as one:
            one.menu("疑似重复会员")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click(one.page.locator("[name=take_phone][value=other]"))
            one.write("reason", "同一位顾客，换了手机号")
            one.click("合并")
            one.sees(f"会员 {other.member_no} 已合并到本会员")
        other.refresh_from_db()
        assert other.merged_into_id == kept.pk
        assert available(kept) == sum(before)
        assert MemberPerson.objects.get(pk=kept.pk).phone == "+8613711113333"
        assert DuplicatePair.objects.get().state == DuplicatePair.State.MERGED

        with walk(staff, "7 take a merge apart") as one:
            one.menu("会员合并")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("拆分")
            one.write(one.dialog.locator("[name=reason]"), "其实是父子两人")
            one.click("拆分", one.dialog)
            one.sees("恢复为各自独立的会员")
        assert Member.objects.get(pk=other.pk).merged_into_id is None
        assert (available(kept), available(other)) == before
        assert MemberPerson.objects.get(pk=other.pk).phone == "+8613711113333"
        assert Merge.objects.get().unmerged_at is not None


class TestRiskQueue:
    def test_is_worked_off_by_a_freeze_with_a_day_and_a_release(self, walk: Walks) -> None:
        at = timezone.now()
        hasty, regretful, *paid_for = suspects(at)
        run_rules(at=at)
        staff = an_operator("service supervisor")
        last_day = at.astimezone(programme().tz).date() + timedelta(days=10)
        with walk(staff, "9 freeze under review") as one:
            self._open(one, "11 笔")
            one.click("冻结")
            one.write(one.dialog.locator("[name=last_day]"), last_day.isoformat())
            one.write(one.dialog.locator("[name=reason]"), "一天十一单，收银员不认识本人")
            one.click("冻结", one.dialog)
            one.page.wait_for_url("**/admin/members/riskreview/?state__exact=waiting")
            expect(one.page.locator("#result_list tbody tr")).to_have_count(1 + len(paid_for))
        hasty.refresh_from_db()
        assert hasty.status == Member.Status.FROZEN
        freeze = MemberFreeze.objects.get(member=hasty)
        assert freeze.release_at.astimezone(programme().tz).date() == last_day + timedelta(days=1)

        with walk(staff, "9 release a review") as one:
            self._open(one, "退货")
            one.click("放行")
            one.write(one.dialog.locator("[name=reason]"), "咖啡机有故障，门店已核实")
            one.click("放行", one.dialog)
            expect(one.page.locator("#result_list tbody tr")).to_have_count(len(paid_for))
        assert RiskReview.objects.get(member=regretful).state == RiskReview.State.RELEASED
        regretful.refresh_from_db()
        assert regretful.status == Member.Status.ACTIVE

        with walk(staff, "9 freeze one of many with the same payer") as one:
            self._open(one, "同一付款账户")
            one.sees("同一付款账户为 4 位会员的订单付过款")
            for other in paid_for[:-1]:
                one.sees(other.member_no)
            one.click("冻结")
            one.write(one.dialog.locator("[name=last_day]"), last_day.isoformat())
            one.write(one.dialog.locator("[name=reason]"), "四个号码轮流领新人礼")
            one.click("冻结", one.dialog)
            one.page.wait_for_url("**/admin/members/riskreview/?state__exact=waiting")
            expect(one.page.locator("#result_list tbody tr")).to_have_count(len(paid_for) - 1)
        assert Member.objects.filter(status=Member.Status.FROZEN, pk__in=[one.pk for one in paid_for]).count() == 1
        assert release_freezes(at=freeze.release_at - timedelta(seconds=1)) == 0
        assert release_freezes(at=freeze.release_at) == 2

    @staticmethod
    def _open(one: Walk, words: str) -> None:
        """Open the last review of the queue in which these words stand."""
        one.menu("风险复核")
        one.click(one.page.locator("#result_list .field-evidence a").filter(has_text=words).last)

    def test_lets_a_frozen_member_go_before_the_day(self, walk: Walks) -> None:
        member = a_named_member("李四", "13912345678")
        until = timezone.now() + timedelta(days=9)
        freeze_member(member_id=member.pk, reason="checked", release_at=until, by=SYSTEM, at=timezone.now())
        with walk(an_operator("service supervisor"), "9 unfreeze before the day") as one:
            one.find("李5678")
            one.click("解冻")
            one.write(one.dialog.locator("[name=reason]"), "核实无误")
            one.click("解冻", one.dialog)
            one.sees("会员已恢复正常")
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE


class TestStoppingMessagesAndErasing:
    def test_both_on_the_page_of_the_member(self, walk: Walks) -> None:
        member, _voucher = a_buyer()
        staff = an_operator("service")
        with walk(staff, "16 stop all messages") as one:
            one.find("13912345678")
            one.tab("授权同意")
            one.click("停止全部联系")
            one.click("停止全部联系", one.dialog)
            one.sees("已停止全部联系")
        stop = ConsentState.objects.get(member=member, purpose=Purpose.CONTACT)
        assert not stop.is_given

        with walk(staff, "16 note the wish to be erased") as one:
            one.find("13912345678")
            one.tab("个人资料")
            one.click("注销此人")
            one.click("登记注销申请", one.dialog)
            one.sees("申请已登记")
        wish = PrivacyRequest.objects.get(member=member)
        assert (wish.kind, wish.state) == (PrivacyRequest.Kind.ERASURE, PrivacyRequest.State.WAITING)
        assert wish.due_at is not None
        assert wish.due_at > timezone.now()


class TestASegment:
    def test_from_a_template_to_its_members(self, walk: Walks) -> None:
        gone, _voucher = a_buyer("王小明", "13911112222", days=100)
        a_buyer("李四", "13811112222", order_no="20261120-78")
        staff = an_operator("marketing")
        with walk(staff, "18 segment from a template") as one:
            one.menu("人群")
            one.click(one.page.locator("a.addlink, #container a[href$='/segment/add/']").first)
            one.click(one.page.locator("#template-dormant"))
            expect(one.page.locator("#matched")).to_have_text("1 位会员")
            one.click("保存草稿")
            one.click("发布")
            one.click("发布并填充", one.dialog)
            one.sees("正在填充人群")
        run_waiting_jobs(timezone.now())
        with walk(staff, "18 who is in a segment") as one:
            one.menu("人群")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click(one.page.locator("#content, body").last.locator("a.pn-button", has_text="会员"))
            expect(one.page.locator(".pn-table tbody tr")).to_have_count(1)
            one.sees(gone.member_no)
        segment = Segment.objects.get()
        assert (segment.state, segment.members_count) == (Segment.State.READY, 1)
        assert list(SegmentSpan.objects.values_list("member", flat=True)) == [gone.pk]


class TestALargeAdjustment:
    def test_waits_for_somebody_else(self, walk: Walks) -> None:
        member, _voucher = a_buyer()
        before = available(member)
        maker = an_operator("service supervisor")
        with walk(maker, "30 propose a large adjustment") as one:
            one.find("13912345678")
            one.tab("积分")
            one.click("调整积分")
            one.choose("reason", one.page.locator("[name=reason] option[value=goodwill]").inner_text())
            one.write("points", "50000")
            one.write("note", "新店开业当天收银故障")
            one.click(one.page.locator("form.pn-card button.pn-main"))
            one.sees("需等待 1 位同事审批")
        proposal = Proposal.objects.get()
        assert (proposal.state, available(member)) == (Proposal.State.WAITING, before)
        self._maker_is_refused(walk, maker, proposal)
        assert available(member) == before

        with walk(an_operator("finance"), "30 approve by keys") as one:
            one.menu("审批")
            one.press("j")
            expect(one.page.get_by_role("button", name="通过 50,000 分")).to_be_visible()
            one.press("a")
            one.press("Enter")
            one.sees("50,000")
        proposal.refresh_from_db()
        assert (proposal.state, available(member)) == (Proposal.State.CARRIED_OUT, before + 50_000)
        assert proposal.first_checker_id != maker.pk

    def _maker_is_refused(self, walk: Walks, maker: Operator, proposal: Proposal) -> None:
        """The page offers no approval to the maker, and what is sent all the same is refused."""
        with walk(maker, "30 try to approve the own proposal") as one:
            one.menu("审批")
            one.click(one.page.locator(".pn-proposal summary"))
            expect(one.page.get_by_role("button", name="撤回")).to_be_visible()
            expect(one.page.locator("[data-key=a]")).to_have_count(0)
            one.page.evaluate(
                """address => {
                    const form = document.createElement("form");
                    form.method = "post";
                    form.action = address;
                    form.append(document.querySelector("[name=csrfmiddlewaretoken]").cloneNode());
                    document.body.append(form);
                    form.submit();
                }""",
                f"/admin/members/proposal/{proposal.pk}/approve/",
            )
            one.sees("这是您自己提交的")
        proposal.refresh_from_db()
        assert (proposal.state, proposal.first_checker_id) == (Proposal.State.WAITING, None)


class TestTwoAtOneMember:
    def test_the_second_chooses_and_nothing_is_lost(self, walk: Walks) -> None:
        member = a_named_member("王小明", "13911112222", email="old@example.com")
        edit = f"/admin/members/member/{member.pk}/edit/"
        with walk(an_operator("service"), "two edit one member") as second:
            second.window.open(edit)
            with walk(an_operator("service"), "edit a member") as first:
                first.find("13911112222")
                first.click("编辑资料")
                first.write("email", "first@example.com")
                first.click("保存资料")
                first.sees("资料已修改")
            second.write("full_name", "王小明明")
            second.write("email", "new@example.com")
            second.click("保存资料")
            second.sees("他人已修改过这里", "first@example.com", "new@example.com")
            second.excuse("409")
            second.click("保存所选")
            second.sees("资料已修改")
        person = MemberPerson.objects.get(pk=member.pk)
        assert (person.full_name, person.email) == ("王小明明", "new@example.com")
