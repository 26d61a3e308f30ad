"""Whatever a caller sends to any operation, the answer is one that the published description knows, and never an error of ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from config.wsgi import application
from tests.factories.api import Caller, make_till, sign_in
from tests.factories.histories import a_small_history
from tests.harness.generated import examples

pytestmark = pytest.mark.django_db

COMMITTED = (
    Path(__file__).resolve().parents[2] / "config" / "openapi.yaml"
)  # tests/config/test_openapi.py holds it to the code
DESCRIBED = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
OPERATIONS = [
    (method, path)
    for path, item in DESCRIBED["paths"].items()
    for method in item
    if method in {"get", "post", "put", "patch", "delete"}
]
# A description can not say which cursors, codes and ETags exist; and who may call what is asked by other tests, of every route.
UNASKED = [positive_data_acceptance, ignored_auth]


@pytest.fixture(scope="module")
def api() -> Any:
    """The operations, called in the application as its server runs it."""
    schema = schemathesis.openapi.from_dict(DESCRIBED | {"servers": [{"url": "http://testserver/api/v1"}]})
    schema.app = application
    return schema


@pytest.fixture
def connection_stays() -> Iterator[None]:
    """The server's signals would close the connection in which the test's transaction runs."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def callers() -> dict[str, Caller]:
    """One of each kind who may call."""
    member, _redeemed = a_small_history()
    return {"memberToken": sign_in(member), "tillKey": make_till()}


class TestEveryOperation:
    @pytest.mark.usefixtures("connection_stays")
    @pytest.mark.parametrize(
        ("method", "path"), OPERATIONS, ids=[f"{method.upper()} {path}" for method, path in OPERATIONS]
    )
    def test_answers_as_it_is_described(self, api: Any, callers: dict[str, Caller], method: str, path: str) -> None:
        operation = api[path][method.upper()]
        wanted = {name for one in DESCRIBED["paths"][path][method]["security"] for name in one}
        caller = next((callers[name] for name in sorted(wanted) if name in callers), None)
        headers = {"Authorization": f"Bearer {caller.secret}"} if caller else {}

        @settings(max_examples=examples(10), suppress_health_check=list(HealthCheck), deadline=None)
        @given(case=operation.as_strategy())
        def any_case(case: Any) -> None:
            around = transaction.atomic()
            around._from_testcase = True  # type: ignore[attr-defined]  # what asks to be outermost is so within it
            with around:
                case.call_and_validate(headers=headers, excluded_checks=UNASKED)
                transaction.set_rollback(True)

        any_case()
