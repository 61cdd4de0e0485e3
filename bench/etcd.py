"""What is written to etcd, by its own word: every put, with the bytes of key and value, and the counters of the whole server."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from serinus.errors import Unavailable
from serinus.local.cluster.control_plane import ETCD, LOOPBACK

URL = f"http://{LOOPBACK}:{ETCD}"
ROOT, PAST_ROOT = b"/registry/", b"/registry0"
ASK_SECONDS, AGAIN_SECONDS = 10.0, 0.5
COUNTERS = {
    "put_bytes": "etcd_debugging_mvcc_total_put_size_in_bytes",
    "puts": "etcd_mvcc_put_total",
    "received_bytes": "etcd_network_client_grpc_received_bytes_total",
    "log_bytes": "etcd_disk_wal_write_bytes_total",
    "database_bytes": "etcd_mvcc_db_total_size_in_bytes",
}


@dataclass(slots=True)
class Written:
    """Puts since it was begun.

    Args:
        bytes, puts: by key, as `/registry/` is followed by it
        revision: the last one seen
    """

    bytes: Counter[str] = field(default_factory=Counter)
    puts: Counter[str] = field(default_factory=Counter)
    revision: int = 0

    def take(self, answer: dict[str, Any]) -> None:
        """One answer of a watch.

        Raises:
            Unavailable: what came meanwhile is compacted, so the count would be too low
        """
        if "error" in answer or answer["result"].get("canceled"):
            raise Unavailable(f"etcd ends its watch: {json.dumps(answer)[:300]}")
        self.revision = int(answer["result"]["header"]["revision"])
        for event in answer["result"].get("events") or ():
            if event.get("type", "PUT") == "PUT":
                key, value = b64decode(event["kv"]["key"]), b64decode(event["kv"].get("value", ""))
                name = key.decode().removeprefix(ROOT.decode())
                self.bytes[name] += len(key) + len(value)
                self.puts[name] += 1


@asynccontextmanager
async def writing() -> AsyncIterator[Written]:
    """Counts as long as the block lasts. Fails with it where it cannot be known that every put was counted."""
    written, begun = Written(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        counting = group.create_task(_count(written, begun))
        await begun.wait()
        yield written
        counting.cancel()


async def _count(written: Written, begun: asyncio.Event) -> None:
    timeout = httpx.Timeout(ASK_SECONDS, read=None)
    async with httpx.AsyncClient(base_url=URL, trust_env=False, timeout=timeout) as http:
        while True:
            wanted = {"key": b64encode(ROOT).decode(), "range_end": b64encode(PAST_ROOT).decode()}
            if written.revision:
                wanted["start_revision"] = str(written.revision + 1)
            try:
                async with http.stream("POST", "/v3/watch", json={"create_request": wanted}) as answer:
                    async for line in answer.aiter_lines():
                        written.take(json.loads(line))
                        begun.set()
            except httpx.HTTPError as cause:
                if not begun.is_set():
                    raise Unavailable(f"etcd does not answer at {URL}: {cause!r}") from cause
            await asyncio.sleep(AGAIN_SECONDS)


async def counters() -> dict[str, float]:
    """Of the whole server, since its start."""
    async with httpx.AsyncClient(base_url=URL, trust_env=False, timeout=ASK_SECONDS) as http:
        text = (await http.get("/metrics")).raise_for_status().text
    rows = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(rows[metric]) for name, metric in COUNTERS.items()}
