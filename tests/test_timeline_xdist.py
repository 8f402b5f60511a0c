"""``--trio-timeline`` with workers of pytest-xdist."""

from __future__ import annotations

import json
from typing import Any

from harness import Suite
from timelines import assert_valid


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
