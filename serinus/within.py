"""How long may something take? As `asyncio.timeout`, also for who was cancelled and tidies up.

Before CPython 3.11.3 (gh-102780; Debian 12 has 3.11.2) `asyncio.timeout` raises CancelledError instead of TimeoutError in a task
that was cancelled once, so the first call without an answer ended whoever was about to return traffic after a cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """A block that may take so long; at its end it is cancelled.

    Args:
        seconds: None: as long as it takes

    Raises:
        TimeoutError: it took longer
    """
    task, timeout = asyncio.current_task(), asyncio.timeout(seconds)
    cancels = task.cancelling() if task else 0
    try:
        async with timeout:
            yield
    except asyncio.CancelledError as cancel:
        if timeout.expired() and task is not None and task.cancelling() <= cancels:
            raise TimeoutError from cancel
        raise


async def happens(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for it, so long at most; whether it is set then."""
    with suppress(TimeoutError):
        async with within(seconds):
            await event.wait()
    return event.is_set()
