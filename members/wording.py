"""Words put together as the active language does it: lists, and sentences one after the other."""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def enumerated(words: Iterable[object]) -> str:
    """Return words with what stands between them in a list: "a, b, c"."""
    return pgettext("between words of a list", ", ").join(map(str, words))


def listed(words: Sequence[str]) -> str:
    """Return words as a list with its end: "a, b and c"."""
    if len(words) == 1:
        return words[0]
    return _("%(first)s and %(last)s") % {"first": enumerated(words[:-1]), "last": words[-1]}


def together(sentences: Iterable[str]) -> str:
    """Return sentences one after the other: with a space between them where the language has one."""
    said = ""
    for sentence in sentences:
        said = _("%(one)s %(other)s") % {"one": said, "other": sentence} if said else sentence
    return said
