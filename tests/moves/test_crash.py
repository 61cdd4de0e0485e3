"""Killed at every step: one fresh guard alone ends the release, and no canary keeps traffic that nobody owns."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.moves.engine import Engine
from serinus.moves.soak import soak
from serinus.release.evidence import verify
from serinus.release.lifecycle import Action, Step
from serinus.release.mark import Mode
from serinus.release.record import Record, State
from serinus.release.weight import NOTHING
from tests.fakes import FakeWorld, Incident, Version, a_world
from tests.moves import driver
from tests.moves.driver import TIMING, guarded, release
from tests.release.builders import a_plan

GUARD_SECONDS = 2.0
BOUND_SECONDS = GUARD_SECONDS + TIMING.dead_seconds + GUARD_SECONDS + 1.0
"""G + D + one more look + what the writes take: A is 10 s here, and is not needed."""
WRITES = ("router.write", "router.restore", "workload.put", "workload.remove", "ledger.write", "ledger.append")


class Died(BaseException):
    """The process is gone."""


def a_shop(**canary: object) -> FakeWorld:
    return a_world(versions={"v1": Version(), "v2": Version(**canary)}, rollout_seconds=2.0)  # type: ignore[arg-type]


def dying(world: FakeWorld, *at: int) -> None:
    """The n-th call from now kills its caller, then the m-th after that, ..."""
    left = list(at)
    start = [len(world.calls)]

    def on_call(call: str) -> None:
        unserved(world, call)
        if left and len(world.calls) - start[0] >= left[0]:
            left.pop(0)
            start[0] = len(world.calls)
            raise Died(call)

    world.on_call = on_call


def unserved(world: FakeWorld, call: str) -> None:
    """Nobody takes a canary away that is still being sent requests."""
    assert not call.startswith("workload.remove") or world.serving == NOTHING, f"{call} at {world.serving}"


async def died(world: FakeWorld, **canary: object) -> float:
    """A release that is killed; when that was."""
    task = asyncio.ensure_future(release(world, a_plan(5, 100, soak=2, bake=2)))
    await asyncio.wait({task})
    error = task.exception()
    if error is not None and not isinstance(error, Died):
        raise error
    return world.clock.monotonic()


async def ended_by_guards(world: FakeWorld) -> list[str]:
    """Guards, each started anew where one dies, until nothing is left to do."""
    said: list[str] = []
    for _ in range(6):
        task = asyncio.ensure_future(guarded(world, lambda: False, seconds=60))
        await asyncio.wait({task})
        error = task.exception()
        if error is None:
            return said + task.result()
        if not isinstance(error, Died):
            raise error
    return said


async def whole(world: FakeWorld, when: float) -> None:
    """Everything a user may rely on, whatever died."""
    route, kept = await world.router.read(), await world.ledger.read()
    assert route.weight == NOTHING
    assert route.mark is None
    assert world.canary is None
    if kept is None:
        return
    record = kept.record
    assert isinstance(record, Record)
    assert record.ended
    assert world.stable.version == ("v2" if record.state is State.PROMOTED else "v1")
    assert sum(put.changed and "v2" in put.template for put in world.stable_puts) <= 1
    assert sum(put.changed and "v1" in put.template for put in world.stable_puts) <= 1
    raised = [write for write in world.routes if write.at > when and write.weight > NOTHING]
    assert all(write.mark and write.mark.mode is not Mode.OPEN for write in raised), "the guard never raises a weight"
    tokens = [write.mark.token for write in world.routes if write.mark]
    assert tokens == sorted(tokens)
    assert verify(await world.ledger.lines(record.release), record.head) == ()


def until_zero(world: FakeWorld, when: float) -> float:
    """Seconds from the death to weight 0."""
    weights = [(write.at, write.weight) for write in world.routes]
    if not weights or all(weight == NOTHING for at, weight in weights if at <= when) or weights[-1][0] <= when:
        return 0.0
    return next(at for at, weight in weights if at > when and weight == NOTHING) - when


async def calls_of(**canary: object) -> list[tuple[float, str]]:
    world = a_shop(**canary)
    await release(world, a_plan(5, 100, soak=2, bake=2))
    return list(world.calls)


@pytest.mark.parametrize("canary", [{}, {"errors": 0.4}, {"crashes_after": 3.0}], ids=["good", "errors", "crash"])
async def test_killed_at_every_write(canary: dict[str, object]) -> None:
    calls = await calls_of(**canary)
    places = [n for n, (_, call) in enumerate(calls) if call.startswith(WRITES)]
    for n in sorted({place + extra for place in places for extra in (0, 1)}):
        world = a_shop(**canary)
        dying(world, n + 1)
        when = await died(world, **canary)
        world.on_call = partial(unserved, world)
        await ended_by_guards(world)
        await whole(world, when)
        state = calls[min(n, len(calls) - 1)]
        assert until_zero(world, when) <= BOUND_SECONDS + world.rollout_seconds * 2, state


@pytest.mark.parametrize("ends_in", ["soak", "gate"])
async def test_a_bake_that_has_failed_is_undone_though_its_engine_dies_before_it_could(
    ends_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes next does not take the version that failed for one whose bake was not watched to its end."""

    async def dies(*_: object) -> None:
        raise Died

    async def blind(engine: Engine) -> Action:
        """Nothing is seen in the bake before its gate looks."""
        if engine.record.state is not State.BAKING:
            return await soak(engine)
        await engine.ports.clock.sleep(3.0)
        return Action(Step.FINISH, "")

    def failing(call: str) -> None:
        kept = world.ledger._kept()
        if not world.incidents and kept and isinstance(kept.record, Record) and kept.record.state is State.BAKING:
            world.incidents.append(Incident(world.now, 1e9, 0.4, frozenset({"v2"})))

    monkeypatch.setattr(driver, "roll_back", dies)
    if ends_in == "gate":
        monkeypatch.setattr(driver, "soak", blind)
    world = a_shop()
    world.on_call = failing
    task = asyncio.ensure_future(release(world, a_plan(100, soak=3, bake=20)))
    await asyncio.wait({task})
    assert isinstance(task.exception(), Died)
    assert world.stable.version == "v2"
    await ended_by_guards(world)
    await whole(world, world.now)
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    assert kept.record.state is State.ROLLED_BACK, kept.record.outcome
    assert kept.record.outcome is not None
    assert kept.record.outcome.gate == "error_rate", "and whoever ends it has another reason only for ending it"


@settings(max_examples=60, deadline=None)
@given(first=st.integers(1, 500), second=st.integers(1, 60), third=st.integers(1, 60))
def test_killed_anywhere_and_the_guard_too(first: int, second: int, third: int) -> None:
    async def run() -> None:
        world = a_shop()
        dying(world, first, second, third)
        when = await died(world)
        await ended_by_guards(world)
        world.on_call = partial(unserved, world)
        await whole(world, when)

    asyncio.run(run())
