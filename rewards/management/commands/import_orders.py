"""Import orders from a file."""

import hashlib
from argparse import ArgumentParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from loyalty.periods import RESOLUTION, day_bounds
from loyalty.services.standing import review_all_due
from members import timeline
from members.actors import Actor
from members.queries import programme
from members.tables.refused import TableError
from members.tables.rows import TableRows, read_rows
from rewards.models import OrderImport
from rewards.services.expiry import expire_due_lots, release_pending_lots
from rewards.services.imports.describing import describe
from rewards.services.imports.drafts import read_drafts, write_rejected
from rewards.services.imports.mapping import OrderMapping, load_mapping_arguments
from rewards.services.imports.mapping_values import MappingError
from rewards.services.imports.orders import DraftReport
from rewards.services.imports.posting import PostingReport, check_drafts, post_drafts
from rewards.services.imports.refused import Rejected


class Command(BaseCommand):
    help = (
        "Read order lines from a csv, xlsx or JSON-lines file and record the orders, with points and tiers as if they "
        "had come in live. Running it again changes nothing and resumes what broke off. Messages are not sent."
    )

    _moved: dict[str, int]
    """By how many weeks the dates of the file are moved, when they are; kept with the run."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map", action="append", default=[], metavar="NAME|FILE|KEY=COLUMN",
            help="a ready mapping (cdnow, online_retail, starbucks), a .toml or .json file, or key=column; may be repeated",
        )  # fmt: skip
        parser.add_argument("--encoding", help="of a csv file; found out when not given")
        parser.add_argument("--delimiter", help="between the cells of a csv file; found out when not given")
        parser.add_argument("--sheet", help="of an xlsx file; the first when not given")
        parser.add_argument("--dry-run", action="store_true", help="read and check everything, record nothing")
        parser.add_argument(
            "--rejected", type=Path, help="where rejected rows go (default: FILE.rejected.csv beside the file)"
        )
        parser.add_argument(
            "--language", choices=[code for code, _ in settings.LANGUAGES], default=settings.LANGUAGE_CODE,
            help="of the reasons in the file of rejected rows (default: %(default)s)",
        )  # fmt: skip
        when = parser.add_mutually_exclusive_group()
        when.add_argument(
            "--as-of", metavar="DATE", help="post as if it were this day: expiry and tier reviews are run up to it"
        )
        when.add_argument(
            "--shift-dates", action="store_true",
            help="move all dates by whole weeks, so that the last order is of the last seven days; by as many as before, if this file came before",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"]):
            self._import(options["file"], options)

    def _import(self, path: Path, options: dict[str, Any]) -> None:
        now = timezone.now()
        at = self._as_of(options["as_of"], now)
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        try:
            mapping = load_mapping_arguments(options["map"])
            self.stdout.write("\n".join(describe(mapping)))
            report = self._read(path, mapping, at, options)
            if options["dry_run"]:
                self._say(report, None)
                self._write_rejected(path, options, report, check_drafts(report.drafts, mapping))
                self.stdout.write("Dry run: nothing was recorded.")
                return
            run = self._begin(path, mapping, report, now)
            posted = self._post(run, mapping, report, at)
        except (MappingError, TableError) as error:
            raise CommandError(str(error)) from error
        self._say(report, posted)
        self._write_rejected(path, options, report, posted.rejected)

    def _rows(self, path: Path, options: dict[str, Any]) -> TableRows:
        return read_rows(path, encoding=options["encoding"], delimiter=options["delimiter"], sheet=options["sheet"])

    def _as_of(self, text: str | None, now: datetime) -> datetime:
        if not text:
            return now
        day = parse_date(text)
        if day is not None:
            return day_bounds(day, programme().tz)[1] - RESOLUTION
        moment = parse_datetime(text)
        if moment is None or moment.tzinfo is None:
            raise CommandError(
                "--as-of takes a date (2011-12-10) or a moment with its zone (2011-12-10T12:00:00+08:00)."
            )
        return moment

    def _read(self, path: Path, mapping: OrderMapping, at: datetime, options: dict[str, Any]) -> DraftReport:
        self._moved = {}
        with tqdm(desc="reading", unit=" rows", disable=None) as bar:
            report = read_drafts(
                self._rows(path, options),
                mapping,
                programme_currency=programme().currency,
                not_after=at,
                progress=bar.update,
            )
        if options["shift_dates"] and report.last_at is not None:
            weeks = self._weeks_before(path, mapping, (at - report.last_at) // timedelta(weeks=1))
            report = report.moved(timedelta(weeks=weeks))
            self._moved = {"weeks": weeks}
            self.stdout.write(f"All dates are moved by {weeks} weeks.")
        return report

    def _weeks_before(self, path: Path, mapping: OrderMapping, weeks: int) -> int:
        """Return by how many weeks this file was moved when it came first: its orders must be the same ones again."""
        runs = OrderImport.objects.filter(file_sha256=_sha256(path), source=mapping.source, mapping__has_key="weeks")
        first = runs.order_by("id").values_list("mapping__weeks", flat=True).first()
        return weeks if first is None else first

    def _begin(self, path: Path, mapping: OrderMapping, report: DraftReport, now: datetime) -> OrderImport:
        return OrderImport.objects.create(
            file_name=path.name[:200], file_sha256=_sha256(path), source=mapping.source, started_at=now, rows_read=report.rows_read,
            rows_ignored=report.rows_ignored, mapping={"says": describe(mapping), **self._moved},
        )  # fmt: skip

    def _post(self, run: OrderImport, mapping: OrderMapping, report: DraftReport, at: datetime) -> PostingReport:
        by = Actor("import", run.pk)
        try:
            with tqdm(total=report.lines, desc="posting", unit=" lines", disable=None) as bar:
                posted = post_drafts(report.drafts, mapping, by=by, at=at, progress=bar.update)
            self._bring_up_to_date(at, by)
        except BaseException as error:
            self._close(
                run, OrderImport.State.FAILED, error=str(error) if isinstance(error, MappingError) else repr(error)
            )
            raise
        run.rows_rejected = len(report.rejected) + len(posted.rejected)
        for name in ("orders_new", "orders_known", "returns_new", "returns_known", "members_new", "points"):
            setattr(run, name, getattr(posted, name))
        self._close(run, OrderImport.State.DONE)
        while timeline.relay(at=timezone.now()):
            pass
        return posted

    def _close(self, run: OrderImport, state: OrderImport.State, error: str = "") -> None:
        run.state = state
        run.error = error[:2000]
        run.finished_at = timezone.now()
        run.save()

    def _bring_up_to_date(self, at: datetime, by: Actor) -> None:
        """What beat would have done until `at`: release, expire, review."""
        release_pending_lots(at=at, by=by)
        expired = expire_due_lots(at=at, by=by)
        if expired.points:
            self.stdout.write(
                f"{expired.points} points of {expired.members} members were past their expiry and are booked as expired."
            )
        review_all_due(at=at, by=by, quiet=True)

    def _say(self, report: DraftReport, posted: PostingReport | None) -> None:
        currency = programme().currency
        self.stdout.write(
            f"Read {report.rows_read} rows ({report.rows_ignored} are no orders, {report.rows_empty} have no value): "
            f"{report.sales} sales of {report.sale_amount} {currency}, {report.returns} returns of {report.return_amount} {currency}."
        )
        if posted:
            self.stdout.write(
                f"Recorded {posted.orders_new} orders and {posted.returns_new} returns, {posted.points} points; "
                f"known already: {posted.orders_known} orders, {posted.returns_known} returns; new members: {posted.members_new}."
            )

    def _write_rejected(self, path: Path, options: dict[str, Any], report: DraftReport, more: list[Rejected]) -> None:
        if not report.rejected and not more:
            self.stdout.write("No row was rejected.")
            return
        target = options["rejected"] or path.with_name(path.name + ".rejected.csv")
        wanted = {rejected.row_no: rejected for rejected in more}
        rejected = list(report.rejected)
        rows = self._rows(path, options)
        for row_no, cells in rows:
            if row_no in wanted:
                rejected.append(Rejected(row_no, dict(cells), wanted[row_no].code, wanted[row_no].params))
        try:
            count = write_rejected(target, sorted(rejected, key=lambda row: row.row_no), rows.columns)
        except OSError as error:
            raise CommandError(
                f"The rejected rows could not be written to {target}: {error.strerror}. Name a file with --rejected."
            ) from error
        self.stdout.write(
            self.style.WARNING(f"{count} rows were rejected; they are in {target}, each with its reason.")
        )


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
