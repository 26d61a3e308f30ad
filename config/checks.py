"""Checks of the settings at the start of a command: what is begun has to be whole."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils import timezone
from django.utils.translation import override

from members import wechat
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


def wechat_settings(**_options: Any) -> list[CheckMessage]:
    """Say what is wrong with the settings of WeChat: outside of the demo, another server in its place could sign anybody in."""
    fault = wechat.fault_of_settings()
    return [Error(fault, id="perennial.E002")] if fault else []


def text_messages(**_options: Any) -> list[CheckMessage]:
    """Say when codes of real members would stand in a file, or in the memory, instead of going out."""
    if settings.DEMO or settings.SMS_SENDER not in _FOR_TRIALS:
        return []
    return [Error(f"SMS_SENDER is {settings.SMS_SENDER}, which is for trials only.", id="perennial.E003")]


_FOR_TRIALS = ("campaigns.channels.sms.FileSms", "campaigns.channels.sms.MemorySms")
