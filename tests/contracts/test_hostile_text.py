"""Control 22: what members, other systems and staff wrote is text on every page, never markup or a template."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import DatabaseError, connection, models, transaction
from django.urls import reverse

from campaigns.placeholders import filled, unknown_placeholders
from members.models import Member, MemberPerson
from tests.contracts.test_admin import address
from tests.factories.histories import a_small_history
from tests.factories.portal import a_business, a_named_member, signed_in

EVIL = "<u id=evil>\"'&{{7*7}}{%x%}"
WRITTEN = re.compile(
    r"(name|title|reason|note|label|body|subject_line|text|comment|words|description|city|purpose|pinyin|account|external)"
)
NOT_TEXT = re.compile(r"(^kind$|code|username|file_sha|natural_key)")
# Words that are chosen by code, whatever their columns are called.
CHOSEN = {"campaigns.Message.note"}
TABS = ("timeline", "points", "tier", "vouchers", "orders", "profile", "privacy", "tags", "decisions", "consents")


def smuggle() -> set[str]:
    """Write EVIL into every column that holds free text, wherever the database lets; return which."""
    taken = set()
    for model in apps.get_models():
        for field in model._meta.local_fields:
            is_text = isinstance(field, models.CharField | models.TextField) and not field.choices and not field.unique
            if (
                not is_text
                or f"{model._meta.label}.{field.name}" in CHOSEN
                or not WRITTEN.search(field.name)
                or NOT_TEXT.search(field.name)
            ):
                continue
            if not model._meta.app_label.startswith(("members", "loyalty", "rewards", "campaigns")):
                continue
            # Into every row; where a name may be used only once, into one.
            for rows in ("", f' WHERE ctid = (SELECT min(ctid) FROM "{model._meta.db_table}")'):
                try:
                    with transaction.atomic(), connection.cursor() as cursor:
                        table, column = model._meta.db_table, field.column
                        cursor.execute(f'UPDATE "{table}" SET "{column}" = %s{rows}', [EVIL[: field.max_length or 200]])
                        if cursor.rowcount:
                            taken.add(f"{model._meta.label}.{column}")
                            break
                except DatabaseError:
                    continue  # a constraint, or history: what stands there came in otherwise
    return taken


def is_free_of_markup(text: str) -> bool:
    return "<u id=evil" not in text and "id=evil>" not in text


@pytest.mark.django_db
class TestHostileText:
    def test_is_shown_as_text_on_every_page(self) -> None:
        a_business(1)
        member, _redeemed = a_small_history()
        MemberPerson.objects.get_or_create(member=member, defaults={"full_name": "x"})
        taken = smuggle()
        assert {"members.MemberPerson.full_name", "members.Store.name_en", "members.Segment.name"} <= taken
        assert len(taken) > 30, sorted(taken)
        client = signed_in(superuser=True)
        wheres = [reverse("admin:index"), reverse("admin:members_member_person", args=[member.pk])]
        for model in admin.site._registry:
            row = model._default_manager.first()
            wheres += [address(model, "changelist"), address(model, "change", row.pk) if row else ""]
        page = reverse("admin:members_member_change", args=[member.pk])
        wheres += [f"{page}?tab={tab}" for tab in TABS]
        seen, wrong = 0, []
        for where in filter(None, wheres):
            answer = client.post(where) if where.endswith("/person/") else client.get(where, follow=True)
            assert answer.status_code == 200, where
            seen += "&lt;u id=evil" in answer.text
            if not is_free_of_markup(answer.text):
                wrong.append(where)
        assert wrong == []
        assert seen > 20, "the text stands on many pages"

    @pytest.mark.parametrize("typed", [EVIL, "<script>alert(1)</script>", "{{settings.SECRET_KEY}}"])
    def test_typed_into_a_search_is_shown_as_text(self, typed: str) -> None:
        client = signed_in("service")
        a_named_member()
        for where in (reverse("admin:members_member_changelist"), reverse("admin:rewards_purchase_changelist")):
            text = client.get(where, {"q": typed}).text
            assert typed not in text.replace("{{settings.SECRET_KEY}}", "" if "<" not in typed else typed)
            assert is_free_of_markup(text)
            assert "<script>alert(1)" not in text

    def test_in_a_name_is_no_markup_in_the_answers_to_the_find_box_and_in_the_form(self) -> None:
        for digits in ("13912345678", "13812345678"):
            member = a_named_member("x", digits)
            MemberPerson.objects.filter(member=member).update(full_name=EVIL)
        client = signed_in("service")
        found = client.post(reverse("admin:members_member_find"), {"text": f"{Member.objects.first().member_no}"})  # type: ignore[union-attr]
        assert found.status_code == 302
        edit = client.get(reverse("admin:members_member_edit", args=[member.pk])).text
        assert is_free_of_markup(edit)
        assert "&lt;u id=evil" in edit


class TestTextsOfMessages:
    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ("{{settings.SECRET_KEY}}", "{settings.SECRET_KEY}"),  # doubled braces are plain ones
            ("{{{{settings.SECRET_KEY}}}}", "{{settings.SECRET_KEY}}"),
            ("%(name)s %s {{% debug %}}", "%(name)s %s {% debug %}"),
            ("<script>{name}</script>", "<script>Ann</script>"),  # plain text, in which markup is none
        ],
    )
    def test_are_filled_in_and_never_run(self, written: str, sent: str) -> None:
        assert unknown_placeholders(written, "tier_raised") == []
        assert filled(written, {"name": "Ann"}) == sent

    @pytest.mark.parametrize("written", ["{settings.SECRET_KEY}", "{name.__class__}", "{% debug %}", "${7*7}"])
    def test_that_ask_for_more_than_a_known_name_are_not_saved_and_not_sent(self, written: str) -> None:
        assert unknown_placeholders(written, "tier_raised") != []
        with pytest.raises(ValueError, match=r".+"):
            filled(written, {"name": "Ann"})

    def test_do_not_run_what_stands_in_a_name(self) -> None:
        for name in ("{{settings.SECRET_KEY}}", "{name.__class__}", "{% debug %}"):
            assert filled("Dear {name}!", {"name": name}) == f"Dear {name}!"
