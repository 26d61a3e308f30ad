"""From draft to schedule: a proposal that a second person approves; the version before ends when the new one begins."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.benefit_book import grid_of
from loyalty.benefit_rules import Cell
from loyalty.benefit_words import cell_words
from loyalty.events import LADDER_PUBLISHED, LADDER_WITHDRAWN
from loyalty.ladder import Ladder
from loyalty.lint_reading import errors_of
from loyalty.models import Benefit, LadderPreview, LadderVersion
from loyalty.periods import business_date
from loyalty.preview_words import PreviewFigures
from loyalty.queries import forget_ladder_book, tier_rows
from loyalty.refusals import (
    BeginningMissing,
    DraftChanged,
    DraftHasErrors,
    MomentIsTaken,
    NoticeTooShort,
    NotScheduled,
    PreviewMissing,
)
from loyalty.rules_advice import advice_on
from loyalty.services.versions import lock_draft, lock_versions
from loyalty.version_words import differences
from loyalty.versions import (
    PUBLISH,
    begin_of,
    good_preview,
    is_draft,
    ladder_of,
    ladder_policy,
    rules_digest,
    touched,
    version_judging,
)
from members import proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.identifiers import NotFound
from members.models import Proposal
from members.queries import programme
from members.timeline import NewEntry, nudge, record

PERMISSION: Final = "loyalty.publish_ladderversion"
APPROVE: Final = "loyalty.approve_ladderversion"

Params = Mapping[str, Any]


def propose_version(
    *, version_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Ask for a draft to be published from its planned day on; a second person approves it. Return the proposal.

    Raises as `lock_draft` does, DraftHasErrors, BeginningMissing, NoticeTooShort, MomentIsTaken, PreviewMissing, and as
    `propose` does.
    """
    with transaction.atomic():
        draft = lock_draft(version_id)
        preview = _refuse_unready(draft, at)
        params = {
            "version": draft.pk, "number": draft.number, "from": draft.planned_date.isoformat(),  # type: ignore[union-attr]
            "digest": preview.digest, "preview": preview.pk,
        }  # fmt: skip
        return proposals.propose(kind=PUBLISH, params=params, reason=reason, by=by, at=at, request_id=request_id)


@transaction.atomic
def withdraw_version(*, version_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Make a scheduled version a draft again; the version before it goes on as it would have. Raises NotFound, NotScheduled."""
    versions = lock_versions()
    version = versions.get(version_id)
    if version is None:
        raise NotFound
    if version.valid_from is None or version.valid_from <= at:
        raise NotScheduled(number=version.number)
    before = next((one for one in versions.values() if one.valid_to == version.valid_from), None)
    begin, end = version.valid_from, version.valid_to
    version.valid_from = version.valid_to = version.published_at = version.published_by = None
    version.save(update_fields=["valid_from", "valid_to", "published_at", "published_by"])
    if before is not None:
        before.valid_to = end
        before.save(update_fields=["valid_to"])
    _tell(LADDER_WITHDRAWN, version, begin, by, at, reason)


def _refuse_unready(draft: LadderVersion, at: datetime) -> LadderPreview:
    """Raise for what keeps a draft from being published now; return the preview that speaks for it."""
    errors = errors_of(draft.pk, at)
    if errors:
        raise DraftHasErrors(number=draft.number, error=errors[0].text)
    today = business_date(at, programme().tz)
    if draft.planned_date is None or draft.planned_date <= today:
        raise BeginningMissing(number=draft.number)
    told = max(draft.notice_date or today, today)
    days, needed = (draft.planned_date - told).days, ladder_policy().notice_days
    if days < needed and not draft.haste_reason.strip():
        raise NoticeTooShort(days=max(days, 0), number=draft.number, needed=needed)
    begin = begin_of(draft.planned_date)
    other = LadderVersion.objects.filter(valid_from=begin).first()
    if other is not None:
        raise MomentIsTaken(other=other.number)
    preview = good_preview(draft.pk, digest=rules_digest(ladder_of(draft.pk, moment=begin)), at=at)
    if preview is None:
        raise PreviewMissing(number=draft.number)
    return preview


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    versions = lock_versions()
    draft = versions[params["version"]]
    if not is_draft(draft) or draft.planned_date is None or draft.planned_date.isoformat() != params["from"]:
        raise DraftChanged(number=draft.number)
    begin = begin_of(draft.planned_date)
    if rules_digest(ladder_of(draft.pk, moment=begin)) != params["digest"]:
        raise DraftChanged(number=draft.number)
    _refuse_unready(draft, at)
    published = sorted(
        (one for one in versions.values() if one.valid_from is not None), key=lambda one: one.valid_from or at
    )
    before = next((one for one in reversed(published) if one.valid_from and one.valid_from < begin), None)
    after = next((one for one in published if one.valid_from and one.valid_from > begin), None)
    if before is not None and (before.valid_to is None or before.valid_to > begin):
        before.valid_to = begin
        before.save(update_fields=["valid_to"])
    draft.valid_from, draft.valid_to = begin, after.valid_from if after else None
    draft.notice_date = max(draft.notice_date or business_date(at, programme().tz), business_date(at, programme().tz))
    draft.published_at, draft.published_by_id = at, by.id
    try:
        with transaction.atomic():
            draft.save(update_fields=["valid_from", "valid_to", "notice_date", "published_at", "published_by"])
    except IntegrityError as error:
        raise MomentIsTaken(other=draft.number) from error
    _tell(LADDER_PUBLISHED, draft, begin, by, at, proposal.reason)
    return _("Version %(number)s is in force from %(day)s on.") % {
        "number": draft.number, "day": date_format(draft.planned_date),
    }  # fmt: skip


def _tell(kind: str, version: LadderVersion, begin: datetime, by: Actor, at: datetime, reason: str) -> None:
    figures = {"version": version.number, "begin": begin.isoformat(), "reason": reason}
    record([NewEntry(kind, None, at, by, figures, f"ladder:{version.number}")])
    nudge()
    transaction.on_commit(forget_ladder_book)
    forget_ladder_book()


def _sentence(params: Params) -> str:
    return _("Put version %(number)s of the tier ladder in force from %(day)s on (preview %(preview)s).") % {
        "number": params["number"], "day": date_format(date.fromisoformat(params["from"])), "preview": params["preview"],
    }  # fmt: skip


def _effect(params: Params, at: datetime) -> Effect:
    """What changes between the version that would judge that day and the draft, as they are now; and the newest preview."""
    draft = LadderVersion.objects.get(pk=params["version"])
    begin = begin_of(draft.planned_date) if draft.planned_date else at
    before = version_judging(begin)
    old = ladder_of(before.pk, moment=begin) if before else None
    new = ladder_of(draft.pk, moment=begin)
    lines = [
        EffectLine(
            _("Version in force from %(day)s on")
            % {"day": date_format(draft.planned_date) if draft.planned_date else "–"},
            before.number if before else None,
            draft.number,
        ),
        *(EffectLine(one.label, one.before, one.after) for one in differences(old, new)),
        *_grid_lines(before, draft),
    ]
    lines += _advice_lines(old, new, begin)
    if draft.haste_reason:
        lines.append(EffectLine(_("Told at short notice, because"), None, draft.haste_reason))
    preview = good_preview(draft.pk, digest=rules_digest(new), at=at)
    if preview is None:
        lines.append(EffectLine(_("Preview"), None, _("too old; it has to be made again"), is_compared=False))
        return Effect(lines)
    shown = PreviewFigures.of(preview, new)
    lines += [EffectLine(label, before_, after_, is_compared=False) for label, before_, after_ in shown.lines()]
    return Effect(lines)


def _advice_lines(old: Ladder | None, new: Ladder, begin: datetime) -> list[EffectLine]:
    """How hard the programme would be to understand, and what speaks against it: for whoever approves to weigh."""
    before = advice_on(old, begin).meter if old else None
    advice = advice_on(new, begin)
    lines = (
        [EffectLine(_("How hard it is to understand"), before, advice.meter, is_compared=False)] if advice.meter else []
    )
    return lines + [EffectLine(_("To be looked at"), None, one, is_compared=False) for one in advice.warnings]


def _grid_lines(before: LadderVersion | None, draft: LadderVersion) -> list[EffectLine]:
    """Return which tier would give other benefits, cell by cell."""
    old, new = grid_of(before.pk) if before else {}, grid_of(draft.pk)
    changed = [key for key in {*old, *new} if old.get(key) != new.get(key)]
    benefits, tiers = Benefit.objects.in_bulk({benefit_id for _tier_id, benefit_id in changed}), tier_rows()
    changed.sort(key=lambda key: (benefits[key[1]].code, tiers[key[0]].rank))

    def words(key: tuple[int, int], cell: Cell | None) -> str:
        return cell_words(benefits[key[1]], cell.figure, cell.quota) if cell else "–"

    return [
        EffectLine(
            _("%(tier)s: %(benefit)s") % {"tier": tiers[key[0]].name, "benefit": benefits[key[1]].name},
            words(key, old.get(key)), words(key, new.get(key)),
        )
        for key in changed
    ]  # fmt: skip


def register() -> None:
    """Make the publication of versions known to those who approve."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=PUBLISH, label=gettext_lazy("Version of the tier ladder"), permission=PERMISSION, approve_permission=APPROVE,
            sentence=_sentence, effect=_effect, carry_out=_carry_out, always_waits=True,
            touches=lambda params: [touched(params["version"])],
        )
    )  # fmt: skip
