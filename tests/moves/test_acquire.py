"""Becoming the owner, asked again where the first answer was lost: the same run is the same holder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count

import pytest

from serinus.errors import PlatformError, PreflightError, Refused, Unavailable
from serinus.moves.acquire import acquire
from serinus.moves.ask import new_ask
from serinus.moves.engine import Engine
from serinus.moves.hold import tick
from serinus.moves.preflight import preflight
from serinus.release.evidence import ends_at, verify
from serinus.release.mark import Mark, Mode
from serinus.release.record import State, Verb, to_json
from serinus.release.weight import Weight
from serinus.release.witness import opening
from tests.fakes import FakeWorld, Fault, a_world
from tests.moves.driver import carry_out, ports
from tests.release.builders import a_plan

PLAN = a_plan(5, 100, soak=2, bake=2)


Again = Callable[..., Awaitable[Engine]]


@pytest.fixture
def world() -> FakeWorld:
    return a_world()


@pytest.fixture
async def again(world: FakeWorld) -> Again:
    """What a task and its retry call: facts, release and owner are the run's."""
    facts = await preflight(ports(world), PLAN)

    async def acquired(owner: str = "me", release: str = "r1") -> Engine:
        return await acquire(ports(world), PLAN, facts, release=release, owner=owner)

    return acquired


@pytest.mark.parametrize("fault", [Fault.LEDGER_LOSES_ANSWERS, Fault.LEDGER_LATE])
@pytest.mark.parametrize("seconds", [0.2, 2.0, 5.0])
async def test_a_record_whose_answer_was_lost_is_known_again(
    world: FakeWorld, again: Again, fault: Fault, seconds: float
) -> None:
    world.inject(fault, 0, seconds)
    engine = await again()
    assert (engine.release, engine.record.owner, engine.record.token) == ("r1", "me", 1)
    await carry_out(engine, '{"version": "v2"}')
    assert engine.record.state is State.PROMOTED
    lines = await world.ledger.lines("r1")
    assert sum('"kind":"plan"' in line for line in lines) == 1


async def test_a_retry_goes_on_with_the_record_that_landed(world: FakeWorld, again: Again) -> None:
    world.at(0.05, lambda: world.inject(Fault.LEDGER_DOWN, until=60))
    world.inject(Fault.LEDGER_LATE, until=0.01)
    with pytest.raises(Unavailable):
        await again()
    await world.clock.sleep(60)
    engine = await again()
    assert (engine.release, engine.record.owner, engine.record.token) == ("r1", "me", 1)


async def test_a_write_that_lands_between_the_next_try_s_two_is_ours(world: FakeWorld, again: Again) -> None:
    world.inject(Fault.LEDGER_LATE, 0, 0.01)
    reads, landing, world.late_seconds = 0, 5.0, 5.0

    def land(call: str) -> None:
        nonlocal reads
        reads += call == "ledger.read"
        if call == "ledger.write" and reads == 2:
            world.advance(landing)

    world.on_call = land
    engine = await again()
    assert reads > 2, "it was not known to be ours before it was read once more"
    assert (engine.record.owner, engine.record.token) == ("me", 1)


@pytest.mark.parametrize("call", ["ledger.read", "ledger.write", "workload.stable", "router.read"])
@pytest.mark.parametrize("nth", [0, 1])
async def test_one_answer_that_is_wrong_ends_no_start(world: FakeWorld, again: Again, call: str, nth: int) -> None:
    calls = count()

    def wrong(called: str) -> None:
        if called == call and next(calls) == nth:
            raise Unavailable("500")

    world.on_call = wrong
    assert (await again()).record.owner == "me"


@pytest.mark.parametrize("error", [Unavailable("500"), Refused("it is gone")])
async def test_what_cannot_be_read_again_is_not_said_to_have_changed(
    world: FakeWorld, again: Again, error: PlatformError
) -> None:
    def wrong(called: str) -> None:
        if called == "workload.stable" and world.ledger.written:
            raise error

    world.on_call = wrong
    with pytest.raises(PreflightError, match=f"is not known: {error}"):
        await again()
    kept = await world.ledger.read()
    assert kept is not None
    assert kept.record.ended


async def test_what_was_asked_before_its_owner_knew_that_it_is_one_is_heard(world: FakeWorld, again: Again) -> None:
    world.inject(Fault.LEDGER_LOSES_ANSWERS, until=0.05)

    def paused() -> None:
        asked = replace(world.ledger.written[-1][1], inbox=(new_ask(Verb.PAUSE, "ann"),))
        world.ledger.put(to_json(asked))

    world.at(0.05, paused)
    engine = await again()
    assert await tick(engine) is None
    assert engine.record.paused


async def test_the_same_release_of_another_holder_is_not_ours(world: FakeWorld, again: Again) -> None:
    await again()
    for owner, release in (("guard", "r1"), ("me", "r2")):
        with pytest.raises(PreflightError, match="r1 is going"):
            await again(owner, release)


async def test_one_that_was_refused_and_is_tried_again_has_one_chain_of_evidence(
    world: FakeWorld, again: Again
) -> None:
    stable = world.stable.template
    world.stable.template = "another"
    with pytest.raises(PreflightError, match="changed while the release began"):
        await again()
    world.stable.template = stable
    engine = await again()
    assert engine.record.token == 2
    await carry_out(engine, '{"version": "v2"}')
    assert engine.record.state is State.PROMOTED
    assert not verify(await world.ledger.lines("r1"), engine.record.head)


async def test_the_first_line_names_where_the_release_before_ended(world: FakeWorld, again: Again) -> None:
    first = await again()
    await carry_out(first, '{"version": "v2"}')
    plan = replace(PLAN, version="v1")
    facts = await preflight(ports(world), plan)
    second = await acquire(ports(world), plan, facts, release="r2", owner="me")
    await second.copy(now=True)
    here, there = await world.ledger.lines("r1"), await world.ledger.lines("r2")
    assert opening(here[0]).follows is None
    assert opening(there[0]).follows == ("r1", ends_at(here))


async def test_nothing_begins_on_a_weight_that_an_earlier_release_left(world: FakeWorld) -> None:
    """Its canary would be replaced by one that nobody has looked at yet, under the same weight."""
    mark = Mark("r0", 7, 3, Mode.OPEN, Weight.of(25))
    await world.router.write(mark, await world.router.read())
    facts = await preflight(ports(world), PLAN)
    with pytest.raises(PreflightError, match=r"25 % goes to the canary of r0, which no live release owns.*abort shop"):
        await acquire(ports(world), PLAN, facts, release="r1", owner="me")
    assert await world.ledger.read() is None
    assert (await world.workload.canary(), (await world.router.read()).mark) == (None, mark)
