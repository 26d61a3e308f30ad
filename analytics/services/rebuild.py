"""Makes the figures of days anew from the timeline."""

from datetime import datetime

from django.db import connection, transaction

from analytics.models import DayFigures, MemberDay
from analytics.services.days import READER
from members.models import ParkedEntry, Subscription
from members.timeline import relay

Cursor = tuple[int, int, int]


def rebuild_days(*, at: datetime) -> int:
    """Empty the figures of days and fold the whole timeline again; return how many entries were folded here.

    The figures are emptied in one transaction and grow again batch by batch, so pages show them incomplete meanwhile.
    Stopped half-way, the ordinary relay finishes the work. Entries that had been set aside get another chance.
    """
    _start_over()
    folded = 0
    while True:
        before = _cursor()
        folded += relay(name=READER, at=at)
        if _cursor() == before:
            return folded


def _start_over() -> None:
    Subscription.objects.get_or_create(name=READER)
    with transaction.atomic():
        _be_patient()
        reader = Subscription.objects.select_for_update(no_key=True).get(name=READER)
        MemberDay.objects.all().delete()
        DayFigures.objects.all().delete()
        # They are read again; replayed by hand as well, they would count twice.
        ParkedEntry.objects.filter(subscription=reader).delete()
        reader.epoch = reader.xact = reader.entry_id = 0
        reader.save(update_fields=["epoch", "xact", "entry_id"])


def _cursor() -> Cursor:
    """Return how far the reader has come, once a relay that is just running elsewhere has finished its batch."""
    with transaction.atomic():
        _be_patient()
        reader = Subscription.objects.select_for_update(no_key=True).get(name=READER)
        return reader.epoch, reader.xact, reader.entry_id


def _be_patient() -> None:
    """Let this transaction wait for a relay's batch and run as long as it takes."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0")
