"""Does a part of the cluster answer? Asked until it does, or until it is clear that it will not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import httpx

from serinus.errors import Unavailable
from serinus.local.child import tail
from serinus.local.cluster import objects
from serinus.local.cluster.credentials import Credentials
from serinus.local.cluster.keeping import Part
from serinus.local.programs import Say

READY_SECONDS = 60.0
POLL_SECONDS = 0.05
BAD_START_DEATHS = 3

Condition = Callable[[], Awaitable[bool]]


async def until(name: str, parts: Sequence[Part], holds: Condition, say: Say) -> None:
    """This part answers.

    Raises:
        Unavailable: one died again and again, or this one did not answer in time
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await _said(holds):
        for part in parts:
            if part.deaths >= BAD_START_DEATHS:
                raise Unavailable(f"{part.name} does not start: {tail(part.command.log) or 'it says nothing'}")
        if loop.time() - began > READY_SECONDS:
            raise Unavailable(f"{name} did not answer within {READY_SECONDS:.0f} s; see {parts[0].command.log.parent}")
        await asyncio.sleep(POLL_SECONDS)
    say(f"{name} answers after {loop.time() - began:.1f} s")


async def _said(holds: Condition) -> bool:
    try:
        return await holds()
    except (httpx.HTTPError, OSError, ValueError):
        return False


async def api_answers(access: Credentials) -> bool:
    async with objects.connect(access.kubeconfig("admin")) as client:
        return (await client.get("/readyz")).text == "ok"
