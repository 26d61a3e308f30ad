"""Pages of keys and tills: activate, bound, rotate, revoke; each with a reason."""

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import ApiKey, KeyUse, TillActivation
from members.services.devices import activate_till
from members.services.keys import SCOPES, authenticate_key, rotate_key, signing_secret
from tests.factories.api import Till, make_store, make_till, now
from tests.factories.portal import signed_in
from tests.members.test_devices import STAFF

ACCEPT = {"_form_submitted": "True"}
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    return signed_in(superuser=True)


@pytest.fixture
def till() -> Till:
    return make_till()


def page(name: str, pk: int) -> str:
    return reverse(f"admin:members_{name}", args=[pk])


def live(secret: str, days: float = 0) -> ApiKey | None:
    return authenticate_key(secret=secret, at=now() + timedelta(days=days))


class TestAStore:
    def test_shows_its_tills(self, staff: Client, till: Till, django_assert_max_num_queries: object) -> None:
        KeyUse.objects.create(key=till.key, last_used_at=timezone.now())
        shared = make_till(make_store("S02"))
        shared.key.stores.add(till.key.store)
        revoked = make_till(source="gone")
        ApiKey.objects.filter(pk=revoked.key.pk).update(revoked_at=timezone.now(), name="Gone till")
        with django_assert_max_num_queries(16):  # type: ignore[operator]
            shown = staff.get(page("store_change", till.key.store_id)).text
        assert "Till of S01" in shown
        assert "Till of S02" in shown
        assert "acts for several stores" in shown
        assert "record purchases and returns" in shown
        assert "Gone till" not in shown

    def test_activates_a_till_with_a_code_that_is_shown_once(self, staff: Client) -> None:
        store = make_store()
        make_till(store)  # so that there is a channel
        address = page("store_activate_till", store.pk)
        form = staff.get(address)
        assert "no-store" in form.headers["Cache-Control"]
        wanted = {
            "name": "Till 9", "channel": make_till(store).key.channel_id, "source": "till", "scopes": ["orders.read"],
            "daily_points_ceiling": "5000", "reason": "a second counter",
        }  # fmt: skip
        assert "This field is required" in staff.post(address, {**wanted, "reason": ""}).text
        assert not TillActivation.objects.exists()
        shown = staff.post(address, wanted)
        assert "<svg" in shown.text
        assert "no-store" in shown.headers["Cache-Control"]
        code = re.search(r'id="activation-code">([^<]+)<', shown.text)
        assert code
        issued = activate_till(code=code.group(1), device="Sunmi T2", address="x", at=timezone.now())
        assert (issued.key.name, issued.key.daily_points_ceiling) == ("Till 9", 5000)
        listed = staff.get(page("store_change", store.pk)).text
        assert "Sunmi T2" in listed
        assert "5,000" in listed

    def test_is_not_for_roles_without_the_right(self) -> None:
        store = make_store()
        for role in ("marketing", "analyst", "service"):
            assert signed_in(role).post(page("store_activate_till", store.pk), {"reason": "x"}).status_code == 403
        assert not TillActivation.objects.exists()


class TestAKey:
    def test_gets_a_successor_that_is_shown_once(self, staff: Client, till: Till) -> None:
        address = page("apikey_rotate", till.key.pk)
        assert 'value="7"' in staff.get(address).text
        assert not ApiKey.objects.filter(replaces=till.key).exists()
        shown = staff.post(address, {"overlap_days": "3", "reason": "every year"})
        secret = re.search(r'id="till-key">([^<]+)<', shown.text)
        assert secret
        assert "no-store" in shown.headers["Cache-Control"]
        assert live(secret.group(1), 4)
        assert live(till.secret, 2)
        assert live(till.secret, 4) is None
        old = staff.get(page("apikey_change", till.key.pk)).text
        assert "ends soon" in old
        assert "Another key takes its place" in old
        assert "every year" in old
        refused = staff.post(address, {"overlap_days": "3", "reason": "again"}).text
        assert "Another key takes the place of this one already" in html.unescape(refused)

    def test_gets_bounds(self, staff: Client, till: Till) -> None:
        address, other = page("apikey_bounds", till.key.pk), make_store("S02")
        wanted = {**ACCEPT, "stores": [other.pk], "networks": "10.20.0.0/16\n203.0.113.7", "daily_points_ceiling": "900",
                  "last_day": "2030-01-31", "reason": "a server"}  # fmt: skip
        assert "is no network" in staff.post(address, {**wanted, "networks": "everywhere"}).text
        staff.post(address, wanted)
        key = live(till.secret)
        assert key is not None
        assert key.networks == ["10.20.0.0/16", "203.0.113.7/32"]
        assert (key.daily_points_ceiling, list(key.stores.all())) == (900, [other])
        assert key.ends_at is not None
        assert key.ends_at.isoformat() == "2030-01-31T16:00:00+00:00"  # midnight in Shanghai
        shown = staff.get(address).text
        assert 'value="2030-01-31"' in shown
        assert "10.20.0.0/16\n203.0.113.7/32" in shown
        assert "900 points a day at most" in staff.get(page("apikey_change", key.pk)).text

    def test_gets_another_secret_to_sign_with(self, staff: Client, till: Till) -> None:
        shown = staff.post(page("apikey_rotate_signing", till.key.pk), {"overlap_days": "7", "reason": "leaked"})
        key = ApiKey.objects.get(pk=till.key.pk)
        assert key.signing_version == 2
        assert signing_secret(key) in html.unescape(shown.text)
        assert signing_secret(till.key) not in html.unescape(shown.text)

    def test_that_ended_offers_nothing(self, staff: Client, till: Till) -> None:
        rotate_key(key_id=till.key.pk, overlap_days=0, reason="x", by=STAFF, at=now())
        shown = staff.get(page("apikey_change", till.key.pk)).text
        assert page("apikey_rotate", till.key.pk) not in shown
        assert "ended" in shown

    def test_list_asks_few_questions(self, staff: Client, django_assert_max_num_queries: object) -> None:
        for _n in range(5):
            make_till()
        with django_assert_max_num_queries(13):  # type: ignore[operator]
            shown = staff.get(reverse("admin:members_apikey_changelist")).text
        assert f"find members, see its own orders, record purchases and returns and {len(SCOPES) - 3} more" in shown
        assert "not used yet" in shown
