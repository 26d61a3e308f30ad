"""Look at a voucher before it is used: at the till, and in the member's wallet."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from members.actors import Actor
from members.queries import family_ids, programme
from rewards.cart import elsewhere, untimely
from rewards.models import Voucher
from rewards.services.voucher_terms import terms_of
from rewards.services.vouchers import Basket, VoucherReceipt, use_voucher
from rewards.voucher_words import reason_words


def check_voucher(
    *,
    code: str,
    store_id: int | None,
    spend_amount: Decimal | None,
    by: Actor,
    at: datetime,
    basket: Basket | None = None,
) -> VoucherReceipt:
    """Return what using the voucher would give, and change nothing. Raises what `use_voucher` raises."""
    with transaction.atomic():
        receipt = use_voucher(
            code=code, store_id=store_id, external_order_no="", spend_amount=spend_amount, by=by, at=at, basket=basket
        )
        transaction.set_rollback(True)
    return receipt


def reasons_not_now(*, voucher: Voucher, at: datetime, store_id: int | None = None) -> list[tuple[str, str]]:
    """Return why a voucher can not be used at a moment: codes with their words in the active language; empty where it can.

    In which store it can be used is looked at where one is named; whether an order suits it only the till can say.
    """
    state = voucher.state_at(at)
    gone: Mapping[str, str] = {
        Voucher.State.VOIDED: _("This voucher was made void."),
        Voucher.State.OFFERED: _("This voucher is being given to a friend."),
        Voucher.State.USED: reason_words("used", {}),
        Voucher.State.EXPIRED: reason_words("expired", {}),
    }
    if state in gone:
        return [(state.value, gone[state])]
    (terms,) = terms_of([voucher], family_ids(voucher.member_id), at)
    where = replace(terms, channel_ids=(), store_ids=terms.store_ids if store_id is not None else ())
    local = timezone.localtime(at, programme().tz)
    found = [untimely(terms, at), elsewhere(where, store_id, None, local)]
    return [(reason[0], reason_words(*reason)) for reason in found if reason is not None]
