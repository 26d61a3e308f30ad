"""What holds for every address: visitors and staff without a role are refused, except at a few that are public."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RegexPattern

from tests.factories.portal import signed_in

# Addresses that anybody may open, each for a reason.
PUBLIC = {
    "alive": "load balancers",
    "ready": "load balancers",
    "set_language": "the language of the sign-in page",
    "admin:login": "signing in",
    "api:program": "what a visitor reads before joining",
    "api:stores": "what a visitor reads before joining",
    "api:tiers": "what a visitor reads before joining",
    "api:earning_rules": "what a visitor reads before joining",
    "api:plans": "what a visitor reads before joining",
    "api:rules": "what a visitor reads before joining",
    "api:rules_changes": "what a visitor reads before joining",
    "rules": "leads to the published rules in the reader's language",
    "rules_in": "what a visitor reads before joining",
    "tier_image": "what a visitor sees of a tier",
    "reward_picture": "what a visitor sees of a reward",
    "api:rewards": "what a visitor reads before joining",
    "api:voucher_offers": "what a visitor reads before joining",
    "api:reward": "what a visitor reads before joining",
    "api:problem_kind": "explains an error to a developer",
    "api:openapi": "the description of the API",
    "api:docs": "the description of the API, for people",
    "api:job_result": "whoever has the signed link of a result",
    "api:activate_till": "a till that has no key yet; whoever has the one-time code",
    "api:wechat_login": "signing in",
    "api:wechat_phone": "signing in; needs a binding token",
    "api:send_code": "signing in",
    "api:verify_code": "signing in; needs a code",
    "api:refresh": "signing in; needs a refresh token",
    "api:dev_login": "signs a member in; exists in the demo only",
}
# What every member of staff may open, with any role or none.
FOR_ALL_STAFF = {
    "admin:index",
    "admin:logout",
    "admin:password_change",
    "admin:password_change_done",
    "admin:jsi18n",
    "admin:search",
    "admin:second_step",
}
SAMPLES = {"int": "1", "slug": "x", "uuid": "00000000-0000-4000-8000-000000000000", "path": "1", "str": "1"}


def addresses() -> list[tuple[str, str]]:
    """Return (name, path with sample arguments) of all addresses."""
    return sorted(set(_walk(get_resolver(), "/", "")))


def _walk(resolver: URLResolver, before: str, namespace: str) -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern, before + _sample(pattern.pattern), inner)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name or ''}", before + _sample(pattern.pattern)


def _sample(pattern: Any) -> str:
    if isinstance(pattern, RegexPattern):
        text = re.sub(r"\(\?P<content_type_id>.*?\)|\(\?P<object_id>.*?\)", "1", str(pattern))
        if "app_label" in text:  # the list of an app's pages
            text = re.sub(r"\(\?P<app_label>.*?\)", "members", text)
        text = text.replace(".*", "nowhere")
        return re.sub(r"\(\?P<\w+>(.*)\)", "nowhere", text).strip("^$").replace("\\", "")
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES.get(found.group(1) or "str", "x"), str(pattern))


def refused(answer: Any) -> bool:
    """Whether a visitor was sent to sign in, or told that he may not, or that there is nothing for him."""
    if answer.status_code in (301, 302):
        return answer.headers["Location"].startswith((reverse("admin:login"), "/admin/"))
    return answer.status_code in (401, 403, 404)


@pytest.mark.django_db
class TestEveryAddress:
    def test_is_found_by_this_walk(self) -> None:
        names = {name for name, _path in addresses()}
        assert {
            "alive",
            "admin:index",
            "admin:members_member_changelist",
            "admin:members_member_person",
            "api:openapi",
        } <= names
        assert len(names) > 100
        assert names >= PUBLIC.keys()

    def test_refuses_visitors_by_every_method(self) -> None:
        visitor = Client()
        let_in = []
        for name, path in addresses():
            if name in PUBLIC:
                continue
            for method in ("get", "post", "put", "patch", "delete"):
                answer = getattr(visitor, method)(path, data={}, content_type="application/json")
                if not refused(answer) and answer.status_code != 405:
                    let_in.append((name, method, path, answer.status_code))
        assert let_in == []

    def test_of_the_portal_refuses_staff_without_a_role(self) -> None:
        outsider = signed_in()
        let_in = []
        for name, path in addresses():
            if not name.startswith("admin:") or name in FOR_ALL_STAFF or name in PUBLIC:
                continue
            for method in ("get", "post"):
                answer = getattr(outsider, method)(path)
                outcome = answer.status_code
                if outcome in (403, 404, 405):
                    continue
                target = answer.headers.get("Location", "")
                # Django leads home from the history of a row that does not exist.
                if target != reverse("admin:index") and (
                    not target or outsider.get(target).status_code not in (403, 404)
                ):
                    let_in.append((name, method, path, outcome, target))
        assert let_in == []

    def test_of_the_api_does_not_take_a_staff_session(self) -> None:
        superuser = signed_in(superuser=True)
        let_in = []
        for name, path in addresses():
            if name.startswith("api:") and name not in PUBLIC:
                answer = superuser.get(path)
                if answer.status_code not in (401, 403, 405):
                    let_in.append((name, path, answer.status_code))
        assert let_in == []

    def test_of_the_portal_belongs_to_the_one_site(self) -> None:
        assert type(admin.site).__name__ == "PortalSite" or admin.site._wrapped.__class__.__name__ == "PortalSite"  # type: ignore[attr-defined]
