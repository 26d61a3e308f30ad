"""All checks of the ledger, in the order in which a verification runs them."""

from rewards.services.checks import accounts, chain, facts, lots, postings
from rewards.services.checks.sweeps import Check, Sweep

SWEEPS: tuple[Sweep, ...] = (*accounts.SWEEPS, *postings.SWEEPS, *lots.SWEEPS, *facts.SWEEPS, *chain.SWEEPS)
CHECKS: tuple[Check, ...] = tuple(check for sweep in SWEEPS for check in sweep.checks)

__all__ = ["CHECKS", "SWEEPS", "Check", "Sweep"]
