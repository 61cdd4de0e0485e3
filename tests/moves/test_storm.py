"""A storm of wrong answers costs no release that is good, and keeps none alive that cannot get on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.analysis.reading import Arm
from serinus.errors import Unavailable
from serinus.moves.acquire import acquire
from serinus.moves.ask import Left, abort, ask, new_ask
from serinus.moves.engine import Engine, Timing
from serinus.moves.finish import finish
from serinus.moves.hold import hold, tick
from serinus.moves.patience import TIMES
from serinus.moves.preflight import preflight
from serinus.moves.promote import promote
from serinus.moves.roll_back import roll_back
from serinus.moves.set_weight import set_weight
from serinus.moves.start import start
from serinus.moves.take_over import reopen, take_over
from serinus.moves.undo import undo
from serinus.release.evidence import parse, verify
from serinus.release.lifecycle import Action, Step
from serinus.release.plan import Plan
from serinus.release.record import Record, State, Verb, to_json
from serinus.release.weight import EVERYTHING, NOTHING
from tests.fakes import FakeWorld, Fault, Version, a_world
from tests.moves.driver import TIMING, carry_out, ports, release, watch
from tests.moves.weather import Storm, Way, through
from tests.release.builders import a_plan

QUICK = a_plan(5, 100, soak=2, bake=2)
PATIENT = Timing(beat_seconds=2.5, dead_seconds=25.0)
"""D as it is where an API server keeps the record."""


async def whole(world: FakeWorld, record: Record) -> None:
    """Nothing of the release is left, its evidence is, and its record was ended once and for all."""
    route, kept = await world.router.read(), await world.ledger.read()
    assert (route.weight, route.mark, world.canary) == (NOTHING, None, None)
    assert kept is not None
    assert kept.record.ended
    lines = await world.ledger.lines(record.release)
    held = kept.record.lines if isinstance(kept.record, Record) else ()
    every = (*lines, *(line.text for line in held if line.n > len(lines)))
    assert verify(every, record.head) == ()
    assert [parse(line).kind for line in every].count("end") == 1
    ends = [written.ended for _, written in world.ledger.written if written.release == record.release]
    assert ends == sorted(ends), "nothing is written over an end"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), ways=st.sampled_from([tuple(Way), *((way,) for way in Way)]))
def test_a_good_release_is_promoted_whatever_every_third_answer_is(seed: int, ways: Sequence[Way]) -> None:
    async def run() -> None:
        world = a_world(rollout_seconds=2.0)
        storm = Storm(world.clock, seed, ways)
        seen = through(world, storm)
        facts = await preflight(seen, QUICK)
        engine = await acquire(seen, QUICK, facts, release="r1", owner="engine", timing=PATIENT)
        await carry_out(engine, facts.template)
        assert storm.wrong > 10
        assert engine.record.state is State.PROMOTED, engine.record.outcome
        assert world.stable.version == "v2"
        assert sum(put.changed for put in world.stable_puts) == 1
        assert not world.failed[Arm.CANARY] + world.failed[Arm.STABLE]
        await whole(world, engine.record)

    asyncio.run(run())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), bake=st.booleans())
def test_a_bad_one_is_taken_back_all_the_same(seed: int, bake: bool) -> None:
    async def run() -> None:
        world = a_world(
            versions={"v1": Version(), "v2": Version() if bake else Version(errors=0.4)}, rollout_seconds=2.0
        )
        seen = through(world, Storm(world.clock, seed))
        facts = await preflight(seen, QUICK)
        engine = await acquire(seen, QUICK, facts, release="r1", owner="engine", timing=PATIENT)
        if bake:  # good until it is stable
            world.on_call = lambda _: turn_bad(world)
        await carry_out(engine, facts.template)
        assert engine.record.state is State.ROLLED_BACK
        assert world.stable.version == "v1"
        await whole(world, engine.record)

    asyncio.run(run())


def turn_bad(world: FakeWorld) -> None:
    if world.stable.version == "v2" and not world.stable.replacing:
        world.versions["v2"] = Version(errors=0.5)


async def started(world: FakeWorld, plan: Plan = QUICK) -> Engine:
    facts = await preflight(ports(world), plan)
    engine = await acquire(ports(world), plan, facts, release="r1", owner="engine")
    assert (await start(engine, facts.template)).step is Step.ADVANCE
    return engine


async def passed(world: FakeWorld) -> Engine:
    """About to be promoted."""
    engine = await started(world, a_plan(100, soak=2, bake=2))
    await set_weight(engine, 0)
    assert (await watch(engine)).step is Step.PROMOTE
    return engine


def never(world: FakeWorld, *calls: str, why: str = "the webhook answers 500") -> None:
    """These calls have no success from now on."""

    def wrong(called: str) -> None:
        if called in calls:
            raise Unavailable(why)

    world.on_call = wrong


async def until_called(world: FakeWorld, call: str) -> None:
    while not any(called == call for _, called in world.calls):
        await world.clock.sleep(0.05)


@pytest.mark.parametrize("call", ["workload.put_canary", "workload.stable", "workload.canary"])
async def test_one_call_that_never_succeeds_ends_the_release_in_time(call: str) -> None:
    world = a_world()
    engine = await started(world)
    await set_weight(engine, 0)
    never(world, call)
    began = world.clock.monotonic()
    action = await set_weight(engine, 1)
    lasted = world.clock.monotonic() - began
    assert (action.step, action.rule, world.serving) == (Step.ROLL_BACK, "silent", NOTHING)
    assert "the webhook answers 500" in action.why
    assert TIMES * TIMING.dead_seconds <= lasted < TIMES * TIMING.dead_seconds + 3


async def test_a_template_that_is_never_taken_ends_the_promotion_in_time() -> None:
    world = a_world()
    engine = await passed(world)
    never(world, "workload.put_stable")
    began = world.clock.monotonic()
    action = await promote(engine)
    assert action.step is Step.ROLL_BACK
    assert world.clock.monotonic() - began < TIMES * TIMING.dead_seconds + 3
    never(world)
    await roll_back(engine, action)
    assert (engine.record.state, world.stable.version) == (State.ROLLED_BACK, "v1")


async def test_silence_ends_it_after_d() -> None:
    world = a_world()
    engine = await started(world)
    await set_weight(engine, 0)
    never(world, "ledger.read", "ledger.write", "workload.put_canary")
    began = world.clock.monotonic()
    action = await set_weight(engine, 1)
    assert (action.gate, action.rule, world.serving) == ("record", "silent", NOTHING)
    assert world.clock.monotonic() - began < TIMING.dead_seconds + 3


async def test_a_step_that_gets_done_is_headway() -> None:
    """Each of them is answered only after most of what one is waited for: together they take longer than any may."""
    world = a_world()
    engine = await passed(world)
    late = 0.8 * TIMES * TIMING.dead_seconds
    asked: dict[str, float] = {}

    def slowly(called: str) -> None:
        if called in ("router.write", "workload.put_stable", "workload.remove_canary"):
            first = asked.setdefault(called, world.now)
            if world.now - first < late:
                raise Unavailable("429")

    world.on_call = slowly
    began = world.clock.monotonic()
    assert (await promote(engine)).step is Step.ADVANCE
    assert world.clock.monotonic() - began > TIMES * TIMING.dead_seconds


async def test_an_abort_is_heard_while_a_promotion_waits() -> None:
    world = a_world()
    engine = await passed(world)
    never(world, "workload.put_stable")
    going = asyncio.ensure_future(promote(engine))
    await until_called(world, "workload.put_stable")
    asked = world.clock.monotonic()
    assert await abort(ports(world), "ann", "no") is Left.PROMOTING
    action = await going
    assert (action.gate, action.rule) == ("person", "abort")
    assert world.clock.monotonic() - asked < 2
    never(world)
    await roll_back(engine, action)
    assert (engine.record.state, world.stable.version) == (State.ROLLED_BACK, "v1")


async def test_a_promotion_that_is_begun_while_the_record_is_silent_gives_the_traffic_back() -> None:
    world = a_world()
    engine = await passed(world)
    never(world, "ledger.read", "ledger.write")
    assert (await promote(engine)).rule == "silent"
    assert world.serving == NOTHING


@pytest.mark.parametrize("way", list(Way))
async def test_what_is_waited_for_is_not_late_before_it_was_answered(way: Way) -> None:
    world = a_world()
    engine = await started(world)
    storm = Storm(world.clock, 1, (way,), read=1.0)
    there = ports(world).workload.canary

    async def done() -> bool:
        until = 3.0
        storm.read = 1.0 if world.clock.monotonic() < began + until else 0.0
        return await storm.call("workload.canary", there) is not None

    began = world.clock.monotonic()
    assert await hold(engine, done, seconds=1.0, waiting_for="an answer") is None
    storm.read, began = 1.0, world.clock.monotonic() + 1e6
    ended = await hold(engine, done, seconds=1.0, waiting_for="an answer")
    assert ended is not None
    assert ended.rule == "overdue"


async def test_traffic_does_not_go_back_to_a_stable_that_cannot_serve_though_the_record_is_silent() -> None:
    world = a_world(rollout_seconds=4 * TIMING.dead_seconds)
    engine = await passed(world)
    assert (await promote(engine)).step is Step.ADVANCE
    taken_up = len(world.routes)
    action = Action(Step.ROLL_BACK, "bad", "person", "abort")
    going = asyncio.ensure_future(undo(engine, action))
    await until_put_back(world)
    never(world, "ledger.read", "ledger.write")
    await world.clock.sleep(2 * TIMING.dead_seconds)
    assert not going.done()
    assert len(world.routes) == taken_up
    never(world)
    await going
    assert world.stable.version == "v1"
    assert not world.failed[Arm.STABLE]


async def test_traffic_goes_back_to_a_stable_that_was_never_touched_though_it_cannot_be_written() -> None:
    world = a_world()
    engine = await passed(world)
    never(world, "workload.put_stable")
    action = await promote(engine)
    assert (action.step, world.serving) == (Step.ROLL_BACK, EVERYTHING)
    with pytest.raises(Unavailable, match="the webhook answers 500"):
        await undo(engine, action)
    # Not ended: who may write stable again notes that it is undone.
    assert (world.serving, world.stable.version, engine.record.state) == (NOTHING, "v1", State.UNDOING)
    never(world)
    await roll_back(engine, action)
    assert (world.stable.version, engine.record.state) == ("v1", State.ROLLED_BACK)


async def test_traffic_stays_where_it_is_while_stable_with_the_new_version_cannot_be_written() -> None:
    world = a_world()
    engine = await passed(world)
    assert (await promote(engine)).step is Step.ADVANCE
    served = world.serving
    never(world, "workload.put_stable")
    with pytest.raises(Unavailable):
        await undo(engine, Action(Step.ROLL_BACK, "bad", "person", "abort"))
    assert (world.serving, world.stable.version) == (served, "v2")


@pytest.mark.parametrize("lost", [False, True])
async def test_a_canary_serves_until_its_router_has_taken_up_that_it_is_not_to(lost: bool) -> None:
    """A mark that stands there is no traffic returned: the canary would be taken away under it."""
    world = a_world()
    engine = await passed(world)
    never(world, "workload.put_stable")
    action = await promote(engine)
    never(world)
    world.route_lag = TIMING.drain_at_most_seconds + 4.0
    if lost:
        world.inject(Fault.ROUTER_LOSES_ANSWERS, until=world.now + 1.0)
    await roll_back(engine, action)
    assert (engine.record.state, world.serving, world.stable.version) == (State.ROLLED_BACK, NOTHING, "v1")
    assert engine.record.tally.weights[-1][1] == 0.0
    assert not world.failed[Arm.CANARY] + world.failed[Arm.STABLE]


async def test_a_person_is_paged_once_where_the_router_does_not_take_up_that_a_promotion_is_undone() -> None:
    world = a_world()
    engine = await passed(world)
    never(world, "workload.put_stable")
    action = await promote(engine)
    never(world)
    world.inject(Fault.ROUTER_CUT_OFF, until=world.now + 100)
    for _ in range(2):
        with pytest.raises(Unavailable, match="has not taken that up"):
            await roll_back(engine, action)
    assert (world.serving, world.canary is not None, engine.record.late) == (EVERYTHING, True, True)
    assert ["may still be served by the canary" in told.text for told in world.notifier.told if told.urgent] == [True]


async def until_put_back(world: FakeWorld) -> None:
    while world.stable.version != "v1":
        await world.clock.sleep(0.05)


# The record's own writes


def beats(world: FakeWorld) -> list[int]:
    return [record.beat for _, record in world.ledger.written]


async def test_two_lost_writes_in_a_row_are_ours_and_the_third_says_most() -> None:
    world = a_world()
    engine = await started(world)
    never(world, "ledger.read")
    world.inject(Fault.LEDGER_LOSES_ANSWERS, until=world.now + 0.1)
    with pytest.raises(Unavailable):  # it lands
        await engine.write(replace(engine.record, phase=0))
    never(world)
    left = iter([True])

    def once(called: str) -> None:  # what was written before is read, what is written then is not
        if called == "ledger.read" and not next(left, False):
            raise Unavailable("429")

    world.on_call = once
    with pytest.raises(Unavailable):  # it lands too, over that
        await engine.write(replace(engine.record, phase=1))
    assert len(set(beats(world)[-2:])) == 2
    never(world)
    await world.clock.sleep(0.2)
    written = await engine.write(engine.say("state", replace(engine.record, phase=1), state="here"))
    kept = await world.ledger.read()
    assert kept is not None
    assert kept.record == written
    assert beats(world) == sorted(set(beats(world)))


async def test_a_lost_answer_costs_no_beat_and_one_read() -> None:
    world = a_world()
    engine = await started(world)
    world.inject(Fault.LEDGER_LOSES_ANSWERS, until=world.now + 0.1)
    beat, calls = engine.record.beat, len(world.calls)
    await engine.write(engine.record)
    assert engine.record.beat == beat + 1
    assert [call for _, call in world.calls[calls:]] == ["ledger.write", "ledger.read"]


async def test_what_was_asked_is_not_written_over_by_the_beat_after_a_write_that_failed() -> None:
    world = a_world()
    engine = await started(world)
    await ask(ports(world), new_ask(Verb.PAUSE, "ann"))
    never(world, "ledger.write")
    with pytest.raises(Unavailable):
        await engine.listen()
    never(world)
    await engine.write(engine.record)  # a beat, before it is heard again
    await world.clock.sleep(TIMING.beat_seconds)
    await tick(engine)
    assert engine.record.paused


async def test_nothing_is_written_over_an_end_that_was_not_answered() -> None:
    world = a_world()
    engine = await passed(world)
    assert (await promote(engine)).step is Step.ADVANCE
    assert (await watch(engine)).step is Step.FINISH

    def lost(called: str) -> None:
        if called == "ledger.read" and world.ledger.written[-1][1].ended and world.now < ends + 4:
            raise Unavailable("429")

    ends = world.now + 30
    world.inject(Fault.LEDGER_LOSES_ANSWERS, at=world.now)
    world.on_call = lost
    going = asyncio.ensure_future(finish(engine))
    while not world.ledger.written[-1][1].ended:
        await world.clock.sleep(0.01)
    ends = world.now
    await world.clock.sleep(4)
    world.faults.clear()
    await going
    assert engine.record.state is State.PROMOTED
    await whole(world, engine.record)


class Cut:
    """`ports.Ledger` whose last answer is lost with the end of a release, and every one after it until it is mended."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.cut = False

    def __getattr__(self, method: str) -> Any:
        there = getattr(self._ledger, method)

        async def called(*given: Any, **named: Any) -> Any:
            if self.cut:
                raise Unavailable("429")
            answer = await there(*given, **named)
            if method == "write" and given[0].ended:
                self.cut = True
                raise Unavailable("429")
            return answer

        return called


async def test_a_release_whose_end_was_not_answered_has_ended_though_the_next_one_has_begun() -> None:
    world = a_world(versions={version: Version() for version in ("v1", "v2", "v3")})
    ledger: Any = Cut(world.ledger)
    first = asyncio.ensure_future(release(world, QUICK, through=replace(ports(world), ledger=ledger)))
    while not ledger.cut:
        await world.clock.sleep(0.05)
    plan = a_plan(100, soak=600)
    engine = await begun(world, replace(plan, version="v3"))
    ledger.cut = False
    assert (await first).state is State.PROMOTED
    kept = await world.ledger.read()
    assert kept is not None
    assert kept.record.release == engine.release


async def begun(world: FakeWorld, plan: Plan) -> Engine:
    facts = await preflight(ports(world), plan)
    return await acquire(ports(world), plan, facts, release="r2", owner="the next one")


# Another owner's


@pytest.mark.parametrize("heard", [True, False], ids=["it is read back", "it is asked again"])
async def test_a_rollback_that_was_begun_and_not_answered_goes_on(heard: bool) -> None:
    world = a_world()
    assert (await release(world, QUICK)).state is State.PROMOTED
    world.inject(Fault.LEDGER_LOSES_ANSWERS, until=world.now + 0.1)
    if not heard:
        reads = count()

        def wrong(called: str) -> None:
            if called == "ledger.read" and next(reads) == 1:
                raise Unavailable("429")

        world.on_call = wrong
        with pytest.raises(Unavailable):
            await reopen(ports(world), "me", "ann", "worse")
    engine, action = await reopen(ports(world), "me", "ann", "worse")
    await roll_back(engine, action)
    assert (engine.record.state, world.stable.version) == (State.ROLLED_BACK, "v1")


async def test_a_take_over_that_was_not_answered_is_one() -> None:
    world = a_world()
    before = await started(world)
    await set_weight(before, 0)
    kept = await world.ledger.read()
    assert kept is not None
    world.inject(Fault.LEDGER_LOSES_ANSWERS, until=world.now + 0.1)
    engine = await take_over(ports(world), kept, "guard", "no beat")
    assert (engine.record.owner, world.serving) == ("guard", NOTHING)


async def test_a_take_over_that_was_not_answered_is_one_though_somebody_asks_something_meanwhile() -> None:
    world = a_world()
    await started(world)
    kept = await world.ledger.read()
    assert kept is not None

    def asks(called: str) -> None:
        now = world.ledger.written[-1][1]
        if called == "ledger.read" and now.owner == "guard":
            world.ledger.put(to_json(replace(now, inbox=(new_ask(Verb.ABORT, "ann"),))))

    world.inject(Fault.LEDGER_LOSES_ANSWERS, until=world.now + 0.1)
    world.on_call = asks
    engine = await take_over(ports(world), kept, "guard", "silent")
    assert (engine.record.owner, engine.record.token) == ("guard", 2)
    assert [ask.verb for ask in engine.record.inbox] == [Verb.ABORT]


async def test_two_wrong_answers_around_a_long_wait_end_no_release() -> None:
    """What lies between them was answered: it is no silence."""
    world = a_world(route_lag=6.0)
    facts = await preflight(ports(world), QUICK)
    engine = await acquire(ports(world), QUICK, facts, release="r1", owner="engine", timing=Timing(dead_seconds=2.5))
    await start(engine, facts.template)
    writes = count()

    def wrong(called: str) -> None:
        taken_up = world.serving != NOTHING and world.now < world.routes[-1].at + world.route_lag + 0.4
        if (called == "router.write" and next(writes) == 0) or (called == "ledger.write" and taken_up):
            raise Unavailable("500")

    world.on_call = wrong
    action = await set_weight(engine, 0)
    assert (action.step, action.why) == (Step.ADVANCE, "5 % set, read back and taken up")
