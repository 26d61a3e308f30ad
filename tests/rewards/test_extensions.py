"""Extension of points: by staff, within limits or with a second person, and for members who could not be reached."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission

from loyalty.periods import last_day_before
from members import proposals
from members.actors import SYSTEM, Actor
from members.jobs import kinds
from members.models import Job, Member, Operator, OperatorLimit, OwnMembership, Proposal, TimelineEntry
from members.own_accounts import OwnAccount
from members.services.jobs import run_job
from rewards import ending
from rewards.ledger import currency_id
from rewards.models import ExpiryWarning, Lot, LotEvent, PointsRate, WarningReceipt
from rewards.queries import balance_of
from rewards.services import extensions
from rewards.services.expiry import expire_due_lots
from rewards.services.expiry_warnings import record_warning_receipt, warn_of_expiry
from rewards.services.extensions import (
    Cost,
    ExtensionNotLater,
    ExtensionTooLong,
    NothingToExtend,
    Wish,
    cost_of,
    extend_points,
    extend_unreached,
    propose_extension,
)
from tests.factories.portal import an_operator
from tests.factories.times import SHANGHAI, at
from tests.harness.dumps import dump
from tests.harness.threads import together
from tests.rewards.expiry_given import a_policy, deadline_of, holder, inactivity, more_points, set_deadline

NOW = at("2026-03-20 10:00")
ENDS, UNTIL = date(2026, 3, 31), date(2026, 6, 30)


def a_wish(**changes: object) -> Wish:
    """Return the wish to let what ends with March live through June."""
    return Wish(**{"currency_id": currency_id(), "ends_date": ENDS, "until_date": UNTIL, **changes})  # type: ignore[arg-type]


def a_supervisor(points: int = 1_000) -> Operator:
    """Return somebody who may extend points, so many alone, and decide about colleagues' wishes."""
    operator = an_operator()
    group = Group.objects.create(name=f"role of {operator.pk}")
    group.permissions.set(Permission.objects.filter(codename__in=["extend_lots", "approve_proposal"]))
    OperatorLimit.objects.create(role=group, family="points", per_entry_points=points, per_day_points=10 * points)
    operator.groups.add(group)
    return operator


def extend(wish: Wish, operator: Operator, reason: str = "the shop was closed") -> proposals.ProposalOutcome:
    return propose_extension(wish=wish, reason=reason, by=Actor("operator", operator.pk), at=NOW)


def ends_of(member: Member) -> list[str]:
    """Return the ends of a member's lots, as local midnights."""
    ends = Lot.objects.filter(member=member).order_by("id").values_list("expires_at", flat=True)
    return [str(last_day_before(end, SHANGHAI)) if end else "never" for end in ends]


@pytest.mark.django_db
class TestExtension:
    """An extension …"""

    def test_within_the_limit_is_done_at_once_and_kept_on_every_lot(self) -> None:
        member = holder(100, until="2026-03-31")
        more_points(member, 20, earned="2026-01-11", until="2026-03-31")
        more_points(member, 7, earned="2026-01-12", until="2026-04-30")
        operator = a_supervisor()
        outcome = extend(a_wish(), operator)
        assert outcome.carried_out
        assert ends_of(member) == ["2026-06-30", "2026-06-30", "2026-04-30"]
        events = LotEvent.objects.filter(kind=LotEvent.Kind.EXPIRY_CHANGED)
        assert {(event.reason, event.old_expires_at, event.new_expires_at) for event in events} == {
            ("the shop was closed", at("2026-04-01"), at("2026-07-01"))
        }
        (entry,) = TimelineEntry.objects.filter(member=member, kind="rewards.points_extended.v1")
        assert entry.payload == {"points": 120, "lots": 2, "until": "2026-06-30"}
        assert entry.actor_id == operator.pk

    def test_keeps_the_points_spendable_through_its_last_day(self) -> None:
        member = holder(100, until="2026-03-31")
        extend(a_wish(), a_supervisor())
        expire_due_lots(at=at("2026-06-30 23:59"), by=SYSTEM)
        assert balance_of(member.pk, at("2026-06-30 23:59")).available == 100
        expire_due_lots(at=at("2026-07-01"), by=SYSTEM)
        assert balance_of(member.pk, at("2026-07-01")).available == 0

    def test_of_one_member_or_one_lot_leaves_the_others(self) -> None:
        one, other = holder(100, until="2026-03-31"), holder(50, until="2026-03-31")
        more_points(one, 20, earned="2026-01-11", until="2026-03-31")
        first = Lot.objects.filter(member=one).earliest("id")
        extend(a_wish(lot_id=first.pk, member_id=one.pk), a_supervisor())
        assert (ends_of(one), ends_of(other)) == (["2026-06-30", "2026-03-31"], ["2026-03-31"])
        extend(a_wish(member_id=one.pk), a_supervisor())
        assert (ends_of(one), ends_of(other)) == (["2026-06-30", "2026-06-30"], ["2026-03-31"])

    def test_costs_the_points_at_their_value_then(self) -> None:
        holder(100, until="2026-03-31")
        holder(50, until="2026-03-31")
        assert cost_of(a_wish(), at=NOW) == Cost(members=2, lots=2, points=150, amount=None)
        for day, value in (("2026-01-01", "0.01"), ("2026-03-01", "0.02"), ("2026-03-21", "5")):
            PointsRate.objects.create(currency_id=currency_id(), valid_from=at(day), money_per_point=Decimal(value))
        assert cost_of(a_wish(), at=NOW).amount == Decimal("3.00")

    def test_above_the_limit_waits_for_a_second_person(self) -> None:
        member = holder(100, until="2026-03-31")
        maker, checker = a_supervisor(99), a_supervisor()
        outcome = extend(a_wish(), maker)
        assert outcome.waiting
        assert ends_of(member) == ["2026-03-31"]
        with pytest.raises(proposals.MakerCanNotDecide):
            proposals.approve(proposal_id=outcome.proposal_id, by=Actor("operator", maker.pk), at=NOW)
        done = proposals.approve(proposal_id=outcome.proposal_id, by=Actor("operator", checker.pk), at=NOW)
        assert done.carried_out
        assert ends_of(member) == ["2026-06-30"]

    def test_that_is_approved_after_points_were_used_extends_what_is_left_and_nothing_twice(self) -> None:
        member = holder(100, until="2026-03-31")
        operator = a_supervisor()
        extend(a_wish(), operator)
        before = dump()
        with pytest.raises(NothingToExtend):
            extend(a_wish(), operator)
        assert dump() == before
        assert ends_of(member) == ["2026-06-30"]

    def test_under_the_same_key_changes_nothing_the_second_time(self) -> None:
        holder(100, until="2026-03-31")
        by = Actor("operator", a_supervisor().pk)
        first = extend_points(wish=a_wish(), reason="why", natural_key="k", by=by, at=NOW)
        before = dump()
        again = extend_points(wish=a_wish(), reason="why", natural_key="k", by=by, at=NOW)
        assert (first, again) == ((1, 100), (0, 0))
        assert dump() == before

    def test_asked_for_again_by_the_same_form_gives_the_first_answer(self) -> None:
        holder(100, until="2026-03-31")
        by = Actor("operator", a_supervisor().pk)
        first = propose_extension(wish=a_wish(), reason="why", by=by, at=NOW, request_id="form")
        assert first.carried_out
        before = dump()
        assert propose_extension(wish=a_wish(), reason="why", by=by, at=NOW, request_id="form") == first
        with pytest.raises(proposals.RequestUsedAgain):
            propose_extension(wish=a_wish(member_id=1), reason="why", by=by, at=NOW, request_id="form")
        assert dump() == before

    @pytest.mark.parametrize("is_named", [True, False])
    def test_of_a_lot_of_one_s_own_is_refused(self, is_named: bool) -> None:
        operator, member = a_supervisor(), holder(100, until="2026-03-31")
        OwnMembership.objects.create(operator=operator, member=member)
        before = dump()
        with pytest.raises(OwnAccount):
            extend(a_wish(lot_id=Lot.objects.get().pk, member_id=member.pk if is_named else None), operator)
        assert dump() == before

    @pytest.mark.parametrize(
        ("until", "refusal"),
        [("2026-03-31", ExtensionNotLater), ("2026-03-30", ExtensionNotLater), ("2031-01-01", ExtensionTooLong)],
    )
    def test_that_is_refused_changes_nothing(self, until: str, refusal: type[Exception]) -> None:
        holder(100, until="2026-03-31")
        before = dump()
        with pytest.raises(refusal):
            extend(a_wish(until_date=date.fromisoformat(until)), a_supervisor())
        assert dump() == before
        assert not Proposal.objects.exists()

    def test_is_refused_without_the_permission_and_without_a_reason(self) -> None:
        holder(100, until="2026-03-31")
        before = dump()
        with pytest.raises(proposals.NotAllowed):
            extend(a_wish(), an_operator())
        with pytest.raises(proposals.ProposalReasonMissing):
            extend(a_wish(), a_supervisor(), reason=" ")
        assert dump() == before

    def test_moves_the_deadline_of_an_account_and_counts_all_that_it_keeps_alive(self) -> None:
        inactivity()
        member = holder(100)
        more_points(member, 20, earned="2026-01-11", until="2026-03-31")
        set_deadline(member, at("2026-04-01"))
        more_points(member, 7, earned="2026-01-12", until="2026-12-31")
        assert cost_of(a_wish(), at=NOW) == Cost(members=1, lots=3, points=127, amount=None)
        extend(a_wish(), a_supervisor())
        assert deadline_of(member) == at("2026-07-01")
        assert ends_of(member) == ["never", "2026-06-30", "2026-12-31"]

    def test_of_many_lots_is_a_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(extensions, "MOST_AT_ONCE", 3)
        members = [holder(10, until="2026-03-31") for _ in range(7)]
        outcome = extend(a_wish(), a_supervisor())
        assert outcome.carried_out
        job = Job.objects.get()
        assert "rewards.extend_lots" in {kind.code for kind in kinds()}
        run_job(job_id=job.pk, worker="w", clock=lambda: NOW)
        job.refresh_from_db()
        assert (job.state, job.total, job.done, job.ok, job.message) == ("done", 7, 7, 7, "")
        assert {end for member in members for end in ends_of(member)} == {"2026-06-30"}
        assert TimelineEntry.objects.filter(kind="rewards.points_extended.v1").count() == 7


@pytest.mark.django_db
class TestUnreached:
    """Points of a member who could not be reached …"""

    def given(self, *receipts: bool, days: int = 30) -> Member:
        """Return a member whose points end with March, and what became of the warnings of a week ahead."""
        a_policy("end_of_month", months=12, extend_unreached_days=days)
        member = holder(100, until="2026-03-31")
        warn_of_expiry(at=at("2026-03-24 09:00"), by=SYSTEM)
        warnings = list(ExpiryWarning.objects.filter(member=member).values_list("pk", flat=True))
        for delivered in receipts:
            record_warning_receipt(warning_ids=warnings, delivered=delivered, by=SYSTEM, at=at("2026-03-24 10:00"))
        return member

    def run(self, moment: str = "2026-03-31 10:40") -> int:
        return extend_unreached(at=at(moment), by=SYSTEM)

    def test_live_on_as_the_policy_says_with_the_reason_on_the_lot(self) -> None:
        member = self.given(False)
        assert self.run() == 100
        assert ends_of(member) == ["2026-04-30"]
        (event,) = LotEvent.objects.filter(kind=LotEvent.Kind.EXPIRY_CHANGED)
        assert event.reason == "nobody was reached by the warnings"
        (entry,) = TimelineEntry.objects.filter(member=member, kind="rewards.points_extended.v1")
        assert entry.payload == {"points": 100, "lots": 1, "until": "2026-04-30", "unreached": True}
        receipt = WarningReceipt.objects.get(outcome="extended")
        assert receipt.extended_to_date == date(2026, 4, 30)

    @pytest.mark.parametrize("receipts", [(), (True,), (False, True)])
    def test_are_only_extended_where_a_sender_failed_and_none_succeeded(self, receipts: tuple[bool, ...]) -> None:
        member = self.given(*receipts)
        before = dump()
        assert self.run() == 0
        assert dump() == before
        assert ends_of(member) == ["2026-03-31"]

    def test_expire_all_the_same_where_the_policy_gives_no_days(self) -> None:
        self.given(False, days=0)
        assert self.run() == 0

    @pytest.mark.parametrize(
        ("moment", "points"), [("2026-03-30 23:40", 0), ("2026-03-31 00:40", 100), ("2026-04-01 00:40", 0)]
    )
    def test_are_extended_on_their_last_day(self, moment: str, points: int) -> None:
        self.given(False)
        assert self.run(moment) == points

    def test_are_extended_once(self) -> None:
        member = self.given(False)
        self.run()
        before = dump()
        assert self.run("2026-03-31 11:40") == 0
        assert dump() == before
        # The new end is warned of like any other; if nobody is reached again, the points are lost.
        warn_of_expiry(at=at("2026-04-24 09:00"), by=SYSTEM)
        again = list(ExpiryWarning.objects.filter(expires_date=date(2026, 4, 30)).values_list("pk", flat=True))
        record_warning_receipt(warning_ids=again, delivered=False, by=SYSTEM, at=at("2026-04-24 10:00"))
        assert len(again) == 1
        assert self.run("2026-04-30 10:40") == 0
        assert expire_due_lots(at=at("2026-05-01"), by=SYSTEM).points == 100
        assert ends_of(member) == ["2026-04-30"]

    def test_live_on_with_their_account_where_that_ends(self) -> None:
        inactivity(extend_unreached_days=10)
        member = holder(100)
        set_deadline(member, at("2026-04-01"))
        warn_of_expiry(at=at("2026-03-24 09:00"), by=SYSTEM)
        record_warning_receipt(
            warning_ids=list(ExpiryWarning.objects.values_list("pk", flat=True)), delivered=False, by=SYSTEM, at=NOW
        )
        assert self.run() == 100
        assert deadline_of(member) == at("2026-04-11")
        assert self.run("2026-04-10 10:40") == 0


class TestBesideItself:
    def test_the_unreached_are_extended_once(self, committed_db: str) -> None:
        a_policy("end_of_month", months=12, extend_unreached_days=30)
        members = [holder(10, until="2026-03-31") for _ in range(20)]
        warn_of_expiry(at=at("2026-03-24 09:00"), by=SYSTEM)
        warnings = list(ExpiryWarning.objects.values_list("pk", flat=True))
        record_warning_receipt(warning_ids=warnings, delivered=False, by=SYSTEM, at=NOW)
        moment = at("2026-03-31 10:40")
        runs = together([lambda: extend_unreached(at=moment, by=SYSTEM, chunk=3)] * 3)
        assert sum(runs) == 200
        assert LotEvent.objects.filter(kind=LotEvent.Kind.EXPIRY_CHANGED).count() == 20
        assert {end for member in members for end in ends_of(member)} == {"2026-04-30"}
        assert TimelineEntry.objects.filter(kind="rewards.points_extended.v1").count() == 20


@pytest.mark.django_db
class TestWhatEndsWhen:
    """What ends when …"""

    def test_is_told_by_day_with_members_and_points(self) -> None:
        one = holder(100, until="2026-03-31")
        more_points(one, 20, earned="2026-01-11", until="2026-03-31")
        more_points(one, 5, earned="2026-01-12", until="2026-03-25")
        holder(7, until="2026-03-31")
        holder(9, until="2026-04-01")
        holder(11)
        found = ending.endings_by_day(ending.month_scope(currency_id(), ENDS, at=NOW))
        assert found == [
            ending.Ending(date(2026, 3, 25), members=1, lots=1, points=5),
            ending.Ending(date(2026, 3, 31), members=2, lots=3, points=127),
        ]

    def test_takes_the_deadline_of_the_account_where_that_is_earlier(self) -> None:
        member = holder(100, until="2026-03-31")
        more_points(member, 20, earned="2026-01-11")
        set_deadline(member, at("2026-03-26"))
        later = holder(7, until="2026-03-28")
        set_deadline(later, at("2026-05-01"))
        found = ending.endings_by_day(ending.month_scope(currency_id(), ENDS, at=NOW))
        assert [(day.date.day, day.points) for day in found] == [(25, 120), (28, 7)]

    def test_leaves_out_what_has_ended_already(self) -> None:
        holder(100, until="2026-03-19")
        holder(7, until="2026-03-20")
        found = ending.endings_by_day(ending.month_scope(currency_id(), ENDS, at=NOW))
        assert [(day.date.day, day.points) for day in found] == [(20, 7)]

    def test_is_summed_up_by_month_over_the_turn_of_the_year(self) -> None:
        for until, points in (
            ("2026-03-31", 1),
            ("2026-04-01", 2),
            ("2026-12-31", 4),
            ("2027-01-01", 8),
            ("2027-03-31", 16),
        ):
            holder(points, until=until)
        holder(32, until="2027-04-01")  # beyond
        months = ending.points_by_month(currency_id(), at=NOW)
        assert len(months) == 13
        assert {str(month): points for month, points in months.items() if points} == {
            "2026-03-01": 1, "2026-04-01": 2, "2026-12-01": 4, "2027-01-01": 8, "2027-03-01": 16,
        }  # fmt: skip

    def test_lasts_until_the_end_of_the_day(self) -> None:
        holder(7, until="2026-03-20")
        day = ending.day_scope(currency_id(), date(2026, 3, 20), at=at("2026-03-20 23:59"))
        assert ending.total_of(day).points == 7
        assert day.until - day.after == timedelta(minutes=1)
