"""100 tests, each of which waits 0.2 seconds for its answer. Nothing here says that they overlap."""

from __future__ import annotations

import pytest
from slow_service import ask

from pytest_trio_scoped import await_


@pytest.mark.parametrize("number", range(90))
async def test_numbers_are_squared(service: tuple[str, int], number: int) -> None:
    assert await ask(service, number) == number * number


@pytest.mark.parametrize("number", range(-10, 0))
def test_sync_tests_overlap_where_they_await(service: tuple[str, int], number: int) -> None:
    assert await_(ask(service, number)) == number * number
