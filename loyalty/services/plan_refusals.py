"""The noes of paid membership."""

from django.utils.translation import gettext_lazy as _

from loyalty.refusals import LoyaltyRefusal


class PlanNotOnSale(LoyaltyRefusal):
    """There is no such plan, or it is not sold now."""

    code = "plan_not_on_sale"
    text = _("This plan is not on sale.")
    status = 404


class PlanIsRunning(LoyaltyRefusal):
    """The member holds a plan already, and this one is no way up from it."""

    code = "plan_is_running"
    text = _("A paid membership is running already. Another one can begin when it has ended, or a higher one now.")


class RenewedAlready(LoyaltyRefusal):
    """The next period is paid."""

    code = "plan_renewed_already"
    text = _("The next period is paid already; the one after it can be ordered when that has begun.")


class NoPlanRunning(LoyaltyRefusal):
    """The member holds no plan."""

    code = "no_plan_running"
    text = _("There is no paid membership running.")


class NoTrial(LoyaltyRefusal):
    """The plan has no trial."""

    code = "plan_has_no_trial"
    text = _("This plan has no trial.")


class TrialTaken(LoyaltyRefusal):
    """A trial is had once."""

    code = "trial_taken"
    text = _("The trial was had before; it is given once per person.")


class RenewalNotOffered(LoyaltyRefusal):
    """The plan does not go on."""

    code = "renewal_not_offered"
    text = _("This plan is not renewed.")


class MembershipClosed(LoyaltyRefusal):
    """The member has left the programme."""

    code = "member_closed"
    text = _("Member %(member_no)s has left the programme.")


class NoSuchOrder(LoyaltyRefusal):
    """There is no order with this id."""

    code = "plan_order_not_found"
    text = _("There is no such order of a plan.")
    status = 404


class OrderIsPaid(LoyaltyRefusal):
    """Another payment paid it."""

    code = "plan_order_is_paid"
    text = _("This order was paid before, by another payment. The money of this one has to go back.")


class OrderOvertaken(LoyaltyRefusal):
    """What it was to change is no longer so."""

    code = "plan_order_overtaken"
    text = _(
        "The paid membership has changed since this was ordered. Please order again; money paid for it has to go back."
    )


class OrderWaits(LoyaltyRefusal):
    """Another order was made at this moment."""

    code = "plan_order_waits"
    text = _("Another order of a plan waits for payment.")


class PaymentIsAnother(LoyaltyRefusal):
    """The number at the source came with other contents."""

    code = "payment_conflict"
    text = _("Payment %(number)s was told before with other contents.")


class AmountDiffers(LoyaltyRefusal):
    """Not what is to be paid."""

    code = "amount_differs"
    text = _("%(expected)s are to be paid, not %(amount)s.")
    status = 422


class PaymentNumberMissing(LoyaltyRefusal):
    """A payment has a number."""

    code = "receipt_missing"
    text = _("Give the number of the receipt.")
    status = 422


class RefundChanged(LoyaltyRefusal):
    """The figure is another one now."""

    code = "refund_changed"
    text = _("%(amount)s are to be paid back now, not %(shown)s. Please look at it again.")
