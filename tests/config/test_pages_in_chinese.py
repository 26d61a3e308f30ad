"""The portal walked through in Chinese: no word of English is left on its pages, but for names and what staff typed."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import polib
import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import CharField, TextField
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

from config.translations import CATALOGUES
from tests.factories.portal import a_business, signed_in

WORD = re.compile(r"[A-Za-z]{2,}")
SHOWN_ATTRIBUTES = ("title", "placeholder", "aria-label", "alt")
# The product, abbreviations, forms of files and their columns, the sources of a method, placeholders, a key of the keyboard,
# and each language in itself.
NAMES = re.compile(
    r"Perennial|SKU|API|ISO 4217|CNY|English|zh-hans|zh-hant|\ben\b|\besc\b|Asia/Shanghai|\{\w+\}"
    r"|\bCtrl K\b|\b(?:xlsx|csv|txt|pdf|PDF)\b|ref、result、reason|ref、member、units|IFRS|Cape Cod|Gault、Llaguno、Ménard|CAS E-Forum"
    r"|\bID\b|QR Code|\b(?:cm|MB|CSV|PNG|JPEG|WebP)\b|Google|Microsoft|Apple|WALLET_PASS_\w+|README|Configuration|\b(?:openid|unionid|appid)\b|old-pos"
    r"|\b[A-Z2-7]{32}\b"  # the key of a second step
    r"|Loyalty Rewards and Gift Card Programs: Basic Actuarial Estimation Techniques"
)


class Page(HTMLParser):
    """What a page says, and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[str] = []
        self._silent: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "style", "svg"} or (tag == "span" and "material-symbols" in (given.get("class") or "")):
            self._silent.append(tag)  # icons are written as their English names
        self.said += [text for name in SHOWN_ATTRIBUTES if (text := given.get(name))]
        if tag == "input" and given.get("type") in {"submit", "button"}:
            self.said.append(given.get("value") or "")
        self.links += [link for name in ("href", "hx-get") if (link := given.get(name)) and link.startswith("/")]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.said.append(data.strip())


def starting_points() -> Iterator[str]:
    """Return the home page, and the list and the empty form of every model that staff work with."""
    yield reverse("admin:index")
    for model in admin.site._registry:
        for page in ("changelist", "add"):
            try:
                yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}")
            except NoReverseMatch:
                continue


def pages(client: Client) -> Iterator[tuple[str, Page]]:
    """Walk from link to link and return each kind of page once, and what it says."""
    kinds: set[str] = set()
    waiting = list(starting_points())
    while waiting:
        address = waiting.pop(0)
        kind = re.sub(r"\d+", "N", address.partition("?")[0])
        if kind in kinds or not kind.startswith("/admin/") or "logout" in kind or "jsi18n" in kind:
            continue
        kinds.add(kind)
        answer = client.get(address, follow=True, headers={"hx-request": "true"} if "/tab/" in kind else {})
        if answer.status_code == 200 and "html" in answer["Content-Type"]:
            page = Page(answer.text)
            waiting += page.links
            yield kind, page


def typed_in() -> list[str]:
    """Return every text in the database that has Latin letters and that the pages do not say themselves, longest first."""
    own = {entry.msgid for entry in polib.pofile(str(CATALOGUES / "zh_Hans" / "LC_MESSAGES" / "django.po"))}
    texts: set[str] = set()
    for model in apps.get_models():
        columns = [field.name for field in model._meta.concrete_fields if isinstance(field, CharField | TextField)]
        for row in model._default_manager.values_list(*columns) if columns else ():
            texts.update(text for text in row if isinstance(text, str) and WORD.search(text))
    texts |= {capfirst(text) for text in texts if text.startswith("http")}  # as a heading
    return sorted(texts - own, key=len, reverse=True)


@pytest.fixture
def business(db: None) -> None:
    a_business(2)


@pytest.mark.parametrize("language", ["zh-hans", "zh-hant"])
@pytest.mark.usefixtures("business")
def test_no_page_has_a_word_of_english(language: str) -> None:
    client = signed_in(superuser=True, language=language)
    typed = typed_in()
    # Codes that are words of the pages too; they stand in these lists and forms alone.
    codes = {
        "app",
        "import",
        "staff",
        "till",
        "member",
        "mini-program",
        "points",
        "review",
        "birthday",
        "phone",
        "number",
        "name",
        "event",
    }
    code_words = re.compile(rf"(?<![A-Za-z-])(?:{'|'.join(codes)})(?![A-Za-z-])")
    code_pages = re.compile(
        r"/(channel|tier|pointscurrency|activity|activitykind|onboardingtask|recruitingsource|memberimport|reasoncode|offlinebatch)/"
    )
    found: dict[str, set[str]] = {}
    walked = 0
    for kind, page in pages(client):
        walked += 1
        for said in page.said:
            if "/webhookdelivery/" in kind and said.startswith(("{", "evt_")):
                continue  # what was sent, for the engineer at the other end
            rest = said
            for text in typed:
                if text in rest and WORD.search(rest):
                    rest = re.sub(rf"(?<![A-Za-z]){re.escape(text)}(?![A-Za-z])", "", rest)
            rest = NAMES.sub("", rest)
            if code_pages.search(kind):
                rest = code_words.sub("", rest)
            if WORD.search(rest):
                found.setdefault(kind, set()).add(said)
    assert not found, "\n".join(f"{kind}: {said}" for kind, said in found.items())
    assert walked > 60


@pytest.mark.parametrize("language", ["zh-hans", "zh-hant"])
def test_the_sign_in_has_no_word_of_english(db: None, language: str) -> None:
    page = Page(Client(headers={"accept-language": language}).get(reverse("admin:login")).text)
    assert len(page.said) > 5
    assert [said for said in page.said if WORD.search(NAMES.sub("", said))] == []


def test_english_is_noticed() -> None:
    page = Page(
        '<p title="Freeze">冻结 <span class="material-symbols-outlined">home</span></p><input type="submit" value="Save">'
    )
    assert page.said == ["Freeze", "冻结", "Save"]
