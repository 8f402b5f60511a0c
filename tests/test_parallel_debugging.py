"""Prompts of the debugger while many tests are in flight: one at a time."""

from __future__ import annotations

import re

import pytest
from harness import Suite
from test_pdb import FROM_BREAKPOINT

#: Four tests that fail or stop at the same time; ``await_`` at a prompt gives the others time to get there.
MANY = """
    count = 0
    all_there = trio.Event()

    async def answer(i):
        await trio.sleep(0.1)
        return f"answer {i}"

    async def meet(number):
        global count
        count += 1
        if count == number:
            all_there.set()
        await all_there.wait()
"""


def prompts(output: str) -> list[str]:
    """Return what opens and closes prompts, and what is answered, in order."""
    return re.findall(
        r"PDB \w+ \(IO-capturing turned off\)|PDB continue \(IO-capturing resumed\)|'answer \d'",
        output,
    )


@pytest.mark.parametrize("capture", ["fd", "sys"])
def test_one_post_mortem_at_a_time(suite: Suite, capture: str) -> None:
    suite.tests(
        MANY
        + """
    @pytest.mark.parametrize("i", range(3))
    async def test_a(i):
        await meet(3)
        print(f"printed by {i}")
        assert answer is None
    """
    )
    stdin = "p await_(answer(i))\nc\n" * 3
    result = suite.run_subprocess(
        "--pdb", "--trio-parallel=3", "--trio-timeout=0.05", f"--capture={capture}", stdin=stdin
    )
    assert result.exit_code == 1
    assert set(result.outcomes.values()) == {"failed"}
    found = prompts(result.output)
    assert [each.partition(" ")[0] for each in found] == ["PDB", "'answer", "PDB"] * 3
    assert sorted(each for each in found if "answer" in each) == [f"'answer {i}'" for i in range(3)]
    assert "reading from stdin" not in result.output
    for i in range(3):
        before = result.output.partition(f"printed by {i}\n")[0]
        assert before.rstrip().endswith("captured stdout >>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>")


def test_one_breakpoint_at_a_time(suite: Suite) -> None:
    suite.tests(
        MANY
        + """
    @pytest.mark.parametrize("i", range(3))
    async def test_a(i):
        await meet(3)
        print(f"printed by {i}")
        breakpoint()
        i += 0
        await trio.sleep(0)
        assert i
    """
    )
    stdin = FROM_BREAKPOINT.replace("c", "") + "p await_(answer(i))\nn\nn\nc\n"
    result = suite.run_subprocess("--trio-parallel=3", "--trio-timeout=0.05", stdin=stdin * 3)
    assert result.exit_code == 1, result.output
    assert result.outcomes == {"test_a[0]": "failed", "test_a[1]": "passed", "test_a[2]": "passed"}
    found = prompts(result.output)
    assert [each.partition(" ")[0] for each in found] == ["PDB", "'answer", "PDB"] * 3
    assert sorted(each for each in found if "answer" in each) == [f"'answer {i}'" for i in range(3)]
    assert "printed by 0" in result.output.partition("Captured stdout call")[2]
    assert "printed by 1" not in result.output


def test_quitting_ends_all(suite: Suite) -> None:
    suite.tests(
        MANY
        + """
    @pytest.fixture
    async def f():
        yield
        trace("down")

    @pytest.mark.parametrize("i", range(3))
    async def test_a(i, f):
        await meet(3)
        breakpoint()
        trace("not reached")
    """
    )
    result = suite.run_subprocess("--trio-parallel=3", stdin="p await_(answer(i))\nq\n")
    assert result.exit_code == 2
    assert "Quitting debugger" in result.output
    assert result.trace == ["down"] * 3
    assert [each.partition(" ")[0] for each in prompts(result.output)] == ["PDB", "'answer"]


def test_who_has_the_prompt_may_end_without_continue(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pdb
        class Silent(pdb.Pdb):
            def set_trace(self, frame=None):
                print("no prompt", file=self.stdout)
        """,
    )
    suite.tests(
        MANY
        + """
    async def test_a():
        await meet(2)
        pytest.set_trace()
        await answer(1)
        trace("a")

    async def test_b():
        await meet(2)
        pytest.set_trace()
        await answer(1)
        trace("b")
    """
    )
    result = suite.run_subprocess("--trio-parallel=2", "--pdbcls=conftest:Silent")
    assert result.exit_code == 0, result.output
    assert sorted(result.trace) == ["a", "b"]


def test_who_has_the_prompt_and_waits_for_one_that_wants_it_is_told(suite: Suite) -> None:
    """Nobody hangs."""
    suite.tests(
        MANY
        + """
    @pytest.fixture(scope="session")
    async def s():
        await trio.sleep(0.05)
        breakpoint()
        yield

    async def test_a(s):
        pass

    async def test_b(request):
        breakpoint()
        await trio.sleep(0.2)
        request.getfixturevalue("s")
    """
    )
    stdin = FROM_BREAKPOINT + "n\nn\nc\nc\n"
    result = suite.run_subprocess("--trio-parallel=2", stdin=stdin)
    assert result.outcomes == {"test_a": "passed", "test_b": "failed"}
    assert "Tests that run at once wait for fixtures of each other" in result.output


def test_a_breakpoint_in_a_task_of_a_test_stops_at_once(suite: Suite) -> None:
    suite.tests(
        MANY
        + """
    async def stop():
        breakpoint()
        trace("stopped")

    @pytest.mark.parametrize("i", range(2))
    async def test_a(i):
        await meet(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
    """
    )
    result = suite.run_subprocess("--trio-parallel=2", stdin="c\nc\n")
    assert result.exit_code == 0, result.output
    assert result.trace == ["stopped", "stopped"]


def test_a_prompt_in_a_test_that_runs_alone(suite: Suite) -> None:
    suite.tests(
        MANY
        + """
    async def test_a():
        await trio.sleep(0)

    def test_b(monkeypatch):
        breakpoint()
        assert 0
    """
    )
    result = suite.run_subprocess("--pdb", "--trio-parallel=2", stdin="c\np await_(answer(2))\nc\n")
    assert result.outcomes == {"test_a": "passed", "test_b": "failed"}
    assert "'answer 2'" in result.output
