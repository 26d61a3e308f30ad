"""Vouchers that are made void before they are used."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection

from members import timeline
from members.actors import Actor
from rewards import events_voucher_issuing as events
from rewards.services.voucher_budgets import give_back_budget

# What an order or a friend holds is theirs until the hold is over.
_VOID: Final = """
    WITH live AS (
        SELECT id, state FROM rewards_voucher
        WHERE id = ANY (%(ids)s) AND expires_at > %(at)s
            AND (state = 'issued' OR (state IN ('held', 'offered') AND held_until <= %(at)s))
        ORDER BY id FOR NO KEY UPDATE
    ), ended AS (
        UPDATE rewards_voucher v SET state = 'voided', held_until = NULL, held_ref = NULL FROM live WHERE v.id = live.id
        RETURNING v.id, v.member_id, v.template_id, live.state
    ), noted AS (
        INSERT INTO rewards_voucherevent
            (voucher_id, from_state, to_state, external_order_no, reason, actor_kind, actor_id, happened_at)
        SELECT id, state, 'voided', '', %(reason)s, %(kind)s, %(actor)s, %(at)s FROM ended
    )
    SELECT id, member_id, template_id FROM ended ORDER BY id
"""


def void_vouchers(*, voucher_ids: Collection[int], by: Actor, at: datetime, reason: str) -> list[int]:
    """Make those vouchers void that can be used, in the caller's transaction; return their ids, ascending.

    What is used, over, void already, or held for an order or a friend is passed over. The budget gets their part back.
    """
    if not voucher_ids:
        return []
    params: dict[str, Any] = {
        "ids": list(voucher_ids),
        "at": at,
        "reason": reason[:200],
        "kind": by.kind,
        "actor": by.id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_VOID, params)
        ended = cursor.fetchall()
    give_back_budget(vouchers_by_template=Counter(template_id for _id, _member, template_id in ended))
    timeline.record_many(
        events.voucher_voided(voucher_id=pk, template_id=template_id, member_id=member_id, happened_at=at, by=by)
        for pk, member_id, template_id in ended
    )
    return [pk for pk, _member, _template in ended]
