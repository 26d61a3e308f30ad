"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from loyalty.models import Benefit, Tier


@register(Tier)
class TierTexts(TranslationOptions):
    fields = ("name",)


@register(Benefit)
class BenefitTexts(TranslationOptions):
    fields = ("name", "sentence")
