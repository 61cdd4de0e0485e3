"""One instance of the demo service: a small HTTP server that behaves as its version in the catalogue says.

    python -m serinus.local.shop --service shop --pod shop-1 --arm stable --version v1 --port 20001 --faults faults.json

`GET /healthz` is its readiness, `GET /metrics` what it has counted, anything else is the service. SIGTERM: it takes no new
connection, answers what is under way, and goes when its clients have left. It starts and judges nobody else.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from serinus.local.addresses import LOOPBACK
from serinus.local.catalogue import CATALOGUE, Start
from serinus.local.connection import Connection
from serinus.local.fault import Fault, fault_of
from serinus.local.instance import Instance
from serinus.voice import speak
from serinus.within import happens

FAULT_POLL_SECONDS = 0.1
LEAVE_SECONDS = 5.0


async def serve(shop: Instance, address: str, ports: Sequence[int], faults: Path) -> None:
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
        await happens(stop, FAULT_POLL_SECONDS)
    shop.leaving = True
    for server in servers:
        server.close()
    if shop.connections:
        await happens(shop.left, LEAVE_SECONDS)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _read(path: Path, shop: Instance) -> Fault:
    """An unreadable file changes nothing, and says so once."""
    try:
        return fault_of(path, shop.arm)
    except (OSError, ValueError) as problem:
        speak(f"{shop.pod}: faults ignored: {problem}", sys.stderr)
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
        speak(f"{given.pod}: cannot start: config key 'payment.url' is missing", sys.stderr)
        return 1
    ports = ", ".join(f"{given.address}:{port}" for port in given.port)
    speak(f"{given.pod}: {given.service} {given.version} on {ports}", sys.stderr)
    shop = Instance(given.service, given.pod, given.arm, given.version, behaviour)
    asyncio.run(serve(shop, given.address, given.port, given.faults))
    return 0


if __name__ == "__main__":
    sys.exit(main())
