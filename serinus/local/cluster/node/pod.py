"""How does one pod live? Volumes, init containers in their order, the others side by side, its status, its end.

Each container's own life is `container`'s, and which pods there are is `node`'s.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from serinus.local.cluster.node.api import STRATEGIC, UNREACHABLE, ApiError
from serinus.local.cluster.node.container import Life, Setting
from serinus.local.cluster.node.environment import FailedMount, sources_of_volumes
from serinus.local.cluster.node.site import Site, now
from serinus.local.cluster.node.status import Container, Known, Object, initialized, resumed, sidecar, status
from serinus.local.cluster.node.volumes import mounts, write
from serinus.within import happens

RETRY_SECONDS = 0.5
MOUNT_SECONDS = 2.0
"""How often volumes are looked at again; a kubelet takes up to a minute."""
GONE = (404, 409)
"""There is no such pod, or another one has its name."""


@dataclass(slots=True)
class Pod:
    """One pod on this node.

    Args:
        object: as it was read last
        ip: its own
    """

    object: Object
    ip: str
    site: Site
    lives: dict[str, Life] = field(default_factory=dict)
    _begun: dict[str, Container] = field(default_factory=dict)
    _since: str = field(default_factory=now)
    _deleted: asyncio.Event = field(default_factory=asyncio.Event)
    _kill_at: float = float("inf")
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _said: Object = field(default_factory=dict)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def path(self) -> str:
        metadata = self.object["metadata"]
        return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])

    @property
    def folder(self) -> Path:
        return self.site.folder / "pods" / self.uid

    def seen(self, pod: Object) -> None:
        """It was read again."""
        if int(pod["metadata"]["resourceVersion"]) >= int(self.object["metadata"]["resourceVersion"]):
            self.object = pod
        self._changed.set()
        if "deletionTimestamp" in pod["metadata"]:
            grace = pod["metadata"].get("deletionGracePeriodSeconds", 0)
            self._kill_at = min(self._kill_at, asyncio.get_running_loop().time() + grace)
            self._deleted.set()
            for life in self.lives.values():
                if not sidecar(life.spec) or life.ending.wanted.is_set():
                    life.ending.ask(self._kill_at)

    async def live(self) -> None:
        """Until it is deleted, here and at the API server; cancelled, its processes are killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        specs = [*self.object["spec"].get("initContainers", []), *self.object["spec"]["containers"]]
        self._begun = {one["name"]: resumed(self.object, one["name"], self._since) for one in specs}
        jobs = [asyncio.ensure_future(job) for job in (self._write_on(), self._mount_on())]
        self.seen(self.object)
        try:
            await self._contain()
            await self._deleted.wait()
            await self._delete()
        finally:
            for job in (*jobs, *self._telling):
                job.cancel()
            self.site.events.forget(self.uid)
            self.site.reader.forget(self.uid)
            await asyncio.to_thread(shutil.rmtree, self.folder, True)

    async def _contain(self) -> None:
        """Until every container has ended for good."""
        running: list[tuple[Life, asyncio.Task[None]]] = []
        try:
            if not await self._mounted():
                return
            for spec in self.object["spec"].get("initContainers", []):
                life, task = self._begin(spec)
                running.append((life, task))
                await self._first(life, task)
                if self._deleted.is_set() or not initialized(spec, life.known):
                    return
            mains = [self._begin(spec) for spec in self.object["spec"]["containers"]]
            running += mains
            await asyncio.gather(*(task for _, task in mains))
        finally:
            await self._end(running)

    def _begin(self, spec: Object) -> tuple[Life, asyncio.Task[None]]:
        whole = self.object["spec"].get("restartPolicy", "Always")
        first = spec in self.object["spec"].get("initContainers", [])
        policy = "Always" if sidecar(spec) else "OnFailure" if first and whole == "Always" else whole
        grace = self.object["spec"].get("terminationGracePeriodSeconds", 30)
        setting = Setting(self.object, self.ip, self.folder, grace, self.site, self._changed.set, self.tell)
        life = Life(spec, setting, mounts(spec, self.folder / "volumes"), policy, self._begun[spec["name"]])
        self.lives[life.name] = life
        if self._deleted.is_set():
            life.ending.ask(self._kill_at)
        return life, asyncio.ensure_future(life.live())

    async def _first(self, life: Life, task: asyncio.Task[None]) -> None:
        """An init container has ended, or a sidecar has started."""
        deleted = asyncio.ensure_future(self._deleted.wait())
        try:
            while not (task.done() or deleted.done() or (sidecar(life.spec) and life.known.started)):
                await asyncio.wait((task, deleted), timeout=0.05, return_when="FIRST_COMPLETED")
            if not sidecar(life.spec):
                await task
        finally:
            deleted.cancel()

    async def _end(self, running: list[tuple[Life, asyncio.Task[None]]]) -> None:
        """What still runs: sidecars, in reverse order; or everything, where this was cancelled."""
        loop = asyncio.get_running_loop()
        grace = self.object["spec"].get("terminationGracePeriodSeconds", 30)
        try:
            for life, task in reversed(running):
                life.ending.ask(min(self._kill_at, loop.time() + grace))
                await task
        finally:
            for _, task in running:
                task.cancel()
            await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    async def _mounted(self) -> bool:
        """Once every volume holds what it should; False where it was deleted before."""
        while not self._deleted.is_set():
            try:
                await self._mount(age=0.0)
                return True
            except FailedMount as problem:
                self.tell("Warning", "FailedMount", str(problem), "")
            except UNREACHABLE as problem:
                self.site.say(f"{self.path}: {type(problem).__name__}: {problem}")
            await happens(self._deleted, MOUNT_SECONDS)
        return False

    async def _mount(self, age: float) -> None:
        wanted = sources_of_volumes(self.object)
        sources = await self.site.reader.read(self.object, wanted, age)
        await asyncio.to_thread(write, self.object, self.ip, self.folder / "volumes", sources)

    async def _mount_on(self) -> None:
        """A source that changes is mounted anew; one that is gone leaves what there was."""
        while sources_of_volumes(self.object):
            await asyncio.sleep(MOUNT_SECONDS)
            if self.lives:
                with suppress(FailedMount, *UNREACHABLE):
                    await self._mount(MOUNT_SECONDS)

    def tell(self, kind: str, reason: str, message: str, container: str) -> None:
        """Record an event of it; one that cannot be recorded is lost, as a kubelet's is."""

        async def telling() -> None:
            with suppress(*UNREACHABLE):
                await self.site.events.tell(self.object, kind, reason, message, now(), container)

        task = asyncio.ensure_future(telling())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _write_on(self) -> None:
        """The status, each time that something changed."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._write()
            except UNREACHABLE as problem:
                if isinstance(problem, ApiError) and problem.status in GONE:
                    continue
                self.site.say(f"{self.path}: status not written: {type(problem).__name__}: {problem}")
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()

    async def _write(self) -> None:
        known = self._begun | {name: life.known for name, life in self.lives.items()}
        said = status(self.object, Known(self.ip, self.site.address, self._since, known), now())
        if said == self._said:
            return
        patch = {"metadata": {"uid": self.uid}, "status": said}
        written = await self.site.api.call("PATCH", f"{self.path}/status", patch, kind=STRATEGIC)
        self._said = said
        if int(written["metadata"]["resourceVersion"]) >= int(self.object["metadata"]["resourceVersion"]):
            self.object = written

    async def _delete(self) -> None:
        """Its last status, and then the object."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        while True:
            try:
                await self._write()
                await self.site.api.call("DELETE", self.path, body)
                return
            except UNREACHABLE as problem:
                if isinstance(problem, ApiError) and problem.status in GONE:
                    return
                self.site.say(f"{self.path}: not deleted: {type(problem).__name__}: {problem}")
                await asyncio.sleep(RETRY_SECONDS)
