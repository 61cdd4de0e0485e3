"""Who may wait for a service waits for other releases alone; without a server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import flows.ownership
from flows.ownership import own
from serinus.errors import Busy, PreflightError
from serinus.release.record import Record, State
from serinus.settings import Folders
from tasks.acquire import acquire
from tasks.preflight import preflight
from tasks.turn import turn
from tests.fakes import Fault, Version, a_world
from tests.flows.over_fakes import inside
from tests.moves.driver import release, until
from tests.release.builders import a_plan

BAD = a_plan(5, soak=30)


@pytest.fixture(autouse=True)
def _tasks_without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, task in (("turn", turn), ("preflight", preflight), ("acquire", acquire)):
        monkeypatch.setattr(flows.ownership, name, task.fn)


async def test_another_release_is_waited_for_or_refused(folders: Folders) -> None:
    world = a_world()
    world.incident(10, 20, 0.9, "v2")
    going = await until(world, 5, release(world, BAD))
    async with inside(world, folders) as run:
        with pytest.raises(Busy, match="r1 is going"):
            await own(run.plan, wait=False)
    async with inside(world, folders) as run:
        await own(run.plan, wait=True)
        assert run.engine is not None
    assert (await going).state is State.ROLLED_BACK


async def test_another_one_that_is_faster_is_waited_for(folders: Folders) -> None:
    world = a_world()
    world.incident(0, 60, 0.9, "v2")
    faster: list[asyncio.Task[Record]] = []

    def begin(call: str) -> None:
        if call == "ledger.write" and not faster:
            faster.append(asyncio.ensure_future(release(world, BAD)))
            world.conflicts["ledger"] = 1

    world.on_call = begin
    async with inside(world, folders) as run:
        await own(run.plan, wait=True)
        assert run.engine is not None
    assert (await faster[0]).state is State.ROLLED_BACK


async def test_what_no_waiting_mends_is_refused_with_its_reason(folders: Folders) -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(errors=0.5), "v3": Version()})
    world.inject(Fault.EVIDENCE_DOWN)
    await release(world, BAD)
    async with inside(world, folders, replace(BAD, version="v3")) as run:
        async with asyncio.timeout(5):
            with pytest.raises(PreflightError, match="cannot be copied") as refused:
                await own(run.plan, wait=True)
        assert not isinstance(refused.value, Busy)
