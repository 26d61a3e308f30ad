"""Uses of what members are entitled to: at the till, in the app, by staff; undone by an opposite; their end.

Lock order: members, then entitlements ascending, then (only where uses lapse) budgets ascending.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy as _

from loyalty import events
from loyalty.benefit_rules import is_in_window
from loyalty.models import Entitlement, EntitlementUse
from loyalty.refusals import LoyaltyRefusal
from loyalty.services.benefit_costs import REASON_LENGTH, Reserved, give_back, words_of
from loyalty.services.granting import VOUCHERS
from loyalty.services.holding import hold_user
from members import timeline
from members.actors import Actor
from members.identifiers import NotFound
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.queries import family_ids, programme

BY_STAFF: Final = "staff"
_UNDONE: Final = "undo"
_MOST_AT_ONCE: Final = 2_000
State = Entitlement.State


class BenefitNotHeld(LoyaltyRefusal):
    """The member has no such benefit now."""

    code = "benefit_not_held"
    explains = True
    text = _("The member does not have this benefit now.")


class BenefitExhausted(LoyaltyRefusal):
    """Not so many uses are left."""

    code = "benefit_exhausted"
    explains = True
    text = _("“%(benefit)s” was used %(used)s of %(quota)s times; no more is left for this.")


class NotInWindow(LoyaltyRefusal):
    """The benefit can not be used at this time or in this place."""

    code = "not_in_window"
    explains = True
    text = _("“%(benefit)s” can not be used at this time or in this store.")


class NotUsedInApp(LoyaltyRefusal):
    """Tills and staff let members use it."""

    code = "benefit_not_used_in_app"
    text = _("“%(benefit)s” is used in the store.")


class UseConflict(LoyaltyRefusal):
    """The reference names another use."""

    code = "use_conflict"
    text = _("This use was told before with another content.")
    status = 422


class VouchersWereIssued(LoyaltyRefusal):
    """A voucher was issued for the use."""

    code = "vouchers_were_issued"
    text = _("A voucher was issued for this use; it can not be taken back.")


class EntitlementHasEnded(LoyaltyRefusal):
    """There is nothing to take back."""

    code = "entitlement_has_ended"
    text = _("This has ended already.")


@dataclass(frozen=True, slots=True)
class Use:
    """A use that is asked for: of a benefit by its code (what ends first), or of one entitlement by its public id.

    `source` and `external_ref` name it for ever.
    """

    member_id: int
    source: str
    external_ref: str
    benefit_code: str = ""
    entitlement: UUID | None = None
    units: int = 1
    store_id: int | None = None
    in_app: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UseReceipt:
    """A use with its entitlement, what was left right after it, and whether it had been told before."""

    use: EntitlementUse
    entitlement: Entitlement
    left: int
    already_recorded: bool


@transaction.atomic
def use_benefit(*, use: Use, by: Actor, at: datetime) -> UseReceipt:
    """Use what a member is entitled to; told again, the first answer is given for ever.

    Raises BenefitNotHeld, BenefitExhausted, NotInWindow, NotUsedInApp, UseConflict, MemberFrozen, MemberClosed, OwnAccount.
    After a refusal nothing has changed.
    """
    earlier = _told(use)
    if earlier is not None:
        return _repeat(use, earlier)
    user = hold_user(use.member_id)
    refuse_own_account(by, [user])
    if by.kind == "operator":
        refuse_personal_words(use.reason, member_ids=[user])
    found = _lock(use, user)
    earlier = _told(use)  # who told it at the same moment held the same rows
    if earlier is not None:
        return _repeat(use, earlier)
    row = _choose(use, found, at)
    benefit = row.benefit
    if use.in_app and not benefit.is_used_in_app:
        raise NotUsedInApp(benefit=benefit.name)
    if not is_usable_now(row, store_id=use.store_id, at=at):
        raise NotInWindow(benefit=benefit.name).about(user)
    try:
        with transaction.atomic():
            written = _write(use, row, by, at)
    except IntegrityError:
        earlier = _told(use)  # for another entitlement, at the same moment
        if earlier is None:
            raise
        return _repeat(use, earlier)
    return UseReceipt(written, row, written.left_after, False)


def is_usable_now(row: Entitlement, *, store_id: int | None, at: datetime) -> bool:
    """Whether the weekdays, hours and stores of the benefit allow a use at a moment. `store_id`: None in no store."""
    benefit = row.benefit
    hours = (benefit.hours_from, benefit.hours_to) if benefit.hours_from and benefit.hours_to else None
    stores = {store.pk for store in benefit.stores.all()}
    return is_in_window(
        weekdays=benefit.weekdays, hours=hours, stores=stores, store_id=store_id, at=at, tz=programme().tz
    )


@transaction.atomic
def undo_use(*, use_id: int, reason: str, by: Actor, at: datetime) -> UseReceipt:
    """Take a use back by its opposite; again, the first answer is given. Raises NotFound, VouchersWereIssued, ReasonMissing, OwnAccount.

    What has ended meanwhile does not open again.
    """
    words = words_of(reason)
    use = EntitlementUse.objects.filter(pk=use_id, undoes__isnull=True).first()
    if use is None:
        raise NotFound
    row = (
        Entitlement.objects.select_for_update(no_key=True, of=("self",))
        .select_related("benefit")
        .get(pk=use.entitlement_id)
    )
    opposite = EntitlementUse.objects.filter(undoes=use).first()
    if opposite is not None:
        return UseReceipt(opposite, row, opposite.left_after, True)
    refuse_own_account(by, [row.member_id])
    if by.kind == "operator":
        refuse_personal_words(words, member_ids=[row.member_id])
    if use.source == VOUCHERS or row.benefit.voucher_template_code:
        raise VouchersWereIssued
    row.used -= use.units
    if row.state == State.USED_UP:
        row.state = State.GRANTED if row.valid_to > at else State.EXPIRED
        lapsed = 0 if row.state == State.GRANTED else row.quota - row.used
    else:
        lapsed = 0 if row.state == State.GRANTED else use.units
    row.save(update_fields=["used", "state"])
    left = row.left if row.state == State.GRANTED else 0
    opposite = EntitlementUse.objects.create(
        entitlement=row, benefit_id=use.benefit_id, tier_id=use.tier_id, units=-use.units, left_after=left, source=_UNDONE,
        external_ref=str(use.pk), undoes=use, store_id=use.store_id,
        cost_amount=None if use.cost_amount is None else -use.cost_amount, reason=words, actor_kind=by.kind, actor_id=by.id,
        happened_at=at,
    )  # fmt: skip
    if lapsed:
        give_back(reserved=reserved_in(row, lapsed), by=by, at=at)
    _tell_end(events.ENTITLEMENT_USE_UNDONE, row, left, by, at, units=use.units, reason=words)
    return UseReceipt(opposite, row, left, False)


def undo_told_use(*, source: str, external_ref: str, store_id: int, reason: str, by: Actor, at: datetime) -> UseReceipt:
    """Take back the use that a source told under a number in a store. Raises as `undo_use` does; NotFound for no such use."""
    told = EntitlementUse.objects.filter(source=source, external_ref=external_ref, store_id=store_id)
    use_id, member_id = told.values_list("pk", "entitlement__member_id").first() or (None, None)
    if use_id is None or member_id is None:
        raise NotFound
    refuse_personal_words(words_of(reason), member_ids=[member_id])  # a cashier wrote them
    return undo_use(use_id=use_id, reason=reason, by=by, at=at)


@transaction.atomic
def revoke_entitlement(*, entitlement_id: int, reason: str, by: Actor, at: datetime) -> Entitlement:
    """Take back what is left of an entitlement. Raises NotFound, EntitlementHasEnded, ReasonMissing, OwnAccount."""
    words = words_of(reason)
    row = (
        Entitlement.objects.select_for_update(no_key=True, of=("self",))
        .select_related("benefit")
        .filter(pk=entitlement_id)
        .first()
    )
    if row is None:
        raise NotFound
    if row.state != State.GRANTED:
        raise EntitlementHasEnded
    refuse_own_account(by, [row.member_id])
    left = row.left
    row.state, row.ended_because = State.REVOKED, BY_STAFF
    row.save(update_fields=["state", "ended_because"])
    give_back(reserved=reserved_in(row, left), by=by, at=at)
    _tell_end(events.ENTITLEMENT_REVOKED, row, left, by, at, because=BY_STAFF, reason=words)
    return row


@transaction.atomic
def expire_due_entitlements(*, at: datetime, by: Actor, limit: int = _MOST_AT_ONCE) -> int:
    """End at most `limit` entitlements whose span is over; return how many. Safe beside itself and beside a till."""
    due = Entitlement.objects.filter(state=State.GRANTED, valid_to__lte=at).order_by("valid_to", "pk")
    rows = list(due.select_for_update(no_key=True, skip_locked=True)[:limit])
    if not rows:
        return 0
    Entitlement.objects.filter(pk__in=[row.pk for row in rows]).update(state=State.EXPIRED)
    give_back(reserved=[one for row in rows for one in reserved_in(row, row.left)], by=by, at=at)
    timeline.record_many(
        events.entitlement_ended(
            events.ENTITLEMENT_EXPIRED, entitlement_id=row.pk, benefit_id=row.benefit_id, member_id=row.member_id, left=row.left,
            happened_at=row.valid_to, by=by,
        )
        for row in rows
    )  # fmt: skip
    timeline.nudge()
    return len(rows)


def reserved_in(row: Entitlement, units: int) -> list[Reserved]:
    """Return so many uses of an entitlement as its budgets hold them."""
    return [(pk, units, row.unit_cost_amount) for pk in (row.budget_id, row.tier_budget_id) if pk is not None]


def end_entitlements(*, rows: Iterable[Entitlement], because: str, by: Actor, at: datetime) -> int:
    """Take back what is left of locked entitlements for a reason of the programme itself (a code); return how many."""
    ended = list(rows)
    for row in ended:
        row.state, row.ended_because = State.REVOKED, because
    Entitlement.objects.bulk_update(ended, ["state", "ended_because"], batch_size=500)
    give_back(reserved=[one for row in ended for one in reserved_in(row, row.left)], by=by, at=at)
    timeline.record_many(
        events.entitlement_ended(
            events.ENTITLEMENT_REVOKED, entitlement_id=row.pk, benefit_id=row.benefit_id, member_id=row.member_id, left=row.left,
            happened_at=at, by=by, because=because,
        )
        for row in ended
    )  # fmt: skip
    timeline.nudge()
    return len(ended)


# --- One use ----------------------------------------------------------------------------------------------------------
def _told(use: Use) -> EntitlementUse | None:
    found = EntitlementUse.objects.select_related("entitlement__benefit")
    return found.filter(source=use.source, external_ref=use.external_ref).first()


def _repeat(use: Use, earlier: EntitlementUse) -> UseReceipt:
    """Answer as the first time. Raises UseConflict where it is another use."""
    row = earlier.entitlement
    names = row.public_id == use.entitlement if use.entitlement else row.benefit.code == use.benefit_code
    is_same = names and earlier.units == use.units and earlier.store_id == use.store_id
    if not is_same or (row.member_id != use.member_id and use.member_id not in family_ids(row.member_id)):
        raise UseConflict
    return UseReceipt(earlier, row, earlier.left_after, True)


def _lock(use: Use, user: int) -> Sequence[Entitlement]:
    """Lock, ascending, what the use may take from: bounded, since each source gives once a period and ended ones are left out."""
    rows = Entitlement.objects.filter(member_id=user)
    if use.entitlement is not None:
        rows = rows.filter(public_id=use.entitlement)
    else:
        rows = rows.filter(benefit__code=use.benefit_code, state__in=(State.GRANTED, State.USED_UP))
    with connection.cursor() as cursor:
        ids = list(rows.order_by("-valid_to").values_list("pk", flat=True)[:50])
        cursor.execute("SELECT id FROM loyalty_entitlement WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE", [ids])
    return list(
        Entitlement.objects.filter(pk__in=ids, member_id=user).select_related("benefit").order_by("valid_to", "pk")
    )


def _choose(use: Use, rows: Sequence[Entitlement], at: datetime) -> Entitlement:
    running = [row for row in rows if row.valid_from <= at < row.valid_to]
    fitting = [row for row in running if row.state == State.GRANTED and row.left >= use.units]
    if fitting:
        return fitting[0]
    spent = [row for row in running if row.state in (State.GRANTED, State.USED_UP)]
    if spent:
        row = spent[-1]
        raise BenefitExhausted(benefit=row.benefit.name, used=row.used, quota=row.quota).about(row.member_id)
    raise BenefitNotHeld().about(use.member_id)


def _write(use: Use, row: Entitlement, by: Actor, at: datetime) -> EntitlementUse:
    first = row.used + 1
    row.used += use.units
    row.state = State.USED_UP if row.used == row.quota else State.GRANTED
    row.save(update_fields=["used", "state"])
    cost = row.unit_cost_amount
    written = EntitlementUse.objects.create(
        entitlement=row, benefit_id=row.benefit_id, tier_id=row.tier_id, units=use.units, left_after=row.left, source=use.source,
        external_ref=use.external_ref, store_id=use.store_id, cost_amount=None if cost is None else cost * use.units,
        reason=use.reason[:REASON_LENGTH], actor_kind=by.kind, actor_id=by.id, happened_at=at,
    )  # fmt: skip
    template = row.benefit.voucher_template_code
    timeline.record([
        events.entitlement_used(
            use_id=written.pk, entitlement_id=row.pk, benefit_id=row.benefit_id, member_id=row.member_id, units=use.units,
            left=row.left, store_id=use.store_id, happened_at=at, by=by,
            vouchers=events.VouchersDue(template, first, use.units) if template else None,
        )
    ])  # fmt: skip
    timeline.nudge()
    return written


def _tell_end(kind: str, row: Entitlement, left: int, by: Actor, at: datetime, **more: object) -> None:
    timeline.record([
        events.entitlement_ended(
            kind, entitlement_id=row.pk, benefit_id=row.benefit_id, member_id=row.member_id, left=left, happened_at=at, by=by, **more
        )
    ])  # fmt: skip
    timeline.nudge()
