"""Addresses of points, rewards, vouchers and tills under /api/v1/."""

from django.urls import path

from rewards.api import (
    catalog,
    earning_rules,
    me,
    pos,
    pos_vouchers,
    till,
    till_batches,
    till_orders,
    voucher_claims,
    vouchers,
    wallet,
)

urlpatterns = [
    path("earning-rules", earning_rules.EarningRulesView.as_view(), name="earning_rules"),
    path("rewards", catalog.RewardsView.as_view(), name="rewards"),
    path("rewards/<ref:reward_id>", catalog.RewardView.as_view(), name="reward"),
    path("me/summary", me.SummaryView.as_view(), name="my_summary"),
    path("me/card/wallet-pass", wallet.WalletPassView.as_view(), name="my_wallet_pass"),
    path("me/points", me.PointsView.as_view(), name="my_points"),
    path("me/points/entries", me.EntriesView.as_view(), name="my_entries"),
    path("me/points/entries/<ref:entry_id>", me.EntryView.as_view(), name="my_entry"),
    path("me/redemptions", me.RedemptionsView.as_view(), name="my_redemptions"),
    path("me/redemptions/<ref:redemption_id>", me.RedemptionView.as_view(), name="my_redemption"),
    path("me/vouchers", vouchers.VouchersView.as_view(), name="my_vouchers"),
    path("voucher-offers", voucher_claims.VoucherOffersView.as_view(), name="voucher_offers"),
    path("me/vouchers/claim", voucher_claims.ClaimView.as_view(), name="claim_voucher"),
    path("me/vouchers/gift/accept", voucher_claims.AcceptGiftView.as_view(), name="accept_voucher_gift"),
    path("me/vouchers/<ref:voucher_id>/gift", voucher_claims.GiftView.as_view(), name="give_voucher"),
    path(
        "me/vouchers/<ref:voucher_id>/gift/cancel", voucher_claims.CancelGiftView.as_view(), name="cancel_voucher_gift"
    ),
    path("me/vouchers/<ref:voucher_id>", vouchers.VoucherView.as_view(), name="my_voucher"),
    path("pos/members/resolve", pos.ResolveView.as_view(), name="resolve"),
    path("pos/orders", pos.OrdersView.as_view(), name="orders"),
    path("pos/orders/<order_no:order_no>", pos.OrderView.as_view(), name="order"),
    path("pos/orders/<order_no:order_no>/returns", till_orders.ReturnsView.as_view(), name="returns"),
    path("pos/orders/<order_no:order_no>/void", till_orders.VoidView.as_view(), name="void_order"),
    path("pos/quotes", till.QuotesView.as_view(), name="quotes"),
    path("pos/config", till_batches.PosConfigView.as_view(), name="pos_config"),
    path("pos/batches", till_batches.BatchesView.as_view(), name="batches"),
    path("pos/batches/<ref:batch_id>", till_batches.BatchView.as_view(), name="batch"),
    path("pos/holds", till.HoldsView.as_view(), name="holds"),
    path("pos/holds/<ref:hold_id>", till.HoldView.as_view(), name="hold"),
    path("pos/vouchers/claim", voucher_claims.ClaimAtTillView.as_view(), name="claim_voucher_at_till"),
    path("pos/vouchers/verify", pos_vouchers.VerifyVoucherView.as_view(), name="verify_voucher"),
    path("pos/vouchers/redeem", pos_vouchers.RedeemVoucherView.as_view(), name="redeem_voucher"),
    path("pos/vouchers/unredeem", pos_vouchers.UnredeemVoucherView.as_view(), name="unredeem_voucher"),
]
