"""How a scenario is played: a local platform of its own, users, the product's own `serinus release`, and exact counts.

The release is a child process, as it is for everybody who types it; platform and guard are another one. What is shown is
`scenario`'s part.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serinus.cli.follow import moments
from serinus.cli.glance import Glance
from serinus.cli.launch import launched, stopped
from serinus.cli.scenario import Meanwhile, Scenario, version_for
from serinus.errors import PlatformError, Unavailable
from serinus.local.child import tail, tied
from serinus.local.fault import ALL, NONE, Fault, faults_file, write_fault
from serinus.local.platform import Platform, read_platform
from serinus.local.traffic import Sent, counts, sending
from serinus.moves.summary import summary
from serinus.ports import Ports
from serinus.release.record import Record, State
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.wiring import open_ports

INCIDENT = Fault(error_rate=0.2)
INCIDENT_SECONDS = 6.0
END_SECONDS = 60.0
"""How long the end of a release is waited for that has lost its engine."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a scenario came to.

    Args:
        summary: of the release, as `serinus release --json` ends with it
        completed, failed: users' requests by arm, by Envoy's own counters
        users: the same from outside, by whoever sent them; None: nobody came
        seconds_to_stable: from the canary's first traffic (or the engine's death) to weight 0 read back; None: it was promoted
        rss_bytes: the engine's memory at its highest
        log: the engine's last words
    """

    scenario: Scenario
    summary: dict[str, Any]
    completed: dict[str, int]
    failed: dict[str, int]
    users: Sent | None
    seconds_to_stable: float | None
    rss_bytes: int
    log: str

    @property
    def as_it_should(self) -> bool:
        return bool(self.summary.get("outcome") == self.scenario.outcome)

    def as_json(self) -> dict[str, Any]:
        """The release's summary, and what was counted beside it."""
        return {
            **self.summary,
            "user_requests": self.completed,
            "failed_user_requests": self.failed,
            "seconds_to_stable": self.seconds_to_stable,
            "as_it_should": self.as_it_should,
        }


class Engine:
    """`serinus release` as a child process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.rss_bytes = 0

    @classmethod
    async def start(cls, words: Sequence[str], state: Path, log: Path) -> Engine:
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *tied((sys.executable, "-m", "serinus.cli", "release", *words, "--json")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                start_new_session=True,
                env={**os.environ, "SERINUS_STATE": str(state)},
                limit=2**20,
            )
        return cls(process, log)

    def measure(self) -> None:
        """Its memory's highest so far."""
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            self.rss_bytes = 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

    async def result(self) -> dict[str, Any]:
        """The last line that it said, once it has ended; empty where it was killed before."""
        assert self.process.stdout is not None
        last = b""
        async for line in self.process.stdout:
            self.measure()
            last = line
        await self.process.wait()
        with suppress(ValueError):
            said = json.loads(last)
            if isinstance(said, dict) and "outcome" in said:
                return said
        return {}


@dataclass(slots=True)
class Stage:
    """A platform that runs, and its one service.

    Args:
        rate: users' requests a second
        policy: a file instead of the deployed one
        show: told each moment of a release
        now, moved: the newest moment of the release that is played; set with each
    """

    folders: Folders
    platform: Platform
    ports: Ports
    show: Callable[[Glance], None] = lambda moment: None
    service: str = "shop"
    rate: float = 200.0
    policy: Path | None = None
    now: Glance | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, scenario: Scenario) -> Played:
        """One release, from its start to its end."""
        last = await self._record()
        before = await counts(self.platform.envoy_admin, self.service)
        version = version_for(scenario, (await self.ports.workload.stable()).version)
        self.now = None
        async with AsyncExitStack() as stack:
            load = None
            if scenario.meanwhile is not Meanwhile.SILENCE:
                load = await stack.enter_async_context(sending(self.platform.traffic[self.service], self.rate))
            engine = await self._engine(version)
            stack.push_async_callback(stopped, engine.process)
            said, killed_seconds = await self._watched(scenario, engine, last.release if last else "")
        after = await counts(self.platform.envoy_admin, self.service)
        came = {arm: after[arm].since(before[arm]) for arm in after}
        return Played(
            scenario=scenario,
            summary=said,
            completed={arm: served.completed for arm, served in came.items()},
            failed={arm: served.failed for arm, served in came.items()},
            users=load.result() if load else None,
            seconds_to_stable=seconds_to_stable(said) if killed_seconds is None else killed_seconds,
            rss_bytes=engine.rss_bytes,
            log=tail(engine.log),
        )

    async def _engine(self, version: str) -> Engine:
        policy = ("--policy", str(self.policy)) if self.policy else ()
        words = (self.service, version, *policy, "--api", self.platform.prefect_api)
        return await Engine.start(words, self.folders.state, self.folders.state / "logs" / "release.log")

    async def _watched(self, scenario: Scenario, engine: Engine, last: str) -> tuple[dict[str, Any], float | None]:
        """The release's summary; and where the engine was killed, how long after that weight 0 was served."""
        following = asyncio.create_task(self._follow(last))
        meanwhile = asyncio.create_task(self._meanwhile(scenario.meanwhile, engine))
        try:
            said = await engine.result()
            if said or scenario.meanwhile is not Meanwhile.KILL:
                meanwhile.cancel()
            await asyncio.wait({meanwhile}, timeout=END_SECONDS)
            killed = None if meanwhile.cancelled() else meanwhile.result()
            if said:
                return said, killed
            await asyncio.wait({following}, timeout=END_SECONDS if killed is not None else 1.0)
            return await self._summed(last), killed
        finally:
            for task in (following, meanwhile):
                task.cancel()
            await asyncio.wait({following, meanwhile})
            write_fault(self._faults, ALL, NONE)

    async def _follow(self, last: str) -> None:
        async for moment in moments(self.ports, lambda record: record.release != last):
            self.now = moment
            self.moved.set()
            self.show(moment)

    async def _summed(self, last: str) -> dict[str, Any]:
        """Of a release whose engine said nothing at its end."""
        record = await self._record()
        if record is None or record.release == last:
            return {"outcome": "refused", "service": self.service}
        return summary(record, str(self.folders.evidence / f"{record.release}.log"))

    async def _record(self) -> Record | None:
        kept = await self.ports.ledger.read()
        return kept.record if kept and isinstance(kept.record, Record) else None

    async def _meanwhile(self, what: Meanwhile, engine: Engine) -> float | None:
        if what is Meanwhile.INCIDENT:
            await self.until(lambda now: now.state is State.PHASE and now.phase == 2 and now.soaked_seconds >= 1)
            write_fault(self._faults, ALL, INCIDENT)
            await asyncio.sleep(INCIDENT_SECONDS)
            write_fault(self._faults, ALL, NONE)
        if what is Meanwhile.RESTART:
            await self.until(lambda now: now.state is State.PHASE and now.phase == 2)
            running = read_platform(self.folders)
            if running:
                os.kill(running.children["prefect"], signal.SIGKILL)  # the supervisor starts it again
        if what is Meanwhile.KILL:
            await self.until(lambda now: now.state is State.PHASE and now.phase == 3 and now.soaked_seconds >= 1)
            engine.measure()
            engine.process.kill()
            return await self._until_returned()
        return None

    @property
    def _faults(self) -> Path:
        return faults_file(self.folders.service(self.service))

    async def until(self, seen: Callable[[Glance], bool]) -> None:
        """Until a moment of the release is as asked for."""
        while self.now is None or not seen(self.now):
            self.moved.clear()
            await self.moved.wait()

    async def _until_returned(self) -> float:
        """Seconds until the route says 0 and Envoy serves by it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < END_SECONDS:
            with suppress(PlatformError):
                route = await self.ports.router.read()
                if route.weight == NOTHING and await self.ports.router.taken_up(route):
                    return loop.time() - began
            await asyncio.sleep(0.02)
        raise Unavailable(f"no guard returned the traffic within {END_SECONDS:g} s")


def seconds_to_stable(said: dict[str, Any]) -> float | None:
    """From the canary's first traffic to weight 0; None where the release was promoted or never had traffic."""
    weights = said.get("weights") or []
    if said.get("outcome") == "promoted" or not weights or weights[-1][1] != 0:
        return None
    return float(weights[-1][0])


@asynccontextmanager
async def stage(
    folders: Folders, options: Sequence[str], say: Callable[[str], None], keep: bool = False
) -> AsyncIterator[Stage]:
    """A platform of its own, up; and down at the end, unless it is to be kept.

    Args:
        options: of `serinus local up`
        say: told what happens until it is up
    """
    platform, process = await launched(folders, options, list if keep else tied, say)
    try:
        async with open_ports("shop", folders) as ports:
            yield Stage(folders, platform, ports)
    finally:
        if not keep:
            await stopped(process)
