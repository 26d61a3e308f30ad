"""Signing in (control 14): guessing locks, a second step where there is one or must be, and sessions that end."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from config import sign_in
from members import roles
from members.models import Operator, Programme, RecoveryCode, SecondStep, SignInTries
from members.queries import forget_programme
from members.services import second_steps, sign_in_tries
from members.services.second_steps import (
    HasSecondStep,
    NoSecondStep,
    SecondStepRequired,
    WrongDigits,
    begin_enrolment,
    check_digits,
    confirm_enrolment,
    renew_recovery_codes,
    switch_off,
    take_away,
)
from members.services.sign_in_tries import (
    Kind,
    SignInLocked,
    account_locked_until,
    count_sign_in,
    count_try,
    forget_tries,
    forgive,
    know_place,
    locked_until,
    take_back,
)
from tests.factories.portal import PASSWORD, an_operator

AT = datetime(2026, 11, 20, 3, 0, 10, tzinfo=UTC)
LOGIN = "/admin/login/"
HOME = "/admin/"


def sent(client: Client, operator: Operator, password: str = PASSWORD, **more: str) -> str:
    """Send name and password; return where it leads, or an empty text when the form is shown again."""
    answer = client.post(LOGIN, {"username": operator.username, "password": password}, **more)  # type: ignore[arg-type]
    return answer.headers.get("Location", "")


def is_in(client: Client) -> bool:
    """Whether the next click opens a page of the portal."""
    return client.get(HOME).status_code == 200


def digits_of(operator: Operator, at: datetime) -> str:
    """Return what the operator's phone shows."""
    secret = second_steps._secret_of(SecondStep.objects.get(pk=operator.pk))
    return pyotp.TOTP(secret).at(at)


def enrolled(*role_names: str) -> tuple[Operator, list[str]]:
    """Return an operator with a second step that was set up a day ago, and the recovery codes."""
    operator = an_operator(*role_names)
    begin_enrolment(operator=operator, at=AT - timedelta(days=1))
    before = AT - timedelta(days=1)
    return operator, confirm_enrolment(operator=operator, digits=digits_of(operator, before), at=before)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the clock of the sign-in pages; it begins at AT."""

    def to(moment: datetime) -> None:
        monkeypatch.setattr("config.sign_in.timezone.now", lambda: moment)

    to(AT)
    return to


@pytest.fixture
def policy() -> Iterator[None]:
    """The programme asks leading roles for a second step."""
    Programme.objects.update(second_step_required=True)
    forget_programme()
    yield
    forget_programme()


@pytest.mark.django_db
class TestTries:
    def test_lock_at_the_one_too_many_and_for_a_quarter_of_an_hour(self) -> None:
        for _row in range(5):
            count_try(kind=Kind.ACCOUNT, key="mei", at=AT)
        with pytest.raises(SignInLocked) as refused:
            count_try(kind=Kind.ACCOUNT, key="mei", at=AT)
        assert refused.value.params == {"minutes": 15}
        with pytest.raises(SignInLocked):
            count_try(kind=Kind.ACCOUNT, key="MEI ", at=AT + timedelta(minutes=14, seconds=59))
        count_try(kind=Kind.ACCOUNT, key="mei", at=AT + timedelta(minutes=15))
        count_try(kind=Kind.ACCOUNT, key="other", at=AT)

    def test_are_forgotten_when_the_time_is_over(self) -> None:
        for number in range(12):
            count_try(kind=Kind.ACCOUNT, key="mei", at=AT + number * timedelta(minutes=4))

    def test_are_taken_back_one_by_one_for_an_address_and_forgiven_for_an_account(self) -> None:
        for _row in range(100):
            count_try(kind=Kind.PLACE, key="10.0.0.1", at=AT)
            take_back(kind=Kind.PLACE, key="10.0.0.1")
            count_try(kind=Kind.ACCOUNT, key="mei", at=AT)
            forgive(kind=Kind.ACCOUNT, key="mei")
        assert [row.tries for row in SignInTries.objects.all()] == [0]

    def test_keep_no_name_and_no_address(self) -> None:
        count_try(kind=Kind.ACCOUNT, key="my-password-by-mistake", at=AT)
        with connection.cursor() as cursor:
            cursor.execute("SELECT t::text FROM members_signintries t")
            assert "mistake" not in cursor.fetchone()[0]

    def test_are_deleted_after_a_day(self) -> None:
        count_try(kind=Kind.ACCOUNT, key="old", at=AT - timedelta(days=1))
        count_try(kind=Kind.ACCOUNT, key="new", at=AT - timedelta(hours=23))
        assert forget_tries(at=AT) == 1
        assert SignInTries.objects.count() == 1

    def test_of_an_account_lock_the_place_where_they_failed(self) -> None:
        for _row in range(5):
            count_sign_in(name="mei", place="1.1.1.1", at=AT)
        with pytest.raises(SignInLocked):
            count_sign_in(name="Mei ", place="1.1.1.1", at=AT)
        count_sign_in(name="mei", place="2.2.2.2", at=AT)
        count_sign_in(name="other", place="1.1.1.1", at=AT)

    def test_from_many_places_lock_the_account_but_where_it_has_signed_in_lately(self) -> None:
        know_place(name="Mei", place="shop", at=AT - timedelta(days=30) + timedelta(seconds=1))
        know_place(name="mei", place="old shop", at=AT - timedelta(days=30))
        know_place(name="li", place="elsewhere", at=AT)
        for number in range(100):
            count_sign_in(name="mei", place=f"10.0.0.{number}", at=AT)
        for place in ("10.0.1.1", "old shop", "elsewhere"):
            with pytest.raises(SignInLocked):
                count_sign_in(name="mei", place=place, at=AT)
            assert locked_until(kind=Kind.PLACE, key=place, at=AT) is None
        for _row in range(5):
            count_sign_in(name="mei", place="shop", at=AT)
        with pytest.raises(SignInLocked):  # the place where it is known has the narrow bound still
            count_sign_in(name="mei", place="shop", at=AT)
        count_sign_in(name="mei", place="old shop", at=AT + timedelta(minutes=15))

    def test_that_are_refused_use_up_nothing_else(self) -> None:
        for _row in range(40):
            with contextlib.suppress(SignInLocked):
                count_sign_in(name="mei", place="shop", at=AT)
        # Five of thirty: the colleagues at this place have twenty-five left, and the account as many elsewhere.
        assert sorted(SignInTries.objects.values_list("tries", flat=True)) == [5, 5, 6]
        for number in range(25):
            count_sign_in(name=f"colleague-{number}", place="shop", at=AT)
        with pytest.raises(SignInLocked):
            count_sign_in(name="li", place="shop", at=AT)
        for _row in range(7):
            with pytest.raises(SignInLocked):
                count_sign_in(name="wang", place="shop", at=AT)
        assert account_locked_until(name="wang", operator_id=0, at=AT) is None

    def test_remember_places_for_thirty_days_as_hashes(self) -> None:
        know_place(name="mei", place="192.0.2.77", at=AT)
        know_place(name="mei", place="192.0.2.77", at=AT - timedelta(days=3))
        with connection.cursor() as cursor:
            cursor.execute("SELECT t::text FROM members_signintries t")
            (kept,) = cursor.fetchone()
        assert "mei" not in kept
        assert "192.0.2.77" not in kept
        assert forget_tries(at=AT + timedelta(days=29)) == 0
        assert forget_tries(at=AT + timedelta(days=30)) == 1


class TestTriesAtOnce:
    def test_are_each_counted(self, committed_db: str) -> None:
        def attempt(_number: int) -> bool:
            try:
                count_try(kind=Kind.ACCOUNT, key="mei", at=AT)
            except SignInLocked:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(8) as threads:
            let_through = list(threads.map(attempt, range(40)))
        assert let_through.count(True) == 5

    @pytest.mark.parametrize(
        ("places", "guesses", "through"), [(1, 40, 5), (4, 80, 20), (150, 150, 100)], ids=["one", "four", "many"]
    )
    def test_from_one_place_or_many_are_each_counted(
        self, committed_db: str, places: int, guesses: int, through: int
    ) -> None:
        def attempt(number: int) -> bool:
            try:
                count_sign_in(name="mei", place=f"place-{number % places}", at=AT)
            except SignInLocked:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(8) as threads:
            let_through = list(threads.map(attempt, range(guesses)))
        assert let_through.count(True) == through
        of_places = SignInTries.objects.filter(kind=Kind.PLACE)
        assert sum(of_places.values_list("tries", flat=True)) == through
        assert not of_places.filter(locked_until__isnull=False).exists()


@pytest.mark.django_db
class TestLockOut:
    def test_refuses_the_right_password_too_and_ends(self, clock: Callable[[datetime], None]) -> None:
        operator, client = an_operator("service"), Client()
        for _row in range(5):
            assert sent(client, operator, "wrong") == ""
        assert sent(client, operator) == ""
        assert not is_in(client)
        clock(AT + timedelta(minutes=16))
        assert sent(client, operator) == HOME
        assert is_in(client)

    def test_tells_nobody_whether_there_is_such_an_account(self, clock: Callable[[datetime], None]) -> None:
        known, client = an_operator("service"), Client()
        texts = []
        for name in (known.username, "nobody-of-that-name"):
            for _row in range(6):
                answer = client.post(LOGIN, {"username": name, "password": "wrong"})
            texts.append(answer.text.count("15"))
        assert texts[0] == texts[1] > 0

    def test_covers_an_address_that_guesses_at_many_accounts(self, clock: Callable[[datetime], None]) -> None:
        operator, client = an_operator("service"), Client()
        for number in range(30):
            client.post(LOGIN, {"username": f"name-{number}", "password": "wrong"}, REMOTE_ADDR="10.1.1.1")
        assert sent(client, operator, REMOTE_ADDR="10.1.1.1") == ""
        assert sent(client, operator, REMOTE_ADDR="10.1.1.2") == HOME

    def test_leaves_many_colleagues_behind_one_address_alone(self, clock: Callable[[datetime], None]) -> None:
        operator = an_operator("service")
        assert [sent(Client(), operator) for _row in range(35)] == [HOME] * 35

    def test_is_of_nobody_else_who_has_the_name(self, clock: Callable[[datetime], None]) -> None:
        operator, stranger = an_operator("service"), Client(REMOTE_ADDR="203.0.113.9")
        for _row in range(12):
            assert sent(stranger, operator, "wrong") == ""
        assert sent(stranger, operator) == ""
        assert sent(Client(), operator) == HOME

    def test_is_not_of_a_place_where_somebody_has_signed_in(self, clock: Callable[[datetime], None]) -> None:
        operator, (stepper, codes) = an_operator("service"), enrolled("service")
        assert sent(Client(), operator) == HOME
        client = Client()
        sent(client, stepper)
        client.post(reverse("admin:sign_in_digits"), {"digits": codes[0]})
        half = Client(REMOTE_ADDR="10.1.1.3")
        sent(half, stepper)  # the password alone makes no place known
        for one in (operator, stepper):
            for number in range(101):
                with contextlib.suppress(SignInLocked):
                    count_sign_in(name=one.username, place=f"203.0.113.{number}", at=AT)
        assert sent(Client(), operator) == HOME
        assert sent(Client(), stepper) == reverse("admin:sign_in_digits")
        assert sent(Client(REMOTE_ADDR="10.1.1.2"), operator) == ""
        assert sent(half, stepper) == ""
        clock(AT + timedelta(minutes=16))
        assert sent(Client(REMOTE_ADDR="10.1.1.2"), operator) == HOME

    def test_leaves_the_colleagues_at_the_place_of_who_is_locked_out(self, clock: Callable[[datetime], None]) -> None:
        operator, colleague, client = an_operator("service"), an_operator("service"), Client()
        for _row in range(40):
            sent(client, operator, "wrong")
        assert sent(client, operator) == ""
        assert sent(Client(), colleague) == HOME

    @pytest.mark.parametrize("how", ["five at a place", "many places", "digits", "the place"])
    def test_is_lifted_by_a_command_when_nobody_can(self, clock: Callable[[datetime], None], how: str) -> None:
        operator, _codes = enrolled("service")
        other = an_operator("service")
        for number in range(105):
            with contextlib.suppress(SignInLocked):
                if how == "digits":
                    count_try(kind=Kind.DIGITS, key=str(operator.pk), at=AT)
                elif how == "the place":
                    count_try(kind=Kind.PLACE, key="127.0.0.1", at=AT)
                else:
                    place = f"10.0.0.{number}" if how == "many places" else "127.0.0.1"
                    count_sign_in(name=operator.username, place=place, at=AT)
        for _row in range(6):
            with contextlib.suppress(SignInLocked):
                count_try(kind=Kind.ACCOUNT, key=other.username, place="shop", at=AT)
        is_of_place = how == "the place"
        assert (account_locked_until(name=operator.username, operator_id=operator.pk, at=AT) is None) == is_of_place
        call_command("lift_lockout", operator.username, *(["--places"] if is_of_place else []))
        assert account_locked_until(name=operator.username, operator_id=operator.pk, at=AT) is None
        assert sent(Client(), operator) == reverse("admin:sign_in_digits")
        check_digits(operator=operator, digits=digits_of(operator, AT), at=AT)
        assert account_locked_until(name=other.username, operator_id=other.pk, at=AT) is not None

    def test_is_lifted_by_a_colleague(self, clock: Callable[[datetime], None]) -> None:
        operator, client = an_operator("service"), Client()
        for _row in range(6):
            sent(client, operator, "wrong")
        lift = f"/admin/members/operator/{operator.pk}/lift-lock/"
        administrator = Client()
        administrator.force_login(an_operator(roles.ADMINISTRATOR))
        assert administrator.post(lift, {"_form_submitted": "True", "reason": "asked in person"}).status_code == 200
        assert sent(client, operator) == HOME

    @pytest.mark.parametrize(
        ("forwarded", "place"), [("1.1.1.1, 9.9.9.9", "9.9.9.9"), ("9.9.9.9", "9.9.9.9"), ("", "10.0.0.9")]
    )
    def test_counts_what_our_proxy_saw_last(
        self, settings: object, rf: RequestFactory, forwarded: str, place: str
    ) -> None:
        request = rf.get("/", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR=forwarded)
        assert sign_in.place_of(request) == "10.0.0.9"
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # type: ignore[attr-defined]
        assert sign_in.place_of(request) == place


@pytest.mark.django_db
class TestSecondStep:
    def test_is_used_from_the_moment_it_was_confirmed(self) -> None:
        operator = an_operator()
        first = begin_enrolment(operator=operator, at=AT)
        assert begin_enrolment(operator=operator, at=AT) == first
        assert first.address.startswith("otpauth://totp/Perennial:")
        assert not second_steps.has_second_step(operator)
        with pytest.raises(WrongDigits):
            confirm_enrolment(operator=operator, digits="000000", at=AT)
        confirm_enrolment(operator=operator, digits=pyotp.TOTP(first.secret).at(AT), at=AT)
        assert second_steps.has_second_step(operator)
        with pytest.raises(HasSecondStep):
            begin_enrolment(operator=operator, at=AT)

    def test_accepts_digits_once_and_those_of_the_neighbouring_half_minutes(self) -> None:
        operator, _codes = enrolled()
        digits = digits_of(operator, AT)
        assert check_digits(operator=operator, digits=f" {digits[:3]} {digits[3:]} ", at=AT) is False
        for moment in (AT, AT + timedelta(seconds=30)):
            with pytest.raises(WrongDigits):
                check_digits(operator=operator, digits=digits, at=moment)
        later = AT + timedelta(minutes=2)
        check_digits(operator=operator, digits=digits_of(operator, later - timedelta(seconds=30)), at=later)
        with pytest.raises(WrongDigits):
            check_digits(operator=operator, digits=digits_of(operator, later + timedelta(minutes=2)), at=later)

    def test_accepts_each_recovery_code_once(self) -> None:
        operator, codes = enrolled()
        assert len(set(codes)) == 10
        assert check_digits(operator=operator, digits=codes[0].lower(), at=AT) is True
        with pytest.raises(WrongDigits):
            check_digits(operator=operator, digits=codes[0], at=AT)
        assert second_steps.codes_left(operator) == 9
        other, _codes = enrolled()
        with pytest.raises(WrongDigits):
            check_digits(operator=other, digits=codes[1], at=AT)

    def test_keeps_neither_secret_nor_codes_in_the_database(self) -> None:
        _operator, codes = enrolled()
        secret = second_steps._secret_of(SecondStep.objects.get())
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT s::text FROM members_secondstep s UNION ALL SELECT c::text FROM members_recoverycode c"
            )
            kept = " ".join(row for (row,) in cursor.fetchall())
        assert secret not in kept
        assert not any(code in kept or code.replace("-", "") in kept for code in codes)

    def test_locks_after_five_wrong_tries_whatever_comes_then(self) -> None:
        operator, codes = enrolled()
        for _row in range(5):
            with pytest.raises(WrongDigits):
                check_digits(operator=operator, digits="123456", at=AT)
        with pytest.raises(SignInLocked):
            check_digits(operator=operator, digits=codes[0], at=AT)
        assert second_steps.codes_left(operator) == 10

    def test_gives_new_codes_against_digits_and_kills_the_old_ones(self) -> None:
        operator, codes = enrolled()
        with pytest.raises(WrongDigits):
            renew_recovery_codes(operator=operator, digits="123456", at=AT)
        assert second_steps.codes_left(operator) == 10
        new = renew_recovery_codes(operator=operator, digits=digits_of(operator, AT), at=AT)
        assert not set(new) & set(codes)
        with pytest.raises(WrongDigits):
            check_digits(operator=operator, digits=codes[3], at=AT)

    def test_is_switched_off_only_where_the_policy_lets(self, policy: None) -> None:
        operator, _codes = enrolled(roles.FINANCE)
        with pytest.raises(SecondStepRequired):
            switch_off(operator=operator, digits=digits_of(operator, AT), at=AT)
        other, _codes = enrolled(roles.SERVICE)
        switch_off(operator=other, digits=digits_of(other, AT), at=AT)
        assert not SecondStep.objects.filter(pk=other.pk).exists()
        assert not RecoveryCode.objects.filter(operator=other).exists()

    def test_is_taken_away_by_a_colleague(self) -> None:
        operator, _codes = enrolled()
        take_away(operator=operator)
        with pytest.raises(NoSecondStep):
            take_away(operator=operator)


@pytest.mark.django_db
class TestSignInPages:
    def test_ask_for_digits_before_anybody_is_in(self, clock: Callable[[datetime], None]) -> None:
        operator, _codes = enrolled("service")
        client = Client()
        digits_page = reverse("admin:sign_in_digits")
        assert sent(client, operator) == digits_page
        assert not is_in(client)
        assert client.get(digits_page).status_code == 200
        assert "is_half" not in client.post(digits_page, {"digits": "123456"}).text
        assert not is_in(client)
        answer = client.post(digits_page, {"digits": digits_of(operator, AT)})
        assert answer.headers["Location"] == HOME
        assert is_in(client)

    def test_lead_to_the_page_that_was_asked_for(self, clock: Callable[[datetime], None]) -> None:
        operator, codes = enrolled("service")
        client = Client()
        form = {"username": operator.username, "password": PASSWORD, "next": "/admin/members/member/"}
        client.post(LOGIN, form)
        answer = client.post(reverse("admin:sign_in_digits"), {"digits": codes[0]})
        assert answer.headers["Location"] == "/admin/members/member/"
        client.post(LOGIN, {**form, "next": "https://evil.example/"})
        answer = client.post(reverse("admin:sign_in_digits"), {"digits": codes[1]})
        assert answer.headers["Location"] == HOME

    def test_forget_who_gave_the_password_after_ten_minutes_or_a_new_password(
        self, clock: Callable[[datetime], None]
    ) -> None:
        operator, _codes = enrolled("service")
        client = Client()
        sent(client, operator)
        clock(AT + timedelta(minutes=11))
        answer = client.post(
            reverse("admin:sign_in_digits"), {"digits": digits_of(operator, AT + timedelta(minutes=11))}
        )
        assert answer.headers["Location"] == LOGIN
        sent(client, operator)
        operator.set_password("another-long-password")
        operator.save()
        assert client.get(reverse("admin:sign_in_digits")).headers["Location"] == LOGIN

    def test_let_nobody_in_without_a_password(self, clock: Callable[[datetime], None]) -> None:
        operator, codes = enrolled("service")
        answer = Client().post(reverse("admin:sign_in_digits"), {"digits": codes[0]})
        assert answer.headers["Location"] == LOGIN
        assert second_steps.codes_left(operator) == 10

    def test_set_the_second_step_up_and_end_the_other_sessions(self, clock: Callable[[datetime], None]) -> None:
        operator = an_operator("service")
        client, elsewhere = Client(headers={"accept-language": "en"}), Client()
        client.force_login(operator)
        elsewhere.force_login(operator)
        page = reverse("admin:second_step")
        text = client.get(page).text
        assert "<svg" in text
        answer = client.post(page, {"wish": "confirm", "digits": digits_of(operator, AT)})
        assert answer.text.count("<li>") >= 10
        assert "Your recovery codes" in answer.text
        assert "no-store" in answer.headers["Cache-Control"]
        assert is_in(client)
        assert not is_in(elsewhere)
        assert "10 recovery codes are left" in client.get(page).text

    def test_open_for_nobody_who_is_not_signed_in(self) -> None:
        assert Client().get(reverse("admin:second_step")).headers["Location"] == LOGIN


@pytest.mark.django_db
class TestPolicy:
    def test_is_off_at_first(self) -> None:
        assert Programme.objects.get().second_step_required is False

    @pytest.mark.parametrize("role", [roles.ADMINISTRATOR, roles.FINANCE, roles.SERVICE_SUPERVISOR])
    def test_makes_leading_roles_set_it_up_before_they_get_in(
        self, policy: None, clock: Callable[[datetime], None], role: str
    ) -> None:
        operator, client = an_operator(role), Client()
        page = reverse("admin:second_step")
        assert sent(client, operator) == page
        assert not is_in(client)
        assert client.get(page).status_code == 200
        client.post(page, {"wish": "confirm", "digits": digits_of(operator, AT)})
        assert is_in(client)

    def test_asks_nothing_of_the_other_roles(self, policy: None, clock: Callable[[datetime], None]) -> None:
        operator, client = an_operator(roles.SERVICE, roles.STORE), Client()
        assert sent(client, operator) == HOME
        assert is_in(client)

    def test_ends_sessions_without_a_second_step_with_the_next_click(self, policy: None) -> None:
        client = Client()
        client.force_login(an_operator(superuser=True))
        assert not is_in(client)


@pytest.mark.django_db
class TestSessions:
    @pytest.fixture
    def operator(self) -> Operator:
        return an_operator(roles.ADMINISTRATOR)

    @pytest.fixture
    def clients(self, operator: Operator) -> list[Client]:
        clients = [Client(), Client()]
        for client in clients:
            client.force_login(operator)
        return clients

    def test_end_with_the_next_click_when_an_operator_is_disabled(
        self, operator: Operator, clients: list[Client]
    ) -> None:
        assert all(is_in(client) for client in clients)
        Operator.objects.filter(pk=operator.pk).update(is_active=False)
        answer = clients[0].get(HOME)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{LOGIN}?next=/admin/")
        assert not is_in(clients[1])

    def test_stay_ended_when_the_operator_is_enabled_again(self, operator: Operator, clients: list[Client]) -> None:
        operator.is_active = False
        operator.save()
        operator.is_active = True
        operator.save()  # with the epoch that this copy of the row remembers
        assert not any(is_in(client) for client in clients)
        fresh = Client()
        fresh.force_login(Operator.objects.get(pk=operator.pk))
        assert is_in(fresh)

    def test_end_when_the_password_is_changed_but_for_the_one_that_changes_it(
        self, operator: Operator, clients: list[Client]
    ) -> None:
        form = {"old_password": PASSWORD, "new_password1": "Quite-Another-1", "new_password2": "Quite-Another-1"}
        assert clients[0].post(reverse("admin:password_change"), form).status_code == 302
        assert is_in(clients[0])
        assert not is_in(clients[1])

    def test_end_when_a_colleague_signs_the_operator_out(self, operator: Operator, clients: list[Client]) -> None:
        colleague = Client()
        colleague.force_login(an_operator(roles.ADMINISTRATOR))
        end = f"/admin/members/operator/{operator.pk}/end-sessions/"
        colleague.post(end, {"_form_submitted": "True", "reason": "left the phone in a taxi"})
        assert not any(is_in(client) for client in clients)
        assert is_in(colleague)

    def test_of_a_superuser_are_ended_by_a_superuser_only(self) -> None:
        superuser, client, colleague = an_operator(superuser=True), Client(), Client()
        client.force_login(superuser)
        colleague.force_login(an_operator(roles.ADMINISTRATOR))
        answer = colleague.post(
            f"/admin/members/operator/{superuser.pk}/end-sessions/", {"_form_submitted": "True", "reason": "x"}
        )
        assert answer.status_code == 403
        assert is_in(client)

    def test_last_a_working_day(self, settings: object) -> None:
        assert settings.SESSION_COOKIE_AGE <= 12 * 60 * 60  # type: ignore[attr-defined]
        assert sign_in_tries.BOUNDS[Kind.ACCOUNT].tries <= 10
