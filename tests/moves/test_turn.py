"""Waiting for somebody else's release."""

from __future__ import annotations

import asyncio

import pytest

from serinus.errors import PreflightError, Refused
from serinus.moves.ask import abort
from serinus.moves.turn import until_ended, until_free
from serinus.release.record import State
from tests.fakes import Fault, Version, a_world
from tests.moves.driver import ports, release
from tests.release.builders import a_plan


async def test_a_service_without_any_release_is_free() -> None:
    await until_free(ports(a_world()), "shop", 0.0)


async def test_it_is_free_once_the_other_has_ended() -> None:
    world = a_world()
    going = asyncio.create_task(release(world, a_plan(5, soak=1e6, duration=1e7)))
    await world.clock.sleep(10)
    with pytest.raises(PreflightError, match="still going after 5 s"):
        await until_free(ports(world), "shop", 5.0)
    waiting = asyncio.create_task(until_free(ports(world), "shop", 600.0))
    followed = asyncio.create_task(until_ended(ports(world), "r1"))
    await world.clock.sleep(2)
    world.inject(Fault.LEDGER_DOWN, world.now, world.now + 2)
    await world.clock.sleep(3)
    await abort(ports(world), "ann")
    await waiting
    assert (await followed).state is State.ROLLED_BACK
    await going


async def test_where_another_one_has_the_record_the_evidence_says_how_it_ended() -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(errors=0.5)})
    await release(world, a_plan(100), name="r1")
    await release(world, a_plan(100), name="r2")
    ended = await until_ended(ports(world), "r1")
    assert (ended.state, "error_rate" in ended.outcome.why) == (State.ROLLED_BACK, True)


async def test_a_release_that_left_nothing_is_not_waited_for() -> None:
    world = a_world()
    await release(world, a_plan(100))
    with pytest.raises(Refused, match="another release"):
        await until_ended(ports(world), "r0")
