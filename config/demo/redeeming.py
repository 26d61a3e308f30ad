"""All that the demo does with rewards, vouchers, tills and other systems, in the order in which a day has it."""

from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from config.demo.byvouchers import VouchersByHand
from config.demo.parcels import Parcels
from config.demo.scenes import Scenes
from config.demo.shelf import Shelf
from config.demo.systems import Systems
from config.demo.tills import Tills


def scenes_of_rewards(*, now: datetime, tz: ZoneInfo, seed: int) -> list[Scenes]:
    """Return the scenes, each with a generator of its own, in the order in which they are played."""
    kinds: tuple[type[Scenes], ...] = (Shelf, Parcels, VouchersByHand, Tills, Systems)
    return [
        kind(now=now, tz=tz, random=Random(seed + place))  # noqa: S311  (a story, not a secret)
        for place, kind in enumerate(kinds)
    ]
