"""``mock_clock`` and ``autojump_clock``: on a loop of the test's own, and on the session's."""

from __future__ import annotations

import pytest
from harness import Suite, every_mode

#: Sleeps that are not cut short by a clock would be noticed by the time limit of a subprocess.
_LIMIT = 20

_WIDE = """
@pytest.fixture(scope="{scope}")
async def wide():
    ticks = []
    async def tick():
        while True:
            await trio.sleep(10)
            ticks.append(trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        yield ticks
        nursery.cancel_scope.cancel()
"""

_ORDER = """
@pytest.fixture(autouse=True, scope="session")
def end():
    times = []
    yield times
    assert times == sorted(times), times
"""


@every_mode
def test_a_loop_of_its_own_from_time_zero(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def plain():
            return trio.current_time(), trio.lowlevel.current_clock(), trio.lowlevel.current_trio_token()

        @pytest.fixture
        async def generator():
            before = trio.current_time()
            yield before, trio.lowlevel.current_clock(), trio.lowlevel.current_trio_token()
            trace(f"torn down at {trio.current_time()}")

        @pytest.mark.trio
        async def test_autojump(plain, autojump_clock, generator, nursery):
            token = trio.lowlevel.current_trio_token()
            assert plain == generator == (0, autojump_clock, token)
            assert trio.current_time() == 0
            assert trio.lowlevel.current_clock() is autojump_clock
            for i in range(10):
                start = trio.current_time()
                await trio.sleep(i)
                assert trio.current_time() - start == i
            await trio.sleep(86400)
            assert trio.current_time() == 86445

        @pytest.mark.trio
        async def test_mock(generator, mock_clock, nursery):
            assert generator[0] == trio.current_time() == 0
            event = trio.Event()
            async def sleep():
                await trio.sleep(1)
                event.set()
            nursery.start_soon(sleep)
            await trio.testing.wait_all_tasks_blocked()
            assert not event.is_set() and trio.current_time() == 0
            mock_clock.jump(1)
            await event.wait()
            assert trio.current_time() == 1

        @pytest.mark.trio
        async def test_no_fixtures(autojump_clock):
            await trio.sleep(86400)
            assert trio.current_time() == 86400

        @pytest.mark.trio
        async def test_real_time(plain):
            assert plain[0] != 0
            assert type(trio.lowlevel.current_clock()).__name__ == "SystemClock"
        """.replace("import trio", "import trio.testing"),
        trio_mode=trio_mode,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["torn down at 86445.0", "torn down at 1.0"]


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_with_wider_fixtures_it_controls_the_clock_of_the_session(suite: Suite, scope: str) -> None:
    suite.tests(
        _WIDE.format(scope=scope)
        + _ORDER
        + """
@pytest.fixture
async def narrow(wide):
    yield trio.lowlevel.current_clock(), trio.current_time()

class TestIt:
    async def test_real_before(self, wide, end):
        end.append(trio.current_time())

    async def test_autojump(self, wide, narrow, autojump_clock, end):
        now = trio.current_time()
        end.append(now)
        assert now == int(now) < end[-2] + 60
        assert narrow == (autojump_clock, now)
        assert trio.lowlevel.current_clock() is autojump_clock
        seen = len(wide)
        await trio.sleep(86400)
        assert trio.current_time() == now + 86400
        assert len(wide) - seen in (8639, 8640)
        end.append(trio.current_time())

    async def test_mock(self, wide, mock_clock, end):
        now = trio.current_time()
        end.append(now)
        seen = len(wide)
        assert trio.lowlevel.current_clock() is mock_clock
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        assert trio.current_time() == now and len(wide) == seen
        mock_clock.jump(20)
        assert trio.current_time() == now + 20
        await trio.testing.wait_all_tasks_blocked()
        assert len(wide) > seen
        mock_clock.rate = 1e6
        await trio.sleep(1000)
        end.append(trio.current_time())

    async def test_real_after(self, wide, end):
        now = trio.current_time()
        end.append(now)
        clock = trio.lowlevel.current_clock()
        assert (clock.rate, clock.autojump_threshold) == (1.0, float("inf"))
        with trio.move_on_after(0.01):
            await trio.sleep(3600)
        assert now < trio.current_time() < now + 3600
"""
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output


@pytest.mark.parametrize(
    ("fixture", "arguments"),
    [
        pytest.param("", "autojump_clock, wide", id="by name, later"),
        pytest.param(
            "@pytest.fixture(autouse=True)\ndef auto(wide): pass", "autojump_clock", id="autouse"
        ),
        pytest.param(
            "@pytest.fixture\ndef late(request): return request.getfixturevalue('wide')",
            "late, autojump_clock",
            id="dynamically, before the clock",
        ),
        pytest.param(
            "@pytest.fixture\ndef late(request): return request.getfixturevalue('wide')",
            "autojump_clock, late",
            id="dynamically, after the clock",
        ),
        pytest.param(
            "@pytest.fixture(params=[1], scope='module')\nasync def parametrized(request, wide): yield",
            "parametrized, autojump_clock",
            id="parametrized",
        ),
        pytest.param(
            "@pytest.fixture(scope='module')\ndef sync(wide): return 1",
            "sync, autojump_clock",
            id="through a sync one",
        ),
    ],
)
def test_however_the_wider_fixture_is_requested(suite: Suite, fixture: str, arguments: str) -> None:
    suite.tests(
        _WIDE.format(scope="module")
        + fixture
        + f"""
async def test_it({arguments}):
    now = trio.current_time()
    assert now > 1000  # not a loop of its own, which would begin at 0
    assert trio.lowlevel.current_clock() is autojump_clock
    await trio.sleep(86400)
    assert trio.current_time() == now + 86400

async def test_others_are_not_concerned(request):
    clock = trio.lowlevel.current_clock()
    assert clock.rate == 1.0
"""
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_clocks_are_known_by_type_and_not_by_name(suite: Suite) -> None:
    suite.tests(
        """
        import trio.testing

        @pytest.fixture
        def mock_clock(request):
            return "no clock"

        @pytest.fixture
        def session_time():
            return trio.testing.MockClock(autojump_threshold=0)

        async def test_override(mock_clock, autojump_clock):
            assert mock_clock == "no clock"
            assert trio.lowlevel.current_clock() is autojump_clock

        async def test_other_name(session_time):
            assert trio.lowlevel.current_clock() is session_time
            await trio.sleep(86400)

        async def test_no_clock(mock_clock):
            assert trio.current_time() != 0
        """
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_a_fixture_may_change_the_clock_and_pass_it_on(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        def late_start(mock_clock):
            mock_clock.jump(100)
            return mock_clock

        @pytest.fixture(scope="module")
        async def wide():
            yield

        @pytest.fixture
        async def client():
            yield trio.current_time()

        @pytest.fixture
        def jumping(client, mock_clock):  # inside, after the loop has been opened
            mock_clock.autojump_threshold = 0

        @pytest.fixture
        def jumping_outside(mock_clock):
            mock_clock.autojump_threshold = 0

        async def test_passed_on(late_start):
            assert trio.lowlevel.current_clock() is late_start
            assert trio.current_time() == 100

        async def test_passed_on_with_wide(late_start, wide):
            assert trio.lowlevel.current_clock() is late_start

        async def test_inside(client, jumping):
            await trio.sleep(86400)

        async def test_outside(client, jumping_outside):
            await trio.sleep(86400)

        @pytest.fixture
        def jumping_late(request):
            request.getfixturevalue("mock_clock").autojump_threshold = 0

        async def test_late(mock_clock, client, jumping_late):
            await trio.sleep(86400)

        async def test_late_with_wide(wide, mock_clock, client, jumping_late):
            await trio.sleep(86400)

        async def test_outside_with_wide(wide, client, jumping_outside):
            await trio.sleep(86400)

        async def test_hidden(jumping_outside):
            await trio.sleep(86400)
            assert trio.current_time() == 86400
        """
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_a_sync_test_gets_a_clock_for_a_run_of_its_own(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session", autouse=True)
        async def wide():
            yield

        @pytest.fixture(autouse=True)
        async def narrow():
            yield

        def test_it(autojump_clock, mock_clock):
            async def main():
                assert trio.lowlevel.current_clock() is autojump_clock
                assert trio.current_time() == 0
                await trio.sleep(86400)
                return trio.current_time()
            assert trio.run(main, clock=autojump_clock) == 86400
            assert mock_clock.current_time() == 0
        """
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {"test_it": "passed"}, result.output


def test_a_sync_test_that_runs_inside_is_as_an_async_one(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def wide():
            yield 1

        @pytest.fixture
        async def narrow():
            return trio.current_time()

        @pytest.fixture
        def on_narrow(narrow):
            return narrow

        def test_narrow(on_narrow, autojump_clock):
            assert on_narrow == 0
            await_(trio.sleep(86400))
            assert trio.current_time() == 86400

        def test_wide(wide, autojump_clock):
            now = trio.current_time()
            await_(trio.sleep(86400))
            assert trio.current_time() == now + 86400
        """
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_marks_that_come_late_count(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import inspect, pytest
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                pyfuncitem.obj = pytest.mark.trio(pyfuncitem.obj)
        """,
    )
    suite.tests(
        """
        async def test_it(autojump_clock):
            await trio.sleep(86400)
            assert trio.current_time() == 86400
        """,
        trio_mode=False,
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.outcomes == {"test_it": "passed"}, result.output


@pytest.mark.parametrize(
    "ending",
    ["pass", "assert False", "pytest.skip('no')", "raise KeyboardInterrupt", "pytest.exit('no')"],
)
def test_real_time_goes_on_however_the_test_ends(suite: Suite, ending: str) -> None:
    suite.tests(
        _WIDE.format(scope="session")
        + f"""
@pytest.fixture(scope="session", autouse=True)
async def last(wide):
    yield
    clock = trio.lowlevel.current_clock()
    trace((getattr(clock, "rate", 1.0), getattr(clock, "autojump_threshold", None)))

@pytest.fixture
async def narrow():
    yield
    trace("torn down " + type(trio.lowlevel.current_clock()).__name__)

@pytest.fixture
def plain():
    yield
    assert not trio.lowlevel.in_trio_run()

async def test_it(plain, narrow, autojump_clock):
    await trio.sleep(86400)
    {ending}
"""
    )
    result = suite.run_subprocess(seconds=_LIMIT)
    assert result.trace == ["torn down MockClock", "(1.0, inf)"], result.output
    assert "Error" not in result.output.replace("AssertionError", ""), result.output
