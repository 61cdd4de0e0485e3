"""How does one instance of the demo service live? A kubelet's part: started, probed, started again, taken away.

How many there are is `rollout`'s question, who sends them requests `node`'s.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from serinus.local.addresses import LOOPBACK
from serinus.local.catalogue import CATALOGUE
from serinus.local.child import Child, Command, Register, start, tail
from serinus.local.kept import delay, how
from serinus.stores.pods import PodStatus
from serinus.within import happens

FIRST_PROBE_SECONDS = 0.05
PROBE_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 1.0
PROBES_FAILED = 3
FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 10.0
WELL_SECONDS = 10.0
"""Ready for so long, an instance's troubles are forgotten."""
STOP_SECONDS = 7.0
MEMORY_BYTES = 128 << 20
PAGE_BYTES = 4096


@dataclass(slots=True)
class Pod:
    """One instance, and what is known of it.

    Args:
        changed: called when `ready`, `trouble` or its process changed
        confirmed: Envoy has it among its endpoints
        gone: nobody sends it requests any more: it may end
    """

    name: str
    service: str
    arm: str
    version: str
    template: str
    port: int
    log: Path
    faults: Path
    client: httpx.AsyncClient
    register: Register
    changed: Callable[[], None]
    ready: bool = False
    confirmed: bool = False
    leaving: bool = False
    trouble: str = ""
    words: str = ""
    restarts: int = 0
    deaths: int = 0
    ended: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _child: Child | None = None
    _failed_probes: int = 0
    _well_since: float | None = None

    @property
    def serving(self) -> bool:
        return self.ready and self.confirmed

    def status(self) -> PodStatus:
        pid = self._child.identity.pid if self._child is not None and self._child.running else None
        return PodStatus(
            *(self.name, self.arm, self.version, self.template, self.ready, self.serving, self.leaving),
            *(self.trouble, self.words, self.restarts, pid, f"{LOOPBACK}:{self.port}"),
        )

    async def live(self) -> None:
        """Until it is `gone`, or cancelled."""
        try:
            if self.version not in CATALOGUE:
                self._say("ErrImagePull", f"no version {self.version!r}; there are {', '.join(CATALOGUE)}")
                await self.gone.wait()
            while not self.gone.is_set():
                await self._one_life()
        finally:
            self.ended = True
            self.changed()

    async def _one_life(self) -> None:
        try:
            self._child = child = await start(self._command(), self.register)
        except OSError as problem:
            return await self._died("Error", str(problem))
        ended = asyncio.ensure_future(child.ended())
        try:
            trouble = await self._watch(child, ended)
        finally:
            self._set_ready(False)
            if not ended.done():
                await asyncio.shield(child.stop(STOP_SECONDS))
        if not self.gone.is_set():
            await self._died(trouble, f"{self.name} {how(ended.result())}\n{tail(self.log)}".strip())
        return None

    async def _watch(self, child: Child, ended: asyncio.Future[int]) -> str:
        """Probe it until it ends or may end; the trouble where it ended by itself."""
        gone = asyncio.ensure_future(self.gone.wait())
        self._failed_probes, self._well_since = 0, None
        try:
            while not (ended.done() or gone.done()):
                await asyncio.wait((ended, gone), timeout=self._pace(), return_when=asyncio.FIRST_COMPLETED)
                if memory_bytes(child.identity.pid) > MEMORY_BYTES:
                    child.signal(signal.SIGKILL)
                    await asyncio.wait((ended,))
                    return "OOMKilled"
                if not (ended.done() or gone.done()):
                    await self._probe()
        finally:
            gone.cancel()
        return "CrashLoopBackOff" if self.deaths else "Error"

    def _pace(self) -> float:
        return PROBE_SECONDS if self.ready and not self._failed_probes else FIRST_PROBE_SECONDS

    async def _probe(self) -> None:
        try:
            answer = await self.client.get(
                f"http://{LOOPBACK}:{self.port}/healthz",
                headers={"connection": "close"},
                timeout=PROBE_TIMEOUT_SECONDS,
            )
            well = answer.status_code == 200
        except httpx.HTTPError:
            well = False
        self._failed_probes = 0 if well else self._failed_probes + 1
        if well or self._failed_probes >= PROBES_FAILED:
            self._set_ready(well)
        now = asyncio.get_running_loop().time()
        self._well_since = (self._well_since or now) if self.ready else None
        if self.trouble and self._well_since is not None and now - self._well_since >= WELL_SECONDS:
            self.deaths = 0
            self._say("", "")

    async def _died(self, trouble: str, words: str) -> None:
        """Say so, and wait before the next start, longer each time."""
        self.deaths += 1
        self.restarts += 1
        self._say(trouble, words)
        await happens(self.gone, delay(self.deaths, FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS))

    def _set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self.changed()

    def _say(self, trouble: str, words: str) -> None:
        self.trouble, self.words = trouble, words
        self.changed()

    def _command(self) -> Command:
        given = {"service": self.service, "pod": self.name, "arm": self.arm, "version": self.version}
        options = [word for name, value in given.items() for word in (f"--{name}", value)]
        where = ("--port", str(self.port), "--faults", str(self.faults))
        return Command(self.name, (sys.executable, "-m", "serinus.local.shop", *options, *where), self.log)


def memory_bytes(pid: int) -> int:
    """Resident memory; 0 of a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
