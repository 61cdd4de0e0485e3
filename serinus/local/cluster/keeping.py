"""How is each part of a cluster kept running? Started again when it dies; not while a file says that it is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from serinus.local.child import Command, Register, start
from serinus.local.cluster.cluster import HELD, PIDS
from serinus.local.kept import delay, how, last_words
from serinus.local.programs import Say

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 2.0
LIVED_SECONDS = 10.0
STOP_SECONDS = 1.0
"""An API server asked to end waits for its watchers; nothing here is worth that."""
POLL_SECONDS = 0.1


@dataclass(slots=True)
class Part:
    """One program of the cluster.

    Args:
        pids: a folder; a file named as the part holds the process that it is now
        held: a folder; while a file named as the part lies there, it does not run
        deaths: in a row, none of them after a life of `LIVED_SECONDS`
    """

    command: Command
    register: Register
    pids: Path
    held: Path
    say: Say
    deaths: int = 0

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def _is_held(self) -> bool:
        return (self.held / self.name).exists()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while self._is_held:
                await asyncio.sleep(POLL_SECONDS)
            try:
                await self._live()
            except OSError as problem:
                self.deaths += 1
                self.say(f"{self.name} cannot be started: {problem}")
            if not self._is_held:
                await asyncio.sleep(delay(self.deaths, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS))

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        born = loop.time()
        child = await start(self.command, self.register)
        pid = self.pids / self.name
        pid.write_text(str(child.identity.pid))
        ended = asyncio.ensure_future(child.ended())
        try:
            while not ended.done() and not self._is_held:
                await asyncio.wait((ended,), timeout=POLL_SECONDS)
            if not ended.done():
                await child.stop(STOP_SECONDS)
                return
        except asyncio.CancelledError:
            await child.stop(STOP_SECONDS)
            raise
        finally:
            ended.cancel()
            pid.unlink(missing_ok=True)
        self.deaths = 1 if loop.time() - born >= LIVED_SECONDS else self.deaths + 1
        self.say(f"{self.name} {how(ended.result())}; it is started again. {last_words(self.command)}".strip())


Keep = Callable[[Command], Part]


@asynccontextmanager
async def kept(folder: Path, say: Say) -> AsyncIterator[Keep]:
    """What starts a part in this cluster's folder and keeps it; at the end all of them are stopped, the newest first."""
    tasks: list[asyncio.Task[None]] = []
    register = Register(folder / "processes.json")

    def keep(command: Command) -> Part:
        part = Part(command, register, folder / PIDS, folder / HELD, say)
        tasks.append(asyncio.create_task(part.run(), name=command.name))
        return part

    try:
        yield keep
    finally:
        for task in reversed(tasks):
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
