"""Many tests at once beside plugins that run tests themselves.

pytest-rerunfailures is no dependency of this suite: a plugin does here what it does to pytest.  Where it is
installed, the real one is used, in ``test_neighbours.py``.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from harness import Suite

#: Does not run any, but might.
MIGHT = """
    import pytest

    @pytest.hookimpl(wrapper=True, specname="pytest_runtest_protocol")
    def around():
        return (yield)

    {name}
    def pytest_runtest_protocol(item, nextitem):
        return None
"""

AT_ONCE = """
    import trio
    both = trio.Event()
    count = 0

    async def meet():
        global count
        count += 1
        if count == 2:
            both.set()
        with trio.move_on_after(0.2):
            await both.wait()
        return both.is_set()

    async def test_a():
        trace(await meet())

    async def test_b():
        trace(await meet())
"""


def test_all_run_alone_beside_a_plugin_that_may_run_them(suite: Suite) -> None:
    suite.tests(AT_ONCE)
    suite.write("driver.py", MIGHT.format(name=""))
    result = suite.run("--trio-parallel=2", "-p", "driver", "-v")
    assert result.trace == ["False", "True"]
    assert "trio-parallel: up to 2 tests at once, 2 of 2 alone" in result.output
    assert "alone: every test, as plugin 'driver' may run tests itself" in result.output
    assert "alone: test_it.py::test_a (plugin 'driver' runs it)" in result.output


def test_wrappers_run_none_and_reruns_may_overlap(suite: Suite) -> None:
    suite.tests(AT_ONCE)
    suite.write("driver.py", MIGHT.format(name="").partition("    \n    def pytest_runtest")[0])
    result = suite.run("--trio-parallel=2", "-p", "driver")
    assert result.trace == ["True", "True"]
    assert "alone:" not in result.output


#: What pytest-rerunfailures does: it takes nodes out that it wants kept, and puts them back at last.
RERUNS = """
    import pytest
    from _pytest.runner import runtestprotocol

    kept = {}
    pytest_plugins = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(item, nextitem):
        stack = item.session._setupstate.stack
        if item.failed and item.runs < 3:
            for key in list(stack.keys()):
                if key != item:
                    kept.setdefault(key, stack[key])
                    del stack[key]
        else:
            stack.update(kept)
            kept.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        item.failed = call.when != "setup" and getattr(item, "failed", False) or call.excinfo is not None
        return (yield)

    def pytest_runtest_protocol(item, nextitem):
        item.runs = 0
        while True:
            item.runs += 1
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            is_last = item.runs == 3 or not any(report.failed for report in reports)
            for report in reports:
                if not is_last and report.failed:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
            if not is_last and item in item.session._setupstate.stack:
                del item.session._setupstate.stack[item]
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if is_last:
                return True

    def pytest_report_teststatus(report):
        if report.outcome == "rerun":
            return "rerun", "R", "RERUN"
"""


@pytest.mark.skipif(find_spec("pytest_rerunfailures") is not None, reason="the real one is there")
def test_what_pytest_rerunfailures_does_works_for_tests_in_flight(suite: Suite) -> None:
    """The wide fixtures live on, also when the one that is run again is the last that needs them."""
    suite.write("pytest_rerunfailures.py", RERUNS)
    suite.tests(
        """
        from collections import Counter
        tries, live = Counter(), Counter()

        @pytest.fixture(scope="session")
        async def s():
            trace("set up s")
            yield
            trace("tear down s")

        @pytest.fixture(scope="module")
        async def m(s):
            trace("set up m")
            yield
            trace(f"tear down m, the sixteenth run is over: {tries['over'] == 16}")

        @pytest.fixture
        async def f(m, request):
            assert not live[request.node]
            live[request.node] += 1
            yield
            live[request.node] -= 1
            tries["over"] += 1

        @pytest.mark.parametrize("i", range(6))
        async def test_a(i, f):
            tries[i] += 1
            await trio.sleep(0.05)
            assert tries[i] == 3 if i in (2, 5) else i != 1

        @pytest.mark.parametrize("i", range(2))
        async def test_alone(i, f, monkeypatch):
            tries[i + 10] += 1
            assert tries[i + 10] == 2
        """
    )
    result = suite.run("--trio-parallel=6", "-p", "pytest_rerunfailures")
    again = "passed rerun passed"
    assert result.phases == {
        **{f"test_a[{i}]": "passed passed passed" for i in (0, 3, 4)},
        "test_a[1]": f"{again} {again} passed failed passed",
        "test_a[2]": f"{again} {again} passed passed passed",
        "test_a[5]": f"{again} {again} passed passed passed",
        "test_alone[0]": f"{again} passed passed passed",
        "test_alone[1]": f"{again} passed passed passed",
    }
    assert result.trace == [
        *("set up s", "set up m", "tear down m, the sixteenth run is over: True", "tear down s")
    ]
