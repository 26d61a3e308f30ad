"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from loyalty.models import Plan, Tier


@register(Tier)
class TierTexts(TranslationOptions):
    fields = ("name",)


@register(Plan)
class PlanTexts(TranslationOptions):
    fields = ("name", "text")
