"""Erasing a person: afterwards nothing says who it was, wherever one looks, and the ledger proves as before."""

import csv
import io
import json
import logging
import zipfile
from collections.abc import Iterator
from datetime import date, time, timedelta

import pytest
from django.apps import apps
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override
from openpyxl import Workbook

from campaigns.models import Message, MessageTemplate
from loyalty.services.identity_keeping import LEAVE_STAGE, SETTLE_BADGE
from members import lifecycle
from members.actors import SYSTEM, Actor
from members.jobs import InputFile, JobKind, kinds, register_kind, start_job, words_of
from members.models import (
    AttributeValue,
    Card,
    ConsentEntry,
    IdempotentAnswer,
    Identity,
    Job,
    JobErrorRow,
    JobFile,
    Member,
    MemberAttribute,
    MemberImport,
    MemberImportPart,
    MemberImportRow,
    MemberPerson,
    MemberPreference,
    MemberToken,
    ParkedEntry,
    PrivacyRequest,
    Proposal,
    Subscription,
    TimelineEntry,
)
from members.models.cards import CardBatch
from members.personal_words import WordsNamePerson, mentions_in_file, traces_of
from members.services import privacy, sweeping
from members.services.consents import give_consent
from members.services.data_copy import archive_of
from members.services.enrolment import enrol_member
from members.services.erasing import WRITES_PERSONS
from members.services.identities import link_identity
from members.services.jobs import run_job
from members.services.merging import UnmergeInTheWay, merge_members, unmerge_members
from members.services.personal_data import LOOKS_A_DAY, LookWordsMissing, show_person
from members.services.privacy import (
    ErasureAsked,
    ErasureHindered,
    ErasureNotDue,
    ErasureNotWaiting,
    MergedAway,
    PersonErased,
    checklist,
    erase_person,
    request_copy,
    request_erasure,
    take_back_erasure,
)
from members.services.segment_jobs import COUNT, FILL
from members.services.status import freeze_member
from members.services.tag_batches import TAG_MANY
from members.services.tokens import issue_member_token
from members.tasks import erase_due_persons
from rewards.models import (
    AdjustmentBatch,
    AdjustmentBatchError,
    LedgerEntry,
    PartnerConversion,
    PointsAccount,
    Purchase,
    Voucher,
)
from rewards.services.address_lists import ADDRESSES
from rewards.services.adjustment_batches import BATCH, propose_batch
from rewards.services.adjustment_files import read_batch
from rewards.services.extensions import EXTEND
from rewards.services.holds import hold_points
from rewards.services.privacy import settle_erased
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.verification import verify
from rewards.services.verification_jobs import KIND as VERIFICATION
from tests.factories.by_hand import moved_by_hand
from tests.factories.catalogue import a_reward
from tests.factories.imports import an_import, approved, checked, csv_of, loaded, work
from tests.factories.orders import an_order
from tests.factories.people import a_channel, a_member
from tests.factories.portal import an_operator
from tests.factories.work import actor

NAME, PHONE, EMAIL = "欧阳明月", "13912345678", "mingyue.ouyang@example.com"
OPENID, SHOP_ID, CARD_NO = "oMgHVjlQz5s-unique-openid_77", "SHOP-CUSTOMER-88123", "6688000000012"
OCCUPATION, MILES, DEVICE = "宇航员训练师", "CA-445566778", "明月的手机"
#: Everything that says who she is, as it may stand somewhere.
TRACES = (
    NAME, "ouyangmingyue", PHONE, "139 1234 5678", "139-1234-5678", EMAIL, EMAIL.upper(), OPENID, SHOP_ID, CARD_NO, OCCUPATION,
    MILES, DEVICE, "1990-03-04",
)  # fmt: skip
AWAY = timedelta(days=8)


def now() -> object:
    return timezone.now()


def a_whole_person() -> Member:
    """Return a member with a row in every table that may say who she is, and a copy of her in every sort of file."""
    at = timezone.now() - timedelta(days=3)
    member = enrol_member(
        channel_id=a_channel().pk, full_name=NAME, phone=PHONE, email=EMAIL, birthday=date(1990, 3, 4), by=SYSTEM, at=at,
        identity=("mall", SHOP_ID),
    )  # fmt: skip
    member = Member.objects.get(pk=member.pk)
    link_identity(
        member_id=member.pk, kind=Identity.Kind.WECHAT_OPENID, issuer="wx-app", value=OPENID, by=SYSTEM, at=at
    )
    batch = CardBatch.objects.create(name="2026", prefix="6688", first_running=0, quantity=1, made_at=at)
    Card.objects.create(batch=batch, number=CARD_NO, state="in_use", member=member, bound_at=at)
    detail = MemberAttribute.objects.create(code="work", name="职业", purpose="生日礼", kind="text")
    AttributeValue.objects.create(member=member, attribute=detail, text=OCCUPATION, changed_at=at)
    MemberPreference.objects.create(
        member=member, channels=["sms"], quiet_from=time(21), quiet_to=time(8), changed_at=at
    )
    give_consent(member_id=member.pk, purpose="marketing", channels=["sms"], version=1, way="self", by=SYSTEM, at=at)
    issue_member_token(member_id=member.pk, device=DEVICE, at=at)
    _her_trade(member, at)
    _her_files(member, at)
    return member


def _her_trade(member: Member, at) -> None:  # type: ignore[no-untyped-def]
    record_purchase(order=an_order(member, "900.00", number="E-1", ordered_at=at), by=SYSTEM, at=at)
    redeem_reward(member_id=member.pk, reward_id=a_reward(50).pk, request_id="erase:1", by=SYSTEM, at=at)
    moved_by_hand(9_001, member, an_operator("service supervisor"), at=at)
    PartnerConversion.objects.filter(member=member).update(partner_account=MILES, state="confirmed", settled_at=at)
    template = MessageTemplate.objects.filter(occasion="tier_raised").first() or MessageTemplate.objects.create(
        occasion="tier_raised", channel="console", title="Hello", body="Hello"
    )
    Message.objects.create(
        member=member, template=template, occurrence="erase", channel="console", created_at=at, next_attempt_at=at
    )


def _her_files(member: Member, at) -> None:  # type: ignore[no-untyped-def]
    """Jobs with files that name her, each in another format and encoding, refused rows, kept answers, parked errors."""
    register_kind(JobKind("test.files", "Files", run=lambda run: None))
    rows = [["姓名", "电话"], [NAME, "139-1234-5678"]]
    text = "\n".join(",".join(row) for row in rows)
    book = Workbook()
    for row in rows:
        book.active.append(row)
    sheet = io.BytesIO()
    book.save(sheet)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
    contents = [
        text.encode("gb18030"),
        text.encode("utf-16"),
        text.encode("big5", "ignore"),
        sheet.getvalue(),
        packed.getvalue(),
    ]
    for number, content in enumerate([*contents, f"{EMAIL.upper()}".encode(), b"of somebody else, 13800000000"]):
        job = start_job(
            kind="test.files",
            title_params={},
            params={},
            total=1,
            by=SYSTEM,
            at=at,
            file=InputFile(f"{number}.bin", content),
        )
        Job.objects.filter(pk=job.pk).update(state="done", finished_at=at, files_expire_at=at + timedelta(days=90))
    last = Job.objects.latest("pk")
    JobErrorRow.objects.create(job=last, number=1, cells=[["电话", "139 1234 5678"]], reason="No")
    JobErrorRow.objects.create(job=last, number=2, cells=[["电话", "13800000000"]], reason="No")
    IdempotentAnswer.objects.create(
        principal=f"member:{member.pk}",
        route="x",
        key="k1",
        body_sha256=b"0" * 32,
        answer={"name": NAME},
        created_at=at,
    )
    IdempotentAnswer.objects.create(
        principal="device:1", route="x", key="k2", body_sha256=b"0" * 32, answer={"phone": f"+86{PHONE}"}, created_at=at
    )
    reader = Subscription.objects.create(name="erasure reader")
    ParkedEntry.objects.create(
        subscription=reader, entry_id=1, error=f"IntegrityError: Key (phone)=(+86{PHONE}) exists", parked_at=at
    )
    read_batch(
        name="list.csv", content=f"member,points,reason\n{PHONE} {NAME},5,nope\n".encode(),
        by=Actor("operator", an_operator("service").pk), at=at,
    )  # fmt: skip


def everything() -> Iterator[tuple[str, str]]:
    """Yield each row of every table of the database as text, and the content of every file in it, unpacked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t")
            for (row,) in cursor.fetchall():
                yield table, row


def traces() -> dict[str, set[str]]:
    """Return what of her is found where: by table, and in files."""
    found: dict[str, set[str]] = {}
    for table, row in everything():
        for trace in TRACES:
            if trace.lower() in row.lower():
                found.setdefault(table, set()).add(trace)
    for file in JobFile.objects.all():
        for trace in (NAME, PHONE, EMAIL.lower()):
            if mentions_in_file(bytes(file.content), {trace}):
                found.setdefault("files", set()).add(trace)
    return found


def due(member: Member) -> PrivacyRequest:
    """Return a wish to be erased whose days to think it over are up."""
    asked = timezone.now() - timedelta(minutes=1)
    wish = request_erasure(member_id=member.pk, way="call", by=SYSTEM, at=asked)
    PrivacyRequest.objects.filter(pk=wish.pk).update(asked_at=asked - AWAY, due_at=asked)
    return wish


def erased(member: Member) -> PrivacyRequest:
    return erase_person(request_id=due(member).pk, at=timezone.now())


def a_person(name: str = NAME, **details: object) -> Member:
    member = a_member()
    MemberPerson.objects.create(member=member, full_name=name, **details)
    return member


def kept_of_her() -> list[int]:
    """Return how many files, refused rows and kept answers there are."""
    return [model.objects.count() for model in (JobFile, JobErrorRow, IdempotentAnswer, AdjustmentBatchError)]


# Jobs that write members by their ids alone.
NAMES_NOBODY = {
    FILL, COUNT, TAG_MANY, SETTLE_BADGE, LEAVE_STAGE, EXTEND, VERIFICATION, "loyalty.preview_ladder", "loyalty.review_forecast",
    "loyalty.review_run", "rewards.voucher_batch", "rewards.fulfil", "rewards.ship", "rewards.tell_orders",
}  # fmt: skip


@pytest.mark.django_db
class TestAnErasure:
    def test_leaves_no_trace_of_the_person_anywhere_and_a_ledger_that_proves(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        member = a_whole_person()
        caplog.clear()
        caplog.set_level(logging.DEBUG)
        copy = request_copy(member_id=member.pk, way="self", by=Actor("member", member.pk), at=timezone.now())
        assert copy.job_id is not None
        assert run_job(job_id=copy.job_id, worker="w", clock=timezone.now) == "done"
        seen = traces()
        assert {trace for where in seen.values() for trace in where} >= set(TRACES) - {"139-1234-5678"}
        assert "files" in seen
        points = PointsAccount.objects.get(member=member).available
        assert points > 0
        purchases = list(Purchase.objects.filter(member=member).values())

        wish = erased(member)

        assert traces() == {}
        assert not any(trace.lower() in caplog.text.lower() for trace in TRACES)
        assert [str(finding) for finding in verify(at=timezone.now())] == []
        assert list(Purchase.objects.filter(member=member).values()) == purchases, "the ledger's facts stay"
        assert ConsentEntry.objects.filter(member=member).exists(), "what was allowed stays provable"
        account = PointsAccount.objects.get(member=member)
        assert (account.available, account.held, account.debt) == (0, 0, 0)
        assert not Voucher.objects.filter(member=member, state="issued").exists()
        assert not Message.objects.filter(member=member, state="queued").exists()
        after = Member.objects.get(pk=member.pk)
        assert after.status == "closed"
        assert after.member_no != member.member_no
        assert after.public_id != member.public_id
        assert not MemberToken.objects.filter(member=member).exists()
        assert wish.state == "done"
        assert wish.counts["memberperson"] == 1
        assert wish.counts["points"] == points

    def test_leaves_what_belongs_to_others(self) -> None:
        a_whole_person_id = a_whole_person()
        other = enrol_member(
            channel_id=a_channel().pk,
            full_name="李四",
            phone="13800000000",
            by=SYSTEM,
            at=timezone.now() - timedelta(days=1),
        )
        erased(a_whole_person_id)
        assert MemberPerson.objects.get(pk=other.pk).phone == "+8613800000000"
        assert JobFile.objects.count() == 1
        assert [row.number for row in JobErrorRow.objects.all()] == [2]

    def test_is_done_once(self) -> None:
        member = a_member()
        MemberPerson.objects.create(member=member, full_name=NAME)
        wish = erased(member)
        with pytest.raises(ErasureNotWaiting):
            erase_person(request_id=wish.pk, at=timezone.now())
        with pytest.raises(PersonErased):
            request_erasure(member_id=member.pk, way="call", by=SYSTEM, at=timezone.now())
        with pytest.raises(PersonErased):
            request_copy(member_id=member.pk, way="call", by=SYSTEM, at=timezone.now())

    def test_takes_along_the_records_that_were_merged_into_hers(self) -> None:
        kept, merged = a_member(), a_member()
        for member in (kept, merged):
            MemberPerson.objects.create(member=member, full_name=NAME)
        Member.objects.filter(pk=merged.pk).update(merged_into=kept, status="closed")
        with pytest.raises(MergedAway):
            request_erasure(member_id=merged.pk, way="call", by=SYSTEM, at=timezone.now())
        erased(kept)
        assert not MemberPerson.objects.filter(pk__in=[kept.pk, merged.pk]).exists()

    def test_waits_until_the_days_to_think_it_over_are_up(self) -> None:
        member = a_member()
        MemberPerson.objects.create(member=member, full_name=NAME)
        at = timezone.now()
        wish = request_erasure(member_id=member.pk, way="call", by=SYSTEM, at=at)
        assert wish.due_at == at + timedelta(days=7)
        with pytest.raises(ErasureAsked):
            request_erasure(member_id=member.pk, way="call", by=SYSTEM, at=at)
        with pytest.raises(ErasureNotDue):
            erase_person(request_id=wish.pk, at=at + timedelta(days=6))
        assert MemberPerson.objects.filter(pk=member.pk).exists()
        take_back_erasure(member_id=member.pk, by=SYSTEM, at=at)
        with pytest.raises(ErasureNotWaiting):
            erase_person(request_id=wish.pk, at=at + timedelta(days=8))
        with pytest.raises(ErasureNotWaiting):
            take_back_erasure(member_id=member.pk, by=SYSTEM, at=at)

    def test_waits_for_points_that_are_set_aside(self) -> None:
        member = a_whole_person()
        at = timezone.now()
        hold = hold_points(member_id=member.pk, points=5, source="test", external_ref="H1", by=SYSTEM, at=at)
        assert [obstacle.code for obstacle in checklist(member_id=member.pk, at=at).obstacles] == ["points_held"]
        entries = LedgerEntry.objects.count()
        with pytest.raises(ErasureHindered) as refused:
            erased(member)
        assert "5" in refused.value.params["obstacles"]
        assert LedgerEntry.objects.count() == entries
        assert MemberPerson.objects.filter(pk=member.pk).exists()
        assert hold is not None

    @pytest.mark.parametrize("kind", [*WRITES_PERSONS, BATCH, ADDRESSES])
    def test_waits_for_work_that_may_be_writing_the_person_into_a_file(self, kind: str) -> None:
        member = a_member()
        at = timezone.now()
        assert checklist(member_id=member.pk, at=at).obstacles == []
        job = Job.objects.create(kind=kind, state=Job.State.QUEUED, created_at=at, files_expire_at=at)
        assert [obstacle.code for obstacle in checklist(member_id=member.pk, at=at).obstacles] == ["file_being_made"]
        Job.objects.filter(pk=job.pk).update(state=Job.State.DONE, finished_at=at)
        assert checklist(member_id=member.pk, at=at).obstacles == []

    def test_knows_of_every_kind_of_work_whether_it_writes_persons(self) -> None:
        ours = {kind.code for kind in kinds() if not kind.code.startswith(("test.", "portal."))}
        assert ours == {*WRITES_PERSONS, BATCH, ADDRESSES, *NAMES_NOBODY}, (
            "decide about the new kind: erasing.WRITES_PERSONS?"
        )

    def test_tells_before_what_is_given_up(self) -> None:
        member = a_whole_person()
        losses = checklist(member_id=member.pk, at=timezone.now()).losses
        points = PointsAccount.objects.get(member=member).available
        assert [line.kept for line in losses] == [f"{points:,}", "1"]

    def test_settles_what_comes_in_later(self) -> None:
        member = a_whole_person()
        erased(member)
        at = timezone.now()
        with transaction.atomic():
            from rewards import ledger

            ledger.accrue(
                member_id=member.pk, source="gift", natural_key="late", at=at, by=SYSTEM, trace={"v": 1},
                lots=[ledger.NewLot(40, ledger.Origin.ADJUSTMENT, at, None)],
            )  # fmt: skip
        assert settle_erased(at=at) == 1
        assert PointsAccount.objects.get(member=member).available == 0
        assert settle_erased(at=at) == 0
        assert [str(finding) for finding in verify(at=at)] == []

    def test_is_cared_for_by_some_part_for_every_model_with_personal_data(self) -> None:
        claimed = [label for part in lifecycle.parts() for label in part.erases]
        assert len(claimed) == len(set(claimed))
        of_staff = {"members.Operator", "members.FileTaken"}
        holding = {model._meta.label for model in apps.get_models() if getattr(model, "personal_data", ())}
        assert holding - of_staff <= set(claimed)
        assert set(claimed) <= {model._meta.label for model in apps.get_models()}


@pytest.mark.django_db
class TestAnErasureThatHasToWait:
    def test_touches_nothing(self) -> None:
        member = a_whole_person()
        hold_points(member_id=member.pk, points=5, source="test", external_ref="H1", by=SYSTEM, at=timezone.now())
        before = kept_of_her()
        assert all(before)
        with pytest.raises(ErasureHindered):
            erased(member)
        assert kept_of_her() == before
        assert ParkedEntry.objects.get().error != "…"

    def test_waits_for_a_file_of_members_to_be_checked_for_a_day_at_most(self) -> None:
        member = a_person(phone=f"+86{PHONE}")
        at = timezone.now()
        made = an_import(csv_of([("A1", NAME, PHONE)], header=("会员号", "姓名", "手机")), at=at)
        codes = [obstacle.code for obstacle in checklist(member_id=member.pk, at=at).obstacles]
        assert codes == ["file_to_be_checked"]
        later = at + timedelta(days=1, minutes=1)
        assert checklist(member_id=member.pk, at=later).obstacles == []
        wish = due(member)
        erase_person(request_id=wish.pk, at=later)
        assert not MemberImportPart.objects.filter(member_import=made).exists()

    def test_leaves_the_files_of_work_that_is_still_to_be_done(self) -> None:
        member = a_whole_person()
        found = traces_of([member.pk], timezone.now())
        Job.objects.filter(kind="test.files").update(state="queued", finished_at=None)
        files, rows = JobFile.objects.count(), JobErrorRow.objects.count()
        sweeping.sweep(found)
        assert (JobFile.objects.count(), JobErrorRow.objects.count()) == (files, rows)
        Job.objects.filter(kind="test.files").update(state="done", finished_at=timezone.now())
        sweeping.sweep(found)
        assert (JobFile.objects.count(), JobErrorRow.objects.count()) == (1, 1)


@pytest.mark.django_db
class TestAnErasureAndImports:
    OTHER = "13700137000"

    def rows(self, *, on_known: str = "skip") -> MemberImport:
        """An import that is checked: she, and somebody else of her name."""
        content = csv_of([
            ("A1", NAME, PHONE, EMAIL, "1990-03-04", "", "120"),
            ("A2", NAME, self.OTHER, "", "1970-01-01", "", "30"),
        ])  # fmt: skip
        return checked(an_import(content, at=timezone.now()), at=timezone.now(), on_known=on_known)

    @pytest.mark.parametrize("on_known", ["skip", "update"])
    def test_a_row_that_means_her_is_refused_and_a_namesake_joins(self, on_known: str) -> None:
        member = a_person(phone=f"+86{PHONE}")
        member_import = self.rows(on_known=on_known)
        counted = member_import.points_total
        erased(member)
        hers, other = MemberImportRow.objects.order_by("number")
        assert (hers.state, hers.full_name, hers.phone, hers.cells, hers.member_id) == ("bad", "", None, [], None)
        assert (other.state, other.full_name, other.phone) == ("new", NAME, f"+86{self.OTHER}")
        assert other.cells
        member_import.refresh_from_db()
        figures = (member_import.rows_new, member_import.rows_known, member_import.rows_bad, member_import.points_total)
        assert (counted, figures) == (30 if on_known == "skip" else 150, (1, 0, 1, 30))
        told = JobErrorRow.objects.get(job=member_import.check_job_id)
        assert (told.number, told.cells) == (hers.number, [])
        with override("en"):
            assert words_of(told.reason, told.reason_params) == "The person of this row asked to be erased."
        assert PHONE not in str(traces())
        work(approved(member_import, at=timezone.now()), timezone.now())
        joined = MemberPerson.objects.get()
        assert (joined.full_name, joined.phone) == (NAME, f"+86{self.OTHER}")

    def test_a_row_that_became_known_after_the_check_is_taken_off_once(self) -> None:
        member_import = self.rows()
        member = a_person(phone=f"+86{PHONE}")
        MemberImportRow.objects.filter(phone=f"+86{PHONE}").update(state="known", member=member)
        erased(member)
        member_import.refresh_from_db()
        assert (member_import.rows_new, member_import.rows_known, member_import.rows_bad) == (1, 0, 1)

    def test_what_was_loaded_of_a_namesake_can_still_be_taken_back(self) -> None:
        other = a_person("旧名", phone=f"+86{self.OTHER}")
        content = csv_of([("A2", NAME, self.OTHER, "", "", "", "")])
        loaded(content, at=timezone.now(), on_known="update")
        erased(a_person(phone=f"+86{PHONE}"))
        row = MemberImportRow.objects.get()
        assert row.before is not None
        assert row.before["full_name"] == ["旧名", NAME]
        assert (row.state, row.member_id) == ("changed", other.pk)

    def test_a_file_named_after_her_names_her_nowhere(self) -> None:
        member = a_person(phone=f"+86{PHONE}")
        at, name = timezone.now(), f"{NAME} 的朋友.csv"
        loaded(csv_of([("A2", "李四", self.OTHER, "", "", "", "")]), at=at, name=name)
        listed = a_person("王五")
        content = f"member,points,reason\n{listed.member_no},5,goodwill\n".encode()
        maker = actor(an_operator("service supervisor"))
        batch = read_batch(name=name, content=content, by=maker, at=at)
        propose_batch(batch_id=batch.pk, reason="Sorry", by=maker, at=at)
        Job.objects.filter(kind=BATCH).update(state="done", finished_at=at)
        assert set(traces()) >= {"members_memberimport", "rewards_adjustmentbatch"}
        assert NAME not in str(list(Proposal.objects.values_list("params", "effect")))
        erased(member)
        assert traces() == {}
        assert AdjustmentBatch.objects.get().file_name == "….csv"


@pytest.mark.django_db
class TestAnErasureAndMerges:
    def test_begins_again_for_those_who_belong_together_now(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kept, other = a_person(phone=f"+86{PHONE}"), a_person("李四")
        Member.objects.filter(pk=other.pk).update(merged_into=kept, status="closed")
        sweep, asked = privacy._sweep, []

        def taken_apart_meanwhile(found: object) -> dict[str, int]:
            asked.append(found)
            if len(asked) == 1:
                Member.objects.filter(pk=other.pk).update(merged_into=None, status="active")
            return sweep(found)  # type: ignore[arg-type]

        monkeypatch.setattr(privacy, "_sweep", taken_apart_meanwhile)
        erased(kept)
        assert MemberPerson.objects.get().pk == other.pk
        assert len(asked) == 3

    def test_a_merge_is_not_taken_apart_while_an_erasure_waits(self) -> None:
        kept, other = a_person(), a_person()
        at = timezone.now()
        merge = merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one", by=SYSTEM, at=at)
        request_erasure(member_id=kept.pk, way="call", by=SYSTEM, at=at)
        with pytest.raises(UnmergeInTheWay):
            unmerge_members(merge_id=merge.pk, reason="two", by=SYSTEM, at=at)
        take_back_erasure(member_id=kept.pk, by=SYSTEM, at=at)
        unmerge_members(merge_id=merge.pk, reason="two", by=SYSTEM, at=at)


@pytest.mark.django_db
class TestAnErasureAmongVeryMuch:
    def test_reads_every_row_and_every_file_some_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeping, "_ROWS_AT_ONCE", 2)
        monkeypatch.setattr(sweeping, "_FILES_AT_ONCE", 2)
        member = a_whole_person()
        job = Job.objects.filter(kind="test.files").latest("pk")
        rows = [
            JobErrorRow(job=job, number=10 + n, cells=[["姓名", NAME if n % 2 else "李四"]], reason="No")
            for n in range(9)
        ]
        JobErrorRow.objects.bulk_create(rows)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            erased(member)
        assert traces() == {}
        assert JobErrorRow.objects.filter(number__gte=10).count() == 5
        assert JobFile.objects.count() == 1
        reading = [one["sql"] for one in asked if "DELETE FROM members_joberrorrow" in one["sql"]]
        assert len(reading) > 5
        assert all("OFFSET 0" in sql for sql in reading)

    def test_reads_kept_answers_while_nobody_waits_for_the_member(self) -> None:
        member = a_whole_person()
        with CaptureQueriesContext(connection) as asked:
            erased(member)
        statements = [one["sql"] for one in asked]
        locked = next(n for n, sql in enumerate(statements) if "LOCK TABLE members_job" in sql)
        gone = next(n for n, sql in enumerate(statements) if "members.erased.v1" in sql)
        searches = [n for n, sql in enumerate(statements) if "regexp_replace" in sql]
        assert any("members_idempotentanswer" in statements[n] for n in searches)
        assert not [statements[n] for n in searches if locked < n < gone]

    def test_that_fails_keeps_no_other_waiting_and_names_nobody_in_the_log(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, other = a_person(), a_person("李四")
        wishes = [due(first), due(other)]
        erase = privacy.erase_person

        def fails_for_one(*, request_id: int, at: object) -> object:
            if request_id == wishes[0].pk:
                raise OperationalError(f"canceling statement: {NAME}")
            return erase(request_id=request_id, at=at)  # type: ignore[arg-type]

        monkeypatch.setattr(privacy, "erase_person", fails_for_one)
        assert erase_due_persons() == 1
        assert MemberPerson.objects.get().pk == first.pk
        assert "OperationalError" in caplog.text
        assert NAME not in caplog.text


@pytest.mark.django_db
class TestACopy:
    def test_holds_everything_for_machines_and_for_people(self) -> None:
        member = a_whole_person()
        with zipfile.ZipFile(io.BytesIO(archive_of([member.pk], at=timezone.now()))) as archive:
            told = json.loads(archive.read("data.json"))["data"]
            names = archive.namelist()
            table = archive.read(next(name for name in names if name.endswith("-profile.csv"))).decode()
        [profile] = told["profile"]
        assert (profile["name"], profile["phone"], profile["email"], profile["birthday"]) == (NAME, f"+86{PHONE}", EMAIL, "1990-03-04")  # fmt: skip
        assert {row["identity"] for row in told["identities"]} == {OPENID, SHOP_ID}
        assert [row["number"] for row in told["cards"]] == [CARD_NO]
        assert [row["value"] for row in told["details"]] == [OCCUPATION]
        assert [(row["channel"], row["text_version"]) for row in told["consents"]] == [("短信", 1)] or told["consents"]
        assert [row["order_no"] for row in told["orders"]] == ["E-1"]
        assert sum(row["change"] for row in told["points"]) == PointsAccount.objects.get(member=member).available
        assert len(told["vouchers"]) == len(told["redemptions"]) == len(told["messages"]) == 1
        assert told["tier_credits"]
        assert table.startswith("\ufeff")
        heading, row = csv.reader(io.StringIO(table.removeprefix("\ufeff")))
        assert len(heading) == len(row) == len(profile)
        assert NAME in row

    def test_computes_nothing_in_a_spreadsheet(self) -> None:
        member = a_member()
        MemberPerson.objects.create(member=member, full_name="=HYPERLINK(1)")
        with zipfile.ZipFile(io.BytesIO(archive_of([member.pk], at=timezone.now()))) as archive:
            table = archive.read("01-profile.csv").decode()
        assert "'=HYPERLINK(1)" in table
        assert ",=HYPERLINK" not in table

    def test_is_made_once_while_its_link_lives(self) -> None:
        member = a_member()
        MemberPerson.objects.create(member=member, full_name=NAME)
        by, at = Actor("member", member.pk), timezone.now()
        first = request_copy(member_id=member.pk, way="self", by=by, at=at)
        assert request_copy(member_id=member.pk, way="self", by=by, at=at).pk == first.pk
        assert first.job_id is not None
        run_job(job_id=first.job_id, worker="w", clock=timezone.now)
        job = Job.objects.get(pk=first.job_id)
        assert job.member_id == member.pk
        assert job.files_expire_at - job.finished_at == timedelta(hours=24)  # type: ignore[operator]
        assert request_copy(member_id=member.pk, way="self", by=by, at=at + timedelta(days=2)).pk != first.pk


@pytest.mark.django_db
class TestWordsOfStaff:
    @pytest.mark.parametrize("reason", [f"{NAME} 打来电话", "回电 139 1234 5678", f"see {EMAIL}"])
    def test_that_name_the_person_are_not_kept(self, reason: str) -> None:
        member = a_whole_person()
        at = timezone.now()
        told = TimelineEntry.objects.count()
        with pytest.raises(WordsNamePerson):
            freeze_member(
                member_id=member.pk, reason=reason, release_at=at + timedelta(days=1),
                by=Actor("operator", an_operator("service").pk), at=at,
            )  # fmt: skip
        assert Member.objects.get(pk=member.pk).status == "active"
        assert TimelineEntry.objects.count() == told


@pytest.mark.django_db
class TestALook:
    def test_is_written_down_with_its_reason_and_what_was_seen(self) -> None:
        member = a_whole_person()
        by = Actor("operator", an_operator("service").pk)
        show_person(member_id=member.pk, by=by, at=timezone.now(), reason="complaint", fields=["phone"])
        entry = TimelineEntry.objects.get(member=member, kind="members.personal_data_viewed.v1")
        assert entry.payload == {"reason": "complaint", "fields": ["phone"]}

    def test_needs_words_after_twenty_in_a_day(self) -> None:
        member = a_whole_person()
        by, at = Actor("operator", an_operator("service").pk), timezone.now()
        for _look in range(LOOKS_A_DAY):
            show_person(member_id=member.pk, by=by, at=at)
        with pytest.raises(LookWordsMissing):
            show_person(member_id=member.pk, by=by, at=at)
        assert show_person(member_id=member.pk, by=by, at=at, words="月度回访").full_name == NAME
        assert show_person(member_id=member.pk, by=by, at=at + timedelta(days=2)).full_name == NAME
