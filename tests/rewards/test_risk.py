"""Rules that look at orders and returns, and the reviews that they open."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from members import timeline
from members.actors import SYSTEM, Actor
from members.admin.links import member_link
from members.models import (
    Brand,
    Member,
    MemberFreeze,
    Operator,
    OwnMembership,
    RiskFinding,
    RiskReview,
    RiskRule,
    Store,
    TimelineEntry,
)
from members.own_accounts import OwnAccount
from members.risk import Found, signals
from members.services.risk import (
    OPENED,
    RELEASED,
    ReviewIsDecided,
    freeze_under_review,
    open_reviews,
    release_review,
    run_rules,
)
from members.services.status import AlreadyFrozen, NothingFrozen, ReasonMissing, freeze_member
from members.tasks import run_risk_rules
from rewards.handlers import look_for_abuse
from rewards.models import PurchasePayer
from rewards.services import deadlines
from rewards.services.payers import PAYERS_KEPT, forget_payers, payer_hash
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import a_return, an_order
from tests.factories.people import a_member
from tests.factories.portal import a_named_member, an_operator, signed_in

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)  # noon in Shanghai


def buy(member: Member, at: datetime, amount: str = "50.00", **details: Any) -> Any:
    order = an_order(member, amount, ordered_at=at, **details)
    record_purchase(order=order, by=SYSTEM, at=at)
    return order


def buy_often(member: Member, times: int, *, apart: timedelta, begin: datetime = NOON, **details: Any) -> None:
    for number in range(times):
        buy(member, begin + number * apart, **details)


def found() -> list[tuple[int, str, dict[str, Any]]]:
    return [(row.member_id, row.rule, row.figures) for row in RiskFinding.objects.order_by("rule", "member_id")]


def only(rule: str, most: int) -> None:
    """Leave one rule in use, with a limit."""
    RiskRule.objects.exclude(code=rule).update(is_on=False)
    RiskRule.objects.filter(code=rule).update(is_on=True, most=most)


class TestRules:
    def test_are_the_rows_that_staff_set_limits_for(self) -> None:
        assert {signal.code for signal in signals()} == set(RiskRule.objects.values_list("code", flat=True))

    def test_find_orders_within_an_hour_beyond_the_limit_and_not_at_it(self) -> None:
        only("orders_in_an_hour", 3)
        quick, usual, slow = a_member(), a_member(), a_member()
        buy_often(quick, 4, apart=timedelta(minutes=20))
        buy_often(usual, 3, apart=timedelta(minutes=20))
        buy_often(slow, 6, apart=timedelta(minutes=21))
        assert run_rules(at=NOON + timedelta(hours=3)) == 1
        assert found() == [(quick.pk, "orders_in_an_hour", {"day": "2026-11-20", "orders": 4})]

    def test_find_one_payer_behind_many_members(self) -> None:
        only("one_payer", 2)
        many = [a_member() for _ in range(3)]
        for member in many:
            buy(member, NOON, payer=payer_hash("acct 42"))
        buy(a_member(), NOON, payer=payer_hash("acct 43"))
        buy(many[0], NOON - timedelta(days=40), payer=payer_hash("acct 43"))
        run_rules(at=NOON + timedelta(hours=1), member_ids=[many[1].pk])
        expected = [(member.pk, "one_payer", {"members": 3}) for member in many]
        assert found() == expected
        assert payer_hash("acct 42").hex()[:32] not in str(list(RiskFinding.objects.values()))
        review = RiskReview.objects.get(member=many[1])
        page = signed_in(superuser=True).get(reverse("admin:members_riskreview_change", args=[review.pk]))
        assert [link for _name, link in page.context["others"]] == [member_link(many[0]), member_link(many[2])]

    def test_keep_who_paid_for_two_months_and_not_in_words(self) -> None:
        order = buy(a_member(), NOON, payer=payer_hash("acct 42"))
        noted = PurchasePayer.objects.get()
        assert noted.purchase.external_order_no == order.external_order_no
        assert bytes(noted.payer) == payer_hash("acct42 ") != payer_hash("ACCT42")
        assert forget_payers(at=NOON + PAYERS_KEPT) == 0
        assert forget_payers(at=NOON + PAYERS_KEPT + timedelta(seconds=1)) == 1

    def test_find_orders_in_a_day_of_the_programmes_zone(self) -> None:
        only("orders_in_a_day", 3)
        busy, over_midnight = a_member(), a_member()
        buy_often(busy, 4, apart=timedelta(hours=2))
        buy_often(over_midnight, 4, apart=timedelta(hours=1), begin=datetime(2026, 11, 19, 14, 30, tzinfo=UTC))
        run_rules(at=NOON + timedelta(hours=10))
        assert found() == [(busy.pk, "orders_in_a_day", {"day": "2026-11-20", "orders": 4})]

    def test_count_what_was_bought_before_a_merge_for_the_one_who_survived(self) -> None:
        only("orders_in_a_day", 3)
        kept, merged = a_member(), a_member()
        buy_often(kept, 2, apart=timedelta(hours=1))
        buy_often(merged, 2, apart=timedelta(hours=1))
        Member.objects.filter(pk=merged.pk).update(merged_into=kept)
        at = NOON + timedelta(hours=3)
        assert run_rules(at=at, member_ids=[merged.pk]) == 1
        assert [row[0] for row in found()] == [kept.pk]

    def test_find_who_gives_back_most_of_what_was_bought(self) -> None:
        only("goods_given_back", 60)
        farmer, usual, once = a_member(), a_member(), a_member()
        for member, bought, given_back in ((farmer, 4, 3), (usual, 6, 3), (once, 2, 2)):
            orders = [buy(member, NOON + timedelta(days=number), "100.00") for number in range(bought)]
            for order in orders[:given_back]:
                back = a_return(order, (1, "1"), returned_at=NOON + timedelta(days=10))
                record_return(ret=back, by=SYSTEM, at=NOON + timedelta(days=10))
        assert run_rules(at=NOON + timedelta(days=11)) == 1
        assert found() == [(farmer.pk, "goods_given_back", {"returns": 3, "back": "300.00", "bought": "400.00"})]
        assert run_rules(at=NOON + timedelta(days=60)) == 0

    def test_find_staff_on_their_own_account_where_they_work(self) -> None:
        only("staff_own_account", 3)
        brand = Brand.objects.create(code="b", name="B")
        own, other = (Store.objects.create(code=code, name=code, brand=brand) for code in ("S1", "S2"))
        at_work, elsewhere, stranger = a_member(), a_member(), a_member()
        for member in (at_work, elsewhere):
            operator = an_operator("store")
            operator.stores.add(own)
            OwnMembership.objects.create(operator=operator, member=member)
        buy_often(at_work, 4, apart=timedelta(minutes=90), store_id=own.pk)
        buy_often(elsewhere, 4, apart=timedelta(minutes=90), store_id=other.pk)
        buy_often(stranger, 4, apart=timedelta(minutes=90), store_id=own.pk)
        run_rules(at=NOON + timedelta(hours=9))
        assert [row[:2] for row in found()] == [(at_work.pk, "staff_own_account")]

    def test_find_nothing_when_they_are_off(self) -> None:
        RiskRule.objects.update(is_on=False)
        buy_often(a_member(), 12, apart=timedelta(minutes=2))
        assert run_rules(at=NOON + timedelta(hours=1)) == 0

    def test_say_what_they_found_in_words(self) -> None:
        figures = {
            "orders": 4,
            "day": "2026-11-20",
            "returns": 3,
            "back": "300.00",
            "bought": "400.00",
            "members": 5,
            "vouchers": 6,
        }
        for signal in signals():
            assert "%(" not in signal.words(figures)
            assert "7" in signal.sentence(7)

    def test_are_asked_about_whom_something_happened_to(self) -> None:
        only("orders_in_an_hour", 3)
        member = a_member()
        now = timezone.now() - timedelta(minutes=30)
        buy_often(member, 4, apart=timedelta(minutes=1), begin=now)
        entries = list(TimelineEntry.objects.filter(kind=deadlines.PURCHASE_RECORDED))
        old = [entry for entry in entries if entry.pk != entries[-1].pk]
        for entry in old:
            entry.happened_at -= timedelta(days=30)  # as when the history of a shop is loaded
        look_for_abuse(old)
        assert not RiskReview.objects.exists()
        look_for_abuse(entries)
        assert [review.member_id for review in RiskReview.objects.all()] == [member.pk]
        assert "rewards.risk" in timeline.subscribers()

    def test_are_asked_about_everybody_at_night(self) -> None:
        only("orders_in_an_hour", 3)
        buy_often(a_member(), 4, apart=timedelta(minutes=1), begin=timezone.now() - timedelta(minutes=30))
        assert run_risk_rules() == 1


class TestReviews:
    @pytest.fixture
    def member(self) -> Member:
        return a_named_member()

    @pytest.fixture
    def staff(self) -> Actor:
        return Actor("operator", an_operator("service supervisor").pk)

    @pytest.fixture
    def review(self, member: Member) -> RiskReview:
        self.find(member, "2026-11-20")
        return RiskReview.objects.get()

    def find(self, member: Member, key: str) -> int:
        figures = {"orders": 12, "day": "2026-11-20"}
        return open_reviews(rule="orders_in_a_day", found=[Found(member.pk, key, figures)], by=SYSTEM, at=NOON)

    def test_gather_what_is_found_until_they_are_decided(self, member: Member, review: RiskReview) -> None:
        assert self.find(member, "2026-11-21") == 0
        assert self.find(member, "2026-11-21") == 0
        assert review.findings.count() == 2
        assert TimelineEntry.objects.filter(kind=OPENED, member_id=member.pk).count() == 1

    def test_are_not_opened_again_by_what_was_found_before(
        self, member: Member, review: RiskReview, staff: Actor
    ) -> None:
        release_review(review_id=review.pk, reason="a party", by=staff, at=NOON)
        assert self.find(member, "2026-11-20") == 0
        assert self.find(member, "2026-11-22") == 1
        assert RiskReview.objects.filter(member=member).count() == 2

    def test_are_not_opened_for_who_has_left(self, member: Member) -> None:
        Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)
        assert self.find(member, "2026-11-20") == 0
        assert not RiskFinding.objects.exists()

    def test_are_released_once_with_a_reason_that_the_timeline_keeps(self, review: RiskReview, staff: Actor) -> None:
        with pytest.raises(ReasonMissing):
            release_review(review_id=review.pk, reason=" ", by=staff, at=NOON)
        release_review(review_id=review.pk, reason="an office orders here", by=staff, at=NOON)
        review.refresh_from_db()
        assert (review.state, review.reason, review.decided_by_id) == ("released", "an office orders here", staff.id)
        told = TimelineEntry.objects.get(kind=RELEASED)
        assert (told.member_id, told.payload) == (review.member_id, {"reason": "an office orders here"})
        for again in (self.release, self.freeze):
            with pytest.raises(ReviewIsDecided):
                again(review, staff)

    def test_freeze_what_is_chosen_until_a_day(self, review: RiskReview, member: Member, staff: Actor) -> None:
        self.freeze(review, staff)
        review.refresh_from_db()
        member.refresh_from_db()
        freeze = MemberFreeze.objects.get()
        assert (review.state, review.freeze_id) == ("frozen", freeze.pk)
        assert (freeze.acts, freeze.release_at) == ([Member.Act.SPEND], NOON + timedelta(days=7))
        assert member.status == Member.Status.FROZEN

    def test_stay_open_when_the_freeze_is_refused(self, review: RiskReview, member: Member, staff: Actor) -> None:
        with pytest.raises(NothingFrozen):
            self.freeze(review, staff, acts=())
        freeze_member(member_id=member.pk, reason="x", release_at=NOON + timedelta(days=1), by=staff, at=NOON)
        with pytest.raises(AlreadyFrozen):
            self.freeze(review, staff)
        review.refresh_from_db()
        assert (review.state, review.freeze_id) == ("waiting", None)

    def test_of_the_own_account_are_decided_by_a_colleague(
        self, review: RiskReview, member: Member, staff: Actor
    ) -> None:
        OwnMembership.objects.create(operator=Operator.objects.latest("pk"), member=member)
        for decide in (self.release, self.freeze):
            with pytest.raises(OwnAccount):
                decide(review, staff)
        self.release(review, Actor("operator", an_operator("service supervisor").pk))

    def release(self, review: RiskReview, by: Actor) -> None:
        release_review(review_id=review.pk, reason="fine", by=by, at=NOON)

    def freeze(self, review: RiskReview, by: Actor, acts: Any = (Member.Act.SPEND,)) -> None:
        freeze_under_review(
            review_id=review.pk, reason="checked", acts=acts, release_at=NOON + timedelta(days=7), by=by, at=NOON
        )


class TestPages:
    @pytest.fixture
    def review(self) -> RiskReview:
        now = timezone.now()
        for number, member in enumerate((a_named_member("张三丰"), a_named_member("李四"))):
            figures = {"orders": 12 + number, "day": "2026-11-20"}
            at = now - timedelta(hours=number)
            open_reviews(rule="orders_in_a_day", found=[Found(member.pk, "x", figures)], by=SYSTEM, at=at)
        return RiskReview.objects.earliest("opened_at")

    def test_begin_with_what_waits_oldest_first_and_say_why(self, review: RiskReview) -> None:
        answer = signed_in(superuser=True).get(reverse("admin:members_riskreview_changelist"), follow=True)
        assert answer.redirect_chain[-1][0].endswith("?state__exact=waiting")
        assert answer.text.index("13 orders on") < answer.text.index("12 orders on")
        assert "张三丰" not in answer.text

    def test_show_one_review_and_carry_the_decision_out(self, review: RiskReview) -> None:
        client = signed_in(superuser=True)
        text = client.get(reverse("admin:members_riskreview_change", args=[review.pk])).text
        assert "Many orders in a day" in text
        assert "李*" in text
        until = (timezone.now() + timedelta(days=5)).date()
        form = {
            "_form_submitted": "True",
            "acts": ["earn", "spend"],
            "last_day": until.isoformat(),
            "reason": "checked",
        }
        freeze = reverse("admin:members_riskreview_decide", args=[review.pk, "freeze"])
        answer = client.post(freeze, form)
        assert answer.headers["HX-Redirect"] == reverse("admin:members_riskreview_changelist")
        review.refresh_from_db()
        assert review.state == RiskReview.State.FROZEN
        assert "checked" in client.get(reverse("admin:members_riskreview_change", args=[review.pk])).text

    def test_let_only_decide_whose_role_may(self, review: RiskReview) -> None:
        release = reverse("admin:members_riskreview_decide", args=[review.pk, "release"])
        assert signed_in("analyst").post(release, {"reason": "fine"}).status_code == 403

    def test_let_limits_be_set_and_keep_what_they_were(self) -> None:
        rule = RiskRule.objects.get(code="orders_in_a_day")
        client = signed_in(superuser=True)
        assert "More than 10 orders in a day" in client.get(reverse("admin:members_riskrule_changelist")).text
        client.post(reverse("admin:members_riskrule_change", args=[rule.pk]), {"most": 20, "is_on": "on"})
        rule.refresh_from_db()
        assert rule.most == 20
        history = rule._meta.apps.get_model("members", "RiskRuleEvent")
        assert list(history.objects.filter(code=rule.code).order_by("pgh_id").values_list("most", flat=True)) == [
            10,
            20,
        ]
