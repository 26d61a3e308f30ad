"""Households, which everybody in them agreed to; and what new members are invited to do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.urls import reverse

from members.actors import Actor
from members.facts import values_for
from members.models import (
    Household,
    HouseholdMember,
    Member,
    MemberPerson,
    OnboardingTask,
    OwnMembership,
    TimelineEntry,
)
from members.onboarding import tasks_of
from members.own_accounts import OwnAccount
from members.refusals import MembersRefusal
from members.services.households import (
    MOST_PEOPLE,
    AgreementMissing,
    ChildrenKeepTheirPoints,
    HouseholdFull,
    LivesElsewhere,
    NoHousehold,
    NotWithOneself,
    join_household,
    leave_household,
    payers_for,
    share_in_household,
    share_points,
)
from members.services.profile import ProfileChange, change_profile
from members.services.status import ReasonMissing
from members.services.tokens import MemberIsClosed
from tests.factories.api import make_channel, make_member, sign_in
from tests.factories.portal import an_operator, signed_in
from tests.harness.forms import form_on

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
STAFF = Actor("operator", 7)
Role = HouseholdMember.Role


@pytest.fixture
def family(db: None) -> tuple[Member, Member, Member]:
    make_channel()
    return make_member(full_name="张三"), make_member(full_name="李四"), make_member(full_name="张小")


def join(
    member: Member, newcomer: Member, role: HouseholdMember.Role = Role.ADULT, *, agreed: bool = True
) -> Household:
    return join_household(member_id=member.pk, newcomer_id=newcomer.pk, role=role, both_agreed=agreed, by=STAFF, at=AT)


def leave(member: Member) -> None:
    leave_household(member_id=member.pk, reason="moved out", by=STAFF, at=AT + timedelta(days=1))


def living(household: Household) -> dict[int, str]:
    """Return the roles of who lives there, by member."""
    return dict(household.people.filter(left_at__isnull=True).values_list("member_id", "role"))


class TestAHousehold:
    def test_is_made_of_two_who_agreed(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, child = family
        household = join(father, mother)
        assert join(mother, child, Role.CHILD) == household
        assert living(household) == {father.pk: "head", mother.pk: "adult", child.pk: "child"}
        assert HouseholdMember.objects.filter(agreed_at=AT).count() == 3
        assert TimelineEntry.objects.filter(kind="members.household_joined.v1").count() == 3
        key = "members.in_household"
        assert values_for(child.pk, [key], AT)[key] is True

    def test_refusals_change_nothing(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, child = family
        with pytest.raises(AgreementMissing):
            join(father, mother, agreed=False)
        with pytest.raises(NotWithOneself):
            join(father, father)
        with pytest.raises(NoHousehold):
            leave(father)
        with pytest.raises(NoHousehold):
            share_in_household(member_id=father.pk, benefits=True, vouchers=True, by=STAFF, at=AT)
        Member.objects.filter(pk=child.pk).update(status=Member.Status.CLOSED)
        with pytest.raises(MemberIsClosed):
            join(father, child)
        assert not Household.objects.exists()
        household = join(father, mother)
        with pytest.raises(LivesElsewhere):
            join(make_member(), mother)
        with pytest.raises(ReasonMissing):
            leave_household(member_id=father.pk, reason=" ", by=STAFF, at=AT)
        assert len(living(household)) == HouseholdMember.objects.count() == 2

    def test_is_bounded(self, family: tuple[Member, Member, Member]) -> None:
        father, *_others = family
        for _number in range(MOST_PEOPLE - 1):
            join(father, make_member())
        with pytest.raises(HouseholdFull):
            join(father, make_member())

    def test_gets_another_head_and_ends_with_the_last_but_one(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, child = family
        household = join(father, child, Role.CHILD)
        join(father, mother)
        leave(father)
        assert living(household) == {child.pk: "child", mother.pk: "head"}
        leave(child)
        household.refresh_from_db()
        assert living(household) == {}
        assert household.ended_at == AT + timedelta(days=1)
        assert join(mother, father) != household

    def test_says_what_it_shares(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, _child = family
        household = join(father, mother)
        for _twice in range(2):
            share_in_household(member_id=mother.pk, benefits=True, vouchers=False, by=STAFF, at=AT)
        household.refresh_from_db()
        assert (household.shares_benefits, household.shares_vouchers) == (True, False)
        assert TimelineEntry.objects.filter(kind="members.household_sharing_changed.v1").count() == 1


def pay(member: Member, agrees: bool = True, at: datetime = AT) -> None:
    share_points(member_id=member.pk, agrees=agrees, by=STAFF, at=at)


def payers(member: Member) -> set[int]:
    return set(payers_for(member.pk, AT).values_list("member_id", flat=True))


class TestPayingForTheOthers:
    def test_is_each_ones_own_word_with_its_moment(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, child = family
        join(father, mother)
        join(father, child, Role.CHILD)
        later = AT + timedelta(hours=1)
        for _twice in range(2):
            pay(mother, at=later)
        part = HouseholdMember.objects.get(member=mother)
        assert part.points_shared_at == later
        assert (payers(father), payers(child), payers(mother)) == ({mother.pk}, {mother.pk}, set())
        pay(mother, agrees=False)
        part.refresh_from_db()
        assert (part.points_shared_at, payers(father)) == (None, set())
        told = TimelineEntry.objects.filter(kind="members.household_points_shared.v1").order_by("id")
        assert [(entry.member_id, entry.happened_at, entry.payload["agrees"]) for entry in told] == [
            (mother.pk, later, True), (mother.pk, AT, False),
        ]  # fmt: skip

    def test_ends_with_leaving_and_is_asked_anew(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, child = family
        join(father, mother)
        join(father, child, Role.CHILD)
        pay(mother)
        leave(mother)
        assert payers(father) == set()
        join(father, mother)
        assert payers(father) == set()

    def test_is_refused_to_children_strangers_and_who_left(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, child = family
        with pytest.raises(NoHousehold):
            pay(father)
        join(father, mother)
        join(father, child, Role.CHILD)
        with pytest.raises(ChildrenKeepTheirPoints):
            pay(child)
        MemberPerson.objects.filter(member=mother).update(birthday=date(2015, 1, 1))
        with pytest.raises(ChildrenKeepTheirPoints):
            pay(mother)
        Member.objects.filter(pk=father.pk).update(status=Member.Status.CLOSED)
        with pytest.raises(MemberIsClosed):
            pay(father)
        assert not HouseholdMember.objects.filter(points_shared_at__isnull=False).exists()
        assert not TimelineEntry.objects.filter(kind="members.household_points_shared.v1").exists()


class TestTheOwnAccountOfStaff:
    def test_gets_nobodys_points_by_its_owners_word(self, family: tuple[Member, Member, Member]) -> None:
        own, customer, third = family
        operator = an_operator()
        OwnMembership.objects.create(operator=operator, member=own)
        oneself = Actor("operator", operator.pk)
        for member, newcomer in ((own, customer), (customer, own)):
            with pytest.raises(OwnAccount):
                join_household(
                    member_id=member.pk, newcomer_id=newcomer.pk, role=Role.ADULT, both_agreed=True, by=oneself, at=AT
                )
        assert not Household.objects.exists()
        join(own, customer)  # a colleague has asked them
        with pytest.raises(OwnAccount):
            share_points(member_id=customer.pk, agrees=True, by=oneself, at=AT)
        assert payers(own) == set()
        pay(customer)
        share_points(member_id=customer.pk, agrees=False, by=oneself, at=AT)  # what gives nothing stays open
        assert payers(own) == set()
        leave(own)
        join(customer, third)
        share_points(member_id=customer.pk, agrees=True, by=oneself, at=AT)
        assert payers(third) == {customer.pk}


class TestAtOnce:
    def test_a_member_gets_into_one_of_six_households(self, committed_db: str) -> None:
        make_channel()
        newcomer = make_member()
        heads = [make_member() for _number in range(6)]
        answers = _at_once([lambda head=head: join(head, newcomer) for head in heads])  # type: ignore[misc]
        assert sorted(type(answer).__name__ for answer in answers) == ["Household"] + ["LivesElsewhere"] * 5
        assert Household.objects.count() == 1

    def test_two_who_invite_each_other_make_one(self, committed_db: str) -> None:
        make_channel()
        one, other = make_member(), make_member()
        answers = _at_once([lambda: join(one, other), lambda: join(other, one)])
        assert sorted(type(answer).__name__ for answer in answers) == ["Household", "LivesElsewhere"]
        assert HouseholdMember.objects.filter(role="head").count() == 1


def _at_once(acts: list[Callable[[], Household]]) -> list[Household | MembersRefusal]:
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Household]) -> Household | MembersRefusal:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return act()
        except MembersRefusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(run, act) for act in acts]]


@pytest.mark.django_db
class TestTheHouseholdOnTheMemberPage:
    def test_is_made_shared_and_left(self, family: tuple[Member, Member, Member]) -> None:
        father, mother, _child = family
        client = signed_in("service")

        def send(wish: str, **form: str) -> None:
            where = reverse("admin:members_member_household", args=[father.pk, wish])
            client.post(where, {"_form_submitted": "True", **form})

        send("join", newcomer=mother.member_no, role="adult")
        assert not Household.objects.exists()  # not without the agreement
        send("join", newcomer=mother.member_no, role="adult", both_agreed="on")
        send("sharing", benefits="on")
        page = reverse("admin:members_member_change", args=[father.pk]) + "?tab=profile"
        text = client.get(page).text
        assert mother.member_no in text
        assert "The household shares benefits." in client.get(page.replace("profile", "timeline")).text
        send("points", agrees="on")
        assert HouseholdMember.objects.get(member=father).points_shared_at is not None
        assert "pays for the others since" in client.get(page).text
        told = client.get(page.replace("profile", "timeline")).text
        assert "Agreed to pay for the others of the household with points." in told
        send("points")
        assert "pays for the others since" not in client.get(page).text
        send("leave", reason="moved out")
        assert Household.objects.get().ended_at is not None
        where = reverse("admin:members_member_household", args=[father.pk, "join"])
        assert signed_in("analyst").post(where, {"newcomer": mother.member_no}).status_code == 403


@pytest.mark.django_db
class TestFirstSteps:
    def test_are_done_once_the_fact_is_there(self) -> None:
        member = make_member(full_name="张三")
        at = member.joined_at + timedelta(days=1)
        assert [(one.task.code, one.is_done) for one in tasks_of(member, at)] == [("phone", False), ("birthday", False)]
        change_profile(member_id=member.pk, change=ProfileChange(birthday=date(1990, 5, 1)), by=STAFF, at=at)
        assert [(one.task.code, one.is_done) for one in tasks_of(member, at)] == [("phone", False), ("birthday", True)]

    def test_are_on_the_list_for_their_days(self) -> None:
        member = make_member()
        OnboardingTask.objects.filter(code="phone").update(days=5)
        assert [one.task.code for one in tasks_of(member, member.joined_at + timedelta(days=5))] == ["birthday"]
        assert tasks_of(member, member.joined_at + timedelta(days=30)) == []

    def test_whose_fact_is_gone_are_left_out(self) -> None:
        member = make_member()
        gone = {"all": [{"fact": "members.gone", "op": "is", "value": True}]}
        OnboardingTask.objects.filter(code="phone").update(condition=gone)
        assert [one.task.code for one in tasks_of(member, member.joined_at)] == ["birthday"]

    def test_are_read_by_the_members_app(self) -> None:
        member = make_member(phone="13800138000")
        body = sign_in(member).get("/me/onboarding").json()
        assert (body["done"], body["total"]) == (1, 2)
        assert [(task["code"], task["is_done"]) for task in body["tasks"]] == [("phone", True), ("birthday", False)]

    def test_are_written_by_staff_with_a_condition_in_words(self) -> None:
        client = signed_in(superuser=True)
        task = OnboardingTask.objects.get(code="birthday")
        where = reverse("admin:members_onboardingtask_change", args=[task.pk])
        form = form_on(client.get(where).text, "days")
        answer = client.post(where, form | {"days": "14", "name_en": "Your birthday"}, follow=True)
        assert answer.status_code == 200
        task.refresh_from_db()
        assert (task.days, vars(task)["name_en"]) == (14, "Your birthday")
        assert task.condition == {"all": [{"fact": "members.knows?part=birthday", "op": "is", "value": True}]}
        assert "known of the member: birthday" in client.get(reverse("admin:members_onboardingtask_changelist")).text
        nothing = {name: value for name, value in form.items() if not name.startswith("condition-")}
        nothing["condition-mode"] = ["all"]
        refused = client.post(where, nothing, follow=True)
        assert refused.context["adminform"].form.errors == {"condition": ["Say when the task is done."]}
