"""Vouchers by hand as those see them who approve: sentences, effects, limits."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import proposals
from members.effects import Effect, EffectLine
from members.figures import money
from members.queries import programme
from rewards.explanation import in_active_language
from rewards.models import Voucher, VoucherTemplate
from rewards.services.by_hand import Params
from rewards.services.voucher_batches import FAMILY
from rewards.services.voucher_goodwill import (
    EXTEND,
    EXTEND_LONG,
    GIVE,
    MAY_EXTEND,
    MAY_GIVE,
    REISSUE,
    extend,
    give,
    reissue,
)
from rewards.vouchers_held import held_by

_KINDS: Final = (EXTEND, EXTEND_LONG)


def _figures(params: Mapping[str, Any]) -> dict[str, str]:
    return {
        "voucher": in_active_language(params["names"]), "member": params["member_no"],
        "cost": money(Decimal(params["cost"]), programme().currency),
    }  # fmt: skip


def _give_sentence(params: Params) -> str:
    return _("Give member %(member)s the voucher “%(voucher)s”; it costs %(cost)s at most.") % _figures(params)


def _extend_sentence(params: Params) -> str:
    figures = {**_figures(params), "until": _moment(params["until"]), "old": _moment(params["old"])}
    words = _(
        "Let the voucher “%(voucher)s” of member %(member)s end at %(until)s, not %(old)s; it costs %(cost)s at most."
    )
    return words % figures


def _reissue_sentence(params: Params) -> str:
    if params["lives"]:
        words = _("Replace the voucher “%(voucher)s” of member %(member)s by a new one with the same end.")
    else:
        words = _(
            "Give member %(member)s a new voucher “%(voucher)s” in place of an old one; it costs %(cost)s at most."
        )
    return words % _figures(params)


def _moment(iso: str) -> str:
    return date_format(localtime(datetime.fromisoformat(iso), programme().tz), "DATETIME_FORMAT")


def _give_effect(params: Params, at: datetime) -> Effect:
    template = VoucherTemplate.objects.get(pk=params["template"])
    held = held_by(template, [params["member"]], at=at).get(params["member"], 0)
    label = _("Unused vouchers “%(voucher)s” of the member") % {"voucher": template.name}
    return Effect((EffectLine(label, held, held + 1, is_compared=False),), cost_amount=Decimal(params["cost"]))


def _extend_effect(params: Params, at: datetime) -> Effect:
    ends = Voucher.objects.values_list("expires_at", flat=True).get(pk=params["voucher"])
    line = EffectLine(_("The voucher ends at"), _moment(ends.isoformat()), _moment(params["until"]))
    return Effect((line,), cost_amount=Decimal(params["cost"]))


def _reissue_effect(params: Params, at: datetime) -> Effect:
    voucher = Voucher.objects.get(pk=params["voucher"])
    state = voucher.state_at(at)
    after = Voucher.State.VOIDED if params["lives"] else state
    lines = (
        EffectLine(_("The old voucher"), str(state.label), str(Voucher.State(after).label)),
        EffectLine(_("New vouchers"), 0, 1),
    )
    return Effect(lines, cost_amount=Decimal(params["cost"]))


def _amount(params: Params) -> int:
    amount: int = params["amount"]
    return amount


def _member(params: Params) -> list[int]:
    return [params["member"]]


def _voucher(params: Params) -> list[str]:
    return [f"voucher:{params['voucher']}"]


def register() -> None:
    """Make vouchers by hand known to those who approve."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=GIVE, label=gettext_lazy("Voucher given by hand"), permission=MAY_GIVE, sentence=_give_sentence,
            effect=_give_effect, carry_out=give, amount=_amount, family=FAMILY, concerned=_member,
        )
    )  # fmt: skip
    for code in _KINDS:
        proposals.register_kind(
            proposals.ProposalKind(
                code=code, label=gettext_lazy("Voucher extended by hand"), permission=MAY_EXTEND, sentence=_extend_sentence,
                effect=_extend_effect, carry_out=extend, amount=_amount, family=FAMILY, concerned=_member, touches=_voucher,
                always_waits=code == EXTEND_LONG,
            )
        )  # fmt: skip
    proposals.register_kind(
        proposals.ProposalKind(
            code=REISSUE, label=gettext_lazy("Voucher reissued by hand"), permission=MAY_EXTEND, sentence=_reissue_sentence,
            effect=_reissue_effect, carry_out=reissue, amount=_amount, family=FAMILY, concerned=_member, touches=_voucher,
        )
    )  # fmt: skip
