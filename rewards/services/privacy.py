"""What rewards does with the data of one person: the copy of orders, points and vouchers, and settling them at an erasure.

Orders and the ledger stay as they are, under the member's pseudonym. What could still be spent is given up, by postings
that explain themselves; what comes in later (pending points, a return) is settled by a task.
"""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members import timeline
from members.actors import SYSTEM, Actor
from members.figures import grouped
from members.lifecycle import Obstacle, Part, PreviewLine, Section, register_part
from members.models import Member, PrivacyRequest, Proposal
from members.personal_words import Traces
from members.queries import family_ids, survivor_id
from members.services.erasing import work_in_the_way
from members.services.sweeping import change_where_named
from rewards import events, ledger
from rewards.explanation import explain, register_note
from rewards.ledger_merge import lock_families
from rewards.models import (
    Adjustment,
    LedgerEntry,
    LedgerTransaction,
    OrderHold,
    PartnerConversion,
    PointsAccount,
    PointsTransfer,
    PurchaseLine,
    PurchaseReturn,
    Redemption,
    RedemptionState,
    Voucher,
    WishedReward,
)
from rewards.queries import accounts_of, balance_of, open_holds_of, outstanding
from rewards.services.address_lists import ADDRESSES
from rewards.services.addresses import Address, addresses_of, forget_addresses_of
from rewards.services.adjustment_batches import BATCH
from rewards.services.payers import forget_payers_of
from rewards.services.voucher_budgets import give_back_budget
from rewards.services.wishes import forget_wishes_of

SOURCE: Final = "erasure"
# Not one that was only asked for: its proposal is in the way while it waits; refused or out of date, nothing comes of it.
_UNFINISHED: Final = (PartnerConversion.State.PENDING, PartnerConversion.State.EXPORTED)
_UNDER_WAY: Final = (
    RedemptionState.PLACED,
    RedemptionState.PREPARING,
    RedemptionState.SHIPPED,
    RedemptionState.READY,
)


def register() -> None:
    """Register the part of rewards. Called once, from `AppConfig.ready()`."""
    register_part(
        Part(
            "rewards.privacy",
            export=export,
            erase_obstacles=obstacles,
            settle=losses,
            erase=erase,
            sweep=sweep,
            erases=(
                "rewards.AdjustmentBatchError",
                "rewards.PartnerConversion",
                "rewards.PurchasePayer",
                "rewards.Redemption",
                "rewards.RedemptionAddress",
            ),
        )
    )
    register_note("erasure", _note)


def obstacles(member_id: int, at: datetime) -> list[Obstacle]:
    """Return what has to end before a member can be erased: holds, conversions under way, proposals that wait."""
    found: list[tuple[str, str | Promise]] = []
    held = sum(hold.points for hold in open_holds_of(member_id))
    if held:
        words = ngettext(
            "%(points)s point is set aside for a payment.", "%(points)s points are set aside for payments.", held
        )
        found.append(("points_held", words % {"points": grouped(held)}))
    under_way = OrderHold.objects.filter(member=member_id, state=OrderHold.State.OPEN, expires_at__gt=at)
    if not held and under_way.exists():
        found.append(("order_held", gettext_lazy("Something is set aside for an order under way.")))
    if PartnerConversion.objects.filter(member=member_id, state__in=_UNFINISHED).exists():
        found.append(("conversion_open", gettext_lazy("An exchange with a partner is under way.")))
    if Redemption.objects.filter(member=member_id, state__in=_UNDER_WAY).exists():
        found.append(("redemption_open", gettext_lazy("An order of a reward is under way: hand it over or cancel it.")))
    waiting = Proposal.objects.filter(state=Proposal.State.WAITING, touches__contains=[f"member:{member_id}"])
    if waiting.exists():
        found.append(("proposal_waiting", gettext_lazy("A proposal about this member waits for a decision.")))
    return [*(Obstacle(code, text) for code, text in found), *work_in_the_way([BATCH, ADDRESSES])]


def losses(member_id: int, at: datetime) -> list[PreviewLine]:
    """Return what the member gives up: points of each currency, and vouchers that could still be used."""
    lines = []
    for account in accounts_of(member_id):
        balance = balance_of(member_id, at, currency=account.currency_id)
        for label, points in (
            (_("%(points_name)s that can be spent"), balance.available),
            (_("%(points_name)s that are pending"), balance.pending),
            (_("%(points_name)s that are owed"), balance.debt),
        ):
            if points:
                title = label % {"points_name": account.currency.name}
                lines.append(PreviewLine(title, grouped(points), "", "0"))
    vouchers = Voucher.objects.filter(outstanding(at), member=member_id).count()
    if vouchers:
        lines.append(PreviewLine(_("Vouchers that can be used"), grouped(vouchers), "", "0"))
    return lines


def erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Give up points and vouchers, and forget the member's numbers at partners; return how many.

    The accounts of the whole family are locked first, in the order of all accounts.
    """
    lock_families(member_ids=family_ids(survivor_id(member_id)))
    forgotten = (
        PartnerConversion.objects.filter(member=member_id).exclude(partner_account="").update(partner_account="")
    )
    return {
        "points": give_up_points(member_id=member_id, by=by, at=at),
        "vouchers": _end_vouchers(member_id, by, at),
        "partner_accounts": forgotten,
        "payers": forget_payers_of(member_id),
        "addresses": forget_addresses_of(member_id),
        "parcels": Redemption.objects.filter(member=member_id).exclude(tracking_no="").update(tracking_no=""),
        "wishes": forget_wishes_of(member_id),
    }


def sweep(traces: Traces) -> dict[str, int]:
    """Delete refused rows of lists, errors of imports of orders, and names of files, that name a person."""
    name = "file_name = '…' || coalesce(substring(file_name FROM '\\.[A-Za-z0-9]+$'), '')"
    searched = (
        ("adjustmentbatcherror", ("cells", "reason_params"), "DELETE FROM rewards_adjustmentbatcherror r"),
        ("adjustmentbatch", ("file_name",), f"UPDATE rewards_adjustmentbatch r SET {name}"),  # noqa: S608 - constants
        ("orderimport", ("error",), "UPDATE rewards_orderimport r SET error = '…'"),
        ("orderimport", ("file_name",), f"UPDATE rewards_orderimport r SET {name}"),  # noqa: S608
    )
    counts: Counter[str] = Counter()
    for kind, columns, change in searched:
        counts[kind] += change_where_named(f"rewards_{kind}", columns, change, traces.words)
    return dict(counts)


def give_up_points(*, member_id: int, by: Actor, at: datetime) -> int:
    """Book everything a member could spend as given up, and forgive what is owed; return the points given up.

    In the caller's transaction. Each time is a posting of its own, numbered on, so that a repeat finds nothing left.
    """
    given_up = 0
    lock_families(member_ids=[member_id])
    for account in accounts_of(member_id):
        balance = balance_of(member_id, at, currency=account.currency_id)
        number = LedgerTransaction.objects.filter(
            source=SOURCE, member=member_id, currency_id=account.currency_id
        ).count()
        key = f"{member_id}:{account.currency_id}:{number}"
        if balance.available > 0:
            posting = ledger.debit(
                kind=ledger.Kind.ADJUST, contra=ledger.Contra.BREAKAGE, member_id=member_id, currency_id=account.currency_id,
                points=balance.available, source=SOURCE, natural_key=key, at=at, by=by,
                trace={"v": 2, "kind": "erasure", "points": balance.available},
            )  # fmt: skip
            given_up -= posting.d_available
        if balance.debt > 0:
            ledger.write_off(
                member_id=member_id, currency_id=account.currency_id, points=balance.debt, source=SOURCE, natural_key=key,
                at=at, by=by, reason="erasure", trace={"v": 2, "kind": "erasure", "points": -balance.debt},
            )  # fmt: skip
    return given_up


def settle_erased(*, at: datetime, limit: int = 200) -> int:
    """Give up what came in for persons who were erased meanwhile: points that were pending, arrears of a return.

    At most `limit` members, each in a transaction of its own; return how many had something.
    """
    erased = PrivacyRequest.objects.filter(kind=PrivacyRequest.Kind.ERASURE, state=PrivacyRequest.State.DONE)
    families = (
        Member.objects.filter(pk__in=erased.values("member"))
        .values("pk")
        .union(Member.objects.filter(merged_into__in=erased.values("member")).values("pk"))
    )
    with_something = PointsAccount.objects.filter(member__in=[row["pk"] for row in families.iterator()])
    ids = with_something.exclude(available=0, debt=0).order_by("member").values_list("member", flat=True).distinct()
    done = 0
    for member_id in list(ids[:limit]):
        with transaction.atomic():
            done += 1 if give_up_points(member_id=member_id, by=SYSTEM, at=at) else 0
    return done


def export(member_id: int, at: datetime) -> list[Section]:
    """Return the member's orders, returns, points, vouchers, redemptions, and exchanges of points."""
    return [*_trade(member_id), *_points(member_id), *_rewards(member_id)]


def _trade(member_id: int) -> list[Section]:
    lines = (
        PurchaseLine.objects.filter(purchase__member=member_id)
        .select_related("purchase__store")
        .order_by("purchase__ordered_at", "purchase_id", "line_no")
    )
    returns = PurchaseReturn.objects.filter(member=member_id).select_related("purchase").order_by("returned_at", "pk")
    return [
        Section(
            "orders",
            gettext_lazy("Orders"),
            ("source", "order_no", "ordered_at", "store", "sku", "article", "quantity", "amount", "order_total"),
            [
                [
                    row.purchase.source, row.purchase.external_order_no, row.purchase.ordered_at, str(row.purchase.store or ""),
                    row.sku, row.name, row.quantity, row.amount, row.purchase.total_amount,
                ]
                for row in lines.iterator(chunk_size=2_000)
            ],
            (
                _("source"), _("order number"), _("ordered at"), _("store"), _("SKU"), _("article"), _("quantity"), _("amount"),
                _("total of the order"),
            ),
        ),
        Section(
            "returns",
            gettext_lazy("Returns"),
            ("source", "return_no", "returned_at", "order_no", "amount"),
            [
                [
                    row.source, row.external_return_no, row.returned_at,
                    row.purchase.external_order_no if row.purchase else "", row.total_amount,
                ]
                for row in returns
            ],
            (_("source"), _("return number"), _("returned at"), _("order number"), _("amount")),
        ),
    ]  # fmt: skip


def _points(member_id: int) -> list[Section]:
    entries = (
        LedgerEntry.objects.filter(account__member_id=member_id)
        .select_related("transaction__currency", "transaction__store")
        .order_by("account_id", "seq")
    )
    moved = PointsTransfer.objects.filter(sender=member_id) | PointsTransfer.objects.filter(receiver=member_id)
    exchanged = PartnerConversion.objects.filter(member=member_id).select_related("partner").order_by("pk")
    by_hand = Adjustment.objects.filter(member=member_id).select_related("reason_code").order_by("pk")
    return [
        Section(
            "points",
            gettext_lazy("Points"),
            ("currency", "at", "what", "number", "change", "pending", "held", "arrears", "available_after", "why"),
            [
                [
                    str(row.transaction.currency), row.transaction.happened_at, str(row.transaction.get_kind_display()),
                    row.transaction.number_on_paper, row.d_available, row.d_pending, row.d_held, row.d_debt, row.available_after,
                    _why(row.transaction.trace),
                ]
                for row in entries.iterator(chunk_size=2_000)
            ],
            (
                _("points currency"), _("at"), _("what"), _("number"), _("change of available"), _("change of pending"),
                _("change of held"), _("change of arrears"), _("available after"), _("why"),
            ),
        ),
        Section(
            "adjustments",
            gettext_lazy("Points given and taken by staff"),
            ("at", "points", "reason", "note"),
            [[row.happened_at, row.points, str(row.reason_code), row.note] for row in by_hand],
            (_("at"), _("points"), _("reason"), _("note")),
        ),
        Section(
            "transfers",
            gettext_lazy("Points to and from other members"),
            ("at", "direction", "points"),
            [
                [row.happened_at, "out" if row.sender_id == member_id else "in", row.points]
                for row in moved.order_by("happened_at", "pk")
            ],
            (_("at"), _("direction"), _("points")),
        ),
        Section(
            "partners",
            gettext_lazy("Exchanges with partners"),
            ("at", "partner", "direction", "points", "units", "account_at_the_partner", "state"),
            [
                [
                    row.happened_at, str(row.partner), row.direction, row.points, row.units, row.partner_account,
                    str(row.get_state_display()),
                ]
                for row in exchanged
            ],
            (
                _("at"), _("partner"), _("direction"), _("points"), _("partner's units"), _("member's number at the partner"),
                _("state"),
            ),
        ),
    ]  # fmt: skip


def _rewards(member_id: int) -> list[Section]:
    redeemed = Redemption.objects.filter(member=member_id).select_related("reward").order_by("redeemed_at", "pk")
    addresses = addresses_of([row.pk for row in redeemed])
    wishes = WishedReward.objects.filter(member=member_id).select_related("reward").order_by("wished_at", "pk")
    vouchers = Voucher.objects.filter(member=member_id).defer("code_hmac").select_related("template").order_by("pk")
    return [
        Section(
            "redemptions",
            gettext_lazy("Redemptions"),
            ("reward", "points", "money", "at", "state", "carrier", "parcel", "name", "phone", "address"),
            [
                [
                    str(row.reward), row.price_points, row.cash_amount, row.redeemed_at, str(row.get_state_display()), row.carrier,
                    row.tracking_no, *_address(addresses.get(row.pk)),
                ]
                for row in redeemed
            ],
            (
                _("reward"), _("points"), _("to be paid besides (money)"), _("at"), _("state"), _("carrier"),
                _("number of the parcel"), _("name"), _("phone"), _("address"),
            ),
        ),
        Section(
            "wishes",
            gettext_lazy("Wish list"),
            ("reward", "at"),
            [[str(row.reward), row.wished_at] for row in wishes],
            (_("reward"), _("at")),
        ),
        Section(
            "vouchers",
            gettext_lazy("Vouchers"),
            ("voucher", "state", "issued_at", "expires_at"),
            [[str(row.template), str(row.get_state_display()), row.issued_at, row.expires_at] for row in vouchers],
            (_("voucher"), _("state"), _("issued at"), _("expires at")),
        ),
    ]  # fmt: skip


def _address(address: Address | None) -> tuple[str, str, str]:
    return (address.name, address.phone, ", ".join(address.lines)) if address else ("", "", "")


def _why(trace: dict[str, Any] | None) -> str:
    explained = explain(trace)
    lines = [f"{line.label}: {line.points:+d}" for line in explained.lines]
    return "; ".join([*lines, *explained.notes])


def _end_vouchers(member_id: int, by: Actor, at: datetime) -> int:
    """End the vouchers that could still be used, each with its event."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH live AS (
                SELECT id, state FROM rewards_voucher WHERE member_id = %s AND state IN ('issued', 'offered', 'held')
                ORDER BY id FOR NO KEY UPDATE
            ), ended AS (
                UPDATE rewards_voucher v SET state = 'expired', held_until = NULL, held_ref = NULL FROM live
                WHERE v.id = live.id RETURNING v.id, v.template_id, live.state
            ), noted AS (
                INSERT INTO rewards_voucherevent
                    (voucher_id, from_state, to_state, external_order_no, actor_kind, actor_id, happened_at)
                SELECT id, state, 'expired', '', %s, %s, %s FROM ended
            )
            SELECT id, template_id FROM ended
            """,
            [member_id, by.kind, by.id, at],
        )
        rows = cursor.fetchall()
    ended = [voucher_id for voucher_id, _template_id in rows]
    give_back_budget(vouchers_by_template=Counter(template_id for _voucher_id, template_id in rows))
    timeline.record([
        events.voucher_expired(voucher_id=voucher_id, member_id=member_id, happened_at=at, by=by) for voucher_id in ended
    ])  # fmt: skip
    return len(ended)


def _note(trace: dict[str, Any]) -> list[str]:
    return [_("Given up when the person was erased.")]
