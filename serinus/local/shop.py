"""One instance of the demo service: a small HTTP server that behaves as its version in the catalogue says.

    python -m serinus.local.shop --service shop --pod shop-1 --arm stable --version v1 --port 20001 --faults faults.json

`GET /healthz` is its readiness, `GET /metrics` what it has counted, anything else is the service. SIGTERM: it takes no new
connection, answers what is under way, and goes when its clients have left. It starts and judges nobody else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serinus.local.addresses import LOOPBACK
from serinus.local.catalogue import CATALOGUE, Behaviour, Dead, Start
from serinus.local.fault import NONE, Fault, fault_of
from serinus.local.meter import CONTENT_TYPE, Meter

FAULT_POLL_SECONDS = 0.1
LEAVE_SECONDS = 5.0
MAX_HEAD_BYTES = 65_536
REASONS = {
    200: "OK",
    400: "Bad Request",
    411: "Length Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(slots=True)
class Shop:
    """What all connections of one instance share."""

    service: str
    pod: str
    arm: str
    version: str
    behaviour: Behaviour
    fault: Fault = NONE
    meter: Meter = field(default_factory=Meter)
    first_request: float | None = None
    leaving: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[Connection] = field(default_factory=set)
    leaked: list[bytes] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)

    def refuses(self) -> bool:
        """Whether nobody may connect."""
        served = self.first_request is not None
        return self.fault.dead or (self.behaviour.dead is Dead.REFUSES and served)

    def error_rate(self, now: float) -> float:
        """The version's own and the fault's, as independent causes."""
        own = self.behaviour.error_rate
        late = self.behaviour.late_error_rate
        if (
            late is not None
            and self.first_request is not None
            and now - self.first_request >= self.behaviour.late_after_seconds
        ):
            own = late
        return 1 - (1 - own) * (1 - self.fault.error_rate)

    def latency(self) -> float:
        """Seconds; about 2 ms for a healthy version."""
        slow = (
            self.behaviour.slow_seconds * self.dice.uniform(1, 2)
            if self.dice.random() < self.behaviour.slow_share
            else 0.0
        )
        return 0.001 + self.dice.expovariate(1000) + slow + self.fault.latency_seconds

    def status(self, path: str, now: float) -> int:
        """The answer to a request that arrives now."""
        if path == "/healthz":
            return 503 if self.behaviour.start is Start.NEVER_READY or self.leaving else 200
        if self.first_request is None:
            self.first_request = now
        if self.behaviour.leak_bytes:
            self.leaked.append(os.urandom(self.behaviour.leak_bytes))
        return 500 if self.dice.random() < self.error_rate(now) else 200

    def answer(self, status: int, close: bool) -> bytes:
        body = json.dumps({"service": self.service, "version": self.version, "pod": self.pod}).encode() + b"\n"
        return self.written(status, close, body, "application/json")

    def written(self, status: int, close: bool, body: bytes, content_type: str) -> bytes:
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}",
            f"content-type: {content_type}",
            f"content-length: {len(body)}",
            f"x-version: {self.version}",
            f"x-pod: {self.pod}",
            *(("connection: close",) if close else ()),
        )
        return "\r\n".join((*head, "", "")).encode() + body


class Connection(asyncio.Protocol):
    """One client's connection; HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self, shop: Shop) -> None:
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
        self._shop.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._shop.connections.discard(self)
        if self._shop.leaving and not self._shop.connections:
            self._shop.left.set()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._next()

    def abort(self) -> None:
        self._transport.abort()

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


async def serve(shop: Shop, address: str, ports: Sequence[int], faults: Path) -> None:
    """Until SIGTERM and its clients have left."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    servers: tuple[asyncio.Server, ...] = ()
    seen = -1
    while not stop.is_set():
        changed = _changed(faults)
        if changed != seen:
            seen, shop.fault = changed, _read(faults, shop)
        if shop.refuses() and servers:
            for server in servers:
                server.close()
            servers = ()
            for connection in tuple(shop.connections):
                connection.abort()
        if not shop.refuses() and not servers:
            servers = tuple(
                [await loop.create_server(lambda: Connection(shop), address, port, backlog=1024) for port in ports]
            )
        await _wait(stop, FAULT_POLL_SECONDS)
    shop.leaving = True
    for server in servers:
        server.close()
    if shop.connections:
        await _wait(shop.left, LEAVE_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _read(path: Path, shop: Shop) -> Fault:
    """An unreadable file changes nothing, and says so once."""
    try:
        return fault_of(path, shop.arm)
    except (OSError, ValueError) as problem:
        print(f"{shop.pod}: faults ignored: {problem}", file=sys.stderr, flush=True)
        return shop.fault


def main() -> int:
    """One instance, until it is told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m serinus.local.shop", description="One instance of the demo service."
    )
    for option in ("service", "pod", "arm", "version"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--address", default=LOOPBACK)
    parser.add_argument("--port", type=int, nargs="+", required=True)
    parser.add_argument("--faults", type=Path, required=True)
    given = parser.parse_args()
    behaviour = CATALOGUE.get(given.version)
    if behaviour is None:
        parser.error(f"no version {given.version!r}; there are {', '.join(CATALOGUE)}")
    if behaviour.start is Start.CRASHES:
        print(f"{given.pod}: cannot start: config key 'payment.url' is missing", file=sys.stderr)
        return 1
    ports = ", ".join(f"{given.address}:{port}" for port in given.port)
    print(f"{given.pod}: {given.service} {given.version} on {ports}", file=sys.stderr, flush=True)
    shop = Shop(given.service, given.pod, given.arm, given.version, behaviour)
    asyncio.run(serve(shop, given.address, given.port, given.faults))
    return 0


if __name__ == "__main__":
    sys.exit(main())
