"""Texts of staff that exist once per language."""

from modeltranslation.translator import TranslationOptions, register

from members.models import (
    ActivityKind,
    AttributeChoice,
    Brand,
    Channel,
    ClosingReason,
    ConsentText,
    MemberAttribute,
    OnboardingTask,
    Programme,
    RecruitingSource,
    Region,
    Store,
)


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
    fields = ("name", "street", "opening_hours")


@register(ActivityKind)
class ActivityKindTexts(TranslationOptions):
    fields = ("name",)


@register(Region)
class RegionTexts(TranslationOptions):
    fields = ("name",)


@register(RecruitingSource)
class RecruitingSourceTexts(TranslationOptions):
    fields = ("name",)


@register(ClosingReason)
class ClosingReasonTexts(TranslationOptions):
    fields = ("name",)


@register(MemberAttribute)
class MemberAttributeTexts(TranslationOptions):
    fields = ("name", "purpose", "unit")


@register(AttributeChoice)
class AttributeChoiceTexts(TranslationOptions):
    fields = ("name",)


@register(ConsentText)
class ConsentTexts(TranslationOptions):
    fields = ("body",)


@register(OnboardingTask)
class OnboardingTaskTexts(TranslationOptions):
    fields = ("name", "hint")
