"""The problems of the API by code: a short title each. Codes are for ever; details come with the case."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

TITLES: Final[dict[str, Promise]] = {
    # of requests
    "validation_error": _("The request is not valid"),
    "malformed_request": _("The request can not be read"),
    "payload_too_large": _("The request is too large"),
    "authentication_required": _("Sign-in needed"),
    "token_expired": _("The sign-in has ended"),
    "insufficient_scope": _("Not allowed"),
    "not_found": _("Not found"),
    "method_not_allowed": _("Method not allowed"),
    "not_acceptable": _("This form of answer does not exist"),
    "unsupported_media_type": _("JSON is needed"),
    "rate_limited": _("Too many requests"),
    "idempotency_key_missing": _("Idempotency key missing"),
    "idempotency_key_invalid": _("Idempotency key not valid"),
    "idempotency_key_reused": _("Idempotency key used before"),
    "request_in_progress": _("Request in progress"),
    "member_busy": _("Busy, please repeat"),
    "unavailable": _("Not available at the moment"),
    "internal_error": _("Something went wrong here"),
    # of members
    "member_frozen": _("Membership frozen"),
    "member_closed": _("Membership closed"),
    "precondition_required": _("If-Match missing"),
    "precondition_failed": _("Changed meanwhile"),
    "birthday_locked": _("Birthday changed before"),
    "phone_in_use": _("Phone number in use"),
    "email_in_use": _("E-mail address in use"),
    "invalid_phone": _("Phone number not valid"),
    "invalid_email": _("E-mail address not valid"),
    "invalid_birthday": _("Birthday not possible"),
    "detail_unknown": _("Detail not known"),
    "detail_invalid": _("Detail not valid"),
    "consent_required": _("Consent needed"),
    "purpose_unknown": _("Purpose not known"),
    "consent_channel_unknown": _("Channel not asked for"),
    "consent_text_missing": _("No words to agree to"),
    "consent_text_outdated": _("Words changed meanwhile"),
    "guardian_needed": _("A guardian has to agree"),
    "person_erased": _("Personal data erased"),
    "quiet_hours_invalid": _("Quiet hours not valid"),
    "leaving_already": _("Leave asked for before"),
    "not_leaving": _("No leave asked for"),
    "closing_reason_unknown": _("Reason not offered"),
    "wrong_store": _("Another store"),
    "words_name_person": _("Words that name somebody"),
    "job_file_gone": _("File no longer kept"),
    "wallet_pass_unavailable": _("No wallet passes here"),
    "activity_kind_unknown": _("Behaviour not recorded here"),
    "activity_conflict": _("Activity known with another content"),
    "activity_in_future": _("Activity dated later than now"),
    # of tiers
    "no_ladder": _("No tiers yet"),
    "plan_not_on_sale": _("Plan not on sale"),
    "plan_is_running": _("A plan runs already"),
    "plan_renewed_already": _("Renewed already"),
    "no_plan_running": _("No plan runs"),
    "plan_has_no_trial": _("No trial"),
    "trial_taken": _("Trial had before"),
    "renewal_not_offered": _("Not renewed"),
    "plan_order_waits": _("Another order waits"),
    "plan_order_not_found": _("Order not found"),
    "plan_order_is_paid": _("Order paid before"),
    "plan_order_overtaken": _("Order no longer fits"),
    "payment_conflict": _("Payment known with other contents"),
    "amount_differs": _("Another amount is due"),
    "paid_in_future": _("Payment dated in the future"),
    "signature_invalid": _("Signature not valid"),
    "signature_out_of_time": _("Signature out of time"),
    "fact_from_future": _("Dated later than now"),
    "title_not_held": _("No such title"),
    # of benefits
    "benefit_not_held": _("Benefit not held"),
    "benefit_exhausted": _("Benefit used up"),
    "benefit_not_used_in_app": _("Used in the store"),
    "not_in_window": _("Not at this time or place"),
    "use_conflict": _("Use known with another content"),
    "vouchers_were_issued": _("A voucher was issued"),
    # of points, orders, rewards and vouchers
    "order_conflict": _("Order known with another content"),
    "order_in_future": _("Order dated later than now"),
    "return_exceeds_order": _("More than was bought"),
    "insufficient_points": _("Not enough points"),
    "out_of_stock": _("Out of stock"),
    "not_available": _("Not available"),
    "cap_reached": _("Limit reached"),
    "voucher_not_usable": _("Voucher not usable"),
    "voucher_used": _("Voucher used before"),
    "voucher_expired": _("Voucher expired"),
    "min_spend": _("Order too small"),
}

#: What goes wrong before or beside a view, by HTTP status.
CODE_OF_STATUS: Final[dict[int, str]] = {
    400: "malformed_request",
    401: "authentication_required",
    403: "insufficient_scope",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


def title_of(code: str, status: int) -> str:
    """Return the title of a problem in the active language; one by status for a code without its own."""
    return str(TITLES.get(code) or TITLES[CODE_OF_STATUS.get(status, "validation_error")])
