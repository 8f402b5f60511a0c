"""Exceptions by which a test says how it ended, taken out of exception groups.

``pytest.skip``, ``xfail``, ``fail``, ``exit``, Ctrl-C and quitting the debugger come out of a nursery
in an exception group.  pytest knows them only by themselves.
"""

from __future__ import annotations

import bdb
from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

import pytest
import trio

from ._exceptions import everything_in
from ._user_task import Leak

K = TypeVar("K", bound=Hashable)

#: End the run, whatever else has happened; the first of them counts.
ENDS_THE_RUN = (KeyboardInterrupt, pytest.exit.Exception, bdb.BdbQuit)

#: Say how the test ended, if nothing says otherwise.
_VERDICTS: set[type[BaseException]] = {
    pytest.skip.Exception,
    pytest.xfail.Exception,
    pytest.fail.Exception,
}


def act_as_in_sync_code(error: BaseException) -> BaseException:
    """Return what a sync test would have raised in place of ``error``.

    That is ``error`` itself unless it is a group that holds a request to end the run, or one kind of
    verdict and nothing else; or a leak, which has no place in the code to point to.
    """
    if isinstance(error, Leak):
        return pytest.fail.Exception(str(error), pytrace=False)
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = list(_leaves(error))
    for request in ENDS_THE_RUN:
        for leaf in leaves:
            if isinstance(leaf, request):
                return leaf
    # By type, since pytest's xfail is a kind of its fail, and hides no failure beside it.
    kinds = {type(leaf) for leaf in leaves}
    return leaves[0] if len(kinds) == 1 and kinds <= _VERDICTS else error


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def is_interrupted(error: BaseException | None) -> bool:
    """Say whether ``error`` is Ctrl-C, or has that among others."""
    return error is not None and isinstance(act_as_in_sync_code(error), KeyboardInterrupt)


class Held(BaseException):
    """A set-up in a strand can't go on, as a fixture that it depends on has crashed."""


#: Say that somebody has to give up, for a reason that is told elsewhere.
_CANCELLED = (trio.Cancelled, Held)


def is_cancelled(error: BaseException) -> bool:
    """Say whether ``error`` is Trio's Cancelled, or its like, and nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(isinstance(leaf, _CANCELLED) for leaf in _leaves(error))
    return isinstance(error, _CANCELLED)


def told_of(errors: Mapping[K, BaseException]) -> dict[K, BaseException]:
    """Return what is to be told of ``errors`` that came together: no cancellation, and nothing twice."""
    told: dict[K, BaseException] = {}
    for key, error in errors.items():
        rest = _without_cancellation(error)
        if rest is not None and not any(_is_part(rest, each) for each in told.values()):
            told = {other: each for other, each in told.items() if not _is_part(each, rest)}
            told[key] = rest
    return told


def _without_cancellation(error: BaseException) -> BaseException | None:
    if not isinstance(error, BaseExceptionGroup):
        return None if is_cancelled(error) else error
    cancelled, rest = error.split(_CANCELLED)
    return error if cancelled is None else rest  # "split" makes a copy in any case


def _is_part(error: BaseException, whole: BaseException) -> bool:
    return any(each is error for each in everything_in(whole))


def needs_our_frame(error: BaseException) -> bool:
    """Say whether ``error`` should show the frame of ours that raises it, for want of a user's.

    A group that shows no frame at all crashes pytest before 9.0, and below a bare message pytest says
    that everything is hidden.  A message shows no frames anyway.
    """
    if isinstance(error, pytest.fail.Exception) and not error.pytrace:
        return True  # all frames may be pytest's
    return error.__traceback__ is None and isinstance(
        error, (BaseExceptionGroup, pytest.fail.Exception)
    )
