"""Points that members give to a charity project: redeemed from the catalogue, or by staff on their behalf."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.queries import tier_at
from members import proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.models import Member, Proposal
from rewards import ledger
from rewards.events_adjustments import points_donated
from rewards.explanation import in_active_language, points_words, register_note
from rewards.models import CharityProject, Donation
from rewards.policies import unless_default
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import (
    NotAWholeNumber,
    Params,
    balance_effect,
    label_in,
    member_no_of,
    posted_id,
)
from rewards.services.orders import hold_active
from rewards.services.transfers import check_cooldown

DONATE: Final = "rewards.donate_points"
SOURCE: Final = "donation"


class ProjectTakesNothing(RewardsRefusal):
    """The project is not running, or was ended."""

    code = "project_takes_nothing"
    text = gettext_lazy("This project takes no points now.")


@dataclass(frozen=True, slots=True)
class ProjectTotals:
    """What a project was given: points, less what was taken back, and by how many members."""

    points: int = 0
    members: int = 0


def running_projects(at: datetime) -> list[CharityProject]:
    """Return the projects that take points at a moment."""
    ended = Q(ends_at__isnull=True) | Q(ends_at__gt=at)
    return list(CharityProject.objects.filter(ended, is_active=True, starts_at__lte=at).order_by("starts_at", "pk"))


def points_given(project_ids: Iterable[int]) -> Mapping[int, int]:
    """Return what members gave to projects, in points, by project: one query."""
    rows = Donation.objects.filter(project__in=project_ids).values("project_id").annotate(total=Sum("points"))
    return {row["project_id"]: row["total"] for row in rows}


def totals_of(project_id: int) -> ProjectTotals:
    """Return the totals of a project: one query. Members whose gift was taken back are not counted."""
    found = Donation.objects.filter(project=project_id).aggregate(
        total=Sum("points", default=0),
        givers=Count("member_id", distinct=True, filter=Q(points__gt=0, taken_back_by__isnull=True)),
    )
    return ProjectTotals(found["total"], found["givers"])


def propose_donation(
    *, member_id: int, project_id: int, points: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Give points of a member to a project within the operator's limits, else let a colleague decide.

    Raises ProjectTakesNothing, NotAWholeNumber, TransferTooSoon, InsufficientPoints, MemberFrozen, MemberClosed, and as
    `members.proposals.propose` does.
    """
    if points < 1:
        raise NotAWholeNumber
    project = running_project(project_id, at)
    check_cooldown(member_id=member_id, currency_id=ledger.currency_id(), at=at)
    params = {
        "member": member_id, "member_no": member_no_of(member_id), "project": project.pk, "label": labels_of(project, "name"),
        "currency": ledger.currency_id(), "points": points,
    }  # fmt: skip
    return proposals.propose(kind=DONATE, params=params, reason=reason, by=by, at=at, request_id=request_id)


def running_project(project_id: int, at: datetime) -> CharityProject:
    """Return a project that takes points at a moment. Raises ProjectTakesNothing."""
    project = CharityProject.objects.filter(pk=project_id).first()
    if (
        project is None
        or not project.is_active
        or project.starts_at > at
        or (project.ends_at is not None and project.ends_at <= at)
    ):
        raise ProjectTakesNothing
    return project


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    member_id, points = params["member"], params["points"]
    hold_active(member_id, Member.Act.SPEND)
    project = running_project(params["project"], at)
    give_to_project(
        member_id=member_id, project=project, points=points, currency_id=params["currency"], source=SOURCE,
        natural_key=f"proposal {proposal.pk}", by=by, at=at, proposal=proposal,
    )  # fmt: skip
    figures = {"points": points_words(points), "project": project.name, "member": params["member_no"]}
    return _("%(points)s of member %(member)s given to “%(project)s”.") % figures


def give_to_project(
    *, member_id: int, project: CharityProject, points: int, currency_id: int, source: str, natural_key: str, by: Actor,
    at: datetime, proposal: Proposal | None = None,
) -> tuple[ledger.Posting, Donation | None]:  # fmt: skip
    """Give points of a member to a project that runs, in the caller's transaction, which holds the member.

    Returns the posting and the donation; told again the posting is repeated and there is no new donation. Raises
    InsufficientPoints.
    """
    posting = ledger.debit(
        kind=ledger.Kind.DONATE, contra=ledger.Contra.CHARITY, member_id=member_id, currency_id=currency_id, points=points,
        source=source, natural_key=natural_key, at=at, by=by, reason=proposal.reason[:200] if proposal else "",
        tier_code=tier_at(member_id, at).code,
        trace={"v": 2, "kind": "donate", "points": points, "project": project.pk, "text": labels_of(project, "name")},
    )  # fmt: skip
    if posting.repeated:
        return posting, None
    donation = Donation.objects.create(
        project=project, member_id=member_id, points=points, proposal=proposal, transaction_id=posted_id(posting), happened_at=at
    )  # fmt: skip
    timeline.record([
        points_donated(
            donation_id=donation.pk, project_id=project.pk, member_id=member_id, points=points,
            currency_id=unless_default(currency_id), happened_at=at, by=by,
        )
    ])  # fmt: skip
    return posting, donation


def _sentence(params: Params) -> str:
    figures = {"points": points_words(params["points"]), "project": label_in(params), "member": params["member_no"]}
    return _("Give %(points)s of member %(member)s to “%(project)s”.") % figures


def _effect(params: Params, at: datetime) -> Effect:
    lines = (EffectLine(_("Given to the project (points)"), "–", params["points"]),)
    return balance_effect(
        member_id=params["member"],
        currency_id=params["currency"],
        change=-params["points"],
        points=0,
        at=at,
        lines=lines,
    )


def _note(trace: dict[str, Any]) -> list[str]:
    return [_("Donated to “%(project)s”.") % {"project": in_active_language(trace.get("text") or {})}]


def register() -> None:
    """Make donations known to those who approve, and put their explanation into words."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=DONATE, label=gettext_lazy("Donation of points"), permission="rewards.donate_points", sentence=_sentence,
            effect=_effect, carry_out=_carry_out, amount=lambda params: params["points"],
            concerned=lambda params: [params["member"]],
        )
    )  # fmt: skip
    register_note("donate", _note)
