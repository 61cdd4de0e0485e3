"""Cancelling a run in the Prefect UI is an abort of its own release, also where no worker passes it on.

A run that owns none yet is ended itself: whichever release is going is somebody else's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from uuid import UUID

from prefect import get_client

from serinus.errors import SerinusError
from serinus.moves.ask import abort
from serinus.wiring import Run
from serinus.within import within
from tasks.show import Withdrawn, page_run

log = logging.getLogger("serinus.cancel")
LOOK_SECONDS = 5.0
AGAIN_SECONDS = 1.0
WITHDRAWN = "the run was cancelled before it began"


class Cancel:
    """Whether somebody cancelled the run; a run that is being cancelled may only end as Cancelled."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting: asyncio.Task[object] | None = None

    def ask(self) -> None:
        """It was; what waits, and owns nothing, ends."""
        self.asked = True
        if self._waiting:
            self._waiting.cancel()

    @contextmanager
    def ends(self) -> Iterator[None]:
        """For the block a cancel ends this task: nothing is touched in it.

        Raises:
            Withdrawn: it did, or came before
        """
        if self.asked:
            raise Withdrawn(WITHDRAWN)
        self._waiting = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            # One that came from elsewhere too stays a cancel.
            if self.asked and self._waiting and not self._waiting.uncancel():
                raise Withdrawn(WITHDRAWN) from None
            raise
        finally:
            self._waiting = None


_cancel: ContextVar[Cancel | None] = ContextVar("serinus_cancel", default=None)


@asynccontextmanager
async def cancellable(run: Run) -> AsyncIterator[Cancel]:
    """Look at the run's own state every few seconds. A server that does not answer stops nothing."""
    cancel = Cancel()
    flow_run = page_run()
    if flow_run is None:
        yield cancel
        return
    token = _cancel.set(cancel)
    looking = asyncio.create_task(_look(run, flow_run.id, cancel))
    try:
        yield cancel
    finally:
        _cancel.reset(token)
        looking.cancel()
        await asyncio.wait({looking}, timeout=1.0)


@contextmanager
def withdrawable() -> Iterator[None]:
    """What a run does before it owns a release: a cancel of the run ends it here and now.

    Raises:
        Withdrawn: it did
    """
    cancel = _cancel.get()
    if cancel is None:
        yield
        return
    with cancel.ends():
        yield


async def _look(run: Run, flow_run: UUID, cancel: Cancel) -> None:
    async with get_client(httpx_settings={"timeout": LOOK_SECONDS}) as client:
        while not cancel.asked:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with within(LOOK_SECONDS):
                    state = (await client.read_flow_run(flow_run)).state
            except Exception as cause:  # whatever the server does, the release goes on
                log.debug("the run's state is not known: %r", cause)
                continue
            if state is not None and (state.is_cancelling() or state.is_cancelled()):
                cancel.ask()
    await _abort(run)


async def _abort(run: Run) -> None:
    """Ask until it is taken: the owner may be between two writes, or about to become one."""
    while run.engine is None or not run.engine.record.ended:
        try:
            if run.engine is not None:
                await abort(run.ports, "the Prefect UI", "the run was cancelled", release=run.engine.release)
                return
        except SerinusError as cause:
            log.warning("cancelled, and not yet taken: %s", cause)
        await asyncio.sleep(AGAIN_SECONDS)
