"""What the demo's staff want to know of members: details with a purpose, one of them sensitive; and what members told."""

from random import Random
from typing import Any

from config.demo.business import Names, texts
from members.models import AttributeChoice, MemberAttribute

Kind = MemberAttribute.Kind
ALLERGENS = "allergens"

# code, kind, names, purpose, answers (code, names), other columns
DETAILS: list[tuple[str, Kind, Names, Names, list[tuple[str, Names]], dict[str, Any]]] = [
    ("taste", Kind.CHOICE, ("口味偏好", "口味偏好", "Taste"),
     ("推荐适合的咖啡和新品", "推薦適合的咖啡和新品", "To suggest coffees and news that fit"),
     [("light", ("清爽果酸", "清爽果酸", "Light and fruity")), ("balanced", ("均衡顺口", "均衡順口", "Balanced")),
      ("dark", ("浓郁醇厚", "濃郁醇厚", "Dark and rich"))], {"counts": True}),
    ("milk", Kind.CHOICES, ("常选的奶", "常選的奶", "Milk of choice"),
     ("备货和推荐搭配", "備貨和推薦搭配", "To stock and to suggest what goes with it"),
     [("whole", ("全脂牛奶", "全脂牛奶", "Whole milk")), ("skimmed", ("脱脂牛奶", "脫脂牛奶", "Skimmed milk")),
      ("oat", ("燕麦奶", "燕麥奶", "Oat milk")), ("coconut", ("椰奶", "椰奶", "Coconut milk"))], {}),
    ("cups_a_week", Kind.NUMBER, ("每周几杯", "每週幾杯", "Cups a week"),
     ("安排适合的优惠节奏", "安排適合的優惠節奏", "To offer as often as it fits"), [],
     {"unit": "杯", "unit_zh_hans": "杯", "unit_zh_hant": "杯", "unit_en": "cups"}),
    ("anniversary", Kind.DATE, ("纪念日", "紀念日", "Anniversary"),
     ("当天送一份小蛋糕", "當天送一份小蛋糕", "A small cake on the day"), [], {}),
    ("brews_at_home", Kind.YES_NO, ("在家手冲", "在家手沖", "Brews at home"),
     ("推荐咖啡豆和手冲课", "推薦咖啡豆和手沖課", "To suggest beans and courses"), [], {}),
    (ALLERGENS, Kind.CHOICES, ("过敏原", "過敏原", "Allergens"),
     ("制作时避开，不用于营销", "製作時避開，不用於行銷", "To leave them out of what is made; never for offers"),
     [("peanut", ("花生", "花生", "Peanuts")), ("nuts", ("坚果", "堅果", "Nuts")), ("dairy", ("乳制品", "乳製品", "Dairy")),
      ("gluten", ("麸质", "麩質", "Gluten"))], {"sensitivity": MemberAttribute.Sensitivity.SENSITIVE}),
]  # fmt: skip


def open_details() -> None:
    """Make the details and their answers."""
    for order, (code, kind, names, purpose, answers, more) in enumerate(DETAILS, 1):
        detail, _ = MemberAttribute.objects.get_or_create(
            code=code,
            defaults={"kind": kind, "order": order, **texts("name", names), **texts("purpose", purpose), **more},
        )
        for place, (answer, words) in enumerate(answers, 1):
            AttributeChoice.objects.get_or_create(
                attribute=detail, code=answer, defaults={"order": place, **texts("name", words)}
            )


def told_by(random: Random, year: int) -> dict[str, Any]:
    """Return what one member tells: some details, few of them sensitive ones."""
    told: dict[str, Any] = {
        "taste": random.choice(["light", "balanced", "dark"]),
        "milk": random.sample(["whole", "skimmed", "oat", "coconut"], random.choice([1, 1, 2])),
        "cups_a_week": random.choice([1, 2, 3, 3, 5, 7, 10, 14]),
        "brews_at_home": random.random() < 0.3,
        "anniversary": f"{year - random.randint(1, 15)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
        ALLERGENS: random.sample(["peanut", "nuts", "dairy", "gluten"], random.choice([1, 1, 2])),
    }
    kept = random.sample(["taste", "milk", "cups_a_week", "brews_at_home", "anniversary"], random.randint(2, 4))
    if random.random() < 0.12:
        kept.append(ALLERGENS)
    return {code: told[code] for code in kept}
