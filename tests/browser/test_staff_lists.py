"""The jobs of staff about many members: lists, imports, exports, walked in Chromium by the role that has them, in Chinese."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from django.utils import timezone
from playwright.sync_api import expect

from members.actors import SYSTEM
from members.models import (
    Member,
    MemberExport,
    MemberImport,
    MemberPerson,
    MemberTag,
    Operator,
    TimelineEntry,
)
from members.services.tags import make_tag
from rewards.queries import balance_of
from tests.factories.imports import csv_of
from tests.factories.portal import a_named_member, an_operator
from tests.factories.segments import run_waiting_jobs
from tests.harness.walks import Walks

#: Clicks and keys that are not typing, by role and job, from the home page on. They may only fall.
MOST_STEPS: Final[Mapping[tuple[str, str], int]] = {
    ("service supervisor", "31 propose points for a list"): 7,
    ("finance", "31 approve points for a list"): 3,
    ("service supervisor", "31 take points of a list back"): 4,
    ("marketing", "31 make a list"): 5,
    ("marketing", "31 propose a tag for a list"): 7,
    ("service supervisor", "31 approve a tag for a list"): 3,
    ("marketing", "31 take tags of a list back"): 4,
    ("administrator", "32 propose an import"): 8,
    ("administrator", "32 approve an import"): 3,
    ("administrator", "32 take an import back"): 5,
    ("administrator", "40 ask for an unmasked export"): 6,
    ("administrator", "40 approve an export"): 3,
    ("administrator", "40 take an export"): 4,
    ("administrator", "40 who exported phone numbers"): 2,
    ("service", "40 look at a phone number"): 3,
    ("service supervisor", "40 who looked at a member"): 3,
}


def available(member: Member) -> int:
    """Return the points that a member can use."""
    return balance_of(member.pk, timezone.now()).available


class TestAList:
    def test_of_points_has_one_approval_and_one_undo(self, walk: Walks, tmp_path: Path) -> None:
        members = [a_named_member() for _ in range(3)]
        rows = [(member.member_no, 3_000, "goodwill", "停电") for member in members]
        file = tmp_path / "points.csv"
        file.write_bytes(csv_of([*rows, ("99999999", 10, "goodwill", "")], ("member", "points", "reason", "note")))
        maker = an_operator("service supervisor")
        with walk(maker, "31 propose points for a list") as one:
            one.menu("批量调整")
            one.click("读取名单")
            one.give(file)
            one.click("检查名单")
            one.write("reason", "停电补偿")
            one.click("执行或提交审批")
            one.sees("需等待 1 位同事审批")
        assert {available(member) for member in members} == {0}
        self._approve(walk, an_operator("finance"), "31 approve points for a list")
        assert {available(member) for member in members} == {3_000}
        self._take_back(walk, maker, "31 take points of a list back")
        assert {available(member) for member in members} == {0}

    def test_of_tags_has_one_approval_and_one_undo(self, walk: Walks) -> None:
        members = [a_named_member() for _ in range(3)]
        tag = make_tag(code="vip", name="贵宾", by=SYSTEM, at=timezone.now())
        maker = an_operator("marketing")
        with walk(maker, "31 make a list") as one:
            one.menu("人群")
            one.click("由号码生成名单")
            one.write("name", "开业嘉宾")
            one.write("numbers", "\n".join(member.member_no for member in members))
            one.click("创建名单")
            one.sees("正在填充名单")
        run_waiting_jobs(timezone.now())
        with walk(maker, "31 propose a tag for a list") as one:
            one.menu("标签")
            one.click("贵宾")
            one.click("批量加到会员")
            one.choose("segment", one.page.locator("[name=segment] option").last.inner_text())
            one.write("reason", "参加了新店开业")
            one.click("提交审批")
            one.sees("同事")
        assert not MemberTag.objects.exists()
        self._approve(walk, an_operator("service supervisor"), "31 approve a tag for a list")
        assert MemberTag.objects.filter(tag=tag, ended_at__isnull=True).count() == 3
        self._take_back(walk, maker, "31 take tags of a list back")
        assert not MemberTag.objects.filter(ended_at__isnull=True).exists()

    def _approve(self, walk: Walks, approver: Operator, job: str) -> None:
        with walk(approver, job) as one:
            one.approve()
        run_waiting_jobs(timezone.now())

    def _take_back(self, walk: Walks, maker: Operator, job: str) -> None:
        with walk(maker, job) as one:
            one.menu("后台任务")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("撤销本批")
            one.click("撤销 3 行", one.dialog)
            one.sees("正在撤销")
        run_waiting_jobs(timezone.now())


class TestAnImport:
    def test_with_bad_rows_is_approved_and_taken_back(self, walk: Walks, tmp_path: Path) -> None:
        rows = [
            (f"A{number}", "张小丰", f"138001380{number:02}", "", "1990-02-03", "2020-05-06", number)
            for number in range(30)
        ]
        bad = [("B1", "", "12", "", "", "", ""), ("A1", "", "13700137000", "", "", "", "")]
        file = tmp_path / "members.csv"
        file.write_bytes(csv_of([*rows, *bad]))
        maker = an_operator("administrator")
        with walk(maker, "32 propose an import") as one:
            one.menu("会员导入")
            one.click("导入会员")
            one.give(file)
            one.click("读取文件")
            one.click("检查文件")
            run_waiting_jobs(timezone.now())
            one.sees("A1", "手机号")
            one.write("reason", "苏州老店的会员")
            one.click("提交审批：30 位新会员")
            one.sees("等待同事审批")
        assert not Member.objects.exists()
        with walk(an_operator("administrator"), "32 approve an import") as one:
            one.approve()
        run_waiting_jobs(timezone.now())
        assert Member.objects.count() == 30
        assert MemberImport.objects.get().rows_bad == 2

        with walk(maker, "32 take an import back") as one:
            one.menu("会员导入")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("查看任务，可在那里整批撤销")
            one.click("撤销本批")
            one.click(one.dialog.locator("button[type=submit]"))
            one.sees("正在撤销")
        run_waiting_jobs(timezone.now())
        assert not Member.objects.exclude(status=Member.Status.CLOSED).exists()
        assert not MemberPerson.objects.exists()


class TestAnUnmaskedExport:
    def test_needs_approval_and_stays_on_record(self, walk: Walks) -> None:
        a_named_member("王小明", "13911112222")
        maker = an_operator("administrator")
        with walk(maker, "40 ask for an unmasked export") as one:
            one.menu("会员导出")
            one.click("新建名单")
            one.write("purpose", "给快递公司寄年历")
            one.click(one.page.locator("label[for=id_is_unmasked], [name=is_unmasked]").last)
            one.click("统计会员数")
            one.click("导出 1 位会员")
            one.sees("名单等待同事审批")
        export = MemberExport.objects.get()
        assert (export.is_unmasked, export.job_id) == (True, None)
        with walk(an_operator("administrator"), "40 approve an export") as one:
            one.approve()
        run_waiting_jobs(timezone.now())
        with walk(maker, "40 take an export") as one:
            one.menu("会员导出")
            one.click(one.page.locator("#result_list tbody a").first)
            one.click("查看任务，可在那里下载文件")
            assert one.download("下载结果").suggested_filename.endswith(".xlsx")

        with walk(an_operator("administrator"), "40 who exported phone numbers") as one:
            one.menu("会员导出")
            row = one.page.locator("#result_list tbody tr")
            expect(row).to_have_count(1)
            expect(row).to_contain_text(str(maker))
            expect(row).to_contain_text("127.0.0.1")
            expect(row).to_contain_text("完整手机号")
            one.click(row.locator("a").first)
            one.sees("给快递公司寄年历", "127.0.0.1")

    def test_and_so_does_every_look_at_a_member(self, walk: Walks) -> None:
        member = a_named_member("王小明", "13911112222")
        curious = an_operator("service")
        with walk(curious, "40 look at a phone number") as one:
            one.find(member.member_no)
            one.click("显示手机号")
            one.sees("139 1111 2222")
        with walk(an_operator("service supervisor"), "40 who looked at a member") as one:
            one.find(member.member_no)
            one.tab("个人资料")
            row = one.page.locator("#member-tab .pn-table tbody tr")
            expect(row).to_have_count(1)
            for words in (str(curious), "手机号", "会员来电或到店"):
                expect(row).to_contain_text(words)
        look = TimelineEntry.objects.get(kind="members.personal_data_viewed.v1")
        assert (look.member_id, look.actor_id, look.payload["fields"]) == (member.pk, curious.pk, ["phone"])
