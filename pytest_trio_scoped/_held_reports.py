"""Reports that are held until their test has ended, and handed on together.

Whoever prints or counts reports takes it for granted that start, phases and finish of one test come without
those of another one in between.

Pinned by ``tests/test_parallel_reports.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

#: What is held back.
_HELD = frozenset(
    {"pytest_runtest_logstart", "pytest_runtest_logreport", "pytest_runtest_logfinish"}
)

Held = list[Callable[[], object]]


class HeldReports:
    """Stands between the tests of a session and these hooks.

    ``held`` returns the list in which those of the calling test are held, ``None`` where none are; it gets
    each report at once.
    """

    def __init__(
        self,
        session: pytest.Session,
        held: Callable[[pytest.TestReport | None], Held | None],
    ) -> None:
        self._held = held
        self._session = session
        self._proxy_of = session.gethookproxy
        self._proxies: dict[Any, _Proxy] = {}

    def install(self) -> None:
        """Hand tests hooks that hold."""
        self._session.gethookproxy = self._proxy  # type: ignore[method-assign, assignment]

    def remove(self) -> None:
        """Take them back."""
        del self._session.gethookproxy

    def _proxy(self, path: Any) -> Any:
        if path not in self._proxies:
            self._proxies[path] = _Proxy(self._proxy_of(path), self._hold)
        return self._proxies[path]

    def _hold(self, caller: Any, arguments: dict[str, Any]) -> Any:
        held = self._held(arguments.get("report"))
        if held is None:
            return caller(**arguments)
        held.append(partial(caller, **arguments))
        return []  # as from a hook that nobody implements


#: Gets a hook and the arguments of a call.
_Hold = Callable[[Any, dict[str, Any]], Any]


class _Proxy:
    """The hooks as a test sees them."""

    def __init__(self, hooks: Any, hold: _Hold) -> None:
        self._hooks = hooks
        self._hold = hold

    def __getattr__(self, name: str) -> Any:
        caller = getattr(self._hooks, name)
        if name in _HELD:
            caller = _Holding(caller, self._hold)
        setattr(self, name, caller)  # looked up without this function from now on
        return caller


class _Holding:
    """One of the hooks that are held back."""

    def __init__(self, caller: Any, hold: _Hold) -> None:
        self._caller = caller
        self._hold = hold

    def __call__(self, **arguments: Any) -> Any:
        return self._hold(self._caller, arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)
