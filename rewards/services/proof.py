"""How the proof of the ledger stands: what staff see of it at a glance, and what must worry them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.figures import grouped
from rewards.models import AnchorExport, LedgerAnchor, LedgerSeal, LedgerVerification
from rewards.services.sealing import SealLag, last_seal, seal_lag

#: A daily run that is missing for so long has failed, not merely come late.
OVERDUE = timedelta(hours=26)
#: A copy of the anchors that is older than this proves too little.
EXPORT_OVERDUE = timedelta(days=35)


@dataclass(frozen=True, slots=True)
class ProofState:
    """The last block, what waits for the next one, the last anchor, its last copy, and the last verification."""

    at: datetime
    seal: LedgerSeal | None
    lag: SealLag
    anchor: LedgerAnchor | None
    export: AnchorExport | None
    verification: LedgerVerification | None

    @property
    def is_late(self) -> bool:
        """Whether entries have waited too long for their block."""
        return self.lag.is_late(self.at)

    @property
    def is_unsound(self) -> bool:
        """Whether the last verification found something."""
        return self.verification is not None and self.verification.findings_count > 0

    @property
    def is_unverified(self) -> bool:
        """Whether entries are sealed and nobody has verified them lately."""
        done = self.verification
        return self.seal is not None and (done is None or self.at - done.finished_at > OVERDUE)

    @property
    def is_unanchored(self) -> bool:
        """Whether entries are sealed and no anchor was signed lately."""
        return self.seal is not None and (self.anchor is None or self.at - self.anchor.anchored_at > OVERDUE)

    @property
    def is_kept_here_only(self) -> bool:
        """Whether no copy of the anchors was taken out lately: without one, a chain rewritten as a whole is not found."""
        return self.anchor is not None and (self.export is None or self.at - self.export.exported_at > EXPORT_OVERDUE)

    @property
    def worries(self) -> list[str]:
        """What must be looked into at once, in the active language; empty when the proof stands."""
        found = []
        if self.verification is not None and self.is_unsound:
            count = self.verification.findings_count
            found.append(
                ngettext(
                    "The last verification of the points ledger found %(number)s row that is wrong.",
                    "The last verification of the points ledger found %(number)s rows that are wrong.",
                    count,
                )
                % {"number": grouped(count)}
            )
        if self.is_late:
            found.append(
                ngettext(
                    "%(number)s points entry has waited for its sealed block for more than 5 minutes.",
                    "%(number)s points entries have waited for their sealed block, some for more than 5 minutes.",
                    self.lag.entries,
                )
                % {"number": grouped(self.lag.entries)}
            )
        if self.is_unverified:
            found.append(_("The points ledger has not been verified for more than a day."))
        if self.is_unanchored:
            found.append(_("No anchor of the points ledger has been signed for more than a day."))
        return found


def state_of_proof(*, at: datetime) -> ProofState:
    """Return how the proof of the ledger stands at a moment."""
    return ProofState(
        at=at,
        seal=last_seal(),
        lag=seal_lag(),
        anchor=LedgerAnchor.objects.order_by("-date").first(),
        export=AnchorExport.objects.order_by("-id").first(),
        verification=LedgerVerification.objects.order_by("-id").first(),
    )
