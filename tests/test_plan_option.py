"""The option ``--trio-plan``."""

from __future__ import annotations

import json

import pytest
from harness import Result, Suite

SUITE = """
    import sys

    @pytest.fixture(scope="module", params=["sqlite", "postgres"])
    async def db(request):
        trace("never")
        yield

    @pytest.fixture
    def user(db):
        trace("never")

    @pytest.mark.slow
    async def test_a(user):
        trace("never")

    def test_b(tmp_path):
        trace("never")
"""


@pytest.fixture(autouse=True)
def _write(suite: Suite) -> None:
    suite.tests(SUITE)
    suite.ini("markers = slow")


def _plan(result: Result) -> list[str]:
    """Return the part of the output that is the plan."""
    lines = result.output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("session"))
    end = next(number for number, line in enumerate(lines) if "side by side" in line)
    return lines[start : end + 1]


def test_prints_the_plan_and_runs_nothing(suite: Suite) -> None:
    result = suite.run("--trio-plan")
    assert _plan(result) == [
        "session",
        "  module test_it.py",
        "    + db[sqlite] (async)",
        "    test_a[sqlite] (async): db[sqlite], user",
        "    - db[sqlite]",
        "    + db[postgres] (async)",
        "    test_a[postgres] (async): db[postgres], user",
        "  + tmp_path_factory",
        "  module test_it.py",
        "    test_b: tmp_path_factory, tmp_path",
        "",
        "fixture           scope     set up  tests  requests          defined in",
        "db (async)        module    2       2                        test_it.py:7",
        "user              function  2       2      db                test_it.py:12",
        f"tmp_path_factory  session   1       1                        {_line(result, 0)}",
        f"tmp_path          function  1       1      tmp_path_factory  {_line(result, 1)}",
        "",
        "3 tests, 6 fixture instances, 6 set-ups; at most 1 async fixture side by side",
    ]
    assert result.exit_code == 0
    assert result.phases == {}
    assert result.trace == []


def _line(result: Result, number: int) -> str:
    """Return where pytest has defined a fixture of its own, which differs from version to version."""
    words = result.output.split()
    found = [word for word in words if word.startswith(".../_pytest/tmpdir.py:")]
    return found[number]


@pytest.mark.parametrize(
    ("arguments", "tests"),
    [
        (["-k", "test_b"], ["test_b"]),
        (["-m", "slow"], ["test_a[sqlite]", "test_a[postgres]"]),
        (["test_it.py::test_b"], ["test_b"]),
        (["--collect-only", "-k", "test_b"], ["test_b"]),
        (["-p", "xdist", "-n", "2", "-k", "test_b"], ["test_b"]),
        (["-p", "xdist", "--dist", "loadscope", "--tx", "2*popen", "-k", "test_b"], ["test_b"]),
        (["--setup-plan", "-k", "test_b"], ["test_b"]),
    ],
    ids=" ".join,
)
def test_what_would_run_is_planned(suite: Suite, arguments: list[str], tests: list[str]) -> None:
    result = suite.run("--trio-plan=json", *arguments)
    document = json.loads(result.output)
    assert [test["node_id"].partition("::")[2] for test in document["tests"]] == tests
    assert result.exit_code == 0
    assert result.trace == []


def test_a_path_may_follow_the_option(suite: Suite) -> None:
    suite.write("test_other.py", "def test_c(): pass")
    result = suite.run("--trio-plan", "test_other.py")
    assert _plan(result)[:3] == ["session", "  module test_other.py", "    test_c"]


@pytest.mark.parametrize("name", ["json", "mermaid"])
def test_what_is_for_tools_is_printed_alone(suite: Suite, name: str) -> None:
    suite.write("conftest.py", "import warnings\nwarnings.warn('x', UserWarning)")
    result = suite.run(f"--trio-plan={name}", "-v", "-W", "ignore", "-W", "default::UserWarning")
    if name == "json":
        assert json.loads(result.output)["summary"]["tests"] == 3
    else:
        assert result.output.splitlines()[0] == "flowchart LR"
        assert result.output.splitlines()[-1].startswith("  f")


def test_the_default_is_text(suite: Suite) -> None:
    assert _plan(suite.run("--trio-plan")) == _plan(suite.run("--trio-plan=text"))


def test_another_format_is_an_error(suite: Suite) -> None:
    result = suite.run("--trio-plan=yaml")
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--trio-plan=text" in result.output


def test_without_tests_the_exit_code_is_that_of_pytest(suite: Suite) -> None:
    result = suite.run("--trio-plan", "-k", "nothing")
    assert result.exit_code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "\n0 tests, 0 fixture instances, 0 set-ups; " in result.output


def test_errors_of_the_collection_are_reported_in_place_of_the_plan(suite: Suite) -> None:
    suite.write("test_broken.py", "import nothing_of_this_name")
    result = suite.run("--trio-plan")
    assert result.exit_code == pytest.ExitCode.INTERRUPTED
    assert "1 error during collection" in result.output
    assert "side by side" not in result.output


def test_the_rest_is_planned_if_the_user_wants_to_go_on(suite: Suite) -> None:
    suite.write("test_broken.py", "import nothing_of_this_name")
    result = suite.run("--trio-plan", "--continue-on-collection-errors")
    assert result.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "3 tests, " in _plan(result)[-1]


def test_works_without_a_terminal_reporter(suite: Suite) -> None:
    result = suite.run_subprocess("--trio-plan=json", "-p", "no:terminal")
    assert json.loads(result.output)["summary"]["tests"] == 3


def test_says_how_often_pytest_sets_up_what_it_comes_back_to(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: item.name)
        @pytest.fixture(scope="module")
        def m(): pass
        """,
    )
    suite.write("test_it.py", "def test_1(m): pass\ndef test_3(m): pass")
    suite.write("test_other.py", "def test_2(m): pass")
    document = json.loads(suite.run("--trio-plan=json").output)
    assert [each["set_ups"] for each in document["instances"]] == [2, 1]


def test_a_sync_suite_has_a_plan_and_imports_no_trio(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import sys
        from trace import trace
        def pytest_unconfigure(config):
            trace("trio" in sys.modules)
        """,
    )
    suite.write("test_it.py", "def test_a(tmp_path): pass")
    result = suite.run_subprocess("--trio-plan", "-p", "no:anyio", "-p", "no:hypothesispytest")
    assert result.exit_code == 0, result.output
    assert result.trace == ["False"]


def test_a_fixture_for_each_directory_is_one_in_the_table(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        "from pytest_trio_scoped import trio_fixture\n"
        "@trio_fixture(scope='directory')\nasync def folder(): pass",
    )
    for name in "ab":
        suite.write(f"{name}/test_{name}.py", "def test_it(folder): pass")
    assert _plan(suite.run("--trio-plan", "a", "b"))[-5:] == [
        "",
        "fixture         scope      set up  tests  requests  defined in",
        "folder (async)  directory  2       2                conftest.py:2",
        "",
        "2 tests, 2 fixture instances, 2 set-ups; at most 1 async fixture side by side",
    ]


def test_a_new_parameter_ends_what_lives_for_another_directory(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from pytest_trio_scoped import trio_fixture
        @pytest.fixture(scope="session", params=[1, 2])
        def server(): pass
        @trio_fixture(scope="directory")
        async def folder(server): pass
        """,
    )
    for name in "ab":
        suite.write(f"{name}/test_{name}.py", "def test_it(folder): pass")
    assert _plan(suite.run("--trio-plan", "a", "b"))[:-6] == [
        "session",
        "  + server[1]",
        "  directory a",
        "    + folder (async)",
        "    module a/test_a.py",
        "      test_it[1]: server[1], folder",
        "  directory b",
        "    + folder (async)",
        "    module b/test_b.py",
        "      test_it[1]: server[1], folder",
        "    - folder",
        "  directory a",
        "    - folder",
        "  - server[1]",
        "  + server[2]",
        "  directory a",
        "    + folder (async)",
        "    module a/test_a.py",
        "      test_it[2]: server[2], folder",
        "  directory b",
        "    + folder (async)",
        "    module b/test_b.py",
        "      test_it[2]: server[2], folder",
    ]


def test_tests_that_a_mark_skips_need_nothing(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def db(): trace("never")

        @pytest.mark.skip
        async def test_a(db): pass

        @pytest.mark.skipif("True", reason="no database")
        def test_b(db): pass

        @pytest.mark.xfail(run=False)
        def test_c(db): pass

        @pytest.mark.skipif(False, reason="all is well")
        @pytest.mark.xfail
        async def test_d(tmp_path): pass

        @pytest.mark.skipif(True)
        def test_no_reason(db): pass
        """
    )
    assert _plan(suite.run("--trio-plan"))[:-6] == [
        "session",
        "  module test_it.py",
        "    test_a (async) (skipped)",
        "    test_b (skipped)",
        "    test_c (skipped)",
        "  + tmp_path_factory",
        "  module test_it.py",
        "    test_d (async): tmp_path_factory, tmp_path",
        "    test_no_reason (skipped)",
    ]
    assert suite.run().trace == []


def test_nothing_is_set_up_ahead_for_tests_that_a_mark_skips(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def db(): trace("never")

        class TestIt:
            @pytest.fixture(scope="class", autouse=True)
            @classmethod
            def own(cls): trace("own")
            def test_a(self): pass
            @pytest.mark.skip
            def test_b(self, db): pass
        """
    )
    suite.ini("trio_fixture_order = plan")
    assert suite.run().trace == ["own"]
