"""Seal the ledger: committed entries in blocks, each chained to the one before. The order and the hashes are SQL's (seals_0001.sql)."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from rewards.models import LedgerSeal

logger = logging.getLogger(__name__)

#: How long an entry may wait for its block. Longer means that the sealer stands still or a transaction never ends.
LAG_ALARM = timedelta(minutes=5)
_BLOCKS_PER_TRANSACTION = 20
_MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class SealRun:
    """What a run of the sealer did. `is_busy`: another sealer was at work, which does the rest."""

    blocks: int
    entries: int
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class SealLag:
    """What waits to be sealed: how many entries (counted to 10,000) and since when the oldest one waits."""

    entries: int
    oldest_at: datetime | None

    def is_late(self, at: datetime) -> bool:
        """Whether an entry has waited longer than it should."""
        return self.oldest_at is not None and at - self.oldest_at > LAG_ALARM


def seal_ledger(*, at: datetime, blocks: int = 1_000) -> SealRun:
    """Seal what is committed for good, at most `blocks` blocks of up to 1,000 entries, a few to a transaction.

    What an older transaction that still runs might add comes with a later run. One sealer works at a time: one that
    is killed leaves whole blocks only, and the next begins where they end.
    """
    done = entries = 0
    while done < blocks:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT blocks, entries FROM ledger_seal(%s, %s)", [at, min(_BLOCKS_PER_TRANSACTION, blocks - done)]
            )
            sealed, count = cursor.fetchone()
        if sealed is None:
            return SealRun(done, entries, is_busy=True)
        done += sealed
        entries += count
        if sealed < _BLOCKS_PER_TRANSACTION:
            break
    return SealRun(done, entries)


def seal_lag() -> SealLag:
    """Return what waits to be sealed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT entries, oldest_at FROM ledger_unsealed(%s)", [_MOST_COUNTED])
        return SealLag(*cursor.fetchone())


def last_seal() -> LedgerSeal | None:
    """Return the newest block; None before the first."""
    return LedgerSeal.objects.order_by("-number").first()


def alarm_of_lag(*, at: datetime) -> SealLag:
    """Return what waits to be sealed, and say so in the log as an error when it has waited too long."""
    lag = seal_lag()
    if lag.is_late(at):
        logger.error("%s entries of the ledger wait to be sealed, the oldest since %s", lag.entries, lag.oldest_at)
    return lag
