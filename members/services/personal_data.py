"""Showing what is personal to staff: only on request, and each time it is written down."""

from datetime import datetime

from django.db import transaction

from members.actors import Actor
from members.identifiers import NotFound
from members.models import MemberPerson
from members.timeline import NewEntry, record


def show_person(*, member_id: int, by: Actor, at: datetime) -> MemberPerson:
    """Return who a member is, after the timeline was told who looked. Raises `NotFound`."""
    with transaction.atomic():
        person = MemberPerson.objects.filter(pk=member_id).first()
        if person is None:
            raise NotFound
        record([NewEntry("members.personal_data_viewed.v1", member_id, at, by)])
    return person
