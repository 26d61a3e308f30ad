"""What campaigns tells the timeline, as sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from campaigns.models import MessageTemplate
from campaigns.services.messages import MESSAGE_SENT
from members.admin.timeline import Names, register_sentence


def template_titles(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the occasions of message templates by id, in the active language."""
    return {
        template.pk: str(template.get_occasion_display()) for template in MessageTemplate.objects.filter(pk__in=ids)
    }


def _sent(payload: Mapping[str, Any], names: Names) -> str:
    return _("A message was sent: %(occasion)s.") % {"occasion": names["template"]}


register_sentence(MESSAGE_SENT, _sent, icon="mail", names={"template": template_titles})
