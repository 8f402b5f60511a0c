"""Make a suite smaller for as long as it shows a difference."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from twin_parts import Description

_Path = tuple[str | int, ...]


def shrink(suite: Description, still_differs: Callable[[Description], bool]) -> Description:
    """Return a suite, as small as it gets, for which ``still_differs`` is true."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        number = 0
        # After a success, go on with what comes next: what has been in vain mostly still is.
        while number < len(steps := list(_steps(suite))):
            smaller = copy.deepcopy(suite)
            _take(smaller, *steps[number])
            if still_differs(smaller):
                suite, is_smaller = smaller, True
            else:
                number += 1
    return suite


def _steps(suite: Description) -> Iterator[tuple[_Path, Any]]:
    """Yield what can be taken away, the large parts first: where it is, and what to put in its place."""
    parts: list[tuple[_Path, Any]] = [((), suite)]
    while parts:
        path, part = parts.pop(0)
        if not dataclasses.is_dataclass(part):
            continue
        for field in dataclasses.fields(part):
            value, where = getattr(part, field.name), (*path, field.name)
            if isinstance(value, list):
                for index in reversed(range(len(value))):
                    yield (*where, index), None
                    parts.append(((*where, index), value[index]))
            elif field.default is not dataclasses.MISSING and value != field.default:
                yield where, field.default


def _take(suite: Description, path: _Path, default: Any) -> None:
    """Take what is at ``path`` out of its list, or put the default there."""
    part: Any = suite
    for name in path[:-1]:
        part = part[name] if isinstance(part, list) else getattr(part, str(name))
    if isinstance(part, list):
        del part[path[-1]]
    else:
        setattr(part, str(path[-1]), default)
