"""Versions of expiry policies: one follows the other without a gap, and none reaches back."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from members.queries import programme
from rewards.expiry_book import forget_expiry_book
from rewards.models import ExpiryPolicy, PointsCurrency
from rewards.refusals import RewardsRefusal


class PolicyBeginsInThePast(RewardsRefusal):
    """Points that members have earned under another policy keep it."""

    code = "policy_begins_in_the_past"
    status = 422
    text = _("A policy can only begin from now on; what was earned before keeps the policy of then.")


class PolicyIsPlannedAlready(RewardsRefusal):
    """Another version of the same source begins later; two can not both follow."""

    code = "policy_is_planned_already"
    text = _("Another policy for this source is planned from %(date)s. Change that one, or begin after it.")


def check_policy(policy: ExpiryPolicy, *, at: datetime) -> None:
    """Raise what speaks against storing a version as it is now: PolicyBeginsInThePast, PolicyIsPlannedAlready.

    A version that has begun keeps its beginning, however long ago that is.
    """
    stored = ExpiryPolicy.objects.filter(pk=policy.pk).first() if policy.pk else None
    if policy.valid_from < at and (stored is None or stored.valid_from != policy.valid_from):
        raise PolicyBeginsInThePast
    between = _siblings(policy).filter(
        valid_from__gte=min(policy.valid_from, stored.valid_from if stored else policy.valid_from)
    )
    if policy.valid_to is not None:
        between = between.filter(valid_from__lt=policy.valid_to)
    planned = between.order_by("valid_from").first()
    if planned is not None:
        begins = date_format(planned.valid_from.astimezone(programme().tz), "DATE_FORMAT")
        raise PolicyIsPlannedAlready(date=begins)


@transaction.atomic
def store_policy(*, policy: ExpiryPolicy, at: datetime) -> ExpiryPolicy:
    """Store a version, new or changed; the one before it, for the same currency and source, ends where it begins.

    Points that exist keep their end. Raises as `check_policy`. Return the version.
    """
    # One at a time for each currency: the constraint would stop the second one with an error, not with a sentence.
    PointsCurrency.objects.select_for_update(no_key=True).get(pk=policy.currency_id)
    check_policy(policy, at=at)
    stored = ExpiryPolicy.objects.filter(pk=policy.pk).first() if policy.pk else None
    before = _siblings(policy).filter(valid_from__lt=policy.valid_from)
    follows = Q(valid_to__isnull=True) | Q(valid_to__gt=policy.valid_from)
    if stored is not None:
        follows |= Q(valid_to=stored.valid_from)  # the one that ended where the planned version was to begin
        moved_later = policy.valid_from > stored.valid_from
    else:
        moved_later = False
    if moved_later:
        policy.save()
    before.filter(follows).update(valid_to=policy.valid_from)
    if not moved_later:
        policy.save()
    transaction.on_commit(forget_expiry_book)
    return policy


def _siblings(policy: ExpiryPolicy) -> QuerySet[ExpiryPolicy]:
    """Return the other versions of the same currency and source."""
    others = ExpiryPolicy.objects.filter(currency_id=policy.currency_id).exclude(pk=policy.pk)
    return others.filter(origin__isnull=True) if policy.origin is None else others.filter(origin=policy.origin)
