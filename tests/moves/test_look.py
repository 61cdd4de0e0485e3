"""What the guard owes a service whatever else it has to do: its weight first."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from serinus.moves.look import LOOK_SECONDS, Guard, look_at_all
from serinus.ports import Ports
from serinus.release.mark import Mark, Mode
from serinus.release.record import Note, Record, State
from serinus.release.weight import NOTHING, Weight
from tests.fakes import FakeWorld, Fault, a_world
from tests.moves.driver import a_guard, guarded, ports, release, until
from tests.release.builders import a_plan

BOUND_SECONDS = 2.0 + 5.0 + 2.0
"""G + D, and one look more."""


async def orphan(world: FakeWorld) -> None:
    """A release at 5 % whose engine is gone."""
    task = await until(world, 6.0, release(world, a_plan(5, 100, soak=60)))
    task.cancel()
    await asyncio.wait({task})
    assert (await world.router.read()).weight == Weight.of(5)


async def test_a_record_that_cannot_be_written_keeps_no_weight() -> None:
    world = a_world()
    await orphan(world)
    died = world.now
    world.inject(Fault.LEDGER_READ_ONLY, died, died + 60)
    looking = asyncio.create_task(guarded(world, lambda: world.now > died + 90, seconds=100))
    await world.clock.sleep(BOUND_SECONDS + 0.1)
    route = await world.router.read()
    assert route.weight == NOTHING
    assert route.mark is not None
    assert route.mark.mode is Mode.CLOSED
    said = await looking
    assert any("its route was closed" in sentence for sentence in said), said
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert kept.record.state is State.ROLLED_BACK, "and once it can be written, it is ended"


async def test_evidence_that_cannot_be_copied_keeps_no_weight() -> None:
    world = a_world()
    world.inject(Fault.EVIDENCE_DOWN, 0, 1e9)
    record = await release(world, a_plan(5, 100, soak=2, bake=2))
    assert record.ended
    assert record.lines, "they wait in the record"
    route = await world.router.read()
    await world.router.write(Mark("r0", 1, 1, Mode.OPEN, Weight.of(5)), route)
    await guarded(world, lambda: False, seconds=6)
    assert (await world.router.read()).weight == NOTHING


class Slow(Guard):
    """A guard whose look takes until it is let go: a rollout that is awaited."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "slow", lambda: "nobody")
        self.begun, self.go = 0, asyncio.Event()

    async def look(self) -> list[str]:
        self.begun += 1
        await self.go.wait()
        return ["slow: rolled out"]


async def test_a_long_look_at_one_service_keeps_no_other_waiting() -> None:
    world, other = a_world(), a_world()
    await orphan(world)
    slow, guard = Slow(ports(other)), a_guard(world)
    guards = {"slow": slow, "shop": guard}
    for _ in range(8):
        await look_at_all(guards, at_most=0.05)
        await world.clock.sleep(1.0)
    assert (await world.router.read()).weight == NOTHING
    assert slow.begun == 1, "one look at a time"
    slow.go.set()
    assert "slow: rolled out" in await look_at_all(guards, at_most=5.0)
    await look_at_all(guards, at_most=0.05)
    assert slow.begun == 2
    for one in guards.values():
        await one.stop()


class Stuck(Slow):
    """A guard whose look never ends by itself."""

    def __init__(self, ports: Ports, stubborn: bool = False) -> None:
        super().__init__(ports)
        self.stubborn = stubborn

    async def look(self) -> list[str]:
        while True:
            try:
                return await super().look()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_look_that_is_stuck_is_given_up_said_and_begun_anew(stubborn: bool) -> None:
    world, other = a_world(), a_world()
    stuck, guard = Stuck(ports(other), stubborn), a_guard(world)
    guards = {"slow": stuck, "shop": guard}
    await look_at_all(guards, at_most=0.05)
    await other.clock.sleep(LOOK_SECONDS - 1)
    assert await look_at_all(guards, at_most=0.05) == []
    await orphan(world)
    await other.clock.sleep(2)
    said = await look_at_all(guards, at_most=0.05)
    assert [sentence for sentence in said if "slow" in sentence and "given up" in sentence], said
    for _ in range(8):
        assert not [sentence for sentence in await look_at_all(guards, at_most=0.05) if "slow" in sentence]
        await world.clock.sleep(1.0)
    assert (await world.router.read()).weight == NOTHING
    assert stuck.begun == 2, "a look that does not even end so is not joined by another"
    stuck.stubborn = False
    for one in guards.values():
        await one.stop()


async def test_a_way_back_that_was_given_up_half_way_is_gone_on_with() -> None:
    world = a_world()
    await orphan(world)
    world.inject(Fault.ROUTER_REFUSES, world.now, world.now + 200)
    guard, said, until = a_guard(world), list[str](), world.now + 240
    while world.now < until:
        said += await look_at_all({"shop": guard}, at_most=0.0)  # left alone at once, however fast this machine is
        await world.clock.sleep(2.0)
    assert [sentence for sentence in said if "given up" in sentence], said
    assert (await world.router.read()).weight == NOTHING
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert (kept.record.state, kept.record.late) == (State.ROLLED_BACK, True)


async def of_another_schema(world: FakeWorld, mode: Mode) -> None:
    """A canary at 50 % whose record nobody here can read, and whose owner is silent."""
    await orphan(world)
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    await world.ledger.write(replace(kept.record, schema=7), kept.version)
    route = await world.router.read()
    assert route.mark is not None
    await world.router.write(route.mark.then(mode, Weight.of(50)), route)


@pytest.mark.parametrize("mode", [Mode.OPEN, Mode.PROMOTING])
async def test_an_unknown_record_is_closed_and_a_person_told_once(mode: Mode) -> None:
    world = a_world()
    await of_another_schema(world, mode)
    before = world.ledger.written[-1]
    world.inject(Fault.NOTIFIER_DOWN, world.now, world.now + 9)
    await guarded(world, lambda: False, seconds=30)
    route = await world.router.read()
    assert route.weight == NOTHING
    assert route.mark is not None
    assert route.mark.mode is Mode.CLOSED
    assert len(world.notifier.told) == 1, "and not again every two seconds"
    assert "schema 7" in world.notifier.told[0].text
    assert world.ledger.written[-1] is before, "never resumed, promoted or undone"
    assert not world.stable_puts


async def test_an_unknown_record_keeps_its_canary_while_stable_cannot_serve() -> None:
    world = a_world(rollout_seconds=20.0)
    await of_another_schema(world, Mode.PROMOTING)
    stable = await world.workload.stable()
    await world.workload.put_stable('{"version": "v2"}', Note("r1", 1, "new"), stable)
    begun = world.now
    looking = asyncio.create_task(guarded(world, lambda: False, seconds=80))
    await world.clock.sleep(15)
    assert (await world.router.read()).weight == Weight.of(50)
    assert len(world.notifier.told) == 1
    await looking
    zero = next(write.at for write in world.routes if write.at > begun and write.weight == NOTHING)
    assert zero >= begun + 20.0
