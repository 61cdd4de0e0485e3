"""How long is a platform waited for that does not answer? As long as D: a release's moves are begun again.

A move may be: each of its steps may be found done. What is asked, closed or lost meanwhile ends the waiting (`hold.tick`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from serinus.errors import Unavailable
from serinus.moves.engine import Engine
from serinus.moves.hold import tick
from serinus.release.lifecycle import Action, Step

T = TypeVar("T")
log = logging.getLogger("serinus.patience")


async def patiently(engine: Engine, what: str, move: Callable[[], Awaitable[T]]) -> T | Action:
    """What the move comes to, begun again where an answer is missing, for D at most; or what ends the release meanwhile.

    Args:
        what: for people: `the canary to be started`
    """
    clock, timing = engine.ports.clock, engine.timing
    since: float | None = None
    while True:
        try:
            return await move()
        except Unavailable as cause:
            log.warning("%s: waiting for %s: %s", engine.release, what, cause)
            since = clock.monotonic() if since is None else since
            lasted = clock.monotonic() - since
            if lasted >= timing.dead_seconds:
                return Action(Step.ROLL_BACK, f"waited {lasted:.0f} s for {what}: {cause}", "platform", "silent")
        ended = await tick(engine)
        if ended:
            return ended
        await clock.sleep(min(timing.again_seconds, timing.dead_seconds / 5))
