"""The roles of staff: groups made by migration. What each may do is in the migration and in the groups themselves."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SERVICE = "service"
SERVICE_SUPERVISOR = "service supervisor"
MARKETING = "marketing"
FINANCE = "finance"
STORE = "store"
ADMINISTRATOR = "administrator"
ANALYST = "analyst"

ROLE_NAMES: dict[str, Promise] = {
    SERVICE: _("customer service"),
    SERVICE_SUPERVISOR: _("service supervisor"),
    MARKETING: _("marketing"),
    FINANCE: _("finance"),
    STORE: _("store staff"),
    ADMINISTRATOR: _("administrator"),
    ANALYST: _("analyst"),
}


def role_name(group_name: str) -> str:
    """Return a role's name in the active language; groups that staff made themselves keep theirs."""
    return str(ROLE_NAMES.get(group_name, group_name))
