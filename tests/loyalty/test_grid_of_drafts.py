"""The benefits of a version of the ladder are approved with it: who approves sees every cell, and none changes afterwards."""

import pytest

from loyalty.benefit_rules import Cell
from loyalty.models import LadderVersion, Tier, TierBenefit
from loyalty.refusals import DraftIsWaiting, NotADraft
from loyalty.services.benefits import set_grid
from loyalty.services.publishing import propose_version
from members import proposals
from members.actors import SYSTEM, Actor
from members.models import Proposal
from members.refusals import Refusal
from tests.factories.benefits import a_benefit, given_by
from tests.factories.portal import an_operator
from tests.loyalty.test_versions import NOW, actor, ready

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketing() -> Actor:
    return actor(an_operator("marketing"))


@pytest.fixture
def draft(marketing: Actor) -> LadderVersion:
    """A draft ready to be proposed, which gives more of a benefit to gold, and a new one to diamond."""
    lounge, cake = a_benefit("lounge", name_en="Lounge"), a_benefit("cake", name_en="Cake", quota=1)
    given_by("gold", lounge)
    draft = ready(marketing)
    gold, diamond = (Tier.objects.get(code=code).pk for code in ("gold", "diamond"))
    cells = {(gold, lounge.pk): Cell(quota=5), (diamond, cake.pk): Cell()}
    assert set_grid(ladder_id=draft.pk, cells=cells, by=marketing, at=NOW) == 2
    return draft


def refusal_of(version: LadderVersion) -> type[Refusal]:
    """Return as what emptying the grid of a version is refused, having checked that nothing has changed."""
    before = list(TierBenefit.objects.values())
    with pytest.raises(Refusal) as refused:
        set_grid(ladder_id=version.pk, cells={}, by=SYSTEM, at=NOW)
    assert list(TierBenefit.objects.values()) == before != []
    return refused.type


class TestTheGridOfADraft:
    def test_is_shown_cell_by_cell_to_who_approves(self, draft: LadderVersion, marketing: Actor) -> None:
        propose_version(version_id=draft.pk, reason="next year", by=marketing, at=NOW)
        shown = {label: (before, after) for label, before, after in Proposal.objects.get().effect["lines"]["en"]}
        assert shown["Gold: Lounge"] == ("2 uses a year", "5 uses a year")
        assert shown["Diamond: Cake"] == ("–", "1 use a year")

    def test_stays_as_it_is_from_the_proposal_on(self, draft: LadderVersion, marketing: Actor) -> None:
        waiting = propose_version(version_id=draft.pk, reason="next year", by=marketing, at=NOW)
        assert refusal_of(draft) is DraftIsWaiting
        finance = actor(an_operator("finance"))
        assert proposals.approve(proposal_id=waiting.proposal_id, by=finance, at=NOW).carried_out
        assert refusal_of(draft) is NotADraft
