"""Who the demo's members are and how they buy: pure functions of a seeded random generator."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from config.demo.business import DELIVERY, MENU, Article

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
GIVEN = "伟芳娜秀敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰萍红梅鑫波浩宇轩欣怡佳琪雨桐子涵梓萱一诺思远晨曦嘉豪俊熙若溪语嫣文博天佑雅婷晓东志强海燕建国春梅丹阳雪峰"
PREFIXES = [
    "130",
    "131",
    "132",
    "135",
    "136",
    "137",
    "138",
    "139",
    "150",
    "151",
    "152",
    "157",
    "158",
    "159",
    "176",
    "177",
    "180",
    "186",
    "187",
    "188",
    "189",
]

# share of members, visits a week, weeks until the habit halves, chance of an online order
HABITS = [
    (4, 1.9, 200.0, 0.25),  # every third day
    (12, 0.65, 120.0, 0.20),
    (32, 0.22, 60.0, 0.20),
    (30, 0.08, 40.0, 0.30),
    (22, 0.03, 8.0, 0.35),  # came once or twice
]
#: What is in an order: (article, quantity, amount).
Goods = list[tuple[Article, int, Decimal]]
WEEKDAY_WEIGHT = [1.05, 1.0, 1.0, 1.02, 1.15, 1.25, 1.12]
SEASON = [0.94, 0.82, 0.98, 1.0, 1.04, 1.02, 0.98, 0.96, 1.02, 1.06, 1.05, 1.12]  # by month; spring festival is slow
HOURS = (
    [8] * 20
    + [9] * 16
    + [10] * 9
    + [11] * 7
    + [12] * 10
    + [13] * 8
    + [14] * 9
    + [15] * 9
    + [16] * 6
    + [17] * 5
    + [18] * 6
    + [19] * 5
    + [20] * 3
)
GROWTH = 1.5  # how much faster members join at the end of the story than at its beginning


@dataclass(slots=True)
class Person:
    """A member of the story. `rate` visits a week at first, halving every `half_life` weeks (or lapsing earlier)."""

    index: int
    joined_at: datetime
    name: str
    phone: str
    birthday: date | None
    language: str
    store: int
    rate: float
    half_life: float
    online: float
    lapses_at: datetime
    thrift: float
    member_id: int = 0

    def visits(self, start: datetime, end: datetime, random: Random, tz: ZoneInfo) -> list[datetime]:
        """Return the moments of this person's orders in [start, end)."""
        moments = []
        day = max(start, self.joined_at)
        first = True
        while day < min(end, self.lapses_at):
            local = day.astimezone(tz)
            weeks = (day - self.joined_at).days / 7
            rate = self.rate * 0.5 ** (weeks / self.half_life)
            chance = rate / 7 * WEEKDAY_WEIGHT[local.weekday()] * SEASON[local.month - 1]
            if day == self.joined_at or random.random() < chance:
                moment = moment_of(local.date(), random, tz)
                if first and day == self.joined_at:
                    moment = self.joined_at + timedelta(minutes=2)
                if self.joined_at < moment < end:
                    moments.append(moment)
            first = False
            day = (local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)).astimezone(UTC)
        return moments


def moment_of(day: date, random: Random, tz: ZoneInfo) -> datetime:
    """Return a believable moment of an order on a day."""
    return datetime(
        day.year, day.month, day.day, random.choice(HOURS), random.randrange(60), random.randrange(60), tzinfo=tz
    ).astimezone(UTC)


def make_people(
    count: int, start: datetime, end: datetime, stores: list[int], random: Random, tz: ZoneInfo
) -> list[Person]:
    """Return the members of the story in order of joining; they join faster towards the end."""
    span = (end - start) / timedelta(seconds=1)
    days = sorted(start + timedelta(seconds=span * random.random() ** (1 / GROWTH)) for _ in range(count))
    weights = [share for share, *_ in HABITS]
    return [_person(index, moment, end, weights, stores, random, tz) for index, moment in enumerate(days)]


def _person(
    index: int, moment: datetime, end: datetime, weights: list[int], stores: list[int], random: Random, tz: ZoneInfo
) -> Person:
    joined_at = moment_of(moment.astimezone(tz).date(), random, tz)
    if joined_at >= end:
        joined_at -= timedelta(days=1)  # the hour has not come yet today
    _, rate, half_life, online = random.choices(HABITS, weights)[0]
    name = random.choice(SURNAMES) + "".join(random.choice(GIVEN) for _ in range(random.choice([1, 2, 2])))
    return Person(
        index=index,
        joined_at=joined_at,
        name=name,
        phone=f"+86{PREFIXES[index % len(PREFIXES)]}{(index * 7919 + 10_000_019) % 100_000_000:08}",
        birthday=date(random.randint(1962, 2006), random.randint(1, 12), random.randint(1, 28))
        if random.random() < 0.7
        else None,
        language=random.choices(["zh-hans", "zh-hant", "en"], [90, 6, 4])[0],
        store=random.choices(range(len(stores)), stores)[0],
        rate=rate * random.lognormvariate(0, 0.35),
        half_life=half_life,
        online=online,
        lapses_at=joined_at + timedelta(weeks=random.expovariate(1 / (half_life * 1.2)) + 1),
        thrift=random.random(),
    )


def basket(random: Random, *, online: bool) -> Goods:
    """Return what is in an order. Larger at weekends is left to chance."""
    count = random.choices([1, 2, 3, 4], [46, 36, 13, 5])[0]
    articles = random.choices(MENU, [article.weight for article in MENU], k=count)
    quantities: dict[str, tuple[Article, int]] = {}
    for article in articles:
        quantities[article.sku] = (article, quantities.get(article.sku, (article, 0))[1] + 1)
    lines = [(article, quantity, article.price * quantity) for article, quantity in quantities.values()]
    if online:
        lines.append((DELIVERY, 1, DELIVERY.price))
    return lines


def guests_of_day(day: date, members_orders: float, random: Random) -> int:
    """Return how many orders people who are not members make on a day: a little fewer than half as many as members do."""
    mean = max(4.0, members_orders * 0.45) * WEEKDAY_WEIGHT[day.weekday()]
    return max(0, round(random.gauss(mean, math.sqrt(mean))))
