"""`serinus local up` that is ended while it comes up: nothing of it is left, and nobody waits for what it was about to do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from serinus.cli.launch import DEPLOYED
from serinus.local.child import tied
from serinus.local.platform import platform_file
from serinus.settings import Folders
from serinus.stores.process import Identity, identity_of
from tests.local.running import Running, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def deploying(parent: int) -> list[Identity]:
    """The process that brings the flows to the Prefect server, once it is Python's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"\nPPid:\t{parent}\n" in (folder / "status").read_text()
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if ours and b"deploy" in words and b"--pdeathsig" not in words and (one := identity_of(int(folder.name))):
            found.append(one)
    return found


@asynccontextmanager
async def coming_up(folders: Folders) -> AsyncIterator[tuple[Running, list[Identity]]]:
    """The platform whose parts are started and whose flows are being deployed, and every process of it."""
    folders.state.mkdir(parents=True)
    log = folders.state / "supervisor.log"
    words = (sys.executable, "-m", "serinus.cli", "local", "up", "--service", "shop:v1:1")
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *tied(words), stdout=file, stderr=file, env={**os.environ, "SERINUS_STATE": str(folders.state)}
        )
    one = Running(folders, process, log)
    try:
        await until(lambda: len(one.children) >= 3 and bool(deploying(process.pid)), f"it comes up: {one.said}", 60)
        assert DEPLOYED not in one.said
        yield one, [*one.children, *deploying(process.pid)]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_before_the_flows_are_deployed_ends_everything_soon(
    folders: Folders, number: signal.Signals
) -> None:
    async with coming_up(folders) as (one, processes):
        began = time.monotonic()
        one.process.send_signal(number)
        assert await asyncio.wait_for(one.process.wait(), 30) == 0, one.said
        assert time.monotonic() - began < 30
        assert not any(process.alive for process in processes)
        assert not platform_file(folders).exists()
        assert "Traceback" not in one.said


async def test_a_second_signal_waits_for_nothing(folders: Folders) -> None:
    async with coming_up(folders) as (one, processes):
        supervisor = one.process
        held = next(child for child in processes if b"envoy" in Path(f"/proc/{child.pid}/cmdline").read_bytes())
        os.kill(held.pid, signal.SIGSTOP)  # it cannot end when it is asked to
        supervisor.send_signal(signal.SIGTERM)
        await until(lambda: not all(child.alive for child in processes), "the end has begun")
        supervisor.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(supervisor.wait(), 30) == 5
        await until(lambda: not any(child.alive for child in processes), "the kernel has ended the rest")
        assert "at once" in one.said
