"""Paid membership over the API: plans to everybody, one's own plan, and the confirmation of payments from outside."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.api.plan_serializers import (
    MyPlanSerializer,
    OrderedPlanSerializer,
    PlanConfirmationBody,
    PlanConfirmedSerializer,
    PlanOrderBody,
    PlansSerializer,
    PlanWishBody,
)
from loyalty.models import PlanTrial
from loyalty.plan_queries import plans_on_sale, running_plan, waiting_order
from loyalty.refusals import LoyaltyRefusal
from loyalty.services import plan_refusals as no
from loyalty.services.plan_payments import confirm_payment, order_for_member
from loyalty.services.plans import start_trial, wish_renewal
from members.api.authentication import MemberAuthentication, TillAuthentication
from members.api.base import ApiView, cacheable, caller_key, caller_member, caller_of
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import IsMember, Public, till_may
from members.api.signatures import SIGNATURE_HEADERS, SIGNATURE_REFUSALS, require_signature
from members.models import Member
from members.services.idempotency import Answer
from members.services.keys import PLANS_CONFIRM
from members.timeline import nudge

_CACHE_SECONDS = 300
_CLOCKS_DIFFER = timedelta(minutes=10)


class PaidInFuture(LoyaltyRefusal):
    """The payment claims to be from later than now."""

    code = "paid_in_future"
    text = _("The payment is dated later than now.")
    status = 422


class PlansView(ApiView):
    """The plans on sale."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_plans",
        summary="Plans of paid membership",
        description="What is on sale now, with the tier each gives. Payment is outside and is confirmed to us.",
        tags=["Program"],
        responses=PlansSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        data = PlansSerializer({"plans": plans_on_sale(timezone.now())}).data
        return cacheable(request, data, seconds=_CACHE_SECONDS)


class MyPlanView(ApiView):
    """A member's own plan: what runs, what waits to be paid; order, try, say whether one goes on."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {
        "post": (
            *KEY_REFUSALS, no.PlanNotOnSale, no.PlanIsRunning, no.RenewedAlready, no.RenewalNotOffered, no.NoTrial, no.TrialTaken,
            no.OrderWaits, no.MembershipClosed,
        ),
        "patch": (no.NoPlanRunning, no.RenewalNotOffered, no.MembershipClosed),
    }  # fmt: skip

    @extend_schema(
        operation_id="get_my_plan",
        summary="My plan",
        description="The plan that runs, the order that waits for payment, and whether a trial is left.",
        tags=["Me"],
        responses=MyPlanSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(_my_plan(caller_member(request), timezone.now(), MyPlanSerializer))

    @extend_schema(
        operation_id="order_my_plan",
        summary="Order or try a plan",
        description=(
            "Answers what is to be paid: a first period, another one of the plan that runs, or the difference for the days "
            "left to a higher one. Nothing begins before the payment is confirmed, except a trial, which begins at once."
        ),
        tags=["Me"],
        request=PlanOrderBody,
        responses={201: OrderedPlanSerializer},
    )
    def post(self, request: Request) -> Response:
        at, member = timezone.now(), caller_member(request)
        idempotency_key(request)
        asked = PlanOrderBody.read(request.data)
        by = caller_of(request).actor

        def order() -> Answer:
            take = start_trial if asked["trial"] else order_for_member
            take(member_id=member.pk, plan_code=asked["plan"], renews_intended=asked["renews"], by=by, at=at)
            return Answer(201, plain(_my_plan(member, at, OrderedPlanSerializer)))

        return respond_once(request, route="POST /me/plan", effect=order, at=at)

    @extend_schema(
        operation_id="change_my_plan",
        summary="Say whether I mean to renew",
        description="Nothing is charged by itself, and nothing ends before its time: without a renewal the plan ends with its period.",
        tags=["Me"],
        request=PlanWishBody,
        responses=MyPlanSerializer,
    )
    def patch(self, request: Request) -> Response:
        at, member = timezone.now(), caller_member(request)
        asked = PlanWishBody.read(request.data)
        wish_renewal(member_id=member.pk, renews=asked["renews"], by=caller_of(request).actor, at=at)
        nudge()
        return Response(_my_plan(member, at, MyPlanSerializer))


class PlanConfirmationsView(ApiView):
    """Where the shop's payment system tells that an order of a plan was paid. We never ask it anything."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(PLANS_CONFIRM),)
    refusals: ClassVar = {
        "post": (
            *SIGNATURE_REFUSALS, PaidInFuture, no.NoSuchOrder, no.PaymentIsAnother, no.OrderIsPaid, no.OrderOvertaken,
            no.AmountDiffers, no.PlanIsRunning, no.MembershipClosed,
        )
    }  # fmt: skip

    @extend_schema(
        operation_id="confirm_plan_payment",
        summary="Confirm the payment of a plan",
        description=(
            "Signed as Standard Webhooks are, with the signing secret of the key. The same payment again, at any time, "
            "gives the same answer with `already_processed`; other contents under its number are answered with 409. "
            "What is refused here was paid in vain: the money has to go back."
        ),
        tags=["Integration"],
        parameters=[*SIGNATURE_HEADERS],
        request=PlanConfirmationBody,
        responses=PlanConfirmedSerializer,
    )
    def post(self, request: Request) -> Response:
        at, key = timezone.now(), caller_key(request)
        require_signature(request, key=key, at=at)
        asked = PlanConfirmationBody.read(request.data)
        if asked["paid_at"] > at + _CLOCKS_DIFFER:
            raise PaidInFuture
        receipt = confirm_payment(
            order=asked["order_ref"], source=key.source, external_ref=asked["payment_no"], amount=asked["amount"],
            currency=asked["currency"], paid_at=asked["paid_at"], by=caller_of(request).actor, at=at,
        )  # fmt: skip
        nudge()
        done = {
            "order_ref": asked["order_ref"], "payment_no": asked["payment_no"], "already_processed": receipt.is_repeated,
            "plan": receipt.membership.plan.code, "state": receipt.membership.state,
            "valid_until": receipt.membership.valid_until,
        }  # fmt: skip
        return Response(PlanConfirmedSerializer(done).data)


def _my_plan(member: Member, at: datetime, serializer: type[MyPlanSerializer]) -> dict[str, Any]:
    found = {
        "running": running_plan(member.pk, at),
        "order": waiting_order(member.pk, at),
        "trial_left": not PlanTrial.objects.filter(member=member).exists(),
    }
    return serializer(found).data
