"""The chain of sealed blocks, and what keeps the tables as they are: triggers, indexes, constraints."""

from django.utils.translation import gettext_lazy as _

from rewards.services.checks.sweeps import Case, Check, Sweep

_SEAL = "rewards_ledgerseal"

# A block is computed again from the entries after the block before it, up to its last one: whatever was changed, taken
# out or slipped in since shows in its count or its root. Its position, its number and its hash chain it to the others.
_BLOCKS = """
    SELECT s.number AS id, NULL::bigint AS member_id, s.entries, b.entries AS found,
        (b.entries, b.root) IS DISTINCT FROM (s.entries::bigint, s.root) AS is_other,
        s.hash IS DISTINCT FROM ledger_seal_hash(s.number, s.epoch_id, s.previous_hash, s.root, s.entries, s.entries_before,
            s.first_xact, s.first_entry_id, s.last_xact, s.last_entry_id) AS is_forged,
        (s.previous_hash, s.entries_before) IS DISTINCT FROM
            (coalesce(p.hash, decode(repeat('00', 32), 'hex')), coalesce(p.entries_before + p.entries, 0))
            OR (p.number IS NULL) <> (s.number = 1) OR s.epoch_id < p.epoch_id AS is_loose
    FROM rewards_ledgerseal s
    LEFT JOIN rewards_ledgerepoch o ON o.number = s.epoch_id
    LEFT JOIN rewards_ledgerepoch n ON n.number = s.epoch_id + 1
    LEFT JOIN rewards_ledgerseal p ON p.number = s.number - 1
    CROSS JOIN LATERAL ledger_block_of(o.after_entry_id, coalesce(n.after_entry_id, 9223372036854775807),
        CASE WHEN p.epoch_id = s.epoch_id THEN p.last_xact ELSE -1 END, CASE WHEN p.epoch_id = s.epoch_id THEN p.last_entry_id ELSE 0 END,
        s.last_xact, s.last_entry_id) AS b
    WHERE s.number BETWEEN %(first)s AND %(last)s OFFSET 0"""

_VALIDITY = """
    SELECT i.indexrelid::bigint AS id, NULL::bigint AS member_id, 'index ' || i.indexrelid::regclass AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid AND c.relnamespace = 'public'::regnamespace WHERE NOT i.indisvalid
    UNION ALL
    SELECT oid::bigint, NULL, 'constraint ' || conname || ' of ' || conrelid::regclass
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND NOT convalidated"""

_GUARDS = """
    SELECT c.oid::bigint AS id, NULL::bigint AS member_id, h.name, s.suffix
    FROM unnest(%(history)s::text[]) AS h (name)
    JOIN pg_class c ON c.relname = h.name AND c.relnamespace = 'public'::regnamespace
    CROSS JOIN unnest(ARRAY['_is_history', '_is_not_emptied']) AS s (suffix)
    LEFT JOIN pg_trigger g ON g.tgrelid = c.oid AND g.tgname = left(h.name || s.suffix, 63) AND g.tgenabled IN ('O', 'A')
    WHERE g.oid IS NULL"""

SWEEPS = (
    Sweep(
        "sealed blocks",
        _BLOCKS,
        (
            Case(
                Check(
                    "block_holds_what_was_sealed",
                    _SEAL,
                    _("Entries of a sealed block were changed, taken out or slipped in."),
                ),
                "x.is_other",
                """format('entries of the block were changed, taken out or slipped in after it was sealed (%%s sealed, %%s found)',
                    x.entries, x.found)""",
            ),
            Case(
                Check("block_hash", _SEAL, _("A sealed block was changed.")),
                "x.is_forged",
                "'the block is not what was sealed'",
            ),
            Case(
                Check("block_follows_from_the_one_before", _SEAL, _("The chain of sealed blocks is broken.")),
                "x.is_loose",
                "'it does not follow from the block before it'",
            ),
        ),
        walk=_SEAL,
        key="number",
        step=50,
    ),
    Sweep(
        "indexes and constraints",
        _VALIDITY,
        (
            Case(
                Check(
                    "indexes_and_constraints_are_valid",
                    "pg_class",
                    _("An index or a constraint of the database is not valid."),
                ),
                "true",
                "x.name || ' is not valid'",
            ),
        ),
    ),
    Sweep(
        "guards of history",
        _GUARDS,
        (
            Case(
                Check("history_is_guarded", "pg_class", _("A table of history does not refuse changes.")),
                "true",
                "x.name || ' does not refuse changes: ' || x.name || x.suffix || ' is missing or switched off'",
            ),
        ),
    ),
)
