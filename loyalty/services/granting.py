"""Giving benefits: one promise of many members at a time, in one transaction, never over a budget, once for each period.

Lock order: members, entitlements ascending, then budgets ascending. What is there already is locked before what is new is
written; what no budget holds is taken out again before the transaction ends.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from loyalty.events import VouchersDue, entitlement_granted
from loyalty.models import Benefit, BenefitBudget, Entitlement
from loyalty.refusals import LoyaltyRefusal
from loyalty.services.benefit_costs import OpenBudgets, Reserved
from loyalty.services.holding import hold_active, hold_receiver
from members import timeline
from members.actors import Actor

VOUCHERS: Final = "benefit.vouchers"  # source of the use that issuing vouchers at once is
INSTEAD: Final = "instead:"
TIER_LOWERED: Final = "tier_lowered"
_Key = tuple[int, str, str]  # member, reference in the source, period
#: What a grant decides about an entitlement beside its state, and the types of these columns.
_DECIDED: Final = {
    "quota": "int", "used": "int", "tier_id": "bigint", "period_key": "text", "valid_from": "timestamptz",
    "valid_to": "timestamptz", "ended_because": "text", "unit_cost_amount": "numeric", "budget_id": "bigint",
    "tier_budget_id": "bigint",
}  # fmt: skip
_UPDATE: Final = f"""
    UPDATE loyalty_entitlement e SET state = w.state, {", ".join(f"{name} = w.{name}" for name in _DECIDED)}
    FROM unnest(%s::bigint[], %s::text[], {", ".join(f"%s::{kind}[]" for kind in _DECIDED.values())})
        AS w (id, state, {", ".join(_DECIDED)})
    WHERE e.id = w.id
"""  # noqa: S608 - constants of this module


class BenefitNotOffered(LoyaltyRefusal):
    """The benefit is out of use, or can not be counted."""

    code = "benefit_not_offered"
    text = _("“%(benefit)s” is not offered now.")


class BenefitBudgetUsedUp(LoyaltyRefusal):
    """No budget holds one more."""

    code = "benefit_budget_used_up"
    text = _("The budget of “%(benefit)s” does not hold %(uses)s more uses.")


class GrantConflict(LoyaltyRefusal):
    """The same grant came before with another content."""

    code = "grant_conflict"
    text = _("This was given before with another content: %(quota)s uses of “%(benefit)s”.")
    status = 422


@dataclass(frozen=True, slots=True)
class Wish:
    """One member who is to get a benefit: how often, for which span, and by which tier."""

    member_id: int
    quota: int
    period_key: str
    valid_from: datetime
    valid_to: datetime
    tier_id: int | None = None
    source_ref: str = ""

    @property
    def key(self) -> _Key:
        """What names it for ever, with the benefit and the source."""
        return self.member_id, self.source_ref, self.period_key


@dataclass(frozen=True, slots=True)
class Given:
    """What became of wishes: entitlements that are new or hold more than before, and those for whom no budget was left."""

    entitlement_ids: tuple[int, ...] = ()
    refused: tuple[Wish, ...] = ()
    swap_benefit_id: int | None = None


@dataclass(slots=True)
class _Change:
    """An entitlement on its way: the row (new, or there already and locked), the wish, and what it held before."""

    row: Entitlement
    wish: Wish
    is_new: bool
    reserved: int = 0
    added: int = field(default=0)

    def reserved_before(self) -> list[Reserved]:
        """What its budgets hold for it until now."""
        budgets = (self.row.budget_id, self.row.tier_budget_id)
        return [(pk, self.reserved, self.row.unit_cost_amount) for pk in budgets if pk is not None]


def reserved_of(row: Entitlement) -> int:
    """Return how many uses budgets hold for an entitlement: all while it lives, those that were used afterwards."""
    return row.used if row.state in (Entitlement.State.EXPIRED, Entitlement.State.REVOKED) else row.quota


@transaction.atomic
def grant(*, benefit: Benefit, source: str, wishes: Sequence[Wish], by: Actor, at: datetime) -> Given:
    """Give a benefit to members, at most a page of thousands at once. Members who are not active are passed over.

    What a tier gave for the period already is raised to the wish, or given again after it was taken back for a lower tier;
    what another source gave under the same key stays as it is.
    """
    active = hold_active([wish.member_id for wish in wishes])
    wanted = sorted((wish for wish in wishes if wish.member_id in active), key=lambda wish: wish.key)
    if not wanted:
        return Given()
    there = _lock_existing(benefit, source, wanted, at)
    changes = [
        _Change(there[wish.key], wish, is_new=False, reserved=reserved_of(there[wish.key]))
        for wish in wanted
        if wish.key in there and source == Entitlement.Source.TIER and _is_more(there[wish.key], wish)
    ]
    changes += _insert(benefit, source, [wish for wish in wanted if wish.key not in there], at)
    if not changes:
        return Given()
    done, refused, swap = _reserve(benefit, changes, by, at)
    _write(benefit, done, at)
    _remove([change.row.pk for change in refused if change.is_new])
    _tell(benefit, source, done, by, at)
    return Given(tuple(change.row.pk for change in done), tuple(change.wish for change in refused), swap)


def give_benefit(
    *, member_id: int, benefit_id: int, source: str, source_ref: str, quota: int, valid_from: datetime, valid_to: datetime,
    by: Actor, at: datetime, tier_id: int | None = None, period_key: str = "",
) -> Entitlement:  # fmt: skip
    """Give one member a benefit on behalf of a plan, a campaign or staff; told again, the first entitlement is the answer.

    `source_ref` (with `period_key`, for what is given again in each period) names the grant for ever. Raises
    BenefitNotOffered, BenefitBudgetUsedUp, GrantConflict, MemberClosed, NotFound.
    """
    with transaction.atomic():
        receiver = hold_receiver(member_id)
        benefit = Benefit.objects.get(pk=benefit_id)
        known = Entitlement.objects.filter(
            member_id=receiver, benefit=benefit, source=source, source_ref=source_ref, period_key=period_key
        )
        earlier = known.first()
        if earlier is None:
            if not benefit.is_on:
                raise BenefitNotOffered(benefit=benefit.name)
            wish = Wish(receiver, quota, period_key, valid_from, valid_to, tier_id, source_ref)
            new = _insert(benefit, source, [wish], at)
            if new:
                done, refused, _swap = _reserve(benefit, new, by, at)
                if refused:
                    raise BenefitBudgetUsedUp(benefit=benefit.name, uses=quota)
                _write(benefit, done, at)
                _tell(benefit, source, done, by, at)
                return Entitlement.objects.select_related("benefit").get(pk=done[0].row.pk)
            earlier = known.get()  # somebody was faster
        if (earlier.quota, earlier.valid_to) != (quota, valid_to):
            raise GrantConflict(benefit=benefit.name, quota=earlier.quota)
        return earlier


def _lock_existing(benefit: Benefit, source: str, wishes: Sequence[Wish], at: datetime) -> dict[_Key, Entitlement]:
    """Lock and return what the members have of it, by the key of the wish.

    What runs with the validity of a tier is the same one after a rise, though its period is another.
    """
    members = sorted({wish.member_id for wish in wishes})
    rows = Entitlement.objects.filter(benefit=benefit, source=source, member_id__in=members).order_by("pk")
    rows = rows.filter(source_ref__in={wish.source_ref for wish in wishes})
    goes_on = source == Entitlement.Source.TIER and benefit.period == Benefit.Period.TIER
    keys = {wish.period_key for wish in wishes}
    if not goes_on:
        rows = rows.filter(period_key__in=keys)
    found: dict[_Key, Entitlement] = {}
    running: dict[tuple[int, str], Entitlement] = {}
    for row in rows.select_for_update(no_key=True, of=("self",)):
        found[row.member_id, row.source_ref, row.period_key] = row
        if row.valid_to > at and row.state in (Entitlement.State.GRANTED, Entitlement.State.USED_UP):
            running[row.member_id, row.source_ref] = row
    if goes_on:
        for wish in wishes:
            row_or_none = running.get((wish.member_id, wish.source_ref))
            if wish.key not in found and row_or_none is not None:
                found[wish.key] = row_or_none
    return found


def _is_more(row: Entitlement, wish: Wish) -> bool:
    """Whether a wish gives more than is there: more uses, a later end, or again what a lower tier took."""
    if row.state == Entitlement.State.REVOKED:
        return row.ended_because == TIER_LOWERED
    lives = row.state in (Entitlement.State.GRANTED, Entitlement.State.USED_UP)
    return lives and (row.quota < wish.quota or row.period_key != wish.period_key)


def _insert(benefit: Benefit, source: str, wishes: Sequence[Wish], at: datetime) -> list[_Change]:
    """Write new entitlements in one statement, ascending; return those that nobody else wrote meanwhile."""
    if not wishes:
        return []
    by_key = {wish.key: wish for wish in wishes}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO loyalty_entitlement (
                member_id, benefit_id, source, source_ref, period_key, tier_id, quota, used, unit_cost_amount,
                valid_from, valid_to, state, ended_because, granted_at)
            SELECT w.member_id, %s, %s, w.source_ref, w.period_key, w.tier_id, w.quota, 0, %s, w.valid_from, w.valid_to,
                'granted', '', %s
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::int[], %s::timestamptz[], %s::timestamptz[])
                AS w (member_id, source_ref, period_key, tier_id, quota, valid_from, valid_to)
            ORDER BY w.member_id, w.source_ref, w.period_key
            ON CONFLICT (member_id, benefit_id, source, source_ref, period_key) DO NOTHING
            RETURNING id, member_id, source_ref, period_key
            """,
            [
                benefit.pk, source, benefit.unit_cost_amount, at,
                [wish.member_id for wish in wishes], [wish.source_ref for wish in wishes],
                [wish.period_key for wish in wishes], [wish.tier_id for wish in wishes], [wish.quota for wish in wishes],
                [wish.valid_from for wish in wishes], [wish.valid_to for wish in wishes],
            ],
        )  # fmt: skip
        written = cursor.fetchall()
    return [
        _Change(
            Entitlement(
                pk=pk, member_id=member_id, benefit=benefit, source=source, source_ref=source_ref, period_key=period_key,
                quota=by_key[member_id, source_ref, period_key].quota, unit_cost_amount=benefit.unit_cost_amount,
            ),
            by_key[member_id, source_ref, period_key],
            is_new=True,
        )
        for pk, member_id, source_ref, period_key in written
    ]  # fmt: skip


def _reserve(
    benefit: Benefit, changes: Sequence[_Change], by: Actor, at: datetime
) -> tuple[list[_Change], list[_Change], int | None]:
    """Reserve in the budgets in the order of members, as far as they reach; return what fits, what does not, and what is given instead."""
    before = {pk for change in changes for pk, _units, _cost in change.reserved_before()}
    budgets = OpenBudgets(benefit_id=benefit.pk, at=at, also=before)
    done, refused = [], []
    for change in changes:
        row, wish = change.row, change.wish
        lives = row.state in (Entitlement.State.GRANTED, Entitlement.State.USED_UP)
        quota = max(wish.quota, row.quota if lives else row.used)
        fits = budgets.reserve(
            tier_id=wish.tier_id, units=quota, unit_cost=benefit.unit_cost_amount, instead=change.reserved_before()
        )
        if not fits:
            refused.append(change)
            continue
        change.added = quota if change.is_new else max(0, quota - row.quota)
        row.quota, row.tier_id, row.period_key = quota, wish.tier_id, wish.period_key
        row.valid_from = wish.valid_from if change.is_new else row.valid_from
        row.valid_to, row.ended_because, row.unit_cost_amount = wish.valid_to, "", benefit.unit_cost_amount
        row.budget_id, row.tier_budget_id = budgets.of(wish.tier_id)
        row.state = Entitlement.State.USED_UP if row.used == row.quota else Entitlement.State.GRANTED
        done.append(change)
    budgets.write(by=by)
    swaps = [budgets.rows[pk] for pk in sorted(budgets.refused_by)]
    swap = next((row.swap_benefit_id for row in swaps if row.when_full == BenefitBudget.WhenFull.SWAP), None)
    return done, refused, swap


def _write(benefit: Benefit, done: Sequence[_Change], at: datetime) -> None:
    """Write what was reserved. Where vouchers are issued at once, all of it is used with that."""
    at_once = is_issued_at_once(benefit)
    rows = [change.row for change in done]
    if at_once:
        for row in rows:
            row.used, row.state = row.quota, Entitlement.State.USED_UP
    is_plain = all(
        change.is_new and change.row.budget_id is None and change.row.tier_budget_id is None for change in done
    )
    if rows and (at_once or not is_plain):
        with connection.cursor() as cursor:
            decided = [[getattr(row, name) for row in rows] for name in _DECIDED]
            cursor.execute(_UPDATE, [[row.pk for row in rows], [str(row.state) for row in rows], *decided])
    if at_once:
        _use_up(benefit, [change for change in done if change.added], at)


def _use_up(benefit: Benefit, changes: Sequence[_Change], at: datetime) -> None:
    """Note that vouchers are issued for what was added: one use each, named by the entitlement and how far it went."""
    cost = benefit.unit_cost_amount
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO loyalty_entitlementuse (
                entitlement_id, benefit_id, tier_id, units, left_after, source, external_ref, cost_amount, reason, actor_kind,
                happened_at)
            SELECT u.id, %s, u.tier_id, u.units, 0, %s, u.id || ':' || u.quota, u.units * %s::numeric, '', 'system', %s
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) AS u (id, tier_id, units, quota)
            """,
            [
                benefit.pk, VOUCHERS, cost, at, [change.row.pk for change in changes],
                [change.row.tier_id for change in changes], [change.added for change in changes],
                [change.row.quota for change in changes],
            ],
        )  # fmt: skip


def is_issued_at_once(benefit: Benefit) -> bool:
    """Whether giving the benefit is issuing its vouchers."""
    return bool(benefit.voucher_template_code) and benefit.is_given_at_once


def _remove(ids: Sequence[int]) -> None:
    """Take out what was written in this transaction and no budget holds."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM loyalty_entitlement WHERE id = ANY (%s)", [list(ids)])


def _tell(benefit: Benefit, source: str, done: Sequence[_Change], by: Actor, at: datetime) -> None:
    at_once = is_issued_at_once(benefit)
    entries = []
    for change in done:
        row, vouchers = change.row, None
        if at_once and change.added:
            vouchers = VouchersDue(benefit.voucher_template_code, row.quota - change.added + 1, change.added)
        entries.append(
            entitlement_granted(
                entitlement_id=row.pk, benefit_id=benefit.pk, member_id=row.member_id, source=source, quota=row.quota,
                added=change.added, vouchers=vouchers, happened_at=at, by=by,
                # The end of a birthday gift would say when the birthday is.
                until=None if benefit.kind == Benefit.Kind.BIRTHDAY else row.valid_to,
            )
        )  # fmt: skip
    timeline.record_many(entries)
    timeline.nudge()


def by_swap(given: Sequence[Given]) -> dict[int, list[Wish]]:
    """Return the wishes that no budget held, by the benefit that is given instead."""
    swapped: dict[int, list[Wish]] = defaultdict(list)
    for one in given:
        if one.swap_benefit_id is not None:
            swapped[one.swap_benefit_id].extend(one.refused)
    return dict(swapped)
