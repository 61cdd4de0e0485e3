"""When is it time to look at record and route? When a watch shows that somebody else may have written one of them.

What has changed, and whether it matters, says the read that follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from serinus.kube.patch import Object
from serinus.kube.watch import Watch
from serinus.within import happens


class Watching:
    """`ports.Wake` over watches; end them with `aclose`.

    Args:
        watched: each with the name of its one object, and whether that is as we left it
    """

    def __init__(self, *watched: tuple[Watch, str, Callable[[Object], bool]]) -> None:
        self._watched = watched
        self._changed = asyncio.Event()
        for watch, name, ours in watched:
            watch.tell(partial(self._told, watch, name, ours))

    async def wait(self, seconds: float, tick_seconds: float) -> bool:
        """See `ports.Wake`. Without a living watch nothing is known: then it is time at every tick."""
        for watch, _, _ in self._watched:
            watch.start()
        alive = all(watch.alive for watch, _, _ in self._watched)
        woken = await happens(self._changed, seconds if alive else min(seconds, tick_seconds))
        self._changed.clear()
        return woken or not alive

    async def aclose(self) -> None:
        """Watch no more."""
        await asyncio.gather(*(watch.aclose() for watch, _, _ in self._watched))

    def _told(self, watch: Watch, name: str, ours: Callable[[Object], bool]) -> None:
        found = watch.find(name) if watch.alive else None
        if found is None or not ours(found):
            self._changed.set()
