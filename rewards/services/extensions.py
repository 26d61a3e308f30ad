"""Points that live longer than their policy says: extended by staff, with reason and cost, or because nobody was reached.

An extension moves the end of lots, and where an account would end sooner, its deadline too. Every lot keeps an event with
the old end, the new one and the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalty.periods import business_date, end_of_day, last_day_before
from members import jobs, proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.models import Proposal
from members.queries import programme
from rewards import ledger
from rewards.ending import Scope, day_scope, ending_lots_sql, money_per_point, total_of, worth
from rewards.events import points_extended
from rewards.expiry_book import policies_now
from rewards.models import Lot, WarningReceipt
from rewards.policies import unless_default
from rewards.refusals import RewardsRefusal

EXTEND = "rewards.extend_lots"
#: An extension of more lots than this is a job.
MOST_AT_ONCE = 1_000
LONGEST = timedelta(days=3 * 366)

_UNREACHED = "nobody was reached by the warnings"


class NothingToExtend(RewardsRefusal):
    """No points end there, or they were used meanwhile."""

    code = "nothing_to_extend"
    text = gettext_lazy("There are no points here that could be extended; they may have been used meanwhile.")


class ExtensionNotLater(RewardsRefusal):
    """An extension only ever moves the end later."""

    code = "extension_not_later"
    status = 422
    text = gettext_lazy("The points expire on %(date)s; the new last day has to be later.")


class ExtensionTooLong(RewardsRefusal):
    """An extension is bounded."""

    code = "extension_too_long"
    status = 422
    text = gettext_lazy("Points can be extended until %(date)s at most.")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which points shall live through which day: those of a currency that end on a day, of all, of a member, or of one lot."""

    currency_id: int
    ends_date: date
    until_date: date
    member_id: int | None = None
    lot_id: int | None = None

    def scope(self, at: datetime) -> Scope:
        """Return the points meant, at a moment."""
        return day_scope(self.currency_id, self.ends_date, at=at, member_id=self.member_id, lot_id=self.lot_id)

    @property
    def until_at(self) -> datetime:
        """The new end."""
        return end_of_day(self.until_date, programme().tz)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an extension concerns: members, lots, points, and what they are worth in money (None: no value was set)."""

    members: int
    lots: int
    points: int
    amount: Decimal | None


def cost_of(wish: Wish, *, at: datetime) -> Cost:
    """Return what an extension would cost at most: the points times their value, as if all of them were used.

    Where accounts end without activity, extending some points of an account keeps all of it alive, and all of it counts.
    """
    total = total_of(wish.scope(at), kept_until=wish.until_at)
    return Cost(total.members, total.lots, total.points, worth(total.points, money_per_point(wish.currency_id, at)))


def propose_extension(
    *, wish: Wish, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Extend points within the operator's limits, else let a colleague decide; return what became of it.

    Raises NothingToExtend, ExtensionNotLater, ExtensionTooLong, and as `members.proposals.propose` does.
    """
    said = {
        "currency": wish.currency_id, "ends": wish.ends_date.isoformat(), "until": wish.until_date.isoformat(),
        "member": wish.member_id, "lot": wish.lot_id,
    }  # fmt: skip
    if (earlier := proposals.made_before(kinds=[EXTEND], said=said, by=by, request_id=request_id)) is not None:
        return earlier
    if wish.until_date <= wish.ends_date:
        raise ExtensionNotLater(date=date_format(wish.ends_date, "DATE_FORMAT"))
    longest = business_date(at + LONGEST, programme().tz)
    if wish.until_date > longest:
        raise ExtensionTooLong(date=date_format(longest, "DATE_FORMAT"))
    cost = cost_of(wish, at=at)
    if not cost.points:
        raise NothingToExtend
    return proposals.propose(
        kind=EXTEND,
        params={**said, "points": cost.points, "members": cost.members},
        reason=reason,
        by=by,
        at=at,
        request_id=request_id,
    )


def extend_points(*, wish: Wish, reason: str, natural_key: str, by: Actor, at: datetime) -> tuple[int, int]:
    """Extend all of a wish in the caller's transaction; return lots and points. For few lots: see MOST_AT_ONCE.

    A repeat under the same key changes nothing.
    """
    lots = points = 0
    after = 0
    while accounts := _accounts_of(wish, at, after):
        after = accounts[-1]
        done = _extend(wish, accounts, reason, natural_key, by, at)
        lots, points = lots + done[0], points + done[1]
    return lots, points


def extend_unreached(*, at: datetime, by: Actor, chunk: int = 1000) -> int:
    """Extend points that end today, once, for members whom none of the warnings could be delivered to; return the points.

    Only where the policy for the source of the points says so, and only for members of whom some sender has told that
    they can not be reached; a warning nobody sent is no reason. Safe to repeat and beside itself.
    """
    today = business_date(at, programme().tz)
    days: dict[int, dict[int, int]] = {}
    for policy in policies_now(at):
        if policy.extend_unreached_days:
            days.setdefault(policy.currency_id, {})[policy.origin] = policy.extend_unreached_days
    points = 0
    for currency_id, by_origin in days.items():
        scope = day_scope(currency_id, today, at=at)
        members = _unreached(currency_id, today)
        for start in range(0, len(members), chunk):
            points += _extend_unreached(scope, members[start : start + chunk], by_origin, today, at, by)
    return points


def register() -> None:
    """Make the extension known to those who approve, and to the workers that do long work."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=EXTEND,
            label=gettext_lazy("Extension of points"),
            permission="rewards.extend_lots",
            sentence=_sentence,
            effect=_effect,
            carry_out=_carry_out,
            amount=lambda params: int(params["points"]),
            concerned=_members_of,
        )
    )
    jobs.register_kind(
        jobs.JobKind(
            code=EXTEND,
            label=gettext_lazy("Extension of points"),
            run=_run,
            title=_sentence,
            permission="rewards.extend_lots",
        )
    )


def _members_of(params: Mapping[str, Any]) -> list[int]:
    """Return the member whose points are named; one lot names its member, too."""
    if params["lot"]:
        return list(Lot.objects.filter(pk=params["lot"]).values_list("member_id", flat=True))
    return [params["member"]] if params["member"] else []


def _as_wish(params: Mapping[str, Any]) -> Wish:
    return Wish(
        currency_id=params["currency"], ends_date=date.fromisoformat(params["ends"]),
        until_date=date.fromisoformat(params["until"]), member_id=params["member"], lot_id=params["lot"],
    )  # fmt: skip


def _sentence(params: Mapping[str, Any]) -> str:
    figures = {
        "points": grouped(params["points"]),
        "members": grouped(params["members"]),
        "ends": date_format(date.fromisoformat(params["ends"]), "DATE_FORMAT"),
        "until": date_format(date.fromisoformat(params["until"]), "DATE_FORMAT"),
    }
    return (
        ngettext(
            "Extend %(points)s points of %(members)s member, which expire on %(ends)s, until %(until)s.",
            "Extend %(points)s points of %(members)s members, which expire on %(ends)s, until %(until)s.",
            params["members"],
        )
        % figures
    )


def _effect(params: Mapping[str, Any], at: datetime) -> Effect:
    """What it would change now. The figures move with every redemption, which is no reason to look again."""
    wish = _as_wish(params)
    cost = cost_of(wish, at=at)
    ends, until = (date_format(day, "DATE_FORMAT") for day in (wish.ends_date, wish.until_date))
    lines = (
        EffectLine(_("Last day"), ends, until),
        EffectLine(_("Members"), params["members"], cost.members, is_compared=False),
        EffectLine(_("Points"), params["points"], cost.points, is_compared=False),
    )
    return Effect(lines, cost_points=cost.points, cost_amount=cost.amount)


def _carry_out(params: Mapping[str, Any], by: Actor, at: datetime, proposal: Proposal) -> str:
    wish = _as_wish(params)
    total = total_of(wish.scope(at))
    if not total.points:
        raise NothingToExtend
    key = f"proposal {proposal.pk}"
    if total.lots > MOST_AT_ONCE:
        more = {"key": key, "reason": proposal.reason}
        jobs.start_job(
            kind=EXTEND, title_params=dict(params), params={**params, **more}, total=total.members, by=by, at=at
        )
        return _("A job extends them; see the list of jobs.")
    lots, points = extend_points(wish=wish, reason=proposal.reason, natural_key=key, by=by, at=at)
    figures = {"points": grouped(points), "lots": grouped(lots)}
    return (
        ngettext("%(points)s points in %(lots)s lot extended.", "%(points)s points in %(lots)s lots extended.", lots)
        % figures
    )


def _run(run: jobs.JobRun) -> None:
    """Extend account by account, in chunks; what is done ends later and is not found again."""
    wish = _as_wish(run.params)
    while True:
        with run.chunk() as at:
            accounts = _accounts_of(wish, at, run.cursor.get("account", 0))
            if not accounts:
                return
            _extend(wish, accounts, run.params["reason"], run.params["key"], run.by, at)
            done = min(len(accounts), max(run.total - run.job.done, 0)) if run.total else len(accounts)
            run.advance(done=done, ok=done, cursor={"account": accounts[-1]})


def _accounts_of(wish: Wish, at: datetime, after: int) -> list[int]:
    """Return the next accounts of a wish, ascending."""
    scope = wish.scope(at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT account_id FROM ({ending_lots_sql(scope)}) ending "  # noqa: S608
            "WHERE account_id > %(from_account)s ORDER BY account_id LIMIT %(most)s",
            {**scope.params, "from_account": after, "most": MOST_AT_ONCE},
        )
        return [row[0] for row in cursor.fetchall()]


def _extend(
    wish: Wish, accounts: Sequence[int], reason: str, natural_key: str, by: Actor, at: datetime
) -> tuple[int, int]:
    """Extend what a wish means of some accounts, and tell their members' timelines; return lots and points."""
    scope = wish.scope(at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({ending_lots_sql(scope)}) ending WHERE account_id = ANY (%(accounts)s) ORDER BY id",  # noqa: S608
            {**scope.params, "accounts": list(accounts)},
        )
        lots = [row[0] for row in cursor.fetchall()]
    return _move(wish.currency_id, lots, accounts, wish.until_at, reason, "extension", natural_key, by, at)


def _move(
    currency_id: int, lots: Sequence[int], accounts: Sequence[int], until_at: datetime, reason: str, source: str,
    natural_key: str, by: Actor, at: datetime, *, unreached: bool = False,
) -> tuple[int, int]:  # fmt: skip
    """Let lots of a currency live until a moment, and their accounts as long as they do; tell the timeline; return lots and points.

    A lot without an end of its own lives on with its account.
    """
    words = reason[:200]
    trace = {"v": 2, "kind": "extension"}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, deadline_at > %s AND deadline_at < %s FROM rewards_pointsaccount WHERE id = ANY (%s) "
            "ORDER BY id FOR NO KEY UPDATE",  # all of them at once: the lots' extension locks them, too
            [at, until_at, list(accounts)],
        )
        ending = [account_id for account_id, is_ending in cursor.fetchall() if is_ending]
        cursor.execute(
            "SELECT id, member_id, remaining FROM rewards_lot l WHERE id = ANY (%s) AND expires_at IS NULL "
            "AND account_id = ANY (%s) AND remaining > 0",
            [list(lots), ending],
        )
        without_end = cursor.fetchall()
    moved = ledger.extend_lots(
        lots=[(lot, until_at) for lot in lots], source=source, natural_key=natural_key, at=at, by=by, reason=words, trace=trace
    )  # fmt: skip
    if ending:
        ledger.push_deadlines(account_ids=ending, deadline_at=until_at, happened_at=at)
    found = [(member_id, points) for member_id, _lot, points in moved]
    found += [(member_id, points) for _lot, member_id, points in without_end]
    told: dict[int, tuple[int, int]] = {}
    for member_id, points in found:
        before = told.get(member_id, (0, 0))
        told[member_id] = (before[0] + 1, before[1] + points)
    last_date = last_day_before(until_at, programme().tz)
    timeline.record_many(
        points_extended(
            member_id=member_id, points=points, currency_id=unless_default(currency_id), lots=count, last_date=last_date,
            unreached=unreached, happened_at=at, by=by,
        )
        for member_id, (count, points) in told.items()
    )  # fmt: skip
    return len(found), sum(points for _member, points in found)


def _unreached(currency_id: int, day: date) -> list[int]:
    """Return the members whom no warning of a day could be delivered to, and whose points were not extended to that day."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.member_id FROM rewards_expirywarning w JOIN rewards_warningreceipt r ON r.warning_id = w.id
            WHERE w.currency_id = %(currency)s AND w.expires_date = %(day)s
            GROUP BY w.member_id
            HAVING bool_or(r.outcome = 'unreachable') AND NOT bool_or(r.outcome IN ('delivered', 'extended'))
            ORDER BY w.member_id
            """,
            {"currency": currency_id, "day": day},
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _extend_unreached(
    scope: Scope, members: list[int], days: Mapping[int, int], today: date, at: datetime, by: Actor
) -> int:
    """Extend what ends today of some members, each source by the days of its policy; return the points.

    A receipt on every warning of the day says so, which is what keeps it from being done again. Points that ended on a
    day to which they had been extended like this are not extended again.
    """
    tz = programme().tz
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT l.id, l.account_id, l.member_id, l.origin FROM ({ending_lots_sql(scope)}) ending
            JOIN rewards_lot l ON l.id = ending.id
            WHERE l.member_id = ANY (%(members)s) AND l.origin = ANY (%(origins)s) AND NOT EXISTS (
                SELECT 1 FROM rewards_expirywarning w JOIN rewards_warningreceipt r ON r.warning_id = w.id
                WHERE w.member_id = l.member_id AND w.currency_id = %(currency)s AND r.extended_to_date = %(today)s)
            ORDER BY l.id
            """,  # noqa: S608
            {**scope.params, "members": members, "origins": list(days), "today": today},
        )
        rows = cursor.fetchall()
    points = 0
    extended: dict[int, date] = {}
    for count in sorted(set(days.values())):
        lots = [row for row in rows if days[row[3]] == count]
        if not lots:
            continue
        last = today + timedelta(days=count)
        accounts = sorted({row[1] for row in lots})
        done = _move(
            scope.currency_id, [row[0] for row in lots], accounts, end_of_day(last, tz), _UNREACHED, "unreached", "once", by, at,
            unreached=True,
        )  # fmt: skip
        points += done[1]
        extended |= dict.fromkeys((row[2] for row in lots), last)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO rewards_warningreceipt (warning_id, outcome, extended_to_date, actor_kind, actor_id, happened_at)
            SELECT w.id, %s, e.last, %s, %s::bigint, %s::timestamptz
            FROM unnest(%s::bigint[], %s::date[]) AS e (member_id, last)
            JOIN rewards_expirywarning w ON w.member_id = e.member_id AND w.currency_id = %s AND w.expires_date = %s
            ORDER BY w.id ON CONFLICT DO NOTHING
            """,
            [
                WarningReceipt.Outcome.EXTENDED.value, by.kind, by.id, at, list(extended), list(extended.values()),
                scope.currency_id, today,
            ],
        )  # fmt: skip
    return points
