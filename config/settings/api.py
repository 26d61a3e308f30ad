"""What the published description of the API says, and how it is made."""

from typing import Any

_DESCRIPTION = """\
The interface of Perennial for mini-programs and apps (members), tills and servers of the shop.

**Who calls.** Members sign in by WeChat or by a code to their phone (`/auth/…`) and get an access token for two hours and
a refresh token for thirty days, which is good once: `/auth/refresh` gives the next two, and one that comes again ends the
session. Freezing, closing, merging and signing out end tokens at once. Members send `Authorization: Bearer mt_…`, tills `Authorization: Bearer pk_live_…`. A till's key has scopes
and acts for its own store, channel and source of orders only. In demo mode `POST /auth/dev/login` with `phone` or
`member_no` answers with a member's token; the address does not exist otherwise.

**Tills** get their key by `POST /pos/devices/activate`. A key may be bound to networks (`network_not_allowed` from
elsewhere), may act for more stores than its own (`store` in the body names one of them), and may move so many points in a
business day (`key_ceiling_reached`). A key that takes another's place works beside it for some days.

**Servers of the shop** tell orders and returns by the thousand (`/integration/orders:batch`: 202, and a job that answers each
line) and move points within what their key may move in a day (`/integration/adjustments`; beyond it staff decide: 202 and
`pending_approval`). No key approves anything.

**Repeats.** Calls that move value need an `Idempotency-Key` header, bare or in quotes. A repeat of the same request
gets the first answer with `Idempotency-Replayed: true`, for 7 days; one that comes while the first is worked on waits
for it. The key with another request is refused with 422. What was refused may be tried again with the same key.
Beside the key, an order number is unique in its source for ever: the same order with a new key answers 200 with
`already_processed`, another order under the same number 409 `order_conflict`.

**How often.** Each member, key and address has so many calls a minute; `RateLimit-Policy` and `RateLimit` (an IETF draft, so
they may change) tell the narrowest limit that the call met. 429 carries `Retry-After`, and that is what counts. Wrong codes
lock for a while (`too_many_tries`).

**Problems** are `application/problem+json` (RFC 9457) with a stable `code`, a `detail` that can be shown to people, and
`errors` that name what is wrong in the request: by `pointer` in the body, `parameter` in the address.

**Values.** Money is a decimal string beside its `currency`, points are integers. Moments are RFC 3339 in UTC; a date
such as `expires_on` is a day in the programme's zone, the last on which the thing is good. Codes are stable; a
`…_label` beside them is in the language of `Accept-Language` (zh-Hans, zh-Hant, en).

**Growth.** Within v1 fields, values of codes, and addresses are only added: ignore what you do not know. A field
in a request that is not known here is refused by name, so that a slip of the pen does not lose anybody's points.

**What breaks** a caller, and so needs a v2 or a deprecation: an operation, a field of an answer, a parameter, a field or a
value that was taken is gone or of another kind; something is needed that was not; a problem code or what a code means
changes; more is needed to be let in; a list is in another order. What does not: new operations, fields, values, codes,
optional parameters; words and sentences; the order of fields; longer ids. The promises are kept line by line and compared at each
change.

**Deprecation.** What goes is marked `deprecated` here at least twelve months before. Until then its answers carry
`Deprecation` (RFC 9745: since when), `Sunset` (RFC 8594: the day from which it may be gone) and a `Link` with
`rel="deprecation"` to this page; a field says so in its description. Nothing is deprecated without something to use instead.

**PATCH** can be sent as POST with `X-HTTP-Method-Override: PATCH`, which `wx.request` of mini-programs needs.

**Lists** take `limit` (1 to 100) and `cursor`; `next` and `previous` in the answer are cursors. Every answer carries
`X-Request-Id`.
"""

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Perennial API",
    "DESCRIPTION": _DESCRIPTION,
    "VERSION": "1.0.0",
    "LICENSE": {"name": "Proprietary", "identifier": "LicenseRef-Perennial"},
    "OAS_VERSION": "3.1.1",
    "SERVERS": [{"url": "/api/v1", "description": "This installation"}],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SCHEMA_PATH_PREFIX_TRIM": True,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ContactChannelEnum": "members.api.profile.CHANNELS",
        "DetailKindEnum": "members.api.profile.DETAIL_KINDS",
        "BenefitKindEnum": "loyalty.api.serializers.BENEFIT_KINDS",
        "SignInNextEnum": "members.api.auth_serializers.NEXT",
        "SignInWayEnum": "members.api.auth_serializers.WAYS",
        "KindEnum": "rewards.models.VoucherTemplate.Kind",  # the first to be published
        "PlanOrderKindEnum": "loyalty.models.PlanOrder.Kind",
        "DeductionKindEnum": "rewards.api.pos_serializers.DEDUCTION_KINDS",
        "OrderHoldStateEnum": "rewards.api.till_serializers.HOLD_STATES",
        "ResultEnum": "members.api.activities.RESULTS",
        "RewardKindEnum": "rewards.models.Reward.Kind",
        "RedemptionStateEnum": "rewards.models.RedemptionState",
        "RedemptionDeliveryEnum": "rewards.models.Redemption.Delivery",
        "RewardDeliveryEnum": "rewards.api.reward_serializers.WAYS",
        "UnlockKindEnum": "loyalty.api.identity.UNLOCKED",
        "TillPurposeEnum": "rewards.api.resolving.PURPOSES",
        "PurposeEnum": "members.api.devices.PURPOSES",
        "JobStateEnum": "members.api.jobs.STATES",
        "AdjustmentStateEnum": "rewards.api.adjustments.STATES",
        "BatchedOutcomeEnum": "rewards.services.order_batches.OUTCOMES",
        "WebhookStateEnum": "members.api.webhooks.SHOWN_STATES",
        "WebhookWishEnum": "members.api.webhooks.WISHED_STATES",
        "WebhookFaultEnum": "members.api.webhooks.FAULTS",
        "WebhookDeliveryStateEnum": "members.models.WebhookDelivery.State",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.schema.closed_requests"],
    "WEBHOOKS": "config.webhook_docs.WEBHOOKS",
    "SORT_OPERATIONS": False,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["members.api.permissions.Public"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "displayRequestDuration": True},
    "TAGS": [
        {"name": "Program", "description": "What everybody may know: the programme, its tiers, its rewards."},
        {"name": "Sign-in", "description": "Members: by WeChat, by a code to the phone, with a refresh token."},
        {"name": "Me", "description": "A member's own points, tier, redemptions and vouchers."},
        {"name": "POS", "description": "Tills: find a member, record purchases and returns, use vouchers."},
        {"name": "Integration", "description": "Shops and other systems: members by their own ids, segments."},
    ],
}
