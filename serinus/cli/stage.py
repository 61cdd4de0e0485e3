"""How a scenario is played: a local platform of its own, users, the product's own `serinus release`, and exact counts.

The release is a child process, as it is for everybody who types it; platform and guard are another one. What is shown is
`scenario`'s part.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from serinus.cli.engine import Engine
from serinus.cli.follow import moments
from serinus.cli.glance import Glance
from serinus.cli.launch import launched, stopped
from serinus.cli.scenario import Meanwhile, Scenario, version_for
from serinus.cli.tally import tallied
from serinus.errors import PlatformError, Unavailable
from serinus.local.child import tail, tied
from serinus.local.fault import ALL, NONE, Fault, faults_file, write_fault
from serinus.local.platform import OnKubernetes, Platform, read_platform
from serinus.local.traffic import Sent, sending
from serinus.moves.summary import summary
from serinus.ports import Ports
from serinus.release.plan import Target
from serinus.release.record import Record, State
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.wiring import evidence_of, open_ports

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
        version = version_for(scenario, (await self.ports.workload.stable()).version)
        self.now = None
        async with tallied(self.platform, self.service) as tally, AsyncExitStack() as stack:
            load = None
            if scenario.meanwhile is not Meanwhile.SILENCE:
                url, host = self.platform.traffic[self.service], known.host if (known := self._kubernetes) else ""
                load = await stack.enter_async_context(sending(url, self.rate, host))
            engine = await self._engine(version)
            stack.push_async_callback(stopped, engine.process)
            said, killed_seconds = await self._watched(scenario, engine, last.release if last else "")
        return Played(
            scenario=scenario,
            summary=said,
            completed={arm: served.completed for arm, served in tally.came.items()},
            failed={arm: served.failed for arm, served in tally.came.items()},
            users=load.result() if load else None,
            seconds_to_stable=seconds_to_stable(said) if killed_seconds is None else killed_seconds,
            rss_bytes=engine.rss_bytes,
            log=tail(engine.log),
        )

    async def _engine(self, version: str) -> Engine:
        known = self._kubernetes
        chosen = self.policy or (known.policy if known else None)
        policy = ("--policy", str(chosen)) if chosen else ()
        words = (self.service, version, *policy, "--api", self.platform.prefect_api)
        environment = {**os.environ, "SERINUS_STATE": str(self.folders.state)}
        if known:
            environment["KUBECONFIG"] = known.kubeconfig
        return await Engine.start(words, environment, self.folders.state / "logs" / "release.log")

    @property
    def _kubernetes(self) -> OnKubernetes | None:
        return self.platform.kubernetes

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
            if scenario.meanwhile is Meanwhile.INCIDENT:
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
        return summary(record, evidence_of(record.plan.target, self.folders, record.release))

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


def _target(platform: Platform) -> Target | None:
    """Where the service is on Kubernetes, as its policy says, by the platform's own kubeconfig; None: on the local platform."""
    known = platform.kubernetes
    if known is None:
        return None
    from serinus.policy.load import read
    from serinus.policy.platform import target

    named = target(read(Path(known.policy)).content)
    return replace(named, workload_options={**named.workload_options, "kubeconfig": known.kubeconfig})


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
        async with open_ports("shop", folders, target=_target(platform)) as ports:
            yield Stage(folders, platform, ports)
    finally:
        if not keep:
            await stopped(process)
