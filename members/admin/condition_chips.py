"""What a condition editor says: chips in two levels of groups, as texts; read from a form or from a stored condition."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from members import conditions
from members.conditions import OPERATORS, ConditionInvalid, Group, Test
from members.conditions.tree import MOST_DAYS, MOST_TESTS, plain
from members.facts import Fact, FactParam, FactUnknown, fact, use

_KEY: Final = re.compile(r"^[cg][0-9]{1,4}$")
_MOST_PARTS: Final = 2 * MOST_TESTS
NUMBER_OPS: Final = frozenset({"gte", "lte", "eq", "between"})
DAY_OPS: Final = frozenset({"within_last_days", "within_next_days"})
DATE_OPS: Final = frozenset({"before", "after"})


@dataclass(slots=True)
class Chip:
    """One test as it is written: texts, not yet read."""

    key: str
    fact_key: str = ""
    op: str = ""
    values: list[str] = field(default_factory=list)
    args: dict[str, str] = field(default_factory=dict)
    is_new: bool = False

    @property
    def fact(self) -> Fact | None:
        """The fact that was chosen, if there is one."""
        try:
            return fact(self.fact_key)
        except FactUnknown:
            return None


@dataclass(slots=True)
class ChipGroup:
    """Tests in a group of the other sort than the outer one."""

    key: str
    chips: list[Chip] = field(default_factory=list)


@dataclass(slots=True)
class Written:
    """What the editor says. `is_final`: it was sent with the form, so that whatever is missing is an error."""

    mode: str = "all"
    parts: list[Chip | ChipGroup] = field(default_factory=list)
    is_final: bool = False
    is_unreadable: bool = False

    def chips(self) -> Iterator[Chip]:
        """Yield all chips in the order in which they are read."""
        for part in self.parts:
            yield from part.chips if isinstance(part, ChipGroup) else [part]

    def next_key(self, letter: str) -> str:
        """Return a key that is not taken."""
        taken = {part.key for part in self.parts} | {chip.key for chip in self.chips()}
        return next(f"{letter}{number}" for number in range(1, 9_999) if f"{letter}{number}" not in taken)


class ChipWrong(Exception):
    """What a chip says is no test; the text says why."""


# --- Reading -----------------------------------------------------------------------------------------------------------
def written_in(data: Mapping[str, Any], name: str, *, is_final: bool) -> Written:
    """Return what a form says under a field's name."""
    lists = data if isinstance(data, MultiValueDict) else MultiValueDict({key: [value] for key, value in data.items()})
    mode = "any" if lists.get(f"{name}-mode") == "any" else "all"
    parts: list[Chip | ChipGroup] = []
    for key in _keys(lists, f"{name}-part"):
        if key.startswith("g"):
            chips = [_chip(lists, name, inner) for inner in _keys(lists, f"{name}-{key}-part") if inner.startswith("c")]
            parts.append(ChipGroup(key, chips))
        else:
            parts.append(_chip(lists, name, key))
    return Written(mode, parts, is_final)


def _keys(lists: MultiValueDict[str, Any], name: str) -> list[str]:
    return list(dict.fromkeys(key for key in lists.getlist(name) if _KEY.match(str(key))))[:_MOST_PARTS]


def _chip(lists: MultiValueDict[str, Any], name: str, key: str) -> Chip:
    start = f"{name}-{key}-"
    chip = Chip(key, str(lists.get(f"{start}fact", "")), str(lists.get(f"{start}op", "")))
    chip.values = [str(text).strip() for text in lists.getlist(f"{start}value")]
    chip.args = {
        arg.removeprefix(f"{start}arg-"): str(lists.get(arg, "")).strip()
        for arg in lists
        if arg.startswith(f"{start}arg-")
    }
    return _fitted(chip)


def _fitted(chip: Chip) -> Chip:
    """Return the chip with a comparison and parameters of its fact: another fact may have been chosen just now."""
    known = chip.fact
    if known is None:
        return replace(chip, op="", values=[], args={})
    if chip.op not in OPERATORS[known.kind]:
        chip = replace(chip, op=OPERATORS[known.kind][0], values=[])
    return replace(chip, args={param.name: chip.args.get(param.name, str(param.default)) for param in known.params})


def written_of(stored: Mapping[str, Any] | None) -> Written:
    """Return a stored condition as the editor shows it; an empty one, which says so, when it can not be read any more."""
    try:
        node = conditions.parse(stored)
    except ConditionInvalid:
        return Written(is_unreadable=True)
    written = Written(node.mode)
    for part in node.parts:
        if isinstance(part, Group):
            group = ChipGroup(written.next_key("g"))
            written.parts.append(group)
            for test in part.parts:
                group.chips.append(_chip_of(written.next_key("c"), test))  # type: ignore[arg-type]
        else:
            written.parts.append(_chip_of(written.next_key("c"), part))
    return written


def _chip_of(key: str, test: Test) -> Chip:
    value = plain(test.expected)
    if isinstance(value, bool):
        values = ["yes" if value else "no"]
    else:
        values = [str(one) for one in value] if isinstance(value, list) else [str(value)]
    return Chip(key, test.use.fact.key, test.op, values, {name: str(arg) for name, arg in test.use.args})


# --- What it means -----------------------------------------------------------------------------------------------------
def stored_of(written: Written) -> dict[str, Any] | None:
    """Return the condition to keep (None: no condition). Raises ValidationError with a sentence for each chip that is wrong."""
    wrong = [text for chip, text in errors_of(written).items() if text]
    if len(list(written.chips())) > MOST_TESTS:
        wrong.append(_("At most %(most)s conditions.") % {"most": MOST_TESTS})
    if wrong:
        raise ValidationError(wrong)
    return _stored(written)


def _stored(written: Written, leave_out: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """Return the condition without the chips to be left out, and without empty groups."""
    other = "any" if written.mode == "all" else "all"
    parts: list[dict[str, Any]] = []
    for part in written.parts:
        if isinstance(part, ChipGroup):
            tests = [_test(chip) for chip in part.chips if chip.key not in leave_out]
            parts += [{other: tests}] if tests else []
        elif part.key not in leave_out:
            parts.append(_test(part))
    return {written.mode: parts} if parts else None


def errors_of(written: Written) -> dict[str, str]:
    """Return for the key of each chip what is wrong with it, naming it; nothing for those that are right."""
    found = {}
    for number, chip in enumerate(written.chips(), start=1):
        try:
            _test(chip)
        except ChipWrong as wrong:
            known = chip.fact
            label = capfirst(str(known.label)) if known else _("nothing chosen yet")
            found[chip.key] = _("Condition %(number)s (%(fact)s): %(why)s") % {
                "number": number, "fact": label, "why": wrong,
            }  # fmt: skip
    return found


def sentence_of(written: Written) -> str:
    """Return what the editor says, as far as it can be read."""
    wrong = frozenset(errors_of(written))
    return conditions.sentence(conditions.parse(_stored(written, wrong)))


def _test(chip: Chip) -> dict[str, Any]:
    """Return the stored form of a chip. Raises ChipWrong."""
    known = chip.fact
    if known is None:
        raise ChipWrong(_("Choose what is asked."))
    args = {param.name: _arg(param, chip.args.get(param.name, "")) for param in known.params}
    test = {"fact": use(known.key, **args).key, "op": chip.op, "value": _value(known, chip)}
    try:
        conditions.parse({"all": [test]})
    except ConditionInvalid as refusal:
        raise ChipWrong(_("This value does not fit the comparison.")) from refusal
    return test


def _arg(param: FactParam, text: str) -> int | str:
    value = param.read(text)
    if value is None and param.choices is not None:
        raise ChipWrong(_("%(label)s: choose one.") % {"label": capfirst(str(param.label))})
    if value is None:
        words = _("%(label)s: a whole number from %(least)s to %(most)s.")
        raise ChipWrong(words % {"label": capfirst(str(param.label)), "least": param.least, "most": param.most})
    return value


def _value(known: Fact, chip: Chip) -> Any:
    values = [text for text in chip.values if text]
    if chip.op in NUMBER_OPS:
        wanted = 2 if chip.op == "between" else 1
        if len(values) < wanted:
            raise ChipWrong(_("Write both numbers.") if wanted == 2 else _("Write a number."))
        numbers = [_number(known, text) for text in values[:wanted]]
        if wanted == 2 and Decimal(numbers[0]) > Decimal(numbers[1]):
            raise ChipWrong(_("The first number is above the second."))
        return numbers if wanted == 2 else numbers[0]
    if chip.op == "is":
        if values[:1] not in (["yes"], ["no"]):
            raise ChipWrong(_("Choose yes or no."))
        return values[0] == "yes"
    if chip.op in DAY_OPS:
        if not values or not re.fullmatch(r"[0-9]{1,5}", values[0]) or int(values[0]) > MOST_DAYS:
            raise ChipWrong(_("Write whole days, from 0 to %(most)s.") % {"most": MOST_DAYS})
        return int(values[0])
    if not values:
        raise ChipWrong(_("Choose a day.") if chip.op in DATE_OPS else _("Choose at least one."))
    if chip.op in DATE_OPS:
        return values[0]
    if chip.op == "month_in":
        return [int(month) for month in values if re.fullmatch(r"1[0-2]|[1-9]", month)]
    return values


def _number(known: Fact, text: str) -> int | str:
    figures = re.sub(r"[\s,，]", "", text)
    try:
        number = Decimal(figures)
    except InvalidOperation:
        raise ChipWrong(_("“%(text)s” is no number.") % {"text": text[:20]}) from None
    if not number.is_finite():
        raise ChipWrong(_("“%(text)s” is no number.") % {"text": text[:20]})
    if number == number.to_integral_value():
        return int(number)
    if known.kind == "count":
        raise ChipWrong(_("Write a whole number."))
    if known.kind == "money" and number != number.quantize(Decimal("0.01")):
        raise ChipWrong(_("At most two decimal places."))
    return format(number.normalize(), "f")


# --- Changing its shape ------------------------------------------------------------------------------------------------
def changed(written: Written, wish: str) -> Written:
    """Return what the editor says after a button: `add`, `add:g2`, `group`, `remove:c1`; anything else changes nothing."""
    verb, _colon, key = wish.partition(":")
    if verb == "add" and not key:
        written.parts.append(Chip(written.next_key("c"), is_new=True))
    elif verb == "add":
        for part in written.parts:
            if isinstance(part, ChipGroup) and part.key == key:
                part.chips.append(Chip(written.next_key("c"), is_new=True))
    elif verb == "group":
        group = ChipGroup(written.next_key("g"))
        written.parts.append(group)
        group.chips.append(Chip(written.next_key("c"), is_new=True))
    elif verb == "remove":
        written.parts = [part for part in written.parts if part.key != key]
        for part in written.parts:
            if isinstance(part, ChipGroup):
                part.chips = [chip for chip in part.chips if chip.key != key]
        written.parts = [part for part in written.parts if not isinstance(part, ChipGroup) or part.chips]
    return written
