"""What the demo's members order from the shelf, and how far it is: late, packed, on its way, fetched, cancelled, given back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from config.demo.business import Names
from config.demo.scenes import Scene, Scenes
from config.demo.shelf import BAG, BREAKFAST, CLASS, CUPPING, KETTLE, MILES, VIDEO, on_the_shelf
from members.actors import Actor
from members.models import Member, Store
from members.refusals import Refusal
from rewards.models import Redemption, RedemptionState
from rewards.services.addresses import checked_address
from rewards.services.fulfilment import cancel_redemption, complete_pickup, move_redemption, refund_out_of_stock
from rewards.services.redemptions import Wanted, pickup_code, redeem_reward

_STREETS: Final = (
    "上海市静安区愚园路 218 弄 6 号 402 室", "上海市徐汇区天平路 77 号", "杭州市西湖区文二路 391 号 3 幢 1102", "苏州市姑苏区平江路 15 号",
    "南京市鼓楼区上海路 88 号 5 楼", "广州市天河区体育东路 31 号", "深圳市南山区海德二道 9 栋 B 座", "成都市锦江区东大街 100 号",
)  # fmt: skip
_CARRIERS: Final = (("顺丰速运", "SF1"), ("中通快递", "ZT7"))
State = RedemptionState


class Parcels(Scenes):
    """Orders of the shelf, in the last weeks."""

    damaged: Sequence[Redemption] = ()

    def planned(self) -> list[Scene]:
        """Return the orders by post and in stores, what needs no handing over, and what went wrong."""
        post = (
            (17, 3, (0, 1, 4)),
            (11, 2, (0, 1, 3)),
            (9, 2, (0, 2)),
            (6, 3, (0, 2)),
            (5, 2, (1, 3)),
            (2, 3, (1,)),
            (1, 2, ()),
            (0, 3, ()),
        )
        store = ((15, 2, (1, 3)), (5, 3, (1,)), (1, 2, ()))
        given = ((14, CLASS, 2), (6, CLASS, 2), (7, CUPPING, 4), (3, CUPPING, 2), (13, VIDEO, 5), (5, VIDEO, 4), (1, VIDEO, 3),
                 (11, BREAKFAST, 3), (2, BREAKFAST, 3), (9, MILES, 2))  # fmt: skip
        return [
            *(Scene(self._when(days, 7, 40), partial(self._by_post, count=count, steps=steps)) for days, count, steps in post),
            *(Scene(self._when(days, 8, 10), partial(self._in_store, count=count, steps=steps)) for days, count, steps in store),
            *(Scene(self._when(days, 7, 55), partial(self._given, names=names, count=count)) for days, names, count in given),
            Scene(self._when(8, 8), self._kettles),
            Scene(self._when(4, 8, 30), self._changes_of_mind),
            Scene(self._when(3, 9, 20), self._damaged),
            Scene(self._when(2, 11, 20), self._out_of_stock),
        ]  # fmt: skip

    def _order(self, member: Member, names: Names, at: datetime, wanted: Wanted | None = None) -> Redemption | None:
        """Let a member order a reward; None where it is refused, as in life."""
        reward = on_the_shelf(names)
        try:
            return redeem_reward(
                member_id=member.pk, reward_id=reward.pk, request_id=f"demo-shelf-{reward.pk}-{member.pk}-{at:%m%d%H%M}",
                by=Actor("member", member.pk), at=at, wanted=wanted,
            ).redemption  # fmt: skip
        except Refusal:
            return None

    def _orders(self, names: Names, count: int, at: datetime, wanted: Wanted | None = None) -> list[Redemption]:
        """Let some who have the points order a reward, some minutes apart."""
        found = []
        for place, member in enumerate(self._buyers(at, count, points=on_the_shelf(names).price_points)):
            order = self._order(
                member, names, at + timedelta(minutes=11 * place), wanted or self._by_parcel(names, member)
            )
            if order is not None:
                found.append(order)
        return found

    def _by_parcel(self, names: Names, member: Member) -> Wanted | None:
        if names not in (BAG, KETTLE):
            return None
        person = getattr(member, "person", None)
        place = self.random.randrange(len(_STREETS))
        phone = person.phone if person and person.phone else "+8613800138000"
        name = (person.full_name if person else "") or "麦田会员"
        return Wanted("post", address=checked_address(name=name, phone=phone, lines=[_STREETS[place]]))

    # --- By post ----------------------------------------------------------------------------------------------------
    def _by_post(self, at: datetime, count: int, steps: Sequence[int]) -> None:
        """Bags by post. `steps`: after how many days they are packed, sent and there, as far as that is; one stays behind."""
        orders = self._orders(BAG, count, at)
        moves = (State.PREPARING, State.SHIPPED, State.DONE)
        for place, order in enumerate(orders):
            if place == 2 and len(steps) < len(moves):
                continue  # it waits, and is late after three days
            self._move(order, list(zip(moves, steps, strict=False)), at)

    def _move(self, order: Redemption, moves: Sequence[tuple[RedemptionState, int]], at: datetime) -> None:
        carrier, prefix = _CARRIERS[order.pk % 2]
        for state, days in moves:
            parcel = {"carrier": carrier, "tracking_no": f"{prefix}{7_000_000_000 + order.pk * 7919:012}"}
            move_redemption(
                redemption_id=order.pk, to_state=state, by=self.staff["marketing"], at=at + timedelta(days=days, hours=6),
                **(parcel if state == State.SHIPPED else {}),
            )  # fmt: skip

    def _kettles(self, at: datetime) -> None:
        """One of three is packed and then forgotten."""
        for place, order in enumerate(self._orders(KETTLE, 3, at)):
            self._move(order, [(State.PREPARING, 1), (State.SHIPPED, 3)][: 2 if place else 1], at)

    # --- In stores --------------------------------------------------------------------------------------------------
    def _in_store(self, at: datetime, count: int, steps: Sequence[int]) -> None:
        """Bags to be fetched in the first store. `steps`: after how many days they lie ready, and are fetched."""
        store = Store.objects.get(code="SH01")
        for order in self._orders(BAG, count, at, Wanted("store", store_id=store.pk)):
            if steps:
                self._move(order, [(State.READY, steps[0])], at)
            if len(steps) > 1:
                moment = at + timedelta(days=steps[1], hours=10)
                complete_pickup(code=pickup_code(order), store_id=store.pk, by=self.staff["store"], at=moment)

    def _given(self, at: datetime, names: Names, count: int) -> None:
        """What is given at once, or shown in a store: of the first class, one came."""
        orders = self._orders(names, count, at, Wanted(partner_account=f"CM{at:%m%d}7001") if names == MILES else None)
        if names == CLASS:
            store = Store.objects.get(code="SH01")
            for order in orders[:1]:
                moment = at + timedelta(days=2, hours=9)
                complete_pickup(code=pickup_code(order), store_id=store.pk, by=self.staff["store"], at=moment)

    # --- What went wrong --------------------------------------------------------------------------------------------
    def _changes_of_mind(self, at: datetime) -> None:
        for order in self._orders(BAG, 1, at):
            cancel_redemption(redemption_id=order.pk, by=Actor("member", order.member_id), at=at + timedelta(hours=2))

    def _damaged(self, at: datetime) -> None:
        self.damaged = self._orders(BAG, 1, at)

    def _out_of_stock(self, at: datetime) -> None:
        """What was ordered the day before turns out to be damaged, and there is no other."""
        for order in self.damaged:
            refund_out_of_stock(redemption_id=order.pk, by=self.staff["marketing"], at=at, reason="仓库盘点后发现破损")
