"""How many users' requests did each arm serve while something went on, by Envoy's own counters?

An arm that is made and taken away meanwhile, as on Kubernetes, has counters only as long as it is there: they are read again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx

from serinus.errors import Unavailable
from serinus.local.platform import Platform
from serinus.local.traffic import Served, counted

EVERY_SECONDS = 0.25
NONE = Served(0, 0)


@dataclass(slots=True)
class Tally:
    """By arm, since its start."""

    came: dict[str, Served]

    def read(self, before: Mapping[str, Served], now: Mapping[str, Served]) -> None:
        """Take what has come since the last look; counters that were set back belong to an arm that was made anew."""
        for arm, served in now.items():
            new = served.since(before[arm]) if served.completed >= before[arm].completed else served
            self.came[arm] = Served(self.came[arm].completed + new.completed, self.came[arm].failed + new.failed)


@asynccontextmanager
async def tallied(platform: Platform, service: str) -> AsyncIterator[Tally]:
    """Counts as long as the block lasts, to its very end.

    Raises:
        Unavailable: Envoy does not answer at the start or at the end
    """
    clusters = clusters_of(platform, service)
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        before = await counted(platform.envoy_admin, clusters, http)
        tally = Tally(dict.fromkeys(clusters, NONE))

        async def look() -> None:
            nonlocal before
            now = await counted(platform.envoy_admin, clusters, http)
            tally.read(before, now)
            before = now

        async def again() -> None:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                with suppress(Unavailable):
                    await look()

        looking = asyncio.create_task(again())
        try:
            yield tally
        finally:
            looking.cancel()
            await asyncio.wait({looking})
        await look()


def clusters_of(platform: Platform, service: str) -> dict[str, str]:
    """What Envoy calls each arm."""
    from serinus.kube.names import canary_name
    from serinus.stores.pods import ARMS, CANARY, STABLE

    known = platform.kubernetes
    if known is None:
        return {arm: f"{service}-{arm}" for arm in ARMS}
    return {STABLE: f"{known.namespace}_{service}_80", CANARY: f"{known.namespace}_{canary_name(service)}_80"}
