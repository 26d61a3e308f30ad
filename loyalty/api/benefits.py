"""A member's benefits, claiming one, and letting a member use one at the till."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.api.serializers import BENEFIT_KINDS, TierSerializer
from loyalty.benefit_book import GivenBenefit
from loyalty.benefit_queries import benefits_of_member
from loyalty.benefit_words import cell_words, member_sentence, source_words, state_words
from loyalty.models import Entitlement
from loyalty.periods import last_day_before
from loyalty.services.entitlements import (
    BenefitExhausted,
    BenefitNotHeld,
    NotInWindow,
    NotUsedInApp,
    Use,
    UseConflict,
    UseReceipt,
    VouchersWereIssued,
    is_usable_now,
    undo_told_use,
    use_benefit,
)
from loyalty.services.holding import MemberClosed, MemberFrozen
from members.api.authentication import MemberAuthentication, TillAuthentication
from members.api.base import ApiView, caller_key, caller_member, caller_of
from members.api.bodies import Body
from members.api.fields import Instant, OrderNumber, Ref, Text
from members.api.once import KEY_REFUSALS, idempotency_key, plain, respond_once
from members.api.permissions import IsMember, till_may
from members.freeze_words import freeze_of
from members.identifiers import ENTITLEMENT, MEMBER, NotFound, parse_ref
from members.personal_words import WordsNamePerson
from members.queries import MemberNotFound, family_ids, member_id_by_public_id, programme
from members.services.idempotency import Answer, fingerprint_of
from members.services.keys import BENEFITS_USE

_MOST_UNITS = 20
_USES: tuple[Any, ...] = (BenefitNotHeld, BenefitExhausted, NotInWindow, UseConflict, MemberFrozen, MemberClosed)


class StandingBenefitSerializer(serializers.Serializer):
    """A benefit that holds as long as the tier is held, without being counted."""

    code = serializers.CharField(source="benefit.code")
    kind = serializers.ChoiceField(source="benefit.kind", choices=BENEFIT_KINDS)
    kind_label = serializers.CharField(source="benefit.get_kind_display")
    label = serializers.CharField(source="benefit.name")  # type: ignore[assignment]
    figure = serializers.DecimalField(max_digits=8, decimal_places=2, allow_null=True, help_text="5 for 5 % off.")
    figure_label = serializers.SerializerMethodField(help_text="The figure in words; “yes” where there is none.")
    sentence = serializers.SerializerMethodField(help_text="What it gives, in words.")

    def get_figure_label(self, given: GivenBenefit) -> str:
        return cell_words(given.benefit, given.figure, None)

    def get_sentence(self, given: GivenBenefit) -> str:
        return member_sentence(given.benefit, given.figure, given.quota)


class EntitlementSerializer(serializers.Serializer):
    """A benefit that is counted: how often, and what is left."""

    id = Ref(ENTITLEMENT, source="public_id")
    code = serializers.CharField(source="benefit.code")
    kind = serializers.ChoiceField(source="benefit.kind", choices=BENEFIT_KINDS)
    kind_label = serializers.CharField(source="benefit.get_kind_display")
    label = serializers.CharField(source="benefit.name")  # type: ignore[assignment]
    sentence = serializers.SerializerMethodField(help_text="What it gives, in words.")
    given_by = serializers.ChoiceField(source="source", choices=Entitlement.Source.values)
    given_by_label = serializers.SerializerMethodField(help_text="The tier by its name, or the sort of giver.")
    state = serializers.ChoiceField(choices=Entitlement.State.values)
    state_sentence = serializers.SerializerMethodField(help_text="What is left until when, or how it ended.")
    quota = serializers.IntegerField(help_text="Uses in all.")
    used = serializers.IntegerField()
    left = serializers.SerializerMethodField(help_text="Uses that can still be made; 0 once it has ended.")
    valid_from = Instant()
    valid_until = Instant(source="valid_to")
    valid_until_on = serializers.SerializerMethodField(help_text="The last day, in the programme's zone.")
    can_claim = serializers.SerializerMethodField(help_text="Whether it can be used in the app now.")

    def get_sentence(self, row: Entitlement) -> str:
        return member_sentence(row.benefit, None, row.quota)

    def get_given_by_label(self, row: Entitlement) -> str:
        return source_words(row)

    def get_state_sentence(self, row: Entitlement) -> str:
        return state_words(row, self.context["at"])

    def get_left(self, row: Entitlement) -> int:
        return row.left if self._is_open(row) else 0

    def get_valid_until_on(self, row: Entitlement) -> str:
        return last_day_before(row.valid_to, programme().tz).isoformat()

    def get_can_claim(self, row: Entitlement) -> bool:
        at = self.context["at"]
        return self._is_open(row) and row.benefit.is_used_in_app and is_usable_now(row, store_id=None, at=at)

    def _is_open(self, row: Entitlement) -> bool:
        return row.state == Entitlement.State.GRANTED and row.valid_from <= self.context["at"] < row.valid_to


class MyBenefitsSerializer(serializers.Serializer):
    """What a member has of benefits."""

    tier = TierSerializer(allow_null=True)
    standing = StandingBenefitSerializer(many=True, help_text="What the tier gives without counting.")
    entitlements = EntitlementSerializer(
        many=True, help_text="What is counted; what can be used first, then what ended in the last 90 days."
    )


class UseReceiptSerializer(serializers.Serializer):
    """A use, and what is left after it."""

    entitlement = Ref(ENTITLEMENT, source="entitlement.public_id")
    code = serializers.CharField(source="entitlement.benefit.code")
    label = serializers.CharField(source="entitlement.benefit.name")  # type: ignore[assignment]
    used = serializers.IntegerField(source="use.units", help_text="Uses made with this call.")
    left = serializers.IntegerField(help_text="Uses left right after it.")
    used_at = Instant(source="use.happened_at")
    already_processed = serializers.BooleanField(source="already_recorded", help_text="It had been told before.")


class ClaimSerializer(Body):
    """Nothing is asked: the address names the entitlement."""


class TillUseSerializer(Body):
    """A use at the till."""

    member_ref = Ref(MEMBER)
    benefit = Text(max_length=40, help_text="Code of the benefit; what ends first is used first.")
    external_ref = OrderNumber(help_text="The till's own number of the use: the same one is counted once.")
    uses = serializers.IntegerField(min_value=1, max_value=_MOST_UNITS, default=1)


class UndoneReceiptSerializer(serializers.Serializer):
    """A use that was taken back, and what is left after that."""

    entitlement = Ref(ENTITLEMENT, source="entitlement.public_id")
    code = serializers.CharField(source="entitlement.benefit.code")
    label = serializers.CharField(source="entitlement.benefit.name")  # type: ignore[assignment]
    given_back = serializers.SerializerMethodField(help_text="Uses that were taken back.")
    left = serializers.IntegerField(help_text="Uses left right after it; 0 where the benefit has ended meanwhile.")
    undone_at = Instant(source="use.happened_at")
    already_processed = serializers.BooleanField(source="already_recorded", help_text="It had been taken back before.")

    def get_given_back(self, receipt: UseReceipt) -> int:
        return -receipt.use.units


class TillUndoSerializer(Body):
    """Why a use at the till is taken back."""

    reason = Text(max_length=200, help_text="For colleagues and for ever: no names or numbers of people.")


class MyBenefitsView(ApiView):
    """A member's benefits."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_benefits",
        summary="My benefits",
        description="What my tier gives, and what I was given to use, with what is left and until when.",
        tags=["Me"],
        responses=MyBenefitsSerializer,
    )
    def get(self, request: Request) -> Response:
        at = timezone.now()
        mine = benefits_of_member(caller_member(request).pk, at)
        return Response(MyBenefitsSerializer(mine, context={"at": at}).data)


class ClaimBenefitView(ApiView):
    """Using a benefit in the app."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, *_USES, NotUsedInApp)}

    @extend_schema(
        operation_id="claim_benefit",
        summary="Use one of my benefits",
        description="Counts one use, once for each key. Where a voucher belongs to it, that stands with my vouchers soon after.",
        tags=["Me"],
        request=ClaimSerializer,
        responses=UseReceiptSerializer,
    )
    def post(self, request: Request, entitlement_id: str) -> Response:
        at = timezone.now()
        member = caller_member(request)
        key = idempotency_key(request)
        ClaimSerializer.read(request.data)
        meant = parse_ref(ENTITLEMENT, entitlement_id)
        use = Use(
            member.pk, "app", f"{member.pk}:{fingerprint_of(key).hex()[:40]}", entitlement=meant, in_app=True
        )  # fmt: skip

        def claim() -> Answer:
            if not Entitlement.objects.filter(public_id=meant, member__in=family_ids(member.pk)).exists():
                raise NotFound
            try:
                return _answer(use_benefit(use=use, by=caller_of(request).actor, at=at))
            except MemberFrozen as refusal:
                refusal.by(freeze_of(member))  # in words for whom it concerns
                raise

        return respond_once(request, route="POST /me/benefits/{id}/claim", effect=claim, at=at)


class TillUseView(ApiView):
    """Lets a member use a benefit at the till."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(BENEFITS_USE),)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, *_USES, MemberNotFound)}

    @extend_schema(
        operation_id="use_benefit",
        summary="Use a benefit",
        description="Counts uses of what the member is entitled to, in the till's store. The same number again is answered with `already_processed`.",
        tags=["POS"],
        request=TillUseSerializer,
        responses=UseReceiptSerializer,
    )
    def post(self, request: Request) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = TillUseSerializer.read(request.data)

        def use() -> Answer:
            wanted = Use(
                member_id_by_public_id(asked["member_ref"]), key.source, asked["external_ref"], asked["benefit"],
                units=asked["uses"], store_id=key.store_id,
            )  # fmt: skip
            return _answer(use_benefit(use=wanted, by=caller_of(request).actor, at=at))

        return respond_once(request, route="POST /pos/benefits/use", effect=use, at=at)


class TillUndoView(ApiView):
    """Takes a use at the till back."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(BENEFITS_USE),)
    refusals: ClassVar = {"post": (*KEY_REFUSALS, NotFound, VouchersWereIssued, WordsNamePerson)}

    @extend_schema(
        operation_id="undo_benefit_use",
        summary="Take back the use of a benefit",
        description=(
            "By the number under which this till told the use, in its store. What a voucher was issued for is not taken back. "
            "Taken back before, it is answered with `already_processed`."
        ),
        tags=["POS"],
        request=TillUndoSerializer,
        responses=UndoneReceiptSerializer,
    )
    def post(self, request: Request, external_ref: str) -> Response:
        at = timezone.now()
        key = caller_key(request)
        idempotency_key(request)
        asked = TillUndoSerializer.read(request.data)

        def undo() -> Answer:
            receipt = undo_told_use(
                source=key.source, external_ref=external_ref, store_id=key.store_id, reason=asked["reason"],
                by=caller_of(request).actor, at=at,
            )  # fmt: skip
            return Answer(200, plain(UndoneReceiptSerializer(receipt).data))

        return respond_once(request, route="POST /pos/benefits/uses/{no}/undo", effect=undo, at=at)


def _answer(receipt: UseReceipt) -> Answer:
    return Answer(200, plain(UseReceiptSerializer(receipt).data))
