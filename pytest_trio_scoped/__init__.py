"""One Trio loop for a whole pytest session: async fixtures of every scope, async tests, sync tests."""

from ._fixtures import trio_fixture
from ._session import await_

__all__ = ["await_", "trio_fixture"]
