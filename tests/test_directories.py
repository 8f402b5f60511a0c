"""Fixtures with the scope "directory": one instance for each directory that has a test using it."""

from __future__ import annotations

import textwrap

import pytest
from harness import Suite

FOLDER = """
import pytest
from pytest_trio_scoped import trio_fixture
from trace import trace

@trio_fixture(scope="directory"{arguments})
{define} folder(request):
    name = request.path.parent.name
    trace(f"up {{name}}")
    yield name
    trace(f"down {{name}}")
"""
TEST = """
from pathlib import Path
from trace import trace

def test_a(folder):
    assert folder == Path(__file__).parent.name
    trace(f"a in {folder}")

async def test_b(request):
    assert request.getfixturevalue("folder") == Path(__file__).parent.name
"""
every_package = pytest.mark.parametrize("is_package", [False, True], ids=["folders", "packages"])


def _tree(suite: Suite, *names: str, is_package: bool = True, test: str = TEST) -> None:
    for name in names:
        suite.write(f"{name}/test_{name.replace('/', '_')}.py", test)
        if is_package:
            suite.write(f"{name}/__init__.py", "")


def _conftest(suite: Suite, more: str = "", define: str = "async def", arguments: str = "") -> None:
    suite.write("conftest.py", FOLDER.format(define=define, arguments=arguments) + more)


@pytest.mark.parametrize("define", ["def", "async def"])
@every_package
def test_each_directory_has_an_instance(suite: Suite, define: str, is_package: bool) -> None:
    _conftest(suite, define=define)
    _tree(suite, "a", "a/b", "c", is_package=is_package)
    suite.write("a/test_more.py", TEST)
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == [
        *("up b", "a in b", "down b"),
        *("up a", "a in a", "a in a", "down a"),
        *("up c", "a in c", "down c"),
    ]


@every_package
def test_it_is_kept_if_the_run_leaves_the_directory_and_comes_back(
    suite: Suite, is_package: bool
) -> None:
    _conftest(suite)
    _tree(suite, "a", "b", is_package=is_package)
    suite.write("a/test_more.py", TEST)
    assert suite.run("a/test_a.py", "b", "a/test_more.py").trace == [
        *("up a", "a in a"),
        *("up b", "a in b", "down b"),
        *("a in a", "down a"),
    ]


def test_it_is_between_package_and_module(suite: Suite) -> None:
    suite.write(
        "a/conftest.py",
        "import pytest\nfrom trace import trace\nfrom pytest_trio_scoped import trio_fixture\n"
        + "".join(
            f"""
@trio_fixture(scope={scope!r})
async def of_{scope}({requires}):
    trace("up {scope}")
    yield
    trace("down {scope}")
"""
            for scope, requires in (
                ("session", ""),
                ("package", "of_session"),
                ("directory", "of_package"),
                ("module", "of_directory"),
            )
        ),
    )
    _tree(suite, "a", test="async def test_a(of_module): pass")
    order = ["session", "package", "directory", "module"]
    expected = [f"up {scope}" for scope in order] + [f"down {scope}" for scope in reversed(order)]
    assert suite.run().trace == expected


def test_it_is_torn_down_before_wider_ones_on_which_it_does_not_depend(suite: Suite) -> None:
    _conftest(
        suite,
        """
@pytest.fixture(scope="session")
def late():
    yield
    trace("down session")
""",
    )
    _tree(suite, "a", test="def test_a(folder): pass\ndef test_b(late): pass")
    assert suite.run().trace == ["up a", "down a", "down session"]


def test_autouse(suite: Suite) -> None:
    _conftest(suite, arguments=", autouse=True")
    _tree(suite, "a", "b", test="def test_a(): pass")
    assert suite.run().trace == ["up a", "down a", "up b", "down b"]


def test_params(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        from pytest_trio_scoped import trio_fixture
        from trace import trace

        @trio_fixture(scope="directory", params=["x", "y"])
        async def letter(request):
            where = request.path.parent.name
            trace(f"up {request.param} in {where}")
            yield request.param
            trace(f"down {request.param} in {where}")
        """,
    )
    _tree(suite, "a", "b", test="def test_a(letter): pass\ndef test_b(letter): pass")
    result = suite.run()
    assert result.trace == [
        f"{what} {letter} in {where}"
        for where in "ab"
        for letter in "xy"
        for what in ("up", "down")
    ]


def test_one_with_params_may_request_another_one(suite: Suite) -> None:
    _conftest(
        suite,
        """
@trio_fixture(scope="directory", params=["x", "y"])
async def letter(request, folder):
    return request.param + folder
""",
    )
    _tree(suite, "a", "b", test="async def test_a(letter): pass")
    result = suite.run()
    assert result.outcomes == {"test_a[x]": "passed", "test_a[y]": "passed"}, result.output


def test_an_override_may_request_what_it_overrides(suite: Suite) -> None:
    _conftest(suite)
    suite.write(
        "a/conftest.py",
        """
        import pytest
        from pytest_trio_scoped import trio_fixture
        @trio_fixture(scope="directory")
        async def folder(folder): return f"my {folder}"
        """,
    )
    suite.write("a/b/conftest.py", "import pytest\n@pytest.fixture\ndef folder(): return 'plain'")
    suite.write("a/test_a.py", "def test_a(folder): assert folder == 'my a'")
    suite.write("a/b/test_b.py", "def test_b(folder): assert folder == 'plain'")
    suite.write("a/c/test_c.py", "def test_c(folder): assert folder == 'my c'")
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["up c", "down c", "up a", "down a"]


def test_a_last_test_that_is_skipped_does_not_keep_it(suite: Suite) -> None:
    _conftest(suite)
    _tree(suite, "a", test="def test_a(folder): pass")
    suite.write("a/test_z.py", "import pytest\n@pytest.mark.skip\ndef test_z(folder): pass")
    suite.write("b/test_b.py", "from trace import trace\ndef test_b(): trace('b')")
    assert suite.run().trace == ["up a", "down a", "b"]


def test_a_set_up_that_fails_fails_for_its_directory_only(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        from pytest_trio_scoped import trio_fixture
        from trace import trace
        @trio_fixture(scope="directory")
        async def folder(request):
            trace(request.path.parent.name)
            assert request.path.parent.name != "a"
        """,
    )
    _tree(suite, "a", "b", test="def test_a(folder): pass\ndef test_b(folder): pass")
    result = suite.run("-p", "no:asyncio")
    assert result.trace == ["a", "b"]
    assert "2 passed, 2 errors" in result.output


def test_each_tear_down_that_fails_is_reported(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        from pytest_trio_scoped import trio_fixture
        @trio_fixture(scope="directory")
        async def one():
            yield
            raise ValueError("one")
        @trio_fixture(scope="directory")
        async def two():
            yield
            raise KeyError("two")
        """,
    )
    _tree(suite, "a", test="def test_a(one, two): pass")
    result = suite.run()
    assert result.phases == {"test_a": "passed passed failed"}
    assert (
        "errors while tearing down the fixtures of a directory (2 sub-exceptions)" in result.output
    )
    assert "ValueError: one" in result.output
    assert "KeyError: 'two'" in result.output


_TWO = """
    import pytest
    from pytest_trio_scoped import trio_fixture
    from trace import trace
    @trio_fixture(scope="directory")
    async def one():
        yield
        {one}
    @trio_fixture(scope="directory")
    async def two():
        yield
        raise ValueError("two")
    @pytest.fixture(scope="session", autouse=True)
    def session():
        yield
        trace("end of session")
"""


@pytest.mark.parametrize("one", ["raise KeyboardInterrupt", "pytest.exit('bye')"])
def test_what_ends_the_run_does_so_beside_a_tear_down_that_fails(suite: Suite, one: str) -> None:
    suite.write("conftest.py", _TWO.format(one=one))
    _tree(suite, "a", test="def test_a(one, two): pass")
    _tree(suite, "b", test="def test_b(): pass")
    result = suite.run_subprocess()
    assert (result.exit_code, result.phases) == (2, {"test_a": "passed passed"})
    assert result.trace == ["end of session"]
    assert "KeyboardInterrupt" in result.output or "Exit: bye" in result.output


@pytest.mark.parametrize("verdict", ["fail", "skip", "xfail"])
def test_a_verdict_beside_a_tear_down_that_fails_harms_no_other_test(
    suite: Suite, verdict: str
) -> None:
    suite.write("conftest.py", _TWO.format(one=f"pytest.{verdict}('one')"))
    _tree(suite, "a", test="def test_a(one, two): pass")
    _tree(suite, "b", test="def test_b(): pass")
    result = suite.run()
    assert result.phases == {"test_a": "passed passed failed", "test_b": "passed passed passed"}
    assert f"{getattr(pytest, verdict).Exception.__name__}: one" in result.output
    assert "ValueError: two" in result.output


def test_a_crash_names_the_scope(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import trio
        from pytest_trio_scoped import trio_fixture
        async def crash():
            raise ValueError("boom")
        @trio_fixture(scope="directory")
        async def server(nursery):
            nursery.start_soon(crash)
        """,
    )
    _tree(suite, "a", test="import trio\nasync def test_a(server): await trio.sleep_forever()")
    result = suite.run()
    assert result.phases == {"test_a": "passed failed passed"}
    assert "ValueError: boom" in result.output
    assert "the fixture 'server' (scope 'directory')" in result.output


def test_a_crash_that_nobody_notices_is_told_by_the_last_test_of_the_directory(
    suite: Suite,
) -> None:
    suite.write(
        "conftest.py",
        """
        import trio
        from pytest_trio_scoped import trio_fixture
        @trio_fixture(scope="directory")
        async def server(request, nursery):
            event = request.config.event = trio.Event()
            async def run():
                await event.wait()
                raise ValueError("boom")
            nursery.start_soon(run)
            yield
            nursery.cancel_scope.cancel()
        """,
    )
    crash = """
        import trio.testing
        def test_a(server): pass
        async def test_b(request):
            request.config.event.set()
            await trio.testing.wait_all_tasks_blocked()
    """
    suite.write("a/test_a.py", textwrap.dedent(crash))
    suite.write("a/test_b.py", "def test_c(): pass")
    suite.write("b/test_d.py", "def test_d(server): pass")
    result = suite.run("--tb=short")
    assert result.phases == {
        **dict.fromkeys(("test_a", "test_b", "test_d"), "passed passed passed"),
        "test_c": "passed passed failed",
    }
    assert "conftest.py:9: in run\n" in result.output
    assert "_crashes.py" not in result.output
    assert "_directories.py" not in result.output
    assert "the fixture 'server' (scope 'directory'), which has crashed" in result.output


def test_it_is_shown_with_its_scope(suite: Suite) -> None:
    _conftest(suite)
    _tree(suite, "a", test="def test_a(folder): pass")
    assert "  SETUP    D folder\n" in suite.run("--setup-plan").output


@pytest.mark.parametrize("scope", ["package", "session"])
def test_a_wider_fixture_can_not_request_it(suite: Suite, scope: str) -> None:
    _conftest(
        suite,
        f"""
@pytest.fixture(scope={scope!r})
def wide(folder): trace("never")
""",
    )
    _tree(suite, "a", test="def test_a(wide): pass\ndef test_b(wide): pass")
    result = suite.run()
    assert (result.exit_code, result.phases) == (pytest.ExitCode.INTERRUPTED, {})
    assert (
        f"can't be set up: the fixture 'wide' (scope {scope!r}) lasts longer than 'folder' (scope "
        "'directory'), which it requests."
    ) in result.output
    assert "    -> wide  conftest.py:13\n    -> folder  conftest.py:6\n" in result.output
    assert "1 error during collection" in result.output


def test_a_doctest_may_use_it(suite: Suite) -> None:
    _conftest(suite)
    suite.write("a/test_a.txt", ">>> getfixture('folder')\n'a'\n")
    result = suite.run()
    assert "1 passed" in result.output
    assert result.trace == ["up a", "down a"]


def test_a_directory_is_not_its_tree(suite: Suite) -> None:
    _conftest(suite)
    suite.write("a/conftest.py", "async def setup_directory(): pass")
    _tree(suite, "a", "a/b", test="def test_a(folder): pass")
    assert suite.run("a/test_a.py", "a/b").trace == ["up a", "down a", "up b", "down b"]
