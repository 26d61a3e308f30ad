"""What loyalty tells of one person: tiers held, and what they were decided on. It keeps nothing that says who it is."""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.models import QualificationEntry, TierChange, TierWarning
from members.lifecycle import Part, Section, register_part


def register() -> None:
    """Register the part of loyalty. Called once, from `AppConfig.ready()`."""
    register_part(Part("loyalty.privacy", export=export))


def export(member_id: int, at: datetime) -> list[Section]:
    """Return the member's tier changes, tier credits, and warnings before reviews."""
    changes = TierChange.objects.filter(member=member_id).select_related("from_tier", "to_tier").order_by("number")
    credits = QualificationEntry.objects.filter(member=member_id).order_by("happened_at", "pk")
    warnings = TierWarning.objects.filter(member=member_id).select_related("tier").order_by("warned_at", "pk")
    return [
        Section(
            "tier_warnings",
            gettext_lazy("Warnings before reviews of the tier"),
            ("at", "tier", "last_day", "credits", "needed_credits"),
            [[row.warned_at, str(row.tier), row.review_date, row.credits, row.needed_credits] for row in warnings],
            (_("at"), _("tier"), _("last day of the tier"), _("tier credits"), _("tier credits needed")),
        ),
        Section(
            "tiers",
            gettext_lazy("Tiers"),
            ("at", "reason", "from_tier", "to_tier", "credits", "needed_credits", "valid_until"),
            [
                [
                    row.happened_at, str(row.get_reason_display()), str(row.from_tier), str(row.to_tier), row.credits,
                    row.needed_credits, row.valid_until,
                ]
                for row in changes
            ],
            (
                _("at"), _("reason"), _("from tier"), _("to tier"), _("tier credits"), _("tier credits needed"), _("valid until"),
            ),
        ),
        Section(
            "tier_credits",
            gettext_lazy("Tier credits"),
            ("at", "what", "source", "reference", "credits", "spend_amount", "orders"),
            [
                [
                    row.happened_at, str(row.get_kind_display()), row.source, row.source_ref, row.credits, row.spend_amount,
                    row.orders,
                ]
                for row in credits.iterator(chunk_size=2_000)
            ],
            (_("at"), _("what"), _("source"), _("reference"), _("tier credits"), _("spend"), _("orders")),
        ),
    ]  # fmt: skip
