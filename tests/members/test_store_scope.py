"""What staff of a store may see: their stores; without a store, none."""

import pytest
from django.contrib.auth.models import Group
from django.test import RequestFactory

from members import roles
from members.admin.base import store_scope
from members.models import Brand, Operator, Store

pytestmark = pytest.mark.django_db


def scope_of(operator: Operator) -> frozenset[int] | None:
    """Return the scope of a request of this operator."""
    request = RequestFactory().get("/admin/")
    request.user = operator
    return store_scope(request)


def somebody(*role_names: str, stores: list[Store] | None = None, superuser: bool = False) -> Operator:
    """Return an operator with these roles and stores."""
    operator = Operator.objects.create(username="somebody", is_staff=True, is_superuser=superuser)
    operator.groups.set(Group.objects.filter(name__in=role_names))
    operator.stores.set(stores or [])
    return operator


@pytest.fixture
def store() -> Store:
    return Store.objects.create(code="S1", name="S1", brand=Brand.objects.create(code="b", name="B"))


class TestStoreScope:
    def test_of_store_staff_is_their_stores(self, store: Store) -> None:
        assert scope_of(somebody(roles.STORE, stores=[store])) == {store.pk}

    def test_of_store_staff_without_a_store_is_no_store(self, store: Store) -> None:
        assert scope_of(somebody(roles.STORE)) == frozenset()

    def test_of_somebody_without_a_role_is_no_store(self, store: Store) -> None:
        assert scope_of(somebody()) == frozenset()

    @pytest.mark.parametrize("role", [roles.FINANCE, roles.SERVICE, roles.ADMINISTRATOR])
    def test_of_the_other_roles_is_not_limited(self, store: Store, role: str) -> None:
        assert scope_of(somebody(role)) is None

    def test_of_the_other_roles_with_a_store_is_that_store(self, store: Store) -> None:
        assert scope_of(somebody(roles.MARKETING, stores=[store])) == {store.pk}

    def test_of_a_superuser_is_not_limited(self, store: Store) -> None:
        assert scope_of(somebody(superuser=True)) is None
