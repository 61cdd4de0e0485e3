"""How a release is watched: time goes on for whoever watches, also where nothing is written any more."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from serinus.cli.follow import Pace, moments
from serinus.moves.acquire import acquire
from serinus.moves.preflight import preflight
from tests.fakes import a_world
from tests.moves.driver import ports
from tests.release.builders import a_plan


async def test_time_goes_on_where_the_engine_writes_nothing_any_more() -> None:
    world = a_world()
    there, plan = ports(world), a_plan()
    await acquire(there, plan, await preflight(there, plan), release="r1", owner="engine-1")
    seen = []
    async for moment in moments(there, pace=Pace(0.002)):
        seen.append(moment)
        if len(seen) == 4:
            break
    assert {moment.release for moment in seen} == {"r1"}
    assert all(before.elapsed_seconds < after.elapsed_seconds for before, after in pairwise(seen))


async def test_it_ends_where_the_record_is_removed() -> None:
    world = a_world()
    there, plan = ports(world), a_plan()
    await acquire(there, plan, await preflight(there, plan), release="r1", owner="engine-1")
    seen = 0
    async with asyncio.timeout(5):
        async for _ in moments(there, pace=Pace(0.002)):
            seen += 1
            world.ledger.drop()
    assert seen == 1
