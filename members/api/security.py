"""How the published description names the two kinds of bearer secrets."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class MemberTokenScheme(OpenApiAuthenticationExtension):
    """A member's token."""

    target_class = "members.api.authentication.MemberAuthentication"
    name = "memberToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "mt_…",
            "description": "A member's token, valid for two hours.",
        }


class TillKeyScheme(OpenApiAuthenticationExtension):
    """A till's key."""

    target_class = "members.api.authentication.TillAuthentication"
    name = "tillKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "pk_live_…",
            "description": "A till's key, shown once when it is issued.",
        }
