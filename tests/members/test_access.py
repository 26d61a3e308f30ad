"""Till keys and kept answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.db import connection

from members.actors import Actor
from members.identifiers import NotFound
from members.models import ApiKey, IdempotentAnswer, TimelineEntry
from members.services.idempotency import (
    Answer,
    IdempotencyKeyReused,
    RequestInProgress,
    answer_once,
    fingerprint_of,
    forget_answers,
)
from members.services.keys import (
    BENEFITS_USE,
    ORDERS_READ,
    ORDERS_WRITE,
    PLANS_CONFIRM,
    SCOPES,
    IssuedKey,
    KeyIsRevoked,
    ScopeNeedsNewKey,
    SourceIsOurOwn,
    UnknownScope,
    authenticate_key,
    change_scopes,
    issue_key,
    revoke_key,
)
from members.sources import OWN_SOURCES
from members.tasks import ensure_timeline_partitions, forget_old_answers
from tests.factories.api import make_channel, make_store

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
STAFF = Actor("operator", 7)


class TestKeys:
    def test_are_shown_once_and_kept_as_a_hash(self, db: None) -> None:
        issued = self.issue()
        assert issued.secret.startswith("pk_live_")
        assert issued.key.prefix == issued.secret[:12]
        assert issued.secret not in str(ApiKey.objects.values().get())
        entry = TimelineEntry.objects.get()
        assert (entry.kind, entry.member_id, entry.actor_id) == ("members.key_issued.v1", None, 7)
        assert issued.secret[12:] not in str(entry.payload)

    def test_open_until_they_are_revoked(self, db: None) -> None:
        old, new = self.issue(), self.issue()
        assert authenticate_key(secret=old.secret, at=AT) == old.key
        revoke_key(key_id=old.key.pk, reason="lost", by=STAFF, at=AT)
        assert authenticate_key(secret=old.secret, at=AT) is None
        assert authenticate_key(secret=new.secret, at=AT) == new.key  # two live keys: rotation with overlap
        assert authenticate_key(secret="pk_live_" + "x" * 40, at=AT) is None
        with pytest.raises(KeyIsRevoked):
            revoke_key(key_id=old.key.pk, reason="lost", by=STAFF, at=AT)
        with pytest.raises(NotFound):
            revoke_key(key_id=0, reason="lost", by=STAFF, at=AT)

    def test_have_scopes_that_exist(self, db: None) -> None:
        assert self.issue(scopes=[ORDERS_WRITE, ORDERS_READ, ORDERS_WRITE]).key.scopes == [ORDERS_READ, ORDERS_WRITE]
        for scopes in ([], ["orders.delete"], [ORDERS_READ, "x"]):
            with pytest.raises(UnknownScope):
                self.issue(scopes=scopes)
        assert ApiKey.objects.count() == 1

    def test_are_given_other_scopes_later(self, db: None) -> None:
        issued = self.issue(scopes=[ORDERS_READ, ORDERS_WRITE])
        change_scopes(key_id=issued.key.pk, scopes=[BENEFITS_USE, ORDERS_READ], reason="benefits", by=STAFF, at=AT)
        key = authenticate_key(secret=issued.secret, at=AT)
        assert key is not None
        assert key.scopes == [ORDERS_READ, BENEFITS_USE]
        entry = TimelineEntry.objects.latest("pk")
        assert (entry.kind, entry.subject) == ("members.key_scopes_changed.v1", f"key:{key.pk}")
        assert entry.payload["before"] == [ORDERS_READ, ORDERS_WRITE]
        change_scopes(key_id=key.pk, scopes=key.scopes, reason="again", by=STAFF, at=AT)
        assert TimelineEntry.objects.latest("pk") == entry  # nothing changed
        for scopes, refusal in (([], UnknownScope), (["x"], UnknownScope), ([PLANS_CONFIRM], ScopeNeedsNewKey)):
            with pytest.raises(refusal):
                change_scopes(key_id=key.pk, scopes=scopes, reason="x", by=STAFF, at=AT)
        revoke_key(key_id=key.pk, reason="lost", by=STAFF, at=AT)
        with pytest.raises(KeyIsRevoked):
            change_scopes(key_id=key.pk, scopes=[ORDERS_READ], reason="x", by=STAFF, at=AT)
        assert ApiKey.objects.get().scopes == [ORDERS_READ, BENEFITS_USE]

    def test_bring_orders_of_no_source_that_the_portal_uses_itself(self, db: None) -> None:
        for source in sorted(OWN_SOURCES):
            with pytest.raises(SourceIsOurOwn):
                self.issue(source=source)
        assert not ApiKey.objects.exists()

    def test_scopes_have_names_for_staff(self) -> None:
        assert all(str(label) for label in SCOPES.values())

    @staticmethod
    def issue(scopes: list[str] | None = None, source: str = "till") -> IssuedKey:
        return issue_key(
            name="Till 1", store_id=make_store().pk, channel_id=make_channel().pk, source=source,
            scopes=[ORDERS_READ] if scopes is None else scopes, by=STAFF, at=AT,
        )  # fmt: skip


def once(effect: Callable[[], Answer], *, key: str = "k", principal: str = "device:1", body: object = "b") -> Answer:
    return answer_once(
        principal=principal, route="POST /x", key=key, fingerprint=fingerprint_of(body), effect=effect, at=AT
    )


def answers(status: int = 201, **body: object) -> Callable[[], Answer]:
    return lambda: Answer(status, dict(body))


def must_not_run() -> Answer:
    raise AssertionError


class TestAnsweringOnce:
    def test_keeps_the_first_answer(self, db: None) -> None:
        assert once(answers(n=1)) == Answer(201, {"n": 1})
        assert once(must_not_run) == Answer(201, {"n": 1}, is_replayed=True)

    def test_keys_belong_to_one_caller_and_route(self, db: None) -> None:
        once(answers(n=1))
        assert once(answers(n=2), principal="device:2").body == {"n": 2}
        assert once(answers(n=3), key="other").body == {"n": 3}

    def test_refuses_the_key_with_another_request(self, db: None) -> None:
        once(answers(n=1))
        with pytest.raises(IdempotencyKeyReused):
            once(must_not_run, body="other")

    def test_keeps_nothing_when_the_effect_fails(self, db: None) -> None:
        def fail() -> Answer:
            make_store("S77")
            raise RuntimeError

        with pytest.raises(RuntimeError):
            once(fail)
        assert not IdempotentAnswer.objects.exists()
        assert once(answers(n=1), body="other").body == {"n": 1}

    def test_the_same_data_in_another_order_is_the_same(self) -> None:
        assert fingerprint_of({"a": 1, "b": [2]}) == fingerprint_of({"b": [2], "a": 1})
        assert fingerprint_of({"a": 1}) != fingerprint_of({"a": "1"})
        assert fingerprint_of("ab", "c") != fingerprint_of("a", "bc")


class TestAnsweringOnceAtOnce:
    def test_a_repeat_waits_for_the_first_and_gets_its_answer(self, committed_db: str) -> None:
        begun, may_end = Event(), Event()

        def slow() -> Answer:
            begun.set()
            assert may_end.wait(10)
            return Answer(201, {"n": 1})

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(_closing, lambda: once(slow))
            assert begun.wait(10)
            second = pool.submit(_closing, lambda: once(must_not_run))
            _wait_until_blocked()
            may_end.set()
            assert first.result() == Answer(201, {"n": 1})
            assert second.result() == Answer(201, {"n": 1}, is_replayed=True)

    def test_after_the_first_was_refused_the_repeat_does_the_work(self, committed_db: str) -> None:
        begun, may_end = Event(), Event()

        def fail() -> Answer:
            begun.set()
            assert may_end.wait(10)
            raise RuntimeError

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(_closing, lambda: once(fail))
            assert begun.wait(10)
            second = pool.submit(_closing, lambda: once(answers(n=2)))
            _wait_until_blocked()
            may_end.set()
            assert isinstance(first.exception(), RuntimeError)
            assert second.result() == Answer(201, {"n": 2})

    def test_waits_no_longer_than_a_lock_may_take(self, committed_db: str) -> None:
        begun, may_end = Event(), Event()

        def slow() -> Answer:
            begun.set()
            assert may_end.wait(20)
            return Answer(201, {"n": 1})

        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(_closing, lambda: once(slow))
            assert begun.wait(10)
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            with pytest.raises(RequestInProgress):
                once(must_not_run)
            may_end.set()
            assert first.result().status == 201


def _closing(act: Callable[[], Answer]) -> Answer:
    try:
        return act()
    finally:
        connection.close()


def _wait_until_blocked() -> None:
    """Return when some connection of this database waits for another's lock."""
    with connection.cursor() as cursor:
        for _attempt in range(1000):
            cursor.execute(
                "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


class TestForgettingAnswers:
    def test_deletes_old_ones_in_chunks(self, db: None) -> None:
        for days in (9, 8, 1):
            IdempotentAnswer.objects.create(
                principal="device:1", route="r", key=str(days), body_sha256=b"", created_at=AT - timedelta(days=days)
            )
        before = AT - timedelta(days=7)
        assert [forget_answers(before=before, limit=1) for _ in range(3)] == [1, 1, 0]
        assert list(IdempotentAnswer.objects.values_list("key", flat=True)) == ["1"]

    def test_the_task_may_be_repeated(self, db: None) -> None:
        IdempotentAnswer.objects.create(
            principal="device:1", route="r", key="old", body_sha256=b"", created_at=datetime(2020, 1, 1, tzinfo=UTC)
        )
        assert (forget_old_answers(), forget_old_answers()) == (1, 0)


class TestPartitions:
    def test_are_made_ahead_once(self, db: None) -> None:
        ensure_timeline_partitions()
        assert ensure_timeline_partitions() == 0
