"""What an adapter does, and which one serves whom."""

from collections.abc import Sequence
from typing import Protocol

from rewards.partners.files import CsvFiles
from rewards.partners.lines import AnswerLine, BadLine, IncomingLine, OutLine

__all__ = ["AnswerLine", "BadLine", "IncomingLine", "OutLine", "PartnerAdapter", "adapter_for", "register_adapter"]


class PartnerAdapter(Protocol):
    """The form in which one partner exchanges conversions."""

    suffix: str

    def export(self, lines: Sequence[OutLine]) -> bytes:
        """Return the file for the partner."""
        ...

    def read_answer(self, content: bytes) -> tuple[list[AnswerLine], list[BadLine]]:
        """Return what the partner says of conversions, and the rows that can not be read."""
        ...

    def read_incoming(self, content: bytes) -> tuple[list[IncomingLine], list[BadLine]]:
        """Return what the partner's customers want to have exchanged, and the rows that can not be read."""
        ...


_FILES = CsvFiles()
_adapters: dict[str, PartnerAdapter] = {}


def register_adapter(partner_code: str, adapter: PartnerAdapter) -> None:
    """Serve a partner by an adapter of its own."""
    _adapters[partner_code] = adapter


def adapter_for(partner_code: str) -> PartnerAdapter:
    """Return the adapter of a partner: files, unless it has one of its own."""
    return _adapters.get(partner_code, _FILES)
