"""The order of tasks under ``--trio-seed``."""

from __future__ import annotations

import re

import pytest
import trio
from harness import Result, Suite

from pytest_trio_scoped import _errors, _trio_names

#: ``await order()`` is one of 8! orders in which Trio runs eight tasks.
SUITE = """
    async def order():
        seen = []

        async def note(number):
            await trio.lowlevel.checkpoint()
            seen.append(str(number))

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(note, number)
        return "".join(seen)

    @pytest.fixture(scope="session")
    async def wide():
        trace("wide " + await order())
        yield
        trace("wide down " + await order())

    @pytest.fixture
    async def narrow():
        trace("narrow " + await order())
        yield
        trace("narrow down " + await order())

    @pytest.fixture
    async def other(nursery):
        nursery.start_soon(trio.sleep_forever)

    async def test_a(narrow, other):
        trace("a " + await order())

    async def test_b(narrow):
        trace("b " + await order())

    async def test_c(wide, narrow):
        trace("c " + await order())

    def test_d(wide):
        trace("d " + await_(order()))

    def test_e():
        trace("e " + trio.run(order))

    async def test_f(autojump_clock):
        trace("f " + await order())

    @pytest.mark.trio_thread
    def test_g():
        trace("g " + trio.from_thread.run(order))
"""
FAILING = """
    async def test_async():
        raise ValueError

    async def test_message():
        pytest.fail("no traceback", pytrace=False)

    async def test_text(request):
        request.node.repr_failure = lambda excinfo: "as plugins may have it"
        assert 0

    def test_awaits():
        await_(trio.sleep(0))
        assert 0

    @pytest.mark.trio_thread
    def test_thread():
        assert 0

    async def test_clock(mock_clock):
        assert 0

    @pytest.fixture
    async def broken():
        raise ValueError

    def test_set_up(broken):
        pass

    @pytest.fixture
    async def broken_later():
        yield
        raise ValueError

    def test_tear_down(broken_later):
        pass

    def test_sync():
        assert 0

    async def test_passes():
        pass
"""


def orders(suite: Suite, *arguments: str, is_own_process: bool = False) -> dict[str, str]:
    """Run the suite and return what was seen where."""
    (suite.path / "trace.txt").unlink(missing_ok=True)
    result = (suite.run_subprocess if is_own_process else suite.run)(*arguments)
    assert set(result.outcomes.values()) == {"passed"}, result.output
    lines = [line.rpartition(" ") for line in result.trace]
    return {place: seen for place, _, seen in lines if not place.startswith("narrow")}


def test_one_seed_means_one_order(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.tests(SUITE)
    first = orders(suite, "--trio-seed=12345")
    assert len(first) == 9
    assert orders(suite, "--trio-seed=12345") == first
    for hash_seed in "1", "2":
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        assert orders(suite, "--trio-seed=12345", is_own_process=True) == first


def test_places_and_seeds_have_orders_of_their_own(suite: Suite) -> None:
    suite.tests(SUITE)
    seen = [order for seed in range(20) for order in orders(suite, f"--trio-seed={seed}").values()]
    assert len(set(seen)) > 0.95 * len(seen)  # of 40320


@pytest.mark.parametrize("name", "abcdefg")
def test_a_test_that_is_run_alone_has_the_same_order(suite: Suite, name: str) -> None:
    suite.tests(SUITE)
    arguments = ("--trio-seed=7", "-p", "no:randomly")
    together = orders(suite, *arguments)
    assert orders(suite, *arguments, f"test_it.py::test_{name}")[name] == together[name]


def test_fixtures_of_its_own_have_the_same_order_as_well(suite: Suite) -> None:
    suite.tests(SUITE)
    suite.run("--trio-seed=7", "-k", "test_a or test_b")
    together = suite.read_trace()[3:]
    (suite.path / "trace.txt").unlink()
    alone = suite.run("--trio-seed=7", "-k", "test_b").trace
    assert alone == together
    assert [line.partition(" ")[0] for line in alone] == ["narrow", "b", "narrow"]


def test_the_tear_down_has_the_same_order_however_the_call_ends(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.tests(
        SUITE
        + """
    import os

    async def test_h(narrow):
        for _ in range(int(os.environ["TIMES"])):
            await order()
        """
    )
    traces = []
    for times in "0", "3":
        monkeypatch.setenv("TIMES", times)
        traces.append(suite.run("--trio-seed=7", "-k", "test_h").trace)
        (suite.path / "trace.txt").unlink()
    assert traces[0] == traces[1]


def test_without_a_seed_trio_is_left_alone(suite: Suite) -> None:
    suite.tests(
        """
        import sys

        async def test_a():
            assert "pytest_trio_scoped._seed" not in sys.modules
            assert not trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
        """
    )
    assert suite.run_subprocess().outcomes == {"test_a": "passed"}
    assert "trio seed" not in suite.run("-v").output


def test_trio_is_as_it_was_after_the_run(suite: Suite) -> None:
    state = trio._core._run._r.getstate()
    before = trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
    suite.tests(
        """
        async def test_a():
            assert trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
        """
    )
    try:
        trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = False  # type: ignore[misc]
        assert suite.run("--trio-seed=1").outcomes == {"test_a": "passed"}
        assert not trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
        assert trio._core._run._r.getstate() == state
    finally:
        trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]


def test_it_stays_on_if_it_was_on_before() -> None:
    with _trio_names.deterministic_scheduling():
        with _trio_names.deterministic_scheduling():
            pass
        assert trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING


def test_a_run_without_tests_begins_nothing(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import trio

        def pytest_collection_finish(session):
            assert not trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
        """,
    )
    suite.tests("async def test_a(): ...")
    assert suite.run_subprocess("--trio-seed=1", "--collect-only").exit_code == 0


def test_the_seed_is_in_the_header_with_v(suite: Suite) -> None:
    suite.tests("def test_a(): ...")
    assert "\ntrio seed: 12345\n" in suite.run("--trio-seed=12345", "-v").output
    assert "trio seed" not in suite.run("--trio-seed=12345").output
    header = re.search(
        r"^trio seed: (\d+)$", suite.run("--trio-seed=random", "-v").output, re.MULTILINE
    )
    assert header is not None


def test_random_seeds_differ(suite: Suite) -> None:
    suite.tests("def test_a(): ...")
    # One could be the same, by chance; pytest-randomly and the like must not make all of them so.
    suite.write("early.py", "import random\nrandom.seed(1)")
    found = {
        line
        for _ in range(3)
        for line in suite.run("-p", "early", "--trio-seed=random", "-v").output.splitlines()
        if line.startswith("trio seed")
    }
    assert len(found) > 1


def named(result: Result) -> dict[str, int]:
    """Return how often the seed is named in the report of each test."""
    parts = re.split(r"^_+ (?:ERROR at \w+ of )?(test_\w+) _+$", result.output, flags=re.MULTILINE)
    return {
        name: len(
            re.findall(r"^The order of tasks was random.*--trio-seed=\d+$", text, re.MULTILINE)
        )
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


@pytest.mark.parametrize("option", ["--tb=auto", "--tb=short", "--tb=native"])
def test_a_failure_on_a_loop_names_a_random_seed(suite: Suite, option: str) -> None:
    suite.tests(FAILING)
    result = suite.run("--trio-seed=random", "-v", option)
    assert named(result) == {
        "test_async": 1,
        "test_message": 1,
        "test_text": 1,
        "test_awaits": 1,
        "test_thread": 1,
        "test_clock": 1,
        "test_set_up": 1,
        "test_tear_down": 1,
        "test_sync": 0,
    }, result.output
    seed = re.search(r"^trio seed: (\d+)$", result.output, re.MULTILINE)
    assert seed is not None
    assert _errors.SEED_WAS.format(seed=seed[1]) in result.output


def test_it_is_named_where_captured_output_is_not_shown(suite: Suite) -> None:
    suite.tests(FAILING)
    assert named(suite.run("--trio-seed=random", "--show-capture=no"))["test_async"] == 1


def test_a_seed_that_was_given_is_not_named(suite: Suite) -> None:
    suite.tests(FAILING)
    assert set(named(suite.run("--trio-seed=5")).values()) == {0}


@pytest.mark.parametrize("value", ["many", "", "1.5"])
def test_a_bad_value_is_a_usage_error(suite: Suite, value: str) -> None:
    suite.tests("async def test_a(): ...")
    result = suite.run(f"--trio-seed={value}")
    assert result.exit_code == 4
    assert "ERROR: " + _errors.SEED_NOT_KNOWN.format(value=value) in result.output


def test_zero_and_negative_numbers_are_seeds(suite: Suite) -> None:
    suite.tests("async def test_a(): ...")
    assert "trio seed: 0\n" in suite.run("--trio-seed=0", "-v").output
    assert "trio seed: -3\n" in suite.run("--trio-seed=-3", "-v").output


def test_the_workers_of_xdist_have_the_same_random_seed(suite: Suite) -> None:
    suite.tests(FAILING)
    result = suite.run_subprocess("-p", "xdist.plugin", "-n2", "--trio-seed=random", "-v")
    seed = re.search(r"^trio seed: (\d+)$", result.output, re.MULTILINE)
    assert seed is not None, result.output
    workers = set(re.findall(r"^\[(gw\d)\]", result.output, re.MULTILINE))
    assert workers == {"gw0", "gw1"}
    assert result.output.count(_errors.SEED_WAS.format(seed=seed[1])) == 8, result.output


def test_the_order_is_the_same_under_xdist(suite: Suite) -> None:
    suite.tests(SUITE)
    alone = orders(suite, "--trio-seed=3", is_own_process=True)
    # Each worker sets the wide fixture up by itself.
    spread = orders(suite, "-p", "xdist.plugin", "-n2", "--trio-seed=3", is_own_process=True)
    del alone["wide"], alone["wide down"], spread["wide"], spread["wide down"]
    assert spread == alone


def test_a_loop_that_is_lost_does_not_end_it(suite: Suite) -> None:
    suite.tests(
        SUITE
        + """
    async def crash():
        raise ValueError("boom")

    async def test_0():
        trio.lowlevel.spawn_system_task(crash)
        await trio.sleep(1)

    async def test_h():
        trace("h " + await order())
        assert 0
        """
    )
    result = suite.run("--trio-seed=random", "test_it.py::test_0", "test_it.py::test_h")
    seed = re.search(r"--trio-seed=(\d+)", result.output)
    assert seed is not None
    assert named(result) == {"test_0": 1, "test_h": 1}, result.output
    alone = suite.run(f"--trio-seed={seed[1]}", "test_it.py::test_h")
    assert len(set(alone.trace)) == 1


def test_the_option_is_in_the_help(suite: Suite) -> None:
    suite.tests("def test_a(): ...")
    assert "--trio-seed=N|random" in suite.run("--help").output
