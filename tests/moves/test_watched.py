"""Who has the traffic is watched also while something else is waited for, and traffic goes to nobody who is not there."""

from __future__ import annotations

import asyncio

import pytest

from serinus.errors import Missing
from serinus.moves.take_over import end_orphan, take_over
from serinus.ports import Side
from serinus.release.orphan import Conclusion
from serinus.release.record import Record, State
from serinus.release.weight import EVERYTHING, NOTHING
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.moves.driver import ports, release, until
from tests.moves.test_changed import scaled, weight_at
from tests.release.builders import a_plan

PLAN = a_plan(100, soak=4, bake=10, duration=600)


def a_shop(rollout_seconds: float = 3.0) -> FakeWorld:
    return a_world(versions={"v1": Version(), "v2": Version()}, rollout_seconds=rollout_seconds)


def begun(world: FakeWorld, state: State) -> float:
    """Seconds since the release began at which the record said this first."""
    return next(record.elapsed_seconds for _, record in world.ledger.written if record.state is state)


async def test_a_version_that_fails_while_stable_is_given_it_is_taken_back_before_the_rollout_ends() -> None:
    world = a_shop(rollout_seconds=60.0)
    world.incident(9.0, 100.0, 0.4, "v2")
    record = await release(world, PLAN)
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert record.outcome.gate == "error_rate"
    assert begun(world, State.PROMOTING) < 9.0 < begun(world, State.UNDOING) < 12.0
    assert weight_at(world, 9.0) == EVERYTHING
    assert weight_at(world, 12.5) == NOTHING
    assert world.stable.version == "v1"


async def test_what_only_holds_a_phase_does_not_end_a_promotion() -> None:
    """Figures that are away: in a phase they may be for so long, and stable is given the new version all the same."""
    world = a_shop(rollout_seconds=90.0)
    away = PLAN.limits.metrics_down_seconds + 20
    world.inject(Fault.METRICS_DOWN, at=9.0, until=9.0 + away)
    record = await release(world, PLAN)
    assert begun(world, State.PROMOTING) < 9.0 < 9.0 + away < begun(world, State.BAKING)
    assert record.state is State.PROMOTED, record.outcome


async def test_a_version_that_fails_once_stable_serves_it_is_undone_while_the_canary_drains() -> None:
    world = a_shop()

    canary_there: list[bool] = []

    def look(call: str) -> None:
        state = world.ledger.written[-1][1].state if world.ledger.written else None
        if state is State.BAKING and not world.incidents:
            world.incident(world.now, world.now + 60.0, 0.4, "v2")
        if state is State.UNDOING and not canary_there:
            canary_there.append(world.canary is not None)

    world.on_call = look
    record = await release(world, PLAN)
    assert record.state is State.ROLLED_BACK
    assert canary_there == [True]
    assert begun(world, State.UNDOING) - begun(world, State.BAKING) < 2.5


@pytest.mark.parametrize("weight", [50, 100])
async def test_a_stable_that_is_scaled_to_nothing_gets_no_traffic_and_a_person_is_called(weight: int) -> None:
    world = a_shop()
    world.at(3.0, lambda: scaled(world, 0))
    going = await until(world, 15.0, release(world, a_plan(weight, 100, soak=4, duration=600)))
    assert weight_at(world, 15.0).percent == weight
    [paged] = [notice.text for notice in world.notifier.told if notice.urgent]
    assert "stable was scaled to 0 by somebody" in paged
    scaled(world, 3)
    record = await going
    assert record.state is State.PROMOTED, record.outcome


async def gone() -> Side:
    raise Missing("deployments.apps shop is not there")


async def test_a_stable_that_is_deleted_gets_no_traffic_and_whoever_takes_over_calls_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = a_shop()
    world.at(3.0, lambda: monkeypatch.setattr(world.workload, "stable", gone))
    going: asyncio.Task[Record] = await until(world, 15.0, release(world, PLAN))
    assert weight_at(world, 15.0) == EVERYTHING
    [paged] = [notice.text for notice in world.notifier.told if notice.urgent]
    assert "stable was deleted by somebody" in paged
    going.cancel()
    await asyncio.wait({going})
    kept = await world.ledger.read()
    assert kept is not None
    assert await end_orphan(await take_over(ports(world), kept, "guard", "no beat"), "no beat") is Conclusion.PAGE
    assert weight_at(world, world.now) == EVERYTHING


@pytest.mark.parametrize(("errors", "concluded"), [(0.0, State.PROMOTED), (0.4, State.ROLLED_BACK)])
async def test_a_bake_that_nobody_watched_is_looked_at_before_it_is_called_passed(
    errors: float, concluded: State
) -> None:
    world = a_shop()
    going = await until(world, 15.0, release(world, a_plan(100, soak=4, bake=60, duration=600)))
    assert world.ledger.written[-1][1].state is State.BAKING
    assert world.canary is None
    going.cancel()
    await asyncio.wait({going})
    world.incident(world.now, world.now + 60.0, errors, "v2")
    await world.clock.sleep(25.0)
    kept = await world.ledger.read()
    assert kept is not None
    engine = await take_over(ports(world), kept, "guard", "no beat")
    await end_orphan(engine, "no beat")
    assert engine.record.state is concluded, engine.record.outcome
    assert world.stable.version == ("v1" if errors else "v2")
