"""The till simulator of a trial: staff play a cashier, step by step, and see what a till shows and which calls it makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from members.admin.base import in_store_scope
from members.models import Store
from rewards.admin.simulator_walk import Asked, Till, Walk, till_channel
from rewards.admin.simulator_words import screen_of, title_of
from rewards.models import PointsAccount, Product, PurchaseLine

if TYPE_CHECKING:
    from rewards.admin.till import OrderHoldAdmin

PERMISSION: Final = "rewards.use_till_simulator"
LINES: Final = 4
MOST_POINTS: Final = 1_000_000_000
_MOST_GOODS: Final = 200
_RECENT_LINES: Final = 1_000
_CENT: Final = Decimal("0.01")
WAYS: Final[tuple[tuple[str, str | Promise], ...]] = (
    ("code", gettext_lazy("shows the code on their phone")),
    ("card_no", gettext_lazy("shows their card")),
    ("phone", gettext_lazy("says their phone number")),
    ("member_no", gettext_lazy("says their member number")),
    ("", gettext_lazy("is a guest")),
)
MINUTES: Final = (2, 10, 30)


class CartForm(forms.Form):
    """What the cashier of a simulated till types: who stands there, the goods, how to pay, and later what comes back."""

    way = forms.ChoiceField(choices=WAYS, required=False)
    number = forms.CharField(max_length=40, required=False)
    points = forms.IntegerField(min_value=0, max_value=MOST_POINTS, required=False)
    minutes = forms.ChoiceField(choices=[(str(minutes), minutes) for minutes in MINUTES])
    chooses = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, goods: Mapping[str, str], walk: Walk, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.goods = goods
        for place in range(LINES):
            self.fields[f"sku_{place}"] = forms.ChoiceField(choices=[("", ""), *goods.items()], required=False)
            self.fields[f"quantity_{place}"] = _number(places=3, least=Decimal("0.001"))
            self.fields[f"price_{place}"] = _number(places=2)
        self.offered = vouchers_offered(walk)
        self.fields["vouchers"] = forms.MultipleChoiceField(
            choices=[(one.ref, one.label) for one in self.offered], required=False
        )

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        if asked.get("way") and not asked.get("number"):
            self.add_error("number", _("Please write who it is."))
        asked["lines"] = [
            {"sku": sku, "name": self.goods[sku], "quantity": str(quantity), "amount": str((quantity * price).quantize(_CENT, ROUND_HALF_UP))}
            for sku, quantity, price in (
                (asked.get(f"sku_{place}"), asked.get(f"quantity_{place}") or Decimal(1), asked.get(f"price_{place}") or Decimal(0))
                for place in range(LINES)
            )
            if sku
        ]  # fmt: skip
        if not asked["lines"]:
            raise forms.ValidationError(_("Please put something into the cart."))
        return asked

    def rows(self) -> list[dict[str, Any]]:
        """Return the lines of the cart as the page draws them."""
        names = ("sku", "quantity", "price")
        return [
            {name: self[f"{name}_{place}"] for name in names} | {"wrong": [error for name in names for error in self[f"{name}_{place}"].errors]}
            for place in range(LINES)
        ]  # fmt: skip


def _number(*, places: int, least: Decimal = Decimal(0)) -> forms.DecimalField:
    return forms.DecimalField(min_value=least, max_digits=6 + places, decimal_places=places, required=False)


@dataclass(frozen=True, slots=True)
class Offered:
    """A voucher of the quoted customer: whether the quote uses it, and else why not."""

    ref: str
    label: str
    is_used: bool
    reason: str = ""


def vouchers_offered(walk: Walk) -> list[Offered]:
    """Return the vouchers of the last quote, those that it uses first."""
    if walk.quote is None:
        return []
    used, unused = walk.quote["deductions"], walk.quote["vouchers_not_used"]
    offered = [Offered(one["voucher_id"], one["label"], True) for one in used if one["voucher_id"]]
    return offered + [Offered(one["voucher_id"], one["label"], False, one["reason"]) for one in unused]


class SimulatorPage:
    """The page of the simulator, within those of orders set aside. It exists where the data are a trial's, and nowhere else."""

    def __init__(self, model_admin: "OrderHoldAdmin") -> None:
        self.model_admin = model_admin

    def page(self, request: HttpRequest) -> HttpResponse:
        """The cart on one side, the walk on the other; an act that is posted is played and shown at the end of the walk."""
        if not settings.DEMO:
            raise Http404
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        now = timezone.now()
        stores = list(Store.objects.filter(in_store_scope(request, "pk")).order_by("code")[:500])
        goods = dict(Product.objects.order_by("sku").values_list("sku", "name")[:_MOST_GOODS])
        walk, form, notice = Walk.of(request), None, ""
        if request.method == "POST" and stores and goods and till_channel() is not None:
            walk, form, notice = _played(request, walk, stores, goods)
            walk.keep(request)
        prices, members = _prices(), _members()
        if form is None:
            form = _form_of(walk, goods, prices, members)
        site = self.model_admin.admin_site
        request.current_app = site.name
        context = {
            **site.each_context(request), "title": _("Till simulator"), "content_title": _("Till simulator"),
            "is_ready": bool(stores and goods) and till_channel() is not None, "stores": stores, "walk": walk, "form": form,
            "notice": notice, "goods": [(sku, name, prices.get(sku)) for sku, name in goods.items()], "members": members,
            "ways": WAYS, "minutes": MINUTES, "steps": _steps(request, walk), "offers": _offers(walk, now),
            "is_frozen": _is_frozen(walk), "ordered": _ordered_lines(walk),
        }  # fmt: skip
        answer = render(request, "portal/simulator/page.html", context)
        answer["Cache-Control"] = "no-store"
        return answer


simulator_post = sensitive_post_parameters("number")


def _played(
    request: HttpRequest, walk: Walk, stores: Sequence[Store], goods: Mapping[str, str]
) -> tuple[Walk, CartForm | None, str]:
    """Play what was posted; return the walk after it, the form if it is to be shown as it was typed, and what else to say."""
    act = request.POST.get("act", "")
    if act == "new":
        return Walk.begun(walk.store), None, ""
    if request.POST.get("walk") != walk.id:
        if walk.steps or act not in ("find", "quote"):
            return walk, None, _("This walk was begun anew in another window. Here it is as it stands.")
        walk.id = request.POST.get("walk", "")[:32]  # the session had not kept the fresh one yet
    typed = MultiValueDict(walk.form) if _is_frozen(walk) else request.POST
    form = CartForm(typed, goods=goods, walk=walk)
    code = walk.store if walk.steps else request.POST.get("store", "")
    store = next((one for one in stores if one.code == code), None)
    if store is None or not form.is_valid():
        return walk, form, "" if store else _("Please choose a store.")
    back, wrong = _coming_back(request, walk)
    if wrong:
        return walk, form, wrong
    walk.store, walk.form = store.code, {name: typed.getlist(name) for name in form.fields}
    till = Till(request, store, walk, _asked(form, back))
    name, _mark, number = act.partition(":")
    walk.back = {str(line["line_no"]): line["quantity"] for line in back} if name == "dry" else {}
    if name == "again" and number.isascii() and number.isdigit():
        till.again(int(number[:3]))
    else:
        till.act(name)
    if name in ("find", "quote"):  # what can be ticked now are the vouchers of this quote
        walk.form["vouchers"] = [one.ref for one in vouchers_offered(walk) if one.is_used]
        walk.form["chooses"] = [] if name == "find" else walk.form["chooses"]
    return walk, None, ""


def _asked(form: CartForm, back: list[dict[str, Any]]) -> Asked:
    typed = form.cleaned_data
    return Asked(
        way=typed["way"], number=typed["number"] if typed["way"] else "", lines=typed["lines"], points=typed["points"] or 0,
        vouchers=typed["vouchers"] if typed["chooses"] else None, minutes=int(typed["minutes"]), back=back,
    )  # fmt: skip


def _coming_back(request: HttpRequest, walk: Walk) -> tuple[list[dict[str, Any]], str]:
    """Return how many pieces of which lines come back, and what is wrong with what was typed."""
    field, found = _number(places=3), []
    for line in _ordered_lines(walk):
        try:
            pieces = field.clean(request.POST.get(f"back_{line['number']}", ""))
        except forms.ValidationError as error:
            return [], " ".join(error.messages)
        if pieces:
            found.append({"line_no": line["number"], "quantity": str(pieces)})
    return found, ""


def _is_frozen(walk: Walk) -> bool:
    """Whether the cart stands: its order is recorded, or may be."""
    return walk.order is not None or walk.is_answer_lost


def _ordered_lines(walk: Walk) -> list[dict[str, Any]]:
    """Return the goods of the recorded order, with the numbers by which returns name them and what was typed beside them."""
    if walk.is_voided:
        return []
    back = walk.back
    return [
        {"number": number, **line, "back": back.get(str(number), "")} for number, line in enumerate(walk.ordered, 1)
    ]


def _form_of(walk: Walk, goods: Mapping[str, str], prices: Mapping[str, Decimal], members: Sequence[Any]) -> CartForm:
    """Return the form as it was typed last; at first two goods and a member with points."""
    if walk.form:
        return CartForm(MultiValueDict(walk.form), goods=goods, walk=walk)
    initial: dict[str, Any] = {"way": "code", "number": members[0].member.member_no if members else "", "minutes": 10}
    for place, sku in enumerate([sku for sku in goods if sku in prices][:2]):
        initial |= {f"sku_{place}": sku, f"quantity_{place}": 2 - place, f"price_{place}": prices[sku]}
    return CartForm(goods=goods, walk=walk, initial=initial)


def _prices() -> dict[str, Decimal]:
    """Return for how much a piece of each article was sold last, of those sold lately."""
    prices: dict[str, Decimal] = {}
    for sku, price in PurchaseLine.objects.order_by("-pk").values_list("sku", "unit_price")[:_RECENT_LINES]:
        prices.setdefault(sku, price.quantize(_CENT, ROUND_HALF_UP))
    return prices


def _members() -> list[PointsAccount]:
    """Return accounts of some members with many points, whom one may try."""
    rich = PointsAccount.objects.filter(currency__code="points", available__gt=0, member__status="active")
    return list(rich.select_related("member").order_by("-available", "pk")[:8])


def _steps(request: HttpRequest, walk: Walk) -> list[dict[str, Any]]:
    site = f"{request.scheme}://{request.get_host()}"
    return [
        {
            "title": title_of(step), "screen": screen_of(step), "is_lost": step.is_lost, "key": step.call.key,
            "calls": [(call, call.curl(site), step.is_lost) for call in step.all_calls],
        }
        for step in walk.steps
    ]  # fmt: skip


def _offers(walk: Walk, at: datetime) -> list[tuple[str, str, str, bool]]:
    """Return what the cashier may do next: the act, its words, its icon, and whether it is the usual thing to do."""
    if walk.is_answer_lost:
        return [
            (f"again:{len(walk.steps) - 1}", _("Send again with the same key"), "replay", True),
            ("order", _("Record the order with another key"), "receipt_long", False),
        ]
    if walk.order is not None:
        look = [("look", _("What happened to the order?"), "search", False)]
        if walk.is_voided:
            return look
        undo = [] if walk.has_returns else [("void", _("Void the whole order"), "undo", False)]
        is_told = bool(walk.steps) and walk.steps[-1].act == "dry" and walk.steps[-1].call.is_done
        return [
            ("dry", _("What would the return do?"), "help", not is_told),
            ("return", _("Take the goods back"), "assignment_return", is_told), *undo, *look,
        ]  # fmt: skip
    if walk.quote is None:
        return []
    if walk.quote["needs_hold"] and walk.hold is None:
        return [("hold", _("Set aside what it uses"), "lock_clock", True)]
    is_free = walk.hold is None or walk.is_hold_open(at)
    offers = [
        ("order", _("Paid: record the order"), "receipt_long", is_free),
        ("lose", _("Record it, and lose the answer"), "wifi_off", False),
    ]
    return [*offers, ("release", _("The customer leaves: give back"), "lock_open", False)] if walk.hold else offers
