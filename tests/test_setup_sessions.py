"""Set-up functions of sessions and directories, in conftest files and plugins."""

from __future__ import annotations

import pytest
from harness import Suite

PAIR = """
from trace import trace
{define} setup_{kind}(): trace("up {name}")
{define} teardown_{kind}(): trace("down {name}")
"""
TEST = """
from trace import trace
def test_a(request): trace(request.node.nodeid)
"""

every_define = pytest.mark.parametrize("define", ["def", "async def"])
every_package = pytest.mark.parametrize("is_package", [False, True], ids=["folders", "packages"])


def _tree(suite: Suite, *names: str, is_package: bool = True) -> None:
    """Write a file with a test into each folder."""
    for name in names:
        suite.write(f"{name}/test_{name.replace('/', '_')}.py", TEST)
        if is_package:
            suite.write(f"{name}/__init__.py", "")


@every_define
def test_a_session_is_set_up_once_below_its_conftest(suite: Suite, define: str) -> None:
    _tree(suite, "a", "b", "c")
    suite.write("conftest.py", PAIR.format(define=define, kind="session", name="all"))
    suite.write("b/conftest.py", PAIR.format(define=define, kind="session", name="b"))
    assert suite.run().trace == [
        "up all",
        "a/test_a.py::test_a",
        "up b",
        "b/test_b.py::test_a",
        "c/test_c.py::test_a",
        "down b",
        "down all",
    ]


@every_define
def test_a_plugin_sets_a_session_up(suite: Suite, define: str) -> None:
    suite.write("my_plugin.py", PAIR.format(define=define, kind="session", name="plugin"))
    suite.write("conftest.py", PAIR.format(define=define, kind="session", name="conftest"))
    suite.write("test_it.py", TEST)
    result = suite.run("-p", "my_plugin", "--setup-show")
    assert result.trace == [
        "up plugin",
        "up conftest",
        "test_it.py::test_a",
        "down conftest",
        "down plugin",
    ]
    assert "SETUP    S my_plugin::setup_session" in result.output
    assert "SETUP    S conftest.py::setup_session" in result.output


def test_a_session_that_is_not_of_ours_is_set_up_as_well(suite: Suite) -> None:
    suite.ini(trio_mode=False)
    suite.write("conftest.py", PAIR.format(define="async def", kind="session", name="all"))
    suite.write("test_it.py", TEST)
    assert suite.run().trace == ["up all", "test_it.py::test_a", "down all"]


def test_parameters_are_fixtures_and_come_before_autouse_ones(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace

        @pytest.fixture(scope="session", autouse=True)
        def autouse(): trace("autouse")

        @pytest.fixture(scope="session")
        async def server():
            trace("server")
            yield "server"
            trace("end of server")

        async def setup_session(server): trace(f"setup_session {server}")
        def setup_directory(server): trace(f"setup_directory {server}")
        async def teardown_directory(request): trace(f"teardown_directory {request.scope}")
        """,
    )
    suite.write("test_it.py", TEST)
    assert suite.run().trace == [
        "server",
        "setup_session server",
        "autouse",
        "setup_directory server",
        "test_it.py::test_a",
        "teardown_directory package",
        "end of server",
    ]


@every_define
@every_package
def test_a_directory_is_set_up_for_its_tree(suite: Suite, define: str, is_package: bool) -> None:
    _tree(suite, "a", "b", "b/c", "d", is_package=is_package)
    suite.write("conftest.py", PAIR.format(define=define, kind="directory", name="all"))
    suite.write("b/conftest.py", PAIR.format(define=define, kind="directory", name="b"))
    suite.write("b/c/conftest.py", PAIR.format(define=define, kind="directory", name="b/c"))
    assert suite.run().trace == [
        "up all",
        "a/test_a.py::test_a",
        "up b",
        "up b/c",
        "b/c/test_b_c.py::test_a",
        "down b/c",
        "b/test_b.py::test_a",
        "down b",
        "d/test_d.py::test_a",
        "down all",
    ]


@every_package
def test_a_directory_is_set_up_once_if_the_run_leaves_it_and_comes_back(
    suite: Suite, is_package: bool
) -> None:
    _tree(suite, "a", "a/b", "c", is_package=is_package)
    suite.write("a/conftest.py", PAIR.format(define="async def", kind="directory", name="a"))
    files = ["a/test_a.py", "c/test_c.py", "a/b/test_a_b.py"]
    assert suite.run(*files).trace == [
        "up a",
        *(f"{files[position]}::test_a" for position in (0, 1, 2)),
        "down a",
    ]


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--fixtures"])
def test_nothing_is_called_if_nothing_is_run(suite: Suite, option: str) -> None:
    for kind in ("session", "directory"):
        suite.write(f"{kind}/conftest.py", PAIR.format(define="async def", kind=kind, name="x"))
        _tree(suite, kind)
    assert suite.run(option).trace == []


def test_nothing_is_called_on_a_controller_of_xdist(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import os
        from trace import trace
        def setup_session(): trace(f"session {os.environ.get('PYTEST_XDIST_WORKER')}")
        async def setup_directory(): trace(f"directory {os.environ.get('PYTEST_XDIST_WORKER')}")
        """,
    )
    suite.write("test_it.py", TEST)
    result = suite.run_subprocess("-p", "xdist", "-n", "1")
    assert result.trace == ["session gw0", "directory gw0", "test_it.py::test_a"], result.output


@pytest.mark.parametrize("kind", ["session", "directory"])
def test_a_set_up_that_fails_is_an_error_of_every_test_below(suite: Suite, kind: str) -> None:
    _tree(suite, "a", "b")
    suite.write(
        "a/conftest.py",
        f"""
        from trace import trace
        async def setup_{kind}(): raise ValueError("no set-up")
        async def teardown_{kind}(): trace("never")
        """,
    )
    suite.write("a/test_more.py", TEST)
    result = suite.run()
    assert result.trace == ["b/test_b.py::test_a"]
    assert result.output.count("E   ValueError: no set-up") == 2


def test_it_is_torn_down_if_the_run_is_cut_short(suite: Suite) -> None:
    _tree(suite, "a", "b")
    suite.write("conftest.py", PAIR.format(define="async def", kind="session", name="session"))
    suite.write("a/conftest.py", PAIR.format(define="async def", kind="directory", name="a"))
    suite.write("a/test_a.py", "def test_a(): assert False\ndef test_b(): pass")
    assert suite.run("-x").trace == ["up session", "up a", "down a", "down session"]


def test_a_fixture_for_one_directory_is_too_narrow(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        from pytest_trio_scoped import trio_fixture
        @trio_fixture(scope="directory")
        def folder(): pass
        def setup_directory(folder): pass
        """,
    )
    suite.write("test_it.py", TEST)
    result = suite.run()
    assert result.exit_code == pytest.ExitCode.INTERRUPTED
    assert (
        "conftest.py::setup_directory is called once for its directory and those below, and requests "
        "'folder' (scope 'directory'), which does not last as long.\n"
        "conftest.py:5\n"
    ) in result.output


def test_an_unknown_name_is_an_error_of_the_collection(suite: Suite) -> None:
    suite.write("conftest.py", "def setup_session(nobody): pass")
    suite.write("test_it.py", TEST)
    result = suite.run()
    assert (result.exit_code, result.phases) == (pytest.ExitCode.INTERRUPTED, {})
    assert (
        "conftest.py::setup_session requests the fixture 'nobody', which does not exist for "
        "test_it.py::test_a.\nconftest.py:1\n"
        "Define it where the test can see it, or correct the name. If it is called by other code and not "
        "for tests, give setup_session another name.\n"
    ) in result.output


def test_a_yield_is_an_error_of_the_collection(suite: Suite) -> None:
    suite.write("conftest.py", "def setup_session():\n    yield")
    suite.write("test_it.py", TEST)
    result = suite.run()
    assert (result.exit_code, result.phases) == (pytest.ExitCode.INTERRUPTED, {})
    assert "conftest.py::setup_session contains a 'yield'" in result.output
