"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from campaigns.models import MessageTemplate, Promotion


@register(Promotion)
class PromotionTexts(TranslationOptions):
    fields = ("name",)


@register(MessageTemplate)
class MessageTemplateTexts(TranslationOptions):
    fields = ("title", "body")
