"""The simulated service does what its docstrings say; everything built on it leans on this."""

from __future__ import annotations

import asyncio

import pytest

from serinus.analysis.reading import REQUESTS, Arm
from serinus.errors import Conflict, Unavailable
from serinus.release.mark import Mark, Mode
from serinus.release.record import Note
from serinus.release.weight import Weight
from tests.fakes import FakeClock, FakeWorld, Fault, Version, a_world


async def open_at(world: FakeWorld, percent: float) -> None:
    seen = await world.router.read()
    mark = Mark("r-1", 1, 1, Mode.OPEN, Weight(0)) if seen.mark is None else seen.mark
    await world.router.write(mark.then(Mode.OPEN, Weight.of(percent)), seen)


async def test_time_passes_only_by_sleeping_and_in_order() -> None:
    clock, seen = FakeClock(), []

    async def beat(every: float, name: str) -> None:
        for _ in range(3):
            await clock.sleep(every)
            seen.append((clock.monotonic(), name))

    await asyncio.gather(beat(2.0, "slow"), beat(1.0, "quick"))
    assert seen == [(1, "quick"), (2, "slow"), (2, "quick"), (3, "quick"), (4, "slow"), (6, "slow")]
    assert clock.wall() == "2030-01-01T00:00:06.000Z"


@pytest.mark.parametrize("seed", [None, 7])
async def test_requests_are_split_by_weight_and_counted_at_the_scrape(seed: int | None) -> None:
    world = a_world(rate=1000, seed=seed, versions={"v1": Version(), "v2": Version(errors=0.5)})
    await world.workload.put_canary("r-1", world.template("v2"), 1)
    await world.clock.sleep(1.0)
    await open_at(world, 10)
    await world.clock.sleep(10.5)
    assert sum(world.served.values()) == 11_500
    assert world.served[Arm.CANARY] == pytest.approx(1050, abs=150)
    assert world.failed[Arm.CANARY] == pytest.approx(world.served[Arm.CANARY] / 2, abs=100)
    reading = await world.metrics.read()
    figures = {(c.arm, c.figure): c.value for c in reading.counters}
    assert figures[Arm.CANARY, REQUESTS] < world.served[Arm.CANARY]
    assert (Arm.STABLE, "server_errors") not in figures
    assert {c.at for c in reading.counters} == {world.clock.epoch.timestamp() + 11}


async def test_pods_get_ready_and_a_rollout_takes_its_time() -> None:
    world = a_world(replicas=3, rollout_seconds=3.0)
    canary = await world.workload.put_canary("r-1", world.template("v2"), 2)
    assert (canary.ready, canary.settled) == (0, False)
    await world.clock.sleep(0.5)
    assert (await world.workload.canary()) is not None
    side = await world.workload.canary()
    assert side is not None
    assert side.settled
    stable = await world.workload.put_stable(world.template("v2"), Note("r-1", 1, "new"), await world.workload.stable())
    assert (stable.ready, stable.settled) == (0, False)
    await world.clock.sleep(1.5)
    assert (await world.workload.stable()).ready == 1
    await world.clock.sleep(1.5)
    assert (await world.workload.stable()).settled
    assert [put.changed for put in world.stable_puts] == [True]


async def test_faults_hold_for_their_time() -> None:
    world = a_world()
    world.inject(Fault.ROUTER_DOWN, at=1, until=2)
    world.at(3.0, lambda: world.router.edit(Weight.of(50)))
    await world.router.read()
    await world.clock.sleep(1)
    with pytest.raises(Unavailable):
        await world.router.read()
    await world.clock.sleep(1)
    seen = await world.router.read()
    await world.clock.sleep(1)
    with pytest.raises(Conflict):
        await world.router.restore("", seen)
    assert world.serving == Weight.of(50)


@pytest.mark.parametrize("beaten", [True, False])
async def test_a_late_write_lands_unless_somebody_wrote_before(beaten: bool) -> None:
    world = a_world(late_seconds=2)
    seen = await world.router.read()
    world.inject(Fault.ROUTER_LATE, until=0.5)
    with pytest.raises(Unavailable):
        await world.router.write(Mark("r-1", 1, 1, Mode.OPEN, Weight.of(5)), seen)
    await world.clock.sleep(1)
    assert (await world.router.read()) == seen
    if beaten:
        await world.router.restore("", seen)
    await world.clock.sleep(1)
    assert (await world.router.read()).weight == Weight.of(0 if beaten else 5)


async def test_before_its_first_event_a_figure_is_absent() -> None:
    world = a_world(rate=0)
    assert {(c.figure, c.value) for c in (await world.metrics.read()).counters} == {(REQUESTS, 0.0)}
    world.inject(Fault.TARGET_DOWN, at=2)
    await world.clock.sleep(5)
    reading = await world.metrics.read()
    assert not any(reading.targets.values())
    assert {reading.now - counter.at for counter in reading.counters} == {4.0}
    assert await world.metrics.until_scrape() == 1.0


async def test_a_version_that_never_gets_ready_never_replaces_stable() -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(ready_after=float("inf"))})
    seen = await world.workload.stable()
    await world.workload.put_stable(world.template("v2"), Note("r-1", 1, "new"), seen)
    await world.clock.sleep(100)
    side = await world.workload.stable()
    assert (side.ready, side.settled) == (0, False)
    assert {pod.version for pod in side.pods} == {"v1"}
    with pytest.raises(Conflict):
        await world.workload.put_stable(seen.template, Note("r-1", 1, "undone"), seen)
    await world.workload.put_stable(seen.template, Note("r-1", 1, "undone"), side)
    assert (await world.workload.stable()).settled


async def test_a_canary_without_ready_pods_fails_every_request() -> None:
    world = a_world(rate=100)
    await open_at(world, 100)
    await world.clock.sleep(1)
    assert world.failed[Arm.CANARY] == 100
