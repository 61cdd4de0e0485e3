"""A platform with users for the tests of the verbs, and `serinus` typed as a person types it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.cli.stage import Stage, stage
from serinus.local.traffic import sending
from serinus.settings import Folders

QUICK = """\
service: shop
workload: local
router: envoy
phases:
  - {weight: 20%, soak: 3s}
  - {weight: 50%, soak: 3s}
  - {weight: 100%, soak: 3s}
bake: 3s
gates: {error_rate: {max: 1%, abort_above: 5%}}
checks: {interval: 1s, scrape: 1s, window: 3s, min_requests: 20, burst: 1}
limits: {no_traffic: 20s, metrics_down: 15s, duration: 5m, rollback: 10s}
"""
HELD = QUICK.replace("{weight: 20%, soak: 3s}", "{weight: 20%, soak: 4m}")
"""Stays at 20 % until somebody asks for more: however long a command takes to come up, it finds the release there."""
ANSWER_SECONDS = 90.0


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> Any:
        """The result: the last line for programs."""
        return json.loads(self.out.splitlines()[-1])


@dataclass
class Typed:
    """A command that runs."""

    process: asyncio.subprocess.Process

    def press(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)

    async def answer(self) -> Answer:
        out, err = await asyncio.wait_for(self.process.communicate(), ANSWER_SECONDS)
        told = Answer(self.process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in told.out + told.err, told.err
        return told


@dataclass
class Shell:
    """A platform, its users, and a prompt."""

    there: Stage

    @property
    def state(self) -> Path:
        return self.there.folders.state

    async def begin(self, *words: str) -> Typed:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serinus.cli", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "SERINUS_STATE": str(self.state)},
            limit=2**22,
        )
        return Typed(process)

    async def type(self, *words: str) -> Answer:
        return await (await self.begin(*words)).answer()

    async def release(self, version: str, *options: str) -> Typed:
        return await self._released(version, QUICK, *options)

    async def held(self, version: str) -> Typed:
        """A release once its route gives the canary 20 %; it stays so."""
        typed = await self._released(version, HELD)
        await self._at(20)
        return typed

    async def _released(self, version: str, policy: str, *options: str) -> Typed:
        file = self.state / "policy.yaml"
        file.write_text(policy)
        return await self.begin("release", "shop", version, "--policy", str(file), "--json", *options)

    async def _at(self, percent: float) -> None:
        """Until the route has this weight, and Envoy has it."""
        router = self.there.ports.router
        async with asyncio.timeout(60):
            while (route := await router.read()).weight.percent != percent or not await router.taken_up(route):
                await asyncio.sleep(0.1)

    async def other_version(self) -> str:
        """A healthy one that is not stable."""
        stable = (await self.there.ports.workload.stable()).version
        return "v1.1" if stable == "v1.0" else "v1.0"


@asynccontextmanager
async def shell(folders: Folders) -> AsyncIterator[Shell]:
    """Ready for releases, a hundred requests a second."""
    async with (
        stage(folders, ("--service", "shop:v1.0"), lambda line: None) as there,
        sending(there.platform.traffic["shop"], 100),
    ):
        yield Shell(there)
