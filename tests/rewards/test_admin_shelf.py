"""Staff edit a reward or a template while members redeem: nothing that was redeemed comes back, nothing in hand loses worth."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rewards.admin.voucher_form import FIXED
from rewards.models import FlashSale, Reward
from rewards.services.flash_sales import open_sale, return_unsold
from rewards.services.shelf import StockSoldMeanwhile, StockWhileOnSale, change_stock
from tests.factories.catalogue import a_reward
from tests.factories.histories import a_small_history
from tests.factories.orders import NOON
from tests.factories.portal import an_operator

pytestmark = pytest.mark.django_db


def form_of(client: Client, reward: Reward) -> dict[str, Any]:
    """Return what the browser would send back of the reward's form, unchanged."""
    form = client.get(f"/admin/rewards/reward/{reward.pk}/change/").context["adminform"].form
    data: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        if bound.name in ("valid_from", "valid_to"):
            data[f"{bound.name}_0"] = value.strftime("%Y-%m-%d") if value else ""
            data[f"{bound.name}_1"] = value.strftime("%H:%M:%S") if value else ""
        else:
            data[bound.name] = "" if value is None else value
        data[f"initial-{bound.name}"] = data.get(bound.name, "")
    return data


class TestTheRewardForm:
    def test_keeps_what_was_redeemed_while_it_was_open(self, client: Client) -> None:
        reward = a_reward(stock=50)
        client.force_login(an_operator("marketing"))
        data = form_of(client, reward)
        Reward.objects.filter(pk=reward.pk).update(stock=20)

        page = client.get(f"/admin/rewards/reward/{reward.pk}/change/").text
        assert 'name="initial-stock"' in page
        for stock, left in ((50, 20), (60, 30)):
            answer = client.post(
                f"/admin/rewards/reward/{reward.pk}/change/", {**data, "name_en": "A better name", "stock": stock}
            )
            assert answer.status_code == 302, answer.text[:500]
            reward.refresh_from_db()
            assert (reward.name_en, reward.stock) == ("A better name", left)  # type: ignore[attr-defined]


class TestChangeStock:
    def test_adds_the_difference_to_what_is_left_now(self) -> None:
        reward = a_reward(stock=20)

        change_stock(reward_id=reward.pk, was=50, becomes=60, at=NOON)

        reward.refresh_from_db()
        assert reward.stock == 30

    def test_refuses_to_take_more_than_is_left_and_changes_nothing(self) -> None:
        reward = a_reward(stock=20)

        with pytest.raises(StockSoldMeanwhile) as refused:
            change_stock(reward_id=reward.pk, was=50, becomes=20, at=NOON)

        assert refused.value.params == {"left": 20}
        reward.refresh_from_db()
        assert reward.stock == 20

    @pytest.mark.parametrize(("was", "becomes"), [(None, 7), (20, None)])
    def test_can_set_and_lift_the_limit(self, was: int | None, becomes: int | None) -> None:
        reward = a_reward(stock=was)

        change_stock(reward_id=reward.pk, was=was, becomes=becomes, at=NOON)

        reward.refresh_from_db()
        assert reward.stock == becomes

    def test_waits_for_a_sale_whose_pieces_no_stock_was_counted_for(self) -> None:
        reward, end = a_reward(stock=None), NOON + timedelta(days=1)
        open_sale(sale=FlashSale(reward=reward, price_points=10, stock=50, starts_at=NOON, ends_at=end))

        for moment in (NOON, end):
            with pytest.raises(StockWhileOnSale):
                change_stock(reward_id=reward.pk, was=None, becomes=30, at=moment)
        reward.refresh_from_db()
        assert reward.stock is None
        assert return_unsold(at=end) == 50
        change_stock(reward_id=reward.pk, was=None, becomes=30, at=end)
        assert return_unsold(at=end) == 0
        reward.refresh_from_db()
        assert reward.stock == 30


class TestTheTemplateForm:
    def test_fixes_what_vouchers_in_hand_are_worth(self, client: Client) -> None:
        a_small_history()
        template = Reward.objects.filter(redemptions__isnull=False).select_related("template").first()
        assert template is not None
        client.force_login(an_operator("marketing"))

        form = client.get(f"/admin/rewards/vouchertemplate/{template.template_id}/change/").context["adminform"].form

        fixed = {name for name, field in form.fields.items() if field.disabled}
        assert fixed == {*FIXED, "code"}
