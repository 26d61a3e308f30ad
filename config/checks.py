"""Checks of the settings at the start of a command: what is begun has to be whole."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.utils import timezone
from django.utils.translation import override

from members.wallet.credentials import CredentialsEnded, CredentialsFault, checked_credentials, is_begun


def wallet_passes(**_options: Any) -> list[CheckMessage]:
    """Say what is wrong with the settings of wallet passes; nothing at all when nobody has set them.

    A certificate that has ended is a warning: it must not keep the portal from starting one morning.
    """
    if not is_begun():
        return []
    try:
        with override("en"):
            checked_credentials(timezone.now())
    except CredentialsEnded as fault:
        return [Warning(str(fault), id="perennial.W001")]
    except CredentialsFault as fault:
        return [Error(str(fault), id="perennial.E001")]
    return []
