"""A made-up story of a small programme, by which segments that are kept up are compared with segments made anew."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from members.actors import SYSTEM
from members.conditions import OPERATORS, compile, evaluate, fact_keys, parse
from members.facts import Fact, FactParam, facts, use, values_for_many
from members.models import Member, Segment, SegmentSpan, TimelineEntry
from members.services.activities import record_activity
from members.services.behaviours import NewBehaviour, record_behaviours
from members.services.enrolment import enrol_member
from members.services.profile import ProfileChange, change_profile
from members.services.segment_keeping import MEMBERS_AT_ONCE, follow_entries, follow_time
from members.services.segments import make_segment, publish_segment
from members.services.status import freeze_member, unfreeze_member
from members.services.tags import add_tag, expire_tags, make_tag, remove_tag
from members.services.tokens import MemberIsFrozen
from rewards.services.orders import MemberFrozen
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import a_return, an_order
from tests.factories.people import a_channel
from tests.factories.segments import agrees_to_be_observed, run_waiting_jobs
from tests.factories.times import at

FROZEN = (MemberIsFrozen, MemberFrozen)
KINDS = ("check_in", "review", "view", "search")
BEGAN = at("2026-02-26 09:00")  # a leap day, an end of a month and a ladder's day lie ahead


@dataclass
class Story:
    """A programme that lives: members, live segments with conditions at random, and a clock that only goes forward."""

    random: random.Random
    now: datetime = BEGAN
    members: list[Member] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    read_to: int = 0
    events: int = 0

    def begin(self, *, members: int, segments: int) -> None:
        """Make the members, some tags, and the segments."""
        a_channel()
        for number in range(3):
            self.tags.append(
                make_tag(
                    code=f"tag_{number}", name=f"Tag {number}", keep_days=number or None, by=SYSTEM, at=self.now
                ).pk
            )
        for _ in range(members):
            self.somebody_joins()
        while len(self.segments) < segments:
            condition = a_condition(self.random)
            segment = make_segment(name=f"Segment {len(self.segments)}", condition=condition, by=SYSTEM, at=self.now)
            publish_segment(segment_id=segment.pk, by=SYSTEM, at=self.now)
            self.segments.append(segment)
        run_waiting_jobs(self.now)
        self.read_to = TimelineEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def go_on(self, events: int) -> None:
        """Let so many things happen; segments hear of them in batches, and of time now and then."""
        for _ in range(events):
            self.events += 1
            self.now += timedelta(seconds=self.random.randrange(1, 3_000))
            if self.random.random() < 0.02:
                self.now += timedelta(days=self.random.randrange(1, 20))
            self.something_happens()
            if self.random.random() < 0.1:
                self.hear()
            if self.random.random() < 0.05:
                self.let_time_pass()
        self.now += timedelta(minutes=20)  # beyond what tills may be ahead
        self.hear()
        self.let_time_pass()

    def hear(self) -> None:
        """Give segments what was told since."""
        entries = list(TimelineEntry.objects.filter(pk__gt=self.read_to).order_by("pk"))
        if entries:
            self.read_to = entries[-1].pk
            follow_entries(entries=entries, at=self.now)

    def let_time_pass(self) -> None:
        """Do what time asks for, until nothing is due."""
        expire_tags(at=self.now)
        self.hear()
        while follow_time(at=self.now) == MEMBERS_AT_ONCE:
            pass

    # --- What happens --------------------------------------------------------------------------------------------------
    def something_happens(self) -> None:
        """Let one thing happen to somebody."""
        happenings: list[tuple[int, Callable[[Member], None]]] = [
            (30, self.does_something), (25, self.buys), (5, self.gives_back), (10, self.looks_around), (8, self.changes),
            (4, self.is_frozen_or_thawed), (10, self.is_tagged), (5, self.loses_a_tag),
        ]  # fmt: skip
        act = self.random.choices([one for _weight, one in happenings], [weight for weight, _one in happenings])[0]
        act(self.random.choice(self.members))
        if self.random.random() < 0.01:
            self.somebody_joins()

    def somebody_joins(self) -> None:
        """Enrol a member, who may have joined long ago."""
        joined = self.now - timedelta(days=self.random.choice([0, 1, 5, 29, 30, 400]))
        birthday = None
        if self.random.random() < 0.7:
            birthday = self.random.choice([
                datetime(1992, 2, 29).date(), datetime(1990, 12, 31).date(), datetime(1991, 3, 1).date(),  # noqa: DTZ001
                (self.now - timedelta(days=self.random.randrange(7_000, 20_000))).date(),
            ])  # fmt: skip
        member = enrol_member(
            channel_id=a_channel().pk, birthday=birthday, language=self.random.choice(["zh-hans", "en"]), by=SYSTEM, at=self.now, joined_at=joined
        )  # fmt: skip
        if self.random.random() < 0.8:
            agrees_to_be_observed(member, at=self.now)
        self.members.append(member)

    def moment(self) -> datetime:
        """A moment: now, long ago, or a little ahead, as tills' clocks are."""
        return self.now + self.random.choice([
            timedelta(0), timedelta(minutes=-1), timedelta(minutes=8), timedelta(days=-6), timedelta(days=-29), timedelta(days=-89),
        ])  # fmt: skip

    def does_something(self, member: Member) -> None:
        """A behaviour that is kept for ever."""
        with suppress(*FROZEN):
            record_activity(
                member_id=member.pk, kind=self.random.choice(KINDS[:2]), source="story", external_ref=f"a{self.events}",
                happened_at=self.moment(), by=SYSTEM, at=self.now,
            )  # fmt: skip

    def looks_around(self, member: Member) -> None:
        """Some behaviours in passing, perhaps without consent."""
        record_behaviours(
            member_id=member.pk,
            behaviours=[
                NewBehaviour(f"b{self.events}:{number}", self.random.choice(KINDS[2:]), self.moment())
                for number in range(self.random.randrange(1, 4))
            ],
            by=SYSTEM,
            at=self.now,
        )

    def buys(self, member: Member) -> None:
        """An order."""
        order = an_order(member, f"{self.random.randrange(1, 300)}.00", ordered_at=self.moment())
        with suppress(*FROZEN):
            record_purchase(order=order, by=SYSTEM, at=self.now)
            self.orders.append(order)

    def gives_back(self, _member: Member) -> None:
        """All of an order comes back."""
        if self.orders:
            order = self.orders.pop(self.random.randrange(len(self.orders)))
            record_return(ret=a_return(order, returned_at=max(order.ordered_at, self.now)), by=SYSTEM, at=self.now)

    def changes(self, member: Member) -> None:
        """Another language, or another birthday."""
        change = self.random.choice([
            ProfileChange(language=self.random.choice(["en", "zh-hant"])),
            ProfileChange(birthday=(self.now + timedelta(days=self.random.randrange(-3, 30))).date().replace(year=1988)),
        ])  # fmt: skip
        change_profile(member_id=member.pk, change=change, may_correct_birthday=True, by=SYSTEM, at=self.now)

    def is_frozen_or_thawed(self, member: Member) -> None:
        """Frozen, or active again."""
        if Member.objects.get(pk=member.pk).status == "frozen":
            unfreeze_member(member_id=member.pk, reason="story", by=SYSTEM, at=self.now)
        else:
            until = self.now + timedelta(days=30)
            freeze_member(member_id=member.pk, reason="story", release_at=until, by=SYSTEM, at=self.now)

    def is_tagged(self, member: Member) -> None:
        """A tag, which may fall off."""
        add_tag(member_ids=[member.pk], tag_id=self.random.choice(self.tags), by=SYSTEM, at=self.now, reason="story")

    def loses_a_tag(self, member: Member) -> None:
        """A tag is taken off."""
        remove_tag(member_ids=[member.pk], tag_id=self.random.choice(self.tags), by=SYSTEM, at=self.now, reason="story")

    # --- The truth -----------------------------------------------------------------------------------------------------
    def differences(self) -> list[str]:
        """Return in which segments the stays are not what asking everybody now says, in SQL and member by member."""
        wrong = []
        with connection.cursor() as cursor:
            cursor.execute("SELECT at FROM members_segmentclock")
            moment = max(cursor.fetchone()[0], self.now)
        for segment in Segment.objects.filter(pk__in=[one.pk for one in self.segments]):
            node = parse(segment.condition)
            kept = set(SegmentSpan.objects.filter(segment=segment, left_at=None).values_list("member_id", flat=True))
            compiled = compile(node, at=moment)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT m.id FROM members_member m WHERE {compiled.sql}", compiled.params)
                anew = {row[0] for row in cursor.fetchall()}
            values = values_for_many(fact_keys(node), [(member.pk, moment) for member in self.members])
            single = {
                member.pk
                for member, known in zip(self.members, values, strict=True)
                if known is not None and evaluate(node, known).met
            }
            if kept != anew:
                wrong.append(f"{segment.condition}: kept up {sorted(kept ^ anew)} differ from anew")
            if single != anew:
                wrong.append(f"{segment.condition}: one by one {sorted(single ^ anew)} differ from the set")
            if segment.members_count != len(kept):
                wrong.append(f"{segment.condition}: counts {segment.members_count} of {len(kept)}")
        return wrong


# --- Conditions at random ----------------------------------------------------------------------------------------------
def a_condition(chance: random.Random) -> dict[str, Any]:
    """Return a condition of one to four tests over any facts, in one or two levels."""
    mode, other = chance.choice([("all", "any"), ("any", "all")])
    parts: list[dict[str, Any]] = [_test(chance) for _ in range(chance.randrange(1, 4))]
    if chance.random() < 0.4:
        parts.append({other: [_test(chance) for _ in range(chance.randrange(1, 3))]})
    return {mode: parts}


def _test(chance: random.Random) -> dict[str, Any]:
    while True:
        fact = chance.choice(facts())
        try:
            args = {param.name: _arg(param, chance) for param in fact.params}
        except IndexError:  # nothing to choose from
            continue
        op = chance.choice(OPERATORS[fact.kind])
        value = _value(fact, op, chance)
        if value is not None:
            return {"fact": use(fact.key, **args).key, "op": op, "value": value}


def _arg(param: FactParam, chance: random.Random) -> int | str:
    if param.choices is None:
        return chance.choice([1, 7, 30, 90])
    return chance.choice([code for code in param.choices(None) if code])


def _value(fact: Fact, op: str, chance: random.Random) -> Any:
    if op in ("gte", "lte", "eq"):
        return chance.choice([0, 1, 2, 3, 30, 31] if fact.kind == "count" else [0, 50, 100, 300])
    if op == "between":
        low = chance.choice([0, 1, 5, 29])
        return [low, low + chance.choice([0, 1, 40])]
    if op in ("within_last_days", "within_next_days"):
        return chance.choice([0, 1, 7, 30])
    if op in ("before", "after"):
        return (BEGAN + timedelta(days=chance.randrange(-30, 60))).date().isoformat()
    if op == "month_in":
        return [chance.randrange(1, 13), chance.randrange(1, 13)]
    if op == "is":
        return chance.random() < 0.5
    codes = list(fact.choices(None)) if fact.choices else []
    return chance.sample(codes, min(len(codes), chance.randrange(1, 3))) if codes else None
