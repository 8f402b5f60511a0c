"""The fixture plan of collected pytest items."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from ._kinds import Kinds
from ._plan import Plan
from ._plan_order import Ahead
from ._plan_parts import Instance, Kind, Place, Step
from ._plan_steps import Problem
from ._plan_trace import Event, trace
from ._pytest_names import is_skipped_by_mark, param_ids

#: What is shown as it stands in the id of a parameter.
_PLAIN_TYPES = (str, int, float, bool, type(None))


class FixturePlan(Plan):
    """Which fixture instances there will be, who needs which, and when each is set up and torn down.

    It is built from collected items, and runs nothing::

        plan = FixturePlan(session.items)
        for item in session.items:
            print([instance.name for instance in plan.setup(item)])
            print([instance.name for instance in plan.teardown(item)])

    An *instance* is a fixture from its set-up to its tear-down.  It has the attributes ``name``, ``scope``,
    ``param_id`` (None if it is not parametrized), ``node_id`` (the id of the node of its scope),
    ``requires`` (the instances that it requests), ``users`` (the items that need it, directly or through
    others), ``is_async``, ``definition`` (pytest's ``FixtureDef``), and ``is_argument``: whether it is an
    argument of a parametrized test, which is a fixture for pytest.

    The plan knows all fixtures that are requested by name: as arguments, with the mark or the ini value
    ``usefixtures``, and by ``autouse``.  It can't know of ``request.getfixturevalue()``.  What a test needs
    and does not exist is left out.  A test that is skipped by a mark needs nothing.

    Args:
        items: The items in the order of the run, such as ``session.items`` at the start of the run loop.
            Those that have no fixtures are welcome; one that comes twice runs twice; one that comes later
            and is not among them is planned when it comes.

    """

    if TYPE_CHECKING:
        # For a Plan an item is anything that can be hashed; for users it is pytest's.
        items: list[pytest.Item]

        def needs(self, item: pytest.Item) -> tuple[Instance, ...]: ...
        def setup(self, item: pytest.Item) -> list[Instance]: ...
        def teardown(self, item: pytest.Item) -> list[Instance]: ...
        def make_room(self, item: pytest.Item) -> list[Instance]: ...

    def __init__(self, items: Iterable[pytest.Item]) -> None:
        super().__init__(self._param)
        self._kinds = Kinds()
        self._ahead: Ahead | None = None
        self._values = _Values()
        #: For each kind, that of its items that a mark skips.
        self._skipped: dict[Kind, Kind] = {}
        for item in items:
            self.add_unknown(item)

    def problems(self, item: pytest.Item) -> Sequence[Problem]:
        """Return why the item can't be set up: unknown fixtures, cycles, scopes that do not fit."""
        return self._kinds.problems.get(self.kind(item), ())

    def ahead(self, item: pytest.Item, node: pytest.Collector) -> Iterator[Instance]:
        """Yield what the planned order sets up before a fixture of ``node`` that the item needs.

        These are wider fixtures that tests to come need; the widest come first.
        """
        place = self._kinds.place(node)
        return iter(()) if place is None else self._ahead_of(item, place)

    def _ahead_of(self, item: pytest.Item, place: Place) -> Iterator[Instance]:
        if self._ahead is None:
            self._ahead = Ahead(self)
        for instance in self._ahead.before(item, place):
            if self._kinds.sees(item, instance):
                yield instance

    def trace(self, *, is_order_planned: bool = False) -> Iterator[Event]:
        """Yield what happens in a run, if nothing fails and nothing is requested late.

        With ``is_order_planned``, as with the ini value ``trio_fixture_order = plan``.

        An ``Event`` has ``what`` happens (``"setup"``, ``"test"`` or ``"teardown"``), the ``item`` for which
        it happens, and the ``instance``.  pytest keeps fixtures longer than they are used, to the end of
        their scope, and sets some up again; so this has what ``setup`` and ``teardown`` leave out.
        """
        return trace(self, self._ahead_of) if is_order_planned else trace(self)

    # ---------------------------------------------------------------- build

    def add_unknown(self, item: pytest.Item) -> None:
        """Plan an item after those before it."""
        kind = self._kinds.kind(item)
        if is_skipped_by_mark(item):
            kind = self._skipped.setdefault(kind, Kind((), (), kind.chain))
        keys: tuple[Hashable, ...] = ()
        if kind.varied:
            params = item.callspec.params  # type: ignore[attr-defined]
            steps = [kind.steps[position] for position in kind.varied]
            keys = tuple(self._values.key(step.definition, params[step.name]) for step in steps)
        self.add(item, item.nodeid, kind, keys)

    def _param(self, item: Any, step: Step) -> tuple[str, Hashable] | None:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        if step.name not in params:
            return None
        key = self._values.key(step.definition, params[step.name])
        return id_of_param(item, step.name), key


class _Values:
    """Tells the parameters of a fixture from each other, as pytest does: by ``==``."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, dict[object, int]] = {}
        #: The last value of a fixture that can't be hashed, with its key.
        self._last: dict[Hashable, tuple[object, int]] = {}

    def key(self, definition: Hashable, value: object) -> int:
        """Return a number that is the same for equal parameters of a fixture."""
        keys = self._keys.setdefault(definition, {})
        try:
            return keys.setdefault(value, len(keys))
        except Exception:  # whatever the value's own code raises
            return self._key_by_identity(definition, value)

    def _key_by_identity(self, definition: Hashable, value: object) -> int:
        keys = self._keys[definition]
        last, key = self._last.get(definition, (None, -1))
        if key == -1 or not _are_equal(last, value):
            # The tuple keeps what the value is known by from being taken for one.
            key = keys.setdefault((self, id(value)), len(keys))
            self._last[definition] = value, key
        return key


def _are_equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # the same
        return one is other


def id_of_param(item: Any, name: str) -> str:
    """Return the id of a parameter of the item, as it stands in the item's name where that is known."""
    callspec = item.callspec
    ids = param_ids(item)
    if len(ids) == len(callspec.params):  # each has one of its own
        return ids[list(callspec.params).index(name)]
    value = callspec.params[name]
    return str(value) if isinstance(value, _PLAIN_TYPES) else f"{name}{callspec.indices[name]}"
