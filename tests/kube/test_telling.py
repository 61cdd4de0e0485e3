"""What kubectl's users are told is written on what was seen alone, and a Deployment that has gone meanwhile is no trouble."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serinus.kube import names
from serinus.kube.seen import Seen
from serinus.kube.telling import Telling
from serinus.release.record import State
from tests.kube.objects import a_deployment
from tests.kube.test_client import a_server
from tests.kube.test_news import a_record

RECORD = a_record(state=State.STARTING)


class Server:
    """Keeps two Deployments; answers so many patches otherwise, first."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.otherwise: dict[str, list[int]] = {}
        canary = a_deployment("shop-canary")
        canary["metadata"]["annotations"] = {names.RELEASE: RECORD.release}
        self.there: dict[str, dict[str, Any]] = {"shop": a_deployment(), "shop-canary": canary}

    def answer(self, request: str) -> tuple[int, bytes]:
        head, _, body = request.partition("\r\n\r\n")
        method, path, *_ = head.split()
        name = path.partition("?")[0].rpartition("/")[2]
        self.asked.append(f"{method} {name}")
        if method == "PATCH" and self.otherwise.get(name):
            return self.otherwise[name].pop(0), b'{"kind":"Status","message":"not found"}'
        if method == "POST":
            return 201, body.encode()
        return 200, json.dumps(self.there[name]).encode()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def telling(server: Server, tmp_path: Path) -> AsyncIterator[Telling]:
    async with a_server(server.answer, tmp_path) as kube:
        seen = Seen(kube)
        yield Telling(kube, seen, "shop")
        await seen.aclose()


async def test_a_move_is_an_event_and_labels_on_both(server: Server, telling: Telling) -> None:
    telling.tell(None, RECORD)
    await telling.aclose()
    assert server.asked == ["GET shop", "POST events", "PATCH shop", "GET shop-canary", "PATCH shop-canary"]


async def test_what_was_seen_and_is_not_so_any_more_is_read_and_written_anew(server: Server, telling: Telling) -> None:
    server.otherwise = {"shop": [409], "shop-canary": [409, 409]}
    telling.tell(None, RECORD)
    await telling.aclose()
    again = ["PATCH shop-canary", "GET shop-canary"]
    assert server.asked[2:] == [
        "PATCH shop", "GET shop", "PATCH shop", "GET shop-canary", *again, *again, "PATCH shop-canary"
    ]  # fmt: skip


async def test_a_canary_that_has_gone_since_it_was_seen_is_passed_over(
    server: Server, telling: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    server.otherwise = {"shop-canary": [404]}
    telling.tell(None, RECORD)
    await telling.aclose()
    assert server.asked[-1] == "PATCH shop-canary"
    assert not caplog.text
