"""Control 14: an installation may limit the staff's pages to its own networks."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from config.network import StaffNetworkMiddleware
from tests.factories.portal import signed_in

OFFICE = ["10.20.0.0/16", "2001:db8::/32"]


def answer(request: HttpRequest) -> HttpResponse:
    return StaffNetworkMiddleware(lambda _request: HttpResponse("in"))(request)


class TestNetworksOfStaff:
    @pytest.mark.parametrize("address", ["10.20.3.4", "2001:db8::7", "::ffff:10.20.3.4"])
    def test_let_in_who_comes_from_them(self, settings: Any, rf: RequestFactory, address: str) -> None:
        settings.STAFF_NETWORKS = OFFICE
        assert answer(rf.get("/admin/", REMOTE_ADDR=address)).content == b"in"

    @pytest.mark.parametrize("address", ["10.21.0.1", "2001:db9::7", "", "unix"])
    def test_keep_out_everybody_else(self, settings: Any, rf: RequestFactory, address: str) -> None:
        settings.STAFF_NETWORKS = OFFICE
        with pytest.raises(PermissionDenied):
            answer(rf.get("/admin/members/member/", REMOTE_ADDR=address))

    def test_leave_the_api_open(self, settings: Any, rf: RequestFactory) -> None:
        settings.STAFF_NETWORKS = OFFICE
        assert answer(rf.get("/api/v1/program", REMOTE_ADDR="203.0.113.9")).content == b"in"

    def test_believe_a_proxy_only_where_there_is_ours(self, settings: Any, rf: RequestFactory) -> None:
        settings.STAFF_NETWORKS = OFFICE
        forged = rf.get("/admin/", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="10.20.0.1")
        with pytest.raises(PermissionDenied):
            answer(forged)
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        assert answer(forged).content == b"in"
        with pytest.raises(PermissionDenied):
            answer(rf.get("/admin/", REMOTE_ADDR="10.20.0.9", HTTP_X_FORWARDED_FOR="10.20.0.1, 203.0.113.9"))

    def test_are_no_matter_where_none_are_named(self, settings: Any) -> None:
        settings.STAFF_NETWORKS = []
        with pytest.raises(MiddlewareNotUsed):
            StaffNetworkMiddleware(lambda _request: HttpResponse())

    def test_have_to_be_networks(self, settings: Any) -> None:
        settings.STAFF_NETWORKS = ["10.20.0.0/99"]
        with pytest.raises(ImproperlyConfigured, match="STAFF_NETWORKS"):
            StaffNetworkMiddleware(lambda _request: HttpResponse())

    @pytest.mark.django_db
    def test_hold_for_the_sign_in_page_and_for_who_is_signed_in(self, settings: Any) -> None:
        settings.STAFF_NETWORKS = OFFICE
        for client in (Client(), signed_in("service")):
            for where in ("/admin/login/", "/admin/"):
                assert client.get(where, REMOTE_ADDR="203.0.113.9").status_code == 403
        assert Client().get("/admin/login/", REMOTE_ADDR="10.20.0.9").status_code == 200
