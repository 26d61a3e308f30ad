-- The first half of recording a purchase in one call (rewards/services/purchase_rows.py is its only caller): the purchase
-- with its lines, unless its number is known (waiting for one in flight); then, in later statements, the member held active
-- or not, her points account locked, and under that lock her standing with its floors and the counters of caps that the order may touch.
-- An order told in the name of a member who was merged keeps that member; all else is the survivor's, who is returned.
CREATE FUNCTION rewards_open_purchase(
    p_source text, p_number text, p_fingerprint bytea, p_member bigint, p_channel bigint, p_store bigint, p_ordered_at timestamptz,
    p_original_currency text, p_original_amount numeric, p_exchange_rate numeric, p_points_currency smallint,
    p_skus text[], p_names text[], p_quantities numeric[], p_unit_prices numeric[], p_amounts numeric[], p_earns boolean[],
    p_cap_rules bigint[], p_cap_currencies smallint[], p_cap_periods smallint[], p_cap_starts date[],
    OUT purchase_id bigint, OUT public_id uuid, OUT earning boolean[], OUT categories bigint[], OUT brands text[],
    OUT member_no text, OUT status text, OUT tier_id bigint, OUT since_at timestamptz, OUT valid_until timestamptz,
    OUT floor_tier_id bigint, OUT floor_from timestamptz, OUT floor_until timestamptz, OUT cap_used jsonb, OUT bearer_id bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    WITH line AS (
        SELECT l.n, l.sku, l.name, l.quantity, l.unit_price, l.amount, p.id AS product_id, p.category_id, coalesce(p.brand, '') AS brand,
               l.earns AND coalesce(p.earns, true) AS earns
        FROM unnest(p_skus, p_names, p_quantities, p_unit_prices, p_amounts, p_earns)
            WITH ORDINALITY AS l (sku, name, quantity, unit_price, amount, earns, n)
        LEFT JOIN rewards_product p ON p.sku = l.sku
    ), purchase AS (
        INSERT INTO rewards_purchase AS p
            (source, external_order_no, fingerprint, member_id, channel_id, store_id, ordered_at, total_amount,
             eligible_amount, original_currency, original_amount, exchange_rate)
        SELECT p_source, p_number, p_fingerprint, p_member, p_channel, p_store, p_ordered_at, coalesce(sum(amount), 0),
               coalesce(sum(amount) FILTER (WHERE earns), 0), p_original_currency, p_original_amount, p_exchange_rate
        FROM line
        ON CONFLICT (source, external_order_no) DO NOTHING
        RETURNING p.id, p.public_id
    ), lines AS (
        INSERT INTO rewards_purchaseline (purchase_id, line_no, sku, name, product_id, quantity, unit_price, amount, earns)
        SELECT purchase.id, n, sku, name, product_id, quantity, unit_price, amount, earns FROM purchase, line
    )
    SELECT purchase.id, purchase.public_id, array_agg(line.earns ORDER BY n), array_agg(line.category_id ORDER BY n), array_agg(line.brand ORDER BY n)
        INTO purchase_id, public_id, earning, categories, brands
        FROM purchase LEFT JOIN line ON true GROUP BY purchase.id, purchase.public_id;
    IF purchase_id IS NOT NULL AND p_member IS NOT NULL THEN
        SELECT m.member_no, m.status, m.merged_into_id INTO member_no, status, bearer_id FROM members_member m WHERE m.id = p_member FOR SHARE;
        IF bearer_id IS NOT NULL THEN
            SELECT m.member_no, m.status INTO member_no, status FROM members_member m WHERE m.id = bearer_id FOR SHARE;
        END IF;
        bearer_id := coalesce(bearer_id, p_member);
        PERFORM ledger_lock_account(bearer_id, p_points_currency);
        SELECT s.tier_id, s.since_at, s.valid_until, s.floor_tier_id, s.floor_from, s.floor_until
            INTO tier_id, since_at, valid_until, floor_tier_id, floor_from, floor_until
            FROM loyalty_tierstanding s WHERE s.member_id = bearer_id;
        IF cardinality(p_cap_rules) > 0 THEN
            SELECT jsonb_agg(jsonb_build_array(c.rule_id, c.currency_id, c.period, c.period_start, c.used, c.times)) INTO cap_used
                FROM rewards_cap_usage(bearer_id, p_cap_rules, p_cap_currencies, p_cap_periods, p_cap_starts) AS c;
        END IF;
    END IF;
END $$;
