"""Pictures of rewards: what staff upload, drawn anew in three sizes."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rewards.models.catalog import Reward


class RewardPicture(models.Model):
    """One size of a picture that a reward has, or had, as WebP, named by what is in it. Never changed or removed.

    Kept in the database, as the pictures of tiers are: every process has them, and they are in every backup.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    digest = models.CharField(_("digest"), max_length=64, primary_key=True)
    content = models.BinaryField(_("content"))
    width = models.PositiveSmallIntegerField(_("width (pixels)"))
    height = models.PositiveSmallIntegerField(_("height (pixels)"))
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("picture of a reward")
        verbose_name_plural = _("pictures of rewards")
        constraints = [
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="picture_of_a_reward_has_a_digest"
            ),
            models.CheckConstraint(condition=Q(width__gt=0, height__gt=0), name="picture_of_a_reward_has_a_size"),
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class RewardImage(models.Model):
    """A picture on the page of a reward, in three sizes, with words for who can not see it. History is kept."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="images", verbose_name=_("reward"))
    alt = models.CharField(
        _("what the picture shows"), max_length=120, help_text=_("Read out to members who can not see it.")
    )
    colour = models.CharField(_("main colour"), max_length=7, help_text=_("Shown until the picture is there."))
    small = models.ForeignKey(
        RewardPicture, on_delete=models.PROTECT, related_name="+", verbose_name=_("200 pixels"), db_index=False
    )
    medium = models.ForeignKey(
        RewardPicture, on_delete=models.PROTECT, related_name="+", verbose_name=_("600 pixels"), db_index=False
    )
    large = models.ForeignKey(
        RewardPicture, on_delete=models.PROTECT, related_name="+", verbose_name=_("1200 pixels"), db_index=False
    )
    sort_order = models.PositiveSmallIntegerField(_("order on the page"), default=100)

    class Meta:
        verbose_name = _("image of a reward")
        verbose_name_plural = _("images of rewards")
        ordering = ["reward", "sort_order", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(colour__regex=r"^#[0-9a-f]{6}$"), name="main_colour_is_six_hex_digits")
        ]

    def __str__(self) -> str:
        return self.alt
