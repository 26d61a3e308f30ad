"""Settlement between stores: points that one store issued and another took in, month by month, and who owes whom.

Points are followed to the lot that was eaten and to the store that issued it; points that came from another member, to the
store that had issued them to that member. What is given back goes the way back. No store stands for head office.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from django.db import connection
from django.utils.translation import gettext as _

from members.models import Store
from rewards.liability import apportion, rounded
from rewards.models import MonthClose, Movement, SettlementLine
from rewards.services.close_figures import Span

STORES_SHOWN = 12
"""A table of stores by stores stays readable up to here; smaller stores are added up."""
_LINES_AT_ONCE = 2_000
_NONE = Decimal(0)

# A redemption is taken in where it was posted, a hold that was redeemed without a store where it was set aside; what is
# given back, where it had been taken in. A lot that names the lot it came from was issued where the first of them was:
# lots name older ones only, so the way back ends.
_SETTLEMENT = f"""
    WITH RECURSIVE moved AS (
        SELECT c.movement, m.lot_id, sum(m.d_remaining + m.d_held) AS points,
            CASE t.kind WHEN 9 THEN coalesce(r.store_id, h.store_id) ELSE coalesce(t.store_id, r.store_id) END AS spent_at
        FROM close_entry c
        JOIN rewards_ledgertransaction t ON t.id = c.transaction_id
        LEFT JOIN rewards_ledgertransaction r ON r.id = t.reverses_id
        LEFT JOIN rewards_ledgertransaction h ON h.id = r.reverses_id
        JOIN rewards_lotmove m ON m.entry_id = c.entry_id
        WHERE c.movement IN ({Movement.REDEEMED}, {Movement.RESTORED}) AND NOT (c.early AND %(begins)s)
        GROUP BY 1, 2, 4
    ), way AS (
        SELECT lot_id, lot_id AS earlier_id FROM (SELECT DISTINCT lot_id FROM moved) AS eaten
        UNION ALL
        SELECT way.lot_id, l.origin_lot_id FROM way JOIN rewards_lot l ON l.id = way.earlier_id WHERE l.origin_lot_id IS NOT NULL
    ), settled AS (
        SELECT moved.movement, false AS is_arrears, i.store_id AS issued_by, moved.spent_at, moved.points
        FROM moved
        JOIN way ON way.lot_id = moved.lot_id
        JOIN rewards_lot l ON l.id = way.earlier_id AND l.origin_lot_id IS NULL
        JOIN rewards_ledgertransaction i ON i.id = l.transaction_id
        UNION ALL
        SELECT c.movement, true, NULL,
            CASE t.kind WHEN 9 THEN coalesce(r.store_id, h.store_id) ELSE coalesce(t.store_id, r.store_id) END, -c.d_debt
        FROM close_entry c
        JOIN rewards_ledgertransaction t ON t.id = c.transaction_id
        LEFT JOIN rewards_ledgertransaction r ON r.id = t.reverses_id
        LEFT JOIN rewards_ledgertransaction h ON h.id = r.reverses_id
        WHERE c.movement IN ({Movement.REDEEMED}, {Movement.RESTORED}) AND NOT (c.early AND %(begins)s) AND c.d_debt <> 0
    )
    SELECT issued_by, is_arrears, spent_at,
        coalesce(-sum(points) FILTER (WHERE movement = {Movement.REDEEMED}), 0),
        coalesce(sum(points) FILTER (WHERE movement = {Movement.RESTORED}), 0)
    FROM settled GROUP BY issued_by, is_arrears, spent_at
    ORDER BY issued_by NULLS LAST, is_arrears, spent_at NULLS LAST"""  # noqa: S608


def settle(draft: MonthClose, span: Span, unit_value: Decimal | None) -> None:
    """Write what stores owe each other for the collected entries of a month; in all, what the roll-forward says was redeemed.

    `unit_value` is what a point is worth; None leaves the amounts open. Cents are divided so that they add up.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SETTLEMENT, {"begins": span.begins})
        lines = [
            SettlementLine(
                close=draft, issuing_store_id=issued_by, is_arrears=is_arrears, spending_store_id=spent_at, spent_points=int(spent),
                restored_points=int(restored),
            )
            for issued_by, is_arrears, spent_at, spent, restored in cursor.fetchall()
            if spent or restored
        ]  # fmt: skip
    if unit_value is not None:
        for line, amount in zip(lines, _shared([line.spent_points for line in lines], unit_value), strict=True):
            line.spent_amount = amount
        for line, amount in zip(lines, _shared([line.restored_points for line in lines], unit_value), strict=True):
            line.restored_amount = amount
    SettlementLine.objects.bulk_create(lines, batch_size=_LINES_AT_ONCE)
    draft.has_settlement = True


def _shared(points: list[int], unit_value: Decimal) -> list[Decimal]:
    exact = {place: count * unit_value for place, count in enumerate(points)}
    parts = apportion(rounded(sum(points) * unit_value), exact)
    return [parts[place] for place in range(len(points))]


@dataclass(frozen=True, slots=True)
class Flow:
    """Points that moved between two places, less those given back, and their worth where a value is known."""

    points: int
    amount: Decimal | None

    @classmethod
    def of(cls, lines: Iterable[SettlementLine]) -> Self:
        """Return the sum of some lines."""
        points, amount, is_known = 0, _NONE, True
        for line in lines:
            points += line.spent_points - line.restored_points
            is_known = is_known and line.spent_amount is not None
            amount += (line.spent_amount or _NONE) - (line.restored_amount or _NONE)
        return cls(points, amount if is_known else None)

    def less(self, other: "Flow") -> "Flow":
        """Return this flow less another."""
        amount = None if self.amount is None or other.amount is None else self.amount - other.amount
        return Flow(self.points - other.points, amount)


@dataclass(frozen=True, slots=True)
class Position:
    """One store, or head office, at the end of a month: what it took in for others, what others took in for it, the rest."""

    label: str
    own: Flow
    taken_in: Flow
    given_out: Flow
    net: Flow

    @property
    def receives(self) -> bool:
        """Whether the others owe it something."""
        return self.net.points > 0


@dataclass(frozen=True, slots=True)
class Row:
    """What one place issued, by the place that took it in (in the order of the columns), and in all."""

    label: str
    flows: list[Flow]
    total: Flow


@dataclass(frozen=True, slots=True)
class Pair:
    """Two places with what was spent and given back between them: one line of the workbook."""

    issued_by: str
    spent_at: str
    line: SettlementLine


@dataclass(frozen=True, slots=True)
class Settlement:
    """The settlement of a month as people read it.

    `rows` and `columns` hold the largest stores and, if there are more (`is_folded`), the sum of the others.
    """

    columns: list[str]
    rows: list[Row]
    total: Row
    positions: list[Position]
    pairs: list[Pair]
    is_folded: bool

    @property
    def spent_points(self) -> int:
        """Points redeemed in all, before what was given back."""
        return sum(pair.line.spent_points for pair in self.pairs)

    @property
    def restored_points(self) -> int:
        """Points given back in all."""
        return sum(pair.line.restored_points for pair in self.pairs)


def settlement_of(close: MonthClose) -> Settlement | None:
    """Return the settlement of a month in the active language, in one query; None for months locked before there was one."""
    if not close.has_settlement:
        return None
    lines = list(
        SettlementLine.objects.filter(close=close)
        .select_related("issuing_store", "spending_store")
        .order_by("issuing_store__code", "is_arrears", "spending_store__code", "pk")  # no store comes last
    )
    places = {key: store for line in lines for key, store in _places(line)}
    by_code = sorted(places.items(), key=lambda place: (place[1] is None, place[1].code if place[1] else place[0]))
    labels = {key: _label(key, store) for key, store in by_code}
    shown = _largest(lines)

    def folded(key: str) -> str:
        return key if key in shown or key in (_OFFICE, _ARREARS) else _OTHERS

    columns = _in_order({folded(_spent_at(line)) for line in lines}, labels)
    keys = _in_order({folded(_issued_by(line)) for line in lines}, labels)
    return Settlement(
        columns=[_name(key, labels) for key in columns],
        rows=[_row(_name(key, labels), [line for line in lines if folded(_issued_by(line)) == key], columns, folded) for key in keys],
        total=_row(_("in all"), lines, columns, folded),
        positions=_positions(lines, labels),
        pairs=[Pair(labels[_issued_by(line)], labels[_spent_at(line)], line) for line in lines],
        is_folded=any(folded(key) == _OTHERS for key in labels),
    )  # fmt: skip


_OFFICE, _ARREARS, _OTHERS = "office", "arrears", "others"


def _issued_by(line: SettlementLine) -> str:
    return _ARREARS if line.is_arrears else str(line.issuing_store_id) if line.issuing_store_id else _OFFICE


def _spent_at(line: SettlementLine) -> str:
    return str(line.spending_store_id) if line.spending_store_id else _OFFICE


def _places(line: SettlementLine) -> tuple[tuple[str, Store | None], tuple[str, Store | None]]:
    return (_issued_by(line), line.issuing_store), (_spent_at(line), line.spending_store)


def _label(key: str, store: Store | None) -> str:
    if store is not None:
        return str(store)
    return _("head office: arrears of members") if key == _ARREARS else _("head office (no store)")


def _name(key: str, labels: Mapping[str, str]) -> str:
    return _("other stores") if key == _OTHERS else labels[key]


def _in_order(keys: Iterable[str], labels: Mapping[str, str]) -> list[str]:
    """Return places in the order of `labels`, which is that of the stores' codes; then the other stores, then head office."""
    found, last = set(keys), [_OTHERS, _OFFICE, _ARREARS]
    return [key for key in labels if key in found and key not in last] + [key for key in last if key in found]


def _largest(lines: Iterable[SettlementLine]) -> set[str]:
    """Return the stores with the most points, issued or taken in."""
    turnover: dict[str, int] = defaultdict(int)
    for line in lines:
        for key, store in _places(line):
            if store is not None:
                turnover[key] += line.spent_points + line.restored_points
    return set(sorted(turnover, key=lambda key: (-turnover[key], key))[:STORES_SHOWN])


def _row(label: str, lines: list[SettlementLine], columns: list[str], folded: Callable[[str], str]) -> Row:
    flows = [Flow.of(line for line in lines if folded(_spent_at(line)) == column) for column in columns]
    return Row(label, flows, Flow.of(lines))


def _positions(lines: list[SettlementLine], labels: Mapping[str, str]) -> list[Position]:
    """Return every place with what it is owed. Arrears are head office's. Their nets add up to nothing."""
    own: dict[str, list[SettlementLine]] = defaultdict(list)
    taken_in: dict[str, list[SettlementLine]] = defaultdict(list)
    given_out: dict[str, list[SettlementLine]] = defaultdict(list)
    for line in lines:
        issuer = _OFFICE if line.is_arrears else _issued_by(line)
        spender = _spent_at(line)
        if issuer == spender:
            own[issuer].append(line)
        else:
            taken_in[spender].append(line)
            given_out[issuer].append(line)
    found = []
    for key in _in_order({*own, *taken_in, *given_out}, {**labels, _OFFICE: _label(_OFFICE, None)}):
        received, owed = Flow.of(taken_in[key]), Flow.of(given_out[key])
        found.append(
            Position(labels.get(key, _label(key, None)), Flow.of(own[key]), received, owed, received.less(owed))
        )
    return found
