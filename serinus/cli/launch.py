"""How the local platform is started: its supervisor here, guarding its releases; or as a process of its own, waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from serinus.cli.exit_code import Code
from serinus.cli.terminal import Terminal
from serinus.errors import Refused, Unavailable
from serinus.ground import Here
from serinus.guards import Guards
from serinus.local.child import tail, tied
from serinus.local.platform import Platform, read_platform
from serinus.local.programs import Say
from serinus.local.service import Service
from serinus.local.supervisor import GUARD_SECONDS, Options
from serinus.local.supervisor import up as supervise
from serinus.moves.look import look_at_all
from serinus.settings import Folders
from serinus.within import within

UP_SECONDS = 180.0
"""Ready within that, fetching Prometheus and migrating Prefect's database included."""
POLL_SECONDS = 0.1
DEPLOYED = "flows deployed: releases can begin"


async def foreground(out: Terminal, folders: Folders, services: Sequence[Service], options: Options) -> None:
    """The supervisor in this process, until SIGINT or SIGTERM; the second of them waits for nothing.

    Raises:
        Refused, Unavailable: it could not start, or its flows could not be deployed
    """
    async with AsyncExitStack() as stack:
        looks = Looks(folders, stack)
        await lasting(out, folders, lambda say: supervise(folders, services, options, looks, say))


async def lasting(out: Terminal, folders: Folders, supervisor: Callable[[Say], Coroutine[Any, Any, None]]) -> None:
    """A supervisor in this process and the flows deployed to its server, until SIGINT or SIGTERM; see `foreground`."""

    def say(text: str) -> None:
        out.result({"event": "platform", "said": text}, text)

    running = asyncio.ensure_future(supervisor(say))
    deploying = asyncio.ensure_future(_deployed(folders, say))
    ending = asyncio.Event()

    def end() -> None:
        if ending.is_set():
            out.complain("ended at once: the kernel ends every process of it")
            os._exit(Code.UNRETURNED)
        ending.set()
        running.cancel()
        deploying.cancel()  # both: a wait for the first exception does not wake for a task that was cancelled

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    await asyncio.wait((running, deploying), return_when=asyncio.FIRST_EXCEPTION)
    for task in (running, deploying):
        task.cancel()
    ended = await asyncio.gather(running, deploying, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


class Looks:
    """The supervisor's guard: every service's, opened at the first look, when the platform is there; they remember between two looks.

    Args:
        stack: closes them
    """

    def __init__(self, folders: Folders, stack: AsyncExitStack) -> None:
        self._folders = folders
        self._stack = stack
        self._guards: Guards | None = None

    async def __call__(self) -> list[str]:
        if self._guards is None:
            self._guards = await self._stack.enter_async_context(Here(self._folders).guards())
        watched, troubles = await self._guards.current()
        return troubles + await look_at_all(watched, at_most=GUARD_SECONDS)


async def _deployed(folders: Folders, say: Callable[[str], None]) -> None:
    """The flows deployed to the platform's own server, by a process that goes again: the supervisor stays small.

    Raises:
        Unavailable: they could not be; releases would be refused
    """
    process = await asyncio.create_subprocess_exec(
        *tied((sys.executable, "-m", "serinus.cli", "local", "deploy")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "SERINUS_STATE": str(folders.state)},
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Unavailable(f"the flows could not be deployed: {said.decode(errors='replace').strip()[-500:]}")
    say(DEPLOYED)


async def launched(
    folders: Folders, options: Sequence[str], tie: Callable[[Sequence[str]], Sequence[str]], say: Callable[[str], None]
) -> tuple[Platform, asyncio.subprocess.Process]:
    """A supervisor as a process of its own, waited for until everything answers and releases can begin.

    Args:
        options: of `serinus local up`
        tie: what is put around its command; `list` leaves it free
        say: told its lines meanwhile

    Raises:
        Refused: one runs already, or it ended instead; its log's last lines say why
        Unavailable: it takes too long
    """
    if running := read_platform(folders):
        raise Refused(f"a platform already runs in {folders.state} (pid {running.pid}): `serinus local down` ends it")
    log = folders.state / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *tie((sys.executable, "-m", "serinus.cli", "local", "up", *options)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, "SERINUS_STATE": str(folders.state)},
        )
    try:
        return await _until_up(folders, process, log, say), process
    except BaseException:
        await stopped(process)
        raise


async def stopped(process: asyncio.subprocess.Process, seconds: float = 30.0) -> None:
    """Ask a child to end, wait for it, and end it where it has not after so long."""
    if process.returncode is None:
        process.terminate()
        try:
            async with within(seconds):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_up(
    folders: Folders, process: asyncio.subprocess.Process, log: Path, say: Callable[[str], None]
) -> Platform:
    told = 0
    for _ in range(round(UP_SECONDS / POLL_SECONDS)):
        lines = _lines(log)
        for line in lines[told:]:
            say(line)
        told = len(lines)
        platform = read_platform(folders)
        if platform and platform.ready and platform.pid == process.pid and DEPLOYED in lines:
            return platform
        if process.returncode is not None:
            raise Refused(f"the platform did not start: {tail(log) or 'it said nothing'}")
        await asyncio.sleep(POLL_SECONDS)
    raise Unavailable(f"the platform did not answer within {UP_SECONDS:g} s; see {log}")


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()
