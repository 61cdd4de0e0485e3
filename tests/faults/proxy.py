"""Between a release and its Prometheus: lets through, answers with garbage, answers late, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from urllib.parse import urlsplit


class Way(StrEnum):
    """How it treats a call."""

    THROUGH = "through"
    GARBAGE = "garbage"
    SLOW = "slow"


GARBAGE = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{"status":"success",}]'
SLOW_SECONDS = 3.0
"""Past every time-out of a call."""


class Proxy:
    """One address before a Prometheus.

    Args:
        behind: its address
    """

    def __init__(self, behind: str) -> None:
        self._behind = urlsplit(behind)
        self.way = Way.THROUGH
        self.calls = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call a connection: what was decided before the call holds for it."""
        with suppress(OSError, EOFError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.calls += 1
            if self.way is Way.GARBAGE:
                writer.write(GARBAGE)
            else:
                await asyncio.sleep(SLOW_SECONDS if self.way is Way.SLOW else 0)
                await self._through(head, reader, writer)
            await writer.drain()
        writer.close()

    async def _through(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._behind.hostname
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        lengths = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        there, back = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        try:
            back.write(b"\r\n".join([lines[0], b"connection: close", *lines[1:]]) + body)
            while piece := await there.read(1 << 16):
                writer.write(piece)
        finally:
            back.close()


@asynccontextmanager
async def proxy(behind: str) -> AsyncIterator[Proxy]:
    """A proxy as long as the block lasts."""
    made = Proxy(behind)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
