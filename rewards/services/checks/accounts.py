"""Balances: what accounts say, against the entries and against the lots."""

from django.utils.translation import gettext_lazy as _

from rewards.services.checks.sweeps import Case, Check, Sweep

_ACCOUNT = "rewards_pointsaccount"

# One pass over the entries of a range of accounts, in the order of their numbers, by the index that numbers them.
_ENTRIES = """
    SELECT a.id, a.member_id, a.available, a.pending, a.held, a.debt, a.seq, s.broken_id,
        coalesce(s.available, 0) AS s_available, coalesce(s.pending, 0) AS s_pending, coalesce(s.held, 0) AS s_held,
        coalesce(s.debt, 0) AS s_debt, coalesce(s.count, 0) AS s_count, coalesce(s.last, 0) AS s_last
    FROM rewards_pointsaccount a LEFT JOIN (
        SELECT account_id, count(*) AS count, max(seq) AS last, sum(d_available) AS available, sum(d_pending) AS pending,
            sum(d_held) AS held, sum(d_debt) AS debt, (array_agg(id ORDER BY seq) FILTER (WHERE is_broken))[1] AS broken_id
        FROM (
            SELECT account_id, id, seq, d_available, d_pending, d_held, d_debt,
                available_after - d_available <> lag(available_after, 1, 0::bigint) OVER w
                OR pending_after - d_pending <> lag(pending_after, 1, 0::bigint) OVER w
                OR held_after - d_held <> lag(held_after, 1, 0::bigint) OVER w
                OR debt_after - d_debt <> lag(debt_after, 1, 0::bigint) OVER w AS is_broken
            FROM rewards_ledgerentry WHERE account_id BETWEEN %(first)s AND %(last)s
            WINDOW w AS (PARTITION BY account_id ORDER BY seq)) AS e
        GROUP BY account_id) AS s ON s.account_id = a.id
    WHERE a.id BETWEEN %(first)s AND %(last)s"""

# Lots that are open, and holds that are, have an index by account.
_LOTS = """
    SELECT a.id, a.member_id, a.available, a.pending, a.held,
        coalesce(l.available, 0) AS l_available, coalesce(l.pending, 0) AS l_pending, coalesce(h.held, 0) AS h_held
    FROM rewards_pointsaccount a
    LEFT JOIN (
        SELECT account_id, sum(remaining) FILTER (WHERE state = 2) AS available, sum(remaining) FILTER (WHERE state = 1) AS pending
        FROM rewards_lot WHERE remaining > 0 AND account_id BETWEEN %(first)s AND %(last)s GROUP BY account_id) AS l ON l.account_id = a.id
    LEFT JOIN (
        SELECT account_id, sum(points) AS held FROM rewards_hold
        WHERE state = 1 AND account_id BETWEEN %(first)s AND %(last)s GROUP BY account_id) AS h ON h.account_id = a.id
    WHERE a.id BETWEEN %(first)s AND %(last)s"""

# Whatever comes to a member who was merged goes on to the survivor.
_MERGED = """
    SELECT a.id, a.member_id, a.available + a.pending + a.held AS points, a.debt
    FROM members_member m JOIN rewards_pointsaccount a ON a.member_id = m.id
    WHERE m.merged_into_id IS NOT NULL AND a.available + a.pending + a.held + a.debt > 0"""

SWEEPS = (
    Sweep(
        "balances against entries",
        _ENTRIES,
        (
            Case(
                Check("balance_is_sum_of_entries", _ACCOUNT, _("A balance is not the sum of its entries.")),
                "(x.available, x.pending, x.held, x.debt) IS DISTINCT FROM (x.s_available, x.s_pending, x.s_held, x.s_debt)",
                """format('balance %%s/%%s/%%s/%%s (available, pending, held, arrears), entries say %%s/%%s/%%s/%%s', x.available, x.pending,
                    x.held, x.debt, x.s_available, x.s_pending, x.s_held, x.s_debt)""",
            ),
            Case(
                Check(
                    "entries_are_numbered_without_gaps", _ACCOUNT, _("Entries of an account are missing or too many.")
                ),
                "x.seq <> x.s_count OR x.seq <> x.s_last",
                "format('%%s entries, last number %%s, account says %%s', x.s_count, x.s_last, x.seq)",
            ),
            Case(
                Check(
                    "balance_after_follows_from_the_entry_before",
                    "rewards_ledgerentry",
                    _("The balance after an entry does not follow from the entry before."),
                ),
                "x.broken_id IS NOT NULL",
                "'the balance after it does not follow from the entry before it'",
                row="x.broken_id",
            ),
        ),
        walk=_ACCOUNT,
        step=10_000,
    ),
    Sweep(
        "balances against lots and holds",
        _LOTS,
        (
            Case(
                Check("balance_is_sum_of_lots", _ACCOUNT, _("A balance is not the sum of its lots.")),
                "(x.available, x.pending) IS DISTINCT FROM (x.l_available, x.l_pending)",
                """format('balance %%s available and %%s pending, lots say %%s and %%s', x.available, x.pending, x.l_available,
                    x.l_pending)""",
            ),
            Case(
                Check("held_is_sum_of_open_holds", _ACCOUNT, _("Held points are not the sum of the open holds.")),
                "x.held <> x.h_held",
                "format('%%s held, open holds say %%s', x.held, x.h_held)",
            ),
        ),
        walk=_ACCOUNT,
        step=20_000,
    ),
    Sweep(
        "accounts of merged members",
        _MERGED,
        (
            Case(
                Check(
                    "merged_member_has_nothing_left",
                    _ACCOUNT,
                    _("A member who was merged still has points or arrears."),
                ),
                "true",
                "format('%%s points and %%s owed', x.points, x.debt)",
            ),
        ),
    ),
)
