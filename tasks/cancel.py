"""Cancelling a run in the Prefect UI is an abort, also where no worker passes it on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from prefect import get_client

from serinus.errors import SerinusError
from serinus.moves.ask import abort
from serinus.wiring import Run
from tasks.show import page_run

log = logging.getLogger("serinus.cancel")
LOOK_SECONDS = 5.0


class Cancel:
    """Whether somebody cancelled the run; a run that is being cancelled may only end as Cancelled."""

    def __init__(self) -> None:
        self.asked = False


@asynccontextmanager
async def cancellable(run: Run) -> AsyncIterator[Cancel]:
    """Look at the run's own state every few seconds. A server that does not answer stops nothing."""
    cancel = Cancel()
    flow_run = page_run()
    if flow_run is None:
        yield cancel
        return
    looking = asyncio.create_task(_look(run, flow_run.id, cancel))
    try:
        yield cancel
    finally:
        looking.cancel()
        await asyncio.wait({looking}, timeout=1.0)


async def _look(run: Run, flow_run: UUID, cancel: Cancel) -> None:
    async with get_client(httpx_settings={"timeout": LOOK_SECONDS}) as client:
        while not cancel.asked:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    state = (await client.read_flow_run(flow_run)).state
            except Exception as cause:  # whatever the server does, the release goes on
                log.debug("the run's state is not known: %r", cause)
                continue
            cancel.asked = state is not None and (state.is_cancelling() or state.is_cancelled())
    await _abort(run)


async def _abort(run: Run) -> None:
    """Ask until it is taken: the owner may be between two writes."""
    while run.engine is None or not run.engine.record.ended:
        try:
            await abort(run.ports, "the Prefect UI", "the run was cancelled")
            return
        except SerinusError as cause:
            log.warning("cancelled, and not yet taken: %s", cause)
            await asyncio.sleep(1.0)
