"""The files of partners: conversions for them, their answers, conversions from them, and the statement of a month.

Every line is booked once by its reference, whatever comes twice. A dry run tells what would happen and changes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.periods import add_months, end_of_day
from loyalty.queries import tier_at
from members.actors import Actor
from members.models import Member
from members.queries import member_by_number, member_by_phone, programme
from members.sheets import sheet
from rewards import ledger
from rewards.ending import money_per_point, worth
from rewards.models import Direction, Lot, Partner, PartnerConversion, PartnerFile, PartnerRate
from rewards.partners import AnswerLine, BadLine, IncomingLine, OutLine, adapter_for
from rewards.policies import ledger_policy
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import operator_id
from rewards.services.conversions import State, rate_at, tell, trace_of
from rewards.services.quoting import expiry_of
from rewards.services.redemption_steps import note_refund

MOST_LINES: Final = 5_000
CHUNK: Final = 500
INCOMING: Final = "partner"
ANSWER: Final = "partner_answer"
MONTHS_WITHOUT_POLICY: Final = 12


class NothingToExport(RewardsRefusal):
    """No conversion waits for a file."""

    code = "nothing_to_export"
    text = gettext_lazy("No conversion waits for the next file.")


class PartnerFileTooLong(RewardsRefusal):
    """More lines than are read at once."""

    code = "partner_file_too_long"
    status = 422
    text = gettext_lazy("The file has %(lines)s lines; at most %(most)s can be read at once.")


@dataclass(slots=True)
class FileReport:
    """What a file of a partner did, or would do: lines by what became of them, and what is wrong with the others."""

    lines: int = 0
    done: int = 0
    rejected: int = 0
    repeated: int = 0
    points: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)


# --- Out ----------------------------------------------------------------------------------------------------------------
@transaction.atomic
def export_conversions(*, partner_id: int, by: Actor, at: datetime) -> PartnerFile:
    """Put what waits for the partner into a file; return it. `export_content` gives its content, again and again.

    Raises NothingToExport.
    """
    waiting = PartnerConversion.objects.filter(partner_id=partner_id, state=State.PENDING).order_by("pk")
    rows = list(waiting.select_for_update(no_key=True)[:MOST_LINES])
    if not rows:
        raise NothingToExport
    partner = Partner.objects.get(pk=partner_id)
    adapter = adapter_for(partner.code)
    content = adapter.export([_out_line(row) for row in rows])
    number = PartnerFile.objects.filter(partner=partner, kind=PartnerFile.Kind.EXPORT).count() + 1
    made = PartnerFile.objects.create(
        partner=partner, kind=PartnerFile.Kind.EXPORT, name=f"{partner.code}-{at:%Y%m%d}-{number}.{adapter.suffix}",
        sha256=hashlib.sha256(content).digest(), rows=len(rows), operator_id=operator_id(by), created_at=at,
    )  # fmt: skip
    PartnerConversion.objects.filter(pk__in=[row.pk for row in rows]).update(state=State.EXPORTED, file=made)
    return made


def export_content(made: PartnerFile) -> bytes:
    """Return the content of an export file, from its conversions."""
    rows = PartnerConversion.objects.filter(file=made).order_by("pk")
    return adapter_for(made.partner.code).export([_out_line(row) for row in rows])


def _out_line(row: PartnerConversion) -> OutLine:
    return OutLine(row.line_ref, row.partner_account, row.units, row.happened_at)


# --- Answers ------------------------------------------------------------------------------------------------------------
def read_answer(*, partner_id: int, name: str, content: bytes, by: Actor, at: datetime, dry_run: bool) -> FileReport:
    """Book what the partner says of conversions: confirmed, or rejected, and then the points come back to their lots."""
    partner = Partner.objects.get(pk=partner_id)
    lines, bad = adapter_for(partner.code).read_answer(content)
    report = _report(len(lines), bad)
    for start in range(0, len(lines), CHUNK):
        with transaction.atomic():
            _answer_chunk(partner, lines[start : start + CHUNK], report, by, at, dry_run=dry_run)
    if not dry_run:
        _keep(partner, PartnerFile.Kind.ANSWER, name, content, report, by, at)
    return report


def _answer_chunk(
    partner: Partner, lines: Sequence[AnswerLine], report: FileReport, by: Actor, at: datetime, *, dry_run: bool
) -> None:
    refs = [line.ref for line in lines]
    known = PartnerConversion.objects.filter(partner=partner, direction=Direction.OUT, line_ref__in=refs).order_by("pk")
    rows = {row.line_ref: row for row in known.select_for_update(no_key=True)}
    back = [rows[line.ref].member_id for line in lines if not line.is_accepted and line.ref in rows]
    if back and not dry_run:
        ledger.lock_accounts(member_ids=sorted(set(back)))
    for line in lines:
        row = rows.get(line.ref)
        wanted = State.CONFIRMED if line.is_accepted else State.REJECTED
        if row is None:
            report.wrong.append((line.number, _("There is no conversion with this reference.")))
        elif row.state == wanted:
            report.repeated += 1
        elif row.state != State.EXPORTED:
            report.wrong.append((line.number, _("This conversion is: %(state)s.") % {"state": row.get_state_display()}))
        else:
            report.done += line.is_accepted
            report.rejected += not line.is_accepted
            report.points += row.points
            row.state = wanted
            if not dry_run:
                _settle(row, line, by, at)


def _settle(row: PartnerConversion, line: AnswerLine, by: Actor, at: datetime) -> None:
    row.settled_at, row.rejected_reason = at, "" if line.is_accepted else line.reason
    row.save(update_fields=["state", "settled_at", "rejected_reason"])
    if not line.is_accepted and row.transaction_id is not None:
        posting = ledger.restore(
            origin_transaction_id=row.transaction_id, points=row.points, source=ANSWER, natural_key=row.line_ref,
            days_min=ledger_policy(ledger.currency_id()).restored_days_min, at=at, by=by, tier_code=tier_at(row.member_id, at).code,
            trace={"v": 2, "kind": "convert_rejected", "points": row.points},
        )  # fmt: skip
        if posting.transaction_id is not None:
            note_refund(
                transaction_id=row.transaction_id, refund_id=posting.transaction_id, points=row.points, by=by, at=at, reason=line.reason
            )  # fmt: skip
    tell(row, row.state, by, at)


# --- In -----------------------------------------------------------------------------------------------------------------
def read_incoming(*, partner_id: int, name: str, content: bytes, by: Actor, at: datetime, dry_run: bool) -> FileReport:
    """Credit the points for units that a partner took from its customers. Raises PartnerNotActive, PartnerFileTooLong."""
    partner = Partner.objects.get(pk=partner_id)
    rate = rate_at(partner=partner, direction=Direction.IN, at=at)
    lines, bad = adapter_for(partner.code).read_incoming(content)
    report = _report(len(lines), bad)
    for start in range(0, len(lines), CHUNK):
        with transaction.atomic():
            _incoming_chunk(partner, rate, lines[start : start + CHUNK], report, by, at, dry_run=dry_run)
    if not dry_run:
        _keep(partner, PartnerFile.Kind.INCOMING, name, content, report, by, at)
    return report


def _incoming_chunk(
    partner: Partner, rate: PartnerRate, lines: Sequence[IncomingLine], report: FileReport, by: Actor, at: datetime, *, dry_run: bool
) -> None:  # fmt: skip
    Partner.objects.select_for_update(no_key=True).get(pk=partner.pk)  # the same file beside itself waits here
    refs = [line.ref for line in lines]
    booked = set(
        PartnerConversion.objects.filter(partner=partner, direction=Direction.IN, line_ref__in=refs).values_list(
            "line_ref", flat=True
        )
    )
    good: list[tuple[IncomingLine, Member, int]] = []
    for line in lines:
        points = line.units * rate.points // rate.units
        member = member_by_number(line.member) or member_by_phone(line.member)
        if line.ref in booked:
            report.repeated += 1
        elif member is None:
            report.wrong.append((line.number, _("No member is known by this.")))
        elif member.status_to(Member.Act.EARN) != Member.Status.ACTIVE:
            report.wrong.append((line.number, _("The member is %(state)s.") % {"state": member.get_status_display()}))
        elif not points:
            report.wrong.append((line.number, _("So few units give no point.")))
        else:
            booked.add(line.ref)
            good.append((line, member, points))
    report.done += len(good)
    report.points += sum(points for _line, _member, points in good)
    if good and not dry_run:
        ledger.lock_accounts(member_ids=sorted({member.pk for _line, member, _points in good}))
        for line, member, points in good:
            _credit(partner, rate, line, member, points, by, at)


def _credit(
    partner: Partner, rate: PartnerRate, line: IncomingLine, member: Member, points: int, by: Actor, at: datetime
) -> None:
    made = PartnerConversion(
        partner=partner, member=member, direction=Direction.IN, points=points, units=line.units, rate=rate, line_ref=line.ref,
        state=State.CONFIRMED, happened_at=at, settled_at=at,
    )  # fmt: skip
    currency_id = ledger.currency_id()
    lot = ledger.NewLot(
        points, Lot.Origin.PARTNER, at, expiry_of(currency_id, Lot.Origin.PARTNER, at, MONTHS_WITHOUT_POLICY)
    )
    posting = ledger.credit(
        kind=ledger.Kind.CONVERT_IN, contra=ledger.Contra.PARTNER, member_id=member.pk, lots=[lot], source=INCOMING,
        natural_key=f"{partner.pk}:{line.ref}", at=at, by=by, tier_code=tier_at(member.pk, at).code, trace=trace_of(made),
    )  # fmt: skip
    made.transaction_id = posting.transaction_id
    made.save()
    tell(made, State.CONFIRMED, by, at)


def _report(lines: int, bad: Sequence[BadLine]) -> FileReport:
    if lines + len(bad) > MOST_LINES:
        raise PartnerFileTooLong(lines=lines + len(bad), most=MOST_LINES)
    wrong = [(line.number, _("Column %(column)s can not be read.") % {"column": line.what}) for line in bad]
    return FileReport(lines=lines + len(bad), wrong=wrong)


def _keep(
    partner: Partner, kind: PartnerFile.Kind, name: str, content: bytes, report: FileReport, by: Actor, at: datetime
) -> None:
    PartnerFile.objects.create(
        partner=partner, kind=kind, name=name[:200], sha256=hashlib.sha256(content).digest(), rows=report.lines,
        operator_id=operator_id(by), created_at=at,
    )  # fmt: skip


# --- Settlement ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SettlementLine:
    """Conversions of one way and state in a month: how many, our points, the partner's units, what the points are worth."""

    direction: str
    state: str
    conversions: int
    points: int
    units: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The statement of one partner and month. Net: points that left, less points that came. Only what counts, not what came back."""

    partner: Partner
    month: date
    lines: tuple[SettlementLine, ...]
    points_out: int
    points_in: int
    amount: Decimal | None

    @property
    def net_points(self) -> int:
        """Points that went to the partner, less those that came."""
        return self.points_out - self.points_in


def settlement_of(*, partner: Partner, month: date, at: datetime) -> Settlement:
    """Return the statement of a partner for the month of a day: two queries. Money at the value of a point at its end, or now."""
    tz = programme().tz
    first = month.replace(day=1)
    start, end = (end_of_day(day - timedelta(days=1), tz) for day in (first, add_months(first, 1)))
    rate = money_per_point(ledger.currency_id(), min(end, at))
    rows = (
        PartnerConversion.objects.filter(partner=partner, happened_at__gte=start, happened_at__lt=end)
        .exclude(state=State.ASKED)
        .values("direction", "state")
        .annotate(number=Count("pk"), sum_points=Sum("points"), sum_units=Sum("units"))
        .order_by("direction", "state")
    )
    lines = tuple(
        SettlementLine(
            row["direction"],
            row["state"],
            row["number"],
            row["sum_points"],
            row["sum_units"],
            worth(row["sum_points"], rate),
        )
        for row in rows
    )
    counted = {State.PENDING, State.EXPORTED, State.CONFIRMED}
    out = sum(line.points for line in lines if line.direction == Direction.OUT and line.state in counted)
    came = sum(line.points for line in lines if line.direction == Direction.IN and line.state in counted)
    return Settlement(partner, first, lines, out, came, worth(out - came, rate))


def settlement_sheet(statement: Settlement) -> bytes:
    """Return the statement as a workbook."""
    header = (_("Direction"), _("State"), _("Conversions"), _("Points"), _("Partner's units"), _("Worth"))
    rows: list[Sequence[object]] = [
        (
            Direction(line.direction).label,
            State(line.state).label,
            line.conversions,
            line.points,
            line.units,
            line.amount,
        )
        for line in statement.lines
    ]
    rows.append((_("Net, what came back left out"), "", None, statement.net_points, None, statement.amount))
    return sheet(title=f"{statement.partner.code} {statement.month:%Y-%m}", header=header, rows=rows)
