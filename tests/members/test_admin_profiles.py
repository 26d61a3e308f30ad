"""Pages about who a member is: enrolling, two people at one form, leaving, cards, details that staff define."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from members.actors import SYSTEM, Actor
from members.models import (
    AttributeValue,
    Card,
    CardBatch,
    Closure,
    Identity,
    Member,
    MemberPerson,
    Region,
    TimelineEntry,
)
from members.services.cards import make_batch
from members.services.profile import ProfileChange, change_profile
from tests.factories.portal import a_named_member, an_operator, signed_in
from tests.harness.forms import form_on
from tests.members.test_profiles import an_attribute

pytestmark = pytest.mark.django_db
SUBMITTED = {"_form_submitted": "True"}


def page_of(member: Member, tab: str = "") -> str:
    return reverse("admin:members_member_change", args=[member.pk]) + (f"?tab={tab}" if tab else "")


def edit_of(member: Member) -> str:
    return reverse("admin:members_member_edit", args=[member.pk])


def dialog(member: Member, name: str, wish: str) -> str:
    return reverse(f"admin:members_member_{name}", args=[member.pk, wish])


def opened(client: Client, member: Member) -> dict[str, Any]:
    """Open the form of the profile; return what it would send."""
    return form_on(client.get(edit_of(member)).text, "full_name")


class TestTwoAtOneForm:
    def test_the_second_gets_both_values_beside_each_other_and_loses_nothing(self) -> None:
        member = a_named_member("张三", "13812345678")
        first, second = signed_in("service"), signed_in("service")
        mine, theirs = opened(first, member), opened(second, member)
        second.post(edit_of(member), theirs | {"full_name": "李四", "email": "li@example.com"})
        answer = first.post(edit_of(member), mine | {"full_name": "王五"})
        assert answer.status_code == 409
        assert "Somebody else has changed this meanwhile" in answer.text
        assert "Staff" in answer.text  # who saved
        assert answer.text.count("data-differs") == 2
        assert "李四" in answer.text
        assert "王五" in answer.text
        assert MemberPerson.objects.get(pk=member.pk).full_name == "李四"

        chosen = form_on(answer.text, "full_name")
        assert chosen["full_name"] == ["王五"]  # one's own is chosen to begin with
        assert chosen["email"] == ["li@example.com"]  # not touched by the first: what is saved is chosen
        saved = first.post(edit_of(member), chosen, follow=True)
        assert "The profile was changed: name." in saved.text
        person = MemberPerson.objects.get(pk=member.pk)
        assert (person.full_name, person.email, person.phone) == ("王五", "li@example.com", "+8613812345678")

    def test_a_third_change_in_between_is_another_conflict(self) -> None:
        member = a_named_member("张三", "13812345678")
        client = signed_in("service")
        mine = opened(client, member)
        for name in ("李四", "王五"):
            change_profile(member_id=member.pk, change=ProfileChange(full_name=name), by=SYSTEM, at=timezone.now())
            answer = client.post(edit_of(member), mine | {"full_name": "赵六"})
            assert answer.status_code == 409
            mine = form_on(answer.text, "full_name")
        answer = client.post(edit_of(member), mine)
        assert answer.status_code == 302
        assert MemberPerson.objects.get(pk=member.pk).full_name == "赵六"

    def test_answers_out_of_a_list_survive_the_choice(self) -> None:
        an_attribute("choices", code="drinks")
        member = a_named_member("张三", "13812345678")
        client = signed_in("service")
        mine = opened(client, member)
        staff = Actor("operator", an_operator().pk)
        change_profile(member_id=member.pk, change=ProfileChange(full_name="李四"), by=staff, at=timezone.now())
        answer = client.post(edit_of(member), mine | {"detail_drinks": ["tea", "water"]})
        assert answer.status_code == 409
        chosen = form_on(answer.text, "full_name") | {"full_name": "李四"}
        assert chosen["detail_drinks"] == ["tea,water"]
        client.post(edit_of(member), chosen)
        assert AttributeValue.objects.get().codes == ["tea", "water"]

    def test_saving_what_nobody_else_touched_goes_through(self) -> None:
        member = a_named_member("张三", "13812345678")
        client = signed_in("service")
        answer = client.post(edit_of(member), opened(client, member) | {"full_name": "王五"})
        assert answer.status_code == 302
        member.refresh_from_db()
        assert member.profile_version == 2


class TestDetailsInTheForm:
    def test_each_type_is_kept_and_shown(self) -> None:
        for kind in ("text", "number", "date", "yes_no", "choice", "choices"):
            an_attribute(kind, code=kind, unit="cm" if kind == "number" else "")
        member = a_named_member("张三", "13812345678")
        client = signed_in("service")
        told = {
            "detail_text": "teacher", "detail_number": "180.5", "detail_date": "2020-02-29", "detail_yes_no": "no",
            "detail_choice": "tea", "detail_choices": ["water", "tea"],
        }  # fmt: skip
        assert client.post(edit_of(member), opened(client, member) | told).status_code == 302
        text = client.get(page_of(member, "profile")).text
        for words in ("teacher", "180.5 cm", "2020-02-29", "no", "Tea", "Tea, Water"):
            assert words in text
        again = opened(client, member)
        assert {name: again[name] for name in told} == {
            "detail_text": ["teacher"], "detail_number": ["180.50"], "detail_date": ["2020-02-29"], "detail_yes_no": ["no"],
            "detail_choice": ["tea"], "detail_choices": ["tea", "water"],
        }  # fmt: skip
        assert client.post(edit_of(member), again).status_code == 302
        member.refresh_from_db()
        assert member.profile_version == 2  # the same again is no change

    def test_sensitive_ones_are_for_those_who_may_and_need_agreement(self) -> None:
        an_attribute("text", code="health", sensitivity="sensitive")
        member = a_named_member("张三", "13812345678")
        assert "detail_health" not in opened(signed_in("service"), member)
        client = signed_in(superuser=True)
        form = opened(client, member) | {"detail_health": "allergic"}
        assert "is sensitive" in client.post(edit_of(member), form).text
        assert not AttributeValue.objects.exists()
        client.post(edit_of(member), form | {"agreed": "on"})
        assert AttributeValue.objects.get().text == "allergic"
        text = client.get(page_of(member, "profile")).text
        assert "allergic" not in text
        assert "kept, shown in the form" in text

    def test_staff_without_the_right_do_not_correct_a_birthday_twice(self) -> None:
        member = a_named_member("张三", "13812345678", birthday=date(1990, 5, 1))
        client = signed_in("service")
        client.post(edit_of(member), opened(client, member) | {"birthday": "1990-05-02"})
        refused = client.post(edit_of(member), opened(client, member) | {"birthday": "1990-05-03"})
        assert "The birthday was changed on" in refused.text
        boss = signed_in(superuser=True)
        assert boss.post(edit_of(member), opened(boss, member) | {"birthday": "1990-05-03"}).status_code == 302
        assert MemberPerson.objects.get(pk=member.pk).birthday == date(1990, 5, 3)


class TestEnrolling:
    where = "admin:members_member_add"

    def sent(self, client: Client, **wanted: Any) -> Any:
        form = form_on(client.get(reverse(self.where)).text, "full_name")
        return client.post(reverse(self.where), form | wanted, follow=True)

    def test_makes_a_member_and_opens_the_page(self) -> None:
        inviter = a_named_member("李四", "13900001111")
        region = Region.objects.create(code="north", name="North")
        answer = self.sent(
            signed_in(superuser=True),
            full_name="张三丰",
            phone="138 1234 5678",
            inviter="13900001111",
            home_region=region.pk,
        )
        member = Member.objects.get(person__phone="+8613812345678")
        assert f"Member {member.member_no} has joined." in answer.text
        assert (member.inviter, member.home_region, member.channel.code) == (inviter, region, "staff")
        assert TimelineEntry.objects.get(member=member).actor_kind == "operator"

    def test_shows_who_has_the_phone_already(self) -> None:
        known = a_named_member("张三", "13812345678")
        answer = self.sent(signed_in(superuser=True), full_name="张三", phone="+86 138-1234-5678")
        assert "Another member has this phone number." in answer.text
        assert page_of(known) in answer.text
        assert Member.objects.count() == 1

    @pytest.mark.parametrize(
        ("wanted", "words"),
        [
            ({}, "Give a name, a phone number or an e-mail address."), ({"full_name": "x", "inviter": "1"}, "The member who invited is not known."),
            ({"full_name": "x", "birthday": "2100-01-01"}, "This can not be a birthday."), ({"phone": "12"}, "This is no valid phone number."),
        ],
    )  # fmt: skip
    def test_refuses_and_makes_nobody(self, wanted: dict[str, str], words: str) -> None:
        assert words in self.sent(signed_in(superuser=True), **wanted).text
        assert not Member.objects.exists()

    def test_is_for_those_who_may(self) -> None:
        assert signed_in("analyst").get(reverse(self.where)).status_code == 403
        assert signed_in("analyst").post(reverse(self.where), {"full_name": "x"}).status_code == 403
        assert not Member.objects.exists()


class TestLeaving:
    def test_is_noted_taken_back_and_shown(self) -> None:
        member = a_named_member()
        client = signed_in(superuser=True)
        assert "7 days to think it over" in client.get(dialog(member, "standing", "leave")).text
        client.post(dialog(member, "standing", "leave"), SUBMITTED | {"reason": "privacy", "note": "asked by phone"})
        text = client.get(page_of(member)).text
        assert "Worries about personal data" in text
        assert "Stays after all" in text
        client.post(dialog(member, "standing", "stay"), SUBMITTED)
        assert Closure.objects.get().state == Closure.State.TAKEN_BACK

    def test_closes_at_once_and_opens_again(self) -> None:
        member = a_named_member()
        client = signed_in(superuser=True)
        client.post(dialog(member, "standing", "leave"), SUBMITTED | {"reason": "other", "at_once": "on"})
        member.refresh_from_db()
        assert member.status == Member.Status.CLOSED
        assert "Open again" in client.get(page_of(member)).text
        assert "Another reason" in client.get(reverse("admin:members_closure_changelist")).text
        client.post(dialog(member, "standing", "reopen"), SUBMITTED | {"reason": "a mistake"})
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE

    def test_is_refused_to_roles_without_the_right(self) -> None:
        member = a_named_member()
        for wish in ("leave", "stay", "reopen"):
            answer = signed_in("analyst").post(dialog(member, "standing", wish), SUBMITTED | {"reason": "other"})
            assert answer.status_code == 403
        assert not Closure.objects.exists()


class TestFreezingPages:
    def test_refuses_a_day_that_is_over_or_too_far(self) -> None:
        member = a_named_member()
        client = signed_in("service")
        today = timezone.localdate()
        for day in (today - timedelta(days=1), today + timedelta(days=367)):
            form = SUBMITTED | {"acts": ["earn"], "last_day": day.isoformat(), "reason": "x"}
            assert (
                "Choose a day within the next 366 days." in client.post(dialog(member, "standing", "freeze"), form).text
            )
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE

    def test_show_what_the_member_will_read_before_anything_is_frozen(self) -> None:
        member = a_named_member()
        client = signed_in("service")
        where = dialog(member, "standing", "freeze")
        opened = client.get(where).text
        assert ": earn points, spend points and vouchers, sign in. Please ask the staff" in opened
        form = {
            "_form_submitted": "True",
            "acts": ["spend"],
            "last_day": timezone.localdate().isoformat(),
            "reason": "three returns in an hour",
            "is_preview": "1",
        }
        shown = client.post(where, form).text
        assert ": spend points and vouchers. Please ask the staff" in shown
        assert "three returns in an hour" not in shown.partition('id="freeze-words"')[2].partition("</div>")[0]
        assert 'id="freeze-words"' in client.post(where, form | {"acts": [], "last_day": "x"}).text
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE


class TestCardPages:
    def batch(self, client: Client) -> CardBatch:
        where = reverse("admin:members_cardbatch_add")
        form = {"name": "Spring", "prefix": "6688", "quantity": "20", "store": ""}
        assert "20 cards were made." in client.post(where, form, follow=True).text
        return CardBatch.objects.get()

    def test_a_batch_is_made_and_its_numbers_taken_for_the_printer(self) -> None:
        client = signed_in(superuser=True)
        batch = self.batch(client)
        answer = client.get(reverse("admin:members_cardbatch_numbers", args=[batch.pk]))
        lines = answer.content.decode().splitlines()
        assert lines[0] == "card number"
        assert lines[1:] == list(Card.objects.order_by("number").values_list("number", flat=True))
        assert signed_in("analyst").get(reverse("admin:members_cardbatch_numbers", args=[batch.pk])).status_code == 403

    def test_a_card_is_given_out_lost_and_replaced(self) -> None:
        client = signed_in(superuser=True)
        self.batch(client)
        old, new = Card.objects.order_by("number")[:2]
        member = a_named_member()
        answer = client.post(dialog(member, "cards", "bind"), SUBMITTED | {"number": old.number})
        assert answer.headers["HX-Redirect"] == page_of(member, "identities")
        assert old.number in client.get(page_of(member, "identities")).text
        assert old.number in client.get(dialog(member, "cards", "lost")).text  # filled in
        client.post(dialog(member, "cards", "lost"), SUBMITTED | {"number": old.number, "reason": "stolen"})
        form = SUBMITTED | {"number": old.number, "new_number": new.number, "reason": "stolen"}
        client.post(dialog(member, "cards", "replace"), form)
        text = client.get(page_of(member)).text
        assert f"Card {old.number} was lost: stolen" in text
        assert f"Card {old.number} was replaced by {new.number}: stolen" in text
        assert new.number in client.get(reverse("admin:members_card_changelist"), {"q": new.number}).text

    def test_refusals_are_said(self) -> None:
        client = signed_in(superuser=True)
        member = a_named_member()
        client.post(dialog(member, "cards", "bind"), SUBMITTED | {"number": "6688000000007"})
        assert "There is no such card." in client.get(page_of(member)).text

    def test_names_elsewhere_are_added_masked_and_forgotten(self) -> None:
        client = signed_in(superuser=True)
        member = a_named_member()
        form = {"kind": "wechat_openid", "issuer": "wx1", "value": "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"}
        client.post(dialog(member, "cards", "link"), SUBMITTED | form)
        text = client.get(page_of(member, "identities")).text
        assert "…XYZ0" in text
        assert "oABCDEF" not in text
        identity = Identity.objects.get()
        client.post(dialog(member, "cards", "unlink"), SUBMITTED | {"identity": identity.pk, "reason": "wrong"})
        assert not Identity.objects.exists()
        assert "Not known to another system any more" in client.get(page_of(member)).text

    def test_is_refused_to_roles_without_the_right(self) -> None:
        member = a_named_member()
        make_batch(name="x", prefix="6688", quantity=1, by=SYSTEM, at=timezone.now())
        number = Card.objects.get().number
        assert (
            signed_in("analyst").post(dialog(member, "cards", "bind"), SUBMITTED | {"number": number}).status_code
            == 403
        )
        assert Card.objects.get().member is None


class TestTheTabs:
    @pytest.mark.parametrize(("tab", "most"), [("profile", 11), ("identities", 7)])
    def test_load_within_their_budget(self, tab: str, most: int) -> None:
        for kind in ("text", "choice", "choices"):
            an_attribute(kind, code=kind)
        member = a_named_member()
        client = signed_in(superuser=True)
        where = reverse("admin:members_member_tab", args=[member.pk, tab])
        client.get(where, headers={"hx-request": "true"})
        with CaptureQueriesContext(connection) as captured:
            assert client.get(where, headers={"hx-request": "true"}).status_code == 200
        assert len(captured) <= most, "\n".join(query["sql"] for query in captured)


class TestRegionsAndDetailsPages:
    def test_a_region_is_not_offered_its_own_parts(self) -> None:
        north = Region.objects.create(code="north", name="North")
        Region.objects.create(code="beijing", name="Beijing", parent=north)
        south = Region.objects.create(code="south", name="South")
        text = signed_in(superuser=True).get(reverse("admin:members_region_change", args=[north.pk])).text
        assert f'<option value="{south.pk}"' in text
        assert "Beijing" not in text

    def test_code_and_type_of_a_detail_are_for_ever(self) -> None:
        attribute = an_attribute("choice")
        client = signed_in(superuser=True)
        where = reverse("admin:members_memberattribute_change", args=[attribute.pk])
        page = client.get(where).text
        assert 'name="kind"' not in page
        assert 'name="code"' not in page
        assert 'name="choices-0-name_en"' in page
