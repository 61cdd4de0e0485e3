"""What is tried again a few times and then let be: questions before a release, and what a release could do without.

Dozens are asked at once before one, and a server that answers one in three wrong would refuse it for the one that it left open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from serinus.errors import Unavailable

T = TypeVar("T")
ATTEMPTS, PAUSE_SECONDS = 3, 0.5


async def again(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer. Raises Unavailable where none came."""
    asking = AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(PAUSE_SECONDS),
        reraise=True,
    )
    return await asking(ask)
