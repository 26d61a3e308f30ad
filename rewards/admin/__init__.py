"""The admin pages of rewards, and its parts of the member pages."""

from rewards.admin import catalog, goods, imports, panels, points, purchases, rules, sentences, vouchers

__all__ = ["catalog", "goods", "imports", "panels", "points", "purchases", "rules", "sentences", "vouchers"]
