"""The vouchers that the demo's members claim and pass on."""

from datetime import timedelta
from random import Random

import pytest
from django.utils import timezone

from config.demo.issuing import VouchersComing
from config.demo.vouchers import write_templates
from members.models import Operator
from rewards.models import VoucherClaim, VoucherGift, VoucherOffer
from rewards.services.purchases import record_purchase
from tests.factories.orders import an_order
from tests.factories.people import TILL, a_member
from tests.factories.times import SHANGHAI


@pytest.mark.django_db
def test_are_offered_claimed_and_given_away() -> None:
    now = timezone.now()
    Operator.objects.create(username="marketing", is_staff=True)
    write_templates()
    for number in range(16):
        moment = now - timedelta(days=20 - number)
        record_purchase(order=an_order(a_member(), ordered_at=moment), by=TILL, at=moment)
    VouchersComing(now=now, tz=SHANGHAI, random=Random(1)).play(now)
    assert sorted(VoucherOffer.objects.values_list("state", flat=True)) == ["draft", "running", "running"]
    assert VoucherClaim.objects.count() > 10
    assert {claim.way for claim in VoucherClaim.objects.all()} == {"button", "scan"}
    assert VoucherGift.objects.get().state == "accepted"
