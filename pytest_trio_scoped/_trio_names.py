"""Private names of Trio, each with why it is needed and what would replace it.

Nothing else in this package touches a name with an underscore of Trio, greenlet or outcome.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from trio._core import _run
from trio._core._run import CancelStatus, sniffio_library  # type: ignore[attr-defined]
from trio._core._run_context import GLOBAL_RUN_CONTEXT
from trio.abc import Clock
from trio.lowlevel import Task

__all__ = [
    "CancelStatus",
    "cancel_status",
    "deterministic_scheduling",
    "is_cancelled",
    "raise_in",
    "replace_clock",
    "run_context",
    "seed_scheduler",
    "sniffio_local",
]

#: The thread's "which run, which task" (a ``threading.local``).  While pytest's own code runs in the
#: middle of a task step it has to be empty, or a ``trio.run`` in a sync test is refused.  Trio has no
#: public way to put it aside (``trio.lowlevel.in_trio_run`` only asks); if it goes, guest mode with a
#: host that pauses between ticks is the way out.
run_context = GLOBAL_RUN_CONTEXT

#: Where Trio says "trio" to ``sniffio.current_async_library`` (``sniffio.thread_local``); without this,
#: libraries called from a sync test believe that they are under Trio.  Taken from Trio, as sniffio is
#: Trio's dependency and not ours; when Trio drops sniffio, this goes and nothing replaces it.
sniffio_local = sniffio_library


def cancel_status(task: Task) -> CancelStatus:
    """Return a token that is the same before and after code that leaves all its cancel scopes.

    A public way would be a cancel scope of our own around the code, which complains when it is left
    too early, but costs a fifth of what a test costs.
    """
    return task._cancel_status


def is_cancelled(status: CancelStatus) -> bool:
    """Say whether a task with this cancel status is to be cancelled at its next checkpoint.

    ``trio.current_effective_deadline()`` would replace it, at ten times the cost.
    """
    return status.effectively_cancelled


def raise_in(task: Task, error: type[BaseException]) -> None:
    """Raise ``error`` where ``task`` is blocked, if it can be aborted there, shielded or not.

    This is how Trio delivers Ctrl-C, to its main task only.  A public way to name another task for
    that would replace it; cancelling, the public way, does not get through a shield.
    """
    if task._abort_func is not None:
        task._attempt_abort(lambda: _raise(error))


@contextmanager
def deterministic_scheduling() -> Iterator[random.Random]:
    """Let Trio choose among tasks that may run by random numbers alone, and yield their source.

    Who seeds that gets the same order again.  At other times Trio starts from the order in which tasks
    became runnable, which hangs on the addresses of objects, and its numbers are seeded by nobody.  Both
    are put back after the block.

    Trio's own ``_hypothesis_plugin_setup`` does the same for good when Hypothesis is imported, unless
    ``HYPOTHESIS_NO_PLUGINS`` is set.  A public way to seed the scheduler (Trio's issue 32) would replace
    it; without the names, nothing depends on it but reproducible orders.
    """
    numbers = _run._r
    state = numbers.getstate()
    was_deterministic = _run._ALLOW_DETERMINISTIC_SCHEDULING
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    try:
        yield numbers
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = was_deterministic  # type: ignore[misc]
        numbers.setstate(state)


def replace_clock(clock: Clock) -> None:
    """Let the run that the thread is inside of go on by ``clock``.

    Trio takes a clock for a whole run only.  A session's run would have to be on a clock that tests can
    control from the start, and a test that brings one of its own would not find it there.  Should the
    name go, that is the way out.
    """
    run_context.runner.clock = clock


def seed_scheduler(seed: int | str) -> None:
    """Seed the random generator by which Trio shuffles tasks, which is its own and not that of ``random``.

    It counts in :func:`deterministic_scheduling`.  An argument of ``trio.run`` would replace it.
    """
    _run._r.seed(seed)


def _raise(error: type[BaseException]) -> NoReturn:
    raise error
