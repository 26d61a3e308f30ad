"""What members allow: asked by whoever wants to reach them, look at what they do, or choose offers for them.

The answer is that of this moment: a no, a global stop or a wish to be erased holds as soon as it is committed, so it is
asked again when something is sent, not only when it is planned. Purposes that need a yes are allowed only after one;
the others are allowed until a no. Where a yes is needed, a parent or guardian has to
say it for children.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection

from members.models import ContactChannel, Purpose
from members.queries import programme

#: Purposes that are allowed until the member says no. All others need a yes.
ALLOWED_UNTIL_NO: Final = frozenset({Purpose.CONTACT, Purpose.SERVICE, Purpose.PERSONALISATION})
#: Purposes for which the member is written to or called; a global stop ends them all at once.
CONTACTING: Final = frozenset({Purpose.SERVICE, Purpose.MARKETING, Purpose.RESEARCH})
#: The channels in which a purpose is agreed to one by one; the others are agreed to as a whole.
CHANNELS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    Purpose.SERVICE: (ContactChannel.EMAIL, ContactChannel.SMS, ContactChannel.WECHAT, ContactChannel.APP),
    Purpose.MARKETING: tuple(ContactChannel),
}
#: Below this age somebody else has to say yes.
ADULT_YEARS: Final = 14
_UNTIL_NO: Final = ", ".join(f"'{purpose}'" for purpose in sorted(ALLOWED_UNTIL_NO))
_CONTACTING: Final = ", ".join(f"'{purpose}'" for purpose in sorted(CONTACTING))

#: Whether the member `m` allows `%(purpose)s` in `%(channel)s` ("" for purposes without channels) at `%(at)s`, as one
#: scalar SQL expression; `%(zone)s` is the programme's zone. `params` fills it.
ALLOWED_SQL: Final = f"""(
    NOT (%(purpose)s IN ({_CONTACTING}) AND EXISTS (
        SELECT 1 FROM members_consentstate s WHERE s.member_id = m.id AND s.purpose = 'contact' AND NOT s.is_given))
    AND NOT EXISTS (
        SELECT 1 FROM members_privacyrequest w WHERE w.member_id = m.id AND w.kind = 'erasure' AND w.state = 'waiting')
    AND coalesce(
        (SELECT s.is_given AND (s.by_guardian OR %(purpose)s IN ({_UNTIL_NO}) OR NOT EXISTS (
            SELECT 1 FROM members_memberperson p WHERE p.member_id = m.id
                AND p.birthday > (%(at)s::timestamptz AT TIME ZONE %(zone)s)::date - interval '{ADULT_YEARS} years'))
        FROM members_consentstate s
        WHERE s.member_id = m.id AND s.purpose = %(purpose)s AND s.channel = %(channel)s),
        %(purpose)s IN ({_UNTIL_NO})))"""  # noqa: S608 - constants

#: Whether the member `m` has not switched off offers that are chosen by what one did: who has is left out of such a choice.
LETS_CHOOSE_SQL: Final = "NOT EXISTS (SELECT 1 FROM members_consentstate s WHERE s.member_id = m.id AND s.purpose = 'personalisation' AND NOT s.is_given)"


def params(purpose: str, channel: str, at: datetime) -> dict[str, Any]:
    """Return what fills `ALLOWED_SQL`. Raises ValueError where the purpose is not asked for in this channel."""
    check_channel(purpose, channel)
    return {"purpose": str(purpose), "channel": str(channel), "at": at, "zone": programme().zone}


def check_channel(purpose: str, channel: str) -> None:
    """Raise ValueError unless the purpose is known and is agreed to in this channel ("": as a whole)."""
    if purpose not in Purpose.values or channel not in channels_of(purpose):
        message = f"{purpose} is not agreed to in “{channel}”"
        raise ValueError(message)


def channels_of(purpose: str) -> tuple[str, ...]:
    """Return the channels in which a purpose is agreed to one by one; `("",)` where it is agreed to as a whole."""
    return CHANNELS_OF.get(purpose, ("",))


def allowed(member_ids: Collection[int], purpose: str, channel: str, at: datetime) -> set[int]:
    """Return those of the members who allow this now; one statement for all of them."""
    if not member_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM members_member m WHERE m.id = ANY (%(members)s) AND {ALLOWED_SQL}",  # noqa: S608 - a constant
            {**params(purpose, channel, at), "members": list(member_ids)},
        )
        return {row[0] for row in cursor.fetchall()}


def is_allowed(member_id: int, purpose: str, channel: str = "", *, at: datetime) -> bool:
    """Return whether one member allows this now."""
    return bool(allowed([member_id], purpose, channel, at))


def reach(
    member_ids_sql: str, sql_params: Mapping[str, Any], *, purpose: str, at: datetime, channels: Sequence[str] = (),
    are_chosen: bool = False,
) -> dict[str, int]:  # fmt: skip
    """Return for each channel of a purpose (or of those asked for) how many of a set of members allow it now.

    `member_ids_sql` is a SELECT of one column of member ids, without doubles, with named placeholders, of which
    `purpose`, `channel`, `at` and `zone` are ours. One statement; joins, so that a million members take about a second.
    With `are_chosen` the set was picked by what its members are and did: who does not want that is left out.
    """
    wanted = list(channels) or list(channels_of(purpose))
    for channel in wanted:
        check_channel(purpose, channel)
    until_no = purpose in ALLOWED_UNTIL_NO
    # A purpose that needs a yes is counted from the yeses, the others from the noes: in each case from the fewer rows.
    said = "s.is_given" if not until_no else "NOT s.is_given"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH asked (id) AS MATERIALIZED ({member_ids_sql}), open AS MATERIALIZED (
                SELECT a.id FROM asked a
                WHERE NOT (%(is_contacting)s AND EXISTS (
                        SELECT 1 FROM members_consentstate s
                        WHERE s.member_id = a.id AND s.purpose = 'contact' AND NOT s.is_given))
                    AND NOT (%(are_chosen)s AND EXISTS (
                        SELECT 1 FROM members_consentstate s
                        WHERE s.member_id = a.id AND s.purpose = 'personalisation' AND NOT s.is_given))
                    AND NOT EXISTS (
                        SELECT 1 FROM members_privacyrequest w
                        WHERE w.member_id = a.id AND w.kind = 'erasure' AND w.state = 'waiting')
            ), children AS MATERIALIZED (
                SELECT p.member_id FROM members_memberperson p
                WHERE p.birthday > (%(at)s::timestamptz AT TIME ZONE %(zone)s)::date - interval '{ADULT_YEARS} years'
            )
            SELECT '' AS channel, (SELECT count(*) FROM open) AS members
            UNION ALL
            SELECT 'in ' || s.channel, count(*) FROM open o
            JOIN members_consentstate s ON s.member_id = o.id AND s.purpose = %(purpose)s AND {said}
                AND s.channel = ANY (%(channels)s)
            LEFT JOIN children c ON c.member_id = o.id
            WHERE NOT s.is_given OR s.by_guardian OR c.member_id IS NULL
            GROUP BY s.channel
            """,  # noqa: S608 - the caller's own SQL
            {
                **sql_params,
                "purpose": str(purpose), "channels": wanted, "at": at, "zone": programme().zone,
                "is_contacting": purpose in CONTACTING, "are_chosen": are_chosen,
            },
        )  # fmt: skip
        counted = dict(cursor.fetchall())
    everybody = counted.pop("", 0)
    found = {channel: counted.get(f"in {channel}", 0) for channel in wanted}
    return {channel: everybody - count for channel, count in found.items()} if until_no else found
