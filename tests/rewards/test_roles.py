"""The application's role does all the work of rewards, and can change no history; neither can the owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from psycopg import errors, sql

from members import timeline
from members.actors import SYSTEM
from members.history import append_only_tables
from rewards.models import Reward
from rewards.queries import balance_of
from rewards.services.bulk import post_history
from rewards.services.expiry import expire_due_lots
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from rewards.services.verification import verify
from rewards.services.vouchers import use_voucher
from tests.factories.catalogue import a_reward
from tests.factories.histories import a_small_history, give_points
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.harness.database import django_on


@contextmanager
def as_application(url: str) -> Iterator[None]:
    """Let Django work as the application's role, and make sure that it does."""
    with django_on(url):
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            assert cursor.fetchone() == (False,)
        yield


class TestApplicationRole:
    """The application's role …"""

    def test_does_all_the_work_of_rewards(self, committed_db: str, application_url: str) -> None:
        member, newcomer = a_member(), a_member()
        give_points(member, 100, moment=NOON - timedelta(days=2))
        give_points(member, 20, moment=NOON - timedelta(days=1), expires_at=NOON)
        reward = a_reward(30, stock=2)
        orders = [an_order(member, "10.00", ordered_at=NOON + timedelta(hours=hour)) for hour in range(1, 6)]
        returns = [a_return(orders[0]), a_return(orders[1])]
        with as_application(application_url):
            assert record_purchase(order=an_order(newcomer), by=TILL, at=NOON).available == 50  # makes an account
            purchase = an_order(member)
            assert record_purchase(order=purchase, by=TILL, at=NOON).available == 150
            assert record_return(ret=a_return(purchase), by=TILL, at=NOON + timedelta(days=1)).points == 50
            receipt = redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id="1", by=TILL, at=NOON)
            use_voucher(code=receipt.code, store_id=None, external_order_no="A1", spend_amount=None, by=TILL, at=NOON)
            assert Reward.objects.get().stock == 1
            assert expire_due_lots(at=NOON, by=SYSTEM).points == 20
            for _ in range(2):
                outcome = post_history(orders=orders, returns=returns, by=TILL, at=NOON + timedelta(days=2), quiet=True)
            assert (outcome.orders_known, outcome.returns_known, outcome.refused) == (5, 2, [])
            with connection.cursor() as cursor:
                cursor.execute("SELECT members_ensure_timeline_partitions('2033-01-01')")
                assert cursor.fetchone() == (3,)
            assert timeline.relay(at=NOON) > 0
            assert balance_of(member.pk, NOON).available == 100
            assert [str(finding) for finding in verify(at=NOON)] == []

    def test_can_not_touch_history_nor_switch_its_triggers_off(self, committed_db: str, application_url: str) -> None:
        a_small_history()
        with psycopg.connect(application_url, autocommit=True) as client:
            for table in append_only_tables():
                for statement in _changes(table):
                    with pytest.raises(errors.InsufficientPrivilege):
                        client.execute(statement)
            with pytest.raises(errors.InsufficientPrivilege):
                client.execute("SET session_replication_role = replica")
            with pytest.raises(errors.InsufficientPrivilege):
                client.execute("ALTER TABLE rewards_ledgerentry DISABLE TRIGGER ALL")
            with pytest.raises(errors.InsufficientPrivilege):
                client.execute(
                    "CREATE OR REPLACE FUNCTION ledger_lock_account(bigint, smallint) RETURNS int LANGUAGE sql AS 'SELECT 1'"
                )


@pytest.mark.django_db
class TestOwner:
    """The owner of the tables …"""

    def test_can_not_change_history_that_is_there(self) -> None:
        _member, redeemed = a_small_history()
        use_voucher(
            code=redeemed.code,
            store_id=None,
            external_order_no="A1",
            spend_amount=None,
            by=TILL,
            at=redeemed.redemption.redeemed_at,
        )
        tables = [
            table
            for table in append_only_tables()
            if table.startswith(("rewards_", "members_timeline")) and _has_rows(table)
        ]
        assert set(tables) >= {
            "rewards_ledgertransaction", "rewards_ledgerentry", "rewards_lotmove", "rewards_lotevent", "rewards_purchase",
            "rewards_purchaseline", "rewards_purchasereturn", "rewards_returnline", "rewards_redemptionevent", "rewards_voucherevent",
            "members_timelineentry",
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(
                "SET CONSTRAINTS ALL IMMEDIATE"
            )  # checks what is pending: a table with that is not emptied anyway
        for table in tables:
            for statement in _changes(table):
                self._is_refused(statement)

    def test_can_not_empty_any_history(self) -> None:
        for table in append_only_tables():
            self._is_refused(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))

    def test_meets_both_triggers_on_every_history(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT c.relname, array_agg(t.tgname::text ORDER BY t.tgname) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'members_refuse_change' AND t.tgenabled = 'O' GROUP BY 1
                """
            )
            triggers = dict(cursor.fetchall())
        for table in append_only_tables():
            assert triggers.get(table) == [f"{table}_is_history", f"{table}_is_not_emptied"], table

    def _is_refused(self, statement: sql.Composed) -> None:
        with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert isinstance(refused.value.__cause__, errors.RestrictViolation)
        assert "is history" in str(refused.value)


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(table)))
        return bool(cursor.fetchone()[0])


def _changes(table: str) -> list[sql.Composed]:
    """Return an UPDATE, a DELETE and a TRUNCATE of a table."""
    with connection.cursor() as cursor:
        column = connection.introspection.get_table_description(cursor, table)[0].name
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    return [
        sql.SQL("UPDATE {table} SET {column} = {column}").format(**names),
        sql.SQL("DELETE FROM {table}").format(**names),
        sql.SQL("TRUNCATE {table} CASCADE").format(**names),
    ]
