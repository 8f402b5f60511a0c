"""Set-up functions in the style of xUnit, as fixtures: what they take, and how they are called.

A pair such as ``setup_module`` and ``teardown_module`` is one autouse fixture.  It requests what either of
the two takes, so that the tear-down is sure of its fixtures as soon as the set-up has run.  If one of them
is async, the fixture is: both run in one task, and the tear-down may close the nursery that the set-up has
opened.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from inspect import Parameter, Signature
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import pytest

from ._ownership import is_async
from ._pytest_names import active_fixture, item_of
from ._session import KEY

Function = Callable[..., Any]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)

#: Set on the function of the fixture that a pair is: the pair.
PAIR_ATTRIBUTE = "_pytest_trio_scoped_pair"

#: What pytest passes to the functions of each kind.
_PASSED: dict[str, Callable[[pytest.FixtureRequest], object]] = {
    "module": lambda request: request.module,
    "function": lambda request: request.function,
    "class": lambda request: request.cls,
    "method": lambda request: request.function,
}

#: The scope of the fixture for each kind.
SCOPES = {
    "session": "session",
    "directory": "package",
    "module": "module",
    "class": "class",
    "function": "function",
    "method": "function",
}


@dataclasses.dataclass(frozen=True)
class SetupFunction:
    """One function: ``setup_module``, or one of the others."""

    name: str
    kind: str
    #: As it is found in the module or class.
    function: Function
    #: Whether it takes what pytest passes to such functions: the module, the class, the test's function.
    takes_node: bool
    #: The names of the fixtures that it takes.
    fixtures: tuple[str, ...]

    @classmethod
    def of(cls, owner: object, name: str, kind: str) -> SetupFunction | None:
        """Return the function ``name`` of ``owner``, None if there is none."""
        function: Any = getattr(owner, name, None)
        if not isinstance(function, (FunctionType, MethodType)):
            return None  # a fixture of that name, or what only pytest knows how to call
        if kind == "class":
            function = getattr(function, "__func__", function)
        parameters = list(_signature(function).parameters.values())
        if kind == "method" and not inspect.ismethod(function):
            is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
            parameters = parameters if is_static else parameters[1:]
        positional = [each for each in parameters if each.kind in _POSITIONAL]
        mocks, mock_names = _mocks(function)
        takes_node = kind in _PASSED and len(positional) > mocks
        fixtures = tuple(
            parameter.name
            for parameter in parameters[takes_node + min(mocks, len(positional)) :]
            if parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
            and parameter.default is Parameter.empty
            and parameter.name not in mock_names
        )
        return cls(name, kind, function, takes_node, fixtures)

    @property
    def is_async(self) -> bool:
        """Whether it is an ``async def``."""
        return is_async(self.function)

    @property
    def is_generator(self) -> bool:
        """Whether it contains a ``yield``, which makes no sense."""
        function = self.function
        return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)

    def call(self, request: pytest.FixtureRequest, fixtures: dict[str, Any]) -> Any:
        """Call it as pytest does, with its fixtures."""
        __tracebackhide__ = True
        function = self.function
        if self.kind == "method":
            function = getattr(request.instance, self.name)
        arguments = (_PASSED[self.kind](request),) if self.takes_node else ()
        return function(*arguments, **{name: fixtures[name] for name in self.fixtures})

    def on_its_side(self, request: pytest.FixtureRequest) -> AbstractContextManager[None]:
        """Run a block, which calls a sync function inside, where the function belongs."""
        session = request.config.stash[KEY]
        item = item_of(request)
        inside = session.inside_fixtures
        depends = any(active_fixture(item, name) in inside for name in self.fixtures)
        return nullcontext() if depends else session.outside()


def _signature(function: Function) -> Signature:
    """Return what can be passed to the function.

    What a decorator has made takes what the function below takes if it hands keyword arguments on.
    """
    below = inspect.unwrap(function, stop=lambda each: not _hands_on(each))
    return inspect.signature(below, follow_wrapped=False)


def _hands_on(function: Any) -> bool:
    parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    has_keywords = any(each.kind is Parameter.VAR_KEYWORD for each in parameters)
    return has_keywords and callable(function.__wrapped__)


def _mocks(function: Function) -> tuple[int, set[str]]:
    """Return what ``mock.patch`` passes: how many arguments after those passed to it, and which by name.

    pytest leaves the first out as well where a test takes them.
    """
    count, names = 0, set()
    for patching in getattr(function, "patchings", ()):
        if patching.attribute_name:
            names |= {each.attribute_name for each in (patching, *patching.additional_patchers)}
        elif repr(patching.new) == "sentinel.DEFAULT":  # of one library or the other
            count += 1
    return count, names


@dataclasses.dataclass(frozen=True)
class Pair:
    """A set-up function and the tear-down function to it; one may be missing."""

    set_up: SetupFunction | None
    tear_down: SetupFunction | None
    #: The directory for which a ``setup_directory`` is.
    directory: Path | None = None

    @property
    def functions(self) -> list[SetupFunction]:
        """Those that are there."""
        return [each for each in (self.set_up, self.tear_down) if each is not None]

    @property
    def fixtures(self) -> list[str]:
        """The names of all fixtures that they take."""
        return list(dict.fromkeys(name for each in self.functions for name in each.fixtures))

    @property
    def is_async(self) -> bool:
        """Whether one of them has to be awaited."""
        return any(each.is_async for each in self.functions)


def fixture_function(pair: Pair, *, is_awaited: bool = True) -> Function:
    """Return the function of the fixture that the pair is to pytest.

    With ``is_awaited`` false, the functions are called and no more, as pytest does.
    """
    if is_awaited and pair.is_async:
        made = _async_function(pair) if pair.tear_down is None else _async_generator(pair)
    else:
        made = _sync_generator(pair)
    shown = pair.functions[0].function
    # pytest shows the doc string and the place of the user's function.
    made.__name__, made.__doc__ = shown.__name__, shown.__doc__
    made.__module__, made.__qualname__ = shown.__module__, shown.__qualname__
    setattr(made, "__wrapped__", shown)  # noqa: B010
    names = dict.fromkeys(["request", *pair.fixtures])
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY) for name in names]
    setattr(made, "__signature__", Signature(parameters))  # noqa: B010
    setattr(made, PAIR_ATTRIBUTE, pair)
    return made


def pair_of(fixturedef: pytest.FixtureDef[Any]) -> Pair | None:
    """Return the pair that a fixture is made of, None if it is not."""
    pair: Pair | None = getattr(fixturedef.func, PAIR_ATTRIBUTE, None)
    return pair


def _sync_generator(pair: Pair) -> Function:
    def fixture(request: pytest.FixtureRequest, **fixtures: Any) -> Generator[None]:
        __tracebackhide__ = True
        fixtures["request"] = request
        if pair.set_up is not None:
            pair.set_up.call(request, fixtures)
        yield
        if pair.tear_down is not None:
            pair.tear_down.call(request, fixtures)

    return fixture


def _async_function(pair: Pair) -> Function:
    async def fixture(request: pytest.FixtureRequest, **fixtures: Any) -> None:
        __tracebackhide__ = True
        fixtures["request"] = request
        if pair.set_up is not None:
            await _call(pair.set_up, request, fixtures)

    return fixture


def _async_generator(pair: Pair) -> Function:
    async def fixture(request: pytest.FixtureRequest, **fixtures: Any) -> AsyncGenerator[None]:
        __tracebackhide__ = True
        fixtures["request"] = request
        if pair.set_up is not None:
            await _call(pair.set_up, request, fixtures)
        import trio  # not before there is something async

        is_cancelled = False
        try:
            yield
        except trio.Cancelled:
            # A nursery that the set-up has opened, and only the tear-down can leave; what a task in it has
            # raised comes out there.
            is_cancelled = True
        if pair.tear_down is not None:
            await _call(pair.tear_down, request, fixtures)
        if is_cancelled:
            await trio.lowlevel.checkpoint_if_cancelled()

    return fixture


async def _call(
    function: SetupFunction, request: pytest.FixtureRequest, fixtures: dict[str, Any]
) -> None:
    __tracebackhide__ = True
    if function.is_async:
        await function.call(request, fixtures)
    else:
        with function.on_its_side(request):
            function.call(request, fixtures)
