"""What conditions may ask about consent."""

from collections.abc import Collection, Mapping
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.consents import ALLOWED_SQL, channels_of
from members.facts import Args, Fact, FactParam, register_fact
from members.models import ContactChannel, Purpose

_MARKETING: Final = ALLOWED_SQL.replace("%(purpose)s", f"'{Purpose.MARKETING.value}'")
_PERSONALISATION: Final = ALLOWED_SQL.replace("%(purpose)s", f"'{Purpose.PERSONALISATION.value}'").replace(
    "%(channel)s", "''"
)


def _channels(only: Collection[str] | None) -> Mapping[str, str]:
    labels = dict(ContactChannel.choices)
    wanted = channels_of(Purpose.MARKETING)
    return {code: str(labels[ContactChannel(code)]) for code in wanted if only is None or code in only}


def _words(args: Args) -> str:
    channel = _channels([str(args["channel"])]).get(str(args["channel"]), str(args["channel"]))
    return _("offers and news by %(channel)s are allowed") % {"channel": channel}


def register() -> None:
    """Register the facts of consent. Called once, from `AppConfig.ready()`."""
    register_fact(
        Fact(
            "members.marketing_allowed",
            gettext_lazy("offers and news are allowed"),
            "bool",
            _MARKETING,
            params=(FactParam("channel", gettext_lazy("channel"), default="sms", choices=_channels),),
            phrase=_words,
        )
    )
    register_fact(
        Fact(
            "members.personalisation_allowed",
            gettext_lazy("offers may be chosen by what the member did"),
            "bool",
            _PERSONALISATION,
        )
    )
