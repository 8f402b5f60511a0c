"""``request`` in the hands of code that runs outside.

It is pytest's own but for one thing: a nursery that is asked for by ``getfixturevalue`` is the asker's.
"""

from __future__ import annotations

from typing import Any

import pytest

from ._session import TrioSession


def lend_nurseries(session: TrioSession, request: pytest.FixtureRequest) -> None:
    """Let ``request.getfixturevalue("nursery")`` return a nursery that lives as long as its owner."""
    get = request.getfixturevalue
    add = request.addfinalizer

    def get_own(argname: str) -> Any:
        __tracebackhide__ = True
        value = get(argname)
        if not session.inside_fixtures:  # and so the nursery is not what was asked for
            return value
        from ._twins import own_value

        return own_value(session, value, add)

    request.getfixturevalue = get_own  # type: ignore[method-assign]
