"""The electronic card: every member's, at the till, in the app and on the member's page."""

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import segno
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.actors import SYSTEM
from members.electronic_card import electronic_card_of
from members.models import Card, Member
from members.services.cards import report_lost
from members.services.closing import ask_to_leave
from members.services.merging import merge_members
from members.services.privacy import erase_person, request_erasure
from members.services.status import freeze_member
from members.services.tokens import MemberIsClosed
from tests.factories.api import Caller, make_member, make_till, now, problem_of, sign_in
from tests.factories.portal import signed_in
from tests.members.test_cards import STAFF, a_batch, bind

pytestmark = pytest.mark.django_db

#: The token, its member, the card in use, the name, the phone that shows the code.
CARD_QUERIES = 5
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def member() -> Member:
    return make_member(full_name="张三丰", phone="13800138000")


@pytest.fixture
def caller(member: Member) -> Caller:
    return sign_in(member)


def cells_of(svg: str) -> int:
    """How wide a square code is, with its border, in cells; the text is a whole SVG document."""
    document = ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert document.tag == f"{_SVG}svg"
    assert document.find(f"{_SVG}path") is not None
    return int(document.attrib["viewBox"].split()[2])


class TestMyCard:
    def test_has_the_member_number_until_a_card_was_given_out(self, member: Member, caller: Caller) -> None:
        answer = caller.get("/me/card")
        body = answer.json()
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert (body["member_no"], body["card_no"], body["name"]) == (member.member_no, None, "张三丰")
        assert (body["barcode"]["format"], body["barcode"]["value"]) == ("qr", member.member_no)
        assert body["wallet_passes"] == []
        expected = segno.make_qr(member.member_no, error="q")
        assert cells_of(body["barcode"]["svg"]) == expected.symbol_size()[0]
        number = a_batch()[0]
        bind(member, number)
        body = caller.get("/me/card").json()
        assert (body["member_no"], body["card_no"], body["barcode"]["value"]) == (member.member_no, number, number)

    def test_does_not_go_on_with_a_lost_card(self, member: Member, caller: Caller) -> None:
        number = a_batch()[0]
        bind(member, number)
        report_lost(member_id=member.pk, number=number, reason="lost", by=STAFF, at=now())
        body = caller.get("/me/card").json()
        assert (body["card_no"], body["barcode"]["value"]) == (None, member.member_no)

    def test_is_read_by_the_till(self, member: Member, caller: Caller) -> None:
        till = make_till()
        assert (
            till.post(
                "/pos/members/resolve", {"member_no": caller.get("/me/card").json()["barcode"]["value"]}
            ).status_code
            == 200
        )
        bind(member, a_batch()[0])
        value = caller.get("/me/card").json()["barcode"]["value"]
        found = till.post("/pos/members/resolve", {"card_no": value})
        assert found.json()["member_no"] == member.member_no

    def test_is_my_own_only(self, member: Member, caller: Caller) -> None:
        other = make_member(full_name="李四", phone="13900139000")
        theirs = sign_in(other).get("/me/card")
        assert (theirs.json()["member_no"], theirs.json()["name"]) == (other.member_no, "李四")
        assert member.member_no not in theirs.text
        assert problem_of(make_till().get("/me/card")) == (403, "insufficient_scope")
        assert problem_of(Caller().get("/me/card")) == (401, "authentication_required")

    def test_shows_the_short_lived_code_beside_its_number(self, member: Member, caller: Caller) -> None:
        code = caller.get("/me/card").json()["code"]
        assert code["value"] == caller.get("/me/code").json()["code"]
        assert cells_of(code["svg"]) == segno.make_qr(code["value"], error="q").symbol_size()[0]
        found = make_till().post("/pos/members/resolve", {"code": code["value"]}).json()
        assert found["member_no"] == member.member_no

    def test_takes_few_queries(self, member: Member, caller: Caller) -> None:
        bind(member, a_batch()[0])
        caller.get("/me/code")  # the first time, the phone is given a place
        with CaptureQueriesContext(connection) as captured:
            assert caller.get("/me/card").status_code == 200
        assert len(captured) == CARD_QUERIES, [query["sql"] for query in captured]

    @pytest.mark.parametrize("how", ["frozen", "closed", "merged", "erased"])
    def test_is_refused_as_the_profile_is(self, member: Member, caller: Caller, how: str) -> None:
        ended(member, how)
        profile, card = (problem_of(caller.get(path)) for path in ("/me", "/me/card"))
        assert card == profile
        assert card[0] in {401, 403}

    def test_of_who_may_only_not_spend_is_there(self, member: Member, caller: Caller) -> None:
        freeze_member(
            member_id=member.pk, reason="checked", release_at=now() + timedelta(days=9), acts=[Member.Act.SPEND], by=SYSTEM, at=now()
        )  # fmt: skip
        assert [caller.get(path).status_code for path in ("/me", "/me/card")] == [200, 200]


class TestOnTheMemberPage:
    def test_is_shown_with_its_number_to_who_may_see_cards(self, member: Member) -> None:
        page = shown(member)
        card = electronic_card_of(member)
        assert card.svg in page
        assert f'download="card-{member.member_no}.png" href="data:image/png;base64,' in page
        assert "the member number" in page
        bind(member, a_batch()[0])
        page = shown(member)
        assert electronic_card_of(member).svg in page
        assert "the number of the card in use" in page

    def test_says_what_whoever_runs_the_portal_has_to_set(self, member: Member) -> None:
        page = shown(member, "administrator")
        assert "Wallet passes can be made once WALLET_PASS_CERTIFICATE, WALLET_PASS_KEY" in page
        assert handout_of(member) not in page
        page = shown(member)
        assert "not set up yet. An administrator sees here what is missing." in page
        assert "WALLET_PASS" not in page
        assert handout_of(member) not in page

    @pytest.mark.parametrize("how", ["closed", "erased"])
    def test_is_not_there_of_who_has_left(self, member: Member, how: str) -> None:
        ended(member, how)
        page = shown(member)
        assert "Who has left has no electronic card." in page
        assert "data:image/png" not in page
        with pytest.raises(MemberIsClosed):
            electronic_card_of(Member.objects.get(pk=member.pk))

    def test_hands_out_nothing_that_is_not_set_up_or_not_known(self, member: Member) -> None:
        client = signed_in("service")
        answer = client.get(handout_of(member), follow=True)
        assert answer.redirect_chain[-1][0].endswith("?tab=identities")
        assert "There are no wallet passes here yet" in answer.text
        assert client.get(handout_of(member, "unknown")).status_code == 404
        assert signed_in().get(handout_of(member)).status_code == 403


def ended(member: Member, how: str) -> None:
    """Let a membership be frozen, closed, merged into another, or the person be erased."""
    if how == "frozen":
        freeze_member(member_id=member.pk, reason="checked", release_at=now() + timedelta(days=9), by=SYSTEM, at=now())
    elif how == "closed":
        ask_to_leave(member_id=member.pk, reason="other", at_once=True, by=SYSTEM, at=now())
    elif how == "merged":
        kept = make_member(full_name="张三丰", phone="13900139000")
        merge_members(kept_id=kept.pk, merged_id=member.pk, reason="one person", by=SYSTEM, at=now())
    else:
        request = request_erasure(member_id=member.pk, way="self", by=SYSTEM, at=now() - timedelta(days=60))
        erase_person(request_id=request.pk, by=SYSTEM, at=now())
        assert not Card.objects.filter(member=member, state=Card.State.IN_USE).exists()


def shown(member: Member, role: str = "service") -> str:
    """The tab of cards on the page of a member, as a role reads it in English."""
    page: Any = signed_in(role).get(reverse("admin:members_member_change", args=[member.pk]) + "?tab=identities")
    assert page.status_code == 200
    return str(page.text)


def handout_of(member: Member, key: str = "wallet-pass") -> str:
    return reverse("admin:members_member_handout", args=[member.pk, key])
