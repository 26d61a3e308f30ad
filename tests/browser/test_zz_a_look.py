from datetime import timedelta
import pytest
from django.utils import timezone
from members.models import Member
from members.services.guessing import wrong_try
from members.services.one_time_codes import KIND
from members.services.tokens import begin_session
from tests.factories.portal import PASSWORD, a_named_member, an_operator
class TestLook:
    def test_pages(self, page, live_portal):
        m = a_named_member("张三丰", "13912345678")
        a_named_member("李四", "13812345678")
        for d in ("iPhone 17", "Pixel"): begin_session(member_id=m.pk, way="wechat", device=d, at=timezone.now())
        Member.objects.filter(pk=m.pk).update(cooling_until=timezone.now()+timedelta(hours=5))
        for n in range(70): wrong_try(kind=KIND, partitions={"phone": f"{n%6}"}, at=timezone.now())
        op = an_operator(superuser=True)
        page.set_viewport_size({"width": 1366, "height": 800})
        page.goto("/admin/login/"); page.fill("input[name=username]", op.username); page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter"); page.wait_for_load_state("networkidle")
        page.goto(f"/admin/members/member/{m.pk}/change/?tab=sign_ins"); page.wait_for_load_state("networkidle"); page.screenshot(path="/tmp/a8_tab.png")
        page.locator("button[hx-get*='end/']").first.click(); page.wait_for_timeout(800); page.screenshot(path="/tmp/a8_end.png")
        page.goto(f"/admin/members/member/{m.pk}/phone/"); page.screenshot(path="/tmp/a8_phone1.png")
        page.fill("input[name=phone]", "13812345678"); page.fill("textarea[name=reason]", "lost it"); page.click("button.pn-main"); page.wait_for_load_state("networkidle"); page.screenshot(path="/tmp/a8_phone2.png")
        page.goto("/admin/members/riskreview/"); page.wait_for_load_state("networkidle"); page.screenshot(path="/tmp/a8_risk.png")
        page.goto("/admin/members/guessingalarm/"); page.wait_for_load_state("networkidle"); page.screenshot(path="/tmp/a8_guess.png")
        page.locator("button[hx-get*='settle']").first.click(); page.wait_for_timeout(800); page.screenshot(path="/tmp/a8_settle.png")
