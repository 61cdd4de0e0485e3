"""How does a child process live and end with its parent? Started so that it cannot outlive it, written down, stopped in time.

What it runs and whether it is ready is not asked here.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from serinus.local.programs import setpriv
from serinus.stores.process import Identity, identity_of
from serinus.within import within

TAIL_LINES = 12
TAIL_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Args:
        name: for people; the log's name
        words: program and arguments
        environment: all of it; None is ours
        log: standard output and error, appended
    """

    name: str
    words: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] | None = None


@dataclass(slots=True)
class Register:
    """Every child that runs, in a file: what a later supervisor ends if this one is killed and the kernel did not.

    The second line of defence behind `tied`: a full disk is no reason to lose a child that was just started.
    """

    path: Path
    _running: dict[int, Identity] = field(default_factory=dict)

    def add(self, identity: Identity) -> None:
        self._running[identity.pid] = identity
        self._write()

    def remove(self, identity: Identity) -> None:
        self._running.pop(identity.pid, None)
        self._write()

    def _write(self) -> None:
        temporary = self.path.with_suffix(".tmp")
        with suppress(OSError):
            temporary.write_text(json.dumps([asdict(identity) for identity in self._running.values()]))
            temporary.replace(self.path)


def registered(path: Path) -> tuple[Identity, ...]:
    """Who was running when the file was written last; nobody where there is none or it is torn."""
    try:
        return tuple(Identity(**entry) for entry in json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return ()


@dataclass(slots=True)
class Child:
    """One running process."""

    command: Command
    process: asyncio.subprocess.Process
    identity: Identity
    register: Register

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    async def ended(self) -> int:
        """Its exit code, once it has one; minus the signal's number where one killed it."""
        code = await self.process.wait()
        self.register.remove(self.identity)
        return code

    async def stop(self, seconds: float) -> int:
        """Ask it to end, and end it when it has not after so long."""
        self.signal(signal.SIGTERM)
        try:
            async with within(seconds):
                return await self.ended()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.ended()

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            self.process.send_signal(number)


def tied(words: Sequence[str]) -> tuple[str, ...]:
    """The same program under the same pid, which the kernel kills when the process dies that starts it, however it dies."""
    return (str(setpriv()), "--pdeathsig", "KILL", "--", *words)


async def start(command: Command, register: Register) -> Child:
    """Start it, tied to this process."""
    with command.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *tied(command.words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=command.environment,
            # A Ctrl-C at the terminal is for the supervisor, which ends its children in order.
            start_new_session=True,
        )
    identity = identity_of(process.pid) or Identity(process.pid, 0, "")
    register.add(identity)
    return Child(command, process, identity, register)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The log's last lines."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(deque(text.splitlines(), lines))


async def end(leftovers: tuple[Identity, ...], seconds: float = 5.0) -> None:
    """Kill what an earlier supervisor left, and see it gone."""
    for identity in leftovers:
        if identity.alive:
            os.kill(identity.pid, signal.SIGKILL)
    async with within(seconds):
        while any(identity.alive for identity in leftovers):  # noqa: ASYNC110 (a process tells nobody that it is gone)
            await asyncio.sleep(0.02)
