"""What is compared: the sides (ways to run a suite), the rows (suites), and their source text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from importlib.util import find_spec

ROUND_TRIPS = 15_000
SLEEP = 0.1
TESTS_A_FILE = 100


@dataclass(frozen=True)
class Side:
    """One way to run a suite: a plugin, settings, and the words in which its tests are written."""

    name: str
    plugin: str = ""
    arguments: tuple[str, ...] = ()
    ini: str = ""
    conftest: str = ""
    imports: str = "import asyncio\nimport trio\n"
    framework: str = "trio"
    is_async: bool = False
    has_autoload: bool = False
    needs: tuple[str, ...] = ()
    """Modules without which it can't be run, besides the plugin."""
    blocks: bool = False
    """Its tests that wait are sync ones, which nothing else can go on beside."""
    share: int = 1
    """It has one in so many of the tests of its row."""

    @property
    def is_installed(self) -> bool:
        modules = [self.plugin] * bool(self.plugin) + list(self.needs)
        return all(find_spec(name.partition(".")[0]) and find_spec(name) for name in modules)

    @property
    def command(self) -> tuple[str, ...]:
        load = () if self.has_autoload or not self.plugin else ("-p", self.plugin)
        return ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *load, *self.arguments)

    @property
    def define(self) -> str:
        return "async def" if self.is_async else "def"

    @property
    def wait(self) -> str:
        return f"await {self.framework}.sleep(0)" if self.is_async else "pass"


SYNC = Side("sync twin")
OURS = Side(
    "pytest-trio-scoped",
    plugin="pytest_trio_scoped.plugin",
    ini="trio_mode = true",
    is_async=True,
)
PYTEST_TRIO = Side(
    "pytest-trio",
    plugin="pytest_trio.plugin",
    ini="trio_mode = true",
    is_async=True,
)
ANYIO = Side(
    "anyio on Trio",
    plugin="anyio.pytest_plugin",
    ini="anyio_mode = auto",
    conftest="""\
@pytest.fixture(scope="session")
def anyio_backend():
    return "trio"

""",
    is_async=True,
)
ANYIO_ASYNCIO = replace(
    ANYIO,
    name="anyio on asyncio",
    conftest=ANYIO.conftest.replace("trio", "asyncio"),
    framework="asyncio",
)
PYTEST_ASYNCIO = Side(
    "pytest-asyncio",
    plugin="pytest_asyncio.plugin",
    ini="""\
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session""",
    framework="asyncio",
    is_async=True,
)
BARE_TRIO = Side("bare trio.run")
BARE_ASYNCIO = Side("bare asyncio.run", framework="asyncio")


def _unused_sides() -> tuple[Side, Side, Side]:
    """With autoload, as users have it, but every plugin other than ours is blocked.

    The suite imports no async library. One side runs twice: the ratio of a thing to itself is the
    noise that the other ratio has to be read against.
    """
    plugins = entry_points(group="pytest11")
    others = [word for p in plugins if p.name != "trio_scoped" for word in ("-p", f"no:{p.name}")]
    is_autoloaded = "trio_scoped" in plugins.names
    load = () if is_autoloaded else ("-p", OURS.plugin)
    not_loaded = Side(
        "not loaded",
        arguments=("-p", "no:trio_scoped", *others),
        imports="",
        has_autoload=True,
    )
    unused = replace(
        not_loaded,
        name="installed but unused",
        plugin=OURS.plugin,
        arguments=(*load, *others),
    )
    return unused, not_loaded, replace(not_loaded, name="not loaded, again")


UNUSED, NOT_LOADED, NOT_LOADED_AGAIN = _unused_sides()

LOADED = replace(SYNC, name="sync twin, loaded", plugin=OURS.plugin)
ONE_AT_ONCE = replace(OURS, name="--trio-parallel=1", arguments=("--trio-parallel=1",))
ALL_AT_ONCE = replace(OURS, name="--trio-parallel=1000", arguments=("--trio-parallel=1000",))
QUARTER_AT_ONCE = replace(ALL_AT_ONCE, name="a quarter of them", share=4)
TWO_PROCESSES = replace(
    OURS,
    name="xdist, -n 2",
    arguments=("-p", "xdist.plugin", "-n", "2"),
    needs=("xdist.plugin",),
)
SYNC_SLEEPS = replace(SYNC, name="sync tests", blocks=True, imports=f"{SYNC.imports}import time\n")
SYNC_AND_SLEEP = replace(
    SYNC,
    name=f"sync no-ops + {SLEEP} s",
    conftest=f"""\
@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    time.sleep({SLEEP})

""",
    imports=f"{SYNC.imports}import time\n",
)
WITHOUT_FIXTURES = {
    side: replace(side, name=f"{side.name} (0)")
    for side in (OURS, LOADED, ANYIO, ANYIO_ASYNCIO, PYTEST_ASYNCIO, SYNC)
}

Files = Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """One suite, the sides compared on it, and the ratio we want to see."""

    name: str
    title: str
    clock: str
    goal: float | None
    pairs: tuple[tuple[Side, Side], ...]
    write: Callable[[Side, int], Files]
    has_one_test: bool = False
    has_one_round: bool = False
    is_long: bool = False
    """It takes minutes, so it is run only if it is asked for."""
    is_warmed_up: bool = True
    """A run of each side that does not count comes first."""
    times_rounds: int = 1
    times_tests: int = 1
    cannot: Mapping[Side, str] = field(default_factory=dict)


def _test_files(side: Side, tests: int, arguments: str, wait: str = "") -> Files:
    head = f"{side.imports}from stopwatch import ran\n"
    wait = wait and f"    {wait}\n"
    files = {}
    for first in range(0, tests, TESTS_A_FILE):
        bodies = [
            f"\n\n{side.define} test_{i}({arguments}):\n{wait}    ran.append({i})\n"
            for i in range(first, min(first + TESTS_A_FILE, tests))
        ]
        files[f"test_from_{first}.py"] = head + "".join(bodies)
    return files


def _conftest(side: Side, *fixtures: str) -> Files:
    head = f"{side.imports}import pytest\n\n\n{side.conftest}"
    return {"conftest.py": head + "\n\n".join(fixtures)}


def _generator(side: Side, declaration: str, wait: str) -> str:
    return f"{declaration.format(define=side.define)}\n{wait}    yield object()\n{wait}"


def write_noop(side: Side, tests: int) -> Files:
    return {**_conftest(side), **_test_files(side, tests, "")}


def write_wait(side: Side, tests: int) -> Files:
    shared = _generator(side, '@pytest.fixture(scope="session")\n{define} shared():', "")
    return {**_conftest(side, shared), **_test_files(side, tests, "shared", side.wait)}


def write_sleep(side: Side, tests: int) -> Files:
    wait = f"await {side.framework}.sleep({SLEEP})" if side.is_async else ""
    if side.blocks:
        wait = f"time.sleep({SLEEP})"
    return {**_conftest(side), **_test_files(side, tests, "", wait)}


def write_one(side: Side, _tests: int) -> Files:
    """One test, which imports only what it needs."""
    imports = f"import {side.framework}\n" if side.is_async else ""
    side = replace(side, imports=imports)
    return {**_conftest(side), **_test_files(side, 1, "")}


def _write_fixtures(side: Side, tests: int, wait: str) -> Files:
    fixtures = (
        f"@pytest.fixture\n{side.define} number():\n{wait}    return 1\n",
        _generator(side, "@pytest.fixture\n{define} opened(number):", wait),
        _generator(side, "@pytest.fixture\n{define} session(opened):", wait),
    )
    arguments = "number, opened, session"
    return {
        **_conftest(side, *fixtures),
        **_test_files(side, tests, arguments),
    }


def write_fixtures(side: Side, tests: int) -> Files:
    return _write_fixtures(side, tests, wait="")


def write_waiting_fixtures(side: Side, tests: int) -> Files:
    return _write_fixtures(side, tests, wait=f"    {side.wait}\n")


def write_many_fixtures(side: Side, tests: int) -> Files:
    count = 0 if side in WITHOUT_FIXTURES.values() else 5
    fixtures = [
        f"@pytest.fixture\n{side.define} narrow_{i}(shared):\n    return {i}\n"
        for i in range(count)
    ]
    shared = _generator(side, '@pytest.fixture(scope="session")\n{define} shared():', "")
    arguments = ", ".join([f"narrow_{i}" for i in range(count)] or ["shared"])
    return {
        **_conftest(side, shared, *fixtures),
        **_test_files(side, tests, arguments),
    }


def write_echo(side: Side, _tests: int) -> Files:
    module = f"echo_{side.framework}"
    server = f"""\
@pytest.fixture(scope="session")
async def port():
    async with {module}.echo_server() as port:
        yield port
"""
    measure = (
        f"await {module}.make_round_trips(port, {ROUND_TRIPS})"
        if side.is_async
        else f"{module}.run_bare({ROUND_TRIPS})"
    )
    test = f"""\
import {module}
from stopwatch import ran, round_trips


{side.define} test_round_trips({"port" if side.is_async else ""}):
    round_trips.append({measure})
    ran.append(1)
"""
    head = f"import {module}\n"
    conftest = _conftest(side, *[server] * side.is_async)["conftest.py"]
    return {"conftest.py": head + conftest, "test_echo.py": test}


PEERS = (PYTEST_TRIO, ANYIO, ANYIO_ASYNCIO, PYTEST_ASYNCIO)
_WITH_SYNC = tuple((side, SYNC) for side in (OURS, *PEERS))
_NO_SESSION_SCOPE = {PYTEST_TRIO: "cannot: async fixtures must be function-scoped"}

ROWS = (
    Row("noop", "async no-op test / sync twin", "loop", 1.05, _WITH_SYNC, write_noop),
    Row(
        "wait",
        "await sleep(0), session-scoped async fixture / sync twin",
        "loop",
        1.15,
        _WITH_SYNC,
        write_wait,
        cannot=_NO_SESSION_SCOPE,
    ),
    Row(
        "fixtures",
        "three function-scoped async fixtures, two of them generators / sync twin",
        "loop",
        1.4,
        _WITH_SYNC,
        write_fixtures,
    ),
    Row(
        "waiting-fixtures",
        "the same, with an await sleep(0) in each set-up and tear-down / sync twin",
        "loop",
        None,
        _WITH_SYNC,
        write_waiting_fixtures,
    ),
    Row(
        "tcp",
        f"{ROUND_TRIPS:,} round trips over loopback TCP to a session-scoped fixture / bare loop",
        "trips",
        1.05,
        (
            (OURS, BARE_TRIO),
            (PYTEST_TRIO, BARE_TRIO),
            (ANYIO, BARE_TRIO),
            (ANYIO_ASYNCIO, BARE_ASYNCIO),
            (PYTEST_ASYNCIO, BARE_ASYNCIO),
        ),
        write_echo,
        has_one_test=True,
        cannot=_NO_SESSION_SCOPE,
    ),
    Row(
        "start-up",
        "one async no-op test, with what it imports / sync twin, which imports nothing",
        "wall",
        None,
        _WITH_SYNC,
        write_one,
        has_one_test=True,
        times_rounds=2,
    ),
    Row(
        "unused",
        "installed but unused, a sync suite / not loaded",
        "cpu",
        1.01,
        ((UNUSED, NOT_LOADED), (NOT_LOADED_AGAIN, NOT_LOADED)),
        write_noop,
        times_rounds=3,
    ),
    Row(
        "memory",
        "ten times as many tests, five fixtures for each on one session fixture / (0) without them",
        "peak",
        1.05,
        tuple(WITHOUT_FIXTURES.items()),
        write_many_fixtures,
        has_one_round=True,
        times_tests=10,
        cannot=_NO_SESSION_SCOPE,
    ),
    Row(
        "parallel",
        f"tests of {SLEEP} s, all at once / as many sync no-op tests, and {SLEEP} s once",
        "loop",
        1.3,
        ((ALL_AT_ONCE, SYNC_AND_SLEEP),),
        write_sleep,
    ),
    Row(
        "parallel-one",
        "await sleep(0), session-scoped async fixture, --trio-parallel=1 / without the option",
        "loop",
        1.05,
        ((ONE_AT_ONCE, OURS),),
        write_wait,
    ),
    Row(
        "parallel-others",
        f"tests of {SLEEP} s, one after the other, or in two processes / --trio-parallel=1000",
        "wall",
        None,
        tuple((side, ALL_AT_ONCE) for side in (OURS, *PEERS, TWO_PROCESSES, SYNC_SLEEPS)),
        write_sleep,
        has_one_round=True,
        is_long=True,
        is_warmed_up=False,
    ),
    Row(
        "parallel-growth",
        "20 times as many tests, await sleep(0), up to 1,000 at once / a quarter of them; 4 is linear",
        "peak",
        4.2,
        ((ALL_AT_ONCE, QUARTER_AT_ONCE),),
        write_wait,
        has_one_round=True,
        is_long=True,
        times_tests=20,
    ),
)
