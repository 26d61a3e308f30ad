"""Pages of cards: batches, which are printed from a list of numbers, and single cards by number."""

import csv
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.links import member_link
from members.figures import grouped
from members.models import Card, CardBatch
from members.refusals import Refusal
from members.services.cards import make_batch

CARD_COLOURS = {"in_stock": "info", "in_use": "success", "lost": "danger", "replaced": "info", "returned": "info"}


class BatchForm(forms.ModelForm):
    """How many cards, and how their numbers begin."""

    class Meta:
        model = CardBatch
        fields = ("name", "prefix", "quantity", "store")


@admin.register(CardBatch)
class CardBatchAdmin(HistoryAdmin):
    """Print runs of cards, newest first. Made here; the numbers are taken as a file for the printer."""

    form = BatchForm
    list_display = ("name", "prefix", "quantity_shown", "store", "made_at")
    list_display_links = ("name",)
    list_select_related = ("store",)
    ordering = ("-made_at", "-id")
    autocomplete_fields = ("store",)
    actions_detail = ("numbers",)
    store_path = "store"
    empty_sentence = _("No cards yet. Make a batch, have its numbers printed, and give the cards out at the till.")

    def get_fields(self, request: HttpRequest, obj: CardBatch | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "prefix", "quantity", "store")
        return ("name", "prefix", "quantity_shown", "store", "made_at", "given_out")

    def get_readonly_fields(self, request: HttpRequest, obj: CardBatch | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.add_cardbatch")

    @display(description=_("number of cards"))
    def quantity_shown(self, batch: CardBatch) -> str:
        return grouped(batch.quantity)

    @display(description=_("of these no longer in stock"))
    def given_out(self, batch: CardBatch) -> str:
        return grouped(batch.cards.exclude(state=Card.State.IN_STOCK).count())

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make a batch, and lead to its page."""
        if request.method == "POST" and self.has_add_permission(request):
            form = self.get_form(request)(request.POST)
            if form.is_valid():
                wanted = form.cleaned_data
                try:
                    batch = make_batch(
                        name=wanted["name"],
                        prefix=wanted["prefix"],
                        quantity=wanted["quantity"],
                        store_id=wanted["store"].pk if wanted["store"] else None,
                        by=actor_of(request),
                        at=timezone.now(),
                    )
                except Refusal as refusal:
                    say_refusal(request, refusal)
                else:
                    words = ngettext("%(number)s card was made.", "%(number)s cards were made.", batch.quantity)
                    messages.success(request, words % {"number": grouped(batch.quantity)})
                    return HttpResponseRedirect(reverse("admin:members_cardbatch_change", args=[batch.pk]))
        return super().add_view(request, form_url, extra_context)

    def has_numbers_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.add_cardbatch")

    @action(description=_("Numbers for the printer"), url_path="numbers", permissions=["numbers"], icon="download")
    def numbers(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The numbers of a batch as a file, one in a line: at most 100,000. They name nobody."""
        batch = self.get_queryset(request).filter(pk=object_id).first()
        if batch is None:
            raise Http404
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="cards-{batch.prefix}-{batch.first_running}.csv"'
        writer = csv.writer(answer)
        writer.writerow([_now("card number")])
        numbers = Card.objects.filter(batch=batch).order_by("number").values_list("number")
        writer.writerows(numbers.iterator(chunk_size=10_000))
        return answer


@admin.register(Card)
class CardAdmin(HistoryAdmin):
    """Single cards, found by the beginning of their number."""

    list_display = ("number", "batch", "state_badge", "member_shown", "bound_at", "ended_at")
    list_display_links = ("number",)
    list_select_related = ("batch", "member")
    list_filter = (("state", ChoicesDropdownFilter), ("batch", RelatedDropdownFilter))
    ordering = ("-id",)
    search_fields = ("number__startswith",)
    search_help_text = _("The number on the card")
    fields = ("number", "batch", "state_badge", "member_shown", "bound_at", "ended_at", "replaced_by")
    readonly_fields = fields
    store_path = "batch__store"
    empty_sentence = _("No cards yet. Make a batch of cards first.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("batch", "member")

    @display(description=_("state"), label=CARD_COLOURS)
    def state_badge(self, card: Card) -> Badge:
        return Badge(card.state, card.get_state_display())

    @display(description=_("member"))
    def member_shown(self, card: Card) -> SafeString:
        return member_link(card.member) or SafeString("–")
