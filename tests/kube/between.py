"""Between an engine and a real API server: lets through, or does what servers, networks and load balancers do on a bad day."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from pathlib import Path

import aiohttp
from aiohttp import web

from serinus.kube.wire import CALL_SECONDS
from tests.cluster.access import Access

LATE_SECONDS = CALL_SECONDS + 1
SLOW_SECONDS = 0.5
HEADERS = ("Authorization", "Accept", "Content-Type")


class Way(StrEnum):
    """How it treats a call."""

    THROUGH = "through"
    SLOW = "answers after half a second"
    RESET = "resets the connection"
    LATER = "answers 429"
    BROKEN = "answers 500"
    STRANGER = "answers 401"
    LOST = "does it, and resets the connection"
    LATE = "does it, and answers after the time-out"


STORM = (Way.LATER, Way.BROKEN, Way.RESET, Way.LOST, Way.LATE)
"""What a bad day has of each, and most of it in between."""


class End(StrEnum):
    """How it ends a watch."""

    CLOSED = "closes it, as a server does after its minutes"
    RESET = "resets its connection"
    EXPIRED = "says that the version has expired"


EXPIRED = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Expired",
        "code": 410,
        "message": "too old",
    },
}
STATUS = {Way.LATER: (429, {"Retry-After": "1"}), Way.BROKEN: (500, {}), Way.STRANGER: (401, {})}


class Between:
    """An address before an API server.

    Args:
        server: its own
        trusted: how it is known
    """

    def __init__(self, server: str, trusted: ssl.SSLContext) -> None:
        self.url = ""
        self.calls = 0
        self.done: Counter[Way] = Counter()
        """How calls were treated."""
        self.ended: Counter[End] = Counter()
        """How watches were ended."""
        self._lives: Iterator[tuple[End, float | None]] = itertools.repeat((End.CLOSED, None))
        self._server = server
        self._trusted = trusted
        self._ways: Iterable[Way] = itertools.repeat(Way.THROUGH)
        self._session: aiohttp.ClientSession | None = None

    def go(self, *ways: Way) -> None:
        """From now on: one way a call, again and again."""
        self._ways = itertools.cycle(ways)

    def storm(self, seed: int, ways: Sequence[Way] = STORM, wrong: float = 1 / 3) -> None:
        """From now on: so many of all answers wrong, in one of these ways."""

        def chosen() -> Iterator[Way]:
            source = random.Random(seed)
            while True:
                yield source.choice(ways) if source.random() < wrong else Way.THROUGH

        self._ways = chosen()

    def end_watches(self, seed: int, at_most_seconds: float) -> None:
        """From now on: every watch soon, in one way after another."""

        def chosen() -> Iterator[tuple[End, float | None]]:
            source = random.Random(seed)
            for end in itertools.cycle(End):
                yield end, source.uniform(0.0, at_most_seconds)

        self._lives = chosen()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One call."""
        self.calls += 1
        way = next(iter(self._ways))
        self.done[way] += 1
        if way in STATUS:
            code, headers = STATUS[way]
            said = {"kind": "Status", "apiVersion": "v1", "code": code, "message": str(way)}
            return web.json_response(said, status=code, headers=headers)
        if way is Way.RESET:
            return _reset(request)
        await asyncio.sleep(SLOW_SECONDS if way is Way.SLOW else 0)
        answer = await self._through(request)
        if way is Way.LOST:
            return _reset(request)
        await asyncio.sleep(LATE_SECONDS if way is Way.LATE else 0)
        return answer

    async def _through(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trusted), trust_env=False)
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        body = await request.read()
        try:
            async with self._session.request(
                request.method, f"{self._server}{request.raw_path}", headers=headers, data=body or None
            ) as answer:
                if "watch=" in request.query_string:
                    return await self._watched(request, answer)
                said = await answer.read()
                return web.Response(status=answer.status, body=said, content_type=answer.content_type)
        except aiohttp.ClientError:
            return _reset(request)

    async def _watched(self, request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        end, seconds = next(self._lives)
        back = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
        await back.prepare(request)
        with suppress(ConnectionError):
            try:
                async with asyncio.timeout(seconds):
                    async for piece in answer.content.iter_any():
                        await back.write(piece)
            except TimeoutError:
                self.ended[end] += 1
                if end is End.RESET:
                    return _reset(request)
                if end is End.EXPIRED:
                    await back.write(json.dumps(EXPIRED).encode() + b"\n")
        return back

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def between(access: Access, folder: Path) -> AsyncIterator[tuple[Between, Path]]:
    """An address before the server of a kubeconfig as long as the block lasts, and the kubeconfig that leads there."""
    given = json.loads(access.kubeconfig.read_text())
    cluster = given["clusters"][0]["cluster"]
    data = base64.b64decode(cluster.get("certificate-authority-data", "")).decode() or None
    trusted = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=data)
    made = Between(cluster["server"], trusted)
    server = web.Server(made.answer)
    runner = web.ServerRunner(server, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    given["clusters"][0]["cluster"] = {"server": made.url}
    file = folder / "between.kubeconfig"
    file.write_text(json.dumps(given))
    try:
        yield made, file
    finally:
        await runner.cleanup()
        await made.aclose()
