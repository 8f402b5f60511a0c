"""Fixtures that are set up at the same time, and clocks, limits, options and sessions within sessions."""

from __future__ import annotations

import pytest
from concurrent_suites import TRACED, ok, run, write
from harness import Suite

# ------------------------------------------------------------------------ loops and clocks

CLOCKED = """
for name in ("a", "b", "c"):
    exec(f'''
@pytest.fixture
async def {name}():
    start = trio.current_time()
    await trio.sleep(1)
    yield start, trio.lowlevel.current_root_task()
    await trio.sleep(1)
    trace(f"down {{trio.current_time():.0f}}")

@pytest.fixture(scope="module")
async def wide_{name}():
    await meet("wide", 2)
    yield trio.lowlevel.current_root_task()
''')
"""


def test_on_a_loop_of_the_tests_own(suite: Suite) -> None:
    result = run(
        suite,
        CLOCKED
        + """
async def test_it(a, b, c, autojump_clock):
    assert trio.current_time() == 1
    assert [time for time, _ in (a, b, c)] == [0, 0, 0]
    assert {root for _, root in (a, b, c)} == {trio.lowlevel.current_root_task()}
    trace("test")
""",
    )
    assert ok(result) == ["test", "down 2", "down 2", "down 2"]


@pytest.mark.parametrize("names", ["wide_a, wide_b, a, b, c", "a, wide_a, b, wide_b, c"])
def test_wide_fixtures_first_where_the_loop_hangs_on_them(suite: Suite, names: str) -> None:
    """They keep the test on the session's loop, and that has to be known before narrow ones are set up."""
    result = run(
        suite,
        CLOCKED
        + f"""
async def test_it({names}, autojump_clock):
    assert len({{time for time, _ in (a, b, c)}}) == 1
    assert trio.current_time() == a[0] + 1
    assert {{root for _, root in (a, b, c)}} == {{trio.lowlevel.current_root_task(), wide_a, wide_b}}

async def test_own(a, b, autojump_clock):
    assert a[0] == b[0] == 0
    assert trio.lowlevel.current_root_task() is a[1] is b[1]

async def test_shared(wide_a):
    assert trio.lowlevel.current_root_task() is wide_a
""",
    )
    trace = ok(result)
    assert len(trace) == 5
    assert len(set(trace[:3])) == 1
    assert trace[3:] == ["down 2", "down 2"]


def test_a_run_function_of_the_tests_own(suite: Suite) -> None:
    result = run(
        suite,
        """
        def other_run(*args, **kwargs):
            trace("other run")
            return trio.run(*args, **kwargs)

        @pytest.fixture
        async def a(): await meet("up", 2)

        @pytest.fixture
        async def b(): await meet("up", 2)

        @pytest.mark.trio(run=other_run)
        async def test_it(a, b): trace("test")
        """,
    )
    assert ok(result) == ["other run", "test"]


def test_an_instrument_is_attached_for_them(suite: Suite) -> None:
    result = run(
        suite,
        """
        class Steps(trio.abc.Instrument):
            def before_task_step(self, task):
                if task.name.startswith("fixture"):
                    seen.add(task.name)

        seen = set()

        @pytest.fixture
        def steps(): return Steps()

        @pytest.fixture
        async def a(): await meet("up", 2)

        @pytest.fixture
        async def b(): await meet("up", 2)

        async def test_it(steps, a, b): trace(sorted(seen))
        """,
    )
    assert ok(result) == ["""["fixture 'a'", "fixture 'b'"]"""]


# ------------------------------------------------------------------------ time limits

LIMITED = """
@pytest.fixture(scope="session")
async def wide():
    yield
    trace("wide down")

@pytest.fixture
async def quick(wide):
    yield
    trace("quick down")

@pytest.fixture
async def slow(wide):
    if where == "set-up":
        trace("hangs")
        await trio.sleep_forever()
    yield
    if where == "tear-down":
        trace("hangs")
        await trio.sleep_forever()

@pytest.fixture
async def slow_too(wide):
    if where == "set-up":
        trace("hangs")
        await trio.sleep_forever()
    yield
    if where == "tear-down":
        trace("hangs")
        await trio.sleep_forever()

@pytest.fixture(scope="session")
async def unhurt(wide):
    yield
    trace("unhurt down")

async def test_it(unhurt, quick, slow, slow_too): pass

def test_is_over():
    global where
    where = None
    trace("over")

async def test_next(unhurt, quick, slow, slow_too): pass
"""


@pytest.mark.parametrize("where", ["set-up", "tear-down"])
def test_a_limit_cancels_all_that_hang_and_shows_them(suite: Suite, where: str) -> None:
    write(suite, LIMITED + f"where = {where!r}\n", "trio_timeout = 0.5")
    result = suite.run_subprocess()
    phases = "failed passed" if where == "set-up" else "passed passed failed"
    assert result.phases == {
        "test_it": phases,
        "test_is_over": "passed passed passed",
        "test_next": "passed passed passed",
    }
    text = f"test_it.py::test_it: the {where} took longer than 0.5 s (trio_timeout)."
    assert result.output.count(f"{text}\nIt was cancelled; these were the tasks:") == 1
    # Who only drives a strand is not among the tasks.
    tasks = {line[2:] for line in result.output.splitlines() if line.startswith("- ")}
    names = {"slow", "slow_too", "unhurt", "wide"} | ({"quick"} if where == "set-up" else set())
    assert tasks == {f"fixture {name!r}" for name in names}
    assert sorted(result.trace[:3]) == ["hangs", "hangs", "quick down"]
    assert result.trace[3:] == ["over", "quick down", "unhurt down", "wide down"]


# ------------------------------------------------------------------------ options

SHOWN = (
    TRACED
    + """
traced("a", scope="module")
traced("b", scope="module")
traced("c")

async def test_it(a, b, c): pass
"""
)


def test_setup_plan_opens_no_loop(suite: Suite) -> None:
    write(suite, SHOWN + "def pytest_unconfigure(): pass\n")
    suite.write(
        "conftest.py",
        """
        import pytest, sys
        from trace import trace
        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            from pytest_trio_scoped import _session
            trace(config.stash[_session.KEY].has_loop)
        """,
    )
    result = suite.run("--setup-plan")
    assert result.trace == ["False"]
    assert "SETUP    M a" in result.output


def test_the_plan_is_the_same(suite: Suite) -> None:
    write(suite, SHOWN)
    result = suite.run("--trio-plan")
    suite.ini()
    assert result.trace == []
    assert _without_time(result.output) == _without_time(suite.run("--trio-plan").output)


def _without_time(output: str) -> list[str]:
    return [line for line in output.splitlines() if " in " not in line]


def test_setup_show_tells_of_each_once(suite: Suite) -> None:
    output = run(suite, SHOWN, "--setup-show").output
    lines = [line.split()[:3] for line in output.splitlines() if "SETUP" in line or "TEAR" in line]
    up = [line[2] for line in lines if line[0] == "SETUP"]
    down = [line[2] for line in lines if line[0] == "TEARDOWN"]
    assert sorted(up) == sorted(down) == ["a", "b", "c"]
    assert down[0] == "c"


def test_setup_only_sets_up_and_tears_down(suite: Suite) -> None:
    result = run(suite, SHOWN, "--setup-only")
    assert sorted(result.trace) == sorted(
        f"{name} {what}" for name in "abc" for what in ("begins", "is up", "ends", "is down")
    )


def test_a_sync_suite_imports_no_trio(suite: Suite) -> None:
    suite.write(
        "test_it.py",
        """
        import pytest, sys
        from trace import trace

        @pytest.fixture
        def a(): pass

        def test_it(a, tmp_path): trace("trio" in sys.modules)
        """,
    )
    suite.ini("trio_concurrent_fixtures = true")
    assert ok(suite.run_subprocess()) == ["False"]


def test_with_a_seed_the_order_is_the_same_again(suite: Suite) -> None:
    source = """
        @pytest.fixture(params=range(3))
        async def a(): trace("a")
        @pytest.fixture
        async def b(): trace("b")
        @pytest.fixture
        async def c(): trace("c")
        async def test_it(a, b, c): pass
        """
    write(suite, source)
    for _ in range(2):
        suite.run("--trio-seed=1")
    trace = suite.read_trace()
    assert trace[:9] == trace[9:]


# ------------------------------------------------------------------------ sessions within sessions


def test_a_session_within_a_fixture_has_strands_of_its_own(suite: Suite) -> None:
    suite.write(
        "inner/check_inner.py",
        """
        import pytest, trio
        from contextvars import ContextVar
        from meet import meet
        from trace import trace

        v = ContextVar("v", default="none")

        @pytest.fixture
        async def a():
            v.set("a")
            await meet("inner", 2)
            yield
            trace("inner down")

        @pytest.fixture
        async def b(request):
            await meet("inner", 2)
            request.getfixturevalue("a")
            yield
            trace("inner down")

        async def test_inner(a, b): trace(f"inner {v.get()}")
        """,
    )
    suite.write(
        "inner/pytest.ini",
        """
        [pytest]
        trio_mode = true
        trio_concurrent_fixtures = true
        python_files = check_*.py
        addopts = -p no:cacheprovider -p trio_scoped
        """,
    )
    result = run(
        suite,
        """
        @pytest.fixture
        async def a():
            await meet("up", 2)
            assert pytest.main(["-c", "inner/pytest.ini", "inner"]) == 0
            yield
            trace("outer down")

        @pytest.fixture
        async def b():
            await meet("up", 2)
            yield
            trace("outer down")

        async def test_it(a, b): trace("outer")
        """,
    )
    assert ok(result) == [
        "inner a",
        "inner down",
        "inner down",
        "outer",
        "outer down",
        "outer down",
    ]


# ------------------------------------------------------------------------ other frameworks


def test_async_fixtures_of_others_stay_where_they_are(suite: Suite) -> None:
    write(
        suite,
        TRACED
        + """
import asyncio, pytest_asyncio

traced("a")
traced("b")

@pytest_asyncio.fixture
async def foreign():
    trace("foreign begins")
    await asyncio.sleep(0)
    trace("foreign is up")

async def test_it(a, foreign, b): pass
""",
        "asyncio_default_fixture_loop_scope = function",
    )
    for seed in range(3):
        result = suite.run("-p", "pytest_asyncio.plugin", f"--trio-seed={seed}")
        assert ok(result)[:6] == [
            "a begins",
            "a is up",
            "foreign begins",
            "foreign is up",
            "b begins",
            "b is up",
        ]
        (suite.path / "trace.txt").unlink()
