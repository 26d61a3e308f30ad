"""Log lines without the people in them: whatever a library or a traceback says, logs are copied and kept elsewhere."""

import logging
import re
from typing import Final

_MASKS: Final = (
    # What the database tells of a row that it refused: all of its values.
    (re.compile(r"(Key \([^)\n]*\)=)\([^\n]*?\)(?= |$|\.)", re.MULTILINE), r"\1(***)"),
    (re.compile(r"(Failing row contains )\([^\n]*"), r"\1(***)"),
    (re.compile(r"\b(mt_|mr_|bt_|pk_live_)[A-Za-z0-9_-]{6,}"), r"\1***"),
    (re.compile(r"[\w.+-]+@(?=[\w-]+\.\w)"), "***@"),
    (re.compile(r"(?<![\w])(\+?86[ -]?)?(1[3-9]\d)[ -]?\d{4}[ -]?(\d{4})(?!\d)"), r"\2****\3"),
    (re.compile(r"(\+[1-9]\d)\d{4,11}(\d\d)(?!\d)"), r"\1****\2"),
    # A WeChat openid or unionid.
    (re.compile(r"\bo[A-Za-z0-9_-]{27}\b"), "o***"),
)


def masked(text: str) -> str:
    """Return a text with phone numbers, e-mail addresses, openids, tokens and rejected values hidden."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


class MaskingFormatter(logging.Formatter):
    """A formatter that hides people, in the message and in the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))
