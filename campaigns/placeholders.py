"""The placeholders of message texts. Pure: a text is data that staff wrote, so nothing in it is ever evaluated."""

from collections.abc import Iterator, Mapping
from string import Formatter

PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "tier_raised": frozenset({"name", "tier", "programme", "credits", "valid_until"}),
    "points_expiring": frozenset({"name", "points", "points_name", "last_day", "days", "programme"}),
    "tier_at_risk": frozenset({"name", "tier", "gap", "last_day", "days", "outcome", "programme"}),
    "plan_ends_soon": frozenset({"name", "plan", "last_day", "days", "programme"}),
}


def unknown_placeholders(text: str, occasion: str) -> list[str]:
    """Return what stands between braces in `text` and is no placeholder of the occasion; a lone brace counts as one.

    `{name}` is a placeholder; `{name.__class__}`, `{0}`, `{name!r}` and `{credits:>9}` are not. `{{` is a plain brace.
    """
    known = PLACEHOLDERS[occasion]
    try:
        return [written for written, name in _pieces(text) if name is not None and name not in known]
    except ValueError:
        return ["{" if text.count("{") > text.count("}") else "}"]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its placeholders replaced by `values`. Raises ValueError for one that has no value."""
    parts: list[str] = []
    for written, name in _pieces(text):
        if name is None:
            parts.append(written)
        elif name in values:
            parts.append(values[name])
        else:
            raise ValueError(written)
    return "".join(parts)


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield (literal text, None) and (placeholder as written, its name; empty when more than a name stands there)."""
    for literal, name, spec, conversion in Formatter().parse(text):
        if literal:
            yield literal, None
        if name is not None:
            tail = (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            yield "{" + name + tail + "}", "" if tail else name
