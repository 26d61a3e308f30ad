"""Where events may be sent: addresses of other systems, never of the installation's own network.

Asked when an address is saved and each time something is sent. The last word has the connection itself, which resolves the
name once and connects to the very address that it has looked at (`webhook_http`).
"""

import ipaddress
import re
import socket
from typing import Final

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal

LONGEST: Final = 500
#: One way to read it only: no user, no backslash, no fragment, nothing that two readers take for different hosts.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?P<port>:[0-9]{1,5})?(?P<rest>[/?][\x21\x22\x24-\x5b\x5d-\x7e]*)?"
)
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")


class WebhookUrlInvalid(MembersRefusal):
    """It is no plain https address."""

    code = "webhook_url_invalid"
    text = _(
        "Give a plain address that begins with https:// and a host name in small letters, without a user or a fragment."
    )
    status = 422


class WebhookHostRefused(MembersRefusal):
    """Events must not go to this host."""

    code = "webhook_host_refused"
    text = _("Events are not sent to “%(host)s”: it is not a public address, or not one of the hosts that are allowed.")
    status = 422


class WebhookHostUnknown(MembersRefusal):
    """The name leads nowhere."""

    code = "webhook_host_unknown"
    text = _("“%(host)s” has no address. Please check the name.")
    status = 422


def refuse_url(url: str) -> None:
    """Refuse an address that nothing may be sent to, by what is written: form, scheme, allow-list. Asks no other host.

    Raises `WebhookUrlInvalid`, `WebhookHostRefused`.
    """
    found = _URL.fullmatch(url) if len(url) <= LONGEST else None
    if found is None or not 0 < int((found["port"] or ":443")[1:]) < 65536:
        raise WebhookUrlInvalid
    host = found["host"]
    if settings.WEBHOOK_LOOPBACK and host in _LOOPBACK_NAMES:
        return
    if found["scheme"] != "https":
        raise WebhookUrlInvalid
    allowed = settings.WEBHOOK_HOSTS
    if allowed is not None and not any(_is_under(host, one) for one in allowed):
        raise WebhookHostRefused(host=host)
    literal = _literal(host)
    if literal is not None and not is_public(literal):
        raise WebhookHostRefused(host=host)


def refuse_host(url: str) -> None:
    """Refuse an address whose name leads, by any of its addresses, into a network that is not public.

    Raises what `refuse_url` raises, and `WebhookHostUnknown`.
    """
    refuse_url(url)
    found = _URL.fullmatch(url)
    assert found is not None  # noqa: S101 - it was looked at just now
    host = found["host"]
    if settings.WEBHOOK_LOOPBACK and host in _LOOPBACK_NAMES:
        return
    try:
        answers = socket.getaddrinfo(host.strip("[]"), 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise WebhookHostUnknown(host=host) from error
    if not all(is_public(str(answer[4][0])) for answer in answers):
        raise WebhookHostRefused(host=host)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet; one of IPv4 within IPv6 counts as what it stands for."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip.sixtofour is not None or ip.teredo is not None or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _literal(host: str) -> str | None:
    """Return the IP address that a host is written as; None for a name. Digits alone count as one, as C libraries read them."""
    bare = host.strip("[]")
    if host.startswith("[") or re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", bare):
        return bare
    return None


def _is_under(host: str, allowed: str) -> bool:
    """Whether a host is the one that is allowed, or below it when it begins with a dot."""
    return host == allowed or (allowed.startswith(".") and host.endswith(allowed))
