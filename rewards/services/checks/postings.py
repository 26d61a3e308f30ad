"""Transactions and entries: what was posted, to whom, with which explanation, and what takes it back."""

from django.utils.translation import gettext_lazy as _

from rewards.services.checks.sweeps import Case, Check, Sweep

_ENTRY = "rewards_ledgerentry"
_TRANSACTION = "rewards_ledgertransaction"

# What the system books by itself (release, expiry, the end of a hold) explains itself by its kind.
_ENTRIES = """
    SELECT e.id, e.member_id, e.seq,
        e.hash IS DISTINCT FROM ledger_entry_hash(t.kind, t.source, t.natural_key, e.member_id, e.account_id, e.seq,
            e.d_available, e.d_pending, e.d_held, e.d_debt, e.available_after, e.pending_after, e.held_after, e.debt_after,
            e.contra, e.happened_at) AS is_other,
        (e.member_id, t.currency_id) IS DISTINCT FROM (a.member_id, a.currency_id)
            OR t.kind NOT IN (11, 17) AND t.member_id <> e.member_id AS is_astray,
        e.xact IS NOT NULL AND t.trace IS NULL AND t.kind NOT IN (2, 5, 8) AS is_unexplained
    FROM rewards_ledgerentry e
    LEFT JOIN LATERAL (
        SELECT kind, source, natural_key, member_id, currency_id, trace FROM rewards_ledgertransaction
        WHERE id = e.transaction_id OFFSET 0) AS t ON true
    LEFT JOIN LATERAL (SELECT member_id, currency_id FROM rewards_pointsaccount WHERE id = e.account_id OFFSET 0) AS a ON true
    WHERE e.id BETWEEN %(first)s AND %(last)s"""

_MOVES = """
    SELECT e.id, e.member_id, e.d_available + e.d_pending AS d_remaining, e.d_held, coalesce(m.d_remaining, 0) AS m_remaining,
        coalesce(m.d_held, 0) AS m_held, coalesce(m.is_astray, false) AS is_astray
    FROM rewards_ledgerentry e LEFT JOIN (
        SELECT m.entry_id, sum(m.d_remaining) AS d_remaining, sum(m.d_held) AS d_held,
            bool_or(l.account_id IS DISTINCT FROM o.account_id) AS is_astray
        FROM rewards_lotmove m
        JOIN rewards_ledgerentry o ON o.id = m.entry_id AND o.id BETWEEN %(first)s AND %(last)s
        LEFT JOIN LATERAL (SELECT account_id FROM rewards_lot WHERE id = m.lot_id OFFSET 0) AS l ON true
        WHERE m.entry_id BETWEEN %(first)s AND %(last)s GROUP BY m.entry_id) AS m ON m.entry_id = e.id
    WHERE e.id BETWEEN %(first)s AND %(last)s"""

# A transfer and a merge have two entries, an extension none; what may give or take nothing has one or none; all else has one.
_TRANSACTIONS = """
    SELECT t.id, t.kind, t.member_id, coalesce(e.count, 0) AS count, e.net, e.aside, e.accounts,
        coalesce(e.credited, 0) AS credited, coalesce(l.amount, 0) AS amount, e.is_lost
    FROM rewards_ledgertransaction t
    LEFT JOIN (
        SELECT e.transaction_id, count(*) AS count, sum(e.d_available - e.d_debt) AS net, sum(abs(e.d_pending) + abs(e.d_held)) AS aside,
            count(DISTINCT e.account_id) AS accounts,
            (sum(e.d_available), sum(e.d_pending), sum(e.d_debt), sum(abs(e.d_held)), count(DISTINCT e.account_id))
                IS DISTINCT FROM (0, 0, 0, 0, 2) AS is_lost,
            sum(CASE WHEN o.kind = 17 THEN greatest(e.d_available + e.d_pending, 0)
                WHEN o.kind IN (1, 10, 11, 14) THEN greatest(e.d_available + e.d_pending - e.d_debt, 0) ELSE 0 END) AS credited
        FROM rewards_ledgerentry e JOIN rewards_ledgertransaction o ON o.id = e.transaction_id AND o.id BETWEEN %(first)s AND %(last)s
        WHERE e.transaction_id BETWEEN %(first)s AND %(last)s GROUP BY e.transaction_id) AS e ON e.transaction_id = t.id
    LEFT JOIN (
        SELECT transaction_id, sum(amount) AS amount FROM rewards_lot
        WHERE transaction_id BETWEEN %(first)s AND %(last)s GROUP BY transaction_id) AS l ON l.transaction_id = t.id
    WHERE t.id BETWEEN %(first)s AND %(last)s"""

# What a return met expired already, and what was given up, counts as taken back.
_REVERSALS = """
    SELECT o.id, o.member_id, coalesce(l.amount, 0) AS credited, coalesce(d.points, 0) AS debited, r.given,
        CASE WHEN r.taken > 0 THEN r.taken + coalesce(g.points, 0) ELSE 0 END AS taken
    FROM (
        SELECT t.reverses_id,
            coalesce(sum(-(e.d_available + e.d_pending) + e.d_debt) FILTER (WHERE t.kind IN (4, 15)), 0) AS taken,
            coalesce(sum(e.d_available - e.d_debt) FILTER (WHERE t.kind = 9), 0) AS given
        FROM rewards_ledgertransaction t LEFT JOIN rewards_ledgerentry e ON e.transaction_id = t.id
        WHERE t.reverses_id BETWEEN %(first)s AND %(last)s AND t.kind IN (4, 9, 15) GROUP BY t.reverses_id
    ) AS r
    JOIN rewards_ledgertransaction o ON o.id = r.reverses_id AND o.id BETWEEN %(first)s AND %(last)s
    LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM rewards_lot WHERE transaction_id = o.id) AS l ON true
    LEFT JOIN LATERAL (
        SELECT sum(v.points) AS points FROM rewards_lot k JOIN rewards_lotevent v ON v.lot_id = k.id AND v.kind IN (3, 4)
        WHERE k.transaction_id = o.id OR k.credit_id = o.id) AS g ON true
    LEFT JOIN LATERAL (
        SELECT sum(-(d_available + d_pending + d_held) + d_debt) FILTER (WHERE d_available + d_pending + d_held < 0) AS points
        FROM rewards_ledgerentry WHERE transaction_id = o.id) AS d ON true"""

# An expiry is keyed by its lot and the moment at which that was due (to the second).
_EXPIRIES = """
    SELECT t.id, t.member_id, t.natural_key, m.lot_id,
        CASE WHEN t.natural_key ~ '^[0-9]{1,18}:[0-9]{1,12}(:[0-9]+)?$' THEN
            split_part(t.natural_key, ':', 1)::bigint IS DISTINCT FROM m.lot_id
            OR to_timestamp(split_part(t.natural_key, ':', 2)::bigint) > t.happened_at + interval '1 second'
          ELSE true END AS is_other
    FROM rewards_ledgertransaction t
    LEFT JOIN rewards_ledgerentry e ON e.transaction_id = t.id AND e.transaction_id BETWEEN %(first)s AND %(last)s
    LEFT JOIN rewards_lotmove m ON m.entry_id = e.id
    WHERE t.id BETWEEN %(first)s AND %(last)s AND t.kind = 5"""

SWEEPS = (
    Sweep(
        "entries",
        _ENTRIES,
        (
            Case(
                Check("entry_hash", _ENTRY, _("An entry was changed after it was posted.")),
                "x.is_other",
                "'the entry is not what was posted (number ' || x.seq || ' of its account)'",
            ),
            Case(
                Check(
                    "entry_is_of_its_account",
                    _ENTRY,
                    _("An entry, its account and its transaction name different members or currencies."),
                ),
                "x.is_astray",
                "'entry, account and transaction name different members or currencies'",
            ),
            Case(
                Check("entry_is_explained", _ENTRY, _("A posting has no explanation.")),
                "x.is_unexplained",
                "'its transaction has no explanation'",
            ),
        ),
        walk=_ENTRY,
    ),
    Sweep(
        "entries against lots",
        _MOVES,
        (
            Case(
                Check("entry_is_sum_of_moves", _ENTRY, _("An entry is not the sum of what it moved in lots.")),
                "(x.d_remaining, x.d_held) IS DISTINCT FROM (x.m_remaining, x.m_held)",
                """format('it moves %%s open and %%s held points, its lots moved %%s and %%s', x.d_remaining, x.d_held, x.m_remaining,
                    x.m_held)""",
            ),
            Case(
                Check("moves_stay_in_the_account", _ENTRY, _("An entry moved points of another account.")),
                "x.is_astray",
                "'it moved a lot of another account'",
            ),
        ),
        walk=_ENTRY,
    ),
    Sweep(
        "transactions",
        _TRANSACTIONS,
        (
            Case(
                Check("transaction_has_its_entries", _TRANSACTION, _("A posting has entries too many or too few.")),
                """CASE WHEN x.kind IN (11, 17) THEN x.count <> 2 WHEN x.kind = 18 THEN x.count > 0
                    WHEN x.kind IN (1, 4, 10, 14, 15) THEN x.count > 1 ELSE x.count <> 1 END""",
                "'it has ' || x.count || ' entries'",
            ),
            Case(
                Check(
                    "transfer_sums_to_zero",
                    _TRANSACTION,
                    _("What one member gave in a transfer is not what the other got."),
                ),
                "x.kind = 11 AND (x.net, x.aside, x.accounts) IS DISTINCT FROM (0, 0, 2)",
                "'what one member gave is not what the other got: ' || coalesce(x.net, 0)",
            ),
            Case(
                Check(
                    "merge_sums_to_zero",
                    _TRANSACTION,
                    _("What left one member at a merge is not what came to the other."),
                ),
                "x.kind = 17 AND x.is_lost IS DISTINCT FROM false",
                "'what left one member is not what came to the other'",
            ),
            Case(
                Check("lots_hold_what_was_credited", _TRANSACTION, _("The lots of a credit are not what it credited.")),
                "x.credited <> x.amount",
                "format('it credited %%s points, its lots were made with %%s', x.credited, x.amount)",
            ),
        ),
        walk=_TRANSACTION,
    ),
    Sweep(
        "reversals",
        _REVERSALS,
        (
            Case(
                Check(
                    "reversals_never_exceed_the_original",
                    _TRANSACTION,
                    _("More was taken back of a posting, or given back, than it was."),
                ),
                "x.taken > x.credited OR x.given > x.debited",
                """format('%%s of %%s points were taken back, %%s of %%s were given back', x.taken, x.credited, x.given,
                    x.debited)""",
            ),
        ),
        walk=_TRANSACTION,
        step=100_000,
    ),
    Sweep(
        "expiries",
        _EXPIRIES,
        (
            Case(
                Check(
                    "expiry_names_its_lot", _TRANSACTION, _("An expiry is booked under a key that is not its lot's.")
                ),
                "x.is_other",
                "'it is keyed ' || x.natural_key || ' and moved lot ' || coalesce(x.lot_id::text, 'none')",
            ),
        ),
        walk=_TRANSACTION,
        step=100_000,
    ),
)
