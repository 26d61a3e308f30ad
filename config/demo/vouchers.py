"""Voucher templates of every kind for the demo: what each gives, when and where it may be used, beside which others."""

from decimal import Decimal
from typing import Any

from members.models import Channel
from rewards.models import Category, VoucherTemplate

Names = tuple[str, str, str]

# code, names, what it gives and when
TEMPLATES: list[tuple[str, Names, dict[str, Any]]] = [
    ("afternoon-20", ("下午茶8折券", "下午茶8折券", "20 % off in the afternoon"),
     {"kind": "percent", "off_percent": "20", "cap_amount": "20", "hour_from": 14, "hour_to": 18, "validity_days": 14,
      "most_used_per_day": 1}),
    ("every-100", ("每满100减15券", "每滿100減15券", "¥15 off for each ¥100"),
     {"kind": "threshold", "off_amount": "15", "min_spend_amount": "100", "most_times": 3, "validity_days": 30,
      "stacking": "class", "stacking_class": "orders"}),
    ("coffee-5", ("咖啡立减5元券", "咖啡立減5元券", "¥5 off coffee"),
     {"kind": "amount", "off_amount": "5", "stacking": "free", "most_used_per_day": 2, "is_giftable": True, "validity_days": 30}),
    ("free-delivery", ("免配送费券", "免配送費券", "Free delivery"),
     {"kind": "shipping", "cost_amount": "6", "stacking": "free", "validity_days": 30}),
    ("double-weekend", ("周末双倍积分券", "週末雙倍積分券", "Double points at the weekend"),
     {"kind": "multiplier", "multiplier": "2", "weekdays": [5, 6], "stacking": "free", "validity_days": 30}),
]  # fmt: skip


def write_templates() -> list[VoucherTemplate]:
    """Make (or find) the templates; those for coffee and for deliveries name their goods and channel."""
    coffee = Category.objects.filter(code="coffee").values_list("pk", flat=True)
    delivery = Channel.objects.filter(code="delivery").values_list("pk", flat=True)
    places = {"coffee-5": {"category_ids": list(coffee)}, "free-delivery": {"channel_ids": list(delivery)}}
    found = []
    for code, (hans, hant, english), terms in TEMPLATES:
        values = {
            name: Decimal(value) if name.endswith(("amount", "percent", "multiplier")) else value
            for name, value in terms.items()
        }
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        found.append(
            VoucherTemplate.objects.get_or_create(code=code, defaults={**values, **names, **places.get(code, {})})[0]
        )
    return found
