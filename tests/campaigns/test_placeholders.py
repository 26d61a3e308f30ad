"""Texts that staff wrote are filled in, never evaluated."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import MessageTemplate
from campaigns.placeholders import PLACEHOLDERS, filled, unknown_placeholders

UNSAFE = [
    "{name.__class__}",
    "{0}",
    "{}",
    "{name!r}",
    "{credits:>9}",
    "{name[0]}",
    "{name.__init__.__globals__}",
    "{tier:{name}}",
    "{secret}",
]


class TestUnknownPlaceholders:
    @pytest.mark.parametrize("written", UNSAFE)
    def test_names_whatever_is_more_than_a_known_name(self, written: str) -> None:
        assert unknown_placeholders(f"Dear {written}!", "tier_raised") == [written]

    @pytest.mark.parametrize("text", ["Dear {name", "Dear name}", "{", "}", "{name}}"])
    def test_names_a_lone_brace(self, text: str) -> None:
        assert unknown_placeholders(text, "tier_raised") in (["{"], ["}"])

    @pytest.mark.parametrize("text", ["", "100 % {{sure}}", "{name} {tier} {programme} {credits} {valid_until}"])
    def test_accepts_the_known_ones_and_doubled_braces(self, text: str) -> None:
        assert unknown_placeholders(text, "tier_raised") == []


class TestFilled:
    def test_puts_values_in_as_they_are(self) -> None:
        values = {"name": "{tier.__class__} %s", "tier": "Gold"}
        assert filled("{name} is {tier}, {{really}}", values) == "{tier.__class__} %s is Gold, {really}"

    @pytest.mark.parametrize("written", UNSAFE)
    def test_refuses_what_has_no_value(self, written: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            filled(f"Dear {written}", {"name": "Ann", "credits": "1", "tier": "Gold"})

    @given(text=st.text(alphabet="{}n.am_e!r:0 tier", max_size=30))
    def test_works_for_every_text_that_was_accepted(self, text: str) -> None:
        values = dict.fromkeys(PLACEHOLDERS["tier_raised"], "X")
        if unknown_placeholders(text, "tier_raised"):
            with pytest.raises(ValueError, match=r"."):
                filled(text, values)
        else:
            assert filled(text, values) == text.replace("{name}", "X").replace("{tier}", "X").replace(
                "{{", "{"
            ).replace("}}", "}")


@pytest.mark.django_db
class TestTemplate:
    def test_refuses_unknown_placeholders_in_any_language(self) -> None:
        template = MessageTemplate.objects.get(occasion="tier_raised")
        template.full_clean()
        vars(template).update(body_zh_hant="{name}，您好 {phone}", title_en="{name.__class__}")
        with pytest.raises(ValidationError) as refused:
            template.full_clean()
        assert "{phone}" in str(refused.value)
        assert "{name.__class__}" in str(refused.value)
