"""What belongs to rewards: pictures, pools of codes, pieces of flash sales; and many orders moved by jobs."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from openpyxl import Workbook, load_workbook
from PIL import Image

from members.actors import SYSTEM
from members.models import Job, MemberExport, Proposal, TimelineEntry
from members.personal_words import WordsNamePerson
from members.proposals import approve
from members.services.jobs import run_job
from rewards.encryption import decrypted
from rewards.models import DigitalCode, FlashSale, Redemption, RewardImage
from rewards.queries import balance_of
from rewards.services.addresses import Address, write_address
from rewards.services.digital_codes import WHAT
from rewards.services.flash_sales import NotEnoughForSale, SaleNeedsNoPieces, open_sale, return_unsold
from rewards.services.fulfilment import cancel_redemption, move_redemption, refund_out_of_stock
from rewards.services.fulfilment_jobs import READY, REFUND, TooManyOrders, act_on_many, ship_many
from rewards.services.fulfilment_lists import picked_orders, see_address
from rewards.services.redemptions import Wanted, redeem_reward
from rewards.services.tracking_files import Shipment
from rewards.tasks import release_due_holds
from tests.factories.catalogue import a_reward
from tests.factories.fulfilment import a_gift, an_order
from tests.factories.histories import with_points
from tests.factories.imports import may
from tests.factories.orders import NOON
from tests.factories.portal import a_named_member, an_operator, signed_in
from tests.factories.work import Clock
from tests.rewards.by_hand import actor
from tests.rewards.test_fulfilment_pages import browser_of

pytestmark = pytest.mark.django_db
SECRET = "SECRET-CODE-77"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)


def work(job: Job) -> None:
    run_job(job_id=job.pk, worker="one", clock=Clock(NOON))
    job.refresh_from_db()


def a_digital_reward(**changes: Any) -> Any:
    return a_reward(30, **{"kind": "digital", "template": None, **changes})


class TestThePoolOfCodes:
    def test_is_filled_after_a_dry_run_and_shows_no_code(self) -> None:
        reward = a_digital_reward()
        client = browser_of(may(an_operator("marketing"), "rewards.upload_digital_codes"))
        address = f"/admin/rewards/reward/{reward.pk}/codes/"

        def send(**more: str) -> Any:
            content = f"code\n{SECRET}\nSECRET-CODE-78\n{SECRET}\n".encode()
            return client.post(address, {"file": SimpleUploadedFile("codes.csv", content), **more}, follow=True)

        checked = send()
        assert "2 codes are new." in checked.text
        assert not DigitalCode.objects.exists()
        added = send(is_meant="true")
        assert "2 codes were added." in added.text
        assert SECRET not in checked.text + added.text + client.get(f"/admin/rewards/reward/{reward.pk}/change/").text
        assert all(SECRET.encode() not in bytes(code.ciphertext) for code in DigitalCode.objects.all())
        client.post(f"{address}out/", {"typed": "1"})
        assert DigitalCode.objects.filter(state="free").count() == 2
        client.post(f"{address}out/", {"typed": "2"})
        assert DigitalCode.objects.filter(state="void").count() == 2

    def test_takes_no_code_that_a_file_has_changed_and_says_so(self) -> None:
        reward = a_digital_reward()
        client = browser_of(may(an_operator("marketing"), "rewards.upload_digital_codes"))
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        for cell in ("code", 1234567890123456, 123456789012345678, 1234567890123450, "1234567890123450", "x" * 201, 77):
            sheet.append([cell])
        stream = BytesIO()
        book.save(stream)

        def send(**more: str) -> Any:
            file = SimpleUploadedFile("codes.xlsx", stream.getvalue())
            return client.post(f"/admin/rewards/reward/{reward.pk}/codes/", {"file": file, **more}, follow=True)

        checked = send()
        assert "3 codes are new." in checked.text
        assert "too long: 1." in checked.text
        unread = "2 rows can not be read and are left out; the first is row 3."
        assert unread in checked.text
        assert unread in send(is_meant="true").text
        kept = {decrypted(WHAT, bytes(code.ciphertext)) for code in DigitalCode.objects.all()}
        assert kept == {"1234567890123456", "1234567890123450", "77"}

    def test_is_closed_to_others_and_to_other_kinds(self) -> None:
        reward = a_digital_reward()
        assert signed_in("marketing").get(f"/admin/rewards/reward/{a_gift().pk}/codes/").status_code in (403, 404)
        assert signed_in("service").get(f"/admin/rewards/reward/{reward.pk}/codes/").status_code == 403


class TestThePictures:
    def test_are_added_put_first_and_taken_off(self) -> None:
        reward = a_gift()
        client = signed_in("marketing")
        address = f"/admin/rewards/reward/{reward.pk}/pictures/"
        for colour in ("red", "blue"):
            stream = BytesIO()
            Image.new("RGB", (300, 300), colour).save(stream, "PNG")
            file = SimpleUploadedFile(f"{colour}.png", stream.getvalue())
            assert client.post(address, {"file": file, "alt_zh_hans": colour}).status_code == 302
        red, blue = RewardImage.objects.order_by("pk")

        client.post(f"{address}{blue.pk}/", {"do": "first"})
        assert client.get(address).context["images"] == [blue, red]
        client.post(f"{address}{red.pk}/", {"do": "off"})
        assert list(RewardImage.objects.all()) == [blue]
        assert blue.small_id in client.post(f"/admin/rewards/reward/{reward.pk}/look/", {"name_en": "Cup"}).text

    def test_that_are_none_are_refused_at_the_field(self) -> None:
        client = signed_in("marketing")
        file = SimpleUploadedFile("a.png", b"no picture")
        page = client.post(f"/admin/rewards/reward/{a_gift().pk}/pictures/", {"file": file, "alt_zh_hans": "x"})
        assert "can not be read as a picture" in page.text
        assert not RewardImage.objects.exists()


class TestAFlashSale:
    def sale(self, reward: Any, stock: int | None) -> FlashSale:
        return FlashSale(
            reward=reward, price_points=10, cash_amount=0, stock=stock, starts_at=NOON, ends_at=NOON + timedelta(days=1)
        )

    def test_puts_its_pieces_aside_and_gives_back_what_was_not_sold(self) -> None:
        reward = a_gift(stock=10)
        sale = open_sale(sale=self.sale(reward, 4))
        reward.refresh_from_db()
        assert reward.stock == 6

        assert return_unsold(at=NOON) == 0
        FlashSale.objects.filter(pk=sale.pk).update(stock=3)  # one was sold
        assert return_unsold(at=sale.ends_at) == 3
        assert return_unsold(at=sale.ends_at) == 0
        reward.refresh_from_db()
        assert reward.stock == 9

    def test_that_wants_more_than_there_is_is_refused_and_changes_nothing(self) -> None:
        reward = a_gift(stock=3)
        with pytest.raises(NotEnoughForSale):
            open_sale(sale=self.sale(reward, 4))
        with pytest.raises(SaleNeedsNoPieces):
            open_sale(sale=self.sale(a_digital_reward(), 4))
        reward.refresh_from_db()
        assert (reward.stock, FlashSale.objects.count()) == (3, 0)

    def test_gives_back_what_was_not_sold_within_minutes(self) -> None:
        reward = a_gift(stock=10)
        FlashSale.objects.filter(pk=open_sale(sale=self.sale(reward, 4)).pk).update(
            starts_at=timezone.now() - timedelta(days=1), ends_at=timezone.now()
        )
        release_due_holds()
        reward.refresh_from_db()
        assert reward.stock == 10

    def test_is_set_up_on_its_page(self) -> None:
        reward = a_gift(stock=3)
        client = signed_in(superuser=True)
        data = {
            "reward": reward.pk, "price_points": 10, "cash_amount": 0, "starts_at_0": "2027-01-01", "starts_at_1": "00:00",
            "ends_at_0": "2027-01-02", "ends_at_1": "00:00",
        }  # fmt: skip
        page = client.post("/admin/rewards/flashsale/add/", {**data, "stock": 4})
        assert "Only 3 pieces are left" in page.text
        assert client.post("/admin/rewards/flashsale/add/", {**data, "stock": 2}).status_code == 302
        assert "“Cup” for 10 points from" in client.get("/admin/rewards/flashsale/").text


class TestManyOrders:
    def test_are_sent_off_by_a_job_each_by_itself(self) -> None:
        by = actor(an_operator(superuser=True))
        one, two, cancelled = an_order(at=NOON), an_order(at=NOON), an_order(at=NOON)
        job = ship_many(
            shipments=[Shipment(number + 2, order.pk, "SF", f"SF100{number}") for number, order in enumerate((one, two, cancelled))],
            by=by, at=NOON,
        )  # fmt: skip
        move_redemption(redemption_id=two.pk, to_state="shipped", by=by, at=NOON, carrier="YTO", tracking_no="YT1")  # type: ignore[arg-type]
        Redemption.objects.filter(pk=cancelled.pk).update(state="done")

        work(job)

        assert (job.state, job.ok, job.failed) == ("done", 1, 2)
        assert list(Redemption.objects.order_by("pk").values_list("state", "tracking_no")) == [
            ("shipped", "SF1000"), ("shipped", "YT1"), ("done", ""),
        ]  # fmt: skip
        assert [row.number for row in job.error_rows.order_by("number")] == [3, 4]

    def test_get_their_points_back_to_the_same_lots_with_the_reason(self) -> None:
        by, reward = actor(an_operator(superuser=True)), a_gift(stock=2)
        member = with_points(100, moment=NOON)
        address = Address("张三丰", "+8613800138000", ("上海市南京东路1号",))
        paid = redeem_reward(
            member_id=member.pk, reward_id=reward.pk, request_id="r1", by=SYSTEM, at=NOON,
            wanted=Wanted(delivery="post", address=address),
        ).redemption  # fmt: skip
        assert balance_of(member.pk, NOON).available == 70

        done = act_on_many(act=REFUND, redemption_ids=[paid.pk, 999_999], by=by, at=NOON, reason="the last one broke")

        assert done.done == 1
        assert [number for number, _why in done.refused] == ["R-999999-" + done.refused[0][0][-1]]
        assert balance_of(member.pk, NOON).available == 100
        paid.refresh_from_db()
        assert paid.state == "refunded"
        assert paid.events.get(to_state="refunded").reason == "the last one broke"

    def test_do_not_name_their_members_in_the_reason(self) -> None:
        order, by = an_order(at=NOON, member=a_named_member("张三丰")), actor(an_operator(superuser=True))
        for reason in ("张三丰 asked for it", "call 13800138000"):
            with pytest.raises(WordsNamePerson):
                act_on_many(act=REFUND, redemption_ids=[order.pk], by=by, at=NOON, reason=reason)
            for give_back in (cancel_redemption, refund_out_of_stock):
                with pytest.raises(WordsNamePerson):
                    give_back(redemption_id=order.pk, by=by, at=NOON, reason=reason)
        order.refresh_from_db()
        assert (order.state, order.events.count()) == ("placed", 1)

    def test_that_are_too_many_are_refused(self) -> None:
        with pytest.raises(TooManyOrders):
            act_on_many(act=READY, redemption_ids=range(1, 5_002), by=SYSTEM, at=NOON)
        assert not Job.objects.exists()


class TestAnAddress:
    def test_is_seen_only_with_the_right_and_written_down_each_time(self) -> None:
        order = an_order(at=timezone.now())
        address = Address("张三丰", "+8613800138000", ("上海市南京东路1号",))
        write_address(redemption_id=order.pk, address=address, at=NOON)
        operator = may(
            an_operator("service"),
            "rewards.view_redemption",
            "rewards.fulfil_redemption",
            "rewards.view_redemptionaddress",
        )
        client = browser_of(operator)
        looks = TimelineEntry.objects.filter(kind="rewards.delivery_address_seen.v1", member=order.member_id)

        page = client.get(f"/admin/rewards/redemption/{order.pk}/change/").text
        assert "南京东路" not in page
        assert not looks.exists()
        shown = client.post(f"/admin/rewards/redemption/{order.pk}/address/")
        assert "上海市南京东路1号" in shown.text
        assert "no-store" in shown["Cache-Control"]
        assert looks.get().actor_id == operator.pk

        picked = picked_orders(redemption_ids=[order.pk], with_addresses=True, by=actor(operator), at=NOON)
        assert picked[0].address[-1] == "上海市南京东路1号"
        assert looks.filter(payload__list=True).count() == 1
        assert see_address(redemption_id=order.pk, by=actor(operator), at=NOON) == address
        assert "三丰" not in str(list(looks.values_list("payload", flat=True)))

    def test_leaves_in_a_file_only_after_a_second_person_and_for_a_day(self) -> None:
        order = an_order(at=NOON)
        write_address(
            redemption_id=order.pk, address=Address("张三丰", "+8613800138000", ("上海市南京东路1号",)), at=NOON
        )
        maker = may(
            an_operator("service"),
            "rewards.view_redemption",
            "rewards.fulfil_redemption",
            "rewards.view_redemptionaddress",
        )
        client = browser_of(maker)
        client.post("/admin/rewards/redemption/addresses/", {"_form_submitted": "on", "reason": "parcels of today"})
        proposal = Proposal.objects.get()
        assert not Job.objects.exists()

        approve(proposal_id=proposal.pk, by=actor(an_operator(superuser=True)), at=proposal.created_at)
        job = Job.objects.get()
        work(job)

        assert (job.state, job.ok) == ("done", 1)
        assert job.files_expire_at - job.created_at == timedelta(hours=24)
        file = job.files.get(role="result")
        assert file.holds_personal_data
        page = load_workbook(BytesIO(bytes(file.content))).active
        assert page is not None
        assert [cell.value for cell in page[2]][1:4] == ["张三丰", "138 0013 8000", "上海市南京东路1号"]
        export = MemberExport.objects.get(job=job)
        assert (export.holds_phones, export.rows, export.operator_id) == (True, 1, maker.pk)
        assert (
            TimelineEntry.objects.filter(kind="rewards.delivery_address_seen.v1", member=order.member_id).count() == 1
        )
