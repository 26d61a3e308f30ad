"""What happened outside the ledger, against the ledger: purchases, returns, redemptions and their vouchers."""

from django.utils.translation import gettext_lazy as _

from rewards.services.checks.sweeps import Case, Check, Sweep

_PURCHASE = "rewards_purchase"
_RETURN = "rewards_purchasereturn"
_REDEMPTION = "rewards_redemption"
_VOUCHER = "rewards_voucher"

# One told in the name of a member who was merged is posted to the survivor.
_PURCHASES = """
    SELECT p.id, p.member_id, p.external_order_no FROM rewards_purchase p
    WHERE p.id BETWEEN %(first)s AND %(last)s AND p.member_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM rewards_ledgertransaction t
        WHERE t.kind = 1 AND t.source = p.source AND t.natural_key = p.external_order_no
            AND (t.member_id = p.member_id OR EXISTS (
                SELECT 1 FROM members_merge g WHERE g.kept_id = t.member_id AND p.member_id = ANY (g.side_ids))))"""

_RETURNS = """
    SELECT r.id, r.member_id, r.external_return_no FROM rewards_purchasereturn r
    WHERE r.id BETWEEN %(first)s AND %(last)s AND r.member_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM rewards_ledgertransaction t
        WHERE t.kind = 4 AND t.source = r.source AND t.natural_key = r.external_return_no
            AND (t.member_id = r.member_id OR EXISTS (
                SELECT 1 FROM members_merge g WHERE g.kept_id = t.member_id AND r.member_id = ANY (g.side_ids))))"""

_REDEMPTIONS = """
    SELECT r.id, r.member_id, r.price_points, coalesce(p.points, 0) AS paid, v.member_id AS voucher_member, r.voucher_id, w.kind,
        r.state, e.is_cut, e.state AS told, coalesce(b.points, 0) AS back,
        (SELECT c.state FROM rewards_digitalcode c WHERE c.redemption_id = r.id) AS code_state,
        (SELECT d.points FROM rewards_donation d WHERE d.id = r.donation_id) AS donated,
        (SELECT n.points FROM rewards_partnerconversion n WHERE n.id = r.conversion_id) AS converted
    FROM rewards_redemption r
    JOIN rewards_reward w ON w.id = r.reward_id
    LEFT JOIN rewards_voucher v ON v.id = r.voucher_id
    LEFT JOIN LATERAL (
        SELECT bool_or(x.from_state <> x.state_before) AS is_cut, (array_agg(x.to_state ORDER BY x.id DESC))[1] AS state
        FROM (
            SELECT id, from_state, to_state, lag(to_state, 1, '') OVER (ORDER BY id) AS state_before
            FROM rewards_redemptionevent WHERE redemption_id = r.id) AS x) AS e ON true
    LEFT JOIN LATERAL (
        SELECT sum(y.d_available - y.d_debt) AS points
        FROM rewards_ledgertransaction t JOIN rewards_ledgerentry y ON y.transaction_id = t.id
        WHERE t.id = r.refund_id AND t.reverses_id = r.transaction_id) AS b ON true
    LEFT JOIN LATERAL (
        SELECT sum(-(e.d_available + e.d_pending + e.d_held) + e.d_debt) AS points
        FROM rewards_ledgertransaction t JOIN rewards_ledgerentry e ON e.transaction_id = t.id
        WHERE t.kind IN (3, 7, 12, 13) AND t.source = 'redemption' AND t.natural_key = r.request_id AND t.member_id = r.member_id) AS p ON true
    WHERE r.id BETWEEN %(first)s AND %(last)s"""

# Redemptions of a reward by one member are numbered 1, 2, 3 …; limits count by it.
_NUMBERS = """
    SELECT min(id) AS id, member_id, count(*) AS count, max(number) AS last
    FROM rewards_redemption GROUP BY member_id, reward_id"""

# The first event issues a voucher, each next one begins where the last ended, and the last says the state.
_VOUCHERS = """
    SELECT v.id, v.member_id, v.state, e.is_cut, e.state AS told
    FROM rewards_voucher v LEFT JOIN (
        SELECT voucher_id, bool_or(from_state <> state_before) AS is_cut, (array_agg(to_state ORDER BY id DESC))[1] AS state
        FROM (
            SELECT id, voucher_id, from_state, to_state, lag(to_state, 1, '') OVER (PARTITION BY voucher_id ORDER BY id) AS state_before
            FROM rewards_voucherevent WHERE voucher_id BETWEEN %(first)s AND %(last)s) AS x
        GROUP BY voucher_id) AS e ON e.voucher_id = v.id
    WHERE v.id BETWEEN %(first)s AND %(last)s"""

_DUE = """
    SELECT id, member_id, expires_at FROM rewards_voucher
    WHERE state = 'issued' AND expires_at < %(at)s::timestamptz - interval '26 hours'"""

SWEEPS = (
    Sweep(
        "purchases",
        _PURCHASES,
        (
            Case(
                Check("every_member_purchase_is_posted", _PURCHASE, _("A purchase of a member is not in the ledger.")),
                "true",
                "'order ' || x.external_order_no || ' has no posting of its member'",
            ),
        ),
        walk=_PURCHASE,
    ),
    Sweep(
        "returns",
        _RETURNS,
        (
            Case(
                Check("every_member_return_is_posted", _RETURN, _("A return of a member is not in the ledger.")),
                "true",
                "'return ' || x.external_return_no || ' has no posting of its member'",
            ),
        ),
        walk=_RETURN,
    ),
    Sweep(
        "redemptions",
        _REDEMPTIONS,
        (
            Case(
                Check("every_redemption_is_paid", _REDEMPTION, _("A redemption was not paid with the points it cost.")),
                "x.paid <> x.price_points",
                "format('it cost %%s, the ledger says %%s', x.price_points, x.paid)",
            ),
            Case(
                Check(
                    "redemption_and_voucher_are_of_one_member",
                    _REDEMPTION,
                    _("The voucher of a redemption is another member's."),
                ),
                "x.voucher_id IS NOT NULL AND x.voucher_member IS DISTINCT FROM x.member_id",
                "'its voucher is of another member'",
            ),
            Case(
                Check(
                    "redemption_gave_what_its_reward_is",
                    _REDEMPTION,
                    _("A redemption has no voucher, code, donation or exchange, though its reward is one."),
                ),
                "x.kind = 'voucher' AND x.voucher_id IS NULL OR x.kind = 'digital' AND x.code_state IS NULL"
                " OR x.kind = 'donation' AND x.donated IS DISTINCT FROM x.price_points"
                " OR x.kind = 'partner' AND x.converted IS DISTINCT FROM x.price_points",
                "format('a %%s is missing or of another size', x.kind)",
            ),
            Case(
                Check(
                    "redemption_state_is_what_its_events_say",
                    _REDEMPTION,
                    _("The state of a redemption is not what its events say."),
                ),
                "x.is_cut IS DISTINCT FROM false OR x.told IS DISTINCT FROM x.state",
                "format('it is %%s, its events say %%s', x.state, coalesce(x.told, 'nothing'))",
            ),
            Case(
                Check(
                    "cancelled_redemption_is_given_back",
                    _REDEMPTION,
                    _("The points of a cancelled redemption did not come back."),
                ),
                "x.state IN ('cancelled', 'refunded') AND x.back <> x.price_points",
                "format('it cost %%s, %%s came back', x.price_points, x.back)",
            ),
        ),
        walk=_REDEMPTION,
    ),
    Sweep(
        "numbers of redemptions",
        _NUMBERS,
        (
            Case(
                Check(
                    "redemptions_are_numbered_without_gaps",
                    _REDEMPTION,
                    _("Redemptions of a reward are missing or too many."),
                ),
                "x.count <> x.last",
                "format('%%s redemptions of one reward, the last is number %%s', x.count, x.last)",
            ),
        ),
    ),
    Sweep(
        "vouchers",
        _VOUCHERS,
        (
            Case(
                Check(
                    "voucher_state_is_what_its_events_say",
                    _VOUCHER,
                    _("The state of a voucher is not what its events say."),
                ),
                "x.is_cut IS DISTINCT FROM false OR x.told <> x.state",
                "format('it is %%s, its events say %%s', x.state, coalesce(x.told, 'nothing'))",
            ),
        ),
        walk=_VOUCHER,
    ),
    Sweep(
        "vouchers that are due",
        _DUE,
        (
            Case(
                Check("due_vouchers_are_expired", _VOUCHER, _("A voucher past its end has not been closed.")),
                "true",
                "format('it ended at %%s', x.expires_at)",
            ),
        ),
    ),
)
