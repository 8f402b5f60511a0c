"""The nodes that are set up, while many tests run at once.

pytest keeps one stack of nodes, and leaves what the next test does not need.  With many tests in flight
that is a tree: a node is left when the last of its tests has been torn down.

Pinned by ``tests/test_setup_tree.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import pytest

from ._pytest_names import SetupState, shows_frames

_Node = Any

#: What pytest takes for the outcome of a test.
_OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception, Exception)


class SetupTree(SetupState):
    """In place of pytest's ``SetupState``.

    ``item_at_hand`` returns the test whose phase calls, ``None`` if that is nobody's; ``hold`` keeps others
    from a node while one is at it, and ``is_free`` says that nobody is; ``on_left`` is called with a node
    that has been torn down.
    """

    def __init__(
        self,
        items: Iterable[pytest.Item],
        item_at_hand: Callable[[], pytest.Item | None],
        hold: Callable[[object], AbstractContextManager[object]],
        is_free: Callable[[object], bool],
        on_left: Callable[[_Node], object],
    ) -> None:
        self._stack: dict[_Node, Any] = {}
        self._item_at_hand = item_at_hand
        self._hold = hold
        self._is_free = is_free
        self._on_left = on_left
        #: How often each test is still to come, as planned: a plugin may run it more often.
        self._to_come: Counter[pytest.Item] = Counter()
        #: Those that have come and not gone.
        self._present: set[pytest.Item] = set()
        #: Those that a plugin is about to run again.
        self._again: set[pytest.Item] = set()
        #: For each node, how many of its tests are to come or present.
        self._users: Counter[Any] = Counter()
        #: Those that are being torn down.
        self._leaving: set[_Node] = set()
        self.expect(items)

    def expect(self, items: Iterable[pytest.Item]) -> None:
        """Note that ``items`` will come."""
        for item, times in Counter(items).items():
            self._to_come[item] += times
            self._users.update(dict.fromkeys(item.listchain(), times))

    @property
    def stack(self) -> Any:  # type: ignore[override]
        """The nodes that are set up; a test in flight sees its own."""
        item = self._item_at_hand()
        return self._stack if item is None else _OwnNodes(self._stack, item, self._expect_again)

    def _expect_again(self, item: pytest.Item) -> None:
        self._again.add(item)
        if item in self._present and not self._to_come[item]:
            self.expect([item])

    def setup(self, item: pytest.Item) -> None:
        """Set up the nodes around ``item``, and itself."""
        __tracebackhide__ = True
        self._come(item)
        for node in item.listchain():
            if node is item or (node in self._stack and self._is_free(node)):
                self._enter(node)
            else:
                with self._hold(node):
                    self._enter(node)

    def _come(self, item: pytest.Item) -> None:
        if item in self._present:
            return
        self._present.add(item)
        if self._to_come[item] > 0:
            self._to_come[item] -= 1
        else:
            self._users.update(item.listchain())

    def _enter(self, node: _Node) -> None:
        __tracebackhide__ = True
        if node in self._stack:
            failure = self._stack[node][1]
            if failure is not None:
                raise failure[0].with_traceback(failure[1])
            return
        self._stack[node] = ([node.teardown], None)
        try:
            node.setup()
        except _OUTCOMES as error:
            self._stack[node] = (self._stack[node][0], (error, error.__traceback__))
            raise

    def teardown_exact(self, nextitem: pytest.Item | None) -> None:
        """Tear down the test at hand, and what was in use by it only."""
        __tracebackhide__ = True
        item = self._item_at_hand()
        if item is None:
            super().teardown_exact(nextitem)
            return
        errors: list[BaseException] = []
        self._come(item)  # if its set-up has failed before it got here
        self._present.remove(item)
        if item in self._again:
            self._again.remove(item)
            if item in self._stack:  # it has its own fixtures anew; what is around it is kept
                errors += self._leave(item)
        for node in reversed(item.listchain()):
            # Whoever uses a node uses those around it, so these can't be left before it.
            self._users[node] -= 1
            if self._users[node] or node not in self._stack:
                continue
            with self._hold(node):
                if not self._users[node]:
                    errors += self._leave(node)
        if len(errors) == 1:
            __tracebackhide__ = _is_without_us(errors[0])
            raise errors[0]
        if errors:
            __tracebackhide__ = False
            raise BaseExceptionGroup("errors during test teardown", errors[::-1])

    def addfinalizer(self, finalizer: Callable[[], object], node: _Node) -> None:
        """Let ``finalizer`` be called when ``node`` is left, which may be one of another test."""
        assert node in self._stack, node
        self._stack[node][0].append(finalizer)

    def is_leaving(self, node: _Node) -> bool:
        """Say whether ``node`` is being torn down."""
        return node in self._leaving

    def give_up(self, items: Iterable[pytest.Item]) -> None:
        """Note that ``items`` will not come, so that nothing is kept for them."""
        for item in items:
            self._to_come[item] -= 1
            self._users.subtract(item.listchain())

    def _leave(self, node: _Node) -> list[BaseException]:
        """Tear ``node`` down as pytest does; return what it raises."""
        __tracebackhide__ = True
        self._leaving.add(node)
        alone = SetupState()
        alone.stack[node] = entry = self._stack.pop(node)
        try:
            alone.teardown_exact(None)
        except _OUTCOMES as error:
            __tracebackhide__ = _is_without_us(error)
            return [error]
        except BaseException as error:
            __tracebackhide__ = _is_without_us(error)
            if entry[0]:  # what Ctrl-C has left is torn down at the end
                self._stack[node] = entry
            raise
        finally:
            self._leaving.remove(node)
            self._on_left(node)
        return []


def _is_without_us(error: BaseException) -> bool:
    """Say whether our frames may be hidden: a group that shows no frame at all crashes pytest before 9.0."""
    return not isinstance(error, BaseExceptionGroup) or shows_frames(error)


class _OwnNodes(MutableMapping[_Node, Any]):
    """The nodes of one test, for plugins.

    pytest-rerunfailures takes those out that it wants kept for the next run of the test, and puts them back
    when that is the last.  Here they are kept by counting the test once more, for all of its nodes.
    """

    def __init__(
        self,
        stack: dict[_Node, Any],
        item: pytest.Item,
        expect_again: Callable[[pytest.Item], object],
    ) -> None:
        self._stack = stack
        self._item = item
        self._expect_again = expect_again

    def __iter__(self) -> Iterator[_Node]:
        return (node for node in self._item.listchain() if node in self._stack)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, node: _Node) -> Any:
        return self._stack[node]

    def __setitem__(self, node: _Node, value: object) -> None:
        if node is self._item:
            self._stack[node] = value

    def __delitem__(self, node: _Node) -> None:
        if node is self._item:
            del self._stack[node]
        else:
            self._expect_again(self._item)
