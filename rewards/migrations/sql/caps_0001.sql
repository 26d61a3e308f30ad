-- Caps of members and budgets that members share (rewards/services/caps.py is their only caller), and what keeps a
-- published version of an earn rule as it was published.
--
-- A cap counter belongs to one member and is written under the lock of his account. A budget is a row of slices; a
-- purchase takes from the slice its member falls to and locks only that one. When the slice does not do, all slices are
-- locked in ascending order and what is left is spread anew; before that the one slice is let go of, by rolling back a
-- subtransaction, since holding it while waiting for a lower one could be a deadlock. Budgets are asked in ascending order.

-- Returns the counters of a member that have counted something. Rule 0 stands for all rules of a currency.
CREATE FUNCTION rewards_cap_usage(
    p_member bigint, p_rules bigint[], p_currencies smallint[], p_periods smallint[], p_starts date[]
) RETURNS TABLE (rule_id bigint, currency_id smallint, period smallint, period_start date, used bigint, times integer)
LANGUAGE sql STABLE AS $$
    WITH key AS (
        SELECT * FROM unnest(p_rules, p_currencies, p_periods, p_starts) AS k (rule_id, currency_id, period, period_start)
    )
    SELECT k.rule_id, k.currency_id, k.period, k.period_start, c.used, c.times
    FROM key k JOIN rewards_capcounter c ON c.member_id = p_member AND c.rule_id = k.rule_id
        AND c.currency_id = k.currency_id AND c.period = k.period AND c.period_start = k.period_start
    WHERE k.rule_id > 0
    UNION ALL
    SELECT k.rule_id, k.currency_id, k.period, k.period_start, c.used, c.times
    FROM key k JOIN rewards_capcounter c ON c.member_id = p_member AND c.rule_id IS NULL
        AND c.currency_id = k.currency_id AND c.period = k.period AND c.period_start = k.period_start
    WHERE k.rule_id = 0
$$;

-- Spreads what is left of a budget evenly over its slices, all of which the caller has locked.
CREATE FUNCTION rewards_spread_budget(p_budget bigint) RETURNS void LANGUAGE sql VOLATILE AS $$
    WITH rest AS (
        SELECT count(*) AS slices, greatest(b.total_points - sum(s.used), 0)::bigint AS free
        FROM rewards_budget b JOIN rewards_budgetslice s ON s.budget_id = b.id WHERE b.id = p_budget GROUP BY b.id
    )
    UPDATE rewards_budgetslice s
    SET capacity = s.used + rest.free / rest.slices + CASE WHEN s.slice_no < rest.free % rest.slices THEN 1 ELSE 0 END
    FROM rest WHERE s.budget_id = p_budget
$$;

-- Locks all slices of a budget, ascending, until the end of the transaction.
CREATE FUNCTION rewards_lock_budget(p_budget bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM rewards_budgetslice WHERE budget_id = p_budget ORDER BY slice_no FOR NO KEY UPDATE;
END $$;

-- Takes up to p_wish points from a budget; returns how many it got.
CREATE FUNCTION rewards_take_budget(p_budget bigint, p_member bigint, p_wish bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_slices bigint;
    v_left bigint;
    v_own bigint;
    v_given bigint;
BEGIN
    SELECT count(*), coalesce(sum(capacity - used), 0) INTO v_slices, v_left
        FROM rewards_budgetslice WHERE budget_id = p_budget;
    IF v_left = 0 THEN
        RETURN 0;
    END IF;
    SELECT capacity - used INTO v_own
        FROM rewards_budgetslice WHERE budget_id = p_budget AND slice_no = p_member % v_slices;
    IF v_own >= p_wish THEN
        BEGIN
            UPDATE rewards_budgetslice SET used = used + p_wish
                WHERE budget_id = p_budget AND slice_no = p_member % v_slices AND capacity - used >= p_wish;
            IF FOUND THEN
                RETURN p_wish;
            END IF;
            RAISE EXCEPTION 'the slice has run dry' USING ERRCODE = 'RB001';
        EXCEPTION WHEN SQLSTATE 'RB001' THEN
            NULL;
        END;
    END IF;
    PERFORM rewards_lock_budget(p_budget);
    SELECT least(greatest(b.total_points - sum(s.used), 0), p_wish) INTO v_given
        FROM rewards_budget b JOIN rewards_budgetslice s ON s.budget_id = b.id WHERE b.id = p_budget GROUP BY b.id;
    IF v_given > 0 THEN
        UPDATE rewards_budgetslice SET used = used + v_given, capacity = greatest(capacity, used + v_given)
            WHERE budget_id = p_budget AND slice_no = p_member % v_slices;
    END IF;
    PERFORM rewards_spread_budget(p_budget);
    RETURN v_given;
END $$;

-- Counts towards caps, refusing to pass a limit, and takes from budgets; returns what each budget gave, in their order.
-- What a budget did not give is not counted towards caps. p_spenders are the rules that wish.
CREATE FUNCTION rewards_book_caps(
    p_member bigint, p_rules bigint[], p_currencies smallint[], p_periods smallint[], p_starts date[], p_points bigint[],
    p_times integer[], p_limits bigint[], p_time_limits integer[], p_budgets bigint[], p_wishes bigint[], p_spenders bigint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_granted bigint[] := '{}';
    v_given bigint;
    v_passed text;
BEGIN
    WITH use AS (
        SELECT nullif(rule_id, 0) AS rule_id, currency_id, period, period_start, points, times, points_limit, times_limit
        FROM unnest(p_rules, p_currencies, p_periods, p_starts, p_points, p_times, p_limits, p_time_limits)
            AS u (rule_id, currency_id, period, period_start, points, times, points_limit, times_limit)
    ), counted AS (
        INSERT INTO rewards_capcounter AS c (member_id, rule_id, currency_id, period, period_start, used, times)
        SELECT p_member, rule_id, currency_id, period, period_start, points, times FROM use
        ON CONFLICT (member_id, rule_id, currency_id, period, period_start)
            DO UPDATE SET used = c.used + EXCLUDED.used, times = c.times + EXCLUDED.times
        RETURNING c.rule_id, c.currency_id, c.period, c.period_start, c.used, c.times
    )
    SELECT format('rule %s, period %s of %s', counted.rule_id, period, period_start) INTO v_passed
    FROM counted JOIN use USING (currency_id, period, period_start)
    WHERE counted.rule_id IS NOT DISTINCT FROM use.rule_id
        AND (counted.used > use.points_limit OR counted.times > use.times_limit)
    LIMIT 1;
    IF v_passed IS NOT NULL THEN
        RAISE EXCEPTION 'a cap would be passed: %', v_passed USING ERRCODE = 'check_violation';
    END IF;
    FOR n IN 1 .. cardinality(p_budgets) LOOP
        v_given := rewards_take_budget(p_budgets[n], p_member, p_wishes[n]);
        v_granted := v_granted || v_given;
        CONTINUE WHEN v_given = p_wishes[n];
        UPDATE rewards_capcounter c
        SET used = c.used - (p_wishes[n] - v_given),
            times = c.times - CASE WHEN c.rule_id IS NOT NULL AND v_given = 0 THEN 1 ELSE 0 END
        FROM rewards_earnrule r, unnest(p_rules, p_currencies, p_periods, p_starts) AS k (rule_id, currency_id, period, period_start)
        WHERE r.id = p_spenders[n] AND k.rule_id IN (0, r.id) AND k.currency_id = r.currency_id
            AND c.member_id = p_member AND c.rule_id IS NOT DISTINCT FROM nullif(k.rule_id, 0)
            AND c.currency_id = k.currency_id AND c.period = k.period AND c.period_start = k.period_start;
    END LOOP;
    RETURN v_granted;
END $$;

-- Frees what a posting counted towards caps and took from budgets, as far as it comes back; counters never fall below 0.
CREATE FUNCTION rewards_give_back(
    p_member bigint, p_rules bigint[], p_currencies smallint[], p_periods smallint[], p_starts date[], p_points bigint[],
    p_times integer[], p_budgets bigint[], p_back bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_slice record;
    v_left bigint;
BEGIN
    UPDATE rewards_capcounter c SET used = greatest(c.used - u.points, 0), times = greatest(c.times - u.times, 0)
    FROM unnest(p_rules, p_currencies, p_periods, p_starts, p_points, p_times)
        AS u (rule_id, currency_id, period, period_start, points, times)
    WHERE c.member_id = p_member AND c.rule_id IS NOT DISTINCT FROM nullif(u.rule_id, 0)
        AND c.currency_id = u.currency_id AND c.period = u.period AND c.period_start = u.period_start;
    FOR n IN 1 .. cardinality(p_budgets) LOOP
        PERFORM rewards_lock_budget(p_budgets[n]);
        v_left := p_back[n];
        -- The member's own slice first: it most likely gave them.
        FOR v_slice IN
            SELECT id, used FROM rewards_budgetslice WHERE budget_id = p_budgets[n]
            ORDER BY slice_no = p_member % (SELECT count(*) FROM rewards_budgetslice WHERE budget_id = p_budgets[n]) DESC, slice_no
        LOOP
            EXIT WHEN v_left = 0;
            UPDATE rewards_budgetslice SET used = used - least(used, v_left) WHERE id = v_slice.id;
            v_left := v_left - least(v_slice.used, v_left);
        END LOOP;
        PERFORM rewards_spread_budget(p_budgets[n]);
    END LOOP;
END $$;

-- Sets a budget and spreads what is left of it.
CREATE FUNCTION rewards_set_budget(p_budget bigint, p_total bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rewards_lock_budget(p_budget);
    UPDATE rewards_budget SET total_points = p_total WHERE id = p_budget AND total_points <> p_total;
    PERFORM rewards_spread_budget(p_budget);
END $$;

-- A published version is read by purchases for ever after: only its end and its withdrawal can be written.
CREATE FUNCTION rewards_guard_rule_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'published' AND NEW.state IN ('published', 'withdrawn')
        AND to_jsonb(NEW) - '{state,valid_to}'::text[] = to_jsonb(OLD) - '{state,valid_to}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'version % of earn rule % is published: % is refused', OLD.number, OLD.rule_id, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER rewards_earnruleversion_stays_as_published BEFORE UPDATE OR DELETE ON rewards_earnruleversion
    FOR EACH ROW EXECUTE FUNCTION rewards_guard_rule_version();
