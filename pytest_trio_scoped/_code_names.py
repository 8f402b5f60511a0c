"""What the names in the code of a function are, and mean, as far as that is known without a call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType


def values_named_in(function: FunctionType) -> Iterator[object]:
    """Yield what the names in the code of ``function`` mean."""
    modules: list[ModuleType] = []
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in names_in(function.__code__):
        places = (function.__globals__, sys.modules, *(vars(module) for module in modules))
        for value in [place[name] for place in places if name in place]:
            if isinstance(value, ModuleType):
                modules.append(value)
            yield value


def names_in(code: CodeType) -> Iterator[str]:
    """Yield the names in the code of a function, and of those that are defined in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)
