"""Where the demo's stores lie and where its members come from: regions as the business cuts them, recruiting, invitations."""

from collections.abc import Sequence
from random import Random

from config.demo.business import Names, texts
from config.demo.people import Person
from members.models import RecruitingSource, Region, Store

# code, what it is part of, names
REGIONS: list[tuple[str, str, Names]] = [
    ("east", "", ("华东大区", "華東大區", "East")),
    ("shanghai", "east", ("上海", "上海", "Shanghai")),
    ("zhejiang", "east", ("浙江", "浙江", "Zhejiang")),
    ("hangzhou", "zhejiang", ("杭州", "杭州", "Hangzhou")),
    ("jiangsu", "east", ("江苏", "江蘇", "Jiangsu")),
    ("suzhou", "jiangsu", ("苏州", "蘇州", "Suzhou")),
    ("nanjing", "jiangsu", ("南京", "南京", "Nanjing")),
    ("south", "", ("华南大区", "華南大區", "South")),
    ("guangzhou", "south", ("广州", "廣州", "Guangzhou")),
    ("shenzhen", "south", ("深圳", "深圳", "Shenzhen")),
    ("north", "", ("华北大区", "華北大區", "North")),
    ("beijing", "north", ("北京", "北京", "Beijing")),
    ("southwest", "", ("西南大区", "西南大區", "Southwest")),
    ("chengdu", "southwest", ("成都", "成都", "Chengdu")),
]
#: Sources of the business' own, beside those of every installation.
SOURCES: list[tuple[str, Names]] = [
    ("livestream", ("直播间", "直播間", "Live stream")),
    ("office_tasting", ("写字楼试饮", "寫字樓試飲", "Tasting in offices")),
]
FRIEND = "friend"
#: How often each source brings somebody; the others are unknown.
SHARES = {
    "walk_in": 30,
    "staff": 22,
    FRIEND: 16,
    "poster": 12,
    "social_media": 9,
    "livestream": 5,
    "office_tasting": 4,
    "": 12,
}


def open_regions() -> None:
    """Make the regions and put each store into that of its city; make the business' own recruiting sources."""
    made: dict[str, Region] = {}
    by_city: dict[str, Region] = {}
    for code, parent, names in REGIONS:
        made[code], _ = Region.objects.get_or_create(
            code=code, defaults={**texts("name", names), "parent": made.get(parent)}
        )
        by_city[names[0]] = made[code]
    for city, region in by_city.items():
        Store.objects.filter(city=city, region=None).update(region=region)
    for code, names in SOURCES:
        RecruitingSource.objects.get_or_create(code=code, defaults=texts("name", names))


class Recruiting:
    """What brought each member to join; of friends, who."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.ids = dict(RecruitingSource.objects.values_list("code", "id"))

    def of_next(self, earlier: Sequence[Person]) -> tuple[int | None, int | None]:
        """Return source and inviter of the next member; `earlier` are those who may have invited."""
        code = self.random.choices(list(SHARES), list(SHARES.values()))[0]
        inviter = None
        if code == FRIEND and earlier:
            inviter = earlier[self.random.randrange(len(earlier))].member_id
        return self.ids.get(code), inviter
