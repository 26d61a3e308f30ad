"""The inbox over HTTP: what was told, in the asked language, and what of it was read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import notes
from campaigns.models import Message, MessageTemplate
from members.actors import SYSTEM
from members.identifiers import MESSAGE, public_ref
from members.models import Member
from members.services.merging import merge_members
from rewards.ledger import currency_id
from tests.factories.api import Caller, make_member, now, problem_of, sign_in

pytestmark = pytest.mark.django_db

QUERIES = 9
State = Message.State


@pytest.fixture
def member() -> Member:
    return make_member(full_name="张小丰", phone="13800138000")


@pytest.fixture
def me(member: Member) -> Caller:
    return sign_in(member)


@pytest.fixture
def told() -> Callable[..., Message]:
    """A function that makes a message about points that expire ten days after it was told."""
    template = MessageTemplate.objects.get(occasion="points_expiring")

    def tell(
        member: Member, points: int = 120, *, days_ago: int = 1, state: str = State.SENT, note: str = ""
    ) -> Message:
        at = now() - timedelta(days=days_ago)
        figures = {
            "warning": 1, "points": points, "currency": currency_id(),
            "expires_on": (at + timedelta(days=10)).date().isoformat(),
        }  # fmt: skip
        message = Message.objects.create(
            member=member, template=template, occurrence=f"expiry_warning:{member.pk}:{points}:{days_ago}:{note}",
            channel="email", figures=figures, state=state, note=note, created_at=at,
            sent_at=at if state == State.SENT else None,
        )  # fmt: skip
        message.refresh_from_db()
        return message

    return tell


def ref(message: Message) -> str:
    return public_ref(MESSAGE, message.public_id)


def read(me: Caller, **body: Any) -> Any:
    return me.post("/me/messages/read", body)


class TestTheInbox:
    def test_tells_in_the_asked_language_newest_first(
        self, me: Caller, member: Member, told: Callable[..., Any]
    ) -> None:
        old, new = told(member, 120, days_ago=3), told(member, 250)
        answer = me.get("/me/messages")
        first, second = answer.json()["items"]
        assert (first["id"], second["id"]) == (ref(new), ref(old))
        assert (first["occasion"], first["read_at"]) == ("points_expiring", None)
        assert datetime.fromisoformat(first["told_at"]) == new.created_at
        assert "250" in first["title"] + first["body"]
        assert "张小丰" in first["body"]
        chinese = Caller(me.secret, language="zh-CN").get("/me/messages").json()["items"][0]
        assert chinese["body"] != first["body"]
        assert "250" in chinese["title"] + chinese["body"]
        assert answer.headers["Unread-Count"] == "2"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_has_what_could_not_reach_me_elsewhere_and_nothing_that_was_stopped(
        self, me: Caller, member: Member, told: Callable[..., Any]
    ) -> None:
        missed = [
            told(member, 1, state=State.SKIPPED, note=notes.NO_EMAIL),
            told(member, 2, state=State.FAILED, note=notes.NOT_REACHED),
        ]
        told(member, 3, state=State.QUEUED)
        for points, note in enumerate((notes.TOO_LATE, notes.NOT_ALLOWED, notes.TEMPLATE_NOT_IN_USE), 4):
            told(member, points, state=State.SKIPPED, note=note)
        assert {one["id"] for one in me.get("/me/messages").json()["items"]} == {ref(one) for one in missed}

    def test_is_sent_again_only_when_something_changed(
        self, me: Caller, member: Member, told: Callable[..., Any]
    ) -> None:
        message = told(member)
        etag = me.get("/me/messages").headers["ETag"]
        known = me.get("/me/messages", if_none_match=etag)
        assert (known.status_code, known.headers["Unread-Count"]) == (304, "1")
        assert read(me, ids=[ref(message)]).status_code == 200
        assert me.get("/me/messages", if_none_match=etag).status_code == 200

    def test_takes_few_queries_and_comes_in_pages(self, me: Caller, member: Member, told: Callable[..., Any]) -> None:
        for points in range(1, 8):
            told(member, points, days_ago=points)
        with CaptureQueriesContext(connection) as queries:
            page = me.get("/me/messages?limit=5").json()
        assert len(queries) <= QUERIES, [query["sql"] for query in queries]
        rest = me.get(f"/me/messages?limit=5&cursor={page['next']}").json()
        assert (len(page["items"]), len(rest["items"]), rest["next"]) == (5, 2, None)

    def test_of_a_merged_card_is_mine(self, me: Caller, member: Member, told: Callable[..., Any]) -> None:
        other = make_member()
        message = told(other)
        assert me.get("/me/messages").json()["items"] == []
        merge_members(kept_id=member.pk, merged_id=other.pk, by=SYSTEM, at=now(), reason="one person")
        assert [one["id"] for one in me.get("/me/messages").json()["items"]] == [ref(message)]


class TestReading:
    def test_marks_some_or_all_once(self, me: Caller, member: Member, told: Callable[..., Any]) -> None:
        old, middle, new = (told(member, points, days_ago=days) for points, days in ((1, 9), (2, 6), (3, 3)))
        assert read(me, ids=[ref(middle)]).json() == {"unread": 2}
        middle.refresh_from_db()
        first_read = middle.read_at
        assert first_read is not None
        assert read(me, until=(now() - timedelta(days=5)).isoformat()).json() == {"unread": 1}
        read(me, ids=[ref(middle), ref(middle)])
        for message in (old, middle, new):
            message.refresh_from_db()
        assert (old.read_at is None, middle.read_at, new.read_at) == (False, first_read, None)
        assert me.get("/me/messages").headers["Unread-Count"] == "1"

    def test_of_what_is_not_mine_is_not_found_and_marks_nothing(
        self, me: Caller, member: Member, told: Callable[..., Any]
    ) -> None:
        mine, foreign = told(member), told(make_member())
        hidden = told(member, 7, state=State.QUEUED)
        for other in (foreign, hidden):
            assert problem_of(read(me, ids=[ref(mine), ref(other)])) == (404, "not_found")
        assert not Message.objects.filter(read_at__isnull=False).exists()

    @pytest.mark.parametrize(
        "body", [{}, {"ids": []}, {"ids": ["msg_1"]}, {"ids": "x"}, {"until": "now"}, {"all": True}]
    )
    def test_needs_to_say_which(self, me: Caller, body: dict[str, Any]) -> None:
        assert problem_of(me.post("/me/messages/read", body)) == (400, "validation_error")
