"""Vouchers held while an order is paid: then used with it, or given back; and what an order gives back that is undone.

A hold past its end counts as given back everywhere, whether or not its row says so already.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.models import Member
from members.queries import family_ids
from rewards import events
from rewards.cart import untimely
from rewards.events_vouchers import voucher_given_back, voucher_held, voucher_released
from rewards.models import Voucher
from rewards.refusals import RewardsRefusal
from rewards.services.voucher_moves import HOLD_OVER, NOT_HELD, NOT_USED, end_lapsed_holds, move_vouchers
from rewards.services.voucher_refusals import (
    VoucherExpired,
    VoucherHeld,
    VoucherNotUsable,
    VoucherOffered,
    VoucherUsed,
    VoucherVoided,
    refusal_of,
)
from rewards.services.voucher_terms import lock_vouchers, terms_of
from rewards.voucher_words import figures_in_words

_RELEASE_LAPSED = """
    WITH over AS (
        SELECT id, state FROM rewards_voucher WHERE state = 'held' AND held_until <= %(at)s
        ORDER BY held_until, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    ), free AS (
        UPDATE rewards_voucher v SET state = 'issued', held_until = NULL, held_ref = NULL FROM over
        WHERE v.id = over.id RETURNING v.id, v.member_id, over.state
    ), noted AS (
        INSERT INTO rewards_voucherevent
            (voucher_id, from_state, to_state, external_order_no, reason, actor_kind, actor_id, happened_at)
        SELECT id, state, 'issued', '', %(reason)s, %(kind)s, %(actor)s, %(at)s FROM free
    )
    SELECT id, member_id FROM free ORDER BY id"""


class VoucherHoldOver(RewardsRefusal):
    """The hold of the vouchers has reached its end, or was given back."""

    code = "hold_expired"
    text = _("The vouchers are no longer held for this order.")


@transaction.atomic
def hold_vouchers(
    *, member_id: int, voucher_ids: Collection[int], ref: UUID, until: datetime, by: Actor, at: datetime
) -> list[Voucher]:
    """Hold vouchers of a member for the order `ref` until a moment; return them, ascending. Again: the same, moved nowhere.

    The caller holds the member. Whether the set is lawful for the cart was said by its quote. Raises VoucherNotUsable,
    VoucherUsed, VoucherExpired, VoucherVoided, VoucherHeld, VoucherOffered, VoucherNotYetValid, VoucherDayLimit.
    """
    family = family_ids(member_id)
    vouchers = lock_vouchers(voucher_ids, family)
    if len(vouchers) != len(set(voucher_ids)):
        raise VoucherNotUsable
    fresh = [voucher for voucher in vouchers if voucher.held_ref != ref]
    for voucher in fresh:
        refuse_gone(voucher, at)
    counted: Counter[int] = Counter()
    for terms in terms_of(vouchers, family, at, held_ref=ref):
        reason = untimely(terms, at)
        counted[terms.template_id] += 1
        if reason is None and terms.left_today is not None and counted[terms.template_id] > terms.left_today:
            reason = ("day_limit", {"limit": terms.day_limit})
        if reason is not None:
            raise refusal_of(*reason, member_id)
    end_lapsed_holds(fresh, at=at, by=by)
    move_vouchers(fresh, Voucher.State.HELD, by=by, at=at, held_until=until, held_ref=ref)
    timeline.record([
        voucher_held(voucher_id=one.pk, member_id=one.member_id, ref=ref, until=until, happened_at=at, by=by)
        for one in fresh
    ])  # fmt: skip
    return vouchers


@transaction.atomic
def release_held_vouchers(*, ref: UUID, by: Actor, at: datetime, reason: str = "") -> int:
    """Give back what an order holds; return how many vouchers. Again, 0."""
    held = _locked(Q(held_ref=ref))
    over = [one.pk for one in held if not one.is_held(at)]
    move_vouchers(held, Voucher.State.ISSUED, by=by, at=at, reason=reason, **NOT_HELD)
    timeline.record([
        voucher_released(voucher_id=one.pk, member_id=one.member_id, expired=one.pk in over, happened_at=at, by=by)
        for one in held
    ])  # fmt: skip
    return len(held)


@transaction.atomic
def use_held_vouchers(
    *,
    ref: UUID,
    source: str,
    external_order_no: str,
    store_id: int | None,
    off_amounts: Mapping[int, Decimal],
    by: Actor,
    at: datetime,
) -> list[int]:
    """Use what an order holds with it; return the ids, ascending; none where it holds none. Raises VoucherHoldOver.

    `off_amounts`: what each took off (money), by id; one that is not in it took nothing off the goods.
    """
    held = _locked(Q(held_ref=ref))
    if any(not one.is_held(at) for one in held) or off_amounts.keys() - {one.pk for one in held}:
        raise VoucherHoldOver
    for one in held:
        one.used_off_amount = off_amounts.get(one.pk, Decimal(0))
    move_vouchers(
        held, Voucher.State.USED, by=by, at=at, store_id=store_id, order_no=external_order_no, used_at=at, used_source=source,
        used_order_no=external_order_no, changed=["used_off_amount"], **NOT_HELD,
    )  # fmt: skip
    timeline.record([
        events.voucher_used(
            voucher_id=one.pk, template_id=one.template_id, member_id=one.member_id, store_id=store_id,
            order_no=external_order_no, happened_at=at, by=by,
        )
        for one in held
    ])  # fmt: skip
    return [one.pk for one in held]


@transaction.atomic
def give_back_order_vouchers(
    *, source: str, external_order_no: str, store_id: int | None = None, by: Actor, at: datetime, reason: str = ""
) -> list[int]:
    """Give back what was used with an order that was voided or wholly returned; return the ids, ascending. Again, none.

    Each by its template: not at all; or with its old end; or, past that, with so many days of grace. A member who left
    gets nothing back. `store_id`: where the order was made.
    """
    used = Q(state=Voucher.State.USED, used_source=source, used_order_no=external_order_no)
    back = [one for one in _locked(used & ~Q(bearer_status=Member.Status.CLOSED)) if _comes_back(one, at)]
    for one in back:
        if one.expires_at <= at:
            one.expires_at = at + timedelta(days=one.template.grace_days)
    move_vouchers(
        back, Voucher.State.ISSUED, by=by, at=at, reason=reason, order_no=external_order_no, changed=["expires_at"],
        **NOT_USED,
    )  # fmt: skip
    timeline.record([
        voucher_given_back(
            voucher_id=one.pk, template_id=one.template_id, member_id=one.member_id, store_id=store_id,
            order_no=external_order_no, happened_at=at, by=by,
        )
        for one in back
    ])  # fmt: skip
    return [one.pk for one in back]


@transaction.atomic
def release_lapsed_vouchers(*, at: datetime, by: Actor, limit: int = 2000) -> int:
    """Note of at most `limit` vouchers that what held them is over; return how many. Safe beside itself and beside a till."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE_LAPSED, {"at": at, "limit": limit, "reason": HOLD_OVER, "kind": by.kind, "actor": by.id}
        )
        free = cursor.fetchall()
    timeline.record_many(
        voucher_released(voucher_id=pk, member_id=member_id, expired=True, happened_at=at, by=by)
        for pk, member_id in free
    )
    return len(free)


def refuse_gone(voucher: Voucher, at: datetime) -> None:
    """Refuse a voucher that was used, is over or void, or that an order or a friend holds."""
    state = voucher.state_at(at)
    if state == Voucher.State.USED:
        raise VoucherUsed().about(voucher.member_id)
    if state == Voucher.State.EXPIRED:
        raise VoucherExpired().about(voucher.member_id)
    if state == Voucher.State.VOIDED:
        raise VoucherVoided().about(voucher.member_id)
    if state == Voucher.State.OFFERED:
        raise VoucherOffered().about(voucher.member_id)
    if state == Voucher.State.HELD and voucher.held_until is not None:
        until = voucher.held_until.isoformat()
        words = figures_in_words("held", {"until": until})
        raise VoucherHeld(**words, held_until=until).about(voucher.member_id, **words)


def _locked(which: Q) -> Sequence[Voucher]:
    """Lock vouchers ascending by id, with their templates."""
    bearer = Coalesce(F("member__merged_into__status"), F("member__status"))
    rows = Voucher.objects.select_for_update(no_key=True, of=("self",)).select_related("template")
    return list(rows.annotate(bearer_status=bearer).filter(which).order_by("pk"))


def _comes_back(voucher: Voucher, at: datetime) -> bool:
    template = voucher.template
    return template.is_given_back and (at < voucher.expires_at or template.grace_days > 0)
