"""What the pages of a version of the ladder show: its sentences, lints and differences, and its newest preview."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import Http404

from loyalty.ladder import Ladder
from loyalty.lint_reading import version_lints
from loyalty.models import LadderPreview, LadderVersion
from loyalty.preview_words import PreviewFigures
from loyalty.version_words import differences, ladder_sentences, term_sentences
from loyalty.versions import is_draft, latest_preview, rules_digest, version_judging


def said_of(ladder: Ladder, live: Ladder | None, version: LadderVersion, now: datetime) -> dict[str, Any]:
    """Return the rules in words, what is wrong with those of a draft, and what differs from another version."""
    return {
        "sentences": ladder_sentences(ladder), "terms": term_sentences(ladder),
        "lints": version_lints(version.pk, now) if is_draft(version) else [], "differences": differences(live, ladder),
    }  # fmt: skip


def compared_with(version: LadderVersion, moment: datetime) -> LadderVersion | None:
    """Return the version that a page compares with: the one in force, or for what has a place in time, the one before."""
    if version.valid_from is not None:
        before = LadderVersion.objects.filter(valid_from__lt=version.valid_from).order_by("-valid_from")
        return before.first()
    return version_judging(moment)


def previewed_of(version: LadderVersion, ladder: Ladder, now: datetime) -> dict[str, Any]:
    """Return the newest preview of a version; with figures where it is finished and of exactly these rules."""
    preview: LadderPreview | None = latest_preview(version.pk)
    is_finished = preview is not None and preview.finished_at is not None
    is_good = bool(
        preview and preview.digest == rules_digest(ladder) and (preview.expires_at > now or not is_draft(version))
    )
    figures = (
        PreviewFigures.of(preview, ladder)
        if preview and is_finished and preview.digest == rules_digest(ladder)
        else None
    )
    return {"preview": preview, "figures": figures, "is_good": is_good, "is_finished": is_finished}


def moved_line_words(figures: PreviewFigures, asked: Mapping[str, str]) -> str:
    """Return what a line of a histogram says where it was moved to (`metric`, `tier`, `value`). Raises Http404 for no such line."""
    try:
        value = Decimal(asked.get("value", ""))
        drawn = next(one for one in figures.histograms if one.key == asked.get("metric"))
        line = next(one for one in drawn.lines if one.tier.code == asked.get("tier"))
    except (InvalidOperation, StopIteration) as error:
        raise Http404 from error
    if not (value.is_finite() and 0 <= value <= drawn.highest):
        raise Http404
    return figures.line_words(drawn.key, line.tier.pk, value)
