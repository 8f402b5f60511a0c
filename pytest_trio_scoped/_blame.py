"""A crash of a fixture, and what is said of it."""

from __future__ import annotations

import dataclasses
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from . import _errors
from ._exceptions import innermost
from ._outcomes import is_cancelled

if TYPE_CHECKING:
    from ._lifetime import Lifetime

_Fixture = pytest.FixtureDef[Any]


@dataclasses.dataclass(eq=False)
class Crash:
    """One fixture instance that has crashed."""

    fixturedef: _Fixture
    request: pytest.FixtureRequest
    lifetime: Lifetime
    #: What really happened; known after the sweep.
    error: BaseException | None = None
    traceback: TracebackType | None = None
    is_told: bool = False

    def is_of(self, fixturedef: _Fixture, request: pytest.FixtureRequest) -> bool:
        """Say whether ``request`` asks for this instance."""
        return (
            self.fixturedef is fixturedef
            and self.request.node is request.node
            and getattr(self.request, "param", None) is getattr(request, "param", None)
        )

    def tell(self) -> BaseException:
        """Return what happened, to be raised where it is reported."""
        assert self.error is not None
        self.is_told = True
        return self.error.with_traceback(self.traceback)  # without the frames of earlier reports


def explain(crash: Crash, raised: BaseException | None) -> BaseException:
    """Return what to report of ``crash``, given what the tear-down of the fixture raised."""
    name = describe(crash.fixturedef)
    if crash.lifetime.error is None:
        silent = pytest.fail.Exception(_errors.CANCELLED_SILENTLY.format(name=name), pytrace=False)
        if raised is None:
            return silent
        return BaseExceptionGroup(_errors.FAILED_AND_CRASHED, [silent, raised])
    assert raised is not None
    error = innermost(raised)
    if error.__context__ is not None and is_cancelled(error.__context__):
        error.__context__ = None  # only how the fixture learned of it
    error.add_note(_errors.CRASHED_NOTE.format(name=name))
    return error


def describe(fixturedef: _Fixture) -> str:
    """Return the name and the scope of a fixture."""
    return f"{fixturedef.argname!r} (scope {fixturedef.scope!r})"
