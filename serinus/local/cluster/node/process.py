"""How does one process of a container run and end? Watched for its memory and its probes; asked to go, then killed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field

from serinus.local.child import Child
from serinus.local.cluster.node.probe import ask
from serinus.local.cluster.node.prober import Prober
from serinus.local.cluster.node.status import Object
from serinus.local.pod import memory_bytes

WATCH_SECONDS = 0.2


@dataclass(slots=True)
class Ending:
    """Whether and until when a container is to end; the time is the loop's."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    kill_at: float = float("inf")

    def ask(self, kill_at: float) -> None:
        """An earlier time given later counts."""
        self.kill_at = min(self.kill_at, kill_at)
        self.wanted.set()


async def watched(child: Child, memory: int, hook: Object | None, prober: Prober, ending: Ending, grace: float) -> str:
    """Until it has ended, by itself or because it was made to; a kubelet's word for that.

    Args:
        memory: bytes that it may have; 0 is no limit
        hook: `preStop`
        grace: seconds for it to end in, where a probe ends it
    """
    ended = asyncio.ensure_future(child.ended())
    ordered = asyncio.ensure_future(ending.wanted.wait())
    failed = asyncio.ensure_future(prober.failed.wait())
    prober.begin()
    try:
        while not (ended.done() or ordered.done() or failed.done()):
            await asyncio.wait((ended, ordered, failed), timeout=WATCH_SECONDS, return_when="FIRST_COMPLETED")
            if memory and not ended.done() and memory_bytes(child.identity.pid) > memory:
                kill(child)
                await asyncio.wait((ended,))
                return "OOMKilled"
        if not ended.done():
            if failed.done():
                ending = _earlier(ending, grace)
            await _made_to_end(child, ended, hook, prober, ending)
    finally:
        ordered.cancel()
        failed.cancel()
        prober.stop()
        kill(child)
        await asyncio.shield(ended)
    return "Completed" if ended.result() == 0 else "Error"


def kill(child: Child) -> None:
    """The process and whatever it has started: it leads a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)


def _earlier(ending: Ending, grace: float) -> Ending:
    """For this process alone: its container starts again."""
    return Ending(ending.wanted, min(ending.kill_at, asyncio.get_running_loop().time() + grace))


async def _made_to_end(
    child: Child, ended: asyncio.Future[int], hook: Object | None, prober: Prober, ending: Ending
) -> None:
    """The hook, SIGTERM, and SIGKILL when its time is up."""
    if hook:
        asked = asyncio.ensure_future(ask(hook, prober.where, None, prober.client))
        await _until((asked, ended), ending)
        asked.cancel()
    child.signal(signal.SIGTERM)
    await _until((ended,), ending)
    if not ended.done():
        kill(child)
        await asyncio.wait((ended,))


async def _until(any_of: tuple[asyncio.Future[str] | asyncio.Future[int], ...], ending: Ending) -> None:
    """One of them is done, or the time is up, which may still be made shorter."""
    loop = asyncio.get_running_loop()
    while not any(one.done() for one in any_of) and (left := ending.kill_at - loop.time()) > 0:
        await asyncio.wait(any_of, timeout=min(WATCH_SECONDS, left), return_when="FIRST_COMPLETED")
