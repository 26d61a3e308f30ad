"""The member list and the member page."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from members import timeline
from members.actors import SYSTEM, Actor
from members.admin.timeline import tell, told_kinds
from members.models import Member, MemberPerson, TimelineEntry
from rewards.services.purchases import record_purchase
from tests.factories.histories import a_small_history
from tests.factories.orders import an_order
from tests.factories.portal import a_named_member, an_operator, signed_in

HEAD_QUERIES = 16
TAB_QUERIES = {"timeline": 9, "points": 9, "tier": 10, "vouchers": 8, "orders": 12}
LIST = "admin:members_member_changelist"


def page_of(member: Member, tab: str = "") -> str:
    return reverse("admin:members_member_change", args=[member.pk]) + (f"?tab={tab}" if tab else "")


def tab_of(member: Member, key: str) -> str:
    return reverse("admin:members_member_tab", args=[member.pk, key])


def numbers_in(client: Client, query: str) -> list[str]:
    """Return the member numbers that a search finds."""
    answer = client.get(reverse(LIST), {"q": query})
    assert answer.status_code == 200
    return re.findall(r'class="field-member_no[^"]*"><a[^>]*>(\d+)</a>', answer.text)


@pytest.mark.django_db
class TestTheMemberList:
    @pytest.mark.parametrize(
        "typed",
        [
            "13812345678",
            "138 1234 5678",
            "+86 138-1234-5678",
            "1381",
            "张三",
            "张三丰",
            "zhangsan",
            "zsf",
            "ZhangSanFeng",
        ],
    )
    def test_finds_a_member_by_whatever_the_caller_gives(self, typed: str) -> None:
        wanted = a_named_member("张三丰", "13812345678")
        a_named_member("李四", "15900001111")
        assert numbers_in(signed_in("service"), typed) == [wanted.member_no]

    def test_finds_a_member_by_the_number_on_the_card(self) -> None:
        wanted, _other = a_named_member(), a_named_member()
        assert numbers_in(signed_in("service"), wanted.member_no) == [wanted.member_no]

    def test_does_not_search_for_fewer_than_four_digits(self) -> None:
        a_named_member("张三丰", "13812345678")
        client = signed_in("service")
        assert numbers_in(client, "138") == []
        assert "at least four digits" in client.get(reverse(LIST), {"q": "138"}).text

    def test_masks_names_and_phones_for_everybody(self) -> None:
        a_named_member("张三丰", "13812345678")
        text = signed_in(superuser=True).get(reverse(LIST)).text
        assert "张*丰" in text
        assert "138****5678" in text
        assert "张三丰" not in text
        assert "13812345678" not in text

    def test_filters_by_tier_counting_members_without_a_standing_as_the_lowest(self) -> None:
        member = a_named_member()
        client = signed_in("service")
        assert member.member_no in client.get(reverse(LIST), {"tier": "member"}).text
        assert member.member_no not in client.get(reverse(LIST), {"tier": "gold"}).text

    def test_filters_by_the_day_of_joining_in_the_programmes_zone(self) -> None:
        member = a_named_member()
        day = timezone.localtime(member.joined_at).date().isoformat()
        client = signed_in("service")
        assert member.member_no in client.get(reverse(LIST), {"joined_at_from": day, "joined_at_to": day}).text
        assert member.member_no not in client.get(reverse(LIST), {"joined_at_to": "2001-01-01"}).text


@pytest.mark.django_db
class TestTheSearchBox:
    """Control 29: what a caller is looked up by stands in no address."""

    @pytest.mark.parametrize("typed", ["13812345678", "+86 138-1234-5678", "zhang@example.com", "ZHANG@Example.com"])
    def test_leads_from_a_phone_or_an_e_mail_address_to_the_members_number(self, typed: str) -> None:
        wanted = a_named_member("张三丰", "13812345678", email="zhang@example.com")
        a_named_member("李四", "15900001111")
        client = signed_in("service")
        answer = client.post(reverse(LIST), {"q": typed, "status__exact": "active"})
        where = answer.headers["Location"]
        assert where == f"{reverse(LIST)}?status__exact=active&q={wanted.member_no}"
        assert numbers_in(client, wanted.member_no) == [wanted.member_no]

    @pytest.mark.parametrize("typed", ["13812345678", "nobody@example.com", "138 1234 567"])
    def test_hides_a_phone_or_an_address_that_is_nobodys(self, typed: str) -> None:
        a_named_member("张三丰", "13912345678")
        client = signed_in("service")
        where = client.post(reverse(LIST), {"q": typed}).headers["Location"]
        assert where == f"{reverse(LIST)}?q=****{typed[-2:]}".replace("*", "%2A")
        assert numbers_in(client, f"****{typed[-2:]}") == []

    @pytest.mark.parametrize("typed", ["张三", "zsf", "1381"])
    def test_leaves_the_beginning_of_a_name_or_a_number_as_it_is(self, typed: str) -> None:
        wanted = a_named_member("张三丰", "13812345678")
        answer = signed_in("service").post(reverse(LIST), {"q": typed}, follow=True)
        assert wanted.member_no in answer.text

    def test_of_what_happened_to_members_does_the_same(self) -> None:
        member = a_named_member("张三丰", "13812345678")
        for number in ("13812345678", "O-1"):
            order = an_order(member, "60.00", number=number, ordered_at=timezone.now() - timedelta(hours=1))
            record_purchase(order=order, by=SYSTEM, at=timezone.now())
        client = signed_in("service")
        entries, orders = reverse("admin:rewards_ledgerentry_changelist"), reverse("admin:rewards_purchase_changelist")
        assert client.post(entries, {"q": "13812345678"}).headers["Location"] == f"{entries}?q={member.member_no}"
        # An order may have such a number itself.
        assert client.post(orders, {"q": "13812345678"}).headers["Location"] == f"{orders}?q=13812345678"

    def test_is_emptied(self) -> None:
        assert signed_in("service").post(reverse(LIST), {"q": " "}).headers["Location"] == reverse(LIST)

    def test_looks_nobody_up_for_those_who_may_not_see_members(self) -> None:
        a_named_member("张三丰", "13812345678")
        assert signed_in().post(reverse(LIST), {"q": "13812345678"}).status_code == 403

    def test_is_posted_wherever_there_is_one(self) -> None:
        client = signed_in(superuser=True)
        for where in (reverse(LIST), reverse("admin:rewards_ledgerentry_changelist"), reverse("admin:index")):
            text = client.get(where).text
            box = re.search(r'<form(?P<form>[^>]*)>(?:(?!</form>).)*name="q"', text, re.DOTALL)
            assert box is not None, where
            assert 'method="post"' in box["form"], where
            assert "csrfmiddlewaretoken" in box[0], where


@pytest.mark.django_db
class TestTheMemberPage:
    def test_shows_tier_and_points_in_its_head(self) -> None:
        member, _redeemed = a_small_history()
        text = signed_in("service").get(page_of(member)).text
        assert "more to Silver" in text
        assert "Arrears" not in text
        assert re.search(r"Available</dt>", text)

    @pytest.mark.parametrize("key", TAB_QUERIES)
    def test_loads_each_tab_by_itself_within_its_budget(self, key: str) -> None:
        member, _redeemed = a_small_history()
        client = signed_in("service")
        client.get(tab_of(member, key), headers={"hx-request": "true"})
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(tab_of(member, key), headers={"hx-request": "true"})
        assert answer.status_code == 200
        assert "<html" not in answer.text
        # Sign-in and rights take four queries of their own.
        assert len(captured) <= TAB_QUERIES[key] + 4, "\n".join(query["sql"] for query in captured)

    def test_opens_within_its_budget(self) -> None:
        member, _redeemed = a_small_history()
        client = signed_in("service")
        client.get(page_of(member))
        with CaptureQueriesContext(connection) as captured:
            client.get(page_of(member))
        assert len(captured) <= HEAD_QUERIES + TAB_QUERIES["timeline"], "\n".join(query["sql"] for query in captured)

    def test_leads_to_the_whole_page_when_a_tab_is_opened_alone(self) -> None:
        member = a_named_member()
        answer = signed_in("service").get(tab_of(member, "points"))
        assert answer.status_code == 302
        assert answer.headers["Location"] == page_of(member, "points")

    def test_explains_a_posting_and_shows_orders_with_lines_and_returns(self) -> None:
        member, redeemed = a_small_history()
        client = signed_in("service")
        assert "Why?" in client.get(page_of(member, "points")).text
        orders = client.get(page_of(member, "orders")).text
        assert "Latte" in orders
        assert "points taken back" in orders
        vouchers = client.get(page_of(member, "vouchers")).text
        assert "5 off for 100 points" in vouchers
        assert redeemed.code not in vouchers

    def test_pages_through_a_long_timeline_without_losing_or_repeating_an_entry(self) -> None:
        member = a_named_member()
        at = timezone.now()
        timeline.record(
            [
                timeline.NewEntry("rewards.points_released.v1", member.pk, at, SYSTEM, {"points": 1000 + number})
                for number in range(60)
            ]
        )
        client = signed_in("service")
        seen: list[str] = []
        where = tab_of(member, "timeline")
        for _page in range(3):
            text = client.get(where, headers={"hx-request": "true"}).text
            seen += re.findall(r"1,0\d\d points became available", text)
            older = re.search(r'hx-get="([^"]*\?cursor=[^"]*)"', text)
            where = older.group(1).replace("&amp;", "&") if older else ""
            if not where:
                break
        assert len(seen) == len(set(seen)) == 60

    def test_does_not_offer_tabs_that_a_role_may_not_open(self) -> None:
        member = a_named_member()
        client = signed_in("store")
        assert "?tab=points" not in client.get(page_of(member)).text
        assert client.get(tab_of(member, "points"), headers={"hx-request": "true"}).status_code == 404


@pytest.mark.django_db
class TestPersonalData:
    def test_is_shown_on_request_and_the_look_is_written_down(self) -> None:
        member = a_named_member("张三丰", "13812345678")
        client = signed_in("service")
        assert "张三丰" not in client.get(page_of(member)).text
        answer = client.post(reverse("admin:members_member_person", args=[member.pk]))
        assert "张三丰" in answer.text
        assert "138 1234 5678" in answer.text
        assert "no-store" in answer.headers["Cache-Control"]
        look = TimelineEntry.objects.get(member=member, kind="members.personal_data_viewed.v1")
        assert look.actor_kind == "operator"
        assert look.actor_id == int(client.session["_auth_user_id"])
        assert "Looked at the personal data." in client.get(page_of(member)).text

    def test_is_not_shown_by_following_a_link(self) -> None:
        member = a_named_member()
        assert signed_in("service").get(reverse("admin:members_member_person", args=[member.pk])).status_code == 405
        assert not TimelineEntry.objects.filter(kind="members.personal_data_viewed.v1").exists()

    @pytest.mark.parametrize("role", ["marketing", "finance", "store", "analyst"])
    def test_stays_hidden_from_roles_that_need_it_not(self, role: str) -> None:
        member = a_named_member()
        client = signed_in(role)
        assert client.post(reverse("admin:members_member_person", args=[member.pk])).status_code == 403
        assert client.get(reverse("admin:members_member_edit", args=[member.pk])).status_code == 403
        assert not TimelineEntry.objects.filter(kind="members.personal_data_viewed.v1").exists()


@pytest.mark.django_db
class TestChangingAMember:
    def test_changes_the_profile_and_says_on_the_timeline_which_fields(self) -> None:
        member = a_named_member("张三丰", "13812345678")
        answer = signed_in("service").post(
            reverse("admin:members_member_edit", args=[member.pk]),
            {
                "full_name": "张小丰",
                "phone": "139 1234 5678",  # passed over: a number is changed with a code and a proof
                "email": "zhang@example.com",
                "birthday": "",
                "home_store": "",
                "language": "zh-hans",
            },
            follow=True,
        )
        member.person.refresh_from_db()
        assert (member.person.full_name, member.person.phone) == ("张小丰", "+8613812345678")
        assert "The profile was changed: e-mail, name." in answer.text

    def test_leads_to_the_two_steps_for_another_phone_number_and_takes_a_first_one(self) -> None:
        member, newcomer = a_named_member(phone="13812345678"), a_named_member("李四")
        MemberPerson.objects.filter(pk=newcomer.pk).update(phone=None)
        client = signed_in("service")
        page = client.get(reverse("admin:members_member_edit", args=[member.pk])).text
        assert reverse("admin:members_member_phone", args=[member.pk]) in page
        assert "13812345678" not in page.replace(" ", "")
        first = {"full_name": "李四", "language": "zh-hans"}
        address = reverse("admin:members_member_edit", args=[newcomer.pk])
        assert "Another member has this phone number." in client.post(address, first | {"phone": "13812345678"}).text
        assert client.post(address, first | {"phone": "15900001111"}).status_code == 302
        newcomer.person.refresh_from_db()
        assert newcomer.person.phone == "+8615900001111"

    def test_freezes_with_a_reason_and_takes_it_back(self) -> None:
        member = a_named_member()
        client = signed_in("service")
        freeze = reverse("admin:members_member_standing", args=[member.pk, "freeze"])
        last_day = timezone.localdate() + timedelta(days=9)
        asked = {"_form_submitted": "True", "acts": ["spend"], "last_day": last_day.isoformat()}
        assert "Freeze this member?" in client.get(freeze).text
        client.post(freeze, asked | {"reason": ""})
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE  # a reason is needed
        answer = client.post(freeze, asked | {"reason": "too many returns"})
        assert answer.headers["HX-Redirect"] == page_of(member)
        member.refresh_from_db()
        assert member.status == Member.Status.FROZEN
        assert member.frozen_but_earns
        assert not member.frozen_but_spends
        text = client.get(page_of(member)).text
        assert re.search(r"Frozen until .* \(spend points and vouchers\): too many returns", text)
        assert re.search(r"Can not spend points and vouchers until the end of .*: too many returns", text)
        client.post(
            reverse("admin:members_member_standing", args=[member.pk, "unfreeze"]),
            {"_form_submitted": "True", "reason": "explained"},
        )
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE

    def test_is_refused_to_roles_without_the_right(self) -> None:
        member = a_named_member()
        freeze = reverse("admin:members_member_standing", args=[member.pk, "freeze"])
        assert signed_in("marketing").post(freeze, {"_form_submitted": "True", "reason": "no"}).status_code == 403
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE


@pytest.mark.django_db
class TestTheTimelineInWords:
    def test_has_a_sentence_for_every_kind_that_a_member_can_have(self) -> None:
        a_small_history()
        recorded = set(TimelineEntry.objects.exclude(member=None).values_list("kind", flat=True))
        assert len(recorded) > 3
        assert recorded - told_kinds() == set()
        assert told_kinds() >= {
            "members.enrolled.v1", "members.profile_changed.v1", "members.frozen.v1", "members.unfrozen.v1",
            "members.personal_data_viewed.v1", "loyalty.tier_raised.v1", "loyalty.tier_kept.v1", "loyalty.tier_lowered.v1",
            "loyalty.tier_rise_undone.v1", "rewards.purchase_recorded.v1", "rewards.return_recorded.v1",
            "rewards.points_released.v1", "rewards.points_expired.v1", "rewards.reward_redeemed.v1", "rewards.voucher_used.v1",
            "rewards.voucher_expired.v1", "campaigns.message_sent.v1",
        }  # fmt: skip

    def test_names_who_did_it(self) -> None:
        member, operator = a_named_member(), an_operator("service")
        timeline.record(
            [
                timeline.NewEntry(
                    "members.frozen.v1", member.pk, timezone.now(), Actor("operator", operator.pk), {"reason": "x"}
                )
            ]
        )
        with translation.override("en"):
            told = tell(list(TimelineEntry.objects.filter(member=member, kind="members.frozen.v1")))
        assert [(entry.sentence, entry.by) for entry in told] == [("Frozen: x", str(operator))]

    def test_takes_one_query_for_each_sort_of_thing_however_many_entries_there_are(self) -> None:
        member, _redeemed = a_small_history()
        entries = list(TimelineEntry.objects.filter(member=member))
        assert len(entries) >= 6
        tell(entries)
        with CaptureQueriesContext(connection) as few:
            tell(entries[:3])
        with CaptureQueriesContext(connection) as many:
            tell(entries * 5)
        assert len(many) <= 5
        assert len(few) <= len(many)
