"""The end of a run, however it comes: everything torn down on the loop, the loop closed, no warning."""

from __future__ import annotations

import pytest
from harness import Result, Suite

FIXTURES = """
    @pytest.fixture(scope="session")
    async def wide():
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield token
            await trio.lowlevel.checkpoint()
            assert trio.lowlevel.current_trio_token() is token
            nursery.cancel_scope.cancel()
        trace("session down")

    @pytest.fixture(scope="package")
    async def package(wide):
        yield
        await trio.lowlevel.checkpoint()
        trace("package down")

    @pytest.fixture(scope="module")
    async def module(package):
        yield
        await trio.lowlevel.checkpoint()
        trace("module down")

    @pytest.fixture(scope="class")
    async def class_(module):
        yield
        await trio.lowlevel.checkpoint()
        trace("class down")

    @pytest.fixture
    async def narrow(class_):
        yield
        await trio.lowlevel.checkpoint()
        trace("function down")
"""

ALL_DOWN = [f"{scope} down" for scope in ("function", "class", "module", "package", "session")]

TESTS = """
    async def test_a(narrow):
        STATEMENT

    async def test_b(narrow):
        trace("ran on")
"""

CONFTEST = """
    import atexit, pytest
    from trace import trace

    @pytest.hookimpl(trylast=True)
    def pytest_configure(config):
        from pytest_trio_scoped import _session
        session = config.stash[_session.KEY]
        def look():
            loop = session._loop
            trace("closed" if loop is None or not loop.is_open else "still open")
        atexit.register(look)
"""


def assert_silent(result: Result) -> None:
    """Check that nothing was warned of, un-awaited or swallowed."""
    for word in ("Warning", "never awaited", "Exception ignored", "TrioInternal", "GreenletExit"):
        assert word not in result.output


@pytest.mark.parametrize(
    ("statement", "option", "exit_code"),
    [
        ("assert 0", "-x", 1),
        ("assert 0", "--maxfail=1", 1),
        ("pytest.exit('enough', 5)", "-q", 5),
        ("raise KeyboardInterrupt", "-q", 2),
        ("raise SystemExit(3)", "-x", 1),
        ("pytest.skip('no')", "-q", 0),
    ],
)
def test_after_the_last_test_everything_is_torn_down(
    suite: Suite, statement: str, option: str, exit_code: int
) -> None:
    source = FIXTURES + TESTS.replace("STATEMENT", statement)
    if exit_code == 0:
        source = source.replace('        trace("ran on")', "        pass")
    suite.tests(source)
    suite.write("conftest.py", CONFTEST)
    result = suite.run_subprocess(option)
    assert result.exit_code == exit_code
    expected = ALL_DOWN if exit_code else ["function down", "class down", *ALL_DOWN]
    assert result.trace == [*expected, "closed"]
    assert_silent(result)


HOOKS = {
    "pytest_runtest_logstart": "nodeid, location",
    "pytest_runtest_protocol": "item, nextitem",
    "pytest_runtest_logreport": "report",
    "pytest_runtest_makereport": "item, call",
    "pytest_runtest_logfinish": "nodeid, location",
    "pytest_fixture_post_finalizer": "fixturedef, request",
}


@pytest.mark.parametrize("hook", HOOKS)
def test_an_internal_error_in_a_hook_of_another_plugin_ends_as_in_sync_code(
    suite: Suite, hook: str
) -> None:
    """While fixtures of every scope are live: the second test meets the error."""
    suite.tests(FIXTURES + TESTS.replace("STATEMENT", 'trace("armed")'))
    suite.write(
        "conftest.py",
        CONFTEST
        + f"""
    import trace as tracing
    def {hook}({HOOKS[hook]}):
        with open(tracing._path, "a+") as file:
            file.seek(0)
            is_armed = "armed" in file.read()
        if is_armed and not getattr(tracing, "is_raised", False):
            tracing.is_raised = True
            raise RuntimeError("of another plugin")
    """,
    )
    result = suite.run_subprocess()
    assert "of another plugin" in result.output
    assert_silent(result)
    assert result.trace[0] == "armed"
    assert result.trace[-1] == "closed"
    assert [line for line in result.trace if line.endswith("down")][-5:] == ALL_DOWN
    if hook != "pytest_fixture_post_finalizer":  # that one is the error of a tear-down
        assert result.exit_code == 3
        assert "INTERNALERROR" in result.output


def test_an_error_in_sessionfinish_of_another_plugin_leaves_no_loop(suite: Suite) -> None:
    suite.tests(FIXTURES + TESTS.replace("STATEMENT", "pass"))
    suite.write(
        "conftest.py",
        CONFTEST
        + """
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish():
        raise RuntimeError("of another plugin")
    """,
    )
    result = suite.run_subprocess()
    assert "of another plugin" in result.output
    assert_silent(result)
    assert result.trace[-1] == "closed"
    assert result.trace.count("session down") == 1


@pytest.mark.parametrize("hook", ["pytest_collection_modifyitems", "pytest_collection_finish"])
def test_an_error_before_the_run_is_pytests_own(suite: Suite, hook: str) -> None:
    suite.tests(FIXTURES + TESTS.replace("STATEMENT", "pass"))
    suite.write("conftest.py", f"def {hook}(session):\n    raise RuntimeError('early')\n")
    result = suite.run()
    assert result.exit_code == 3
    assert result.phases == {}


def test_an_error_in_collection_opens_no_loop(suite: Suite) -> None:
    suite.tests(FIXTURES + "\n    raise RuntimeError('early')\n")
    suite.write("conftest.py", CONFTEST)
    result = suite.run_subprocess()
    assert result.exit_code == 2
    assert result.trace == ["closed"]
    assert_silent(result)


def test_a_failed_tear_down_keeps_no_other_from_being_torn_down(suite: Suite) -> None:
    suite.tests(
        FIXTURES
        + """
    @pytest.fixture
    async def bad(narrow):
        yield
        raise ValueError("bad")

    async def test_a(bad):
        assert 0

    async def test_b(bad):
        trace("ran on")
    """
    )
    result = suite.run_subprocess("-x")
    assert result.trace == ALL_DOWN
    assert result.phases == {"test_a": "passed failed failed"}
    assert_silent(result)


def test_pytest_exit_in_a_hook_tears_everything_down(suite: Suite) -> None:
    suite.tests(FIXTURES + TESTS.replace("STATEMENT", "pass"))
    suite.write(
        "conftest.py",
        CONFTEST
        + """
    def pytest_runtest_logfinish():
        pytest.exit("from a hook", 6)
    """,
    )
    result = suite.run_subprocess()
    assert result.exit_code == 6
    assert [line for line in result.trace if line.endswith("down")][-5:] == ALL_DOWN
    assert result.trace[-1] == "closed"
    assert "ran on" not in result.trace
    assert_silent(result)


def test_shouldstop_set_by_an_async_test_ends_the_run_as_in_sync_code(suite: Suite) -> None:
    suite.tests(
        FIXTURES
        + """
    async def test_a(narrow, request):
        request.session.shouldstop = "stopped"

    async def test_b(narrow):
        trace("ran on")
    """
    )
    result = suite.run_subprocess()
    assert result.exit_code == 2
    assert result.trace == ALL_DOWN
    assert_silent(result)
