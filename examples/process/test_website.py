from __future__ import annotations

import httpx
import pytest

from pytest_trio_scoped import await_


async def test_the_start_page_is_served(http: httpx.AsyncClient) -> None:
    response = await http.get("/")

    assert response.status_code == 200
    assert response.text == "<title>Hello</title>"


@pytest.mark.parametrize("path", ["/missing", "/../secret"])
async def test_other_pages_are_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


def test_sync_tests_use_the_same_process(http: httpx.AsyncClient) -> None:
    assert await_(http.head("/")).headers["content-type"] == "text/html"
