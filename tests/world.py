"""A simulated service: requests, versions, pods, scrapes, and what can go wrong. Time comes from a `FakeClock` alone.

It knows no port; `tests.fakes` looks at it through the ports. State is public, so that a test can say what it wants.
"""

from __future__ import annotations

import math
import random
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from serinus.analysis.reading import REQUESTS, TIMED, Arm, within
from serinus.release.mark import Mark
from serinus.release.record import Note
from serinus.release.weight import NOTHING, Weight
from tests.clock import FakeClock

SERVER_ERRORS = "server_errors"


class Fault(StrEnum):
    """What can be injected, by name."""

    ROUTER_DOWN = "router unavailable"
    ROUTER_REFUSES = "router refuses writes"
    ROUTER_LOSES_ANSWERS = "a write of the router lands, its answer is lost"
    ROUTER_LATE = "a write of the router is not answered, and lands later if nobody wrote before"
    ROUTER_CUT_OFF = "the proxy does not take up what is written"
    ROUTER_REJECTS = "the proxy rejects what is written"
    LEDGER_DOWN = "ledger unavailable"
    LEDGER_READ_ONLY = "the record cannot be written"
    LEDGER_LOSES_ANSWERS = "a write of the ledger lands, its answer is lost"
    LEDGER_LATE = "a write of the ledger is not answered, and lands later if nobody wrote before"
    EVIDENCE_DOWN = "evidence cannot be written"
    WORKLOAD_DOWN = "workload unavailable"
    METRICS_DOWN = "metrics do not answer"
    TARGET_DOWN = "the scrape target is down"
    NOTIFIER_DOWN = "notices cannot be sent"
    CANARY_NEVER_READY = "no canary pod gets ready"
    CANARY_CRASHES = "canary pods crash"


@dataclass(frozen=True, slots=True)
class Version:
    """How one version behaves.

    Args:
        errors: fraction of requests answered 5xx
        slow: fraction of requests slower than an edge, by edge in seconds; a missing edge is 0
        dead: refuses every connection: a 5xx of the proxy's, without a latency sample
        ready_after: seconds until a pod is ready; infinity: never
        crashes_after: seconds of a pod's life, None: lives
        bad_after: seconds of a pod's life after which `bad_errors` count instead of `errors`
    """

    errors: float = 0.0
    slow: Mapping[float, float] = field(default_factory=dict)
    dead: bool = False
    ready_after: float = 0.5
    crashes_after: float | None = None
    bad_after: float | None = None
    bad_errors: float = 0.0


@dataclass(frozen=True, slots=True)
class Incident:
    """Errors that every version has (or those named), from `start` until `end`."""

    start: float
    end: float
    errors: float
    versions: frozenset[str] | None = None


@dataclass(slots=True)
class FakePod:
    name: str
    version: str
    template: str
    born: float
    ready_at: float
    crashes_at: float


@dataclass(slots=True)
class Fleet:
    """One side: what is wanted, and the pods there are."""

    template: str
    version: str
    replicas: int
    revision: int
    pods: list[FakePod]
    note: Note | None = None
    release: str = ""
    writer: str = ""
    replacing: list[tuple[float, FakePod]] = field(default_factory=list)
    """When which pod of an older template makes room: the rollout that is still ahead."""


@dataclass(frozen=True, slots=True)
class RouteWrite:
    """One write that landed on the route."""

    at: float
    weight: Weight
    mark: Mark | None
    by: str = "us"


@dataclass(frozen=True, slots=True)
class StablePut:
    """One write that landed on stable; `changed`: its template was another before."""

    at: float
    note: Note
    template: str
    changed: bool


class World:
    """One service, its two workloads, its traffic and its scrapes.

    Args:
        rate: requests a second
        versions: the catalogue; a version that is not in it does not exist
        stable: the version that runs at first
        seed: None: requests and errors fall evenly, remainders carried; a number: at random, the same every time
        scrape_seconds: 0 of the clock is a scrape
        edges: latency edges in seconds, the buckets of the histogram
        rollout_seconds: how long stable takes to replace all its pods
        route_lag: seconds until the proxy serves by a write
        late_seconds: how long a write stays in flight under `ROUTER_LATE` and `LEDGER_LATE`
    """

    def __init__(
        self,
        *,
        rate: float = 200.0,
        versions: Mapping[str, Version] | None = None,
        stable: str = "v1",
        replicas: int = 3,
        seed: int | None = None,
        scrape_seconds: float = 1.0,
        edges: tuple[float, ...] = (0.1, 0.5, 2.0),
        rollout_seconds: float = 3.0,
        route_lag: float = 0.0,
        late_seconds: float = 1.5,
        clock: FakeClock | None = None,
    ) -> None:
        self.rate = rate
        self.versions = dict(versions or {"v1": Version(), "v2": Version()})
        self.scrape_seconds = scrape_seconds
        self.edges = edges
        self.rollout_seconds = rollout_seconds
        self.route_lag = route_lag
        self.late_seconds = late_seconds
        self.clock = clock or FakeClock()
        self.clock.passing = self.advance
        self.random = None if seed is None else random.Random(seed)
        self.now = 0.0
        self.incidents: list[Incident] = []
        self.faults: list[tuple[Fault, float, float]] = []
        self.plans: list[tuple[float, int, Callable[[], None]]] = []
        self.conflicts: Tally[str] = Tally()
        """Writes still to be beaten by another writer, by port: `router`, `ledger`, `workload`."""
        self.calls: list[tuple[float, str]] = []
        """Every call of every port, as `router.write`."""
        self.on_call: Callable[[str], None] = lambda call: None
        """May raise, to let a process die at that very call."""
        self.slow: dict[str, float] = {}
        """Seconds that a port's calls take, by port."""
        self.routes: list[RouteWrite] = []
        self.stable_puts: list[StablePut] = []
        self.serving = NOTHING
        """The weight that the proxy serves by; `routes[-1]` once taken up."""
        self.counters: Tally[tuple[Arm, str]] = Tally({(arm, REQUESTS): 0 for arm in Arm})
        self.served: Tally[Arm] = Tally()
        """Requests whatever the metrics say."""
        self.failed: Tally[Arm] = Tally()
        self.scraped: dict[tuple[Arm, str], float] = dict(self.counters)
        self.scraped_at = 0.0
        self.target_up = True
        self._carry: dict[object, float] = {}
        self._pods = 0
        template = self.template(stable)
        pods = [self.pod("stable", template, ready_at=0.0) for _ in range(replicas)]
        self.stable = Fleet(template, stable, replicas, 1, pods)
        self.canary: Fleet | None = None

    # What a test says

    def inject(self, fault: Fault, at: float = 0.0, until: float = math.inf) -> None:
        """The fault holds from `at` until `until`, on the clock."""
        self.faults.append((fault, at, until))

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a moment of the clock, such as another writer's edit."""
        self.plans.append((when, len(self.plans), action))

    def incident(self, start: float, end: float, errors: float, *versions: str) -> None:
        self.incidents.append(Incident(start, end, errors, frozenset(versions) or None))

    def holds(self, fault: Fault) -> bool:
        return any(kind is fault and start <= self.now < end for kind, start, end in self.faults)

    # What the fakes need

    @staticmethod
    def template(version: str) -> str:
        return f'{{"version": "{version}"}}'

    def pod(self, side: str, template: str, ready_at: float | None = None) -> FakePod:
        """A pod that starts now."""
        version = template.split('"')[3]
        made = self.versions[version]
        self._pods += 1
        crash = math.inf if made.crashes_after is None else self.now + made.crashes_after
        ready = self.now + made.ready_after if ready_at is None else ready_at
        return FakePod(f"{side}-{self._pods}", version, template, self.now, ready, crash)

    def trouble(self, pod: FakePod) -> str:
        crashed = self.now >= pod.crashes_at or (self._is_canary(pod) and self.holds(Fault.CANARY_CRASHES))
        return "CrashLoopBackOff" if crashed else ""

    def ready(self, pod: FakePod) -> bool:
        if self.trouble(pod) or (self._is_canary(pod) and self.holds(Fault.CANARY_NEVER_READY)):
            return False
        return self.now >= pod.ready_at

    def roll_out(self, template: str) -> None:
        """Stable wants another template: its pods are replaced one after the other, from now on."""
        fleet = self.stable
        fleet.template, fleet.version = template, template.split('"')[3]
        old = [pod for pod in fleet.pods if pod.template != template]
        step = self.rollout_seconds / max(len(old), 1)
        fleet.replacing = [(self.now + step * (place + 1), pod) for place, pod in enumerate(old)]

    def settled(self, fleet: Fleet) -> bool:
        mine = [pod for pod in fleet.pods if pod.template == fleet.template and self.ready(pod)]
        whole = len(mine) == len(fleet.pods) == fleet.replicas
        return whole and (fleet is not self.stable or fleet.replicas > 0)

    # Time

    def advance(self, now: float) -> None:
        """Everything that happens until `now`."""
        while self.now < now:
            moment = min((t for t in self._moments() if t > self.now), default=now)
            until = min(moment, now)
            self._serve(until - self.now)
            self.now = until
            self._happen()

    def _moments(self) -> Iterator[float]:
        yield (math.floor(self.now / self.scrape_seconds + 1e-9) + 1) * self.scrape_seconds
        yield from (when for when, _, _ in self.plans)
        for _, start, end in self.faults:
            yield from (start, end)
        for incident in self.incidents:
            yield from (incident.start, incident.end)
        if self.routes:
            yield self.routes[-1].at + self.route_lag
        for fleet in (self.stable, self.canary):
            for pod in fleet.pods if fleet else ():
                bad_after = self.versions[pod.version].bad_after
                yield from (pod.ready_at, pod.crashes_at, pod.born + (bad_after if bad_after is not None else math.inf))
            yield from (when for when, _ in (fleet.replacing if fleet else ()))

    def _happen(self) -> None:
        for plan in sorted(plan for plan in self.plans if plan[0] <= self.now):
            self.plans.remove(plan)
            plan[2]()
        self.take_up()
        self._replace()
        if math.isclose(self.now % self.scrape_seconds, 0, abs_tol=1e-6) or math.isclose(
            self.now % self.scrape_seconds, self.scrape_seconds, abs_tol=1e-6
        ):
            self._scrape()

    def take_up(self) -> None:
        """The proxy serves by the newest write that is old enough."""
        if self.holds(Fault.ROUTER_CUT_OFF) or self.holds(Fault.ROUTER_REJECTS):
            return
        seen = [write for write in self.routes if write.at + self.route_lag <= self.now + 1e-9]
        self.serving = seen[-1].weight if seen else NOTHING

    def _replace(self) -> None:
        fleet = self.stable
        while fleet.replacing and fleet.replacing[0][0] <= self.now:
            if self.versions[fleet.version].ready_after == math.inf:
                return
            _, old = fleet.replacing.pop(0)
            fleet.pods[fleet.pods.index(old)] = self.pod("stable", fleet.template, ready_at=self.now)

    def _scrape(self) -> None:
        self.target_up = not self.holds(Fault.TARGET_DOWN)
        if self.target_up:
            self.scraped, self.scraped_at = dict(self.counters), self.now

    # Traffic

    def _serve(self, seconds: float) -> None:
        requests = self._part("rate", self.rate * seconds, 1.0)
        canary = self._part(Arm.CANARY, requests, self.serving.fraction)
        for arm, fleet, part in (
            (Arm.CANARY, self.canary, canary),
            (Arm.STABLE, self.stable, requests - canary),
        ):
            if part:
                self._answer(arm, fleet, part)

    def _answer(self, arm: Arm, fleet: Fleet | None, requests: int) -> None:
        self.served[arm] += requests
        self.counters[arm, REQUESTS] += requests
        ready = [pod for pod in (fleet.pods if fleet else ()) if self.ready(pod)]
        if not ready:
            self._fail(arm, requests)
            return
        for place, pod in enumerate(ready):
            part = requests * (place + 1) // len(ready) - requests * place // len(ready)
            self._answer_by(arm, pod, part)

    def _answer_by(self, arm: Arm, pod: FakePod, requests: int) -> None:
        version = self.versions[pod.version]
        if version.dead:
            self._fail(arm, requests)
            return
        bad = version.bad_after is not None and self.now - pod.born >= version.bad_after
        good = 1.0 - (version.bad_errors if bad else version.errors)
        for incident in self.incidents:
            if incident.start <= self.now < incident.end and pod.version in (incident.versions or {pod.version}):
                good *= 1.0 - incident.errors
        self._fail(arm, self._part((arm, "errors"), requests, 1.0 - good))
        self.counters[arm, TIMED] += requests
        for edge in self.edges:
            slow = self._part((arm, edge), requests, version.slow.get(edge, 0.0))
            self.counters[arm, within(edge)] += requests - slow

    def _fail(self, arm: Arm, requests: int) -> None:
        if requests:
            self.counters[arm, SERVER_ERRORS] += requests
            self.failed[arm] += requests

    def _part(self, what: object, of: float, fraction: float) -> int:
        """So many of them: evenly with the remainder carried, or at random."""
        if self.random is not None and fraction < 1.0 and what != "rate":
            return _binomial(self.random, int(of), fraction)
        exact = of * fraction + self._carry.get(what, 0.0)
        whole = min(math.floor(exact + 1e-9), math.ceil(of))
        self._carry[what] = exact - whole
        return whole

    def _is_canary(self, pod: FakePod) -> bool:
        return pod.name.startswith("canary-")


def _binomial(source: random.Random, n: int, p: float) -> int:
    """A binomial draw by its gaps between successes: exact, and quick where successes are few."""
    if p <= 0.0:
        return 0
    if p > 0.5:
        return n - _binomial(source, n, 1.0 - p)
    successes, place = 0, 0
    while True:
        place += 1 + int(math.log(1.0 - source.random()) / math.log(1.0 - p))
        if place > n:
            return successes
        successes += 1
