"""What a batch of vouchers would do before it is carried out: who would get one, who not and why, and what it may cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from rewards.models import VoucherBatch
from rewards.services.voucher_budgets import budget_left
from rewards.vouchers_held import HELD

_MOST_SIMILAR: Final = 5

_WHO: Final = f"""
    WITH people AS (
        SELECT DISTINCT coalesce(m.merged_into_id, m.id) AS id
        FROM members_segmentspan s JOIN members_member m ON m.id = s.member_id
        WHERE s.segment_id = %(segment)s AND s.left_at IS NULL
    ), held AS ({HELD.format(about="")}), seen AS (
        SELECT b.status = 'closed' AS has_left, coalesce(held.number, 0) AS number
        FROM people JOIN members_member b ON b.id = people.id LEFT JOIN held ON held.id = people.id
    )
    SELECT count(*), count(*) FILTER (WHERE has_left),
        count(*) FILTER (WHERE NOT has_left AND %(skips)s AND number > 0),
        count(*) FILTER (WHERE NOT has_left AND NOT (%(skips)s AND number > 0) AND number >= %(most)s)
    FROM seen
"""  # noqa: S608 - no value is in it
_BEFORE: Final = """
    SELECT count(*), count(*) FILTER (WHERE state = 'used'), sum(used_off_amount), count(used_off_amount)
    FROM rewards_voucher WHERE origin = 'batch' AND origin_ref = ANY (%s)
"""
_NO_LIMIT: Final = 2_147_483_647


@dataclass(frozen=True, slots=True)
class Similar:
    """What became of earlier batches of the same template: how many batches, vouchers, used ones, and the mean money off."""

    batches: int = 0
    issued: int = 0
    used: int = 0
    mean_off_amount: Decimal | None = None

    @property
    def percent_used(self) -> int:
        """Whole percent of their vouchers that were used so far."""
        return round(100 * self.used / self.issued) if self.issued else 0


@dataclass(frozen=True, slots=True)
class BatchPreview:
    """Who would get a voucher now, who is left out and why, and what it may cost the brand at most, in money."""

    listed: int
    have_left: int
    have_one: int
    hold_most: int
    cost_amount: Decimal
    budget_left: Decimal | None
    similar: Similar

    @property
    def people(self) -> int:
        """Members who would get a voucher."""
        return self.listed - self.have_left - self.have_one - self.hold_most

    @property
    def expected_used(self) -> int:
        """So many would be used, if these were used like those of earlier batches."""
        return round(self.people * self.similar.used / self.similar.issued) if self.similar.issued else 0

    @property
    def is_over_budget(self) -> bool:
        """Whether the budget of the template does not reach."""
        return self.budget_left is not None and self.cost_amount > self.budget_left


def preview_of(batch: VoucherBatch, *, at: datetime) -> BatchPreview:
    """Return what a batch would do now. Some seconds for a million members."""
    template = batch.template
    params: dict[str, Any] = {
        "segment": batch.segment_id, "template": template.pk, "at": at,
        "skips": batch.duplicates == VoucherBatch.Duplicates.SKIP, "most": template.most_held or _NO_LIMIT,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_WHO, params)
        listed, have_left, have_one, hold_most = cursor.fetchone()
    people = listed - have_left - have_one - hold_most
    return BatchPreview(
        listed, have_left, have_one, hold_most, template.most_cost_amount * people, budget_left(template), _similar(batch)
    )  # fmt: skip


def _similar(batch: VoucherBatch) -> Similar:
    earlier = VoucherBatch.objects.filter(template=batch.template_id, issued__gt=0).exclude(pk=batch.pk)
    refs = [str(pk) for pk in earlier.order_by("-created_at").values_list("pk", flat=True)[:_MOST_SIMILAR]]
    if not refs:
        return Similar()
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [refs])
        issued, used, off_amount, told = cursor.fetchone()
    return Similar(len(refs), issued, used, off_amount / told if told else None)
