"""How conversions reach a partner and come back: adapters, by the partner's code. Import from here.

An adapter only turns lines into what the partner reads and back; it knows no member, no ledger and no network. A partner
without an adapter of its own is served by files that staff carry.
"""

from rewards.partners.adapters import (
    AnswerLine,
    BadLine,
    IncomingLine,
    OutLine,
    PartnerAdapter,
    adapter_for,
    register_adapter,
)

__all__ = ["AnswerLine", "BadLine", "IncomingLine", "OutLine", "PartnerAdapter", "adapter_for", "register_adapter"]
