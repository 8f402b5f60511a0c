"""pytest's options on an async suite: what they print is what they print for the sync twin."""

from __future__ import annotations

import pytest
from harness import Suite
from sync_twin import assert_like_sync, compare, run_quietly, write_async, write_sync

SOURCE = """
    @pytest.fixture(scope="session")
    async def session_wide():
        \"\"\"Docs of a session fixture.\"\"\"
        trace("session up")
        yield 1
        await pause()
        trace("session down")

    @pytest.fixture(scope="module", params=["x", "y"])
    async def module_wide(session_wide, request):
        await pause()
        trace(f"module {request.param}")
        return request.param

    @pytest.fixture(autouse=True)
    async def automatic():
        yield
        trace("automatic down")

    @pytest.fixture
    def sync_one(module_wide):
        yield module_wide

    class TestIt:
        @pytest.fixture(scope="class")
        @classmethod
        async def class_wide(cls, module_wide):
            await pause()
            yield

        async def test_a(self, class_wide, sync_one):
            await pause()

        async def test_b(self, class_wide):
            await pause()
            assert 0

    async def test_c(module_wide):
        \"\"\"Docs of a test.\"\"\"
        await pause()

    def test_d(sync_one):
        pass

    async def test_e():
        raise ValueError
"""


@pytest.mark.parametrize(
    "options",
    [
        ["--setup-show"],
        ["--setup-plan"],
        ["--setup-only"],
        ["--collect-only"],
        ["--collect-only", "-q"],
        ["-x"],
        ["--maxfail=2"],
        ["--exitfirst", "--setup-show"],
        ["-v"],
        ["-q"],
        ["-vv", "-rA"],
        ["--durations=0", "-vv", "--durations-min=1000"],
        ["-k", "test_c or test_d"],
        ["--deselect", "test_it.py::test_e"],
        ["test_it.py::TestIt::test_a"],
        ["-s"],
        ["--capture=sys"],
        ["--no-summary"],
        ["-p", "no:logging"],
        ["-p", "no:terminal"],
        ["-p", "no:capture"],
        ["-p", "no:faulthandler"],
        ["-p", "no:unraisableexception"],
        ["-p", "no:threadexception"],
        ["-p", "no:skipping"],
        ["-p", "no:warnings"],
        ["-p", "no:setuponly"],
        ["-p", "no:debugging"],
        ["-p", "no:runner", "--collect-only"],
        ["--runxfail"],
        ["--import-mode=importlib"],
        ["--strict-markers"],
        ["--co", "-m", "nosuch"],
    ],
    ids=" ".join,
)
def test_an_option_does_what_it_does_in_sync_code(suite: Suite, options: list[str]) -> None:
    assert_like_sync(suite, SOURCE, *options)


def test_fixtures_are_listed_as_sync_ones_and_ours_beside_them(suite: Suite) -> None:
    write_sync(suite, SOURCE)
    expected = run_quietly(suite, "--fixtures", "-p", "no:trio_scoped")
    write_async(suite, SOURCE)
    result = run_quietly(suite, "--fixtures")
    own = [
        line
        for line in result.output.splitlines()
        if line.strip() and line not in expected.output.splitlines()
    ]
    assert result.exit_code == 0
    assert any(line.startswith("nursery") for line in own)
    for line in expected.output.splitlines():
        if "[" in line and "--" in line:
            assert line in result.output.splitlines()


def test_fixtures_per_test_lists_what_it_lists_in_sync_code(suite: Suite) -> None:
    assert_like_sync(suite, SOURCE, "--fixtures-per-test")


@pytest.mark.parametrize("option", ["--lf", "--ff", "--nf", "--sw"])
def test_the_cache_remembers_async_tests(suite: Suite, option: str) -> None:
    results = []
    for write, plugin in ((write_sync, ["-p", "no:trio_scoped"]), (write_async, [])):
        write(suite, SOURCE)
        run_quietly(suite, "-p", "cacheprovider", "--cache-clear", *plugin)
        results.append(run_quietly(suite, "-p", "cacheprovider", option, *plugin))
    compare(*results)


@pytest.mark.parametrize("option", ["--setup-plan", "--collect-only"])
def test_nothing_is_run_and_no_loop_is_opened_by(suite: Suite, option: str) -> None:
    write_async(suite, SOURCE)
    suite.write(
        "conftest.py",
        """
        from trace import trace
        def pytest_unconfigure(config):
            from pytest_trio_scoped import _session
            trace(f"loop: {config.stash[_session.KEY]._loop}")
        """,
    )
    result = run_quietly(suite, option)
    assert result.exit_code == 0
    assert result.trace == ["loop: None"]


def test_setup_only_sets_up_and_tears_down_and_runs_no_test(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def thing():
            trace("up")
            yield
            trace("down")

        async def test_a(thing):
            trace("ran")
        """
    )
    assert suite.run("--setup-only").trace == ["up", "down"]


def test_setup_show_shows_order_and_scopes(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def wide():
            yield

        @pytest.fixture
        async def narrow(wide):
            return 1

        async def test_a(narrow):
            pass
        """
    )
    lines = suite.run("--setup-show").output.splitlines()
    start = lines.index("test_it.py ")
    # pytest 8.4 has no space in front of the dot.
    assert [line.replace(") .", ").") for line in lines[start + 1 : start + 6]] == [
        "SETUP    S wide",
        "        SETUP    F narrow (fixtures used: wide)",
        "        test_it.py::test_a (fixtures used: narrow, wide).",
        "        TEARDOWN F narrow",
        "TEARDOWN S wide",
    ]


def test_durations_measure_the_waiting(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def thing():
            await trio.sleep(0.02)
            yield
            await trio.sleep(0.02)

        async def test_a(thing):
            await trio.sleep(0.02)
        """
    )
    output = suite.run("--durations=0", "--durations-min=0.015").output
    for phase in ("setup", "call", "teardown"):
        assert f"s {phase:8} test_it.py::test_a" in output


def test_the_option_for_markers_lists_ours(suite: Suite) -> None:
    suite.tests("")
    result = suite.run("--markers")
    assert result.exit_code == 0
    assert "@pytest.mark.trio: run this async test on the Trio loop of the session" in result.output


def test_strict_config_and_strict_markers_know_ours(suite: Suite) -> None:
    suite.tests("@pytest.mark.trio\nasync def test_a():\n    pass\n")
    result = suite.run("--strict-config", "--strict-markers")
    assert result.outcomes == {"test_a": "passed"}


def test_switched_off_it_leaves_no_trace(suite: Suite) -> None:
    suite.tests(
        "def test_a(pytestconfig):\n    assert not pytestconfig.pluginmanager.has_plugin('trio')\n",
        trio_mode=False,
    )
    assert suite.run("-p", "no:trio_scoped").outcomes == {"test_a": "passed"}


def test_junit_xml_tells_of_async_tests_what_it_tells_of_sync_ones(suite: Suite) -> None:
    import re

    texts = []
    for write, plugin in ((write_sync, ["-p", "no:trio_scoped"]), (write_async, [])):
        write(suite, SOURCE)
        run_quietly(suite, "--junit-xml=out.xml", *plugin)
        text = (suite.path / "out.xml").read_text().replace("async ", "").replace("await ", "")
        texts.append(re.sub(r'(time|timestamp)="[^"]*"|0x[0-9a-f]+', "", text))
    assert texts[0] == texts[1]
