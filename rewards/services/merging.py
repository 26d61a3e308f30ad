"""What happens to points, arrears, limits and vouchers when two members are merged, and when that is taken apart.

Points and arrears move as they are. A purchase or an activity that is told in the merged member's name afterwards keeps that
name in its row and earns for the survivor. Vouchers stay where they are; the survivor uses them. Taken apart, the merged
member gets back what is left of the points that came with it or were earned in its name since, and its arrears as far as
they are still owed. What was spent came off the points that were to expire first, whosever they were.
"""

from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext as _

from loyalty.services.merging import hand_over
from members import lifecycle, timeline
from members.figures import grouped
from members.lifecycle import Merge, Obstacle, Part, PreviewLine
from members.models import Merge as MergeRow
from members.services.merging import UnmergeInTheWay
from rewards import events, ledger
from rewards.explanation import register_note
from rewards.ledger_merge import lock_families, move
from rewards.models import Hold, PointsAccount, Voucher
from rewards.queries import balance_of, usable

SOURCE: Final = "merge"

# Counted together while they are one person; what is past its period does no harm.
_ADD_CAPS = """
    INSERT INTO rewards_capcounter AS c (member_id, rule_id, currency_id, period, period_start, used, times)
    SELECT %(kept)s, rule_id, currency_id, period, period_start, used, times FROM rewards_capcounter WHERE member_id = %(merged)s
    ORDER BY rule_id, currency_id, period, period_start
    ON CONFLICT (member_id, rule_id, currency_id, period, period_start)
    DO UPDATE SET used = c.used + excluded.used, times = c.times + excluded.times"""
_TAKE_CAPS_OFF = """
    UPDATE rewards_capcounter c SET used = greatest(c.used - m.used, 0), times = greatest(c.times - m.times, 0)
    FROM rewards_capcounter m
    WHERE c.member_id = %(kept)s AND m.member_id = %(merged)s AND m.rule_id IS NOT DISTINCT FROM c.rule_id
        AND m.currency_id = c.currency_id AND m.period = c.period AND m.period_start = c.period_start"""

# Purchases and returns in the name of the merged member (or of one that came with it) that were posted to the survivor.
_TOLD_SINCE = """
    SELECT 'purchase', p.source, p.external_order_no FROM rewards_purchase p
    JOIN rewards_ledgertransaction t ON t.kind = 1 AND t.source = p.source AND t.natural_key = p.external_order_no
    WHERE p.member_id = ANY (%(side)s) AND t.id > %(mark)s AND t.member_id = %(kept)s
    UNION
    SELECT 'return', r.source, r.external_return_no FROM rewards_purchasereturn r
    JOIN rewards_ledgertransaction t ON t.kind = 4 AND t.source = r.source AND t.natural_key = r.external_return_no
    WHERE r.member_id = ANY (%(side)s) AND t.id > %(mark)s AND t.member_id = %(kept)s
    ORDER BY 1, 2, 3"""


def register() -> None:
    """Register what rewards does with a whole member at a merge, and the words for it."""
    lifecycle.register_part(
        Part("rewards", merge_obstacles=_obstacles, merge_preview=_preview, merge=_merge, unmerge=_unmerge)
    )
    register_note("merge", _note)


def _obstacles(kept_id: int, merged_id: int, at: datetime) -> list[Obstacle]:
    held = Hold.objects.filter(
        account__member_id__in=(kept_id, merged_id), state=Hold.State.OPEN, expires_at__gt=at
    ).values_list("points", flat=True)
    points = sum(held)
    if not points:
        return []
    words = _("%(points)s points are set aside for an order; wait until that is paid or given back.")
    return [Obstacle("points_are_set_aside", words % {"points": grouped(points)})]


def _preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    accounts = PointsAccount.objects.filter(member_id__in=(kept_id, merged_id)).select_related("currency")
    lines: list[PreviewLine] = []
    for currency in sorted({account.currency for account in accounts}, key=lambda one: one.pk):
        kept, merged = (balance_of(member_id, at, currency=currency.pk) for member_id in (kept_id, merged_id))
        for label, name in (
            (_("%(currency)s that can be spent"), "available"),
            (_("%(currency)s that are pending"), "pending"),
            (_("%(currency)s that are owed"), "debt"),
        ):
            ours, theirs = getattr(kept, name), getattr(merged, name)
            if name == "available" or ours or theirs:
                words = label % {"currency": currency.name}
                lines.append(PreviewLine(words, grouped(ours), grouped(theirs), grouped(ours + theirs)))
    ours, theirs = (
        Voucher.objects.filter(usable(at), member_id=member_id).count() for member_id in (kept_id, merged_id)
    )
    lines.append(PreviewLine(_("Vouchers that can be used"), grouped(ours), grouped(theirs), grouped(ours + theirs)))
    return lines


def _merge(merge: Merge) -> dict[str, Any]:
    _book_what_is_due(merge)
    moved = []
    for account in PointsAccount.objects.filter(member_id=merge.merged_id).order_by("currency_id"):
        posted = move(
            from_member_id=merge.merged_id, to_member_id=merge.kept_id, currency_id=account.currency_id, owner_ids=None, debt=None,
            source=SOURCE, natural_key=str(merge.merge_id), at=merge.at, by=merge.by, reason=SOURCE,
            trace={"v": 2, "kind": "merge", "way": "in", "merge": merge.merge_id},
        )  # fmt: skip
        if posted:
            moved.append([account.currency_id, posted.available, posted.pending, posted.debt])
    with connection.cursor() as cursor:
        cursor.execute(_ADD_CAPS, {"kept": merge.kept_id, "merged": merge.merged_id})
        cursor.execute("SELECT coalesce(max(id), 0) FROM rewards_ledgertransaction")
        (mark,) = cursor.fetchone()
    return {"moved": moved, "mark": mark}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    row = MergeRow.objects.get(pk=merge.merge_id)
    for obstacle in _obstacles(merge.kept_id, merge.merged_id, merge.at):
        raise UnmergeInTheWay(obstacle=str(obstacle.text))
    _book_what_is_due(merge)
    with connection.cursor() as cursor:
        cursor.execute(_TOLD_SINCE, {"side": row.side_ids, "mark": memo["mark"], "kept": merge.kept_id})
        told = cursor.fetchall()
    hand_over(merge=merge, facts=told)
    owed = {currency_id: debt for currency_id, _available, _pending, debt in memo["moved"]}
    for account in PointsAccount.objects.filter(member_id=merge.kept_id).order_by("currency_id"):
        move(
            from_member_id=merge.kept_id, to_member_id=merge.merged_id, currency_id=account.currency_id, owner_ids=row.side_ids,
            debt=owed.get(account.currency_id, 0), source=SOURCE, natural_key=f"{merge.merge_id}:back", at=merge.at, by=merge.by,
            reason=SOURCE, trace={"v": 2, "kind": "merge", "way": "back", "merge": merge.merge_id},
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_CAPS_OFF, {"kept": merge.kept_id, "merged": merge.merged_id})


def _book_what_is_due(merge: Merge) -> None:
    """Lock the accounts of both, release and expire what is due in them, and tell the timeline."""
    accounts = lock_families(member_ids=(merge.kept_id, merge.merged_id))
    news = []
    for member_id, _currency_id, account_id in accounts:
        points = ledger.release_account(account_id=account_id, at=merge.at)
        if points:
            news.append(events.points_released(member_id=member_id, points=points, happened_at=merge.at, by=merge.by))
    expired = ledger.expire_accounts(account_ids=[account_id for *_others, account_id in accounts], at=merge.at)
    news += [
        events.points_expired(
            member_id=member_id, points=points, currency_id=currency_id, lots=lots, happened_at=merge.at, by=merge.by
        )
        for member_id, lots, points, currency_id in expired
    ]
    timeline.record(news)


def _note(trace: dict[str, Any]) -> list[str]:
    if trace.get("way") == "back":
        return [_("The merge was taken apart: what goes with the other member went back.")]
    if trace.get("way") == "on":
        return [_("Points that came back to a member who was merged went on to the member kept.")]
    return [_("Two members were merged: points and arrears went to the member kept, with their dates.")]
