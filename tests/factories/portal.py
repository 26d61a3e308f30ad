"""Staff who work in the portal, and a business with rows in every list of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import uuid4

from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from analytics.models import DayFigures
from campaigns.models import Message, MessageTemplate, Promotion
from loyalty.models import Badge, LadderVersion, ReviewRun, Stage, StageTask, Tier, TierRule, TierWarning
from loyalty.queries import forget_ladder_book
from loyalty.services.badges import award_by_hand, save_badge
from loyalty.services.entitlements import Use, use_benefit
from loyalty.services.plan_payments import sell_plan
from loyalty.services.published_rules import publish_rules
from loyalty.services.review_runs import plan_run
from loyalty.services.stages import save_stage, save_task
from members import timeline
from members.actors import SYSTEM, Actor
from members.effects import Effect, EffectLine
from members.jobs import JobKind, start_job
from members.jobs import register_kind as register_job
from members.limits import POINTS
from members.models import (
    ActivityKind,
    ApiKey,
    ApprovalRule,
    Behaviour,
    Brand,
    Channel,
    ClosingReason,
    DuplicatePair,
    GuessingAlarm,
    Member,
    MemberAttribute,
    MemberExport,
    OnboardingTask,
    Operator,
    OperatorLimit,
    ParkedEntry,
    RecruitingSource,
    Region,
    Segment,
    Store,
    Subscription,
    TimelineEntry,
    WebhookDelivery,
    WebhookEndpoint,
)
from members.proposals import ProposalKind, propose
from members.proposals import register_kind as register_proposal
from members.risk import Found
from members.services.activities import record_activity
from members.services.cards import make_batch
from members.services.closing import ask_to_leave
from members.services.enrolment import enrol_member
from members.services.exports import log_export
from members.services.imports.files import take_in
from members.services.keys import ORDERS_WRITE, issue_key
from members.services.merging import merge_members
from members.services.privacy import request_erasure
from members.services.risk import open_reviews
from members.services.segments import make_segment
from members.services.status import freeze_member
from members.services.tags import add_tag, make_tag
from members.webhook_types import event_id
from rewards.models import (
    Category,
    EarnRuleVersion,
    ExpiryWarning,
    FlashSale,
    MemberPrice,
    OfflineBatch,
    OrderHold,
    OrderImport,
    PointsCurrency,
    PointsPayment,
    PointsRate,
    Product,
    RewardCategory,
    Voucher,
    VoucherBatch,
    VoucherGoodwill,
    VoucherOffer,
)
from rewards.queries import forget_rules
from rewards.services.close import refresh_drafts
from rewards.services.holds import hold_points
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from rewards.services.verification import Tally, record_verification
from rewards.services.voucher_issue import issue_vouchers
from rewards.services.voucher_offers import begin_draft
from tests.factories.benefits import a_benefit, a_budget, an_entitlement
from tests.factories.by_hand import moved_by_hand
from tests.factories.catalogue import a_reward, a_template
from tests.factories.fulfilment import an_order as waits_to_be_sent
from tests.factories.orders import a_return, an_order
from tests.factories.plans import a_floor, a_plan
from tests.factories.rules import follow_base_rule

PASSWORD = "a-password-for-tests"
_numbers = count(1)


def an_operator(*roles: str, superuser: bool = False) -> Operator:
    """Return a member of staff with these roles (none: they may sign in and nothing else)."""
    number = next(_numbers)
    operator = Operator(
        username=f"staff-{number}", display_name=f"Staff {number}", is_staff=True, is_superuser=superuser
    )
    operator.set_password(PASSWORD)
    operator.save()
    operator.groups.set(Group.objects.filter(name__in=roles))
    assert operator.groups.count() == len(roles), f"there is no such role among {roles}"
    return operator


def signed_in(*roles: str, superuser: bool = False, language: str = "en") -> Client:
    """Return a browser in which such a member of staff has signed in, reading in a language."""
    client = Client(headers={"accept-language": language})
    client.force_login(an_operator(*roles, superuser=superuser))
    return client


def a_named_member(full_name: str = "张三丰", phone: str | None = None, **details: object) -> Member:
    """Enrol a member with a name and a phone number of their own."""
    number = next(_numbers)
    at = timezone.now() - timedelta(days=3)
    channel = Channel.objects.get_or_create(code="till", defaults={"name": "Till", "kind": Channel.Kind.TILL})[0]
    member = enrol_member(
        channel_id=channel.pk, full_name=full_name, phone=phone or f"139{number:08d}", by=SYSTEM, at=at, **details  # type: ignore[arg-type]
    )  # fmt: skip
    return Member.objects.get(pk=member.pk)


def a_business(size: int) -> None:
    """Add `size` rows, or as many as there can be, to every list of the portal."""
    now = timezone.now()
    brand = Brand.objects.get_or_create(code="house", defaults={"name": "House"})[0]
    reward = a_reward(30)
    template = MessageTemplate.objects.get_or_create(
        occasion=MessageTemplate.Occasion.TIER_RAISED,
        defaults={"channel": "console", "title": "Congratulations", "body": "Well done."},
    )[0]
    for _row in range(size):
        number = next(_numbers)
        GuessingAlarm.objects.create(
            kind="one_time_code",
            axis="phone",
            hour_at=now - timedelta(hours=number),
            first_at=now,
            last_at=now,
            locks=1,
        )
        store = Store.objects.create(code=f"P{number}", name=f"Place {number}", brand=brand)
        _settings(number, store)
        member = a_named_member(home_store_id=store.pk)
        order = an_order(member, "600.00", number=f"O-{number}", ordered_at=now - timedelta(days=2), store_id=store.pk)
        record_purchase(order=order, by=SYSTEM, at=now - timedelta(days=2))
        redeem_reward(
            member_id=member.pk,
            reward_id=reward.pk,
            request_id=f"portal:{number}",
            by=SYSTEM,
            at=now - timedelta(days=1),
        )
        back = a_return(order, (1, "0.1"), number=f"B-{number}", returned_at=now - timedelta(hours=5))
        record_return(ret=back, by=SYSTEM, at=now - timedelta(hours=5))
        record_activity(
            member_id=member.pk, kind="review", source="test", external_ref=f"A-{number}", happened_at=now, value=5, store_id=store.pk, by=SYSTEM, at=now
        )  # fmt: skip
        _segments(number, member)
        _vouchers(number, member)
        _identity(number, member)
        _benefits(number, member)
        _given_tiers(number, member)
        hold_points(member_id=member.pk, points=1, source="test", external_ref=f"H-{number}", by=SYSTEM, at=now)
        PointsRate.objects.create(
            currency=PointsCurrency.objects.earliest("pk"),
            valid_from=now - timedelta(days=number),
            money_per_point="0.01",
        )
        moved_by_hand(number, member, an_operator("service supervisor"), at=now)
        Message.objects.create(
            member=member, template=template, occurrence=f"test:{number}", channel="console", created_at=now
        )
        ExpiryWarning.objects.create(
            member=member, currency=PointsCurrency.objects.earliest("pk"), expires_date=now.date(), days=7, points=5, warned_at=now
        )  # fmt: skip
        record_verification(Tally(), by=SYSTEM, began_at=now, at=now)
        kept, alike, other = (a_named_member() for _ in range(3))
        DuplicatePair.objects.create(first=kept, second=alike, score=80, evidence=["phone"], found_at=now, seen_at=now)
        _reviews(kept, now)
        merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=now)
        request_erasure(member_id=alike.pk, way="call", by=SYSTEM, at=now)
        _files(number, an_operator("administrator"))
        _webhooks(number, now)
        DayFigures.objects.create(date=now.date() - timedelta(days=1), store=store, members_joined=1, points_issued=600)
    refresh_drafts(at=timezone.now())
    forget_ladder_book()
    publish_rules(by=SYSTEM, at=timezone.now())
    forget_rules()


def _given_tiers(number: int, member: Member) -> None:
    """A tier set by hand, and a plan that was sold."""
    now = timezone.now()
    a_floor(member.pk, "gold", now, now + timedelta(days=30), ref=f"portal:{number}")
    plan = a_plan(f"plan-{number}")
    sell_plan(
        member_id=member.pk, plan_code=plan.code, receipt_no=f"RC-{number}", renews_intended=False, reason="Receipt shown", by=SYSTEM, at=now
    )  # fmt: skip


def _reviews(member: Member, now: datetime) -> None:
    """A run of reviews that was planned, and a member who was warned."""
    plan_run(day=now.date() + timedelta(days=2 + ReviewRun.objects.count()), by=SYSTEM, at=now)
    top, low = Tier.objects.order_by("-rank").first(), Tier.objects.order_by("rank").first()
    assert top is not None
    assert low is not None
    TierWarning.objects.create(
        member=member, review_date=now.date() + timedelta(days=30), days=30, tier=top, to_tier=low, credits=100,
        needed_credits=400, warned_at=now,
    )  # fmt: skip


def _files(number: int, operator: Operator) -> None:
    """A file of members brought in, and one taken out."""
    by = Actor("operator", operator.pk)
    rows = f"number,name,phone\n{number},王小明,139{number:08}\n".encode()
    take_in(name=f"{number}.csv", pieces=[rows], by=by, at=timezone.now())
    log_export(
        kind=MemberExport.Kind.SEGMENT, purpose="a list for a partner", rows=3, fields=["phone"], is_unmasked=True, by=by, at=timezone.now()
    )  # fmt: skip


def _settings(number: int, store: Store) -> None:
    """One more row of each kind that staff set up."""
    now = timezone.now()
    Brand.objects.create(code=f"b{number}", name=f"Brand {number}")
    channel = Channel.objects.create(code=f"c{number}", name=f"Channel {number}", kind=Channel.Kind.WEB)
    an_operator("service", "store")
    issue_key(
        name=f"Till {number}",
        store_id=store.pk,
        channel_id=channel.pk,
        source=f"src{number}",
        scopes=[ORDERS_WRITE],
        by=SYSTEM,
        at=now,
    )
    assert ApiKey.objects.filter(store=store).count() == 1
    subscription = Subscription.objects.create(name=f"reader {number}")
    told = timeline.record([timeline.NewEntry("members.enrolled.v1", None, now, SYSTEM, {"channel": channel.pk})])
    ParkedEntry.objects.create(subscription=subscription, entry_id=told[0], error="ValueError: no", parked_at=now)
    ActivityKind.objects.create(code=f"kind{number}", name=f"Behaviour {number}")
    category = Category.objects.create(code=f"cat{number}", name=f"Category {number}")
    Product.objects.create(sku=f"SKU{number}", name=f"Article {number}", category=category)
    RewardCategory.objects.create(code=f"part{number}", name=f"Part {number}")
    on_sale = a_reward(100 + number, name=f"Reward {number}", template=a_template(f"template-{number}"))
    FlashSale.objects.create(
        reward=on_sale,
        price_points=50,
        starts_at=now + timedelta(days=number),
        ends_at=now + timedelta(days=number + 1),
    )
    waits_to_be_sent(at=now)
    _till(number, store)
    OrderImport.objects.create(
        file_name=f"{number}.csv", file_sha256=b"0" * 32, source="file", rows_read=9, started_at=now
    )
    begin = now + timedelta(days=number)
    promotion = Promotion.objects.create(
        name=f"Promotion {number}", factor=Decimal(2), starts_at=begin, ends_at=begin + timedelta(days=1)
    )
    promotion.stores.add(store)
    _next_versions(number)
    _profiles(number, store)
    _work(number)


def _till(number: int, store: Store) -> None:
    """One more row of each kind of the till flow."""
    now = timezone.now()
    points = PointsCurrency.objects.get(code="points")
    PointsPayment.objects.create(
        currency=points, valid_from=now + timedelta(days=number), money_per_point=Decimal("0.01"), store_ids=[store.pk]
    )
    benefit = a_benefit(kind="products", name=f"Prices {number}", quota=None)
    MemberPrice.objects.create(benefit=benefit, sku=f"SKU{number}", price_amount=Decimal(9))
    OrderHold.objects.create(
        quote_ref=uuid4(), fingerprint=b"0" * 32, member=Member.objects.order_by("pk")[0], source="till", store=store,
        vouchers=1, created_at=now, expires_at=now + timedelta(minutes=10), actor_kind="device",
    )  # fmt: skip
    OfflineBatch.objects.create(
        source="till", external_batch_no=f"B-{number}", fingerprint=b"0" * 32, key=ApiKey.objects.get(store=store), store=store,
        total=1, received_at=now,
    )  # fmt: skip


def _profiles(number: int, store: Store) -> None:
    """What is known of members, cards, and members who are frozen or leave."""
    now = timezone.now()
    Region.objects.create(code=f"region{number}", name=f"Region {number}")
    RecruitingSource.objects.create(code=f"source{number}", name=f"Source {number}")
    ClosingReason.objects.create(code=f"reason{number}", name=f"Reason {number}")
    MemberAttribute.objects.create(code=f"detail{number}", name=f"Detail {number}", purpose="To know", kind="text")
    OnboardingTask.objects.create(code=f"task{number}", name=f"Task {number}", condition={"all": []})
    make_batch(name=f"Cards {number}", prefix="6688", quantity=2, store_id=store.pk, by=SYSTEM, at=now)
    frozen, leaving = a_named_member(), a_named_member()
    found = Found(leaving.pk, f"day {number}", {"orders": number, "day": "2026-11-20"})
    open_reviews(rule="orders_in_a_day", found=[found], by=SYSTEM, at=now)
    freeze_member(member_id=frozen.pk, reason="checked", release_at=now + timedelta(days=9), by=SYSTEM, at=now)
    ask_to_leave(member_id=leaving.pk, reason="other", by=SYSTEM, at=now)


def _benefits(number: int, member: Member) -> None:
    """A benefit with its budget, given to a member by a campaign, and used once."""
    now = timezone.now()
    benefit = a_benefit(f"benefit-{number}")
    a_budget(benefit, at=now, total_units=10)
    an_entitlement(member, benefit, at=now - timedelta(hours=1))
    use_benefit(use=Use(member.pk, "test", f"U-{number}", benefit.code), by=SYSTEM, at=now)


def _vouchers(number: int, member: Member) -> None:
    """An offer of vouchers, a batch that is drawn up, and a voucher that was given by hand."""
    now, template = timezone.now(), a_template(f"template-{number}")
    offer = VoucherOffer(name=f"Offer {number}", template=template, begins_at=now)
    begin_draft(offer, at=now)
    offer.save()
    maker = an_operator()
    segment = Segment.objects.create(name=f"List {number}", kind="static", state="ready", created_at=now)
    VoucherBatch.objects.create(template=template, segment=segment, maker=maker, created_at=now)
    (voucher_id,) = issue_vouchers(
        template=template, rows=[(member.pk, uuid4())], origin=Voucher.Origin.STAFF, by=SYSTEM, at=now
    )
    VoucherGoodwill.objects.create(
        what="give", member=member, voucher_id=voucher_id, maker=maker, new_expires_at=now + timedelta(days=30), happened_at=now
    )  # fmt: skip


def _segments(number: int, member: Member) -> None:
    """A segment, a tag on a member, and what the member looked at."""
    now = timezone.now()
    condition = {"all": [{"fact": "members.activities?kind=review&days=30", "op": "gte", "value": number}]}
    make_segment(name=f"Segment {number}", condition=condition, by=SYSTEM, at=now)
    tag = make_tag(code=f"tag_{number}", name=f"Tag {number}", by=SYSTEM, at=now)
    add_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=now, reason="one of many")
    Behaviour.objects.create(
        member_id=member.pk, kind="view", external_ref=f"V-{number}", subject="LATTE", happened_at=now, expires_at=now + timedelta(days=90)
    )  # fmt: skip


def _identity(number: int, member: Member) -> None:
    """A badge that somebody has, and a stage with a task."""
    now = timezone.now()
    condition = {"all": [{"fact": "members.activities?kind=review&days=30", "op": "gte", "value": number}]}
    badge = Badge(name=f"Badge {number}", title=f"Title {number}")
    save_badge(badge=badge, condition=condition, by=SYSTEM, at=now)
    award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="one of many", by=SYSTEM, at=now)
    stage = Stage(name=f"Stage {number}", position=number)
    save_stage(stage=stage, condition=condition, by=SYSTEM, at=now)
    save_task(task=StageTask(stage=stage, name=f"Task {number}", badge=badge), condition=condition, by=SYSTEM, at=now)


def _work(number: int) -> None:
    """A job, a proposal that waits, and a limit of a role."""
    now = timezone.now()
    register_job(JobKind("portal.nothing", "什么也不做", run=lambda run: None))
    register_proposal(
        ProposalKind(
            "portal.nothing",
            "什么也不改",
            permission="members.view_member",
            sentence=lambda params: f"什么也不改, {params['number']}",
            effect=lambda params, at: Effect((EffectLine("无", 0, params["number"]),), cost_points=0),
            carry_out=lambda params, by, at, proposal: "Nothing was changed.",
            always_waits=True,
        )
    )
    maker = Actor("operator", an_operator("service").pk)
    start_job(kind="portal.nothing", title_params={}, params={}, total=number, by=maker, at=now)
    propose(kind="portal.nothing", params={"number": number}, reason="To see it wait", by=maker, at=now)
    role = Group.objects.create(name=f"role {number}")
    OperatorLimit.objects.create(role=role, family=POINTS, per_entry_points=number, per_day_points=number)
    ApprovalRule.objects.create(family=f"family-{number}", second_above_points=number)


def _webhooks(number: int, now: datetime) -> None:
    """An address of another system, and an event that did not get there."""
    endpoint = WebhookEndpoint.objects.create(
        url=f"https://crm{number}.example.com/", types=["member.created"], secret=b"sealed", created_at=now
    )
    entry = TimelineEntry.objects.filter(kind="members.enrolled.v1").latest("pk")
    WebhookDelivery.objects.create(
        endpoint=endpoint, event=event_id(entry.pk, "member.created"), type="member.created", entry_id=entry.pk,
        state="failed", attempts=1, created_at=now, next_at=now, tried_at=now, status=500, fault="status",
    )  # fmt: skip


def _next_versions(number: int) -> None:
    """A tier above the others, and versions of the ladder and of the earn rule that follow the last ones."""
    highest = Tier.objects.order_by("-rank").first()
    tier = Tier.objects.create(code=f"tier{number}", name=f"Tier {number}", rank=highest.rank + 1 if highest else 0)
    last = LadderVersion.objects.filter(valid_from__isnull=False).order_by("-number").first()
    begin = timezone.now() + timedelta(days=1)
    version = 1
    if last is not None:
        begin = max(begin, (last.valid_from or begin) + timedelta(days=1))
        LadderVersion.objects.filter(pk=last.pk).update(valid_to=begin)
        version = last.number + 1
    made = LadderVersion.objects.create(number=version, valid_from=begin)
    TierRule.objects.create(ladder=made, tier=tier, rise_credits=0, keep_credits=0)
    latest = EarnRuleVersion.objects.latest("valid_from")
    follow_base_rule(valid_from=max(begin, (latest.valid_from or begin) + timedelta(days=1)))
