"""What tiers give, given: to whoever rises, and to all who hold a tier as each period begins; and taken when a tier is lost.

Set-based: each benefit of each tier is one query for whom it lacks, a chunk of members at a time.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from loyalty.benefit_book import GivenBenefit, benefits_at, benefits_of_tier, gives_anything
from loyalty.benefit_rules import birthday_span, period_span
from loyalty.models import Benefit, Entitlement
from loyalty.queries import held_tier_ids, ladder_book, tiers
from loyalty.refusals import NoLadder
from loyalty.services.benefit_costs import closing_budget, give_back
from loyalty.services.entitlements import end_entitlements, reserved_in
from loyalty.services.granting import INSTEAD, TIER_LOWERED, Given, Wish, by_swap, grant
from members.actors import Actor
from members.queries import programme

CHUNK: Final = 1_000
CHUNKS: Final = 2_000
_TIER_PERIOD_KEY = "'until ' || to_char(s.valid_until AT TIME ZONE %(zone)s, 'YYYY-MM-DD')"
# Who holds a tier now and is not about to be reviewed; without a standing it is the lowest one.
# The tier that counts: the earned one, or a floor where that is higher, for as long as it is one.
_STANDING = """(
    SELECT t.member_id, CASE WHEN f.rank > e.rank THEN t.floor_tier_id ELSE t.tier_id END AS tier_id,
        CASE WHEN f.rank > e.rank THEN t.floor_until ELSE t.valid_until END AS valid_until
    FROM loyalty_tierstanding t
    JOIN loyalty_tier e ON e.id = t.tier_id
    LEFT JOIN loyalty_tier f ON f.id = t.floor_tier_id
        AND (t.floor_from IS NULL OR t.floor_from <= %(at)s) AND (t.floor_until IS NULL OR t.floor_until > %(at)s)
)"""
_HOLDERS = f"""
    FROM {_STANDING} s JOIN members_member m ON m.id = s.member_id
    WHERE s.tier_id = %(tier)s AND (s.valid_until IS NULL OR s.valid_until > %(at)s)
"""
_HOLDERS_OF_LOWEST = f"""
    FROM members_member m LEFT JOIN {_STANDING} s ON s.member_id = m.id
    WHERE (s.member_id IS NULL OR s.tier_id = %(tier)s)
        AND (s.valid_until IS NULL OR s.valid_until > %(at)s)
"""
# What is there already: as much as this or more, ended otherwise than for a lower tier, or another benefit instead.
_LACKING = """
    NOT EXISTS (
        SELECT 1 FROM loyalty_entitlement e
        WHERE e.member_id = h.member_id AND e.source = 'tier' AND e.period_key = h.period_key AND (
            (e.benefit_id = %(benefit)s AND e.source_ref = %(ref)s AND (
                e.state = 'expired' OR (e.state = 'revoked' AND e.ended_because <> %(lowered)s)
                OR (e.state IN ('granted', 'used_up') AND e.quota >= %(quota)s)))
            OR e.source_ref = %(instead)s
            OR (e.benefit_id = %(original)s AND e.source_ref = '' AND e.ended_because <> %(lowered)s)))
"""


@dataclass(frozen=True, slots=True)
class _Aim:
    """One benefit to give to who holds a tier: perhaps another one instead, whose budget has room."""

    given: GivenBenefit
    benefit: Benefit
    tier_id: int
    quota: int
    source_ref: str = ""

    @property
    def instead(self) -> str:
        """The reference under which another benefit is given instead of this one."""
        return f"{INSTEAD}{self.given.benefit.code}"


def grant_due(*, at: datetime, by: Actor, chunk: int = CHUNK, chunks: int = CHUNKS) -> int:
    """Give everybody what the tier held gives for the period of now and was not given yet; return how many were given.

    Bounded by `chunks` transactions of `chunk` members; what is left over, the next run does. Safe beside itself.
    """
    given = 0
    for aim in _aims(at):
        after = 0
        while chunks > 0:
            wishes = _lacking(aim, at, after=after, limit=chunk)
            if not wishes:
                break
            chunks -= 1
            after = wishes[-1].member_id
            outcome = _give(aim, wishes, by, at)
            given += len(outcome.entitlement_ids)
            if outcome.refused and not outcome.entitlement_ids and outcome.swap_benefit_id is None:
                break  # no budget for anybody further on either
    return given


def follow_tiers(*, member_ids: Collection[int], by: Actor, at: datetime) -> int:
    """Bring members whose tier was decided up to what it gives: take back what ends with the tier, give what it lacks.

    Returns how many were given. A member stands where rows say now, however many decisions there were meanwhile.
    """
    try:
        if not member_ids or not gives_anything(at):
            return 0
    except NoLadder:
        return 0
    ids = sorted(member_ids)
    with transaction.atomic():
        _take_what_ends(ids, by, at)
    return sum(
        len(_give(aim, wishes, by, at).entitlement_ids)
        for aim in _aims(at)
        if (wishes := _lacking(aim, at, among=ids, limit=len(ids)))
    )


def _aims(at: datetime) -> Iterator[_Aim]:
    """Yield what is to be given now by every tier, of what is counted; what no budget holds is left out, or swapped."""
    try:
        ladder = ladder_book().at(at)
    except NoLadder:
        return
    for tier in tiers():
        for given in benefits_of_tier(ladder.id, tier.pk):
            if given.quota is None:
                continue
            aim = _Aim(given, given.benefit, tier.pk, given.quota)
            full = closing_budget(
                benefit_id=aim.benefit.pk,
                tier_id=tier.pk,
                units=1,
                unit_cost=aim.benefit.unit_cost_amount,
                at=at,
            )
            if full is None:
                yield aim
            elif full.swap_benefit is not None and full.swap_benefit.is_on:
                yield _swapped(aim, full.swap_benefit)


def _swapped(aim: _Aim, other: Benefit) -> _Aim:
    return _Aim(aim.given, other, aim.tier_id, other.quota or aim.quota, aim.instead)


def _give(aim: _Aim, wishes: Sequence[Wish], by: Actor, at: datetime) -> Given:
    """Give, and to those whom no budget holds any more the benefit instead, which is not swapped again."""
    outcome = grant(benefit=aim.benefit, source=Entitlement.Source.TIER, wishes=wishes, by=by, at=at)
    if aim.source_ref:
        return outcome
    for swap_id, refused in by_swap([outcome]).items():
        other = Benefit.objects.get(pk=swap_id)
        swapped = _swapped(aim, other)
        again = [
            Wish(
                wish.member_id,
                swapped.quota,
                wish.period_key,
                wish.valid_from,
                wish.valid_to,
                wish.tier_id,
                swapped.source_ref,
            )
            for wish in refused
        ]
        if other.is_on:
            grant(benefit=other, source=Entitlement.Source.TIER, wishes=again, by=by, at=at)
    return outcome


def _lacking(aim: _Aim, at: datetime, *, limit: int, after: int = 0, among: Sequence[int] | None = None) -> list[Wish]:
    """Return who holds the tier and lacks the benefit for the period of now, ascending by member."""
    tz, period = programme().tz, aim.given.benefit.period
    is_birthday = aim.given.benefit.kind == Benefit.Kind.BIRTHDAY
    span = birthday_span(at, tz) if is_birthday else period_span(period, at, tz)
    lasts_with_tier = period == Benefit.Period.TIER and not is_birthday
    key = f"coalesce({_TIER_PERIOD_KEY}, %(key)s)" if lasts_with_tier else "%(key)s"
    until = "coalesce(s.valid_until, %(until)s)" if lasts_with_tier else "%(until)s::timestamptz"
    holders = _HOLDERS_OF_LOWEST if aim.tier_id == ladder_book().lowest_at(at).tier_id else _HOLDERS
    if is_birthday:
        holders += """ AND EXISTS (SELECT 1 FROM members_memberperson p WHERE p.member_id = m.id
            AND extract(month FROM p.birthday) = %(month)s)"""
    if among is not None:
        holders += " AND m.id = ANY (%(among)s)"
    sql = f"""
        SELECT h.member_id, h.period_key, h.valid_to FROM (
            SELECT m.id AS member_id, {key} AS period_key, {until} AS valid_to {holders}
                AND m.id > %(after)s AND m.status = 'active' AND m.merged_into_id IS NULL) h
        WHERE {_LACKING} ORDER BY h.member_id LIMIT %(limit)s
    """  # noqa: S608 - constants of this module
    params: dict[str, Any] = {
        "zone": str(tz), "key": span.key, "until": span.to_at, "tier": aim.tier_id, "at": at, "after": after,
        "benefit": aim.benefit.pk, "ref": aim.source_ref, "quota": aim.quota, "limit": limit, "lowered": TIER_LOWERED,
        "instead": aim.instead if not aim.source_ref else "-", "month": span.from_at.astimezone(tz).month,
        "original": aim.given.benefit.pk if aim.source_ref else 0, "among": list(among or ()),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = cursor.fetchall()
    from_at = at if lasts_with_tier else span.from_at
    return [
        Wish(member_id, aim.quota, period_key, min(from_at, valid_to), valid_to, aim.tier_id, aim.source_ref)
        for member_id, period_key, valid_to in found
    ]


def _take_what_ends(member_ids: Sequence[int], by: Actor, at: datetime) -> None:
    """Take from members what the tier they hold now does not give (so much of), of benefits that end at once with a tier."""
    rows = list(
        Entitlement.objects.filter(
            member_id__in=member_ids, source=Entitlement.Source.TIER, source_ref="", valid_to__gt=at,
            state__in=(Entitlement.State.GRANTED, Entitlement.State.USED_UP),
            benefit__on_lowered=Benefit.OnLowered.AT_ONCE,
        ).order_by("pk").select_for_update(no_key=True, of=("self",))
    )  # fmt: skip
    held = _tiers_held(sorted({row.member_id for row in rows}), at)
    ended, cut = [], []
    for row in rows:
        quotas = {one.benefit.pk: one.quota for one in benefits_at(held[row.member_id], at)}
        most = quotas.get(row.benefit_id, 0) or 0
        if most >= row.quota:
            continue
        if most > 0 and (kept := max(most, row.used)) < row.quota:
            cut.append((row, row.quota - kept, held[row.member_id]))
        elif most == 0 and row.state == Entitlement.State.GRANTED:
            ended.append(row)
    if ended:
        end_entitlements(rows=ended, because=TIER_LOWERED, by=by, at=at)
    if cut:
        _cut(cut, by, at)


def _cut(cut: Sequence[tuple[Entitlement, int, int]], by: Actor, at: datetime) -> None:
    """Lower quotas to what the tier gives now, or to what was used where that is more."""
    reserved = [one for row, fewer, _tier_id in cut for one in reserved_in(row, fewer)]
    for row, fewer, tier_id in cut:
        row.quota -= fewer
        row.tier_id = tier_id
        row.state = Entitlement.State.USED_UP if row.used == row.quota else Entitlement.State.GRANTED
    Entitlement.objects.bulk_update([row for row, _fewer, _tier_id in cut], ["quota", "tier", "state"], batch_size=500)
    give_back(reserved=reserved, by=by, at=at)


def _tiers_held(member_ids: Sequence[int], at: datetime) -> dict[int, int]:
    """Return the tier that counts for each member as rows say now; without a standing it is the lowest one of the ladder."""
    lowest = ladder_book().lowest_at(at).tier_id
    return dict.fromkeys(member_ids, lowest) | held_tier_ids(member_ids, at)
