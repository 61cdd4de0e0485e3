"""Envoy is killed: it comes back with the weight of the route, and never with one that nobody owns."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from serinus.release.record import State
from tests.faults.ground import Ground, Shop, until
from tests.faults.policies import LONG

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def back(shop: Shop, pid: int) -> int:
    """The weight that Envoy serves by once it is there again."""
    found: list[int] = []

    async def is_back() -> bool:
        if shop.ground.platform.children.get("envoy") in (None, pid):
            return False
        found.append(await shop.served_weight())
        return True

    await until(is_back, "Envoy is back")
    return found[0]


async def survives(shop: Shop, pid: int) -> None:
    """Its engine lives: the release goes on, or is taken back for what it saw."""
    before, version = shop.stable, shop.other
    async with shop.users() as users:
        engine = await shop.begin(steps=(("5%", "2s"), ("50%", "5s"), ("100%", "1s")))
        await shop.at_percent(50)
        if shop.ground.platform.children["envoy"] == pid:
            os.kill(pid, signal.SIGKILL)
        weight = await back(shop, pid)
        assert weight in (5000, 0)
        said = await engine.ended()
        assert said["outcome"] in (State.PROMOTED, State.ROLLED_BACK), said
        await shop.whole(version if said["outcome"] == State.PROMOTED else before)
    await shop.sound_evidence()
    print(f"Envoy back with {weight}: {said}; {users.say()}")


async def orphaned(shop: Shop, pid: int) -> None:
    """Its engine dies with Envoy: the guard returns the traffic all the same."""
    before = shop.stable
    async with shop.users():
        engine = await shop.begin(steps=LONG)
        await shop.at_percent(50, soaked=0)
        engine.signal(signal.SIGKILL)
        await until(lambda: gone(shop, pid), "Envoy was killed")
        await back(shop, pid)
        await shop.returned()
        record = await shop.ended()
        assert record.state is State.ROLLED_BACK
        await shop.whole(before)


async def gone(shop: Shop, pid: int) -> bool:
    return shop.ground.platform.children.get("envoy") != pid


async def test_killed_in_mid_release(platform: Ground, shops: tuple[Shop, ...]) -> None:
    pid = platform.platform.children["envoy"]
    await asyncio.gather(survives(shops[0], pid), orphaned(shops[1], pid))
