"""Names under which the portal records facts itself: whoever brings orders from outside uses another name.

A posting is unique by its kind, source and number, so that order 7 of a source "activity" would be taken for activity 7.
"""

from typing import Final

OWN_SOURCES: Final = frozenset({
    "activity", "adjustment", "adjustment_batch", "birthday", "conversion", "correction", "donation", "erasure", "extension", "hold", "lot",
    "opening", "partner", "partner_answer", "redemption", "return", "till_hold", "transfer", "unreached",
})  # fmt: skip
