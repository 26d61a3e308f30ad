"""Pages for errors speak the reader's language and show nothing of the inside."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.utils import translation
from django.views.defaults import permission_denied, server_error


@pytest.mark.django_db
class TestErrorPages:
    """A page that …"""

    @pytest.mark.parametrize(
        ("language", "words"), [("en", "No such page"), ("zh-hans", "没有这个页面"), ("zh-hant", "沒有這個頁面")]
    )
    def test_is_not_there_says_so(self, client: Client, language: str, words: str) -> None:
        client.cookies["django_language"] = language

        answer = client.get("/nowhere/")

        assert answer.status_code == 404
        assert words in answer.text

    def test_is_not_for_this_role_says_so(self, rf: RequestFactory) -> None:
        request = rf.get("/admin/")
        request.user = AnonymousUser()
        with translation.override("zh-hans"):
            answer = permission_denied(request, PermissionDenied("inside story"))

        assert answer.status_code == 403
        assert "您的角色不包含此页面" in answer.content.decode()
        assert "inside story" not in answer.content.decode()

    def test_broke_says_that_nothing_took_effect(self, rf: RequestFactory) -> None:
        answer = server_error(rf.get("/"))

        assert answer.status_code == 500
        assert "没有生效" in answer.content.decode()
