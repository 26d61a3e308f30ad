"""Where upper floors put their parts of the member pages: tabs, parts of the header, columns and filters of the list.

Registered when the admin of each app is discovered, once per process.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import ListFilter
from django.http import HttpRequest
from django.utils.functional import Promise

from members.models import Member

Text = str | Promise
# What a template gets. `at` is the moment the page was asked for.
TabContext = Callable[[Member, HttpRequest, datetime], dict[str, Any]]
HeaderContext = Callable[[Member, datetime], dict[str, Any]]
# Ids of the members on the page → what to show for each; a member that is missing shows a dash.
ColumnLoader = Callable[[Sequence[int]], Mapping[int, Any]]
# The file for a member at a moment. May raise refusals.
HandoutMaker = Callable[[Member, datetime], bytes]
# Why it can not be had by anybody at a moment, in a sentence; empty when it can.
HandoutMissing = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the member page, loaded when it is opened."""

    key: str
    label: Text
    order: int
    template: str
    context: TabContext
    permission: str


@dataclass(frozen=True, slots=True)
class HeaderPart:
    """A part of the member page that is always seen."""

    key: str
    order: int
    template: str
    context: HeaderContext
    permission: str


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column of the member list."""

    key: str
    label: Text
    order: int
    load: ColumnLoader


@dataclass(frozen=True, slots=True)
class Handout:
    """A file that staff may hand to a member beside the electronic card."""

    key: str
    label: Text
    order: int
    content_type: str
    suffix: str
    make: HandoutMaker
    missing: HandoutMissing
    permission: str


_tabs: dict[str, Tab] = {}
_header: dict[str, HeaderPart] = {}
_columns: dict[str, ListColumn] = {}
_filters: list[type[ListFilter]] = []
_handouts: dict[str, Handout] = {}


def register_tab(
    key: str, *, label: Text, order: int, template: str, context: TabContext, permission: str = "members.view_member"
) -> None:
    """Add a tab to the member page for those who hold the permission."""
    _tabs[key] = Tab(key, label, order, template, context, permission)


def register_header(
    key: str, *, order: int, template: str, context: HeaderContext, permission: str = "members.view_member"
) -> None:
    """Add a part to the head of the member page for those who hold the permission."""
    _header[key] = HeaderPart(key, order, template, context, permission)


def register_list_column(key: str, *, label: Text, order: int, load: ColumnLoader) -> None:
    """Add a column to the member list. `load` is called once for each page of the list."""
    _columns[key] = ListColumn(key, label, order, load)


def register_list_filter(list_filter: type[ListFilter]) -> None:
    """Add a filter to the member list."""
    _filters.append(list_filter)


def register_handout(
    key: str,
    *,
    label: Text,
    order: int,
    content_type: str,
    suffix: str,
    make: HandoutMaker,
    missing: HandoutMissing,
    permission: str = "members.view_member",
) -> None:
    """Add a file to what can be handed to a member, for those who hold the permission."""
    _handouts[key] = Handout(key, label, order, content_type, suffix, make, missing, permission)


def tabs(request: HttpRequest) -> list[Tab]:
    """Return the tabs that the operator may open, in order."""
    allowed = [tab for tab in _tabs.values() if request.user.has_perm(tab.permission)]
    return sorted(allowed, key=lambda tab: tab.order)


def header_parts(request: HttpRequest) -> list[HeaderPart]:
    """Return the parts of the header that the operator may see, in order."""
    allowed = [part for part in _header.values() if request.user.has_perm(part.permission)]
    return sorted(allowed, key=lambda part: part.order)


def handouts(request: HttpRequest) -> list[Handout]:
    """Return the files that the operator may hand out, in order."""
    allowed = [handout for handout in _handouts.values() if request.user.has_perm(handout.permission)]
    return sorted(allowed, key=lambda handout: handout.order)


def list_columns() -> list[ListColumn]:
    """Return the columns of upper floors, in order."""
    return sorted(_columns.values(), key=lambda column: column.order)


def list_filters() -> list[type[ListFilter]]:
    """Return the filters of upper floors."""
    return list(_filters)
