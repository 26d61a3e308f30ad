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
from members.models import Channel, Identity, Member, MemberPerson, Store
from members.phones import InvalidPhone, parse_phone
from members.queries import region
from members.services.bulk_enrolment import NewMember, enrol_many
from rewards.models import Purchase
from rewards.refusals import RewardsRefusal
from rewards.services.bulk import BulkOutcome, post_history
from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.mapping_values import MappingError
from rewards.services.imports.orders import DraftLine, OrderDraft
from rewards.services.imports.refused import Rejected
from rewards.services.purchases import Order, OrderLine
from rewards.services.returns import Return, ReturnItem, purchase_lines

CHUNK_LINES = 5_000


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


def post_drafts(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, *, by: Actor, at: datetime, progress: Callable[[int], object]
) -> PostingReport:
    """Post drafts (in order of time); `progress` is told the lines done. Raises MappingError for an unknown channel or store."""
    report = PostingReport()
    places = _places(mapping)
    drafts = list(_of_known_stores(drafts, mapping, places, report, progress))
    members = _members(drafts, mapping, places, report, by, at)
    _note_products(drafts)
    for chunk in _chunks(drafts):
        _post_chunk(_placed(chunk, mapping, members, report), mapping, places, members, report, by, at)
        progress(sum(len(draft.lines) for draft in chunk))
    return report


def _places(mapping: OrderMapping) -> _Places:
    code = mapping.channel or "import"
    channel = Channel.objects.filter(code=code).first()
    if channel is None:
        raise MappingError("channel", f"“{code}”")
    stores = dict(Store.objects.values_list("code", "id"))
    if mapping.store and mapping.store not in stores:
        raise MappingError("store", f"“{mapping.store}”")
    return _Places(channel.pk, stores)


def _of_known_stores(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, places: _Places, report: PostingReport, progress: Callable[[int], object]
) -> Iterator[OrderDraft]:  # fmt: skip
    for draft in drafts:
        if not draft.store_code or draft.store_code in places.stores:
            yield draft
        else:
            _reject(report, draft, "unknown_store", {"field": "store", "value": draft.store_code})
            progress(len(draft.lines))


def _members(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, places: _Places, report: PostingReport, by: Actor, at: datetime
) -> dict[str, int]:  # fmt: skip
    """Return member ids by the keys of the file; make those unknown when the mapping says so (joined with their first order)."""
    first: dict[str, OrderDraft] = {}
    for draft in drafts:
        if draft.member_key:
            first.setdefault(draft.member_key, draft)
    found = _known_members(list(first), mapping)
    if mapping.unknown_members != "create":
        return found
    missing = [key for key in first if key not in found]
    for start in range(0, len(missing), 5_000):
        part = missing[start : start + 5_000]
        new = [_new_member(first[key], mapping, places) for key in part]
        made = enrol_many(members=[member for member in new if member is not None], by=by, at=at)
        found.update(zip([key for key, member in zip(part, new, strict=True) if member is not None], made, strict=True))
        report.members_new += len(made)
    return found


def _known_members(keys: Sequence[str], mapping: OrderMapping) -> dict[str, int]:
    kind = mapping.identity_kind
    if kind == "external":
        rows = Identity.objects.filter(issuer=mapping.identity_issuer, value__in=keys).values_list("value", "member_id")
        return dict(rows)
    if kind == "member_no":
        return dict(Member.objects.filter(member_no__in=keys).values_list("member_no", "pk"))
    phones = {key: phone for key in keys if (phone := _phone(key)) is not None}
    members = dict(MemberPerson.objects.filter(phone__in=set(phones.values())).values_list("phone", "member_id"))
    return {key: members[phone] for key, phone in phones.items() if phone in members}


def _phone(text: str) -> str | None:
    try:
        return parse_phone(text, region=region())
    except InvalidPhone:
        return None


def _new_member(draft: OrderDraft, mapping: OrderMapping, places: _Places) -> NewMember | None:
    kind = mapping.identity_kind
    phone = _phone(draft.member_key) if kind == "phone" else None
    if kind == "member_no" or (kind == "phone" and phone is None):
        return None  # numbers are given by us; a phone that is none is refused with its rows
    return NewMember(
        joined_at=draft.ordered_at,
        channel_id=places.channel_id,
        home_store_id=places.stores.get(draft.store_code),
        phone=phone,
        identity=(mapping.identity_issuer, draft.member_key) if kind == "external" else None,
    )


def _note_products(drafts: Sequence[OrderDraft]) -> None:
    """Make products for article numbers met for the first time; those known keep their words."""
    names: dict[str, DraftLine] = {}
    for draft in drafts:
        for line in draft.lines:
            if line.sku and (line.sku not in names or (line.description and not names[line.sku].description)):
                names[line.sku] = line
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_product (sku, name, earns) SELECT s, n, e FROM unnest(%s::text[], %s::text[], %s::boolean[]) AS t (s, n, e) "
            "ORDER BY s ON CONFLICT (sku) DO NOTHING",
            [
                list(names),
                [line.description or line.sku for line in names.values()],
                [line.earns for line in names.values()],
            ],
        )


def _chunks(drafts: Sequence[OrderDraft]) -> Iterator[list[OrderDraft]]:
    """Yield drafts so that one member's stand together, in order of time, about CHUNK_LINES lines to a chunk."""
    by_member: dict[str, list[OrderDraft]] = defaultdict(list)
    for draft in drafts:
        by_member[draft.member_key].append(draft)
    chunk: list[OrderDraft] = []
    lines = 0
    for key, group in by_member.items():
        for draft in group:
            chunk.append(draft)
            lines += len(draft.lines)
            if not key and lines >= CHUNK_LINES:
                yield chunk
                chunk, lines = [], 0
        if lines >= CHUNK_LINES:
            yield chunk
            chunk, lines = [], 0
    if chunk:
        yield chunk


def _placed(
    chunk: Sequence[OrderDraft], mapping: OrderMapping, members: dict[str, int], report: PostingReport
) -> list[OrderDraft]:  # fmt: skip
    """Return the drafts whose member is known, or who may pass as guests; refuse the others."""
    placed = []
    for draft in chunk:
        if not draft.member_key or draft.member_key in members or mapping.unknown_members == "guest":
            placed.append(draft)
        else:
            _reject(report, draft, "unknown_member", {"field": "member", "value": draft.member_key})
    return placed


def _post_chunk(
    chunk: Sequence[OrderDraft], mapping: OrderMapping, places: _Places, members: dict[str, int], report: PostingReport,
    by: Actor, at: datetime,
) -> None:  # fmt: skip
    orders = [_order(draft, mapping, places, members) for draft in chunk if draft.kind == "sale"]
    unlinked = [
        _return(draft, mapping, places, members, ())
        for draft in chunk
        if draft.kind == "return" and not draft.original_order_no
    ]
    linked = [draft for draft in chunk if draft.kind == "return" and draft.original_order_no]
    _add(report, post_history(orders=orders, returns=unlinked, by=by, at=at, quiet=True), chunk)
    if linked:
        returns = list(_linked_returns(linked, mapping, places, members, report))
        _add(report, post_history(orders=[], returns=returns, by=by, at=at, quiet=True), chunk)


def _order(draft: OrderDraft, mapping: OrderMapping, places: _Places, members: dict[str, int]) -> Order:
    is_foreign = draft.rate != 1
    return Order(
        source=mapping.source,
        external_order_no=draft.order_no,
        member_id=members.get(draft.member_key),
        channel_id=places.channel_id,
        store_id=places.stores.get(draft.store_code),
        ordered_at=draft.ordered_at,
        lines=tuple(_line(line) for line in draft.lines),
        original_currency=draft.currency if is_foreign else "",
        original_amount=draft.total_original_amount if is_foreign else None,
        exchange_rate=draft.rate if is_foreign else None,
    )


def _line(line: DraftLine) -> OrderLine:
    return OrderLine(line.sku, line.description, line.quantity, line.unit_price, line.amount, line.earns)


def _return(
    draft: OrderDraft, mapping: OrderMapping, places: _Places, members: dict[str, int], items: tuple[ReturnItem, ...]
) -> Return:  # fmt: skip
    is_linked = bool(draft.original_order_no)
    return Return(
        source=mapping.source,
        external_return_no=draft.order_no,
        external_order_no=draft.original_order_no or None,
        channel_id=places.channel_id,
        store_id=places.stores.get(draft.store_code),
        returned_at=draft.ordered_at,
        items=items,
        member_id=None if is_linked else members.get(draft.member_key),
        lines=() if is_linked else tuple(_line(line) for line in draft.lines),
    )


def _linked_returns(
    drafts: Sequence[OrderDraft], mapping: OrderMapping, places: _Places, members: dict[str, int], report: PostingReport
) -> Iterator[Return]:  # fmt: skip
    """Yield returns whose sale the file names, each line matched to a line of the sale with the same article."""
    numbers = {draft.original_order_no for draft in drafts}
    sales = dict(
        Purchase.objects.filter(source=mapping.source, external_order_no__in=numbers).values_list(
            "external_order_no", "pk"
        )
    )
    lines = purchase_lines(list(sales.values()))
    for draft in drafts:
        sale = sales.get(draft.original_order_no)
        if sale is None:
            _reject(report, draft, "unknown_order", {"field": "original_order_no", "value": draft.original_order_no})
            continue
        items: dict[int, ReturnItem] = {}
        for line in draft.lines:
            number = next((no for no, sold in lines[sale].items() if sold.sku == line.sku and no not in items), None)
            if number is None:
                break
            items[number] = ReturnItem(number, line.quantity)
        if len(items) < len(draft.lines):
            _reject(
                report,
                draft,
                "line_not_in_order",
                {"field": "sku", "value": line.sku, "order": draft.original_order_no},
            )
        else:
            yield _return(draft, mapping, places, members, tuple(items.values()))


def _add(report: PostingReport, outcome: BulkOutcome, chunk: Sequence[OrderDraft]) -> None:
    report.orders_new += outcome.orders_new
    report.orders_known += outcome.orders_known
    report.returns_new += outcome.returns_new
    report.returns_known += outcome.returns_known
    report.points += outcome.points
    if outcome.refused:
        by_number = {draft.order_no: draft for draft in chunk}
        for number, refusal in outcome.refused:
            _reject(report, by_number[number], "not_recorded", {"reason": _words(refusal)})


def _words(refusal: RewardsRefusal) -> str:
    return refusal.sentence()


def _reject(report: PostingReport, draft: OrderDraft, code: str, params: dict[str, str | int]) -> None:
    for line in draft.lines:
        report.rejected.append(Rejected(line.row_no, {}, code, params))
