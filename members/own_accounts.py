"""Staff who are members too: what their own account is worth, colleagues see to."""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.models import OwnMembership
from members.refusals import MembersRefusal


class OwnAccount(MembersRefusal):
    """Staff do nothing that is worth something about their own membership."""

    code = "own_account"
    text = _("This concerns your own member account; somebody else has to do it.")
    status = 403


def refuse_own_account(by: Actor, member_ids: Collection[int]) -> None:
    """Raise `OwnAccount` when an operator acts, and one of the members is noted as that operator's own account."""
    if (
        by.kind == "operator"
        and by.id is not None
        and member_ids
        and OwnMembership.objects.filter(operator_id=by.id, member_id__in=member_ids).exists()
    ):
        raise OwnAccount
