"""The business of the demo: stores, menu, rewards, promotions. All words in three languages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from campaigns.models import Promotion
from config.demo.vouchers import write_templates
from loyalty.models import LadderVersion, Tier
from members.models import Brand, Channel, Programme, Store
from rewards.models import Category, Product, Reward, VoucherTemplate

Names = tuple[str, str, str]  # zh-Hans, zh-Hant, English

#: A tier is valid for so many months: a coffee habit is reviewed twice a year.
VALID_MONTHS = 6
PROGRAMME: Names = ("麦田会员", "麥田會員", "Maitian Club")
BRAND: Names = ("麦田咖啡烘焙", "麥田咖啡烘焙", "Maitian Coffee & Bakery")

# code, city, names, share of trade
STORES: list[tuple[str, str, Names, int]] = [
    ("SH01", "上海", ("上海静安寺店", "上海靜安寺店", "Shanghai Jing'an Temple"), 14),
    ("SH02", "上海", ("上海徐家汇店", "上海徐家匯店", "Shanghai Xujiahui"), 12),
    ("SH03", "上海", ("上海五角场店", "上海五角場店", "Shanghai Wujiaochang"), 8),
    ("SH04", "上海", ("上海世纪公园店", "上海世紀公園店", "Shanghai Century Park"), 7),
    ("HZ01", "杭州", ("杭州西湖银泰店", "杭州西湖銀泰店", "Hangzhou West Lake"), 9),
    ("HZ02", "杭州", ("杭州滨江店", "杭州濱江店", "Hangzhou Binjiang"), 6),
    ("SZ01", "苏州", ("苏州观前街店", "蘇州觀前街店", "Suzhou Guanqian Street"), 6),
    ("NJ01", "南京", ("南京新街口店", "南京新街口店", "Nanjing Xinjiekou"), 8),
    ("GZ01", "广州", ("广州天河城店", "廣州天河城店", "Guangzhou Teemall"), 9),
    ("SZX1", "深圳", ("深圳海岸城店", "深圳海岸城店", "Shenzhen Coastal City"), 8),
    ("BJ01", "北京", ("北京三里屯店", "北京三里屯店", "Beijing Sanlitun"), 7),
    ("CD01", "成都", ("成都太古里店", "成都太古里店", "Chengdu Taikoo Li"), 6),
]

CATEGORIES: list[tuple[str, Names, str]] = [
    ("coffee", ("咖啡", "咖啡", "Coffee"), "0.680"),
    ("tea", ("茶饮", "茶飲", "Tea"), "0.650"),
    ("bread", ("面包", "麵包", "Bread"), "0.550"),
    ("cake", ("蛋糕甜点", "蛋糕甜點", "Cakes"), "0.580"),
    ("retail", ("咖啡豆与周边", "咖啡豆與周邊", "Beans and goods"), "0.450"),
    ("service", ("服务", "服務", "Services"), "0.000"),
]


@dataclass(frozen=True, slots=True)
class Article:
    """Something on the menu. `weight` is how often it is chosen."""

    sku: str
    name: str
    category: str
    price: Decimal
    weight: int
    earns: bool = True


MENU = [
    Article("C-AME", "美式咖啡", "coffee", Decimal("22.00"), 16),
    Article("C-LAT", "拿铁", "coffee", Decimal("28.00"), 22),
    Article("C-OAT", "燕麦拿铁", "coffee", Decimal("33.00"), 12),
    Article("C-CAP", "卡布奇诺", "coffee", Decimal("29.00"), 7),
    Article("C-COL", "冷萃咖啡", "coffee", Decimal("32.00"), 8),
    Article("C-HND", "手冲单品", "coffee", Decimal("42.00"), 3),
    Article("T-JAS", "茉莉奶绿", "tea", Decimal("24.00"), 6),
    Article("T-OOL", "桂花乌龙拿铁", "tea", Decimal("27.00"), 5),
    Article("B-CRO", "可颂", "bread", Decimal("16.00"), 12),
    Article("B-BAG", "贝果", "bread", Decimal("18.00"), 7),
    Article("B-TOA", "北海道吐司", "bread", Decimal("26.00"), 6),
    Article("B-SAN", "火腿芝士三明治", "bread", Decimal("32.00"), 6),
    Article("K-CHE", "巴斯克芝士蛋糕", "cake", Decimal("36.00"), 5),
    Article("K-TIR", "提拉米苏", "cake", Decimal("38.00"), 3),
    Article("K-WHO", "生日蛋糕（6寸）", "cake", Decimal("218.00"), 1),
    Article("R-BEA", "意式拼配咖啡豆 500g", "retail", Decimal("98.00"), 2),
    Article("R-MUG", "麦田马克杯", "retail", Decimal("69.00"), 1),
]
DELIVERY = Article("S-DLV", "外卖配送费", "service", Decimal("6.00"), 0, earns=False)

# code, names, kind, money off, least spend, days, terms
TEMPLATES: list[tuple[str, Names, str, str | None, str, int, Names]] = [
    ("free-americano", ("美式咖啡兑换券", "美式咖啡兌換券", "Free Americano"), "exchange", None, "0", 60,
     ("凭券免费兑换美式咖啡一杯。", "憑券免費兌換美式咖啡一杯。", "One Americano, free.")),
    ("free-croissant", ("可颂兑换券", "可頌兌換券", "Free croissant"), "exchange", None, "0", 45,
     ("凭券免费兑换可颂一个。", "憑券免費兌換可頌一個。", "One croissant, free.")),
    ("off-10", ("满50减10元券", "滿50減10元券", "¥10 off ¥50"), "amount", "10.00", "50.00", 30,
     ("单笔消费满50元可用。", "單筆消費滿50元可用。", "For orders of ¥50 or more.")),
    ("off-50", ("满200减50元券", "滿200減50元券", "¥50 off ¥200"), "amount", "50.00", "200.00", 60,
     ("单笔消费满200元可用。", "單筆消費滿200元可用。", "For orders of ¥200 or more.")),
    ("mug", ("麦田马克杯兑换券", "麥田馬克杯兌換券", "Maitian mug"), "exchange", None, "0", 90,
     ("凭券到店领取麦田马克杯一个。", "憑券到店領取麥田馬克杯一個。", "One Maitian mug at any store.")),
]  # fmt: skip

# template, price in points, stock, limit per member
REWARDS: list[tuple[str, int, int | None, int | None]] = [
    ("off-10", 160, None, None),
    ("free-croissant", 220, None, None),
    ("free-americano", 280, None, None),
    ("off-50", 780, None, 6),
    ("mug", 1200, 0, 2),
]


def texts(field: str, names: Names) -> dict[str, str]:
    """Return the columns of a translated field."""
    hans, hant, english = names
    return {field: hans, f"{field}_zh_hans": hans, f"{field}_zh_hant": hant, f"{field}_en": english}


@dataclass(frozen=True, slots=True)
class Business:
    """What the generator needs to know of the business, by id."""

    stores: list[Store]
    store_weights: list[int]
    channels: dict[str, int]
    rewards: list[Reward]
    tz: ZoneInfo


def open_business(*, start: datetime, today: datetime, members: int) -> Business:
    """Make (or find) stores, menu, vouchers, rewards and promotions; rewards and promotions dated from `start`."""
    Programme.objects.filter(pk=1).update(**texts("name", PROGRAMME))
    LadderVersion.objects.filter(number=1).update(validity_months=VALID_MONTHS)
    brand, _ = Brand.objects.get_or_create(code="maitian", defaults=texts("name", BRAND))
    stores = [
        Store.objects.get_or_create(code=code, defaults={"city": city, "brand": brand, **texts("name", names)})[0]
        for code, city, names, _ in STORES
    ]
    categories = {
        code: Category.objects.get_or_create(code=code, defaults={"margin_rate": rate, **texts("name", names)})[0]
        for code, names, rate in CATEGORIES
    }
    for article in [*MENU, DELIVERY]:
        Product.objects.get_or_create(
            sku=article.sku,
            defaults={"name": article.name, "category": categories[article.category], "earns": article.earns},
        )
    rewards = _stock_shelf(start, members)
    _plan_promotions(start, today)
    return Business(
        stores=stores,
        store_weights=[weight for *_, weight in STORES],
        channels=dict(Channel.objects.values_list("code", "id")),
        rewards=rewards,
        tz=Programme.objects.get(pk=1).tz,
    )


def _stock_shelf(start: datetime, members: int) -> list[Reward]:
    templates = {}
    for code, names, kind, off, least, days, terms in TEMPLATES:
        terms_of: dict[str, object] = {
            "kind": kind, "off_amount": off, "min_spend_amount": least, "validity_days": days,
            **texts("name", names), **texts("terms", terms),
        }  # fmt: skip
        templates[code] = (VoucherTemplate.objects.get_or_create(code=code, defaults=terms_of)[0], names, terms)
    write_templates()
    rewards = []
    for order, (code, price, stock, limit) in enumerate(REWARDS):
        template, names, terms = templates[code]
        defaults: dict[str, object] = {
            "price_points": price, "stock": None if stock is None else max(20, members // 40), "per_member_limit": limit,
            "valid_from": start, "sort_order": order * 10, **texts("name", names), **texts("description", terms),
        }  # fmt: skip
        rewards.append(Reward.objects.get_or_create(template=template, defaults=defaults)[0])
    return rewards


def _plan_promotions(start: datetime, today: datetime) -> None:
    """A member day in each half year, double points at weekends now, and a draft for next month."""
    gold = Tier.objects.order_by("rank")[2]
    plans = [
        (("开业季双倍积分", "開業季雙倍積分", "Opening season: double points"), "live", start, start + timedelta(days=45), [], None, "0"),
        (("年中会员日三倍积分", "年中會員日三倍積分", "Mid-year member day: triple points"), "live",
         today - timedelta(days=160), today - timedelta(days=158), [], None, "30"),
        (("周末双倍积分", "週末雙倍積分", "Double points at weekends"), "live",
         today - timedelta(days=30), today + timedelta(days=30), [5, 6], None, "30"),
        (("金卡早安双倍", "金卡早安雙倍", "Gold mornings"), "live", today - timedelta(days=10), today + timedelta(days=50), [0, 1, 2, 3, 4], gold, "0"),
        (("新年双倍积分", "新年雙倍積分", "New year: double points"), "draft",
         today + timedelta(days=35), today + timedelta(days=42), [], None, "0"),
    ]  # fmt: skip
    for names, state, starts_at, ends_at, weekdays, tier, least in plans:
        Promotion.objects.get_or_create(
            name_en=names[2],
            defaults={
                **texts("name", names), "state": state, "factor": 3 if "三" in names[0] else 2, "starts_at": starts_at,
                "ends_at": ends_at, "weekdays": weekdays, "min_tier": tier, "min_spend_amount": least,
            },
        )  # fmt: skip
