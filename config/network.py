"""The networks to which the staff's pages may be limited."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed, PermissionDenied
from django.http import HttpRequest, HttpResponse

from members.addresses import address_of


class StaffNetworkMiddleware:
    """Answer 403 on the staff's pages to everybody outside `STAFF_NETWORKS`; without such networks it is not there at all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.networks = _networks(settings.STAFF_NETWORKS)
        if not self.networks:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(f"/{settings.ADMIN_PATH}") and not self._is_inside(address_of(request)):
            raise PermissionDenied
        return self.get_response(request)

    def _is_inside(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)


def _networks(written: list[str]) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text) for text in written]
    except ValueError as error:
        message = "STAFF_NETWORKS holds networks like 10.20.0.0/16 or 2001:db8::/32, with commas between them."
        raise ImproperlyConfigured(message) from error
