"""What a generated suite consists of, as data: written once, rendered sync and async.

Lines of functions may contain ``WAIT`` (a checkpoint) and ``WITH`` (``with`` or ``async with``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass
class Code:
    """A function that may be ``def`` or ``async def``."""

    #: Where it is defined, and how it is called there.
    key: str
    name: str
    #: The fixtures that it takes as arguments.
    requests: list[str]
    #: Its lines, each of them a whole statement.
    steps: list[str]


@dataclasses.dataclass
class Fixture(Code):
    """A fixture."""

    scope: str
    #: "return", "yield", or what is wrong with it: "no yield", "two yields".
    kind: str = "return"
    #: What is around its ``yield``: nothing, "finally", "except" or "with".
    around: str = ""
    #: The lines after its ``yield``.
    after: list[str] = dataclasses.field(default_factory=list)
    params: list[str] = dataclasses.field(default_factory=list)
    is_autouse: bool = False
    #: Whether the decorator says what it is called, and not the function.
    is_renamed: bool = False
    #: Whether its scope comes out of a function.
    is_scope_dynamic: bool = False


@dataclasses.dataclass
class Parametrize:
    """A mark ``parametrize`` with one name."""

    name: str
    values: list[str]
    is_indirect: bool = False
    scope: str = ""
    is_with_ids: bool = False


@dataclasses.dataclass
class Case(Code):
    """A test function."""

    marks: list[str] = dataclasses.field(default_factory=list)
    parametrized: list[Parametrize] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class SetUp(Code):
    """A ``setup_module`` or the like."""

    takes_node: bool = False


@dataclasses.dataclass
class Place:
    """Where fixtures are defined: a conftest, a module or a class."""

    name: str
    fixtures: list[Fixture] = dataclasses.field(default_factory=list)
    setups: list[SetUp] = dataclasses.field(default_factory=list)
    cases: list[Case] = dataclasses.field(default_factory=list)
    marks: list[str] = dataclasses.field(default_factory=list)
    #: Classes in a module or class; they come after its tests.
    classes: list[Place] = dataclasses.field(default_factory=list)
    #: Of a class.
    base: str = ""
    #: Further source that is the same in all renderings: hooks.
    source: str = ""

    @property
    def is_unittest(self) -> bool:
        """Whether it is a ``unittest.TestCase``, whose methods are sync and take nothing."""
        return self.base == "unittest.TestCase"


@dataclasses.dataclass
class Description:
    """A whole suite, and how it is run."""

    #: Those with an ``__init__.py``.
    packages: list[str]
    conftests: list[Place]
    modules: list[Place]
    ini: list[str]
    #: The arguments of each of the runs, which come one after the other in the same folder.
    runs: list[list[str]]

    def places(self) -> Iterator[Place]:
        """Yield all places, outer ones before those in them."""
        places = [*self.conftests, *self.modules]
        while places:
            place = places.pop(0)
            yield place
            places += place.classes

    def codes(self) -> Iterator[Code]:
        """Yield every function that may be sync or async."""
        for place in self.places():
            yield from place.fixtures
            if not place.is_unittest:
                yield from place.setups
                yield from place.cases
