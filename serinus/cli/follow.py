"""How a release is watched: its record and route asked again and again, each moment handed on.

Reads only, through the ports; a platform that does not answer is a moment without news, not an end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from serinus.adapters import KUBERNETES
from serinus.cli.glance import Glance, glance
from serinus.errors import PlatformError
from serinus.ports import Ports, Route
from serinus.release.plan import Target
from serinus.release.record import Foreign, Record
from serinus.wiring import timing
from serinus.within import within

T = TypeVar("T")

LOOK_SECONDS = 0.2
AFAR_SECONDS = 10.0
"""Between two looks at a cluster where nothing wakes us: each is three questions to an API server that others need too."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look.

    Args:
        record: None where the service has never had a release
        route: None where the router's object cannot be read
        taken_up: the router's own word on that very route; None where it did not say
        trouble: what did not answer, and how
    """

    record: Record | Foreign | None
    route: Route | None = None
    taken_up: bool | None = None
    trouble: str = ""


async def look(ports: Ports) -> Seen:
    """Record, route and the router's word, read once."""
    try:
        kept = await ports.ledger.read()
    except PlatformError as cause:
        return Seen(None, trouble=f"the record cannot be read: {cause}")
    record = kept.record if kept else None
    try:
        route = await ports.router.read()
    except PlatformError as cause:
        return Seen(record, trouble=f"the route cannot be read: {cause}")
    try:
        return Seen(record, route, await ports.router.taken_up(route))
    except PlatformError as cause:
        return Seen(record, route, trouble=f"the router does not say what it serves by: {cause}")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and how long an engine that lives may be silent.

    Args:
        look_seconds: between two looks; a change that the platform tells of ends the wait
    """

    look_seconds: float = LOOK_SECONDS
    dead_seconds: float = inf


def pace(target: Target) -> Pace:
    """What suits there."""
    held = timing(target)
    afar = target.workload == KUBERNETES
    return Pace(AFAR_SECONDS if afar else LOOK_SECONDS, held.dead_seconds + held.beat_seconds)


Wanted = Callable[[Record], bool]


async def moments(ports: Ports, wanted: Wanted = lambda record: True, pace: Pace = Pace()) -> AsyncIterator[Glance]:
    """Each moment of one release, from the first record that is `wanted` until its end (handed on too)."""
    before: Glance | None = None
    known: Record | None = None
    clock, written = asyncio.get_running_loop().time, 0.0
    while True:
        seen = await look(ports)
        if before is not None and seen.record is None and not seen.trouble:
            return  # somebody has removed it
        if isinstance(seen.record, Record):
            if before is not None and seen.record.release != before.release:
                return
            if before is not None or wanted(seen.record):
                if seen.record != known:
                    known, written = seen.record, clock()
                silent = clock() - written, pace.dead_seconds
                before = glance(seen.record, seen.route, seen.taken_up, before, *silent)
                yield before
                if before.ended:
                    return
        await ports.wake.wait(pace.look_seconds, pace.look_seconds)


async def beside(
    work: Awaitable[T],
    ports: Ports,
    show: Callable[[Glance], None],
    wanted: Wanted = lambda record: True,
    pace: Pace = Pace(),
) -> T:
    """Do `work` while the release's moments are shown, its last one too."""

    async def follow() -> None:
        async for moment in moments(ports, wanted, pace):
            show(moment)

    watching = asyncio.create_task(follow())
    try:
        result = await work
        with suppress(TimeoutError):
            async with within(5 * LOOK_SECONDS):
                await asyncio.shield(watching)
        return result
    finally:
        watching.cancel()
