"""One changed row for each check of the ledger, as one would change it who owns the server."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from members.actors import SYSTEM
from rewards import ledger
from rewards.models import (
    Hold,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    LotEvent,
    LotMove,
    PointsAccount,
    Purchase,
    PurchaseReturn,
    Redemption,
    Voucher,
)
from rewards.services.vouchers import use_voucher
from tests.factories.histories import a_small_history, give_points
from tests.factories.people import TILL, a_member, a_store
from tests.rewards.merge_given import a_person, merged
from tests.rewards.sealed import tamper

Kind = LedgerTransaction.Kind


def a_full_history() -> None:
    """Do everything that a ledger can do, among three members: holds of each end, a transfer, corrections, extensions."""
    _member, redeemed = a_small_history()
    now = timezone.now()
    use_voucher(code=redeemed.code, store_id=a_store().pk, external_order_no="V-1", spend_amount=None, by=TILL, at=now)
    giver, taker = a_member(), a_member()
    give_points(giver, 300, moment=now - timedelta(days=9), expires_at=now + timedelta(days=20))
    give_points(giver, 40, moment=now - timedelta(days=8), expires_at=now + timedelta(days=90))
    kept, other = a_person(), a_person()
    give_points(other, 25, moment=now - timedelta(days=2), expires_at=now + timedelta(days=90))
    merged(kept, other, at=now - timedelta(days=1))
    told: dict[str, Any] = {
        "source": "test",
        "by": SYSTEM,
        "trace": {"v": 2, "kind": "test"},
        "at": now - timedelta(hours=1),
    }
    with transaction.atomic():
        holds = [
            ledger.hold(member_id=giver.pk, points=points, expires_at=now + timedelta(hours=2), natural_key=f"h{points}", **told).hold_id
            for points in (10, 20, 5)
        ]  # fmt: skip
        assert all(holds)
        ledger.capture(hold_id=holds[1] or 0, points=15, natural_key="c", **told)
        ledger.release_hold(hold_id=holds[2] or 0, expired=False, at=now, by=SYSTEM)
        spent = ledger.debit(
            kind=Kind.ADJUST, contra=ledger.Contra.ADJUSTMENT, member_id=giver.pk, points=50, natural_key="a", **told
        )
        ledger.restore(origin_transaction_id=spent.transaction_id or 0, points=30, days_min=60, natural_key="r", **told)
        lot = Lot.objects.filter(member=giver).earliest("id")
        ledger.extend_lots(lots=[(lot.pk, now + timedelta(days=120))], natural_key="e", reason="", **told)
        ledger.transfer(from_member_id=giver.pk, to_member_id=taker.pk, points=120, natural_key="t", **told)
        credited = ledger.credit(
            kind=Kind.ADJUST, contra=ledger.Contra.ADJUSTMENT, member_id=taker.pk, natural_key="b",
            lots=[ledger.NewLot(30, 4, now, None), ledger.NewLot(20, 4, now + timedelta(days=3), None)], **told,
        )  # fmt: skip
        ledger.claw_back(
            kind=Kind.CORRECT, contra=ledger.Contra.ADJUSTMENT, member_id=taker.pk, points=45, natural_key="k",
            origin_transaction_id=credited.transaction_id, from_others=False, debt_limit=None, **told,
        )  # fmt: skip
        ledger.claw_back(
            kind=Kind.RETURN, contra=ledger.Contra.ISSUANCE, member_id=taker.pk, points=700, natural_key="u",
            origin_transaction_id=None, from_others=True, debt_limit=None, **told,
        )  # fmt: skip
        ledger.write_off(member_id=taker.pk, points=100, natural_key="w", reason="", **told)


def an_entry(**which: object) -> LedgerEntry:
    return LedgerEntry.objects.filter(**which).earliest("id")


# Each changes one row and returns the id of the row that its check must name.
def moment_of_an_entry() -> int:
    entry = an_entry()
    tamper("UPDATE rewards_ledgerentry SET happened_at = happened_at + interval '1 second' WHERE id = %s", entry.pk)
    return entry.pk


def points_of_an_entry() -> int:
    entry = an_entry(d_available__gt=0)
    tamper("UPDATE rewards_ledgerentry SET d_available = d_available + 1 WHERE id = %s", entry.pk)
    return entry.pk


def key_of_a_transaction() -> int:
    entry = an_entry(transaction__kind=Kind.REDEEM)
    tamper("UPDATE rewards_ledgertransaction SET natural_key = 'other' WHERE id = %s", entry.transaction_id)
    return entry.pk


def member_of_a_transaction() -> int:
    entry = an_entry(transaction__kind=Kind.EARN)
    tamper("UPDATE rewards_ledgertransaction SET member_id = member_id + 1 WHERE id = %s", entry.transaction_id)
    return entry.pk


def explanation_of_a_purchase() -> int:
    entry = an_entry(transaction__kind=Kind.EARN)
    tamper("UPDATE rewards_ledgertransaction SET trace = NULL WHERE id = %s", entry.transaction_id)
    return entry.pk


def arrears_of_an_account() -> int:
    account = PointsAccount.objects.earliest("id")
    tamper("UPDATE rewards_pointsaccount SET debt = debt + 5 WHERE id = %s", account.pk)
    return account.pk


def held_points_of_an_account() -> int:
    account = PointsAccount.objects.get(held__gt=0)
    tamper("UPDATE rewards_pointsaccount SET held = held - 1, available = available + 1 WHERE id = %s", account.pk)
    return account.pk


def pending_points_of_a_live_lot() -> int:
    lot = Lot.objects.filter(state=Lot.State.LIVE).earliest("id")
    tamper("UPDATE rewards_lot SET state = 1 WHERE id = %s", lot.pk)
    return lot.account_id


def number_of_an_account() -> int:
    account = PointsAccount.objects.earliest("id")
    tamper("UPDATE rewards_pointsaccount SET seq = seq + 1 WHERE id = %s", account.pk)
    return account.pk


def last_entry_deleted() -> int:
    entry = LedgerEntry.objects.latest("id")
    tamper("DELETE FROM rewards_ledgerentry WHERE id = %s", entry.pk)
    return entry.account_id


def entry_of_a_transaction_deleted() -> int:
    entry = an_entry(transaction__kind=Kind.WRITE_OFF)
    tamper("DELETE FROM rewards_ledgerentry WHERE id = %s", entry.pk)
    return entry.transaction_id


def balance_after_an_entry_with_a_new_hash() -> int:
    """The one who changes the balance knows how the hash is made, too."""
    entry = LedgerEntry.objects.latest("id")
    tamper(
        """
        UPDATE rewards_ledgerentry e SET available_after = available_after + 1, hash = ledger_entry_hash(
            t.kind, t.source, t.natural_key, e.member_id, e.account_id, e.seq, e.d_available, e.d_pending, e.d_held, e.d_debt,
            e.available_after + 1, e.pending_after, e.held_after, e.debt_after, e.contra, e.happened_at)
        FROM rewards_ledgertransaction t WHERE t.id = e.transaction_id AND e.id = %s
        """,
        entry.pk,
    )
    return entry.pk


def points_left_in_a_lot() -> int:
    lot = Lot.objects.filter(remaining__gt=1).earliest("id")
    tamper("UPDATE rewards_lot SET remaining = remaining - 1 WHERE id = %s", lot.pk)
    return lot.pk


def points_of_a_move() -> int:
    move = LotMove.objects.filter(d_remaining__lt=-1).earliest("entry_id")
    tamper(
        "UPDATE rewards_lotmove SET d_remaining = d_remaining + 1 WHERE entry_id = %s AND lot_id = %s",
        move.entry_id,
        move.lot_id,
    )
    return move.entry_id


def held_points_of_a_move() -> int:
    """Open and held points are told apart: their sum alone is as it was."""
    move = LotMove.objects.filter(d_held__gt=1).earliest("entry_id")
    tamper(
        "UPDATE rewards_lotmove SET d_held = d_held - 1, d_remaining = d_remaining + 1 WHERE entry_id = %s AND lot_id = %s",
        move.entry_id,
        move.lot_id,
    )
    return move.entry_id


def a_move_deleted() -> int:
    move = LotMove.objects.earliest("entry_id")
    tamper("DELETE FROM rewards_lotmove WHERE entry_id = %s AND lot_id = %s", move.entry_id, move.lot_id)
    return move.lot_id


def a_move_of_another_account() -> int:
    move = LotMove.objects.earliest("entry_id")
    other = Lot.objects.exclude(account=Lot.objects.get(pk=move.lot_id).account_id).earliest("id")
    tamper(
        "UPDATE rewards_lotmove SET lot_id = %s WHERE entry_id = %s AND lot_id = %s",
        other.pk,
        move.entry_id,
        move.lot_id,
    )
    return move.entry_id


def what_a_transfer_brought() -> int:
    entry = an_entry(transaction__kind=Kind.TRANSFER, d_available__gt=0)
    tamper("UPDATE rewards_ledgerentry SET d_available = d_available + 1 WHERE id = %s", entry.pk)
    return entry.transaction_id


def what_a_merge_brought() -> int:
    entry = an_entry(transaction__kind=Kind.MERGE, d_available__gt=0)
    tamper("UPDATE rewards_ledgerentry SET d_available = d_available + 1 WHERE id = %s", entry.pk)
    return entry.transaction_id


def origin_of_a_merged_lot() -> int:
    lot = Lot.objects.filter(transaction__kind=Kind.MERGE).earliest("id")
    tamper("UPDATE rewards_lot SET origin = origin - 1 WHERE id = %s", lot.pk)
    return lot.pk


def lot_that_claims_a_merge() -> int:
    lot = Lot.objects.filter(transaction__kind=Kind.EARN).earliest("id")
    tamper("UPDATE rewards_lot SET owner_id = member_id WHERE id = %s", lot.pk)
    return lot.pk


def points_of_a_merged_member() -> int:
    account = PointsAccount.objects.get(member__merged_into__isnull=False)
    tamper("UPDATE rewards_pointsaccount SET debt = 1 WHERE id = %s", account.pk)
    return account.pk


def points_that_a_lot_was_made_with() -> int:
    lot = Lot.objects.filter(remaining=0).latest("id")
    tamper("UPDATE rewards_lot SET amount = amount + 1 WHERE id = %s", lot.pk)
    return lot.transaction_id


def points_that_were_earned_less() -> int:
    sale = PurchaseReturn.objects.earliest("id").purchase
    assert sale is not None
    lot = Lot.objects.get(transaction__kind=1, transaction__natural_key=sale.external_order_no)
    tamper("UPDATE rewards_lot SET amount = 1 WHERE id = %s", lot.pk)
    return lot.transaction_id


def points_given_back_twice() -> int:
    entry = an_entry(transaction__kind=Kind.RESTORE)
    tamper("UPDATE rewards_ledgerentry SET d_available = 51 WHERE id = %s", entry.pk)
    origin = LedgerTransaction.objects.get(pk=entry.transaction_id).reverses_id
    assert origin is not None
    return origin


def lot_of_an_expiry() -> int:
    expiry = LedgerTransaction.objects.filter(kind=Kind.EXPIRE).earliest("id")
    tamper("UPDATE rewards_ledgertransaction SET natural_key = '9' || natural_key WHERE id = %s", expiry.pk)
    return expiry.pk


def key_of_an_expiry_that_is_none() -> int:
    expiry = LedgerTransaction.objects.filter(kind=Kind.EXPIRE).earliest("id")
    tamper("UPDATE rewards_ledgertransaction SET natural_key = 'soon' WHERE id = %s", expiry.pk)
    return expiry.pk


def moment_of_an_expiry_to_come() -> int:
    expiry = LedgerTransaction.objects.filter(kind=Kind.EXPIRE).earliest("id")
    lot = expiry.natural_key.partition(":")[0]
    tamper("UPDATE rewards_ledgertransaction SET natural_key = %s WHERE id = %s", f"{lot}:9999999999", expiry.pk)
    return expiry.pk


def held_points_of_a_lot() -> int:
    lot = Lot.objects.filter(held__gt=0).earliest("id")
    tamper("UPDATE rewards_lot SET held = held - 1, remaining = remaining + 1 WHERE id = %s", lot.pk)
    return lot.pk


def state_of_a_lot() -> int:
    lot = Lot.objects.filter(state=Lot.State.PENDING).earliest("id")
    tamper("UPDATE rewards_lot SET state = 2 WHERE id = %s", lot.pk)
    return lot.pk


def release_of_a_lot_deleted() -> int:
    event = LotEvent.objects.filter(kind=LotEvent.Kind.RELEASED).earliest("id")
    tamper("DELETE FROM rewards_lotevent WHERE id = %s", event.pk)
    return event.lot_id


def an_empty_lot_left_open() -> int:
    lot = Lot.objects.filter(state=Lot.State.CLOSED).earliest("id")
    tamper("UPDATE rewards_lot SET state = 2 WHERE id = %s", lot.pk)
    return lot.pk


def end_of_an_extended_lot() -> int:
    event = LotEvent.objects.filter(kind=LotEvent.Kind.EXPIRY_CHANGED).latest("id")
    tamper("UPDATE rewards_lot SET expires_at = expires_at + interval '1 day' WHERE id = %s", event.lot_id)
    return event.lot_id


def link_between_two_extensions() -> int:
    second = LotEvent.objects.filter(kind=LotEvent.Kind.EXPIRY_CHANGED).latest("id")
    assert LotEvent.objects.filter(kind=LotEvent.Kind.EXPIRY_CHANGED, lot=second.lot_id).count() == 2
    tamper("UPDATE rewards_lotevent SET old_expires_at = old_expires_at - interval '1 day' WHERE id = %s", second.pk)
    return second.lot_id


def member_of_a_lot() -> int:
    lot = Lot.objects.earliest("id")
    tamper("UPDATE rewards_lot SET member_id = member_id + 1 WHERE id = %s", lot.pk)
    return lot.pk


def points_of_a_hold() -> int:
    hold = Hold.objects.get(state=Hold.State.OPEN)
    tamper("UPDATE rewards_hold SET points = points + 1 WHERE id = %s", hold.pk)
    return hold.pk


def lot_of_a_hold() -> int:
    hold = Hold.objects.get(state=Hold.State.OPEN)
    other = Lot.objects.exclude(account=hold.account_id).earliest("id")
    tamper("UPDATE rewards_holdlot SET lot_id = %s WHERE hold_id = %s", other.pk, hold.pk)
    return hold.pk


def beginning_of_a_hold() -> int:
    hold = Hold.objects.get(state=Hold.State.OPEN)
    other = LedgerTransaction.objects.filter(kind=Kind.ADJUST).earliest("id")
    tamper("UPDATE rewards_hold SET transaction_id = %s WHERE id = %s", other.pk, hold.pk)
    return hold.pk


def end_of_a_hold() -> int:
    hold = Hold.objects.get(state=Hold.State.CAPTURED)
    tamper("UPDATE rewards_hold SET state = 3 WHERE id = %s", hold.pk)
    return hold.pk


def a_purchase_without_its_posting() -> int:
    sale = Purchase.objects.earliest("id")
    tamper(
        "UPDATE rewards_ledgertransaction SET natural_key = 'other' WHERE kind = 1 AND natural_key = %s",
        sale.external_order_no,
    )
    return sale.pk


def a_posting_for_another_member() -> int:
    sale = Purchase.objects.earliest("id")
    tamper(
        "UPDATE rewards_ledgertransaction SET member_id = member_id + 1 WHERE kind = 1 AND natural_key = %s",
        sale.external_order_no,
    )
    return sale.pk


def a_return_without_its_posting() -> int:
    back = PurchaseReturn.objects.earliest("id")
    tamper(
        "UPDATE rewards_ledgertransaction SET natural_key = 'other' WHERE kind = 4 AND natural_key = %s",
        back.external_return_no,
    )
    return back.pk


def price_of_a_redemption() -> int:
    redemption = Redemption.objects.get()
    tamper("UPDATE rewards_redemption SET price_points = price_points - 1 WHERE id = %s", redemption.pk)
    return redemption.pk


def voucher_of_a_redemption() -> int:
    redemption = Redemption.objects.get()
    tamper("UPDATE rewards_voucher SET member_id = member_id + 1 WHERE id = %s", redemption.voucher_id)
    return redemption.pk


def a_voucher_that_a_redemption_lost() -> int:
    redemption = Redemption.objects.get()
    tamper("UPDATE rewards_redemption SET voucher_id = NULL WHERE id = %s", redemption.pk)
    return redemption.pk


def a_step_of_a_redemption_deleted() -> int:
    redemption = Redemption.objects.get()
    tamper("DELETE FROM rewards_redemptionevent WHERE redemption_id = %s", redemption.pk)
    return redemption.pk


def a_redemption_cancelled_for_nothing() -> int:
    redemption = Redemption.objects.get()
    tamper("UPDATE rewards_redemption SET state = 'cancelled', refund_id = transaction_id WHERE id = %s", redemption.pk)
    return redemption.pk


def number_of_a_redemption() -> int:
    redemption = Redemption.objects.get()
    tamper("UPDATE rewards_redemption SET number = 2 WHERE id = %s", redemption.pk)
    return redemption.pk


def state_of_a_voucher() -> int:
    voucher = Voucher.objects.get()
    tamper(
        "UPDATE rewards_voucher SET state = 'issued', used_at = NULL, used_order_no = '', used_off_amount = NULL WHERE id = %s",
        voucher.pk,
    )
    return voucher.pk


def use_of_a_voucher_deleted() -> int:
    voucher = Voucher.objects.get()
    tamper("DELETE FROM rewards_voucherevent WHERE voucher_id = %s AND to_state = 'used'", voucher.pk)
    return voucher.pk


def end_of_a_lot() -> int:
    lot = Lot.objects.filter(remaining__gt=0, expires_at__isnull=False).earliest("id")
    tamper("UPDATE rewards_lot SET expires_at = now() - interval '27 hours' WHERE id = %s", lot.pk)
    return lot.pk


def deadline_of_an_account() -> int:
    lot = Lot.objects.filter(remaining__gt=0, expires_at__isnull=True).earliest("id")
    tamper("UPDATE rewards_pointsaccount SET deadline_at = now() - interval '27 hours' WHERE id = %s", lot.account_id)
    tamper("UPDATE rewards_lot SET remaining = 0 WHERE account_id = %s AND id <> %s", lot.account_id, lot.pk, rows=None)
    return lot.pk


def release_of_a_lot() -> int:
    lot = Lot.objects.filter(state=Lot.State.PENDING).earliest("id")
    tamper("UPDATE rewards_lot SET available_at = now() - interval '27 hours' WHERE id = %s", lot.pk)
    return lot.pk


def end_of_an_open_hold() -> int:
    hold = Hold.objects.get(state=Hold.State.OPEN)
    tamper(
        "UPDATE rewards_hold SET created_at = now() - interval '3 hours', expires_at = now() - interval '2 hours' WHERE id = %s",
        hold.pk,
    )
    return hold.pk


def end_of_a_voucher() -> int:
    voucher = Voucher.objects.get()
    tamper(
        "UPDATE rewards_voucher SET state = 'issued', used_at = NULL, used_order_no = '', used_off_amount = NULL, "
        "issued_at = now() - interval '9 days', valid_from = now() - interval '9 days', "
        "expires_at = now() - interval '27 hours' WHERE id = %s",
        voucher.pk,
    )
    return voucher.pk


def an_index() -> int:
    index = "'rewards_ledgerentry_pkey'::regclass"
    tamper(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}")
    return oid_of(index)


def a_guard_of_history() -> int:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rewards_anchorexport DISABLE TRIGGER rewards_anchorexport_is_history")
    return oid_of("'rewards_anchorexport'::regclass")


def oid_of(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name}::oid::bigint")
        return cursor.fetchone()[0]


CHANGES: list[tuple[str, Callable[[], int]]] = [
    ("merge_sums_to_zero", what_a_merge_brought),
    ("merged_lot_is_what_another_lot_lost", origin_of_a_merged_lot),
    ("merged_lot_is_what_another_lot_lost", lot_that_claims_a_merge),
    ("merged_member_has_nothing_left", points_of_a_merged_member),
    ("entry_hash", moment_of_an_entry),
    ("entry_hash", points_of_an_entry),
    ("entry_hash", key_of_a_transaction),
    ("entry_is_of_its_account", member_of_a_transaction),
    ("entry_is_explained", explanation_of_a_purchase),
    ("balance_is_sum_of_entries", arrears_of_an_account),
    ("balance_is_sum_of_lots", pending_points_of_a_live_lot),
    ("held_is_sum_of_open_holds", held_points_of_an_account),
    ("entries_are_numbered_without_gaps", number_of_an_account),
    ("entries_are_numbered_without_gaps", last_entry_deleted),
    ("balance_after_follows_from_the_entry_before", balance_after_an_entry_with_a_new_hash),
    ("entry_is_sum_of_moves", points_of_a_move),
    ("entry_is_sum_of_moves", held_points_of_a_move),
    ("moves_stay_in_the_account", a_move_of_another_account),
    ("transaction_has_its_entries", entry_of_a_transaction_deleted),
    ("transfer_sums_to_zero", what_a_transfer_brought),
    ("lots_hold_what_was_credited", points_that_a_lot_was_made_with),
    ("reversals_never_exceed_the_original", points_that_were_earned_less),
    ("reversals_never_exceed_the_original", points_given_back_twice),
    ("expiry_names_its_lot", lot_of_an_expiry),
    ("expiry_names_its_lot", key_of_an_expiry_that_is_none),
    ("expiry_names_its_lot", moment_of_an_expiry_to_come),
    ("lot_is_sum_of_moves", points_left_in_a_lot),
    ("lot_is_sum_of_moves", a_move_deleted),
    ("lot_holds_what_open_holds_say", held_points_of_a_lot),
    ("lot_state_follows_from_its_history", state_of_a_lot),
    ("lot_state_follows_from_its_history", release_of_a_lot_deleted),
    ("lot_state_follows_from_its_history", an_empty_lot_left_open),
    ("lot_expiry_follows_from_its_changes", end_of_an_extended_lot),
    ("lot_expiry_follows_from_its_changes", link_between_two_extensions),
    ("lot_is_of_its_account", member_of_a_lot),
    ("hold_is_sum_of_its_lots", points_of_a_hold),
    ("hold_is_sum_of_its_lots", lot_of_a_hold),
    ("hold_was_set_aside", beginning_of_a_hold),
    ("hold_ended_as_its_state_says", end_of_a_hold),
    ("every_member_purchase_is_posted", a_purchase_without_its_posting),
    ("every_member_purchase_is_posted", a_posting_for_another_member),
    ("every_member_return_is_posted", a_return_without_its_posting),
    ("every_redemption_is_paid", price_of_a_redemption),
    ("redemption_and_voucher_are_of_one_member", voucher_of_a_redemption),
    ("redemption_gave_what_its_reward_is", a_voucher_that_a_redemption_lost),
    ("redemption_state_is_what_its_events_say", a_step_of_a_redemption_deleted),
    ("cancelled_redemption_is_given_back", a_redemption_cancelled_for_nothing),
    ("redemptions_are_numbered_without_gaps", number_of_a_redemption),
    ("voucher_state_is_what_its_events_say", state_of_a_voucher),
    ("voucher_state_is_what_its_events_say", use_of_a_voucher_deleted),
    ("due_lots_are_expired", end_of_a_lot),
    ("due_lots_are_expired", deadline_of_an_account),
    ("due_lots_are_released", release_of_a_lot),
    ("due_holds_are_given_back", end_of_an_open_hold),
    ("due_vouchers_are_expired", end_of_a_voucher),
    ("indexes_and_constraints_are_valid", an_index),
    ("history_is_guarded", a_guard_of_history),
]
