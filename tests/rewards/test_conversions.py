"""Points exchanged with partners: out by files and their answers, in by files of theirs, each line once; the statement of a month."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils.translation import override
from openpyxl import load_workbook

from members.admin.timeline import tell
from members.models import Member, Operator, TimelineEntry
from members.proposals import ProposalOutcome, approve, refuse
from members.services.profile import ProfileChange, change_profile
from rewards.explanation import explain
from rewards.ledger import InsufficientPoints, currency_id
from rewards.models import (
    Direction,
    LedgerTransaction,
    Lot,
    Partner,
    PartnerConversion,
    PartnerFile,
    PartnerRate,
    PointsRate,
)
from rewards.partners import BadLine, adapter_for
from rewards.queries import balance_of
from rewards.services import privacy
from rewards.services.conversions import (
    ConversionDayLimit,
    ConversionTooSmall,
    PartnerAccountInvalid,
    PartnerNotActive,
    propose_conversion,
    quote_out,
)
from rewards.services.corrections import LEAVE, RESTORE, ConversionIsSent, correction_of, propose_correction
from rewards.services.orders import MemberFrozen
from rewards.services.partner_files import (
    NothingToExport,
    export_content,
    export_conversions,
    read_answer,
    read_incoming,
    settlement_of,
    settlement_sheet,
)
from rewards.services.transfers import TransferTooSoon
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import a_member
from tests.harness.threads import spread, together
from tests.rewards.by_hand import actor, books, findings, staff

LATER = NOON + timedelta(hours=1)
State = PartnerConversion.State


def an_airline(**changes: Any) -> Partner:
    """Return a partner: 100 points give 10 miles, 10 miles give 50 points."""
    values = {
        "code": "air",
        "name": "Air",
        "unit_name": "miles",
        "min_points": 200,
        "step_points": 100,
        "day_limit_points": 1_000,
        **changes,
    }
    partner = Partner.objects.create(**values)
    PartnerRate.objects.create(
        partner=partner, direction=Direction.OUT, valid_from=NOON - timedelta(days=9), points=100, units=10
    )
    PartnerRate.objects.create(
        partner=partner, direction=Direction.IN, valid_from=NOON - timedelta(days=9), points=50, units=10
    )
    return partner


def a_flyer(points: int = 3_000) -> Member:
    member = a_member()
    give_points(member, points, moment=NOON, expires_at=NOON + timedelta(days=60))
    return member


def convert(
    member: Member,
    partner: Partner,
    points: int,
    at: datetime = LATER,
    account: str = "CA-123 456",
    maker: Operator | None = None,
    request_id: str = "",
) -> ProposalOutcome:
    return propose_conversion(
        member_id=member.pk, partner_id=partner.pk, points=points, partner_account=account, reason="asked by phone",
        by=actor(maker or staff()), at=at, request_id=request_id,
    )  # fmt: skip


def answer(*lines: str) -> bytes:
    return "\n".join(["ref,result,reason", *lines]).encode()


def available(member: Member) -> int:
    return balance_of(member.pk, LATER).available


@pytest.mark.django_db
class TestExchangingOut:
    def test_takes_the_points_at_the_rate_of_now(self) -> None:
        partner, member = an_airline(), a_flyer()
        assert convert(member, partner, 300).carried_out
        row = PartnerConversion.objects.get()
        assert (row.points, row.units, row.state, row.direction) == (300, 30, State.PENDING, Direction.OUT)
        assert available(member) == 2_700
        posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.CONVERT_OUT)
        assert (row.transaction, posted.natural_key) == (posted, row.line_ref)
        assert findings(LATER) == []

    def test_keeps_the_rate_it_was_asked_at(self) -> None:
        partner, member = an_airline(), a_flyer()
        outcome = convert(member, partner, 600)
        assert outcome.waiting
        assert available(member) == 3_000
        PartnerRate.objects.create(partner=partner, direction=Direction.OUT, valid_from=LATER, points=100, units=1)
        assert quote_out(partner=partner, points=600, at=LATER).units == 6
        approve(proposal_id=outcome.proposal_id, by=actor(staff()), at=LATER)
        assert PartnerConversion.objects.get().units == 60
        with pytest.raises(DatabaseError), transaction.atomic():
            PartnerRate.objects.update(units=99)

    def test_that_is_not_approved_takes_nothing(self) -> None:
        partner, member = an_airline(), a_flyer()
        outcome = convert(member, partner, 600)
        assert [one.code for one in privacy.obstacles(member.pk, LATER)] == ["proposal_waiting"]
        refuse(proposal_id=outcome.proposal_id, by=actor(staff()), at=LATER, reason="no")
        assert (available(member), PartnerConversion.objects.get().state) == (3_000, State.ASKED)
        assert privacy.obstacles(member.pk, LATER) == []
        with pytest.raises(NothingToExport):
            export_conversions(partner_id=partner.pk, by=actor(staff()), at=LATER)

    def test_asked_twice_by_one_request_is_done_once(self) -> None:
        partner, member, maker = an_airline(), a_flyer(), staff()
        first = convert(member, partner, 300, maker=maker, request_id="f")
        assert convert(member, partner, 300, maker=maker, request_id="f") == first
        assert PartnerConversion.objects.count() == 1

    @pytest.mark.parametrize("points", [100, 250, 199])
    def test_keeps_to_the_least_and_the_step(self, points: int) -> None:
        partner, member = an_airline(), a_flyer()
        before = books()
        with pytest.raises(ConversionTooSmall):
            convert(member, partner, points)
        assert books() == before

    def test_keeps_to_the_limit_of_the_day(self) -> None:
        partner, member = an_airline(), a_flyer()
        convert(member, partner, 500)
        convert(member, partner, 400)
        before = books()
        with pytest.raises(ConversionDayLimit):
            convert(member, partner, 200)
        assert books() == before
        assert convert(member, partner, 200, at=LATER + timedelta(days=1)).carried_out

    def test_needs_a_rate_and_a_number_there(self) -> None:
        partner, member = an_airline(), a_flyer()
        before = books()
        with pytest.raises(PartnerAccountInvalid):
            convert(member, partner, 300, account="=cmd()")
        with pytest.raises(PartnerNotActive):
            convert(member, partner, 300, at=NOON - timedelta(days=10))
        Partner.objects.update(is_active=False)
        with pytest.raises(PartnerNotActive):
            convert(member, partner, 300)
        assert books() == before

    def test_of_more_than_there_is_changes_nothing(self) -> None:
        partner, member = an_airline(), a_flyer(250)
        before = books()
        with pytest.raises(InsufficientPoints):
            convert(member, partner, 300)
        assert books() == before

    def test_waits_after_a_new_phone_number(self) -> None:
        partner, member = an_airline(), a_flyer()
        change_profile(member_id=member.pk, change=ProfileChange(phone="13800138000"), by=actor(staff()), at=NOON)
        before = books()
        with pytest.raises(TransferTooSoon):
            convert(member, partner, 300)
        assert books() == before

    def test_of_a_frozen_member_changes_nothing(self) -> None:
        partner, member = an_airline(), a_flyer()
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        before = books()
        with pytest.raises(MemberFrozen):
            convert(member, partner, 300)
        assert books() == before

    def test_can_be_taken_back_until_it_is_sent(self) -> None:
        partner, member = an_airline(), a_flyer()
        convert(member, partner, 300)
        row = PartnerConversion.objects.get()
        propose_correction(
            transaction_id=row.transaction_id or 0, choice=RESTORE, reason="wrong", by=actor(staff()), at=LATER
        )
        row.refresh_from_db()
        assert (row.state, available(member)) == (State.CANCELLED, 3_000)
        convert(member, partner, 300)
        export_conversions(partner_id=partner.pk, by=actor(staff()), at=LATER)
        sent = PartnerConversion.objects.get(state=State.EXPORTED)
        with pytest.raises(ConversionIsSent):
            correction_of(transaction_id=sent.transaction_id or 0, at=LATER)
        assert findings(LATER) == []

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_is_told_in_every_language(self, language: str) -> None:
        partner, member = an_airline(), a_flyer()
        convert(member, partner, 300)
        with override(language):
            (told,) = tell(list(TimelineEntry.objects.filter(kind="rewards.points_converted.v1")))
            assert "300" in told.sentence
            assert "Air" in told.sentence
            assert (
                "30" in explain(LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.CONVERT_OUT).trace).notes[0]
            )


@pytest.mark.django_db
class TestFilesForThePartner:
    def test_hold_each_conversion_once(self) -> None:
        partner, member = an_airline(), a_flyer()
        convert(member, partner, 300)
        made = export_conversions(partner_id=partner.pk, by=actor(staff()), at=LATER)
        row = PartnerConversion.objects.get()
        lines = export_content(made).decode("utf-8-sig").splitlines()
        assert lines[0] == "ref,account,units,asked_at"
        assert lines[1].startswith(f"{row.line_ref},CA-123 456,30,")
        assert (row.state, row.file, made.rows) == (State.EXPORTED, made, 1)
        with pytest.raises(NothingToExport):
            export_conversions(partner_id=partner.pk, by=actor(staff()), at=LATER)

    def test_are_answered_once_and_rejected_points_come_back_to_their_lots(self) -> None:
        partner, member = an_airline(), a_flyer()
        convert(member, partner, 300)
        convert(member, partner, 200)
        export_conversions(partner_id=partner.pk, by=actor(staff()), at=LATER)
        good, bad = (row.line_ref for row in PartnerConversion.objects.order_by("pk"))
        content = answer(f"{good},ok,", f"{bad},rejected,unknown account", "nobody,ok,", f"{good},perhaps,")
        ask: dict[str, Any] = {
            "partner_id": partner.pk,
            "name": "a.csv",
            "content": content,
            "by": actor(staff()),
            "at": LATER,
        }
        before = books()
        trial = read_answer(**ask, dry_run=True)
        assert books() == before
        report = read_answer(**ask, dry_run=False)
        assert (report.lines, report.done, report.rejected, report.points) == (4, 1, 1, 500)
        assert (trial.done, trial.rejected, trial.wrong) == (report.done, report.rejected, report.wrong)
        assert sorted(number for number, _why in report.wrong) == [4, 5]
        assert available(member) == 2_700
        assert Lot.objects.get().expires_at == NOON + timedelta(days=60)
        row = PartnerConversion.objects.get(line_ref=bad)
        assert (row.state, row.rejected_reason) == (State.REJECTED, "unknown account")
        again = read_answer(**ask, dry_run=False)
        assert (again.done, again.rejected, again.repeated) == (0, 0, 2)
        assert available(member) == 2_700
        assert findings(LATER) == []


@pytest.mark.django_db
class TestFilesFromThePartner:
    def test_credit_each_line_once(self) -> None:
        partner, member = an_airline(), a_member()
        content = f"ref,member,units\nA1,{member.member_no},40\nA2,nobody,40\nA3,{member.member_no},x\nA1,{member.member_no},40\n".encode()
        ask: dict[str, Any] = {
            "partner_id": partner.pk,
            "name": "i.csv",
            "content": content,
            "by": actor(staff()),
            "at": LATER,
        }
        before = books()
        trial = read_incoming(**ask, dry_run=True)
        assert books() == before
        assert (trial.lines, trial.done, trial.repeated, trial.points, len(trial.wrong)) == (4, 1, 1, 200, 2)
        read_incoming(**ask, dry_run=False)
        again = read_incoming(**ask, dry_run=False)
        assert (again.done, again.repeated) == (0, 2)
        assert available(member) == 200
        assert Lot.objects.get().origin == Lot.Origin.PARTNER
        assert PartnerFile.objects.filter(kind=PartnerFile.Kind.INCOMING).count() == 2
        assert findings(LATER) == []

    def test_can_be_taken_back_one_by_one(self) -> None:
        partner, member = an_airline(), a_member()
        content = f"ref,member,units\nA1,{member.member_no},40\n".encode()
        read_incoming(partner_id=partner.pk, name="i.csv", content=content, by=actor(staff()), at=LATER, dry_run=False)
        posted = LedgerTransaction.objects.get(kind=LedgerTransaction.Kind.CONVERT_IN)
        propose_correction(transaction_id=posted.pk, choice=LEAVE, reason="wrong", by=actor(staff()), at=LATER)
        assert available(member) == 0
        assert findings(LATER) == []

    def test_of_frozen_members_are_told_and_not_booked(self) -> None:
        partner, member = an_airline(), a_member(status=Member.Status.FROZEN)
        content = f"ref,member,units\nA1,{member.member_no},40\n".encode()
        report = read_incoming(
            partner_id=partner.pk, name="i.csv", content=content, by=actor(staff()), at=LATER, dry_run=False
        )
        assert (report.done, len(report.wrong)) == (0, 1)
        assert not LedgerTransaction.objects.exists()


class TestAtOnce:
    def test_one_request_sent_by_many_is_one_conversion(self, committed_db: str) -> None:
        partner, member, maker = an_airline(), a_flyer(), staff()
        outcomes = together([lambda: convert(member, partner, 300, maker=maker, request_id="f")] * 6)
        assert len({outcome.proposal_id for outcome in outcomes}) == 1
        assert PartnerConversion.objects.count() == 1
        assert available(member) == 2_700

    def test_one_incoming_file_read_by_many_is_booked_once(self, committed_db: str) -> None:
        partner, members, operator = an_airline(), [a_member() for _ in range(5)], staff()
        lines = [f"A{number},{member.member_no},40" for number, member in enumerate(members)]
        content = "\n".join(["ref,member,units", *lines]).encode()

        def read() -> int:
            return read_incoming(
                partner_id=partner.pk, name="i.csv", content=content, by=actor(operator), at=LATER, dry_run=False
            ).done

        assert sum(together([read] * 6)) == 5
        assert LedgerTransaction.objects.count() == 5
        assert findings(LATER) == []

    def test_the_limit_of_the_day_holds(self, committed_db: str) -> None:
        partner, member, makers = an_airline(day_limit_points=600), a_flyer(), [staff() for _ in range(8)]

        def ask(number: int) -> bool:
            try:
                return convert(member, partner, 200, maker=makers[number]).carried_out
            except ConversionDayLimit:
                return False

        assert sum(spread(ask, times=8, threads=8)) == 3
        assert available(member) == 2_400


@pytest.mark.django_db
class TestTheStatement:
    def test_sums_what_went_and_came_and_leaves_out_what_came_back(self) -> None:
        PointsRate.objects.create(
            currency_id=currency_id(), valid_from=NOON - timedelta(days=99), money_per_point=Decimal("0.01")
        )
        partner, member = an_airline(), a_flyer()
        for points in (300, 200, 500):
            convert(member, partner, points)
        taken_back = PartnerConversion.objects.get(points=200)
        propose_correction(
            transaction_id=taken_back.transaction_id or 0, choice=RESTORE, reason="x", by=actor(staff()), at=LATER
        )
        content = f"ref,member,units\nA1,{member.member_no},40\n".encode()
        read_incoming(partner_id=partner.pk, name="i.csv", content=content, by=actor(staff()), at=LATER, dry_run=False)
        statement = settlement_of(partner=partner, month=date(2026, 3, 31), at=LATER)
        assert (statement.points_out, statement.points_in, statement.net_points) == (800, 200, 600)
        assert statement.amount == Decimal("6.00")
        rows = list(load_workbook(BytesIO(settlement_sheet(statement))).active.iter_rows(values_only=True))
        assert len(rows) == 1 + len(statement.lines) + 1
        assert rows[-1][3] == 600
        assert settlement_of(partner=partner, month=date(2026, 4, 1), at=LATER).lines == ()


class TestCsvFiles:
    """The adapter of partners that exchange files."""

    def test_says_which_column_can_not_be_read(self) -> None:
        adapter = adapter_for("any")
        _read, bad = adapter.read_incoming("ref,member,units\n,1,1\nA,,1\nB,1,0\nC,1,1.5\nD,1,٣\n".encode())
        assert bad == [
            BadLine(2, "ref"),
            BadLine(3, "member"),
            BadLine(4, "units"),
            BadLine(5, "units"),
            BadLine(6, "units"),
        ]

    def test_reads_files_with_a_byte_order_mark_and_chinese_results(self) -> None:
        read, bad = adapter_for("any").read_answer("\ufeffref,result,reason\nA,成功,\nB,失败,卡号错误\n".encode())
        assert [(line.ref, line.is_accepted, line.reason) for line in read] == [
            ("A", True, ""),
            ("B", False, "卡号错误"),
        ]
        assert bad == []
