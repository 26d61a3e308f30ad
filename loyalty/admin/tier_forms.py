"""The form of a tier: its texts, its colour, and its picture."""

from typing import ClassVar

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanSwitchWidget

from loyalty.models import Tier
from loyalty.pictures import MOST_BYTES, PictureTooLarge, badge_picture
from members.refusals import Refusal


class TierForm(forms.ModelForm):
    """A tier. What is uploaded is drawn anew; `picture` is then the PNG that is kept, or nothing."""

    picture = forms.FileField(
        label=_("New picture"), required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP, 1 MB at most, square at best. Members see it beside the tier's name."),
    )  # fmt: skip
    no_picture = forms.BooleanField(
        label=_("Without a picture"), required=False, widget=UnfoldBooleanSwitchWidget,
        help_text=_("The picture is taken away; the colour is shown again."),
    )  # fmt: skip

    class Meta:
        model = Tier
        fields: ClassVar[list[str]] = []  # as the page says

    def clean_picture(self) -> bytes | None:
        """Return the picture as it is kept, or None where none was chosen."""
        sent = self.cleaned_data.get("picture")
        if not isinstance(sent, UploadedFile):
            return None
        try:
            if (sent.size or 0) > MOST_BYTES:  # not even read
                raise PictureTooLarge(limit=MOST_BYTES // 1_000_000)
            return badge_picture(sent.read())
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence()) from refusal
