"""What a test needs, worked out from the names it requests as pytest does when it sets them up.

A name stands for the last of the definitions that a test sees under it, and within that for the one
before, and so on: a fixture that overrides another may request it by their name.  Once a fixture is set
up, its name stands for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from ._plan_parts import Step

#: The widest last.
SCOPES = ("function", "class", "module", "directory", "package", "session")


class Definition(Protocol):
    """What is asked of the definition of a fixture; pytest's have it."""

    def __hash__(self) -> int:
        """It is the same definition only if it is the same object."""

    @property
    def argnames(self) -> tuple[str, ...]:
        """The names that it requests."""

    @property
    def scope(self) -> str:
        """One of ``SCOPES``."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Why a test can't be set up."""

    what: Literal["unknown", "cycle", "scope"]
    #: The names from the one that the test requests to the one that is the problem.
    names: tuple[str, ...]
    #: What they stand for; one less than names, unless the scope of the last is the problem.
    definitions: tuple[Any, ...]
    #: The scope that is the problem: that of the fixture that requests a narrower one.
    scope: str = ""


class Steps:
    """The steps of the set-up of a kind of tests.

    Args:
        names: What the tests request, in the order of set-up.
        find: Returns the definitions that the tests see under a name, the closest last.
        is_async: Says whether the function of a definition is async.
        scopes: The scopes that parameters have been given, by the name of their fixture.

    """

    def __init__(
        self,
        names: Iterable[str],
        find: Callable[[str], Sequence[Definition]],
        *,
        is_async: Callable[[Definition], bool] = lambda _: False,
        is_argument: Callable[[Definition], bool] = lambda _: False,
        scopes: Mapping[str, str] | None = None,
    ) -> None:
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self._find = find
        self._is_async = is_async
        self._is_argument = is_argument
        self._scopes = scopes or {}
        #: The positions of the steps that the names stand for by now.
        self._done: dict[str, int] = {}
        for name in names:
            self._request(name, (), ())
        # pytest's list of what a test requests has what its fixtures request, which may not exist.
        requested = {problem.names[-1] for problem in self.problems if problem.definitions}
        self.problems = [
            each for each in self.problems if each.definitions or each.names[0] not in requested
        ]

    def _request(
        self, name: str, names: tuple[str, ...], definitions: tuple[Definition, ...]
    ) -> int | None:
        """Return the position of the step for ``name``, requested by the last of ``definitions``."""
        if name == "request":
            return None
        position = self._done.get(name)
        if position is None:
            return self._set_up(name, names, definitions)
        step = self.steps[position]
        self._check_scope(step.definition, (*names, name), definitions)
        return position

    def _set_up(
        self, name: str, names: tuple[str, ...], definitions: tuple[Definition, ...]
    ) -> int | None:
        found = self._find(name)
        overridden = names.count(name)
        if overridden >= len(found):
            what: Literal["cycle", "unknown"] = "cycle" if overridden else "unknown"
            self.problems.append(Problem(what, (*names, name), definitions))
            return None
        definition = found[-1 - overridden]
        names = (*names, name)
        self._check_scope(definition, names, definitions)
        definitions = (*definitions, definition)
        required = [self._request(each, names, definitions) for each in definition.argnames]
        step = Step(
            name,
            self._scopes.get(name, definition.scope),
            definition,
            tuple(each for each in required if each is not None),
            self._is_async(definition),
            self._is_argument(definition),
        )
        self._done[name] = len(self.steps)
        self.steps.append(step)
        return self._done[name]

    def _check_scope(
        self, definition: Definition, names: tuple[str, ...], definitions: tuple[Definition, ...]
    ) -> None:
        """Note it if the last of ``definitions`` lasts longer than ``definition``, which it requests."""
        if not definitions:
            return
        scope = self._scopes.get(names[-2], definitions[-1].scope)
        if SCOPES.index(scope) > SCOPES.index(definition.scope):
            self.problems.append(Problem("scope", names, (*definitions, definition), scope))
