"""Lists over tables of any size: no full count, no deep page, values of other floors' columns in one query each."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList


class CappedPaginator(Paginator):
    """Pages through the first `CAP` rows. What lies beyond is found by search and filters.

    Counts up to the cap and one more, which costs the same however large the table is; beyond it, an unfiltered
    list tells the planner's estimate of the whole table.
    """

    CAP = 10_000
    template_name = "portal/pagination.html"
    object_list: QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by().values("pk")[: self.CAP + 1].count()

    @cached_property
    def count(self) -> int:
        """How many rows can be paged through."""
        return min(self._counted, self.CAP)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than can be paged through."""
        return self._counted > self.CAP

    @cached_property
    def estimate(self) -> int | None:
        """About how many rows an unfiltered list has; None where it is filtered or small enough to be counted."""
        if not self.is_capped or self.object_list.query.where:
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
                [self.object_list.model._meta.db_table],
            )
            (rows,) = cursor.fetchone()
        return max(rows, self.CAP)


class PortalChangeList(ChangeList):
    """A list of the portal. Tells its admin which rows it shows, so that extra columns are loaded for all at once."""

    result_list: Sequence[Model]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # The same figure twice: the heading then does not offer the list without filters as "all".
        self.full_result_count = self.result_count
        self.result_list = list(self.result_list)
        self.model_admin.load_columns(self.result_list)
