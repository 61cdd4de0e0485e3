"""A chapter of a release as a run of its own in the UI, without ever waiting for the server to open it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from prefect import Flow

from serinus import wiring
from serinus.errors import PlatformError
from tasks.moved import Moved
from tasks.show import quiet

log = logging.getLogger("serinus.subflow")
OPEN_SECONDS = 2.5
"""Nothing beats meanwhile, and a silent owner loses its release after `Timing.dead_seconds`."""
LEAVE_SECONDS = 2.5
LAST_SECONDS = 20.0
"""Of an ended release, on which nothing waits any more: SQLite's 503 (see below) three times in a row are 14 s."""
PAUSE_SECONDS = 0.2
"""SQLite answers 503 to a run that is made in the instant in which a task ends, and the client then waits for 2 s."""

Moves = Callable[[Moved], Awaitable[Moved]]


class Chapter:
    """The moves of a subflow, made once: inside of it, or without it where it does not open in time."""

    def __init__(self, moves: Moves, before: Moved) -> None:
        self._moves = moves
        self._before = before
        self._taken = False
        self.begun = asyncio.Event()
        self.ended: asyncio.Future[Moved] = asyncio.get_running_loop().create_future()

    async def make(self) -> Moved:
        """Make the moves; whoever comes second waits for what came of them."""
        if self._taken:
            return await asyncio.shield(self.ended)
        self._taken = True
        self.begun.set()
        try:
            after = await self._moves(self._before)
        except BaseException as error:
            self.ended.set_exception(error)
            self.ended.exception()  # seen: the caller may be gone
            raise
        self.ended.set_result(after)
        return after


async def inside(subflow: Flow[..., Any], moves: Moves, before: Moved, name: str) -> Moved:
    """Make these moves inside a subflow.

    Args:
        name: of the run: what a person reads first, so its reason

    Returns:
        what the last move came to; also where the server never heard of it.
    """
    chapter = Chapter(moves, before)
    running = asyncio.create_task(_run(subflow, name, before, chapter))
    try:
        if not await _opened(chapter, running):  # it may open later: it then shows how its moves, made here, came out
            await _say_late(subflow.name, running)
            return await chapter.make()
        return await asyncio.shield(chapter.ended)
    except asyncio.CancelledError:
        running.cancel()
        with anyio.CancelScope(shield=True):  # two may not move the same traffic: wait until the moves have let go
            await asyncio.wait({chapter.ended}, timeout=LEAVE_SECONDS)
        raise
    finally:
        await _leave(running)


async def _run(subflow: Flow[..., Any], name: str, before: Moved, chapter: Chapter) -> None:
    await asyncio.sleep(PAUSE_SECONDS)
    run: Any = subflow(name, before, chapter, return_state=True)  # Prefect's types know only a known flow's coroutine
    await run


async def _opened(chapter: Chapter, running: asyncio.Task[None]) -> bool:
    begun = asyncio.create_task(chapter.begun.wait())
    with quiet():
        await asyncio.wait({begun, running}, timeout=PAUSE_SECONDS + OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    return chapter.begun.is_set()


async def _leave(running: asyncio.Task[None]) -> None:
    """Let Prefect write down how it ended; an ended release has more time for that than one that goes on."""
    running.add_done_callback(lambda done: done.cancelled() or done.exception())  # the chapter has said it already
    with anyio.CancelScope(shield=True):
        await asyncio.wait({running}, timeout=LAST_SECONDS if wiring.held().record.ended else LEAVE_SECONDS)
    running.cancel()


async def _say_late(name: str, running: asyncio.Task[None]) -> None:
    """The history in Prefect has a gap: the evidence names it."""
    engine = wiring.held()
    error = running.exception() if running.done() and not running.cancelled() else None
    why = f" ({type(error).__name__}: {str(error).partition(chr(10))[0]})" if error else f" within {OPEN_SECONDS:g} s"
    what = f"Prefect did not open the subflow {name}{why}: its moves were made beside it, only its history has a gap"
    log.warning("%s: %s", engine.release, what)
    try:
        await engine.write(engine.say("gap", what=what))
    except PlatformError as cause:
        log.warning("%s: the gap is not in the evidence: %s", engine.release, cause)
