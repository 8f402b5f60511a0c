from __future__ import annotations

import httpx
import pytest
import trio
from guestbook import Guestbook

from pytest_trio_scoped import await_

# There is one book. The mark counts only when many tests run at once.
pytestmark = pytest.mark.trio_group("guestbook")


async def test_a_new_book_is_empty(http: httpx.AsyncClient) -> None:
    response = await http.get("/entries")

    assert response.status_code == 200
    assert response.json() == []


async def test_entries_are_kept_in_order(http: httpx.AsyncClient) -> None:
    for name in ("Ada", "Grace"):
        response = await http.post("/entries", content=name)
        assert response.status_code == 201

    assert (await http.get("/entries")).json() == ["Ada", "Grace"]


async def test_a_waiting_request_is_answered_by_another_one(http: httpx.AsyncClient) -> None:
    answers = []

    async def wait_for_an_entry() -> None:
        answers.append((await http.get("/entries/next")).json())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_an_entry)
            while not answers:
                await http.post("/entries", content="Barbara")

    assert answers == ["Barbara"]


@pytest.mark.parametrize("path", ["/", "/entries/7", "/nothing"])
async def test_unknown_paths_are_not_found(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)

    assert response.status_code == 404
    assert response.json() == f"GET {path}: not found"


def test_sync_tests_use_the_same_client(http: httpx.AsyncClient, guestbook: Guestbook) -> None:
    response = await_(http.post("/entries", content="Edith"))

    assert response.json() == "Edith"
    assert guestbook.entries == ["Edith"]
