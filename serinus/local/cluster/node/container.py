"""How does one container of a pod live? Its image pulled, its process started, probed, started again with a back-off, stopped.

What is written of it is `status`'s, and in which order a pod's containers start and stop is `pod`'s.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from serinus.local.child import Command, start, tail
from serinus.local.cluster.node.api import UNREACHABLE
from serinus.local.cluster.node.command import Prepared, prepared
from serinus.local.cluster.node.environment import CreateContainerConfigError, quantity, sources_of_environment
from serinus.local.cluster.node.images import ErrImagePull, Image, InvalidImageName
from serinus.local.cluster.node.prober import Prober
from serinus.local.cluster.node.process import Ending, watched
from serinus.local.cluster.node.site import Site, now
from serinus.local.cluster.node.status import Container, Object, Running, Terminated, Waiting
from serinus.local.kept import delay
from serinus.within import happens

ERROR_SHOWN_SECONDS = 1.0
"""How long a failed pull is called an error before it is called a back-off."""
CONFIG_RETRY_SECONDS = 2.0
LAST_LINES = 80
LAST_CHARACTERS = 2_048

Tell = Callable[[str, str, str, str], None]
"""Kind, reason, message, container: an event of the pod."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the containers of one pod share.

    Args:
        pod: as it was created: what is asked of it here does not change
        folder: of its logs
        grace: seconds that a container gets which a probe has ended
        changed: called whenever a container's `known` did
    """

    pod: Object
    ip: str
    folder: Path
    grace: float
    site: Site
    changed: Callable[[], None]
    tell: Tell

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def namespace(self) -> str:
        return str(self.pod["metadata"]["namespace"])


@dataclass(slots=True)
class Life:
    """One container of one pod.

    Args:
        mounts: path in the container to the folder or file that is there
        policy: `Always`, `OnFailure` or `Never`
    """

    spec: Object
    setting: Setting
    mounts: Mapping[str, Path]
    policy: str
    known: Container
    ending: Ending = field(default_factory=Ending)
    _failures: int = 0

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    def log(self, restarts: int) -> Path:
        return self.setting.folder / f"{self.name}.{restarts}.log"

    async def live(self) -> None:
        """Until it is told to end, or has ended for good."""
        while not self.ending.wanted.is_set():
            image = await self._pulled()
            prepared = await self._configured(image) if image else None
            if image is None or prepared is None:
                return
            end, seconds = await self._one_life(image, prepared)
            self._say(replace(self.known, state=end, started=False, ready=False))
            if self.policy == "Never" or (self.policy == "OnFailure" and end.code == 0):
                return
            await self._wait_to_restart(end, seconds)

    async def _pulled(self) -> Image | None:
        """None where it was told to end before."""
        failures, backoff = 0, self.setting.site.backoff
        while not self.ending.wanted.is_set():
            try:
                return self.setting.site.pull(self.spec["image"])
            except (ErrImagePull, InvalidImageName) as problem:
                failures += 1
                await self._not_pulled(problem, delay(failures, backoff.first, backoff.longest))
        return None

    async def _not_pulled(self, problem: Exception, seconds: float) -> None:
        image = self.spec["image"]
        self._wait(type(problem).__name__, str(problem))
        self.setting.tell("Warning", "Failed", f'Failed to pull image "{image}": {problem}', self.name)
        shown = min(ERROR_SHOWN_SECONDS, seconds / 2)
        await self._pause(shown)
        if isinstance(problem, ErrImagePull) and not self.ending.wanted.is_set():
            back_off = f'Back-off pulling image "{image}"'
            self._wait("ImagePullBackOff", f"{back_off}: ErrImagePull: {problem}")
            self.setting.tell("Normal", "BackOff", back_off, self.name)
        await self._pause(seconds - shown)

    async def _configured(self, image: Image) -> Prepared | None:
        """What to start, once all that it refers to is there; None where it was told to end before."""
        one, pod = self.setting, self.setting.pod
        faults = one.site.folder / "faults" / f"{one.namespace}.json"
        while not self.ending.wanted.is_set():
            try:
                sources = await one.site.reader.read(pod, sources_of_environment(self.spec))
                found = prepared(self.spec, pod, one.ip, image, self.mounts, sources, faults)
                return found.among(one.site.server)
            except CreateContainerConfigError as problem:
                self._wait("CreateContainerConfigError", str(problem))
                one.tell("Warning", "Failed", f"Error: {problem}", self.name)
            except UNREACHABLE as problem:
                one.site.say(f"{one.name}/{self.name}: {type(problem).__name__}: {problem}")
            await self._pause(CONFIG_RETRY_SECONDS)
        return None

    async def _one_life(self, image: Image, prepared: Prepared) -> tuple[Terminated, float]:
        """From its start to its end; how it ended, and how long it ran."""
        loop = asyncio.get_running_loop()
        began, since, last = loop.time(), now(), self.known.end
        restarts = self.known.restarts + (last is not None)
        life = f"process://{self.setting.uid}-{self.name}-{restarts}"
        self.log(restarts).touch()
        self._say(Container(Running(since), image.id, life, restarts, last))
        if prepared.words:
            try:
                code, reason = await self._run(prepared, self.log(restarts))
            except OSError as problem:
                return Terminated(128, "StartError", since, now(), life, str(problem)), 0.0
        else:
            self._ready(True, True)
            await self.ending.wanted.wait()
            code, reason = 0, "Completed"
        return Terminated(code, reason, since, now(), life, self._last_words(code)), loop.time() - began

    async def _run(self, prepared: Prepared, log: Path) -> tuple[int, str]:
        environment = prepared.where.environment
        if not shutil.which(prepared.words[0], path=environment["PATH"]):
            raise FileNotFoundError(f'exec: "{prepared.words[0]}": executable file not found in $PATH')
        child = await start(Command(self.name, prepared.words, log, environment), self.setting.site.register)
        site, limits = self.setting.site, self.spec.get("resources", {}).get("limits", {})
        prober = Prober(
            *(self.spec, prepared.where, site.client, self._ready),
            lambda words: self.setting.tell("Warning", "Unhealthy", words, self.name),
        )
        hook = self.spec.get("lifecycle", {}).get("preStop")
        memory = quantity(str(limits.get("memory", 0)))
        reason = await watched(child, memory, hook, prober, self.ending, self.setting.grace)
        code = child.process.returncode or 0
        return 128 - code if code < 0 else code, reason

    async def _wait_to_restart(self, end: Terminated, seconds: float) -> None:
        """The first end is followed by a start at once, each further one by a wait that doubles."""
        backoff = self.setting.site.backoff
        self._failures = 1 if seconds >= backoff.forgotten else self._failures + 1
        if self._failures == 1 or self.ending.wanted.is_set():
            return
        wait = delay(self._failures - 1, backoff.first, backoff.longest)
        pod = f"{self.setting.name}_{self.setting.namespace}({self.setting.uid})"
        self._wait("CrashLoopBackOff", f"back-off {_span(wait)} restarting failed container={self.name} pod={pod}")
        words = f"Back-off restarting failed container {self.name} in pod {pod}"
        self.setting.tell("Warning", "BackOff", words, self.name)
        await self._pause(wait)

    def _last_words(self, code: int) -> str:
        """Of its log, where the pod asks for them."""
        fallback = self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return tail(self.log(self.known.restarts), LAST_LINES)[-LAST_CHARACTERS:] if fallback and code else ""

    async def _pause(self, seconds: float) -> None:
        await happens(self.ending.wanted, seconds)

    def _wait(self, reason: str, message: str) -> None:
        self._say(replace(self.known, state=Waiting(reason, message), last=self.known.end))

    def _ready(self, started: bool, ready: bool) -> None:
        self._say(replace(self.known, started=started, ready=ready))

    def _say(self, known: Container) -> None:
        if known != self.known:
            self.known = known
            self.setting.changed()


def _span(seconds: float) -> str:
    """As Go writes a duration."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:g}s"
