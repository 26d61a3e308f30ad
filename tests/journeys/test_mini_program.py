"""A member's journey through a mini-program: a client typed by the published description, over `wx.request`, under Node."""

import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from config.wechat_fake import FakeWeChat
from members.identifiers import MEMBER, public_ref
from members.models import Member, MemberSession, MemberToken
from rewards.models import LedgerTransaction, Redemption
from tests.factories.api import API, make_till, now, order_body
from tests.factories.catalogue import a_reward, a_template
from tests.factories.fulfilment import a_gift
from tests.factories.wechat import a_wechat
from tests.harness.node import install, lines_of, run

DESCRIPTION = Path(settings.BASE_DIR, "config", "openapi.yaml")
SOURCES = Path(__file__).parent.parent / "mini_program"
PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3", "@types/node@22.19.1")
Told = dict[str, dict[str, Any]]
CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def mini_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled mini-program, whose types come from the published description."""
    folder = tmp_path_factory.mktemp("mini-program")
    install(folder, PACKAGES)
    source = folder / "source"
    shutil.copytree(SOURCES, source)
    (source / "package.json").write_text('{"type": "module"}')
    tools = folder / "node_modules" / ".bin"
    # Without this, a request would have to name what has a default.
    types = [str(tools / "openapi-typescript"), str(DESCRIPTION), "--default-non-nullable=false"]
    run([*types, "--output", "api.ts"], source)
    run([str(tools / "tsc"), "--project", ".", "--outDir", str(folder / "dist")], source)
    (folder / "dist" / "package.json").write_text('{"type": "module"}')
    return folder / "dist"


@pytest.fixture
def portal(committed_db: str) -> Iterator[str]:
    """The address of a running API over a database of its own."""
    server = LiveServer("127.0.0.1")
    try:
        yield f"{server.url}{API}"
    finally:
        server.stop()


@pytest.fixture
def weixin() -> Iterator[FakeWeChat]:
    with a_wechat() as fake:
        yield fake


def buys_for_500() -> None:
    """The member buys something in a store."""
    order = order_body(public_ref(MEMBER, Member.objects.get().public_id), amount="500.00")
    answer = make_till().post("/pos/orders", order, key=order["external_order_no"])
    assert answer.status_code == 201, answer.json()


def token_ends() -> None:
    """The access token is over, as after two hours."""
    assert MemberToken.objects.filter(revoked_at=None).update(expires_at=now() - timedelta(seconds=1)) >= 1


class TestTheMiniProgram:
    def test_takes_a_member_from_the_first_look_to_signing_out(
        self, mini_program: Path, portal: str, weixin: FakeWeChat
    ) -> None:
        ten = a_template("ten-off", name="十元券", name_en="10 off", off_amount=10)
        a_reward(300, name="十元券", name_en="10 off", template=ten)
        a_gift("马克杯", 150, name_en="Mug")
        a_gift("自行车", 90_000, name_en="Bicycle")
        command = ["node", "journey.js", portal, settings.WECHAT_API_BASE]
        asked = {"purchase": buys_for_500, "token_ends": token_ends}
        lines = list(lines_of(command, mini_program, asked))
        told = {line.pop("step"): line for line in lines}
        assert len(told) == len(lines)
        looked_around(told)
        joined(told)
        stood_somewhere(told)
        redeemed_once(told)
        gave_back(told)
        was_signed_in(told)


def looked_around(told: Told) -> None:
    assert told["program"]["currency"] == "CNY"
    assert "zh-hans" in told["program"]["languages"]
    assert told["tiers"] == {
        "labels": ["普通会员", "银卡", "金卡", "钻石卡"], "statuses": [200, 304], "same": True,
    }  # fmt: skip


def joined(told: Told) -> None:
    assert told["login"] == {"next": "bind_phone", "member": None}
    assert no(told, "bind_without_consent") == (422, "consent_required")
    assert told["bind"] == {"joined": True, "statuses": [201, 201]}  # its answer was lost, and asked for again
    member = Member.objects.get()
    assert (member.person.phone, member.person.full_name) == ("+8613800138000", "李雷")
    assert no(told, "change_unread") == (428, "precondition_required")
    assert no(told, "change_outdated") == (412, "precondition_failed")
    assert told["me"] == {
        "phone": "+8613800138000", "name": ["", "李雷", "李雷"], "birthday": "1995-05-20", "language": "zh-hans",
    }  # fmt: skip


def stood_somewhere(told: Told) -> None:
    assert (told["tier"]["label"], told["tier"]["risen_to"]) == ("普通会员", "钻石卡")
    assert all(CHINESE.search(told["tier"][name]) for name in ("sentence", "wish"))
    assert re.fullmatch("[0-9]{20}", told["code"]["code"])
    assert told["code"]["seed_id"].startswith("mcd_")
    assert (told["summary"]["available"], told["summary"]["credits"]) == (500, 500)
    assert CHINESE.search(told["summary"]["sentence"])


def redeemed_once(told: Told) -> None:
    assert {(one["name"], one["price_points"], one["affordable"]) for one in told["rewards"]["items"]} == {
        ("十元券", 300, True), ("马克杯", 150, True), ("自行车", 90_000, False),
    }  # fmt: skip
    assert told["quote"] == {"points": 300, "can_redeem": True}
    assert told["redeem"] == {"statuses": [201, 201], "same": True, "points": 300, "left": 200}
    assert no(told, "redeem_other_with_key") == (422, "idempotency_key_reused")
    assert no(told, "redeem_too_dear") == (409, "insufficient_points")
    assert "200" in told["redeem_too_dear"]["detail"]
    assert told["redemptions"] == {"ids": [True], "states": ["已完成"]}
    assert told["voucher"]["mine"] == [True]
    assert told["voucher"]["usable"]
    assert re.fullmatch("[0-9A-Z]{4}(-[0-9A-Z]{4}){3}", told["voucher"]["code"])
    assert "¥10.00" in told["voucher"]["sentence"]


def gave_back(told: Told) -> None:
    assert told["cancel_voucher"] == {"was": True, "state": "cancelled", "voucher": "voided", "code": None}
    assert told["cancel"] == {"was": True, "states": ["cancelled", "cancelled"], "points": [350, 500]}
    assert set(Redemption.objects.values_list("reward__price_points", "state")) == {
        (300, "cancelled"), (150, "cancelled"),
    }  # fmt: skip
    entries = told["entries"]
    assert entries["kinds"] == ["restore", "redeem", "restore", "redeem", "earn"]
    assert LedgerTransaction.objects.count() == 5
    (line,) = entries["lines"]
    assert (line["kind"], line["points"], entries["points"]) == ("base", 500, 500)
    assert CHINESE.search(line["label"])


def was_signed_in(told: Told) -> None:
    assert told["sessions"] == {"devices": ["iPhone"], "current": [True]}
    # Two calls at once with a token that has ended renew it once.
    assert told["renewed"] == {"name": "李雷", "renewals": 1, "fresh": True}
    assert no(told, "copied_token") == (401, "refresh_token_reused")
    assert no(told, "family_ended") == (401, "token_expired")
    assert told["signed_out_by_copy"] == {"tokens": None}
    assert told["login_again"] == {"next": None, "joined": False, "known": True}
    assert told["logout"] == {"status": 204}
    assert no(told, "after_logout") == (401, "token_expired")
    assert no(told, "without_token") == (401, "authentication_required")
    assert set(MemberSession.objects.values_list("end", flat=True)) >= {"reuse", "logout"}


def no(told: Told, step: str) -> tuple[int, str]:
    """Return status and code of what was refused in a step, having checked that it was said in Chinese."""
    problem = told[step]
    assert CHINESE.search(problem["title"])
    assert CHINESE.search(problem["detail"])
    return problem["status"], problem["code"]
