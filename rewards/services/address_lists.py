"""A file of addresses for the carrier: asked for with a purpose, approved by a second person, made by a job, gone after a day.

It is an export like others: kept as a `MemberExport`, and who took it is written down. That an address stands in it is told
to the timeline of its member.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, override

from members import jobs, proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.models import MemberExport, Proposal
from members.phones import display_phone
from members.queries import region
from members.sheets import sheet
from members.timeline import record_many
from rewards.events_addresses import address_seen
from rewards.fulfilment_queries import to_send
from rewards.models import Redemption
from rewards.order_numbers import order_no
from rewards.services.addresses import addresses_of
from rewards.services.fulfilment_jobs import NothingToDo
from rewards.services.fulfilment_lists import MAY_SEE_ADDRESSES

ADDRESSES: Final = "rewards.address_list"
MOST: Final = 2_000
FILE_LIVES: Final = timedelta(hours=24)
Params = Mapping[str, Any]


def propose_addresses(*, reason: str, by: Actor, at: datetime, request_id: str = "") -> proposals.ProposalOutcome:
    """Ask for the addresses of what waits to be sent, the oldest first, at most MOST; a colleague decides. Return the proposal.

    Raises NothingToDo, and as `members.proposals.propose` does.
    """
    earlier = proposals.made_before(kinds=[ADDRESSES], said={}, by=by, request_id=request_id)
    if earlier is not None:
        return earlier
    ids = list(to_send().order_by("due_at", "id").values_list("pk", flat=True)[:MOST])
    if not ids:
        raise NothingToDo
    params = {"orders": len(ids), "ids": ids}
    return proposals.propose(kind=ADDRESSES, params=params, reason=reason, by=by, at=at, request_id=request_id)


def run_list(run: jobs.JobRun) -> None:
    """Write the file: what still waits of the orders that were approved, with the addresses that are kept."""
    if run.cursor.get("done"):
        return
    with run.chunk() as at:
        ids = list(to_send().filter(pk__in=run.params["ids"]).order_by("due_at", "id").values_list("pk", flat=True))
        orders = Redemption.objects.select_related("reward").defer("pickup_hmac").in_bulk(ids)
        addresses = addresses_of(ids)
        rows = [
            (
                order_no(pk), addresses[pk].name, display_phone(addresses[pk].phone, region=region()),
                " ".join(addresses[pk].lines), orders[pk].reward.name, orders[pk].quantity,
            )
            for pk in ids if pk in addresses
        ]  # fmt: skip
        header = (_("order number"), _("name"), _("phone"), _("address"), _("Reward"), _("Pieces"))
        content = sheet(title=_("Parcels"), header=header, rows=rows)
        run.save_result(name=f"addresses-{at:%Y-%m-%d}.xlsx", content=content, at=at, holds_personal_data=True)
        record_many(
            address_seen(
                redemption_id=pk, member_id=orders[pk].member_id, on_a_list=True, happened_at=at, by=run.by
            )
            for pk in ids if pk in addresses
        )  # fmt: skip
        MemberExport.objects.filter(job=run.job).update(rows=len(rows))
        run.advance(done=len(run.params["ids"]), ok=len(rows), cursor={"done": 1})


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    maker = Actor("operator", proposal.maker_id)
    told = {"orders": params["orders"]}
    job = jobs.start_job(
        kind=ADDRESSES,
        title_params=told,
        params={**told, "ids": params["ids"]},
        total=params["orders"],
        by=maker,
        at=at,
    )
    sentences = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            sentences[language] = _sentence(params)
    MemberExport.objects.create(
        operator_id=proposal.maker_id, purpose=proposal.reason[:300], sentence=sentences, fields=["full_name", "phone"],
        is_unmasked=True, holds_phones=True, rows=params["orders"], created_at=at, proposal=proposal, job=job,
    )  # fmt: skip
    return _("A job makes the file; it can be taken for 24 hours.")


def _sentence(params: Params) -> str:
    words = ngettext(
        "Take out name, phone and address of %(orders)s parcel that waits to be sent.",
        "Take out name, phone and address of %(orders)s parcels that wait to be sent.",
        params["orders"],
    )
    return words % {"orders": grouped(params["orders"])}


def _effect(params: Params, at: datetime) -> Effect:
    waiting = to_send().filter(pk__in=params["ids"]).count()
    return Effect([EffectLine(_("Addresses in the file"), "–", waiting, is_compared=False)])


def register() -> None:
    """Make the list known to those who approve, and to the workers."""
    label = gettext_lazy("Addresses of parcels")
    proposals.register_kind(
        proposals.ProposalKind(
            code=ADDRESSES, label=label, permission=MAY_SEE_ADDRESSES, sentence=_sentence, effect=_effect, carry_out=_carry_out,
            always_waits=True,
        )
    )  # fmt: skip
    jobs.register_kind(
        jobs.JobKind(
            code=ADDRESSES, label=label, run=run_list, title=_sentence, permission=MAY_SEE_ADDRESSES, files_kept=FILE_LIVES
        )
    )  # fmt: skip
