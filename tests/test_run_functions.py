"""``@pytest.mark.trio(run=...)`` and the ini value ``trio_run``, as in pytest-trio."""

from __future__ import annotations

import pytest
from harness import Suite, every_mode

_LIMIT = 20

#: In place of the real one, which needs a GUI toolkit.
_QTRIO = """
import trio
from trace import trace
is_running = False
def run(async_fn, *args, clock=None, instruments=()):
    global is_running
    trace("begin")
    is_running = True
    try:
        return trio.run(async_fn, *args, clock=clock, instruments=instruments)
    finally:
        is_running = False
        trace("end")
"""


def _tests(suite: Suite, source: str, *ini: str, trio_mode: bool = True) -> None:
    suite.write("qtrio.py", _QTRIO)
    suite.tests("import qtrio, trio.testing\n" + source, trio_mode=trio_mode)
    suite.ini(*ini, trio_mode=trio_mode)


@every_mode
def test_the_test_and_its_fixtures_run_under_the_function(suite: Suite, trio_mode: bool) -> None:
    _tests(
        suite,
        """
@pytest.fixture
def plain():
    assert not qtrio.is_running
    yield
    assert not qtrio.is_running
@pytest.fixture
async def narrow():
    assert qtrio.is_running
    token = trio.lowlevel.current_trio_token()
    yield token
    assert qtrio.is_running and trio.lowlevel.current_trio_token() is token
    trace("torn down narrow")
@pytest.mark.trio(run=qtrio.run)
async def test_it(plain, narrow, nursery):
    assert qtrio.is_running
    assert trio.lowlevel.current_trio_token() is narrow
    await trio.lowlevel.checkpoint()
@pytest.mark.trio(run=qtrio.run)
async def test_no_fixtures():
    assert qtrio.is_running
@pytest.mark.trio
async def test_other():
    assert not qtrio.is_running
""",
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["begin", "torn down narrow", "end", "begin", "end"]


@every_mode
def test_the_ini_value_counts_for_all_tests_that_do_not_say_otherwise(
    suite: Suite, trio_mode: bool
) -> None:
    _tests(
        suite,
        """
from functools import partial
other_run = partial(trio.run, strict_exception_groups=True)
@pytest.fixture
async def narrow():
    yield qtrio.is_running
@pytest.mark.trio
async def test_blank(narrow):
    assert narrow and qtrio.is_running
@pytest.mark.trio(run=trio.run)
async def test_trio(narrow):
    assert not narrow and not qtrio.is_running
@pytest.mark.trio(run=other_run)
async def test_other(narrow):
    assert not narrow and not qtrio.is_running
@pytest.mark.trio(run=None)
async def test_none():
    assert qtrio.is_running
def test_sync(narrow):
    assert narrow and qtrio.is_running
def test_sync_alone():
    assert not qtrio.is_running
""",
        "trio_run = qtrio",
        trio_mode=trio_mode,
    )
    result = suite.run("-k", "" if trio_mode else "not test_sync")
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_the_closest_mark_counts(suite: Suite) -> None:
    _tests(
        suite,
        """
def refuse(*args, **kwargs):
    raise AssertionError("not me")
@pytest.mark.trio(run=refuse)
@pytest.mark.trio(run=qtrio.run)
async def test_twice():
    assert qtrio.is_running
@pytest.mark.trio(run=refuse)
class TestClass:
    @pytest.mark.trio(run=qtrio.run)
    async def test_own(self):
        assert qtrio.is_running
    @pytest.mark.xfail(raises=AssertionError, strict=True)
    async def test_class(self):
        pass
async def test_after():
    assert not qtrio.is_running
class TestOther:
    async def test_other(self):
        assert not qtrio.is_running
""",
    )
    result = suite.run()
    assert result.outcomes == {
        "test_twice": "passed",
        "TestClass::test_own": "passed",
        "TestClass::test_class": "xfailed",
        "test_after": "passed",
        "TestOther::test_other": "passed",
    }, result.output


def test_with_a_clock(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture
async def narrow():
    return trio.current_time()
async def test_it(narrow, autojump_clock):
    assert qtrio.is_running and narrow == 0
    assert trio.lowlevel.current_clock() is autojump_clock
    await trio.sleep(86400)
    assert trio.current_time() == 86400
""",
        "trio_run = qtrio",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {"test_it": "passed"}, result.output


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_wider_async_fixture_is_an_error_at_set_up(suite: Suite, is_marked: bool) -> None:
    _tests(
        suite,
        f"""
@pytest.fixture(scope="module")
async def wide():
    yield 1
@pytest.fixture
async def narrow():
    yield
@pytest.mark.trio({"run=qtrio.run" if is_marked else ""})
async def test_wide(wide): trace("called")
@pytest.mark.trio({"run=qtrio.run" if is_marked else ""})
async def test_both(wide, narrow): trace("called")
@pytest.mark.trio({"run=qtrio.run" if is_marked else ""})
async def test_clock(wide, mock_clock): trace("called")
@pytest.mark.trio(run=trio.run)
async def test_on_the_session(wide, narrow): pass
def test_sync(wide): pass
""",
        *([] if is_marked else ["trio_run = qtrio"]),
    )
    result = suite.run()
    failed, passed = "failed passed", "passed passed passed"
    assert result.phases == {
        "test_wide": failed,
        "test_both": failed,
        "test_clock": failed,
        "test_on_the_session": passed,
        "test_sync": passed,
    }, result.output
    assert "test_it.py::test_wide is run by qtrio.run(), so it has a Trio loop of its own" in (
        result.output
    )
    remedy = "remove 'run' from its mark" if is_marked else "mark it 'trio(run=trio.run)'"
    assert remedy in result.output
    assert "called" not in result.trace


def test_what_the_function_raises_is_reported(suite: Suite) -> None:
    _tests(
        suite,
        """
def refuse(async_fn, **kwargs):
    raise ValueError("no GUI")
def returns(async_fn, **kwargs):
    pass
def fails_later(async_fn, **kwargs):
    trio.run(async_fn)
    raise ValueError("left open")
def takes_nothing():
    pass
@pytest.fixture
async def narrow():
    yield
@pytest.mark.trio(run=refuse)
async def test_refuse(): pass
@pytest.mark.trio(run=refuse)
async def test_refuse_with_fixture(narrow): pass
@pytest.mark.trio(run=returns)
async def test_returns(): pass
@pytest.mark.trio(run=fails_later)
async def test_fails_later(): pass
@pytest.mark.trio(run=takes_nothing)
async def test_takes_nothing(): pass
@pytest.mark.trio(run="qtrio")
async def test_text(): pass
async def test_after(narrow): pass
""",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.phases == {
        "test_refuse": "failed passed",
        "test_refuse_with_fixture": "failed passed",
        "test_returns": "failed passed",
        "test_fails_later": "passed passed failed",
        "test_takes_nothing": "failed passed",
        "test_text": "failed passed",
        "test_after": "passed passed passed",
    }, result.output
    for text in (
        "ValueError: no GUI",
        "test_it.returns() was to run test_it.py::test_returns, and returned without running it.",
        "ValueError: left open",
        "TypeError: takes_nothing() ",
        "is marked 'trio' with run='qtrio', which can't be called.",
    ):
        assert text in result.output, result.output
    assert "pytest_trio_scoped/_own_loops" not in result.output


def test_the_function_returns_although_a_tear_down_is_cut_short(suite: Suite) -> None:
    _tests(
        suite,
        """
@pytest.fixture
async def narrow():
    yield
@pytest.fixture
def interrupted(narrow):
    yield
    raise KeyboardInterrupt
async def test_it(interrupted): pass
""",
        "trio_run = qtrio",
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert result.trace == ["begin", "end"]


def test_a_mark_that_comes_late(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, qtrio
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            pyfuncitem.add_marker(pytest.mark.trio(run=qtrio.run))
        """,
    )
    _tests(
        suite,
        """
@trio_fixture
async def narrow():
    yield
async def test_alone():
    assert qtrio.is_running
async def test_with_fixture(narrow): pass
""",
        trio_mode=False,
    )
    result = suite.run()
    assert result.phases == {
        "test_alone": "passed passed passed",
        "test_with_fixture": "passed failed passed",
    }, result.output
    assert "was marked 'trio' after the fixture 'narrow' (scope 'function')" in result.output


def test_qtrio_that_is_not_installed(suite: Suite) -> None:
    suite.tests("async def test_it(): pass\ndef test_sync(): pass")
    suite.ini("trio_run = qtrio")
    result = suite.run()
    assert result.outcomes == {"test_it": "error", "test_sync": "passed"}, result.output
    assert "which can't be imported: No module named 'qtrio'." in result.output


def test_other_values_are_refused(suite: Suite) -> None:
    suite.tests("async def test_it(): pass")
    suite.ini("trio_run = asyncio")
    result = suite.run_subprocess()
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "The ini value 'trio_run' is 'asyncio'. Set it to 'trio' or 'qtrio'." in result.output


def test_the_options_are_known_under_strict_config(suite: Suite) -> None:
    _tests(
        suite,
        "@pytest.mark.trio(run=qtrio.run)\nasync def test_it(): assert qtrio.is_running\n",
        "trio_run = trio",
    )
    result = suite.run("--strict-config", "--strict-markers")
    assert result.outcomes == {"test_it": "passed"}, result.output


def test_guest_mode(suite: Suite) -> None:
    """qtrio runs Trio as the guest of Qt's event loop; here that loop is a queue of callbacks."""
    suite.write(
        "qtrio.py",
        """
        import queue, trio
        is_running = False
        def run(async_fn, *, clock=None, instruments=()):
            global is_running
            callbacks, results = queue.Queue(), []
            trio.lowlevel.start_guest_run(
                async_fn,
                run_sync_soon_threadsafe=callbacks.put,
                done_callback=results.append,
                clock=clock,
                instruments=instruments,
            )
            is_running = True
            while not results:
                callbacks.get()()
            is_running = False
            return results[0].unwrap()
        """,
    )
    suite.tests(
        """
        import qtrio
        @pytest.fixture
        async def narrow(nursery):
            nursery.start_soon(trio.sleep_forever)
            yield trio.lowlevel.current_trio_token()
            await trio.sleep(0.01)
            trace("torn down narrow")
        async def test_it(narrow):
            assert trio.lowlevel.current_trio_token() is narrow
            await trio.sleep(0.01)
            assert qtrio.is_running
        async def test_fails():
            await trio.sleep(0.01)
            raise ValueError("boom")
        async def test_jumps(narrow, autojump_clock):
            await trio.sleep(86400)
        @pytest.mark.trio(run=trio.run)
        async def test_after(narrow):
            assert not qtrio.is_running
        """
    )
    suite.ini("trio_run = qtrio")
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {
        "test_it": "passed",
        "test_fails": "failed",
        "test_jumps": "passed",
        "test_after": "passed",
    }, result.output
    assert "ValueError: boom" in result.output
    assert result.trace == ["torn down narrow"] * 3
