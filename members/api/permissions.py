"""Who may call which part of the API. Nothing is open by default."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from members.api.authentication import MemberCaller, TillCaller

if TYPE_CHECKING:  # the views' module reads the default permission while it is being loaded
    from rest_framework.views import APIView


class DenyAll(BasePermission):
    """The default: a view that names no permission answers nobody."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return False


class Public(BasePermission):
    """Anybody: what a poster in the shop would say, too."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return True


class IsMember(BasePermission):
    """A member, for what is their own."""

    message = _("This needs a member's token.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, MemberCaller)


class TillScope(BasePermission):
    """A till whose key was given the scope of the class."""

    scope: ClassVar[str]
    message = _("This key does not have the scope that is needed.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, TillCaller) and request.user.may(self.scope)


def till_may(scope: str) -> type[TillScope]:
    """Return the permission for tills with this scope."""
    attributes: dict[str, Any] = {"scope": scope, "__doc__": f"A till whose key has {scope}.", "__module__": __name__}
    return type(f"TillMay_{scope.replace('.', '_')}", (TillScope,), attributes)
