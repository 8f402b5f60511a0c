"""Tests that can't be set up, whatever happens: found when they are collected.

pytest finds a fixture that does not exist, that requests itself, or that requests one with a narrower scope,
when it sets the first test up that needs it, which may be at the end of a long run.  All that is known
before anything runs.  It is reported as an error of the collection, so that nothing runs.

Suites that have nothing to do with this plugin are left alone: it looks at tests that are ours, or use an
async fixture of ours; at all with ``--trio-plan``.  Tests that may pass nonetheless are left to pytest
(``_may_pass``).
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable

import pytest

from . import _errors
from ._kinds import Kinds
from ._locations import location_of
from ._may_pass import may_be_provided, may_be_skipped
from ._ownership import body_of, is_async, is_inside, is_our_test, is_ours_for
from ._plan_parts import Kind
from ._plan_steps import Problem
from ._pytest_names import UnittestItem, all_definitions, visible_definitions
from ._session import TrioSession
from ._setup_functions import PAIR_ATTRIBUTE


def check(session: pytest.Session, trio_session: TrioSession, *, is_for_all: bool) -> None:
    """Report what is wrong with what the tests request, once for each cause."""
    found: dict[Hashable, list[tuple[pytest.Item, Problem]]] = {}
    kinds = Kinds()
    for item in session.items:
        kind = kinds.kind(item)
        for problem in kinds.problems.get(kind, ()):
            if _is_of_set_up_function(problem):
                continue  # these are told of by "_setup_fixtures", in all suites
            is_concerned = is_for_all or _is_ours(trio_session, item, kind)
            if is_concerned and _is_certain(item, kind, problem):
                found.setdefault(_cause(item, problem), []).append((item, problem))
    for items in found.values():
        _report(items)


def _is_ours(session: TrioSession, item: pytest.Item, kind: Kind) -> bool:
    """Say whether the test is ours, or uses a fixture that is set up inside."""
    if (
        isinstance(item, pytest.Function)
        and not isinstance(item, UnittestItem)
        and is_async(body_of(item.obj))
        and is_our_test(session, item)
    ):
        return True
    functions = [step.definition.func for step in kind.steps]
    return any(
        is_inside(function) and is_ours_for(session, function, item) for function in functions
    )


def _is_of_set_up_function(problem: Problem) -> bool:
    requesting = problem.definitions[: len(problem.names) - 1]
    return bool(requesting) and hasattr(requesting[-1].func, PAIR_ATTRIBUTE)


def _is_certain(item: pytest.Item, kind: Kind, problem: Problem) -> bool:
    if problem.names[0] in (getattr(item, "funcargs", None) or ()):
        return False  # somebody has provided it already
    if problem.what == "unknown" and may_be_provided(item):
        return False
    return not may_be_skipped(item, (step.definition.func for step in kind.steps))


def _cause(item: pytest.Item, problem: Problem) -> Hashable:
    """Return what is the same for all tests that can't be set up for the same reason."""
    if not problem.definitions:
        return item.parent, getattr(item, "originalname", item.name), problem.names
    return problem.what, problem.definitions[-2:], problem.names[-1]


def _report(items: list[tuple[pytest.Item, Problem]]) -> None:
    item, problem = items[0]
    message = _message(item, problem)
    if len(items) > 1:
        message += "\n" + _errors.FIXTURE_MORE.format(count=len(items) - 1)
    report = pytest.CollectReport(item.nodeid, "failed", message, [])
    item.ihook.pytest_collectreport(report=report)


def _message(item: pytest.Item, problem: Problem) -> str:
    chain = _chain(item, problem)
    name = problem.names[-1]
    if problem.what == "unknown":
        hint = _hint(item, name)
        return _errors.FIXTURE_UNKNOWN.format(nodeid=item.nodeid, name=name, chain=chain, hint=hint)
    if problem.what == "cycle":
        return _errors.FIXTURE_CYCLE.format(nodeid=item.nodeid, name=name, chain=chain)
    narrow = problem.definitions[-1]
    return _errors.FIXTURE_SCOPE.format(
        nodeid=item.nodeid,
        wide=f"{problem.names[-2]!r} (scope {problem.scope!r})",
        narrow=f"{name!r} (scope {narrow.scope!r})",
        chain=chain,
        narrow_name=name,
        wide_name=problem.names[-2],
        scope=problem.scope,
    )


def _chain(item: pytest.Item, problem: Problem) -> str:
    """Return who requests whom, from the test on, a line for each."""
    root = item.config.rootpath
    lines = []
    if hasattr(item, "obj"):
        lines.append(f"{item.name}  {location_of(item.obj, root)}")
    else:
        lines.append(item.name)
    for name, definition in zip(problem.names, problem.definitions, strict=False):
        lines.append(f"-> {name}  {location_of(definition.func, root)}")
    lines += [f"-> {name}" for name in problem.names[len(problem.definitions) :]]
    return "\n".join(f"    {line}" for line in lines)


def _hint(item: pytest.Item, name: str) -> str:
    """Return what else may have been meant."""
    names = {each.argname for each in all_definitions(item.session)}
    close = difflib.get_close_matches(name, sorted(names))
    visible = [repr(each) for each in close if visible_definitions(item, each)]
    return _errors.FIXTURE_HINT.format(names=", ".join(visible)) if visible else ""
