"""Pages of settings: till keys, operators, the programme, parked entries."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from members import timeline
from members.actors import SYSTEM
from members.models import ApiKey, Operator, ParkedEntry, Programme, Subscription
from members.queries import forget_programme, programme
from members.services.keys import BENEFITS_USE, ORDERS_WRITE, PLANS_CONFIRM, authenticate_key
from tests.factories.people import a_channel, a_store
from tests.factories.portal import PASSWORD, an_operator, signed_in

ACCEPT = {"_form_submitted": "True"}


@pytest.mark.django_db
class TestTillKeys:
    def issue(self) -> tuple[ApiKey, str]:
        """Issue a key on the page; return it and the secret that the answer shows."""
        form = {
            "name": "Till 1", "store": a_store().pk, "channel": a_channel().pk, "source": "till-1", "scopes": [ORDERS_WRITE],
        }  # fmt: skip
        self.client = signed_in("administrator")
        answer = self.client.post(reverse("admin:members_apikey_add"), form)
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
        shown = re.search(r'id="till-key">([^<]+)<', answer.text)
        assert shown
        return ApiKey.objects.get(name="Till 1"), shown.group(1)

    def test_show_their_secret_once(self) -> None:
        key, secret = self.issue()
        assert authenticate_key(secret=secret, at=timezone.now()) == key
        for where in (
            reverse("admin:members_apikey_changelist"),
            reverse("admin:members_apikey_change", args=[key.pk]),
        ):
            assert secret not in self.client.get(where).text

    def test_are_revoked_with_a_reason_and_then_open_nothing(self) -> None:
        key, secret = self.issue()
        revoke = reverse("admin:members_apikey_revoke", args=[key.pk])
        assert "Revoke this till key?" in self.client.get(revoke).text
        assert authenticate_key(secret=secret, at=timezone.now()) == key  # asking alone changes nothing
        self.client.post(revoke, {**ACCEPT, "reason": "the till was stolen"})
        assert authenticate_key(secret=secret, at=timezone.now()) is None

    def test_may_do_more_later(self) -> None:
        key, secret = self.issue()
        dialog = reverse("admin:members_apikey_scopes", args=[key.pk])
        shown = self.client.get(dialog).text
        assert re.search(rf'value="{ORDERS_WRITE}"[^>]*checked', shown)
        assert PLANS_CONFIRM not in shown
        wanted = {**ACCEPT, "scopes": [ORDERS_WRITE, BENEFITS_USE], "reason": "the till lets members use benefits"}
        assert signed_in("store").post(dialog, wanted).status_code == 403
        self.client.post(dialog, {**wanted, "scopes": []})
        key.refresh_from_db()
        assert key.scopes == [ORDERS_WRITE]
        self.client.post(dialog, wanted)
        key.refresh_from_db()
        assert key.scopes == [ORDERS_WRITE, BENEFITS_USE]
        assert authenticate_key(secret=secret, at=timezone.now()) == key

    def test_may_let_members_use_benefits_unless_told_otherwise(self) -> None:
        page = signed_in("administrator").get(reverse("admin:members_apikey_add")).text
        assert re.search(rf'value="{BENEFITS_USE}"[^>]*checked', page)

    def test_are_not_issued_by_roles_without_the_right(self) -> None:
        assert signed_in("store").post(reverse("admin:members_apikey_add"), {"name": "Till 1"}).status_code == 403
        assert not ApiKey.objects.exists()


@pytest.mark.django_db
class TestOperators:
    def test_are_added_with_roles_and_never_show_a_hash(self) -> None:
        client = signed_in("administrator")
        groups = [group.pk for group in an_operator("marketing").groups.all()]
        form = {
            "username": "mei",
            "display_name": "小梅",
            "groups": groups,
            "password1": PASSWORD,
            "password2": PASSWORD,
        }
        client.post(reverse("admin:members_operator_add"), form)
        operator = Operator.objects.get(username="mei")
        assert operator.is_staff
        assert operator.has_perm("campaigns.change_promotion")
        text = client.get(reverse("admin:members_operator_change", args=[operator.pk])).text
        assert operator.password not in text
        assert "md5$" not in text

    def test_do_not_take_the_rights_of_a_superuser(self) -> None:
        superuser = an_operator(superuser=True)
        client = signed_in("administrator")
        password = reverse("admin:auth_user_password_change", args=[superuser.pk])
        assert client.post(password, {"password1": "another-one-1", "password2": "another-one-1"}).status_code == 403
        change = reverse("admin:members_operator_change", args=[superuser.pk])
        assert client.post(change, {"username": "mine"}).status_code == 403
        superuser.refresh_from_db()
        assert superuser.check_password(PASSWORD)

    def test_can_not_make_themselves_superusers(self) -> None:
        client = signed_in("administrator")
        operator = an_operator("service")
        form = {"username": operator.username, "is_active": "on", "is_superuser": "on", "user_permissions": ["1"]}
        client.post(reverse("admin:members_operator_change", args=[operator.pk]), form)
        operator.refresh_from_db()
        assert not operator.is_superuser
        assert not operator.user_permissions.exists()


@pytest.mark.django_db
class TestTheProgramme:
    def test_is_changed_in_three_languages_and_read_anew_at_once(self) -> None:
        client = signed_in("administrator")
        names = {f"name_{tag}": f"Club {tag}" for tag in ("zh_hans", "zh_hant", "en")}
        points = {f"points_name_{tag}": "stars" for tag in ("zh_hans", "zh_hant", "en")}
        programme()
        client.post(
            reverse("admin:members_programme_change", args=[1]),
            {**names, **points, "zone": "Asia/Taipei", "currency": "TWD", "closing_days": "7"},
        )
        assert (programme().zone, str(programme())) == ("Asia/Taipei", "Club en")
        forget_programme()

    def test_refuses_a_zone_that_does_not_exist(self) -> None:
        client = signed_in("administrator")
        answer = client.post(
            reverse("admin:members_programme_change", args=[1]), {"zone": "Asia/Nowhere", "currency": "CNY"}
        )
        assert "is no time zone" in answer.text
        assert Programme.objects.get().zone == "Asia/Shanghai"


@pytest.mark.django_db
class TestParkedEntries:
    def test_are_replayed_by_post_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        subscriber = timeline.Subscriber(
            "tests", lambda entries: seen.extend(entry.pk for entry in entries), frozenset(), 1
        )
        monkeypatch.setitem(timeline._subscribers, "tests", subscriber)
        (entry,) = timeline.record([timeline.NewEntry("members.enrolled.v1", None, timezone.now(), SYSTEM)])
        parked = ParkedEntry.objects.create(
            subscription=Subscription.objects.create(name="tests"),
            entry_id=entry,
            error="ValueError: once",
            parked_at=timezone.now(),
        )
        client = signed_in("administrator")
        replay = reverse("admin:members_parkedentry_replay_entry", args=[parked.pk])
        client.get(replay)
        assert seen == []
        client.post(replay, ACCEPT)
        assert seen == [entry]
        parked.refresh_from_db()
        assert parked.replayed_at is not None

    def test_that_fail_again_say_why_and_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(entries: object) -> None:
            raise ValueError("still broken")

        monkeypatch.setitem(timeline._subscribers, "tests", timeline.Subscriber("tests", fail, frozenset(), 1))
        parked = ParkedEntry.objects.create(
            subscription=Subscription.objects.create(name="tests"),
            entry_id=1,
            error="ValueError: once",
            parked_at=timezone.now(),
        )
        client = signed_in("administrator")
        client.post(reverse("admin:members_parkedentry_replay_entry", args=[parked.pk]), ACCEPT)
        assert "still broken" in client.get(reverse("admin:members_parkedentry_changelist")).text
        parked.refresh_from_db()
        assert parked.replayed_at is None
