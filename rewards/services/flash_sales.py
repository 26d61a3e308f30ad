"""Flash sales: a price of its own for a while, with pieces put aside, and what was not sold put back."""

from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from members.figures import grouped
from rewards.models import FlashSale, Reward
from rewards.refusals import RewardsRefusal

_NO_STOCK: Final = frozenset({Reward.Kind.DIGITAL})


class NotEnoughForSale(RewardsRefusal):
    """Fewer pieces are left than the sale is to have."""

    code = "not_enough_for_sale"
    status = 422
    text = _("Only %(left)s pieces are left; the sale can not put more aside.")


class SaleNeedsNoPieces(RewardsRefusal):
    """Digital codes are counted by their pool."""

    code = "sale_needs_no_pieces"
    status = 422
    text = _("Digital codes are counted by their pool. Leave the pieces of the sale empty.")


@transaction.atomic
def open_sale(*, sale: FlashSale) -> FlashSale:
    """Keep a new sale; its pieces are taken off the reward's stock, where that is counted. Return it.

    Raises NotEnoughForSale, SaleNeedsNoPieces; then nothing is kept.
    """
    if sale.stock is not None:
        if sale.reward.kind in _NO_STOCK:
            raise SaleNeedsNoPieces
        # Whether the stock is counted is not changed while its pieces are put aside.
        Reward.objects.select_for_update(no_key=True).get(pk=sale.reward_id)
        counted = Reward.objects.filter(pk=sale.reward_id, stock__isnull=False)
        if counted.exists() and not counted.filter(stock__gte=sale.stock).update(stock=F("stock") - sale.stock):
            raise NotEnoughForSale(left=grouped(counted.values_list("stock", flat=True).get() or 0))
    sale.save(force_insert=True)
    return sale


@transaction.atomic
def return_unsold(*, at: datetime, limit: int = 200) -> int:
    """Put what sales that are over did not sell back on the shelf, at most `limit` of them; return the pieces. Safe to repeat.

    Where the stock of the reward is not counted (any more), the pieces are only taken off the sale.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH over AS (
                SELECT id, reward_id, stock FROM rewards_flashsale WHERE ends_at <= %s AND stock > 0
                ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
            ), emptied AS (
                UPDATE rewards_flashsale s SET stock = 0 FROM over WHERE s.id = over.id RETURNING s.id
            ), rest AS (
                SELECT reward_id, sum(stock) AS pieces FROM over GROUP BY reward_id
            ), returned AS (
                UPDATE rewards_reward r SET stock = r.stock + rest.pieces FROM rest
                WHERE r.id = rest.reward_id AND r.stock IS NOT NULL RETURNING r.id
            )
            SELECT coalesce(sum(pieces), 0)::bigint FROM rest
            """,
            [at, limit],
        )
        pieces: int = cursor.fetchone()[0]
    return pieces
