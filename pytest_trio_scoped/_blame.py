"""A crash of a fixture, what fails with it, and what is said of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from . import _errors
from ._describe import describe
from ._exceptions import innermost, join, prune
from ._outcomes import ENDS_THE_RUN, act_as_in_sync_code, is_cancelled

if TYPE_CHECKING:
    from ._lifetime import Lifetime

_Fixture = pytest.FixtureDef[Any]


@dataclasses.dataclass(eq=False)
class Crash:
    """One fixture instance that has crashed."""

    fixturedef: _Fixture
    request: pytest.FixtureRequest
    lifetime: Lifetime
    #: When tear-downs that depend on it are cut short, on the clock of ``time.monotonic``.
    deadline: float
    #: What really happened; known after the sweep.
    error: BaseException | None = None
    traceback: TracebackType | None = None
    is_told: bool = False
    #: The tests that were told.
    told: list[object] = dataclasses.field(default_factory=list)
    #: Whether the fixture was set up anew in the same scope.
    is_over: bool = False

    def is_of(self, fixturedef: _Fixture, request: pytest.FixtureRequest) -> bool:
        """Say whether ``request`` asks for this instance."""
        return (
            self.fixturedef is fixturedef
            and self.request.node is request.node
            and getattr(self.request, "param", None) is getattr(request, "param", None)
        )

    @property
    def was_cancelled(self) -> bool:
        """Whether nothing has happened but that its set-up was cancelled when it had just ended."""
        return self.lifetime.was_cancelled and self.error is not None and is_cancelled(self.error)

    def happened(self, raised: BaseException | None) -> None:
        """Note what the tear-down of the fixture has raised, which is what really happened."""
        name = describe(self.fixturedef)
        if self.lifetime.error is None:
            message = _errors.CANCELLED_SILENTLY.format(name=name)
            silent = pytest.fail.Exception(message, pytrace=False)
            self.error = join(_errors.FAILED_AND_CRASHED, silent, raised)
        else:
            assert raised is not None
            error = self.error = innermost(raised)
            if error.__context__ is not None and is_cancelled(error.__context__):
                error.__context__ = None  # only how the fixture learned of it
            error.add_note(_errors.CRASHED_NOTE.format(name=name))
        assert self.error is not None
        self.traceback = self.error.__traceback__

    def tell(self, item: object = None) -> BaseException:
        """Return what happened, to be raised where it is reported: in the test ``item``, if it is one."""
        assert self.error is not None
        self.is_told = True
        if item is not None:
            self.told.append(item)
        return self.error.with_traceback(self.traceback)  # without the frames of earlier reports


def add_note(error: BaseException, text: str) -> None:
    """Add a note, to the message itself where pytest shows nothing else."""
    if isinstance(error, pytest.fail.Exception) and not error.pytrace:
        error.msg = f"{error.msg}\n\n{text}"
    else:
        error.add_note(text)


def errors_of(tear_down: Callable[[], object]) -> list[BaseException]:
    """Return what ``tear_down`` raises, without the groups that pytest puts around tear-downs.

    Raises what ends the run, which is not to be delayed.
    """
    try:
        tear_down()
    except BaseException as error:
        end = act_as_in_sync_code(error)
        if isinstance(end, ENDS_THE_RUN):
            raise end from None
        return list(_without_groups_of_pytest(prune(error)))
    return []


def _without_groups_of_pytest(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup) and error.message.startswith(
        "errors while tearing down"
    ):
        for member in error.exceptions:
            yield from _without_groups_of_pytest(member)
    else:
        yield error


def one_of(errors: list[BaseException]) -> BaseException:
    """Return what to raise for ``errors``: one as itself, or what ends the run, several as a group."""
    if ends := [error for error in errors if isinstance(error, ENDS_THE_RUN)]:
        return ends[0]
    return errors[0] if len(errors) == 1 else BaseExceptionGroup(_errors.FAILED_AND_CRASHED, errors)
