"""Pages of what belongs to a reward: its pictures, and the pool of its digital codes, which nobody reads again."""

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from members.admin.base import actor_of, say_refusal
from members.figures import grouped
from members.refusals import Refusal
from members.tables.lists import ListRow, read_list
from rewards.models import DigitalCode, Reward, RewardImage
from rewards.services.digital_codes import (
    LONGEST_CODE,
    MOST_CODES,
    Pool,
    add_codes,
    codes_left,
    read_codes,
    take_codes_out,
)
from rewards.services.reward_images import MOST_BYTES, MOST_IMAGES, save_reward_picture

if TYPE_CHECKING:
    from rewards.admin.catalog import RewardAdmin

CHANGE: Final = "rewards.change_reward"
CODES: Final = "rewards.upload_digital_codes"
_MOST_CODE_BYTES: Final = 4 * 1_048_576
_COLUMN: Final = {"code": ("code", "codes", "兑换码", "卡密", "兌換碼", "序號", "序号")}
_ALT: Final = tuple((code.replace("-", "_"), label) for code, label in settings.LANGUAGES)


class PictureForm(forms.Form):
    """A picture, and what it shows in three languages."""

    file = forms.FileField(
        label=gettext_lazy("Picture (PNG, JPEG or WebP)"), widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy("It is drawn anew in three sizes; what else the file carries is left out."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number, (suffix, label) in enumerate(_ALT):
            self.fields[f"alt_{suffix}"] = forms.CharField(
                label=_("What it shows (%(language)s)") % {"language": label}, max_length=120, required=number == 0,
                widget=UnfoldAdminTextInputWidget,
                help_text=_("Read out to members who can not see it.") if number == 0 else "",
            )  # fmt: skip

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        return file

    def alt(self) -> dict[str, str]:
        """Return the words by the suffix of their column."""
        return {suffix: self.cleaned_data[f"alt_{suffix}"] for suffix, _label in _ALT}


class CodesForm(forms.Form):
    """A file of codes, and until when they can be used."""

    file = forms.FileField(
        label=gettext_lazy("List of codes (xlsx or csv)"), widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy("One column: code. The list is only checked first; no code is shown again."),
    )  # fmt: skip
    expires_at = forms.SplitDateTimeField(
        label=gettext_lazy("Can be used until"), required=False, widget=UnfoldAdminSplitDateTimeWidget,
        help_text=gettext_lazy("Empty: without end."),
    )  # fmt: skip
    is_meant = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean_file(self) -> Any:
        """Refuse what is too large before it is read."""
        file = self.cleaned_data["file"]
        if file.size > _MOST_CODE_BYTES:
            raise forms.ValidationError(_("The file is too large."))
        return file


class GoodsPages:
    """The views."""

    def __init__(self, model_admin: "RewardAdmin") -> None:
        self.model_admin = model_admin

    def pictures(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """The pictures of a reward, and the form that adds one."""
        self._require(request, CHANGE)
        reward = self._reward(reward_id)
        form = PictureForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                save_reward_picture(
                    reward_id=reward.pk, content=form.cleaned_data["file"].read(), alt=form.alt(), at=timezone.now()
                )
            except Refusal as refusal:
                form.add_error("file", refusal.sentence())
            else:
                messages.success(request, _("The picture is on the page of the reward."))
                return HttpResponseRedirect(reverse("admin:rewards_reward_pictures", args=[reward.pk]))
        context = {
            **self._context(request, _("Pictures of “%(reward)s”") % {"reward": reward.name}, reward, form),
            "images": list(RewardImage.objects.filter(reward=reward).order_by("sort_order", "pk")),
            "most": MOST_IMAGES,
        }
        return render(request, "portal/rewards/pictures.html", context)

    def remove(self, request: HttpRequest, reward_id: int, image_id: int) -> HttpResponse:
        """Take a picture off the page of a reward; or put it first."""
        self._require(request, CHANGE)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        images = RewardImage.objects.filter(reward=reward_id, pk=image_id)
        if request.POST.get("do") == "first":
            first = RewardImage.objects.filter(reward=reward_id).order_by("sort_order").first()
            for image in images:
                image.sort_order = max(first.sort_order - 1, 0) if first else 100
                image.save(update_fields=["sort_order"])
        else:
            images.delete()
            messages.success(request, _("The picture is taken off."))
        return HttpResponseRedirect(reverse("admin:rewards_reward_pictures", args=[reward_id]))

    def codes(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """The pool of a reward: how many are left, and the form that adds codes after a dry run."""
        self._require(request, CODES)
        reward = self._reward(reward_id)
        if reward.kind != Reward.Kind.DIGITAL:
            raise Http404
        at = timezone.now()
        form = CodesForm(request.POST or None, request.FILES or None)
        found, unread = None, ""
        if request.method == "POST" and form.is_valid():
            try:
                lines, unread = _lines(form.cleaned_data["file"])
                if form.cleaned_data["is_meant"]:
                    if unread:
                        messages.warning(request, unread)
                    return self._add(request, reward, lines, form)
                found = read_codes(lines)
            except Refusal as refusal:
                form.add_error("file", refusal.sentence())
        context = {
            **self._context(request, _("Codes of “%(reward)s”") % {"reward": reward.name}, reward, form),
            "pool": codes_left([reward.pk], at).get(reward.pk, Pool()),
            "found": found,
            "unread": unread,
            "most": MOST_CODES,
            "may_take_out": DigitalCode.objects.filter(reward=reward, state=DigitalCode.State.FREE).exists(),
        }
        return render(request, "portal/rewards/codes.html", context)

    def take_out(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """Take the codes that were not given out of the pool, for good, after their number was typed."""
        self._require(request, CODES)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        reward, at = self._reward(reward_id), timezone.now()
        free = codes_left([reward.pk], at).get(reward.pk, Pool()).free
        if request.POST.get("typed", "").strip() != str(free):
            messages.error(
                request, _("Type the number of codes that are left: %(number)s.") % {"number": grouped(free)}
            )
        else:
            number = take_codes_out(reward_id=reward.pk, by=actor_of(request), at=at)
            words = ngettext("%(codes)s code was taken out.", "%(codes)s codes were taken out.", number)
            messages.success(request, words % {"codes": grouped(number)})
        return HttpResponseRedirect(reverse("admin:rewards_reward_codes", args=[reward.pk]))

    def _add(self, request: HttpRequest, reward: Reward, lines: list[str], form: CodesForm) -> HttpResponse:
        try:
            added, left_out = add_codes(
                reward_id=reward.pk,
                codes=lines,
                expires_at=form.cleaned_data["expires_at"],
                by=actor_of(request),
                at=timezone.now(),
            )
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            words = ngettext("%(codes)s code was added.", "%(codes)s codes were added.", added)
            messages.success(request, words % {"codes": grouped(added)})
            if left_out:
                words = ngettext("%(codes)s was left out.", "%(codes)s were left out.", left_out)
                messages.warning(request, words % {"codes": grouped(left_out)})
        return HttpResponseRedirect(reverse("admin:rewards_reward_codes", args=[reward.pk]))

    def _reward(self, reward_id: int) -> Reward:
        reward = Reward.objects.filter(pk=reward_id).first()
        if reward is None:
            raise Http404
        return reward

    def _require(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def _context(self, request: HttpRequest, title: str, reward: Reward, form: forms.Form) -> dict[str, Any]:
        site = self.model_admin.admin_site
        request.current_app = site.name
        shown = {"opts": self.model_admin.opts, "title": title, "reward": reward, "form": form}
        return {**site.each_context(request), **shown, "media": self.model_admin.media + form.media}


def _lines(file: Any) -> tuple[list[str], str]:
    """Return the codes of a list, as they stand in it, and a sentence about rows that can not be read; empty for none.

    One character more than a code may have is kept, so that none is cut to fit.
    """
    rows = read_list(
        name=file.name, content=file.read(), columns=_COLUMN, needed=("code",), most_rows=MOST_CODES,
        most_cell=LONGEST_CODE + 1,
    )  # fmt: skip
    return [row.cells.get("code", "") for row in rows if not row.problem], _unread([row for row in rows if row.problem])


def _unread(rows: list[ListRow]) -> str:
    """Return a sentence about rows that can not be read, without what stands in them."""
    if not rows:
        return ""
    words = ngettext(
        "Row %(number)s can not be read and is left out. A long number is only read from a column formatted as text.",
        "%(rows)s rows can not be read and are left out; the first is row %(number)s. Long numbers are only read from a "
        "column formatted as text.",
        len(rows),
    )
    return words % {"rows": grouped(len(rows)), "number": grouped(rows[0].number)}
