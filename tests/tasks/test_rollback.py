"""The deployment that takes a release back says what it has begun; over a world in memory, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prefect.client.schemas.objects import State

import flows.rollback as back
from serinus import wiring
from serinus.errors import Fenced, RollbackError, SerinusError, Unavailable, Unrecorded
from serinus.moves.acquire import acquire
from serinus.moves.preflight import preflight
from serinus.ports import Ports
from serinus.release.plan import Target
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.wiring import LOCAL
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.flows.over_fakes import ports
from tests.moves.driver import carry_out, release
from tests.moves.driver import ports as driven
from tests.release.builders import a_plan

RollBack = Callable[[FakeWorld], Any]


@pytest.fixture
def rolled_back(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> RollBack:
    async def found(*_: Any) -> Target:
        return LOCAL

    async def rolled_back(world: FakeWorld) -> State[Any]:
        @asynccontextmanager
        async def opened(*_: Any, **__: Any) -> AsyncIterator[Ports]:
            yield ports(world)

        for opening in ("open_ports", "open_to_ask"):
            monkeypatch.setattr(wiring, opening, opened)
        return await back.rollback.fn("shop", "a test")

    monkeypatch.setattr(back, "located", found)
    for name in ("abort", "reopen", "until_ended", "close", "undo", "roll_back", "announce"):
        monkeypatch.setattr(back, name, getattr(back, name).fn)
    return rolled_back


async def promoted() -> FakeWorld:
    world = a_world()
    await release(world, a_plan(100, soak=3, bake=5))
    return world


async def test_a_promoted_release_is_undone(rolled_back: RollBack) -> None:
    world = await promoted()
    state = await rolled_back(world)
    assert (state.type, state.name, world.stable.version) == ("COMPLETED", "RolledBack", "v1")


@pytest.mark.parametrize(
    "error", [RollbackError("v1 does not get ready"), Unavailable("503"), Fenced("a guard has it")]
)
async def test_one_that_was_begun_and_did_not_end_is_not_told_as_untouched(
    rolled_back: RollBack, monkeypatch: pytest.MonkeyPatch, error: SerinusError
) -> None:
    async def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(back, "undo", broken)
    state = await rolled_back(await promoted())
    assert (state.type, state.name) == ("FAILED", "RollbackFailed")
    assert str(error) in (state.message or "")


async def test_what_was_taken_back_already_is_refused(rolled_back: RollBack) -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(errors=0.5)})
    await release(world, a_plan(100))
    state = await rolled_back(world)
    assert (state.type, state.name) == ("FAILED", "Refused")


async def test_no_cancel_keeps_a_release_without_a_record_from_returning_its_traffic() -> None:
    world = a_world()
    facts = await preflight(driven(world), a_plan(5, 100, soak=60))
    engine = await acquire(driven(world), a_plan(5, 100, soak=60), facts, release="r1", owner="me")
    going = asyncio.ensure_future(carry_out(engine, facts.template))
    while world.serving == NOTHING:
        await world.clock.sleep(0.1)
    world.ledger.drop()
    world.inject(Fault.ROUTER_REFUSES, world.now, world.now + 20)
    with pytest.raises(Unrecorded) as gone:
        await going
    leaving = asyncio.ensure_future(back.let_go(engine, gone.value))
    for _ in range(3):
        await world.clock.sleep(2.0)
        leaving.cancel()
    assert "the traffic is with stable" in str(await leaving)
    assert world.serving == NOTHING
