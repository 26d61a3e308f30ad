"""What members earn for what they do besides buying, and for their birthdays.

An activity is rewarded once for ever, a birthday once a year: the posting's own key says so. Locks are taken in the
order of purchases: members, accounts, caps, budgets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import batched
from typing import Final

from django.db import connection, transaction

from loyalty.periods import birthday_in, business_date, day_bounds
from loyalty.queries import tier_at
from members import timeline
from members.actors import Actor
from members.facts import values_for
from members.models import Activity, Member
from members.queries import programme, status_sql, survivors_of
from rewards import earning, events, ledger
from rewards.earning import Needs
from rewards.expiring import activity_event, deadline_after
from rewards.expiry_book import expiry_book
from rewards.models import LedgerTransaction
from rewards.models.rules import BIRTHDAY
from rewards.queries import rule_book
from rewards.services.caps import book_caps, cap_usage, lock_budgets
from rewards.services.quoting import lots_of

ACTIVITY_RECORDED: Final = "members.activity_recorded.v1"
#: Why nothing was given, beside the codes of rules that did not apply.
NOT_ACTIVE: Final = {Member.Status.FROZEN: "member_frozen", Member.Status.CLOSED: "member_closed"}
SOURCE_ACTIVITY: Final = "activity"
SOURCE_BIRTHDAY: Final = "birthday"

_BIRTHDAYS_MISSED: Final = 3
_MEMBERS_AT_ONCE: Final = 50
_MEMBERS_READ_AT_ONCE: Final = 1_000
_MOST_BIRTHDAYS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that may be rewarded: `(source, natural_key)` is its identity in the ledger, for ever."""

    source: str
    natural_key: str
    facts: earning.ActivityFacts
    activity_id: int | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """What an occasion gave: points by currency id; nothing and a code where it gave none."""

    member_id: int
    points: Mapping[int, int]
    refused: str = ""


def award_activities(*, activity_ids: Sequence[int], by: Actor, at: datetime) -> list[Award]:
    """Reward recorded activities by the rules in force when they happened; return what each new one gave.

    Kinds without a rule, and activities that were rewarded before, are passed over. Members who are not active earn
    nothing, and the timeline says so. One transaction: the caller bounds how many.
    """
    tz = programme().tz
    found = Activity.objects.filter(pk__in=activity_ids).order_by("happened_at", "pk")
    rows = [row for row in found if _rules_for(row.kind, row.happened_at)]
    bearers = survivors_of({row.member_id for row in rows}) if rows else {}  # of a merged member, the survivor earns
    return _award(
        [
            Occasion(
                SOURCE_ACTIVITY,
                str(row.pk),
                earning.ActivityFacts(
                    bearers[row.member_id], row.kind, row.value, row.store_id, row.channel_id, row.happened_at,
                    row.happened_at.astimezone(tz),
                ),
                row.pk,
            )
            for row in rows
        ],
        by,
        at,
    )  # fmt: skip


def award_birthdays(*, by: Actor, at: datetime) -> int:
    """Reward the birthdays of today, and of the three days before in case a run was missed; return how many were.

    Those born on 29 February keep the 28th in common years. Whoever joined after the birthday, or is not active, waits
    for the next one. In chunks; a run that stops is made up for by the next.
    """
    tz = programme().tz
    today = business_date(at, tz)
    rewarded = 0
    for back in range(_BIRTHDAYS_MISSED, -1, -1):
        day = today - timedelta(days=back)
        begins, ends = day_bounds(day, tz)
        if not _rules_for(BIRTHDAY, begins):
            continue
        for members in batched(_with_birthday(day, ends), _MEMBERS_AT_ONCE):
            occasions = [_birthday(member_id, max(begins, joined_at), day) for member_id, joined_at in members]
            rewarded += sum(1 for award in _award(occasions, by, at) if award.points)
    return rewarded


def _birthday(member_id: int, moment: datetime, day: date) -> Occasion:
    facts = earning.ActivityFacts(member_id, BIRTHDAY, None, None, None, moment, moment.astimezone(programme().tz))
    return Occasion(SOURCE_BIRTHDAY, f"{member_id}:{day.year}", facts)


def _with_birthday(day: date, ends: datetime) -> Iterator[tuple[int, datetime]]:
    """Yield (member, joined at) of active members whose birthday is kept on a day and was not rewarded that year."""
    born = [day] if day.month != 2 or day.day != 28 else [day, date(2000, 2, 29)]
    kept = [one for one in born if birthday_in(day.year, one.replace(year=2000)) == day]
    last = 0
    for _chunk in range(_MOST_BIRTHDAYS // _MEMBERS_READ_AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT m.id, m.joined_at
                FROM members_memberperson p JOIN members_member m ON m.id = p.member_id
                WHERE (extract(month FROM p.birthday) * 100 + extract(day FROM p.birthday))::int = ANY (%s)
                    AND {status_sql(Member.Act.EARN, alias="m")} = %s AND m.joined_at < %s AND m.id > %s
                    AND NOT EXISTS (
                        SELECT 1 FROM rewards_ledgertransaction t
                        WHERE t.kind = %s AND t.source = %s
                            AND t.natural_key IN (SELECT f || ':' || %s FROM unnest(members_family(m.id)) AS f))
                ORDER BY m.id LIMIT %s
                """,  # noqa: S608
                [
                    [one.month * 100 + one.day for one in kept], Member.Status.ACTIVE, ends, last,
                    LedgerTransaction.Kind.EARN, SOURCE_BIRTHDAY, str(day.year), _MEMBERS_READ_AT_ONCE,
                ],
            )  # fmt: skip
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < _MEMBERS_READ_AT_ONCE:
            return
        last = rows[-1][0]


# --- One transaction ---------------------------------------------------------------------------------------------------
@transaction.atomic
def _award(occasions: Sequence[Occasion], by: Actor, at: datetime) -> list[Award]:
    """Reward occasions in their order, unless they are known."""
    asked = [occasion for occasion in occasions if _rules_for(occasion.facts.kind, occasion.facts.happened_at)]
    if not asked:
        return []
    statuses = _lock(asked)
    known = _known(asked)
    awards: list[Award] = []
    news: list[timeline.NewEntry] = []
    for occasion in asked:
        if (occasion.source, occasion.natural_key) in known:
            continue
        status = statuses[occasion.facts.member_id]
        if status == Member.Status.ACTIVE:
            award, told = _earn(occasion, by, at)
        else:
            award, told = Award(occasion.facts.member_id, {}, NOT_ACTIVE[Member.Status(status)]), []
        awards.append(award)
        news += told or _not_rewarded(occasion, award, by)
    timeline.record(news)
    if news:
        timeline.nudge()
    return awards


def _rules_for(kind: str, moment: datetime) -> list[earning.Rule]:
    return [rule for rule in rule_book().at(moment).behaviour if rule.activity_kind == kind]


def _lock(occasions: Sequence[Occasion]) -> dict[int, str]:
    """Keep the members as they are, lock their accounts and the budgets that may be asked, ascending; return the statuses.

    The accounts of the default currency first, as purchases do, which read and count caps of all currencies under them.
    """
    members = sorted({occasion.facts.member_id for occasion in occasions})
    rules = [rule for one in occasions for rule in _rules_for(one.facts.kind, one.facts.happened_at)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {status_sql(Member.Act.EARN)} FROM members_member WHERE id = ANY (%s) ORDER BY id FOR SHARE",  # noqa: S608
            [members],
        )
        statuses = dict(cursor.fetchall())
    active = [member_id for member_id in members if statuses[member_id] == Member.Status.ACTIVE]
    for currency_id in sorted({ledger.currency_id(), *(rule.currency_id for rule in rules)}):
        ledger.lock_accounts(member_ids=active, currency=currency_id)
    if len(occasions) > 1:
        lock_budgets(budget_ids=[rule.budget_id for rule in rules if rule.budget_id is not None])
    return statuses


def _known(occasions: Sequence[Occasion]) -> set[tuple[str, str]]:
    """Return the identities of occasions that were rewarded before."""
    return set(
        LedgerTransaction.objects.filter(
            kind=LedgerTransaction.Kind.EARN,
            source__in={occasion.source for occasion in occasions},
            natural_key__in=[occasion.natural_key for occasion in occasions],
        ).values_list("source", "natural_key")
    )


def _earn(occasion: Occasion, by: Actor, at: datetime) -> tuple[Award, list[timeline.NewEntry]]:
    """Quote an occasion, count its caps, post each currency; return what it gave and what is to be told."""
    facts = occasion.facts
    rules = rule_book().at(facts.happened_at)
    needs: Needs = rules.activity_needs(facts)
    tier = tier_at(facts.member_id, facts.happened_at)
    quote = earning.quote_activity(
        facts,
        rules=rules,
        tier_code=tier.code,
        multiplier=tier.points_multiplier,
        cap_used=cap_usage(member_id=facts.member_id, keys=needs.cap_keys),
        values=values_for(facts.member_id, needs.fact_keys, facts.happened_at) if needs.fact_keys else {},
    )
    quote = book_caps(member_id=facts.member_id, quote=quote)
    points = {currency: quote.points_in(currency) for currency in quote.currency_ids if quote.points_in(currency)}
    news = []
    for currency_id, amount in points.items():
        ledger.accrue(
            member_id=facts.member_id, currency_id=currency_id, lots=lots_of(quote, currency_id, facts.happened_at),
            source=occasion.source, natural_key=occasion.natural_key, at=facts.happened_at, now=max(at, facts.happened_at),
            by=by, trace=quote.trace(currency_id), store_id=facts.store_id, tier_code=quote.tier_code,
            deadline_at=_deadline(currency_id, facts),
        )  # fmt: skip
        news.append(
            events.activity_rewarded(
                member_id=facts.member_id, activity_id=occasion.activity_id, kind=facts.kind, points=amount,
                currency_id=currency_id, happened_at=facts.happened_at, by=by,
            )
        )  # fmt: skip
    refused = "" if points else next((no.code for no in quote.not_applied), "no_points")
    return Award(facts.member_id, points, refused), news


def _deadline(currency_id: int, facts: earning.ActivityFacts) -> datetime | None:
    """Return until when the activity keeps points alive. A birthday is nothing the member does."""
    if facts.kind == BIRTHDAY:
        return None
    policies = expiry_book().of(currency_id)
    return deadline_after(policies, activity_event(facts.kind), facts.happened_at, programme().tz)


def _not_rewarded(occasion: Occasion, award: Award, by: Actor) -> list[timeline.NewEntry]:
    """Tell that a recorded activity gave nothing, and why. Of birthdays nothing is told."""
    if occasion.activity_id is None:
        return []
    facts = occasion.facts
    return [
        events.activity_not_rewarded(
            member_id=facts.member_id, activity_id=occasion.activity_id, kind=facts.kind, code=award.refused,
            happened_at=facts.happened_at, by=by,
        )
    ]  # fmt: skip
