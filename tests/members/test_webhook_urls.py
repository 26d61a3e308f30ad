"""Where nothing is sent: our own networks, whatever the name, the redirect or the second look-up says."""

import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from members.actors import SYSTEM
from members.models import WebhookEndpoint
from members.services.webhooks import create_webhook
from members.webhook_http import Call, Outcome, Sender
from members.webhook_urls import (
    WebhookHostRefused,
    WebhookHostUnknown,
    WebhookUrlInvalid,
    is_public,
    refuse_host,
    refuse_url,
)

PUBLIC = "203.0.113.7"  # of documentation; looked up as the public address below
REAL_PUBLIC = "8.8.8.8"


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any) -> None:
    settings.WEBHOOK_LOOPBACK = False


class Names:
    """Answers look-ups one after the other, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: Any, *_args: Any, **_options: Any) -> list[Any]:
        self.asked.append(host)
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]


def send(url: str) -> Outcome:
    with Sender() as sender:
        return sender.send(Call(url, "evt_1", "{}", ("whsec_c2VjcmV0c2VjcmV0c2VjcmV0",)), at=datetime.now(UTC))


class TestAnAddress:
    @pytest.mark.parametrize(
        "url",
        [
            "http://crm.example.com/", "ftp://crm.example.com/", "https://user:pw@crm.example.com/", "https://crm.example.com\\@10.0.0.1/",
            "https://crm.example.com/#part", "https://CRM.example.com/", "https://crm.example.com:0/", "https://crm.example.com:99999/",
            "//crm.example.com", "https://", "https://crm.example.com/ x", "https://crm.example.com/\n", "https://例え.example/",
            "https://crm.example.com/" + "x" * 500, "http://localhost:8000/", "javascript:alert(1)", "https://[::1%25eth0]/",
        ],
    )  # fmt: skip
    def test_of_another_form_is_refused(self, url: str) -> None:
        with pytest.raises(WebhookUrlInvalid):
            refuse_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://127.0.0.1/", "https://10.1.2.3/", "https://192.168.1.1:8443/x", "https://169.254.169.254/latest/meta-data",
            "https://[::1]/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/".replace("10.0.0.1", "a00:1"), "https://0.0.0.0/",
            "https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://100.64.0.1/", "https://[64:ff9b::a00:1]/",
            "https://[2002:7f00:1::]/", "https://224.0.0.1/", "https://[fec0::1]/",
        ],
    )  # fmt: skip
    def test_of_our_own_networks_is_refused(self, url: str) -> None:
        with pytest.raises(WebhookHostRefused):
            refuse_url(url)

    def test_by_a_name_that_leads_inside_is_refused_and_nothing_kept(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Names(monkeypatch, "10.0.0.5")
        with pytest.raises(WebhookHostRefused):
            create_webhook(
                url="https://crm.example.com/", types=["member.created"], key=None, by=SYSTEM, at=datetime.now(UTC)
            )
        assert not WebhookEndpoint.objects.exists()

    def test_by_a_name_that_leads_nowhere_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def nobody(*_args: Any, **_options: Any) -> Any:
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", nobody)
        with pytest.raises(WebhookHostUnknown):
            refuse_host("https://crm.example.com/")

    def test_of_a_host_that_is_not_listed_is_refused(self, settings: Any) -> None:
        settings.WEBHOOK_HOSTS = ["crm.example.cn", ".partner.example.cn"]
        refuse_url("https://crm.example.cn/x")
        refuse_url("https://a.partner.example.cn/")
        for host in ("evil.example", "xcrm.example.cn", "partner.example.cn", "crm.example.cn.evil.example"):
            with pytest.raises(WebhookHostRefused):
                refuse_url(f"https://{host}/")
        settings.WEBHOOK_HOSTS = []  # data stays in the region, and no host is named: nobody
        with pytest.raises(WebhookHostRefused):
            refuse_url("https://crm.example.cn/x")

    def test_of_the_internet_is_public(self) -> None:
        assert is_public(REAL_PUBLIC)
        assert is_public("2606:4700::1111")
        assert not is_public(PUBLIC)
        assert not is_public("no address")


class TestSending:
    def test_asks_again_where_the_name_leads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = Names(monkeypatch, REAL_PUBLIC, "127.0.0.1")
        refuse_host("https://crm.example.com/")  # as it was when it was saved
        assert send("https://crm.example.com/").fault == "address"
        assert names.asked == ["crm.example.com"] * 2

    def test_connects_to_the_very_address_that_was_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that leads elsewhere at a second look-up gains nothing: there is none."""
        names = Names(monkeypatch, REAL_PUBLIC, "127.0.0.1")
        connected: list[tuple[Any, ...]] = []

        def connect(connection: Any) -> None:
            connected.append((connection.host, connection.server_hostname, connection.assert_hostname))
            raise OSError("far enough")

        monkeypatch.setattr("urllib3.connection.HTTPSConnection.connect", connect)
        assert send("https://crm.example.com/").fault == "connection"
        assert connected == [(REAL_PUBLIC, "crm.example.com", "crm.example.com")]
        assert names.asked == ["crm.example.com"]

    def test_takes_no_proxy_of_the_surroundings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:3128")
        self.test_connects_to_the_very_address_that_was_looked_at(monkeypatch)

    def test_is_refused_when_the_list_of_hosts_became_shorter(self, settings: Any) -> None:
        settings.WEBHOOK_HOSTS = ["crm.example.cn"]
        assert send("https://old.example.cn/").fault == "address"
