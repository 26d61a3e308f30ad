"""The ground under the other tests holds."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.harness.browser import chromium
from tests.harness.database import TestServer
from tests.harness.results import append_result, command_for


def _rows(name: str) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), count(*) FROM django_content_type WHERE app_label = %s", [name])
        return [(database, count) for database, count in cursor.fetchall()]


def _add_content_type(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_content_type (app_label, model) VALUES (%s, 'x')", [name])


class TestCommittedDatabase:
    def test_is_reached_by_other_threads_of_the_test(self, committed_db: str) -> None:
        def add_in_thread() -> None:
            _add_content_type("from_a_thread")
            connection.close()

        thread = threading.Thread(target=add_in_thread)
        thread.start()
        thread.join()
        assert _rows("from_a_thread") == [(committed_db.rsplit("/", 1)[1], 1)]

    def test_is_reached_by_other_clients(self, committed_db: str) -> None:
        _add_content_type("committed")
        with psycopg.connect(committed_db) as other:
            found = other.execute("SELECT count(*) FROM django_content_type WHERE app_label = 'committed'").fetchone()
        assert found == (1,)

    def test_starts_from_the_template_and_ends_with_its_test(
        self, database_server: TestServer, committed_db: str
    ) -> None:
        _add_content_type("committed")
        with database_server.clone(f"another_{threading.get_native_id()}") as url, psycopg.connect(url) as other:
            found = other.execute("SELECT count(*) FROM django_content_type WHERE app_label = 'committed'").fetchone()
        assert found == (0,)
        with database_server.connect() as admin:
            names = {name for (name,) in admin.execute("SELECT datname FROM pg_database").fetchall()}
        assert committed_db.rsplit("/", 1)[1] in names
        assert url.rsplit("/", 1)[1] not in names


@pytest.mark.django_db
class TestTestTransaction:
    def test_runs_in_the_clone_of_its_worker(self, database_server: TestServer) -> None:
        _add_content_type("in_transaction")
        ((database, count),) = _rows("in_transaction")
        assert count == 1
        with database_server.connect(database) as other:
            outside = "SELECT count(*) FROM django_content_type WHERE app_label = 'in_transaction'"
            assert other.execute(outside).fetchone() == (0,)


class TestResultBook:
    def test_tells_name_time_command_and_figures(self, tmp_path: Path) -> None:
        book = tmp_path / "RESULTS.md"
        at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
        append_result("Purchases per second", {"HTTP": 210}, command="./run.sh prove purchases", at=at, book=book)
        text = book.read_text(encoding="utf-8")
        assert "## Purchases per second\n2026-03-01 12:30 UTC · `./run.sh prove purchases`" in text
        assert "| HTTP | 210 |" in text

    def test_names_the_command_that_repeats_a_proof(self) -> None:
        command = command_for(Path("tests/proofs/test_run_sh.py"), ["--prove", "-x", "tests/proofs/test_run_sh.py"])
        assert command == "./run.sh prove run_sh -x"


class TestChromium:
    def test_is_not_found_where_a_wrong_one_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PERENNIAL_CHROMIUM", "/nonexistent/chromium")
        assert chromium() is None
