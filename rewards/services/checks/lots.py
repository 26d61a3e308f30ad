"""Lots and holds: what is left of them, their states and their ends, against moves, events and transactions."""

from django.utils.translation import gettext_lazy as _

from rewards.services.checks.sweeps import Case, Check, Sweep

_LOT = "rewards_lot"
_HOLD = "rewards_hold"

# A pending lot has not been released; a live one was available when it was credited, or was released, or came back from
# an expiry. Changes of its expiry follow one from the other, and the last is what it says.
_LOTS = """
    SELECT l.id, l.member_id, l.remaining, l.held, l.expires_at, coalesce(m.remaining, 0) AS m_remaining, coalesce(m.held, 0) AS m_held,
        coalesce(h.points, 0) AS h_points, v.last_end,
        CASE l.state WHEN 1 THEN coalesce(v.was_released, false) OR l.available_at <= t.happened_at OR l.remaining = 0
             WHEN 2 THEN l.remaining + l.held = 0
                OR l.available_at > t.happened_at AND l.expiries = 0 AND NOT coalesce(v.was_released, false)
             ELSE l.remaining + l.held > 0 END AS is_misstated,
        v.was_moved AND (v.is_cut OR l.expires_at IS DISTINCT FROM v.last_end) AS is_misdated,
        (l.member_id, t.currency_id) IS DISTINCT FROM (a.member_id, a.currency_id)
            OR t.kind NOT IN (11, 17) AND t.member_id <> l.member_id AS is_astray,
        CASE WHEN t.kind = 17 THEN l.credit_id IS NULL OR l.owner_id IS NULL OR NOT EXISTS (
                SELECT 1 FROM rewards_lot o JOIN rewards_lotmove g ON g.lot_id = o.id
                JOIN rewards_ledgerentry e ON e.id = g.entry_id AND e.transaction_id = l.transaction_id
                WHERE o.id = l.origin_lot_id AND o.origin = l.origin AND coalesce(o.credit_id, o.transaction_id) = l.credit_id
                    AND g.d_remaining = -l.amount)
             ELSE l.credit_id IS NOT NULL OR l.owner_id IS NOT NULL END AS is_unfounded
    FROM rewards_lot l
    LEFT JOIN LATERAL (
        SELECT kind, happened_at, member_id, currency_id FROM rewards_ledgertransaction
        WHERE id = l.transaction_id OFFSET 0) AS t ON true
    LEFT JOIN LATERAL (SELECT member_id, currency_id FROM rewards_pointsaccount WHERE id = l.account_id OFFSET 0) AS a ON true
    LEFT JOIN (
        SELECT lot_id, sum(d_remaining) AS remaining, sum(d_held) AS held FROM rewards_lotmove
        WHERE lot_id BETWEEN %(first)s AND %(last)s GROUP BY lot_id) AS m ON m.lot_id = l.id
    LEFT JOIN (
        SELECT p.lot_id, sum(p.points) AS points FROM rewards_holdlot p JOIN rewards_hold h ON h.id = p.hold_id AND h.state = 1
        WHERE p.lot_id BETWEEN %(first)s AND %(last)s GROUP BY p.lot_id) AS h ON h.lot_id = l.id
    LEFT JOIN (
        SELECT lot_id, bool_or(kind = 1) AS was_released, bool_or(kind = 2) AS was_moved,
            bool_or(kind = 2 AND place > 1 AND old_expires_at IS DISTINCT FROM end_before) AS is_cut,
            (array_agg(new_expires_at ORDER BY id DESC) FILTER (WHERE kind = 2))[1] AS last_end
        FROM (
            SELECT id, lot_id, kind, old_expires_at, new_expires_at, row_number() OVER w AS place, lag(new_expires_at) OVER w AS end_before
            FROM rewards_lotevent WHERE lot_id BETWEEN %(first)s AND %(last)s
            WINDOW w AS (PARTITION BY lot_id, kind ORDER BY id)) AS e
        GROUP BY lot_id) AS v ON v.lot_id = l.id
    WHERE l.id BETWEEN %(first)s AND %(last)s"""

# A hold was opened by a transaction that set its points aside, and closed by one that took them out again.
_HOLDS = """
    SELECT h.id, h.member_id, h.points, coalesce(p.points, 0) AS p_points, coalesce(p.is_astray, false) AS is_astray,
        (t.kind, e.d_held, e.account_id, e.member_id) IS DISTINCT FROM (6::smallint, h.points, h.account_id, h.member_id) AS is_unopened,
        CASE WHEN h.state = 1 THEN h.closed_by_id IS NOT NULL
             ELSE (c.kind, c.reverses_id, f.d_held, f.account_id) IS DISTINCT FROM
                  (CASE h.state WHEN 2 THEN 7 ELSE 8 END::smallint, h.transaction_id, -h.points, h.account_id) END AS is_unclosed
    FROM rewards_hold h
    LEFT JOIN rewards_ledgertransaction t ON t.id = h.transaction_id
    LEFT JOIN rewards_ledgerentry e ON e.transaction_id = h.transaction_id
    LEFT JOIN rewards_ledgertransaction c ON c.id = h.closed_by_id
    LEFT JOIN rewards_ledgerentry f ON f.transaction_id = h.closed_by_id
    LEFT JOIN LATERAL (
        SELECT sum(p.points) AS points, bool_or(l.account_id IS DISTINCT FROM h.account_id OR m.d_held IS DISTINCT FROM p.points) AS is_astray
        FROM rewards_holdlot p
        LEFT JOIN rewards_lot l ON l.id = p.lot_id
        LEFT JOIN rewards_lotmove m ON m.entry_id = e.id AND m.lot_id = p.lot_id
        WHERE p.hold_id = h.id) AS p ON true
    WHERE h.id BETWEEN %(first)s AND %(last)s"""

# Daily and hourly runs have two hours of grace after a day; holds end by themselves at the latest within the hour.
_DUE_LOTS = """
    SELECT l.id, l.member_id, l.remaining, l.available_at, least(l.expires_at, a.deadline_at) AS due_at,
        least(l.expires_at, a.deadline_at) < %(at)s::timestamptz - interval '26 hours' AS is_over,
        l.state = 1 AND l.available_at < %(at)s::timestamptz - interval '26 hours' AS is_ready
    FROM (
        SELECT id FROM rewards_lot WHERE remaining > 0 AND expires_at < %(at)s::timestamptz - interval '26 hours'
        UNION SELECT id FROM rewards_lot WHERE state = 1 AND available_at < %(at)s::timestamptz - interval '26 hours'
        UNION SELECT l.id FROM rewards_pointsaccount a JOIN rewards_lot l ON l.account_id = a.id AND l.remaining > 0
            WHERE a.deadline_at < %(at)s::timestamptz - interval '26 hours'
    ) AS d
    JOIN rewards_lot l ON l.id = d.id
    JOIN rewards_pointsaccount a ON a.id = l.account_id"""

_DUE_HOLDS = """
    SELECT id, member_id, points, expires_at FROM rewards_hold
    WHERE state = 1 AND expires_at < %(at)s::timestamptz - interval '1 hour'"""

SWEEPS = (
    Sweep(
        "lots",
        _LOTS,
        (
            Case(
                Check("lot_is_sum_of_moves", _LOT, _("What is left of a lot is not the sum of its moves.")),
                "(x.remaining, x.held) IS DISTINCT FROM (x.m_remaining, x.m_held)",
                "format('%%s left and %%s held, moves say %%s and %%s', x.remaining, x.held, x.m_remaining, x.m_held)",
            ),
            Case(
                Check(
                    "lot_holds_what_open_holds_say", _LOT, _("What is held of a lot is not what the open holds say.")
                ),
                "x.held <> x.h_points",
                "format('%%s held, open holds say %%s', x.held, x.h_points)",
            ),
            Case(
                Check(
                    "lot_state_follows_from_its_history",
                    _LOT,
                    _("The state of a lot does not follow from its history."),
                ),
                "x.is_misstated",
                "'its state is not what its points, its dates and its release say'",
            ),
            Case(
                Check(
                    "lot_expiry_follows_from_its_changes", _LOT, _("The expiry of a lot is not what its changes say.")
                ),
                "x.is_misdated",
                """format('it expires at %%s, its changes end at %%s', coalesce(x.expires_at::text, 'no time'),
                    coalesce(x.last_end::text, 'no time'))""",
            ),
            Case(
                Check(
                    "lot_is_of_its_account",
                    _LOT,
                    _("A lot, its account and its transaction name different members or currencies."),
                ),
                "x.is_astray",
                "'lot, account and transaction name different members or currencies'",
            ),
            Case(
                Check(
                    "merged_lot_is_what_another_lot_lost",
                    _LOT,
                    _("A lot that a merge brought is not what left the lot it names."),
                ),
                "x.is_unfounded",
                "'it is not what left the lot it came from, or says so without a merge'",
            ),
        ),
        walk=_LOT,
    ),
    Sweep(
        "holds",
        _HOLDS,
        (
            Case(
                Check("hold_is_sum_of_its_lots", _HOLD, _("A hold is not the sum of its lots.")),
                "x.points <> x.p_points OR x.is_astray",
                "format('it holds %%s, its lots say %%s', x.points, x.p_points)",
            ),
            Case(
                Check("hold_was_set_aside", _HOLD, _("A hold was not opened by its transaction.")),
                "x.is_unopened",
                "'its transaction did not set its points aside'",
            ),
            Case(
                Check("hold_ended_as_its_state_says", _HOLD, _("A hold did not end as its state says.")),
                "x.is_unclosed",
                "'its state is not what the transaction that ended it says'",
            ),
        ),
        walk=_HOLD,
    ),
    Sweep(
        "lots that are due",
        _DUE_LOTS,
        (
            Case(
                Check("due_lots_are_expired", _LOT, _("Points that were due have not been expired.")),
                "x.is_over AND x.remaining > 0",
                "format('%%s points were due at %%s', x.remaining, x.due_at)",
            ),
            Case(
                Check("due_lots_are_released", _LOT, _("Points that were to become available are still pending.")),
                "x.is_ready",
                "format('%%s points were to become available at %%s', x.remaining, x.available_at)",
            ),
        ),
    ),
    Sweep(
        "holds that are due",
        _DUE_HOLDS,
        (
            Case(
                Check("due_holds_are_given_back", _HOLD, _("A hold past its end has not been given back.")),
                "true",
                "format('%%s points were held until %%s', x.points, x.expires_at)",
            ),
        ),
    ),
)
