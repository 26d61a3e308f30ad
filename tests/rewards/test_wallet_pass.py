"""The card for the wallet of the phone: signed, in three languages, with what is true now."""

import io
import json
import re
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from loyalty.models import Tier
from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import Member, Programme
from members.queries import forget_programme
from members.services.enrolment import enrol_member
from members.services.status import freeze_member
from members.services.tokens import MemberIsClosed
from members.wallet.credentials import WalletPassUnavailable
from rewards.wallet_pass import wallet_pass_of
from tests.factories.api import Caller, make_channel, make_member, make_till, now, problem_of, sign_in
from tests.factories.histories import give_points
from tests.factories.portal import signed_in
from tests.factories.wallet import TEAM, TYPE, Chain, a_chain, use, wallet_settings
from tests.harness.cms import verified
from tests.members.test_cards import a_batch, bind
from tests.members.test_electronic_card import ended, handout_of, shown

pytestmark = pytest.mark.django_db

PATH = "/me/card/wallet-pass"
#: The token with its member, the card in use, tier, name, account, lots.
PASS_QUERIES = 6
_LINE = re.compile(r'^"((?:[^"\\]|\\.)*)" = "((?:[^"\\]|\\.)*)";$')


@pytest.fixture
def chain(settings: Any, tmp_path: Path) -> Chain:
    """A portal that signs passes."""
    made = a_chain()
    use(settings, wallet_settings(tmp_path, made, password="of the key"))
    return made


@pytest.fixture
def member() -> Member:
    Programme.objects.update(
        name_zh_hans="常青会", name_zh_hant="常青會", name_en="Evergreen",
        points_name_zh_hans="积分", points_name_zh_hant="積分", points_name_en="Leaves",
    )  # fmt: skip
    forget_programme()
    Tier.objects.filter(rank=0).update(name_zh_hans="新芽", name_zh_hant="新芽級", name_en="Sprout", colour="#c9a227")
    return make_member(full_name="张三丰", phone="13800138000")


def opened(content: bytes) -> dict[str, bytes]:
    """The files of a pass by name."""
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def about_of(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(opened(content)["pass.json"])
    return found


def texts_of(files: dict[str, bytes], folder: str) -> dict[str, str]:
    """What a language says for each word of the pass."""
    lines = files[f"{folder}.lproj/pass.strings"].decode("utf-16").splitlines()
    found = [_LINE.match(line) for line in lines]
    assert all(found), lines
    return {one[1]: one[2] for one in found if one}


def fields_of(about: dict[str, Any]) -> dict[str, Any]:
    return {field["key"]: field["value"] for group in about["storeCard"].values() for field in group}


class TestThePass:
    def test_lists_the_digest_of_every_file_and_no_other(self, chain: Chain, member: Member) -> None:
        files = opened(wallet_pass_of(member, now()))
        digests = json.loads(files["manifest.json"])
        sealed = {name: content for name, content in files.items() if name not in {"manifest.json", "signature"}}
        assert digests == {name: sha1(content).hexdigest() for name, content in sealed.items()}  # noqa: S324
        assert {"pass.json", "icon.png", "icon@2x.png", "icon@3x.png", "logo.png", "logo@2x.png"} <= sealed.keys()
        assert len([name for name in sealed if name.endswith(".lproj/pass.strings")]) == 3

    def test_is_signed_by_the_certificate_under_its_authority(self, chain: Chain, member: Member) -> None:
        at = now()
        files = opened(wallet_pass_of(member, at))
        signed = verified(files["signature"], files["manifest.json"])
        assert signed.signer == chain.certificate
        assert sorted(one.serial_number for one in signed.certificates) == sorted(
            [chain.certificate.serial_number, chain.intermediate.serial_number]
        )
        signed.signer.verify_directly_issued_by(chain.intermediate)
        chain.intermediate.verify_directly_issued_by(chain.root)
        assert abs(signed.signed_at - at) < timedelta(minutes=1)
        with pytest.raises(AssertionError, match="something else"):
            verified(files["signature"], files["manifest.json"] + b" ")

    def test_has_pictures_of_the_sizes_that_wallets_ask_for(self, chain: Chain, member: Member) -> None:
        files = opened(wallet_pass_of(member, now()))
        sizes = {name: Image.open(io.BytesIO(content)).size for name, content in files.items() if name.endswith(".png")}
        assert [sizes[f"icon{scale}.png"] for scale in ("", "@2x", "@3x")] == [(29, 29), (58, 58), (87, 87)]
        assert all(width <= 160 * 3 and height <= 50 * 3 for width, height in sizes.values())

    def test_says_number_tier_and_points_as_of_now(self, chain: Chain, member: Member) -> None:
        at = now()
        give_points(member, 2_340, moment=at - timedelta(hours=1))
        give_points(member, 7, moment=at - timedelta(hours=1), expires_at=at - timedelta(minutes=1))
        about = about_of(wallet_pass_of(member, at))
        assert (about["formatVersion"], about["passTypeIdentifier"], about["teamIdentifier"]) == (1, TYPE, TEAM)
        assert about["serialNumber"] == public_ref(MEMBER, member.public_id)
        assert about["barcodes"][0] | {} == {
            "format": "PKBarcodeFormatQR", "message": member.member_no, "messageEncoding": "iso-8859-1", "altText": member.member_no,
        }  # fmt: skip
        fields = fields_of(about)
        assert (fields["points"], fields["tier"], fields["number"]) == (2_340, "新芽", member.member_no)
        assert fields["as_of"] == at.astimezone(Programme.objects.get().tz).replace(microsecond=0).isoformat()
        assert (about["backgroundColor"], about["foregroundColor"]) == ("rgb(201, 162, 39)", "rgb(0, 0, 0)")

    def test_masks_the_name_and_says_nothing_else_of_the_person(self, chain: Chain, member: Member) -> None:
        files = opened(wallet_pass_of(member, now()))
        assert fields_of(json.loads(files["pass.json"]))["name"] == "张*丰"
        assert not any(trace.encode() in files["pass.json"] for trace in ("张三丰", "13800138000", "8000"))
        nobody = Member.objects.get(pk=enrol_member(channel_id=make_channel().pk, by=SYSTEM, at=now()).pk)
        assert "name" not in fields_of(about_of(wallet_pass_of(nobody, now())))

    def test_carries_the_card_in_use(self, chain: Chain, member: Member) -> None:
        bind(member, number := a_batch()[0])
        about = about_of(wallet_pass_of(member, now()))
        assert about["barcodes"][0]["message"] == number
        assert fields_of(about)["number"] == member.member_no

    def test_says_every_word_in_three_languages(self, chain: Chain, member: Member) -> None:
        files = opened(wallet_pass_of(member, now()))
        about = json.loads(files["pass.json"])
        said = {folder: texts_of(files, folder) for folder in ("zh-Hans", "zh-Hant", "en")}
        on_it = {about["organizationName"], about["logoText"], about["description"]}
        on_it |= {field["label"] for group in about["storeCard"].values() for field in group}
        on_it |= {fields_of(about)["tier"], fields_of(about)["note"]}
        assert all(texts.keys() == on_it for texts in said.values())
        points = about["storeCard"]["headerFields"][0]["label"]
        number = about["storeCard"]["secondaryFields"][1]["label"]
        assert [texts[about["logoText"]] for texts in said.values()] == ["常青会", "常青會", "Evergreen"]
        assert [texts[points] for texts in said.values()] == ["积分", "積分", "Leaves"]
        assert [texts["新芽"] for texts in said.values()] == ["新芽", "新芽級", "Sprout"]
        assert [texts[number] for texts in said.values()] == ["会员号", "會員編號", "Member number"]

    def test_itself_speaks_the_language_of_the_member(self, chain: Chain, member: Member) -> None:
        member.language = "en"
        files = opened(wallet_pass_of(member, now()))
        about = json.loads(files["pass.json"])
        assert (about["logoText"], fields_of(about)["tier"]) == ("Evergreen", "Sprout")
        assert texts_of(files, "zh-Hant")["Sprout"] == "新芽級"

    def test_tells_words_apart_that_are_alike_in_one_language(self, chain: Chain, member: Member) -> None:
        member.language = "en"
        Tier.objects.filter(rank=0).update(name_zh_hans="普卡", name_zh_hant="普卡", name_en="Member")
        files = opened(wallet_pass_of(member, now()))
        about = json.loads(files["pass.json"])
        texts = texts_of(files, "zh-Hans")
        label = about["storeCard"]["secondaryFields"][0]["label"]
        tier = fields_of(about)["tier"]
        assert label != tier
        assert (label.strip("\u200b"), tier.strip("\u200b")) == ("Member", "Member")
        assert (texts[label], texts[tier]) == ("会员", "普卡")

    def test_is_refused_when_nobody_can_sign_it_or_the_member_has_left(
        self, settings: Any, chain: Chain, member: Member
    ) -> None:
        settings.WALLET_PASS_TEAM = ""
        with pytest.raises(WalletPassUnavailable):
            wallet_pass_of(member, now())
        settings.WALLET_PASS_TEAM = TEAM
        ended(member, "closed")
        with pytest.raises(MemberIsClosed):
            wallet_pass_of(Member.objects.get(pk=member.pk), now())


class TestMyWalletPass:
    def test_is_a_file_for_the_phone(self, chain: Chain, member: Member) -> None:
        caller = sign_in(member)
        answer = caller.get(PATH, accept="application/vnd.apple.pkpass")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/vnd.apple.pkpass")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="card-{member.member_no}.pkpass"'
        assert about_of(answer.content)["serialNumber"] == public_ref(MEMBER, member.public_id)
        assert caller.get("/me/card").json()["wallet_passes"] == ["apple"]

    @pytest.mark.parametrize("language", ["en", "zh-Hans", "zh-Hant"])
    def test_without_certificates_is_a_problem_and_no_file(self, member: Member, language: str) -> None:
        answer = sign_in(member).get(PATH, accept="application/vnd.apple.pkpass", accept_language=language)
        assert problem_of(answer) == (404, "wallet_pass_unavailable")
        assert answer.headers["Content-Language"].lower() == language.lower()
        assert language != "en" or answer.json()["title"] == "No wallet passes here"

    def test_is_my_own_only(self, chain: Chain, member: Member) -> None:
        other = make_member(full_name="李四", phone="13900139000")
        about = about_of(sign_in(other).get(PATH).content)
        assert (about["serialNumber"], about["barcodes"][0]["message"]) == (
            public_ref(MEMBER, other.public_id),
            other.member_no,
        )
        assert problem_of(make_till().get(PATH)) == (403, "insufficient_scope")
        assert problem_of(Caller().get(PATH)) == (401, "authentication_required")

    @pytest.mark.parametrize("how", ["frozen", "closed", "merged", "erased"])
    def test_is_refused_as_the_profile_is(self, chain: Chain, member: Member, how: str) -> None:
        caller = sign_in(member)
        ended(member, how)
        profile, card = (problem_of(caller.get(path)) for path in ("/me", PATH))
        assert card == profile
        assert card[0] in {401, 403}

    def test_of_who_may_only_not_spend_is_there(self, chain: Chain, member: Member) -> None:
        caller = sign_in(member)
        freeze_member(
            member_id=member.pk, reason="checked", release_at=now() + timedelta(days=9), acts=[Member.Act.SPEND], by=SYSTEM, at=now()
        )  # fmt: skip
        assert [caller.get(path).status_code for path in ("/me", PATH)] == [200, 200]

    def test_takes_six_queries_whatever_the_history(self, chain: Chain, member: Member) -> None:
        caller = sign_in(member)
        caller.get(PATH)
        for hours in range(1, 6):
            give_points(member, 10, moment=now() - timedelta(hours=hours), expires_at=now() + timedelta(days=hours))
        with CaptureQueriesContext(connection) as captured:
            assert caller.get(PATH).status_code == 200
        assert len(captured) == PASS_QUERIES, [query["sql"] for query in captured]


class TestOnTheMemberPage:
    def test_is_handed_out_to_who_may_see_cards(self, chain: Chain, member: Member) -> None:
        assert handout_of(member) in shown(member)
        assert "WALLET_PASS" not in shown(member)
        answer = signed_in("service").get(handout_of(member))
        assert answer.headers["Content-Type"] == "application/vnd.apple.pkpass"
        assert "no-store" in answer.headers["Cache-Control"]
        assert about_of(answer.content)["serialNumber"] == public_ref(MEMBER, member.public_id)
        assert signed_in().get(handout_of(member)).status_code == 403

    def test_of_who_has_left_leads_back_with_a_sentence(self, chain: Chain, member: Member) -> None:
        ended(member, "closed")
        answer = signed_in("service").get(handout_of(member), follow=True)
        assert (
            answer.redirect_chain[-1][0] == reverse("admin:members_member_change", args=[member.pk]) + "?tab=identities"
        )
        assert "The member has left the programme." in answer.text
