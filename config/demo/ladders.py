"""Next year's ladder: a draft that marketing has had previewed, and that nobody has proposed yet."""

from datetime import datetime, timedelta
from decimal import Decimal

from config.demo.scenes import Scene, Scenes
from loyalty.models import TierRule
from loyalty.periods import business_date
from loyalty.services.previews import start_preview
from loyalty.services.versions import RuleTerms, copy_version, write_draft

NOTE = "明年银卡 600 起、金卡 1,800 起，先看看影响；差一点的会员多给 30 天"
LINES = {"silver": (600, 480), "gold": (1_800, 1_400)}


class NextLadder(Scenes):
    """A draft of the ladder, written and previewed yesterday."""

    def planned(self) -> list[Scene]:
        """Return the one scene."""
        return [Scene(self._when(1, 16), self._draft)]

    def _draft(self, at: datetime) -> None:
        by = self.staff["marketing"]
        draft = copy_version(version_id=None, by=by, at=at)
        rules = []
        for rule in TierRule.objects.filter(ladder=draft).select_related("tier"):
            rise, keep = LINES.get(rule.tier.code, (None, None))
            values = {"rise_credits": Decimal(rise), "keep_credits": Decimal(keep)} if rise and keep else {}
            rules.append(RuleTerms(rule.tier_id, values))
        today = business_date(at, self.tz)
        terms = {"planned_date": today + timedelta(days=60), "note": NOTE, "grace_percent": 10, "grace_days": 30}
        write_draft(version_id=draft.pk, terms=terms, rules=rules, by=by, at=at)
        start_preview(version_id=draft.pk, day=today, by=by, at=at)
        self._work_off(at)
