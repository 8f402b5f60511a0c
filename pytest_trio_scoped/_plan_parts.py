"""What a fixture plan is made of: places, steps, kinds of tests, and instances."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

#: A test: anything that can be hashed.
Item: TypeAlias = Any


class Place:
    """A node of the collection tree, where instances live; each is equal to itself only."""

    __slots__ = ("depth", "node_id", "scope")

    def __init__(self, node_id: str, depth: int, scope: str = "") -> None:
        self.node_id = node_id
        #: How many nodes are around it.
        self.depth = depth
        #: The scope that it is a node of, if there is one.
        self.scope = scope


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One of the fixtures that a kind of tests needs."""

    name: str
    scope: str
    #: Which fixture is meant by the name.
    definition: Any
    #: The positions of the steps that it requests; all come before it.
    requires: tuple[int, ...] = ()
    is_async: bool = False
    #: Whether it is an argument of a parametrized test rather than a fixture.
    is_argument: bool = False


@dataclasses.dataclass(eq=False, slots=True)
class Instance:
    """One fixture from its set-up to its tear-down."""

    step: Step
    #: The id of the node of its scope.
    node_id: str
    #: The id of its parameter, None if it is not parametrized.
    param_id: str | None
    #: The instances that it requests.
    requires: tuple[Instance, ...]
    #: The items that need it, directly or through other instances, in the order of the run.
    users: list[Item]
    #: The place of its scope; None for that of the item itself.
    home: Place | None
    #: The same, or that of a requirement that is closer to the item, with which it goes.
    place: Place | None
    #: What tells its parameter from others; None if it is not parametrized.
    key: Hashable = None
    #: Whether there is a parameter, its own or that of an instance that it requires.
    is_varied: bool = False
    #: How many of the users are still to come.
    pending: int = 0

    @property
    def name(self) -> str:
        """The name by which it is requested."""
        return self.step.name

    @property
    def scope(self) -> str:
        """The scope: that of the fixture, or that which its parameters have been given."""
        return self.step.scope

    @property
    def definition(self) -> Any:
        """Which fixture of that name it is."""
        return self.step.definition

    @property
    def is_async(self) -> bool:
        """Whether its function is async."""
        return self.step.is_async

    @property
    def is_argument(self) -> bool:
        """Whether it is an argument of a parametrized test rather than a fixture."""
        return self.step.is_argument

    def __repr__(self) -> str:
        param = "" if self.param_id is None else f"[{self.param_id}]"
        return f"<Instance {self.name}{param} of {self.node_id!r}>"


class Kind:
    """What tests have in common that stand at the same place and need the same fixtures."""

    __slots__ = ("chain", "homes", "resolved", "steps", "varied")

    def __init__(
        self,
        steps: Sequence[Step],
        homes: Sequence[Place | None],
        chain: Sequence[Place],
        varied: Sequence[int] = (),
    ) -> None:
        #: In the order of set-up.
        self.steps: tuple[Step, ...] = tuple(steps)
        #: For each step the place of its scope, None for the item itself.
        self.homes: tuple[Place | None, ...] = tuple(homes)
        #: The places around the item, the outermost first.
        self.chain: tuple[Place, ...] = tuple(chain)
        #: The positions of the wide steps that are parametrized.
        self.varied: tuple[int, ...] = tuple(varied)
        #: For the keys of these parameters: the wide instances by step, and all that are used.
        self.resolved: dict[
            tuple[Hashable, ...], tuple[tuple[Instance | None, ...], tuple[Instance, ...]]
        ] = {}
