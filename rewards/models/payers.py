"""Who paid for orders, as far as a till tells it and nobody can read it."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models import Member
from rewards.models.purchases import Purchase


class PurchasePayer(models.Model):
    """The payment account of one order, as a keyed hash: it says which orders were paid alike, and not by whom.

    For the rule that looks for one payer behind many members. Written once with its order, where the till names a payer;
    deleted when its time is over, or when the person of the member is erased.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("payer",)

    purchase = models.OneToOneField(
        Purchase, on_delete=models.PROTECT, primary_key=True, related_name="payer", verbose_name=_("purchase")
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    payer = models.BinaryField(_("hash of the payment account"), max_length=32)
    paid_at = models.DateTimeField(_("paid at"))

    class Meta:
        verbose_name = _("payer of a purchase")
        verbose_name_plural = _("payers of purchases")
        indexes = [
            models.Index(fields=["payer", "paid_at"], name="purchases_of_payer"),
            models.Index(fields=["member", "paid_at"], name="payers_of_member"),
            models.Index(fields=["paid_at"], name="payers_by_moment"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
