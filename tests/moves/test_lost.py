"""Writes whose answer is lost, asks that could not be written down, an engine that stood still: nothing is taken for done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from serinus.errors import Fenced, PlatformError, Refused
from serinus.moves.acquire import acquire
from serinus.moves.ask import Left, abort, ask, new_ask
from serinus.moves.engine import Closed, Engine
from serinus.moves.finish import finish
from serinus.moves.preflight import preflight
from serinus.moves.promote import promote
from serinus.moves.set_weight import set_weight
from serinus.moves.start import start
from serinus.moves.take_over import end_orphan, take_over
from serinus.ports import Route, Router, Side
from serinus.release.evidence import parse
from serinus.release.lifecycle import Step
from serinus.release.mark import Mark
from serinus.release.plan import Plan
from serinus.release.record import Record, State, Verb
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.moves.driver import ports, release, until, watch
from tests.release.builders import a_plan

GOOD = Version(errors=0.0005)
QUICK = a_plan(100, soak=3, bake=8)


def a_shop(**v2: Any) -> FakeWorld:
    return a_world(versions={"v1": GOOD, "v2": Version(errors=0.0005, **v2), "v3": GOOD})


async def started(world: FakeWorld, plan: Plan) -> Engine:
    """In its first phase, without traffic."""
    facts = await preflight(ports(world), plan)
    engine = await acquire(ports(world), plan, facts, release="r1", owner="engine")
    assert (await start(engine, facts.template)).step is Step.ADVANCE
    return engine


async def promoting(world: FakeWorld) -> asyncio.Task[Record]:
    """A release whose stable is being changed."""
    going = await until(world, 5, release(world, QUICK))
    while True:
        kept = await world.ledger.read()
        assert kept is not None
        if isinstance(kept.record, Record) and kept.record.state is State.PROMOTING:
            await world.clock.sleep(1)
            return going
        await world.clock.sleep(0.1)


def lost_for(world: FakeWorld, fault: Fault, seconds: float) -> None:
    world.inject(fault, at=world.clock.monotonic(), until=world.clock.monotonic() + seconds)


async def test_a_phase_is_soaked_whole_where_the_answer_to_its_entry_was_lost() -> None:
    world = a_shop()
    engine = await started(world, a_plan())
    await set_weight(engine, 0)
    assert (await watch(engine)).step is Step.ADVANCE
    lost_for(world, Fault.LEDGER_LOSES_ANSWERS, 0.5)
    assert (await set_weight(engine, 1)).step is Step.ADVANCE
    began = world.clock.monotonic()
    assert (await watch(engine)).step is Step.ADVANCE
    assert engine.record.phase == 1
    assert world.clock.monotonic() - began > 0.9 * a_plan().phases[1].soak_seconds


async def test_a_pause_is_heard_though_it_could_not_be_written_down_at_first() -> None:
    world = a_shop()
    going = await until(world, 5, release(world))
    await ask(ports(world), new_ask(Verb.PAUSE, "ann"))
    lost_for(world, Fault.LEDGER_READ_ONLY, 0.6)
    await world.clock.sleep(90)
    assert not going.done()
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert kept.record.paused
    assert len({one.id for one in kept.record.inbox}) == len(kept.record.inbox)
    going.cancel()


async def test_an_abort_while_promoting_is_heard_though_it_could_not_be_written_down_at_first() -> None:
    world = a_shop(ready_after=3)
    going = await promoting(world)
    assert await abort(ports(world), "ann", "bad") is Left.PROMOTING
    lost_for(world, Fault.LEDGER_READ_ONLY, 0.6)
    assert (await going).state is State.ROLLED_BACK


class Unwritten:
    """A route that may be read from here, and not written."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)

    async def write(self, mark: Mark, seen: Route) -> Route:
        raise Refused("the right to patch the route is missing")


async def test_an_abort_is_heard_though_the_route_cannot_be_written_from_here() -> None:
    """Its owner can: it must not go on while somebody else tries for ever."""
    world = a_shop()
    going = await until(world, 5, release(world))
    here: Any = Unwritten(world.router)
    closed = await abort(replace(ports(world), router=here), "ann", "bad")
    record = await going
    assert isinstance(closed, Closed)
    assert record.outcome is not None
    assert (record.state, record.outcome.why) == (State.ROLLED_BACK, "aborted by ann: bad")
    heard = [line for line in await world.ledger.lines("r1") if parse(line).kind == "ask"]
    assert len(heard) == 1


async def test_an_abort_that_reached_nobody_says_so() -> None:
    world = a_shop(ready_after=3)
    going = await promoting(world)
    lost_for(world, Fault.LEDGER_READ_ONLY, 0.3)
    with pytest.raises(PlatformError):
        await abort(ports(world), "ann", "bad")
    assert (await going).state is State.PROMOTED


async def test_an_engine_that_stood_still_puts_nothing_over_a_later_release(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_shop()
    engine = await started(world, QUICK)
    await set_weight(engine, 0)
    assert (await watch(engine)).step is Step.PROMOTE
    stands, thaws, reads = asyncio.Event(), asyncio.Event(), 0
    read = world.workload.stable

    async def frozen() -> Side:
        nonlocal reads
        reads += 1
        if reads == 2:  # its mark says `promoting`; stable is not touched yet
            stands.set()
            await thaws.wait()
        return await read()

    monkeypatch.setattr(world.workload, "stable", frozen)
    going = asyncio.create_task(promote(engine))
    await stands.wait()
    kept = await world.ledger.read()
    assert kept is not None
    await end_orphan(await take_over(ports(world), kept, "guard", "no beat"), "no beat")
    later = await release(world, replace(QUICK, version="v3"), name="r2")
    assert later.state is State.PROMOTED
    thaws.set()
    with pytest.raises(Fenced):
        await going
    assert world.stable.version == "v3"


async def test_an_abort_after_promotion_does_not_cut_the_drain() -> None:
    world = a_shop()
    going = await promoting(world)
    while world.serving.points:
        await world.clock.sleep(0.05)
    began = world.clock.monotonic()
    await ask(ports(world), new_ask(Verb.ABORT, "ann"))
    while world.canary is not None:
        await world.clock.sleep(0.05)
    assert world.clock.monotonic() - began > 1.5
    assert (await going).state is State.ROLLED_BACK


async def test_an_abort_once_the_bake_has_passed_does_not_cut_the_drain_of_what_promotion_had_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def left(engine: Engine) -> None:
        """Promotion does not get to it."""

    monkeypatch.setattr("serinus.moves.promote._retire", left)
    world = a_shop()
    engine = await started(world, QUICK)
    await set_weight(engine, 0)
    assert (await watch(engine)).step is Step.PROMOTE
    await promote(engine)
    assert (await watch(engine)).step is Step.FINISH
    began = world.clock.monotonic()
    await ask(ports(world), new_ask(Verb.ABORT, "ann"))
    await finish(engine)
    assert world.canary is None
    assert world.clock.monotonic() - began > 1.5
    assert engine.record.state is State.PROMOTED
