"""The clock fixtures that come with this plugin, which may also control the clock of the session's loop.

Pinned by ``tests/test_clock_fixtures.py``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from ._pytest_names import active_fixtures

if TYPE_CHECKING:
    from trio.abc import Clock
    from trio.testing import MockClock

    from ._loop import Loop


@pytest.fixture
def mock_clock() -> MockClock:
    """A trio.testing.MockClock that stands still until ``jump()`` is called or ``rate`` is set.

    The test and its function-scoped async fixtures run on a Trio loop of their own by that clock, from
    time 0.  A test that uses wider async fixtures runs on the session's loop, which goes on by that clock,
    and by real time again after the test.
    """
    from trio.testing import MockClock

    return MockClock()


@pytest.fixture
def autojump_clock() -> MockClock:
    """A ``mock_clock`` that jumps to the next deadline whenever all tasks wait."""
    from trio.testing import MockClock

    return MockClock(autojump_threshold=0)


def take_over(item: pytest.Function, clock: Clock, loop: Loop) -> bool:
    """Let ``loop`` go by ``clock`` until ``item`` is torn down, if one of the fixtures here gave it.

    Says whether it is so.
    """
    from trio.testing import MockClock

    from ._clock import go_on_at_real_speed, go_on_by

    given = [
        fixturedef.cached_result[0]
        for fixturedef in active_fixtures(item)
        if getattr(fixturedef.func, "__module__", None) == __name__ and fixturedef.cached_result
    ]
    if not isinstance(clock, MockClock) or clock not in given:
        return False
    if clock is not loop.clock:
        item.addfinalizer(partial(go_on_at_real_speed, loop, clock))
        go_on_by(loop, clock)
    return True
