"""A member's journey through a mini-program: a client typed by the published description, over `wx.request`, under Node."""

import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from config.wechat_fake import FakeWeChat
from members.identifiers import MEMBER, public_ref
from members.models import Member, MemberToken
from tests.factories.api import API, make_till, now, order_body
from tests.factories.catalogue import a_reward, a_template
from tests.factories.fulfilment import a_gift
from tests.factories.wechat import a_wechat
from tests.harness.node import install, lines_of, run

DESCRIPTION = Path(settings.BASE_DIR, "config", "openapi.yaml")
SOURCES = Path(__file__).parent.parent / "mini_program"
PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3", "@types/node@22.19.1")
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
    # What has a default may be left out of a request, and is named as required where an answer always has it.
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
        for line in lines:
            print(line)
        told = {line.pop("step"): line for line in lines}
        assert len(told) == len(lines)
