"""Many entries at once, by COPY."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread

from django.db import connection, transaction

from members.actors import SYSTEM
from members.models import TimelineEntry
from members.timeline import NewEntry, record_many


class TestRecordMany:
    """Entries …"""

    def test_may_ask_the_database_while_they_are_made(self, committed_db: str) -> None:
        """In a thread, because the connection would wait for itself for ever."""

        def entries() -> Iterator[NewEntry]:
            for number in range(3):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                yield NewEntry(f"members.test.v{number + 1}", None, datetime(2026, 3, 1, tzinfo=UTC), SYSTEM)

        def write() -> None:
            with transaction.atomic():
                record_many(entries())
            connection.close()

        writer = Thread(target=write, daemon=True)
        writer.start()
        writer.join(20)
        assert not writer.is_alive()
        assert TimelineEntry.objects.filter(kind__startswith="members.test.").count() == 3
