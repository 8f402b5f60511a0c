"""What is done to exceptions before a user sees them: join several, drop frames that are not theirs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import greenlet
import outcome
import trio


def join(message: str, *errors: BaseException | None) -> BaseException | None:
    """Return the one error there is as itself, several as a group, ``None`` for none."""
    present = [error for error in errors if error is not None]
    if len(present) > 1:
        return BaseExceptionGroup(message, present)
    return present[0] if present else None


def single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what is in ``group`` if that is one exception, else ``group``."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group


def innermost(error: BaseException) -> BaseException:
    """Return the one exception in ``error`` if it is a group, of groups, of one; else ``error``."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def innermost_cause(error: BaseException) -> BaseException:
    """Return what ``error`` and its causes came from, without groups of one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return innermost(error)


def _folder(path: str | None) -> str:
    assert path is not None
    return str(Path(path).parent) + os.sep


_FOREIGN = tuple(
    _folder(path) for path in (trio.__file__, outcome.__file__, greenlet.__file__, __file__)
)


def prune(error: BaseException) -> BaseException:
    """Drop the frames of Trio, outcome, greenlet and this package from the tracebacks of ``error``.

    Its causes, contexts and, for a group, its members as well.  A traceback without any frame of the
    user's is left alone, but for that of a group, whose members say where they come from.  Returns
    ``error``.
    """
    for each in everything_in(error):
        if isinstance(each, BaseExceptionGroup) and _has_foreign_frames_only(each):
            each.__traceback__ = None
        else:
            each.__traceback__ = _without_foreign_frames(each.__traceback__)
    return error


def everything_in(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error``, its causes, its contexts, and the members of groups, each once."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        pending += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            pending += current.exceptions
        yield current


def drop_foreign_frames(error: BaseException) -> BaseException:
    """Do the same, also where no frame is left.

    For where the caller is the user's, so there is a frame of theirs; and for what must not be kept.
    """
    prune(error)
    if _has_foreign_frames_only(error):
        error.__traceback__ = None
    return error


def _without_foreign_frames(first: TracebackType | None) -> TracebackType | None:
    kept = []
    is_foreign = False
    for entry in _entries(first):
        # Context managers of ours and Trio's are called by way of contextlib.
        is_foreign = _is_foreign(entry) or (is_foreign and _is_in_contextlib(entry))
        if not is_foreign:
            kept.append(entry)
    if not kept:
        return first
    for entry, following in zip(kept, [*kept[1:], None], strict=True):
        entry.tb_next = following
    return kept[0]


def _entries(entry: TracebackType | None) -> Iterator[TracebackType]:
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _has_foreign_frames_only(error: BaseException) -> bool:
    return all(_is_foreign(entry) for entry in _entries(error.__traceback__))


def _is_foreign(entry: TracebackType) -> bool:
    return is_foreign_file(entry.tb_frame.f_code.co_filename)


def _is_in_contextlib(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename == contextlib.__file__


def is_foreign_file(name: str) -> bool:
    """Say whether a file of code is one of Trio, outcome, greenlet or this package."""
    return name.startswith(_FOREIGN)
