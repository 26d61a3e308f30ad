"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from rewards.models import (
    Category,
    CharityProject,
    EarnRule,
    Partner,
    PointsCurrency,
    ReasonCode,
    Reward,
    RewardCategory,
    RewardImage,
    VoucherOffer,
    VoucherTemplate,
)


@register(PointsCurrency)
class PointsCurrencyTexts(TranslationOptions):
    fields = ("name",)


@register(EarnRule)
class EarnRuleTexts(TranslationOptions):
    fields = ("name",)


@register(Category)
class CategoryTexts(TranslationOptions):
    fields = ("name",)


@register(Reward)
class RewardTexts(TranslationOptions):
    fields = ("name", "description", "event_place")


@register(RewardCategory)
class RewardCategoryTexts(TranslationOptions):
    fields = ("name",)


@register(RewardImage)
class RewardImageTexts(TranslationOptions):
    fields = ("alt",)


@register(VoucherTemplate)
class VoucherTemplateTexts(TranslationOptions):
    fields = ("name", "terms", "gift")


@register(VoucherOffer)
class VoucherOfferTexts(TranslationOptions):
    fields = ("name",)


@register(ReasonCode)
class ReasonCodeTexts(TranslationOptions):
    fields = ("label", "member_text")


@register(CharityProject)
class CharityProjectTexts(TranslationOptions):
    fields = ("name", "description")


@register(Partner)
class PartnerTexts(TranslationOptions):
    fields = ("name", "unit_name")
