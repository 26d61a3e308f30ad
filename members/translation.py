"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from members.models import ActivityKind, Brand, Channel, Programme, Store


@register(Programme)
class ProgrammeTexts(TranslationOptions):
    fields = ("name", "points_name")


@register(Brand)
class BrandTexts(TranslationOptions):
    fields = ("name",)


@register(Channel)
class ChannelTexts(TranslationOptions):
    fields = ("name",)


@register(Store)
class StoreTexts(TranslationOptions):
    fields = ("name",)


@register(ActivityKind)
class ActivityKindTexts(TranslationOptions):
    fields = ("name",)
