"""Vouchers of the month close: what is out, what it is expected to cost, and that every event is counted once."""

import threading
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from members.actors import SYSTEM
from rewards.models import (
    ClosingAccount,
    MonthClose,
    PointsCurrency,
    PointsRate,
    Voucher,
    VoucherEvent,
    VoucherLine,
    VoucherTemplate,
    VoucherVintage,
)
from rewards.services.close import VouchersDisagree, preview_close
from rewards.services.close_figures import LedgerIsBusy, settled_mark
from rewards.services.close_files import journal_lines
from rewards.services.vouchers import expire_due_vouchers, use_voucher, voucher_code
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.people import a_member, a_store
from tests.factories.times import at
from tests.harness.generated import examples
from tests.rewards.closing import Books, month
from tests.rewards.test_roles import as_application

AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


def books_of_the_programme() -> Books:
    """The books of the programme's own points, which state its vouchers. They begin where the test wants."""
    currency = PointsCurrency.objects.get(code="points")
    has_value = PointsRate.objects.filter(currency=currency).exists()
    books = Books(value=None if has_value else "0.01", currency=currency)
    books.earn(a_member(), "2026-08-01", 1)
    return books


def issue(template: VoucherTemplate, day: str, count: int = 1) -> list[Voucher]:
    """Issue vouchers as the services do."""
    return [a_voucher(a_member().pk, template, issued_at=at(day)) for _number in range(count)]


def use(voucher: Voucher, day: str) -> None:
    use_voucher(
        code=voucher_code(voucher.public_id), store_id=a_store().pk, external_order_no=f"o{voucher.pk}",
        spend_amount=Decimal(500), by=SYSTEM, at=at(day),
    )  # fmt: skip


def expire(day: str) -> int:
    return expire_due_vouchers(at=at(day), by=SYSTEM)


def line(close: MonthClose, template: VoucherTemplate) -> VoucherLine:
    return VoucherLine.objects.get(close=close, template=template)


def counts(close: MonthClose, template: VoucherTemplate) -> tuple[int, int, int, int, int, int]:
    """Return opening, issued, used, expired, revoked, closing."""
    found = line(close, template)
    return (
        found.opening_count, found.issued_count, found.used_count, found.expired_count, found.revoked_count, found.closing_count,
    )  # fmt: skip


@pytest.mark.django_db
class TestAnAccountantsMonths:
    def test_tie_by_template_and_are_valued_at_face(self) -> None:
        books = books_of_the_programme()
        five, cake = a_template(), a_template("cake", name="Cake", kind="exchange", off_amount=None)
        august = issue(five, "2026-08-05", 10)
        pieces = issue(cake, "2026-08-06", 4)
        for voucher in august[:3]:
            use(voucher, "2026-08-20")
        use(pieces[0], "2026-08-21")
        closed = books.lock(AUGUST)
        assert counts(closed, five) == (0, 10, 3, 0, 0, 7)
        assert counts(closed, cake) == (0, 4, 1, 0, 0, 3)
        issue(five, "2026-09-02", 2)
        use(august[3], "2026-09-01")
        assert expire("2026-09-10") == 6 + 3  # what is left of August: thirty days are over
        closed = books.lock(SEPTEMBER)
        assert counts(closed, five) == (7, 2, 1, 6, 0, 2)
        assert counts(closed, cake) == (3, 0, 0, 3, 0, 0)
        found = line(closed, five)
        assert (found.face_value, found.face_amount, found.opening_amount, found.liability_amount) == (
            Decimal("5.00"), Decimal("10.00"), Decimal("35.00"), Decimal("10.00"),
        )  # fmt: skip
        cakes = line(closed, cake)
        assert (cakes.face_value, cakes.face_amount, cakes.liability_amount) == (None, None, None)
        assert (closed.voucher_count, closed.voucher_counted_count, closed.voucher_liability_amount) == (2, 2, 10)

    def test_are_posted_as_a_line_of_their_own(self) -> None:
        books, five = books_of_the_programme(), a_template()
        vouchers = issue(five, "2026-08-05", 10)
        codes = dict(ClosingAccount.objects.values_list("purpose", "code"))
        for text, expected in ((AUGUST, Decimal("50.00")), (SEPTEMBER, Decimal("-40.00"))):
            close = books.lock(text)
            lines = journal_lines(close)
            own = [line for line in lines if line.account == codes["vouchers"]]
            assert [line.credit - line.debit for line in own] == [expected]
            cost = [line for line in lines if line.account == codes["voucher_cost"]]
            assert [line.debit - line.credit for line in cost] == [expected]
            assert sum(line.debit for line in lines) == sum(line.credit for line in lines)
            for voucher in vouchers[:8]:
                use(voucher, "2026-09-01")
            vouchers = []

    def test_are_stated_by_the_programmes_own_points_alone(self) -> None:
        books_of_the_programme()
        others = Books()
        others.earn(a_member(), "2026-08-01", 1)
        issue(a_template(), "2026-08-05")
        close = others.lock(AUGUST)
        assert (close.has_vouchers, close.voucher_count) == (False, None)
        assert not VoucherLine.objects.filter(close=close).exists()


@pytest.mark.django_db
class TestEveryEvent:
    def test_belongs_to_its_month_or_when_that_was_locked_to_the_next(self) -> None:
        books, five = books_of_the_programme(), a_template(validity_days=90)
        vouchers = issue(five, "2026-08-05", 3)
        use(vouchers[0], "2026-09-01 00:00")  # recorded before August is locked
        closed = books.lock(AUGUST)
        assert counts(closed, five) == (0, 3, 0, 0, 0, 3)
        assert line(closed, five).agrees
        use(vouchers[1], "2026-08-31 23:59:59")  # told too late
        issue(five, "2026-08-30", 1)
        assert counts(books.lock(SEPTEMBER), five) == (3, 1, 2, 0, 0, 2)

    def test_before_the_books_begin_is_the_opening(self) -> None:
        books, five = books_of_the_programme(), a_template(validity_days=200)
        vouchers = issue(five, "2026-07-05", 5)
        use(vouchers[0], "2026-07-20")
        use(vouchers[1], "2026-09-02")
        close = books.lock(SEPTEMBER, begin=True)
        assert counts(close, five) == (4, 0, 1, 0, 0, 3)
        assert line(close, five).opening_amount == Decimal("20.00")

    def test_is_taken_up_where_months_were_locked_before_vouchers_were_counted(self) -> None:
        books, five = books_of_the_programme(), a_template(validity_days=200)
        issue(five, "2026-07-05", 4)
        august = books.lock(AUGUST)
        forget_vouchers(august)
        issue(five, "2026-09-05", 2)
        september = books.lock(SEPTEMBER)
        assert counts(september, five) == (4, 2, 0, 0, 0, 6)
        assert line(september, five).agrees

    def test_that_revokes_a_voucher_or_gives_it_back_keeps_the_sum(self) -> None:
        books, five = books_of_the_programme(), a_template()
        kept, undone, revoked = issue(five, "2026-08-05", 3)
        use(undone, "2026-08-06")
        happen(undone, "used", "issued", "2026-08-06 12:00")
        happen(revoked, "issued", "voided", "2026-08-07")
        use(kept, "2026-08-08")
        assert counts(books.lock(AUGUST), five) == (0, 3, 1, 0, 1, 1)

    def test_that_holds_a_voucher_for_an_order_or_a_friend_leaves_it_out(self) -> None:
        books, five = books_of_the_programme(), a_template()
        held, offered, _ready = issue(five, "2026-08-05", 3)
        happen(held, "issued", "held", "2026-08-06", at("2026-09-03"), uuid4())
        happen(offered, "issued", "offered", "2026-08-07", at("2026-09-03"))
        assert counts(books.lock(AUGUST), five) == (0, 3, 0, 0, 0, 3)


def happen(
    voucher: Voucher, before: str, after: str, day: str, until: datetime | None = None, ref: UUID | None = None
) -> None:
    """Change a voucher's state, whoever does it."""
    Voucher.objects.filter(pk=voucher.pk).update(
        state=after,
        used_at=None,
        used_source="",
        used_order_no="",
        used_off_amount=None,
        held_until=until,
        held_ref=ref,
    )
    VoucherEvent.objects.create(
        voucher=voucher, from_state=before, to_state=after, actor_kind="system", happened_at=at(day)
    )


def forget_vouchers(close: MonthClose) -> None:
    """Make a locked month what the migration finds: locked without vouchers."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for model in (VoucherLine, VoucherVintage):
            model._default_manager.filter(close=close).delete()
        MonthClose.objects.filter(pk=close.pk).update(
            voucher_mark=None, voucher_count=None, voucher_counted_count=None, voucher_liability_amount=None
        )
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.mark.django_db
class TestBreakage:
    def told(self, each: int) -> tuple[Books, VoucherTemplate]:
        """Four months of issue of which half are used in the month of issue; what is left expires a month later."""
        books, five = books_of_the_programme(), a_template(validity_days=31)
        for number, text in enumerate(("2026-08", "2026-09", "2026-10", "2026-11")):
            for place, voucher in enumerate(issue(five, f"{text}-01", each)):
                if place < each // 2 and number < 3:
                    use(voucher, f"{text}-10")
        for day in ("2026-09-02", "2026-10-03", "2026-11-02"):
            assert expire(day) == each // 2
        return books, five

    def test_is_estimated_from_months_of_issue_that_ran_to_their_end(self) -> None:
        books, five = self.told(20)
        for text in (AUGUST, SEPTEMBER, OCTOBER):
            assert line(books.lock(text), five).breakage_share == 0
        close = books.lock("2026-11")
        found = line(close, five)
        # three months of issue have ended, half of them used, all of it in the month of issue; nothing used of November's
        # 20 so far: q = 30 / (60 + 20·p(0)) with p(0) = 1, and 1 − p(0) = 0 of them are still to be used
        assert (found.ended_count, found.closing_count, found.face_amount) == (60, 20, 100)
        assert found.breakage_share == 1
        assert found.liability_amount == 0

    def test_is_not_assumed_before_so_many_have_ended(self) -> None:
        books, five = self.told(8)
        for text in (AUGUST, SEPTEMBER, OCTOBER):
            books.lock(text)
        found = line(books.lock("2026-11"), five)
        assert (found.ended_count, found.breakage_share) == (24, 0)
        assert found.liability_amount == found.face_amount == 40

    def test_counts_what_members_still_use_late(self) -> None:
        books, five = books_of_the_programme(), a_template(validity_days=61)
        for text, last in (("2026-04", "06"), ("2026-05", "07"), ("2026-06", "08")):
            vouchers = issue(five, f"{text}-01", 20)
            for voucher in vouchers[:4]:
                use(voucher, f"{text}-20")
            for voucher in vouchers[4:12]:
                use(voucher, f"2026-{int(last) - 1:02}-20")
        assert sum(expire(day) for day in ("2026-06-05", "2026-07-05", "2026-08-05")) == 24
        issue(five, "2026-08-10", 10)
        found = line(books.lock(AUGUST, begin=True), five)
        # f(0) = 36/12, then 1: p(0) = 1/3. q = 36 / (60 + 10/3) = 0.568421; still to be used 10·q·2/3 = 3.79 of 10
        assert found.breakage_share == Decimal("0.621")
        assert found.liability_amount == Decimal("18.95")  # 50 · 0.379


@pytest.mark.django_db
class TestALock:
    def test_is_refused_when_vouchers_and_their_events_disagree(self) -> None:
        books, five = books_of_the_programme(), a_template()
        (voucher,) = issue(five, "2026-08-05")
        Voucher.objects.filter(pk=voucher.pk).update(state="expired")  # without an event
        draft = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-09-02"))
        assert (draft.voucher_count, draft.voucher_counted_count) == (1, 0)
        before = MonthClose.objects.values().get()
        with pytest.raises(VouchersDisagree) as refused:
            books.lock(AUGUST)
        assert "Movements give 1 vouchers, the vouchers themselves 0." in refused.value.sentence()
        assert refused.value.code == "vouchers_disagree"
        assert MonthClose.objects.values().get() == before

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE rewards_voucherline SET counted_count = counted_count + 1",
            "DELETE FROM rewards_voucherline",
            "DELETE FROM rewards_vouchervintage",
            "UPDATE rewards_vouchervintage SET used_count = used_count + 1",
            "TRUNCATE rewards_voucherline",
            "TRUNCATE rewards_vouchervintage",
        ],
    )
    def test_keeps_the_figures(self, statement: str) -> None:
        books, five = books_of_the_programme(), a_template()
        issue(five, "2026-08-05")
        close = books.lock(AUGUST)
        with pytest.raises(DatabaseError, match=r"locked|history"):
            run(statement)
        assert counts(close, five) == (0, 1, 0, 0, 0, 1)


@transaction.atomic
def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


STEP = st.tuples(st.sampled_from(["issue", "issue", "use", "expire", "lock"]), st.integers(0, 3), st.integers(0, 27))


@pytest.mark.django_db
class TestAnyHistory:
    @settings(max_examples=examples(30))
    @given(st.lists(STEP, max_size=25))
    def test_is_counted_once_and_ties(self, steps: list) -> None:
        """Vouchers are issued, used and expire on any day; months are locked at any time in between."""
        with transaction.atomic():
            self.tell(steps)
            transaction.set_rollback(True)

    def tell(self, steps: list) -> None:
        books, five = books_of_the_programme(), a_template()
        vouchers: list[Voucher] = []
        locked = 0
        for kind, in_month, day in steps:
            moment = f"2026-{in_month + 8:02}-{day + 1:02}"
            if kind == "issue":
                vouchers += issue(five, moment)
            elif kind == "use" and vouchers:
                voucher = vouchers.pop(day % len(vouchers))
                voucher.refresh_from_db()
                if voucher.state == "issued" and voucher.issued_at <= at(moment) < voucher.expires_at:
                    use(voucher, moment)
            elif kind == "expire":
                expire(moment)
            elif kind == "lock" and locked < 4:
                locked += 1
                books.lock(f"2026-{locked + 7:02}")
        while locked < 5:
            locked += 1
            books.lock(f"2026-{locked + 7:02}")
        after = issued = used = expired = 0
        for close in MonthClose.objects.order_by("month"):
            for found in VoucherLine.objects.filter(close=close):
                assert found.opening_count == after
                assert found.agrees
                after, issued = found.closing_count, issued + found.issued_count
                used, expired = used + found.used_count, expired + found.expired_count
            assert close.voucher_count == after
        states = list(Voucher.objects.values_list("state", flat=True))
        assert (after, issued) == (states.count("issued"), len(states))
        assert (used, expired) == (states.count("used"), states.count("expired"))


class TestBesideTills:
    def test_a_lock_waits_for_events_that_are_being_written(self, committed_db: str) -> None:
        books, five = books_of_the_programme(), a_template()
        begun, may_end = threading.Event(), threading.Event()

        def slowly() -> None:
            try:
                with transaction.atomic():
                    issue(five, "2026-08-05", 1)
                    begun.set()
                    may_end.wait(20)
            finally:
                connections.close_all()

        till = threading.Thread(target=slowly)
        till.start()
        assert begun.wait(20)
        issue(five, "2026-08-06", 1)  # has a higher number and commits first
        with pytest.raises(LedgerIsBusy):
            settled_mark(patience_seconds=0.2, model=VoucherEvent)
        threading.Timer(0.5, may_end.set).start()
        close = books.lock(AUGUST)
        till.join(20)
        assert counts(close, five) == (0, 2, 0, 0, 0, 2)

    def test_the_applications_role_counts_vouchers(self, committed_db: str, application_url: str) -> None:
        books, five = books_of_the_programme(), a_template()
        issue(five, "2026-08-05", 2)
        with as_application(application_url):
            preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-09-02"))
            assert books.lock(AUGUST).voucher_count == 2
