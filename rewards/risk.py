"""What looks suspicious in orders and returns: too many at once, more given back than kept, staff on their own account.

Each rule is one statement over an index of days (everybody, at night) or of members (when something happened).
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from django.db import connection
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalty.periods import business_date, day_bounds
from members.figures import grouped, money
from members.queries import programme
from members.risk import Figures, Found, Question, RiskSignal, register_signal

#: So many days the comparison of returns with purchases looks back.
RETURN_DAYS: Final = 30
#: Fewer returns than this say nothing.
FEWEST_RETURNS: Final = 3
#: So many days payers are compared.
PAYER_DAYS: Final = 30
_MOST_FOUND: Final = 20_000
_MOST_SHOWN: Final = 20

# Which of all orders, returns or payers are looked at when it is asked about some members.
_ABOUT = """ AND {member} IN (SELECT id FROM members_member WHERE id = ANY(%(members)s) OR merged_into_id = ANY(%(members)s))"""
_BUYERS = _ABOUT.format(member="p.member_id")
_RETURNERS = _ABOUT.format(member="r.member_id")
_ORDERS = """
    FROM rewards_purchase p JOIN members_member m ON m.id = p.member_id
    WHERE p.ordered_at >= %(since)s AND p.ordered_at <= %(at)s{about}
"""
_IN_AN_HOUR = """
SELECT person, day, max(orders) FROM (
    SELECT coalesce(m.merged_into_id, m.id) AS person, (p.ordered_at AT TIME ZONE %(zone)s)::date AS day,
           count(*) OVER (PARTITION BY coalesce(m.merged_into_id, m.id) ORDER BY p.ordered_at
                          RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) AS orders {orders}
) AS counted GROUP BY person, day HAVING max(orders) > %(most)s ORDER BY person, day LIMIT {limit}
"""
_IN_A_DAY = """
SELECT coalesce(m.merged_into_id, m.id), (p.ordered_at AT TIME ZONE %(zone)s)::date, count(*) {orders}
GROUP BY 1, 2 HAVING count(*) > %(most)s ORDER BY 1, 2 LIMIT {limit}
"""
_GIVEN_BACK = """
WITH back AS (
    SELECT coalesce(m.merged_into_id, m.id) AS person, count(*) AS returns, sum(r.total_amount) AS amount, max(r.id) AS last
    FROM rewards_purchasereturn r JOIN members_member m ON m.id = r.member_id
    WHERE r.returned_at > %(since)s AND r.returned_at <= %(at)s{about}
    GROUP BY 1 HAVING count(*) >= %(fewest)s
)
SELECT back.person, back.last, back.returns, back.amount, bought.amount
FROM back CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.total_amount), 0) AS amount FROM rewards_purchase p
    WHERE p.member_id IN (SELECT id FROM members_member WHERE id = back.person OR merged_into_id = back.person)
      AND p.ordered_at > %(since)s AND p.ordered_at <= %(at)s
) AS bought
WHERE back.amount * 100 > bought.amount * %(most)s
ORDER BY back.person LIMIT {limit}
"""
_OWN_ACCOUNT = """
SELECT coalesce(m.merged_into_id, m.id), (p.ordered_at AT TIME ZONE %(zone)s)::date, count(DISTINCT p.id)
FROM members_ownmembership own
JOIN members_member m ON m.id = own.member_id OR m.merged_into_id = own.member_id
JOIN rewards_purchase p ON p.member_id = m.id AND p.ordered_at >= %(since)s AND p.ordered_at <= %(at)s
WHERE (p.store_id IN (SELECT place.store_id FROM members_operator_stores place WHERE place.operator_id = own.operator_id)
       OR NOT EXISTS (SELECT FROM members_operator_stores place WHERE place.operator_id = own.operator_id)){about}
GROUP BY 1, 2 HAVING count(DISTINCT p.id) > %(most)s ORDER BY 1, 2 LIMIT {limit}
"""
# Whoever pays for one of those asked about pays for others, too: all of them are counted.
_ONE_PAYER = """
SELECT DISTINCT coalesce(m.merged_into_id, m.id), encode(shared.payer, 'hex'), shared.people
FROM (
    SELECT y.payer, count(DISTINCT coalesce(m.merged_into_id, m.id)) AS people
    FROM rewards_purchasepayer y JOIN members_member m ON m.id = y.member_id
    WHERE y.paid_at > %(since)s AND y.paid_at <= %(at)s{about}
    GROUP BY y.payer HAVING count(DISTINCT coalesce(m.merged_into_id, m.id)) > %(most)s
) AS shared
JOIN rewards_purchasepayer y ON y.payer = shared.payer AND y.paid_at > %(since)s AND y.paid_at <= %(at)s
JOIN members_member m ON m.id = y.member_id
ORDER BY 1, 2 LIMIT {limit}
"""
_PAID_ALIKE = """
SELECT DISTINCT coalesce(m.merged_into_id, m.id)
FROM rewards_purchasepayer own
JOIN rewards_purchasepayer y ON y.payer = own.payer AND y.paid_at > %(since)s AND y.paid_at <= %(at)s
JOIN members_member m ON m.id = y.member_id
WHERE own.member_id IN (SELECT id FROM members_member WHERE id = %(member)s OR merged_into_id = %(member)s)
  AND own.paid_at > %(since)s AND own.paid_at <= %(at)s AND coalesce(m.merged_into_id, m.id) <> %(member)s
ORDER BY 1 LIMIT {limit}
"""
_PAYERS = """ AND y.payer IN (
        SELECT o.payer FROM rewards_purchasepayer o JOIN members_member t ON t.id = o.member_id
        WHERE o.paid_at > %(since)s AND (t.id = ANY(%(members)s) OR t.merged_into_id = ANY(%(members)s)))"""


def register() -> None:
    """Register the rules that look at orders and returns."""
    register_signal(
        RiskSignal(
            "orders_in_an_hour", gettext_lazy("Many orders in an hour"), _in_an_hour, _hour_sentence, _hour_words
        )
    )
    register_signal(
        RiskSignal("orders_in_a_day", gettext_lazy("Many orders in a day"), _in_a_day, _day_sentence, _day_words)
    )
    register_signal(
        RiskSignal("goods_given_back", gettext_lazy("Bought and given back"), _given_back, _back_sentence, _back_words)
    )
    register_signal(
        RiskSignal("staff_own_account", gettext_lazy("Staff on their own account"), _own_account, _own_sentence, _own_words)
    )  # fmt: skip
    register_signal(
        RiskSignal(
            "one_payer",
            gettext_lazy("One payer for many members"),
            _one_payer,
            _payer_sentence,
            _payer_words,
            _paid_alike,
        )
    )


def _in_an_hour(question: Question) -> list[Found]:
    return _by_day(_IN_AN_HOUR, question)


def _in_a_day(question: Question) -> list[Found]:
    return _by_day(_IN_A_DAY, question)


def _own_account(question: Question) -> list[Found]:
    return _by_day(_OWN_ACCOUNT, question)


def _by_day(statement: str, question: Question) -> list[Found]:
    """What happened today or yesterday in the programme's zone, counted by day: found once for a day."""
    zone = programme().tz
    since = day_bounds(business_date(question.at, zone) - timedelta(days=1), zone)[0]
    return [
        Found(person, day.isoformat(), {"orders": orders, "day": day.isoformat()})
        for person, day, orders in _rows(statement, _BUYERS, question, {"since": since, "zone": programme().zone})
    ]


def _given_back(question: Question) -> list[Found]:
    """Found anew with each further return."""
    since = question.at - timedelta(days=RETURN_DAYS)
    return [
        Found(person, f"return:{last}", {"returns": returns, "back": str(back), "bought": str(bought)})
        for person, last, returns, back, bought in _rows(
            _GIVEN_BACK, _RETURNERS, question, {"since": since, "fewest": FEWEST_RETURNS}
        )
    ]


def _one_payer(question: Question) -> list[Found]:
    """Found anew with each further member whom the same account paid for; what is kept of it tells no account."""
    since = question.at - timedelta(days=PAYER_DAYS)
    return [
        Found(person, f"payer:{sha256(f'{person}:{payer}'.encode()).hexdigest()[:32]}:{people}", {"members": people})
        for person, payer, people in _rows(_ONE_PAYER, _PAYERS, question, {"since": since})
    ]


def _paid_alike(member_id: int, at: datetime) -> list[int]:
    params: dict[str, Any] = {"member": member_id, "since": at - timedelta(days=PAYER_DAYS), "at": at}
    with connection.cursor() as cursor:
        cursor.execute(_PAID_ALIKE.format(limit=_MOST_SHOWN), params)
        return [other for (other,) in cursor.fetchall()]


def _rows(statement: str, about_some: str, question: Question, params: dict[str, Any]) -> Sequence[Any]:
    about = "" if question.member_ids is None else about_some
    asked = statement.format(orders=_ORDERS.format(about=about), about=about, limit=_MOST_FOUND)
    ids = None if question.member_ids is None else list(question.member_ids)
    with connection.cursor() as cursor:
        cursor.execute(asked, {**params, "at": question.at, "most": question.most, "members": ids})
        rows: Sequence[Any] = cursor.fetchall()
    return rows


def _day_of(figures: Figures) -> str:
    return date_format(date.fromisoformat(figures["day"]), "DATE_FORMAT")


def _orders_of(figures: Figures) -> str:
    number = figures["orders"]
    return ngettext("%(number)s order", "%(number)s orders", number) % {"number": grouped(number)}


def _hour_sentence(most: int) -> str:
    return ngettext(
        "More than %(number)s order within an hour", "More than %(number)s orders within an hour", most
    ) % {"number": most}  # fmt: skip


def _hour_words(figures: Figures) -> str:
    return _("%(orders)s within an hour on %(day)s") % {"orders": _orders_of(figures), "day": _day_of(figures)}


def _day_sentence(most: int) -> str:
    return ngettext("More than %(number)s order in a day", "More than %(number)s orders in a day", most) % {
        "number": most
    }


def _day_words(figures: Figures) -> str:
    return _("%(orders)s on %(day)s") % {"orders": _orders_of(figures), "day": _day_of(figures)}


def _back_sentence(most: int) -> str:
    words = _(
        "More than %(percent)s %% of what was bought in %(days)s days is given back, in at least %(least)s returns"
    )
    return words % {"percent": most, "days": RETURN_DAYS, "least": FEWEST_RETURNS}


def _back_words(figures: Figures) -> str:
    currency = programme().currency
    amounts = {
        "returns": grouped(figures["returns"]),
        "days": RETURN_DAYS,
        "back": money(Decimal(figures["back"]), currency),
        "bought": money(Decimal(figures["bought"]), currency),
    }
    return _("%(returns)s returns in %(days)s days: %(back)s given back, %(bought)s bought") % amounts


def _own_sentence(most: int) -> str:
    return ngettext(
        "More than %(number)s order in a day on a colleague's own account, where the colleague works",
        "More than %(number)s orders in a day on a colleague's own account, where the colleague works",
        most,
    ) % {"number": most}


def _own_words(figures: Figures) -> str:
    words = _("A colleague's own account: %(orders)s where the colleague works, on %(day)s")
    return words % {"orders": _orders_of(figures), "day": _day_of(figures)}


def _payer_sentence(most: int) -> str:
    return ngettext(
        "One account paid for orders of more than %(number)s member in %(days)s days",
        "One account paid for orders of more than %(number)s members in %(days)s days",
        most,
    ) % {"number": most, "days": PAYER_DAYS}


def _payer_words(figures: Figures) -> str:
    number = figures["members"]
    words = ngettext(
        "The same account paid for orders of %(number)s member in %(days)s days",
        "The same account paid for orders of %(number)s members in %(days)s days",
        number,
    )
    return words % {"number": grouped(number), "days": PAYER_DAYS}
