"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from loyalty.models import Badge, Benefit, Plan, Stage, StageTask, Tier


@register(Tier)
class TierTexts(TranslationOptions):
    fields = ("name",)


@register(Badge)
class BadgeTexts(TranslationOptions):
    fields = ("name", "text", "title")


@register(Stage)
class StageTexts(TranslationOptions):
    fields = ("name", "text")


@register(StageTask)
class StageTaskTexts(TranslationOptions):
    fields = ("name", "text")


@register(Benefit)
class BenefitTexts(TranslationOptions):
    fields = ("name", "sentence")


@register(Plan)
class PlanTexts(TranslationOptions):
    fields = ("name", "text")
