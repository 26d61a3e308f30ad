"""The app and what it registers with the floors below."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("points and vouchers")

    def ready(self) -> None:
        """Keep the history of what staff configure; register the facts of orders and points."""
        keep_history = import_module("members.history").keep_history
        for name in (
            "pointscurrency",
            "arrearslimit",
            "pointsrate",
            "earnrule",
            "earnruleversion",
            "programmecap",
            "category",
            "vouchertemplate",
            "closingaccount",
            "reasoncode",
            "transferpolicy",
            "charityproject",
            "partner",
            "rewardcategory",
            "rewardprice",
            "rewardimage",
            "memberprice",
            "pointspayment",
        ):
            keep_history(self.get_model(name))
        keep_history(self.get_model("reward"), unwatched=["stock"])
        keep_history(self.get_model("flashsale"), unwatched=["stock"])
        keep_history(self.get_model("voucheroffer"), unwatched=["claimed"], without=["scan_hmac", "claim_code_hmac"])
        keep_history(self.get_model("expirypolicy"), unwatched=["applied_at"])
        import_module("rewards.facts").register()
        import_module("rewards.finders").register()
        import_module("rewards.risk").register()
        import_module("rewards.voucher_risk").register()
        import_module("rewards.base_points").register()
        import_module("rewards.rules_sections").register()
        import_module("rewards.segment_templates").register()
        import_module("rewards.handlers").register()
        import_module("rewards.webhook_types").register()
        import_module("rewards.services.extensions").register()
        import_module("rewards.benefit_choices").register()
        for name in (
            "adjustments",
            "corrections",
            "transfers",
            "household_points",
            "fulfilment",
            "donations",
            "conversions",
            "adjustment_batches",
            "openings",
            "verification_jobs",
            "merging",
            "fulfilment_jobs",
            "address_lists",
            "order_batches",
            "reward_prices",
            "voucher_batches",
            "voucher_goodwill_words",
            "voucher_privacy",
            "privacy",
        ):
            import_module(f"rewards.services.{name}").register()
