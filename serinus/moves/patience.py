"""How long is a platform waited for that answers amiss: late, with 429 or 500, or not at all?

A step of a move is begun again: it may be found done, and a write whose answer was lost is. The rule, for each step by itself:

- Silence ends it. The proof of life is the record: it is written between any two tries where a beat is due, and D (`dead_seconds`)
  without a write that was acknowledged ends the release, whatever is waited for (`hold.tick`).
- Answers keep it going, but not for ever: a step that has come to nothing for `TIMES` D since its first missing answer is given up,
  as where one webhook answers 500 to the one write that is left. A step that gets done is headway: the next one begins at nothing.

So a storm in which one answer in three is wrong ends nothing, and one call that never succeeds ends it in time. What is asked or
closed meanwhile ends the waiting at once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from serinus.errors import Unavailable
from serinus.moves.engine import Engine
from serinus.moves.hold import tick
from serinus.ports import Clock
from serinus.release.lifecycle import Action, Step

T = TypeVar("T")
TIMES = 2.0
"""In D: some twenty tries, each with two chances in three, and of an API server that is late alone, five."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
"""Doubled after each missing answer: most often the very next try is answered."""
log = logging.getLogger("serinus.patience")


async def patiently(engine: Engine, what: str, step: Callable[[], Awaitable[T]]) -> T | Action:
    """What a step comes to, or what ends the release meanwhile.

    Args:
        what: for people: `the canary to be started`
    """
    waits = Waits(engine.ports.clock, engine.timing.again_seconds)
    while True:
        try:
            return await step()
        except Unavailable as cause:
            log.warning("%s: waiting for %s: %s", engine.release, what, cause)
            lasted = waits.missed()
            if lasted >= TIMES * engine.timing.dead_seconds:
                return Action(Step.ROLL_BACK, f"waited {lasted:.0f} s for {what}: {cause}", "platform", "silent")
        ended = await tick(engine)
        if ended:
            return ended
        await waits.pause()


async def endingly(engine: Engine, what: str, step: Callable[[], Awaitable[T]]) -> T:
    """What a step of a release that is being ended comes to: nothing that is asked ends it a second time.

    Args:
        what: for people: `the canary to be removed`

    Raises:
        Unavailable: it came to nothing for so long; calling again goes on from there
    """
    waits = Waits(engine.ports.clock, engine.timing.again_seconds)
    while True:
        try:
            return await step()
        except Unavailable as cause:
            log.warning("%s: waiting for %s: %s", engine.release, what, cause)
            if waits.missed() >= TIMES * engine.timing.dead_seconds:
                raise
        await tick(engine)
        await waits.pause()


async def answered(clock: Clock, seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
    """What is answered to a question before there is an engine, asked again for so long.

    Raises:
        Unavailable: nothing was
    """
    waits = Waits(clock, LONGEST_PAUSE_SECONDS)
    while True:
        try:
            return await ask()
        except Unavailable:
            if waits.missed() >= seconds:
                raise
        await waits.pause()


class Waits:
    """Pauses between tries.

    Args:
        longest: of them, seconds
    """

    def __init__(self, clock: Clock, longest: float) -> None:
        self._clock = clock
        self._longest = longest
        self._since: float | None = None
        self._pause = min(FIRST_PAUSE_SECONDS, longest)

    def missed(self) -> float:
        """One more answer is missing: seconds since the first that was."""
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since

    async def pause(self) -> None:
        """Until the next try."""
        await self._clock.sleep(self._pause)
        self._pause = min(2 * self._pause, self._longest)
