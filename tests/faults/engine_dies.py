"""The engine is killed, told to end, stopped, doubled: the guard returns what it held, and nobody else touches it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial

from serinus.moves.ask import abort
from serinus.release.record import State
from serinus.wiring import open_ports
from tests.faults.ground import BOUND_SECONDS, Shop
from tests.faults.policies import LONG, STEPS

Moment = Callable[[Shop], Awaitable[object]]


async def starting(shop: Shop) -> None:
    await shop.at(lambda record, _: record.state is State.STARTING, "starting")


async def at_5(shop: Shop) -> None:
    await shop.at_percent(5)


async def at_50(shop: Shop) -> None:
    await shop.at_percent(50)


async def at_100(shop: Shop) -> None:
    await shop.at_percent(100, soaked=0)


async def rolling_out(shop: Shop) -> None:
    """Stable has the new template, and not yet all of its processes."""

    def new() -> bool:
        note = shop.held("stable")[1]["note"]
        return note is not None and note["step"] == "new" and not shop.stores.all_serve("stable", shop.stable, 2)

    await shop.at(lambda record, _: record.state is State.PROMOTING and new(), "rolling stable out")


async def baking(shop: Shop) -> None:
    await shop.at(lambda record, _: record.state is State.BAKING and record.soaked_seconds > 0, "baking")


async def rolling_back(shop: Shop) -> None:
    await shop.at_percent(50, soaked=0)
    async with open_ports(shop.name, shop.folders) as ports:
        await abort(ports, "a test")
    await shop.at(lambda record, _: record.state is State.ROLLING_BACK, "rolling back")


TO_THE_END = (at_100, rolling_out, baking)


async def killed(moment: Moment, shop: Shop) -> str:
    """Everything is as it was, or wholly as it was to be; within the guard's bound."""
    before, new = shop.stable, shop.other
    async with shop.users() as users:
        engine = await shop.begin(steps=STEPS if moment in TO_THE_END else LONG, bake="10s")
        await moment(shop)
        processes = shop.canary_processes()
        engine.signal(signal.SIGKILL)
        seconds = await shop.returned()
        record = await shop.ended(BOUND_SECONDS)
        await shop.whole(new if record.state is State.PROMOTED else before, processes)
    assert moment in (rolling_out, baking) or record.state is State.ROLLED_BACK
    assert users.failed == 0, users.say()
    await shop.sound_evidence()
    return f"weight 0 after {seconds:.1f} s, {record.state}: {record.outcome and record.outcome.why}"


async def told_to_end(number: signal.Signals, moment: Moment, shop: Shop) -> str:
    """`serinus release` gives everything back itself, and says so."""
    before = shop.stable
    async with shop.users() as users:
        engine = await shop.begin_product(steps=STEPS if moment in TO_THE_END else LONG, bake="10s")
        await moment(shop)
        processes = shop.canary_processes()
        engine.signal(number)
        seconds = await shop.returned()
        said = await engine.ended()
        assert said["outcome"] == State.ROLLED_BACK, said
        await shop.whole(before, processes)
    assert (await shop.mine()).state is State.ROLLED_BACK
    assert users.failed == 0, users.say()
    await shop.sound_evidence()
    return f"weight 0 after {seconds:.1f} s: {said['reason']}"


async def stopped_past_its_time(percent: float, shop: Shop) -> str:
    """Goes on when its release is over: fenced at its first look, and touches nothing."""
    before = shop.stable
    async with shop.users() as users:
        engine = await shop.begin(steps=LONG)
        await shop.at_percent(percent, soaked=0)
        await engine.stop()
        seconds = await shop.returned()
        record = await shop.ended()
        assert record.state is State.ROLLED_BACK
        await shop.whole(before)
        then = shop.revisions()
        engine.signal(signal.SIGCONT)
        said = await engine.ended()
    assert said["outcome"] == "fenced", said
    assert shop.revisions() == then, "a fenced engine writes nothing"
    assert users.failed == 0, users.say()
    return f"weight 0 after {seconds:.1f} s; {said['why']}"


async def two_at_once(shop: Shop) -> str:
    """One releases; the other touches nothing."""
    async with shop.users() as users:
        version = shop.other
        engines = await asyncio.gather(*(shop.begin(version, steps=(("50%", "1s"), ("100%", "1s"))) for _ in "ab"))
        said = await asyncio.gather(*(engine.ended() for engine in engines))
        await shop.whole(version)
    assert sorted(one["outcome"] for one in said) == ["promoted", "refused"], said
    assert users.failed == 0, users.say()
    await shop.sound_evidence()
    return next(str(one["why"]) for one in said if one["outcome"] == "refused")


SCENARIOS: dict[str, Callable[[Shop], Awaitable[str]]] = {
    **{
        f"{number.name} of the product {moment.__name__}": partial(told_to_end, number, moment)
        for number, moment in (
            (signal.SIGTERM, baking),
            (signal.SIGINT, rolling_out),
            (signal.SIGTERM, at_100),
            (signal.SIGINT, rolling_back),
            (signal.SIGINT, starting),
        )
    },
    **{
        f"SIGKILL {moment.__name__}": partial(killed, moment)
        for moment in (baking, rolling_out, at_100, rolling_back, at_50, at_5, starting)
    },
    "SIGSTOP at 5": partial(stopped_past_its_time, 5),
    "SIGSTOP at 50": partial(stopped_past_its_time, 50),
    "two at once": two_at_once,
}
