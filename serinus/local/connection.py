"""How does an instance of the demo service speak HTTP? One client's connection; what is answered is `instance`'s."""

from __future__ import annotations

import asyncio

from serinus.local.catalogue import Dead
from serinus.local.instance import Instance
from serinus.local.meter import CONTENT_TYPE

MAX_HEAD_BYTES = 65_536


class Connection(asyncio.Protocol):
    """One client's connection; HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self, shop: Instance) -> None:
        self._shop = shop
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._skip = 0
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._shop.refuses():
            transport.abort()
        self._shop.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._shop.connections.discard(self._transport)
        if self._shop.leaving and not self._shop.connections:
            self._shop.left.set()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._next()

    def _next(self) -> None:
        """Take up the next request, if it is wholly there and none is under way."""
        skipped = min(self._skip, len(self._unread))
        self._unread, self._skip = self._unread[skipped:], self._skip - skipped
        if self._busy or self._skip:
            return
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            if len(head) > MAX_HEAD_BYTES:
                self._reply(self._shop.answer(431, close=True), close=True)
            return
        self._unread = rest
        self._take_up(head.decode("latin-1"))

    def _take_up(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "0")
        if len(words) != 3 or not length.isdecimal():
            return self._reply(self._shop.answer(400, close=True), close=True)
        if "transfer-encoding" in headers:
            return self._reply(self._shop.answer(411, close=True), close=True)
        self._skip = int(length)
        close = headers.get("connection", "").lower() == "close"
        if words[1] == "/healthz":
            status = self._shop.status(words[1], self._loop.time())
            return self._reply(self._shop.answer(status, close), close)
        if words[1] == "/metrics":
            counted = self._shop.meter.text().encode()
            return self._reply(self._shop.written(200, close, counted, CONTENT_TYPE), close)
        return self._serve(words[0], words[1], close)

    def _serve(self, method: str, path: str, close: bool) -> None:
        shop, began = self._shop, self._loop.time()
        status = shop.status(path, began)
        if shop.refuses():
            return self._transport.abort()
        self._busy = True
        if shop.behaviour.dead is not Dead.HANGS:
            self._loop.call_later(shop.latency(), self._served, method, status, began, close)
        return None

    def _served(self, method: str, status: int, began: float, close: bool) -> None:
        self._shop.meter.observe(method, status, self._loop.time() - began)
        self._reply(self._shop.answer(status, close), close)

    def _reply(self, answer: bytes, close: bool) -> None:
        self._busy = False
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        if close:
            self._transport.close()
        else:
            self._next()
