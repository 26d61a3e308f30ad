"""Bodies and answers about paid membership."""

from decimal import Decimal

from rest_framework import serializers

from loyalty.api.serializers import TierSerializer
from loyalty.floor_sentences import plan_sentence, price_sentence
from loyalty.models import Plan, PlanMembership, PlanOrder
from loyalty.periods import last_day_before
from loyalty.plan_queries import ORDER_REF
from members.api.bodies import Body
from members.api.fields import Instant, Money, OrderNumber, Ref
from members.queries import programme


class PlanSerializer(serializers.Serializer):
    """A plan that is sold."""

    code = serializers.CharField()
    label = serializers.CharField(source="name", help_text="Name in the asked language.")  # type: ignore[assignment]
    text = serializers.CharField(allow_blank=True, help_text="What members read about it.")
    tier = TierSerializer(help_text="What it gives as long as it runs; a higher one that was earned stays.")
    price_amount = Money()
    currency = serializers.SerializerMethodField()
    period_months = serializers.IntegerField()
    trial_days = serializers.IntegerField(
        help_text="Free to begin with, once per person whatever the plan; 0: no trial."
    )
    can_renew = serializers.BooleanField(help_text="Whether members can say that they mean to go on.")
    sentence = serializers.SerializerMethodField(help_text="The price in words.")

    def get_currency(self, plan: Plan) -> str:
        return programme().currency

    def get_sentence(self, plan: Plan) -> str:
        return price_sentence(plan)


class PlansSerializer(serializers.Serializer):
    """All plans on sale."""

    plans = PlanSerializer(many=True)


class PlanOrderSerializer(serializers.Serializer):
    """What is to be paid. Payment is outside; the payment system confirms it with this reference."""

    order_ref = Ref(ORDER_REF, source="public_id")
    plan = serializers.CharField(source="plan.code")
    kind = serializers.ChoiceField(choices=PlanOrder.Kind.choices)
    state = serializers.ChoiceField(choices=PlanOrder.State.choices)
    amount = Money()
    currency = serializers.CharField()
    expires_at = Instant(help_text="To be paid until then.")


class RunningPlanSerializer(serializers.Serializer):
    """The plan that runs."""

    plan = serializers.CharField(source="plan.code")
    label = serializers.CharField(source="plan.name")  # type: ignore[assignment]
    tier = TierSerializer(source="plan.tier")
    state = serializers.ChoiceField(choices=[("trial", "trial"), ("active", "active")])
    valid_from = Instant()
    valid_until = Instant()
    valid_until_on = serializers.SerializerMethodField(help_text="The last day, in the programme's zone.")
    renews = serializers.BooleanField(source="renews_intended", help_text="Whether the member means to go on.")
    sentence = serializers.SerializerMethodField(help_text="The same in words.")

    def get_valid_until_on(self, membership: PlanMembership) -> str:
        return last_day_before(membership.valid_until, programme().tz).isoformat()

    def get_sentence(self, membership: PlanMembership) -> str:
        return plan_sentence(membership)


class MyPlanSerializer(serializers.Serializer):
    """Where a member stands with plans."""

    running = RunningPlanSerializer(allow_null=True, help_text="Null without a plan.")
    order = PlanOrderSerializer(allow_null=True, help_text="What waits to be paid; null when nothing does.")
    trial_left = serializers.BooleanField(help_text="Whether the member never had a trial.")


class OrderedPlanSerializer(MyPlanSerializer):
    """What an order or a trial led to."""


class PlanOrderBody(Body):
    """Which plan, and whether as a trial."""

    plan = serializers.SlugField(max_length=30)
    trial = serializers.BooleanField(default=False, help_text="Begin the free trial instead of ordering.")
    renews = serializers.BooleanField(
        default=False, help_text="Whether the member means to go on. Nothing is charged by itself."
    )


class PlanWishBody(Body):
    """Whether the member means to go on."""

    renews = serializers.BooleanField()


class PlanConfirmationBody(Body):
    """That an order of a plan was paid."""

    order_ref = Ref(ORDER_REF)
    payment_no = OrderNumber(help_text="The number of the payment at the caller; unique for ever.")
    amount = Money(min_value=Decimal(0))
    currency = serializers.RegexField(r"\A[A-Z]{3}\Z")
    paid_at = Instant()


class PlanConfirmedSerializer(serializers.Serializer):
    """What the payment did. A repeat gives the same with `already_processed`."""

    order_ref = Ref(ORDER_REF)
    payment_no = serializers.CharField()
    already_processed = serializers.BooleanField()
    plan = serializers.CharField()
    state = serializers.ChoiceField(choices=PlanMembership.State.choices)
    valid_until = Instant()
