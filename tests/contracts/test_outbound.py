"""Privacy: data goes to no host that the installation does not name. Whatever could reach another one is known here."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("members", "loyalty", "rewards", "campaigns", "analytics", "config")
# Modules of the standard library, and packages of others, that speak to other hosts.
TALKERS = {
    "aiohttp", "asyncssh", "boto3", "ftplib", "grpc", "http.client", "httpx", "imaplib", "nntplib", "paramiko", "poplib", "requests", "requests_hardened",
    "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc.client",
    "django.core.mail",
}  # fmt: skip
# Who speaks, and with whom.
KNOWN = {
    ("campaigns/channels/email.py", "smtplib"): "the mail server of EMAIL_URL, which DATA_STAYS_IN_REGION checks",
    ("campaigns/channels/email.py", "django.core.mail"): "the same",
    ("members/wechat.py", "requests"): "WeChat's own hosts, which config/checks.py holds WECHAT_API_BASE to",
    ("members/wechat.py", "requests_hardened"): "the same",
    ("members/webhook_http.py", "requests"): "the webhooks of WEBHOOK_HOSTS, which DATA_STAYS_IN_REGION checks",
    ("members/webhook_http.py", "requests_hardened"): "the same",
    ("members/webhook_http.py", "socket"): "cuts calls of webhooks that take too long",
    ("members/webhook_urls.py", "socket"): "asks where the host of a webhook leads, before anything is sent there",
    ("config/trial/valkey.py", "socket"): "the trial's own child on this machine",
    ("config/trial/folder.py", "socket"): "looks for a free port of this machine",
    ("config/trial/supervisor.py", "urllib.request"): "asks the trial's own server on this machine whether it is ready",
}


def talkers() -> Iterator[tuple[str, str]]:
    """Yield (module of the project, what it speaks with)."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                for name in names:
                    if name in TALKERS or name.split(".")[0] in TALKERS:
                        yield path.relative_to(ROOT).as_posix(), name if name in TALKERS else name.split(".")[0]


class TestTheProject:
    def test_speaks_with_nobody_but_the_hosts_of_its_settings(self) -> None:
        assert set(talkers()) == KNOWN.keys()
