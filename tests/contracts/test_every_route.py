"""Who may call what: every operation by everybody who may not, and by who may with exactly what it needs.

The operations are those of the description, which tests/config/test_openapi.py holds to the routes; what there is to ask
stands in routes_of_the_api.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import translation
from pytest_django import DjangoDbBlocker

from members.actors import SYSTEM
from members.models import ApiKey, Member
from members.services.keys import SCOPES
from members.services.status import freeze_member
from rewards.queries import balance_of
from tests.contracts.calls_of_the_api import Operation, known, operations, properties_of, undescribed
from tests.contracts.routes_of_the_api import ROUTES, Refused
from tests.contracts.world_of_a_member import MAIL, NAME, PHONE, World, a_world
from tests.factories.api import Caller, now
from tests.harness.receiver import a_receiver

#: Tables in which it is kept that somebody asked, and how often, not what anybody has.
ASKED = (
    "members_ratecounter",
    "members_keyuse",
    "members_wrongtries",
    "members_guessingalarm",
    "members_decision",
    "members_signedcall",
)
#: What nobody may say of themselves or of others, whatever the operation.
NOT_TO_BE_WRITTEN = {
    "balance": 1_000_000, "points_available": 1_000_000, "tier": "gold", "tier_code": "gold", "lot": 1, "state": "active",
    "status": "active", "member": 1, "member_id": 1, "store_id": 1, "scopes": ["orders.write"], "is_staff": True, "id": 1,
    "public_id": "x", "created_at": "2020-01-01T00:00:00Z",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all of these tests, which leave it as it is."""
    with django_db_blocker.unblock(), a_receiver() as receiver, taken_back():
        translation.activate("en")
        yield a_world(receiver.url)


@contextmanager
def taken_back() -> Iterator[None]:
    """Whatever happens inside has not happened."""
    block = transaction.atomic()
    # What has to be kept at once may stand in it, as in the transaction of a TestCase.
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


def everything() -> dict[str, str]:
    """Return a hash of every table of ours in which something of value stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
            " AND relname ~ '^(members|loyalty|rewards|campaigns|analytics)_' ORDER BY 1"
        )
        tables = [name for (name,) in cursor.fetchall() if not name.startswith(ASKED)]
        hashes = ", ".join(
            f'(SELECT md5(string_agg(r::text, chr(10) ORDER BY r::text)) FROM "{name}" r)' for name in tables
        )
        cursor.execute(f"SELECT ARRAY[{hashes}]")
        (found,) = cursor.fetchone()
    return dict(zip(tables, found, strict=True))


@contextmanager
def nothing_changes() -> Iterator[None]:
    before = everything()
    yield
    after = everything()
    assert {name for name in after if after[name] != before[name]} == set()


def refused(answer: Any) -> Refused | int:
    """Return status and code of a problem; the status alone of an answer that is none."""
    return (answer.status_code, answer.json()["code"]) if answer.status_code >= 400 else answer.status_code


def traces_in(answer: Any, operation: Operation, world: World) -> list[str]:
    """Return what an answer tells of her that the caller did not say himself."""
    text, said = answer.content.decode(), operation.names(world)
    return [trace for trace in world.traces if trace in text and trace not in said]


def all_told(
    operations: Sequence[Operation],
    caller: Any,
    world: World,
    expected: Refused | Callable[[Operation], Refused | None],
) -> list[Any]:
    """Return who was not told what is expected (a code, or a function that says it), or was told something of her."""
    wrong = []
    for operation in operations:
        answer = operation.call(caller, world)
        wanted = expected(operation) if callable(expected) else expected
        traces = traces_in(answer, operation, world)
        if refused(answer) != wanted or traces:
            wrong.append((operation.name, refused(answer), wanted, traces))
    return wrong


@contextmanager
def scopes_of(key: ApiKey, *scopes: str) -> Iterator[None]:
    with taken_back():
        ApiKey.objects.filter(pk=key.pk).update(scopes=list(scopes))
        yield


def _freeze(world: World) -> None:
    at = now()
    freeze_member(member_id=world.member.pk, reason="checked", release_at=at + timedelta(days=9), by=SYSTEM, at=at)


def _foreign_fields(operation: Operation) -> dict[str, Any]:
    """Return fields that the body of an operation does not have."""
    return {name: value for name, value in NOT_TO_BE_WRITTEN.items() if name not in properties_of(operation)}


def _by_right(operation: Operation, world: World, more: dict[str, Any] | None = None) -> Any:
    """Call as whoever may."""
    caller = {"member": world.me, "known": world.me, "till": world.till, "public": Caller()}[operation.route.who]
    return operation.call(caller, world, more=more)


def _figures(world: World) -> tuple[Any, ...]:
    """Return what she has."""
    member = Member.objects.get(pk=world.member.pk)
    balance = balance_of(member.pk, now())
    return balance, member.status, member.member_no, member.channel_id, member.home_store_id


class TestTheEntries:
    def test_are_those_of_all_operations(self) -> None:
        names = {operation.name for operation in operations()}
        assert names - ROUTES.keys() == set(), (
            "enter these in tests/contracts/routes_of_the_api.py: for whom they are, with which scope, and whose they are"
        )
        assert ROUTES.keys() - names == set(), "these operations are no more"

    def test_say_for_whom_as_the_description_does(self) -> None:
        schemes: dict[str, list[list[str]]] = {
            "public": [[]], "known": [[], ["memberToken"]], "member": [["memberToken"]], "till": [["tillKey"]]
        }  # fmt: skip
        wrong = {}
        for operation in known():
            said = sorted(sorted(one) for one in operation.described["security"] or [{}])
            if said != schemes[operation.route.who] and operation.name != "get_job":  # for both
                wrong[operation.name] = said
        assert wrong == {}

    def test_name_a_scope_that_there_is(self) -> None:
        assert {one.scope for one in ROUTES.values()} == {*SCOPES, ""}
        assert [name for name, one in ROUTES.items() if (one.who == "till") != bool(one.scope)] == []

    def test_say_of_each_parameter_of_an_address_whose_it_is(self) -> None:
        shared = {"code", "reward_id", "purpose", "segment"}
        for operation in known():
            free = {name for name, _where in operation.route.path} - shared
            bound = operation.route.is_hers or operation.route.elsewhere or operation.route.stranger
            assert not free or bound or operation.name in {"get_job_result", "put_shop_member"}, operation.name


class TestThisWalk:
    def test_notices_what_an_answer_tells_of_her(self, world: World) -> None:
        asked = {one.name: one for one in known()}
        told = {
            name: traces_in(asked[name].call(world.me, world), asked[name], world)
            for name in asked
            if name.startswith("get_m")
        }
        assert {NAME, PHONE, MAIL} <= set(told["get_me"])
        assert len([name for name, traces in told.items() if traces]) > 5

    def test_notices_what_a_call_changes(self, world: World) -> None:
        before = everything()
        with taken_back():
            _by_right(next(one for one in known() if one.name == "give_voucher"), world)
            after = everything()
        changed = {name for name in after if after[name] != before[name]}
        assert {"rewards_voucher", "rewards_vouchergift", "members_timelineentry"} <= changed
        assert everything() == before


class TestVisitors:
    def test_are_told_to_sign_in_and_nothing_else(self, world: World) -> None:
        closed = [one for one in known() if one.route.who in ("member", "till")]
        with nothing_changes():
            assert all_told(closed, Caller(), world, (401, "authentication_required")) == []

    def test_who_are_staff_in_the_portal_are_visitors_here(self, world: World) -> None:
        closed = [one for one in known() if one.route.who in ("member", "till")]
        with nothing_changes():
            assert all_told(closed, world.staff, world, (401, "authentication_required")) == []

    def test_with_a_secret_that_is_none_are_told_no_more(self, world: World) -> None:
        closed = [one for one in known() if one.route.who != "public"]
        with nothing_changes():
            for secret in ("mt_" + "x" * 43, "pk_live_" + "x" * 40):
                assert all_told(closed, Caller(secret), world, (401, "authentication_required")) == []

    def test_read_nothing_of_anybody_where_everybody_may(self, world: World) -> None:
        for operation in known():
            if operation.route.who in ("public", "known") and operation.name != "refresh_tokens":
                with taken_back():
                    assert traces_in(operation.call(Caller(), world), operation, world) == [], operation.name


class TestMembers:
    def test_may_nothing_that_is_of_tills(self, world: World) -> None:
        of_tills = [one for one in known() if one.route.who == "till"]
        with nothing_changes():
            assert all_told(of_tills, world.me, world, (403, "insufficient_scope")) == []

    def test_are_not_told_that_there_is_what_belongs_to_another(self, world: World) -> None:
        hers = [one for one in known() if one.route.is_hers]
        assert len(hers) > 10
        with nothing_changes():
            assert all_told(hers, world.other, world, lambda one: one.route.foreign) == []

    def test_read_nothing_of_another_in_what_is_their_own(self, world: World) -> None:
        for operation in known():
            if operation.route.who in ("member", "known") and not operation.route.is_hers:
                with taken_back():
                    answer = operation.call(world.other, world)
                assert answer.status_code < 500
                assert traces_in(answer, operation, world) == [], operation.name

    def test_who_are_frozen_may_nothing(self, world: World) -> None:
        of_members = [one for one in known() if one.route.who in ("member", "known")]
        with taken_back():
            _freeze(world)
            with nothing_changes():
                assert all_told(of_members, world.me, world, (403, "member_frozen")) == []


class TestKeys:
    def test_may_nothing_that_is_of_members(self, world: World) -> None:
        of_members = [one for one in known() if one.route.who == "member" and one.route.stranger is None]
        with nothing_changes():
            assert all_told(of_members, world.till, world, (403, "insufficient_scope")) == []

    def test_may_nothing_without_the_very_scope(self, world: World) -> None:
        of_tills = [one for one in known() if one.route.who == "till"]
        with nothing_changes():
            for operation in of_tills:
                with scopes_of(world.till.key, *(SCOPES.keys() - {operation.route.scope})):
                    assert all_told([operation], world.till, world, (403, "insufficient_scope")) == []

    @pytest.mark.parametrize("whose", ["elsewhere", "stranger"])
    def test_of_other_stores_and_systems_reach_nothing_of_this_one(self, world: World, whose: str) -> None:
        bound = [one for one in known() if getattr(one.route, whose)]
        assert len(bound) > 10
        with nothing_changes():
            assert all_told(bound, getattr(world, whose), world, lambda one: getattr(one.route, whose)) == []

    def test_may_not_say_that_they_are_in_another_store(self, world: World) -> None:
        asked = 0
        with nothing_changes():
            for operation in known():
                if operation.route.who == "till" and "store" in properties_of(operation):
                    answer = operation.call(world.elsewhere, world, more={"store": "S01"})
                    assert refused(answer) == (403, "wrong_store"), operation.name
                    asked += 1
        assert asked > 5

    def test_do_nothing_for_a_member_who_is_frozen(self, world: World) -> None:
        spending = [one for one in known() if one.route.frozen]
        assert len(spending) > 5
        with taken_back():
            _freeze(world)
            with nothing_changes():
                told = {one.name: refused(one.call(world.till, world)) for one in spending}
        assert told == {one.name: one.route.frozen for one in spending}


class TestWhoMay:
    def test_is_served_with_what_is_described_and_not_a_field_more(self, world: World) -> None:
        wrong = []
        for operation in known():
            with taken_back(), scopes_of(world.till.key, operation.route.scope):
                operation.prepare(world)
                answer = _by_right(operation, world)
            is_well = refused(answer) == (operation.route.fails or answer.status_code) and answer.status_code < 500
            more = undescribed(operation, answer)
            if not is_well or str(answer.status_code) not in operation.described["responses"] or more:
                wrong.append((operation.name, refused(answer), more, answer.content[:300]))
        assert not wrong, "\n".join(map(str, wrong))

    def test_can_write_no_field_that_is_not_theirs_to_write(self, world: World) -> None:
        writing = [one for one in known() if one.method != "get" and not one.route.fails]
        wrong = []
        with nothing_changes():
            for operation in (one for one in writing if one.takes_body):
                fields = _foreign_fields(operation)
                with taken_back():
                    operation.prepare(world)
                    answer = _by_right(operation, world, more=fields)
                told = {one["pointer"] for one in answer.json().get("errors", []) if one["code"] == "unknown_field"}
                if refused(answer) != (400, "validation_error") or told != {f"#/{name}" for name in fields}:
                    wrong.append((operation.name, refused(answer), told))
        assert not wrong, "\n".join(map(str, wrong))

    def test_writes_nothing_with_a_body_that_is_not_asked_for(self, world: World) -> None:
        figures, wrong = _figures(world), []
        for operation in known():
            if operation.method == "get" or operation.route.fails or operation.takes_body:
                continue
            after = []
            for more in ({}, NOT_TO_BE_WRITTEN):
                with taken_back():
                    answer = _by_right(operation, world, more=more)
                    after.append((answer.status_code, _figures(world)))
            if after[0] != after[1] and after[1] != (400, figures):
                wrong.append((operation.name, after))
        assert not wrong, "\n".join(map(str, wrong))
