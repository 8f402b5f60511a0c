"""One Trio loop for a whole pytest session: async fixtures of every scope, async tests, sync tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._fixtures import trio_fixture
from ._session import await_

__all__ = ["FixturePlan", "await_", "trio_fixture"]

if TYPE_CHECKING:
    from ._planning import FixturePlan
else:  # a type checker would take any name for one of this module

    def __getattr__(name: str) -> object:
        """Import what a suite that does not plan does not need."""
        if name == "FixturePlan":
            from ._planning import FixturePlan

            return FixturePlan
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
