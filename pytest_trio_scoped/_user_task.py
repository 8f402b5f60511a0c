"""A Trio task in which the user's code runs."""

from __future__ import annotations

import trio

from . import _errors
from ._trio_names import cancel_status, raise_in


class Leak(RuntimeError):
    """The user's code has left its task in disorder."""


class UserTask:
    """The running task, from its start to its end."""

    def __init__(self) -> None:
        self.task = trio.lowlevel.current_task()
        self._cancel_status = cancel_status(self.task)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where the task waits, if it can be aborted there, shielded or not."""
        raise_in(self.task, KeyboardInterrupt)

    @property
    def has_children(self) -> bool:
        """Whether tasks run in a nursery that the task has entered."""
        return any(nursery.child_tasks for nursery in self.task.child_nurseries)

    def end(self) -> Leak | None:
        """Return what is wrong with the task, which is about to end.

        Nurseries that it has entered and not left are cancelled.  They can't be closed from outside;
        the task that ends inside them breaks its supervisor, and nothing else.
        """
        nurseries = self.task.child_nurseries
        for nursery in nurseries:
            nursery.cancel_scope.cancel()
        if nurseries:
            return Leak(_errors.LEAKED_NURSERY.format(name=self.task.name))
        if cancel_status(self.task) is not self._cancel_status:
            return Leak(_errors.LEAKED_CANCEL_SCOPE.format(name=self.task.name))
        return None
