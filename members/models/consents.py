"""Consent: what members said yes or no to, in which words, and what follows from it now."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member


class Purpose(models.TextChoices):
    """What a member may say yes or no to."""

    CONTACT = "contact", _("being contacted at all")
    SERVICE = "service", _("notices about one's own membership")
    MARKETING = "marketing", pgettext_lazy("purpose", "offers and news")
    RESEARCH = "research", _("surveys and interviews")
    PERSONALISATION = "personalisation", _("offers chosen by what one did")
    BEHAVIOUR = "behaviour", _("recording of what one looks at")
    SENSITIVE = "sensitive", _("sensitive details of the profile")
    SHARING = "sharing", _("passing on to partners")


class ContactChannel(models.TextChoices):
    """A way to reach a member."""

    EMAIL = "email", _("e-mail")
    SMS = "sms", _("text message")
    WECHAT = "wechat", _("WeChat")
    APP = "app", _("app")
    PHONE = "phone", _("phone call")
    POST = "post", _("letter")


class ConsentText(models.Model):
    """One version of the words that are put to members for one purpose. Never changed: a new version replaces it.

    In force from `valid_from` until the next version of its purpose begins; consents keep naming the one they saw.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    version = models.PositiveSmallIntegerField(_("version"))
    body = models.TextField(_("text"), max_length=2000)
    valid_from = models.DateTimeField(_("valid from"))

    class Meta:
        verbose_name = _("text of a consent")
        verbose_name_plural = _("texts of consents")
        permissions = [("publish_consenttext", "Can publish the words that members agree to")]
        ordering = ["purpose", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["purpose", "version"], name="versions_of_a_consent_are_numbered"),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="purpose_of_text_is_known"),
            models.CheckConstraint(condition=Q(version__gt=0), name="consent_texts_begin_with_one"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} v{self.version}"


class ConsentEntry(models.Model):
    """One yes or no of one member, for one purpose and channel ("" where a purpose has no channels). Never changed.

    A yes names the text that was seen. Stays, under the member's pseudonym, when the person is erased: it is the proof
    that what was done was allowed.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Decision(models.TextChoices):
        GIVEN = "given", pgettext_lazy("consent", "given")
        WITHDRAWN = "withdrawn", pgettext_lazy("consent", "withdrawn")
        CLEARED = "cleared", pgettext_lazy("consent", "as if never asked")

    class Way(models.TextChoices):
        SELF = "self", _("by the member in an app")
        CALL = "call", _("on the phone")
        STORE = "store", _("in a store")
        PAPER = "paper", _("on paper")
        MESSAGE = "message", _("by answering a message")
        IMPORT = "import", _("from another system")
        MERGE = "merge", _("when two records were merged")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="consents", verbose_name=_("member"), db_index=False
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    channel = models.CharField(_("channel"), max_length=10, choices=ContactChannel, blank=True)
    decision = models.CharField(_("decision"), max_length=10, choices=Decision)
    text = models.ForeignKey(
        ConsentText,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("text that was seen"),
        db_index=False,
    )
    way = models.CharField(_("how it was said"), max_length=10, choices=Way)
    by_guardian = models.BooleanField(_("said by a parent or guardian"), default=False)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        permissions = [("record_consent", "Can record what members agree to, and stop all contact")]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="purpose_of_consent_is_known"),
            models.CheckConstraint(
                condition=Q(channel__in=["", *ContactChannel.values]), name="channel_of_consent_is_known"
            ),
            models.CheckConstraint(
                condition=Q(decision__in=["given", "withdrawn", "cleared"]), name="decision_of_consent_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(decision="given") | Q(text__isnull=False), name="consent_given_names_its_text"
            ),
        ]
        indexes = [
            models.Index(fields=["member", "purpose", "channel", "-happened_at", "-id"], name="consents_of_member")
        ]

    def __str__(self) -> str:
        return f"{self.purpose}/{self.channel}: {self.decision}"


class ConsentState(models.Model):
    """What is in force for one member, purpose and channel: the last entry of the ledger, for look-ups of whole audiences."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="consent_states", verbose_name=_("member"), db_index=False
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    channel = models.CharField(_("channel"), max_length=10, choices=ContactChannel, blank=True)
    is_given = models.BooleanField(_("given"))
    by_guardian = models.BooleanField(_("said by a parent or guardian"), default=False)
    since_at = models.DateTimeField(_("since"))
    entry = models.ForeignKey(
        ConsentEntry, on_delete=models.PROTECT, related_name="+", verbose_name=_("consent"), db_index=False
    )

    class Meta:
        verbose_name = _("consent in force")
        verbose_name_plural = _("consents in force")
        constraints = [
            models.UniqueConstraint(fields=["member", "purpose", "channel"], name="consent_has_one_state"),
        ]
        indexes = [
            # Few say no to everything; whole audiences are checked against them.
            models.Index(
                fields=["member"], name="members_not_to_be_contacted", condition=Q(purpose="contact", is_given=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose}/{self.channel}"
