"""What the demo's members do besides buying in the last weeks: check-ins, reviews, birthdays."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from config.demo.business import Business
from config.demo.people import Person, moment_of
from members.actors import SYSTEM, Actor
from members.services.activities import record_activity
from rewards.services.behaviours import award_birthdays
from rewards.services.orders import Order

SOURCE = "mini-program"
#: Every so many members use the app's check-in, so many in a hundred of them nearly every day.
CHECKS_IN_EVERY = 16
DAILY_SHARE = 0.15
NOW_AND_THEN, NEARLY_DAILY = 0.08, 0.85
REVIEW_SHARE = 0.06


def behave(
    *, people: Sequence[Person], orders: Sequence[Order], start: datetime, end: datetime, business: Business, random: Random
) -> None:  # fmt: skip
    """Record what members did in [start, end), and reward the birthdays; check-ins and reviews are rewarded by the relay."""
    channel_id = business.channels[SOURCE]
    for order in orders:
        moment = order.ordered_at + timedelta(hours=random.randint(1, 20))
        if order.member_id is not None and random.random() < REVIEW_SHARE and moment < end:
            record_activity(
                member_id=order.member_id, kind="review", source=SOURCE, external_ref=order.external_order_no, happened_at=moment,
                value=random.choices([5, 4, 3, 1], [60, 28, 9, 3])[0], store_id=order.store_id, channel_id=channel_id,
                by=Actor("member", order.member_id), at=moment,
            )  # fmt: skip
    keen = [person for person in people if person.index % CHECKS_IN_EVERY == 0 and person.lapses_at > start]
    day = start.astimezone(business.tz).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        for person in keen:
            chance = NEARLY_DAILY if person.thrift < DAILY_SHARE else NOW_AND_THEN
            moment = moment_of(day.date(), random, business.tz)
            if random.random() < chance and max(start, person.joined_at) < moment < end:
                _check_in(person, moment, channel_id)
        morning = day + timedelta(hours=8)
        if start <= morning < end:
            award_birthdays(at=morning, by=SYSTEM)
        day = (day + timedelta(hours=26)).replace(hour=0)


def _check_in(person: Person, moment: datetime, channel_id: int) -> None:
    record_activity(
        member_id=person.member_id, kind="check_in", source=SOURCE, external_ref=f"CI-{person.index}-{moment:%Y%m%d%H%M%S}",
        happened_at=moment, channel_id=channel_id, by=Actor("member", person.member_id), at=moment,
    )  # fmt: skip
