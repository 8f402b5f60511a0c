"""The nursery that a test or a fixture owns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from ._exceptions import single


@asynccontextmanager
async def own_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a nursery that is cancelled at the end of the block.

    Leaving it is a checkpoint.  Raises what the block or a task in the nursery raises: one exception
    as itself, since the owner did not write ``async with`` and expects no group; several as a group.
    """
    error = None
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        error = single(group)
    if error is None:
        return
    context = error.__context__
    try:
        raise error
    finally:
        # The block may have ended with Cancelled, which would be shown as what the error came from.
        error.__context__ = context
