"""The find box: from whatever a caller gives to the member, exactly, masked, and no faster than a person asks."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.actors import SYSTEM
from members.models import Brand, Identity, Member, Operator, Store
from members.own_finders import MOST
from members.services.finding import (
    LOOKUPS_A_MINUTE,
    MOST_HITS,
    Finding,
    TextTooShort,
    TooManyLookups,
    find_members,
)
from rewards.models import Voucher
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from rewards.services.vouchers import voucher_code
from tests.factories.catalogue import a_reward
from tests.factories.orders import a_return, an_order
from tests.factories.portal import a_named_member, an_operator, signed_in

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 3, 0, 30, tzinfo=UTC)
FIND = "admin:members_member_find"


@pytest.fixture
def operator() -> Operator:
    return an_operator("service")


def found(text: str, operator: Operator, stores: frozenset[int] | None = None) -> list[int]:
    return [hit.member_id for hit in looked_up(text, operator, stores).hits]


def looked_up(text: str, operator: Operator, stores: frozenset[int] | None = None) -> Finding:
    return find_members(text=text, stores=stores, by=operator, at=timezone.now())


class TestFindMembers:
    @pytest.mark.parametrize("typed", ["13912345678", "139 1234 5678", "+86 139-1234-5678", " 13912345678 "])
    def test_finds_by_the_whole_phone_in_any_usual_form(self, operator: Operator, typed: str) -> None:
        member = a_named_member("张三丰", "13912345678")
        a_named_member("张三", "13912345679")
        assert found(typed, operator) == [member.pk]

    @pytest.mark.parametrize(
        "typed", ["张5678", "5678张", "5678 张", "张 5678", "张三丰5678", "zhang 5678", "5678 Zhang"]
    )
    def test_finds_by_four_digits_and_surname(self, operator: Operator, typed: str) -> None:
        member = a_named_member("张三丰", "13912345678")
        a_named_member("李三丰", "13812345678")
        a_named_member("张三丰", "13912345679")
        assert found(typed, operator) == [member.pk]

    @pytest.mark.parametrize("typed", ["Smith 5678", "5678 smith", "John Smith 5678"])
    def test_finds_latin_names_by_the_last_word_too(self, operator: Operator, typed: str) -> None:
        member = a_named_member("John Smith", "13912345678")
        assert found(typed, operator) == [member.pk]

    def test_never_finds_by_a_part_of_a_phone_or_by_a_name_alone(self, operator: Operator) -> None:
        a_named_member("张三丰", "13912345678")
        assert found("1391234567", operator) == []
        assert found("5678", operator) == []
        assert found("张三丰张三丰", operator) == []

    def test_finds_by_member_number_email_and_id_of_another_system(self, operator: Operator) -> None:
        member = a_named_member("张三丰", "13912345678", email="Zhang@Example.com")
        Identity.objects.create(member=member, issuer="tmall", value="tb-778899", linked_at=AT)
        assert found(member.member_no, operator) == [member.pk]
        assert found("zhang@example.COM", operator) == [member.pk]
        assert found("tb-778899", operator) == [member.pk]

    def test_finds_by_order_return_and_voucher(self, operator: Operator) -> None:
        member = a_named_member()
        now = timezone.now()
        order = an_order(member, "6000.00", number="NO-20261120-17", ordered_at=now - timedelta(days=2))
        record_purchase(order=order, by=SYSTEM, at=now - timedelta(days=2))
        record_return(
            ret=a_return(order, (1, "0.1"), number="RT-17", returned_at=now - timedelta(days=1)),
            by=SYSTEM,
            at=now - timedelta(days=1),
        )
        reward = a_reward(30)
        redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id="find:1", by=SYSTEM, at=now)
        code = voucher_code(Voucher.objects.get().public_id)
        for typed in ("NO-20261120-17", "RT-17", code, code.lower().replace("-", " ")):
            assert found(typed, operator) == [member.pk], typed
        assert found("NO-20261120-1", operator) == []

    def test_finds_by_receipts_of_the_own_stores_only_where_the_view_is_limited(self, operator: Operator) -> None:
        brand = Brand.objects.create(code="b", name="B")
        mine, other = (Store.objects.create(code=code, name=code, brand=brand) for code in ("S1", "S2"))
        member = a_named_member()
        now = timezone.now()
        order = an_order(member, "60.00", number="NO-17", ordered_at=now, store_id=mine.pk)
        record_purchase(order=order, by=SYSTEM, at=now)
        assert found("NO-17", operator, frozenset({mine.pk})) == [member.pk]
        assert found("NO-17", operator, frozenset({other.pk})) == []
        assert found("NO-17", operator, frozenset()) == []

    def test_does_not_look_where_the_role_may_not(self) -> None:
        outsider = an_operator()
        a_named_member("张三丰", "13912345678")
        finding = looked_up("13912345678", outsider)
        assert (finding.hits, finding.tried) == ((), ())

    def test_leads_from_a_merged_member_to_the_one_who_survived(self, operator: Operator) -> None:
        kept, merged = a_named_member("张三丰", "13912345678"), a_named_member("张三丰", "13812345678")
        Member.objects.filter(pk=merged.pk).update(merged_into=kept)
        finding = looked_up("张5678", operator)
        assert [hit.member_id for hit in finding.hits] == [kept.pk]
        assert len(finding.hits[0].by) == 1

    def test_shows_ten_and_says_that_there_are_more(self, operator: Operator) -> None:
        for number in range(MOST + 1):
            a_named_member("王五", f"139{number:04d}5678")
        finding = looked_up("王5678", operator)
        assert (len(finding.hits), finding.has_more) == (MOST_HITS, True)

    @pytest.mark.parametrize("typed", ["", "张", "123", "9" * 81])
    def test_refuses_too_little_and_too_much_and_counts_nothing(self, operator: Operator, typed: str) -> None:
        with pytest.raises(TextTooShort):
            looked_up(typed, operator)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM members_findtally")
            assert cursor.fetchone() == (0,)

    def test_stops_who_looks_up_faster_than_a_person_until_the_next_minute(self, operator: Operator) -> None:
        for _row in range(LOOKUPS_A_MINUTE):
            find_members(text="13912345678", stores=None, by=operator, at=AT)
        with pytest.raises(TooManyLookups, match="60"):
            find_members(text="13912345678", stores=None, by=operator, at=AT)
        find_members(text="13912345678", stores=None, by=an_operator("service"), at=AT)
        find_members(text="13912345678", stores=None, by=operator, at=AT + timedelta(minutes=1))


class TestTheIndex:
    def test_of_the_last_four_digits_is_there_for_it(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            # Of digits and surname the planner takes the one it holds for rarer, and here nobody has either.
            cursor.execute("EXPLAIN SELECT member_id FROM members_memberperson WHERE RIGHT(phone, 4) = '5678'")
            assert "person_phone_tail" in " ".join(line for (line,) in cursor.fetchall())


class TestTheBox:
    def test_stands_in_the_header_and_above_the_members(self) -> None:
        client = signed_in("service")
        a_named_member()
        assert client.get(reverse("admin:index")).text.count("data-find-box") == 1
        assert client.get(reverse("admin:members_member_changelist")).text.count(reverse(FIND)) == 4  # two forms

    def test_is_not_shown_to_those_who_may_not_see_members(self) -> None:
        client = signed_in()
        assert reverse(FIND) not in client.get(reverse("admin:index")).text
        assert client.post(reverse(FIND), {"text": "13912345678"}).status_code == 403

    def test_leads_from_one_hit_to_the_page_of_the_member(self) -> None:
        member = a_named_member("张三丰", "13912345678")
        page = reverse("admin:members_member_change", args=[member.pk])
        client = signed_in("service")
        assert client.post(reverse(FIND), {"text": "张5678"}).headers["Location"] == page
        assert self.asked(client, "张5678").headers["HX-Redirect"] == page

    def test_shows_several_hits_masked_with_tier_and_points(self) -> None:
        for name in ("张三丰", "张无忌"):
            a_named_member(name, f"139{len(name)}{ord(name[1]) % 1000:03d}5678")
        text = self.asked(signed_in("service"), "张5678").text
        assert "张*丰" in text
        assert "张*忌" in text
        assert "****5678" in text
        assert "available points" in text.lower()
        assert "三丰" not in text

    def test_says_what_was_tried_and_offers_to_enrol_whom_the_role_lets(self) -> None:
        client = signed_in("marketing")
        operator = Operator.objects.latest("pk")
        text = self.asked(client, "13912345678").text
        assert "Nobody was found." in text
        assert "Looked up as: phone, member number" in text
        assert reverse("admin:members_member_add") not in text
        operator.user_permissions.add(*self.permission("add_member"))
        assert reverse("admin:members_member_add") in self.asked(client, "13912345678").text

    def test_keeps_what_is_typed_out_of_addresses_and_logs(self, caplog: pytest.LogCaptureFixture) -> None:
        client = signed_in("service")
        with caplog.at_level(logging.INFO):
            answer = self.asked(client, "张5678")
        assert "no-store" in answer.headers["Cache-Control"]
        assert not any("5678" in record.getMessage() for record in caplog.records)

    def test_looks_nothing_up_from_an_address(self) -> None:
        member = a_named_member("张三丰", "13912345678")
        answer = signed_in("service").get(reverse(FIND), {"text": "13912345678"})
        assert answer.status_code == 200
        assert str(member.member_no) not in answer.text

    def asked(self, client: Client, text: str) -> Any:
        return client.post(reverse(FIND), {"text": text}, headers={"HX-Request": "true"})

    def permission(self, codename: str) -> QuerySet[Permission]:
        return Permission.objects.filter(codename=codename, content_type__app_label="members")
