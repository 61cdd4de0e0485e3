"""How often does an engine look at record and route: at every tick, or only where a watch says that somebody wrote?"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from serinus.moves.acquire import acquire
from serinus.moves.engine import KUBERNETES
from serinus.moves.preflight import preflight
from serinus.ports import Clock
from serinus.release.record import Ask, Record, State, Verb
from tests.fakes import FakeWorld, a_world
from tests.moves import driver
from tests.release.builders import a_plan

TIMING = replace(KUBERNETES, ready_seconds=60.0)


class Bell:
    """`ports.Wake` that is rung by hand: who does not ring is not heard before the next beat."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rung = False

    async def wait(self, seconds: float, tick_seconds: float) -> bool:
        until = self._clock.monotonic() + seconds
        while not self.rung and self._clock.monotonic() < until:
            await self._clock.sleep(min(0.05, until - self._clock.monotonic()))
        rung, self.rung = self.rung, False
        return rung


async def released(world: FakeWorld, bell: Bell, soak: float = 600.0) -> Record:
    plan = a_plan(10, 100, soak=soak, bake=60, duration=7200)
    plan = replace(plan, checks=replace(plan.checks, interval_seconds=15.0, window_seconds=60.0))
    ports = replace(driver.ports(world), wake=bell)
    facts = await preflight(ports, plan)
    engine = await acquire(ports, plan, facts, release="r1", owner="engine", timing=TIMING)
    await driver.carry_out(engine, facts.template)
    return engine.record


async def test_where_nobody_writes_a_check_costs_two_writes_and_one_look() -> None:
    world = a_world()
    record = await released(world, Bell(world.clock))
    assert record.state is State.PROMOTED
    asked, hours = Counter(call for _, call in world.calls), world.now / 3600
    checks = asked["metrics.read"]
    assert asked["ledger.write"] <= 2.2 * checks
    assert asked["ledger.read"] + asked["router.read"] <= 1.4 * checks
    assert (asked["ledger.write"] + asked["ledger.read"] + asked["router.read"]) / hours < 1500


@pytest.mark.parametrize(("rings", "within"), [(True, 1.0), (False, 8.5)], ids=["a watch tells", "no watch tells"])
async def test_an_abort_acts_at_once_where_a_watch_tells_of_it_and_else_with_the_next_beat(
    rings: bool, within: float
) -> None:
    world = a_world()
    bell, asked = Bell(world.clock), list[float]()

    async def abort() -> None:
        await world.clock.sleep(200.3)
        await world.ledger.ask(Ask("1", Verb.ABORT, "somebody", "enough"))
        asked.append(world.now)
        bell.rung = rings

    record, _ = await asyncio.gather(released(world, bell), abort())
    assert (record.state, record.outcome and record.outcome.why) == (State.ROLLED_BACK, "aborted by somebody: enough")
    closed = next(at for at, call in world.calls if call == "router.write" and at >= asked[0])
    assert closed - asked[0] <= within
