"""Segments to begin with: conditions that most programmes need, registered by the floor that owns their facts."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Template:
    """A condition with a name, and what it is good for. The figures in it are a beginning, to be changed."""

    code: str
    name: str | Promise
    purpose: str | Promise
    condition: dict[str, Any]


_templates: dict[str, Template] = {}


def register_template(template: Template) -> None:
    """Register a template. Called once, from `AppConfig.ready()`. Raises ValueError for a code that is taken."""
    if _templates.setdefault(template.code, template) is not template:
        raise ValueError(f"{template.code} is registered twice")


def templates() -> list[Template]:
    """Return all templates, those of lower floors first."""
    return list(_templates.values())


def template(code: str) -> Template | None:
    """Return the template with this code, or None."""
    return _templates.get(code)


def register() -> None:
    """Register the templates of members. Called once, from `AppConfig.ready()`."""
    active = {"fact": "members.status", "op": "in", "value": ["active"]}
    register_template(
        Template(
            "birthday_this_month",
            _("Birthday this month"),
            _("A greeting and a gift in the month of the birthday."),
            {"all": [active, {"fact": "members.is_birthday_month", "op": "is", "value": True}]},
        )
    )
    register_template(
        Template(
            "joined_lately",
            _("Joined in the last 30 days"),
            _("A welcome, and the first tasks."),
            {"all": [active, {"fact": "members.joined_days", "op": "lte", "value": 30}]},
        )
    )
