"""What every test stands on: a real PostgreSQL, a database of its own for each worker, clones for committed data."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test.signals import setting_changed
from django.utils import translation
from pytest_django import DjangoDbBlocker

from config.translations import CATALOGUES, compile_catalogues
from config.trial.postgres import ensure_role
from loyalty.benefit_book import forget_benefit_book
from loyalty.queries import forget_ladder_book
from members.queries import forget_programme
from members.services.rates import forget_leases
from rewards.earning import contributors
from rewards.expiry_book import forget_expiry_book
from rewards.payment_book import forget_payment_book
from rewards.policies import forget_policies
from rewards.queries import forget_rules
from tests.harness.browser import chromium
from tests.harness.database import TestServer, django_on, server_for_run
from tests.harness.generated import register_profiles
from tests.harness.node import has_node
from tests.harness.results import Figures, append_result, command_for

TESTS = Path(__file__).parent
LONG = (TESTS / "proofs", TESTS / "benchmarks")
BROWSER = TESTS / "browser"
MINI_PROGRAM = TESTS / "journeys" / "test_mini_program.py"
APPLICATION_ROLE = "perennial_test_app"

register_profiles()
_server_of_run = pytest.StashKey[ExitStack]()
_clones = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prove", action="store_true", help="collect the long proofs and benchmarks (./run.sh prove)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_server_of_run] = ExitStack()
    if not hasattr(config, "workerinput") and compile_catalogues([CATALOGUES]):
        # Setting up Django has read the catalogues of before; this makes it read them again.
        setting_changed.send(sender=None, setting="LOCALE_PATHS", value=None, enter=True)
    if not config.getoption("--prove") and any(path.is_relative_to(long) for path in _asked(config) for long in LONG):
        raise pytest.UsageError("The long proofs and benchmarks are run by ./run.sh prove NAME.")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_server_of_run].close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Start the one server before the workers of a parallel run, which find it through the environment."""
    config.stash[_server_of_run].enter_context(server_for_run(durable=config.getoption("--prove")))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_long = collection_path in LONG and not config.getoption("--prove")
    is_without_browser = collection_path.is_relative_to(BROWSER) and chromium() is None
    is_without_node = collection_path == MINI_PROGRAM and not has_node()
    return True if is_long or is_without_browser or is_without_node else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = []
    names = ", ".join(sorted(path.stem for path in BROWSER.glob("test_*.py")))
    if names and chromium() is None and any(BROWSER.is_relative_to(path) for path in _asked(config)):
        left_out.append(
            f"The browser tests ({names}): there is no Chromium here. On Debian: apt-get install chromium fonts-noto-cjk"
        )
    if not has_node() and any(MINI_PROGRAM.is_relative_to(path) for path in _asked(config)):
        left_out.append(
            f"The mini-program ({MINI_PROGRAM.stem}): there is no Node with npm here. On Debian: apt-get install nodejs npm"
        )
    if left_out:
        terminalreporter.section("left out")
    for words in left_out:
        terminalreporter.write_line(words)


def _asked(config: pytest.Config) -> list[Path]:
    """Return the files and folders that the command line, or else the configuration, asks for."""
    return [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]


@pytest.fixture(autouse=True)
def language_of_the_portal() -> None:
    """Every test begins in the portal's own language, whatever the test before it spoke."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(autouse=True)
def settings_read_anew() -> None:
    """Rules, tiers, promotions and the programme are kept for seconds in a process; a test reads its own."""
    forget_rules()
    forget_policies()
    forget_expiry_book()
    forget_payment_book()
    forget_ladder_book()
    forget_benefit_book()
    forget_programme()
    forget_leases()
    for contributor in contributors():
        contributor.forget()


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Iterator[TestServer]:
    """The server of this run; without fsync, except for the long proofs."""
    with server_for_run(durable=request.config.getoption("--prove")) as server:
        yield server


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    database_server: TestServer,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Give this worker a clone of the migrated template. Replaces pytest-django's own fixture."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    with django_db_blocker.unblock():
        database_server.ensure_template()
    with database_server.clone(worker) as url, django_on(url):
        yield


@pytest.fixture
def committed_db(
    request: pytest.FixtureRequest,
    database_server: TestServer,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """A database of this test's own, in which commits are real and threads see each other; yields its URL.

    The connection of every thread reaches it. For races, bulk jobs and browsers; the ledger's tables refuse to be
    emptied, so such a test can not share a database. Not together with the `django_db` mark.
    """
    if request.node.get_closest_marker("django_db") or "db" in request.fixturenames:
        raise pytest.UsageError(f"{request.node.nodeid} asks for committed_db and for a test transaction.")
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    with (
        database_server.clone(f"{worker}_{next(_clones)}") as url,
        django_db_blocker.unblock(),
        django_on(url),
    ):
        yield url


@pytest.fixture
def application_url(committed_db: str, database_server: TestServer) -> str:
    """The URL of `committed_db` for the application's role, which may not change history."""
    password = "only-for-tests"
    with database_server.connect() as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [APPLICATION_ROLE])  # roles belong to the whole server
        ensure_role(admin, APPLICATION_ROLE, password)
    call_command("grant_roles", role=APPLICATION_ROLE, verbosity=0)
    return database_server.url_of(committed_db.rsplit("/", 1)[1], user=APPLICATION_ROLE, password=password)


@pytest.fixture
def record_result(request: pytest.FixtureRequest) -> Callable[[str, Figures], None]:
    """Return a function that writes a named result (a sentence, or figures by name) into tests/proofs/RESULTS.md."""
    command = command_for(request.path, list(request.config.invocation_params.args))

    def record(name: str, figures: Figures) -> None:
        append_result(name, figures, command=command, at=datetime.now(UTC))

    return record
