"""Vouchers as the values that a cart is worked out with; and how they are locked before they move."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Min, Q

from loyalty.periods import business_date, day_bounds
from members.plain_rows import PlainRows
from members.queries import family_ids, programme
from rewards.cart import VoucherTerms
from rewards.models import Voucher, VoucherTemplate
from rewards.queries import labels_of

_USABLE_MOST = 200
_OPEN: Final = PlainRows(
    Voucher,
    "WHERE member_id = ANY (%s) AND state IN ('issued', 'held', 'offered') AND expires_at > %s ORDER BY expires_at, id LIMIT %s",
    left_out=["code_hmac"],
)
_TEMPLATES: Final = PlainRows(VoucherTemplate, "WHERE id = ANY (%s)")


def voucher_terms_of(member_id: int, at: datetime, *, held_ref: UUID | None = None) -> list[VoucherTerms]:
    """Return the vouchers of a member, and of those merged into it, that are neither used nor over: in a few queries.

    Of more than 200 those that end first. What the order `held_ref` holds counts as free.
    """
    family = family_ids(member_id)
    found = _OPEN.all(family, at, _USABLE_MOST)
    if found:
        templates = {one.pk: one for one in _TEMPLATES.all(list({voucher.template_id for voucher in found}))}
        for voucher in found:
            voucher.template = templates[voucher.template_id]
    return terms_of(found, family, at, held_ref=held_ref)


def terms_of(
    vouchers: Iterable[Voucher], family: Collection[int], at: datetime, *, held_ref: UUID | None = None
) -> list[VoucherTerms]:
    """Return vouchers of one member (`family`: its ids) as terms; one query more where some may be used so often a day."""
    rows = list(vouchers)
    counted = {row.template_id for row in rows if row.template.most_used_per_day is not None}
    used = used_today(counted, family, at, held_ref=held_ref) if counted else Counter()
    return [_terms(row, used[row.template_id], held_ref) for row in rows]


def used_today(
    template_ids: Collection[int], family: Collection[int], at: datetime, *, held_ref: UUID | None = None
) -> Counter[int]:
    """Return by template how many of its vouchers a member has used on the day of a moment, and other orders hold."""
    today = business_date(at, programme().tz)
    starts_at, ends_at = day_bounds(today, programme().tz)
    held = Q(state=Voucher.State.HELD, held_until__gt=at) & ~Q(held_ref=held_ref)
    rows = Voucher.objects.filter(template_id__in=template_ids, member_id__in=family)
    taken = rows.filter(Q(used_at__gte=starts_at, used_at__lt=ends_at) | held)
    return Counter(taken.values_list("template_id", flat=True))


def lock_vouchers(voucher_ids: Collection[int], family: Collection[int]) -> list[Voucher]:
    """Lock vouchers of one member, ascending by id, with their templates; return them in that order.

    Of a template that may be used so often a day, the member's first voucher is locked too: who counts waits for the other.
    """
    limited = Voucher.objects.filter(pk__in=voucher_ids, template__most_used_per_day__isnull=False).order_by()
    templates = set(limited.values_list("template_id", flat=True))
    firsts: set[int] = set()
    if templates:
        mine = Voucher.objects.filter(template_id__in=templates, member_id__in=family).order_by()
        firsts = set(mine.values("template_id").annotate(first=Min("pk")).values_list("first", flat=True))
    wanted = {*voucher_ids, *firsts}
    rows = Voucher.objects.select_for_update(no_key=True, of=("self",)).select_related("template").order_by("pk")
    return [row for row in rows.filter(pk__in=wanted, member_id__in=family) if row.pk in set(voucher_ids)]


def _terms(voucher: Voucher, used: int, held_ref: UUID | None) -> VoucherTerms:
    template = voucher.template
    is_own = held_ref is not None and voucher.held_ref == held_ref
    return VoucherTerms(
        voucher_id=voucher.pk,
        public_id=voucher.public_id,
        label=labels_of(template, "name"),
        kind=template.kind,
        valid_from=voucher.valid_from,
        expires_at=voucher.expires_at,
        off_amount=template.off_amount,
        off_percent=template.off_percent,
        cap_amount=template.cap_amount,
        min_spend_amount=template.min_spend_amount,
        most_times=template.most_times,
        multiplier=template.multiplier,
        gift=labels_of(template, "gift") or None,
        store_ids=tuple(template.store_ids),
        channel_ids=tuple(template.channel_ids),
        category_ids=tuple(template.category_ids),
        skus=tuple(template.skus),
        weekdays=tuple(template.weekdays),
        hours_from=template.hour_from,
        hours_to=template.hour_to,
        stacking=template.stacking,
        stacking_class=template.stacking_class,
        priority=template.priority,
        held_until=None if is_own else voucher.held_until,
        template_id=template.pk,
        day_limit=template.most_used_per_day,
        used_today=used,
    )
