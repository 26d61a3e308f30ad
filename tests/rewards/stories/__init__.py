"""The accountant's stories: tables of what happens to a member's points, and what the books must say after each event.

The `.md` files of this folder are the stories; this module reads them. In a table:

- a day alone is its noon in Shanghai; "until 2026-06-30" is to the end of that day; other moments are written out;
- a row without a date tells of another account after the same event; an account that is not told of has not changed;
- the account is Li's points unless another is named ("Wang", "Li in stars");
- lots stand in the order in which they are spent: "A 60 + 40 held until 2026-06-30"; those that are used up are left out.
  A lot is called as the fact that made it; when that made several, they are A, A.2, A.3.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from tests.factories.times import SHANGHAI, at
from tests.rewards.ledger_lots import NEVER, Balances, Name, NewLot

FOLDER = Path(__file__).parent
COLUMNS = ["date", "what happens", "account", "lots", "available", "pending", "held", "owed", "liability"]
NOTHING = "none"

KEY = r"[A-Z]\w*"
MOMENT = r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?"
CREDIT_WORDS = {"earns": "earn", "is given": "adjust", "gets from a partner": "convert"}
DEBIT_WORDS = {"redeems": "redeem", "is charged": "adjust", "donates": "donate", "gives to a partner": "convert"}

EVENTS = {
    "credit": rf"(?P<kind>{'|'.join(CREDIT_WORDS)}) (?P<key>{KEY}): (?P<lots>.+)",
    "debit": rf"(?P<kind>{'|'.join(DEBIT_WORDS)}) (?P<key>{KEY}): (?P<points>\d+)",
    "hold": rf"holds (?P<key>{KEY}): (?P<points>\d+) until (?P<expires_at>{MOMENT})",
    "capture": rf"hold (?P<hold>{KEY}) is spent as (?P<key>{KEY})(?:: (?P<points>\d+))?",
    "release_hold": rf"hold (?P<hold>{KEY}) is let go",
    "restore": rf"(?P<of>{KEY}|expiry of [\w.]+ #\d+) is cancelled as (?P<key>{KEY})(?:: (?P<points>\d+))?",
    "claw_back": rf"(?P<kind>returns|gets corrected:) (?:(?P<origin>{KEY})|an unknown sale) as (?P<key>{KEY}): (?P<points>\d+)",
    "transfer": rf"sends (?P<key>{KEY}): (?P<points>\d+|everything) to (?P<receiver>\w+)",
    "write_off": rf"is forgiven (?P<key>{KEY}): (?P<points>\d+)",
    "extend": rf"extension (?P<key>{KEY}): (?P<changes>.+)",
    "push_deadline": rf"must act until (?P<deadline_at>{MOMENT})",
    "expire": r"what is due expires",
    "release": r"what is due becomes available",
}
LOT = re.compile(rf"(?P<points>\d+) (?:until (?P<until>{MOMENT})|for ever)(?:, pending until (?P<pending>{MOMENT}))?")
CHANGE = re.compile(rf"(?P<lot>[\w.]+) until (?P<until>{MOMENT})")
TERMS = re.compile(
    r"Terms: (?P<others>other lots are left alone; )?arrears (?P<arrears>without limit|up to \d+|never)"
    r"(?:; restored points live (?P<days>\d+) days)?\."
)


@dataclass
class Terms:
    """The currency's policies as far as a story depends on them."""

    from_others: bool = True
    debt_limit: int | None = None
    days_min: int = 0


@dataclass
class Event:
    """One event, as a call of the books, and what they must say after it."""

    words: str
    moment: datetime
    verb: str
    arguments: dict[str, Any]
    ending: str
    expected: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Story:
    title: str
    terms: Terms
    events: list[Event] = field(default_factory=list)


def stories() -> dict[str, Story]:
    """Return all stories by "file: title"."""
    return {f"{path.stem}: {story.title}": story for path in sorted(FOLDER.glob("*.md")) for story in _stories_of(path)}


def account_of(words: str) -> Name:
    """Return whose account, in which currency: "" is Li's points, "Li in stars"."""
    member, _, currency = words.partition(" in ")
    return member or "Li", currency or "points"


def end(words: str) -> datetime:
    """Return the moment at which something ends: after the day, when it is a day."""
    return at(words) if " " in words else at(words) + timedelta(days=1)


def end_in_words(moment: datetime) -> str:
    local = moment.astimezone(SHANGHAI)
    if local.time() == time():
        return f"{local - timedelta(days=1):%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M}"


def row_of(lots: list[Any], balances: Balances) -> list[str]:
    """Return the cells that say what an account looks like: its lots, balances and liability. For `LotSeen`s of one account."""
    open_lots = [lot for lot in lots if lot.remaining + lot.held]
    open_lots.sort(key=lambda lot: lot.expires_at or NEVER)
    words = "; ".join(
        f"{lot.name} {lot.remaining}{f' + {lot.held} held' if lot.held else ''}{' pending' if lot.state == 'pending' else ''} "
        f"{f'until {end_in_words(lot.expires_at)}' if lot.expires_at else 'for ever'}"
        for lot in open_lots
    )
    return [words or NOTHING, *map(str, balances), str(balances.liability)]


def _stories_of(path: Path) -> Iterator[Story]:
    story: Story | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            if line.startswith("## "):
                if story:
                    yield story
                story = Story(line.removeprefix("## "), Terms())
            elif story and line.startswith("Terms:"):
                story.terms = _terms(line)
            elif story and line.startswith("|"):
                _read_row(story, [cell.strip() for cell in line.strip("|").split("|")])
        except (AssertionError, ValueError) as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
    if story:
        yield story


def _terms(line: str) -> Terms:
    told = TERMS.fullmatch(line)
    assert told, line
    limit = {"without limit": None, "never": 0}
    arrears = told["arrears"]
    return Terms(
        told["others"] is None,
        limit[arrears] if arrears in limit else int(arrears.removeprefix("up to ")),
        int(told["days"] or 0),
    )


def _read_row(story: Story, cells: list[str]) -> None:
    if cells[0].strip("-: ") == "" and cells[0]:
        return
    if cells[0] == "date":
        assert cells == COLUMNS, cells
        return
    assert len(cells) == len(COLUMNS), cells
    if cells[0]:
        story.events.append(_event(cells[0], cells[1], story.terms))
    elif cells[1]:
        raise ValueError("An event needs its date.")
    story.events[-1].expected[cells[2]] = cells[3:]


def _event(date: str, words: str, terms: Terms) -> Event:
    told = re.fullmatch(
        r"(?:(?P<who>\w+(?: in \w+)?): )?(?P<event>.+?)(?P<ending>; (?:refused|again|nothing|gives up \d+|forgives \d+))?",
        words,
    )
    assert told, words
    moment = at(date) if " " in date else at(f"{date} 12:00")
    for verb, pattern in EVENTS.items():
        if match := re.fullmatch(pattern, told["event"]):
            arguments = _arguments(verb, match.groupdict(), account_of(told["who"] or ""), moment, terms)
            return Event(words, moment, verb, arguments, (told["ending"] or "").removeprefix("; "))
    raise ValueError(f"Nobody understands “{words}”.")


def _arguments(verb: str, told: dict[str, Any], who: Name, moment: datetime, terms: Terms) -> dict[str, Any]:
    arguments = dict(told)
    if verb in {"credit", "debit", "hold", "claw_back", "write_off", "push_deadline"}:
        arguments["who"] = who
    arguments["at"] = moment
    if "points" in told:
        arguments["points"] = int(told["points"]) if (told["points"] or "").isdigit() else None
    arguments |= {name: end(told[name]) for name in ("expires_at", "deadline_at") if name in told}
    match verb:
        case "credit":
            arguments["kind"] = CREDIT_WORDS[told["kind"]]
            arguments["lots"] = [_new_lot(part, moment) for part in told["lots"].split(" and ")]
        case "debit":
            arguments["kind"] = DEBIT_WORDS[told["kind"]]
        case "claw_back":
            arguments["kind"] = "return" if told["kind"] == "returns" else "correct"
            arguments |= {"from_others": terms.from_others, "debt_limit": terms.debt_limit}
        case "restore":
            arguments["days_min"] = terms.days_min
        case "transfer":
            arguments |= {"sender": who, "receiver": (told["receiver"], who[1])}
        case "extend":
            changes = [CHANGE.fullmatch(part) for part in told["changes"].split(" and ")]
            arguments["changes"] = {change["lot"]: end(change["until"]) for change in changes if change}
            assert len(changes) == len(arguments["changes"]), told["changes"]
    return arguments


def _new_lot(words: str, moment: datetime) -> NewLot:
    told = LOT.fullmatch(words)
    assert told, words
    return NewLot(
        int(told["points"]),
        at(told["pending"]) if told["pending"] else moment,
        end(told["until"]) if told["until"] else None,
    )
