"""What the vouchers of a template may cost together: counted at what each costs at most, never passed.

A voucher that ends unused gives its part back; one that was used stays counted at the most it could cost.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext_lazy as _

from rewards.models import VoucherBudget, VoucherTemplate
from rewards.refusals import RewardsRefusal

_TAKE: Final = """
    UPDATE rewards_voucherbudget b SET used_amount = b.used_amount + %(amount)s
    FROM rewards_vouchertemplate t
    WHERE b.template_id = %(template)s AND t.id = b.template_id
        AND (t.budget_amount IS NULL OR b.used_amount + %(amount)s <= t.budget_amount)
"""
# What is counted when a budget begins includes what the caller has just written.
_BEGIN: Final = """
    INSERT INTO rewards_voucherbudget (template_id, used_amount)
    SELECT %(template)s, %(cost)s * count(*) FROM rewards_voucher
    WHERE template_id = %(template)s AND state NOT IN ('expired', 'voided')
    ON CONFLICT (template_id) DO NOTHING RETURNING used_amount
"""
_GIVE_BACK: Final = """
    WITH told AS (
        SELECT b.template_id, g.amount FROM rewards_voucherbudget b
        JOIN unnest(%s::bigint[], %s::numeric[]) AS g (template_id, amount) USING (template_id)
        ORDER BY b.template_id FOR NO KEY UPDATE OF b
    )
    UPDATE rewards_voucherbudget b SET used_amount = greatest(b.used_amount - told.amount, 0)
    FROM told WHERE told.template_id = b.template_id
"""


class VoucherBudgetExhausted(RewardsRefusal):
    """The budget of the template does not reach for so many vouchers."""

    code = "budget_exhausted"
    explains = True
    text = _("The budget for this voucher is used up.")


def take_budget(*, template: VoucherTemplate, vouchers: int) -> None:
    """Count vouchers that the caller has just issued, in the caller's transaction. Raises VoucherBudgetExhausted.

    A template that never had a budget has no row here and waits for nobody.
    """
    if not vouchers:
        return
    cost = template.most_cost_amount
    params: dict[str, Any] = {"template": template.pk, "amount": cost * vouchers, "cost": cost}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, params)
        if cursor.rowcount or template.budget_amount is None:
            return
        cursor.execute(_BEGIN, params)
        begun = cursor.fetchone()
        if begun is None:  # there is a row: it is full, or another has just begun it
            cursor.execute(_TAKE, params)
            if cursor.rowcount:
                return
        elif begun[0] <= template.budget_amount:
            return
    raise VoucherBudgetExhausted


def give_back_budget(*, vouchers_by_template: Mapping[int, int]) -> None:
    """Take vouchers that ended unused off what is counted, in the caller's transaction: how many of each template, by id."""
    budgeted = VoucherTemplate.objects.filter(pk__in=vouchers_by_template, budget__isnull=False)
    amounts = {one.pk: one.most_cost_amount * vouchers_by_template[one.pk] for one in budgeted}
    if amounts:
        with connection.cursor() as cursor:
            cursor.execute(_GIVE_BACK, [list(amounts), list(amounts.values())])


def budget_left(template: VoucherTemplate) -> Decimal | None:
    """Return how much money of the budget is left, None where there is no budget. Before the first voucher all of it."""
    if template.budget_amount is None:
        return None
    used = VoucherBudget.objects.filter(template=template).values_list("used_amount", flat=True).first()
    if used is None:
        held = template.vouchers.exclude(state__in=("expired", "voided")).count()
        used = template.most_cost_amount * held
    return max(template.budget_amount - used, Decimal(0))
