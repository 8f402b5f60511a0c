"""The nodes that are set up while many tests run at once, with nodes that only trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from pytest_trio_scoped._setup_tree import SetupTree


class Node:
    """A node with the part of pytest's that counts here."""

    def __init__(
        self, name: str, parent: Node | None = None, error: BaseException | None = None
    ) -> None:
        self.name = name
        self.parent = parent
        self.error = error
        self.trace: list[str] = parent.trace if parent else []

    def listchain(self) -> list[Node]:
        """Return the nodes down to this one."""
        return [*(self.parent.listchain() if self.parent else ()), self]

    def setup(self) -> None:
        """Trace, and raise if that is wanted."""
        self.trace.append(f"set up {self.name}")
        if self.error is not None:
            raise self.error

    def teardown(self) -> None:
        """Trace."""
        self.trace.append(f"tear down {self.name}")


class Tree:
    """A setup tree of a session with modules ``a`` and ``b`` and two tests in each."""

    def __init__(self, *items: str, hold: Callable[[], AbstractContextManager[object]]) -> None:
        self.session = Node("session")
        self.trace = self.session.trace
        self.nodes = {name: Node(name, self.session) for name in "ab"}
        for name in ("a1", "a2", "b1", "b2"):
            self.nodes[name] = Node(name, self.nodes[name[0]])
        self.at_hand: Any = None
        self.left: list[str] = []
        self.held: list[str] = []
        self._hold = hold
        self.state = SetupTree(
            [self.nodes[name] for name in items],  # type: ignore[misc]
            lambda: self.at_hand,
            self.hold,
            lambda node: node.name not in self.held,
            lambda node: self.left.append(node.name),
        )

    @contextmanager
    def hold(self, node: Any) -> Iterator[None]:
        """Hold a node, and note which."""
        self.held.append(node.name)
        with self._hold():
            yield
        self.held.remove(node.name)

    def setup(self, name: str) -> None:
        """Set a test up."""
        self.state.setup(self.nodes[name])  # type: ignore[arg-type]

    def teardown(self, name: str, next_name: str | None = None) -> None:
        """Tear a test down."""
        self.at_hand = self.nodes[name]
        try:
            self.state.teardown_exact(self.nodes[next_name] if next_name else None)  # type: ignore[arg-type]
        finally:
            self.at_hand = None

    def take_trace(self) -> list[str]:
        """Return what has been traced since the last call."""
        taken = list(self.trace)
        self.trace.clear()
        return taken


def tree(
    *items: str, hold: Callable[[], AbstractContextManager[object]] = pytest.MonkeyPatch.context
) -> Tree:
    """Make a tree with these items to come."""
    return Tree(*items, hold=hold)


def test_a_node_is_set_up_once_and_left_with_the_last_of_its_tests() -> None:
    it = tree("a1", "a2", "b1")
    it.setup("a1")
    it.setup("b1")
    it.setup("a2")
    assert it.take_trace() == [
        *("set up session", "set up a", "set up a1", "set up b", "set up b1", "set up a2"),
    ]
    it.teardown("a1")
    it.teardown("b1")
    assert it.take_trace() == ["tear down a1", "tear down b1", "tear down b"]
    it.teardown("a2")
    assert it.take_trace() == ["tear down a2", "tear down a", "tear down session"]
    assert it.left == ["a1", "b1", "b", "a2", "a", "session"]
    assert not it.state.stack


def test_finalizers_run_with_their_node_the_last_first() -> None:
    it = tree("a1", "a2")
    it.setup("a1")
    it.setup("a2")
    for name in ("one", "two"):
        it.state.addfinalizer(lambda name=name: it.trace.append(name), it.nodes["a"])  # type: ignore[misc, arg-type]
    it.take_trace()
    it.teardown("a1")
    it.teardown("a2")
    assert it.take_trace() == [
        *("tear down a1", "tear down a2", "two", "one", "tear down a", "tear down session"),
    ]


def test_nodes_that_others_use_are_held_while_they_are_set_up_and_left() -> None:
    it = tree("a1")
    seen = {}
    for name, node in {"session": it.session, **it.nodes}.items():
        node.setup = lambda name=name: seen.update({name: list(it.held)})  # type: ignore[method-assign, misc]
    it.setup("a1")
    assert seen == {"session": ["session"], "a": ["a"], "a1": []}
    it.state.addfinalizer(lambda: seen.update(left=list(it.held)), it.nodes["a"])  # type: ignore[arg-type]
    it.teardown("a1")
    assert seen["left"] == ["a"]


def test_a_set_up_that_failed_is_told_to_all_and_done_once() -> None:
    it = tree("a1", "a2")
    it.nodes["a"].error = ValueError("of a")
    for name in ("a1", "a2"):
        with pytest.raises(ValueError, match="of a"):
            it.setup(name)
    assert it.take_trace() == ["set up session", "set up a"]
    it.teardown("a1")
    it.teardown("a2")
    assert it.take_trace() == ["tear down a", "tear down session"]


def test_all_that_tear_downs_raise_comes_out_and_all_is_left() -> None:
    it = tree("a1")
    it.setup("a1")

    def fail(name: str) -> None:
        raise ValueError(name)

    it.state.addfinalizer(lambda: fail("a1"), it.nodes["a1"])  # type: ignore[arg-type]
    it.state.addfinalizer(lambda: fail("a"), it.nodes["a"])  # type: ignore[arg-type]
    with pytest.raises(BaseExceptionGroup, match="errors during test teardown") as caught:
        it.teardown("a1")
    assert sorted(map(str, caught.value.exceptions)) == ["a", "a1"]
    assert not it.state.stack


def test_one_error_stays_itself() -> None:
    it = tree("a1")
    it.setup("a1")
    it.state.addfinalizer(lambda: pytest.fail("alone"), it.nodes["a1"])  # type: ignore[arg-type]
    with pytest.raises(pytest.fail.Exception, match="alone"):
        it.teardown("a1")
    assert not it.state.stack


def test_what_ctrl_c_left_is_torn_down_at_the_end() -> None:
    it = tree("a1")
    it.setup("a1")

    def interrupt() -> None:
        raise KeyboardInterrupt

    it.state.addfinalizer(lambda: it.trace.append("first"), it.nodes["a"])  # type: ignore[arg-type]
    it.state.addfinalizer(interrupt, it.nodes["a"])  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        it.teardown("a1")
    it.take_trace()
    it.state.teardown_exact(None)
    assert it.take_trace() == ["first", "tear down a", "tear down session"]


def test_a_test_that_is_run_again_keeps_what_others_need() -> None:
    it = tree("a1", "a2")
    for _ in range(3):
        it.setup("a1")
        it.teardown("a1")
    it.setup("a2")
    assert it.take_trace().count("set up a") == 1
    it.teardown("a2")
    assert it.take_trace() == ["tear down a2", "tear down a", "tear down session"]


def test_a_test_whose_nodes_a_plugin_takes_out_leaves_nothing_but_itself() -> None:
    """That is how pytest-rerunfailures keeps them for its next run."""
    it = tree("a1")
    it.setup("a1")
    it.take_trace()
    it.at_hand = it.nodes["a1"]
    for node in list(it.state.stack):
        if node is not it.at_hand:
            del it.state.stack[node]
    it.teardown("a1")
    assert it.take_trace() == ["tear down a1"]
    it.setup("a1")
    assert it.take_trace() == ["set up a1"]
    it.teardown("a1")
    assert it.take_trace() == ["tear down a1", "tear down a", "tear down session"]


def test_the_last_test_sets_its_nodes_up_again_when_it_is_run_again() -> None:
    it = tree("a1")
    for _ in range(2):
        it.setup("a1")
        it.teardown("a1")
        assert not it.state.stack
    assert it.take_trace().count("set up a") == 2


def test_a_test_that_was_torn_down_only_is_over_as_well() -> None:
    it = tree("a1", "a2")
    it.teardown("a1")
    it.setup("a2")
    it.teardown("a2")
    it.teardown("a2")
    assert not it.state.stack
    it.setup("a1")
    it.teardown("a1")
    assert not it.state.stack


def test_an_item_that_comes_twice_keeps_its_nodes_in_between_only() -> None:
    it = tree("a1", "a1")
    it.setup("a1")
    it.teardown("a1")
    it.setup("a1")
    assert it.take_trace().count("set up a") == 1
    it.teardown("a1")
    assert it.take_trace()[-3:] == ["tear down a1", "tear down a", "tear down session"]
    assert not it.state.stack


def test_an_item_that_comes_twice_may_be_run_again_as_well() -> None:
    it = tree("a1", "a1")
    for _ in range(3):
        it.setup("a1")
        it.teardown("a1")
    assert not it.state.stack


def test_nothing_is_kept_for_tests_that_will_not_come() -> None:
    it = tree("a1", "a2", "b1")
    it.setup("a1")
    it.take_trace()
    it.state.give_up([it.nodes["a2"], it.nodes["b1"]])  # type: ignore[list-item]
    it.teardown("a1")
    assert it.take_trace() == ["tear down a1", "tear down a", "tear down session"]


def test_at_the_end_of_the_session_all_is_torn_down() -> None:
    it = tree("a1", "a2", "b1")
    it.setup("a1")
    it.teardown("a1")
    it.setup("b1")
    it.take_trace()
    it.state.teardown_exact(None)
    assert it.take_trace() == [
        *("tear down b1", "tear down b", "tear down a", "tear down session"),
    ]
