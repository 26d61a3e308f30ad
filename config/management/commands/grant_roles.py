"""Gives the application's database role its rights: none to change or delete what is history."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from psycopg import sql

from members.history import append_only_tables

# Written by migrations only.
_READ_ONLY_TABLES = ("django_migrations",)

_GRANTS = (
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role}",
    # What is made later (by migrations, or partitions of the coming months) may be history, so the rights to change it
    # come with the next run of this command only.
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {role}",
)
# A partition can be written to by its own name, so it needs the same limits as its table.
_WITH_PARTITIONS = """
WITH RECURSIVE family AS (
    SELECT oid FROM pg_class WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace
    UNION
    SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = family.oid
)
SELECT relname FROM pg_class JOIN family USING (oid) ORDER BY relname
"""


class Command(BaseCommand):
    help = (
        "Grant the application's role what it needs in this database, and no UPDATE, DELETE or TRUNCATE on append-only "
        "tables. Run as the owner of the tables after each migration; it may be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--role", required=True, help="The role that web, worker and commands use.")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="The connection to use.")

    def handle(self, *_args: Any, **options: Any) -> None:
        guarded = grant_role(options["role"], using=options["database"])
        self.stdout.write(f"{options['role']} has its rights; {guarded} tables are append-only for it")


def grant_role(role: str, *, using: str = DEFAULT_DB_ALIAS) -> int:
    """Grant `role` its rights in one transaction; return how many tables it can not change.

    Raises `CommandError` when there is no such role, when it could pass the limits (it owns the tables or is a
    superuser), or when an append-only table does not exist.
    """
    connection = connections[using]
    append_only = sorted(append_only_tables())
    with transaction.atomic(using=using), connection.cursor() as cursor:
        _refuse_unsafe(cursor, role)
        names = {"database": sql.Identifier(connection.settings_dict["NAME"]), "role": sql.Identifier(role)}
        for statement in _GRANTS:
            cursor.execute(sql.SQL(statement).format(**names))
        cursor.execute(_WITH_PARTITIONS, [append_only])
        guarded = [name for (name,) in cursor.fetchall()]
        missing = set(append_only) - set(guarded)
        if missing:
            raise CommandError(f"These append-only tables do not exist: {', '.join(sorted(missing))}. Migrate first.")
        for table in guarded:
            _revoke(cursor, "UPDATE, DELETE, TRUNCATE", table, role)
        for table in _READ_ONLY_TABLES:
            _revoke(cursor, "INSERT, UPDATE, DELETE, TRUNCATE", table, role)
    return len(guarded)


def _refuse_unsafe(cursor: Any, role: str) -> None:
    cursor.execute("SELECT rolsuper, rolname = current_user FROM pg_roles WHERE rolname = %s", [role])
    found = cursor.fetchone()
    if found is None:
        raise CommandError(f"There is no database role {role}.")
    if any(found):
        raise CommandError(f"{role} is a superuser or the role that runs this command, so rights could not limit it.")


def _revoke(cursor: Any, rights: str, table: str, role: str) -> None:
    statement = sql.SQL("REVOKE {} ON TABLE {} FROM {}")
    cursor.execute(statement.format(sql.SQL(rights), sql.Identifier(table), sql.Identifier(role)))
