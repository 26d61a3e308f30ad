"""Cards of members: printed in batches before they belong to anybody, or electronic."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member
from members.models.places import Store

#: Digits of a card number besides those of its batch: the running number and the check digit.
RUNNING_DIGITS = 8
MOST_CARDS = 100_000


class CardBatch(models.Model):
    """A print run of cards. Its cards have the prefix, a running number of eight digits and a Luhn check digit."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    name = models.CharField(_("name of the batch"), max_length=80)
    prefix = models.CharField(
        _("first digits"),
        max_length=8,
        help_text=_("Four to eight digits with which every number of the batch begins. The first one is not 0."),
    )
    first_running = models.PositiveIntegerField(_("first running number"), editable=False)
    quantity = models.PositiveIntegerField(
        _("number of cards"), help_text=_("At most 100,000; print more in several batches.")
    )
    store = models.ForeignKey(
        Store,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("store"),
        help_text=_("Where the cards are given out. Empty: everywhere."),
    )
    made_at = models.DateTimeField(_("made at"), editable=False)

    class Meta:
        verbose_name = _("batch of cards")
        verbose_name_plural = _("batches of cards")
        constraints = [
            models.CheckConstraint(condition=Q(prefix__regex=r"^[1-9][0-9]{3,7}$"), name="card_prefix_is_digits"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MOST_CARDS), name="card_batch_has_a_sensible_size"
            ),
            models.CheckConstraint(
                condition=Q(first_running__lte=10**RUNNING_DIGITS - F("quantity")),
                name="card_numbers_keep_their_length",
            ),
        ]
        indexes = [models.Index(fields=["-made_at", "-id"], name="card_batch_newest_first")]

    def __str__(self) -> str:
        return self.name


class Card(models.Model):
    """One card with its number. In stock, in use by a member, or ended: lost, replaced, given back. Never deleted.

    A lost card names the one that came after it. The number says nothing of who has the card.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        IN_STOCK = "in_stock", pgettext_lazy("card", "in stock")
        IN_USE = "in_use", pgettext_lazy("card", "in use")
        LOST = "lost", pgettext_lazy("card", "lost")
        REPLACED = "replaced", pgettext_lazy("card", "replaced")
        RETURNED = "returned", pgettext_lazy("card", "given back")

    batch = models.ForeignKey(
        CardBatch, on_delete=models.PROTECT, related_name="cards", verbose_name=pgettext_lazy("card", "batch")
    )
    number = models.CharField(_("card number"), max_length=17, unique=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.IN_STOCK, db_default=State.IN_STOCK.value
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, related_name="cards", verbose_name=_("member")
    )
    bound_at = models.DateTimeField(_("given out at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    replaced_by = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="replaces", verbose_name=_("replaced by")
    )

    class Meta:
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        constraints = [
            models.CheckConstraint(condition=Q(number__regex=r"^[1-9][0-9]{12,16}$"), name="card_number_is_digits"),
            models.CheckConstraint(
                condition=Q(state="in_stock", member__isnull=True, bound_at__isnull=True, ended_at__isnull=True)
                | Q(state="in_use", member__isnull=False, bound_at__isnull=False, ended_at__isnull=True)
                | Q(state__in=["lost", "replaced", "returned"], member__isnull=False, ended_at__isnull=False),
                name="card_state_fits_its_dates",
            ),
            models.UniqueConstraint(fields=["member"], condition=Q(state="in_use"), name="member_has_one_card_in_use"),
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True) | Q(state__in=["lost", "replaced"]),
                name="card_in_use_has_no_successor",
            ),
        ]

    def __str__(self) -> str:
        return self.number
