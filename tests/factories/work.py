"""Kinds of jobs and proposals that exist in tests only, over the brands of the business: something countable and harmless."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from members import jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.jobs import JobKind, JobRun, UndoPreview
from members.models import Brand, Channel, Job, Operator, Proposal
from members.refusals import MembersRefusal
from tests.factories.portal import an_operator

BRANDS = "test.brands"
BONUS = "test.bonus"
PERMISSION = "members.change_member"  # customer service has it, and their supervisors


class NotToday(MembersRefusal):
    """What the kinds of these tests refuse."""

    code = "not_today"
    text = "Not today: %(why)s."


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


def a_job_kind(
    *,
    chunk_rows: int = 2,
    before_chunk: Callable[[JobRun, int], None] | None = None,
    after_chunk: Callable[[JobRun, int], None] | None = None,
    **details: Any,
) -> JobKind:
    """Register and return a kind that makes one brand a row, in chunks; row numbers in params["bad"] are refused.

    `before_chunk` and `after_chunk` are called within each chunk, before and after its work, with the chunk's last row.
    """

    def run(run: JobRun) -> None:
        while (row := run.cursor.get("row", 0)) < run.total:
            with run.chunk():
                last = min(row + chunk_rows, run.total)
                if before_chunk is not None:
                    before_chunk(run, last)
                good = [number for number in range(row + 1, last + 1) if number not in run.params.get("bad", [])]
                Brand.objects.bulk_create(
                    Brand(code=f"job-{run.job.pk}-{number}", name=f"Row {number}") for number in good
                )
                for number in sorted(set(range(row + 1, last + 1)) - set(good)):
                    run.error_row({"No.": number, "Name": f"=Row {number}"}, NotToday(why="closed"), number=number)
                run.advance(ok=len(good), failed=last - row - len(good), cursor={"row": last})
                if after_chunk is not None:
                    after_chunk(run, last)

    def undo(run: JobRun) -> None:
        assert run.undoes is not None
        while run.job.done < run.total:
            with run.chunk():
                found = Brand.objects.filter(code__startswith=f"job-{run.undoes.pk}-").values_list("pk", flat=True)
                deleted, _by_model = Brand.objects.filter(pk__in=list(found[:chunk_rows])).delete()
                run.advance(ok=deleted)

    def can_undo(job: Job, at: datetime) -> UndoPreview:
        return UndoPreview(total=job.ok, lines=("Brands that sell stay.",))

    kind = JobKind(
        **{
            "code": BRANDS,
            "label": "Make brands",
            "run": run,
            "title": lambda params: f"Make {params.get('number', 0)} brands",
            "can_undo": can_undo,
            "undo": undo,
            **details,
        }
    )
    jobs.register_kind(kind)
    return kind


def a_job(total: int, *, at: datetime, by: Actor | None = None, **params: Any) -> Job:
    """Queue a job of the kind of `a_job_kind`."""
    return jobs.start_job(
        kind=BRANDS, title_params={"number": total}, params=params, total=total, by=by or actor(an_operator()), at=at
    )


def brands_of(job: Job) -> list[int]:
    """Return the rows that a job has done, as its brands tell."""
    codes = Brand.objects.filter(code__startswith=f"job-{job.pk}-").values_list("code", flat=True)
    return sorted(int(code.rpartition("-")[2]) for code in codes)


def a_proposal_kind(**details: Any) -> None:
    """Register a kind whose carrying out makes a channel named by params["code"], with `points` as its amount."""

    def carry_out(params: Mapping[str, Any], by: Actor, at: datetime, proposal: Proposal) -> str:
        if params.get("closed"):
            Channel.objects.create(code=params["code"], name="half done", kind=Channel.Kind.WEB)
            raise NotToday(why="closed")
        # No get_or_create: a second time would fail, and be seen.
        Channel.objects.create(code=params["code"], name=f"{params['points']}", kind=Channel.Kind.WEB)
        return f"{params['points']} points were given."

    def effect(params: Mapping[str, Any], at: datetime) -> Effect:
        channels = Channel.objects.filter(kind=Channel.Kind.TILL).count()
        return Effect((EffectLine("Points", channels, channels + params["points"]),), cost_points=params["points"])

    proposals.register_kind(
        proposals.ProposalKind(
            **{
                "code": BONUS,
                "label": "Give points",
                "permission": PERMISSION,
                "sentence": lambda params: f"Give {params['points']} points",
                "effect": effect,
                "carry_out": carry_out,
                "amount": lambda params: params["points"],
                "concerned": _concerned,
                **details,
            }
        )
    )


def _concerned(params: Mapping[str, Any]) -> Collection[int]:
    return params.get("members", ())


def a_proposal(points: int, *, at: datetime, maker: Operator | None = None, code: str = "bonus", **details: Any) -> Any:
    """Propose to give so many points, as customer service unless told otherwise; return the outcome."""
    known = {name: details.pop(name) for name in ("reason", "request_id") if name in details}
    return proposals.propose(
        kind=BONUS,
        params={"points": points, "code": code, **details},
        by=actor(maker or an_operator("service")),
        at=at,
        **{"reason": "Late delivery", **known},
    )


def actor(operator: Operator) -> Actor:
    """Return an operator as one who acts."""
    return Actor("operator", operator.pk)


def an_approver(*roles: str) -> Operator:
    """Return a supervisor who may approve: the right is given here, whatever roles have."""
    operator = an_operator(*(roles or ("service supervisor",)))
    app, codename = proposals.APPROVE.split(".")
    permission = operator.user_permissions.model.objects.get(content_type__app_label=app, codename=codename)
    operator.user_permissions.add(permission)
    return operator


def made_by(code: str) -> bool:
    """Whether a proposal with this code was carried out, as its channel tells."""
    return Channel.objects.filter(code=code).exists()
