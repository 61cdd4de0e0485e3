"""The supervisor is killed in mid-release and started again: nothing outlives it, and its guard ends what was left."""

from __future__ import annotations

import asyncio
import signal

import pytest

from serinus.release.record import State
from tests.faults.ground import Ground, Shop, until
from tests.faults.policies import LONG

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


async def test_killed_in_mid_release_and_started_again(platform: Ground, shops: tuple[Shop, ...]) -> None:
    alone, orphan = shops[0], shops[1]
    before = {shop: shop.stable for shop in (alone, orphan)}
    engine = await alone.begin(steps=LONG, limits={"metrics_down": "4s"})
    dies = await orphan.begin(steps=LONG)
    async with alone.users(), orphan.users():
        await asyncio.gather(alone.at_percent(50), orphan.at_percent(50))
    dies.signal(signal.SIGKILL)
    children = await platform.kill()

    async def nothing_left() -> bool:
        return not any(child.alive for child in children)

    await until(nothing_left, "no child outlives its supervisor")
    platform.begin()
    await platform.ready()
    said = await engine.ended()
    for shop in (alone, orphan):
        await shop.returned()
        assert (await shop.ended()).state is State.ROLLED_BACK
        await shop.whole(before[shop])
        await shop.sound_evidence()
    # Its traffic is back whoever ends it: itself, the next supervisor's guard before it, or that one after it gave up.
    assert said["outcome"] in (State.ROLLED_BACK, "fenced", "rollback failed"), said
    print(said)
