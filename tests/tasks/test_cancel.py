"""A run that is cancelled in the UI ends its own release, and no other; without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.states import Cancelled, Cancelling, Running

import flows.ownership
import tasks.cancel
from flows.ownership import own
from serinus.release.record import Record, State
from serinus.release.weight import Weight
from serinus.settings import Folders
from tasks.acquire import acquire
from tasks.cancel import Cancel, cancellable
from tasks.preflight import preflight
from tasks.show import Withdrawn, refused
from tasks.turn import turn
from tests.fakes import FakeWorld, a_world
from tests.flows.over_fakes import inside
from tests.moves.driver import release, until
from tests.release.builders import a_plan

LONG = a_plan(5, soak=1e6, duration=1e7)


class Server:
    """What the server says of the run."""

    def __init__(self) -> None:
        self.state: Any = Running()

    async def read_flow_run(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(state=self.state)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Asked at every turn of the loop, by a flow whose tasks are run without Prefect."""
    server = Server()

    @asynccontextmanager
    async def client(**_: Any) -> AsyncIterator[Server]:
        yield server

    monkeypatch.setattr(tasks.cancel, "get_client", client)
    monkeypatch.setattr(tasks.cancel, "page_run", lambda: SimpleNamespace(id=uuid4()))
    monkeypatch.setattr(tasks.cancel, "LOOK_SECONDS", 0.01)
    for name, task in (("turn", turn), ("preflight", preflight), ("acquire", acquire)):
        monkeypatch.setattr(flows.ownership, name, task.fn)
    return server


async def record_of(world: FakeWorld) -> Record:
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    return kept.record


async def seen(cancel: Cancel) -> None:
    async with asyncio.timeout(5):
        while not cancel.asked:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("state", [Cancelling(), Cancelled()])
async def test_one_that_waits_for_its_turn_ends_and_nobody_else_does(
    server: Server, folders: Folders, state: object
) -> None:
    world = a_world()
    going = await until(world, 10, release(world, LONG))
    server.state = state
    with pytest.raises(Withdrawn, match="the run was cancelled"):
        async with inside(world, folders, LONG) as run, cancellable(run):
            await own(run.plan, wait=True)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    record = await record_of(world)
    assert (record.release, record.ended, record.inbox) == ("r1", False, ())
    assert world.serving == Weight.of(5)
    going.cancel()


async def test_one_that_was_cancelled_before_it_looks_owns_nothing(server: Server, folders: Folders) -> None:
    world = a_world()
    server.state = Cancelling()

    async def cancelled_first() -> None:
        async with inside(world, folders) as run, cancellable(run) as cancel:
            await seen(cancel)
            await own(run.plan, wait=False)

    with pytest.raises(Withdrawn):
        await cancelled_first()
    assert await world.ledger.read() is None


async def test_one_that_is_cancelled_while_it_becomes_the_owner_is_aborted_by_its_name(
    server: Server, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_world()

    async def meanwhile(*given: Any) -> Any:
        server.state = Cancelling()
        await seen(cancel)
        return await acquire.fn(*given)

    monkeypatch.setattr(flows.ownership, "acquire", meanwhile)
    async with inside(world, folders) as run, cancellable(run) as cancel:
        await own(run.plan, wait=False)
        async with asyncio.timeout(5):
            while not (record := await record_of(world)).inbox:
                await asyncio.sleep(0.01)
    assert (record.release, record.state, record.aborted_by) == (run.release, State.STARTING, "the Prefect UI")


async def test_a_cancel_of_the_process_stays_one(server: Server, folders: Folders) -> None:
    world = a_world()
    other = await until(world, 10, release(world, LONG))

    async def waiting() -> None:
        async with inside(world, folders, LONG) as run, cancellable(run):
            await own(run.plan, wait=True)

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    other.cancel()


async def test_it_ends_as_a_run_that_was_cancelled_before_it_began() -> None:
    state = await refused("shop", "v2", Withdrawn("the run was cancelled before it began"))
    assert (state.type, state.name) == ("CANCELLED", "Cancelled")
