"""Forms of segments and tags."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from members.admin.condition_editor import ConditionField
from members.admin.dialogs import ReasonDialog
from members.models import Segment, Tag
from members.services.tags import CODE

_MOST_PASTED = 2_000_000


def _text(label: Any, length: int, *, required: bool = True, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, max_length=length, required=required, widget=UnfoldAdminTextInputWidget, help_text=help_text
    )


class SegmentForm(forms.Form):
    """What a segment is called and whom it means. The sort is asked only for a new one."""

    name = _text(_("Name"), 80)
    note = _text(_("Note"), 200, required=False, help_text=_("What it is for. For colleagues."))
    kind = forms.ChoiceField(
        label=_("Sort"),
        choices=Segment.Kind.choices,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Kept up to date: members come and go by themselves. Fixed list: those of the moment, for ever."),
    )

    def __init__(
        self, data: Any = None, *, address: str, initial: dict[str, Any], is_new: bool, has_condition: bool = True
    ) -> None:
        super().__init__(data, initial=initial)
        if has_condition:
            self.fields["condition"] = ConditionField(address=address, label=_("Who belongs to it"))
        if not is_new:
            del self.fields["kind"]


class ListForm(forms.Form):
    """A fixed list made of numbers that staff have."""

    name = _text(_("Name"), 80)
    note = _text(_("Note"), 200, required=False, help_text=_("What it is for. For colleagues."))
    numbers = forms.CharField(
        label=_("Members"),
        required=False,
        max_length=_MOST_PASTED,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        help_text=_("Member numbers or phone numbers, one on each line."),
    )
    file = forms.FileField(
        label=_("or a file"),
        required=False,
        widget=forms.FileInput(attrs={"class": " ".join(INPUT_CLASSES), "accept": ".csv,.txt"}),
        help_text=_("Text or CSV; the first column is read."),
    )

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if not found.get("numbers", "").strip() and not found.get("file"):
            self.add_error("numbers", _("Write some numbers, or choose a file."))
        return found

    def content(self) -> tuple[str, bytes]:
        """Return the name and the content of what was given."""
        file = self.cleaned_data.get("file")
        if file:
            return file.name, file.read()
        return "list.txt", self.cleaned_data["numbers"].encode()


class TagForm(forms.Form):
    """What a tag is, and, for an automatic one, on whom it hangs. The code and the sort are asked only for a new one."""

    code = forms.RegexField(
        CODE,
        label=_("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("A word of small letters. It can not be changed later."),
    )
    name = _text(_("Name"), 40)
    note = _text(_("Note"), 200, required=False, help_text=_("What it means. For colleagues."))
    colour = forms.ChoiceField(label=_("Colour"), choices=Tag.Colour.choices, widget=UnfoldAdminSelectWidget)
    keep_days = forms.IntegerField(
        label=_("Falls off after (days)"),
        min_value=1,
        max_value=3_660,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Empty: it stays until it is taken off. For tags without a rule."),
    )
    is_on = forms.BooleanField(label=_("In use"), required=False, widget=UnfoldBooleanSwitchWidget)

    def __init__(self, data: Any = None, *, address: str, initial: dict[str, Any], tag: Tag | None) -> None:
        super().__init__(data, initial=initial)
        if tag is None:
            del self.fields["is_on"]
        else:
            del self.fields["code"]
        if tag is None or tag.rule_id:
            self.fields["condition"] = ConditionField(
                address=address,
                label=_("Rule"),
                help_text=_("With a rule the tag hangs on whoever meets it, and on nobody else."),
            )
        if tag is not None and tag.rule_id:
            del self.fields["keep_days"]

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if found.get("condition") and found.get("keep_days"):
            self.add_error("keep_days", _("A tag with a rule falls off when the rule is no longer met."))
        return found


class TagDialog(ReasonDialog):
    """Which tag, and why."""

    tag = forms.TypedChoiceField(label=_("Tag"), coerce=int)
    field_order = ("tag", "reason")

    def __init__(self, request: Any, object_id: int, data: Any = None, **kwargs: Any) -> None:
        super().__init__(request, object_id, data, **kwargs)
        tags = Tag.objects.filter(is_on=True, rule__isnull=True).order_by("name")[:500]
        field = self.fields["tag"]
        field.choices = [(tag.pk, tag.name) for tag in tags]
        field.widget.attrs["class"] = " ".join(INPUT_CLASSES)
