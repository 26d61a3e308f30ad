"""What campaigns does with the data of one person: the copy of messages and promotions, and no message after an erasure."""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import notes
from campaigns.models import Message, PromotionUse
from members.actors import Actor
from members.lifecycle import Part, Section, register_part


def register() -> None:
    """Register the part of campaigns. Called once, from `AppConfig.ready()`."""
    register_part(Part("campaigns.privacy", export=export, erase=erase))


def erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Take back the messages that wait; return how many. A message keeps no words and no address."""
    waiting = Message.objects.filter(member=member_id, state=Message.State.QUEUED)
    stopped = waiting.update(state=Message.State.SKIPPED, note=notes.MEMBER_NOT_ACTIVE, next_attempt_at=None)
    return {"messages": stopped}


def export(member_id: int, at: datetime) -> list[Section]:
    """Return the messages to the member, and what promotions added to their purchases."""
    sent = Message.objects.filter(member=member_id).select_related("template").order_by("created_at", "pk")
    uses = PromotionUse.objects.filter(member=member_id).select_related("promotion").order_by("happened_at", "pk")
    return [
        Section(
            "messages",
            gettext_lazy("Messages"),
            ("occasion", "title", "channel", "state", "created_at", "sent_at"),
            [
                [
                    str(row.template.get_occasion_display()), row.template.title, str(row.get_channel_display()),
                    str(row.get_state_display()), row.created_at, row.sent_at,
                ]
                for row in sent
            ],
            (_("occasion"), _("title"), _("channel"), _("state"), _("created at"), _("sent at")),
        ),
        Section(
            "promotions",
            gettext_lazy("Promotions"),
            ("promotion", "source", "reference", "points", "at"),
            [[str(row.promotion), row.source, row.source_ref, row.points, row.happened_at] for row in uses],
            (_("promotion name"), _("source"), _("reference in the source"), _("points"), _("happened at")),
        ),
    ]  # fmt: skip
