"""Each task makes its one move, and says in its state what came of it; without a server."""

from __future__ import annotations

import pytest
from prefect.client.schemas.objects import State

from serinus.errors import PreflightError
from serinus.release.lifecycle import Action, Step
from serinus.release.record import State as Stands
from serinus.release.weight import NOTHING, Weight
from serinus.settings import Folders
from tasks.acquire import acquire
from tasks.announce import announce
from tasks.close import close
from tasks.finish import finish
from tasks.gate import gate
from tasks.hold import watched
from tasks.moved import Moved
from tasks.preflight import preflight
from tasks.promote import promote
from tasks.retry import handed
from tasks.roll_back import roll_back
from tasks.shift import shift
from tasks.start import start
from tasks.undo import undo
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.flows.over_fakes import inside
from tests.release.builders import a_plan


async def begun() -> Moved:
    fit = await handed(preflight.fn("shop"))
    return await handed(start.fn("v2", await handed(acquire.fn("shop", fit))))


async def watched_and_gated(what: str, moved: Moved) -> tuple[State[Moved], Moved]:
    while True:
        state = await gate.fn(what, await watched.fn(what, moved))
        moved = await handed(said(state))
        if not moved.holds:
            return state, moved


async def said(state: State[Moved]) -> State[Moved]:
    return state


def a_bad_world() -> FakeWorld:
    return a_world(versions={"v1": Version(), "v2": Version(errors=0.3)})


async def test_a_good_release_task_by_task(folders: Folders) -> None:
    world = a_world()
    async with inside(world, folders, a_plan(50, 100)) as run:
        moved = await begun()
        for phase, weight in enumerate(("50 %", "100 %")):
            moved = await handed(shift.fn(weight, phase, moved))
            assert world.serving == Weight.of(float(weight[:-2]))
            state, moved = await watched_and_gated(weight, moved)
            assert (state.name, moved.weight) == ("Passed", weight)
        assert moved.promotes
        moved = await handed(promote.fn("v2", moved))
        _, moved = await watched_and_gated("bake", moved)
        assert moved.finishes
        await announce.fn(await finish.fn(moved))
        assert run.engine is not None
        assert run.engine.record.state is Stands.PROMOTED
    assert [notice.id for notice in world.notifier.told] == [f"{run.release}/end"]
    assert world.serving == NOTHING


async def test_a_breach_is_red_and_gives_the_traffic_back(folders: Folders) -> None:
    world = a_bad_world()
    async with inside(world, folders) as run:
        moved = await handed(shift.fn("5 %", 0, await begun()))
        state, moved = await watched_and_gated("5 %", moved)
        assert (state.type, state.name) == ("FAILED", "Breached")
        assert state.message == moved.why
        assert "error_rate" in moved.reason
        assert moved.reason.endswith("at 5 %")
        assert world.serving == NOTHING, "the hold itself has closed the route"
        await roll_back.fn(await close.fn(moved))
        assert run.engine is not None
        assert run.engine.record.state is Stands.ROLLED_BACK
    assert world.canary is None


async def test_a_bad_bake_puts_the_previous_version_back(folders: Folders) -> None:
    world = a_world()
    async with inside(world, folders, a_plan(100)) as run:
        _, moved = await watched_and_gated("100 %", await handed(shift.fn("100 %", 0, await begun())))
        moved = await handed(promote.fn("v2", moved))
        world.incident(world.now, world.now + 60, 0.5, "v2")
        state, moved = await watched_and_gated("bake", moved)
        assert state.name == "Breached"
        await roll_back.fn(await undo.fn("v1", moved))
        assert run.engine is not None
        assert run.engine.record.state is Stands.ROLLED_BACK
    assert world.stable.version == "v1"


async def test_an_unfit_target_is_a_state_with_every_finding(folders: Folders) -> None:
    async with inside(a_world(versions={"v1": Version()}), folders):
        state = await preflight.fn("shop")
        assert (state.type, state.name) == ("FAILED", "Unfit")
        with pytest.raises(PreflightError, match="v2"):
            await handed(said(state))


async def test_a_busy_service_is_a_state(folders: Folders) -> None:
    world = a_world()
    async with inside(world, folders):
        await begun()
    async with inside(world, folders):
        state = await acquire.fn("shop", await handed(preflight.fn("shop")))
    assert (state.type, state.name) == ("FAILED", "Busy")
    assert "is going" in (state.message or "")


async def test_a_canary_that_never_gets_ready_is_red(folders: Folders) -> None:
    world = a_world()
    world.inject(Fault.CANARY_NEVER_READY)
    async with inside(world, folders):
        state = await start.fn("v2", await handed(acquire.fn("shop", await handed(preflight.fn("shop")))))
    assert (state.type, state.name) == ("FAILED", "Ended")


async def test_a_hold_that_is_tried_again_goes_on_where_the_record_stands(folders: Folders) -> None:
    """What Prefect does with an attempt that ended in `Unavailable`: the whole task once more."""
    world = a_world()
    async with inside(world, folders, a_plan(50, soak=20.0)) as run:
        moved = await handed(shift.fn("50 %", 0, await begun()))
        first = world.now
        await watched.fn("50 %", moved)
        took = world.now - first
        assert run.engine is not None
        soaked = run.engine.record.soaked_seconds
        await watched.fn("50 %", moved)
        assert world.now - first - took <= 2.0, "the soak was not begun anew"
        assert run.engine.record.soaked_seconds >= soaked


def test_what_a_move_came_to() -> None:
    moved = Moved(Action(Step.ROLL_BACK, "error_rate 6 % > 1 %"), "25 %")
    assert moved.ends
    assert moved.reason == "error_rate 6 % > 1 % at 25 %"
    assert (moved.state().name, moved.state(bad="Breached").name) == ("Ended", "Breached")
    good = Moved(Action(Step.ADVANCE, "fine"))
    assert (good.reason, good.state(good="Passed").type, good.state().data) == ("fine", "COMPLETED", good)
