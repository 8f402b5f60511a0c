"""``--trio-timeline`` in whole runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import Result, Suite
from timelines import assert_valid

from pytest_trio_scoped import _errors

#: Of every scope and kind, with a parameter, a failure, and a set-up function.
SUITE = """
    @pytest.fixture(scope="session")
    async def server():
        await trio.sleep(0.001)
        yield
        await trio.sleep(0.001)

    @pytest.fixture(scope="module", params=["x", "y"])
    def database(server, request):
        yield

    @pytest.fixture
    async def client(database):
        yield

    @pytest.fixture(scope="class")
    def broken():
        raise ValueError

    def setup_module():
        pass

    @pytest.mark.parametrize("number", [1, 2])
    async def test_a(client, number):
        assert number == 1

    def test_sync(tmp_path):
        pass

    @pytest.mark.skip
    async def test_skipped(client):
        pass

    @pytest.mark.xfail
    async def test_expected():
        assert False

    class TestIt:
        def test_b(self, broken):
            pass
"""


def _trace(suite: Suite, name: str = "run.json") -> list[dict[str, Any]]:
    document = json.loads((suite.path / name).read_text())
    assert_valid(document)
    events: list[dict[str, Any]] = document["traceEvents"]
    return events


def _tests(events: list[dict[str, Any]]) -> dict[str, str]:
    found = [event for event in events if event.get("cat") == "test"]
    return {event["name"].partition("::")[2]: event["args"]["outcome"] for event in found}


def _fixtures(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [event for event in events if event.get("cat") == "fixture"]
    return sorted(found, key=lambda event: event["ts"])


def _parts(events: list[dict[str, Any]], bar: dict[str, Any]) -> list[str]:
    where = (bar["pid"], bar["tid"])
    return [
        event["name"]
        for event in events
        if event.get("cat") == "phase"
        and (event["pid"], event["tid"]) == where
        and bar["ts"] <= event["ts"] <= event["ts"] + event["dur"] <= bar["ts"] + bar["dur"]
    ]


def _assert_written(result: Result, suite: Suite, name: str = "run.json") -> None:
    assert f" {_errors.TIMELINE_WRITTEN.format(path=suite.path / name)} " in result.output


def test_what_happens_is_in_the_file(suite: Suite) -> None:
    suite.tests(SUITE)
    result = suite.run("--trio-timeline=deep/er/run.json")
    _assert_written(result, suite, "deep/er/run.json")  # the folder was made
    events = _trace(suite, "deep/er/run.json")
    assert _tests(events) == result.outcomes
    assert len(result.outcomes) == 9
    fixtures = _fixtures(events)
    described = [(each["name"], each["args"]["scope"], each["args"]["of"]) for each in fixtures]
    assert described[:4] == [
        ("server", "session", ""),
        ("setup_module", "module", "test_it.py"),
        ("database[x]", "module", "test_it.py"),
        ("client", "function", "test_it.py::test_a[x-1]"),
    ]
    first = fixtures[0]
    assert first["args"]["set up for"] == "test_it.py::test_a[x-1]"
    assert first["args"]["defined in"] == "test_it.py:5"
    assert first["args"]["is_async"]
    assert _parts(events, first) == ["set-up", "tear-down"]
    assert first["dur"] >= 2000
    [failed] = [each for each in fixtures if each["args"]["is_failed"]]
    assert failed["name"] == "broken"
    assert _parts(events, failed) == ["set-up"]
    assert "number" not in {each["name"] for each in fixtures}  # an argument of a test
    assert [each["name"] for each in fixtures].count("database[y]") == 1
    assert [each["name"] for each in fixtures].count("client") == 4
    tests = [event for event in events if event.get("cat") == "test"]
    assert _parts(events, tests[0]) == ["set-up", "call", "tear-down"]
    # Each lives while its test runs, and what it requires lives longer.
    by_name = {each["name"]: each for each in fixtures}
    inner, outer = by_name["client"], by_name["database[y]"]
    assert outer["ts"] <= inner["ts"]
    assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def test_a_page_is_written_by_its_suffix(suite: Suite) -> None:
    suite.tests("def test_a(): pass")
    result = suite.run("--trio-timeline=RUN.HTML")
    _assert_written(result, suite, "RUN.HTML")
    assert '"id":"test_it.py::test_a"' in (suite.path / "RUN.HTML").read_text()


def test_tests_in_flight_have_lanes_of_their_own(suite: Suite) -> None:
    suite.tests(
        """
        both = trio.Event()

        @pytest.fixture(scope="module")
        async def server():
            yield

        @pytest.fixture
        async def client(server):
            yield

        async def test_a(client):
            await both.wait()

        async def test_b(client):
            both.set()
        """
    )
    result = suite.run("--trio-timeline=run.json", "--trio-parallel=2")
    assert result.outcomes == {"test_a": "passed", "test_b": "passed"}
    events = _trace(suite)
    threads = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    assert threads == [
        "server (module)", "tests", "tests", "client (function)", "client (function)"
    ]  # fmt: skip


def test_fixtures_set_up_at_the_same_time_have_lanes_of_their_own(suite: Suite) -> None:
    suite.tests(
        """
        both = trio.Event()

        @pytest.fixture(scope="module")
        async def a():
            await both.wait()
            yield

        @pytest.fixture(scope="module")
        async def b():
            both.set()
            yield

        async def test_a(a, b):
            pass
        """
    )
    suite.ini("trio_concurrent_fixtures = true")
    suite.run("--trio-timeline=run.json")
    events = _trace(suite)
    a, b = _fixtures(events)
    assert a["tid"] != b["tid"]
    assert b["ts"] < a["ts"] + a["dur"]
    assert [_parts(events, each) for each in (a, b)] == [["set-up", "tear-down"]] * 2


def test_directory_fixtures_and_set_up_functions_that_are_ours(suite: Suite) -> None:
    suite.write("conftest.py", "async def setup_directory():\n    pass")
    suite.tests(
        """
        @trio_fixture(scope="directory")
        async def folder():
            yield

        async def setup_function():
            pass

        async def test_a(folder):
            pass
        """
    )
    suite.run("--trio-timeline=run.json")
    found = {each["name"]: each["args"]["scope"] for each in _fixtures(_trace(suite))}
    assert found == {
        "setup_directory": "directory",
        "folder": "directory",
        "setup_function": "function",
    }


def test_a_test_that_is_run_again_has_a_bar_for_each_run(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        from _pytest.runner import runtestprotocol
        def pytest_runtest_protocol(item, nextitem):  # as pytest-rerunfailures does
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            runtestprotocol(item, nextitem=nextitem, log=False)
            item._initrequest()
            runtestprotocol(item, nextitem=nextitem)
            return True
        """,
    )
    suite.tests("async def test_a(): pass")
    suite.run("--trio-timeline=run.json")
    assert [each["name"] for each in _trace(suite)].count("test_it.py::test_a") == 2


# -------------------------------------------------------------------- runs that end early


ENDS = """
    @pytest.fixture(scope="session")
    async def server():
        yield

    @pytest.fixture
    async def client(server):
        yield

    async def test_a(client):
        {end}

    async def test_b(client):
        pass
"""


def test_a_run_that_is_stopped_is_written(suite: Suite) -> None:
    suite.tests(ENDS.format(end="assert 0"))
    result = suite.run("--trio-timeline=run.json", "-x")
    _assert_written(result, suite)
    events = _trace(suite)
    assert _tests(events) == {"test_a": "failed"}
    assert [_parts(events, each) for each in _fixtures(events)] == [["set-up", "tear-down"]] * 2


@pytest.mark.parametrize("options", [(), ("--trio-parallel=2",)], ids=["one", "parallel"])
def test_a_run_that_is_interrupted_is_written(suite: Suite, options: tuple[str, ...]) -> None:
    suite.tests(ENDS.format(end="pytest.exit('enough')"))
    result = suite.run("--trio-timeline=run.json", *options)
    _assert_written(result, suite)
    events = _trace(suite)
    assert _tests(events)["test_a"] == "interrupted"
    [test] = [each for each in events if each["name"] == "test_it.py::test_a"]
    first = min(each["tid"] for each in events if each["ph"] == "X")  # the lane of the server
    [end] = [each["ts"] for each in events if (each["name"], each["tid"]) == ("tear-down", first)]
    assert test["ts"] + test["dur"] <= end  # what the end of the run does is not its
    lives = [(each["name"], _parts(events, each)) for each in _fixtures(events)]
    assert ("server", ["set-up", "tear-down"]) in lives
    assert ("client", ["set-up", "tear-down"]) in lives


def test_ctrl_c_in_a_set_up(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        def slow():
            raise KeyboardInterrupt

        def test_a(slow):
            pass
        """
    )
    with pytest.raises(KeyboardInterrupt):  # pytester hands it on
        suite.run("--trio-timeline=run.json")
    events = _trace(suite)
    assert _tests(events) == {"test_a": "interrupted"}
    [slow] = _fixtures(events)
    assert slow["args"]["is_failed"]


def test_ctrl_c_in_the_last_tear_down(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        def wide():
            yield
            raise KeyboardInterrupt

        def test_a(wide):
            pytest.exit("enough")  # so that it is torn down after the run loop
        """
    )
    with pytest.raises(KeyboardInterrupt):
        suite.run("--trio-timeline=run.json")
    events = _trace(suite)
    assert _tests(events) == {"test_a": "interrupted"}
    [wide] = _fixtures(events)
    assert _parts(events, wide) == ["set-up", "tear-down"]


def test_a_run_that_ends_with_an_internal_error_is_written(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        def pytest_runtest_logreport(report):
            if report.when == "call":
                raise ValueError("broken plugin")
        """,
    )
    suite.tests(ENDS.format(end="pass"))
    result = suite.run("--trio-timeline=run.json")
    assert result.exit_code == pytest.ExitCode.INTERNAL_ERROR
    events = _trace(suite)
    assert _tests(events) == {"test_a": "interrupted"}  # it has not been torn down
    assert {each["name"] for each in _fixtures(events)} == {"server", "client"}


def test_a_file_that_can_not_be_written_any_more_is_told_and_nothing_else_is_lost(
    suite: Suite,
) -> None:
    suite.tests(
        """
        import pathlib
        def test_a():
            pathlib.Path("gone").rmdir()
            pathlib.Path("gone").write_text("")
        """
    )
    result = suite.run("--trio-timeline=gone/run.json")
    path = suite.path / "gone" / "run.json"
    text = _errors.TIMELINE_NOT_WRITTEN.format(path=path, reason="Not a directory")
    assert text in result.output
    assert result.exit_code == pytest.ExitCode.OK


# -------------------------------------------------------------------- usage


def test_another_suffix_is_an_error_before_any_test_runs(suite: Suite) -> None:
    suite.tests("def test_a(): trace('ran')")
    result = suite.run("--trio-timeline=run.svg")
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert _errors.TIMELINE_SUFFIX.format(value="run.svg") in " ".join(result.output.split("\n"))
    assert result.trace == []


@pytest.mark.parametrize("name", [".html", "folder/.json", "run.html/"])
def test_a_name_that_is_only_a_suffix_has_none(suite: Suite, name: str) -> None:
    result = suite.run(f"--trio-timeline={name}")
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert _errors.TIMELINE_SUFFIX.format(value=name) in " ".join(result.output.split("\n"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/run.json", "Not a directory"),
        ("folder.html", "Is a directory"),
        (f"{'x' * 300}.html", "File name too long"),
        ("~no_such_user/run.html", "Could not determine home directory."),
        ("a\0b.html", "embedded null byte"),
    ],
)
def test_a_place_that_can_not_be_written_is_an_error_before_any_test_runs(
    suite: Suite, name: str, reason: str
) -> None:
    suite.tests("def test_a(): trace('ran')")
    suite.write("file", "")
    (suite.path / "folder.html").mkdir()
    result = suite.run(f"--trio-timeline={name}")
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    path = str(suite.path / name)
    text = _errors.TIMELINE_UNWRITABLE.format(path=path, reason=reason)
    assert f"ERROR: {text}" in result.output
    assert result.trace == []


@pytest.mark.parametrize(
    "option", ["--collect-only", "--setup-plan", "--trio-plan", "--fixtures", "no_such.py"]
)
def test_nothing_is_written_if_nothing_is_run(suite: Suite, option: str) -> None:
    suite.tests("def test_a(): pass")
    suite.run("--trio-timeline=run.json", option)
    assert not (suite.path / "run.json").exists()


def test_a_file_of_an_earlier_run_stays_until_there_is_another(suite: Suite) -> None:
    suite.write("run.json", "earlier")
    suite.tests("import pathlib\ndef test_a():\n    trace(pathlib.Path('run.json').read_text())")
    assert suite.run("--trio-timeline=run.json").trace == ["earlier"]
    assert _tests(_trace(suite)) == {"test_a": "passed"}


def test_a_clock_that_a_test_has_changed_is_not_asked(suite: Suite) -> None:
    suite.tests(
        """
        import time
        def test_a(monkeypatch):
            monkeypatch.setattr(time, "time", lambda: -1e9)
            monkeypatch.setattr(time, "perf_counter", lambda: -1e9)
        """
    )
    suite.run("--trio-timeline=run.json")
    events = [each for each in _trace(suite) if each["ph"] == "X"]
    assert events
    assert all(each["ts"] >= 0 and each["dur"] >= 0 for each in events)


def test_nothing_of_it_is_loaded_without_the_option(suite: Suite, monkeypatch: Any) -> None:
    for name in [each for each in sys.modules if "_timeline" in each]:
        monkeypatch.delitem(sys.modules, name)
    suite.tests(
        """
        import sys
        def test_a(): trace([name for name in sys.modules if "pytest_trio_scoped._timeline" in name])
        """
    )
    assert suite.run().trace == ["[]"]


def test_a_folder_of_a_test_does_not_move_the_file(suite: Suite, tmp_path: Path) -> None:
    suite.tests(f"def test_a(monkeypatch):\n    import os\n    os.chdir({str(tmp_path)!r})")
    suite.run("--trio-timeline=run.json")
    assert _tests(_trace(suite)) == {"test_a": "passed"}
