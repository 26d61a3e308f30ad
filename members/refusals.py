"""The expected noes: exceptions with a stable code and a sentence that staff and members can read."""

from typing import Any, ClassVar

from django.utils.functional import Promise


class Refusal(Exception):
    """A no that the caller could have expected. A refusal leaves every value table as it was.

    `code` is stable and documented; `text` is a translatable sentence with named placeholders; `status` is
    the HTTP status that fits. Keyword arguments fill the placeholders and travel to clients as figures.
    """

    code: ClassVar[str]
    text: ClassVar[str | Promise]
    status: ClassVar[int] = 409

    def __init__(self, **params: Any) -> None:
        super().__init__(self.code, params)
        self.params = params

    def sentence(self) -> str:
        """Return the sentence in the active language."""
        return str(self.text) % self.params


class MembersRefusal(Refusal):
    """Root of the refusals of members."""
