-- The posting functions of the points ledger (rewards/ledger.py is their only caller).
--
-- Every function locks the account first and reads lots in a later statement: under READ COMMITTED a statement that
-- waited for the account would otherwise see lots as they were before the wait. Functions are VOLATILE, so that each
-- statement inside takes a new snapshot. Time comes in as a parameter; only recorded_at uses the database's clock.
-- A function returns an outcome; the refusal is raised in Python, whose transaction rolls everything back.

-- The hash of an entry over its own canonical payload: what was posted, to which account, with which result.
CREATE FUNCTION ledger_entry_hash(
    p_kind smallint, p_source text, p_key text, p_member bigint, p_account bigint, p_seq bigint,
    p_d_available bigint, p_d_pending bigint, p_d_held bigint, p_d_debt bigint,
    p_available bigint, p_pending bigint, p_held bigint, p_debt bigint, p_contra smallint, p_at timestamptz
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(
        int2send(p_kind) || int8send(p_member) || int8send(p_account) || int8send(p_seq)
        || int8send(p_d_available) || int8send(p_d_pending) || int8send(p_d_held) || int8send(p_d_debt)
        || int8send(p_available) || int8send(p_pending) || int8send(p_held) || int8send(p_debt)
        || int2send(p_contra) || timestamptz_send(p_at) || convert_to(p_source || chr(31) || p_key, 'UTF8'))
$$;

-- Returns the account of a member, locked until the end of the transaction; makes it when it is missing.
CREATE FUNCTION ledger_lock_account(p_member bigint, p_currency smallint) RETURNS rewards_pointsaccount
LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
BEGIN
    SELECT * INTO v_account FROM rewards_pointsaccount
        WHERE member_id = p_member AND currency_id = p_currency FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO rewards_pointsaccount (member_id, currency_id) VALUES (p_member, p_currency) ON CONFLICT DO NOTHING;
        SELECT * INTO v_account FROM rewards_pointsaccount
            WHERE member_id = p_member AND currency_id = p_currency FOR NO KEY UPDATE;
    END IF;
    RETURN v_account;
END $$;

-- Locks purchases, ascending, until the end of the transaction, so that two returns can not both take the last piece.
-- Runs with the owner's rights: a row lock asks for the right to UPDATE, which the application's role has not on history.
CREATE FUNCTION ledger_lock_purchases(p_purchases bigint[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM rewards_purchase WHERE id = ANY (p_purchases) ORDER BY id FOR NO KEY UPDATE;
END $$;

-- Writes a transaction, or returns NULL when its fact is posted already (waiting for one in flight).
CREATE FUNCTION ledger_open_transaction(
    p_kind smallint, p_source text, p_key text, p_member bigint, p_reverses bigint,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_at timestamptz, p_trace jsonb
) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    INSERT INTO rewards_ledgertransaction
        (kind, source, natural_key, member_id, reverses_id, actor_kind, actor_id, reason, happened_at, trace)
    VALUES (p_kind, p_source, p_key, p_member, p_reverses, p_actor_kind, p_actor_id, p_reason, p_at, p_trace)
    ON CONFLICT (kind, source, natural_key) DO NOTHING
    RETURNING id
$$;

-- Moves a locked account by four deltas and writes the entry; returns its id. p_account is the row as it was locked.
CREATE FUNCTION ledger_write_entry(
    p_account rewards_pointsaccount, p_transaction bigint, p_kind smallint, p_source text, p_key text,
    p_d_available bigint, p_d_pending bigint, p_d_held bigint, p_d_debt bigint, p_contra smallint, p_at timestamptz
) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH moved AS (
        UPDATE rewards_pointsaccount SET
            available = available + p_d_available, pending = pending + p_d_pending, held = held + p_d_held,
            debt = debt + p_d_debt, seq = seq + 1
        WHERE id = p_account.id RETURNING *
    )
    INSERT INTO rewards_ledgerentry
        (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
         available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
    SELECT p_transaction, m.id, m.member_id, m.seq, p_d_available, p_d_pending, p_d_held, p_d_debt,
         m.available, m.pending, m.held, m.debt, p_contra, p_at,
         ledger_entry_hash(p_kind, p_source, p_key, m.member_id, m.id, m.seq,
             p_d_available, p_d_pending, p_d_held, p_d_debt, m.available, m.pending, m.held, m.debt, p_contra, p_at)
    FROM moved AS m
    RETURNING id
$$;

-- Credits points as one lot. Points that are available at once first repay what the member owes.
-- Outcome: posted | repeated (the fact was posted before; nothing changes).
-- `available` is what can be spent after it: points past their expiry at p_at count no more, booked as expired or not.
CREATE FUNCTION ledger_accrue(
    p_member bigint, p_currency smallint, p_points bigint, p_source text, p_key text,
    p_at timestamptz, p_available_at timestamptz, p_expires_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_trace jsonb,
    OUT outcome text, OUT transaction_id bigint, OUT d_available bigint, OUT d_pending bigint, OUT d_debt bigint,
    OUT available bigint, OUT pending bigint, OUT debt bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_entry bigint;
    v_lot bigint;
    v_repaid bigint := 0;
    v_pending boolean := p_available_at > p_at;
BEGIN
    transaction_id := ledger_open_transaction(
        1::smallint, p_source, p_key, p_member, NULL, p_actor_kind, p_actor_id, p_reason, p_at, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    d_available := 0; d_pending := 0; d_debt := 0;
    IF transaction_id IS NULL THEN
        outcome := 'repeated';
    ELSE
        outcome := 'posted';
        IF p_points > 0 THEN
            IF NOT v_pending THEN
                v_repaid := least(v_account.debt, p_points);
            END IF;
            d_available := CASE WHEN v_pending THEN 0 ELSE p_points - v_repaid END;
            d_pending := CASE WHEN v_pending THEN p_points ELSE 0 END;
            d_debt := -v_repaid;
            INSERT INTO rewards_lot
                (account_id, member_id, transaction_id, amount, remaining, state, available_at, expires_at)
            VALUES (v_account.id, p_member, ledger_accrue.transaction_id, p_points, p_points - v_repaid,
                CASE WHEN v_pending THEN 1 WHEN p_points > v_repaid THEN 2 ELSE 3 END, p_available_at, p_expires_at)
            RETURNING id INTO v_lot;
            v_entry := ledger_write_entry(v_account, transaction_id,
                1::smallint, p_source, p_key, d_available, d_pending, 0, d_debt, 1::smallint, p_at);
            IF p_points > v_repaid THEN
                INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) VALUES (v_entry, v_lot, p_points - v_repaid, 0);
            END IF;
        END IF;
    END IF;
    available := v_account.available + d_available - (
        SELECT coalesce(sum(l.remaining), 0) FROM rewards_lot l
            WHERE l.account_id = v_account.id AND l.remaining > 0 AND l.state = 2 AND l.expires_at <= p_at);
    pending := v_account.pending + d_pending; debt := v_account.debt + d_debt;
END $$;

-- Spends points, earliest expiry first, from lots that are live at p_at.
-- Outcome: posted | repeated | insufficient (then d_available holds what could be spent; the caller rolls back).
-- `available` is what can be spent after it, as in ledger_accrue.
CREATE FUNCTION ledger_burn(
    p_member bigint, p_currency smallint, p_points bigint, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_trace jsonb,
    OUT outcome text, OUT transaction_id bigint, OUT d_available bigint, OUT d_pending bigint, OUT d_debt bigint,
    OUT available bigint, OUT pending bigint, OUT debt bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_entry bigint;
    v_spendable bigint;
BEGIN
    transaction_id := ledger_open_transaction(
        3::smallint, p_source, p_key, p_member, NULL, p_actor_kind, p_actor_id, p_reason, p_at, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    d_available := 0; d_pending := 0; d_debt := 0;
    SELECT coalesce(sum(l.remaining), 0) INTO v_spendable FROM rewards_lot l
        WHERE l.account_id = v_account.id AND l.remaining > 0 AND l.state = 2 AND (l.expires_at IS NULL OR l.expires_at > p_at);
    IF transaction_id IS NULL THEN
        outcome := 'repeated';
    ELSE
        IF v_spendable < p_points THEN
            outcome := 'insufficient';
            d_available := v_spendable;
        ELSE
            outcome := 'posted';
            d_available := -p_points;
            v_entry := ledger_write_entry(v_account, transaction_id,
                3::smallint, p_source, p_key, d_available, 0, 0, 0, 2::smallint, p_at);
            PERFORM ledger_eat_lots(v_account.id, v_entry, p_points, p_at, NULL);
        END IF;
    END IF;
    available := v_spendable - CASE WHEN outcome = 'posted' THEN p_points ELSE 0 END;
    pending := v_account.pending; debt := v_account.debt;
END $$;

-- Takes points out of the open lots of a locked account, earliest expiry first, and writes the moves.
-- With p_transaction only the lots of that transaction, whatever their state; else only lots live at p_at.
-- Returns what was taken from available (o_live) and from pending (o_pending).
CREATE FUNCTION ledger_eat_lots(
    p_account bigint, p_entry bigint, p_points bigint, p_at timestamptz, p_transaction bigint,
    OUT o_live bigint, OUT o_pending bigint
) LANGUAGE sql VOLATILE AS $$
    WITH open_lot AS (
        SELECT id, state, remaining,
               sum(remaining) OVER (ORDER BY expires_at NULLS LAST, id) - remaining AS before
        FROM rewards_lot
        WHERE account_id = p_account AND remaining > 0
          AND CASE WHEN p_transaction IS NOT NULL THEN transaction_id = p_transaction
                   ELSE state = 2 AND (expires_at IS NULL OR expires_at > p_at) END
    ), eaten AS (
        SELECT id, state, least(remaining, p_points - before) AS points FROM open_lot WHERE before < p_points
    ), lots AS (
        UPDATE rewards_lot AS l SET
            remaining = l.remaining - eaten.points,
            state = CASE WHEN l.remaining = eaten.points AND l.held = 0 THEN 3 ELSE l.state END
        FROM eaten WHERE l.id = eaten.id
    ), moves AS (
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) SELECT p_entry, id, -points, 0 FROM eaten
    )
    SELECT coalesce(sum(points) FILTER (WHERE state = 2), 0)::bigint, coalesce(sum(points) FILTER (WHERE state = 1), 0)::bigint
    FROM eaten
$$;

-- Takes back points after a return: from the purchase's own lot (pending or available), then what of that lot had
-- expired already is forgiven, then other live lots, and the rest becomes arrears.
-- p_origin_key NULL: the sale is unknown. Outcome: posted | repeated.
CREATE FUNCTION ledger_take_back(
    p_member bigint, p_currency smallint, p_points bigint, p_source text, p_key text, p_at timestamptz,
    p_origin_source text, p_origin_key text, p_actor_kind text, p_actor_id bigint, p_reason text, p_trace jsonb,
    OUT outcome text, OUT transaction_id bigint, OUT d_available bigint, OUT d_pending bigint, OUT d_debt bigint,
    OUT available bigint, OUT pending bigint, OUT debt bigint, OUT forgiven bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_entry bigint;
    v_origin bigint;
    v_own_live bigint := 0;
    v_own_pending bigint := 0;
    v_from_own bigint := 0;
    v_from_others bigint := 0;
    v_lot record;
BEGIN
    IF p_origin_key IS NOT NULL THEN
        SELECT id INTO v_origin FROM rewards_ledgertransaction
            WHERE kind = 1 AND source = p_origin_source AND natural_key = p_origin_key;
    END IF;
    transaction_id := ledger_open_transaction(
        4::smallint, p_source, p_key, p_member, v_origin, p_actor_kind, p_actor_id, p_reason, p_at, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    d_available := 0; d_pending := 0; d_debt := 0; forgiven := 0;
    IF transaction_id IS NULL THEN
        outcome := 'repeated';
    ELSE
        outcome := 'posted';
        IF v_origin IS NOT NULL THEN
            SELECT l.id, l.state, l.remaining,
                   coalesce((SELECT -sum(m.d_remaining) FROM rewards_lotmove m
                        JOIN rewards_ledgerentry e ON e.id = m.entry_id
                        JOIN rewards_ledgertransaction t ON t.id = e.transaction_id AND t.kind = 5
                        WHERE m.lot_id = l.id), 0)
                   - coalesce((SELECT sum(v.points) FROM rewards_lotevent v WHERE v.lot_id = l.id AND v.kind = 3), 0) AS expired
                INTO v_lot FROM rewards_lot l WHERE l.transaction_id = v_origin;
            IF FOUND THEN
                v_from_own := least(p_points, v_lot.remaining);
                v_own_pending := CASE WHEN v_lot.state = 1 THEN v_from_own ELSE 0 END;
                v_own_live := v_from_own - v_own_pending;
                forgiven := least(p_points - v_from_own, v_lot.expired);
            END IF;
        END IF;
        SELECT least(p_points - v_from_own - forgiven, coalesce(sum(l.remaining), 0)) INTO v_from_others FROM rewards_lot l
            WHERE l.account_id = v_account.id AND l.remaining > 0 AND l.state = 2
              AND (l.expires_at IS NULL OR l.expires_at > p_at) AND l.transaction_id IS DISTINCT FROM v_origin;
        d_available := -(v_own_live + v_from_others);
        d_pending := -v_own_pending;
        d_debt := p_points - v_from_own - forgiven - v_from_others;
        IF forgiven > 0 THEN
            INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, happened_at)
                VALUES (v_lot.id, ledger_take_back.transaction_id, 3, forgiven, p_at);
        END IF;
        IF d_available <> 0 OR d_pending <> 0 OR d_debt <> 0 THEN
            v_entry := ledger_write_entry(v_account, transaction_id,
                4::smallint, p_source, p_key, d_available, d_pending, 0, d_debt, 1::smallint, p_at);
            IF v_from_own > 0 THEN
                PERFORM ledger_eat_lots(v_account.id, v_entry, v_from_own, p_at, v_origin);
            END IF;
            IF v_from_others > 0 THEN
                PERFORM ledger_eat_lots(v_account.id, v_entry, v_from_others, p_at, NULL);
            END IF;
        END IF;
    END IF;
    available := v_account.available + d_available; pending := v_account.pending + d_pending; debt := v_account.debt + d_debt;
END $$;

-- Expires what is due at p_at in the given accounts: one transaction and entry for each lot, keyed by lot and expiry,
-- so that a second run, or one beside it, finds nothing to do. Returns one row for each account that lost points.
CREATE FUNCTION ledger_expire_accounts(p_at timestamptz, p_accounts bigint[])
RETURNS TABLE (member_id bigint, lots int, points bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM rewards_pointsaccount a WHERE a.id = ANY (p_accounts) ORDER BY a.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH due AS (
        SELECT l.id, l.account_id, l.member_id, l.remaining, l.state, l.expires_at,
               row_number() OVER w AS n,
               sum(CASE WHEN l.state = 2 THEN l.remaining ELSE 0 END) OVER w AS live_so_far,
               sum(CASE WHEN l.state = 1 THEN l.remaining ELSE 0 END) OVER w AS pending_so_far
        FROM rewards_lot l
        WHERE l.account_id = ANY (p_accounts) AND l.remaining > 0 AND l.expires_at <= p_at
        WINDOW w AS (PARTITION BY l.account_id ORDER BY l.expires_at, l.id)
    ), opened AS (
        INSERT INTO rewards_ledgertransaction AS t (kind, source, natural_key, member_id, actor_kind, happened_at)
        SELECT 5, 'lot', d.id || ':' || extract(epoch FROM d.expires_at)::bigint, d.member_id, 'system', p_at FROM due d
        ORDER BY d.account_id, d.n
        RETURNING t.id, t.natural_key
    ), posted AS (
        INSERT INTO rewards_ledgerentry AS e
            (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
             available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
        SELECT o.id, d.account_id, d.member_id, a.seq + d.n,
            -x.live, -x.pending, 0, 0, a.available - d.live_so_far, a.pending - d.pending_so_far, a.held, a.debt, 3, p_at,
            ledger_entry_hash(5::smallint, 'lot', o.natural_key, d.member_id, d.account_id, a.seq + d.n,
                -x.live, -x.pending, 0, 0, a.available - d.live_so_far::bigint, a.pending - d.pending_so_far::bigint,
                a.held, a.debt, 3::smallint, p_at)
        FROM due d
        JOIN rewards_pointsaccount a ON a.id = d.account_id
        JOIN opened o ON o.natural_key = d.id || ':' || extract(epoch FROM d.expires_at)::bigint
        CROSS JOIN LATERAL (SELECT CASE WHEN d.state = 2 THEN d.remaining ELSE 0 END AS live,
                                   CASE WHEN d.state = 1 THEN d.remaining ELSE 0 END AS pending) AS x
        RETURNING e.id, e.account_id, e.seq
    ), moved AS (
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT p.id, d.id, -d.remaining, 0
        FROM posted p JOIN rewards_pointsaccount a ON a.id = p.account_id
        JOIN due d ON d.account_id = p.account_id AND a.seq + d.n = p.seq
    ), emptied AS (
        UPDATE rewards_lot l SET remaining = 0, state = CASE WHEN l.held = 0 THEN 3 ELSE l.state END FROM due d WHERE l.id = d.id
    ), sums AS (
        SELECT d.account_id, d.member_id, count(*)::int AS lots, sum(d.remaining)::bigint AS points,
               max(d.live_so_far) AS live, max(d.pending_so_far) AS pending
        FROM due d GROUP BY d.account_id, d.member_id
    ), balanced AS (
        UPDATE rewards_pointsaccount a SET available = a.available - s.live, pending = a.pending - s.pending, seq = a.seq + s.lots
        FROM sums s WHERE a.id = s.account_id
    )
    SELECT s.member_id, s.lots, s.points FROM sums s ORDER BY s.account_id;
END $$;

-- Makes pending lots available whose time has come; what the member owes is repaid first. One transaction for each lot.
CREATE FUNCTION ledger_release_account(p_at timestamptz, p_account bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_lot rewards_lot;
    v_transaction bigint;
    v_entry bigint;
    v_repaid bigint;
    v_released bigint := 0;
BEGIN
    SELECT * INTO v_account FROM rewards_pointsaccount WHERE id = p_account FOR NO KEY UPDATE;
    FOR v_lot IN
        SELECT * FROM rewards_lot WHERE account_id = p_account AND state = 1 AND available_at <= p_at ORDER BY available_at, id
    LOOP
        v_transaction := ledger_open_transaction(
            2::smallint, 'lot', v_lot.id::text, v_account.member_id, NULL, 'system', NULL, '', p_at, NULL);
        v_repaid := least(v_account.debt, v_lot.remaining);
        UPDATE rewards_lot SET remaining = remaining - v_repaid, state = CASE WHEN remaining > v_repaid THEN 2 ELSE 3 END
            WHERE id = v_lot.id;
        INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, happened_at)
            VALUES (v_lot.id, v_transaction, 1, v_lot.remaining, p_at);
        v_entry := ledger_write_entry(v_account, v_transaction,
            2::smallint, 'lot', v_lot.id::text, v_lot.remaining - v_repaid, -v_lot.remaining, 0, -v_repaid, 4::smallint, p_at);
        IF v_repaid > 0 THEN
            INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) VALUES (v_entry, v_lot.id, -v_repaid, 0);
        END IF;
        v_account.debt := v_account.debt - v_repaid;
        v_released := v_released + v_lot.remaining;
    END LOOP;
    RETURN v_released;
END $$;

-- Posts many facts from the temporary table ledger_batch (rewards/ledger.py makes and fills it by COPY), in the order of
-- ord within each account. Accounts are locked ascending first. Accounts that only earn and owe nothing are posted
-- set-based; the others fact by fact through the same functions as live traffic. Returns a row for each fact.
CREATE FUNCTION ledger_post_batch() RETURNS TABLE (
    ord int, outcome text, d_available bigint, d_pending bigint, d_debt bigint, forgiven bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    b record;
    r record;
BEGIN
    INSERT INTO rewards_pointsaccount (member_id, currency_id)
        SELECT DISTINCT member_id, currency_id FROM ledger_batch ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    PERFORM 1 FROM rewards_pointsaccount a
        WHERE (a.member_id, a.currency_id) IN (SELECT member_id, currency_id FROM ledger_batch) ORDER BY a.id FOR NO KEY UPDATE;

    CREATE TEMP TABLE IF NOT EXISTS ledger_batch_plain (member_id bigint, currency_id smallint) ON COMMIT DELETE ROWS;
    TRUNCATE ledger_batch_plain;
    INSERT INTO ledger_batch_plain
        SELECT x.member_id, x.currency_id FROM ledger_batch x
        JOIN rewards_pointsaccount a ON a.member_id = x.member_id AND a.currency_id = x.currency_id
        GROUP BY x.member_id, x.currency_id HAVING bool_and(x.kind = 1) AND max(a.debt) = 0;

    RETURN QUERY
    WITH opened AS (
        INSERT INTO rewards_ledgertransaction AS t
            (kind, source, natural_key, member_id, actor_kind, actor_id, reason, happened_at, trace)
        SELECT 1, x.source, x.natural_key, x.member_id, x.actor_kind, x.actor_id, x.reason, x.happened_at, x.trace
        FROM ledger_batch x JOIN ledger_batch_plain USING (member_id, currency_id) ORDER BY x.member_id, x.ord
        ON CONFLICT (kind, source, natural_key) DO NOTHING
        RETURNING t.id, t.source, t.natural_key
    ), fact AS (
        SELECT x.*, o.id AS transaction_id, x.available_at > x.happened_at AS is_pending
        FROM ledger_batch x JOIN ledger_batch_plain USING (member_id, currency_id)
        JOIN opened o ON o.source = x.source AND o.natural_key = x.natural_key
    ), numbered AS (
        SELECT f.ord, f.transaction_id, a.id AS account_id, f.member_id, f.points, f.source, f.natural_key, f.happened_at,
               f.available_at, f.expires_at, f.is_pending, a.held,
               a.seq + row_number() OVER w AS seq,
               a.available + sum(CASE WHEN f.is_pending THEN 0 ELSE f.points END) OVER w AS available,
               a.pending + sum(CASE WHEN f.is_pending THEN f.points ELSE 0 END) OVER w AS pending
        FROM fact f JOIN rewards_pointsaccount a ON a.member_id = f.member_id AND a.currency_id = f.currency_id
        WHERE f.points > 0
        WINDOW w AS (PARTITION BY a.id ORDER BY f.ord)
    ), posted AS (
        INSERT INTO rewards_ledgerentry AS e
            (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
             available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
        SELECT n.transaction_id, n.account_id, n.member_id, n.seq,
               CASE WHEN n.is_pending THEN 0 ELSE n.points END, CASE WHEN n.is_pending THEN n.points ELSE 0 END, 0, 0,
               n.available, n.pending, n.held, 0, 1, n.happened_at,
               ledger_entry_hash(1::smallint, n.source, n.natural_key, n.member_id, n.account_id, n.seq,
                   CASE WHEN n.is_pending THEN 0 ELSE n.points END, CASE WHEN n.is_pending THEN n.points ELSE 0 END, 0, 0,
                   n.available::bigint, n.pending::bigint, n.held, 0, 1::smallint, n.happened_at)
        FROM numbered n ORDER BY n.account_id, n.seq
        RETURNING e.id, e.transaction_id
    ), stocked AS (
        INSERT INTO rewards_lot AS l (account_id, member_id, transaction_id, amount, remaining, state, available_at, expires_at)
        SELECT n.account_id, n.member_id, n.transaction_id, n.points, n.points, CASE WHEN n.is_pending THEN 1 ELSE 2 END,
               n.available_at, n.expires_at
        FROM numbered n ORDER BY n.account_id, n.seq
        RETURNING l.id, l.transaction_id, l.amount
    ), moved AS (
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT p.id, s.id, s.amount, 0 FROM posted p JOIN stocked s USING (transaction_id)
    ), balanced AS (
        UPDATE rewards_pointsaccount a SET available = s.available, pending = s.pending, seq = s.seq
        FROM (SELECT account_id, max(seq) AS seq, (array_agg(available ORDER BY seq DESC))[1] AS available,
                     (array_agg(pending ORDER BY seq DESC))[1] AS pending FROM numbered GROUP BY account_id) AS s
        WHERE a.id = s.account_id
    )
    SELECT x.ord, CASE WHEN f.transaction_id IS NULL THEN 'repeated' ELSE 'posted' END,
           CASE WHEN f.transaction_id IS NULL OR f.is_pending THEN 0 ELSE x.points END,
           CASE WHEN f.transaction_id IS NULL OR NOT f.is_pending THEN 0 ELSE x.points END, 0::bigint, 0::bigint
    FROM ledger_batch x JOIN ledger_batch_plain USING (member_id, currency_id) LEFT JOIN fact f ON f.ord = x.ord;

    FOR b IN
        SELECT x.* FROM ledger_batch x
        LEFT JOIN ledger_batch_plain p ON p.member_id = x.member_id AND p.currency_id = x.currency_id
        WHERE p.member_id IS NULL ORDER BY x.member_id, x.ord
    LOOP
        IF b.kind = 1 THEN
            SELECT a.outcome, a.d_available, a.d_pending, a.d_debt, 0::bigint INTO outcome, d_available, d_pending, d_debt, forgiven
            FROM ledger_accrue(b.member_id, b.currency_id, b.points, b.source, b.natural_key, b.happened_at,
                b.available_at, b.expires_at, b.actor_kind, b.actor_id, b.reason, b.trace) AS a;
        ELSE
            SELECT a.outcome, a.d_available, a.d_pending, a.d_debt, a.forgiven INTO outcome, d_available, d_pending, d_debt, forgiven
            FROM ledger_take_back(b.member_id, b.currency_id, b.points, b.source, b.natural_key, b.happened_at,
                b.origin_source, b.origin_key, b.actor_kind, b.actor_id, b.reason, b.trace) AS a;
        END IF;
        ord := b.ord;
        RETURN NEXT;
    END LOOP;
END $$;
