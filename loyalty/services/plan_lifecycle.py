"""What happens to floors and plans with a whole member: merged, taken apart, copied out, erased.

What is alive moves to the survivor and back: the plan that runs and the floors that are not over. Past ones, orders and
payments keep their member. Two people who both hold a plan that runs can not be merged before one of them ends.
"""

from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from loyalty.models import PlanMembership, PlanOrder, PlanPayment, PlanTrial, TierFloor
from loyalty.plan_queries import RUNNING
from loyalty.services.floors import follow_floors
from loyalty.services.plans import stop
from members.actors import Actor
from members.figures import money
from members.lifecycle import Merge, Obstacle, Part, PreviewLine, Section, register_part

_ALIVE: Final = """
    SELECT id FROM loyalty_tierfloor
    WHERE member_id = %(member)s AND coalesce(least(valid_until, ended_at), 'infinity') > %(at)s ORDER BY id"""


def register() -> None:
    """Register what becomes of floors and plans. Called once, from `AppConfig.ready()`, after the part of tiers."""
    register_part(
        Part(
            "loyalty.plans", merge_obstacles=_obstacles, merge_preview=_preview, merge=_merge, unmerge=_unmerge,
            export=export, settle=_losses, erase=_erase,
        )
    )  # fmt: skip


def _running(member_id: int) -> PlanMembership | None:
    return PlanMembership.objects.filter(member=member_id, state__in=RUNNING).select_related("plan").first()


def _obstacles(kept_id: int, merged_id: int, at: datetime) -> list[Obstacle]:
    both = [_running(member_id) for member_id in (kept_id, merged_id)]
    if all(one is not None and one.valid_until > at for one in both):
        return [Obstacle("both_have_plans", gettext_lazy("both hold a paid membership; end one of them first."))]
    return []


def _preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    plans = [one.plan.name if one and one.valid_until > at else "–" for one in map(_running, (kept_id, merged_id))]
    lines = []
    if any(name != "–" for name in plans):
        result = next(name for name in plans if name != "–")
        lines.append(PreviewLine(_("Paid membership"), plans[0], plans[1], result))
    floors = [_floor_name(member_id, at) for member_id in (kept_id, merged_id)]
    if any(name != "–" for _rank, name in floors):
        lines.append(PreviewLine(_("Least tier"), floors[0][1], floors[1][1], max(floors)[1]))
    return lines


def _floor_name(member_id: int, at: datetime) -> tuple[int, str]:
    rows = TierFloor.objects.filter(pk__in=_alive(member_id, at), valid_from__lte=at).select_related("tier")
    highest = rows.order_by("-tier__rank").first()
    return (highest.tier.rank, highest.tier.name) if highest else (-1, "–")


def _merge(merge: Merge) -> dict[str, Any]:
    # One whose time is over but was not ended yet stands in nobody's way.
    for one in PlanMembership.objects.filter(
        member__in=(merge.kept_id, merge.merged_id), state__in=RUNNING, valid_until__lte=merge.at
    ):
        one.state, one.ended_at = PlanMembership.State.ENDED, one.valid_until
        one.save(update_fields=["state", "ended_at"])
    moved = _running(merge.merged_id)
    if moved is not None:
        PlanMembership.objects.filter(pk=moved.pk).update(member_id=merge.kept_id)
    floors = _move_floors(merge.merged_id, merge.kept_id, _alive(merge.merged_id, merge.at), merge.at)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO loyalty_plantrial (member_id, plan_id, taken_at) SELECT %s, plan_id, taken_at "
            "FROM loyalty_plantrial WHERE member_id = %s ON CONFLICT DO NOTHING",
            [merge.kept_id, merge.merged_id],
        )
        return {"plan": moved.pk if moved else None, "floors": floors, "trial": bool(cursor.rowcount)}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    PlanMembership.objects.filter(pk=memo["plan"], member_id=merge.kept_id).update(member_id=merge.merged_id)
    # What the plan gave since then goes with it.
    since = []
    if memo["plan"] is not None:
        ref = PlanMembership.objects.values_list("public_id", flat=True).get(pk=memo["plan"]).hex
        since = list(TierFloor.objects.filter(source_ref__startswith=f"{ref}:").values_list("pk", flat=True))
    _move_floors(merge.kept_id, merge.merged_id, sorted({*memo["floors"], *since}), merge.at)
    if memo["trial"]:
        PlanTrial.objects.filter(member=merge.kept_id).delete()


def _alive(member_id: int, at: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, {"member": member_id, "at": at})
        return [pk for (pk,) in cursor.fetchall()]


def _move_floors(from_id: int, to_id: int, floors: list[int], at: datetime) -> list[int]:
    """Let floors count for another member and return which; both rows say what is so now."""
    if floors:
        with follow_floors([from_id, to_id], at):
            TierFloor.objects.filter(pk__in=floors, member_id=from_id).update(member_id=to_id)
    return floors


def _losses(member_id: int, at: datetime) -> list[PreviewLine]:
    running = _running(member_id)
    if running is None or running.valid_until <= at:
        return []
    return [PreviewLine(_("Paid membership"), running.plan.name, "", _("ends, and nothing is paid back by itself"))]


def _erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    running = PlanMembership.objects.select_for_update(of=("self",), no_key=True).filter(
        member=member_id, state__in=RUNNING
    )
    found = running.first()
    if found is not None:
        stop(found, PlanMembership.State.ENDED, reason="erased", by=by, at=at)
    PlanOrder.objects.filter(member=member_id, state=PlanOrder.State.PENDING).update(state=PlanOrder.State.LAPSED)
    # What staff wrote freely, in rows that stay.
    blanked = TierFloor.objects.filter(member=member_id).exclude(reason="", ended_reason="")
    words = blanked.update(reason="", ended_reason="")
    words += PlanMembership.objects.filter(member=member_id).exclude(end_reason="").update(end_reason="")
    return {"plans": int(found is not None), "words_about_tiers": words}


def export(member_id: int, at: datetime) -> list[Section]:
    """Return the member's floors, plans and payments for plans."""
    floors = TierFloor.objects.filter(member=member_id).select_related("tier").order_by("valid_from", "pk")
    plans = PlanMembership.objects.filter(member=member_id).select_related("plan").order_by("valid_from", "pk")
    payments = PlanPayment.objects.filter(member=member_id).select_related("membership__plan").order_by("paid_at", "pk")
    return [
        Section(
            "tier_floors", gettext_lazy("Tiers given"), ("from", "until", "ended_at", "tier", "source"),
            [[one.valid_from, one.valid_until, one.ended_at, str(one.tier), str(one.get_source_display())] for one in floors],
            (pgettext("begin", "from"), _("until"), _("ended early at"), _("tier"), _("where it comes from")),
        ),
        Section(
            "plans", gettext_lazy("Paid memberships"), ("from", "until", "ended_at", "plan", "state"),
            [[one.valid_from, one.valid_until, one.ended_at, str(one.plan), str(one.get_state_display())] for one in plans],
            (pgettext("begin", "from"), _("until"), _("ended at"), _("plan"), _("state")),
        ),
        Section(
            "plan_payments", gettext_lazy("Payments for plans"), ("paid_at", "kind", "plan", "amount", "source", "number"),
            [
                [
                    one.paid_at, str(one.get_kind_display()), str(one.membership.plan), money(one.amount, one.currency), one.source,
                    one.external_ref,
                ]
                for one in payments
            ],
            (_("paid at"), _("kind"), _("plan"), _("amount"), _("source"), _("number at the source")),
        ),
    ]  # fmt: skip
