"""Inactivity: what members do pushes the deadline of their account; a policy that begins or ends reaches those that exist."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Model

from loyalty.periods import business_date, end_of_day
from members.models import Activity, TimelineEntry
from members.queries import programme
from rewards import ledger
from rewards.expiring import (
    PURCHASE,
    REDEMPTION,
    Policy,
    activity_event,
    deadline_after,
    deadline_of,
    inactivity_policy,
)
from rewards.expiry_book import expiry_book
from rewards.models import ExpiryPolicy, PointsAccount, PointsCurrency, Purchase, Redemption

#: Whoever has points when a policy of inactivity reaches them keeps them at least so many days from then on.
NOTICE = timedelta(days=30)

PURCHASE_RECORDED = "rewards.purchase_recorded.v1"
REWARD_REDEEMED = "rewards.reward_redeemed.v1"
ACTIVITY_RECORDED = "members.activity_recorded.v1"
KINDS = (PURCHASE_RECORDED, REWARD_REDEEMED, ACTIVITY_RECORDED)


def keep_alive(entries: Sequence[TimelineEntry]) -> None:
    """Push the deadlines of the accounts of members who did something that keeps their points alive.

    A purchase that earns points has done so already, in its own posting; one that earns nothing does so here. Deadlines
    are only ever pushed later, so that reading an entry again changes nothing.
    """
    tz = programme().tz
    book = expiry_book()
    pushes: dict[tuple[int, datetime, datetime], set[int]] = {}
    for currency_id in book.policies:
        for entry in entries:
            deadline = deadline_after(book.of(currency_id), _event(entry), entry.happened_at, tz)
            if deadline is not None and deadline > entry.recorded_at and entry.member_id is not None:
                pushes.setdefault((currency_id, deadline, entry.happened_at), set()).add(entry.member_id)
    for (currency_id, deadline, happened_at), members in pushes.items():
        accounts = PointsAccount.objects.filter(currency_id=currency_id, member_id__in=members).order_by("pk")
        with transaction.atomic():
            ledger.push_deadlines(
                account_ids=list(accounts.values_list("pk", flat=True)), deadline_at=deadline, happened_at=happened_at
            )


def _event(entry: TimelineEntry) -> str:
    if entry.kind == ACTIVITY_RECORDED:
        return activity_event(entry.payload["kind"])
    return REDEMPTION if entry.kind == REWARD_REDEEMED else PURCHASE


def follow_policies(*, at: datetime, chunk: int = 1000, chunks: int = 100_000) -> int:
    """Bring accounts in line with the policies of inactivity in force at `at`; return how many deadlines were changed.

    A version that has just begun is applied to every account with points, by the members' last activity, and with
    NOTICE for those who would lose points sooner. Accounts that got points without any activity get a deadline counted
    from then. Where no such policy is in force, deadlines are taken away. In chunks; a run that stops is made up for.
    """
    changed = 0
    for currency in PointsCurrency.objects.order_by("pk"):
        policy = inactivity_policy(expiry_book().of(currency.pk), at)
        if policy is None:
            changed += _take_away(currency.pk, at, chunk, chunks)
            continue
        if ExpiryPolicy.objects.filter(pk=policy.id, applied_at__isnull=True).exists():
            for accounts in _chunks(_WITH_POINTS, currency.pk, chunk, chunks):
                changed += _set_deadlines(accounts, policy, at, newly=True)
            ExpiryPolicy.objects.filter(pk=policy.id, applied_at__isnull=True).update(applied_at=at)
        for accounts in _chunks(f"{_WITH_POINTS} AND deadline_at IS NULL", currency.pk, chunk, chunks):
            changed += _set_deadlines(accounts, policy, at, newly=False)
    return changed


_WITH_POINTS = "available + pending + held > 0"


def _chunks(which: str, currency_id: int, chunk: int, chunks: int) -> Iterator[list[int]]:
    """Yield the ids of the accounts of a currency for which `which` holds, ascending, in chunks."""
    after = 0
    for _ in range(chunks):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM rewards_pointsaccount WHERE currency_id = %s AND {which} AND id > %s ORDER BY id LIMIT %s",  # noqa: S608
                [currency_id, after, chunk],
            )
            accounts = [row[0] for row in cursor.fetchall()]
        if not accounts:
            return
        after = accounts[-1]
        yield accounts


@transaction.atomic
def _set_deadlines(account_ids: list[int], policy: Policy, at: datetime, *, newly: bool) -> int:
    """Give accounts the deadline that follows from their members' last activity, but NOTICE at least.

    Without any activity, and unless the policy is new, it counts from the last posting. A deadline that has come already
    is left to be booked.
    """
    tz = programme().tz
    soonest = end_of_day(business_date(at + NOTICE, tz), tz)
    locked = PointsAccount.objects.select_for_update(no_key=True).filter(pk__in=account_ids).order_by("pk")
    # Read after the locks, so that whatever was committed before we got them is seen; what comes later pushes.
    accounts = [account for account in locked if account.deadline_at is None or account.deadline_at > at]
    active = _last_activity([account.member_id for account in accounts], policy)
    posted = _last_posting([account.pk for account in accounts])
    moved = []
    for account in accounts:
        known = [
            moment for moment in (active.get(account.member_id), None if newly else posted.get(account.pk)) if moment
        ]
        last = max(known, default=posted.get(account.pk, at))
        deadline = max(deadline_of(policy, last, tz), soonest)
        if deadline != account.deadline_at:
            moved.append((account.pk, deadline))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rewards_pointsaccount a SET deadline_at = n.deadline_at "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS n (id, deadline_at) WHERE a.id = n.id",
            [[pk for pk, _ in moved], [deadline for _, deadline in moved]],
        )
    return len(moved)


def _last_activity(member_ids: list[int], policy: Policy) -> dict[int, datetime]:
    """Return when each of these members last did something that counts under the policy: a query for each sort of it."""
    found: dict[int, datetime] = {}
    kinds = [event.removeprefix(activity_event("")) for event in policy.events if event.startswith(activity_event(""))]
    sorts: list[tuple[bool, type[Model], str, dict[str, Any]]] = [
        (PURCHASE in policy.events, Purchase, "ordered_at", {}),
        (REDEMPTION in policy.events, Redemption, "redeemed_at", {}),
        (bool(kinds), Activity, "happened_at", {"kind__in": kinds}),
    ]
    for counts, model, moment, narrowed in sorts:
        if counts:
            for told in (
                "member_id",
                "member__merged_into_id",
            ):  # what was told of those who were merged is theirs, too
                rows = model._default_manager.filter(**{f"{told}__in": member_ids}, **narrowed).order_by()
                for member_id, last in rows.values_list(told).annotate(last=Max(moment)):
                    found[member_id] = max(last, found.get(member_id, last))
    return found


def _last_posting(account_ids: list[int]) -> dict[int, datetime]:
    """Return when something was last posted to each account, along the numbering of its entries."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, e.happened_at FROM rewards_pointsaccount a "
            "JOIN rewards_ledgerentry e ON e.account_id = a.id AND e.seq = a.seq WHERE a.id = ANY (%s)",
            [account_ids],
        )
        return dict(cursor.fetchall())


def _take_away(currency_id: int, at: datetime, chunk: int, chunks: int) -> int:
    """Take deadlines away that no policy stands behind any more; those that have come are left to be booked."""
    changed = 0
    for _ in range(chunks):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE rewards_pointsaccount SET deadline_at = NULL WHERE id IN (
                    SELECT id FROM rewards_pointsaccount WHERE deadline_at > %s AND currency_id = %s
                    ORDER BY id LIMIT %s FOR NO KEY UPDATE)
                """,
                [at, currency_id, chunk],
            )
            done = cursor.rowcount
        changed += done
        if done < chunk:
            break
    return changed
