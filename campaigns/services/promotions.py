"""Promotions at work: the lines they add to purchases, what they gave, and who launches, pauses and ends them."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import ClassVar

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from campaigns.models import Promotion, PromotionUse
from campaigns.promotions import REASONS, Offer, reason
from campaigns.refusals import CampaignsRefusal
from members.actors import Actor
from members.queries import programme
from members.timeline import NewEntry, record
from rewards.earning import Label, OfferUse, register_contributor
from rewards.explanation import register_reason

_FRESH_SECONDS = 3.0
_SPANS_KEPT = 64
_USES_PER_STATEMENT = 5_000


class PromotionNotInState(CampaignsRefusal):
    """The promotion is not in a state in which this can be done to it."""

    code: ClassVar[str] = "promotion_not_in_state"
    text = _("This can not be done to the promotion as it is now.")


class PromotionContributor:
    """What campaigns adds to the earning of a purchase: one line for each live promotion that applies."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple[date, date], tuple[float, list[Offer]]] = OrderedDict()
        self._lock = Lock()

    def offers(self, start: datetime, end: datetime) -> Sequence[Offer]:
        """Return the live promotions whose span touches [start, end], by id. For one purchase both are its moment.

        At most two queries; whole days are kept for a few seconds, so a busy till asks the database seldom.
        """
        days = (start.astimezone(UTC).date(), end.astimezone(UTC).date())
        with self._lock:
            kept = self._loaded.get(days)
        if kept is None or time.monotonic() - kept[0] > _FRESH_SECONDS:
            kept = (time.monotonic(), _load(*days))
            with self._lock:
                self._loaded[days] = kept
                self._loaded.move_to_end(days)
                while len(self._loaded) > _SPANS_KEPT:
                    self._loaded.popitem(last=False)
        return [offer for offer in kept[1] if offer.starts_at <= end and start < offer.ends_at]

    def commit(self, uses: Sequence[OfferUse]) -> None:
        """Record what promotions gave, in the purchase's transaction. A fact that is recorded already stays as it is."""
        _record([_use(use, use.source_ref, use.points) for use in uses if use.points])

    def reverse(self, uses: Sequence[OfferUse]) -> None:
        """Record what returns took back: `source_ref` is the return's number and `points`, not negative, what went."""
        _record([_use(use, _return_ref(use.source_ref), -use.points) for use in uses if use.points])

    def forget(self) -> None:
        """Drop what was kept in memory, so that this process sees a change at once."""
        with self._lock:
            self._loaded.clear()


contributor = PromotionContributor()


def register() -> None:
    """Add the lines of promotions to what purchases earn, and the words for those that did not apply."""
    register_contributor(contributor)
    for code in REASONS:
        register_reason(code, partial(reason, code))


def launch_promotion(*, promotion_id: int, by: Actor, at: datetime) -> None:
    """Make a draft live: purchases within its span count from now on. Raises PromotionNotInState."""
    _change(
        promotion_id,
        "launched",
        by,
        at,
        models.Q(state=Promotion.State.DRAFT, ends_at__gt=at),
        state=Promotion.State.LIVE,
    )


def pause_promotion(*, promotion_id: int, by: Actor, at: datetime) -> None:
    """Stop a live promotion from adding points to purchases recorded from now on. Raises PromotionNotInState."""
    _change(promotion_id, "paused", by, at, models.Q(state=Promotion.State.LIVE), state=Promotion.State.PAUSED)


def resume_promotion(*, promotion_id: int, by: Actor, at: datetime) -> None:
    """Let a paused promotion add points again; purchases recorded meanwhile get nothing later. Raises PromotionNotInState."""
    _change(promotion_id, "resumed", by, at, models.Q(state=Promotion.State.PAUSED), state=Promotion.State.LIVE)


def end_promotion(*, promotion_id: int, by: Actor, at: datetime) -> None:
    """End a running promotion now, for good. Raises PromotionNotInState when it has not begun or is over."""
    running = models.Q(starts_at__lt=at, ends_at__gt=at) & ~models.Q(state=Promotion.State.DRAFT)
    _change(promotion_id, "ended", by, at, running, ends_at=at)


def _change(promotion_id: int, verb: str, by: Actor, at: datetime, allowed: models.Q, **changes: object) -> None:
    """Change a promotion if it is as it has to be (one guarded UPDATE), and tell the timeline who did so."""
    with transaction.atomic():
        if not Promotion.objects.filter(allowed, pk=promotion_id).update(**changes):
            raise PromotionNotInState
        told = NewEntry(
            f"campaigns.promotion_{verb}.v1",
            None,
            at,
            by,
            {"promotion": promotion_id},
            subject=f"promotion:{promotion_id}",
        )
        record([told])
        transaction.on_commit(contributor.forget)


def _load(first: date, last: date) -> list[Offer]:
    """Read the live promotions that touch the days first..last (UTC): one query for them, one for their stores."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    currency = programme().currency
    found = (
        Promotion.objects.filter(state=Promotion.State.LIVE, starts_at__lt=end, ends_at__gt=start)
        .select_related("min_tier")
        .order_by("pk")
    )
    promotions = list(found)
    stores: dict[int, set[int]] = {}
    if promotions:
        links = Promotion.stores.through.objects.filter(promotion__in=[promotion.pk for promotion in promotions])
        for promotion_id, store_id in links.values_list("promotion_id", "store_id"):
            stores.setdefault(promotion_id, set()).add(store_id)
    return [_offer(promotion, frozenset(stores.get(promotion.pk, ())), currency) for promotion in promotions]


def _offer(promotion: Promotion, store_ids: frozenset[int], currency: str) -> Offer:
    tier = promotion.min_tier
    return Offer(
        id=promotion.pk,
        label=_texts(promotion, "name"),
        factor=promotion.factor,
        starts_at=promotion.starts_at,
        ends_at=promotion.ends_at,
        currency=currency,
        min_spend_amount=promotion.min_spend_amount,
        weekdays=frozenset(promotion.weekdays),
        store_ids=store_ids,
        min_tier_rank=tier.rank if tier else None,
        min_tier_label=_texts(tier, "name") if tier else None,
    )


def _texts(row: models.Model, field: str) -> Label:
    """Return a translated text by language, only the languages it was written in."""
    found = {language: getattr(row, f"{field}_{language.replace('-', '_')}") for language, _name in settings.LANGUAGES}
    return {language: text for language, text in found.items() if text}


def _use(use: OfferUse, source_ref: str, points: int) -> PromotionUse:
    return PromotionUse(
        promotion_id=int(use.ref),
        member_id=use.member_id,
        source=use.source,
        source_ref=source_ref,
        points=points,
        happened_at=use.happened_at,
    )


def _return_ref(number: str) -> str:
    """Return the reference of a return: apart from those of purchases, and never longer than the column."""
    ref = f"return:{number}"
    longest = PromotionUse._meta.get_field("source_ref").max_length or 0
    return ref if len(ref) <= longest else f"return:{sha256(number.encode()).hexdigest()}"


def _record(uses: Sequence[PromotionUse]) -> None:
    if uses:
        PromotionUse.objects.bulk_create(uses, batch_size=_USES_PER_STATEMENT, ignore_conflicts=True)
