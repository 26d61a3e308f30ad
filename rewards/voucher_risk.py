"""What looks suspicious in vouchers: more unused ones of a kind than one should hold, too many claimed in a day."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalty.periods import business_date, day_bounds
from members.figures import grouped
from members.queries import programme
from members.risk import Figures, Found, Question, RiskSignal, register_signal

_MOST_FOUND: Final = 20_000
_ABOUT: Final = " AND {row}.member_id IN (SELECT id FROM members_member WHERE id = ANY(%(members)s) OR merged_into_id = ANY(%(members)s))"

# A template with a limit of its own is held against that: merging and gifts can bring more together.
_HOARDED: Final = """
SELECT person, template_id, held FROM (
    SELECT coalesce(m.merged_into_id, m.id) AS person, v.template_id, count(*) AS held
    FROM rewards_voucher v JOIN members_member m ON m.id = v.member_id
    WHERE v.state IN ('issued', 'held', 'offered') AND v.expires_at > %(at)s{about}
    GROUP BY 1, 2
) AS counted JOIN rewards_vouchertemplate t ON t.id = counted.template_id
WHERE held > coalesce(t.most_held, %(most)s) ORDER BY person, template_id LIMIT {limit}
"""
_CLAIMED: Final = """
SELECT coalesce(m.merged_into_id, m.id), (c.claimed_at AT TIME ZONE %(zone)s)::date, count(*)
FROM rewards_voucherclaim c JOIN members_member m ON m.id = c.member_id
WHERE c.claimed_at >= %(since)s AND c.claimed_at <= %(at)s{about}
GROUP BY 1, 2 HAVING count(*) > %(most)s ORDER BY 1, 2 LIMIT {limit}
"""


def register() -> None:
    """Register the rules that look at vouchers."""
    register_signal(
        RiskSignal(
            "vouchers_hoarded", gettext_lazy("Hoarded vouchers"), _hoarded, _hoarded_sentence, _hoarded_words
        )
    )  # fmt: skip
    register_signal(
        RiskSignal(
            "vouchers_claimed_in_a_day", gettext_lazy("Many vouchers claimed in a day"), _claimed, _claimed_sentence, _claimed_words
        )
    )  # fmt: skip


def _hoarded(question: Question) -> list[Found]:
    """Found anew with each further voucher."""
    return [
        Found(person, f"template:{template_id}:{held}", {"template": template_id, "vouchers": held})
        for person, template_id, held in _rows(_HOARDED, "v", question, {})
    ]


def _claimed(question: Question) -> list[Found]:
    """What was claimed today or yesterday in the programme's zone: found once for a day."""
    zone = programme().tz
    since = day_bounds(business_date(question.at, zone) - timedelta(days=1), zone)[0]
    return [
        Found(person, day.isoformat(), {"vouchers": number, "day": day.isoformat()})
        for person, day, number in _rows(_CLAIMED, "c", question, {"since": since, "zone": programme().zone})
    ]


def _rows(statement: str, row: str, question: Question, params: dict[str, Any]) -> Sequence[Any]:
    about = "" if question.member_ids is None else _ABOUT.format(row=row)
    ids = None if question.member_ids is None else list(question.member_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(about=about, limit=_MOST_FOUND),
            {**params, "at": question.at, "most": question.most, "members": ids},
        )
        rows: Sequence[Any] = cursor.fetchall()
    return rows


def _vouchers_of(figures: Figures) -> str:
    number = figures["vouchers"]
    return ngettext("%(number)s voucher", "%(number)s vouchers", number) % {"number": grouped(number)}


def _hoarded_sentence(most: int) -> str:
    return ngettext(
        "More unused vouchers of one kind than its limit; where it has none, more than %(number)s",
        "More unused vouchers of one kind than its limit; where it has none, more than %(number)s",
        most,
    ) % {"number": most}


def _hoarded_words(figures: Figures) -> str:
    return _("%(vouchers)s of one kind, all unused") % {"vouchers": _vouchers_of(figures)}


def _claimed_sentence(most: int) -> str:
    return ngettext(
        "More than %(number)s voucher claimed in a day", "More than %(number)s vouchers claimed in a day", most
    ) % {"number": most}  # fmt: skip


def _claimed_words(figures: Figures) -> str:
    day = date_format(date.fromisoformat(figures["day"]), "DATE_FORMAT")
    return _("%(vouchers)s claimed on %(day)s") % {"vouchers": _vouchers_of(figures), "day": day}
