"""What is sent to other systems, for the published description: one webhook for each type of event that is registered."""

from typing import Any, Final

from django.utils import translation
from drf_spectacular.utils import OpenApiWebhook

from members.identifiers import EVENT
from members.webhook_types import EventType, event_types

_HEADERS: Final = {
    "webhook-id": "Id of the event, the same in every try: what a receiver has seen already it passes over.",
    "webhook-timestamp": "When this try was signed: seconds since 1970. Refuse what is more than five minutes away.",
    "webhook-signature": "`v1,` and base64 of the HMAC-SHA256 of `id.timestamp.body`; two while the secret is being changed.",
}


def _webhook(event_type: EventType) -> OpenApiWebhook:
    with translation.override("en"):
        label = str(event_type.label)
    properties = {part.name: {**part.schema, "description": part.help} for part in event_type.all_parts()}
    body: dict[str, Any] = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": f"^{EVENT}_[0-9a-z]{{26}}$"},
            "type": {"type": "string", "const": event_type.code},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {"type": "object", "properties": properties, "required": list(properties)},
        },
        "required": ["id", "type", "timestamp", "data"],
    }
    content = {"schema": body, "examples": {event_type.code: {"value": event_type.example()}}}
    operation = {
        "operationId": f"on_{event_type.code.replace('.', '_')}",
        "summary": label[:1].upper() + label[1:],
        "description": "Sent to webhooks that ask for this type, as Standard Webhooks.",
        "tags": ["Integration"],
        "security": [],  # the signature says who sends it
        "parameters": [
            {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": about}
            for name, about in _HEADERS.items()
        ],
        "requestBody": {"content": {"application/json": content}, "required": True},
        "responses": {
            "2XX": {"description": "It was received. Answer within five seconds, and do the work afterwards."},
            "410": {"description": "It is not wanted any more: the webhook is switched off."},
            "default": {"description": "It is tried again, for three days. `Retry-After` is respected."},
        },
    }
    return OpenApiWebhook(name=event_type.code, decorator={"post": operation})


#: Read when the description is made: every floor has registered its types by then.
WEBHOOKS: Final = [_webhook(one) for one in event_types()]
