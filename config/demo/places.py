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
#: Where each store lies (GCJ-02, as the maps of the country have it), and its address.
ON_THE_MAP: dict[str, tuple[str, str, Names]] = {
    "SH01": ("31.22352", "121.44591", ("南京西路1686号", "南京西路1686號", "1686 Nanjing West Road")),
    "SH02": ("31.19523", "121.43717", ("虹桥路1号", "虹橋路1號", "1 Hongqiao Road")),
    "SH03": ("31.29904", "121.51421", ("淞沪路8号", "淞滬路8號", "8 Songhu Road")),
    "SH04": ("31.21585", "121.55142", ("锦绣路1001号", "錦繡路1001號", "1001 Jinxiu Road")),
    "HZ01": ("30.25741", "120.16352", ("延安路98号", "延安路98號", "98 Yan'an Road")),
    "HZ02": ("30.20873", "120.21201", ("江南大道228号", "江南大道228號", "228 Jiangnan Avenue")),
    "SZ01": ("31.31142", "120.62573", ("观前街245号", "觀前街245號", "245 Guanqian Street")),
    "NJ01": ("32.04184", "118.78412", ("中山路18号", "中山路18號", "18 Zhongshan Road")),
    "GZ01": ("23.13245", "113.32284", ("天河路208号", "天河路208號", "208 Tianhe Road")),
    "SZX1": ("22.51713", "113.93542", ("文心五路33号", "文心五路33號", "33 Wenxin 5th Road")),
    "BJ01": ("39.93325", "116.45521", ("三里屯路19号", "三里屯路19號", "19 Sanlitun Road")),
    "CD01": ("30.65342", "104.08311", ("中纱帽街8号", "中紗帽街8號", "8 Zhongshamao Street")),
}
OPENING_HOURS: Names = ("每日 7:30–22:00", "每日 7:30–22:00", "Daily 7:30–22:00")
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
    """Make the regions, put each store into that of its city and on the map; make the business' own recruiting sources."""
    made: dict[str, Region] = {}
    by_city: dict[str, Region] = {}
    for code, parent, names in REGIONS:
        made[code], _ = Region.objects.get_or_create(
            code=code, defaults={**texts("name", names), "parent": made.get(parent)}
        )
        by_city[names[0]] = made[code]
    for city, region in by_city.items():
        Store.objects.filter(city=city, region=None).update(region=region)
    for code, (latitude, longitude, street) in ON_THE_MAP.items():
        Store.objects.filter(code=code, latitude=None).update(
            latitude=latitude, longitude=longitude, **texts("street", street), **texts("opening_hours", OPENING_HOURS)
        )
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
