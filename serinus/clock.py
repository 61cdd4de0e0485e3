"""This process' own time, as `ports.Clock`; and a wait that only time ends, as `ports.Wake`."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from serinus.ports import Clock


class SystemClock:
    """The machine's monotonic clock; a wall clock that is set back changes nothing but what people read."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> str:
        return datetime.now(UTC).isoformat(timespec="milliseconds")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Ticks:
    """Looking costs nothing here, so it is always time to look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wait(self, seconds: float, tick_seconds: float) -> bool:
        await self._clock.sleep(min(seconds, tick_seconds))
        return True
