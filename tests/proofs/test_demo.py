"""The demo is a believable business, told in the time that it says."""

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count, F, Max, Min, Sum
from django.urls import reverse

from analytics.models import DayFigures
from campaigns.models import Message
from campaigns.services.messages import deliver_due_messages
from config.demo.cases import IMPORTED
from config.demo.desk import STOPPED
from config.management.commands.seed_demo import MEMBERS_PER_SECOND
from loyalty.models import BenefitBudgetNote, Entitlement, EntitlementUse, TierChange, TierStanding
from members.models import (
    Activity,
    AttributeValue,
    Behaviour,
    Card,
    Closure,
    ConsentEntry,
    ConsentState,
    Decision,
    DuplicatePair,
    FileTaken,
    HouseholdMember,
    Job,
    JobErrorRow,
    Member,
    MemberExport,
    MemberFreeze,
    MemberImport,
    Merge,
    Operator,
    ParkedEntry,
    PrivacyRequest,
    Proposal,
    RiskFinding,
    RiskReview,
    Segment,
    SegmentSpan,
    Store,
    Tag,
)
from members.proposals import may_decide
from members.queries import programme
from members.timeline import lag
from rewards.models import (
    Adjustment,
    Donation,
    EarnRuleVersion,
    ExpiryWarning,
    Hold,
    LedgerAnchor,
    LedgerEntry,
    LedgerTransaction,
    LedgerVerification,
    Lot,
    MonthClose,
    PartnerConversion,
    PointsAccount,
    PointsTransfer,
    Purchase,
    PurchaseReturn,
    Redemption,
    SettlementLine,
    Voucher,
    VoucherLine,
    WarningReceipt,
)
from rewards.services.sealing import seal_lag
from rewards.services.verification import verify
from tests.factories.portal import signed_in
from tests.harness.load import busy
from tests.harness.results import Figures
from tests.proofs.demo_tiers import check_tiers

MOST_SECONDS = 75.0  # for 5,000 members on two cores that do nothing else


def told(members: int) -> tuple[float, float, str]:
    """Tell the demo; return seconds by the clock and of this process's CPU, and what the command says."""
    said = StringIO()
    began, cpu = time.perf_counter(), time.process_time()
    call_command("seed_demo", members=members, stdout=said)
    return time.perf_counter() - began, time.process_time() - cpu, said.getvalue()


def figures_of_the_business() -> dict[str, Any]:
    """Return what the business came to."""
    members = Member.objects.count()
    tiers = Counter(TierStanding.objects.values_list("tier__code", flat=True))
    kinds = Counter(LedgerTransaction.objects.values_list("kind", flat=True))
    changes = Counter(TierChange.objects.values_list("reason", flat=True))
    own = Purchase.objects.exclude(member=None)
    issued = Lot.objects.filter(account__currency__code="points").aggregate(points=Sum("amount"))["points"]
    spent = Redemption.objects.aggregate(points=Sum("price_points"))["points"]
    return {
        "members": members,
        "who bought": own.values("member").distinct().count() / members,
        "orders of members": own.count(),
        "orders of guests": Purchase.objects.filter(member=None).count(),
        "orders a member": own.count() / members,
        "money an order": float(own.aggregate(total=Sum("total_amount"))["total"]) / own.count(),
        "share of silver": tiers["silver"] / members,
        "share of gold": tiers["gold"] / members,
        "share of diamond": tiers["diamond"] / members,
        "rises": changes["risen"],
        "falls": changes["fallen"],
        "tiers kept": changes["kept"],
        "returns": PurchaseReturn.objects.count(),
        "share of orders returned": PurchaseReturn.objects.count() / Purchase.objects.count(),
        "redemptions": Redemption.objects.count(),
        "share of points spent": spent / issued,
        "expiries": kinds[5],
        "vouchers used": Voucher.objects.filter(state=Voucher.State.USED).count(),
        "vouchers expired": Voucher.objects.filter(state=Voucher.State.EXPIRED).count(),
    }


def check_business(found: dict[str, Any], members: int) -> None:
    """Hold the business against what such a chain looks like."""
    assert found["members"] == members + IMPORTED
    assert found["who bought"] > 0.8
    assert 4 < found["orders a member"] < 40
    assert 30 < found["money an order"] < 120
    assert 0.05 < found["share of silver"] < 0.35
    assert 0.02 < found["share of gold"] < 0.25
    assert 0.0 < found["share of diamond"] < 0.08
    assert found["share of silver"] > found["share of gold"] > found["share of diamond"]
    assert found["rises"] > members / 10
    assert found["falls"] > 0
    assert found["tiers kept"] > 0
    assert 0.008 < found["share of orders returned"] < 0.03
    assert found["redemptions"] > members / 4
    assert 0.1 < found["share of points spent"] < 0.8
    assert found["expiries"] > members / 20
    assert found["vouchers used"] > found["vouchers expired"] > 0
    assert found["orders of guests"] < found["orders of members"]


def check_days() -> None:
    """Hold the figures of days against the facts, and the facts against the calendar."""
    now = datetime.now(UTC)
    zone = programme().tz
    sold = DayFigures.objects.aggregate(
        orders=Sum("member_orders") + Sum("guest_orders"), net=Sum("member_sales_amount") + Sum("guest_sales_amount"),
        joined=Sum("members_joined"), redeemed=Sum("redemptions"), raised=Sum("tiers_raised"), lowered=Sum("tiers_lowered"),
    )  # fmt: skip
    returned = PurchaseReturn.objects.aggregate(total=Sum("total_amount"))["total"]
    assert sold["net"] == Purchase.objects.aggregate(total=Sum("total_amount"))["total"] - returned
    assert (sold["orders"], sold["joined"], sold["redeemed"]) == (
        Purchase.objects.count(),
        Member.objects.count(),
        Redemption.objects.count(),
    )
    changes = Counter(TierChange.objects.values_list("reason", flat=True))
    assert (sold["raised"], sold["lowered"]) == (changes["risen"], changes["fallen"])
    assert all(entries < 20 for entries in lag().values())  # the key of the demo till was made after the story
    assert not ParkedEntry.objects.exists()
    span = Purchase.objects.aggregate(first=Min("ordered_at"), last=Max("ordered_at"))
    assert timedelta(days=520) < span["last"] - span["first"] < timedelta(days=580)
    assert now - timedelta(days=1, hours=12) < span["last"] <= now
    by_day = dict(DayFigures.objects.values_list("date").annotate(n=Sum("member_orders")))
    weekend = [
        n for day, n in by_day.items() if day.weekday() == 5 and day > now.astimezone(zone).date() - timedelta(days=180)
    ]
    tuesdays = [
        n for day, n in by_day.items() if day.weekday() == 1 and day > now.astimezone(zone).date() - timedelta(days=180)
    ]
    assert sum(weekend) > sum(tuesdays)
    assert LedgerTransaction.objects.aggregate(last=Max("happened_at"))["last"] <= now
    assert set(Purchase.objects.values_list("ordered_at__hour", flat=True)) <= set(
        range(8, 22)
    )  # shops are closed at night


def check_points() -> None:
    """Two kinds of points; rules of every sort, each of which gave something once it had begun."""
    earned = LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.EARN)
    assert set(earned.values_list("currency__code", flat=True)) == {"points", "beans"}
    assert set(earned.values_list("source", flat=True)) >= {"till", "mini-program", "activity", "birthday"}
    origins = Lot.objects.filter(account__currency__code="points").values_list("origin", flat=True)
    assert set(origins) >= {Lot.Origin.PURCHASE, Lot.Origin.PROMOTION, Lot.Origin.BEHAVIOUR, Lot.Origin.ADJUSTMENT}
    now = datetime.now(UTC)
    versions = EarnRuleVersion.objects
    assert versions.filter(state="draft").exists()
    assert versions.filter(state="published", valid_from__gt=now).exists()
    assert versions.filter(state="published", valid_to__lt=now).exists()
    gave = {line[1] for trace in earned.values_list("trace", flat=True) for line in (trace or {}).get("lines", [])}
    begun = versions.filter(state="published", valid_from__lte=now)
    assert {str(version.rule_id) for version in begun} <= gave
    assert Activity.objects.filter(kind="check_in").count() > Activity.objects.filter(kind="review").count() > 0
    check_warnings()
    assert LedgerEntry.objects.filter(transaction__kind=LedgerTransaction.Kind.RETURN, d_debt__gt=0).exists()
    assert PurchaseReturn.objects.filter(lines__quantity=0).exists()
    assert set(Hold.objects.values_list("state", flat=True)) == {
        Hold.State.OPEN,
        Hold.State.CAPTURED,
        Hold.State.EXPIRED,
        Hold.State.RELEASED,
    }
    assert Decision.objects.filter(code="insufficient_points").count() > 1


def check_warnings() -> None:
    """Members were warned, each warning waits in the outbox, and who has no address can not be reached."""
    assert 0 < Message.objects.filter(state=Message.State.QUEUED).count() <= ExpiryWarning.objects.count()
    deliver_due_messages(at=datetime.now(UTC), limit=200)
    assert set(WarningReceipt.objects.values_list("outcome", flat=True)) == {"delivered", "unreachable"}


def check_hands() -> None:
    """Staff moved points in every way, and what waits can be decided by somebody who can sign in."""
    kinds = Counter(LedgerTransaction.objects.values_list("kind", flat=True))
    kind = LedgerTransaction.Kind
    assert kinds.keys() >= {kind.CORRECT, kind.RESTORE, kind.WRITE_OFF, kind.TRANSFER, kind.DONATE, kind.CONVERT_OUT}
    assert Adjustment.objects.filter(batch_row=None).count() > 15
    assert PointsTransfer.objects.count() > 2
    assert Donation.objects.count() > 20
    states = set(PartnerConversion.objects.values_list("state", flat=True))
    assert states == {"pending", "confirmed", "rejected"}
    assert set(Proposal.objects.values_list("state", flat=True)) == {"waiting", "carried_out", "refused"}
    operators = list(Operator.objects.filter(is_active=True))
    waiting = list(Proposal.objects.filter(state=Proposal.State.WAITING))
    assert Counter(proposal.kind for proposal in waiting) == {
        "rewards.adjust_points": 2,
        "rewards.adjust_batch": 1,
        "members.import": 1,
        "members.export_large": 1,
        "members.tag_many": 1,
        "loyalty.give_benefit": 1,
        "loyalty.give_grace": 1,
    }
    assert max(proposal.amount for proposal in waiting) > 5_000
    for proposal in waiting:
        assert any(may_decide(proposal, operator) for operator in operators)
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}
    assert JobErrorRow.objects.exists()


def check_members() -> None:
    """Each page of members has something to show, and something that waits."""
    assert set(Card.objects.values_list("state", flat=True)) == set(Card.State)
    assert AttributeValue.objects.filter(attribute__sensitivity="sensitive", agreed_at__isnull=False).exists()
    assert HouseholdMember.objects.filter(role="child").exists()
    assert Member.objects.filter(inviter__isnull=False).count() > Member.objects.count() / 20
    assert not Store.objects.filter(region=None).exists()
    said = dict(
        ConsentState.objects.filter(is_given=True).values_list("purpose").annotate(n=Count("member", distinct=True))
    )
    assert said["marketing"] > said["behaviour"] > said["research"] > said["sharing"] > 0
    assert ConsentState.objects.filter(purpose="contact", is_given=False).count() == STOPPED
    assert set(ConsentEntry.objects.filter(purpose="marketing").values_list("text__version", flat=True)) == {1, 2}
    assert set(Behaviour.objects.values_list("kind", flat=True)) == {"view", "search"}
    in_use = Segment.objects.filter(state=Segment.State.READY)
    assert in_use.filter(kind=Segment.Kind.LIVE, is_of_tag=False, members_count__gt=0).count() >= 8
    assert in_use.filter(kind=Segment.Kind.STATIC).get().members_count > 20
    assert Tag.objects.get(code="six_visits").rule in in_use
    assert SegmentSpan.objects.filter(left_at__isnull=False).exists()
    check_cases()


def check_cases() -> None:
    """What waits on desks: duplicates for different reasons, risks, a freeze, farewells, wishes, files in and out."""
    pairs = DuplicatePair.objects.all()
    told = {reason for pair in pairs.filter(state=DuplicatePair.State.OPEN) for reason in pair.evidence}
    assert told >= {"phone", "unionid", "card", "name_birthday", "pinyin_birthday"}
    assert pairs.filter(state=DuplicatePair.State.MERGED).count() == Merge.objects.filter(unmerged_at=None).count() == 1
    rules = set(RiskFinding.objects.filter(review__state=RiskReview.State.WAITING).values_list("rule", flat=True))
    assert rules >= {"orders_in_an_hour", "goods_given_back", "staff_own_account"}
    assert MemberFreeze.objects.filter(released_at=None, stops_earning=False).exists()
    assert set(Closure.objects.values_list("state", flat=True)) == {Closure.State.ASKED, Closure.State.TAKEN_BACK}
    assert set(PrivacyRequest.objects.values_list("kind", "state")) == {("copy", "done"), ("erasure", "waiting")}
    done, waiting = MemberImport.objects.order_by("created_at")
    assert (done.rows_new, done.rows_bad, waiting.job) == (IMPORTED, 5, None)
    assert list(MemberExport.objects.filter(job=None).values_list("is_unmasked", flat=True)) == [False]
    full = MemberExport.objects.get(is_unmasked=True)
    assert full.proposal is not None
    assert full.proposal.maker != full.proposal.first_checker
    assert FileTaken.objects.filter(job=full.job).exists()


def check_benefits() -> None:
    """Tiers give, members have used about half, a budget warned, and one gives another benefit instead."""
    sums = Entitlement.objects.filter(benefit__voucher_template_code="", source="tier").aggregate(
        quota=Sum("quota"), used=Sum("used")
    )
    assert 0 < sums["used"] < sums["quota"]
    assert set(Entitlement.objects.values_list("state", flat=True)) >= {"granted", "used_up", "expired"}
    assert set(Entitlement.objects.values_list("source", flat=True)) == {"tier", "staff"}
    assert EntitlementUse.objects.filter(undoes__isnull=False).exists()
    assert Entitlement.objects.filter(source_ref="instead:cup-upgrade").exists()
    assert set(BenefitBudgetNote.objects.values_list("kind", flat=True)) >= {"warned", "full"}
    assert Voucher.objects.filter(origin=Voucher.Origin.BENEFIT).count() == sum(
        Entitlement.objects.exclude(benefit__voucher_template_code="").values_list("used", flat=True)
    )


def check_books() -> None:
    """Every month that is over is locked and agrees; every entry is sealed; the verification found nothing."""
    today = datetime.now(programme().tz).date()
    for currency in ("points", "beans"):
        closes = list(MonthClose.objects.filter(currency__code=currency).order_by("month"))
        assert all(close.agrees for close in closes)
        # What happened in the last hours of a month that is locked by now falls into the open one.
        assert all(close.late_entries == 0 for close in closes[:-1])
        assert [close.state for close in closes] == [MonthClose.State.LOCKED] * (len(closes) - 1) + [
            MonthClose.State.DRAFT
        ]
        assert closes[-1].month == today.replace(day=1)
    assert MonthClose.objects.filter(currency__code="points", state=MonthClose.State.LOCKED).count() == 18
    assert seal_lag().entries == 0
    assert LedgerAnchor.objects.count() == 1
    assert LedgerVerification.objects.get().findings_count == 0
    own = MonthClose.objects.filter(currency__code="points").order_by("month")
    assert all(close.has_settlement and close.voucher_count == close.voucher_counted_count for close in own)
    settled = SettlementLine.objects.filter(close__in=own).exclude(issuing_store=F("spending_store"))
    assert settled.exclude(issuing_store=None).exclude(spending_store=None).exists()
    assert VoucherLine.objects.filter(close__in=own, breakage_share__gt=0).exists()


def test_five_thousand_members(committed_db: str, record_result: Callable[[str, Figures], None]) -> None:
    seconds, cpu, said = told(5_000)
    found = figures_of_the_business()
    balances = PointsAccount.objects.filter(currency__code="points").aggregate(
        available=Sum("available"), debt=Sum("debt")
    )
    load = os.getloadavg()[0]
    shown = {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in found.items()}
    record_result(
        "The demo, 5,000 members",
        {"seconds": f"{seconds:.0f}", "of these, CPU of the command": f"{cpu:.0f}", "members a second": f"{5_000 / seconds:.0f}",
         "load average of the machine": f"{load:.1f}", **shown, "points outstanding": balances["available"]},
    )  # fmt: skip

    assert "Telling 18 months of 5000 members" in said
    check_business(found, 5_000)
    check_days()
    check_points()
    check_hands()
    check_members()
    check_benefits()
    check_tiers(datetime.now(UTC))
    check_books()
    assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []
    about = set(Message.objects.values_list("template__occasion", flat=True))
    # Of its past the demo writes to nobody; of what lies ahead it does, and to who rose at the till in these days.
    assert {"points_expiring"} <= about <= {"points_expiring", "tier_at_risk", "plan_ends_soon", "tier_raised"}
    accounts = Operator.objects.filter(is_active=True)
    assert accounts.count() == 10
    home = signed_in("marketing", language="zh-hans").get(reverse("admin:index"))
    people = signed_in("service", language="zh-hans").get(reverse("admin:members_member_changelist"))
    assert home.status_code == people.status_code == 200
    assert Member.objects.order_by("-joined_at", "-id")[0].member_no in people.text
    assert seconds < MOST_SECONDS * busy(), f"{seconds:.0f} s, {cpu:.0f} s of CPU"


@pytest.mark.parametrize("members", [60, 1_500])
def test_few_members_show_the_same_of_tiers(committed_db: str, members: int) -> None:
    told(members)
    assert Member.objects.count() == members + IMPORTED
    check_tiers(datetime.now(UTC))
    assert not ParkedEntry.objects.exists()
    assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []


@pytest.mark.parametrize("members", [20_000])
def test_says_honestly_how_long_more_members_take(
    committed_db: str, record_result: Callable[[str, Figures], None], members: int
) -> None:
    seconds, cpu, _ = told(members)
    rate = members / seconds
    record_result(
        f"The demo, {members:,} members",
        f"{seconds:.0f} s, {cpu:.0f} s of them CPU of the command: {rate:.0f} members a second; seed_demo reckons with {MEMBERS_PER_SECOND}. "
        f"Load average {os.getloadavg()[0]:.1f}.",
    )
    assert Member.objects.count() == members + IMPORTED
    assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []
    assert 0.5 < rate * busy() / MEMBERS_PER_SECOND < 3
