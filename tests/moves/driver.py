"""A whole release over the moves, as the flow makes them, and a guard beside it; on a world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from serinus.clock import Ticks
from serinus.errors import SerinusError
from serinus.moves.acquire import acquire
from serinus.moves.check import decide
from serinus.moves.engine import Engine, Timing
from serinus.moves.finish import finish
from serinus.moves.look import Guard
from serinus.moves.preflight import preflight
from serinus.moves.promote import promote
from serinus.moves.roll_back import roll_back
from serinus.moves.set_weight import set_weight
from serinus.moves.soak import soak
from serinus.moves.start import start
from serinus.moves.turn import until_free
from serinus.ports import Ports
from serinus.release.lifecycle import Action, Step
from serinus.release.plan import Plan
from serinus.release.record import Record
from tests.fakes import FakeWorld
from tests.release.builders import a_plan

TIMING = Timing()
NAMES = count(1)


def ports(world: FakeWorld) -> Ports:
    return Ports(
        world.router, world.workload, world.metrics, world.ledger, world.notifier, world.clock, Ticks(world.clock)
    )


async def release(
    world: FakeWorld,
    plan: Plan | None = None,
    *,
    name: str = "r1",
    wait_seconds: float = 0.0,
    through: Ports | None = None,
) -> Record:
    """From preflight to the record's end; what the flow's branches do.

    Args:
        through: how it sees the world; default: as it is
    """
    plan, seen = plan or a_plan(), through or ports(world)
    if wait_seconds:
        await until_free(seen, plan.service, wait_seconds)
    facts = await preflight(seen, plan)
    engine = await acquire(seen, plan, facts, release=name, owner=f"engine-{next(NAMES)}")
    await carry_out(engine, facts.template)
    return engine.record


async def carry_out(engine: Engine, template: str) -> None:
    """From the start to the record's end, once it is ours."""
    action = await start(engine, template)
    for phase in range(len(engine.plan.phases)):
        if action.step is Step.ADVANCE:
            action = await set_weight(engine, phase)
            action = action if action.ends else await watch(engine)
    if action.step is Step.PROMOTE:
        action = await promote(engine)
        action = action if action.ends else await watch(engine)
    await (finish(engine) if action.step is Step.FINISH else roll_back(engine, action))


async def watch(engine: Engine) -> Action:
    """Hold and gate until something follows."""
    while True:
        action = await soak(engine)
        if not action.ends:
            _, action = await decide(engine)
        if action.step is not Step.HOLD:
            return action


def a_guard(world: FakeWorld, service: str = "shop") -> Guard:
    return Guard(ports(world), service, lambda: f"guard-{next(NAMES)}", timing=TIMING)


async def guarded(world: FakeWorld, done: Callable[[], bool], seconds: float = 120.0) -> list[str]:
    """The guard's looks, every 2 s, until `done`."""
    guard, said = a_guard(world), list[str]()
    until = world.clock.monotonic() + seconds
    while not done() and world.clock.monotonic() < until:
        try:
            said += await guard.look()
        except SerinusError as cause:
            said.append(str(cause))
        await world.clock.sleep(2.0)
    return said


async def until(world: FakeWorld, seconds: float, work: Awaitable[Record]) -> asyncio.Task[Record]:
    """Start work and let so much of the clock pass."""
    task = asyncio.ensure_future(work)
    while world.clock.monotonic() < seconds and not task.done():
        await world.clock.sleep(0.1)
    return task
