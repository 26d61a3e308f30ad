"""A programme of many members as tills and phones meet it: orders, tiers, benefits, vouchers, rules with caps, points that pay."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from loyalty.models import Benefit
from members.identifiers import MEMBER, public_ref
from members.models import Channel, Member, Store
from members.services.tokens import PREFIX
from rewards.models import Category, MemberPrice, Product
from tests.factories.api import Till, make_till
from tests.factories.benefits import a_benefit, given_by
from tests.factories.catalogue import a_template
from tests.factories.rules import a_rule
from tests.factories.till import points_pay
from tests.harness.million import make_members
from tests.harness.million_histories import make_histories

CHUNK = 50_000
ARTICLES = 40

# Credits of the orders, so that tiers have something to count.
_CREDITS = """
INSERT INTO loyalty_qualificationentry (member_id, kind, source, source_ref, credits, spend_amount, orders, happened_at)
SELECT member_id, 'purchase', source, external_order_no, floor(total_amount), total_amount, 1, ordered_at FROM rewards_purchase
"""
# Who holds a tier has risen to it once.
_RISES = """
INSERT INTO loyalty_tierchange (member_id, number, reason, from_tier_id, to_tier_id, ladder_id, window_from, credits, needed_credits,
    returned_credits, valid_until, happened_at)
SELECT s.member_id, 1, 'risen', (SELECT id FROM loyalty_tier WHERE rank = 0), s.tier_id, (SELECT id FROM loyalty_ladderversion WHERE number = 1),
    s.since_at - interval '1 year', 1000, 900, 0, s.valid_until, s.since_at
FROM loyalty_tierstanding s
"""
# Two vouchers of each member that can be used, and one that was.
_VOUCHERS = """
INSERT INTO rewards_voucher (member_id, template_id, code_hmac, state, origin, issued_at, valid_from, expires_at, used_at)
SELECT n, (%(templates)s::bigint[])[k], sha256((n || '-' || k)::bytea), CASE WHEN k = 3 THEN 'used' ELSE 'issued' END, 'batch',
    now() - interval '9 days', now() - interval '9 days', now() + (20 + n %% 40) * interval '1 day',
    CASE WHEN k = 3 THEN now() - interval '2 days' END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n CROSS JOIN generate_series(1, 3) k
"""
# Every fourth member may have two parcels free of postage.
_ENTITLEMENTS = """
INSERT INTO loyalty_entitlement (member_id, benefit_id, source, source_ref, period_key, quota, used, valid_from, valid_to, state, granted_at, ended_because)
SELECT n, %(posted)s, 'campaign', 'bench', '', 2, 0, now() - interval '9 days', now() + interval '90 days', 'granted', now() - interval '9 days', ''
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n WHERE n %% 4 = 0
"""
_SESSIONS = """
WITH begun AS (
    INSERT INTO members_membersession (member_id, way, device, begun_by, created_at, last_used_at, expires_at, "end")
    SELECT id, 'sms', '', '', now(), now(), now() + interval '30 days', '' FROM members_member WHERE status = 'active' ORDER BY id %% 997, id LIMIT %(most)s
    RETURNING id, member_id
)
INSERT INTO members_membertoken (member_id, session_id, token_sha256, created_at, expires_at)
SELECT member_id, id, sha256((%(prefix)s || member_id)::bytea), now(), now() + interval '2 hours' FROM begun RETURNING member_id
"""


class TillWorld:
    """A till, members who are signed in, and carts."""

    def __init__(self, members: int, *, signed_in: int) -> None:
        make_members(members)
        make_histories(members, entries=1, channel_id=Channel.objects.get(code="till").pk)
        templates, posted = _configure()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(_CREDITS)
            cursor.execute(_RISES)
            for first in range(1, members + 1, CHUNK):
                last = min(first + CHUNK - 1, members)
                values: dict[str, Any] = {"templates": templates, "posted": posted, "first": first, "last": last}
                cursor.execute(_VOUCHERS, values)
                cursor.execute(_ENTITLEMENTS, values)
            cursor.execute(_SESSIONS, {"most": signed_in, "prefix": _token("")})
            ids = [member_id for (member_id,) in cursor.fetchall()]
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        self.till: Till = make_till(Store.objects.order_by("pk")[0])
        self.tokens = [_token(member_id) for member_id in ids]
        self.refs = [
            public_ref(MEMBER, public_id)
            for public_id in Member.objects.filter(pk__in=ids).values_list("public_id", flat=True)
        ]

    def cart(self, number: int) -> dict[str, object]:
        """Return a cart of three lines with postage, of a member who pays a part with points."""
        lines = [
            {"sku": f"SKU-{(number * 7 + place * 11) % ARTICLES}", "name": "拿铁", "quantity": "1", "amount": f"{18 + (number + place * 13) % 60}.00"}
            for place in range(3)
        ]  # fmt: skip
        return {"member_ref": self.refs[number % len(self.refs)], "lines": lines, "shipping": "8.00", "points": 300}


def _token(member_id: object) -> str:
    return f"{PREFIX}bench-{member_id}"


def _configure() -> tuple[list[int], int]:
    """Make what the shop gives; return the templates of vouchers, and the benefit that is given by number."""
    now = datetime.now(UTC)
    tea = Category.objects.create(code="tea", name="Tea")
    Product.objects.bulk_create(
        Product(sku=f"SKU-{number}", name="拿铁", category=tea if number % 3 == 0 else None)
        for number in range(ARTICLES)
    )
    points_pay(valid_from=now - timedelta(days=400))
    a_rule("Tea", mode="extra", category_ids=[tea.pk], points_fixed=20, cap_month_points=100)
    given_by("silver", a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(5))
    prices = a_benefit("prices", kind=Benefit.Kind.PRODUCTS, quota=None)
    MemberPrice.objects.create(benefit=prices, sku="SKU-3", price_amount=Decimal("15.00"))
    for tier in ("gold", "diamond"):
        given_by(tier, prices)
    posted = a_benefit("posted", kind=Benefit.Kind.SHIPPING, quota=2)
    templates = [
        a_template("five-off", stacking="free"),
        a_template("ten-percent", kind="percent", off_amount=None, off_percent=Decimal(10), stacking="free", min_spend_amount=Decimal(50)),
        a_template("gone"),
    ]  # fmt: skip
    return [template.pk for template in templates], posted.pk
