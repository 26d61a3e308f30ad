"""What every page of the portal has in common: bounded lists, no deletion, scope by store, sentences for refusals."""

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Field, Model, OuterRef, Q, QuerySet
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from modeltranslation.utils import build_localized_fieldname
from unfold.admin import ModelAdmin, TabularInline

from members import roles
from members.actors import Actor
from members.admin.paging import CappedPaginator, PortalChangeList
from members.models import Operator
from members.refusals import Refusal


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in member of staff as one who acts."""
    return Actor("operator", request.user.pk)


def store_scope(request: HttpRequest) -> frozenset[int] | None:
    """Return the stores to which the operator's view is limited; None when it is not.

    Store staff without a store see no store at all: a store that was forgotten must not open the whole chain.
    """
    known: dict[str, frozenset[int] | None] = vars(request)
    if "store_scope" not in known:
        operator = cast(Operator, request.user)
        others = Group.objects.filter(user=OuterRef("pk")).exclude(name=roles.STORE)
        rows = Operator.objects.filter(pk=operator.pk).order_by().values_list("stores", Exists(others))
        stores = frozenset(store for store, _has_others in rows if store is not None)
        has_other_roles = operator.is_superuser or any(has_others for _store, has_others in rows)
        known["store_scope"] = None if has_other_roles and not stores else stores
    return known["store_scope"]


def in_store_scope(request: HttpRequest, path: str) -> Q:
    """Return `store_scope` as a condition on the store at `path`, without a query of its own: for what stands on every page."""
    operator = cast(Operator, request.user)
    stores = Operator.stores.through.objects.filter(operator=operator.pk)
    others = Group.objects.filter(user=operator.pk).exclude(name=roles.STORE)
    is_free = ~Exists(stores) if operator.is_superuser else ~Exists(stores) & Exists(others)
    return Q(is_free) | Q(**{f"{path}__in": stores.values("store")})


def say_refusal(request: HttpRequest, refusal: Refusal) -> None:
    """Tell the operator why it was not done."""
    messages.error(request, refusal.sentence())


class Badge(tuple[Any, Any]):
    """A state for a coloured label: its key, which chooses the colour, and its text, which forms show without colour."""

    def __new__(cls, key: Any, text: Any) -> "Badge":
        return super().__new__(cls, (key, text))

    def __str__(self) -> str:
        return str(self[1])


class StaffAdmin(ModelAdmin):
    """A page of the portal. Nothing is deleted here; related rows are not made in pop-ups; lists stay bounded."""

    list_per_page = 25
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets count every choice
    list_disable_select_all = True
    list_filter_submit = True
    warn_unsaved_form = True
    save_on_top = False
    actions: Any = None
    empty_value_display = "–"
    paginator: Any = CappedPaginator
    #: What an empty list says: what will stand here and how it comes about.
    empty_sentence: ClassVar[str | Promise] = _("Nothing here yet.")
    #: The path to the store by which the view of store staff is limited.
    store_path: ClassVar[str] = ""
    #: Whether a row has no name that means something to staff, only numbers of the database.
    is_nameless: ClassVar[bool] = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PortalChangeList]:
        return PortalChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list. What is typed into its search box is posted, and looked up under what may stand in an address."""
        if request.method != "POST" or SEARCH_VAR not in request.POST:
            return super().changelist_view(request, extra_context)
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        asked = request.POST.copy()
        text = str(asked.pop(SEARCH_VAR)[-1]).strip()
        asked.pop("csrfmiddlewaretoken", None)
        if text:
            asked[SEARCH_VAR] = self.for_address(text)
        return HttpResponseRedirect(f"{request.path}?{asked.urlencode()}" if asked else request.path)

    def for_address(self, text: str) -> str:
        """Return what stands in the address for what was typed: nothing by which a person is reached."""
        return text

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Load, in a bounded number of queries, what the columns of these rows need beyond the list's own query."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        scope = store_scope(request) if self.store_path else None
        return queryset if scope is None else queryset.filter(**{f"{self.store_path}__in": scope})

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {"show_save_and_add_another": False, **(extra_context or {})}
        if self.is_nameless:
            context |= {
                "original": "",
                "subtitle": "",
            }  # the heading then ends with the list, and the window has no number
        return super().changeform_view(request, object_id, form_url, context)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        formfield = super().formfield_for_dbfield(db_field, request, **kwargs)
        if formfield and isinstance(formfield.widget, RelatedFieldWidgetWrapper):
            widget = formfield.widget
            widget.can_add_related = widget.can_change_related = False
            widget.can_delete_related = widget.can_view_related = False
        return formfield


class TranslatedAdmin(StaffAdmin, TranslationAdmin):
    """A page of texts in three languages: a tab for each language, beside what needs no translation."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        translated = [name for name in self.get_fields(request, obj) if name in self.trans_opts.all_fields]
        plain = [name for name in self.get_fields(request, obj) if name not in translated]
        tabs = [
            (label, {"fields": [build_localized_fieldname(name, language) for name in translated], "classes": ["tab"]})
            for language, label in settings.LANGUAGES
        ]
        return [(None, {"fields": plain}), *tabs]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.readonly_fields)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        formfield = super().formfield_for_dbfield(db_field, request, **kwargs)
        original = getattr(db_field, "translated_field", None)
        if formfield and original is not None:
            formfield.label = capfirst(original.verbose_name)  # the tab names the language
        return formfield


class HistoryAdmin(StaffAdmin):
    """What happened. It can be read and searched, never changed. Newest first; other orders would sort the whole table."""

    sortable_by = ()
    list_display_links: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """Parts of a fact, shown with it to whoever may see the fact."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False
    show_title = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.get_model_admin(self.parent_model).has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
