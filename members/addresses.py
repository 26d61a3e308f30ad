"""Where a request comes from: the address that calls and tries are counted under."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

_NETWORK_OF_A_HOUSE = 64


def address_of(request: HttpRequest | None) -> str:
    """Return the address of whoever asks. Behind our proxy it is the one that the proxy saw last; otherwise nobody's word counts.

    The proxy must write the header itself (README, `BEHIND_TLS_PROXY`): one that passes it on passes on whatever was made up.
    """
    given = request.META if request is not None else {}
    text = str(given.get("REMOTE_ADDR", ""))
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        text = str(given.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip() or text
    return text


def place_of(request: HttpRequest | None) -> str:
    """Return what stands for the address of whoever asks where something is counted: of IPv6 the network of a house."""
    text = address_of(request)
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):  # a house has a whole network of them
        return str(int(address) >> (128 - _NETWORK_OF_A_HOUSE))
    return text
