"""The engine is killed, stopped, doubled: the guard returns what it held, and nobody else touches it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from serinus.moves.ask import abort
from serinus.release.record import State
from serinus.wiring import open_ports
from tests.faults.ground import BOUND_SECONDS, Shop
from tests.faults.policies import LONG, STEPS

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


async def at_start(shop: Shop) -> None:
    await shop.at(lambda record, _: record.state is State.STARTING, "starting")


async def at_5(shop: Shop) -> None:
    await shop.at_percent(5)


async def at_50(shop: Shop) -> None:
    await shop.at_percent(50)


async def at_100(shop: Shop) -> None:
    await shop.at_percent(100, soaked=0)


async def in_rollout(shop: Shop) -> None:
    def new(record: object, route: object) -> bool:
        note = shop.held("stable")[1]["note"]
        return shop.stable != "v1.0" and note is not None and note["step"] == "new"

    await shop.at(lambda record, route: record.state is State.PROMOTING and new(record, route), "rolling stable out")


async def in_bake(shop: Shop) -> None:
    await shop.at(lambda record, _: record.state is State.BAKING and record.soaked_seconds > 0, "baking")


async def in_rollback(shop: Shop) -> None:
    await shop.at_percent(50, soaked=0)
    async with open_ports(shop.name, shop.folders) as ports:
        await abort(ports, "a test")
    await shop.at(lambda record, _: record.state is State.ROLLING_BACK, "rolling back")


MOMENTS: tuple[Callable[[Shop], Awaitable[None]], ...] = (
    *(at_start, at_5, at_50, at_100),
    *(in_rollout, in_bake, in_rollback),
)


async def killed(shop: Shop, moment: Callable[[Shop], Awaitable[None]]) -> str:
    """A release whose engine is killed at this moment; everything is as it was, or wholly as it was to be."""
    before, new = shop.stable, shop.other
    async with shop.users() as users:
        engine = await shop.begin(steps=STEPS if moment in (at_100, in_rollout, in_bake) else LONG)
        await moment(shop)
        processes = shop.canary_processes()
        engine.signal(signal.SIGKILL)
        seconds = await shop.returned()
        record = await shop.ended(BOUND_SECONDS)
        await shop.whole(new if record.state is State.PROMOTED else before, processes)
    assert moment in (in_rollout, in_bake) or record.state is State.ROLLED_BACK
    assert users.failed == 0, f"{moment.__name__}: {users.say()}"
    await shop.sound_evidence()
    return f"{moment.__name__}: weight 0 after {seconds:.1f} s, {record.state}: {record.outcome and record.outcome.why}"


async def test_killed_at_any_moment_it_leaves_nothing(shops: tuple[Shop, ...]) -> None:
    print(*await asyncio.gather(*map(killed, shops, MOMENTS)), sep="\n")


async def test_one_that_was_stopped_and_goes_on_is_fenced(shops: tuple[Shop, ...]) -> None:
    async def stopped(shop: Shop, percent: float) -> None:
        version = shop.stable
        async with shop.users() as users:
            engine = await shop.begin(steps=LONG)
            await shop.at_percent(percent, soaked=0)
            engine.signal(signal.SIGSTOP)
            record = await shop.ended()
            assert record.state is State.ROLLED_BACK
            await shop.whole(version)
            then = shop.revisions()
            engine.signal(signal.SIGCONT)
            said = await engine.ended()
        assert said["outcome"] == "fenced", said
        assert shop.revisions() == then, "a fenced engine writes nothing"
        assert users.failed == 0, users.say()

    await asyncio.gather(stopped(shops[0], 5), stopped(shops[1], 50))


async def test_of_two_at_the_same_moment_one_releases(shops: tuple[Shop, ...]) -> None:
    async def both(shop: Shop) -> None:
        async with shop.users() as users:
            version = shop.other
            engines = await asyncio.gather(*(shop.begin(version, steps=(("50%", "1s"), ("100%", "1s"))) for _ in "ab"))
            said = await asyncio.gather(*(engine.ended() for engine in engines))
            await shop.whole(version)
        assert sorted(one["outcome"] for one in said) == ["promoted", "refused"], said
        refused = next(one["why"] for one in said if one["outcome"] == "refused")
        assert "another release was faster" in refused or "is going" in refused or "changed while" in refused
        assert users.failed == 0, users.say()
        await shop.sound_evidence()

    async with AsyncExitStack():
        await asyncio.gather(*map(both, shops[:2]))
