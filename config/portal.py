"""The admin site that staff work in: its brand, its menu by task, and its command palette."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.urls import path, reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from unfold.sites import UnfoldAdminSite

from config.sign_in import SignIn, SignInForm, may_be_here, own_second_step, sign_in_digits


class PortalSite(UnfoldAdminSite):
    """The staff portal."""

    index_title = _("Home")
    enable_nav_sidebar = True
    login_form = SignInForm

    def get_urls(self) -> list[Any]:
        """Return the addresses of the site, with those of signing in."""
        own = [
            path("sign-in/digits/", self.sign_in_digits, name="sign_in_digits"),
            path("second-step/", self.second_step, name="second_step"),
        ]
        return own + super().get_urls()

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether this session may work here: an active account, signed in as the programme's policy asks."""
        return super().has_permission(request) and may_be_here(request)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """The first step of signing in. Who is signed in goes home."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index", current_app=self.name))
        context = {
            **self._context(request, _("Log in")),
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        if not {REDIRECT_FIELD_NAME} & {*request.GET, *request.POST}:
            context[REDIRECT_FIELD_NAME] = reverse("admin:index", current_app=self.name)
        form = {"authentication_form": self.login_form, "template_name": "admin/login.html"}
        return SignIn.as_view(extra_context=context, **form)(request)

    @method_decorator((never_cache, csrf_protect, sensitive_post_parameters()))
    def sign_in_digits(self, request: HttpRequest) -> HttpResponse:
        """The second step of signing in."""
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index", current_app=self.name))
        return sign_in_digits(request, self._context(request, _("Second step")))

    @method_decorator((never_cache, csrf_protect, sensitive_post_parameters()))
    def second_step(self, request: HttpRequest) -> HttpResponse:
        """Setting up one's own second step."""
        return own_second_step(request, self._context(request, _("Second step at sign-in")))

    def _context(self, request: HttpRequest, title: Any) -> dict[str, Any]:
        request.current_app = self.name  # as Django's own pages do
        return {**self.each_context(request), "title": title, "subtitle": None}


@dataclass(frozen=True, slots=True)
class Page:
    """An item of the menu: seen by those who may see one of its model's rows. Without a model: by everybody."""

    title: str | Promise
    icon: str
    model: str = ""
    url: str = ""  # of a page that is not a list of the model
    badge: str = ""  # the path of what counts the work that waits here
    right: str = ""  # what it asks for instead of seeing the model's rows
    of_trials: bool = False  # whether it exists only where the data are a trial's

    def is_for(self, request: HttpRequest) -> bool:
        """Whether this operator may open the page."""
        if self.of_trials and not settings.DEMO:
            return False
        if self.right:
            return request.user.has_perm(self.right)
        if not self.model:
            return True
        app, name = self.model.split(".")
        return request.user.has_perm(f"{app}.view_{name}") or request.user.has_perm(f"{app}.change_{name}")

    def link(self) -> Any:
        """The address of the page."""
        return reverse_lazy(
            self.url or (f"admin:{self.model.replace('.', '_')}_changelist" if self.model else "admin:index")
        )

    def item(self) -> dict[str, Any]:
        """The item as the menu shows it."""
        shown = {"title": self.title, "icon": self.icon, "link": self.link()}
        return shown | ({"badge": self.badge} if self.badge else {})


# By task, not by app. A group is shown once it has a page for whoever looks.
MENU: tuple[tuple[str | Promise, tuple[Page, ...]], ...] = (
    (
        _("Desk"),
        (
            Page(_("Home"), "home"),
            Page(_("Approvals"), "approval", "members.proposal", badge="members.admin.proposals.waiting_badge"),
            Page(_("Jobs"), "pending_actions", "members.job"),
        ),
    ),
    (
        _("Members"),
        (
            Page(_("Members"), "group", "members.member"),
            Page(_("Segments"), "groups", "members.segment"),
            Page(_("Tags"), "label", "members.tag"),
            Page(_("Risk reviews"), "gpp_maybe", "members.riskreview", badge="members.admin.risk.waiting_badge"),
            Page(_("Guessing alarms"), "password", "members.guessingalarm"),
            Page(_("Possible duplicates"), "join_inner", "members.duplicatepair"),
            Page(_("Merges"), "merge", "members.merge"),
            Page(_("Frozen members"), "ac_unit", "members.memberfreeze"),
            Page(_("Members who leave"), "logout", "members.closure"),
            Page(_("Wishes about personal data"), "shield_person", "members.privacyrequest"),
            Page(_("Cards"), "credit_card", "members.card"),
            Page(_("Imports of members"), "upload_file", "members.memberimport"),
            Page(_("Exports of members"), "download", "members.memberexport"),
            Page(_("Activities"), "directions_run", "members.activity"),
            Page(_("Behaviour in passing"), "visibility", "members.behaviour"),
        ),
    ),
    (
        _("Points"),
        (
            Page(_("Points entries"), "receipt_long", "rewards.ledgerentry"),
            Page(_("Purchases"), "shopping_bag", "rewards.purchase"),
            Page(_("Returns"), "assignment_return", "rewards.purchasereturn"),
            Page(_("Adjustments"), "exposure", "rewards.adjustment"),
            Page(_("Batches of adjustments"), "playlist_add", "rewards.adjustmentbatch"),
            Page(_("Transfers"), "swap_horiz", "rewards.pointstransfer"),
            Page(_("Donations"), "volunteer_activism", "rewards.donation"),
            Page(pgettext_lazy("menu", "Conversions"), "currency_exchange", "rewards.partnerconversion"),
            Page(_("Points set aside"), "lock_clock", "rewards.hold"),
            Page(_("Orders set aside"), "shopping_cart", "rewards.orderhold"),
            Page(_("Offline batches"), "cloud_upload", "rewards.offlinebatch"),
            Page(_("Imports of orders"), "upload_file", "rewards.orderimport"),
        ),
    ),
    (
        _("Points books"),
        (
            Page(_("What expires when"), "event_busy", "rewards.expirypolicy", url="admin:rewards_expiry_calendar"),
            Page(_("Expiry warnings"), "notification_important", "rewards.expirywarning"),
            Page(_("Month close"), "event_available", "rewards.monthclose"),
            Page(_("Ledger proof"), "verified", "rewards.ledgerverification"),
        ),
    ),
    (
        _("Points rules"),
        (
            Page(_("Earn rules"), "function", "rewards.earnrule"),
            Page(_("Paying with points"), "payments", "rewards.pointspayment"),
            Page(_("Expiry policies"), "hourglass_bottom", "rewards.expirypolicy"),
            Page(_("Points currencies"), "toll", "rewards.pointscurrency"),
            Page(_("Values of a point"), "price_change", "rewards.pointsrate"),
            Page(_("Transfer policies"), "rule", "rewards.transferpolicy"),
            Page(_("Reasons for adjustments"), "label", "rewards.reasoncode"),
            Page(_("Charity projects"), "diversity_1", "rewards.charityproject"),
            Page(_("Partners"), "handshake", "rewards.partner"),
            Page(_("Kinds of behaviour"), "emoji_people", "members.activitykind"),
            Page(_("Products"), "inventory_2", "rewards.product"),
            Page(_("Categories"), "category", "rewards.category"),
        ),
    ),
    (
        _("Tiers"),
        (
            Page(_("Tier reviews"), "event_upcoming", "loyalty.tierstanding"),
            Page(_("Runs of reviews"), "event_repeat", "loyalty.reviewrun"),
            Page(_("Tier changes"), "swap_vert", "loyalty.tierchange"),
            Page(_("Tiers at risk"), "notification_important", "loyalty.tierwarning"),
            Page(_("Tiers"), "military_tech", "loyalty.tier"),
            Page(_("Tier ladder"), "stairs", "loyalty.ladderversion"),
            Page(_("Published rules"), "menu_book", "loyalty.publishedrules", url="admin:loyalty_publishedrules_now"),
            Page(_("Warnings before reviews"), "edit_notifications", "loyalty.reviewpolicy"),
            Page(_("Policy of the ladder"), "tune", "loyalty.ladderpolicy"),
            Page(_("Badges"), "workspace_premium", "loyalty.badge"),
            Page(_("Stages of life"), "eco", "loyalty.stage"),
            Page(_("Tasks of stages"), "task_alt", "loyalty.stagetask"),
            Page(_("Benefits"), "loyalty", "loyalty.benefit"),
            Page(_("Benefits by tier"), "grid_on", "loyalty.benefit", url="admin:loyalty_benefit_grid"),
            Page(_("Benefits of members"), "card_membership", "loyalty.entitlement"),
            Page(_("Budgets of benefits"), "savings", "loyalty.benefitbudget"),
            Page(_("Tiers given"), "lock", "loyalty.tierfloor"),
        ),
    ),
    (
        _("Paid membership"),
        (
            Page(_("Plans"), "card_membership", "loyalty.plan"),
            Page(_("Plans of members"), "event_repeat", "loyalty.planmembership"),
            Page(_("Orders of plans"), "pending_actions", "loyalty.planorder"),
            Page(_("Payments for plans"), "payments", "loyalty.planpayment"),
        ),
    ),
    (
        pgettext_lazy("menu", "Rewards and vouchers"),
        (
            Page(
                _("Counter"),
                "point_of_sale",
                "rewards.voucher",
                url="admin:rewards_voucher_counter",
                right="rewards.serve_at_counter",
            ),
            Page(
                _("Till simulator"),
                "barcode_reader",
                "rewards.orderhold",
                url="admin:rewards_orderhold_simulator",
                right="rewards.use_till_simulator",
                of_trials=True,
            ),
            Page(_("Rewards"), "redeem", "rewards.reward"),
            Page(_("Categories of rewards"), "category", "rewards.rewardcategory"),
            Page(_("Flash sales"), "bolt", "rewards.flashsale"),
            Page(_("Redemptions"), "shopping_cart_checkout", "rewards.redemption"),
            Page(_("Vouchers"), "confirmation_number", "rewards.voucher"),
            Page(_("Voucher templates"), "local_activity", "rewards.vouchertemplate"),
            Page(_("Vouchers for many members"), "group_add", "rewards.voucherbatch"),
            Page(_("Voucher offers"), "campaign", "rewards.voucheroffer"),
            Page(_("Vouchers by hand"), "volunteer_activism", "rewards.vouchergoodwill"),
            Page(_("Member prices"), "sell", "rewards.memberprice"),
        ),
    ),
    (pgettext_lazy("menu", "Promotions"), (Page(_("Promotions"), "celebration", "campaigns.promotion"),)),
    (
        pgettext_lazy("menu", "Messages"),
        (
            Page(_("Outbox"), "outbox", "campaigns.message"),
            Page(_("Message templates"), "edit_note", "campaigns.messagetemplate"),
        ),
    ),
    (_("Analytics"), (Page(_("Figures by day"), "monitoring", "analytics.dayfigures"),)),
    (
        _("Settings"),
        (
            Page(_("Programme"), "tune", "members.programme"),
            Page(_("Stores"), "storefront", "members.store"),
            Page(_("Regions"), "map", "members.region"),
            Page(_("Brands"), "sell", "members.brand"),
            Page(_("Channels"), "hub", "members.channel"),
            Page(_("Recruiting sources"), "campaign", "members.recruitingsource"),
            Page(_("Details of members"), "assignment_ind", "members.memberattribute"),
            Page(_("Tasks of new members"), "checklist", "members.onboardingtask"),
            Page(_("Reasons for leaving"), "door_open", "members.closingreason"),
            Page(_("Batches of cards"), "style", "members.cardbatch"),
            Page(_("Texts of consents"), "contract", "members.consenttext"),
            Page(_("Risk rules"), "rule", "members.riskrule"),
            Page(_("Operators"), "badge", "members.operator"),
            Page(_("Limits of roles"), "speed", "members.operatorlimit"),
            Page(_("Rules of approval"), "group", "members.approvalrule"),
            Page(_("Accounts of the journal"), "account_balance", "rewards.closingaccount"),
            Page(_("Till keys"), "key", "members.apikey"),
            Page(_("Webhooks"), "webhook", "members.webhookendpoint"),
            Page(_("Deliveries"), "outgoing_mail", "members.webhookdelivery"),
            Page(_("Schedules"), "schedule", "django_celery_beat.periodictask"),
            Page(_("Timeline readers"), "rss_feed", "members.subscription"),
            Page(_("Parked entries"), "report", "members.parkedentry"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu as this operator may use it. The one entry nearest above the page's address is marked."""
    groups: list[dict[str, Any]] = []
    for title, pages in MENU:
        items = [page.item() for page in pages if page.is_for(request)]
        if items:
            groups.append({"title": title, "items": items})
    home = reverse("admin:index")
    links = [str(item["link"]) for group in groups for item in group["items"]]
    above = [link for link in links if request.path == link or (link != home and request.path.startswith(link))]
    nearest = max(above, key=len, default="")
    for group in groups:
        for item in group["items"]:
            item["active"] = str(item["link"]) == nearest
    return groups


def environment_badge(request: HttpRequest) -> list[Any] | None:
    """Say that these are demo data."""
    return [_("Trial"), "warning"] if settings.DEMO else None


def icon(request: HttpRequest) -> str:
    """Return the address of the mark beside the name."""
    return static("portal/icon.svg")


def favicon(request: HttpRequest) -> str:
    """Return the address of the mark in the browser's tab."""
    return static("portal/favicon.svg")


def login_picture(request: HttpRequest) -> str:
    """Return the address of the picture beside the sign-in."""
    return static("portal/login.svg")


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the portal's own styles."""
    return static("portal/portal.css")


def script(request: HttpRequest) -> str:
    """Return the address of the portal's own script."""
    return static("portal/portal.js")
