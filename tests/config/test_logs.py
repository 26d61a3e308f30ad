"""Nobody stands in a log."""

import logging
import sys
from typing import Any

import pytest
from celery.signals import setup_logging
from django.conf import settings
from django.db import IntegrityError, transaction

from config.celery import log_like_the_portal
from config.logs import MaskingFormatter, masked
from members.models import MemberPerson
from tests.factories.people import a_member


class TestALogLine:
    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            ("call 13912345678 now", "call 139****5678 now"),
            ("139-1234-5678", "139****5678"),
            ("+8613912345678", "139****5678"),
            ("+85261234567", "+85****67"),
            ("to ming.yue+x@example.com failed", "to ***@example.com failed"),
            ("openid oMgHVjlQz5s-unique-openid_77!", "openid o***!"),
            ("Bearer mt_abcdefghijklmnop", "Bearer mt_***"),
            ("DETAIL:  Key (full_name)=(张三丰) already exists.", "DETAIL:  Key (full_name)=(***) already exists."),
            ("DETAIL:  Failing row contains (1, 张三丰, null).", "DETAIL:  Failing row contains (***)"),
            (
                "expired 1763791234567 points in 20260705123456 lots",
                "expired 1763791234567 points in 20260705123456 lots",
            ),
        ],
    )
    def test_hides_people_and_nothing_else(self, said: str, kept: str) -> None:
        assert masked(said) == kept

    @pytest.mark.django_db
    def test_hides_them_in_tracebacks_of_the_database(self) -> None:
        first, second = a_member(), a_member()
        MemberPerson.objects.create(member=first, phone="+8613912345678", full_name="张三丰")
        try:
            with transaction.atomic():
                MemberPerson.objects.create(member=second, phone="+8613912345678", full_name="张三丰")
        except IntegrityError:
            told = logging.LogRecord("x", logging.ERROR, "x", 1, "failed for %s", ("13912345678",), sys.exc_info())
        line = MaskingFormatter("%(message)s").format(told)
        assert "IntegrityError" in line
        assert "13912345678" not in line

    def test_is_written_so_by_every_process(self) -> None:
        logs: dict[str, Any] = settings.LOGGING
        assert logs["formatters"]["line"]["()"] == "config.logs.MaskingFormatter"
        assert {handler["formatter"] for handler in logs["handlers"].values()} == {"line"}
        assert log_like_the_portal in [receiver() for _key, receiver in setup_logging.receivers]
