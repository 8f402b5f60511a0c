"""The fixtures that come with this plugin."""

from __future__ import annotations

from ._fixtures import trio_fixture
from ._placeholder import NURSERY


@trio_fixture(scope="session")
def nursery() -> object:
    """A trio.Nursery, owned by whoever asks for it: a test, or a fixture of any scope.

    Its tasks run until the test is over, or the fixture has been torn down; then they are cancelled.
    """
    return NURSERY
