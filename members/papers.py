"""Fonts of what is printed: those of Chinese that every reader of PDF brings along, so nothing is installed or embedded."""

from collections.abc import Mapping
from typing import Final

from django.utils.translation import get_language
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont

LATIN: Final = "Helvetica"
_CHINESE: Final[Mapping[str, str]] = {"zh-hans": "STSong-Light", "zh-hant": "MSung-Light"}


def font_of_language() -> str:
    """Return the font of words in the active language."""
    return _ready(_CHINESE.get(get_language() or "", LATIN))


def font_of_names() -> str:
    """Return a font of names and addresses, which are Chinese whatever language the reader has chosen."""
    return _ready(_CHINESE.get(get_language() or "", _CHINESE["zh-hans"]))


def _ready(font: str) -> str:
    if font != LATIN and font not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(font))
    return font
