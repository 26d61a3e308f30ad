"""Expiry policies in words."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalty.periods import last_day_before
from members.models import ActivityKind
from members.queries import programme
from members.wording import enumerated, together
from rewards.expiring import PURCHASE, REDEMPTION, activity_event, deadline_of, lot_expiry
from rewards.expiry_book import as_value
from rewards.models import ExpiryPolicy

_OF_BUYING = {PURCHASE: gettext_lazy("purchases"), REDEMPTION: gettext_lazy("redemptions")}


def activity_choices() -> list[tuple[str, str]]:
    """Return what can keep points alive, with its name: purchases, redemptions, and every kind of behaviour."""
    kinds = [(activity_event(kind.code), kind.name) for kind in ActivityKind.objects.order_by("pk")]
    return [(key, str(name)) for key, name in _OF_BUYING.items()] + kinds


def policy_sentence(policy: ExpiryPolicy, names: dict[str, str] | None = None) -> str:
    """Return a policy as sentences: when points end, the grace, the warnings. `names` are those of the activities."""
    parts = [_end(policy, names)]
    if policy.grace_days:
        days = policy.grace_days
        parts.append(
            ngettext("Then %(days)s more day of grace.", "Then %(days)s more days of grace.", days) % {"days": days}
        )
    if policy.kind == ExpiryPolicy.Kind.NEVER:
        return together(parts)
    leads = enumerated(sorted(set(policy.warn_days), reverse=True))
    parts.append(
        _("Members are warned %(leads)s days ahead.") % {"leads": leads} if leads else _("Members are not warned.")
    )
    if policy.extend_unreached_days:
        days = policy.extend_unreached_days
        parts.append(
            ngettext(
                "Who could not be reached keeps the points %(days)s day longer, once.",
                "Who could not be reached keeps the points %(days)s days longer, once.",
                days,
            )
            % {"days": days}
        )
    return together(parts)


def example_sentence(policy: ExpiryPolicy, at: datetime) -> str:
    """Return what the policy means for points earned, or a member active, on the day it begins, or today if that is later."""
    tz = programme().tz
    value, moment = as_value(policy), max(policy.valid_from, at)
    day = date_format(moment.astimezone(tz).date(), "DATE_FORMAT")
    if policy.kind == ExpiryPolicy.Kind.INACTIVITY:
        last = date_format(last_day_before(deadline_of(value, moment, tz), tz), "DATE_FORMAT")
        return _("A member who is last active on %(day)s can use all points until %(last)s.") % {
            "day": day,
            "last": last,
        }
    ends = lot_expiry([value], policy.origin or 1, moment, tz)
    if ends is None:
        return _("Points earned on %(day)s can be used for ever.") % {"day": day}
    last = date_format(last_day_before(ends, tz), "DATE_FORMAT")
    return _("Points earned on %(day)s can be used until %(last)s.") % {"day": day, "last": last}


def _end(policy: ExpiryPolicy, names: dict[str, str] | None) -> str:
    months, years = policy.months or 0, policy.years or 0
    match policy.kind:
        case ExpiryPolicy.Kind.ROLLING_MONTHS:
            return ngettext(
                "Points can be used through the same day %(months)s month after they were earned.",
                "Points can be used through the same day %(months)s months after they were earned.",
                months,
            ) % {"months": months}
        case ExpiryPolicy.Kind.END_OF_MONTH if months == 0:
            return _("Points expire at the end of the month in which they were earned.")
        case ExpiryPolicy.Kind.END_OF_MONTH:
            return ngettext(
                "Points expire at the end of the month, %(months)s month after they were earned.",
                "Points expire at the end of the month, %(months)s months after they were earned.",
                months,
            ) % {"months": months}
        case ExpiryPolicy.Kind.END_OF_YEAR if years == 0:
            return _("Points expire at the end of the year in which they were earned.")
        case ExpiryPolicy.Kind.END_OF_YEAR:
            return ngettext(
                "Points expire at the end of the year, %(years)s year after the one in which they were earned.",
                "Points expire at the end of the year, %(years)s years after the one in which they were earned.",
                years,
            ) % {"years": years}
        case ExpiryPolicy.Kind.FIXED_DATE:
            return _fixed(policy, months)
        case ExpiryPolicy.Kind.INACTIVITY:
            known = names if names is not None else dict(activity_choices())
            counted = enumerated(known.get(key, key) for key in policy.activities)
            return ngettext(
                "All points of a member expire after %(months)s month without activity. What counts: %(activities)s.",
                "All points of a member expire after %(months)s months without activity. What counts: %(activities)s.",
                months,
            ) % {"months": months, "activities": counted}
        case _:
            return _("Points never expire.")


def _fixed(policy: ExpiryPolicy, months: int) -> str:
    if policy.fixed_date is None:
        return ""
    day = {
        "date": date_format(policy.fixed_date, "DATE_FORMAT"),
        "yearly": date_format(policy.fixed_date, "MONTH_DAY_FORMAT"),
    }
    words = _("Points can be used through %(date)s; those earned later, through the next %(yearly)s.") % day
    if months:
        more = ngettext(
            "They live at least %(months)s month; those that would not, expire a year later.",
            "They live at least %(months)s months; those that would not, expire a year later.",
            months,
        ) % {"months": months}
        words = together([words, more])
    return words
