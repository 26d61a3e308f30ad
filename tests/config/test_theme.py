"""What we lean on in the theme's own files. When an update changes one of them, look at ours beside it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import unfold
from django.contrib import admin
from django.template.loader import get_template

from config.portal import PortalSite

TEMPLATES = Path(unfold.__file__).parent / "templates"

# The theme's file → (what of ours follows it, its SHA-256 when ours was written).
FOLLOWED = {
    "unfold/helpers/empty_results.html": (
        "templates/unfold/helpers/empty_results.html",
        "830db82d60f52b85f55ec9c54658e438370fc3067887e4defd80b628d4e68112",
    ),
    "unfold/helpers/pagination_default.html": (
        "templates/portal/pagination.html",
        "fad73d3c053476ef02975f5967f82c38835f73293cd92e2fec35968a07d659eb",
    ),
    "admin/login.html": (
        "templates/admin/login.html",
        "13deb7765ce366590d73a58f260f438aa8a3580851a7540b542c451e445c6b78",
    ),
    "admin/index.html": (
        "templates/admin/index.html",
        "dd345254af4ffc9aa1ed138264233f8d8c8706e13e0593b29c3af123207a2884",
    ),
    "admin/search_form.html": (
        "templates/admin/search_form.html",
        "6fffbeaa10f677b5b098cc9fadf6d4481dd0356e8dcb72b5851390ba95878bf9",
    ),
    "unfold/helpers/tab_action.html": (
        "templates/portal/member/page.html",
        "40518d8d9cf27606c0cdfc5e21d1d5cca0d2027413223927db84e6cd064114df",
    ),
    "unfold/helpers/dialog.html": (
        "members/admin/member_page.py",
        "695471a2c53d357d59e360bf24f0032de4248430e0b499bd3bf542309289ac95",
    ),
}


class TestTheTheme:
    @pytest.mark.parametrize("name", FOLLOWED)
    def test_still_has_the_file_that_ours_follows(self, name: str) -> None:
        ours, expected = FOLLOWED[name]
        found = hashlib.sha256((TEMPLATES / name).read_bytes()).hexdigest()
        assert found == expected, f"{name} changed in the theme: compare {ours}, then write {found} here"

    def test_is_served_by_our_site(self) -> None:
        assert isinstance(admin.site, PortalSite)

    @pytest.mark.parametrize("name", ["unfold/helpers/empty_results.html", "admin/index.html", "admin/login.html"])
    def test_gives_way_to_our_templates(self, name: str) -> None:
        found: Any = get_template(name)
        assert not Path(found.origin.name).is_relative_to(TEMPLATES)
