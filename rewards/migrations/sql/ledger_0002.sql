-- The posting functions of the points ledger, for several currencies and all kinds of facts (rewards/ledger.py is their
-- only caller). They take the place of those in ledger_0001.sql, except ledger_entry_hash, ledger_lock_account and
-- ledger_lock_purchases, which stay.
--
-- Every function locks the account first and reads lots in a later statement: under READ COMMITTED a statement that
-- waited for the account would otherwise see lots as they were before the wait. Many accounts are locked by currency, then
-- by id, as a purchase locks them: first the account of the default currency, which is the oldest one. Functions are VOLATILE, so that each
-- statement inside takes a new snapshot. Time comes in as a parameter; only recorded_at uses the database's clock.
-- A function returns an outcome; the refusal is raised in Python, whose transaction rolls everything back.
--
-- A lot expires at the earlier of its own expires_at and its account's deadline_at (inactivity). Spans are half-open.

-- What every posting answers. `available` leaves out what is past its expiry but not booked as expired yet.
CREATE TYPE ledger_posting AS (
    outcome text, transaction_id bigint, d_available bigint, d_pending bigint, d_debt bigint,
    available bigint, pending bigint, debt bigint, forgiven bigint, given_up bigint, expired bigint, hold_id bigint
);

-- Writes a transaction, or returns NULL when its fact is posted already (waiting for one in flight).
CREATE FUNCTION ledger_open_transaction(
    p_kind smallint, p_source text, p_key text, p_currency smallint, p_member bigint, p_reverses bigint,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_at timestamptz, p_store bigint, p_tier text, p_trace jsonb
) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    INSERT INTO rewards_ledgertransaction
        (kind, source, natural_key, currency_id, member_id, reverses_id, actor_kind, actor_id, reason, happened_at,
         store_id, tier_code, trace)
    VALUES (p_kind, p_source, p_key, p_currency, p_member, p_reverses, p_actor_kind, p_actor_id, p_reason, p_at,
         p_store, p_tier, p_trace)
    ON CONFLICT (kind, source, natural_key, currency_id) DO NOTHING
    RETURNING id
$$;

-- Moves a locked account by four deltas and writes the entry; returns its id. Pushes the inactivity deadline, never back.
CREATE FUNCTION ledger_write_entry(
    p_account bigint, p_transaction bigint, p_kind smallint, p_source text, p_key text, p_d_available bigint, p_d_pending bigint,
    p_d_held bigint, p_d_debt bigint, p_contra smallint, p_at timestamptz, p_deadline timestamptz
) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH moved AS (
        UPDATE rewards_pointsaccount SET
            available = available + p_d_available, pending = pending + p_d_pending, held = held + p_d_held,
            debt = debt + p_d_debt, seq = seq + 1, deadline_at = greatest(deadline_at, p_deadline)
        WHERE id = p_account RETURNING *
    )
    INSERT INTO rewards_ledgerentry
        (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
         available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
    SELECT p_transaction, m.id, m.member_id, m.seq, p_d_available, p_d_pending, p_d_held, p_d_debt,
         m.available, m.pending, m.held, m.debt, p_contra, p_at,
         ledger_entry_hash(p_kind, p_source, p_key, m.member_id, m.id, m.seq,
             p_d_available, p_d_pending, p_d_held, p_d_debt, m.available, m.pending, m.held, m.debt, p_contra, p_at)
    FROM moved m
    RETURNING id
$$;

-- Points of a locked account that are live at p_at.
CREATE FUNCTION ledger_spendable(p_account bigint, p_deadline timestamptz, p_at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(remaining), 0)::bigint FROM rewards_lot
    WHERE account_id = p_account AND remaining > 0 AND state = 2 AND (expires_at IS NULL OR expires_at > p_at)
      AND (p_deadline IS NULL OR p_deadline > p_at)
$$;

-- Takes points out of the open lots of a locked account, earliest expiry first, and writes the moves. With p_transaction
-- only the lots of that transaction, whatever their state; else only lots live at p_at. With p_to_held the points stay on
-- the lots as held ones. Returns what was taken from available (o_live) and from pending (o_pending).
CREATE FUNCTION ledger_eat_lots(
    p_account bigint, p_entry bigint, p_points bigint, p_at timestamptz, p_transaction bigint, p_to_held boolean,
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
        SELECT id, state, least(remaining, p_points - before)::bigint AS points FROM open_lot WHERE before < p_points
    ), lots AS (
        UPDATE rewards_lot AS l SET
            remaining = l.remaining - eaten.points,
            held = CASE WHEN p_to_held THEN l.held + eaten.points ELSE l.held END,
            state = CASE WHEN l.remaining = eaten.points AND l.held = 0 AND NOT p_to_held THEN 3 ELSE l.state END
        FROM eaten WHERE l.id = eaten.id
    ), moves AS (
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT p_entry, id, -points, CASE WHEN p_to_held THEN points ELSE 0 END FROM eaten
    )
    SELECT coalesce(sum(points) FILTER (WHERE state = 2), 0)::bigint, coalesce(sum(points) FILTER (WHERE state = 1), 0)::bigint
    FROM eaten
$$;

-- Expires what is due at p_at in the given accounts: one transaction and entry for each lot, keyed by lot and expiry,
-- so that a second run, or one beside it, finds nothing to do. Returns one row for each account that lost points.
CREATE FUNCTION ledger_expire_accounts(p_at timestamptz, p_accounts bigint[])
RETURNS TABLE (member_id bigint, lots int, points bigint, currency_id smallint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM rewards_pointsaccount a WHERE a.id = ANY (p_accounts) ORDER BY a.currency_id, a.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH due AS (
        SELECT l.id, l.account_id, l.member_id, l.remaining, a.currency_id, x.live, x.pending, k.natural_key,
               a.available, a.pending AS pending_before, a.held, a.debt,
               a.seq + row_number() OVER w AS seq,
               sum(x.live) OVER w AS live_so_far, sum(x.pending) OVER w AS pending_so_far
        FROM rewards_pointsaccount a
        JOIN rewards_lot l ON l.account_id = a.id
        CROSS JOIN LATERAL (SELECT CASE WHEN l.state = 2 THEN l.remaining ELSE 0 END AS live,
                                   CASE WHEN l.state = 1 THEN l.remaining ELSE 0 END AS pending) AS x
        CROSS JOIN LATERAL (SELECT l.id || ':' || extract(epoch FROM least(l.expires_at, a.deadline_at))::bigint
            || CASE WHEN l.expiries > 0 THEN ':' || l.expiries ELSE '' END AS natural_key) AS k
        WHERE a.id = ANY (p_accounts) AND l.remaining > 0 AND least(l.expires_at, a.deadline_at) <= p_at
        WINDOW w AS (PARTITION BY l.account_id ORDER BY l.expires_at NULLS LAST, l.id)
    ), opened AS (
        INSERT INTO rewards_ledgertransaction AS t (kind, source, natural_key, currency_id, member_id, actor_kind, happened_at)
        SELECT 5, 'lot', d.natural_key, d.currency_id, d.member_id, 'system', p_at FROM due d ORDER BY d.account_id, d.seq
        RETURNING t.id, t.natural_key
    ), posted AS (
        INSERT INTO rewards_ledgerentry AS e
            (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
             available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
        SELECT o.id, d.account_id, d.member_id, d.seq,
            -d.live, -d.pending, 0, 0, d.available - d.live_so_far, d.pending_before - d.pending_so_far, d.held, d.debt, 3, p_at,
            ledger_entry_hash(5::smallint, 'lot', d.natural_key, d.member_id, d.account_id, d.seq,
                -d.live, -d.pending, 0, 0, (d.available - d.live_so_far)::bigint,
                (d.pending_before - d.pending_so_far)::bigint, d.held, d.debt, 3::smallint, p_at)
        FROM due d JOIN opened o ON o.natural_key = d.natural_key
        RETURNING e.id, e.account_id, e.seq
    ), moved AS (
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT p.id, d.id, -d.remaining, 0 FROM posted p JOIN due d ON d.account_id = p.account_id AND d.seq = p.seq
    ), emptied AS (
        UPDATE rewards_lot l SET remaining = 0, expiries = l.expiries + 1, state = CASE WHEN l.held = 0 THEN 3 ELSE l.state END
        FROM due d WHERE l.id = d.id
    ), sums AS (
        SELECT d.account_id, d.member_id, d.currency_id, count(*)::int AS lots, sum(d.remaining)::bigint AS points,
               max(d.live_so_far) AS live, max(d.pending_so_far) AS pending
        FROM due d GROUP BY d.account_id, d.member_id, d.currency_id
    ), balanced AS (
        UPDATE rewards_pointsaccount a SET
            available = a.available - coalesce(s.live, 0), pending = a.pending - coalesce(s.pending, 0),
            seq = a.seq + coalesce(s.lots, 0), deadline_at = CASE WHEN a.deadline_at > p_at THEN a.deadline_at END
        FROM unnest(p_accounts) AS u (id) LEFT JOIN sums s ON s.account_id = u.id
        WHERE a.id = u.id AND (s.account_id IS NOT NULL OR a.deadline_at <= p_at)
    )
    SELECT s.member_id, s.lots, s.points, s.currency_id FROM sums s ORDER BY s.account_id;
END $$;

-- Ends a hold of a locked account: p_points of it are redeemed, the rest goes back to its lots after arrears are repaid.
-- What is redeemed and repaid is taken from the lots that expire first.
CREATE FUNCTION ledger_end_hold(
    p_hold rewards_hold, p_debt bigint, p_points bigint, p_transaction bigint, p_kind smallint, p_source text, p_key text,
    p_at timestamptz, p_state smallint, OUT o_repaid bigint, OUT o_back bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_entry bigint;
BEGIN
    o_repaid := least(p_debt, p_hold.points - p_points);
    o_back := p_hold.points - p_points - o_repaid;
    v_entry := ledger_write_entry(p_hold.account_id, p_transaction, p_kind, p_source, p_key,
        o_back, 0, -p_hold.points, -o_repaid, CASE WHEN p_points > 0 THEN 2 ELSE 4 END::smallint, p_at, NULL);
    WITH part AS (
        SELECT h.lot_id, h.points,
               greatest(least(h.points, p_points + o_repaid - (sum(h.points) OVER w - h.points)), 0)::bigint AS taken
        FROM rewards_holdlot h JOIN rewards_lot l ON l.id = h.lot_id WHERE h.hold_id = p_hold.id
        WINDOW w AS (ORDER BY l.expires_at NULLS LAST, l.id)
    ), lots AS (
        UPDATE rewards_lot l SET
            held = l.held - part.points, remaining = l.remaining + part.points - part.taken,
            state = CASE WHEN l.held = part.points AND l.remaining + part.points = part.taken THEN 3 ELSE l.state END
        FROM part WHERE l.id = part.lot_id
    )
    INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT v_entry, lot_id, points - taken, -points FROM part;
    UPDATE rewards_hold SET state = p_state, closed_by_id = p_transaction WHERE id = p_hold.id;
END $$;

-- Gives back the holds of a locked account that are past their end at p_at; returns the account as it is then.
CREATE FUNCTION ledger_release_due_holds(p_account rewards_pointsaccount, p_at timestamptz) RETURNS rewards_pointsaccount
LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount := p_account;
    v_hold rewards_hold;
    v_transaction bigint;
BEGIN
    FOR v_hold IN
        SELECT * FROM rewards_hold WHERE account_id = p_account.id AND state = 1 AND expires_at <= p_at ORDER BY expires_at, id
    LOOP
        v_transaction := ledger_open_transaction(8::smallint, 'hold', v_hold.id::text, v_account.currency_id,
            v_account.member_id, v_hold.transaction_id, 'system', NULL, '', p_at, NULL, '', NULL);
        PERFORM ledger_end_hold(v_hold, v_account.debt, 0, v_transaction, 8::smallint, 'hold', v_hold.id::text, p_at, 4::smallint);
        SELECT * INTO v_account FROM rewards_pointsaccount WHERE id = p_account.id;
    END LOOP;
    RETURN v_account;
END $$;

-- The answer of a posting: the balances of the account as they stand now. What is overdue is judged at p_now.
CREATE FUNCTION ledger_answer(
    p_outcome text, p_transaction bigint, p_account bigint, p_d_available bigint, p_d_pending bigint, p_d_debt bigint,
    p_now timestamptz, p_forgiven bigint, p_given_up bigint, p_expired bigint, p_hold bigint
) RETURNS ledger_posting LANGUAGE sql VOLATILE AS $$
    SELECT ROW(p_outcome, p_transaction, p_d_available, p_d_pending, p_d_debt,
        a.available - CASE WHEN a.deadline_at <= p_now THEN a.available ELSE (
            SELECT coalesce(sum(l.remaining), 0)::bigint FROM rewards_lot l
            WHERE l.account_id = a.id AND l.remaining > 0 AND l.state = 2 AND l.expires_at <= p_now) END,
        a.pending, a.debt, p_forgiven, p_given_up, p_expired, p_hold)::ledger_posting
    FROM rewards_pointsaccount a WHERE a.id = p_account
$$;

-- Credits points as lots, in the order given. Lots that are available at once repay arrears first; a lot with
-- available_at after p_at is pending. Outcome: posted | repeated.
CREATE FUNCTION ledger_credit(
    p_kind smallint, p_contra smallint, p_member bigint, p_currency smallint, p_source text, p_key text, p_at timestamptz,
    p_now timestamptz, p_points bigint[], p_origins smallint[], p_available_at timestamptz[], p_expires_at timestamptz[],
    p_deadline timestamptz, p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_transaction bigint;
    v_entry bigint;
    v_lot bigint;
    v_lots bigint[] := '{}';
    v_moved bigint[] := '{}';
    v_live bigint := 0;
    v_pending bigint := 0;
    v_repaid bigint := 0;
    v_expired bigint := 0;
    v_now_repaid bigint;
    v_left bigint;
BEGIN
    v_transaction := ledger_open_transaction(p_kind, p_source, p_key, p_currency, p_member, NULL,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_now, 0, 0, 0, NULL);
    END IF;
    IF v_account.held > 0 THEN
        v_account := ledger_release_due_holds(v_account, p_at);
    END IF;
    IF v_account.deadline_at <= p_at THEN
        -- Book what inactivity ended, or the points that come in now would fall under the old deadline.
        SELECT coalesce(sum(e.points), 0) INTO v_expired FROM ledger_expire_accounts(p_at, ARRAY[v_account.id]) AS e;
    END IF;
    FOR i IN 1 .. cardinality(p_points) LOOP
        v_now_repaid := CASE WHEN p_available_at[i] > p_at THEN 0 ELSE least(v_account.debt - v_repaid, p_points[i]) END;
        v_left := p_points[i] - v_now_repaid;
        INSERT INTO rewards_lot
            (account_id, member_id, transaction_id, amount, remaining, state, available_at, expires_at, origin)
        VALUES (v_account.id, p_member, v_transaction, p_points[i], v_left,
            CASE WHEN p_available_at[i] > p_at THEN 1 WHEN v_left > 0 THEN 2 ELSE 3 END, p_available_at[i], p_expires_at[i], p_origins[i])
        RETURNING id INTO v_lot;
        v_repaid := v_repaid + v_now_repaid;
        IF p_available_at[i] > p_at THEN v_pending := v_pending + v_left; ELSE v_live := v_live + v_left; END IF;
        IF v_left > 0 THEN v_lots := v_lots || v_lot; v_moved := v_moved || v_left; END IF;
    END LOOP;
    IF cardinality(p_points) > 0 THEN
        v_entry := ledger_write_entry(v_account.id, v_transaction, p_kind, p_source, p_key,
            v_live, v_pending, 0, -v_repaid, p_contra, p_at, p_deadline);
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
            SELECT v_entry, m.lot, m.points, 0 FROM unnest(v_lots, v_moved) AS m (lot, points);
    ELSIF p_deadline IS NOT NULL THEN
        UPDATE rewards_pointsaccount SET deadline_at = greatest(deadline_at, p_deadline) WHERE id = v_account.id;
    END IF;
    RETURN ledger_answer('posted', v_transaction, v_account.id, v_live, v_pending, -v_repaid, p_now, 0, 0, v_expired, NULL);
END $$;

-- Spends points, earliest expiry first, from lots that are live at p_at.
-- Outcome: posted | repeated | insufficient (then d_available holds what could be spent; the caller rolls back).
CREATE FUNCTION ledger_debit(
    p_kind smallint, p_contra smallint, p_member bigint, p_currency smallint, p_points bigint, p_source text, p_key text,
    p_at timestamptz, p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_transaction bigint;
    v_entry bigint;
    v_spendable bigint;
BEGIN
    v_transaction := ledger_open_transaction(p_kind, p_source, p_key, p_currency, p_member, NULL,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    IF v_account.held > 0 THEN
        v_account := ledger_release_due_holds(v_account, p_at);
    END IF;
    v_spendable := ledger_spendable(v_account.id, v_account.deadline_at, p_at);
    IF v_spendable < p_points THEN
        RETURN ledger_answer('insufficient', NULL, v_account.id, v_spendable, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    v_entry := ledger_write_entry(v_account.id, v_transaction, p_kind, p_source, p_key, -p_points, 0, 0, 0, p_contra, p_at, NULL);
    PERFORM ledger_eat_lots(v_account.id, v_entry, p_points, p_at, NULL, false);
    RETURN ROW('posted', v_transaction, -p_points, 0, 0, v_spendable - p_points, v_account.pending, v_account.debt, 0, 0, 0, NULL)::ledger_posting;
END $$;

-- What of a lot is booked as expired, was not given back since, and was not met by a return.
CREATE FUNCTION ledger_expired_of(p_lot bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH expiry AS (
        SELECT t.id, -m.d_remaining AS points FROM rewards_lotmove m
        JOIN rewards_ledgerentry e ON e.id = m.entry_id
        JOIN rewards_ledgertransaction t ON t.id = e.transaction_id AND t.kind = 5
        WHERE m.lot_id = p_lot
    )
    SELECT ((SELECT coalesce(sum(points), 0) FROM expiry)
        - (SELECT coalesce(sum(e.d_available - e.d_debt), 0) FROM rewards_ledgertransaction t
            JOIN rewards_ledgerentry e ON e.transaction_id = t.id
            WHERE t.kind = 9 AND t.reverses_id IN (SELECT id FROM expiry))
        - (SELECT coalesce(sum(v.points), 0) FROM rewards_lotevent v WHERE v.lot_id = p_lot AND v.kind = 3))::bigint
$$;

-- Takes back points of a credit (a return, a wrong credit): first from the credit's own lots, pending or available; then
-- what of them had been booked as expired is forgiven; then, with p_from_others, other live lots; then arrears up to
-- p_debt_limit in all (NULL: no limit); the rest is given up. p_origin NULL: the credit is unknown. Outcome: posted | repeated.
CREATE FUNCTION ledger_claw_back(
    p_kind smallint, p_contra smallint, p_member bigint, p_currency smallint, p_points bigint, p_origin bigint,
    p_from_others boolean, p_debt_limit bigint, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_transaction bigint;
    v_entry bigint;
    v_own bigint := 0;
    v_own_pending bigint := 0;
    v_others bigint := 0;
    v_forgiven bigint := 0;
    v_debt bigint;
    v_given_up bigint;
    v_part bigint;
    v_lot record;
BEGIN
    v_transaction := ledger_open_transaction(p_kind, p_source, p_key, p_currency, p_member, p_origin,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    IF v_account.held > 0 THEN
        v_account := ledger_release_due_holds(v_account, p_at);
    END IF;
    IF p_origin IS NOT NULL THEN
        SELECT least(p_points, coalesce(sum(l.remaining), 0)) INTO v_own FROM rewards_lot l
            WHERE l.transaction_id = p_origin AND l.account_id = v_account.id;
        IF v_own < p_points THEN
            FOR v_lot IN
                SELECT l.id, ledger_expired_of(l.id) AS expired
                FROM rewards_lot l WHERE l.transaction_id = p_origin AND l.account_id = v_account.id ORDER BY l.id
            LOOP
                v_part := least(p_points - v_own - v_forgiven, v_lot.expired);
                IF v_part > 0 THEN
                    INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, happened_at)
                        VALUES (v_lot.id, v_transaction, 3, v_part, p_at);
                    v_forgiven := v_forgiven + v_part;
                END IF;
            END LOOP;
        END IF;
    END IF;
    IF p_from_others AND v_own + v_forgiven < p_points AND (v_account.deadline_at IS NULL OR v_account.deadline_at > p_at) THEN
        SELECT least(p_points - v_own - v_forgiven, coalesce(sum(l.remaining), 0)) INTO v_others FROM rewards_lot l
            WHERE l.account_id = v_account.id AND l.remaining > 0 AND l.state = 2
              AND (l.expires_at IS NULL OR l.expires_at > p_at) AND l.transaction_id IS DISTINCT FROM p_origin;
    END IF;
    v_debt := p_points - v_own - v_forgiven - v_others;
    v_given_up := CASE WHEN p_debt_limit IS NULL THEN 0 ELSE greatest(v_debt - greatest(p_debt_limit - v_account.debt, 0), 0) END;
    v_debt := v_debt - v_given_up;
    IF v_given_up > 0 AND p_origin IS NOT NULL THEN
        INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, happened_at)
            SELECT min(l.id), v_transaction, 4, v_given_up, p_at FROM rewards_lot l
            WHERE l.transaction_id = p_origin AND l.account_id = v_account.id HAVING count(*) > 0;
    END IF;
    IF v_own + v_others + v_debt > 0 THEN
        IF v_own > 0 THEN
            -- The own lots are few; how much of them is pending decides which balance falls.
            SELECT coalesce(sum(x.points) FILTER (WHERE x.state = 1), 0) INTO v_own_pending FROM (
                SELECT l.state, least(l.remaining, v_own - (sum(l.remaining) OVER (ORDER BY l.expires_at NULLS LAST, l.id) - l.remaining)) AS points
                FROM rewards_lot l WHERE l.transaction_id = p_origin AND l.account_id = v_account.id AND l.remaining > 0) AS x
            WHERE x.points > 0;
        END IF;
        v_entry := ledger_write_entry(v_account.id, v_transaction, p_kind, p_source, p_key,
            -(v_own - v_own_pending + v_others), -v_own_pending, 0, v_debt, p_contra, p_at, NULL);
        IF v_own > 0 THEN
            PERFORM ledger_eat_lots(v_account.id, v_entry, v_own, p_at, p_origin, false);
        END IF;
        IF v_others > 0 THEN
            -- The own lots are empty now, or others would not have been touched.
            PERFORM ledger_eat_lots(v_account.id, v_entry, v_others, p_at, NULL, false);
        END IF;
    END IF;
    RETURN ledger_answer('posted', v_transaction, v_account.id, -(v_own - v_own_pending + v_others), -v_own_pending, v_debt,
        p_at, v_forgiven, v_given_up, 0, NULL);
END $$;

-- Gives points of a debit back to the very lots it ate, those that expire last first; arrears are repaid before.
-- p_points NULL: all that is left of it. With p_days_min a lot that would expire sooner lives that many days from p_at.
-- Outcome: posted | repeated | too_much (d_available holds what is left).
CREATE FUNCTION ledger_restore(
    p_origin bigint, p_points bigint, p_days_min int, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_transaction bigint;
    v_origin_entry bigint;
    v_contra smallint;
    v_entry bigint;
    v_debited bigint;
    v_left bigint;
    v_points bigint;
    v_repaid bigint;
    v_expired bigint := 0;
BEGIN
    SELECT a.* INTO STRICT v_account FROM rewards_ledgerentry e JOIN rewards_pointsaccount a ON a.id = e.account_id
        WHERE e.transaction_id = p_origin;
    v_transaction := ledger_open_transaction(9::smallint, p_source, p_key, v_account.currency_id, v_account.member_id, p_origin,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(v_account.member_id, v_account.currency_id);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    IF v_account.held > 0 THEN
        v_account := ledger_release_due_holds(v_account, p_at);
    END IF;
    IF v_account.deadline_at <= p_at THEN
        SELECT coalesce(sum(e.points), 0) INTO v_expired FROM ledger_expire_accounts(p_at, ARRAY[v_account.id]) AS e;
    END IF;
    SELECT e.id, e.contra, -(e.d_available + e.d_pending + e.d_held) + e.d_debt
        INTO v_origin_entry, v_contra, v_debited FROM rewards_ledgerentry e WHERE e.transaction_id = p_origin;
    SELECT v_debited - coalesce(sum(r.d_available - r.d_debt), 0) INTO v_left FROM rewards_ledgertransaction t
        JOIN rewards_ledgerentry r ON r.transaction_id = t.id WHERE t.reverses_id = p_origin AND t.kind = 9;
    IF v_contra = 3 THEN
        -- What a return met as expired was forgiven then: it does not come back with the expiry.
        SELECT least(v_left, min(ledger_expired_of(m.lot_id))) INTO v_left FROM rewards_lotmove m WHERE m.entry_id = v_origin_entry;
    END IF;
    v_points := coalesce(p_points, v_left);
    IF v_points > v_left OR v_left <= 0 THEN
        RETURN ledger_answer('too_much', NULL, v_account.id, v_left, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    v_repaid := least(v_account.debt, v_points);
    v_entry := ledger_write_entry(v_account.id, v_transaction, 9::smallint, p_source, p_key,
        v_points - v_repaid, 0, 0, -v_repaid, v_contra, p_at, NULL);
    WITH eaten AS (
        -- A hold whose rest repaid arrears moved more than was spent: what was spent came from the lots that expire first.
        SELECT m.lot_id, l.expires_at, l.available_at,
               greatest(least(-(m.d_remaining + m.d_held), v_debited - (sum(-(m.d_remaining + m.d_held)) OVER w + m.d_remaining + m.d_held)), 0)
               - (SELECT coalesce(sum(b.d_remaining), 0) FROM rewards_ledgertransaction t
                  JOIN rewards_ledgerentry r ON r.transaction_id = t.id JOIN rewards_lotmove b ON b.entry_id = r.id
                  WHERE t.reverses_id = p_origin AND t.kind = 9 AND b.lot_id = m.lot_id) AS room
        FROM rewards_lotmove m JOIN rewards_lot l ON l.id = m.lot_id WHERE m.entry_id = v_origin_entry
        WINDOW w AS (ORDER BY l.expires_at NULLS LAST, l.id)
    ), filled AS (
        SELECT lot_id, expires_at, available_at,
               least(room, v_points - v_repaid - (sum(room) OVER (ORDER BY expires_at DESC NULLS FIRST, lot_id DESC) - room))::bigint AS points,
               CASE WHEN p_days_min > 0 AND expires_at < p_at + make_interval(days => p_days_min)
                    THEN p_at + make_interval(days => p_days_min) ELSE expires_at END AS new_expires_at
        FROM eaten WHERE room > 0
    ), back AS (
        SELECT * FROM filled WHERE points > 0
    ), lots AS (
        UPDATE rewards_lot l SET remaining = l.remaining + back.points, state = 2, expires_at = back.new_expires_at
        FROM back WHERE l.id = back.lot_id
    ), events AS (
        INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, old_expires_at, new_expires_at, happened_at)
        SELECT lot_id, v_transaction, 2, points, expires_at, new_expires_at, p_at FROM back WHERE new_expires_at <> expires_at
        UNION ALL
        SELECT lot_id, v_transaction, 1, points, NULL, NULL, p_at FROM back WHERE available_at > p_at
    )
    INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) SELECT v_entry, lot_id, points, 0 FROM back;
    RETURN ledger_answer('posted', v_transaction, v_account.id, v_points - v_repaid, 0, -v_repaid, p_at, 0, 0, v_expired, NULL);
END $$;

-- Sets points aside until p_expires_at: they stay on their lots, held. Outcome: posted | repeated | insufficient.
CREATE FUNCTION ledger_hold(
    p_member bigint, p_currency smallint, p_points bigint, p_expires_at timestamptz, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_transaction bigint;
    v_entry bigint;
    v_hold bigint;
    v_spendable bigint;
BEGIN
    v_transaction := ledger_open_transaction(6::smallint, p_source, p_key, p_currency, p_member, NULL,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    IF v_transaction IS NULL THEN
        SELECT h.id INTO v_hold FROM rewards_ledgertransaction t JOIN rewards_hold h ON h.transaction_id = t.id
            WHERE t.kind = 6 AND t.source = p_source AND t.natural_key = p_key AND t.currency_id = p_currency;
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, v_hold);
    END IF;
    IF v_account.held > 0 THEN
        v_account := ledger_release_due_holds(v_account, p_at);
    END IF;
    v_spendable := ledger_spendable(v_account.id, v_account.deadline_at, p_at);
    IF v_spendable < p_points THEN
        RETURN ledger_answer('insufficient', NULL, v_account.id, v_spendable, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    INSERT INTO rewards_hold (account_id, member_id, transaction_id, points, state, created_at, expires_at)
        VALUES (v_account.id, p_member, v_transaction, p_points, 1, p_at, p_expires_at) RETURNING id INTO v_hold;
    v_entry := ledger_write_entry(v_account.id, v_transaction, 6::smallint, p_source, p_key, -p_points, 0, p_points, 0, 4::smallint, p_at, NULL);
    PERFORM ledger_eat_lots(v_account.id, v_entry, p_points, p_at, NULL, true);
    INSERT INTO rewards_holdlot (hold_id, lot_id, points) SELECT v_hold, m.lot_id, m.d_held FROM rewards_lotmove m WHERE m.entry_id = v_entry;
    RETURN ROW('posted', v_transaction, -p_points, 0, 0, v_spendable - p_points, v_account.pending, v_account.debt, 0, 0, 0, v_hold)::ledger_posting;
END $$;

-- Redeems p_points of an open hold (NULL: all); the rest goes back. p_points 0 gives all back: released, or p_expired.
-- Outcome: posted | repeated | closed | expired | too_much (d_available holds what is held).
CREATE FUNCTION ledger_close_hold(
    p_hold bigint, p_points bigint, p_expired boolean, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_hold rewards_hold;
    v_kind smallint := CASE WHEN p_points = 0 THEN 8 ELSE 7 END;
    v_transaction bigint;
    v_points bigint;
    v_end record;
BEGIN
    SELECT a.* INTO STRICT v_account FROM rewards_hold h JOIN rewards_pointsaccount a ON a.id = h.account_id WHERE h.id = p_hold;
    IF p_points = 0 THEN
        -- A posting that meets the hold past its end gives it back under the account's lock: the same order here.
        PERFORM ledger_lock_account(v_account.member_id, v_account.currency_id);
    END IF;
    v_transaction := ledger_open_transaction(v_kind, p_source, p_key, v_account.currency_id, v_account.member_id,
        (SELECT transaction_id FROM rewards_hold WHERE id = p_hold),
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(v_account.member_id, v_account.currency_id);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, p_hold);
    END IF;
    SELECT * INTO v_hold FROM rewards_hold WHERE id = p_hold;
    v_points := coalesce(p_points, v_hold.points);
    IF v_hold.state <> 1 THEN
        RETURN ledger_answer('closed', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, p_hold);
    ELSIF v_points > 0 AND v_hold.expires_at <= p_at THEN
        RETURN ledger_answer('expired', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, p_hold);
    ELSIF v_points > v_hold.points THEN
        RETURN ledger_answer('too_much', NULL, v_account.id, v_hold.points, 0, 0, p_at, 0, 0, 0, p_hold);
    END IF;
    SELECT * INTO v_end FROM ledger_end_hold(v_hold, v_account.debt, v_points, v_transaction, v_kind, p_source, p_key, p_at,
        CASE WHEN v_points > 0 THEN 2 WHEN p_expired THEN 4 ELSE 3 END::smallint);
    RETURN ledger_answer('posted', v_transaction, v_account.id, v_end.o_back, 0, -v_end.o_repaid, p_at, 0, 0, 0, p_hold);
END $$;

-- Moves points to another member, lot by lot with their expiry; what the receiver owes is repaid first. p_points NULL: all
-- that can be spent. Two entries of one transaction. Outcome: posted | repeated | insufficient. Balances are the sender's.
CREATE FUNCTION ledger_transfer(
    p_from bigint, p_to bigint, p_currency smallint, p_points bigint, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_sender rewards_pointsaccount;
    v_receiver rewards_pointsaccount;
    v_transaction bigint;
    v_out bigint;
    v_in bigint;
    v_spendable bigint;
    v_points bigint;
    v_repaid bigint;
    v_expired bigint := 0;
BEGIN
    v_transaction := ledger_open_transaction(11::smallint, p_source, p_key, p_currency, p_from, NULL,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    INSERT INTO rewards_pointsaccount (member_id, currency_id)
        SELECT m, p_currency FROM unnest(ARRAY[least(p_from, p_to), greatest(p_from, p_to)]) AS m ORDER BY m ON CONFLICT DO NOTHING;
    PERFORM 1 FROM rewards_pointsaccount WHERE member_id IN (p_from, p_to) AND currency_id = p_currency ORDER BY id FOR NO KEY UPDATE;
    SELECT * INTO v_sender FROM rewards_pointsaccount WHERE member_id = p_from AND currency_id = p_currency;
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_sender.id, 0, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    SELECT * INTO v_receiver FROM rewards_pointsaccount WHERE member_id = p_to AND currency_id = p_currency;
    IF v_sender.held > 0 THEN
        v_sender := ledger_release_due_holds(v_sender, p_at);
    END IF;
    IF v_receiver.held > 0 THEN
        v_receiver := ledger_release_due_holds(v_receiver, p_at);
    END IF;
    IF v_receiver.deadline_at <= p_at THEN
        SELECT coalesce(sum(e.points), 0) INTO v_expired FROM ledger_expire_accounts(p_at, ARRAY[v_receiver.id]) AS e;
    END IF;
    v_spendable := ledger_spendable(v_sender.id, v_sender.deadline_at, p_at);
    v_points := coalesce(p_points, v_spendable);
    IF v_spendable < v_points OR v_points <= 0 THEN
        RETURN ledger_answer('insufficient', NULL, v_sender.id, v_spendable, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    v_repaid := least(v_receiver.debt, v_points);
    v_out := ledger_write_entry(v_sender.id, v_transaction, 11::smallint, p_source, p_key, -v_points, 0, 0, 0, 6::smallint, p_at, NULL);
    PERFORM ledger_eat_lots(v_sender.id, v_out, v_points, p_at, NULL, false);
    v_in := ledger_write_entry(v_receiver.id, v_transaction, 11::smallint, p_source, p_key,
        v_points - v_repaid, 0, 0, -v_repaid, 6::smallint, p_at, NULL);
    WITH given AS (
        SELECT m.lot_id, l.expires_at, -m.d_remaining AS points,
               greatest(least(-m.d_remaining, v_repaid - (sum(-m.d_remaining) OVER w + m.d_remaining)), 0)::bigint AS repaid
        FROM rewards_lotmove m JOIN rewards_lot l ON l.id = m.lot_id WHERE m.entry_id = v_out
        WINDOW w AS (ORDER BY l.expires_at NULLS LAST, l.id)
    ), made AS (
        INSERT INTO rewards_lot (account_id, member_id, transaction_id, origin_lot_id, amount, remaining, state, available_at, expires_at, origin)
        SELECT v_receiver.id, p_to, v_transaction, lot_id, points, points - repaid, CASE WHEN points > repaid THEN 2 ELSE 3 END, p_at, expires_at, 5
        FROM given ORDER BY expires_at NULLS LAST, lot_id
        RETURNING id, remaining
    )
    INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) SELECT v_in, id, remaining, 0 FROM made WHERE remaining > 0;
    RETURN ledger_answer('posted', v_transaction, v_sender.id, -v_points, 0, 0, p_at, 0, 0, v_expired, NULL);
END $$;

-- Forgives arrears. Outcome: posted | repeated | too_much (d_available holds what is owed).
CREATE FUNCTION ledger_write_off(
    p_member bigint, p_currency smallint, p_points bigint, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_store bigint, p_tier text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_account rewards_pointsaccount;
    v_transaction bigint;
BEGIN
    v_transaction := ledger_open_transaction(16::smallint, p_source, p_key, p_currency, p_member, NULL,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    v_account := ledger_lock_account(p_member, p_currency);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_account.id, 0, 0, 0, p_at, 0, 0, 0, NULL);
    ELSIF p_points > v_account.debt THEN
        RETURN ledger_answer('too_much', NULL, v_account.id, v_account.debt, 0, 0, p_at, 0, 0, 0, NULL);
    END IF;
    PERFORM ledger_write_entry(v_account.id, v_transaction, 16::smallint, p_source, p_key, 0, 0, 0, -p_points, 9::smallint, p_at, NULL);
    RETURN ledger_answer('posted', v_transaction, v_account.id, 0, 0, -p_points, p_at, 0, 0, 0, NULL);
END $$;

-- Moves the expiry of open lots later; a lot that is empty, never expires, or would be shortened is passed over, and so is
-- one that this extension has moved already. One transaction for each lot. Returns what was moved.
CREATE FUNCTION ledger_extend_lots(
    p_lots bigint[], p_expires_at timestamptz[], p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_trace jsonb
) RETURNS TABLE (member_id bigint, lot_id bigint, points bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM rewards_pointsaccount a WHERE a.id IN (SELECT l.account_id FROM rewards_lot l WHERE l.id = ANY (p_lots))
        ORDER BY a.currency_id, a.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH wanted AS (
        SELECT l.id, l.member_id, l.remaining + l.held AS points, l.expires_at AS old_expires_at, w.expires_at AS new_expires_at,
               a.currency_id, p_key || ':' || l.id AS natural_key
        FROM unnest(p_lots, p_expires_at) AS w (id, expires_at)
        JOIN rewards_lot l ON l.id = w.id JOIN rewards_pointsaccount a ON a.id = l.account_id
        WHERE l.remaining + l.held > 0 AND l.expires_at < w.expires_at
    ), opened AS (
        INSERT INTO rewards_ledgertransaction AS t
            (kind, source, natural_key, currency_id, member_id, actor_kind, actor_id, reason, happened_at, trace)
        SELECT 18, p_source, w.natural_key, w.currency_id, w.member_id, p_actor_kind, p_actor_id, p_reason, p_at, p_trace
        FROM wanted w ORDER BY w.id
        ON CONFLICT (kind, source, natural_key, currency_id) DO NOTHING
        RETURNING t.id, t.natural_key
    ), events AS (
        INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, old_expires_at, new_expires_at, reason, happened_at)
        SELECT w.id, o.id, 2, w.points, w.old_expires_at, w.new_expires_at, p_reason, p_at
        FROM opened o JOIN wanted w ON w.natural_key = o.natural_key
    ), moved AS (
        UPDATE rewards_lot l SET expires_at = w.new_expires_at
        FROM opened o JOIN wanted w ON w.natural_key = o.natural_key WHERE l.id = w.id
    )
    SELECT w.member_id, w.id, w.points FROM opened o JOIN wanted w ON w.natural_key = o.natural_key ORDER BY w.id;
END $$;

-- Pushes the inactivity deadline of accounts after something their members did at p_happened_at; never back, and not when
-- the deadline had passed by then. Returns how many were pushed.
CREATE FUNCTION ledger_push_deadlines(p_accounts bigint[], p_deadline timestamptz, p_happened_at timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    v_count int;
BEGIN
    PERFORM 1 FROM rewards_pointsaccount a WHERE a.id = ANY (p_accounts) ORDER BY a.currency_id, a.id FOR NO KEY UPDATE;
    UPDATE rewards_pointsaccount SET deadline_at = p_deadline
        WHERE id = ANY (p_accounts) AND (deadline_at IS NULL OR deadline_at > p_happened_at AND deadline_at < p_deadline);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- Makes pending lots available whose time has come; what the member owes is repaid first. One transaction for each lot.
CREATE FUNCTION ledger_release_account(p_at timestamptz, p_account bigint) RETURNS bigint LANGUAGE plpgsql AS $$
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
        v_transaction := ledger_open_transaction(2::smallint, 'lot', v_lot.id::text, v_account.currency_id, v_account.member_id, NULL,
            'system', NULL, '', p_at, NULL, '', NULL);
        v_repaid := least(v_account.debt, v_lot.remaining);
        UPDATE rewards_lot SET remaining = remaining - v_repaid, state = CASE WHEN remaining > v_repaid THEN 2 ELSE 3 END
            WHERE id = v_lot.id;
        INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, happened_at)
            VALUES (v_lot.id, v_transaction, 1, v_lot.remaining, p_at);
        v_entry := ledger_write_entry(p_account, v_transaction,
            2::smallint, 'lot', v_lot.id::text, v_lot.remaining - v_repaid, -v_lot.remaining, 0, -v_repaid, 4::smallint, p_at, NULL);
        IF v_repaid > 0 THEN
            INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) VALUES (v_entry, v_lot.id, -v_repaid, 0);
        END IF;
        v_account.debt := v_account.debt - v_repaid;
        v_released := v_released + v_lot.remaining;
    END LOOP;
    RETURN v_released;
END $$;

-- Posts many facts from the temporary tables ledger_batch and ledger_batch_lot (rewards/ledger.py makes and fills them by
-- COPY), in the order of ord within each account. Accounts are locked ascending first. Accounts that only earn, owe and hold
-- nothing and know no inactivity are posted set-based; the others fact by fact through the same functions as live traffic.
-- Returns a row for each fact.
CREATE FUNCTION ledger_post_batch() RETURNS TABLE (
    ord int, outcome text, d_available bigint, d_pending bigint, d_debt bigint, forgiven bigint, given_up bigint, expired bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    b record;
    v_posting ledger_posting;
BEGIN
    INSERT INTO rewards_pointsaccount (member_id, currency_id)
        SELECT DISTINCT member_id, currency_id FROM ledger_batch ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    PERFORM 1 FROM rewards_pointsaccount a
        WHERE (a.member_id, a.currency_id) IN (SELECT member_id, currency_id FROM ledger_batch) ORDER BY a.currency_id, a.id FOR NO KEY UPDATE;

    CREATE TEMP TABLE IF NOT EXISTS ledger_batch_plain (
        member_id bigint, currency_id smallint, account_id bigint, seq bigint, available bigint, pending bigint
    ) ON COMMIT DELETE ROWS;
    TRUNCATE ledger_batch_plain;
    INSERT INTO ledger_batch_plain
        SELECT x.member_id, x.currency_id, a.id, a.seq, a.available, a.pending FROM ledger_batch x
        JOIN rewards_pointsaccount a ON a.member_id = x.member_id AND a.currency_id = x.currency_id
        GROUP BY x.member_id, x.currency_id, a.id
        HAVING bool_and(x.kind = 1) AND max(a.debt) = 0 AND max(a.held) = 0 AND max(a.deadline_at) IS NULL AND max(x.deadline_at) IS NULL;

    -- How many rows a statement inserts the planner can not know; it would join them row by row.
    SET LOCAL enable_nestloop = off;
    RETURN QUERY
    WITH opened AS (
        INSERT INTO rewards_ledgertransaction AS t
            (kind, source, natural_key, currency_id, member_id, actor_kind, actor_id, reason, happened_at, store_id, tier_code, trace)
        SELECT 1, x.source, x.natural_key, x.currency_id, x.member_id, x.actor_kind, x.actor_id, x.reason, x.happened_at,
               x.store_id, x.tier_code, x.trace
        FROM ledger_batch x JOIN ledger_batch_plain USING (member_id, currency_id) ORDER BY x.member_id, x.ord
        ON CONFLICT (kind, source, natural_key, currency_id) DO NOTHING
        RETURNING t.id, t.source, t.natural_key, t.currency_id
    ), lot AS (
        SELECT l.ord, l.n, l.points, l.origin, l.available_at, l.expires_at, l.available_at > x.happened_at AS is_pending
        FROM ledger_batch_lot l JOIN ledger_batch x USING (ord)
    ), summed AS (
        SELECT ord, sum(points) FILTER (WHERE NOT is_pending) AS live, sum(points) FILTER (WHERE is_pending) AS pending FROM lot GROUP BY ord
    ), fact AS (
        SELECT x.ord, x.member_id, x.source, x.natural_key, x.happened_at, p.account_id, p.seq, p.available, p.pending AS pending_before,
               o.id AS transaction_id, coalesce(s.live, 0)::bigint AS live, coalesce(s.pending, 0)::bigint AS pending
        FROM ledger_batch x JOIN ledger_batch_plain p USING (member_id, currency_id)
        JOIN opened o ON o.source = x.source AND o.natural_key = x.natural_key AND o.currency_id = x.currency_id
        LEFT JOIN summed s USING (ord)
    ), numbered AS (
        SELECT f.ord, f.transaction_id, f.account_id, f.member_id, f.live, f.pending, f.source, f.natural_key, f.happened_at,
               f.seq + row_number() OVER w AS seq,
               (f.available + sum(f.live) OVER w)::bigint AS available_after,
               (f.pending_before + sum(f.pending) OVER w)::bigint AS pending_after
        FROM fact f
        WHERE f.live + f.pending > 0
        WINDOW w AS (PARTITION BY f.account_id ORDER BY f.ord)
    ), posted AS (
        INSERT INTO rewards_ledgerentry AS e
            (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
             available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
        SELECT n.transaction_id, n.account_id, n.member_id, n.seq, n.live, n.pending, 0, 0,
               n.available_after, n.pending_after, 0, 0, 1, n.happened_at,
               ledger_entry_hash(1::smallint, n.source, n.natural_key, n.member_id, n.account_id, n.seq,
                   n.live, n.pending, 0, 0, n.available_after, n.pending_after, 0, 0, 1::smallint, n.happened_at)
        FROM numbered n ORDER BY n.account_id, n.seq
        RETURNING e.id, e.transaction_id
    ), stocked AS (
        INSERT INTO rewards_lot AS l (account_id, member_id, transaction_id, amount, remaining, state, available_at, expires_at, origin)
        SELECT n.account_id, n.member_id, n.transaction_id, lot.points, lot.points, CASE WHEN lot.is_pending THEN 1 ELSE 2 END,
               lot.available_at, lot.expires_at, lot.origin
        FROM numbered n JOIN lot USING (ord) ORDER BY n.account_id, n.seq, lot.n
        RETURNING l.id, l.transaction_id, l.amount
    ), moved AS (
        INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT p.id, s.id, s.amount, 0 FROM posted p JOIN stocked s USING (transaction_id)
    )
    SELECT x.ord, CASE WHEN f.transaction_id IS NULL THEN 'repeated' ELSE 'posted' END,
           coalesce(f.live, 0), coalesce(f.pending, 0), 0::bigint, 0::bigint, 0::bigint, 0::bigint
    FROM ledger_batch x JOIN ledger_batch_plain USING (member_id, currency_id) LEFT JOIN fact f ON f.ord = x.ord;
    SET LOCAL enable_nestloop = on;
    UPDATE rewards_pointsaccount a SET available = e.available_after, pending = e.pending_after, seq = e.seq
        FROM ledger_batch_plain p CROSS JOIN LATERAL (
            SELECT l.available_after, l.pending_after, l.seq FROM rewards_ledgerentry l
            WHERE l.account_id = p.account_id AND l.seq > p.seq ORDER BY l.seq DESC LIMIT 1) AS e
        WHERE a.id = p.account_id;

    FOR b IN
        SELECT x.*, l.points AS lot_points, l.origins, l.available, l.expires FROM ledger_batch x
        LEFT JOIN ledger_batch_plain p ON p.member_id = x.member_id AND p.currency_id = x.currency_id
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(l.points ORDER BY l.n), '{}') AS points, coalesce(array_agg(l.origin ORDER BY l.n), '{}') AS origins,
                   coalesce(array_agg(l.available_at ORDER BY l.n), '{}') AS available, coalesce(array_agg(l.expires_at ORDER BY l.n), '{}') AS expires
            FROM ledger_batch_lot l WHERE l.ord = x.ord) AS l
        WHERE p.member_id IS NULL ORDER BY x.member_id, x.ord
    LOOP
        IF b.kind = 1 THEN
            v_posting := ledger_credit(1::smallint, 1::smallint, b.member_id, b.currency_id, b.source, b.natural_key, b.happened_at,
                b.happened_at, b.lot_points, b.origins, b.available, b.expires, b.deadline_at,
                b.actor_kind, b.actor_id, b.reason, b.store_id, b.tier_code, b.trace);
        ELSE
            v_posting := ledger_claw_back(4::smallint, 1::smallint, b.member_id, b.currency_id, b.points, (
                    SELECT t.id FROM rewards_ledgertransaction t WHERE t.kind = 1 AND t.source = b.origin_source
                      AND t.natural_key = b.origin_key AND t.currency_id = b.currency_id),
                b.from_others, b.debt_limit, b.source, b.natural_key, b.happened_at,
                b.actor_kind, b.actor_id, b.reason, b.store_id, b.tier_code, b.trace);
        END IF;
        ord := b.ord; outcome := v_posting.outcome; d_available := v_posting.d_available; d_pending := v_posting.d_pending;
        d_debt := v_posting.d_debt; forgiven := v_posting.forgiven; given_up := v_posting.given_up; expired := v_posting.expired;
        RETURN NEXT;
    END LOOP;
END $$;
