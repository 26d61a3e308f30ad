"""What a browser would send of a form on a page."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collects the fields of the form that holds a given field."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, list[str]]] = []
        self._form: dict[str, list[str]] | None = None
        self._select: tuple[str, list[str], list[str]] | None = None
        self._textarea: tuple[str, list[str]] | None = None
        self._multiple = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self._form = {}
            self.forms.append(self._form)
        name = found.get("name")
        if self._form is None or "disabled" in found:
            return
        if tag == "input" and name and found.get("type") not in ("submit", "button", "file"):
            if found.get("type") not in ("checkbox", "radio") or "checked" in found:
                self._form.setdefault(name, []).append(
                    found.get("value") or ("on" if found.get("type") == "checkbox" else "")
                )
        elif tag == "select" and name:
            self._select = (name, [], [])
        elif tag == "option" and self._select:
            self._select[1].append(found.get("value") or "")
            if "selected" in found:
                self._select[2].append(found.get("value") or "")
        elif tag == "textarea" and name:
            self._textarea = (name, [])
        if tag == "select":
            self._multiple = "multiple" in found

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._textarea[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "select" and self._select and self._form is not None:
            name, values, chosen = self._select
            sent = chosen if chosen or self._multiple else values[:1]
            if sent:
                self._form.setdefault(name, []).extend(sent)
            self._select = None
        if tag == "textarea" and self._textarea and self._form is not None:
            name, parts = self._textarea
            self._form.setdefault(name, []).append("".join(parts).removeprefix("\n"))
            self._textarea = None


def form_on(page: str, field: str) -> dict[str, list[str]]:
    """Return what would be sent of the form that has a field of this name: all values by name."""
    reader = _Reader()
    reader.feed(page)
    return next(form for form in reader.forms if field in form)
