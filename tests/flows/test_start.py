"""The end of a run that was made here: told to a server that comes back, given up where it is gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

import tasks.books
import tasks.show
from flows import start
from tasks.books import Books
from tests.tasks.test_books import RUN, Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Away until a test lets it come back."""
    here = Server()
    here.up.clear()

    @asynccontextmanager
    async def client(**_: Any) -> Any:
        yield here

    async def answers(_: float) -> bool:
        return here.up.is_set()

    monkeypatch.setattr(tasks.books, "get_client", client)
    monkeypatch.setattr(tasks.books, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(tasks.books, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(tasks.show, "SOON_SECONDS", 0.1)
    monkeypatch.setattr(start, "answers", answers)
    monkeypatch.setattr(start, "ASK_AGAIN_SECONDS", 0.01)
    return here


async def reported() -> list[Books]:
    """What is left of a run's cards, as its end leaves them."""
    left: list[Books] = []
    before = tasks.show.unsent.set(left)
    books = Books(RUN)
    books.open()
    books.card("shop-report", "markdown", "promoted", "promoted")
    await tasks.show._closed(books)
    tasks.show.unsent.reset(before)
    return left


async def test_the_report_is_sent_to_a_server_that_comes_back_after_the_end(server: Server) -> None:
    left = await reported()
    assert len(left) == 1
    ended = asyncio.create_task(server.up.wait())
    waiting = asyncio.create_task(start._told(ended, left))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    server.up.set()
    await asyncio.wait_for(waiting, 20)
    assert server.card("shop-report") == ["promoted"]


async def test_a_server_that_is_gone_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "GONE_SECONDS", 0.2)
    left, ended = await reported(), asyncio.create_task(server.up.wait())
    await asyncio.wait_for(start._told(ended, left), 20)
    assert not ended.done()
    assert server.cards == {}
    ended.cancel()


async def test_nothing_is_left_of_what_was_taken_in_time(server: Server) -> None:
    server.up.set()
    assert await reported() == []
    assert server.card("shop-report") == ["promoted"]
