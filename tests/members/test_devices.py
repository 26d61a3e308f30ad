"""Tills: let in by a one-time code; keys that take each other's place, and what bounds them."""

import base64
import hashlib
import hmac
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIRequestFactory

from members.actors import Actor
from members.api.signatures import (
    SignatureInvalid,
    SignatureOutOfTime,
    SignedCallRepeated,
    require_signature,
    signature_of,
)
from members.identifiers import MEMBER, public_ref
from members.models import ApiKey, GuessingAlarm, KeyDay, KeyUse, SignedCall, TillActivation, TimelineEntry
from members.refusals import Refusal
from members.services.devices import MadeCode, activate_till, make_activation
from members.services.key_bounds import (
    KeyCeilingReached,
    NetworkNotAllowed,
    act_for_store,
    check_network,
    count_against_ceiling,
    note_use,
    store_ids_of,
)
from members.services.keys import (
    ORDERS_READ,
    IssuedKey,
    KeyIsReplaced,
    KeyIsRevoked,
    NetworkInvalid,
    OverlapOutOfRange,
    authenticate_key,
    change_bounds,
    issue_key,
    revoke_key,
    rotate_key,
    rotate_signing_secret,
    signing_secret,
)
from members.services.signed_calls import forget_signed_calls
from rewards.models import Purchase
from tests.factories.api import make_channel, make_member, make_store, make_till, order_body
from tests.harness.threads import together

AT = datetime(2026, 7, 5, 6, 10, 12, tzinfo=UTC)  # 14:10 in Shanghai
STAFF = Actor("operator", 7)
BODY = b'{"orders":[]}'


def a_key(**more: Any) -> IssuedKey:
    """Return a new key of a till."""
    values = {"scopes": [ORDERS_READ], "source": "till", "by": STAFF, "at": AT, **more}
    return issue_key(name="Till 1", store_id=make_store().pk, channel_id=make_channel().pk, **values)


def read(issued: IssuedKey, at: datetime = AT) -> ApiKey:
    """Return a key as a call gets it."""
    key = authenticate_key(secret=issued.secret, at=at)
    assert key is not None
    return key


def an_activation(**more: Any) -> MadeCode:
    """Return a code for a till of store S01."""
    values = {"name": "Till 2", "source": "till", "reason": "a new till", "by": STAFF, "at": AT, **more}
    return make_activation(store_id=make_store().pk, channel_id=make_channel().pk, **values)


def activated(code: str, *, at: datetime = AT, address: str = "10.0.0.1") -> str:
    """Return with what activating is refused, or nothing."""
    try:
        activate_till(code=code, device="Sunmi", address=address, at=at)
    except Refusal as refusal:
        return refusal.code
    return ""


@pytest.mark.django_db
class TestActivating:
    def test_trades_a_code_for_a_key_once(self) -> None:
        made = an_activation(daily_points_ceiling=5_000)
        issued = activate_till(code=made.code, device="Sunmi T2", address="10.0.0.1", at=AT + timedelta(minutes=14))
        key = read(issued)
        assert (key.name, key.store.code, key.daily_points_ceiling) == ("Till 2", "S01", 5_000)
        activation = TillActivation.objects.get()
        assert (activation.key, activation.device) == (key, "Sunmi T2")
        assert activated(made.code) == "activation_code_unknown"
        assert ApiKey.objects.count() == 1
        assert [entry.kind for entry in TimelineEntry.objects.order_by("pk")] == [
            "members.till_activation_made.v1", "members.key_issued.v1", "members.till_activated.v1",
        ]  # fmt: skip

    def test_takes_the_code_as_people_type_it(self) -> None:
        made = an_activation()
        assert len(made.code) == 14
        typed = made.code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert activated(typed) == ""

    def test_keeps_the_code_nowhere(self) -> None:
        made = an_activation()
        plain = made.code.replace("-", "")
        kept = str(TillActivation.objects.values().get()) + str(list(TimelineEntry.objects.values_list("payload")))
        assert plain not in kept
        assert made.code not in kept
        assert json.loads(made.square_text("https://host/api/v1")) == {
            "perennial": "https://host/api/v1",
            "code": made.code,
        }

    @pytest.mark.parametrize("late", [timedelta(minutes=15), timedelta(days=1), timedelta(seconds=-1)])
    def test_is_over_after_a_quarter_of_an_hour(self, late: timedelta) -> None:
        made = an_activation()
        assert activated(made.code, at=AT + late) == "activation_code_unknown"
        assert not ApiKey.objects.exists()

    def test_locks_who_guesses_and_shows_it_on_the_risk_page(self) -> None:
        made = an_activation()
        outcomes = [activated("0000-0000-0000") for _time in range(11)]
        assert outcomes == ["activation_code_unknown"] * 10 + ["too_many_tries"]
        assert activated(made.code) == "too_many_tries"
        assert activated(made.code, address="10.0.0.2") == ""
        assert GuessingAlarm.objects.filter(kind="till_activation", axis="address").exists()


class TestActivatingAtOnce:
    def test_gives_one_key_to_sixteen_who_have_the_code(self, committed_db: str) -> None:
        made = an_activation()
        outcomes = together([lambda n=n: activated(made.code, address=f"10.0.0.{n}") for n in range(16)])  # type: ignore[misc]
        assert Counter(outcomes) == {"": 1, "activation_code_unknown": 15}
        assert ApiKey.objects.count() == 1
        # A ceiling is exact beside itself, too: sixteen orders of 300 points under 1,000 are three.
        key = read(a_key(daily_points_ceiling=1_000))

        def move() -> str:
            try:
                count_against_ceiling(key, points=300, at=AT)
            except KeyCeilingReached as refusal:
                return refusal.code
            return "moved"

        assert Counter(together([move] * 16))["moved"] == 3


@pytest.mark.django_db
class TestRotating:
    def test_lets_both_live_for_a_week_and_the_old_one_end_by_itself(self) -> None:
        old = a_key(networks=["10.20.0.0/16"], daily_points_ceiling=500, store_ids=[make_store("S02").pk])
        new = rotate_key(key_id=old.key.pk, reason="every year", by=STAFF, at=AT)
        last = AT + timedelta(days=7)
        assert read(old, last - timedelta(seconds=1)) == old.key
        assert authenticate_key(secret=old.secret, at=last) is None
        key = read(new, last)
        assert (key.networks, key.daily_points_ceiling, key.scopes) == (["10.20.0.0/16"], 500, [ORDERS_READ])
        assert store_ids_of(key) == store_ids_of(old.key)
        assert key.replaces == old.key
        entry = TimelineEntry.objects.latest("pk")
        assert (entry.kind, entry.payload["reason"]) == ("members.key_rotated.v1", "every year")
        assert new.secret not in str(entry.payload)

    def test_happens_once_and_within_reason(self) -> None:
        old = a_key()
        for days in (-1, 31):
            with pytest.raises(OverlapOutOfRange):
                rotate_key(key_id=old.key.pk, overlap_days=days, reason="x", by=STAFF, at=AT)
        rotate_key(key_id=old.key.pk, overlap_days=1, reason="x", by=STAFF, at=AT)
        with pytest.raises(KeyIsReplaced):
            rotate_key(key_id=old.key.pk, reason="x", by=STAFF, at=AT)
        with pytest.raises(KeyIsRevoked):
            rotate_key(key_id=old.key.pk, reason="x", by=STAFF, at=AT + timedelta(days=1))
        assert ApiKey.objects.count() == 2

    def test_shares_one_ceiling(self) -> None:
        old = a_key(daily_points_ceiling=500)
        new = rotate_key(key_id=old.key.pk, reason="x", by=STAFF, at=AT)
        count_against_ceiling(read(old), points=300, at=AT)
        with pytest.raises(KeyCeilingReached):
            count_against_ceiling(read(new), points=300, at=AT)


@pytest.mark.django_db
class TestBounds:
    def test_of_a_day_name_the_limit_and_begin_anew_at_midnight(self) -> None:
        key = read(a_key(daily_points_ceiling=1_000))
        count_against_ceiling(key, points=1_000, at=AT)
        for points in (0, -5):
            count_against_ceiling(key, points=points, at=AT)
        with pytest.raises(KeyCeilingReached) as refused:
            count_against_ceiling(key, points=1, at=AT)
        assert refused.value.params == {"ceiling": 1_000, "used": 1_000, "points": 1}
        count_against_ceiling(key, points=1_000, at=AT + timedelta(hours=10))  # 00:10 in Shanghai

    def test_of_nothing_cost_nothing(self, django_assert_num_queries: Any) -> None:
        key = read(a_key())
        with django_assert_num_queries(0):
            count_against_ceiling(key, points=10**9, at=AT)
            check_network(key, address="203.0.113.9")
            assert act_for_store(key, code=None)
            assert store_ids_of(key) == [key.store_id]

    def test_of_networks_are_asked_at_each_call(self) -> None:
        key = a_key(networks=["10.20.0.0/16", "2001:db8::/32", "203.0.113.7"]).key
        for address in ("10.20.3.4", "2001:db8::5", "203.0.113.7", "::ffff:10.20.0.1"):
            check_network(key, address=address)
        for address in ("10.21.0.1", "2001:db9::5", "", "x", "203.0.113.8"):
            with pytest.raises(NetworkNotAllowed):
                check_network(key, address=address)
        with pytest.raises(NetworkInvalid):
            a_key(networks=["10.20.0.1/16"])

    def test_are_changed_with_a_reason(self) -> None:
        issued, other = a_key(), make_store("S02")
        bounds: dict[str, Any] = {
            "store_ids": [other.pk],
            "networks": ["10.0.0.0/8"],
            "daily_points_ceiling": 9,
            "ends_at": AT + timedelta(days=3),
        }
        change_bounds(key_id=issued.key.pk, **bounds, reason="a server now", by=STAFF, at=AT)
        key = read(issued)
        assert store_ids_of(key) == [make_store().pk, other.pk]
        assert act_for_store(key, code="S02")
        assert key.store_id == other.pk
        assert not act_for_store(key, code="S03")
        told = TimelineEntry.objects.filter(kind="members.key_bounds_changed.v1")
        assert told.count() == 1
        change_bounds(key_id=issued.key.pk, **bounds, reason="again", by=STAFF, at=AT)
        assert told.count() == 1
        assert authenticate_key(secret=issued.secret, at=AT + timedelta(days=3)) is None

    def test_the_last_use_is_written_every_five_minutes_at_most(self, django_assert_num_queries: Any) -> None:
        issued = a_key()
        note_use(read(issued), at=AT)
        with django_assert_num_queries(1):  # the look-up of the key
            note_use(read(issued), at=AT + timedelta(minutes=4, seconds=59))
        assert KeyUse.objects.get().last_used_at == AT
        note_use(read(issued), at=AT + timedelta(minutes=5))
        assert KeyUse.objects.get().last_used_at == AT + timedelta(minutes=5)


@pytest.mark.django_db
class TestASignedCall:
    def call(self, key: ApiKey, *, secret: str = "", stamp: int | None = None, body: bytes = BODY, path: str = "/api/v1/pos/batches",
             signed: bytes = BODY, signed_path: str = "/api/v1/pos/batches", at: datetime = AT, nonce: str = "n-1") -> str:  # fmt: skip
        """Return with what a signed call is refused, or nothing."""
        stamp = int(at.timestamp()) if stamp is None else stamp
        header = signature_of(
            secret or signing_secret(key), message_id=nonce, stamp=stamp, body=signed, address=f"POST {signed_path}"
        )
        request = APIRequestFactory().post(
            path, body, content_type="application/json", headers={"webhook-id": nonce, "webhook-timestamp": str(stamp), "webhook-signature": header},
        )  # fmt: skip
        try:
            require_signature(request, key=key, at=at, with_address=True)
        except Refusal as refusal:
            return refusal.code
        return ""

    def test_is_accepted_once(self) -> None:
        key = a_key().key
        assert [self.call(key), self.call(key), self.call(key, nonce="n-2")] == ["", SignedCallRepeated.code, ""]
        assert self.call(a_key().key) == ""  # the nonces of another key are others

    def test_covers_body_address_moment_and_nonce(self) -> None:
        key, other = a_key().key, a_key().key
        invalid = SignatureInvalid.code
        assert self.call(key, body=b'{"orders":[1]}') == invalid
        assert self.call(key, path="/api/v1/pos/orders") == invalid
        assert self.call(key, path="/api/v1/pos/batches?dry_run=true") == invalid
        assert self.call(key, secret=signing_secret(other)) == invalid
        for age, outcome in ((300, ""), (-300, ""), (301, SignatureOutOfTime.code), (-301, SignatureOutOfTime.code)):
            assert self.call(key, stamp=int(AT.timestamp()) - age) == outcome

    def test_may_be_signed_with_the_secret_before_until_the_overlap_ends(self) -> None:
        key = a_key().key
        before = signing_secret(key)
        after = rotate_signing_secret(key_id=key.pk, overlap_days=2, reason="x", by=STAFF, at=AT)
        key.refresh_from_db()
        assert after == signing_secret(key) != before
        late = AT + timedelta(days=2)
        assert self.call(key, secret=before, at=late - timedelta(seconds=1)) == ""
        assert self.call(key, secret=before, at=late, nonce="n-2") == SignatureInvalid.code
        assert self.call(key, secret=after, at=late, nonce="n-3") == ""

    def test_is_forgotten_when_its_moment_is_refused_anyway(self) -> None:
        key = a_key().key
        self.call(key)
        assert forget_signed_calls(at=AT + timedelta(minutes=10)) == 0
        assert forget_signed_calls(at=AT + timedelta(minutes=20)) == 1
        assert not SignedCall.objects.exists()


def test_signatures_are_plain_hmac() -> None:
    """So that the other side needs no library of ours."""
    digest = hmac.digest(b"key", b"n.1.POST /x.body", hashlib.sha256)
    secret = "whsec_" + base64.b64encode(b"key").decode()
    assert (
        signature_of(secret, message_id="n", stamp=1, body=b"body", address="POST /x")
        == "v1," + base64.b64encode(digest).decode()
    )


@pytest.mark.django_db
class TestOverHttp:
    def test_a_key_with_networks_is_refused_from_elsewhere(self) -> None:
        till = make_till()
        ApiKey.objects.update(networks=["10.20.0.0/16"])
        assert till.get("/pos/orders/x").json()["code"] == "network_not_allowed"
        till.client.defaults["REMOTE_ADDR"] = "10.20.0.9"
        assert till.get("/pos/orders/x").json()["code"] == "not_found"
        assert KeyUse.objects.get().key_id == till.key.pk

    def test_a_key_for_more_stores_says_in_which_it_acts(self) -> None:
        till = make_till()
        other = make_store("S02")
        order = order_body(amount="50.00", store="S02")
        assert till.post("/pos/orders", order, key="k1").json()["code"] == "wrong_store"
        till.key.stores.add(other)
        assert till.post("/pos/orders", order, key="k1").status_code == 201
        assert till.get(f"/pos/orders/{order['external_order_no']}").status_code == 200
        assert make_till(make_store("S03")).get(f"/pos/orders/{order['external_order_no']}").status_code == 404

    def test_a_ceiling_refuses_the_whole_order(self) -> None:
        till = make_till()
        ApiKey.objects.filter(pk=till.key.pk).update(daily_points_ceiling=60)
        member = make_member()
        orders = [order_body(public_ref(MEMBER, member.public_id), amount="50.00") for _n in range(2)]
        assert till.post("/pos/orders", orders[0], key="a").status_code == 201
        answer = till.post("/pos/orders", orders[1], key="b")
        assert (answer.status_code, answer.json()["code"]) == (409, "key_ceiling_reached")
        assert (answer.json()["ceiling"], answer.json()["used"]) == (60, 50)
        assert Purchase.objects.count() == 1
        assert KeyDay.objects.get().points == 50
        assert till.post("/pos/orders", orders[0], key="c").json()["already_processed"] is True
        assert KeyDay.objects.get().points == 50
        revoke_key(key_id=till.key.pk, reason="the end", by=STAFF, at=AT)
        assert till.post("/pos/orders", orders[0], key="d").status_code == 401
