"""What the moves need of the world: seven ports, small enough to memorise.

Each has one real adapter per vendor and one fake (`tests/fakes.py`); one contract suite runs over all. Every call is bounded in
time by its adapter and raises only `PlatformError`s: `Unavailable` (again), `Conflict` (read, decide anew), `Refused` (never again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from serinus.analysis.reading import History, Reading
from serinus.errors import Finding
from serinus.release.evidence import Line
from serinus.release.mark import Mark
from serinus.release.record import Ask, Foreign, Note, Record
from serinus.release.weight import Weight


@dataclass(frozen=True, slots=True)
class Route:
    """What serves, as the router's object says it.

    Args:
        weight: the canary's; stable has the rest
        mark: None where no release has one
        version: of the object, opaque; a write's precondition
        original: the route's part as it was before any release, opaque; put back by `Router.restore`
        beside: stable's instances, where the weight is the canary's number of instances beside them; None: any weight can be had
        gone: the object is not there, so nothing is served by it: no weight, no mark
        writer: who wrote the object last, beside us, and when; empty where that is not known. No part of what serves
    """

    weight: Weight
    mark: Mark | None
    version: str
    original: str = ""
    beside: int | None = None
    gone: bool = False
    writer: str = field(default="", compare=False)


class Router(Protocol):
    """One service's route."""

    async def read(self) -> Route:
        """The object as it stands, never from a cache."""
        ...

    async def write(self, mark: Mark, seen: Route) -> Route:
        """Write weight (`mark.weight`) and mark together, on `seen.version` alone.

        Returns the route as written. Raises Conflict where somebody wrote in between.
        """
        ...

    async def taken_up(self, route: Route) -> bool:
        """The router's own word that it serves by this version. Raises Refused where it rejected it, with its words."""
        ...

    async def restore(self, original: str, seen: Route) -> Route:
        """Put the route's part back as it was found and take the mark off, in one write on `seen.version`.

        One without a mark is somebody else's by now and stays; what a release had beside it goes all the same.
        """
        ...

    async def rehearse_close(self) -> None:
        """Try what closing needs, without changing anything. Raises Refused with the missing right or object."""
        ...

    async def project(self) -> bool:
        """Mend what renders the object (local: Envoy's file); True where something had to be mended."""
        ...


@dataclass(frozen=True, slots=True)
class Pod:
    """One instance.

    Args:
        trouble: what a kubelet would say: `CrashLoopBackOff`, `ErrImagePull`, `OOMKilled`, ...; empty where all is well
        log: its last lines, where there is trouble
    """

    name: str
    version: str
    ready: bool
    trouble: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two workloads.

    Args:
        template: everything that makes its instances what they are, opaque; two equal ones run the same code and config
        version: for people
        replicas: wanted
        pods: as they are
        settled: every wanted instance runs this template, is ready and serves; none of another is left
        revision: of the object, opaque; a write's precondition
        note: stable only
        release: canary only: whose it is
        code: of `template`, what `put_stable` writes; two equal ones run the same code, whatever is mounted
        mounts: checksum by name of what is mounted, such as `ConfigMap/shop`
        writer: who wrote `code` last beside us, for people; empty where that is not known
        spare: how many of its instances may be missing while it is rolled out
    """

    template: str
    version: str
    replicas: int
    pods: tuple[Pod, ...]
    settled: bool
    revision: str
    note: Note | None = None
    release: str = ""
    code: str = ""
    mounts: Mapping[str, str] = field(default_factory=dict)
    writer: str = ""
    spare: int = 0

    @property
    def ready(self) -> int:
        """Instances of this very template that are ready."""
        return sum(pod.ready and pod.version == self.version for pod in self.pods)

    @property
    def carries(self) -> bool:
        """As many of this very template are ready as must be while it is rolled out: it can have all traffic."""
        return self.ready >= max(self.replicas - self.spare, 1)


class Workload(Protocol):
    """One service's stable and canary workload."""

    async def stable(self) -> Side: ...

    async def canary(self) -> Side | None:
        """None where there is none."""
        ...

    async def unready(self) -> tuple[Pod, ...]:
        """The canary's instances that are not ready, some of many: what each waits for is its trouble. For whoever must say why."""
        ...

    async def template_for(self, version: str, stable: Side) -> str:
        """Stable's template with the new version. Raises Refused for a version that does not exist."""
        ...

    async def findings(self, template: str | None, replicas: int) -> tuple[Finding, ...]:
        """Why no canary of this template could be had, the fatal first, and what a person should know. Raises Unavailable alone.

        Args:
            template: None where stable could not be read, and so nothing but rights can be looked at
            replicas: of the canary at its largest weight
        """
        ...

    async def put_canary(self, release: str, template: str, replicas: int) -> Side:
        """Create the canary or scale it; idempotent. Raises Conflict where another release's stands there."""
        ...

    async def remove_canary(self, release: str) -> None:
        """Idempotent; leaves another release's alone."""
        ...

    async def free_stable(self, release: str) -> None:
        """Whatever scales stable may take instances away again: once stable has served everything for a while; idempotent."""
        ...

    async def put_stable(self, template: str, note: Note, seen: Side) -> Side:
        """Template and note in one write, on `seen.revision` alone.

        Where both stand there already, and the note is not `seen`'s, an earlier call has done it and its answer was lost.
        """
        ...


class Metrics(Protocol):
    """Both arms' figures."""

    async def read(self) -> Reading:
        """Every figure the plan needs, at one moment. Raises Unavailable where the metrics do not answer, Refused where they refuse."""
        ...

    async def until_scrape(self) -> float:
        """Seconds until the next scrape of the source should be there to read (may be 0); Unavailable as `read`."""
        ...

    async def history(self) -> History | None:
        """Stable's own past day; None where it is shorter than two hours."""
        ...

    async def findings(self) -> tuple[Finding, ...]:
        """Why a release could not be judged by these metrics, the fatal first; empty where it could. Raises nothing of the server's."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A record and the version it was read at, opaque: a write's precondition."""

    record: Record | Foreign
    version: str


class Ledger(Protocol):
    """One service's record, and the evidence of its releases."""

    async def read(self) -> Kept | None:
        """None where there has never been a release."""
        ...

    async def write(self, record: Record, seen: str | None) -> Kept:
        """On version `seen` alone; None: there is none yet. Raises Conflict."""
        ...

    async def ask(self, ask: Ask, release: str = "") -> Kept:
        """To the live record's inbox, whoever writes in between; the same id twice is once. Raises Refused where none such is live."""
        ...

    async def append(self, release: str, lines: Sequence[Line]) -> None:
        """Copy lines of evidence, durably; writing one twice changes nothing. Raises Refused where the file is not a prefix of them."""
        ...

    async def lines(self, release: str) -> tuple[str, ...]:
        """The evidence copied so far, as its raw lines without newlines."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told.

    Args:
        urgent: a person is needed now
        id: release/step, so that a notice sent twice can be known as one
    """

    service: str
    release: str
    text: str
    id: str
    urgent: bool = False


class Notifier(Protocol):
    """Tells people."""

    async def tell(self, notice: Notice) -> None:
        """At least once; Unavailable where it could not be sent. Nothing that holds a release waits for it."""
        ...


class Clock(Protocol):
    """This process' own time."""

    def monotonic(self) -> float:
        """Seconds; only differences mean something."""
        ...

    def wall(self) -> str:
        """ISO 8601 in UTC, for people only."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Wake(Protocol):
    """Whether somebody else may have written record or route: it only ends a wait, what has changed a read says."""

    async def wait(self, seconds: float, tick_seconds: float) -> bool:
        """Wait so long at most.

        Args:
            seconds: until something else is due
            tick_seconds: between two looks, where nothing is known without looking

        Returns:
            True where it is time to look; False where neither has changed, as far as can be known.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world of one release, opened by `serinus.wiring`."""

    router: Router
    workload: Workload
    metrics: Metrics
    ledger: Ledger
    notifier: Notifier
    clock: Clock
    wake: Wake
