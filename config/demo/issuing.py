"""How the demo's members came by vouchers beside rewards: two offers that they claim from, and a gift to a friend."""

from datetime import datetime, timedelta
from functools import partial

from config.demo.business import Names, texts
from config.demo.scenes import Scene, Scenes
from members.actors import Actor
from rewards.models import VoucherClaim, VoucherOffer, VoucherTemplate
from rewards.services.voucher_claims import claim_by_code, claim_offer
from rewards.services.voucher_gifts import accept_gift, gift_token, offer_gift
from rewards.services.voucher_offers import begin_draft, scan_code, start_offer

COFFEE: Names = ("领券喝咖啡", "領券喝咖啡", "Claim ¥5 off coffee")
TABLE: Names = ("扫桌码领满减券", "掃桌碼領滿減券", "Scan the table code")
NEXT: Names = ("周末双倍积分（筹备中）", "週末雙倍積分（籌備中）", "Double points at the weekend (being prepared)")
#: Days ago, members who claim on that day.
CLAIMS = ((8, 9), (7, 14), (6, 11), (5, 7), (3, 5), (1, 6))


class VouchersComing(Scenes):
    """Offers of the last days."""

    def planned(self) -> list[Scene]:
        """Return two offers that start, one that is still a draft, the claims, and a gift."""
        claims = [Scene(self._when(days, 13), partial(self._claim, count=count)) for days, count in CLAIMS]
        return [Scene(self._when(9, 9), self._begin), *claims, Scene(self._when(2, 18), self._give)]

    def _begin(self, at: datetime) -> None:
        self._offer(COFFEE, "coffee-5", at, total_limit=500, ends_at=at + timedelta(days=21))
        self._offer(TABLE, "every-100", at, by_button=False, by_scan=True, per_member_limit=2)
        self._offer(NEXT, "double-weekend", at + timedelta(days=14), starts=False)

    def _offer(self, names: Names, template: str, begins_at: datetime, *, starts: bool = True, **terms: object) -> None:
        offer = VoucherOffer(
            **texts("name", names), template=VoucherTemplate.objects.get(code=template), begins_at=begins_at, **terms
        )
        begin_draft(offer, at=begins_at)
        offer.save()
        if starts:
            start_offer(offer_id=offer.pk, by=self.staff["marketing"], at=begins_at)

    def _claim(self, at: datetime, count: int) -> None:
        coffee, table = (VoucherOffer.objects.get(name_zh_hans=names[0]) for names in (COFFEE, TABLE))
        for place, member in enumerate(self._buyers(at, count)):
            by = Actor("member", member.pk)
            key, moment = f"demo:{member.pk}:{at.isoformat()}", at + timedelta(minutes=7 * place)
            if place % 3:
                claim_offer(member_id=member.pk, offer_ref=coffee.public_id, request_id=key, by=by, at=moment)
            else:
                claim_by_code(
                    member_id=member.pk, code=scan_code(table), request_id=key, took_ms=self.random.randint(1_200, 6_800), by=by,
                    at=moment,
                )  # fmt: skip

    def _give(self, at: datetime) -> None:
        """Somebody gives a coffee voucher to a friend, who accepts it the same evening."""
        claim = (
            VoucherClaim.objects.filter(offer__name_zh_hans=COFFEE[0], voucher__state="issued").order_by("-pk").first()
        )
        if claim is None:
            return
        friends = [member for member in self._buyers(at, 2) if member.pk != claim.member_id]
        gift = offer_gift(
            member_id=claim.member_id, voucher_id=claim.voucher_id, by=Actor("member", claim.member_id), at=at
        )
        for friend in friends[:1]:
            accept_gift(
                member_id=friend.pk, token=gift_token(gift), by=Actor("member", friend.pk), at=at + timedelta(hours=2)
            )
