"""Hypothesis tests: each example is run as a test is, in a task and a context of its own.

A function with ``@given`` is sync.  It is Hypothesis that calls the user's function, once for each
example, as ``hypothesis.inner_test``, which is there to be replaced.  So Hypothesis itself runs outside,
where pytest has called it, and a sync twin of the user's function goes inside for each example.

Hypothesis takes what an example raises for a failure of the example, and tries others to find the
smallest one that fails.  That makes no sense when a fixture has crashed, the loop is lost or the user has
had enough.  Then ``_Ended`` is raised in place of that, which gets Hypothesis to give up.

The order in which Trio runs tasks is a matter of chance, so an example might fail this time and not
the next.  Its random numbers are set to those of the module ``random`` at the start of each example, as
Hypothesis seeds that.

Imported at the first test of this kind.  Hypothesis itself is not imported.
"""

from __future__ import annotations

import functools
import random
import sys
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from . import _errors
from ._bodies import Arguments, Function
from ._contexts import in_context
from ._exceptions import is_foreign_file, join, prune
from ._outcomes import ENDS_THE_RUN, needs_our_frame
from ._pytest_names import explained_without
from ._session import TrioSession
from ._trio_names import deterministic_scheduling
from ._twins import prepare_requests, run_inside


def _is_machinery(path: str) -> bool:
    """Say whether a file is of those that take an example to the loop and back.

    That includes attrs, with whose validators outcome looks at what an example has raised.
    """
    attrs: str | None = getattr(sys.modules.get("attr"), "__file__", None)
    return is_foreign_file(path) or (attrs is not None and Path(path).parent == Path(attrs).parent)


class _Ended(BaseException):
    """What has happened is no matter of the example, so no other one shall be tried."""


def examples_twin(session: TrioSession, item: pytest.Function, function: Function) -> Function:
    """Return a function that runs a Hypothesis test, each example of which runs inside."""
    handle: Any = function.hypothesis  # type: ignore[attr-defined]

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True
        context = copy_context()
        prepare_requests(session, arguments, context)
        session.open_loop()  # which does not count for the deadline of an example
        inner = handle.inner_test
        with (
            deterministic_scheduling() as numbers,
            explained_without(_is_machinery),
            in_context(context),
        ):
            examples = _Examples(session, item, inner, numbers)
            handle.inner_test = examples.twin()
            try:
                return function(**arguments)
            except BaseException as error:
                # Pruned once more: before pytest 9 our frames would be shown in groups of failures.
                raised = prune(examples.explain(error))
            finally:
                handle.inner_test = inner
        __tracebackhide__ = not needs_our_frame(raised)
        raise raised

    return twin


class _Examples:
    """The examples of one run of a test."""

    def __init__(
        self, session: TrioSession, item: pytest.Function, inner: Function, numbers: random.Random
    ) -> None:
        self._session = session
        self._item = item
        self._inner = inner
        self._numbers = numbers
        self._ended_by: BaseException | None = None

    def twin(self) -> Function:
        """Return what Hypothesis shall call for each example."""

        # With its name, source and signature, by which Hypothesis knows the function in its database.
        @functools.wraps(self._inner)
        def twin(*args: Any, **arguments: Any) -> Any:
            __tracebackhide__ = True
            # Hypothesis passes all by name but the instance of a method.
            return self._run(partial(self._inner, *args), arguments)

        return twin

    def _run(self, function: Function, arguments: Arguments) -> Any:
        __tracebackhide__ = True
        session, item, loop = self._session, self._item, self._session.loop
        order = random.getstate()
        own: BaseException | None = None

        def begin(**arguments: Any) -> Any:
            # Not before: how many steps of Trio lead here is not always the same.
            self._numbers.setstate(order)
            return function(**arguments)

        def run() -> Any:
            __tracebackhide__ = True
            nonlocal own
            context = copy_context()
            try:
                return run_inside(
                    session, begin, dict(arguments), name=item.nodeid, context=context
                )
            except BaseException as error:
                own = error
                raise

        try:
            value = session.crashes.call(item, run)
        except KeyboardInterrupt as error:
            self._ended_by = error
            raise  # Hypothesis knows that it says nothing about the example
        except BaseException as error:
            is_over = not loop.is_open or isinstance(error, ENDS_THE_RUN)
            if error is own and not is_over and session.time_limit.exceeded() is None:
                raise
            self._ended_by = error
        else:
            self._ended_by = session.time_limit.exceeded()
            if self._ended_by is None:
                return value
        call = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        text = _errors.ENDED_EXAMPLES_NOTE.format(call=f"{self._inner.__name__}({call})")
        self._ended_by.add_note(text)
        raise _Ended

    def explain(self, error: BaseException) -> BaseException:
        """Return what to report in place of ``error``, which Hypothesis has raised."""
        ended_by = self._ended_by
        if ended_by is not None:
            others = None
            # Hypothesis may have found other failures before.
            if isinstance(error, BaseExceptionGroup) and not isinstance(ended_by, ENDS_THE_RUN):
                _, others = error.split(_Ended)
            error = join(_errors.FAILED_AND_CRASHED, others, ended_by) or ended_by
        if isinstance(error, pytest.fail.Exception) and not error.pytrace:
            # The example is named in a note, and pytest shows none with a bare message.
            error.msg = "\n".join([str(error.msg), *getattr(error, "__notes__", ())])
        return error
