"""How many unused vouchers members hold, and when that is as many as one may."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from rewards.models import Voucher, VoucherTemplate
from rewards.queries import outstanding
from rewards.refusals import RewardsRefusal

#: Vouchers of a template that members hold unused, counted by whoever they belong to now: (id, number).
HELD: Final = """
    SELECT coalesce(m.merged_into_id, m.id) AS id, count(*) AS number
    FROM rewards_voucher v JOIN members_member m ON m.id = v.member_id
    WHERE v.template_id = %(template)s AND v.state IN ('issued', 'held', 'offered') AND v.expires_at > %(at)s {about}
    GROUP BY 1
"""
_OF_SOME: Final = """
    AND v.member_id IN (SELECT id FROM members_member WHERE id = ANY (%(members)s) OR merged_into_id = ANY (%(members)s))
"""


class MostVouchersHeld(RewardsRefusal):
    """The member holds as many vouchers of the template as one may."""

    code = "most_vouchers_held"
    explains = True
    text = _("At most %(most)s unused vouchers of this kind can be held at a time.")


def held_by(template: VoucherTemplate, member_ids: Collection[int], *, at: datetime) -> dict[int, int]:
    """Return how many unused vouchers of a template members hold, those of members merged into them included."""
    params: dict[str, Any] = {"template": template.pk, "at": at, "members": list(member_ids)}
    with connection.cursor() as cursor:
        cursor.execute(HELD.format(about=_OF_SOME), params)
        return dict(cursor.fetchall())


def held_of(template_ids: Collection[int], family: Collection[int], *, at: datetime) -> dict[int, int]:
    """Return how many unused vouchers of each of some templates one member (with those merged into them) holds."""
    rows = Voucher.objects.filter(outstanding(at), template__in=template_ids, member__in=family)
    return dict(rows.values_list("template_id").annotate(number=Count("pk")))
