from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from functools import partial

import httpx
import hypercorn.trio
import pytest
import trio
from guestbook import Guestbook
from hypercorn.config import Config


@pytest.fixture(scope="session")
def guestbook() -> Guestbook:
    return Guestbook()


@pytest.fixture(scope="session")
async def base_url(guestbook: Guestbook) -> AsyncIterator[str]:
    """The guest book, served over HTTP for the whole session."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = logging.getLogger("hypercorn.error")
    shutdown = trio.Event()
    serve = partial(
        hypercorn.trio.serve, guestbook, config, shutdown_trigger=shutdown.wait, mode="asgi"
    )
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(serve)
        yield addresses[0]
        shutdown.set()


@pytest.fixture(scope="session")
async def http(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """One client, and so one pool of connections, for all tests."""
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_guestbook(guestbook: Guestbook) -> None:
    """Tests share the server, and each begins with an empty book."""
    guestbook.entries.clear()
