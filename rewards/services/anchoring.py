"""The daily anchor: the state of the chain of sealed blocks, signed, on a line that is kept outside the database.

Whoever owns the database can rewrite an entry and every hash after it. A line that was taken out before says so.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from members.actors import Actor
from members.queries import programme
from rewards.models import AnchorExport, LedgerAnchor, LedgerSeal

_LINE = re.compile(
    r"perennial-anchor-1 (?P<date>\d{4}-\d{2}-\d{2}) block (?P<number>\d{1,18}) entries (?P<entries>\d{1,18}) "
    r"root (?P<root>[0-9a-f]{64}) key (?P<key_id>[0-9a-f]{8}) signature (?P<signature>[0-9a-f]{64})"
)


class NotAnAnchor(ValueError):
    """A line that is no anchor."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor as it stands on its line: on that day the chain ended with this block, and so many entries were sealed."""

    date: date
    number: int
    entries: int
    root: bytes
    key_id: str = ""
    signature: bytes = b""

    @property
    def content(self) -> str:
        """What is signed."""
        return f"perennial-anchor-1 {self.date.isoformat()} block {self.number} entries {self.entries} root {self.root.hex()}"

    @property
    def line(self) -> str:
        """The anchor as it is exported."""
        return f"{self.content} key {self.key_id} signature {self.signature.hex()}"

    def is_signed_with(self, keys: Sequence[bytes]) -> bool:
        """Whether the signature is the one that the named one of these keys makes."""
        return any(
            self.key_id == key_id(key) and hmac.compare_digest(self.signature, signature(self.content, key))
            for key in keys
        )


def anchor_keys() -> list[bytes]:
    """Return the installation's keys for anchors: the first one signs, older ones follow. May be empty."""
    return [key.encode() for key in settings.LEDGER_ANCHOR_KEY.split(",") if key]


def key_id(key: bytes) -> str:
    """Return eight letters that tell keys apart and give nothing away."""
    return hashlib.sha256(b"perennial-anchor-key:" + key).hexdigest()[:8]


def signature(content: str, key: bytes) -> bytes:
    """Return the HMAC-SHA256 of an anchor's content."""
    return hmac.digest(key, content.encode(), hashlib.sha256)


def parse_anchor(line: str) -> Anchor:
    """Return the anchor on a line. Raises NotAnAnchor."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise NotAnAnchor(line.strip()[:80])
    try:
        day = date.fromisoformat(found["date"])
    except ValueError as error:
        raise NotAnAnchor(line.strip()[:80]) from error
    return Anchor(
        day, int(found["number"]), int(found["entries"]), bytes.fromhex(found["root"]), found["key_id"],
        bytes.fromhex(found["signature"]),
    )  # fmt: skip


def read_anchors(lines: Iterable[str]) -> Iterator[Anchor]:
    """Yield the anchors of an exported file; empty lines and notes (#) are passed over. Raises NotAnAnchor."""
    return (parse_anchor(line) for line in lines if line.strip() and not line.startswith("#"))


def anchor_ledger(*, at: datetime) -> LedgerAnchor | None:
    """Sign the end of the chain for the programme's day of `at`; a repeat returns the day's first. None before any block.

    Raises ImproperlyConfigured when the installation has no key.
    """
    if not anchor_keys():
        raise ImproperlyConfigured("Set LEDGER_ANCHOR_KEY in the environment (README, Configuration).")
    key = anchor_keys()[0]
    day = at.astimezone(programme().tz).date()
    with transaction.atomic():
        seal = LedgerSeal.objects.order_by("-number").first()
        if seal is None:
            return None
        anchor = Anchor(day, seal.number, seal.entries_so_far, bytes(seal.hash))
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO rewards_ledgeranchor (date, seal_id, entries, root, key_id, signature, anchored_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (date) DO NOTHING",
                [day, seal.number, anchor.entries, anchor.root, key_id(key), signature(anchor.content, key), at],
            )
        return LedgerAnchor.objects.get(date=day)


def as_line(row: LedgerAnchor) -> str:
    """Return the line of a stored anchor."""
    return as_anchor(row).line


def as_anchor(row: LedgerAnchor) -> Anchor:
    """Return a stored anchor as it stands on its line."""
    return Anchor(row.date, row.seal_id, row.entries, bytes(row.root), row.key_id, bytes(row.signature))


@transaction.atomic
def export_anchors(*, since: date | None, by: Actor, at: datetime) -> str:
    """Return the lines of all anchors (or of those since a day), oldest first, and note that they were taken out."""
    rows = LedgerAnchor.objects.order_by("date")
    if since is not None:
        rows = rows.filter(date__gte=since)
    lines: list[str] = []
    last: date | None = None
    for row in rows.iterator(chunk_size=1_000):
        lines.append(as_line(row) + "\n")
        last = row.date
    if last is not None:
        AnchorExport.objects.create(
            until_date=last, anchors=len(lines), actor_kind=by.kind, actor_id=by.id, exported_at=at
        )
    return "".join(lines)
