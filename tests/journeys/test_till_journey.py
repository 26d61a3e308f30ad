"""The purchase that API.md works through: resolve, quote, set aside, order, a lost answer, a line that comes back."""

from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns.models import Promotion
from members.identifiers import VOUCHER, public_ref
from members.models import Member
from rewards.earning import contributors
from rewards.models import LedgerEntry, OrderHold, Purchase, Voucher
from rewards.queries import balance_of, forget_rules
from tests.factories.api import Till, make_member, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.till import an_order_of, held, points_pay, quoted, ref, returned, with_points

pytestmark = pytest.mark.django_db

LINES = [
    {"sku": "TEA-TIN", "name": "茶叶罐", "quantity": "2", "amount": "258.00"},
    {"sku": "CUP", "name": "茶杯", "quantity": "1", "amount": "81.00"},
]


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    points_pay()
    found = make_member(full_name="张小丰", phone="13800138000")
    with_points(found, 2340)
    Promotion.objects.create(
        name="双倍积分", name_en="Double points", state=Promotion.State.LIVE, factor=Decimal(2),
        starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=1),
    )  # fmt: skip
    for contributor in contributors():
        contributor.forget()
    forget_rules()
    return found


@pytest.fixture
def voucher(member: Member) -> Voucher:
    ten = a_template("ten-off", name="十元券", name_en="¥10 off", off_amount=Decimal(10), min_spend_amount=Decimal(30))
    return a_voucher(member.pk, ten, issued_at=now() - timedelta(days=1))


class TestTheWorkedPurchase:
    def test_goes_from_the_phone_number_to_the_line_that_comes_back(
        self, till: Till, member: Member, voucher: Voucher
    ) -> None:
        found = till.post("/pos/members/resolve", {"phone": "13800138000"}).json()
        assert (found["points_available"], found["vouchers_usable"]) == (2340, 1)

        quote = quoted(till, member, LINES, points=1000, shown=False)
        assert (quote["total"], quote["discount"], quote["payable"]) == ("339.00", "10.00", "319.00")
        assert quote["points_payable"] | {"max": 0} == {
            "max": 0, "applied": 1000, "worth": "10.00", "step": 100, "least": 100, "reason": "",
        }  # fmt: skip
        assert quote["points_payable"]["max"] == 2300
        assert quote["earn"]["total"] == 638
        assert [(line["kind"], line["points"]) for line in quote["earn"]["explain"]] == [
            ("base", 319), ("promotion", 319),
        ]  # fmt: skip
        assert [one["kind"] for one in quote["deductions"]] == ["voucher", "points"]
        assert quote["tier"]["sentence"]
        assert not LedgerEntry.objects.filter(account__member=member, transaction__kind=6).exists()

        # A phone number earns; to spend, the member shows the code on the phone.
        ours = public_ref(VOUCHER, voucher.public_id)
        early = till.post(
            "/pos/holds", {"quote_id": quote["quote_id"], "points": 1000, "vouchers": [ours]}, key="early"
        )
        assert problem_of(early) == (403, "spending_not_shown")
        code = sign_in(member).get("/me/code").json()["code"]
        shown = till.post("/pos/members/resolve", {"code": code, "purpose": "spend"}).json()
        assert (shown["may_spend"], shown["member_ref"]) == (True, ref(member))
        hold = held(till, quote, points=1000, vouchers=[ours])
        assert (hold["state"], hold["points"], hold["points_worth"], hold["vouchers"]) == ("open", 1000, "10.00", 1)
        assert balance_of(member.pk, now()).available == 1340

        order = an_order_of(quote, LINES, hold, external_order_no="S01-0007731", member_ref=ref(member))
        first = till.post("/pos/orders", order, key="order-1")
        assert first.status_code == 201, first.json()
        told = first.json()
        assert (told["total_amount"], told["points_earned"], told["points_available"]) == ("319.00", 638, 1978)
        assert told["settlement"]["points_paid"] == 1000

        # The answer was lost: the same key again, and then without the key that is lost too.
        again = till.post("/pos/orders", order, key="order-1")
        assert (again.status_code, again.json()) == (201, told)
        assert again.headers["Idempotency-Replayed"] == "true"
        known = till.post("/pos/orders", order, key="order-2")
        assert known.status_code == 200
        assert known.json() == told | {"already_processed": True}
        assert problem_of(till.post("/pos/orders", order | {"shipping": "1.00"}, key="order-1")) == (
            422, "idempotency_key_reused",
        )  # fmt: skip
        other = order | {"lines": [LINES[0]]}
        assert problem_of(till.post("/pos/orders", other, key="order-3")) == (409, "order_conflict")
        assert Purchase.objects.count() == 1
        voucher.refresh_from_db()
        assert (voucher.state, voucher.used_off_amount) == ("used", Decimal("10.00"))
        assert OrderHold.objects.get().state == "captured"

        # One tin comes back: first what it would do, then it is done.
        piece = {"line_no": 1, "quantity": "1"}
        dry = returned(till, "S01-0007731", piece, dry_run=True)
        assert balance_of(member.pk, now()).available == 1978
        done = returned(till, "S01-0007731", piece)
        same = ("amount", "points_taken_back", "points_given_back", "vouchers_given_back", "sentence")
        assert [dry[name] for name in same] == [done[name] for name in same]
        assert done["amount"] == "121.39"  # half of 258.00 less 7.61 by the voucher and 7.61 by points
        assert (done["points_taken_back"], done["points_given_back"]) == (243, 381)
        assert (done["vouchers_given_back"], done["vouchers_kept"]) == (0, 1)
        assert done["sentence"] == (
            "Refund of ¥121.39: 243 points taken back, 381 points that had paid come back, 1 voucher stays used."
        )
        # The rest comes back too: the member is where he began.
        rest = returned(till, "S01-0007731")
        assert (rest["vouchers_given_back"], rest["vouchers_kept"]) == (1, 0)
        voucher.refresh_from_db()
        assert voucher.state == "issued"
        assert balance_of(member.pk, now()).available == 2340
