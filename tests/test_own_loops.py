"""Tests with a loop of their own on a clock of the user's, and instruments."""

from __future__ import annotations

import pytest
from harness import Suite

_LIMIT = 20

_CLOCK = """
class Fast(trio.abc.Clock):
    "A hundred seconds pass in one."
    def __init__(self):
        self._clock = trio.testing.MockClock(rate=100)
    def start_clock(self):
        self._clock.start_clock()
    def current_time(self):
        return self._clock.current_time()
    def deadline_to_sleep_time(self, deadline):
        return self._clock.deadline_to_sleep_time(deadline)
    def __repr__(self):
        return "<fast>"

@pytest.fixture
def fast():
    trace("set up fast")
    yield Fast()
    trace("torn down fast")

@pytest.fixture
async def narrow():
    trace("set up narrow")
    clock = trio.lowlevel.current_clock()
    yield clock, trio.lowlevel.current_trio_token()
    assert trio.lowlevel.current_clock() is clock
    trace("torn down narrow")
"""


def _tests(suite: Suite, source: str, *, trio_mode: bool = True) -> None:
    suite.write(
        "clocks.py", "import pytest, trio, trio.testing\nfrom trace import trace\n" + _CLOCK
    )
    suite.tests("import trio.testing\nfrom clocks import *\n" + source, trio_mode=trio_mode)


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize(
    "arguments",
    ["fast, narrow", "narrow, fast", "nursery, on_narrow, narrow, fast", "on_narrow, uses_fast"],
)
def test_function_scoped_fixtures_are_on_the_clock_in_whatever_order(
    suite: Suite, arguments: str
) -> None:
    _tests(
        suite,
        f"""
@pytest.fixture
async def on_narrow(narrow):
    return narrow
@pytest.fixture
def uses_fast(fast):
    pass
async def test_it({arguments}, request):
    fast, narrow = map(request.getfixturevalue, ["fast", "narrow"])
    assert narrow == (fast, trio.lowlevel.current_trio_token())
    assert trio.lowlevel.current_clock() is fast
    await trio.sleep(0.5)
""",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {"test_it": "passed"}, result.output
    assert result.trace == ["set up fast", "set up narrow", "torn down narrow", "torn down fast"]


@pytest.mark.parametrize(
    "fixture",
    [
        pytest.param("def clock():\n    return Fast()", id="a class"),
        pytest.param("def clock():\n    yield Fast()", id="a generator"),
        pytest.param("def clock():\n    return clocks.Fast()", id="in a module"),
        pytest.param("def clock():\n    return trio.testing.MockClock()", id="in a package"),
        pytest.param(
            "def clock():\n    from trio.testing import MockClock\n    return MockClock()",
            id="imported in the function",
        ),
        pytest.param("def clock():\n    return make()", id="a function that makes one"),
        pytest.param("def clock():\n    return (lambda: make())()", id="a function in it"),
        pytest.param("def clock() -> Fast:\n    return hidden()", id="by its annotation"),
        pytest.param("def clock() -> 'trio.abc.Clock':\n    return hidden()", id="by a string"),
        pytest.param("def clock():\n    return READY", id="a global one"),
        pytest.param("def clock(factory):\n    return factory()", id="by a fixture"),
        pytest.param("def clock(request):\n    return request.param", id="a parameter"),
    ],
)
def test_what_may_be_a_clock_is_set_up_first(suite: Suite, fixture: str) -> None:
    decorator = "@pytest.fixture(params=[READY])\n" if "param" in fixture else "@pytest.fixture\n"
    _tests(
        suite,
        """
import clocks
READY = Fast()
def make():
    return Fast()
def hidden():
    return vars(clocks)["Fa" + "st"]()
@pytest.fixture(scope="session")
def factory():
    return Fast
"""
        + decorator
        + fixture
        + """
async def test_it(narrow, clock):
    assert narrow[0] is clock is trio.lowlevel.current_clock()
""",
    )
    result = suite.run("-o", "python_functions=test_*")
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_what_is_no_clock_keeps_pytests_order(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture
def plain():
    trace("set up plain")
@pytest.fixture
def app():
    trace("set up app")
    assert trio.run  # it names a clock of its own
    return trio.Event()
async def test_it(narrow, plain, app):
    pass
async def test_with_clock(narrow, plain, app, fast):
    pass
""",
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    set_up = [line for line in result.trace if line.startswith("set up")]
    assert set_up[:3] == ["set up narrow", "set up plain", "set up app"]
    assert set_up[3:] == ["set up fast", "set up narrow", "set up plain", "set up app"]


def test_a_fixture_that_may_be_a_clock_and_asks_for_an_async_one(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture
def asks(request):
    assert Fast
    return request.getfixturevalue("narrow")
async def test_it(asks):
    assert asks[0] is trio.lowlevel.current_clock()
async def test_with_clock(fast, asks):
    assert asks[0] is fast
async def test_with_clock_later(asks, fast):
    assert asks[0] is fast
""",
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_a_clock_that_is_overlooked_is_told_of(suite: Suite) -> None:
    _tests(
        suite,
        """
import clocks
@pytest.fixture
def hidden():
    return vars(clocks)["Fa" + "st"]()
async def test_it(narrow, hidden):
    trace("called")
async def test_in_order(hidden, narrow):
    assert narrow[0] is hidden
async def test_alone(hidden):
    assert trio.lowlevel.current_clock() is hidden
@pytest.fixture
def user(mock_clock):
    pass
async def test_on_another(user, narrow, hidden):
    trace("called")
""",
    )
    result = suite.run()
    assert result.phases == {
        "test_it": "failed passed",
        "test_in_order": "passed passed passed",
        "test_alone": "passed passed passed",
        "test_on_another": "failed passed",
    }, result.output
    assert (
        "'hidden' of test_it.py::test_it has turned out to be a clock after the fixture 'narrow'"
        in (result.output)
    )
    assert "called" not in result.trace


def test_two_clocks(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture
def same(mock_clock):
    return mock_clock
@pytest.fixture
def user(fast):
    return "no clock"
async def test_two(mock_clock, fast): pass
async def test_two_before_a_fixture(narrow, mock_clock, fast): pass
async def test_ours(mock_clock, autojump_clock): pass
async def test_one_by_two_names(mock_clock, same): pass
async def test_one_by_one_name(same):
    assert trio.lowlevel.current_clock() is same
async def test_own_argument_counts_more(user, mock_clock):
    assert trio.lowlevel.current_clock() is mock_clock
@pytest.mark.usefixtures("fast", "mock_clock")
async def test_not_asked_for(): pass
def test_sync(mock_clock, fast): pass
""",
    )
    result = suite.run()
    failed, passed = "failed passed", "passed passed passed"
    assert result.phases == {
        "test_two": failed,
        "test_two_before_a_fixture": failed,
        "test_ours": failed,
        "test_one_by_two_names": failed,
        "test_one_by_one_name": passed,
        "test_own_argument_counts_more": passed,
        "test_not_asked_for": failed,
        "test_sync": passed,
    }, result.output
    assert "test_it.py::test_two uses 2 clocks: 'mock_clock', 'fast'." in result.output
    assert "uses 2 clocks: 'mock_clock', 'same'." in result.output


def test_a_wider_async_fixture_is_an_error_at_set_up(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture(scope="module")
async def wide():
    yield 1
@pytest.fixture
def late(request):
    return request.getfixturevalue("wide")
@pytest.fixture
def mocked():
    return trio.testing.MockClock()
async def test_first(wide, fast): trace("called")
async def test_own_mock_clock(wide, mocked): trace("called")
async def test_with_narrow(wide, narrow, fast): trace("called")
async def test_dynamic(fast, late): trace("called")
async def test_dynamic_with_narrow(fast, narrow, late): trace("called")
async def test_not_concerned(wide):
    assert wide == 1
""",
    )
    result = suite.run()
    *concerned, last = result.phases.items()
    assert {phases for _, phases in concerned} == {"failed passed"}, result.output
    assert last == ("test_not_concerned", "passed passed passed")
    assert (
        "test_it.py::test_first uses the clock 'fast', so it has a Trio loop of its own; "
        "the fixture 'wide' (scope 'module') lives on the loop of the session."
    ) in result.output
    assert "called" not in result.trace


@pytest.mark.parametrize("is_up", [True, False])
def test_a_wider_fixture_that_is_asked_for_on_an_own_loop(suite: Suite, is_up: bool) -> None:
    _tests(
        suite,
        f"""
@pytest.fixture(scope="module")
async def wide():
    trace(f"wide by {{type(trio.lowlevel.current_clock()).__name__}}")
    yield 1
@pytest.fixture
async def late(request):
    return request.getfixturevalue("wide")
@pytest.mark.skipif({not is_up}, reason="")
async def test_before(wide): pass
async def test_in_test(request, fast):
    request.getfixturevalue("wide")
async def test_in_fixture(late, fast): pass
async def test_own_nursery(request, fast):
    request.getfixturevalue("nursery").start_soon(trio.sleep, 0)
async def test_after(wide):
    assert wide == 1
""",
    )
    result = suite.run()
    assert result.phases["test_in_test"] == "passed failed passed", result.output
    assert result.phases["test_in_fixture"] == "failed passed", result.output
    assert result.phases["test_own_nursery"] == "passed passed passed", result.output
    assert result.phases["test_after"] == "passed passed passed", result.output
    text = (
        "has a Trio loop of its own and asks for the fixture 'wide' (scope 'module') while it runs"
    )
    assert result.output.count(f"test_in_test {text}") >= 1
    assert result.output.count(f"test_in_fixture {text}") >= 1
    assert "wide by Fast" not in result.trace


# ---------------------------------------------------------------- the loop's life

_WATCH = """
import pytest, sys
from trace import trace
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    try:
        return (yield)
    finally:
        look(item.config)
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session):
    try:
        return (yield)
    finally:
        look(session.config)
def look(config):
    session = config.stash[sys.modules["pytest_trio_scoped._session"].KEY]
    trace(f"own loop: {session.own_loop}")
"""


@pytest.mark.parametrize(
    ("body", "exit_code"),
    [
        ("pass", 0),
        ("assert False", 1),
        ("pytest.skip('no')", 0),
        ("raise KeyboardInterrupt", 2),
        ("pytest.exit('no')", 2),
        ("trio.lowlevel.current_task().parent_nursery.cancel_scope.cancel()", 0),
    ],
)
def test_it_is_closed_at_the_end_of_the_tear_down(suite: Suite, body: str, exit_code: int) -> None:
    suite.write("conftest.py", _WATCH)
    _tests(
        suite,
        f"""
@pytest.fixture
async def running():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        yield
        await trio.lowlevel.checkpoint()
        trace("torn down running")
        nursery.cancel_scope.cancel()
async def test_it(fast, running):
    {body}
""",
    )
    result = suite.run_subprocess("-x", seconds=_LIMIT)
    assert result.exit_code == exit_code, result.output
    assert result.trace[:3] == ["set up fast", "torn down running", "torn down fast"], result.output
    assert set(result.trace[3:]) == {"own loop: None"}


def test_it_is_closed_when_a_set_up_or_a_tear_down_fails(suite: Suite) -> None:
    suite.write("conftest.py", _WATCH)
    _tests(
        suite,
        """
@pytest.fixture
async def broken(fast, narrow):
    raise ValueError("boom")
@pytest.fixture
async def broken_later(fast, narrow):
    yield
    raise ValueError("boom")
async def test_set_up(broken): pass
async def test_tear_down(broken_later): pass
async def test_after(fast, narrow): pass
async def test_on_the_session(narrow):
    assert type(narrow[0]).__name__ == "SystemClock"
""",
    )
    result = suite.run()
    assert result.phases == {
        "test_set_up": "failed passed",
        "test_tear_down": "passed passed failed",
        "test_after": "passed passed passed",
        "test_on_the_session": "passed passed passed",
    }, result.output
    assert "own loop: <" not in "\n".join(result.trace)


def test_everything_works_on_it_as_on_the_shared_one(suite: Suite) -> None:
    _tests(
        suite,
        """
import contextvars
variable = contextvars.ContextVar("variable")
@pytest.fixture
async def sets_variable():
    token = variable.set("set")
    yield
    variable.reset(token)
@pytest.fixture
async def crashes():
    async def crash():
        raise KeyError("crash")
    async with trio.open_nursery() as nursery:
        yield lambda: nursery.start_soon(crash)
async def helper():
    await trio.sleep(0.01)
    return trio.lowlevel.current_clock()

async def test_variables(fast, sets_variable):
    assert variable.get() == "set"
async def test_await(fast):
    assert await_(helper()) is fast
async def test_late(fast, request):
    assert request.getfixturevalue("narrow")[0] is fast
def test_sync(narrow, fast, request):
    request.addfinalizer(lambda: trace(await_(helper())))
    assert await_(helper()) is narrow[0] is fast
async def test_finalizer(fast, request):
    async def finish():
        trace(await helper())
    request.addfinalizer(finish)
async def test_crash(fast, crashes):
    crashes()
    await trio.sleep_forever()
async def test_nursery_is_left_open(fast):
    await trio.open_nursery().__aenter__()
async def test_system_task(fast):
    trio.lowlevel.spawn_system_task(trio.sleep_forever)
async def test_after(narrow):
    assert variable.get(None) is None
""",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {
        "test_variables": "passed",
        "test_await": "passed",
        "test_late": "passed",
        "test_sync": "passed",
        "test_finalizer": "passed",
        "test_crash": "failed",
        "test_nursery_is_left_open": "failed",
        "test_system_task": "passed",
        "test_after": "passed",
    }, result.output
    assert result.trace.count("<fast>") == 2
    assert "KeyError: 'crash'" in result.output
    assert "Raised in the background of the fixture 'crashes'" in result.output
    assert "test_nursery_is_left_open opened a nursery" in result.output


def test_its_end_is_told_and_harms_nobody_on_the_session(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture(scope="module")
async def wide():
    trace("set up wide")
    yield
    await trio.lowlevel.checkpoint()
    trace("torn down wide")
async def crash():
    raise ValueError("boom")
async def test_before(wide): pass
async def test_lost(fast, narrow):
    trio.lowlevel.spawn_system_task(crash)
    await trio.sleep_forever()
async def test_after(wide, narrow): pass
""",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {
        "test_before": "passed",
        "test_lost": "failed",
        "test_after": "passed",
    }, result.output
    assert "ValueError: boom" in result.output
    assert "This ended the Trio loop that the test has of its own." in result.output
    assert "'wide'" not in result.output
    assert [line for line in result.trace if "wide" in line] == ["set up wide", "torn down wide"]


def test_ctrl_c_reaches_it(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture(scope="session", autouse=True)
def last():
    yield
    trace("torn down last")
async def test_it(narrow, fast):
    trace("waits")
    await trio.sleep_forever()
""",
    )
    process = suite.start()
    suite.wait_for_trace("waits")
    suite.interrupt(process)
    result = suite.finish(process, seconds=_LIMIT)
    assert result.exit_code == 2, result.output
    assert result.trace[-3:] == ["torn down narrow", "torn down fast", "torn down last"]
    assert "KeyboardInterrupt" in result.output


def test_the_session_loop_waits_meanwhile(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture(scope="module")
async def counter():
    counts = [0]
    async def count():
        while True:
            counts[0] += 1
            await trio.lowlevel.checkpoint()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        yield counts
        nursery.cancel_scope.cancel()
seen = []
async def test_before(counter):
    seen.append(counter)
async def test_own(fast):
    before = seen[0][0]
    await trio.sleep(0.1)
    assert seen[0][0] == before
async def test_after(counter):
    before = counter[0]
    await trio.lowlevel.checkpoint()
    await trio.lowlevel.checkpoint()
    assert counter[0] > before
""",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_a_test_that_is_run_again_chooses_anew(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from _pytest.runner import runtestprotocol
        def pytest_runtest_protocol(item, nextitem):
            runtestprotocol(item, nextitem=item, log=False)
            item.session._setupstate.teardown_exact(None)
        """,
    )
    _tests(
        suite,
        """
async def test_it(narrow, fast):
    assert narrow[0] is fast is trio.lowlevel.current_clock()
""",
    )
    result = suite.run_subprocess("-p", "no:randomly", seconds=_LIMIT)
    assert result.outcomes == {"test_it": "passed"}, result.output


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan", "--setup-show"])
def test_shows_of_set_ups(suite: Suite, option: str) -> None:
    _tests(suite, "async def test_it(narrow, fast): pass\n")
    result = suite.run_subprocess(option, seconds=_LIMIT)
    assert result.exit_code in (0, 5), result.output
    if option != "--setup-plan":
        assert result.trace == [
            "set up fast",
            "set up narrow",
            "torn down narrow",
            "torn down fast",
        ]


# ---------------------------------------------------------------- instruments

_COUNTER = """
class Counter(trio.abc.Instrument):
    def __init__(self):
        self.steps = 0
    def before_task_step(self, task):
        self.steps += 1
counters = []
@pytest.fixture
def counter():
    counters.append(Counter())
    yield counters[-1]
    assert not trio.lowlevel.in_trio_run()
"""


@pytest.mark.parametrize("others", ["", "wide", "narrow", "fast", "narrow, mock_clock"])
def test_instruments_are_attached_for_the_test(suite: Suite, others: str) -> None:
    _tests(
        suite,
        _COUNTER
        + f"""
@pytest.fixture(scope="module")
async def wide():
    yield
@pytest.fixture
def unused(counter):
    pass
async def test_it({others}{", " if others else ""}counter):
    before = counter.steps
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    assert counter.steps >= before + 3
@pytest.mark.usefixtures("unused")
async def test_not_by_name():
    await trio.lowlevel.checkpoint()
    await trio.lowlevel.checkpoint()
    assert counters[-1].steps >= 1
async def test_after():
    seen = [counter.steps for counter in counters]
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    assert [counter.steps for counter in counters] == seen
""",
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_an_instrument_that_fails_is_dropped_by_trio(suite: Suite) -> None:
    _tests(
        suite,
        """
class Broken(trio.abc.Instrument):
    def before_task_step(self, task):
        raise ValueError("boom")
@pytest.fixture
def broken():
    return Broken()
async def test_it(broken):
    await trio.lowlevel.checkpoint()
async def test_own(broken, fast):
    await trio.lowlevel.checkpoint()
async def test_after():
    await trio.lowlevel.checkpoint()
""",
    )
    result = suite.run()
    assert result.phases == {
        "test_it": "passed passed failed",
        "test_own": "passed passed failed",
        "test_after": "passed passed passed",
    }, result.output
    assert "KeyError" not in result.output
