"""The clock of a loop, and what a test may do to it.

A loop starts on the clock it is given, and may go on by another one.  Then it shows what the former one
has shown, rounded up to a whole second: time never goes backwards, and on whole numbers the sums of floats
that tests compare are exact.

Pinned by ``tests/test_clock_unit.py``.
"""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock

from ._loop import Loop
from ._trio_names import replace_clock


def go_on_by(loop: Loop, clock: MockClock) -> None:
    """Replace the clock of ``loop`` by ``clock``."""
    with loop.inside():
        start = math.ceil(clock.current_time() + trio.current_time())
        clock.jump(max(0, start - clock.current_time()))
        replace_clock(clock)
    loop.clock = clock
    tell_threshold(loop)


def go_on_at_real_speed(loop: Loop, clock: MockClock) -> None:
    """Let ``clock``, which ``loop`` goes by, run as real time does from where it stands."""
    clock.rate = 1.0
    clock.autojump_threshold = math.inf
    if loop.is_open:
        tell_threshold(loop)


def tell_threshold(loop: Loop) -> None:
    """Let the run know whether its clock jumps.

    Sync code outside may have set that; there a clock does not find the run that it is of.
    """
    if isinstance(loop.clock, MockClock):
        with loop.inside():
            loop.clock.autojump_threshold = loop.clock.autojump_threshold
