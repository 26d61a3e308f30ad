-- The posting functions where a member may have been merged into another (rewards/ledger.py is their only caller). They take
-- the place of those of the same name in ledger_0002.sql: a lot that a merge brought counts as one of what had credited it.

-- Locks the accounts of two members in one currency, in the order in which all accounts are locked; makes those missing.
CREATE FUNCTION ledger_lock_two(p_first bigint, p_second bigint, p_currency smallint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rewards_pointsaccount (member_id, currency_id)
        SELECT m, p_currency FROM unnest(ARRAY[least(p_first, p_second), greatest(p_first, p_second)]) AS m ORDER BY m ON CONFLICT DO NOTHING;
    PERFORM 1 FROM rewards_pointsaccount WHERE member_id IN (p_first, p_second) AND currency_id = p_currency ORDER BY id FOR NO KEY UPDATE;
END $$;

-- Whose the points of an account's open lots are: of the member with whom a merge brought them, else of the one in whose name
-- the purchase or the activity was told, else of the account's.
CREATE FUNCTION ledger_owners(p_account bigint) RETURNS TABLE (lot_id bigint, owner_id bigint) LANGUAGE sql STABLE AS $$
    SELECT l.id, coalesce(l.owner_id, p.member_id, c.member_id, l.member_id)
    FROM rewards_lot l
    JOIN rewards_ledgertransaction t ON t.id = l.transaction_id
    LEFT JOIN rewards_purchase p ON t.kind = 1 AND p.source = t.source AND p.external_order_no = t.natural_key
    LEFT JOIN members_activity c ON c.id = CASE
        WHEN t.kind = 1 AND t.source = 'activity' AND t.natural_key ~ '^[0-9]{1,18}$' THEN t.natural_key::bigint END
    WHERE l.account_id = p_account AND l.remaining > 0
$$;

-- Moves points and arrears from one member to another as they are: available and pending lots with their expiry and origin,
-- nothing is repaid. p_owners: only what is theirs (NULL: all). p_debt: at most so much of the arrears (NULL: all). What was
-- due on either side is booked first. Outcome: posted | nothing | repeated | held (d_available holds what is set aside).
-- Balances and changes told are those of the receiver.
CREATE FUNCTION ledger_merge(
    p_from bigint, p_to bigint, p_currency smallint, p_owners bigint[], p_debt bigint, p_source text, p_key text, p_at timestamptz,
    p_actor_kind text, p_actor_id bigint, p_reason text, p_trace jsonb
) RETURNS ledger_posting LANGUAGE plpgsql AS $$
DECLARE
    v_from rewards_pointsaccount;
    v_to rewards_pointsaccount;
    v_transaction bigint;
    v_out bigint;
    v_in bigint;
    v_lots bigint[];
    v_owners bigint[];
    v_available bigint;
    v_pending bigint;
    v_debt bigint;
    v_expired bigint := 0;
BEGIN
    PERFORM ledger_lock_two(p_from, p_to, p_currency);
    SELECT * INTO v_from FROM rewards_pointsaccount WHERE member_id = p_from AND currency_id = p_currency;
    SELECT * INTO v_to FROM rewards_pointsaccount WHERE member_id = p_to AND currency_id = p_currency;
    PERFORM ledger_release_due_holds(v_from, p_at), ledger_release_due_holds(v_to, p_at);
    PERFORM ledger_release_account(p_at, least(v_from.id, v_to.id)), ledger_release_account(p_at, greatest(v_from.id, v_to.id));
    SELECT coalesce(sum(e.points), 0) INTO v_expired FROM ledger_expire_accounts(p_at, ARRAY[v_from.id, v_to.id]) AS e;
    SELECT * INTO v_from FROM rewards_pointsaccount WHERE id = v_from.id;
    SELECT * INTO v_to FROM rewards_pointsaccount WHERE id = v_to.id;
    IF v_from.held > 0 THEN
        RETURN ledger_answer('held', NULL, v_to.id, v_from.held, 0, 0, p_at, 0, 0, v_expired, NULL);
    END IF;
    SELECT coalesce(array_agg(l.id ORDER BY l.expires_at NULLS LAST, l.id), '{}'),
           coalesce(array_agg(o.owner_id ORDER BY l.expires_at NULLS LAST, l.id), '{}'),
           coalesce(sum(l.remaining) FILTER (WHERE l.state = 2), 0), coalesce(sum(l.remaining) FILTER (WHERE l.state = 1), 0)
        INTO v_lots, v_owners, v_available, v_pending
        FROM ledger_owners(v_from.id) AS o JOIN rewards_lot l ON l.id = o.lot_id
        WHERE p_owners IS NULL OR o.owner_id = ANY (p_owners);
    v_debt := least(v_from.debt, coalesce(p_debt, v_from.debt));
    IF v_available = 0 AND v_pending = 0 AND v_debt = 0 THEN
        RETURN ledger_answer('nothing', NULL, v_to.id, 0, 0, 0, p_at, 0, 0, v_expired, NULL);
    END IF;
    v_transaction := ledger_open_transaction(17::smallint, p_source, p_key, p_currency, p_from, NULL,
        p_actor_kind, p_actor_id, p_reason, p_at, NULL, '', p_trace);
    IF v_transaction IS NULL THEN
        RETURN ledger_answer('repeated', NULL, v_to.id, 0, 0, 0, p_at, 0, 0, v_expired, NULL);
    END IF;
    v_out := ledger_write_entry(v_from.id, v_transaction, 17::smallint, p_source, p_key,
        -v_available, -v_pending, 0, -v_debt, 6::smallint, p_at, NULL);
    INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held)
        SELECT v_out, l.id, -l.remaining, 0 FROM rewards_lot l WHERE l.id = ANY (v_lots);
    v_in := ledger_write_entry(v_to.id, v_transaction, 17::smallint, p_source, p_key,
        v_available, v_pending, 0, v_debt, 6::smallint, p_at,
        -- Whose points had no end by inactivity is not given the other's; follow_policies sets it, if any.
        CASE WHEN v_to.deadline_at IS NOT NULL THEN v_from.deadline_at END);
    WITH made AS (
        INSERT INTO rewards_lot (account_id, member_id, transaction_id, origin_lot_id, credit_id, owner_id, amount, remaining, state,
            available_at, expires_at, origin)
        SELECT v_to.id, p_to, v_transaction, l.id, coalesce(l.credit_id, l.transaction_id), m.owner_id, l.remaining, l.remaining, l.state,
            CASE WHEN l.state = 2 THEN least(l.available_at, p_at) ELSE l.available_at END, l.expires_at, l.origin
        FROM unnest(v_lots, v_owners) WITH ORDINALITY AS m (lot_id, owner_id, n) JOIN rewards_lot l ON l.id = m.lot_id ORDER BY m.n
        RETURNING id, amount
    )
    INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) SELECT v_in, id, amount, 0 FROM made;
    UPDATE rewards_lot SET remaining = 0, state = 3 WHERE id = ANY (v_lots);
    RETURN ledger_answer('posted', v_transaction, v_to.id, v_available, v_pending, v_debt, p_at, 0, 0, v_expired, NULL);
END $$;

-- Takes points out of the open lots of a locked account, earliest expiry first, and writes the moves. With p_transaction
-- only the lots of that transaction, or brought from it by a merge, whatever their state; else only lots live at p_at. With p_to_held the points stay on
-- the lots as held ones. Returns what was taken from available (o_live) and from pending (o_pending).
CREATE OR REPLACE FUNCTION ledger_eat_lots(
    p_account bigint, p_entry bigint, p_points bigint, p_at timestamptz, p_transaction bigint, p_to_held boolean,
    OUT o_live bigint, OUT o_pending bigint
) LANGUAGE sql VOLATILE AS $$
    WITH open_lot AS (
        SELECT id, state, remaining,
               sum(remaining) OVER (ORDER BY expires_at NULLS LAST, id) - remaining AS before
        FROM rewards_lot
        WHERE account_id = p_account AND remaining > 0
          AND CASE WHEN p_transaction IS NOT NULL THEN coalesce(credit_id, transaction_id) = p_transaction
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

-- Takes back points of a credit (a return, a wrong credit): first from the credit's own lots, pending or available; then
-- what of them had been booked as expired is forgiven; then, with p_from_others, other live lots; then arrears up to
-- p_debt_limit in all (NULL: no limit); the rest is given up. p_origin NULL: the credit is unknown. Outcome: posted | repeated.
CREATE OR REPLACE FUNCTION ledger_claw_back(
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
            WHERE l.account_id = v_account.id AND l.remaining > 0 AND coalesce(l.credit_id, l.transaction_id) = p_origin;
        IF v_own < p_points THEN
            FOR v_lot IN
                SELECT l.id, ledger_expired_of(l.id) AS expired
                FROM rewards_lot l WHERE l.transaction_id = p_origin OR l.credit_id = p_origin ORDER BY l.id
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
              AND (l.expires_at IS NULL OR l.expires_at > p_at) AND coalesce(l.credit_id, l.transaction_id) IS DISTINCT FROM p_origin;
    END IF;
    v_debt := p_points - v_own - v_forgiven - v_others;
    v_given_up := CASE WHEN p_debt_limit IS NULL THEN 0 ELSE greatest(v_debt - greatest(p_debt_limit - v_account.debt, 0), 0) END;
    v_debt := v_debt - v_given_up;
    IF v_given_up > 0 AND p_origin IS NOT NULL THEN
        INSERT INTO rewards_lotevent (lot_id, transaction_id, kind, points, happened_at)
            SELECT min(l.id), v_transaction, 4, v_given_up, p_at FROM rewards_lot l
            WHERE l.transaction_id = p_origin OR l.credit_id = p_origin HAVING count(*) > 0;
    END IF;
    IF v_own + v_others + v_debt > 0 THEN
        IF v_own > 0 THEN
            -- The own lots are few; how much of them is pending decides which balance falls.
            SELECT coalesce(sum(x.points) FILTER (WHERE x.state = 1), 0) INTO v_own_pending FROM (
                SELECT l.state, least(l.remaining, v_own - (sum(l.remaining) OVER (ORDER BY l.expires_at NULLS LAST, l.id) - l.remaining)) AS points
                FROM rewards_lot l
                WHERE l.account_id = v_account.id AND l.remaining > 0 AND coalesce(l.credit_id, l.transaction_id) = p_origin) AS x
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
CREATE OR REPLACE FUNCTION ledger_restore(
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
    v_survivor bigint;
BEGIN
    SELECT a.* INTO STRICT v_account FROM rewards_ledgerentry e JOIN rewards_pointsaccount a ON a.id = e.account_id
        WHERE e.transaction_id = p_origin;
    -- Held, so that a merge in flight is waited for, and a later one waits.
    SELECT m.merged_into_id INTO v_survivor FROM members_member m WHERE m.id = v_account.member_id FOR SHARE;
    v_transaction := ledger_open_transaction(9::smallint, p_source, p_key, v_account.currency_id, v_account.member_id, p_origin,
        p_actor_kind, p_actor_id, p_reason, p_at, p_store, p_tier, p_trace);
    IF v_survivor IS NOT NULL THEN
        PERFORM ledger_lock_two(v_account.member_id, v_survivor, v_account.currency_id);
    END IF;
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
    IF v_survivor IS NOT NULL THEN
        -- The member was merged: what comes back goes on to where the rest of its points went.
        PERFORM ledger_merge(v_account.member_id, v_survivor, v_account.currency_id, NULL, NULL, 'restored', v_transaction::text, p_at,
            p_actor_kind, p_actor_id, p_reason, jsonb_build_object('v', 2, 'kind', 'merge', 'way', 'on'));
        SELECT a.* INTO v_account FROM rewards_pointsaccount a
            WHERE a.member_id = v_survivor AND a.currency_id = v_account.currency_id;
    END IF;
    RETURN ledger_answer('posted', v_transaction, v_account.id, v_points - v_repaid, 0, -v_repaid, p_at, 0, 0, v_expired, NULL);
END $$;
