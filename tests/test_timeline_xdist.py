"""``--trio-timeline`` with workers of pytest-xdist."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from harness import Suite
from timelines import assert_valid

from pytest_trio_scoped._timeline_history import History
from pytest_trio_scoped._timeline_xdist import ControllerHooks, WorkerHooks, began


def test_one_file_has_what_all_workers_have_done_also_those_that_have_died(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logreport(report):
            is_of_controller = hasattr(report, "node")
            assert hasattr(report, "trio_timeline") != is_of_controller or report.when == "???"
        """,
    )
    suite.tests(
        """
        import os

        @pytest.fixture(scope="session")
        async def server():
            yield

        @pytest.fixture
        async def client(server):
            yield

        @pytest.mark.parametrize("number", range(3))
        async def test_a(client, number):
            pass

        async def test_crash(client):
            os._exit(3)

        async def test_after(client):
            pass
        """
    )
    result = suite.run_subprocess("-p", "xdist", "-n2", "--trio-timeline=run.json")
    document = json.loads((suite.path / "run.json").read_text())
    assert_valid(document)
    events: list[dict[str, Any]] = document["traceEvents"]
    names = {each["pid"]: each["args"]["name"] for each in events if each["name"] == "process_name"}
    # The one that replaces the dead one may come too late to do anything.
    assert {"gw0", "gw1"} <= set(names.values()), result.output
    tests = [each for each in events if each.get("cat") == "test"]
    outcomes = {each["name"].partition("::")[2]: each["args"]["outcome"] for each in tests}
    assert outcomes == {
        "test_a[0]": "passed",
        "test_a[1]": "passed",
        "test_a[2]": "passed",
        "test_crash": "crashed",
        "test_after": "passed",
    }
    # What had been told of before the crash is there.
    [crashed] = [each for each in tests if each["args"]["outcome"] == "crashed"]
    lives = [
        each for each in events if each.get("cat") == "fixture" and each["pid"] == crashed["pid"]
    ]
    assert {each["name"] for each in lives} == {"server", "client"}
    # Each worker has a session fixture of its own, torn down by the last of its tests or after it.
    servers = {names[each["pid"]]: each for each in events if each["name"] == "server"}
    assert set(servers) == set(names.values())
    for each in tests:
        worker = servers[names[each["pid"]]]
        assert worker["ts"] <= each["ts"] + each["dur"]
        assert 0 <= each["ts"] < 30_000_000  # since the start of the run, not of the worker's clock


def test_what_comes_after_the_last_report_comes_with_the_output_of_the_worker() -> None:
    history = History("a", 12.5)
    controller = ControllerHooks(history, lambda: 0.0)
    node = SimpleNamespace(workerinput={}, gateway=SimpleNamespace(id="gw0"))
    controller.pytest_configure_node(node)
    config: Any = SimpleNamespace(workerinput=node.workerinput, workeroutput={})
    assert began(config) == 12.5
    worker = WorkerHooks(config)
    worker.note(("opening", 1, "f", "session", "", "test_a", "c.py:1", False, 1.0))
    report: Any = SimpleNamespace(node=node)
    worker.pytest_runtest_logreport(report)
    worker.note(("live", 1, 2.0))
    list(worker.pytest_sessionfinish())
    controller.pytest_runtest_logreport(report)
    node.workeroutput = config.workeroutput
    controller.pytest_testnodedown(node)
    [process] = history.processes
    [life] = process.lives
    assert (process.name, life.label, life.start, life.live) == ("gw0", "f", 1.0, 2.0)
    process.note(("closed", 1, 3.0))
    controller.pytest_testnodedown(node)  # as after Ctrl-C in the worker
    assert process.lives[0].closed == 3.0
    controller.pytest_testnodedown(SimpleNamespace(gateway=node.gateway))  # died: no output
