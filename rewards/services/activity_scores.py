"""What members do besides buying, counted towards their tier by the scores of the ladder in force when it happened.

Here and not in loyalty, because whoever counts a member's facts holds the lock of the member's points account.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from loyalty.queries import ladder_book
from loyalty.refusals import NoLadder
from loyalty.services.standing import CountedFact, count_fact
from members import timeline
from members.actors import Actor
from members.models import Activity, Member
from rewards import ledger
from rewards.services.orders import hold_bearers

SOURCE: Final = "activity"


@transaction.atomic
def count_activities(*, activity_ids: Sequence[int], by: Actor, at: datetime) -> int:
    """Count recorded activities that have a score; return how many were new. What was counted before changes nothing.

    Of a merged member they count for the survivor; of one who has left, for nobody. The caller bounds how many.
    """
    try:
        book = ladder_book()
    except NoLadder:
        return 0
    scores: dict[int, int] = {}
    rows = []
    for row in Activity.objects.filter(pk__in=activity_ids).order_by("happened_at", "pk"):
        score = book.at(row.happened_at).activity_scores.get(row.kind)
        if score is not None:
            scores[row.pk] = score
            rows.append(row)
    if not rows:
        return 0
    bearers = hold_bearers({row.member_id for row in rows})
    open_ids = Member.objects.filter(pk__in=set(bearers.values())).exclude(status=Member.Status.CLOSED)
    counting = sorted(open_ids.values_list("pk", flat=True))
    ledger.lock_accounts(member_ids=counting, currency=ledger.currency_id())
    news: list[timeline.NewEntry] = []
    counted = 0
    for row in rows:
        if bearers[row.member_id] not in counting:
            continue
        fact = CountedFact(
            bearers[row.member_id], "activity", SOURCE, str(row.pk), 0, Decimal(0), 0, row.happened_at,
            activity=scores[row.pk],
        )  # fmt: skip
        done = count_fact(fact=fact, by=by, at=max(at, row.happened_at))
        counted += done.is_new
        news += done.news
    timeline.record(news)
    if news:
        timeline.nudge()
    return counted
