"""What Ctrl-C and SIGTERM do to a release that runs here: the first asks for an abort; the second closes the route and leaves.

The engine ends its release itself after the first. After the second the guard does: this process is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

from serinus.cli.ask import who
from serinus.cli.exit_code import BY_OUTCOME, Code
from serinus.cli.terminal import Terminal
from serinus.errors import Refused, SerinusError
from serinus.moves.ask import Left, abort
from serinus.moves.summary import outcome_of
from serinus.ports import Ports
from serinus.release.record import Record
from serinus.within import within

T = TypeVar("T")

CLOSE_SECONDS = 5.0
WHY = "interrupted"

CLOSED = "rolled back", "weight 0 was read back; the guard ends the release"
LEFT = {
    Left.UNSERVED: ("rolled back", "nothing went to the canary; the guard ends the release"),
    Left.PROMOTING: (
        "rollback failed",
        f"NOT returned: {Left.PROMOTING}; the guard puts the previous one back, then the traffic",
    ),
}
"""How a release is left whose route was not closed from here: its outcome, and what is told of it."""

Until = Callable[[Coroutine[Any, Any, T]], Awaitable[T]]


class Interrupts:
    """What was pressed during one release.

    Args:
        ours: whether the live record is this release's; another's is never aborted
    """

    def __init__(self, out: Terminal, say: Callable[[str], None], ports: Ports, ours: Callable[[Record], bool]) -> None:
        self._out = out
        self._say = say
        self._ports = ports
        self._ours = ours
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
        self._say("the release is taken back; once more closes the route and leaves")
        try:
            record = await self._recorded()
            if record is not None and not record.ended:
                await abort(self._ports, who(), WHY, release=record.release)
            elif self._work:
                self._work.cancel()  # nothing was touched: there is nothing to give back
        except SerinusError as cause:
            self._say(f"not asked yet: {cause}")

    async def _recorded(self) -> Record | None:
        """This release's record; None where it has none."""
        kept = await self._ports.ledger.read()
        record = kept.record if kept else None
        return record if isinstance(record, Record) and self._ours(record) else None

    async def _leave(self) -> None:
        """Weight 0 read back, then gone at once: waiting for the engine is what the person does not want."""
        try:
            async with within(CLOSE_SECONDS):
                outcome, told = await self._left()
        except (SerinusError, TimeoutError) as cause:
            outcome, told = "rollback failed", f"NOT returned ({cause or 'no answer'}); the guard goes on trying"
        self._out.complain(told)
        self._out.emit({"outcome": outcome, "reason": {"gate": "person", "rule": "abort", "why": told}})
        os._exit(BY_OUTCOME[outcome])

    async def _left(self) -> tuple[str, str]:
        """The release let go: its outcome, and what is told of it."""
        record = await self._recorded()
        if record is None:
            return "refused", "nothing of this release is recorded"
        if not record.ended:
            try:
                came = await abort(self._ports, who(), WHY, release=record.release)
                return LEFT[came] if isinstance(came, Left) else CLOSED
            except Refused:  # it may have ended meanwhile
                record = await self._recorded() or record
                if not record.ended:
                    raise
        return outcome_of(record), f"it has ended: {record.outcome.why if record.outcome else record.state}"


@asynccontextmanager
async def interruptible(
    out: Terminal, say: Callable[[str], None], ports: Ports, ours: Callable[[Record], bool]
) -> AsyncIterator[Until[Any]]:
    """Both signals are heard inside; hands out what waits for the work. Inside of `held_back`."""
    presses, loop = Interrupts(out, say, ports, ours), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, presses.press)

    def listen() -> None:
        with suppress(RuntimeError):  # the loop is closed: it is over
            while True:
                signal.sigwait({signal.SIGTERM})
                loop.call_soon_threadsafe(presses.press)

    threading.Thread(target=listen, name="sigterm", daemon=True).start()
    try:
        yield presses.until
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def held_back() -> Iterator[None]:
    """SIGTERM waits until somebody listens: to be entered before any thread is started.

    Prefect takes the signal for itself in every flow, and raises in the middle of the event loop, which ends it before anything is
    given back. Blocked in every thread, it reaches the one that waits for it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
