"""What holds for every model, whoever wrote it."""

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import CASCADE, Field, Model
from pghistory.models import Event

FLOORS = ["members", "loyalty", "rewards", "campaigns", "analytics"]
MODELS = [model for label in FLOORS for model in apps.get_app_config(label).get_models()]
# Their history is kept in models that pghistory makes from them.
WRITTEN_BY_HAND = [model for model in MODELS if not issubclass(model, Event)]
# Names of fields that hold something of a person.
PERSONAL = re.compile(
    r"(^|_)(full_name|first_name|last_name|display_name|nickname|username|pinyin|initials|phone|mobile|email|birthday|address|openid|id_card|ip)($|_)"
)
SENTENCE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+){2,}$")
MADE_UP_BY_DJANGO = re.compile(r"(_[0-9a-f]{8}(_\w+)?$)|(_uniq$)|(_check$)|(_idx$)")


def named(model: type[Model]) -> object:
    return pytest.param(model, id=model._meta.label)


def relations(model: type[Model]) -> Iterator[tuple[str, type[Model]]]:
    """Yield (field, model it points at)."""
    for field in [*model._meta.local_fields, *model._meta.local_many_to_many]:
        if field.is_relation:
            target = field.related_model
            assert isinstance(target, type)
            yield field.name, target


class TestEveryModel:
    def test_belongs_to_a_floor(self) -> None:
        others = ("django", "rest_", "unfold", "modeltranslation", "pg", "drf_")
        ours = {config.label for config in apps.get_app_configs() if not config.name.startswith(others)}
        assert ours == {*FLOORS, "config"}

    @pytest.mark.parametrize("model", [named(model) for model in MODELS])
    def test_points_down_or_level(self, model: type[Model]) -> None:
        above = FLOORS[FLOORS.index(model._meta.app_label) + 1 :]
        assert [name for name, target in relations(model) if target._meta.app_label in above] == []

    @pytest.mark.parametrize("model", [named(model) for model in MODELS])
    def test_has_no_generic_relation(self, model: type[Model]) -> None:
        assert model._meta.private_fields == []

    @pytest.mark.parametrize("model", [named(model) for model in MODELS])
    def test_names_its_constraints_as_sentences(self, model: type[Model]) -> None:
        names = [constraint.name for constraint in model._meta.constraints]
        assert [name for name in names if not SENTENCE.match(name) or MADE_UP_BY_DJANGO.search(name)] == []
        assert not model._meta.unique_together

    @pytest.mark.parametrize("model", [named(model) for model in MODELS])
    def test_declares_its_personal_data(self, model: type[Model]) -> None:
        assert "personal_data" in vars(model), "write personal_data = () when there is none"
        declared = set(model.personal_data)  # type: ignore[attr-defined]
        fields = {field.name for field in model._meta.get_fields() if isinstance(field, Field)}
        assert declared <= fields
        looking_personal = {name for name in fields if PERSONAL.search(name)}
        assert looking_personal - declared == set()

    @pytest.mark.parametrize("model", [named(model) for model in WRITTEN_BY_HAND])
    def test_says_what_one_row_is(self, model: type[Model]) -> None:
        assert model.__doc__
        assert not model.__doc__.startswith(f"{model.__name__}(")  # Django's own list of the fields

    @pytest.mark.parametrize("model", [named(model) for model in WRITTEN_BY_HAND])
    def test_tells_apart_rows_without_asking_the_database(self, model: type[Model]) -> None:
        assert "__str__" in vars(model)

    def test_deletes_nothing_along_with_another_row(self) -> None:
        cascading = [
            f"{model._meta.label}.{field.name}"
            for model in MODELS
            for field in model._meta.local_fields
            if field.remote_field is not None and field.remote_field.on_delete is CASCADE
        ]
        assert cascading == []


@pytest.mark.django_db
class TestHistory:
    @pytest.mark.parametrize("model", [named(model) for model in MODELS if getattr(model, "append_only", False)])
    def test_refuses_changes_by_triggers_in_the_database(self, model: type[Model]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgname, tgenabled, tgtype FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
                [model._meta.db_table],
            )
            triggers = {name: (enabled, kind) for name, enabled, kind in cursor.fetchall()}
        row = triggers[f"{model._meta.db_table}_is_history"]
        whole = triggers[f"{model._meta.db_table}_is_not_emptied"]
        before, on_delete, on_update, on_truncate = 2, 8, 16, 32
        assert row[0] == whole[0] == "O"
        assert row[1] & (before | on_delete | on_update) == before | on_delete | on_update
        assert whole[1] & (before | on_truncate) == before | on_truncate
