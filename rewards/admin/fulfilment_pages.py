"""Pages of orders of rewards: one order with its steps, the dialogs that move it, papers, and points given back for many."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from members.actors import Actor
from members.admin.base import actor_of, say_refusal
from members.admin.dialogs import ConfirmDialog, ReasonDialog, carry_out
from members.admin.links import shown_name
from members.figures import grouped
from members.phones import display_phone
from members.queries import region
from members.refusals import Refusal
from rewards.admin.fulfilment_words import say_many, state_badge, steps_of
from rewards.fulfilment_queries import OPEN, is_late
from rewards.models import Redemption, RedemptionState, Reward
from rewards.order_numbers import order_no
from rewards.services.fulfilment import (
    cancel_redemption,
    may_be_cancelled,
    may_be_refunded,
    move_redemption,
    refund_out_of_stock,
)
from rewards.services.fulfilment_jobs import PERMISSION, REFUND, REFUND_PERMISSION, act_on_many
from rewards.services.fulfilment_lists import (
    MAY_SEE_ADDRESSES,
    MOST_ADDRESSES,
    MOST_LISTED,
    picked_orders,
    see_address,
)
from rewards.services.picking import CONTENT_TYPE, picking_list
from rewards.services.tracking_files import LONGEST_CARRIER, LONGEST_NUMBER, parcel_number, plain

if TYPE_CHECKING:
    from rewards.admin.fulfilment import RedemptionAdmin

SEE: Final = "rewards.view_redemption"
#: From so many orders on, their number has to be typed before their points are given back.
TYPED_ABOVE: Final = 20
_MOST_REWARDS = 50
_MOST_CHOSEN = 100

_State = RedemptionState
#: Of these the points are given back as out of stock; of the others that may be given back, as lost or not working.
_IN_HAND = (_State.PLACED, _State.PREPARING, _State.READY)


class ParcelDialog(BaseDialogForm):
    """Asks with whom a parcel goes, and under which number."""

    carrier = forms.CharField(
        label=gettext_lazy("Carrier"), max_length=LONGEST_CARRIER, widget=UnfoldAdminTextInputWidget
    )
    tracking_no = forms.CharField(
        label=gettext_lazy("Tracking number"), max_length=LONGEST_NUMBER, widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The member reads both and can follow the parcel."),
    )  # fmt: skip

    def clean_carrier(self) -> str:
        """Make letters of full width plain."""
        return plain(self.cleaned_data["carrier"])

    def clean_tracking_no(self) -> str:
        """Refuse what is no number of a parcel."""
        number = parcel_number(self.cleaned_data["tracking_no"])
        if number is None:
            raise forms.ValidationError(_("4 to 60 letters, digits and hyphens."))
        return number


class RefundForm(forms.Form):
    """Asks why points are given back for several orders, and how many there are where they are many."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=gettext_lazy("Colleagues and the members read it. No names or numbers of people."),
    )  # fmt: skip
    typed = forms.IntegerField(
        label=gettext_lazy("Number of orders, typed"), min_value=0, widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, orders: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.orders = orders
        if orders <= TYPED_ABOVE:
            del self.fields["typed"]

    def clean_typed(self) -> int:
        """Refuse another number than that of the orders."""
        typed: int = self.cleaned_data["typed"]
        if typed != self.orders:
            raise forms.ValidationError(_("There are %(orders)s orders.") % {"orders": grouped(self.orders)})
        return typed


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that can be done with one order: in which states, by whom, how it is asked, and by which service."""

    label: str | Promise
    icon: str
    title: str | Promise
    words: str | Promise
    done: str | Promise
    form: type[BaseDialogForm]
    permission: str
    states: tuple[str, ...]
    act: Callable[[int, Mapping[str, Any], Actor, datetime], object]
    delivery: str = ""
    may_be: Callable[[Redemption, Actor, datetime], bool] | None = None

    def is_for(self, order: Redemption, by: Actor, at: datetime) -> bool:
        """Whether it can be done with an order as it stands; its reward and voucher are loaded."""
        if self.may_be is not None:
            return self.may_be(order, by, at)
        return order.state in self.states and self.delivery in ("", order.delivery)


def _move(to_state: RedemptionState) -> Callable[[int, Mapping[str, Any], Actor, datetime], object]:
    def move(redemption_id: int, asked: Mapping[str, Any], by: Actor, at: datetime) -> object:
        parcel = {name: asked[name] for name in ("carrier", "tracking_no") if name in asked}
        return move_redemption(redemption_id=redemption_id, to_state=to_state, by=by, at=at, **parcel)

    return move


def _cancel(redemption_id: int, asked: Mapping[str, Any], by: Actor, at: datetime) -> object:
    return cancel_redemption(redemption_id=redemption_id, by=by, at=at, reason=asked["reason"])


def _may_cancel(order: Redemption, by: Actor, at: datetime) -> bool:
    return may_be_cancelled(order, by=by, at=at)


def _refund(redemption_id: int, asked: Mapping[str, Any], by: Actor, at: datetime) -> object:
    return refund_out_of_stock(redemption_id=redemption_id, by=by, at=at, reason=asked["reason"])


def _is_out_of_stock(order: Redemption, by: Actor, at: datetime) -> bool:
    return order.state in _IN_HAND and may_be_refunded(order)


def _is_lost(order: Redemption, by: Actor, at: datetime) -> bool:
    return order.state not in _IN_HAND and may_be_refunded(order)


WISHES: Final[Mapping[str, Wish]] = {
    "prepare": Wish(
        gettext_lazy("Start preparing"), "inventory", gettext_lazy("Start preparing this order?"),
        gettext_lazy("The member sees that it is being prepared."), gettext_lazy("It is being prepared."),
        ConfirmDialog, PERMISSION, (_State.PLACED,), _move(_State.PREPARING),
    ),
    "ship": Wish(
        gettext_lazy("Send off"), "local_shipping", gettext_lazy("Send this order off"),
        gettext_lazy("The member is told that it is on its way."), gettext_lazy("It is on its way."),
        ParcelDialog, PERMISSION, OPEN, _move(_State.SHIPPED), Redemption.Delivery.POST,
    ),
    "parcel": Wish(
        gettext_lazy("Another tracking number"), "edit", gettext_lazy("Give it another tracking number"),
        gettext_lazy("The member sees the new one instead."), gettext_lazy("The new tracking number is kept."),
        ParcelDialog, PERMISSION, (_State.SHIPPED,), _move(_State.SHIPPED), Redemption.Delivery.POST,
    ),
    "ready": Wish(
        gettext_lazy("Ready for pick-up"), "storefront", gettext_lazy("Is it ready for pick-up?"),
        gettext_lazy("The member is told that it waits in the store."), gettext_lazy("It is ready for pick-up."),
        ConfirmDialog, PERMISSION, OPEN, _move(_State.READY), Redemption.Delivery.STORE,
    ),
    "arrived": Wish(
        gettext_lazy("Has arrived"), "check", gettext_lazy("Has this order arrived?"),
        gettext_lazy("It is done then, and can no longer be cancelled."), gettext_lazy("The order is done."),
        ConfirmDialog, PERMISSION, (_State.SHIPPED,), _move(_State.DONE), Redemption.Delivery.POST,
    ),
    "cancel": Wish(
        gettext_lazy("Cancel"), "undo", gettext_lazy("Cancel this order and give the points back?"),
        gettext_lazy("The points come back with the day they would have expired. What the member was given ends."),
        gettext_lazy("The order is cancelled; the points were given back."),
        ReasonDialog, REFUND_PERMISSION, (), _cancel, may_be=_may_cancel,
    ),
    "refund": Wish(
        gettext_lazy("Out of stock, points back"), "production_quantity_limits", gettext_lazy("Out of stock: give the points back?"),
        gettext_lazy("The points come back, and the member is told why."), gettext_lazy("The points were given back."),
        ReasonDialog, REFUND_PERMISSION, (), _refund, may_be=_is_out_of_stock,
    ),
    "lost": Wish(
        gettext_lazy("Lost or not working, points back"), "production_quantity_limits",
        gettext_lazy("It was lost, or does not work: give the points back?"),
        gettext_lazy("The points come back, and the member is told why. A code that was given can no longer be read."),
        gettext_lazy("The points were given back."), ReasonDialog, REFUND_PERMISSION, (), _refund, may_be=_is_lost,
    ),
}  # fmt: skip


class OrderPages:
    """The views of orders."""

    def __init__(self, model_admin: "RedemptionAdmin") -> None:
        self.model_admin = model_admin

    def show(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One order: what, for whom, where it stands, and its steps in words."""
        at = timezone.now()
        order = self._order(request, object_id)
        offered = [
            {"label": wish.label, "icon": wish.icon, "address": reverse("admin:rewards_redemption_do", args=[order.pk, key])}
            for key, wish in WISHES.items()
            if request.user.has_perm(wish.permission) and wish.is_for(order, actor_of(request), at)
        ]  # fmt: skip
        may_see = request.user.has_perm(MAY_SEE_ADDRESSES) and order.delivery == Redemption.Delivery.POST
        context = {
            **self._context(request, _("Order %(number)s") % {"number": order_no(order.pk)}),
            "order": order,
            "number": order_no(order.pk),
            "state": state_badge(order),
            "steps": steps_of(order),
            "offered": offered,
            "name": shown_name(order.member),
            "is_late": is_late(order, at),
            "may_see_address": may_see,
            "address_url": reverse("admin:rewards_redemption_address", args=[order.pk]),
        }
        return render(request, "portal/fulfilment/order.html", context)

    def ask(self, request: HttpRequest, order_id: int, wish: str) -> HttpResponse:
        """The dialog of one of the wishes."""
        asked = WISHES.get(wish)
        if asked is None:
            raise Http404
        self._require(request, asked.permission)
        order = self._order(request, str(order_id))
        form = asked.form(request, order.pk, request.POST or None)
        if not form.is_valid():
            shown = {"title": asked.title, "description": asked.words, "form_submit_text": asked.label}
            context = {"dialog": shown, "form": form, "form_submit_text": asked.label}
            return render(request, "unfold/helpers/dialog.html", context)

        def act() -> None:
            asked.act(order.pk, form.cleaned_data, actor_of(request), timezone.now())

        then = _member_page(order) if request.GET.get("from") == "member" else _address(order.pk)
        return carry_out(request, act, done=asked.done, then=then)

    def address(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Where one order goes, after writing down who looked."""
        self._require(request, MAY_SEE_ADDRESSES)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        order = self._order(request, str(order_id))
        context: dict[str, Any] = {"order": order}
        try:
            to = see_address(redemption_id=order.pk, by=actor_of(request), at=timezone.now())
            context |= {"to": to, "phone": display_phone(to.phone, region=region())}
        except Refusal:
            context["is_gone"] = True
        answer = render(request, "portal/fulfilment/address.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def picking_list(self, request: HttpRequest, orders: QuerySet[Redemption], *, with_addresses: bool) -> HttpResponse:
        """Orders that wait, on paper."""
        self._require(request, PERMISSION)
        if with_addresses:
            self._require(request, MAY_SEE_ADDRESSES)
        at = timezone.now()
        most = MOST_ADDRESSES if with_addresses else MOST_LISTED
        waiting = orders.filter(state__in=OPEN).order_by("due_at", "id")
        ids = list(waiting.values_list("pk", flat=True)[: most + 1])
        left = waiting.count() - most if len(ids) > most else 0
        picked = picked_orders(redemption_ids=ids[:most], with_addresses=with_addresses, by=actor_of(request), at=at)
        content = picking_list(picked, at=at, left=left)
        name = (
            content_disposition_header(True, f"picking-list-{timezone.localtime(at):%Y-%m-%d-%H%M}.pdf") or "attachment"
        )
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return HttpResponse(content, content_type=CONTENT_TYPE, headers=headers)

    def refund_many(self, request: HttpRequest) -> HttpResponse:
        """Out of stock: which orders, how many points come back, and why. Without a choice: what is open, by reward."""
        self._require(request, REFUND_PERMISSION)
        orders = self.model_admin.get_queryset(request)
        open_orders = orders.filter(state__in=_IN_HAND)
        chosen = _chosen(request, open_orders, orders)
        if chosen is None:
            return self._by_reward(request, open_orders)
        ids = list(chosen.order_by("pk").values_list("pk", flat=True))
        form = RefundForm(request.POST or None, orders=len(ids))
        if request.method == "POST" and form.is_valid():
            try:
                done = act_on_many(
                    act=REFUND,
                    redemption_ids=ids,
                    by=actor_of(request),
                    at=timezone.now(),
                    reason=form.cleaned_data["reason"],
                )
            except Refusal as refusal:
                say_refusal(request, refusal)
            else:
                say_many(request, REFUND, done)
            return HttpResponseRedirect(reverse("admin:rewards_redemption_changelist"))
        points = chosen.order_by().aggregate(points=Sum("price_points"))["points"] or 0
        rows = chosen.order_by("pk").select_related("reward", "member")[:_MOST_REWARDS]
        context = {
            **self._context(request, _("Out of stock: give points back")),
            "form": form,
            "media": self.model_admin.media + form.media,
            "orders": [(order_no(row.pk), row) for row in rows],
            "number": len(ids),
            "points": points,
            "more": max(len(ids) - _MOST_REWARDS, 0),
        }
        return render(request, "portal/fulfilment/refund.html", context)

    def _by_reward(self, request: HttpRequest, orders: QuerySet[Redemption]) -> HttpResponse:
        counted = orders.order_by().values("reward").annotate(orders=Count("pk"), points=Sum("price_points"))
        rows = list(counted.order_by("-orders")[:_MOST_REWARDS])
        names = Reward.objects.in_bulk([row["reward"] for row in rows])
        context = {
            **self._context(request, _("Out of stock: give points back")),
            "rewards": [{**row, "name": names[row["reward"]].name} for row in rows],
        }
        return render(request, "portal/fulfilment/by_reward.html", context)

    def _order(self, request: HttpRequest, object_id: str) -> Redemption:
        self._require(request, SEE)
        if not object_id.isdecimal() or len(object_id) > 18:
            raise Http404
        orders = self.model_admin.get_queryset(request).select_related(
            "member__person", "reward", "store", "voucher__template", "sale"
        )
        order: Redemption | None = orders.filter(pk=int(object_id)).first()
        if order is None:
            raise Http404
        return order

    def _require(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        site = self.model_admin.admin_site
        request.current_app = site.name
        return {**site.each_context(request), "opts": self.model_admin.opts, "title": title}


def _chosen(
    request: HttpRequest, open_orders: QuerySet[Redemption], orders: QuerySet[Redemption]
) -> QuerySet[Redemption] | None:
    """Return the orders that the address names: single ones whose points may be given back, or the open ones of a reward.

    None where it names none.
    """
    if reward := request.GET.get("reward", ""):
        return open_orders.filter(reward=int(reward)) if reward.isdecimal() and len(reward) < 19 else None
    ids = [int(part) for part in request.GET.get("orders", "").split(".") if part.isdecimal() and len(part) < 19]
    if not ids:
        return None
    named = orders.filter(pk__in=ids[:_MOST_CHOSEN])
    return named.filter(pk__in=[order.pk for order in named.select_related("reward") if may_be_refunded(order)])


def _member_page(order: Redemption) -> str:
    return f"{reverse('admin:members_member_change', args=[order.member_id])}?tab=redemptions"


def _address(order_id: int) -> str:
    return reverse("admin:rewards_redemption_change", args=[order_id])
