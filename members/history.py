"""Which tables are history: written once, never changed, by anyone. And the history of what staff configure."""

from collections.abc import Sequence

import pghistory
from django.apps import apps
from django.db import models


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


def keep_history(model: type[models.Model], *, without: Sequence[str] = (), unwatched: Sequence[str] = ()) -> None:
    """Keep every version of a model's rows, by trigger, so that bulk changes and plain SQL are kept too.

    Called from `AppConfig.ready()`, after the translated columns have been added. `without` are columns never copied,
    `unwatched` those whose change alone is no new version (a stock that sells).
    """
    watched = (
        pghistory.AnyChange(exclude=[*without, *unwatched], exclude_auto=False)
        if without or unwatched
        else pghistory.AnyChange()
    )
    pghistory.track(
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(condition=watched),
        pghistory.DeleteEvent(),
        exclude=list(without) or None,
        attrs={"personal_data": (), "append_only": True},
    )(model)
