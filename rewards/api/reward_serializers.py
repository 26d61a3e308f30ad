"""Answers about the catalogue: rewards with their prices and pictures, and what of them a member may have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Prefetch
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from members.api.fields import Instant, Money, Ref
from members.identifiers import QUOTE, REWARD
from members.queries import programme
from rewards.api.serializers import CurrencyField, RewardTermsSerializer
from rewards.models import Redemption, Reward, RewardImage, RewardPicture, RewardPrice
from rewards.refusals import RewardsRefusal
from rewards.reward_offers import Offer

#: Ways to get a reward, as a choice and in answers.
WAYS = [choice for choice in Redemption.Delivery.choices if choice[0] != Redemption.Delivery.NONE]
SIZES = ("small", "medium", "large")
#: A page of rewards with their pictures, without the pictures' content.
IMAGES = Prefetch(
    "images",
    RewardImage.objects.select_related(*SIZES)
    .defer(*(f"{size}__content" for size in SIZES))
    .order_by("sort_order", "pk"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is told of rewards besides their rows, by id. `available` None: nobody is signed in."""

    offers: Mapping[int, Offer]
    left: Mapping[int, int | None]
    announced: Mapping[int, RewardPrice] = field(default_factory=dict)
    available: int | None = None
    obstacles: Mapping[int, list[RewardsRefusal]] = field(default_factory=dict)
    wished: frozenset[int] = frozenset()


class VariantSerializer(serializers.Serializer):
    """One size of a picture."""

    path = serializers.SerializerMethodField(
        help_text="Where it stands on this host: WebP, for ever the same under its path."
    )
    width = serializers.IntegerField(help_text="Pixels.")
    height = serializers.IntegerField(help_text="Pixels.")

    def get_path(self, picture: RewardPicture) -> str:
        return reverse("reward_picture", args=[picture.digest])


class ImageSerializer(serializers.Serializer):
    """A picture of a reward: about 200, 600 and 1200 pixels wide, the smallest first."""

    alt = serializers.CharField(help_text="What it shows, for members who can not see it.")
    colour = serializers.CharField(help_text="Its main colour, to be shown until it is there, like #c9a227.")
    variants = serializers.SerializerMethodField()

    @extend_schema_field(VariantSerializer(many=True))
    def get_variants(self, image: RewardImage) -> Any:
        return VariantSerializer([image.small, image.medium, image.large], many=True).data


class RewardCategorySerializer(serializers.Serializer):
    """A part of the catalogue."""

    code = serializers.CharField()
    name = serializers.CharField()


class LeastTierSerializer(serializers.Serializer):
    """The tier from which on a reward can be had."""

    code = serializers.CharField()
    label = serializers.CharField(source="name")  # type: ignore[assignment]


class ProjectSerializer(serializers.Serializer):
    """The project that points are given to."""

    name = serializers.CharField()
    description = serializers.CharField()


class PartnerSerializer(serializers.Serializer):
    """The partner whose points are got."""

    name = serializers.CharField()
    unit_name = serializers.CharField(help_text="What the partner's points are called.")


class EventSerializer(serializers.Serializer):
    """The event that a ticket is for."""

    begins_at = Instant(source="event_at")
    place = serializers.CharField(source="event_place")


class NextPriceSerializer(serializers.Serializer):
    """A price that was announced and comes at a moment."""

    price_points = serializers.IntegerField()
    cash_amount = Money()
    valid_from = Instant()


class ObstacleSerializer(serializers.Serializer):
    """Why a member can not have a reward now."""

    code = serializers.CharField(help_text="more may come")
    detail = serializers.SerializerMethodField(help_text="Ready to show, in the language asked for.")

    def get_detail(self, refusal: RewardsRefusal) -> str:
        return refusal.sentence()


class RewardSerializer(serializers.Serializer):
    """A reward on the shelf. With a member's token, also whether they can have and afford it."""

    id = Ref(REWARD, source="public_id")
    kind = serializers.ChoiceField(choices=Reward.Kind.choices)
    kind_label = serializers.CharField(source="get_kind_display")
    category = RewardCategorySerializer(allow_null=True)
    name = serializers.CharField()
    description = serializers.CharField()
    price_points = serializers.SerializerMethodField(help_text="What it costs now; with a token, this member.")
    cash_amount = serializers.SerializerMethodField(help_text="To be paid besides, at the till or in the shop.")
    currency = CurrencyField()
    list_price_points = serializers.SerializerMethodField(help_text="The ordinary price, where this one is lower.")
    price_until = serializers.SerializerMethodField(help_text="When this price ends; null where no end is known.")
    is_flash_sale = serializers.SerializerMethodField()
    next_price = serializers.SerializerMethodField(help_text="A price that was announced; null for none.")
    stock_left = serializers.SerializerMethodField(help_text="Null: without limit.")
    per_member_limit = serializers.IntegerField(allow_null=True)
    period_limit = serializers.IntegerField(allow_null=True, help_text="Within one `period`.")
    period = serializers.CharField(help_text="day, week, month or year; empty without a limit.")
    least_tier = LeastTierSerializer(allow_null=True)
    delivery = serializers.SerializerMethodField(help_text="Ways to get it; empty where nothing is handed over.")
    voucher = RewardTermsSerializer(source="template", allow_null=True)
    project = ProjectSerializer(allow_null=True)
    partner = PartnerSerializer(allow_null=True)
    event = serializers.SerializerMethodField()
    images = ImageSerializer(source="images.all", many=True)
    valid_from = Instant()
    valid_to = Instant(allow_null=True)
    affordable = serializers.SerializerMethodField(help_text="Null without a token.")
    missing_points = serializers.SerializerMethodField(help_text="Null without a token.")
    eligible = serializers.SerializerMethodField(help_text="Whether points are all it takes; null without a token.")
    reasons = serializers.SerializerMethodField(help_text="Why not; empty without a token.")
    wished = serializers.SerializerMethodField(help_text="On the member's wish list; null without a token.")

    def _shown(self) -> Shown:
        shown: Shown = self.context["shown"]
        return shown

    def _offer(self, reward: Reward) -> Offer:
        return self._shown().offers[reward.pk]

    def get_price_points(self, reward: Reward) -> int:
        return self._offer(reward).points

    @extend_schema_field(Money())
    def get_cash_amount(self, reward: Reward) -> str:
        return f"{self._offer(reward).cash_amount:.2f}"

    def get_list_price_points(self, reward: Reward) -> int | None:
        offer = self._offer(reward)
        return offer.list_points if offer.list_points > offer.points else None

    @extend_schema_field(Instant(allow_null=True))
    def get_price_until(self, reward: Reward) -> str | None:
        ends_at = self._offer(reward).ends_at
        return Instant().to_representation(ends_at) if ends_at else None

    def get_is_flash_sale(self, reward: Reward) -> bool:
        return self._offer(reward).sale is not None

    @extend_schema_field(NextPriceSerializer(allow_null=True))
    def get_next_price(self, reward: Reward) -> Any:
        announced = self._shown().announced.get(reward.pk)
        return NextPriceSerializer(announced).data if announced else None

    def get_stock_left(self, reward: Reward) -> int | None:
        return self._shown().left[reward.pk]

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=WAYS)))
    def get_delivery(self, reward: Reward) -> list[str]:
        return ways_of(reward)

    @extend_schema_field(EventSerializer(allow_null=True))
    def get_event(self, reward: Reward) -> Any:
        return EventSerializer(reward).data if reward.event_at else None

    def get_affordable(self, reward: Reward) -> bool | None:
        missing = self.get_missing_points(reward)
        return None if missing is None else missing == 0

    def get_missing_points(self, reward: Reward) -> int | None:
        available = self._shown().available
        return None if available is None else max(0, self._offer(reward).points - available)

    def get_eligible(self, reward: Reward) -> bool | None:
        return None if self._shown().available is None else not self._shown().obstacles.get(reward.pk)

    @extend_schema_field(ObstacleSerializer(many=True))
    def get_reasons(self, reward: Reward) -> Any:
        return ObstacleSerializer(self._shown().obstacles.get(reward.pk, []), many=True).data

    def get_wished(self, reward: Reward) -> bool | None:
        return None if self._shown().available is None else reward.pk in self._shown().wished


def ways_of(reward: Reward) -> list[str]:
    """Return the ways in which a reward can reach a member."""
    ways = ((Redemption.Delivery.POST, reward.by_post), (Redemption.Delivery.STORE, reward.in_store))
    return [way.value for way, is_open in ways if is_open]


class WishSerializer(serializers.Serializer):
    """A reward that a member saves for."""

    reward = RewardSerializer()
    wished_at = Instant()
    on_shelf = serializers.SerializerMethodField(help_text="False: it was taken off, or is not there yet.")

    def get_on_shelf(self, wish: Any) -> bool:
        at: datetime = self.context["at"]
        reward = wish.reward
        return reward.valid_from <= at and (reward.valid_to is None or reward.valid_to > at)


class RewardQuoteSerializer(serializers.Serializer):
    """What a reward costs a member, for five minutes."""

    quote_id = Ref(QUOTE, source="ref")
    expires_at = Instant()
    reward_id = Ref(REWARD, source="reward.public_id")
    price_points = serializers.IntegerField(source="offer.points")
    cash_amount = Money(source="offer.cash_amount", help_text="To be paid besides, at the till or in the shop.")
    currency = serializers.SerializerMethodField()
    points_available = serializers.IntegerField(source="available")
    household_available = serializers.IntegerField(
        source="household", help_text="What others of the household would add; 0 where they pay for nobody."
    )
    missing_points = serializers.IntegerField(source="missing")
    stock_left = serializers.IntegerField(source="left", allow_null=True, help_text="Null: without limit.")
    delivery = serializers.SerializerMethodField(help_text="Ways to get it; empty where nothing is handed over.")
    can_redeem = serializers.SerializerMethodField()
    reasons = ObstacleSerializer(source="obstacles", many=True, help_text="What stands in the way besides points.")

    def get_currency(self, _quote: Any) -> str:
        return programme().currency

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=WAYS)))
    def get_delivery(self, quote: Any) -> list[str]:
        return ways_of(quote.reward)

    def get_can_redeem(self, quote: Any) -> bool:
        return not quote.obstacles and not quote.missing
