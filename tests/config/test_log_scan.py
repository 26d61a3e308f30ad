"""Control 26: after a busy hour, failures among it, no log line names a person or holds a secret."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.services.messages import Delivery, deliver_due_messages, queue_messages
from config.logs import MaskingFormatter
from members.identifiers import MEMBER, public_ref
from members.models import Identity, Member, MemberPerson, TimelineEntry
from rewards.api import pos
from tests.campaigns.given import NOON, a_member
from tests.campaigns.test_messages import a_rise
from tests.factories.api import API, Caller, make_member, make_till, order_body, sign_in
from tests.factories.catalogue import a_reward
from tests.factories.imports import an_import, checked, csv_of
from tests.factories.portal import PASSWORD, an_operator, signed_in

PHONE, OTHER, EMAIL = "13912345678", "13812340000", "ming.yue@example.com"
OPENID = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
NAME = "欧阳明月"
SECRETS = re.compile(
    r"(?<!\d)1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)|\bo[A-Za-z0-9_-]{27}\b|mt_[A-Za-z0-9_-]{10}|pk_live_[A-Za-z0-9_-]{10}|ming\.yue@"
)


@pytest.fixture
def lines(plain: io.StringIO) -> Iterator[io.StringIO]:
    """All that any logger says, from INFO on, as the handlers of the portal write it."""
    with heard(MaskingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")) as written:
        yield written


@pytest.fixture
def plain() -> Iterator[io.StringIO]:
    """The same without the portal's formatter."""
    with heard(logging.Formatter("%(message)s")) as written:
        yield written


@contextmanager
def heard(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def at_the_till(member: Member, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Look up, sell, refuse and break; return the secrets that were sent."""
    till, caller = make_till(), sign_in(member)
    assert till.post("/pos/members/resolve", {"phone": PHONE}).status_code == 200
    till.post("/pos/members/resolve", {"phone": OTHER})
    till.post("/pos/orders", order_body(public_ref(MEMBER, member.public_id)), key="k1")
    till.post("/pos/orders", order_body(phone=PHONE), key="k3")
    till.post("/pos/orders", order_body(member_ref=f"mem_{OPENID}", note=EMAIL), key="k2")
    till.client.post(f"{API}/pos/orders", f'{{"phone": "{PHONE}"', content_type="application/json")
    caller.get("/me")
    caller.get("/me/points")
    caller.post("/me/redemptions", {"reward": "rwd_x"}, key=PHONE)
    Caller(secret=f"mt_{OPENID}").get("/me")
    Caller(secret=f"pk_live_{OPENID}").post("/pos/members/resolve", {"phone": PHONE})
    Caller().post("/auth/dev/login", {"phone": OTHER})

    def broken(*_arguments: Any, **_options: Any) -> None:
        message = f"can not read {PHONE} of {EMAIL} ({OPENID}), {till.secret}"
        raise RuntimeError(message)

    client = Client(raise_request_exception=False)
    with monkeypatch.context() as patch:
        patch.setattr(pos.OrdersView, "post", broken)
        answer = client.post(
            f"{API}/pos/orders",
            "{}",
            content_type="application/json",
            headers={"authorization": f"Bearer {till.secret}"},
        )
    assert answer.status_code == 500
    return [till.secret, caller.secret]


def at_the_desk(member: Member) -> None:
    """Find, look, correct, freeze; sign in wrongly; import and export."""
    client = signed_in("service supervisor")
    client.post(reverse("admin:members_member_find"), {"text": PHONE})
    client.post(reverse("admin:members_member_changelist"), {"q": PHONE}, follow=True)
    client.post(reverse("admin:members_member_person", args=[member.pk]))
    client.get(reverse("admin:members_member_change", args=[member.pk]))
    form = {"_form_submitted": "True", "acts": ["spend"], "last_day": "x", "reason": f"call {PHONE}"}
    client.post(reverse("admin:members_member_standing", args=[member.pk, "freeze"]), form)
    client.get(f"/admin/members/member/{PHONE}/nowhere/")
    operator = an_operator("service")
    for password in ("wrong", PASSWORD):
        Client().post("/admin/login/", {"username": operator.username, "password": password})
    now = timezone.now()
    checked(
        an_import(csv_of([("A1", NAME, OTHER, EMAIL, "", "", ""), ("A2", NAME, "12", "", "", "", "")]), at=now), at=now
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        MemberPerson.objects.create(member=make_member(), phone=f"+86{PHONE}", full_name=NAME)
    try:
        with transaction.atomic():
            Identity.objects.create(member=make_member(), issuer="wechat", value=OPENID, linked_at=now)
            Identity.objects.create(member=make_member(), issuer="wechat", value=OPENID, linked_at=now)
    except IntegrityError:
        logging.getLogger("members").exception("an identity could not be linked")


@pytest.mark.django_db
class TestABusyHour:
    def test_leaves_nobody_in_the_logs(
        self, lines: io.StringIO, plain: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = make_member(full_name=NAME, phone=PHONE, email=EMAIL)
        a_reward(30)
        secrets = at_the_till(member, monkeypatch)
        at_the_desk(member)
        said = lines.getvalue()
        assert "RuntimeError" in said, "failures are in it"
        assert "IntegrityError" in said
        assert len(said.splitlines()) > 20
        assert SECRETS.search(plain.getvalue()), "without the formatter there would be something"
        assert SECRETS.findall(said) == []
        for secret in secrets:
            assert secret not in said
        assert TimelineEntry.objects.filter(member=member, kind="members.personal_data_viewed.v1").count() == 1

    def test_of_a_mail_server_that_refuses_leaves_no_address(
        self, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queue_messages(entries=[a_rise(a_member(name=NAME, email=EMAIL))])

        def fail(*_arguments: object, **_options: object) -> int:
            raise SMTPRecipientsRefused({EMAIL: (550, f"no {EMAIL}".encode())})

        monkeypatch.setattr(mail.EmailMessage, "send", fail)
        assert deliver_due_messages(at=NOON) != Delivery()
        assert SECRETS.findall(lines.getvalue()) == []
