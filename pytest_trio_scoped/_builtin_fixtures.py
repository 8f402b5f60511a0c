"""The fixtures that come with this plugin."""

from __future__ import annotations

from typing import Final

from ._fixtures import trio_fixture


class _Nursery:
    def __repr__(self) -> str:
        return "<the nursery of whoever asks for it as an argument>"


#: What pytest hands to whoever asks for ``nursery``; a nursery of their own takes its place.
NURSERY: Final = _Nursery()


@trio_fixture(scope="session")
def nursery() -> object:
    """A trio.Nursery, owned by whoever asks for it: a test, or a fixture of any scope.

    Its tasks run until the test is over, or the fixture has been torn down; then they are cancelled.
    """
    return NURSERY
