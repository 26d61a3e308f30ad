"""The API's edge: problems, languages, bodies, caches, the development login, health, and the published description."""

import logging
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client, RequestFactory, override_settings
from django.urls import get_resolver
from psycopg import errors
from rest_framework.views import APIView

from config import health
from config.problems import CODE_OF_STATUS, TITLES
from members.api import urls as members_urls
from members.api.views import ProgramView
from members.models import Programme
from tests.factories.api import API, Caller, make_member, make_till, now, order_body, problem_of, sign_in

pytestmark = pytest.mark.django_db


def api_views() -> dict[str, type[Any]]:
    """Return the view class of every address under /api/v1/."""
    found: dict[str, type[Any]] = {}

    def walk(patterns: Any, prefix: str) -> None:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, path)
            elif path.startswith("api/"):
                found[path] = pattern.callback.view_class

    walk(get_resolver().url_patterns, "")
    return found


class TestProblems:
    def test_name_unknown_addresses(self) -> None:
        for path in ("/nothing", "/me/nothing", "/pos/orders/", "/../x"):
            assert problem_of(Caller().get(path)) == (404, "not_found")
        assert problem_of(Client().get("/api/v2/x")) == (404, "not_found")

    def test_answer_a_forged_host_without_repeating_it(self) -> None:
        answer = Client(raise_request_exception=True).get("/api/v1/program", headers={"host": "evil.example"})

        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "evil.example" not in answer.text

    def test_name_methods_that_do_not_exist(self) -> None:
        answer = Caller().post("/program", {})
        assert problem_of(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD"
        assert problem_of(Client().options(f"{API}/program")) == (405, "method_not_allowed")

    def test_name_bodies_that_are_no_json(self) -> None:
        till = make_till()

        def send(body: bytes | str, kind: str = "application/json") -> tuple[int, str]:
            headers = {"authorization": f"Bearer {till.secret}", "idempotency-key": "k"}
            return problem_of(Client().post(f"{API}/pos/orders", body, content_type=kind, headers=headers))

        for body in ("{", '{"a": NaN}', '{"a": Infinity}', b"\xff\xfe", "[" * 100_000, '{"a": ' * 50_000, "9" * 5_000):
            assert send(body) == (400, "malformed_request"), body[:20]
        assert send("<a/>", "text/xml") == (415, "unsupported_media_type")
        assert send("a=1", "application/x-www-form-urlencoded") == (415, "unsupported_media_type")

    def test_name_bodies_that_are_too_large(self) -> None:
        body = order_body(note="x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        assert problem_of(make_till().post("/pos/orders", body, key="k")) == (413, "payload_too_large")

    def test_name_forms_of_answer_that_do_not_exist(self) -> None:
        assert problem_of(Caller().get("/program", accept="text/html")) == (406, "not_acceptable")

    @override_settings(DEBUG=False)
    def test_tell_nothing_of_a_bug_and_log_it(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*_args: object) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(ProgramView, "get", broken)
        client = Client(raise_request_exception=False)
        with caplog.at_level(logging.ERROR, "django.request"):
            answer = client.get(f"{API}/program")
        assert problem_of(answer) == (500, "internal_error")
        assert b"secret" not in answer.content
        assert b"Traceback" not in answer.content
        assert "secret detail" in caplog.text

    def test_say_that_a_lock_may_be_had_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def locked(*_args: object) -> None:
            raise OperationalError("lock timeout") from errors.LockNotAvailable()

        monkeypatch.setattr(ProgramView, "get", locked)
        answer = Caller().get("/program")
        assert problem_of(answer) == (409, "member_busy")
        assert answer.headers["Retry-After"] == "1"

    def test_say_that_the_database_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_args: object) -> None:
            raise OperationalError("connection refused: host db.internal")

        monkeypatch.setattr(ProgramView, "get", away)
        answer = Caller().get("/program")
        assert problem_of(answer) == (503, "unavailable")
        assert b"internal" not in answer.content

    def test_every_refusal_has_a_title_and_its_own_words(self) -> None:
        named = [view.refusals.values() for view in api_views().values() if hasattr(view, "refusals")]
        refusals = {kind for by_method in named for kinds in by_method for kind in kinds}
        assert len(refusals) > 15
        assert {kind.code for kind in refusals} <= TITLES.keys()
        assert all((400 <= kind.status < 500 or kind.status == 503) and str(kind.text) for kind in refusals)
        assert set(CODE_OF_STATUS.values()) <= TITLES.keys()

    def test_kinds_can_be_looked_up_under_their_type(self) -> None:
        kind = Caller().get("/program/none").json()["type"]
        assert Client().get(kind).json() == {"code": "not_found", "title": Client().get(kind).json()["title"]}
        assert problem_of(Caller().get("/problems/none")) == (404, "not_found")


class TestLanguages:
    @pytest.mark.parametrize(
        ("asked", "given"),
        [
            ("zh_CN", "zh-hans"), ("zh-CN", "zh-hans"), ("zh-TW", "zh-hant"), ("zh_HK", "zh-hant"), ("zh-Hant", "zh-hant"),
            ("en", "en"), ("en-GB", "en"), ("fr", "zh-hans"), ("*", "zh-hans"), ("", "zh-hans"),
        ],
    )  # fmt: skip
    def test_follow_the_header(self, asked: str, given: str) -> None:
        for path in ("/program", "/nothing", "/me/points"):
            answer = Caller(language=asked).get(path)
            assert answer.headers["Content-Language"] == given
            assert "Accept-Language" in answer.headers["Vary"]

    def test_names_are_those_of_the_language(self) -> None:
        names = {
            language: Caller(language=language).get("/program").json()["points_name"]
            for language in ("zh-CN", "zh-TW", "en")
        }
        assert names == {"zh-CN": "积分", "zh-TW": "積分", "en": "points"}


class TestMethods:
    def test_of_who_can_not_send_patch_are_named_in_a_header(self) -> None:
        caller = sign_in(make_member())
        assert problem_of(caller.post("/me", {"language": "en"})) == (405, "method_not_allowed")
        overridden = {"x_http_method_override": "PATCH"}
        assert problem_of(caller.post("/me", {"language": "en"}, **overridden)) == (428, "precondition_required")
        etag = caller.get("/me").headers["ETag"]
        assert caller.post("/me", {}, if_match=etag, **overridden).status_code == 200

    @pytest.mark.parametrize("method", ["DELETE", "PUT", "GET", ""])
    def test_that_others_can_send_themselves_are_not_taken_from_a_header(self, method: str) -> None:
        caller = sign_in(make_member())
        assert caller.post("/me/closure", {}, x_http_method_override=method).status_code in (400, 422)


class TestPublicReads:
    def test_the_programme(self) -> None:
        told = Caller().get("/program").json()
        assert told == {
            "name": Programme.objects.values_list("name_en", flat=True).get(),
            "points_name": "points",
            "currency": "CNY",
            "zone": "Asia/Shanghai",
            "languages": ["zh-hans", "zh-hant", "en"],
        }

    def test_the_ladder(self) -> None:
        told = Caller().get("/tiers").json()
        codes = [tier["code"] for tier in told["tiers"]]
        assert codes[0] == "member"
        assert [tier["rank"] for tier in told["tiers"]] == list(range(len(codes)))
        assert told["tiers"][0]["points_multiplier"] == "1.00"
        assert Caller().get("/tiers?on=2026-01-01").json()["version"] == told["version"]
        for day in ("x", "0001-01-01", "9999-12-31", ""):
            answer = Caller().get(f"/tiers?on={day}")
            assert problem_of(answer) == (400, "validation_error")
            assert answer.json()["errors"][0]["parameter"] == "on"

    @pytest.mark.parametrize(
        "path", ["/program", "/tiers", "/earning-rules", "/rewards", "/problems/not_found", "/openapi.json"]
    )
    def test_are_not_sent_twice(self, path: str) -> None:
        caller = Caller()
        first = caller.get(path)
        etag = first.headers["ETag"]
        assert "public" in first.headers["Cache-Control"]
        again = caller.get(path, if_none_match=etag)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert caller.get(path, if_none_match='"other"').status_code == 200
        assert caller.get(path, if_none_match=f'"other", {etag}').status_code == 304

    def test_differ_by_language(self) -> None:
        etags = {Caller(language=language).get("/program").headers["ETag"] for language in ("en", "zh-CN", "zh-TW")}
        assert len(etags) == 3


class TestEveryAddress:
    def test_names_who_may_call_it(self) -> None:
        views = api_views()
        assert len(views) > 20
        for path, view in views.items():
            assert issubclass(view, APIView)
            assert any(
                "permission_classes" in kind.__dict__
                for kind in view.__mro__
                if kind.__module__.split(".")[0] in {"members", "loyalty", "rewards", "campaigns", "config"}
            ), path

    def test_a_view_that_names_nobody_answers_nobody(self) -> None:
        class Forgotten(APIView):
            def get(self, request: object) -> None:
                raise AssertionError

        assert Forgotten.as_view()(RequestFactory().get("/")).status_code in (401, 403)


class TestDevelopmentLogin:
    def test_signs_in_by_phone_or_number(self) -> None:
        member = make_member(phone="13800138000")
        for body in ({"phone": "13800138000"}, {"member_no": member.member_no}):
            answer = Caller().post("/auth/dev/login", body)
            assert answer.status_code == 201
            assert answer.json()["token_type"] == "Bearer"
            assert Caller(secret=answer.json()["access_token"]).get("/me/points").status_code == 200
        assert problem_of(Caller().post("/auth/dev/login", {"phone": "13900139000"})) == (404, "not_found")
        assert problem_of(Caller().post("/auth/dev/login", {})) == (400, "validation_error")

    def test_does_not_exist_outside_the_demo(self) -> None:
        assert [route.name for route in members_urls.routes(demo=False)] == ["program"]
        assert "dev_login" in [route.name for route in members_urls.routes(demo=True)]


class TestHealth:
    def test_says_that_the_process_is_alive_and_can_serve(self) -> None:
        assert Client().get("/healthz").json() == {"status": "alive"}
        ready = Client().get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (200, True)
        assert "no-store" in ready.headers["Cache-Control"]
        assert Client().post("/readyz").status_code == 405

    def test_says_when_the_database_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> None:
            raise OperationalError

        monkeypatch.setattr(connection, "cursor", away)
        answer = health.ready(RequestFactory().get("/readyz"))
        assert answer.status_code == 503


class TestPersonalAnswers:
    def test_are_kept_by_no_cache(self) -> None:
        me = sign_in(make_member())
        for path in ("/me/summary", "/me/points", "/me/tier", "/rewards"):
            assert me.get(path).headers["Cache-Control"] == "no-store"
        login = Caller().post("/auth/dev/login", {"member_no": "1"})
        assert login.headers["Cache-Control"] == "no-store"

    def test_moments_are_utc(self) -> None:
        joined = sign_in(make_member()).get("/me/summary").json()["member"]["joined_at"]
        assert joined.endswith("Z")
        assert joined[:10] <= now().isoformat()[:10]
