"""Context variables: what a fixture sets is carried to whoever comes later, and taken back.

Every fixture that we run has a context of its own, a copy of its requester's, in which both its set-up
and its tear-down run (so ``ContextVar.reset`` works there).  What the set-up changed is found by
comparing the context before and after, set again in the contexts of those who come later, and undone
after the tear-down.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import Context, ContextVar, Token
from typing import Any

import greenlet

_MISSING = object()


def own_context() -> Context:
    """Return the context object (not a copy) of the running greenlet."""
    current = greenlet.getcurrent()
    context = current.gr_context
    if context is None:
        context = current.gr_context = Context()
    return context


@contextlib.contextmanager
def in_context(context: Context) -> Iterator[None]:
    """Run the block in ``context``, which may be in use elsewhere in this thread.

    ``Context.run`` refuses a context that another greenlet has entered; greenlet does not.
    """
    current = greenlet.getcurrent()
    previous = current.gr_context
    current.gr_context = context
    try:
        yield
    finally:
        current.gr_context = previous


class Changes:
    """What a set-up changed, and where it was set again."""

    def __init__(self, before: Context, after: Context) -> None:
        self._values: list[tuple[ContextVar[Any], Any]] = [
            (variable, value)
            for variable, value in after.items()
            if before.get(variable, _MISSING) is not value
        ]
        self._applied: list[tuple[Context, list[Token[Any]]]] = []

    def __bool__(self) -> bool:
        return bool(self._values)

    def apply(self, *contexts: Context) -> None:
        """Set the changed variables in each of ``contexts``, once in each."""
        for context in {id(context): context for context in contexts}.values():
            with in_context(context):
                tokens = [variable.set(value) for variable, value in self._values]
            self._applied.append((context, tokens))

    def undo(self) -> None:
        """Give the variables the values they had before :meth:`apply`."""
        while self._applied:
            context, tokens = self._applied.pop()
            with in_context(context):
                for token in reversed(tokens):
                    token.var.reset(token)
