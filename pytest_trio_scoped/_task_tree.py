"""The tasks of a loop as a text: who has started whom, and where in the user's code each waits.

For a task that drives a greenlet, that is where the greenlet's code waits.

Pinned by ``tests/test_task_tree.py``.
"""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, TypeAlias

import greenlet
import trio

from ._drivers import Host
from ._exceptions import is_foreign_file
from ._loop import Loop

#: A frame and the line at which it stands.
Place: TypeAlias = tuple[FrameType, int]

#: Where what is installed lives, which is of less interest than what is tested.
_INSTALLED = tuple(
    path + os.sep for name, path in sysconfig.get_paths().items() if name.endswith("lib")
)
_STEP: CodeType = Loop.step.__code__


def describe_tasks(loop: Loop) -> str:
    """Return the tree of the tasks in which the user's code runs, a line or two each.

    For a loop whose greenlet runs, or stands still.
    """
    return "" if loop.root_task is None else "\n".join(_lines_below(loop, loop.root_task))


def describe_tasks_of_stuck(loop: Loop) -> str:
    """Do the same in another thread, while that of the loop is in sync code.  Never raises."""
    try:
        return describe_tasks(loop)
    except Exception as error:
        return f"(They have changed meanwhile: {error!r})"


def _lines_below(loop: Loop, task: trio.lowlevel.Task, indent: str = "") -> Iterator[str]:
    # Nurseries keep their tasks in sets, which have no order.  Tests first: it is their tree.
    for each in sorted(
        _shown_below(loop, task), key=lambda each: (each.name[:7] == "fixture", each.name)
    ):
        yield f"{indent}- {each.name}"
        host = loop.drivers.hosts.get(each)
        place = _place(list(each.iter_await_frames() if host is None else _places_in(host)))
        if place is not None:
            yield f"{indent}  {_describe(*place)}"
        yield from _lines_below(loop, each, indent + "  ")


def _shown_below(loop: Loop, task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """Yield the tasks that ``task`` has started, below those in which no code of the user's runs."""
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            if child not in loop.drivers.hosts and _is_machinery(child):
                yield from _shown_below(loop, child)
            else:
                yield child


def _is_machinery(task: trio.lowlevel.Task) -> bool:
    """Say whether ``task`` is one of this package's, or Trio's own for ``run_sync_soon``."""
    folder = Path(task.coro.cr_code.co_filename).parent
    return folder == Path(__file__).parent or task.name.startswith("<")


def _places_in(host: greenlet.greenlet) -> Iterator[Place]:
    """Yield where a greenlet stands, the outermost frame first; nothing if it is the running one."""
    frames: list[FrameType] = []
    frame = host.gr_frame
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    outermost = [i for i, each in enumerate(frames) if _is_pytests(each)]
    for each in reversed(frames[: outermost[-1]] if outermost else frames):
        yield each, each.f_lineno
    for each in frames:
        if each.f_code is _STEP:
            # Suspended while its trap is with Trio, so it is not among the frames.
            yield from _places_below(each.f_locals["coroutine"])
            break
    fixture: Any = host.fixture if isinstance(host, Host) else None
    if fixture is not None and not fixture.ag_running and fixture.ag_frame is not None:
        yield fixture.ag_frame, fixture.ag_frame.f_lineno  # at its "yield"


def _is_pytests(frame: FrameType) -> bool:
    """Say whether ``frame`` is pytest's; what has called pytest is of no interest."""
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0] == "_pytest"


def _places_below(coroutine: Any) -> Iterator[Place]:
    """Yield what Trio tells of the coroutine of a task for one that is stepped in a host."""
    # Knows every kind of awaitable that Python has; all it asks of a task is its coroutine.
    stand_in: Any = SimpleNamespace(coro=coroutine)
    return trio.lowlevel.Task.iter_await_frames(stand_in)


def _place(places: list[Place]) -> Place | None:
    """Return the innermost place in what is tested, else in any code of the user's."""
    users = [place for place in places if not is_foreign_file(place[0].f_code.co_filename)]
    tested = [place for place in users if not place[0].f_code.co_filename.startswith(_INSTALLED)]
    best = tested or users
    return best[-1] if best else None


def _describe(frame: FrameType, line_number: int) -> str:
    name = frame.f_code.co_filename
    source = linecache.getline(name, line_number, frame.f_globals).strip()
    path = Path(name)
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{line_number} in {frame.f_code.co_name}: {source}"
