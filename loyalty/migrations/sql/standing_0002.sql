-- As standing_0001.sql, with the activity of a fact, the day it made active, and a rise that waits.
DROP FUNCTION loyalty_count_fact;
CREATE FUNCTION loyalty_count_fact(
    p_member bigint, p_kind text, p_source text, p_source_ref text, p_credits integer, p_spend numeric, p_orders integer,
    p_activity integer, p_active_on date, p_happened_at timestamptz, p_from_at timestamptz, p_before_at timestamptz,
    OUT is_new boolean, OUT tier_id bigint, OUT since_at timestamptz, OUT valid_until timestamptz, OUT rise_at timestamptz,
    OUT latest_at timestamptz, OUT credits bigint, OUT returned bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    SELECT coalesce(sum(e.credits), 0), coalesce(-sum(e.credits) FILTER (WHERE e.credits < 0), 0) INTO credits, returned
        FROM loyalty_qualificationentry e
        WHERE e.member_id = p_member AND e.happened_at >= p_from_at AND e.happened_at < p_before_at;
    SELECT max(e.happened_at) INTO latest_at FROM loyalty_qualificationentry e WHERE e.member_id = p_member;
    SELECT s.tier_id, s.since_at, s.valid_until, s.rise_at INTO tier_id, since_at, valid_until, rise_at
        FROM loyalty_tierstanding s WHERE s.member_id = p_member FOR NO KEY UPDATE;
    INSERT INTO loyalty_qualificationentry
        (member_id, kind, source, source_ref, credits, spend_amount, orders, activity, active_on, happened_at)
        VALUES (p_member, p_kind, p_source, p_source_ref, p_credits, p_spend, p_orders, p_activity, p_active_on, p_happened_at)
        ON CONFLICT (kind, source, source_ref) DO NOTHING;
    is_new := FOUND;
END $$;
