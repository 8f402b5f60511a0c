"""Context variables: what a fixture sets is carried to whoever comes later, and taken back.

Every fixture that we run has a context of its own, a copy of its requester's, in which both its set-up
and its tear-down run (so ``ContextVar.reset`` works there).  What the set-up changed is found by
comparing the context before and after, set again in the contexts of those who come later, and undone
after the tear-down.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, ContextVar, Token
from functools import partial
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


class Layers:
    """What live fixtures have changed in one context, one upon the other: the last counts.

    Fixtures that are set up or torn down at the same time are not taken away in reverse, and a fixture
    with another parameter goes while those that came after it stay.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._layers: dict[Changes, list[Token[Any]]] = {}

    def __iter__(self) -> Iterator[Changes]:
        return iter(list(self._layers))

    def add(self, changes: Changes) -> None:
        """Set the changed variables."""
        self._layers[changes] = changes.set_in(self.context)

    def remove(self, changes: Changes) -> None:
        """Give the variables the values that they would have without these changes."""
        above = []
        for each in reversed(list(self._layers)):
            _reset(self.context, self._layers.pop(each))
            if each is changes:
                break
            above.append(each)
        for each in reversed(above):
            self.add(each)


def _reset(context: Context, tokens: list[Token[Any]]) -> None:
    with in_context(context):
        for token in reversed(tokens):
            token.var.reset(token)


class Changes:
    """What a set-up changed, and where it was set again."""

    def __init__(self, before: Context, after: Context) -> None:
        self.values: list[tuple[ContextVar[Any], Any]] = [
            (variable, value)
            for variable, value in after.items()
            if before.get(variable, _MISSING) is not value
        ]
        self._undo: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self.values)

    def leave_out(self, others: Iterable[Changes]) -> None:
        """Forget what is as in one of ``others``, from which it came."""
        theirs = [(variable, value) for other in others for variable, value in other.values]
        self.values = [
            (variable, value)
            for variable, value in self.values
            if not any(variable is their and value is same for their, same in theirs)
        ]

    def set_in(self, context: Context) -> list[Token[Any]]:
        """Set the changed variables; return what resets them."""
        with in_context(context):
            return [variable.set(value) for variable, value in self.values]

    def apply(self, *targets: Context | Layers) -> None:
        """Set the changed variables in each of the targets, once in each context."""
        if not self.values:
            return
        layered = [target for target in targets if isinstance(target, Layers)]
        seen = [layers.context for layers in layered]
        for target in targets:
            if isinstance(target, Layers):
                target.add(self)
                self._undo.append(partial(target.remove, self))
            elif not any(target is context for context in seen):
                seen.append(target)
                self._undo.append(partial(_reset, target, self.set_in(target)))

    def undo(self) -> None:
        """Give the variables the values they had before :meth:`apply`."""
        while self._undo:
            self._undo.pop()()
