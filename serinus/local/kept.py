"""How is a child kept running? Started again when it dies, at the same address, slower each time; stopped with its keeper."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from serinus.local.child import Child, Command, Register, start, tail
from serinus.local.programs import Say

FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 5.0
LIVED_SECONDS = 10.0
STOP_SECONDS = 4.0


@dataclass(slots=True)
class Kept:
    """One child that is always there.

    Args:
        deaths: in a row, none of them after a life of `LIVED_SECONDS`
    """

    command: Command
    register: Register
    say: Say
    child: Child | None = None
    deaths: int = 0

    @property
    def pid(self) -> int | None:
        return self.child.identity.pid if self.child is not None and self.child.running else None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._live()
            except OSError as problem:
                self.deaths += 1
                self.say(f"{self.command.name} cannot be started: {problem}")
            await asyncio.sleep(delay(self.deaths, FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS))

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        born = loop.time()
        self.child = child = await start(self.command, self.register)
        try:
            code = await child.ended()
        except asyncio.CancelledError:
            await child.stop(STOP_SECONDS)
            raise
        self.deaths = 1 if loop.time() - born >= LIVED_SECONDS else self.deaths + 1
        self.say(f"{self.command.name} {how(code)}; it is started again. {last_words(self.command)}".strip())


def delay(deaths: int, first: float, longest: float) -> float:
    """Seconds before the next start, doubling with each death in a row."""
    return min(longest, first * 2.0 ** min(max(0, deaths - 1), 20))


def how(code: int) -> str:
    """How it ended, for people."""
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"


def last_words(command: Command) -> str:
    """The last line of its log, with where the rest is."""
    lines = tail(command.log, 1)
    return f"{command.log}: {lines}" if lines else ""
