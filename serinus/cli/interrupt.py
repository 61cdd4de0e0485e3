"""What Ctrl-C does to a release that runs here: first an abort is asked for; the second closes the route and leaves.

The engine ends its release itself after the first. After the second the guard does: this process is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from serinus.cli.ask import who
from serinus.cli.exit_code import Code
from serinus.errors import Refused, SerinusError
from serinus.moves.ask import abort
from serinus.ports import Ports

T = TypeVar("T")

CLOSE_SECONDS = 5.0
WHY = "Ctrl-C"

Until = Callable[[Coroutine[Any, Any, T]], Awaitable[T]]


class Interrupts:
    """One release's Ctrl-Cs."""

    def __init__(self, say: Callable[[str], None], ports: Ports, service: str) -> None:
        self._say = say
        self._ports = ports
        self._service = service
        self._count = 0
        self._work: asyncio.Task[Any] | None = None
        self._doing: set[asyncio.Task[None]] = set()

    def press(self) -> None:
        """One more Ctrl-C."""
        self._count += 1
        if self._count > 2:
            os._exit(Code.UNRETURNED)
        step = self._ask() if self._count == 1 else self._leave()
        task = asyncio.get_running_loop().create_task(step)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def until(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it; it ends by itself after an abort."""
        doing = asyncio.ensure_future(work)
        self._work = doing
        return await doing

    async def _ask(self) -> None:
        self._say("Ctrl-C: the release is taken back; once more closes the route and leaves")
        try:
            await abort(self._ports, who(), WHY)
        except Refused:
            if self._work:
                self._work.cancel()  # nothing is live yet: there is nothing to give back
        except SerinusError as cause:
            self._say(f"not asked yet: {cause}")

    async def _leave(self) -> None:
        """Weight 0 read back, then gone at once: waiting for the engine is what the person does not want."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await abort(self._ports, who(), WHY)
            told, code = f"{self._service}: weight 0 was read back; the guard ends the release", Code.ROLLED_BACK
        except (SerinusError, TimeoutError) as cause:
            told, code = (
                f"{self._service}: NOT returned ({cause or 'no answer'}); the guard goes on trying",
                Code.UNRETURNED,
            )
        print(told, file=sys.stderr, flush=True)
        os._exit(code)


@asynccontextmanager
async def interruptible(say: Callable[[str], None], ports: Ports, service: str) -> AsyncIterator[Until[Any]]:
    """Ctrl-C is heard inside; hands out what waits for the work."""
    presses, loop = Interrupts(say, ports, service), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, presses.press)
    try:
        yield presses.until
    finally:
        loop.remove_signal_handler(signal.SIGINT)
