"""What a purchase or an activity earns, and why: pure figures, no database, no clock. Import from here.

`quote` works out a purchase under the rules in force; every line carries its reason, every rule or offer that gave
nothing carries why not. The trace of a quote is stored with the posting, so the rules can be read as they were.
"""

from rewards.earning.book import Needs, RuleBook, RulesInForce, cap_key
from rewards.earning.engine import apply_budget, quote, quote_activity
from rewards.earning.more_points import MorePoints
from rewards.earning.offers import Contributor, Offer, OfferUse, contributors, register_contributor
from rewards.earning.quotes import Quote, budget_uses_in, cap_uses_in, share_of
from rewards.earning.values import (
    ActivityFacts,
    BudgetGrant,
    BudgetWish,
    CapHit,
    CapKey,
    Caps,
    CapUsage,
    CapUse,
    EarnedLot,
    EarnLine,
    Goods,
    Label,
    LineFacts,
    NotApplied,
    Origin,
    Period,
    ProgrammeCap,
    PurchaseFacts,
    Rule,
    Working,
)

__all__ = [
    "ActivityFacts",
    "BudgetGrant",
    "BudgetWish",
    "CapHit",
    "CapKey",
    "CapUsage",
    "CapUse",
    "Caps",
    "Contributor",
    "EarnLine",
    "EarnedLot",
    "Goods",
    "Label",
    "LineFacts",
    "MorePoints",
    "Needs",
    "NotApplied",
    "Offer",
    "OfferUse",
    "Origin",
    "Period",
    "ProgrammeCap",
    "PurchaseFacts",
    "Quote",
    "Rule",
    "RuleBook",
    "RulesInForce",
    "Working",
    "apply_budget",
    "budget_uses_in",
    "cap_key",
    "cap_uses_in",
    "contributors",
    "quote",
    "quote_activity",
    "register_contributor",
    "share_of",
]
