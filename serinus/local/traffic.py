"""How do users' requests come about, and what became of them? `hey` sends and counts them; Envoy counts them by arm.

async with sending(platform.traffic["shop"], rate=200) as load:
    before = await counts(platform.envoy_admin, "shop")
    ...
load.result()
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from serinus.errors import Unavailable
from serinus.local.child import tied
from serinus.local.envoy import Admin
from serinus.local.programs import obtain
from serinus.stores.pods import ARMS
from serinus.within import within

PER_WORKER = 10.0
"""Requests a second of one worker: one that waits for a slow answer holds up only these."""
MOST_WORKERS = 200
LONGEST_SECONDS = 24 * 3600
REQUEST_SECONDS = 20
STOP_SECONDS = 25.0
_ROW = re.compile(r"^\s*\[(\d+)\]\s+(.+)$")
_TOTAL = re.compile(r"^\s*Total:\s+([0-9.]+) secs$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sent:
    """What users saw.

    Args:
        seconds: how long requests were sent
        by_status: answers by HTTP status
        unanswered: requests without an answer, by what happened
    """

    seconds: float
    by_status: Mapping[int, int] = field(default_factory=dict)
    unanswered: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return sum(self.by_status.values()) + sum(self.unanswered.values())

    @property
    def failed(self) -> int:
        """Answered with 5xx, or not at all."""
        return sum(self.unanswered.values()) + sum(count for status, count in self.by_status.items() if status >= 500)


@dataclass(frozen=True, slots=True)
class Served:
    """What one arm did, by Envoy's own counters since its start: 503s for an arm without instances among them.

    Args:
        completed: requests with an answer
        failed: of these with 5xx, Envoy's own in place of an instance's included
    """

    completed: int
    failed: int

    def since(self, before: Served) -> Served:
        return Served(self.completed - before.completed, self.failed - before.failed)


@dataclass(slots=True)
class Load:
    """Requests that are being sent."""

    process: asyncio.subprocess.Process
    _sent: Sent | None = None

    async def stop(self) -> Sent:
        """Send no more; what became of those that were sent.

        Raises:
            Unavailable: the sender says nothing that can be read
        """
        if self._sent is None:
            if self.process.returncode is None:
                self.process.send_signal(signal.SIGINT)
            self._sent = await self._end(STOP_SECONDS)
        return self._sent

    async def _end(self, seconds: float) -> Sent:
        try:
            async with within(seconds):
                out, err = await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise Unavailable(f"hey did not end within {seconds:.0f} s") from None
        return parsed(out.decode(), err.decode())

    def result(self) -> Sent:
        """What `stop` returned."""
        assert self._sent is not None, "it is still being sent"
        return self._sent


@asynccontextmanager
async def sending(url: str, rate: float, host: str = "") -> AsyncIterator[Load]:
    """So many requests a second for as long as the block lasts.

    Args:
        host: that they name, where it is not the URL's
    """
    load = await _start(url, rate, LONGEST_SECONDS, host)
    try:
        yield load
    finally:
        await load.stop()


async def load(url: str, rate: float, seconds: float) -> Sent:
    """So many requests a second for so long."""
    started = await _start(url, rate, seconds)
    try:
        return await started._end(seconds + STOP_SECONDS)
    except asyncio.CancelledError:
        await started.stop()
        raise


async def _start(url: str, rate: float, seconds: float, host: str = "") -> Load:
    if not 0.1 <= rate <= 20_000:
        raise ValueError(f"a load has 0.1 to 20000 requests a second, not {rate:g}")
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"a load lasts up to a day, not {seconds:g} s")
    program = await asyncio.to_thread(obtain, "hey")
    workers = max(1, min(MOST_WORKERS, round(rate / PER_WORKER)))
    options = ("-z", f"{seconds:g}s", "-c", str(workers), "-q", f"{rate / workers:g}", "-t", str(REQUEST_SECONDS))
    named = ("-host", host) if host else ()
    process = await asyncio.create_subprocess_exec(
        *tied((str(program), *options, *named, f"{url}/")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    return Load(process)


def parsed(out: str, err: str = "") -> Sent:
    """hey's summary.

    Raises:
        Unavailable: it is none
    """
    total = _TOTAL.search(out)
    if total is None:
        raise Unavailable(f"hey gave no summary: {(err or out).strip()[-200:] or 'nothing at all'}")
    answers, _, errors = out.partition("Error distribution:")
    statuses = {int(row[1]): int(row[2].split()[0]) for row in _rows(answers.partition("Status code distribution:")[2])}
    unanswered: dict[str, int] = {}
    for row in _rows(errors):
        why = row[2].rpartition(": ")[2]
        unanswered[why] = unanswered.get(why, 0) + int(row[1])
    return Sent(float(total[1]), statuses, unanswered)


def _rows(text: str) -> list[re.Match[str]]:
    return [row for line in text.splitlines() if (row := _ROW.match(line))]


async def counts(admin_url: str, service: str, client: httpx.AsyncClient | None = None) -> dict[str, Served]:
    """By arm of a service of the local platform, since Envoy's start: subtract two of them.

    Raises:
        Unavailable: Envoy does not answer
    """
    clusters = {arm: f"{service}-{arm}" for arm in ARMS}
    if client is not None:
        return await counted(admin_url, clusters, client)
    async with httpx.AsyncClient(trust_env=False, verify=False) as own:
        return await counted(admin_url, clusters, own)


async def counted(admin_url: str, clusters: Mapping[str, str], client: httpx.AsyncClient) -> dict[str, Served]:
    """By the same keys as Envoy's clusters, since each was made; nothing of one that is not there.

    Raises:
        Unavailable: Envoy does not answer
    """
    names = "|".join(re.escape(cluster) for cluster in clusters.values())
    figures = rf"^cluster\.({names})\.upstream_rq_(completed|5xx)$"
    lines = (await Admin(client, admin_url).text("/stats", filter=figures)).splitlines()
    values = {name.removeprefix("cluster."): int(value) for name, _, value in (line.partition(": ") for line in lines)}

    def figure(cluster: str, name: str) -> int:
        # Envoy has no counter of errors before the first.
        return values.get(f"{cluster}.upstream_rq_{name}", 0)

    return {key: Served(figure(name, "completed"), figure(name, "5xx")) for key, name in clusters.items()}
