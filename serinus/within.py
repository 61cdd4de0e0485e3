"""How long may something take? As `asyncio.timeout`, also for who was cancelled and tidies up.

Before CPython 3.11.3 (gh-102780; Debian 12 has 3.11.2) `asyncio.timeout` raises CancelledError instead of TimeoutError in a task
that was cancelled once, so the first call without an answer ended whoever was about to return traffic after a cancel.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class within:  # noqa: N801 (it stands where `asyncio.timeout` would)
    """A block that may take so long; at its end it is cancelled.

    Args:
        seconds: None: as long as it takes

    Raises:
        TimeoutError: it took longer
    """

    def __init__(self, seconds: float | None) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._cancels = 0

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        self._cancels = task.cancelling() if task else 0
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)
        task = asyncio.current_task()
        ours = self._timeout.expired() and task is not None and task.cancelling() <= self._cancels
        if ours and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error
