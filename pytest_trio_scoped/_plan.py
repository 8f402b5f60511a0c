"""The fixture plan on plain names, scopes and edges; it runs nothing and knows nothing of pytest.

Tests come in *kinds*: tests of one kind stand at the same place of the collection tree and need the same
fixtures, so what they need is worked out once.  An *instance* is one set-up of a fixture, as long as it
lasts.  It is wide if it may serve several tests, narrow if it lives with one.  Narrow instances are most
of all, so they are made when somebody asks for them, and forgotten with their test.

A wide instance is found by its definition, its place, its own parameter, and the instances of
parametrized fixtures among its requirements, directly or through others: a session fixture that requests a
parametrized one is another instance for each parameter.

Whatever is looked at or counted here is looked at once for each test and each of its wide fixtures.
Pinned by ``tests/test_plan.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from ._plan_parts import Instance, Item, Kind, Place, Step


class _Need:
    """What one item needs."""

    __slots__ = ("kind", "node_id", "pending", "steps", "wide")

    def __init__(
        self,
        node_id: str,
        kind: Kind,
        steps: tuple[Instance | None, ...],
        wide: tuple[Instance, ...],
    ) -> None:
        self.node_id = node_id
        self.kind = kind
        #: The wide instance of each step, None where it is narrow.
        self.steps = steps
        #: All wide instances, in the order of set-up.
        self.wide = wide
        #: How many times the item is still to come.
        self.pending = 0


class Plan:
    """All instances, which of them an item needs, and which are live.

    ``param_of`` takes an item and a step and returns the id of the parameter of that fixture, with what tells
    it from others; None if it has none.
    """

    def __init__(
        self,
        param_of: Callable[[Item, Step], tuple[str, Hashable] | None] = lambda _item, _step: None,
    ) -> None:
        self._param_of = param_of
        self._needs: dict[Item, _Need] = {}
        #: The items in the order of the run, with repetitions.
        self.items: list[Item] = []
        self._wide: dict[Hashable, Instance] = {}
        #: For each parametrized definition, which instance is used how many times, in the order of the run.
        self._turns: dict[Hashable, deque[tuple[Instance, list[int]]]] = {}
        #: The instances of items that somebody has asked for.
        self._made: dict[Item, tuple[Instance, ...]] = {}
        self._is_complete = False
        #: In the order of set-up.
        self._live: dict[Instance, None] = {}
        self._live_varied: dict[Hashable, Instance] = {}

    # ---------------------------------------------------------------- build

    def add(self, item: Item, node_id: str, kind: Kind, keys: tuple[Hashable, ...] = ()) -> None:
        """Plan an item after those before it; ``keys`` are those of the parameters of ``kind.varied``.

        An item may be added several times: then it comes several times.
        """
        need = self._needs.get(item)
        is_new = need is None
        if need is None:
            resolved = kind.resolved.get(keys)
            if resolved is None:
                resolved = kind.resolved[keys] = self._resolve(item, kind, keys)
            need = self._needs[item] = _Need(node_id, kind, *resolved)
        self.items.append(item)
        need.pending += 1
        for instance in need.wide:
            instance.pending += 1
            if is_new:
                instance.users.append(item)
            if instance.is_varied:
                turns = self._turns.setdefault(instance.definition, deque())
                if not turns or turns[-1][0] is not instance:
                    turns.append((instance, [0]))
                turns[-1][1][0] += 1

    def _resolve(
        self, item: Item, kind: Kind, keys: tuple[Hashable, ...]
    ) -> tuple[tuple[Instance | None, ...], tuple[Instance, ...]]:
        """Find or make the wide instances of the items of a kind with these parameters."""
        key_of = dict(zip(kind.varied, keys, strict=True))
        steps: list[Instance | None] = []
        used: dict[Instance, None] = {}
        for position, (step, home) in enumerate(zip(kind.steps, kind.homes, strict=True)):
            instance = None
            if home is not None:
                requires = [steps[each] for each in step.requires]
                wide = tuple(each for each in requires if each is not None)
                # What requests a narrow one goes with it, so it is narrow, whatever its scope.
                if len(wide) == len(requires):
                    instance = self._find(item, step, home, key_of.get(position), wide)
                    _add_with_requirements(used, instance)
            steps.append(instance)
        return tuple(steps), tuple(used)

    def _find(
        self,
        item: Item,
        step: Step,
        home: Place,
        key: Hashable,
        requires: tuple[Instance, ...],
    ) -> Instance:
        varied = tuple(each for each in requires if each.is_varied)
        found_by = (step.definition, home, key, varied)
        instance = self._wide.get(found_by)
        if instance is None:
            places = [home, *(each.place or home for each in requires)]
            instance = self._wide[found_by] = Instance(
                step,
                home.node_id,
                self._id_of_param(item, step),
                requires,
                [],
                home,
                max(places, key=lambda each: each.depth),
                key,
                is_varied=key is not None or bool(varied),
            )
        return instance

    def _id_of_param(self, item: Item, step: Step) -> str | None:
        param = self._param_of(item, step)
        return None if param is None else param[0]

    # ---------------------------------------------------------------- look

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances, in the order in which the items need them first.

        Those of single items are made when this is asked for first, and from then on they are kept.
        """
        self._is_complete = True
        return tuple(dict.fromkeys(each for item in self._needs for each in self.needs(item)))

    def needs(self, item: Item) -> tuple[Instance, ...]:
        """Return all instances that the item needs, in the order of set-up."""
        made = self._made.get(item)
        if made is None:
            made = self._made[item] = self._make(item, self._need(item))
        return made

    def _make(self, item: Item, need: _Need) -> tuple[Instance, ...]:
        kind = need.kind
        steps: list[Instance] = []
        used: dict[Instance, None] = {}
        for step, home, wide in zip(kind.steps, kind.homes, need.steps, strict=True):
            instance = wide
            if instance is None:
                param_id, key = self._param_of(item, step) or (None, None)
                instance = Instance(
                    step,
                    need.node_id if home is None else home.node_id,
                    param_id,
                    tuple(steps[each] for each in step.requires),
                    [item],
                    home,
                    None,
                    key,
                )
            _add_with_requirements(used, instance)
            steps.append(instance)
        return tuple(used)

    def wide(self, item: Item) -> tuple[Instance, ...]:
        """Return the wide instances that the item needs, in the order of set-up."""
        return self._need(item).wide

    def kind(self, item: Item) -> Kind:
        """Return the kind of the item."""
        return self._need(item).kind

    def _need(self, item: Item) -> _Need:
        need = self._needs.get(item)
        if need is None:
            self.add_unknown(item)
            need = self._needs[item]
        return need

    def add_unknown(self, item: Item) -> None:
        """Plan an item that is asked for and has not been added; as it stands, that is an error."""
        raise KeyError(item)

    # ---------------------------------------------------------------- live

    @property
    def live(self) -> tuple[Instance, ...]:
        """The instances that have been set up and not torn down, in the order of set-up."""
        return tuple(self._live)

    def setup(self, item: Item) -> list[Instance]:
        """Return the instances to be set up for the item now, in order, and count them as live."""
        self.make_room(item)
        started = [instance for instance in self.needs(item) if instance not in self._live]
        for instance in started:
            self._live[instance] = None
            if instance.is_varied:
                self._live_varied[instance.definition] = instance
                self._skip_to(instance)
        return started

    def make_room(self, item: Item) -> list[Instance]:
        """Return the live instances in whose place others have to be set up, the first to be torn down first.

        They are counted as torn down.  These are instances with another parameter than the item needs; there
        are none as long as the items come in the planned order.
        """
        replaced = set()
        for instance in self._need(item).wide:
            if instance.is_varied:
                live = self._live_varied.get(instance.definition, instance)
                if live is not instance:
                    replaced.add(live)
        return self._end(replaced)

    def teardown(self, item: Item) -> list[Instance]:
        """Return the live instances that die with the item, the first to be torn down first.

        They are counted as torn down.  An instance dies when no item to come uses it, or when the next one
        that uses its fixture does so with another parameter; with it die those that require it.

        An item that is not run has to be torn down as well, for others to die in time.
        """
        need = self._need(item)
        if need.pending:
            need.pending -= 1
            for instance in need.wide:
                instance.pending -= 1
                if instance.is_varied:
                    self._count_turn(instance)
        over = {
            instance
            for instance in self._made.get(item, need.wide)
            if instance in self._live and self._is_over(instance)
        }
        if not (self._is_complete or need.pending):
            self._made.pop(item, None)
        return self._end(over)

    def _is_over(self, instance: Instance) -> bool:
        if instance.place is None or not instance.pending:
            return True
        if not instance.is_varied:
            return False
        turns = self._turns[instance.definition]
        return not turns or turns[0][0] is not instance

    def _end(self, over: set[Instance]) -> list[Instance]:
        """End instances and those that require them, the closest to the item and the youngest first."""
        if not over:
            return []
        dying = []
        for age, instance in enumerate(self._live):
            if instance in over or not over.isdisjoint(instance.requires):
                over.add(instance)
                depth = float("inf") if instance.place is None else instance.place.depth
                dying.append((depth, age, instance))
        dying.sort(key=lambda each: each[:2], reverse=True)
        for _, _, instance in dying:
            del self._live[instance]
            if instance.is_varied and self._live_varied.get(instance.definition) is instance:
                del self._live_varied[instance.definition]
        return [instance for _, _, instance in dying]

    def _count_turn(self, instance: Instance) -> None:
        turns = self._turns[instance.definition]
        for whose, uses in turns:
            if whose is instance and uses[0]:
                uses[0] -= 1
                break
        while turns and not turns[0][1][0]:
            turns.popleft()

    def _skip_to(self, instance: Instance) -> None:
        """Take it that the turns before this instance's have been left out, if it has one to come."""
        turns = self._turns[instance.definition]
        if any(whose is instance for whose, _ in turns):
            while turns[0][0] is not instance:
                turns.popleft()


def _add_with_requirements(used: dict[Instance, None], instance: Instance) -> None:
    """Add ``instance`` after what it requires.

    Most of that is there already; not what a shared instance requires that was found for another item, for
    which a name may mean another fixture.
    """
    if instance not in used:
        for each in instance.requires:
            _add_with_requirements(used, each)
        used[instance] = None
