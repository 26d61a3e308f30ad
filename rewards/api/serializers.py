"""Answers about points, rewards, redemptions and vouchers."""

from datetime import date, datetime

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from loyalty.api.serializers import TierSerializer
from loyalty.periods import business_date, last_day_before
from members.api.fields import Instant, Money, Ref
from members.api.serializers import MemberSerializer
from members.identifiers import VOUCHER
from members.queries import programme
from rewards.models import LedgerEntry, LedgerTransaction, LotMove, Voucher, VoucherTemplate
from rewards.queries import Expiring

_LAST_DAY = "The last day on which they can be spent, in the programme's zone."


def last_day(until: datetime) -> date:
    """Return the last business day before a moment at which something ends."""
    return last_day_before(until, programme().tz)


class CurrencyField(serializers.CharField):
    """The programme's currency, beside amounts of money."""

    def __init__(self) -> None:
        super().__init__(read_only=True, help_text="ISO 4217 code of the amounts beside it.")

    def get_attribute(self, instance: object) -> str:
        return programme().currency


class ExpiringSerializer(serializers.Serializer):
    """Points that expire together."""

    points = serializers.IntegerField()
    expires_at = Instant()
    expires_on = serializers.SerializerMethodField(help_text=_LAST_DAY)

    def get_expires_on(self, part: Expiring) -> date:
        return last_day(part.expires_at)


class OtherPointsSerializer(serializers.Serializer):
    """What a member has in another points currency."""

    currency = serializers.CharField(source="currency.code")
    name = serializers.CharField(source="currency.name")
    available = serializers.IntegerField(help_text="As booked; ask with `currency` for what expires.")


class HouseholdField(serializers.IntegerField):
    """What the household would add; left out where these points are paid by nobody else."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            help_text="What others of the household would add to a reward, now. Only where the policy of these points lets them.",
        )

    def get_attribute(self, instance: object) -> int:
        if (points := self.context.get("household")) is None:
            raise serializers.SkipField
        return int(points)


class PointsSerializer(serializers.Serializer):
    """A balance. What is past its expiry is not counted as available."""

    currency = serializers.SerializerMethodField(
        help_text="Code of the points currency: points, unless asked otherwise."
    )
    others = serializers.SerializerMethodField(help_text="What the member has in other points currencies.")

    available = serializers.IntegerField(help_text="Can be spent now.")
    pending = serializers.IntegerField(help_text="Earned, and not spendable yet.")
    held = serializers.IntegerField(help_text="Set aside for something under way.")
    arrears = serializers.IntegerField(
        source="debt", help_text="Owed after returns; the next points earned pay them first."
    )
    household_available = HouseholdField()
    expiring = ExpiringSerializer(many=True, help_text="Available points that expire, soonest first.")
    as_of = serializers.SerializerMethodField()

    def get_as_of(self, _balance: object) -> datetime:
        moment: datetime = self.context["at"]
        return moment

    def get_currency(self, _balance: object) -> str:
        code: str = self.context["currency"].code
        return code

    @extend_schema_field(OtherPointsSerializer(many=True))
    def get_others(self, _balance: object) -> object:
        return OtherPointsSerializer(self.context["others"], many=True).data


class SummaryPointsSerializer(serializers.Serializer):
    """A balance in short."""

    available = serializers.IntegerField()
    pending = serializers.IntegerField()
    arrears = serializers.IntegerField(source="debt")
    expiring_next = ExpiringSerializer(allow_null=True, help_text="The points that expire soonest.")


class SummaryTierSerializer(TierSerializer):
    """A tier, with how far it is to the next one."""

    credits = serializers.IntegerField()
    next_tier = TierSerializer(allow_null=True)
    credits_to_next = serializers.IntegerField(allow_null=True)
    sentence = serializers.CharField()


class SummarySerializer(serializers.Serializer):
    """What the home screen of a mini-program shows."""

    member = MemberSerializer()
    tier = SummaryTierSerializer()
    points = SummaryPointsSerializer()
    vouchers_usable = serializers.IntegerField()


class EntrySerializer(serializers.Serializer):
    """One change of a balance."""

    id = serializers.SerializerMethodField()
    kind = serializers.SerializerMethodField(
        help_text="earn, release, redeem, return, expire, hold, capture, hold_release, restore, adjust, transfer, donate, convert_out, convert_in, correct or write_off; more may come."
    )
    kind_label = serializers.CharField(source="transaction.get_kind_display")
    available_change = serializers.IntegerField(source="d_available")
    pending_change = serializers.IntegerField(source="d_pending")
    arrears_change = serializers.IntegerField(source="d_debt")
    available_after = serializers.IntegerField()
    reference = serializers.SerializerMethodField(help_text="Number of the order or return; null for others.")
    happened_at = Instant()
    happened_on = serializers.SerializerMethodField(help_text="The day of it, in the programme's zone.")

    def get_id(self, entry: LedgerEntry) -> str:
        return entry_ref(entry)

    def get_kind(self, entry: LedgerEntry) -> str:
        return LedgerTransaction.Kind(entry.transaction.kind).name.lower()

    def get_reference(self, entry: LedgerEntry) -> str | None:
        return entry.transaction.number_on_paper or None

    def get_happened_on(self, entry: LedgerEntry) -> date:
        return business_date(entry.happened_at, programme().tz)


def entry_ref(entry: LedgerEntry) -> str:
    """Return the public id of an entry: its number within the member's account, which only they can ask for."""
    return f"ent_{entry.seq}"


class ExplainedLineSerializer(serializers.Serializer):
    """One line of points with its reason."""

    kind = serializers.CharField(help_text="base, tier or promotion; more may come.")
    label = serializers.CharField()  # type: ignore[assignment]
    points = serializers.IntegerField()


class NotAppliedSerializer(serializers.Serializer):
    """An offer that gave nothing, and why."""

    label = serializers.CharField()  # type: ignore[assignment]
    code = serializers.CharField()
    reason = serializers.CharField()


class ExplanationSerializer(serializers.Serializer):
    """Why the points are what they are."""

    lines = ExplainedLineSerializer(many=True)
    not_applied = NotAppliedSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class LotChangeSerializer(serializers.Serializer):
    """What an entry did to points that were earned together."""

    points_change = serializers.IntegerField(source="d_remaining")
    expires_at = Instant(source="lot.expires_at", allow_null=True)
    expires_on = serializers.SerializerMethodField(help_text=_LAST_DAY)

    def get_expires_on(self, move: LotMove) -> date | None:
        return last_day(move.lot.expires_at) if move.lot.expires_at else None


class EntryDetailSerializer(EntrySerializer):
    """One change of a balance, explained."""

    explanation = ExplanationSerializer()
    lots = LotChangeSerializer(many=True)


class VoucherTemplateSerializer(serializers.Serializer):
    """What a voucher is worth."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=VoucherTemplate.Kind.choices)
    kind_label = serializers.CharField(source="get_kind_display")
    off_amount = Money(allow_null=True, help_text="Null where it is not an amount of money.")
    off_percent = Money(allow_null=True, help_text="20.00: the member pays 80 %.")
    cap_amount = Money(allow_null=True, help_text="The most that a percentage takes off.")
    most_times = serializers.IntegerField(help_text="For each full amount spent: so often in one order.")
    multiplier = Money(allow_null=True, help_text="Points times this.")
    gift = serializers.CharField(help_text="What it is exchanged for; may be empty.")
    min_spend_amount = Money()
    currency = CurrencyField()
    terms = serializers.CharField()


class VoucherSerializer(serializers.Serializer):
    """A voucher of a member, without its code."""

    id = Ref(VOUCHER, source="public_id")
    template = VoucherTemplateSerializer()
    state = serializers.SerializerMethodField(help_text="As it is now; more may come.")
    state_label = serializers.SerializerMethodField()
    issued_at = Instant()
    valid_from = Instant(help_text="Not before.")
    expires_at = Instant()
    expires_on = serializers.SerializerMethodField(
        help_text="The last day on which it can be used, in the programme's zone."
    )

    def get_state(self, voucher: Voucher) -> str:
        return state_of(voucher, self.context["at"])

    def get_state_label(self, voucher: Voucher) -> str:
        return str(Voucher.State(state_of(voucher, self.context["at"])).label)

    def get_expires_on(self, voucher: Voucher) -> date:
        return last_day(voucher.expires_at)


def state_of(voucher: Voucher, at: datetime) -> str:
    """Return the state of a voucher at a moment, whether or not the task has noted it."""
    return voucher.state_at(at).value


class RewardTermsSerializer(VoucherTemplateSerializer):
    """The voucher that a reward gives."""

    validity_days = serializers.IntegerField(help_text="Days from the redemption.")
