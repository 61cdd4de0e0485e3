"""A clock that moves only when everybody sleeps: hours in milliseconds, in an order that is the same every time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

QUIET_PASSES = 24
"""Turns of the event loop without a call to a fake, after which everybody is taken to be waiting."""


class FakeClock:
    """`ports.Clock`; time passes only where somebody sleeps and nobody has anything else to do.

    Args:
        epoch: what `wall` says at monotonic 0
        passing: called with the new time before sleepers wake, so that the world moves on first
    """

    def __init__(self, epoch: datetime | None = None) -> None:
        self.epoch = epoch or datetime(2030, 1, 1, tzinfo=UTC)
        self.passing: Callable[[float], None] = lambda now: None
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._quiet = 0
        self._driven = False

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> str:
        at = self.epoch + timedelta(seconds=self._now)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        awake: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), next(self._order), awake))
        self.stir()
        if not self._driven:
            self._driven = True
            loop.call_soon(self._drive, loop)
        await awake

    def stir(self) -> None:
        """Somebody is still busy: time waits."""
        self._quiet = 0

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        self._quiet += 1
        if self._quiet > QUIET_PASSES:
            self._wake_next()
        self._driven = bool(self._sleepers)
        if self._driven:
            loop.call_soon(self._drive, loop)

    def _wake_next(self) -> None:
        while self._sleepers:
            at, _, awake = heapq.heappop(self._sleepers)
            if awake.done():
                continue
            self._now = max(self._now, at)
            self.passing(self._now)
            awake.set_result(None)
            self.stir()
            return
