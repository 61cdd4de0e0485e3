"""Do the processes of one service match its stores? Looks, steps, and says what is: Deployment and endpoint controller in one.

It never writes a store, a route or a weight.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from serinus.errors import PlatformError, Unavailable
from serinus.local.addresses import Block
from serinus.local.catalogue import CATALOGUE
from serinus.local.child import Register
from serinus.local.envoy import Admin, Files, write_endpoints
from serinus.local.fault import faults_file
from serinus.local.pod import Pod
from serinus.local.programs import Say
from serinus.local.rollout import Wanted, next_step
from serinus.stores.pods import ARMS, Pods, PodStatus, canonical, write_pods
from serinus.stores.process import Identity
from serinus.stores.revisions import Store
from serinus.within import happens

LOOK_SECONDS = 0.1
REPORT_SECONDS = 0.5
LET_GO_SECONDS = 5.0
"""An instance is ended without Envoy's word on it when Envoy has not given one for so long."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all nodes of one platform share."""

    files: Files
    logs: Path
    block: Block
    register: Register
    client: httpx.AsyncClient
    admin: Admin
    supervisor: Identity
    say: Say


@dataclass(slots=True)
class Node:
    """One service's processes."""

    service: str
    folder: Path
    site: Site
    _pods: dict[str, Pod] = field(default_factory=dict)
    _wanted: dict[str, Wanted] = field(default_factory=dict)
    _endpoints: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _out_since: dict[str, float] = field(default_factory=dict)
    _count: int = 0
    _said: tuple[PodStatus, ...] = ()
    _said_at: float = 0.0
    _problem: str = ""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until cancelled; then all its processes are ended."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    await self._look(group)
                    self._problem = ""
                except (OSError, PlatformError, ValueError) as problem:
                    if str(problem) != self._problem:
                        self._problem = str(problem)
                        self.site.say(f"{self.service}: {problem}")
                await happens(self._wake, LOOK_SECONDS)

    def serves(self, arm: str) -> bool:
        """Everything that this arm's store wants serves, and nothing else is there."""
        wanted = self._wanted.get(arm)
        here = [pod for pod in self._pods.values() if pod.arm == arm]
        well = [pod for pod in here if wanted and pod.template == wanted.template and pod.serving and not pod.leaving]
        return wanted is not None and len(here) == len(well) == wanted.replicas

    async def _look(self, group: asyncio.TaskGroup) -> None:
        self._pods = {name: pod for name, pod in self._pods.items() if not pod.ended}
        self._wanted = await asyncio.to_thread(wanted_by, self.folder)
        for arm in ARMS:
            wanted = self._wanted.get(arm)
            if wanted is not None:
                self._step(arm, wanted, group)
            self._project(arm)
        await self._confirm()
        self._report()

    def _step(self, arm: str, wanted: Wanted, group: asyncio.TaskGroup) -> None:
        step = next_step(wanted, [pod for pod in self._pods.values() if pod.arm == arm])
        for name in step.leave:
            self._pods[name].leaving = True
        for _ in range(step.start):
            pod = self._make(arm, wanted)
            self._pods[pod.name] = pod
            group.create_task(pod.live(), name=pod.name)

    def _make(self, arm: str, wanted: Wanted) -> Pod:
        self._count += 1
        name = f"{self.service}-{arm}-{self._count}"
        log = self.site.logs / f"{name}.log"
        log.unlink(missing_ok=True)
        return Pod(
            *(name, self.service, arm, wanted.version, wanted.template, self.site.block.take(), log),
            *(faults_file(self.folder), self.site.client, self.site.register, self._wake.set),
        )

    def _project(self, arm: str) -> None:
        """Envoy's endpoints of one arm: whoever is ready and stays."""
        ports = tuple(pod.port for pod in self._pods.values() if pod.arm == arm and pod.ready and not pod.leaving)
        if self._endpoints.get(arm) != ports:
            write_endpoints(self.site.files, self.service, arm, ports)
            self._endpoints[arm] = ports

    async def _confirm(self) -> None:
        """What Envoy says of those who just came and those who are to go."""
        now = time.monotonic()
        going = [pod for pod in self._pods.values() if pod.leaving and not pod.gone.is_set()]
        for arm in ARMS:
            here = [pod for pod in self._pods.values() if pod.arm == arm]
            if all(pod.confirmed == (pod.ready and not pod.leaving) for pod in here if pod not in going) and not any(
                pod in going for pod in here
            ):
                continue
            try:
                ports = await self.site.admin.endpoints(f"{self.service}-{arm}")
            except Unavailable:
                ports = None
            for pod in here:
                self._take_word(pod, ports, now)

    def _take_word(self, pod: Pod, ports: frozenset[int] | None, now: float) -> None:
        if ports is not None:
            pod.confirmed = pod.port in ports
        if not pod.leaving:
            return
        since = self._out_since.setdefault(pod.name, now)
        # An Envoy that says nothing reads the file at its next start, and finds the instance no longer in it.
        if (ports is not None and not pod.confirmed) or now - since > LET_GO_SECONDS:
            pod.gone.set()
            self._out_since.pop(pod.name, None)

    def _report(self) -> None:
        """The supervisor's word, at each change and at least twice a second."""
        now = time.monotonic()
        said = tuple(pod.status() for pod in self._pods.values())
        if said == self._said and now - self._said_at < REPORT_SECONDS and self._said_at:
            return
        observed = {arm: wanted.revision for arm, wanted in self._wanted.items()}
        pods = Pods(now, self.site.supervisor, tuple(CATALOGUE), observed, said)
        write_pods(self.folder, pods)
        self._said, self._said_at = said, now


def wanted_by(service_folder: Path) -> dict[str, Wanted]:
    """What each arm's store wants; an arm without a store is not among them.

    Raises:
        PlatformError: a store cannot be read
        ValueError: it holds something else
    """
    wanted = {}
    for arm in ARMS:
        found = Store(service_folder / arm).read()
        if found is not None:
            wanted[arm] = _parsed(found[0], found[1], f"{service_folder / arm}, revision {found[0]}")
    return wanted


def _parsed(revision: int, content: bytes, where: str) -> Wanted:
    try:
        held = json.loads(content)
        template, replicas = held["template"], held["replicas"]
        version = template["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as cause:
        raise ValueError(f"{where}: no template with a version and replicas ({cause})") from cause
    if not (isinstance(version, str) and isinstance(replicas, int) and replicas >= 0):
        raise ValueError(f"{where}: version {version!r} and replicas {replicas!r} are not a name and a count")
    return Wanted(canonical(template), version, 0 if held.get("removed") else replicas, str(revision))
