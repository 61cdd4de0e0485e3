"""An abort reaches the release that is going, and no other; and says what it found."""

from __future__ import annotations

import pytest

from serinus.errors import Refused
from serinus.moves.ask import Left, abort
from serinus.moves.engine import Closed
from serinus.release.mark import Mark, Mode
from serinus.release.record import Record, State
from serinus.release.weight import NOTHING, Weight
from tests.fakes import FakeWorld, Version, a_world
from tests.moves.driver import ports, release, until
from tests.release.builders import a_plan

LONG = a_plan(5, soak=1e6, duration=1e7)


async def record_of(world: FakeWorld) -> Record:
    kept = await world.ledger.read()
    assert kept is not None
    assert isinstance(kept.record, Record)
    return kept.record


def a_slow_world() -> FakeWorld:
    """Its canary takes a minute to get ready."""
    return a_world(versions={"v1": Version(), "v2": Version(ready_after=20.0)})


def left_a_mark(world: FakeWorld, mode: Mode = Mode.CLOSED) -> None:
    """Of a release that is over."""
    world.router.edit(NOTHING, Mark("r0", 0, 1, mode, NOTHING, "long ago"))


@pytest.mark.parametrize("old", [None, Mode.CLOSED, Mode.REPLACED])
async def test_a_release_that_has_no_mark_yet_is_ended_before_its_canary_serves(old: Mode | None) -> None:
    world = a_slow_world()
    going = await until(world, 3, release(world, LONG))
    if old:
        left_a_mark(world, old)
    assert await abort(ports(world), "ann", "no") is Left.UNSERVED
    record = await going
    assert record.outcome is not None
    assert (record.state, record.outcome.why) == (State.ROLLED_BACK, "aborted by ann: no")
    assert not any(write.weight.points for write in world.routes)


async def test_a_mark_that_is_set_while_it_is_asked_is_closed() -> None:
    world = a_slow_world()
    going = await until(world, 3, release(world, LONG))

    def marked(call: str) -> None:
        if call == "ledger.ask":
            world.router.edit(NOTHING, Mark("r1", 1, 1, Mode.OPEN, NOTHING))

    world.on_call = marked
    assert isinstance(await abort(ports(world), "ann"), Closed)
    assert (await going).state is State.ROLLED_BACK


async def test_where_nothing_is_live_there_is_nothing_to_abort() -> None:
    world = a_world()
    with pytest.raises(Refused, match="nothing to abort"):
        await abort(ports(world), "ann")
    left_a_mark(world)
    with pytest.raises(Refused, match="nothing to abort"):
        await abort(ports(world), "ann")


async def test_an_open_mark_alone_is_enough() -> None:
    world = a_world()
    world.router.edit(Weight.of(5), Mark("r0", 1, 1, Mode.OPEN, Weight.of(5)))
    assert isinstance(await abort(ports(world), "ann"), Closed)
    assert world.routes[-1].weight == NOTHING


async def test_a_weight_whose_mark_somebody_took_off_is_returned() -> None:
    world = a_world()
    going = await until(world, 10, release(world, LONG))
    world.router.edit(unmark=True)
    assert isinstance(await abort(ports(world), "ann"), Closed)
    assert world.serving == NOTHING
    assert (await going).state is State.ROLLED_BACK


async def test_a_live_release_that_was_not_reached_is_named() -> None:
    """The mark that is open is another's, whose record is gone."""
    world = a_slow_world()
    going = await until(world, 3, release(world, LONG))
    left_a_mark(world, Mode.OPEN)
    with pytest.raises(Refused, match="r1 is going and was not asked"):
        await abort(ports(world), "ann")
    assert (world.routes[-1].mark or Mark("", 0, 0, Mode.OPEN, NOTHING)).mode is Mode.CLOSED
    assert await abort(ports(world), "ann") is Left.UNSERVED
    assert (await going).state is State.ROLLED_BACK


async def test_a_release_that_is_named_is_aborted_alone() -> None:
    world = a_world()
    going = await until(world, 10, release(world, LONG))
    with pytest.raises(Refused, match="r0 ended"):
        await abort(ports(world), "ann", release="r0")
    assert world.serving == Weight.of(5)
    assert not (await record_of(world)).inbox
    assert isinstance(await abort(ports(world), "ann", release="r1"), Closed)
    assert (await going).state is State.ROLLED_BACK


async def test_a_bake_is_left_to_its_owner_who_puts_the_previous_version_back() -> None:
    world = a_world()
    going = await until(world, 5, release(world, a_plan(100, soak=3, bake=600)))
    while (await record_of(world)).state is not State.BAKING:
        await world.clock.sleep(0.5)
    assert await abort(ports(world), "ann") is Left.PROMOTING
    assert (await going).state is State.ROLLED_BACK
    assert world.stable.version == "v1"
