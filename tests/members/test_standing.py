"""What a freeze forbids and for how long, and how a membership ends."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction

from members.actors import Actor
from members.models import (
    ClosingReason,
    Closure,
    Member,
    MemberFreeze,
    MemberToken,
    OwnMembership,
    Programme,
    TimelineEntry,
)
from members.own_accounts import OwnAccount
from members.queries import forget_programme
from members.services.activities import record_activity
from members.services.closing import (
    ClosingReasonUnknown,
    LeavingAlready,
    NotLeaving,
    ask_to_leave,
    close_due,
    reasons_for,
    reopen_member,
    stay_after_all,
)
from members.services.status import (
    AlreadyFrozen,
    NothingFrozen,
    ReasonMissing,
    ReleaseOutOfRange,
    freeze_member,
    release_freezes,
    unfreeze_member,
)
from members.services.tokens import MemberIsClosed, MemberIsFrozen, TokenExpired, authenticate_token, issue_member_token
from tests.factories.api import make_channel, make_member
from tests.factories.portal import an_operator

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
UNTIL = AT + timedelta(days=7)
STAFF = Actor("operator", 7)
Act = Member.Act


@pytest.fixture
def member(db: None) -> Member:
    make_channel()
    forget_programme()
    return make_member()


def freeze(member: Member, *acts: Member.Act, until: datetime = UNTIL) -> None:
    freeze_member(member_id=member.pk, reason="checked", release_at=until, acts=acts, by=STAFF, at=AT)


def visit(member: Member, number: str) -> None:
    record_activity(
        member_id=member.pk, kind="review", source="test", external_ref=number, happened_at=AT, by=STAFF, at=AT
    )


class TestFreezingApart:
    def test_leaves_open_what_it_does_not_name(self, member: Member) -> None:
        freeze(member, Act.SPEND)
        member.refresh_from_db()
        assert member.status == Member.Status.FROZEN
        assert [member.status_to(act) for act in Act] == ["active", "frozen", "active"]
        issued = issue_member_token(member_id=member.pk, at=AT)
        assert authenticate_token(secret=issued.secret, at=AT)
        visit(member, "1")

    def test_of_sign_in_ends_tokens_and_leaves_earning_open(self, member: Member) -> None:
        issued = issue_member_token(member_id=member.pk, at=AT)
        freeze(member, Act.SIGN_IN)
        with pytest.raises(MemberIsFrozen):
            authenticate_token(secret=issued.secret, at=AT)
        assert MemberToken.objects.get().revoked_at == AT
        visit(member, "1")

    def test_of_earning_refuses_what_earns_and_keeps_the_sign_in(self, member: Member) -> None:
        issued = issue_member_token(member_id=member.pk, at=AT)
        freeze(member, Act.EARN)
        assert authenticate_token(secret=issued.secret, at=AT)
        with pytest.raises(MemberIsFrozen):
            visit(member, "1")
        assert not TimelineEntry.objects.filter(kind="members.activity_recorded.v1").exists()

    def test_refusals_change_nothing(self, member: Member) -> None:
        with pytest.raises(NothingFrozen):
            freeze(member)
        for until in (AT, AT - timedelta(days=1), AT + timedelta(days=367)):
            with pytest.raises(ReleaseOutOfRange):
                freeze(member, Act.EARN, until=until)
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE
        assert not MemberFreeze.objects.exists()
        freeze(member, Act.EARN)
        with pytest.raises(AlreadyFrozen):
            freeze(member, Act.SPEND)
        member.refresh_from_db()
        assert not member.frozen_but_earns
        assert member.frozen_but_spends

    def test_is_kept_by_the_database_in_step_with_the_status(self, member: Member) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            Member.objects.filter(pk=member.pk).update(frozen_but_earns=True)
        with pytest.raises(IntegrityError), transaction.atomic():
            Member.objects.filter(pk=member.pk).update(
                status="frozen", frozen_but_earns=True, frozen_but_spends=True, frozen_but_signs_in=True
            )

    def test_is_taken_back_by_staff(self, member: Member) -> None:
        freeze(member, Act.SPEND)
        unfreeze_member(member_id=member.pk, reason="explained", by=STAFF, at=AT + timedelta(hours=1))
        member.refresh_from_db()
        assert [member.status_to(act) for act in Act] == ["active"] * 3
        assert MemberFreeze.objects.get().released_at == AT + timedelta(hours=1)
        freeze(member, Act.EARN)
        assert MemberFreeze.objects.count() == 2


class TestTheOwnAccount:
    """An operator who is a member too: what others have stopped, others set going again."""

    @pytest.fixture
    def oneself(self, member: Member) -> Actor:
        operator = an_operator()
        OwnMembership.objects.create(operator=operator, member=member)
        return Actor("operator", operator.pk)

    def test_is_not_unfrozen_by_its_owner(self, member: Member, oneself: Actor) -> None:
        freeze(member, Act.SPEND)
        with pytest.raises(OwnAccount):
            unfreeze_member(member_id=member.pk, reason="it is me", by=oneself, at=AT)
        member.refresh_from_db()
        assert member.status == Member.Status.FROZEN
        assert MemberFreeze.objects.get().released_at is None
        assert not TimelineEntry.objects.filter(kind="members.unfrozen.v1").exists()
        unfreeze_member(member_id=member.pk, reason="checked", by=Actor("operator", an_operator().pk), at=AT)

    def test_is_not_opened_again_by_its_owner(self, member: Member, oneself: Actor) -> None:
        ask_to_leave(member_id=member.pk, reason="other", at_once=True, by=STAFF, at=AT)
        with pytest.raises(OwnAccount):
            reopen_member(member_id=member.pk, reason="it is me", by=oneself, at=AT)
        member.refresh_from_db()
        assert member.status == Member.Status.CLOSED
        assert Closure.objects.get().state == Closure.State.CLOSED
        reopen_member(member_id=member.pk, reason="came back", by=Actor("operator", an_operator().pk), at=AT)


class TestReleasingFreezes:
    def test_ends_those_whose_time_is_up_and_no_others(self, member: Member) -> None:
        later = make_member()
        freeze(member, Act.SPEND)
        freeze(later, Act.SPEND, until=UNTIL + timedelta(seconds=1))
        assert release_freezes(at=UNTIL - timedelta(microseconds=1)) == 0
        assert release_freezes(at=UNTIL) == 1
        assert release_freezes(at=UNTIL) == 0
        member.refresh_from_db()
        later.refresh_from_db()
        assert (member.status, later.status) == ("active", "frozen")
        assert not member.frozen_but_earns
        entry = TimelineEntry.objects.get(member=member, kind="members.unfrozen.v1")
        assert (entry.actor_kind, entry.payload) == ("system", {"by_itself": True})

    def test_ends_a_freeze_once_beside_itself(self, committed_db: str) -> None:
        members = [make_member() for _number in range(6)]
        for member in members:
            freeze(member, Act.EARN)
        barrier = Barrier(4)

        def run() -> int:
            try:
                connection.ensure_connection()
                barrier.wait(timeout=20)
                return release_freezes(at=UNTIL)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            ended = sum(future.result() for future in [pool.submit(run) for _ in range(4)])
        assert ended + release_freezes(at=UNTIL) == 6
        assert TimelineEntry.objects.filter(kind="members.unfrozen.v1").count() == 6


class TestLeaving:
    def test_takes_effect_after_the_days_to_think_it_over(self, member: Member) -> None:
        token = issue_member_token(member_id=member.pk, at=AT + timedelta(days=6, hours=23))
        closure = ask_to_leave(member_id=member.pk, reason="no_benefit", note=" no\nneed ", by=STAFF, at=AT)
        assert closure.effective_at == AT + timedelta(days=7)
        assert closure.note == "no need"
        assert close_due(at=AT + timedelta(days=6, hours=23)) == 0
        assert authenticate_token(secret=token.secret, at=AT + timedelta(days=6, hours=23))
        assert close_due(at=AT + timedelta(days=7)) == 1
        assert close_due(at=AT + timedelta(days=7)) == 0
        member.refresh_from_db()
        assert member.status == Member.Status.CLOSED
        with pytest.raises(MemberIsClosed):
            authenticate_token(secret=token.secret, at=AT + timedelta(days=7))
        entry = TimelineEntry.objects.get(kind="members.closed.v1")
        assert entry.payload == {"reason": ClosingReason.objects.get(code="no_benefit").pk}

    def test_can_be_taken_back_until_then(self, member: Member) -> None:
        ask_to_leave(member_id=member.pk, reason="privacy", by=Actor("member", member.pk), at=AT)
        stay_after_all(member_id=member.pk, by=Actor("member", member.pk), at=AT + timedelta(days=1))
        assert close_due(at=AT + timedelta(days=30)) == 0
        assert Closure.objects.get().state == Closure.State.TAKEN_BACK
        with pytest.raises(NotLeaving):
            stay_after_all(member_id=member.pk, by=STAFF, at=AT)
        ask_to_leave(member_id=member.pk, reason="privacy", by=STAFF, at=AT + timedelta(days=2))
        assert Closure.objects.count() == 2

    def test_may_be_at_once_and_ends_a_freeze(self, member: Member) -> None:
        freeze(member, Act.SPEND)
        ask_to_leave(member_id=member.pk, reason="abuse", at_once=True, by=STAFF, at=AT)
        member.refresh_from_db()
        assert (member.status, member.frozen_but_earns) == ("closed", False)
        assert MemberFreeze.objects.get().released_at == AT
        assert release_freezes(at=UNTIL) == 0
        with pytest.raises(MemberIsClosed):
            stay_after_all(member_id=member.pk, by=STAFF, at=AT)

    def test_can_be_opened_again_with_signing_in_anew(self, member: Member) -> None:
        token = issue_member_token(member_id=member.pk, at=AT)
        ask_to_leave(member_id=member.pk, reason="other", at_once=True, by=STAFF, at=AT)
        with pytest.raises(ReasonMissing):
            reopen_member(member_id=member.pk, reason=" ", by=STAFF, at=AT)
        reopen_member(member_id=member.pk, reason="came back", by=STAFF, at=AT)
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE
        with pytest.raises(TokenExpired):
            authenticate_token(secret=token.secret, at=AT)
        with pytest.raises(NotLeaving):
            reopen_member(member_id=member.pk, reason="again", by=STAFF, at=AT)

    def test_refusals_change_nothing(self, member: Member) -> None:
        with pytest.raises(ClosingReasonUnknown):
            ask_to_leave(member_id=member.pk, reason="abuse", by=Actor("member", member.pk), at=AT)
        with pytest.raises(ClosingReasonUnknown):
            ask_to_leave(member_id=member.pk, reason="x", by=STAFF, at=AT)
        assert not Closure.objects.exists()
        ask_to_leave(member_id=member.pk, reason="other", by=STAFF, at=AT)
        with pytest.raises(LeavingAlready):
            ask_to_leave(member_id=member.pk, reason="other", at_once=True, by=STAFF, at=AT)
        member.refresh_from_db()
        assert member.status == Member.Status.ACTIVE
        assert Closure.objects.count() == 1

    def test_waits_as_long_as_the_programme_says(self, member: Member) -> None:
        Programme.objects.update(closing_days=0)
        forget_programme()
        ask_to_leave(member_id=member.pk, reason="other", by=STAFF, at=AT)
        forget_programme()
        member.refresh_from_db()
        assert member.status == Member.Status.CLOSED

    def test_offers_members_the_reasons_that_are_theirs(self, db: None) -> None:
        assert {reason.code for reason in reasons_for(STAFF)} - {
            reason.code for reason in reasons_for(Actor("member", 1))
        } == {"abuse"}
