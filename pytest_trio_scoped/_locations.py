"""Where the code of the user is, as ``path:line``."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import Any


def location_of(function: Any, root: Path) -> str:
    """Return where ``function`` is defined: below ``root`` by its path, else by the end of its path.

    What has no code of its own, such as an instance of a class, is named by its class.
    """
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is None:
        kind = function if isinstance(function, type) else type(function)
        return f"{kind.__module__}.{kind.__qualname__}"
    path = Path(code.co_filename)
    if path.is_relative_to(root):
        return f"{path.relative_to(root)}:{code.co_firstlineno}"
    return f"{Path('...', *path.parts[-2:])}:{code.co_firstlineno}"
