"""Which tables are history: written once, never changed, by anyone."""

from django.apps import apps


def append_only_tables() -> list[str]:
    """Return the names of the database tables whose rows may only be added, sorted."""
    return sorted(model._meta.db_table for model in apps.get_models() if getattr(model, "append_only", False))


def refuse_changes_sql(table: str) -> str:
    """Return SQL that makes a table refuse UPDATE, DELETE and TRUNCATE, to its owner too."""
    return f"""
        CREATE TRIGGER {table}_is_history BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION members_refuse_change();
        CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION members_refuse_change();
    """
