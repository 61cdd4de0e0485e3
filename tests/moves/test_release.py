"""Whole releases over the moves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from serinus.analysis.reading import Arm
from serinus.analysis.verdict import Outcome
from serinus.errors import Fenced, PreflightError, Refused, Unavailable
from serinus.moves.acquire import acquire
from serinus.moves.ask import abort, ask, new_ask
from serinus.moves.engine import Closed
from serinus.moves.preflight import preflight
from serinus.moves.summary import summary
from serinus.moves.take_over import end_orphan, take_over
from serinus.release.evidence import verify
from serinus.release.record import Record, State, Verb
from serinus.release.weight import NOTHING, Weight
from tests.fakes import FakeWorld, Fault, Incident, Version, a_world
from tests.moves.driver import TIMING, a_guard, carry_out, guarded, ports, release, until
from tests.release.builders import a_plan

GOOD = Version(errors=0.0005)


def a_shop(canary: Version = GOOD, seed: int | None = None) -> FakeWorld:
    return a_world(versions={"v1": GOOD, "v2": canary}, seed=seed)


async def whole_evidence(world: FakeWorld, record: Record) -> None:
    lines = await world.ledger.lines(record.release)
    assert verify(lines, record.head) == ()
    assert record.head.n == len(lines)


async def test_a_good_version_is_promoted() -> None:
    world = a_shop()
    record = await release(world)
    assert record.state is State.PROMOTED, record.outcome
    assert record.ended
    assert world.stable.version == "v2"
    assert world.canary is None
    route = await world.router.read()
    assert (route.weight, route.mark) == (NOTHING, None)
    assert [percent for _, percent in record.tally.weights] == [5, 10, 25, 50, 100, 0]
    assert record.elapsed_seconds < 1.2 * 6 * 8
    await whole_evidence(world, record)
    told = summary(record, "x.log")
    assert told["outcome"] == "promoted"
    assert told["requests"]["canary"] > 0


@pytest.mark.parametrize("seed", range(5))
async def test_thirty_percent_errors_are_taken_back_within_seconds(seed: int) -> None:
    world = a_shop(Version(errors=0.3), seed=seed)
    record = await release(world)
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert record.outcome.gate in ("error_rate", "no errors")
    assert world.stable.version == "v1"
    assert [percent for _, percent in record.tally.weights] == [5, 0]
    assert world.failed[Arm.CANARY] <= 20
    await whole_evidence(world, record)


async def test_a_dead_version_is_taken_back() -> None:
    world = a_shop(Version(dead=True))
    record = await release(world)
    assert record.state is State.ROLLED_BACK
    assert world.failed[Arm.CANARY] <= 20


async def test_an_incident_of_both_does_not_take_it_back() -> None:
    world = a_shop(seed=1)
    world.incident(15, 30, 0.08)
    record = await release(world)
    assert record.state is State.PROMOTED, record.outcome


async def test_a_version_that_never_gets_ready_gets_no_traffic() -> None:
    world = a_shop(Version(ready_after=float("inf")))
    record = await release(world)
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert "not ready" in record.outcome.why
    assert world.served[Arm.CANARY] == 0


async def test_a_crash_takes_it_back() -> None:
    world = a_shop(Version(crashes_after=12))
    record = await release(world)
    assert record.outcome is not None
    assert (record.state, record.outcome.gate) == (State.ROLLED_BACK, "pods")


async def test_what_turns_bad_in_the_bake_is_undone() -> None:
    world = a_shop(Version(bad_after=44, bad_errors=0.4))
    world.versions["v2"] = Version(bad_after=6, bad_errors=0.4)
    record = await release(world, a_plan(100, soak=3, bake=20))
    assert record.state is State.ROLLED_BACK, record.outcome
    assert world.stable.version == "v1"


async def test_an_unknown_version_is_refused_and_nothing_touched() -> None:
    world = a_shop()
    world.versions.pop("v2")
    with pytest.raises(PreflightError, match="v2"):
        await release(world)
    assert world.routes == []
    assert await world.ledger.read() is None


@pytest.mark.parametrize("fault", [Fault.ROUTER_DOWN, Fault.WORKLOAD_DOWN, Fault.METRICS_DOWN])
async def test_a_platform_that_is_slow_at_the_start_is_asked_again(fault: Fault) -> None:
    world = a_shop()
    world.inject(fault, until=1.5)
    assert (await release(world)).state is State.PROMOTED
    down = a_shop()
    down.inject(fault)
    with pytest.raises(PreflightError, match=str(fault)):
        await release(down)


async def test_a_second_release_is_refused_or_waits() -> None:
    world = a_shop()
    first = await until(world, 5, release(world))
    with pytest.raises(PreflightError, match="r1 is going"):
        await release(world, name="r2")
    world.versions["v3"] = GOOD
    second = release(world, a_plan(), name="r3", wait_seconds=200)
    with pytest.raises(PreflightError, match=r"already runs|changed"):
        await second  # it waited; the first one had changed stable meanwhile
    assert (await first).state is State.PROMOTED


async def test_an_abort_by_a_person_returns_the_traffic_at_once() -> None:
    world = a_shop()
    going = await until(world, 12, release(world))
    closed = await abort(ports(world), "ann", "looks odd")
    assert isinstance(closed, Closed)
    assert (await world.router.read()).weight == NOTHING
    record = await going
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert "aborted by ann: looks odd" in record.outcome.why
    await whole_evidence(world, record)


async def test_pause_and_resume() -> None:
    world = a_shop()
    going = await until(world, 5, release(world))
    await ask(ports(world), new_ask(Verb.PAUSE, "ann"))
    while world.clock.monotonic() < 60:
        await world.clock.sleep(1)
    assert (await world.router.read()).weight == Weight.of(5)
    await ask(ports(world), new_ask(Verb.RESUME, "ann"))
    assert (await going).state is State.PROMOTED


async def test_promote_ends_the_phases() -> None:
    world = a_shop()
    going = await until(world, 5, release(world))
    await ask(ports(world), new_ask(Verb.PROMOTE, "ann", "urgent fix"))
    record = await going
    assert record.state is State.PROMOTED
    assert record.elapsed_seconds < 35


async def test_drift_of_the_weight_ends_the_release() -> None:
    world = a_shop()
    going = await until(world, 12, release(world))
    world.router.edit(weight=Weight.of(80))
    record = await going
    assert record.outcome is not None
    assert (record.state, record.outcome.rule) == (State.ROLLED_BACK, "drift")
    assert (await world.router.read()).weight == NOTHING


@pytest.mark.parametrize("fault", [Fault.METRICS_DOWN, Fault.TARGET_DOWN])
async def test_figures_that_stay_away_end_it_with_their_reason(fault: Fault) -> None:
    world = a_shop()
    world.inject(fault, at=12)
    record = await release(world)
    assert record.state is State.ROLLED_BACK
    assert record.outcome is not None
    assert record.outcome.rule in ("metrics-down", "stale")


async def test_figures_that_come_back_in_time_do_not() -> None:
    world = a_shop()
    world.inject(Fault.METRICS_DOWN, at=12, until=15)
    assert (await release(world)).state is State.PROMOTED


async def test_a_record_that_cannot_be_written_gives_the_traffic_back() -> None:
    world = a_shop()
    world.inject(Fault.LEDGER_DOWN, at=12, until=40)
    going = await until(world, 25, release(world))
    assert (await world.router.read()).weight == NOTHING
    await guarded(world, going.done)


async def test_evidence_that_cannot_be_copied_stays_in_the_record() -> None:
    world = a_shop()
    world.inject(Fault.EVIDENCE_DOWN, at=0, until=30)
    record = await release(world)
    assert record.state is State.PROMOTED
    await whole_evidence(world, record)


async def test_a_paused_engine_is_fenced_at_its_first_write() -> None:
    world = a_shop()
    going = await until(world, 12, release(world))
    guard = a_guard(world)
    kept = await world.ledger.read()
    assert kept is not None
    taken = await take_over(ports(world), kept, "guard-x", "no beat for 5 s")
    await end_orphan(taken, "no beat for 5 s")
    writes = len(world.routes)
    with pytest.raises(Fenced):
        await going
    assert len(world.routes) == writes
    assert taken.record.state is State.ROLLED_BACK
    assert await guard.look() == []


async def test_stable_is_left_to_its_autoscaler_once_the_bake_has_passed() -> None:
    """It goes by the load of some minutes ago, when the canary had it."""
    world = a_shop()
    await release(world, a_plan(5, 100, soak=2, bake=8))
    calls = [call for _, call in world.calls]
    assert "metrics.read" in calls[calls.index("workload.remove_canary") : calls.index("workload.free_stable")]
    assert calls.index("router.restore") < calls.index("workload.free_stable")


async def test_a_minimum_that_cannot_be_given_back_undoes_no_good_release() -> None:
    world = a_shop()

    def refused(call: str) -> None:
        if call == "workload.free_stable":
            raise Refused("the right to patch horizontalpodautoscalers is missing")

    world.on_call = refused
    record = await release(world)
    assert record.state is State.PROMOTED, record.outcome
    (notice,) = world.notifier.told
    assert notice.text.startswith("the autoscaler of shop keeps the minimum that r1 gave it: the right to patch")


@pytest.mark.parametrize("call", ["router.restore", "workload.canary"])
async def test_a_right_that_is_lost_once_the_bake_has_passed_undoes_nothing(call: str) -> None:
    """What is left of the release the guard takes away, when it may."""
    world = a_shop()
    lost = [True]

    def refused(called: str) -> None:
        kept = world.ledger._kept()
        record = kept.record if kept else None
        passed = isinstance(record, Record) and record.state is State.BAKING and record.soaked_seconds >= 8
        if passed and called == call and lost:
            raise Refused("a right is missing")

    world.on_call = refused
    record = await release(world)
    assert record.state is State.PROMOTED, record.outcome
    assert [notice.text.partition(",")[0] for notice in world.notifier.told] == ["r1 is promoted"]
    lost.clear()
    await a_guard(world).look()
    assert ((await world.router.read()).mark, world.canary) == (None, None)


async def test_what_a_person_promoted_is_not_said_to_have_passed() -> None:
    world = a_shop()
    going = await until(world, 5, release(world))
    await ask(ports(world), replace(new_ask(Verb.PROMOTE, "ann", "in a hurry"), despite_gate=True))
    record = await going
    assert record.outcome is not None
    assert record.outcome.why == (
        "v2 serves everything; promoted by ann (in a hurry) in phase 1 of 5, and the bake passed"
    )


async def test_what_is_asked_after_the_phases_is_no_promotion_by_a_person() -> None:
    world = a_shop()
    going = await until(world, 25, release(world, a_plan(100, soak=3, bake=60)))
    assert world.stable.version == "v2"
    await ask(ports(world), replace(new_ask(Verb.PROMOTE, "ann", "in a hurry"), despite_gate=True))
    record = await going
    assert record.outcome is not None
    assert record.outcome.why == "v2 serves everything; 1 phase and the bake passed"


async def test_a_bake_that_failed_stays_so_where_the_record_cannot_be_written_for_long() -> None:
    world = a_world(versions={"v1": GOOD, "v2": Version()}, rollout_seconds=2.0)
    plan = a_plan(100, soak=3, bake=20)
    facts = await preflight(ports(world), plan)
    engine = await acquire(ports(world), plan, facts, release="r1", owner="me")

    def failing(call: str) -> None:
        if engine.record.state is State.BAKING and not world.incidents:
            world.incidents.append(Incident(world.now, world.now + 4, 0.4, frozenset({"v2"})))
        if engine.verdict and engine.verdict.outcome is Outcome.ABORT:
            since.append(world.now)
            if call == "ledger.write" and world.now < since[0] + 11:
                raise Unavailable("no answer")

    since: list[float] = []
    world.on_call = failing
    await carry_out(engine, facts.template)
    assert since
    assert engine.record.state is State.ROLLED_BACK, engine.record.outcome


async def test_figures_of_the_past_may_take_longer_than_an_owner_may_be_silent() -> None:
    world = a_shop()

    async def late() -> None:
        await world.clock.sleep(4 * TIMING.dead_seconds)

    world.metrics.history = late  # type: ignore[method-assign]
    plan = a_plan()
    going = asyncio.ensure_future(release(world, replace(plan, checks=replace(plan.checks, burst=None))))
    said = await guarded(world, going.done, seconds=300)
    record = await going
    assert record.state is State.PROMOTED, record.outcome
    assert (record.token, said) == (1, [])


async def test_a_router_that_answers_slowly_and_takes_up_late_does_not_silence_its_owner() -> None:
    world = a_shop()
    world.route_lag = 8.0
    world.slow["router"] = 0.5
    going = asyncio.ensure_future(release(world, a_plan(50, 100, soak=3, bake=3)))
    said = await guarded(world, going.done, seconds=300)
    record = await going
    assert (record.token, said) == (1, []), record.outcome
