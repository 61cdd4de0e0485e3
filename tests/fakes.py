"""Every port in memory, over one `World`: real adapters, with the preconditions of the real ones.

A world's ports are its attributes: `world = a_world(); await world.router.read()`. Two engines over one world share
its adapters.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from serinus.analysis.reading import Counter, History, Reading
from serinus.errors import Conflict, Finding, Refused, Unavailable
from serinus.ports import Kept, Notice, Pod, Route, Side
from serinus.release.evidence import FIRST, Line
from serinus.release.mark import Mark
from serinus.release.record import Ask, Foreign, Note, Record, from_json, to_json
from serinus.release.weight import NOTHING, Weight
from tests.clock import FakeClock
from tests.world import Fault, Fleet, Incident, RouteWrite, StablePut, Version, World

__all__ = [
    "FakeClock",
    "FakeLedger",
    "FakeMetrics",
    "FakeNotifier",
    "FakeRouter",
    "FakeWorkload",
    "FakeWorld",
    "Fault",
    "Incident",
    "RouteWrite",
    "StablePut",
    "Version",
    "World",
    "a_world",
]

ORIGINAL = "stable 100 %"
"""What the fake route's part was before any release."""


class FakeWorld(World):
    """A world with its ports."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.router = FakeRouter(self)
        self.workload = FakeWorkload(self)
        self.metrics = FakeMetrics(self)
        self.ledger = FakeLedger(self)
        self.notifier = FakeNotifier(self)


def a_world(**how: Any) -> FakeWorld:
    """See `World` for what can be said."""
    return FakeWorld(**how)


async def _called(world: World, call: str, *down: Fault) -> None:
    """What every call of a port does first."""
    world.clock.stir()
    world.calls.append((world.now, call))
    world.on_call(call)
    await asyncio.sleep(0)
    world.clock.stir()
    if seconds := world.slow.get(call.partition(".")[0], 0.0):
        await world.clock.sleep(seconds)
    for fault in down:
        if world.holds(fault):
            raise Unavailable(f"{call}: {fault}")


def _beaten(world: World, port: str) -> bool:
    if world.conflicts[port] > 0:
        world.conflicts[port] -= 1
        return True
    return False


class FakeRouter:
    """`ports.Router`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = 1
        self._weight = NOTHING
        self._mark: Mark | None = None
        self._original = ORIGINAL
        self.mended = False
        """What `project` answers next."""

    async def read(self) -> Route:
        await _called(self._world, "router.read", Fault.ROUTER_DOWN)
        return self._route()

    async def write(self, mark: Mark, seen: Route) -> Route:
        await _called(self._world, "router.write", Fault.ROUTER_DOWN)
        return self._put(mark.weight, mark, seen)

    async def restore(self, original: str, seen: Route) -> Route:
        await _called(self._world, "router.restore", Fault.ROUTER_DOWN)
        return self._put(NOTHING, None, seen)

    async def taken_up(self, route: Route) -> bool:
        await _called(self._world, "router.taken_up", Fault.ROUTER_DOWN)
        if self._world.holds(Fault.ROUTER_REJECTS):
            raise Refused("the proxy rejected the route: no cluster has a weight")
        if self._world.holds(Fault.ROUTER_CUT_OFF):
            return False
        self._world.take_up()
        written = self._world.routes[-1].at if self._world.routes else 0.0
        return route.version == str(self._version) and self._world.now + 1e-9 >= written + self._world.route_lag

    async def rehearse_close(self) -> None:
        await _called(self._world, "router.rehearse_close", Fault.ROUTER_DOWN)
        if self._world.holds(Fault.ROUTER_REFUSES):
            raise Refused("the route may not be written: it lacks the right `update`")

    async def project(self) -> bool:
        await _called(self._world, "router.project", Fault.ROUTER_DOWN)
        mended, self.mended = self.mended, False
        return mended

    def edit(self, weight: Weight | None = None, mark: Mark | None = None, *, unmark: bool = False) -> None:
        """Somebody else writes: drift, a close from outside, a mark that was taken off."""
        self._land(
            self._weight if weight is None else weight, None if unmark else mark or self._mark, by="somebody else"
        )

    def _route(self) -> Route:
        return Route(self._weight, self._mark, str(self._version), self._original)

    def _put(self, weight: Weight, mark: Mark | None, seen: Route) -> Route:
        if self._world.holds(Fault.ROUTER_REFUSES):
            raise Refused("the route may not be written: it lacks the right `update`")
        if self._world.holds(Fault.ROUTER_LATE):
            self._world.at(self._world.now + self._world.late_seconds, lambda: self._land_late(weight, mark, seen))
            raise Unavailable("router.write: no answer in time")
        if _beaten(self._world, "router"):
            self._land(self._weight, self._mark, by="somebody else")
        if seen.version != str(self._version):
            raise Conflict(f"the route is at version {self._version}, not at {seen.version}")
        self._land(weight, mark, by="us")
        if self._world.holds(Fault.ROUTER_LOSES_ANSWERS):
            raise Unavailable("router.write: no answer in time")
        return self._route()

    def _land_late(self, weight: Weight, mark: Mark | None, seen: Route) -> None:
        if seen.version == str(self._version):
            self._land(weight, mark, by="us, late")

    def _land(self, weight: Weight, mark: Mark | None, by: str) -> None:
        self._weight, self._mark = weight, mark
        self._version += 1
        self._world.routes.append(RouteWrite(self._world.now, weight, mark, by))
        self._world.take_up()


class FakeWorkload:
    """`ports.Workload`; a template is JSON with a version."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def stable(self) -> Side:
        await _called(self._world, "workload.stable", Fault.WORKLOAD_DOWN)
        return self._side(self._world.stable)

    async def canary(self) -> Side | None:
        await _called(self._world, "workload.canary", Fault.WORKLOAD_DOWN)
        return self._side(self._world.canary) if self._world.canary else None

    async def unready(self) -> tuple[Pod, ...]:
        await _called(self._world, "workload.unready", Fault.WORKLOAD_DOWN)
        pods = self._side(self._world.canary).pods if self._world.canary else ()
        return tuple(replace(pod, trouble=pod.trouble or "NotReady") for pod in pods if not pod.ready)

    async def template_for(self, version: str, stable: Side) -> str:
        await _called(self._world, "workload.template_for", Fault.WORKLOAD_DOWN)
        if version not in self._world.versions:
            raise Refused(f"there is no version {version}; there are {', '.join(sorted(self._world.versions))}")
        return self._world.template(version)

    async def findings(self, template: str | None, replicas: int) -> tuple[Finding, ...]:
        return ()

    async def put_canary(self, release: str, template: str, replicas: int) -> Side:
        await _called(self._world, "workload.put_canary", Fault.WORKLOAD_DOWN)
        world = self._world
        if _beaten(world, "workload"):
            raise Conflict("the canary was written in between")
        fleet = world.canary
        if fleet is not None and fleet.release != release:
            raise Conflict(f"the canary of {fleet.release} stands there")
        if fleet is None:
            fleet = Fleet(template, template.split('"')[3], replicas, 1, [], release=release)
        kept = [pod for pod in fleet.pods if pod.template == template][:replicas]
        fleet.pods = kept + [world.pod("canary", template) for _ in range(replicas - len(kept))]
        fleet.template, fleet.version, fleet.replicas = template, template.split('"')[3], replicas
        fleet.revision += 1
        world.canary = fleet
        return self._side(fleet)

    async def remove_canary(self, release: str) -> None:
        await _called(self._world, "workload.remove_canary", Fault.WORKLOAD_DOWN)
        if self._world.canary is not None and self._world.canary.release == release:
            self._world.canary = None

    async def free_stable(self, release: str) -> None:
        await _called(self._world, "workload.free_stable", Fault.WORKLOAD_DOWN)

    async def put_stable(self, template: str, note: Note, seen: Side) -> Side:
        await _called(self._world, "workload.put_stable", Fault.WORKLOAD_DOWN)
        world, fleet = self._world, self._world.stable
        if _beaten(world, "workload"):
            fleet.revision += 1
        if fleet.note == note != seen.note and fleet.template == template:
            return self._side(fleet)
        if seen.revision != str(fleet.revision):
            raise Conflict(f"stable is at revision {fleet.revision}, not at {seen.revision}")
        changed = template != fleet.template
        world.stable_puts.append(StablePut(world.now, note, template, changed))
        fleet.note, fleet.revision = note, fleet.revision + 1
        if changed:
            world.roll_out(template)
        return self._side(fleet)

    def edit_stable(self, version: str) -> None:
        """Somebody else deploys: template without our note's step being touched."""
        self._world.stable.revision += 1
        self._world.stable.writer = "somebody"
        self._world.roll_out(self._world.template(version))

    def edit_canary(self, version: str = "", replicas: int | None = None) -> None:
        """Somebody else's hand on the canary."""
        fleet = self._world.canary
        assert fleet is not None
        template = self._world.template(version) if version else fleet.template
        wanted = fleet.replicas if replicas is None else replicas
        kept = [pod for pod in fleet.pods if pod.template == template][:wanted]
        fleet.pods = kept + [self._world.pod("canary", template) for _ in range(wanted - len(kept))]
        fleet.template, fleet.version, fleet.replicas = template, version or fleet.version, wanted
        fleet.revision += 1

    def _side(self, fleet: Fleet) -> Side:
        pods = tuple(Pod(p.name, p.version, self._world.ready(p), self._world.trouble(p)) for p in fleet.pods)
        return Side(
            template=fleet.template,
            version=fleet.version,
            replicas=fleet.replicas,
            pods=pods,
            settled=self._world.settled(fleet),
            revision=str(fleet.revision),
            note=fleet.note,
            release=fleet.release,
            code=fleet.template,
            writer=fleet.writer,
        )


class FakeMetrics:
    """`ports.Metrics`: what the last scrape saw; one target counts for both arms, as Envoy does.

    Like Envoy, it has requests from the start, and no other series before its first event.
    """

    def __init__(self, world: World, target: str = "envoy:9901") -> None:
        self._world = world
        self._target = target
        self._epoch = world.clock.epoch.timestamp()
        self.queries: dict[str, Callable[[World], tuple[float, ...]]] = {}
        """Answers of threshold metrics, by gate name."""
        self.past: History | None = None
        self.unfit: tuple[Finding, ...] = ()
        """What `findings` answers."""

    async def read(self) -> Reading:
        await _called(self._world, "metrics.read", Fault.METRICS_DOWN)
        at = self._epoch + self._world.scraped_at
        counters = tuple(
            Counter(arm, self._target, figure, float(value), at)
            for (arm, figure), value in sorted(self._world.scraped.items())
        )
        queries: Mapping[str, tuple[float, ...]] = {name: ask(self._world) for name, ask in self.queries.items()}
        return Reading(self._epoch + self._world.now, counters, {self._target: self._world.target_up}, queries)

    async def until_scrape(self) -> float:
        await _called(self._world, "metrics.until_scrape", Fault.METRICS_DOWN)
        interval = self._world.scrape_seconds
        return (math.floor(self._world.now / interval + 1e-9) + 1) * interval - self._world.now

    async def history(self) -> History | None:
        await _called(self._world, "metrics.history", Fault.METRICS_DOWN)
        return self.past

    async def findings(self) -> tuple[Finding, ...]:
        await _called(self._world, "metrics.findings")
        return self.unfit


class FakeLedger:
    """`ports.Ledger`: bytes with a version, so that what cannot be stored cannot pass."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = 0
        self._bytes = b""
        self.written: list[tuple[float, Record]] = []
        """Every record that landed, with its moment."""
        self.evidence: dict[str, list[str]] = {}

    async def read(self) -> Kept | None:
        await _called(self._world, "ledger.read", Fault.LEDGER_DOWN)
        return self._kept()

    async def write(self, record: Record, seen: str | None) -> Kept:
        await _called(self._world, "ledger.write", Fault.LEDGER_DOWN, Fault.LEDGER_READ_ONLY)
        if self._world.holds(Fault.LEDGER_LATE):
            self._world.at(self._world.now + self._world.late_seconds, lambda: self._land_late(record, seen))
            raise Unavailable("ledger.write: no answer in time")
        if _beaten(self._world, "ledger"):
            self._version += 1
            raise Conflict("the record was written in between")
        if seen != self._at():
            raise Conflict(f"the record is at version {self._at()}, not at {seen}")
        self._land(record)
        if self._world.holds(Fault.LEDGER_LOSES_ANSWERS):
            raise Unavailable("ledger.write: no answer in time")
        return Kept(record, str(self._version))

    async def ask(self, ask: Ask, release: str = "") -> Kept:
        await _called(self._world, "ledger.ask", Fault.LEDGER_DOWN, Fault.LEDGER_READ_ONLY)
        kept = self._kept()
        if kept is None or kept.record.ended:
            raise Refused("nothing is live: there is no release to ask")
        if release and kept.record.release != release:
            raise Refused(f"{release} ended before it was reached")
        if isinstance(kept.record, Foreign):
            raise Refused(f"the record has schema {kept.record.schema}, which this version cannot write")
        if all(known.id != ask.id for known in kept.record.inbox):
            self._land(replace(kept.record, inbox=(*kept.record.inbox, ask)))
        return self._kept() or kept

    async def append(self, release: str, lines: Sequence[Line]) -> None:
        await _called(self._world, "ledger.append", Fault.LEDGER_DOWN, Fault.EVIDENCE_DOWN)
        held = list(self.evidence.get(release, ()))
        for line in sorted(lines, key=lambda line: line.n):
            before = hashlib.sha256(held[-1].encode()).hexdigest() if held else FIRST
            if line.n <= len(held):
                if held[line.n - 1] != line.text:
                    raise Refused(f"{release}: line {line.n} is not the one that was recorded; nothing was written")
            elif line.n != len(held) + 1 or line.before != before:
                raise Refused(f"{release}: line {line.n} does not follow its line {len(held)}; nothing was written")
            else:
                held.append(line.text)
        self.evidence[release] = held

    async def lines(self, release: str) -> tuple[str, ...]:
        await _called(self._world, "ledger.lines", Fault.LEDGER_DOWN)
        return tuple(self.evidence.get(release, ()))

    def put(self, stored: bytes) -> None:
        """Somebody else writes the record, of whatever schema."""
        self._version += 1
        self._bytes = stored

    def drop(self) -> None:
        """Somebody removes the record."""
        self._bytes = b""

    def _at(self) -> str | None:
        return str(self._version) if self._bytes else None

    def _kept(self) -> Kept | None:
        if not self._bytes:
            return None
        try:
            return Kept(from_json(self._bytes), str(self._version))
        except ValueError as cause:
            raise Refused(f"version {self._version} is no record: {cause}") from cause

    def _land_late(self, record: Record, seen: str | None) -> None:
        if seen == self._at():
            self._land(record)

    def _land(self, record: Record) -> None:
        self._bytes = to_json(record)
        self._version += 1
        self.written.append((self._world.now, record))


class FakeNotifier:
    """`ports.Notifier`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.told: list[Notice] = []

    async def tell(self, notice: Notice) -> None:
        await _called(self._world, "notifier.tell", Fault.NOTIFIER_DOWN)
        self.told.append(notice)
