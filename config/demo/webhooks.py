"""A webhook of the demo: it waits, paused, for somebody who listens on this machine."""

from datetime import datetime

from config.demo.scenes import Scene, Scenes
from members.services.webhooks import create_webhook, pause_webhook

URL = "http://localhost:9000/loyalty"
TYPES = ["tier.upgraded", "tier.downgraded", "redemption.created", "job.finished"]


class Webhooks(Scenes):
    """The customer service desk wants to be told, and is not ready yet."""

    def planned(self) -> list[Scene]:
        """Return the one scene of yesterday."""
        return [Scene(self._when(1, 15), self._desk)]

    def _desk(self, at: datetime) -> None:
        by = self.staff["admin"]
        made = create_webhook(
            url=URL, types=TYPES, description="客服工单系统", key=None, reason="客服系统需要接收等级和兑换事件", by=by, at=at
        )  # fmt: skip
        pause_webhook(endpoint_id=made.endpoint.pk, reason="对方系统下周上线", by=by, at=at)
