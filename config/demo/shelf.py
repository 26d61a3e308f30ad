"""Rewards of every kind on the demo's shelf since three weeks: with pictures, codes, sales, and a price that will rise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from config.demo.business import Names, texts
from config.demo.byhand import PROJECT
from config.demo.pictures import picture
from config.demo.scenes import Scene, Scenes
from loyalty.models import Tier
from members import proposals
from rewards.models import CharityProject, FlashSale, Partner, Reward, RewardCategory
from rewards.queries import labels_of
from rewards.services.digital_codes import add_codes
from rewards.services.flash_sales import open_sale
from rewards.services.reward_images import save_reward_picture
from rewards.services.reward_prices import NewPrice, ask_price
from rewards.services.wishes import wish_for

BAG: Names = ("麦田帆布袋", "麥田帆布袋", "Maitian canvas bag")
KETTLE: Names = ("手冲细口壶", "手沖細口壺", "Pour-over kettle")
CLASS: Names = ("拉花体验课", "拉花體驗課", "Latte art class")
CUPPING: Names = ("产季杯测会", "產季杯測會", "Cupping of the new harvest")
VIDEO: Names = ("星河视频周卡", "星河視頻週卡", "Galaxy Video, one week")
BREAKFAST: Names = ("捐一份山区早餐", "捐一份山區早餐", "Give a breakfast in the mountains")
MILES: Names = ("云鹊航空50里程", "雲鵲航空50里程", "50 miles with Cloud Magpie")
PLACE: Names = ("上海静安寺店二楼", "上海靜安寺店二樓", "Shanghai Jing'an Temple, upstairs")
CODES: Final = 60

CATEGORIES: Final[dict[str, Names]] = {
    "menu": ("饮品与面包", "飲品與麵包", "Drinks and bread"),
    "goods": ("周边好物", "周邊好物", "Goods"),
    "events": ("到店体验", "到店體驗", "In our stores"),
    "beyond": ("公益与伙伴", "公益與夥伴", "Giving and partners"),
}
#: Pictures and categories of the rewards that give a voucher, by its template.
_OF_VOUCHERS: Final = {
    "off-10": "tag", "free-croissant": "croissant", "free-americano": "cup", "off-50": "tag", "mug": "cup",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Put:
    """A reward as it is put on the shelf: names, words, price, category, picture, and the rest."""

    names: Names
    words: Names
    price: int
    category: str
    picture: str
    more: Mapping[str, Any] = field(default_factory=dict)


Kind = Reward.Kind
_PUT: Final = (
    _Put(BAG, ("厚帆布，印麦穗。邮寄或到店自取。", "厚帆布，印麥穗。郵寄或到店自取。", "Heavy canvas with an ear of wheat. By post, or fetched in a store."),
         240, "goods", "bag", {"kind": Kind.GIFT, "by_post": True, "in_store": True, "stock": 60, "cost_amount": Decimal(18)}),
    _Put(KETTLE, ("600毫升，不锈钢。银卡及以上。", "600毫升，不鏽鋼。銀卡及以上。", "600 ml, stainless steel. From silver on."),
         680, "goods", "kettle", {"kind": Kind.GIFT, "by_post": True, "stock": 12, "cash_amount": Decimal(49), "cost_amount": Decimal(96),
                                  "prepare_days": 5, "per_member_limit": 1}),
    _Put(CLASS, ("一小时，咖啡师一对一。", "一小時，咖啡師一對一。", "An hour with a barista."),
         300, "events", "latte_art", {"kind": Kind.SERVICE, "in_store": True, "cost_amount": Decimal(35), "period_limit": 1, "period": "month"}),
    _Put(CUPPING, ("六支新豆，座位有限。", "六支新豆，座位有限。", "Six new coffees; few seats."),
         200, "events", "ticket", {"kind": Kind.TICKET, "in_store": True, "stock": 24, "cost_amount": Decimal(20),
                                   **texts("event_place", PLACE)}),
    _Put(VIDEO, ("兑换后在“我的兑换”查看激活码。", "兌換後在「我的兌換」查看激活碼。", "The code is shown with your redemption."),
         220, "beyond", "screen", {"kind": Kind.DIGITAL, "cost_amount": Decimal(5), "per_member_limit": 4}),
    _Put(BREAKFAST, ("每100积分，一份早餐。", "每100積分，一份早餐。", "One breakfast for 100 points."),
         100, "beyond", "heart", {"kind": Kind.DONATION}),
    _Put(MILES, ("三个工作日内到账。", "三個工作日內到賬。", "Credited within three working days."),
         500, "beyond", "plane", {"kind": Kind.PARTNER}),
)  # fmt: skip


def on_the_shelf(names: Names) -> Reward:
    """Return a reward of the demo by its names."""
    return Reward.objects.get(name_zh_hans=names[0])


class Shelf(Scenes):
    """What marketing does with the shelf."""

    def planned(self) -> list[Scene]:
        """Return the scenes of the last three weeks."""
        return [
            Scene(self._when(20, 9), self._put_up),
            Scene(self._when(12, 10), self._first_sale),
            Scene(self._when(8, 11), self._wishes),
            Scene(self._when(4, 10), self._dearer),
            Scene(self._when(1, 9), self._sales),
        ]

    def _put_up(self, at: datetime) -> None:
        categories = {
            code: RewardCategory.objects.get_or_create(
                code=code, defaults={**texts("name", names), "sort_order": 10 * order}
            )[0]
            for order, (code, names) in enumerate(CATEGORIES.items(), 1)
        }
        for place, put in enumerate(_PUT):
            reward = Reward.objects.create(
                **texts("name", put.names), **texts("description", put.words), **put.more, **self._named(put.names),
                price_points=put.price, category=categories[put.category], valid_from=at, sort_order=100 + 10 * place,
            )  # fmt: skip
            self._hang(reward, put.picture, at)
            if reward.kind == Kind.DIGITAL:
                codes = [f"XH7-{self.random.randrange(16**10):010X}" for _number in range(CODES)]
                add_codes(
                    reward_id=reward.pk, codes=codes, expires_at=at + timedelta(days=365), by=self.staff["marketing"], at=at
                )  # fmt: skip
        for reward in Reward.objects.filter(template__code__in=_OF_VOUCHERS).select_related("template"):
            Reward.objects.filter(pk=reward.pk).update(category=categories["menu"])
            self._hang(reward, _OF_VOUCHERS[reward.template.code if reward.template else ""], at)

    def _named(self, names: Names) -> dict[str, Any]:
        """Return what some kinds name besides: project, partner, event, tier."""
        found: dict[Names, dict[str, Any]] = {
            CUPPING: {"event_at": self.now + timedelta(days=18)},
            KETTLE: {"least_tier": Tier.objects.filter(code="silver").first()},
            BREAKFAST: {"project": CharityProject.objects.filter(name_en=PROJECT[2]).first()},
            MILES: {"partner": Partner.objects.filter(code="cloud-magpie").first()},
        }
        return found.get(names, {})

    def _hang(self, reward: Reward, name: str, at: datetime) -> None:
        alt = {tag.replace("-", "_"): text for tag, text in labels_of(reward, "name").items()}
        save_reward_picture(reward_id=reward.pk, content=picture(name), alt=alt, at=at)

    def _first_sale(self, at: datetime) -> None:
        self._sale(BAG, 180, at, at + timedelta(days=2), stock=8, per_member_limit=1)

    def _sales(self, at: datetime) -> None:
        self._sale(BAG, 160, at, at + timedelta(days=4), stock=15, per_member_limit=1)
        begins = self.now + timedelta(days=3)
        self._sale(VIDEO, 150, begins, begins + timedelta(days=1), per_member_limit=1)

    def _sale(self, names: Names, price: int, starts_at: datetime, ends_at: datetime, **more: int) -> None:
        open_sale(
            sale=FlashSale(reward=on_the_shelf(names), price_points=price, starts_at=starts_at, ends_at=ends_at, **more)
        )  # fmt: skip

    def _dearer(self, at: datetime) -> None:
        """The class becomes dearer in a month; a colleague approves, and who had saved enough keeps the old price for a while."""
        wanted = NewPrice(on_the_shelf(CLASS).pk, 360, notice_days=30, honour_days=30)
        asked = ask_price(wanted=wanted, reason="咖啡师课时费上调", by=self.staff["marketing"], at=at)
        if asked.proposal is not None:
            proposals.approve(
                proposal_id=asked.proposal.proposal_id, by=self.staff["admin"], at=at + timedelta(hours=3), reason="同意，提前30天公告"
            )  # fmt: skip

    def _wishes(self, at: datetime) -> None:
        for place, member in enumerate(self._buyers(at, 14)):
            wanted = (KETTLE, BAG, CLASS) if place % 3 == 0 else (KETTLE,)
            for names in wanted:
                wish_for(member_id=member.pk, reward=on_the_shelf(names), at=at + timedelta(minutes=9 * place))
