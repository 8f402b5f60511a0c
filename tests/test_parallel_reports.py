"""Reports of tests that run at once: whoever prints, counts or stores them sees one test after the other."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from harness import Recorder, Suite

from pytest_trio_scoped._held_reports import Held, HeldReports

AT_ONCE = "--trio-parallel=10"

#: They end in another order than they start in.
_CROSSED = """
    import functools
    times = {}
    @functools.cache
    def event(name): return trio.Event()

    async def test_first():
        await event("first").wait()
        event("middle").set()
    async def test_middle():
        await event("middle").wait()
        assert 1 == 2
    async def test_last():
        event("first").set()
"""


# ---------------------------------------------------------------- without a session


class _Hooks:
    """What a test is handed by pytest."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.other = "untouched"

    def pytest_runtest_logreport(self, *, report: Any) -> list[str]:
        """Note the report."""
        self.calls.append(f"report {report}")
        return ["answer"]

    def pytest_runtest_logstart(self, *, nodeid: str, location: str) -> None:
        """Note the start."""
        self.calls.append(f"start {nodeid} {location}")


class _Session:
    """The part of pytest's session that counts."""

    def __init__(self) -> None:
        self.hooks = _Hooks()

    def gethookproxy(self, path: str) -> Any:
        """Return the hooks of a path."""
        return self.hooks if path == "here" else SimpleNamespace(path=path)


def test_hooks_are_held_for_a_test_in_flight_and_called_at_once_for_others() -> None:
    session: Any = _Session()
    seen: list[Any] = []
    held: list[Held | None] = [[]]

    def note(report: Any) -> Held | None:
        seen.append(report)
        return held[0]

    reports = HeldReports(session, note)
    reports.install()
    hooks = session.gethookproxy("here")
    assert hooks.pytest_runtest_logreport(report=1) == []
    hooks.pytest_runtest_logstart(nodeid="a", location="b")
    assert seen == [1, None]
    assert session.hooks.calls == []
    kept = held[0]
    assert kept is not None
    for call in kept:
        call()
    assert session.hooks.calls == ["report 1", "start a b"]
    held[0] = None
    assert hooks.pytest_runtest_logreport(report=2) == ["answer"]
    assert session.hooks.calls[-1] == "report 2"
    assert seen == [1, None, 2]
    assert hooks.other == "untouched"
    assert session.gethookproxy("here") is hooks
    assert session.gethookproxy("there").path == "there"
    reports.remove()
    assert session.gethookproxy("here") is session.hooks


# ---------------------------------------------------------------- what is printed


def lines(output: str) -> list[str]:
    """Return the lines of the tests, without the width of the terminal."""
    found = re.findall(r"^test_it\.py::(\S+) (.*?) +(\[ *\d+%\])$", output, re.MULTILINE)
    return [" ".join(each) for each in found]


def test_verbose_has_one_line_for_each_test_in_the_order_of_their_ends(suite: Suite) -> None:
    suite.tests(_CROSSED)
    assert lines(suite.run("-v", AT_ONCE).output) == [
        "test_last PASSED [ 33%]",
        "test_first PASSED [ 66%]",
        "test_middle FAILED [100%]",
    ]


def test_short_output_counts_up(suite: Suite) -> None:
    suite.tests(_CROSSED)
    result = suite.run(AT_ONCE)
    assert re.search(r"^test_it\.py \.\.F +\[100%\]$", result.output, re.MULTILINE)


def test_durations_are_those_of_the_test_itself(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.parametrize("i", range(5))
        async def test_short(i):
            await trio.sleep(0.01)
        async def test_long():
            await trio.sleep(0.3)
    """)
    output = suite.run(AT_ONCE, "--durations=1", "--durations-min=0.2").output
    assert "test_it.py::test_long" in output
    assert "call     test_it.py::test_short" not in output


def test_junit_has_each_test_once_with_its_own_output(suite: Suite) -> None:
    suite.tests("""
        @pytest.fixture
        async def broken():
            yield
            raise OSError
        @pytest.mark.parametrize("i", range(3))
        async def test_a(i, record_property):
            print(f"printed {i}")
            record_property("number", i)
            await trio.sleep(0.01 * (3 - i))
        async def test_bad():
            await trio.sleep(0)
            assert 0
        async def test_twice(broken):
            await trio.sleep(0)
        @pytest.mark.skip
        async def test_skipped(): pass
    """)
    suite.ini("junit_logging = all", "junit_family = xunit1")
    counts = []
    for number in (1, 10):
        suite.run(f"--trio-parallel={number}", "--junitxml=out.xml")
        (tests,) = ET.parse(suite.path / "out.xml").getroot()
        names = ("tests", "failures", "errors", "skipped")
        counts.append({name: tests.get(name) for name in names})
    assert counts[0] == counts[1]
    assert counts[1]["failures"] == counts[1]["errors"] == "1"
    by_name = {case.get("name"): case for case in tests}
    assert len(by_name) == 6
    for i in range(3):
        case = by_name[f"test_a[{i}]"]
        assert re.findall(r"printed \d", case.findtext("system-out") or "") == [f"printed {i}"]
        assert case.find("properties/property").attrib == {"name": "number", "value": str(i)}  # type: ignore[union-attr]
    assert by_name["test_bad"][0].tag == "failure"
    assert by_name["test_twice"][0].tag == "error"


def test_a_plugin_sees_one_test_after_the_other(suite: Suite) -> None:
    suite.tests(_CROSSED)
    suite.write(
        "conftest.py",
        """
        from trace import trace
        def pytest_runtest_logstart(nodeid): trace("start " + nodeid.rpartition("_")[2])
        def pytest_runtest_logreport(report):
            trace(f"{report.when} {report.outcome} " + report.nodeid.rpartition("_")[2])
        def pytest_runtest_logfinish(nodeid): trace("finish " + nodeid.rpartition("_")[2])
        """,
    )

    def five(name: str, outcome: str) -> list[str]:
        phases = (f"setup passed {name}", f"call {outcome} {name}", f"teardown passed {name}")
        return [f"start {name}", *phases, f"finish {name}"]

    assert suite.run(AT_ONCE).trace == [
        *(*five("last", "passed"), *five("first", "passed"), *five("middle", "failed")),
    ]


def test_what_a_reporter_prints_is_not_captured(suite: Suite) -> None:
    suite.tests(_CROSSED)
    suite.write(
        "conftest.py",
        """
        import sys
        def pytest_runtest_logreport(report):
            if report.failed:
                print("at once:", report.nodeid)
                print(report.longreprtext, file=sys.stderr)
        """,
    )
    result = suite.run(AT_ONCE)
    assert "at once: test_it.py::test_middle" in result.output
    assert result.output.count("E       assert 1 == 2") == 2


def test_a_report_is_made_before_the_fixtures_of_the_test_are_torn_down(suite: Suite) -> None:
    suite.tests("""
        @pytest.fixture
        async def page(request):
            yield
            await trio.sleep(0)
            trace(f"{request.node.name} {request.node.outcome}")
        @pytest.mark.parametrize("i", range(2))
        async def test_a(page, i):
            await trio.sleep(0)
            assert i
    """)
    suite.write(
        "conftest.py",
        """
        import pytest
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if call.when == "call":
                item.outcome = report.outcome
            return report
        """,
    )
    assert sorted(suite.run(AT_ONCE).trace) == ["test_a[0] failed", "test_a[1] passed"]


# ---------------------------------------------------------------- when to stop


_MANY = """
    import functools
    @functools.cache
    def event(): return trio.Event()

    @pytest.fixture(scope="module")
    async def wide():
        yield
        trace("tear down")

    async def test_in_flight(wide):
        await event().wait()
        trace("end")
    async def test_bad(wide):
        event().set()
        assert 0
    @pytest.mark.parametrize("i", range(20))
    async def test_later(wide, i):
        trace("later")
"""


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_nothing_is_started_after_enough_failures_and_what_is_in_flight_ends(
    suite: Suite, option: str
) -> None:
    suite.tests(_MANY)
    result = suite.run("--trio-parallel=2", option)
    assert result.exit_code == 1
    assert result.phases == {
        "test_bad": "passed failed passed",
        "test_in_flight": "passed passed passed",
    }
    assert result.trace == ["end", "tear down"]
    assert "stopping after 1 failures" in result.output
    assert "1 failed, 1 passed" in result.output


def test_maxfail_counts_failures(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.parametrize("i", range(20))
        async def test_a(i):
            await trio.sleep(0)
            assert i % 2
    """)
    result = suite.run("--trio-parallel=2", "--maxfail=3")
    assert "stopping after 3 failures" in result.output
    assert list(result.outcomes.values()).count("failed") == 3
    assert len(result.outcomes) < 8


def test_what_is_expected_to_fail_does_not_count(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.xfail
        @pytest.mark.parametrize("i", range(5))
        async def test_a(i):
            await trio.sleep(0)
            assert 0
    """)
    result = suite.run("--trio-parallel=2", "-x")
    assert (result.exit_code, set(result.outcomes.values())) == (0, {"xfailed"})
    assert len(result.outcomes) == 5


def test_a_plugin_may_say_that_it_is_enough(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.parametrize("i", range(20))
        async def test_a(i, request):
            if i == 4:
                request.session.shouldstop = "said so"
            await trio.sleep(0)
    """)
    result = suite.run("--trio-parallel=2")
    assert result.exit_code == 2
    assert "said so" in result.output
    assert 5 <= len(result.phases) <= 6


# ---------------------------------------------------------------- what is stored


def run_with_cache(suite: Suite, *arguments: str) -> dict[str, list[str]]:
    """Run with pytest's cache, which other runs of this harness have not; return the phases."""
    recorder = Recorder()
    options = ("-p", "trio_scoped", "-W", "error", *arguments)
    suite.pytester.runpytest_inprocess(*options, plugins=[recorder])
    return recorder.phases


def test_last_failed_and_failed_first(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.parametrize("i", range(4))
        async def test_a(i):
            await trio.sleep(0)
            assert i != 2
    """)
    assert len(run_with_cache(suite, AT_ONCE)) == 4
    assert list(run_with_cache(suite, AT_ONCE, "--lf")) == ["test_a[2]"]
    found = list(run_with_cache(suite, "--trio-parallel=2", "--ff"))
    assert len(found) == 4
    assert "test_a[2]" in found[:2]


def test_stepwise_goes_on_at_a_test_that_failed(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.parametrize("i", range(9))
        async def test_a(i):
            assert i != 3
    """)
    options = ("--trio-parallel=2", "--stepwise")
    first = run_with_cache(suite, *options)
    assert first["test_a[3]"] == ["passed", "failed", "passed"]
    assert len(first) < 7
    second = run_with_cache(suite, *options)
    assert next(iter(second)) == "test_a[3]"


# ---------------------------------------------------------------- run again

#: As pytest-rerunfailures does.
_RERUN = """
    import pytest
    from _pytest.runner import runtestprotocol
    from trace import trace

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for last in (False, False, True):
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            is_over = last or not any(report.failed for report in reports)
            for report in reports:
                if report.failed and not is_over:
                    report.outcome = "rerun"
                hook.pytest_runtest_logreport(report=report)
            if is_over:
                break
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_report_teststatus(report):
        if report.outcome == "rerun":
            return "rerun", "R", "RERUN"
"""

_FLAKY = """
    import collections
    tries = collections.Counter()

    @pytest.fixture(scope="module")
    async def wide():
        trace("set up")
        yield
        trace("tear down")
    @pytest.fixture
    async def own(wide, request):
        tries[request.node.name] += 1
        yield tries[request.node.name]
    @pytest.mark.parametrize("i", range(4))
    async def test_flaky(own, i):
        await trio.sleep(0)
        assert own == 3 or i == 3
    async def test_long(wide):
        while sum(tries.values()) < 10:
            await trio.sleep(0)
"""


@pytest.mark.parametrize("options", [(), ("-x",)], ids=["all", "x"])
def test_failed_tests_are_run_again_while_others_go_on(
    suite: Suite, options: tuple[str, ...]
) -> None:
    suite.tests(_FLAKY)
    suite.write("conftest.py", _RERUN)
    result = suite.run(AT_ONCE, *options)
    again = "passed rerun passed " * 2 + "passed passed passed"
    once = "passed passed passed"
    assert result.phases == {
        **{f"test_flaky[{i}]": again for i in range(3)},
        "test_flaky[3]": once,
        "test_long": once,
    }
    assert result.exit_code == 0, result.output
    assert result.trace == ["set up", "tear down"]


def test_a_group_out_of_a_tear_down_shows_frames_of_the_suite_alone(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def broken():
            yield
            raise ExceptionGroup("two", [ValueError("one"), KeyError("other")])
        @pytest.fixture
        async def silent():
            yield
            raise ExceptionGroup("more", [KeyError("one")])
        async def test_one(broken): pass
        async def test_both(broken, silent): pass
        """
    )
    output = suite.run("--trio-parallel=2").output
    one = output.partition("teardown of test_one _")[2].partition("\n___")[0]
    assert re.findall(r'File "\S*?(\w+\.py)"', one) == ["test_it.py"]
    both = output.partition("teardown of test_both _")[2].partition("\n___")[0]
    assert "errors while tearing down" in both  # where there is no frame of the suite, one of ours
