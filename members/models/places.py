"""Where things happen: brands, channels, stores."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _


class Brand(models.Model):
    """A brand of the business. Stores belong to one."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("brand name"), max_length=80)

    class Meta:
        verbose_name = _("brand")
        verbose_name_plural = _("brands")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Channel(models.Model):
    """A way in which members meet us: a till, a mini-program, a web shop, an import."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        TILL = "till", _("till")
        MINI_PROGRAM = "mini_program", _("mini-program")
        APP = "app", _("app")
        WEB = "web", _("web shop")
        IMPORT = "import", _("import")
        STAFF = "staff", _("staff")

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("channel name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["till", "mini_program", "app", "web", "import", "staff"]),
                name="channel_kind_is_known",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Store(models.Model):
    """A place that sells. Closed stores stay, because facts point at them."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    code = models.CharField(_("store code"), max_length=30, unique=True)
    name = models.CharField(_("store name"), max_length=80)
    city = models.CharField(_("city"), max_length=40, blank=True)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, verbose_name=_("brand"), related_name="stores")
    is_open = models.BooleanField(_("open"), default=True)

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name
