"""The way back to stable: said to be late where it is, and at which weight it was found."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import Fenced
from serinus.moves.summary import outcome_of
from serinus.moves.take_over import take_over
from serinus.release.evidence import parse
from serinus.release.record import Record, State
from serinus.release.weight import NOTHING, Weight
from tests.fakes import FakeWorld, Fault, a_world
from tests.moves.driver import ports, release, until
from tests.release.builders import a_plan

ALLOWED_SECONDS = a_plan().limits.rollback_seconds


def turning_bad() -> FakeWorld:
    """Bad from second 10 on, at 5 %."""
    world = a_world()
    world.incident(10, 1e9, 0.5, "v2")
    return world


async def recorded(world: FakeWorld) -> Record:
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    return kept.record


async def test_a_way_back_that_takes_too_long_is_said_to_be_late_while_it_is_tried() -> None:
    world = turning_bad()
    world.inject(Fault.ROUTER_REFUSES, 9, 40)
    going = await until(world, 35, release(world, a_plan(5, 100, soak=60)))
    during = await recorded(world)
    assert (during.late, during.ended, outcome_of(during)) == (True, False, "rollback failed")
    assert [notice.urgent for notice in world.notifier.told] == [True]
    after = await going
    assert (after.state, after.late, outcome_of(after)) == (State.ROLLED_BACK, True, "rolled back")
    assert [line.kind for line in map(parse, await world.ledger.lines("r1"))].count("late") == 1


@settings(max_examples=15, deadline=None)
@given(refused=st.floats(0.0, 30.0))
def test_late_is_what_takes_longer_than_is_allowed(refused: float) -> None:
    async def run() -> None:
        world = turning_bad()
        world.at(10.5, lambda: world.inject(Fault.ROUTER_REFUSES, 10.5, 10.5 + refused))
        record = await release(world, a_plan(5, 100, soak=60))
        assert record.outcome is not None
        took = record.outcome.verdict_to_stable_seconds
        assert took is not None
        if (
            abs(took - ALLOWED_SECONDS) > 1.1
        ):  # a try each second: the one that would say so may be the one that does it
            assert record.late == (took > ALLOWED_SECONDS)

    asyncio.run(run())


@pytest.mark.parametrize("fault", [Fault.LEDGER_DOWN, Fault.NOTIFIER_DOWN])
async def test_what_cannot_be_said_in_time_stops_no_try(fault: Fault) -> None:
    world = turning_bad()
    world.inject(Fault.ROUTER_REFUSES, 9, 30)
    world.inject(fault, 15, 29)
    record = await release(world, a_plan(5, 100, soak=60))
    back = next(write.at for write in world.routes if write.at > 10 and write.weight == NOTHING)
    assert back <= 31.1
    assert record.late, "and it is said once it can be"


async def test_who_lost_the_release_says_nothing_and_goes_on_trying() -> None:
    world = turning_bad()
    world.inject(Fault.ROUTER_REFUSES, 9, 30)
    going = await until(world, 14, release(world, a_plan(5, 100, soak=60)))
    kept = await world.ledger.read()
    assert kept is not None
    world.router.edit()  # somebody else's word; the take-over's own write of the mark waits for the router
    taking = asyncio.create_task(take_over(ports(world), kept, "guard-x", "no beat for 5 s"))
    await asyncio.wait({going, taking}, timeout=20)
    assert isinstance(going.exception(), Fenced)
    assert world.serving == NOTHING
    assert not (await recorded(world)).late
    assert (await world.router.read()).weight < Weight.of(5)
