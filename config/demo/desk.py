"""What happened to members at the demo's desks and in its app in the last weeks: cards, details, tags, segments, noes.

What changes a member's status stands in config/demo/cases.py: it is played when the trade is over.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils.translation import override

from config.demo.business import MENU
from config.demo.details import ALLERGENS, open_details, told_by
from config.demo.scenes import Scene, Scenes
from members.actors import Actor
from members.jobs import InputFile
from members.models import (
    Card,
    ConsentEntry,
    ConsentState,
    ContactChannel,
    HouseholdMember,
    Identity,
    Purpose,
    Store,
    Tag,
)
from members.segment_templates import templates
from members.services.behaviours import NewBehaviour, record_behaviours
from members.services.cards import bind_card, make_batch, replace_card, report_lost, take_card_back
from members.services.consents import stop_contact, withdraw_consent
from members.services.households import join_household
from members.services.identities import link_identity
from members.services.personal_data import show_person
from members.services.preferences import set_preferences
from members.services.profile import ProfileChange, change_profile
from members.services.segments import make_list, make_segment, publish_segment
from members.services.tags import add_tag, make_tag

#: How many members take part in each sort of scene.
CARDS, TELLERS, LOOKERS, STOPPED, FEWER_MESSAGES = 60, 70, 90, 9, 24
LOST, REPLACED, GIVEN_BACK = 5, 3, 2
SEARCHES = ["latte", "oat-milk", "birthday-cake", "beans", "voucher", "croissant"]

_ACTIVE: dict[str, Any] = {"fact": "members.status", "op": "in", "value": ["active"]}
EASTERN_REGULARS: dict[str, Any] = {
    "all": [
        _ACTIVE,
        {"fact": "members.in_region?region=east", "op": "is", "value": True},
        {
            "any": [
                {"fact": "rewards.orders?days=30", "op": "gte", "value": 4},
                {"fact": "rewards.spend?days=30", "op": "gte", "value": 300},
            ]
        },
    ]
}
OAT_DRINKERS: dict[str, Any] = {
    "all": [_ACTIVE, {"fact": "members.detail_answer?answer=milk-oat", "op": "is", "value": True}]
}
SIX_VISITS: dict[str, Any] = {"all": [_ACTIVE, {"fact": "rewards.orders?days=30", "op": "gte", "value": 6}]}


class MembersByHand(Scenes):
    """Scenes after which members go on as before."""

    def planned(self) -> list[Scene]:
        """Return what is set up first, and what follows in the last weeks."""
        return [
            Scene(self._when(32, 9), self._open),
            *(Scene(self._when(days, 14, 40), self._cards) for days in (31, 24, 17, 10, 3)),
            *(Scene(self._when(days, 20, 5), self._tell) for days in (28, 21, 14, 7, 2)),
            *(Scene(self._when(days, 19, 30), self._say_no) for days in (25, 13, 4)),
            *(Scene(self._when(days, 21, 15), self._look_around) for days in (12, 6, 1)),
            Scene(self._when(22, 10), self._segments),
            Scene(self._when(19, 15), self._tag_by_hand),
            Scene(self._when(16, 11), self._households),
            Scene(self._when(9, 16), self._losses),
            Scene(self._when(5, 10), self._fixed_list),
            *(Scene(self._when(days, hour), partial(self._look, reason=reason)) for days, hour, reason in
              ((11, 10, "call"), (8, 15, "order"), (5, 11, "complaint"), (2, 9, "call"), (1, 14, "correction"))),
        ]  # fmt: skip

    # --- Cards, details, preferences --------------------------------------------------------------------------------
    def _open(self, at: datetime) -> None:
        open_details()
        for name, prefix, quantity, store in (
            ("麦穗实体卡 第一批", "62880", 2_000, None),
            ("静安寺店周年纪念卡", "62881", 300, "SH01"),
        ):
            place = Store.objects.filter(code=store).first() if store else None
            make_batch(
                name=name, prefix=prefix, quantity=quantity, store_id=place.pk if place else None, by=self.staff["admin"], at=at
            )  # fmt: skip

    def _cards(self, at: datetime) -> None:
        stock = Card.objects.filter(state=Card.State.IN_STOCK).order_by("pk").values_list("number", flat=True)
        wanting = [one for one in self._buyers(at, CARDS // 5) if not one.cards.exists()]
        for number, member in zip(stock[: len(wanting)], wanting, strict=False):
            bind_card(member_id=member.pk, number=number, by=self.staff["store"], at=at)

    def _losses(self, at: datetime) -> None:
        in_use = Card.objects.filter(state=Card.State.IN_USE).order_by("pk")
        ended = list(in_use.values_list("member__pk", "number")[: LOST + REPLACED + GIVEN_BACK])
        stock = iter(
            Card.objects.filter(state=Card.State.IN_STOCK).order_by("pk").values_list("number", flat=True)[:10]
        )
        by = self.staff["service"]
        for place, (member_id, number) in enumerate(ended):
            if place < LOST:
                report_lost(member_id=member_id, number=number, reason="会员来电挂失", by=by, at=at)
                if place < 2:
                    replace_card(
                        member_id=member_id, old_number=number, new_number=next(stock), reason="挂失后补卡", by=by,
                        at=at + timedelta(minutes=20),
                    )  # fmt: skip
            elif place < LOST + REPLACED:
                replace_card(
                    member_id=member_id,
                    old_number=number,
                    new_number=next(stock),
                    reason="卡面磨损，读不出条码",
                    by=by,
                    at=at,
                )
            else:
                take_card_back(member_id=member_id, number=number, reason="改用电子会员码", by=by, at=at)

    def _tell(self, at: datetime) -> None:
        """Members tell of themselves in the app; some say how they like to be written to; WeChat is linked."""
        year = at.astimezone(self.tz).year
        for place, member in enumerate(self._buyers(at, TELLERS // 5)):
            by = Actor("member", member.pk)
            change = ProfileChange(details=told_by(self.random, year), agreed=(ALLERGENS,))
            change_profile(member_id=member.pk, change=change, by=by, at=at + timedelta(minutes=place))
            if place % 3 == 0:
                set_preferences(
                    member_id=member.pk, channels=[ContactChannel.WECHAT, ContactChannel.SMS], language=member.language, by=by,
                    quiet_from=datetime.min.time().replace(hour=22), quiet_to=datetime.min.time().replace(hour=8), at=at,
                )  # fmt: skip
            if not member.identities.exists():
                link_identity(
                    member_id=member.pk, kind=Identity.Kind.WECHAT_OPENID, issuer="麦田小程序", by=by, at=at,
                    value=f"oMT5{self.random.randrange(16**24):024x}",
                )  # fmt: skip

    # --- Consents ---------------------------------------------------------------------------------------------------
    def _say_no(self, at: datetime) -> None:
        """Some want fewer messages, few want none at all."""
        agreed = ConsentState.objects.filter(purpose=Purpose.MARKETING, channel=ContactChannel.SMS, is_given=True)
        ids = list(agreed.filter(since_at__lt=at).order_by("member_id").values_list("member_id", flat=True))
        chosen = self.random.sample(ids, min(len(ids), (FEWER_MESSAGES + STOPPED) // 3))
        for place, member_id in enumerate(chosen):
            if place < STOPPED // 3:
                stop_contact(member_id=member_id, way=ConsentEntry.Way.CALL, by=self.staff["service"], at=at)
            else:
                withdraw_consent(
                    member_id=member_id, purpose=Purpose.MARKETING, channels=[ContactChannel.SMS], way=ConsentEntry.Way.MESSAGE,
                    by=Actor("member", member_id), at=at,
                )  # fmt: skip

    def _look_around(self, at: datetime) -> None:
        """Views and searches of the evening, by those who agreed that they are recorded."""
        agreed = ConsentState.objects.filter(purpose=Purpose.BEHAVIOUR, is_given=True, since_at__lt=at)
        ids = list(agreed.order_by("-member_id").values_list("member_id", flat=True)[:600])
        subjects = [article.sku for article in MENU]
        for member_id in self.random.sample(ids, min(len(ids), LOOKERS // 3)):
            behaviours = []
            for number in range(self.random.randint(2, 7)):
                moment = at + timedelta(seconds=40 * number)
                kind = self.random.choices(["view", "search"], [4, 1])[0]
                behaviours.append(
                    NewBehaviour(
                        f"ev-{moment:%m%d%H%M%S}-{number}", kind, moment,
                        subject=self.random.choice(SEARCHES if kind == "search" else subjects),
                    )
                )  # fmt: skip
            last = behaviours[-1].happened_at
            record_behaviours(member_id=member_id, behaviours=behaviours, by=Actor("member", member_id), at=last)

    def _look(self, at: datetime, reason: str) -> None:
        for member in self._buyers(at, 2):
            show_person(member_id=member.pk, by=self.staff["service"], at=at, reason=reason, fields=("phone",))

    # --- Segments and tags ------------------------------------------------------------------------------------------
    def _segments(self, at: datetime) -> None:
        """All templates are put to use, two segments and an automatic tag of the business' own follow, one waits as a draft."""
        by = self.staff["marketing"]
        wanted: list[tuple[str, str, dict[str, Any]]] = []
        with override("zh-hans"):
            wanted += [(str(one.name), str(one.purpose), one.condition) for one in templates()]
        wanted += [
            ("华东常客", "新店开业邀请优先名单", EASTERN_REGULARS),
            ("燕麦奶爱好者", "燕麦新品首发通知", OAT_DRINKERS),
        ]
        for name, note, condition in wanted:
            segment = make_segment(name=name, note=note, condition=condition, by=by, at=at)
            publish_segment(segment_id=segment.pk, by=by, at=at)
        make_tag(
            code="six_visits", name="月来六次", note="近30天有6笔以上订单，自动打上和取下", colour=Tag.Colour.GREEN, condition=SIX_VISITS,
            by=by, at=at,
        )  # fmt: skip
        self._work_off(at)
        make_segment(
            name="周末甜点客（草稿）", note="还在讨论门槛", by=by, at=at,
            condition={"all": [_ACTIVE, {"fact": "rewards.orders?days=60", "op": "between", "value": ["2", "6"]}]},
        )  # fmt: skip

    def _tag_by_hand(self, at: datetime) -> None:
        by = self.staff["marketing"]
        for code, name, note, colour, days, count in (
            ("media", "媒体与达人", "新品送测名单", Tag.Colour.GREY, None, 8),
            ("follow_up", "投诉跟进", "客服回访后取下，30天自动失效", Tag.Colour.ORANGE, 30, 5),
            ("birthday_gift", "生日礼已预约", "门店备蛋糕", Tag.Colour.GREY, 60, 6),
        ):
            tag = make_tag(code=code, name=name, note=note, colour=colour, keep_days=days, by=by, at=at)
            ids = [member.pk for member in self._buyers(at, count)]
            add_tag(member_ids=ids, tag_id=tag.pk, by=by, at=at, reason=note)

    def _fixed_list(self, at: datetime) -> None:
        numbers = [member.member_no for member in self._buyers(at, 40)]
        file = InputFile("开业邀请名单.csv", "\n".join(numbers).encode())
        if numbers:
            make_list(name="滨江店周年邀请", note="店长提供的纸质名单", file=file, by=self.staff["marketing"], at=at)
        self._work_off(at)

    def _households(self, at: datetime) -> None:
        members = self._buyers(at, 7)
        roles = HouseholdMember.Role
        for head, others in (
            (0, ((1, roles.ADULT), (2, roles.CHILD))),
            (3, ((4, roles.ADULT),)),
            (5, ((6, roles.ADULT),)),
        ):
            for other, role in others:
                if other < len(members):
                    join_household(
                        member_id=members[head].pk, newcomer_id=members[other].pk, role=role, both_agreed=True,
                        by=self.staff["service"], at=at,
                    )  # fmt: skip
