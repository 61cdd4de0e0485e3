"""What a check counts and what it holds for, over whole releases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.analysis.reading import Arm
from serinus.analysis.threshold import Gates, QueryGate
from serinus.errors import Refused
from serinus.release.record import Record, State
from tests.fakes import Incident, Version, a_world
from tests.moves.driver import release
from tests.release.builders import a_plan


async def test_what_the_canary_served_is_counted_exactly_and_grows_no_more_once_stable_serves() -> None:
    """The rollout, in which the canary serves everything, has checks of its own; from the bake's first on nothing is the canary's."""
    world = a_world(versions={"v1": Version(), "v2": Version(errors=0.002)}, rollout_seconds=6.0)
    record = await release(world, a_plan(5, 100, soak=4, bake=12))
    baking = [seen.tally for _, seen in world.ledger.written if seen.state is State.BAKING]
    assert record.tally.canary == world.served[Arm.CANARY]
    assert {tally.canary for tally in baking} == {record.tally.canary}, (
        "the rollout's own checks have counted all of it"
    )
    assert record.tally.failed_on_canary <= world.failed[Arm.CANARY]
    assert record.tally.stable > baking[0].stable


@pytest.mark.parametrize("baking", [False, True], ids=["at 100 %", "in the bake"])
async def test_a_limit_that_is_passed_by_the_version_that_serves_all_holds_it_until_the_duration(baking: bool) -> None:
    """No limit to abort at is reached, and nothing is beside it to compare it with: a person has until then to decide."""
    world, plan = a_world(), a_plan(50, 100, soak=4, bake=30, duration=120)
    first: list[float] = []

    def suffer(call: str) -> None:
        serves = world.stable.version == "v2" if baking else bool(world.routes and world.serving.fraction == 1)
        if serves and not first:
            first.append(world.now)
            world.incidents.append(Incident(world.now, 1e9, 0.03, frozenset({"v2"})))

    world.on_call = suffer
    record = await release(world, plan)
    assert (record.state, record.outcome and record.outcome.rule) == (State.ROLLED_BACK, "duration")
    held = [seen for _, seen in world.ledger.written if "beyond-limit" in seen.held]
    assert (State.BAKING if baking else State.PHASE) in {seen.state for seen in held}
    assert held[-1].elapsed_seconds > 100


async def test_a_canary_that_is_taken_away_while_the_figures_are_read_is_the_reason_and_not_what_the_proxy_answers() -> (
    None
):
    world = a_world()
    world.slow["metrics"] = 1.2  # a scrape comes before the answer

    def take_away(call: str) -> None:
        if call == "metrics.read" and world.serving.fraction == 0.5:
            world.canary = None

    world.on_call = take_away
    record = await release(world, a_plan(50, soak=8, bake=8))
    assert world.failed[Arm.CANARY] > 0
    assert (record.state, record.outcome and record.outcome.gate) == (State.ROLLED_BACK, "pods")


async def test_a_query_of_one_name_is_asked_as_its_phase_has_it() -> None:
    world, plan = a_world(), a_plan(50, 100, soak=3, bake=3)
    first, second = QueryGate("lag", "a", maximum=5), QueryGate("lag", "b", maximum=50)
    gates = [Gates(queries=(gate,)) for gate in (first, second, second)]
    phases = tuple(replace(phase, gates=own) for phase, own in zip(plan.phases, gates, strict=False))
    plan = replace(plan, phases=phases, bake=replace(plan.bake, gates=gates[2]))
    world.metrics.queries = {plan.key(first): lambda _: (3.0,), plan.key(second): lambda _: (30.0,)}
    assert (await release(world, plan)).state is State.PROMOTED
    world.metrics.queries = {plan.key(first): lambda _: (30.0,), plan.key(second): lambda _: (3.0,)}
    world.versions["v3"] = world.versions["v2"]
    record = await release(
        world, replace(plan, version="v3", limits=replace(plan.limits, duration_seconds=60)), name="r2"
    )
    assert (record.state, record.outcome and record.outcome.gate) == (State.ROLLED_BACK, "lag")


@pytest.mark.parametrize("baking", [False, True], ids=["in a phase", "in the bake"])
async def test_metrics_that_refuse_for_a_moment_end_nothing(baking: bool) -> None:
    """As a proxy before them does while it is restarted: 403, or 404."""
    world = a_world()
    since: list[float] = []

    def refused(call: str) -> None:
        kept = world.ledger._kept()
        state = kept.record.state if kept and isinstance(kept.record, Record) else None
        if state is (State.BAKING if baking else State.PHASE) and call == "metrics.until_scrape":
            since.append(world.now)
        if since and call.startswith("metrics.") and world.now < since[0] + 3:
            raise Refused("http://prometheus refuses (403)")

    world.on_call = refused
    record = await release(world, a_plan(50, soak=8, bake=8, metrics_down=5))
    assert record.state is State.PROMOTED, record.outcome
    assert len(since) > 5
