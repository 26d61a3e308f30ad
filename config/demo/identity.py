"""The demo's badges, its stages of a member's life and their tasks, with what some members earned."""

from datetime import datetime
from functools import partial
from typing import Any

from config.demo.business import Names, texts
from config.demo.scenes import Scene, Scenes
from loyalty.models import Badge, Stage, StageTask
from loyalty.services.badges import award_by_hand, choose_title, save_badge
from loyalty.services.stages import save_stage, save_task

#: The scenes happen so many days ago.
DAYS = 21
YEAR = 365


def _orders(least: int, days: int = YEAR) -> dict[str, Any]:
    return {"all": [{"fact": f"rewards.orders?days={days}", "op": "gte", "value": least}]}


def _behaviours(kind: str, least: int, days: int) -> dict[str, Any]:
    return {"all": [{"fact": f"members.activities?kind={kind}&days={days}", "op": "gte", "value": least}]}


FIRST_ORDER: Names = ("首单", "首單", "First order")
TEN_ORDERS: Names = ("满十单", "滿十單", "Ten orders")
ANNIVERSARY: Names = ("周年", "週年", "Anniversary")
CRITIC: Names = ("品评家", "品評家", "Critic")
FRIEND: Names = ("老朋友", "老朋友", "Old friend")
# name, what members read, title, sign, colour, condition, whether it can be lost
BADGES: list[tuple[Names, Names, Names, Badge.Icon, str, dict[str, Any] | None, bool]] = [
    (
        FIRST_ORDER, ("第一杯，欢迎你。", "第一杯，歡迎你。", "Your first cup. Welcome."), ("", "", ""), Badge.Icon.CUP, "#8d6e63",
        _orders(1, 1_098), False,
    ),
    (
        TEN_ORDERS, ("一年里十笔订单。", "一年裡十筆訂單。", "Ten orders within a year."), ("常客", "常客", "Regular"),
        Badge.Icon.STAR, "#c9a227", _orders(10), False,
    ),
    (
        ANNIVERSARY, ("相伴满一年。", "相伴滿一年。", "A year together."), ("周年好友", "週年好友", "Friend of a year"),
        Badge.Icon.CAKE, "#b0526d", {"all": [{"fact": "members.joined_days", "op": "gte", "value": YEAR}]}, False,
    ),
    (
        CRITIC, ("近90天写过两次评价。", "近90天寫過兩次評價。", "Two reviews within 90 days."), ("品评家", "品評家", "Critic"),
        Badge.Icon.PEN, "#2f6f8f", _behaviours("review", 2, 90), True,
    ),
    (FRIEND, ("门店同事推荐。", "門市同事推薦。", "Named by our people."), ("老朋友", "老朋友", "Old friend"), Badge.Icon.HEART, "#b3261e", None, False),
]  # fmt: skip
# place, name, what members read, colour, condition
STAGES: list[tuple[int, Names, Names, str, dict[str, Any] | None]] = [
    (10, ("新会员", "新會員", "New"), ("从第一杯开始。", "從第一杯開始。", "It begins with the first cup."), "#6b8e5a", None),
    (20, ("成长", "成長", "Growing"), ("近90天两单起。", "近90天兩單起。", "From two orders in 90 days."), "#2f6f8f", _orders(2, 90)),
    (30, ("核心", "核心", "Core"), ("近90天十单起。", "近90天十單起。", "From ten orders in 90 days."), "#c9a227", _orders(10, 90)),
    (
        90, ("沉睡", "沉睡", "Sleeping"), ("很久没见，欢迎回来。", "很久沒見，歡迎回來。", "Long not seen. Come back."), "#8a8f98",
        {"all": [{"fact": "members.joined_days", "op": "gte", "value": 120}, {"fact": "rewards.orders?days=120", "op": "lte", "value": 0}]},
    ),
]  # fmt: skip
# place of the stage, name, what members read, condition, badge it unlocks
TASKS: list[tuple[int, Names, Names, dict[str, Any], Names | None]] = [
    (10, ("下第一单", "下第一單", "Place the first order"), ("任选一杯。", "任選一杯。", "Whichever you like."), _orders(1, YEAR), None),
    (20, ("写一次评价", "寫一次評價", "Write a review"), ("说说你喜欢什么。", "說說你喜歡什麼。", "Tell us what you like."), _behaviours("review", 1, YEAR), None),
    (20, ("30天签到5次", "30天簽到5次", "Check in five times"), ("在小程序里签到。", "在小程式裡簽到。", "In the mini-program."), _behaviours("check_in", 5, 30), CRITIC),
    (30, ("一年三十单", "一年三十單", "Thirty orders in a year"), ("核心会员的里程碑。", "核心會員的里程碑。", "A milestone."), _orders(30), FRIEND),
    (90, ("回来喝一杯", "回來喝一杯", "Come back for a cup"), ("我们留着你的位子。", "我們留著你的位子。", "Your seat is kept."), _orders(1, 7), None),
]  # fmt: skip


class Identity(Scenes):
    """The scenes in which marketing sets up badges and stages, and people at the desk give some by hand."""

    def planned(self) -> list[Scene]:
        """Return the scenes of the last weeks."""
        return [
            Scene(self._when(DAYS, 9), self._badges),
            Scene(self._when(DAYS, 10), self._stages),
            Scene(self._when(9, 15), partial(self._by_hand, reason="常年帮邻居带单，门店推荐", count=3)),
            Scene(self._when(4, 11), partial(self._by_hand, reason="拉花课志愿助教", count=2)),
            Scene(self._when(1, 20), self._titles),
        ]

    def _badges(self, at: datetime) -> None:
        for name, text, title, icon, colour, condition, is_losable in BADGES:
            badge = Badge(
                icon=icon, colour=colour, is_losable=is_losable, **texts("name", name), **texts("text", text), **texts("title", title)
            )  # fmt: skip
            save_badge(badge=badge, condition=condition, by=self.staff["marketing"], at=at)
        self._work_off(at)

    def _stages(self, at: datetime) -> None:
        by = self.staff["marketing"]
        for place, name, text, colour, condition in STAGES:
            stage = Stage(position=place, colour=colour, **texts("name", name), **texts("text", text))
            save_stage(stage=stage, condition=condition, by=by, at=at)
        self._work_off(at)
        for order, (place, name, text, condition, unlocks) in enumerate(TASKS):
            task = StageTask(
                stage=Stage.objects.get(position=place), order=order, **texts("name", name), **texts("text", text),
                badge=Badge.objects.get(name_en=unlocks[2]) if unlocks else None,
            )  # fmt: skip
            save_task(task=task, condition=condition, by=by, at=at)
        self._work_off(at)

    def _by_hand(self, at: datetime, reason: str, count: int) -> None:
        badge = Badge.objects.get(name_en=FRIEND[2])
        for member in self._buyers(at, count):
            if not badge.awards.filter(member=member).exists():
                award_by_hand(member_id=member.pk, badge_id=badge.pk, reason=reason, by=self.staff["service"], at=at)

    def _titles(self, at: datetime) -> None:
        """Some choose an older title than their newest."""
        badge = Badge.objects.get(name_en=TEN_ORDERS[2])
        holders = badge.awards.filter(member__merged_into=None).order_by("pk").values_list("member_id", flat=True)
        for member_id in list(holders[:3]):
            choose_title(member_id=member_id, badge_code=badge.code, at=at)
