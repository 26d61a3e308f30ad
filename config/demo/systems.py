"""The other systems of the demo: the shop with a key of its own, whose address for events does not answer; tills that were set up."""

from datetime import datetime, timedelta

from django.utils import timezone

from config.demo.scenes import Scene, Scenes
from members import timeline
from members.handlers import WEBHOOKS
from members.models import ApiKey, Channel, Store, WebhookEndpoint
from members.services.devices import activate_till, make_activation
from members.services.key_bounds import note_use
from members.services.keys import (
    EVENTS_READ,
    MEMBERS_READ,
    MEMBERS_WRITE,
    ORDERS_READ,
    ORDERS_WRITE,
    SEGMENTS_READ,
    WEBHOOKS_MANAGE,
    issue_key,
    revoke_key,
)
from members.services.webhook_sending import send_due
from members.services.webhooks import create_webhook, pause_webhook

SHOP = "麦田商城"
#: Nobody listens there: the discard port of this machine. Nothing leaves it.
SHOP_URL = "http://localhost:9/perennial"
_SHOP_TYPES = ["redemption.created", "redemption.shipped", "redemption.cancelled", "voucher.used"]


class Systems(Scenes):
    """What administrators set up in the last days."""

    def planned(self) -> list[Scene]:
        """Return the shop, its address and how it failed, tills that came and went, and one that waits for its code."""
        return [
            Scene(self._when(6, 10), self._shop),
            Scene(self._when(5, 14), self._tills),
            Scene(self.now - timedelta(minutes=50), self._fails),
            Scene(self.now - timedelta(minutes=1), self._waits),
        ]

    def _shop(self, at: datetime) -> None:
        store, by = Store.objects.get(code="SH01"), self.staff["admin"]
        issued = issue_key(
            name=SHOP, store_id=store.pk, channel_id=Channel.objects.get(code="mini-program").pk, source="mini-program",
            scopes=[MEMBERS_READ, MEMBERS_WRITE, ORDERS_READ, ORDERS_WRITE, SEGMENTS_READ, EVENTS_READ, WEBHOOKS_MANAGE],
            networks=["10.20.0.0/16"], daily_points_ceiling=200_000, by=by, at=at,
        )  # fmt: skip
        note_use(issued.key, at=self.now - timedelta(minutes=7))
        create_webhook(
            url=SHOP_URL, types=_SHOP_TYPES, description="商城订单系统", key=issued.key, reason="商城展示兑换进度", by=by,
            at=self.now - timedelta(days=1),
        )  # fmt: skip

    def _tills(self, at: datetime) -> None:
        """Three tills are set up by code; one is stolen the day before yesterday and locked out at once."""
        for code, device in (("SH02", "商米 T2s"), ("HZ01", "iPad 收银"), ("GZ01", "商米 V2 手持")):
            key = self._activated(code, f"{code} 一号收银", device, at)
            note_use(key, at=self.now - timedelta(minutes=11 if code != "GZ01" else 2 * 24 * 60))
        lost = ApiKey.objects.get(name="GZ01 一号收银")
        revoke_key(key_id=lost.pk, reason="手持机在外卖途中遗失", by=self.staff["admin"], at=self._when(2, 19))

    def _activated(self, store: str, name: str, device: str, at: datetime) -> ApiKey:
        made = make_activation(
            store_id=Store.objects.get(code=store).pk, channel_id=Channel.objects.get(code="till").pk, name=name, source="till",
            reason="门店新收银机", by=self.staff["admin"], at=at,
        )  # fmt: skip
        return activate_till(code=made.code, device=device, address="203.0.113.20", at=at + timedelta(minutes=4)).key

    def _fails(self, at: datetime) -> None:
        """The shop's server is down: the first tries say so, and the address is paused until it is up again."""
        while timeline.relay(at=at, name=WEBHOOKS):
            pass
        # What is planned was recorded while the story is told, so it is due by the clock on the wall.
        send_due(clock=timezone.now, seconds=2)
        for endpoint in WebhookEndpoint.objects.filter(key__name=SHOP):
            pause_webhook(
                endpoint_id=endpoint.pk, reason="商城服务器升级，恢复后再继续", by=self.staff["admin"], at=at + timedelta(minutes=44)
            )  # fmt: skip

    def _waits(self, at: datetime) -> None:
        note_use(ApiKey.objects.get(name="Demo till", revoked_at=None), at=at)
        make_activation(
            store_id=Store.objects.get(code="SH01").pk, channel_id=Channel.objects.get(code="till").pk, name="静安寺店 二号收银",
            source="till", reason="周末加开收银台", by=self.staff["admin"], at=at,
        )  # fmt: skip
