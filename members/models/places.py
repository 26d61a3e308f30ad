"""Where things happen, and where members come from: brands, channels, regions, recruiting sources, stores."""

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


class Region(models.Model):
    """A part of the country as the business cuts it: North › Beijing › Haidian. A tree; the database refuses rings.

    Never deleted: stores, members and figures point here.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("region name"), max_length=60)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("part of"), related_name="parts"
    )

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(parent=models.F("id")), name="region_is_no_part_of_itself")
        ]

    def __str__(self) -> str:
        return self.name


class RecruitingSource(models.Model):
    """What brought somebody to join: a poster, a live stream, a friend. Switched off when it is over, never deleted."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("recruiting source"), max_length=60)
    is_on = models.BooleanField(_("in use"), default=True, help_text=_("Off: it is not offered any more."))

    class Meta:
        verbose_name = _("recruiting source")
        verbose_name_plural = _("recruiting sources")
        ordering = ["code"]

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
    region = models.ForeignKey(
        Region, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("region"), related_name="stores"
    )
    is_open = models.BooleanField(_("open"), default=True)
    street = models.CharField(_("address"), max_length=200, blank=True, db_default="")
    opening_hours = models.CharField(
        _("opening hours"), max_length=120, blank=True, db_default="", help_text=_("As members read them.")
    )
    # GCJ-02, as the maps of the country and `wx.getLocation` have it: what staff copy from a map and what apps send agree.
    latitude = models.DecimalField(
        _("latitude"),
        max_digits=8,
        decimal_places=5,
        null=True,
        blank=True,
        help_text=_("From the map, e.g. 31.23042."),
    )
    longitude = models.DecimalField(
        _("longitude"),
        max_digits=8,
        decimal_places=5,
        null=True,
        blank=True,
        help_text=_("From the map, e.g. 121.47370."),
    )

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(latitude__isnull=True, longitude__isnull=True)
                | models.Q(
                    latitude__isnull=False,
                    latitude__gte=-90,
                    latitude__lte=90,
                    longitude__isnull=False,
                    longitude__gte=-180,
                    longitude__lte=180,
                ),
                name="store_lies_on_the_map",
                violation_error_message=_("Give latitude (-90 to 90) and longitude (-180 to 180), or neither."),
            )
        ]

    def __str__(self) -> str:
        return self.name
