"""The preview of a draft: a job over all members, chunk by chunk, that writes figures and a sheet of who would move."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.criteria import Metric, Sums
from loyalty.ladder import Ladder, LadderBook, Window
from loyalty.models import LadderPreview, LadderPreviewPart, LadderVersion, Tier, TierStanding
from loyalty.queries import standing_of_row
from loyalty.refusals import DraftChanged, NotADraft
from loyalty.services import rows
from loyalty.sums import sums_in
from loyalty.tally import Assessed, Outcome, Tally, assess_all, held_by
from loyalty.versions import (
    begin_of,
    book_with,
    is_draft,
    ladder_of,
    ladder_policy,
    published_book,
    rules_digest,
)
from loyalty.wording import METRIC_LABELS
from members import jobs
from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member
from members.sheet_parts import book, rows_part

PREVIEW: Final = "loyalty.preview_ladder"
_CHUNK: Final = 2_000
_MOST_ROWS: Final = 1_000_000  # a sheet has 1,048,576
_YEAR: Final = timedelta(days=365)

BasePoints = Callable[[Sequence[int], datetime, datetime], Mapping[int, int]]
_base_points: list[BasePoints] = []


def register_base_points(read: BasePoints) -> None:
    """Let a floor above say the base points (before any multiplier) that members earned in [from, before)."""
    _base_points[:] = [read]


def knows_base_points() -> bool:
    """Whether somebody says them, so that previews have a cost."""
    return bool(_base_points)


@transaction.atomic
def start_preview(*, version_id: int, day: date, by: Actor, at: datetime) -> LadderPreview:
    """Ask for a preview of a draft as if every member were assessed at the beginning of a day; return it, not finished yet.

    Raises NotFound, NotADraft, NoLadder.
    """
    version = LadderVersion.objects.select_for_update(no_key=True).filter(pk=version_id).first()
    if version is None:
        raise NotFound
    if not is_draft(version):
        raise NotADraft(number=version.number)
    preview = LadderPreview.objects.create(
        version=version, day=day, digest=rules_digest(ladder_of(version_id, moment=begin_of(day))),
        made_by_id=by.id if by.kind == "operator" else None, made_at=at,
        expires_at=at + timedelta(days=ladder_policy().preview_days),
    )  # fmt: skip
    LadderPreviewPart.objects.filter(preview__version=version).delete()  # of earlier ones that did not end
    total = Member.objects.exclude(status=Member.Status.CLOSED).count()
    preview.job = jobs.start_job(
        kind=PREVIEW, title_params={"number": version.number}, params={"preview": preview.pk}, total=total, by=by, at=at
    )
    preview.save(update_fields=["job"])
    return preview


def run_preview(run: jobs.JobRun) -> None:
    """Assess all members under the rules in force and under the draft, some thousand at a time; then write the sheet."""
    preview = LadderPreview.objects.get(pk=run.params["preview"])
    moment = begin_of(preview.day)
    number = 0
    while True:
        with run.chunk() as at:
            draft = ladder_of(preview.version_id, moment=moment)
            if rules_digest(draft) != preview.digest:
                raise DraftChanged(number=draft.number)  # what was counted is of other rules
            number = run.cursor.get("number", 0)
            found = _members_after(run.cursor.get("member", 0))
            if not found:
                _finish(run, preview, draft, at)
                return
            _assess_chunk(preview, draft, found, number)
            cursor = {"member": found[-1][0], "number": number + 1}
            run.advance(ok=len(found), cursor=cursor)


def _members_after(member_id: int) -> list[tuple[int, datetime]]:
    members = Member.objects.filter(pk__gt=member_id).exclude(status=Member.Status.CLOSED)
    return list(members.order_by("pk").values_list("pk", "joined_at")[:_CHUNK])


def _assess_chunk(preview: LadderPreview, draft: Ladder, found: list[tuple[int, datetime]], number: int) -> None:
    live_book, draft_book = published_book(), book_with(draft)
    members = assessed_of(found, live_book)
    held, live, new = both_outcomes(members, live_book, draft_book, draft.valid_from)
    tally = Tally.of_json(LadderPreview.objects.values_list("figures", flat=True).get(pk=preview.pk))
    near = ladder_policy().near_percent
    for one in members:
        tally.add(draft, held[one.member_id], live[one.member_id], new[one.member_id], near_percent=near)
    _add_points(tally, live_book, draft_book, draft.valid_from, live, new)
    LadderPreview.objects.filter(pk=preview.pk).update(figures=tally.to_json())
    metric = main_metric(draft)
    movers = [
        [
            pk, held[pk], live[pk].tier_id, new[pk].tier_id,
            str(draft.lowest.rise.value(metric, new[pk].sums)) if metric else "",
        ]
        for pk in live
        if live[pk].tier_id != new[pk].tier_id
    ]  # fmt: skip
    if movers:
        LadderPreviewPart.objects.create(preview=preview, number=number, rows=movers)


def assessed_of(found: Sequence[tuple[int, datetime]], book: LadderBook) -> list[Assessed]:
    """Return members (with when they joined) as they are assessed: three statements, however many."""
    ids = [member_id for member_id, _joined in found]
    standings = {row.member_id: standing_of_row(row) for row in TierStanding.objects.filter(member_id__in=ids)}
    lasts = rows.last_changes(list(standings), book)
    return [
        Assessed(member_id, joined_at, standings.get(member_id), lasts.get(member_id)) for member_id, joined_at in found
    ]


def both_outcomes(
    members: Sequence[Assessed], live_book: LadderBook, draft_book: LadderBook, moment: datetime
) -> tuple[dict[int, int], dict[int, Outcome], dict[int, Outcome]]:
    """Return what members hold now, and where an assessment at a moment leaves them under each of two books."""
    known: dict[tuple[int, Window], Sums] = {}
    needs_more = live_book.needs_more or draft_book.needs_more

    def sums_of(asked: Sequence[tuple[int, Window]]) -> list[Sums]:
        missing = [one for one in asked if one not in known]
        known.update(zip(missing, sums_in(missing, needs_more=needs_more), strict=True))
        return [known[one] for one in asked]

    held = {one.member_id: held_by(live_book, one, moment) for one in members}
    return held, assess_all(live_book, members, moment, sums_of), assess_all(draft_book, members, moment, sums_of)


def main_metric(ladder: Ladder) -> Metric | None:
    """Return the metric that most tiers are reached by: the first one that the first tier above the lowest asks for."""
    return next((metric for step in ladder.steps[1:] for metric, _value in step.rise), None)


def _add_points(
    tally: Tally, live_book: LadderBook, draft_book: LadderBook, moment: datetime, live: Mapping[int, Outcome],
    new: Mapping[int, Outcome],
) -> None:  # fmt: skip
    """Count what other multipliers would have made of the base points of the year before the day."""
    for read in _base_points:
        for member_id, points in read(list(live), moment - _YEAR, moment).items():
            before = live_book.tier_now(live[member_id].tier_id, moment).points_multiplier
            after = draft_book.tier_now(new[member_id].tier_id, moment).points_multiplier
            tally.add_points(points, (after - before) * points)


def _finish(run: jobs.JobRun, preview: LadderPreview, draft: Ladder, at: datetime) -> None:
    metric = main_metric(draft)
    header = [_("member number"), _("tier now"), _("under the rules in force"), _("under this version"), _("change")]
    if metric:
        header.append(str(METRIC_LABELS[metric]))
    notes = [
        _("Preview %(preview)s of version %(number)s of the tier ladder, as if every member were assessed on %(day)s")
        % {"preview": preview.pk, "number": draft.number, "day": date_format(preview.day)}
    ]
    content = book(title=_("Who would move"), notes=notes, header=header, parts=_parts(preview, bool(metric)))
    run.save_result(name=f"ladder-v{draft.number}-preview-{preview.pk}.xlsx", content=content, at=at)
    LadderPreviewPart.objects.filter(preview=preview).delete()
    LadderPreview.objects.filter(pk=preview.pk).update(finished_at=at)


def _parts(preview: LadderPreview, has_metric: bool) -> Iterator[bytes]:
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    left = _MOST_ROWS
    for part in LadderPreviewPart.objects.filter(preview=preview).order_by("number").iterator(chunk_size=10):
        numbers = dict(Member.objects.filter(pk__in=[row[0] for row in part.rows]).values_list("pk", "member_no"))
        table = []
        for member_id, held, live, new, value in part.rows[:left]:
            is_winner = tiers[new].rank > tiers[live].rank
            row: list[Any] = [
                numbers[member_id], tiers[held].name, tiers[live].name, tiers[new].name,
                _("higher") if is_winner else _("lower"),
            ]  # fmt: skip
            table.append([*row, Decimal(value)] if has_metric else row)
        left -= len(table)
        yield rows_part(table)


def _title(params: Mapping[str, Any]) -> str:
    return _("Preview of version %(number)s of the tier ladder") % {"number": params["number"]}


def register() -> None:
    """Make previews known to the workers."""
    jobs.register_kind(
        jobs.JobKind(
            code=PREVIEW, label=gettext_lazy("Preview of the tier ladder"), run=run_preview, title=_title,
            permission="loyalty.change_ladderversion",
        )
    )  # fmt: skip
