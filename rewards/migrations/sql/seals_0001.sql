-- Sealing: committed entries of the points ledger in blocks, each chained to the one before (rewards/services/sealing.py).
--
-- Entries are sealed in the order (number of the posting transaction, id), and only those whose transaction is older
-- than the oldest one still running in this database: an entry that commits late is never passed over. Entries from
-- before transactions were noted count as transaction 0. All entries of one bulk posting share a number; there the id decides.

-- The hash of a block over its own content and the block before it.
CREATE FUNCTION ledger_seal_hash(
    p_number bigint, p_epoch smallint, p_previous bytea, p_root bytea, p_entries int, p_entries_before bigint,
    p_first_xact bigint, p_first_entry bigint, p_last_xact bigint, p_last_entry bigint
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(
        int8send(p_number) || int2send(p_epoch) || p_previous || p_root || int4send(p_entries) || int8send(p_entries_before)
        || int8send(p_first_xact) || int8send(p_first_entry) || int8send(p_last_xact) || int8send(p_last_entry))
$$;

-- The count and root of the entries of one epoch (ids above p_after, up to p_until) between two positions.
-- The settings, and `id + 0`, keep to the index of the sealing order: by that of the ids, each block would cost the whole
-- table.
CREATE FUNCTION ledger_block_of(
    p_after bigint, p_until bigint, p_from_xact bigint, p_from_entry bigint, p_to_xact bigint, p_to_entry bigint,
    OUT entries bigint, OUT root bytea
) LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    SELECT count(*), sha256(string_agg(e.hash, ''::bytea ORDER BY coalesce(e.xact, 0), e.id)) INTO entries, root
    FROM rewards_ledgerentry e
    WHERE (coalesce(e.xact, 0), e.id) > (p_from_xact, p_from_entry) AND (coalesce(e.xact, 0), e.id) <= (p_to_xact, p_to_entry)
      AND e.id + 0 > p_after AND e.id + 0 <= p_until;
END $$;

-- The current epoch. A database whose rows were copied to another server counts transactions anew, so new entries would
-- sort before old ones. There two epochs begin: one of the entries that no block holds yet (the lock makes sure that none
-- of them is still being written), one of all that come later. Runs with the owner's rights: the lock asks for them.
CREATE FUNCTION ledger_current_epoch(p_at timestamptz) RETURNS smallint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_cluster text := (SELECT system_identifier::text FROM pg_control_system());
    v_epoch rewards_ledgerepoch;
    v_sealed bigint;
    v_top bigint;
BEGIN
    SELECT * INTO v_epoch FROM rewards_ledgerepoch ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO rewards_ledgerepoch (number, after_entry_id, cluster, began_at) VALUES (1, 0, v_cluster, p_at);
        RETURN 1;
    END IF;
    IF v_epoch.cluster = v_cluster THEN
        RETURN v_epoch.number;
    END IF;
    LOCK TABLE rewards_ledgerentry IN SHARE MODE;
    v_sealed := greatest(v_epoch.after_entry_id, coalesce((SELECT max(highest_entry_id) FROM rewards_ledgerseal), 0));
    v_top := coalesce((SELECT max(id) FROM rewards_ledgerentry), 0);
    INSERT INTO rewards_ledgerepoch (number, after_entry_id, cluster, began_at)
        VALUES (v_epoch.number + 1, v_sealed, v_cluster, p_at), (v_epoch.number + 2, greatest(v_sealed, v_top), v_cluster, p_at);
    RETURN v_epoch.number + 2;
END $$;

-- The oldest transaction still running in this database (those of other databases on the server do not matter), or else
-- the next one. Entries of older transactions are committed for good.
CREATE FUNCTION ledger_horizon() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(
        (SELECT min(running::text::bigint) FROM pg_snapshot_xip(pg_current_snapshot()) AS running
         WHERE NOT EXISTS (
             SELECT 1 FROM pg_stat_activity WHERE backend_xid = running::xid AND datname <> current_database())),
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
$$;

-- Seals at most p_blocks blocks. Blocks and entries say how many; blocks is NULL when another sealer is at work.
CREATE FUNCTION ledger_seal(p_at timestamptz, p_blocks int, OUT blocks int, OUT entries bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    v_last rewards_ledgerseal;
    v_after bigint;
    v_until bigint;
    v_horizon bigint;
    n record;
BEGIN
    entries := 0;
    IF NOT pg_try_advisory_xact_lock(hashtext('rewards.ledger_seal')) THEN
        RETURN;
    END IF;
    blocks := 0;
    PERFORM ledger_current_epoch(p_at);
    v_horizon := ledger_horizon();
    SELECT * INTO v_last FROM rewards_ledgerseal ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        v_last.number := 0; v_last.epoch_id := 1; v_last.last_xact := -1; v_last.last_entry_id := 0;
        v_last.entries := 0; v_last.entries_before := 0; v_last.hash := decode(repeat('00', 32), 'hex');
    END IF;
    WHILE blocks < p_blocks LOOP
        SELECT max(after_entry_id) FILTER (WHERE number = v_last.epoch_id), max(after_entry_id) FILTER (WHERE number > v_last.epoch_id)
            INTO v_after, v_until FROM rewards_ledgerepoch WHERE number BETWEEN v_last.epoch_id AND v_last.epoch_id + 1;
        SELECT count(*)::int AS size, sha256(string_agg(b.hash, ''::bytea ORDER BY b.xact, b.id)) AS root,
               min(b.xact) AS first_xact, (array_agg(b.id ORDER BY b.xact, b.id))[1] AS first_entry,
               max(b.xact) AS last_xact, (array_agg(b.id ORDER BY b.xact DESC, b.id DESC))[1] AS last_entry, max(b.id) AS highest
        INTO n
        FROM (
            SELECT coalesce(e.xact, 0) AS xact, e.id, e.hash FROM rewards_ledgerentry e
            WHERE (coalesce(e.xact, 0), e.id) > (v_last.last_xact, v_last.last_entry_id)
              AND coalesce(e.xact, 0) < CASE WHEN v_until IS NULL THEN v_horizon ELSE 9223372036854775807 END
              AND e.id + 0 > v_after AND e.id + 0 <= coalesce(v_until, 9223372036854775807)
            ORDER BY coalesce(e.xact, 0), e.id LIMIT 1000
        ) AS b;
        IF n.size = 0 THEN
            EXIT WHEN v_until IS NULL;
            v_last.epoch_id := v_last.epoch_id + 1; v_last.last_xact := -1; v_last.last_entry_id := 0;
            CONTINUE;
        END IF;
        INSERT INTO rewards_ledgerseal (number, epoch_id, first_xact, first_entry_id, last_xact, last_entry_id, highest_entry_id,
                entries, entries_before, previous_hash, root, hash, sealed_at)
            VALUES (v_last.number + 1, v_last.epoch_id, n.first_xact, n.first_entry, n.last_xact, n.last_entry, n.highest,
                n.size, v_last.entries_before + v_last.entries, v_last.hash, n.root,
                ledger_seal_hash(v_last.number + 1, v_last.epoch_id, v_last.hash, n.root, n.size,
                    v_last.entries_before + v_last.entries, n.first_xact, n.first_entry, n.last_xact, n.last_entry),
                p_at)
            RETURNING * INTO v_last;
        blocks := blocks + 1;
        entries := entries + n.size;
    END LOOP;
END $$;

-- What waits to be sealed: how many entries (counted to p_most) and when the first of them was recorded.
CREATE FUNCTION ledger_unsealed(p_most int, OUT entries bigint, OUT oldest_at timestamptz)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    v_last rewards_ledgerseal;
    v_until bigint;
    n record;
BEGIN
    SELECT * INTO v_last FROM rewards_ledgerseal ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        v_last.epoch_id := 1; v_last.last_xact := -1; v_last.last_entry_id := 0; v_last.highest_entry_id := 0;
    END IF;
    SELECT after_entry_id INTO v_until FROM rewards_ledgerepoch WHERE number = v_last.epoch_id + 1;
    SELECT count(*) AS entries, min(w.recorded_at) AS oldest_at INTO n FROM (
        SELECT e.recorded_at FROM rewards_ledgerentry e
        WHERE (coalesce(e.xact, 0), e.id) > (v_last.last_xact, v_last.last_entry_id)
          AND e.id + 0 > (SELECT coalesce(max(after_entry_id), 0) FROM rewards_ledgerepoch WHERE number = v_last.epoch_id)
          AND e.id + 0 <= coalesce(v_until, 9223372036854775807)
        ORDER BY coalesce(e.xact, 0), e.id LIMIT p_most) AS w;
    entries := n.entries; oldest_at := n.oldest_at;
    IF v_until IS NOT NULL THEN
        SELECT count(*) AS entries, min(w.recorded_at) AS oldest_at INTO n
        FROM (SELECT e.recorded_at FROM rewards_ledgerentry e WHERE e.id > v_until ORDER BY e.id LIMIT p_most) AS w;
        entries := least(entries + n.entries, p_most); oldest_at := least(oldest_at, n.oldest_at);
    END IF;
END $$;
