"""What a set-up function takes, told from its signature."""

# ruff: noqa: ARG005  (what a lambda takes is what is looked at)
from __future__ import annotations

import functools
import inspect
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from pytest_trio_scoped._setup_functions import Pair, SetupFunction, fixture_function


def _of(function: Any, kind: str) -> SetupFunction:
    found = SetupFunction.of(SimpleNamespace(name=function), "name", kind)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("function", "takes_node", "fixtures"),
    [
        (lambda: None, False, ()),
        (lambda _: None, True, ()),
        (lambda anything, database: None, True, ("database",)),
        (lambda module=None, *, database: None, True, ("database",)),
        (lambda *, database: None, False, ("database",)),
        (lambda module, a, b=1, *c, d, e=2, **f: None, True, ("a", "d")),
        (lambda *everything, **named: None, False, ()),
    ],
)
@pytest.mark.parametrize("kind", ["module", "function", "class"])
def test_the_first_parameter_is_what_pytest_passes(
    function: Any, kind: str, takes_node: bool, fixtures: tuple[str, ...]
) -> None:
    found = _of(function, kind)
    assert (found.takes_node, found.fixtures) == (takes_node, fixtures)


@pytest.mark.parametrize("kind", ["session", "directory"])
def test_for_sessions_and_directories_all_parameters_are_fixtures(kind: str) -> None:
    found = _of(lambda a, b, *, c: None, kind)
    assert (found.takes_node, found.fixtures) == (False, ("a", "b", "c"))


class _Methods:
    def plain(self, method: object, a: object) -> None: ...
    @classmethod
    def of_class(cls, method: object, b: object) -> None: ...
    @staticmethod
    def static(method: object, c: object) -> None: ...
    def only_self(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "takes_node", "fixtures"),
    [
        ("plain", True, ("a",)),
        ("of_class", True, ("b",)),
        ("static", True, ("c",)),
        ("only_self", False, ()),
    ],
)
def test_methods_of_all_kinds(name: str, takes_node: bool, fixtures: tuple[str, ...]) -> None:
    found = SetupFunction.of(_Methods, name, "method")
    assert found is not None
    assert (found.takes_node, found.fixtures) == (takes_node, fixtures)


def test_what_a_decorated_function_takes_is_what_the_function_below_takes() -> None:
    def below(module: object, database: object) -> None: ...

    @functools.wraps(below)
    def decorated(*args: object, **kwargs: object) -> None: ...

    assert _of(decorated, "module").fixtures == ("database",)


def test_what_a_decorator_passes_by_itself_is_no_fixture() -> None:
    def below(module: object, value: int) -> None: ...

    @functools.wraps(below)
    def decorated(*args: object) -> None: ...

    assert _of(decorated, "module").fixtures == ()


def _two(module: object, first: object, second: object, *, database: object) -> None: ...
def _named(module: object, database: object, getcwd: object, listdir: object) -> None: ...
def _mocks_only(first: object, second: object) -> None: ...


_twice = mock.patch("os.getcwd")(mock.patch("os.listdir")(_two))
_new = mock.patch("os.getcwd", new=None)(mock.patch("os.listdir")(_two))
_by_name = mock.patch.multiple("os", getcwd=mock.DEFAULT, listdir=mock.DEFAULT)(_named)
_without_node = mock.patch("os.getcwd")(mock.patch("os.listdir")(_mocks_only))


@pytest.mark.parametrize(
    ("function", "takes_node", "fixtures"),
    [
        (_twice, True, ("database",)),
        (_new, True, ("second", "database")),
        (_by_name, True, ("database",)),
        (_without_node, False, ()),
    ],
)
def test_what_mock_passes_is_no_fixture(
    function: Any, takes_node: bool, fixtures: tuple[str, ...]
) -> None:
    found = _of(function, "module")
    assert (found.takes_node, found.fixtures) == (takes_node, fixtures)


@pytest.mark.parametrize("what", [None, 42, pytest.fixture(lambda: None), SimpleNamespace()])
def test_what_is_no_function_is_left_alone(what: object) -> None:
    assert SetupFunction.of(SimpleNamespace(name=what), "name", "module") is None


def test_the_fixture_requests_what_both_functions_take() -> None:
    pair = Pair(_of(lambda _, a, b: None, "module"), _of(lambda _, b, c: None, "module"))
    assert pair.fixtures == ["a", "b", "c"]
    assert list(inspect.signature(fixture_function(pair)).parameters) == ["request", "a", "b", "c"]


def test_a_request_that_is_asked_for_is_requested_once() -> None:
    pair = Pair(_of(lambda _, request: None, "module"), None)
    assert list(inspect.signature(fixture_function(pair)).parameters) == ["request"]
