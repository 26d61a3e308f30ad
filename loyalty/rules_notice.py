"""What changed from one version of the published page to the next, as sentences in the active language."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.rules_page import Block, Line, RulesPage, Section
from members.wording import together

MOST_SENTENCES: Final = 60


def changes_between(before: RulesPage, after: RulesPage) -> list[str]:
    """Return what is different, other than in its wording; nothing when the rules are the same."""
    found = list(_changes(before, after))
    more = len(found) - MOST_SENTENCES
    if more <= 0:
        return found
    rest = ngettext("And %(count)s more change.", "And %(count)s more changes.", more) % {"count": more}
    return [*found[:MOST_SENTENCES], rest]


def _changes(before: RulesPage, after: RulesPage) -> Iterator[str]:
    if before.title != after.title:
        yield _("The programme is now called “%(new)s”; it was “%(old)s”.") % {"new": after.title, "old": before.title}
    old = {section.code: section for section in before.sections}
    for section in after.sections:
        yield from _of_section(old.pop(section.code, Section(section.code, section.title)), section)
    for section in old.values():
        yield from _of_section(section, Section(section.code, section.title))


def _of_section(before: Section, after: Section) -> Iterator[str]:
    yield from _of_lines(after.title, before.lines, after.lines)
    old = {block.key: block for block in before.blocks}
    for block in after.blocks:
        if block.key in old:
            yield from _of_block(old.pop(block.key), block)
        else:
            yield _("New: %(title)s. %(sentences)s") % _told(block)
    for block in old.values():
        yield _("No longer there: %(title)s.") % {"title": block.title}


def _of_block(before: Block, after: Block) -> Iterator[str]:
    if before.title != after.title:
        yield _("“%(old)s” is now called “%(new)s”.") % {"new": after.title, "old": before.title}
    yield from _of_lines(after.title, before.lines, after.lines)


def _of_lines(where: str, before: Sequence[Line], after: Sequence[Line]) -> Iterator[str]:
    old = {line.key: line for line in before}
    for line in after:
        was = old.pop(line.key, None)
        if was is None:
            yield _("%(where)s, new: “%(new)s”") % {"where": where, "new": line.words}
        elif was.sense != line.sense and was.words != line.words:
            words = {"where": where, "new": line.words, "old": was.words}
            yield _("%(where)s: “%(new)s” instead of “%(old)s”") % words
    for line in old.values():
        yield _("%(where)s, no longer: “%(old)s”") % {"where": where, "old": line.words}


def _told(block: Block) -> Mapping[str, str]:
    return {"title": block.title, "sentences": together(line.words for line in block.lines)}
