"""Does every part of a platform answer? Asked until it does, or until it is clear that it will not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from serinus.errors import Unavailable
from serinus.local import prefect_server, prometheus
from serinus.local.child import tail
from serinus.local.kept import Kept
from serinus.local.node import Node
from serinus.local.platform import Platform
from serinus.local.programs import Say
from serinus.stores.pods import STABLE

READY_SECONDS = 90.0
READY_POLL_SECONDS = 0.1
BAD_START_DEATHS = 3


@dataclass(slots=True)
class Parts:
    """What one platform is made of, while it runs."""

    platform: Platform
    children: dict[str, Kept]
    nodes: dict[str, Node]
    client: httpx.AsyncClient
    say: Say


async def until_ready(parts: Parts) -> None:
    """Each part answers; a line for each that begins to.

    Raises:
        Unavailable: one died again and again, or did not answer in time
    """
    waiting: dict[str, Callable[[], Awaitable[bool]]] = {
        "prometheus": lambda: prometheus.sees_envoy(parts.client, parts.platform.prometheus),
        "prefect": lambda: prefect_server.answers(parts.client, parts.platform.prefect_api),
        **{name: _answers(parts, name) for name in parts.nodes},
    }
    loop = asyncio.get_running_loop()
    began = loop.time()
    while waiting:
        names = tuple(waiting)
        answers = await asyncio.gather(*(waiting[name]() for name in names))
        for name, answer in zip(names, answers, strict=True):
            if answer:
                del waiting[name]
                parts.say(f"{name} answers after {loop.time() - began:.1f} s")
        for name, child in parts.children.items():
            if child.deaths >= BAD_START_DEATHS:
                raise Unavailable(f"{name} does not start: {tail(child.command.log) or 'it says nothing'}")
        if waiting and loop.time() - began > READY_SECONDS:
            raise Unavailable(
                f"{', '.join(waiting)} did not answer within {READY_SECONDS:.0f} s; see {parts.platform.logs}"
            )
        await asyncio.sleep(READY_POLL_SECONDS)


def _answers(parts: Parts, service: str) -> Callable[[], Awaitable[bool]]:
    """Stable serves, and an answer of its comes through Envoy."""

    async def asked() -> bool:
        if not parts.nodes[service].serves(STABLE):
            return False
        try:
            answer = await parts.client.get(parts.platform.traffic[service], timeout=1.0)
        except httpx.HTTPError:
            return False
        return "x-version" in answer.headers

    return asked
