"""Other plugins that take all async tests and fixtures, as pytest-asyncio and AnyIO do in their mode "auto".

A test for Trio among them would be run by one and have fixtures of the other, so it is refused.

Pinned by ``tests/test_neighbours.py``.
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import pytest

from . import _errors
from ._ownership import body_of, is_async
from ._session import TrioSession

#: The option and ini value with the mode of a plugin, and what that is called.
_MODES = {"asyncio_mode": "pytest-asyncio", "anyio_mode": "AnyIO's plugin"}


def greedy_plugin(config: pytest.Config) -> tuple[str, str] | None:
    """Return the name of a plugin that takes all async tests, and its option."""
    for option, name in _MODES.items():
        try:
            of_ini = config.getini(option)
        except ValueError:
            continue  # it is not there
        of_option = config.getoption(option, None)
        # pytest-asyncio's option counts more than its ini value; in AnyIO either is enough.
        modes = [of_option or of_ini] if option == "asyncio_mode" else [of_option, of_ini]
        if "auto" in [getattr(mode, "value", mode) for mode in modes]:
            return name, option
    return None


class AutoModeHooks:
    """Refuse tests for Trio.  Registered if there is a plugin in its mode "auto".

    Raises UsageError if the ini file says that all tests are.
    """

    def __init__(self, session: TrioSession, name: str, option: str) -> None:
        self._session = session
        self._name = name
        self._option = option
        if session.is_trio_mode:
            raise pytest.UsageError(self._text(_errors.IS_TRIO_MODE))

    def _text(self, what: str) -> str:
        return _errors.ALL_ARE_TAKEN.format(what=what, name=self._name, option=self._option)

    def _fail(self, what: str) -> NoReturn:
        pytest.fail(self._text(what), pytrace=False)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look for the first one, when all have their marks; raise UsageError if there is one."""
        for item in items:
            if item.get_closest_marker("trio") is not None or self._is_wanted(item):
                what = _errors.IS_FOR_TRIO.format(nodeid=item.nodeid)
                if hasattr(item.config, "workerinput"):  # xdist would not show it
                    item.setup = partial(self._fail, what)  # type: ignore[method-assign]
                else:
                    raise pytest.UsageError(self._text(what))

    def _is_wanted(self, item: pytest.Item) -> bool:
        """Say whether trio mode would take the test, had the other plugin not marked it as its own."""
        if not self._session.is_trio_mode or not isinstance(item, pytest.Function):
            return False
        return is_async(body_of(item.obj))
