"""Issue vouchers: one or ten thousand in one statement, each with its first event; told again, none is issued."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from rewards.events_vouchers import voucher_issued
from rewards.models import Voucher, VoucherTemplate
from rewards.refusals import RewardsRefusal
from rewards.services.voucher_budgets import take_budget
from rewards.services.voucher_codes import code_hmac, voucher_code

_ISSUE = """
    WITH given AS (
        SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::bytea[]) WITH ORDINALITY AS g (member_id, public_id, code_hmac, place)
    ), voucher AS (
        INSERT INTO rewards_voucher
            (public_id, member_id, template_id, code_hmac, state, origin, origin_ref, issued_at, valid_from, expires_at)
        SELECT public_id, member_id, %s, code_hmac, 'issued', %s, %s, %s, %s, %s FROM given ORDER BY place
        ON CONFLICT (public_id) DO NOTHING RETURNING id, member_id
    ), event AS (
        INSERT INTO rewards_voucherevent
            (voucher_id, from_state, to_state, external_order_no, actor_kind, actor_id, happened_at)
        SELECT id, '', 'issued', '', %s, %s, %s FROM voucher
    )
    SELECT id, member_id FROM voucher ORDER BY id"""


class VoucherNotIssued(RewardsRefusal):
    """No more vouchers are issued from the template."""

    code = "voucher_not_issued"
    explains = True
    text = _("No more vouchers of this kind are issued.")


def check_may_issue(template: VoucherTemplate, at: datetime) -> None:
    """Raise VoucherNotIssued where the template is retired, or the last moment of its vouchers has come."""
    starts_at, ends_at = template.valid_span(at)
    if template.is_retired or ends_at <= starts_at:
        raise VoucherNotIssued


@transaction.atomic
def issue_vouchers(
    *,
    template: VoucherTemplate,
    rows: Sequence[tuple[int, UUID]],
    origin: Voucher.Origin,
    origin_ref: str = "",
    by: Actor,
    at: datetime,
    span: tuple[datetime, datetime] | None = None,
) -> list[int]:
    """Issue a voucher for each (member id, public id); return the ids of those that are new, in the order of the rows.

    A public id that there is already issues nothing, so a repeat is safe. The caller holds the members, and gives at most
    some thousands at once. `span`: from when until when one in place of another may
    be used; a template that is retired is then no obstacle. Raises VoucherNotIssued, VoucherBudgetExhausted.
    """
    if span is None:
        check_may_issue(template, at)
    starts_at, ends_at = span or template.valid_span(at)
    with connection.cursor() as cursor:
        cursor.execute(
            _ISSUE,
            [
                [member_id for member_id, _public_id in rows], [public_id for _member_id, public_id in rows],
                [code_hmac(voucher_code(public_id)) for _member_id, public_id in rows],
                template.pk, origin, origin_ref, at, starts_at, ends_at, by.kind, by.id, at,
            ],
        )  # fmt: skip
        issued: list[tuple[int, int]] = cursor.fetchall()
    take_budget(template=template, vouchers=len(issued))
    timeline.record_many(
        voucher_issued(
            voucher_id=voucher_id, template_id=template.pk, member_id=member_id, origin=origin, happened_at=at, by=by,
        )
        for voucher_id, member_id in issued
    )  # fmt: skip
    return [voucher_id for voucher_id, _member_id in issued]
