"""Post the orders of a file: members found or made, articles noted, orders and returns recorded in chunks that each commit.

A chunk holds whole members, so its decisions are those of live traffic. Re-running a file finds what is recorded and
posts only the rest; so an import that broke off is resumed by running it again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from members.actors import Actor
from members.models import Channel, Store
from members.queries import programme
from members.services.bulk_enrolment import NewMember
from rewards.services.bulk import BulkOutcome, post_history
from rewards.services.imports.buyers import enrol_buyers, known_buyers, new_buyers
from rewards.services.imports.linking import Links, link_returns
from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.mapping_values import MappingError
from rewards.services.imports.orders import DraftLine, OrderDraft
from rewards.services.imports.refused import Params, Rejected
from rewards.services.purchases import Order, OrderLine
from rewards.services.returns import Return

CHUNK_LINES = 5_000
_TO_BE_MADE = 0  # stands for the id of a member whom a dry run does not make


@dataclass(slots=True)
class PostingReport:
    """What posting did, beside the figures of the file itself."""

    orders_new: int = 0
    orders_known: int = 0
    returns_new: int = 0
    returns_known: int = 0
    members_new: int = 0
    points: int = 0
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Places:
    channel_id: int
    stores: dict[str, int]
    currency: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """Drafts that can be posted, in order of time, and what they are posted with."""

    mapping: OrderMapping
    places: _Places
    members: dict[str, int]
    drafts: list[OrderDraft]
    links: Links

    def owner(self, draft: OrderDraft) -> int | None:
        """Return the member a draft is posted to; None: a guest."""
        if draft.original_order_no:
            return self.links.owners[draft.order_no]
        return self.members.get(draft.member_key)


def post_drafts(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, *, by: Actor, at: datetime, progress: Callable[[int], object]
) -> PostingReport:
    """Post drafts (in order of time); `progress` is told the lines done. Raises MappingError for an unknown channel or store."""
    report = PostingReport()
    places = _places(mapping)
    placed = _of_known_stores(drafts, places, report)
    members, makeable = _buyers(placed, mapping, places)
    report.members_new = enrol_buyers(makeable.values(), by=by, at=at)
    if makeable:
        members |= known_buyers(list(makeable), mapping)
    plan = _plan(placed, mapping, places, members, report)
    progress(len(report.rejected))
    _note_products(plan.drafts)
    for chunk in _chunks(plan):
        _post_chunk(chunk, plan, report, by, at)
        progress(sum(len(draft.lines) for draft in chunk))
    return report


def check_drafts(drafts: Sequence[OrderDraft], mapping: OrderMapping) -> list[Rejected]:
    """Return the rows whose store, member or sale is not known, as far as that can be said without recording anything.

    Raises MappingError for an unknown channel or store.
    """
    report = PostingReport()
    places = _places(mapping)
    placed = _of_known_stores(drafts, places, report)
    members, makeable = _buyers(placed, mapping, places)
    _plan(placed, mapping, places, members | dict.fromkeys(makeable, _TO_BE_MADE), report)
    return report.rejected


def _places(mapping: OrderMapping) -> _Places:
    code = mapping.channel or "import"
    channel = Channel.objects.filter(code=code).first()
    if channel is None:
        raise MappingError("channel", f"“{code}”")
    stores = dict(Store.objects.values_list("code", "id"))
    if mapping.store and mapping.store not in stores:
        raise MappingError("store", f"“{mapping.store}”")
    return _Places(channel.pk, stores, programme().currency)


def _of_known_stores(drafts: Sequence[OrderDraft], places: _Places, report: PostingReport) -> list[OrderDraft]:
    known = []
    for draft in drafts:
        if not draft.store_code or draft.store_code in places.stores:
            known.append(draft)
        else:
            _reject(report, draft, "unknown_store", {"field": "store", "value": draft.store_code})
    return known


def _buyers(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, places: _Places
) -> tuple[dict[str, int], dict[str, NewMember]]:
    """Return known members by the keys of the file, and those to be made, who joined with their first order."""
    firsts: dict[str, OrderDraft] = {}
    for draft in drafts:
        if draft.member_key and not draft.original_order_no:
            firsts.setdefault(draft.member_key, draft)
    known = known_buyers(list(firsts), mapping)
    if mapping.unknown_members != "create":
        return known, {}
    unknown = {key: draft for key, draft in firsts.items() if key not in known}
    return known, new_buyers(unknown, mapping, channel_id=places.channel_id, stores=places.stores)


def _plan(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, places: _Places, members: dict[str, int], report: PostingReport
) -> _Plan:
    """Return what can be posted; refuse drafts whose member or sale is not known."""
    placed = []
    for draft in drafts:
        if (
            draft.original_order_no
            or not draft.member_key
            or draft.member_key in members
            or mapping.unknown_members == "guest"
        ):
            placed.append(draft)
        else:
            _reject(report, draft, "unknown_member", {"field": "member", "value": draft.member_key})
    linked = [draft for draft in placed if draft.original_order_no]
    links = link_returns(linked, [draft for draft in placed if draft.kind == "sale"], members, mapping)
    for draft in linked:
        if draft.order_no in links.refused:
            _reject(report, draft, *links.refused[draft.order_no])
    refused = set(links.refused)
    drafts = [draft for draft in placed if not (draft.original_order_no and draft.order_no in refused)]
    return _Plan(mapping, places, members, drafts, links)


def _note_products(drafts: Sequence[OrderDraft]) -> None:
    """Make products for article numbers met for the first time, in a category of the file if there is one; others keep their words."""
    first: dict[str, DraftLine] = {}
    for draft in drafts:
        for line in draft.lines:
            if line.sku and (line.sku not in first or (line.description and not first[line.sku].description)):
                first[line.sku] = line
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO rewards_product (sku, name, category_id, earns)
            SELECT t.sku, t.name, c.id, t.earns
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::boolean[]) AS t (sku, name, category, earns)
            LEFT JOIN rewards_category c ON c.code = t.category
            ORDER BY t.sku ON CONFLICT (sku) DO NOTHING
            """,
            [
                list(first),
                [line.description or line.sku for line in first.values()],
                [line.category for line in first.values()],
                [line.earns for line in first.values()],
            ],
        )


def _chunks(plan: _Plan) -> Iterator[list[OrderDraft]]:
    """Yield drafts so that one member's stand together, in order of time, about CHUNK_LINES lines to a chunk."""
    by_owner: dict[int | None, list[OrderDraft]] = defaultdict(list)
    for draft in plan.drafts:
        by_owner[plan.owner(draft)].append(draft)
    chunk: list[OrderDraft] = []
    lines = 0
    for owner, group in by_owner.items():
        for draft in group:
            chunk.append(draft)
            lines += len(draft.lines)
            if owner is None and lines >= CHUNK_LINES:
                yield chunk
                chunk, lines = [], 0
        if lines >= CHUNK_LINES:
            yield chunk
            chunk, lines = [], 0
    if chunk:
        yield chunk


def _post_chunk(chunk: Sequence[OrderDraft], plan: _Plan, report: PostingReport, by: Actor, at: datetime) -> None:
    orders = [_order(draft, plan) for draft in chunk if draft.kind == "sale"]
    returns = [_return(draft, plan) for draft in chunk if draft.kind == "return"]
    _add(report, post_history(orders=orders, returns=returns, by=by, at=at, quiet=True), chunk)


def _order(draft: OrderDraft, plan: _Plan) -> Order:
    is_foreign = draft.currency != plan.places.currency
    return Order(
        source=plan.mapping.source,
        external_order_no=draft.order_no,
        member_id=plan.owner(draft),
        channel_id=plan.places.channel_id,
        store_id=plan.places.stores.get(draft.store_code),
        ordered_at=draft.ordered_at,
        lines=_lines(draft),
        original_currency=draft.currency if is_foreign else "",
        original_amount=draft.total_original_amount if is_foreign else None,
        exchange_rate=draft.rate if is_foreign else None,
    )


def _return(draft: OrderDraft, plan: _Plan) -> Return:
    is_linked = bool(draft.original_order_no)
    return Return(
        source=plan.mapping.source,
        external_return_no=draft.order_no,
        external_order_no=draft.original_order_no or None,
        channel_id=plan.places.channel_id,
        store_id=plan.places.stores.get(draft.store_code),
        returned_at=draft.ordered_at,
        items=plan.links.items[draft.order_no] if is_linked else (),
        member_id=None if is_linked else plan.owner(draft),
        lines=() if is_linked else _lines(draft),
    )


def _lines(draft: OrderDraft) -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(line.sku, line.description, line.quantity, line.unit_price, line.amount, line.earns)
        for line in draft.lines
    )


def _add(report: PostingReport, outcome: BulkOutcome, chunk: Sequence[OrderDraft]) -> None:
    report.orders_new += outcome.orders_new
    report.orders_known += outcome.orders_known
    report.returns_new += outcome.returns_new
    report.returns_known += outcome.returns_known
    report.points += outcome.points
    if outcome.refused:
        by_number = {draft.order_no: draft for draft in chunk}
        for number, refusal in outcome.refused:
            _reject(report, by_number[number], "not_recorded", {"reason": refusal.sentence()})


def _reject(report: PostingReport, draft: OrderDraft, code: str, params: Params) -> None:
    report.rejected += [Rejected(line.row_no, {}, code, params) for line in draft.lines]
