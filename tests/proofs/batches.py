"""Every sort of batch of the points books, in small chunks, each carried out by a process that may be killed.

`prepare` makes what a batch has to work on, `run` does what beat, a worker or a person at a terminal would do, from
wherever an earlier run was broken off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.core.management import call_command
from django.db import transaction

from loyalty.services.standing import review_all_due
from members import timeline
from members.actors import SYSTEM, Actor
from members.jobs import LEASE
from members.models import Job, Member, MemberPerson, OperatorLimit
from members.roles import SERVICE_SUPERVISOR
from members.services.activities import record_activity
from members.services.bulk_enrolment import NewMember, enrol_many
from members.services.jobs import run_job, undo_job
from rewards import ledger
from rewards.models import PointsCurrency, PointsRate
from rewards.services import adjustment_batches, behaviours, sealing
from rewards.services.adjustment_batches import propose_batch
from rewards.services.adjustment_files import read_batch
from rewards.services.bulk import post_history
from rewards.services.close import MonthIsLocked, lock_close
from rewards.services.expiry import expire_due_lots, release_pending_lots
from rewards.services.expiry_warnings import warn_of_expiry
from rewards.services.holds import hold_points, release_due_holds
from rewards.services.imports import posting
from rewards.services.redemptions import redeem_reward
from rewards.services.vouchers import expire_due_vouchers
from tests.factories.by_hand import may_move_points
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points
from tests.factories.orders import NOON, a_line, an_order
from tests.factories.people import a_channel
from tests.factories.portal import an_operator
from tests.factories.rules import a_rule
from tests.factories.times import at
from tests.factories.work import Clock
from tests.rewards.expiry_given import a_policy
from tests.rewards.order_files import PAIRS, line, write_csv
from tests.rewards.sealed import earn

LATER = NOON + timedelta(days=2)
PLENTY = 1_000_000_000
CHUNK = 5


@dataclass(frozen=True)
class Batch:
    """A sort of batch, done in processes of its own: what it finds, what it does, and how many of its transactions pass at most before a kill."""

    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    most_skipped: int = 3
    books_at: datetime = LATER


def people(number: int) -> list[Member]:
    """Make members."""
    news = [NewMember(at("2025-01-01"), a_channel().pk, birthday=date(1990, 3, 14)) for _ in range(number)]
    return list(Member.objects.filter(pk__in=enrol_many(members=news, by=SYSTEM, at=NOON)).order_by("pk"))


# --- Points that end, come free, are held -------------------------------------------------------------------------------
def with_points_that_end(folder: Path) -> None:
    for number, member in enumerate(people(120)):
        give_points(
            member, 100 + number, moment=NOON - timedelta(days=9), expires_at=NOON + timedelta(days=1 + number % 2)
        )
        give_points(member, 7, moment=NOON - timedelta(days=9), expires_at=NOON + timedelta(days=25))


def expire(folder: Path) -> None:
    expire_due_lots(at=LATER, by=SYSTEM, chunk=CHUNK)


def with_points_to_warn_of(folder: Path) -> None:
    a_policy("end_of_month", months=12)
    with_points_that_end(folder)


def warn(folder: Path) -> None:
    warn_of_expiry(at=NOON, by=SYSTEM, chunk=CHUNK)


def with_pending_points(folder: Path) -> None:
    for number, member in enumerate(people(120)):
        lot = ledger.NewLot(10 + number, ledger.Origin.PURCHASE, NOON + timedelta(days=1), None)
        with transaction.atomic():
            ledger.accrue(
                member_id=member.pk, lots=[lot], source="gift", natural_key=f"{number}", at=NOON, by=SYSTEM, trace={}
            )


def release(folder: Path) -> None:
    release_pending_lots(at=LATER, by=SYSTEM)


def with_holds(folder: Path) -> None:
    for number, member in enumerate(people(120)):
        give_points(member, 100, moment=NOON - timedelta(days=9))
        hold_points(
            member_id=member.pk, points=10 + number % 50, source="till", external_ref=f"H{number}", by=SYSTEM, at=NOON, minutes=15
        )  # fmt: skip


def release_holds(folder: Path) -> None:
    release_due_holds(at=LATER)


# --- Tiers, vouchers, behaviours -----------------------------------------------------------------------------------------
def with_tiers(folder: Path) -> None:
    members = people(120)
    orders = [an_order(member, f"{600 + 10 * number}.00", number=f"O{number}") for number, member in enumerate(members)]
    post_history(orders=orders, returns=[], by=SYSTEM, at=NOON, quiet=True)


def review(folder: Path) -> None:
    review_all_due(at=NOON + timedelta(days=800), by=SYSTEM, limit=CHUNK)


def with_vouchers(folder: Path) -> None:
    reward = a_reward(30)
    for number, member in enumerate(people(100)):
        give_points(member, 50, moment=NOON)
        redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id=f"V{number}", by=SYSTEM, at=NOON)


def expire_vouchers(folder: Path) -> None:
    while expire_due_vouchers(at=NOON + timedelta(days=90), by=SYSTEM, limit=CHUNK):
        pass


def with_birthdays(folder: Path) -> None:
    a_rule("Birthday", activity_kind="birthday", points_fixed=100)
    members = people(120)
    MemberPerson.objects.filter(member__in=members[::7]).update(birthday=date(1990, 8, 1))


def award_birthdays(folder: Path) -> None:
    behaviours._MEMBERS_AT_ONCE = CHUNK  # type: ignore[misc]
    behaviours.award_birthdays(by=SYSTEM, at=NOON)


def with_activities(folder: Path) -> None:
    a_rule("Check-in", activity_kind="check_in", points_fixed=5, pending_days=0, cap_day_points=5)
    for number, member in enumerate(people(120)):
        for time in range(2):
            record_activity(
                member_id=member.pk, kind="check_in", source="app", external_ref=f"{number}-{time}", happened_at=NOON, by=SYSTEM, at=NOON
            )  # fmt: skip


def relay(folder: Path) -> None:
    timeline.relay(at=LATER)


# --- Files and lists -----------------------------------------------------------------------------------------------------
def with_file(folder: Path) -> None:
    rows = []
    for number in range(400):
        day = f"2026-03-{1 + number % 9:02} 1{number % 9}:00"
        rows.append(line(f"N{number}", f"who{number % 80}", day, price=f"{20 + number % 300}.00"))
        if number % 10 == 0:
            rows.append(line(f"N{number}", f"who{number % 80}", day, sku="MUG", pieces="-1", price="9.00"))
    write_csv(folder / "orders.csv", rows)


def import_file(folder: Path) -> None:
    posting.CHUNK_LINES = 40
    pairs = [option for pair in PAIRS for option in ("--map", pair)]
    call_command("import_orders", str(folder / "orders.csv"), *pairs, "--as-of", "2026-03-20", "--language", "en")


def with_list(folder: Path) -> None:
    operator = may_move_points(an_operator(SERVICE_SUPERVISOR, superuser=True))
    OperatorLimit.objects.update(per_entry_points=PLENTY, per_day_points=PLENTY)
    by = Actor("operator", operator.pk)
    members = people(120)
    for member in members:
        give_points(member, 30, moment=NOON - timedelta(days=1))
    rows = [
        f"{member.member_no},{-20 if number % 3 else 10 + number},other,proof" for number, member in enumerate(members)
    ]
    content = "\n".join(["member,points,reason,note", *rows]).encode()
    batch = read_batch(name="list.csv", content=content, by=by, at=NOON)
    assert (batch.rows_good, batch.rows_bad) == (len(members), 0)
    assert propose_batch(batch_id=batch.pk, reason="proof", by=by, at=NOON).carried_out


def adjust_by_list(folder: Path) -> None:
    adjustment_batches.CHUNK = CHUNK  # type: ignore[misc]
    job = Job.objects.latest("pk")
    # The lease of a worker that was killed has ended when the next one comes; the clock of the books stands still here.
    Job.objects.filter(pk=job.pk, lease_until__gt=LATER - LEASE).update(lease_until=LATER)
    run_job(job_id=job.pk, worker="proof", clock=Clock(LATER))


def with_list_to_undo(folder: Path) -> None:
    with_list(folder)
    adjust_by_list(folder)
    done = Job.objects.get()
    assert done.state == Job.State.DONE
    undo_job(job_id=done.pk, by=Actor("operator", done.owner_id), at=LATER)


# --- The books -----------------------------------------------------------------------------------------------------------
def with_entries(folder: Path) -> None:
    for number, member in enumerate(people(4)):
        earn(member.pk, range(number * 15_000, (number + 1) * 15_000), at=NOON)


def seal(folder: Path) -> None:
    sealing._BLOCKS_PER_TRANSACTION = 1
    sealing.seal_ledger(at=LATER)


def with_a_month(folder: Path) -> None:
    PointsRate.objects.create(currency=_points(), valid_from=at("2020-01-01"), money_per_point=Decimal("0.01"))
    orders = [
        an_order(member, number=f"O{number}", lines=(a_line("80.00"), a_line("15.50", sku="MUG")))
        for number, member in enumerate(people(120))
    ]
    post_history(orders=orders, returns=[], by=SYSTEM, at=NOON, quiet=True)


def close_month(folder: Path) -> None:
    try:
        lock_close(currency_id=_points().pk, month=date(2026, 3, 1), by=SYSTEM, at=at("2026-04-02"), reason="month end")
    except MonthIsLocked:
        return


def _points() -> PointsCurrency:
    return PointsCurrency.objects.get(code="points")


BATCHES: dict[str, Batch] = {
    "expiry": Batch(with_points_that_end, expire),
    "expiry warnings": Batch(with_points_to_warn_of, warn, books_at=NOON),
    "release of pending points": Batch(with_pending_points, release, 10),
    "release of holds": Batch(with_holds, release_holds, 10),
    "tier reviews": Batch(with_tiers, review),
    "end of vouchers": Batch(with_vouchers, expire_vouchers, 2),
    "birthdays": Batch(with_birthdays, award_birthdays, 3),
    "relay of the timeline": Batch(with_activities, relay, 2),
    "import of a file": Batch(with_file, import_file, 3),
    "list of adjustments": Batch(with_list, adjust_by_list),
    "undo of a list": Batch(with_list_to_undo, adjust_by_list),
    "seal": Batch(with_entries, seal, 1),
    "month close": Batch(with_a_month, close_month, 0),
}
