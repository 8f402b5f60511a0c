"""Many tests at once on each worker of pytest-xdist: all ways to distribute them, in real processes."""

from __future__ import annotations

import signal

import pytest
from harness import Result, Suite

DISTRIBUTIONS = ("load", "loadscope", "loadfile", "loadgroup", "worksteal", "each")

every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


def run(suite: Suite, *arguments: str, seconds: float = 60) -> Result:
    """Run with two workers unless ``arguments`` say otherwise."""
    number = () if any(each.startswith("-n") for each in arguments) else ("-n2",)
    return suite.run_subprocess("-p", "xdist.plugin", *number, *arguments, seconds=seconds)


#: Each line of the trace is what happened in which process, in the order in that process.
COUNTING = """
import os
from collections import Counter
users = Counter()
live = set()
most = 0

def say(text):
    trace(f"{os.getpid()} {text}")

@pytest.fixture(scope="session")
async def s():
    say("set up s")
    live.add("s")
    yield "s"
    live.discard("s")
    say(f"tear down s, used by {users['s']}")

@pytest.fixture(scope="module")
async def m(s):
    say("set up m")
    live.add("m")
    yield "m"
    live.discard("m")
    say(f"tear down m, used by {users['m']}")

@pytest.fixture
def use():
    async def use(*names):
        global most
        for name in names:
            assert name in live
            users[name] += 1
        most = max(most, users[names[-1]])
        await trio.sleep(0.05)
        for name in names:
            assert name in live
            users[name] -= 1
    yield use
    say(f"most {most}")
"""


@every_distribution
def test_each_way_to_distribute_runs_every_test_once(suite: Suite, distribution: str) -> None:
    suite.tests(
        COUNTING
        + """
@pytest.mark.parametrize("i", range(16))
async def test_a(i, m, s, use):
    print(f"printed by {i}")
    await use("s", "m")
    assert i != 5

class TestB:
    @pytest.mark.parametrize("i", range(8))
    async def test_b(self, i, s, use):
        await use("s")

    @pytest.mark.xdist_group("g")
    @pytest.mark.parametrize("i", range(3))
    async def test_c(self, i, m):
        pass

def test_sync(s):
    assert "s" in live
"""
    )
    result = run(suite, "--trio-parallel=4", "--dist", distribution)
    assert result.exit_code == 1, result.output
    times = 2 if distribution == "each" else 1
    assert len(result.phases) == 28
    # With "each" the reports of two processes come mixed.
    by_name = {
        name.partition("@")[0]: sorted(words.split()) for name, words in result.phases.items()
    }
    expected = {name: ["passed"] * 3 * times for name in by_name}
    expected["test_a[5]"] = ["failed"] * times + ["passed"] * 2 * times
    assert by_name == expected
    assert result.output.count("printed by 5") == times
    assert "printed by 4" not in result.output
    lines = [line.partition(" ")[2] for line in result.trace]
    processes = {line.partition(" ")[0] for line in result.trace}
    assert lines.count("set up s") == len(processes)
    assert lines.count("tear down s, used by 0") == len(processes)
    assert lines.count("set up m") == lines.count("tear down m, used by 0")
    most = max(int(line.partition(" ")[2]) for line in lines if line.startswith("most"))
    assert 1 < most <= 4


def test_all_that_is_sent_is_in_flight_at_once(suite: Suite) -> None:
    """Twenty tests that all wait for each other, on one worker that is sent all of them."""
    suite.tests(
        """
        barrier = trio.Event()
        count = 0

        @pytest.mark.parametrize("i", range(20))
        async def test_a(i):
            global count
            count += 1
            if count == 20:
                barrier.set()
            await barrier.wait()
        """
    )
    for distribution in ("worksteal", "loadfile", "each"):
        result = run(suite, "-n1", "--trio-parallel=20", "--dist", distribution)
        assert result.exit_code == 0, result.output
        assert set(result.outcomes.values()) == {"passed"}


def test_load_sends_more_while_long_tests_run(suite: Suite) -> None:
    """To a worker with long tests xdist sends none before one is left, which has no sense here."""
    suite.tests(
        """
        count = 0
        enough = trio.Event()

        @pytest.mark.parametrize("i", range(120))
        async def test_a(i):
            global count
            count += 1
            if count == 60:
                enough.set()
            if i < 2:
                await enough.wait()
            await trio.sleep(0.15)
        """
    )
    result = run(suite, "-n1", "--trio-parallel=60", "--dist=load")
    assert result.exit_code == 0, result.output
    assert len(result.phases) == 120


def test_a_fixture_is_kept_while_the_controller_has_more(suite: Suite) -> None:
    """The last test in flight waits before its tear-down: nothing is torn down between two chunks."""
    suite.write(
        "conftest.py",
        """
        import time

        def pytest_runtest_logfinish(nodeid):
            if "PYTEST_XDIST_WORKER" not in __import__("os").environ:
                time.sleep(0.02)  # the controller is busy
        """,
    )
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def m():
            trace("set up m")
            yield
            trace("tear down m")

        @pytest.fixture(scope="session", autouse=True)
        async def s():
            trace("set up s")
            yield
            trace("tear down s")

        @pytest.mark.parametrize("i", range(30))
        async def test_a(i, m):
            await trio.sleep(0)

        @pytest.mark.parametrize("i", range(3))
        async def test_fails_in_its_set_up(i, m, missing):
            pass
        """
    )
    result = run(
        suite, "-n1", "--trio-parallel=4", "--dist=load", "--maxschedchunk=1", "--durations=0"
    )
    assert result.exit_code == 1
    assert result.trace == ["set up s", "set up m", "tear down m", "tear down s"]
    assert list(result.outcomes.values()).count("passed") == 30


def test_tests_that_run_alone_and_groups(suite: Suite) -> None:
    suite.tests(
        """
        in_flight = set()

        async def fly(name):
            assert "alone" not in in_flight
            in_flight.add(name)
            await trio.sleep(0.01)
            in_flight.discard(name)

        @pytest.mark.parametrize("i", range(20))
        async def test_a(i):
            await fly(i)

        @pytest.mark.parametrize("i", range(6))
        async def test_alone(i, monkeypatch):
            assert not in_flight
            await fly("alone")
            assert not in_flight

        @pytest.mark.trio_group("g")
        @pytest.mark.parametrize("i", range(8))
        async def test_group(i):
            assert "g" not in in_flight
            await fly("g")

        async def test_b(autojump_clock):
            assert not in_flight
            await trio.sleep(1000)

        def test_alone_at_the_end(monkeypatch, s):
            trace("last")

        @pytest.fixture(scope="session")
        async def s():
            yield
            trace("down")
        """
    )
    for distribution in ("load", "worksteal", "loadscope", "each"):
        result = run(suite, "-n2", "--trio-parallel=5", "--dist", distribution)
        assert result.exit_code == 0, result.output
        assert len(result.phases) == 36
    result = run(suite, "-n1", "--trio-parallel=5", "--dist", "load", "--maxschedchunk=1")
    assert result.exit_code == 0, result.output


def test_work_is_taken_from_a_worker_that_has_more_than_it_can_run(suite: Suite) -> None:
    """One worker blocks in its first test; the other one runs what the first has not started."""
    suite.tests(
        """
        import os, pathlib, time
        from trace import _path

        @pytest.mark.parametrize("i", range(40))
        async def test_a(i):
            trace(f"{os.environ['PYTEST_XDIST_WORKER']}")
            if i == 0:
                end = time.monotonic() + 15
                text = pathlib.Path(_path).read_text
                while text().count("gw1") < 26 and time.monotonic() < end:
                    time.sleep(0.05)
            await trio.sleep(0.01)
        """
    )
    result = run(suite, "--trio-parallel=3", "--dist=worksteal")
    assert result.exit_code == 0, result.output
    assert result.trace.count("gw1") >= 26  # twenty were its own


def test_a_worker_that_can_give_nothing_back_is_not_asked_all_the_time(suite: Suite) -> None:
    """All of the one's tests are in flight when the other one has nothing to do."""
    suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace
        asked = 0

        def pytest_configure(config):
            if hasattr(config, "workerinput"):
                return
            import xdist.workermanage as workermanage
            send = workermanage.WorkerController.send_steal
            def send_steal(self, indices):
                global asked
                asked += 1
                send(self, indices)
            workermanage.WorkerController.send_steal = send_steal

        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput"):
                trace(f"asked {asked}")
        """,
    )
    suite.tests(
        """
        @pytest.mark.parametrize("i", range(20))
        async def test_a(i):
            await trio.sleep(0 if i > 9 else 1)
        """
    )
    result = run(suite, "--trio-parallel=20", "--dist=worksteal")
    assert result.exit_code == 0, result.output
    asked = int(result.trace[-1].partition(" ")[2])
    assert 1 <= asked <= 20


CRASHING = """
    import os

    @pytest.mark.parametrize("i", range(12))
    async def test_a(i):
        if os.environ["PYTEST_XDIST_WORKER"] == "gw1":
            trace(f"run {i}")
        await trio.sleep(0.05)
        if i == 3:
            os._exit(1)
        await trio.sleep(0.05)
        if os.environ["PYTEST_XDIST_WORKER"] == "gw1":
            trace(f"ran {i}")
"""


def test_a_worker_that_crashes_is_replaced_by_one_that_runs_one_at_a_time(suite: Suite) -> None:
    """The first that was sent gets the blame, as xdist has it, then the one that it is."""
    suite.tests(CRASHING)
    result = run(suite, "-n1", "--trio-parallel=12", "--dist=worksteal")
    assert result.exit_code == 1
    failed = [name for name, outcome in result.phases.items() if "failed" in outcome]
    assert failed == ["test_a[0]", "test_a[3]"]
    assert len(result.phases) == 12
    assert (
        "worker 'gw0' crashed while running 'test_it.py::test_a[0]'\nUp to 12 tests"
        in result.output
    )
    assert "worker 'gw1' crashed while running 'test_it.py::test_a[3]'\n" in result.output
    assert result.output.count("tests were in flight") == 1
    assert result.trace == ["run 1", "ran 1", "run 2", "ran 2", "run 3"]


def test_without_many_at_once_crashes_are_none_of_ours(suite: Suite) -> None:
    suite.tests(CRASHING)
    result = run(suite, "-n1", "--dist=load")
    failed = [name for name, outcome in result.phases.items() if "failed" in outcome]
    assert failed == ["test_a[3]"]
    assert "in flight" not in result.output


def test_ctrl_c_on_the_controller_tears_down(suite: Suite) -> None:
    """Workers get no SIGINT; they end what they have and are not sent more."""
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def s():
            yield
            trace("down")

        @pytest.mark.parametrize("i", range(4))
        async def test_a(i, s):
            trace(f"run {i}")
            await trio.sleep(2)
        """
    )
    process = suite.start("-p", "xdist.plugin", "-n1", "--trio-parallel=4", "--dist=worksteal")
    suite.wait_for_trace("run 3")
    process.send_signal(signal.SIGINT)
    result = suite.finish(process)
    assert result.exit_code == 2
    assert "KeyboardInterrupt" in result.output
    assert result.trace[-1] == "down"


@pytest.mark.parametrize("distribution", ["load", "worksteal", "loadfile"])
def test_a_failure_with_x_ends_the_run(suite: Suite, distribution: str) -> None:
    """What is in flight ends and is reported, and all is torn down, once."""
    suite.tests(
        """
        import os

        @pytest.fixture(scope="session", autouse=True)
        async def s():
            yield
            trace(f"down in {os.environ['PYTEST_XDIST_WORKER']}")

        @pytest.mark.parametrize("i", range(40))
        async def test_a(i):
            await trio.sleep(0.01 * i)
            assert i != 2
        """
    )
    result = run(suite, "-x", "--trio-parallel=4", "--dist", distribution)
    assert result.exit_code == 2
    assert "stopping after 1 failures" in result.output
    assert result.outcomes["test_a[2]"] == "failed"
    assert list(result.outcomes.values()).count("failed") == 1
    assert len(result.outcomes) < 40
    assert 1 <= len(set(result.trace)) == len(result.trace)


def test_errors_of_the_last_tear_down_are_reported(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def s():
            print("set up", flush=True)
            yield
            print("torn down")
            raise ValueError("at the end")

        @pytest.mark.parametrize("i", range(5))
        async def test_a(i, s):
            print(f"printed by {i}")
            await trio.sleep(0.01 * i)
        """
    )
    result = run(suite, "-n1", "--trio-parallel=5")
    assert result.exit_code == 1
    assert list(result.phases.values()).count("passed passed failed") == 1
    assert result.phases["test_a[4]"] == "passed passed failed"
    assert "ValueError: at the end" in result.output
    assert "printed by 4" in result.output
    assert "printed by 3" not in result.output
    assert "torn down" in result.output


def test_what_waits_for_more_is_in_nobodys_time(suite: Suite) -> None:
    """The last test of one worker waits before its tear-down while the other worker is busy."""
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def m():
            yield

        @pytest.mark.parametrize("i", range(8))
        async def test_a(i, m):
            await trio.sleep(0 if i < 4 else 0.2)
            await trio.sleep(0 if i < 4 else 0.2)

        def pytest_runtest_logreport(report):
            is_long = report.duration > 0.3
            trace(f"{report.when} {is_long}")
        """
    )
    suite.write("conftest.py", "from test_it import pytest_runtest_logreport")
    result = run(suite, "--trio-parallel=8", "--dist=worksteal", "--trio-timeout=0.8")
    assert set(result.outcomes.values()) == {"passed"}
    assert set(result.trace) == {"setup False", "call False", "call True", "teardown False"}


def test_a_collection_error_is_xdists_affair(suite: Suite) -> None:
    suite.tests("async def test_a(): pass")
    suite.write("test_broken.py", "import not_there")
    result = run(suite, "--trio-parallel=4")
    assert result.exit_code == 1
    assert "No module named 'not_there'" in result.output
