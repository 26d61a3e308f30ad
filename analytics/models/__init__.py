"""Read models: droppable, rebuilt from the timeline."""

from analytics.models.days import DayFigures, MemberDay

__all__ = ["DayFigures", "MemberDay"]
