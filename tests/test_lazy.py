"""A suite without async tests pays nothing: no import of Trio or greenlet, no loop."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from harness import Suite

_LOOK = """
    import atexit, logging, pytest, sys
    from trace import trace

    @pytest.hookimpl(trylast=True)
    def pytest_configure(config):
        assert config.pluginmanager.has_plugin("trio_scoped")
        session = config.stash[sys.modules["pytest_trio_scoped._session"].KEY]
        def look():
            names = ("trio", "greenlet", "outcome", "sniffio")
            # Each logger costs every test some time.
            here = {*sys.modules, *logging.root.manager.loggerDict}
            trace([name for name in names if name in here])
            trace(f"loop: {session._loop}")
        atexit.register(look)
"""


def _run(suite: Suite, *arguments: str) -> tuple[int, list[str], str]:
    """Run with the plugin loaded by its entry point, as for a user, and nothing of the harness."""
    environment = {**os.environ, "PYTHONPATH": str(suite.path)}
    del environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    process = subprocess.run(
        # Other plugins of this environment import Trio themselves.
        [sys.executable, "-m", "pytest", "-W", "error", *arguments]
        + [
            word
            for name in ("trio", "anyio", "asyncio", "hypothesispytest")
            for word in ("-p", f"no:{name}")
        ],
        cwd=suite.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return process.returncode, suite.read_trace(), process.stdout + process.stderr


@pytest.mark.parametrize("trio_mode", [True, False])
def test_a_sync_suite_imports_no_trio_and_opens_no_loop(suite: Suite, trio_mode: bool) -> None:
    suite.write("conftest.py", _LOOK)
    suite.ini(trio_mode=trio_mode)
    suite.write(
        "test_it.py",
        """
        import pytest
        from pytest_trio_scoped import await_, trio_fixture

        @pytest.fixture(scope="session", autouse=True)
        def wide():
            yield 1

        @pytest.fixture
        def narrow(wide, request, tmp_path):
            request.addfinalizer(lambda: None)
            return request.getfixturevalue("wide")

        @pytest.mark.parametrize("x", [1, 2])
        def test_a(narrow, x, request):
            assert request.getfixturevalue("narrow") == 1

        class TestIt:
            def test_b(self):
                pass

        @trio_fixture
        def unused():
            raise AssertionError

        async def helper():
            pass
        """,
    )
    exit_code, trace, output = _run(suite)
    assert exit_code == 0, output
    assert trace == ["[]", "loop: None"]


def test_skipped_and_deselected_async_tests_open_no_loop(suite: Suite) -> None:
    suite.write("conftest.py", _LOOK)
    suite.ini()
    suite.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.skip
        async def test_a():
            pass

        async def test_b():
            pass

        def test_c():
            pass
        """,
    )
    exit_code, trace, output = _run(suite, "--deselect", "test_it.py::test_b")
    assert exit_code == 0, output
    assert trace == ["[]", "loop: None"]


@pytest.mark.parametrize(
    "option", ["--collect-only", "--setup-plan", "--fixtures", "--markers", "--help"]
)
def test_an_async_suite_opens_no_loop_if_it_is_not_run(suite: Suite, option: str) -> None:
    suite.write("conftest.py", _LOOK)
    suite.ini()
    suite.write(
        "test_it.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        async def wide():
            yield

        @pytest.fixture
        async def narrow(wide):
            yield

        async def test_a(narrow):
            pass
        """,
    )
    exit_code, trace, output = _run(suite, option)
    assert exit_code == 0, output
    assert trace[-1] == "loop: None"
    assert trace[0] == "[]"


def test_the_loop_is_opened_by_the_first_that_needs_it(suite: Suite) -> None:
    suite.write("conftest.py", _LOOK)
    suite.ini()
    suite.write(
        "test_it.py",
        """
        import sys
        from trace import trace

        def test_a():
            trace("trio" in sys.modules)

        async def test_b():
            trace("trio" in sys.modules)
        """,
    )
    exit_code, trace, output = _run(suite)
    assert exit_code == 0, output
    assert trace[:3] == ["False", "True", "['trio', 'greenlet', 'outcome', 'sniffio']"]
    assert trace[3].startswith("loop: <")


@pytest.mark.parametrize("define", ["def", "async def"])
def test_only_a_suite_with_an_async_test_has_a_wrapper_around_every_call(
    suite: Suite, define: str
) -> None:
    suite.tests(
        f"""
        {define} test_it(): pass

        def test_hooks(pytestconfig):
            plugins = pytestconfig.pluginmanager.get_plugins()
            trace(any(type(plugin).__name__ == "EarlyCallHooks" for plugin in plugins))
        """
    )
    result = suite.run()
    assert result.trace == [str(define == "async def")], result.output
