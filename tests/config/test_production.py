"""Control 24: production settings are clean, complete, and refuse to start half configured."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

ROOT = Path(__file__).parents[2]
SECRET = "only-for-this-test-0123456789-abcdefghijklmnopqrstuvwxyz"
COMPLETE = {
    "SECRET_KEY": SECRET,
    "CODE_SECRET": SECRET,
    "LEDGER_ANCHOR_KEY": SECRET,
    "ALLOWED_HOSTS": "portal.example.com",
    "EMAIL_URL": "smtp://localhost:25",
    "DATABASE_URL": "postgres:///perennial",
    "CELERY_BROKER_URL": "redis://localhost",
}


def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Django's deployment check under production settings in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if name not in COMPLETE}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**clean, **environment, "DJANGO_SETTINGS_MODULE": "config.settings.production"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestProductionSettings:
    """Production settings …"""

    def test_pass_the_deployment_check_without_a_warning(self) -> None:
        result = check(COMPLETE)

        assert result.returncode == 0, result.stderr
        assert "no issues" in result.stdout

    @pytest.mark.parametrize("missing", sorted(COMPLETE))
    def test_name_what_is_missing(self, missing: str) -> None:
        result = check({name: value for name, value in COMPLETE.items() if name != missing})

        assert result.returncode != 0
        assert f"Set {missing} in the environment" in result.stderr

    def test_refuse_to_start_when_data_would_leave_the_region(self) -> None:
        outside = COMPLETE | {"EMAIL_URL": "smtp://user:secret@mail.example.net:25"}
        assert check(outside).returncode == 0

        result = check(outside | {"DATA_STAYS_IN_REGION": "1", "OUTBOUND_HOSTS": "mail.example.cn"})
        assert result.returncode != 0
        assert "mail.example.net" in result.stderr
        assert "secret" not in result.stderr

        listed = outside | {"DATA_STAYS_IN_REGION": "1", "OUTBOUND_HOSTS": "mail.example.cn,mail.example.net"}
        assert check(listed).returncode == 0
        result = check(listed | {"WEBHOOK_HOSTS": "mail.example.cn,crm.example.net"})
        assert result.returncode != 0
        assert "crm.example.net" in result.stderr

    def test_have_neither_debug_nor_demo(self) -> None:
        probe = "from config.settings import production as p; print(p.DEBUG, p.DEMO, p.SESSION_COOKIE_SECURE, p.CSRF_COOKIE_SECURE)"
        result = subprocess.run(
            [sys.executable, "-c", probe],
            cwd=ROOT,
            env={**os.environ, **COMPLETE},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

        assert result.stdout.split() == ["False", "False", "True", "True"]


@pytest.mark.django_db
class TestEveryAnswer:
    """Every answer …"""

    def test_carries_the_content_security_policy_and_the_other_headers(self, client: Client) -> None:
        answer = client.get(f"/{settings.ADMIN_PATH}login/")

        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "object-src 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Request-Id"].startswith("req_")
