"""Pages of staff accounts."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from members.admin.operator_access import AccessActions
from members.models import Operator, OwnMembership
from members.roles import role_name

admin.site.unregister(Group)  # roles are given to operators; what a role may do is set by migration


class RoleField(forms.ModelMultipleChoiceField):
    """Roles by their names in the reader's language."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, group: Any) -> str:
        return role_name(group.name)


class RoleFilter(RelatedDropdownFilter):
    """Operators of a role."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(group.pk), role_name(group.name)) for group in Group.objects.order_by("pk")]


class OperatorForm(forms.ModelForm):
    """An operator without the field of the password's hash: a new password has a page of its own."""

    class Meta:
        model = Operator
        fields = ("username", "display_name", "email", "is_active", "groups", "stores")


class OwnMembershipInline(TabularInline):
    """The operator's own member accounts, which colleagues see to: nobody says, or unsays, which are their own."""

    model = OwnMembership
    verbose_name_plural = _("Own member accounts (nobody proposes or approves changes of the own account)")
    autocomplete_fields = ("member",)
    extra = 0
    show_title = False

    def has_add_permission(self, request: HttpRequest, obj: Operator | None = None) -> bool:
        return not _is_self(request, obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Operator | None = None) -> bool:
        return not _is_self(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Operator | None = None) -> bool:
        return not _is_self(request, obj) and super().has_delete_permission(request, obj)


def _is_self(request: HttpRequest, operator: Operator | None) -> bool:
    return operator is not None and operator.pk == request.user.pk


@admin.register(Operator)
class OperatorAdmin(AccessActions, UserAdmin):
    """Staff who sign in. Who leaves is made inactive."""

    form = OperatorForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("display_name_or_username", "username", "roles", "is_active", "last_login")
    list_filter = (("groups", RoleFilter), "is_active")
    list_display_links = ("display_name_or_username",)
    search_fields = ("username", "display_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    autocomplete_fields = ("stores",)
    readonly_fields = ("last_login", "date_joined", "second_step_state", "lock_state")
    fieldsets = (
        (None, {"fields": ("username", "display_name", "email", "is_active")}),
        (_("Roles and stores"), {"fields": ("groups", "stores")}),
        (_("Sign-in"), {"fields": ("last_login", "date_joined", "second_step_state", "lock_state")}),
    )
    inlines = (OwnMembershipInline,)
    empty_sentence = _("No operator with this role.")
    add_fieldsets = ((None, {"fields": ("username", "display_name", "groups", "stores", "password1", "password2")}),)

    actions_detail = ("set_password", "end_all_sessions", "take_second_step", "lift_lock")

    @action(description=_("Set a password"), url_path="set-password", permissions=["password"], icon="password")
    def set_password(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Lead to the form of the password; nothing is changed here."""
        return HttpResponseRedirect(reverse("admin:auth_user_password_change", args=[object_id]))

    def has_password_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.change_operator")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operator]:
        people = super().get_queryset(request).filter(is_staff=True)  # not the accounts under which keys propose
        return people.prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            return RoleField(
                queryset=Group.objects.order_by("pk"),
                required=False,
                label=_("Roles"),
                help_text=_("What the operator may see and do. Several roles add up."),
            )
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Operator | None = None) -> bool:
        """Only a superuser changes a superuser: nobody may take more rights by the password of another account."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Operator | None) -> Any:
        return () if obj is None else super().get_inlines(request, obj)

    def save_model(self, request: HttpRequest, obj: Operator, form: forms.ModelForm, change: bool) -> None:
        obj.is_staff = True  # every operator works in the portal; inactive ones can not sign in
        super().save_model(request, obj, form, change)

    @display(description=_("name"), ordering="display_name")
    def display_name_or_username(self, operator: Operator) -> str:
        return str(operator)

    @display(description=_("roles"), label=True)
    def roles(self, operator: Operator) -> list[str]:
        return [role_name(group.name) for group in operator.groups.all()]
