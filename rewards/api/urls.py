"""Addresses of points, rewards, vouchers and tills under /api/v1/."""

from django.urls import path

from rewards.api import catalog, earning_rules, me, pos, resolving, wallet

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
    path("me/vouchers", me.VouchersView.as_view(), name="my_vouchers"),
    path("me/vouchers/<ref:voucher_id>", me.VoucherView.as_view(), name="my_voucher"),
    path("pos/members/resolve", resolving.ResolveView.as_view(), name="resolve"),
    path("pos/orders", pos.OrdersView.as_view(), name="orders"),
    path("pos/orders/<order_no:order_no>", pos.OrderView.as_view(), name="order"),
    path("pos/orders/<order_no:order_no>/returns", pos.ReturnsView.as_view(), name="returns"),
    path("pos/vouchers/verify", pos.VerifyVoucherView.as_view(), name="verify_voucher"),
    path("pos/vouchers/redeem", pos.RedeemVoucherView.as_view(), name="redeem_voucher"),
]
