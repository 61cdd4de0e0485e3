"""Bookkeeping: newest wins, in place, and nothing waits for a server that is slow, refuses or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from tasks import books as module
from tasks.books import EVENTS, Books

RUN = UUID(int=1)


class Server:
    """The artifacts of a server, in memory; as slow and as rude as a test wants it."""

    def __init__(self) -> None:
        self.cards: dict[UUID, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.tags: list[str] = []
        self.up = asyncio.Event()
        self.up.set()
        self.refuses: set[str] = set()
        self.loses_answers = 0

    async def create_artifact(self, artifact: Any) -> SimpleNamespace:
        await self._called("create", artifact.key)
        made = uuid4()
        self.cards[made] = artifact.model_dump()
        if self.loses_answers:
            self.loses_answers -= 1
            raise httpx.ReadTimeout("no answer")
        return SimpleNamespace(id=made)

    async def update_artifact(self, artifact_id: UUID, artifact: Any) -> None:
        await self._called("update", self.cards[artifact_id]["key"])
        self.cards[artifact_id] |= artifact.model_dump(exclude_unset=True)

    async def read_artifacts(self, artifact_filter: Any) -> list[SimpleNamespace]:
        await self._called("read", artifact_filter.key.any_[0])
        return [
            SimpleNamespace(id=made) for made, card in self.cards.items() if card["key"] in artifact_filter.key.any_
        ]

    async def delete_artifact(self, artifact_id: UUID) -> None:
        await self._called("delete", self.cards[artifact_id]["key"])
        del self.cards[artifact_id]

    async def update_flow_run(self, flow_run_id: UUID, tags: list[str]) -> None:
        await self._called("tag", "run")
        self.tags = tags

    async def _called(self, call: str, key: str) -> None:
        await self.up.wait()
        self.calls.append(f"{call} {key}")
        if {key, f"{call} {key}"} & self.refuses:
            request = httpx.Request("POST", "http://server")
            raise PrefectHTTPStatusError("bad data", request=request, response=httpx.Response(422, request=request))

    def card(self, key: str) -> list[Any]:
        return [card["data"] for card in self.cards.values() if card["key"] == key]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    here = Server()

    @asynccontextmanager
    async def client(**_: Any) -> AsyncIterator[Server]:
        yield here

    monkeypatch.setattr(module, "get_client", client)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    return here


@pytest.fixture
async def books(server: Server) -> AsyncIterator[Books]:
    made = Books(RUN)
    made.open()
    yield made
    await made.close(0)


async def test_a_card_is_made_once_and_then_changed_in_place(server: Server, books: Books) -> None:
    for percent in (1.0, 2.0, 3.0):
        books.card("bar", "progress", percent, f"{percent} %")
        assert await books.close(5)
        books.open()
    assert server.calls == ["create bar", "update bar", "update bar"]
    assert [(card["data"], card["description"], card["flow_run_id"]) for card in server.cards.values()] == [
        (3.0, "3.0 %", RUN)
    ]


async def test_of_a_key_only_the_newest_waits(server: Server, books: Books) -> None:
    server.up.clear()
    for percent in range(1000):
        books.card("bar", "progress", percent, "")
    books.tags(["canary"])
    server.up.set()
    assert await books.close(5)
    assert server.card("bar") == [999]
    assert len(server.calls) <= 3
    assert server.tags == ["canary"]


async def test_a_server_that_hangs_holds_nobody(server: Server, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    server.up.clear()
    books.card("bar", "progress", 1.0, "")
    assert not await books.close(0.3)
    assert books.silent_seconds > 0, "also while it lasts: the report names the gap that it is written in"
    server.up.set()
    books.open()
    assert await books.close(5)
    assert server.card("bar") == [1.0]
    assert books.silent_seconds > 0


async def test_a_card_whose_answer_was_lost_is_not_made_twice(server: Server, books: Books) -> None:
    server.loses_answers = 1
    books.card("bar", "progress", 1.0, "")
    assert await books.close(5)
    assert server.card("bar") == [1.0]
    assert server.calls == ["create bar", "read bar", "update bar"]


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_card_that_was_made_late_and_twice_becomes_one(server: Server, books: Books, allowed: bool) -> None:
    server.loses_answers = 1
    books.card("bar", "progress", 1.0, "")
    assert await books.close(5)
    late, kept = uuid4(), next(iter(server.cards))
    server.cards = {late: server.cards[kept] | {"data": 0.0}, **server.cards}
    if not allowed:
        server.refuses.add("delete bar")
    books.card("bar", "progress", 2.0, "")
    books.card("other", "progress", 1.0, "")
    books.open()
    assert await books.close(5)
    assert server.cards[kept]["data"] == 2.0
    assert (late in server.cards) is not allowed
    assert server.card("other") == [1.0]


async def test_what_the_server_refuses_is_left_out_and_the_rest_goes_on(server: Server, books: Books) -> None:
    server.refuses.add("bad")
    books.card("bad", "table", "x", "")
    books.card("good", "table", "y", "")
    assert await books.close(5)
    assert (server.card("bad"), server.card("good")) == ([], ["y"])


async def test_events_are_bounded_and_go_even_where_cards_do_not(server: Server, books: Books) -> None:
    server.up.clear()
    seen: list[int] = []
    for number in range(EVENTS + 10):
        books.event(partial(seen.append, number))
    await asyncio.sleep(0)
    server.up.set()
    assert await books.close(5)
    assert seen == list(range(10, EVENTS + 10))


async def test_an_event_that_fails_stops_nothing(server: Server, books: Books) -> None:
    def fails() -> None:
        raise RuntimeError("no events here")

    books.event(fails)
    books.card("bar", "progress", 1.0, "")
    assert await books.close(5)
    assert server.card("bar") == [1.0]


async def test_a_worker_that_was_cancelled_with_its_run_does_not_hold_the_end(server: Server, books: Books) -> None:
    """Prefect's cancel reaches every task of the loop; what is left to show is shown all the same."""
    server.up.clear()
    books.card("bar", "progress", 1.0, "")
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
    server.up.set()
    assert await books.close(5)
    assert server.card("bar") == [1.0]
