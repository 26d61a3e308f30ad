"""After 10,000 random events, live segments hold exactly the members that asking everybody anew finds."""

import random
import time
from collections.abc import Callable

from members.models import SegmentSpan
from tests.harness.results import Figures
from tests.harness.segment_story import Story

EVENTS = 10_000
CHECKED_EVERY = 500


def test_ten_thousand_events(committed_db: str, record_result: Callable[[str, Figures], None]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    began = time.perf_counter()
    story = Story(random.Random(seed))
    story.begin(members=60, segments=100)
    assert story.differences() == [], seed
    for _ in range(EVENTS // CHECKED_EVERY):
        story.go_on(CHECKED_EVERY)
        assert story.differences() == [], seed
    spans = SegmentSpan.objects.count()
    ended = SegmentSpan.objects.filter(left_at__isnull=False).count()
    record_result(
        f"{EVENTS:,} random events against segments made anew",
        {
            "seed": seed,
            "members": len(story.members),
            "live segments, with conditions at random over all facts": len(story.segments),
            "stays that began": spans,
            "stays that ended": ended,
            "comparisons with segments made anew, in SQL and member by member": EVENTS // CHECKED_EVERY + 1,
            "differences": 0,
            "took": f"{time.perf_counter() - began:.0f} s",
        },
    )
    assert ended > 500
