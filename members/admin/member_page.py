"""The member page: the hub of the portal. A head that is always there, and tabs that are loaded when they are opened."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from members.admin import panels
from members.admin.base import actor_of, say_refusal
from members.admin.card_dialogs import CARD_WISHES, card_dialog
from members.admin.household_dialogs import HOUSEHOLD_WISHES, household_dialog
from members.admin.keyset import page_of
from members.admin.phone_wizard import CHANGE as CHANGE_PHONE
from members.admin.phone_wizard import phone_wizard
from members.admin.privacy_dialogs import PRIVACY_WISHES, privacy_dialog
from members.admin.profile_form import edit_profile
from members.admin.sign_ins import SIGN_IN_WISHES, sign_in_dialog
from members.admin.standing_dialogs import STANDING_WISHES, standing_dialog, standing_of
from members.admin.timeline import tell
from members.models import Member, MemberPerson, TimelineEntry
from members.names import mask_name
from members.personal_words import WordsNamePerson
from members.phones import display_phone, mask_phone
from members.queries import family_ids, region
from members.refusals import Refusal
from members.services.personal_data import FIELDS, REASONS, LookWordsMissing, show_person

if TYPE_CHECKING:
    from members.admin.people import MemberAdmin

SEE = "members.view_member"
CHANGE = "members.change_member"
SEE_PERSONAL_DATA = "members.view_personal_data"


class MemberPage:
    """The views of one member."""

    def __init__(self, model_admin: "MemberAdmin") -> None:
        self.model_admin = model_admin

    def show(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page, with the tab that the address names (the first one otherwise)."""
        self.require(request, SEE)
        at = timezone.now()
        member = self.member(unquote(object_id))
        if member.merged_into_id is not None:
            words = _("Member %(number)s was merged into this one.") % {"number": member.member_no}
            messages.info(request, words)
            return HttpResponseRedirect(_address(member.merged_into_id))
        tabs = panels.tabs(request)
        wanted = request.GET.get("tab")
        active = next((tab for tab in tabs if tab.key == wanted), tabs[0])
        context = {
            **self.page_context(request, member),
            "parts": [{"template": part.template, **part.context(member, at)} for part in panels.header_parts(request)],
            "tabs": tabs,
            "active": active,
            "tab": active.context(member, request, at),
            "person": _masked(member),
            "reasons": REASONS,
            "standing": standing_of(member, at),
            "earlier_numbers": list(
                Member.objects.filter(merged_into=member).order_by("pk").values_list("member_no", flat=True)
            ),
            "may_change": request.user.has_perm(CHANGE),
            "may_unmask": request.user.has_perm(SEE_PERSONAL_DATA),
        }
        return render(request, "portal/member/page.html", context)

    def tab(self, request: HttpRequest, member_id: int, key: str) -> HttpResponse:
        """One tab by itself, for the page that is open already; otherwise the whole page with it."""
        self.require(request, SEE)
        tab = next((tab for tab in panels.tabs(request) if tab.key == key), None)
        if tab is None:
            raise Http404
        if "HX-Request" not in request.headers:
            query = request.GET.copy()
            query["tab"] = key
            return HttpResponseRedirect(f"{_address(member_id)}?{query.urlencode()}")
        member = self.member(member_id)
        context = {
            "member": member,
            "tabs": panels.tabs(request),
            "active": tab,
            "tab": tab.context(member, request, timezone.now()),
        }
        return render(request, "portal/member/tab.html", context)

    def person(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Show personal data unmasked, after writing down who looked."""
        self.require(request, SEE_PERSONAL_DATA)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        member = self.member(member_id)
        wanted = request.POST.get("field", "")
        fields = (wanted,) if wanted in FIELDS else FIELDS
        context: dict[str, Any] = {"member": member, "may_unmask": True, "reasons": REASONS}
        try:
            person = show_person(
                member_id=member_id,
                by=actor_of(request),
                at=timezone.now(),
                reason=request.POST.get("reason", "call"),
                words=request.POST.get("words", ""),
                fields=fields,
            )
        except (LookWordsMissing, WordsNamePerson) as refusal:  # the form asks for words, or for others
            shown = _masked(member)
            context |= {"problem": refusal.sentence(), "needs_words": True}
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(_address(member_id))
        else:
            plain = _plain(person)
            shown = _masked(member) | {_SHOWN_AS[name]: plain[_SHOWN_AS[name]] for name in fields}
            context |= {"shown": True, "seen": [_SHOWN_AS[name] for name in fields]}
        answer = render(request, "portal/member/person.html", {**context, "person": shown})
        answer["Cache-Control"] = "no-store"
        return answer

    def edit(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The form of the profile."""
        self.require(request, CHANGE)
        self.require(request, SEE_PERSONAL_DATA)
        return edit_profile(request, self.member(member_id), self.page_context, self.model_admin.media)

    def standing(self, request: HttpRequest, member_id: int, wish: str) -> HttpResponse:
        """A dialog that changes how the membership stands: freeze, unfreeze, leave, stay, reopen."""
        if wish not in STANDING_WISHES:
            raise Http404
        self.require(request, STANDING_WISHES[wish].permission)
        return standing_dialog(request, self.member(member_id), wish)

    def cards(self, request: HttpRequest, member_id: int, wish: str) -> HttpResponse:
        """A dialog about the member's cards and names elsewhere."""
        if wish not in CARD_WISHES:
            raise Http404
        self.require(request, CARD_WISHES[wish].permission)
        return card_dialog(request, self.member(member_id), wish)

    def sign_ins(self, request: HttpRequest, member_id: int, wish: str) -> HttpResponse:
        """A dialog that signs the member out."""
        if wish not in SIGN_IN_WISHES:
            raise Http404
        self.require(request, SIGN_IN_WISHES[wish].permission)
        return sign_in_dialog(request, self.member(member_id), wish)

    def phone(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The two steps to another phone number."""
        self.require(request, CHANGE_PHONE)
        member = self.member(member_id)
        if member.merged_into_id is not None:
            raise Http404
        return phone_wizard(request, member, self.page_context(request, member))

    def handout(self, request: HttpRequest, member_id: int, key: str) -> HttpResponse:
        """A file to hand to the member, as the floor that knows it makes it."""
        self.require(request, SEE)
        handout = next((handout for handout in panels.handouts(request) if handout.key == key), None)
        if handout is None:
            raise Http404
        member = self.member(member_id)
        try:
            content = handout.make(member, timezone.now())
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(f"{_address(member_id)}?tab=identities")
        answer = HttpResponse(content, content_type=handout.content_type)
        answer["Content-Disposition"] = f'attachment; filename="card-{member.member_no}.{handout.suffix}"'
        return answer

    def household(self, request: HttpRequest, member_id: int, wish: str) -> HttpResponse:
        """A dialog about the member's household."""
        if wish not in HOUSEHOLD_WISHES:
            raise Http404
        self.require(request, HOUSEHOLD_WISHES[wish].permission)
        return household_dialog(request, self.member(member_id), wish)

    def privacy(self, request: HttpRequest, member_id: int, wish: str) -> HttpResponse:
        """A dialog about what the member agrees to, or about a copy of the data or its erasure."""
        if wish not in PRIVACY_WISHES:
            raise Http404
        self.require(request, PRIVACY_WISHES[wish].permission)
        return privacy_dialog(request, self.member(member_id), wish)

    def page_context(self, request: HttpRequest, member: Member) -> dict[str, Any]:
        """Return what every page of a member shows around its own content."""
        site = self.model_admin.admin_site
        request.current_app = site.name
        opts = self.model_admin.opts
        return {
            **site.each_context(request),
            "opts": opts,
            "object": member,
            "member": member,
            "title": member.member_no,
        }

    def member(self, member_id: int | str) -> Member:
        """Return the member with who they are, or raise Http404."""
        try:
            return Member.objects.select_related(
                "person", "home_store", "home_region", "channel", "recruiting_source", "inviter"
            ).get(pk=member_id)
        except (Member.DoesNotExist, ValueError) as error:
            raise Http404 from error

    def require(self, request: HttpRequest, permission: str) -> None:
        """Refuse operators who do not hold the permission."""
        if not request.user.has_perm(permission):
            raise PermissionDenied


#: What the page calls the columns of a person.
_SHOWN_AS = {"full_name": "name", "phone": "phone", "email": "email", "birthday": "birthday"}


def _address(member_id: int) -> str:
    return reverse("admin:members_member_change", args=[member_id])


def _masked(member: Member) -> dict[str, Any]:
    person = getattr(member, "person", None)
    if person is None:
        return {"name": "", "phone": "", "email": "", "birthday": ""}
    return {
        "name": mask_name(person.full_name),
        "phone": mask_phone(person.phone, region=region()) if person.phone else "",
        "email": f"{person.email[:1]}***@{person.email.partition('@')[2]}" if person.email else "",
        "birthday": "****" if person.birthday else "",
    }


def _plain(person: MemberPerson) -> dict[str, Any]:
    return {
        "name": person.full_name,
        "phone": display_phone(person.phone, region=region()) if person.phone else "",
        "email": person.email or "",
        "birthday": person.birthday,
    }


def _timeline_tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    page = page_of(
        TimelineEntry.objects.filter(member_id__in=family_ids(member.pk)),
        by=("happened_at", "id"),
        cursor=request.GET.get("cursor", ""),
    )
    return {"page": page, "entries": tell(page.rows)}


panels.register_tab(
    "timeline", label=_("Timeline"), order=10, template="portal/member/timeline.html", context=_timeline_tab
)
