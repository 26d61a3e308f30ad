"""What staff should look at before a version of the ladder is published: how hard it is, and what speaks against it."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.translation import override

from loyalty.benefit_book import forget_benefit_book
from loyalty.complexity import complexity_of, words_in
from loyalty.ladder import Ladder
from loyalty.queries import forget_ladder_book, tier_rows
from loyalty.refusals import NoLadder
from loyalty.rules_lint import complexity_sentence, rules_lints
from loyalty.rules_of_ladder import page_at
from loyalty.rules_page import given_by_tiers


@dataclass(frozen=True, slots=True)
class Advice:
    """The complexity of the programme as one sentence with its figures, and warnings; in the active language."""

    meter: str = ""
    warnings: tuple[str, ...] = ()


def advice_on(ladder: Ladder, moment: datetime) -> Advice:
    """Return what is to be said of a ladder that begins at a moment, a draft too; nothing before the first one is published."""
    forget_ladder_book()  # a tier may have been inserted a moment ago
    forget_benefit_book()
    try:
        names = {pk: tier.name for pk, tier in tier_rows().items()}
    except NoLadder:
        return Advice()
    if not ladder.steps:
        return Advice()
    words = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            words[language] = words_in(page_at(moment, ladder).sentences())
    lints = rules_lints(ladder, names, gives=given_by_tiers(moment, ladder), words=words)
    return Advice(complexity_sentence(complexity_of(ladder, words)), lints)
