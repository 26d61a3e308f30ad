"""The rewards that members save for."""

from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from members.queries import family_ids
from rewards.models import Reward, WishedReward
from rewards.refusals import RewardsRefusal
from rewards.reward_refusals import RewardNotAvailable

MOST_WISHES = 100


class TooManyWishes(RewardsRefusal):
    """The list is full."""

    code = "too_many_wishes"
    text = _("The list has %(most)s rewards. Please take one off first.")


def wishes_of(member_id: int) -> QuerySet[WishedReward]:
    """Return what a member saves for, also what a member merged into them did, the newest first."""
    return WishedReward.objects.filter(member__in=family_ids(member_id)).order_by("-wished_at", "-pk")


def wish_for(*, member_id: int, reward: Reward, at: datetime) -> bool:
    """Put a reward on a member's list; False where it is there. Raises RewardNotAvailable, TooManyWishes."""
    if reward.valid_to is not None and reward.valid_to <= at:
        raise RewardNotAvailable
    wishes = wishes_of(member_id)
    if wishes.filter(reward=reward).exists():
        return False
    if wishes.count() >= MOST_WISHES:
        raise TooManyWishes(most=MOST_WISHES)
    made = WishedReward.objects.bulk_create(
        [WishedReward(member_id=member_id, reward=reward, wished_at=at)], ignore_conflicts=True
    )
    return bool(made)


def wish_no_more(*, member_id: int, reward_id: int) -> bool:
    """Take a reward off a member's list; False where it was not on it."""
    deleted, _by_model = WishedReward.objects.filter(member__in=family_ids(member_id), reward=reward_id).delete()
    return bool(deleted)


def forget_wishes_of(member_id: int) -> int:
    """Delete the list of a member; return how long it was."""
    deleted, _by_model = WishedReward.objects.filter(member=member_id).delete()
    return deleted
