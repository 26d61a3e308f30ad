"""What the description says of webhooks is what is sent."""

import json
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from config.reference import published_schema
from members.models import TimelineEntry
from members.webhook_types import MOST_BYTES, event_types, events_of
from tests.factories.portal import a_business

# Of what an ordinary day of a test brings about; the others have tests of their own.
SEEN = {"member.created", "member.merged", "points.earned", "points.spent", "redemption.created", "tier.upgraded"}


def described() -> dict[str, Any]:
    """Return the schema of the body of each type, and its example."""
    section = json.loads(json.dumps(published_schema()["webhooks"]))
    return {code: item["post"]["requestBody"]["content"]["application/json"] for code, item in section.items()}


class TestTheDescriptionOfWebhooks:
    def test_has_every_type_with_an_example_that_fits(self) -> None:
        found = described()
        assert found.keys() == {one.code for one in event_types()}
        for code, content in found.items():
            [example] = [one["value"] for one in content["examples"].values()]
            assert [error.message for error in OAS31Validator(content["schema"]).iter_errors(example)] == [], code

    @pytest.mark.django_db
    def test_is_true_to_what_is_sent(self) -> None:
        a_business(1)
        events = events_of(list(TimelineEntry.objects.order_by("pk")))
        assert {event.type for event in events} >= SEEN
        assert len({event.id for event in events}) == len(events)
        found = described()
        parts = {one.code: [part.name for part in one.all_parts()] for one in event_types()}
        for event in events:
            body = event.body()
            assert len(body.encode()) < MOST_BYTES
            said = json.loads(body)
            schema = found[event.type]["schema"]
            assert [error.message for error in OAS31Validator(schema).iter_errors(said)] == [], event.type
            assert list(said["data"]) == parts[event.type]
