"""Who acts: told to every service as `by`, stored with every fact."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["operator", "device", "member", "import", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """One who acts: an operator, a till (API key), a member, an import, or the system itself (no id)."""

    kind: ActorKind
    id: int | None = None


SYSTEM = Actor("system")
