"""The disk is full: for the evidence alone, or for everything. Traffic can still be returned, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serinus.release.evidence import verify
from serinus.release.record import State
from tests.conftest import fill
from tests.faults.conftest import mounted, unmounted
from tests.faults.ground import Ground, Shop, until
from tests.faults.policies import LONG

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]


@contextmanager
def full(place: Path, size: str) -> Iterator[Path]:
    """A full disk for this folder; what fills it."""
    if not mounted(place, size):
        pytest.skip("no file system can be mounted here")
    try:
        yield fill(place)
    finally:
        unmounted(place)


async def test_full_for_the_evidence(platform: Ground, shops: tuple[Shop, ...]) -> None:
    good, bad = shops[0], shops[1]
    with full(platform.folders.evidence, "256k") as hog:

        async def to_the_end(shop: Shop, version: str, serves: str) -> State:
            async with shop.users() as users:
                engine = await shop.begin(version)
                said = await engine.ended()
                await shop.whole(serves)
            assert serves != version or users.failed == 0, users.say()
            record = await shop.mine()
            assert record.ended
            assert record.lines, "what cannot be copied waits in the record"
            assert not await shop.ledger.lines(record.release)
            return State(said["outcome"])

        ended = await asyncio.gather(to_the_end(good, good.other, good.other), to_the_end(bad, "v2-errors", bad.stable))
        assert tuple(ended) == (State.PROMOTED, State.ROLLED_BACK)
        refused = await (await good.begin()).ended()
        assert refused["outcome"] == "refused"
        assert "make room" in refused["why"], refused
        hog.unlink()
        for shop in (good, bad):

            async def is_whole(shop: Shop = shop) -> bool:
                record = await shop.mine()
                return verify(await shop.ledger.lines(record.release), record.head) == ()

            await until(is_whole, "with room again the guard copies it")


async def test_full_for_everything(platform: Ground, shops: tuple[Shop, ...], disk: Path) -> None:
    """Once its engine gives up what it can no longer write down, once the guard returns what a dead one held."""
    if not os.path.ismount(disk):
        pytest.skip("no file system can be mounted here")
    live, dead = shops[0], shops[1]
    before = {shop: shop.stable for shop in (live, dead)}
    async with live.users() as users, dead.users() as others:
        engine, killed = await live.begin(steps=LONG), await dead.begin(steps=LONG)
        await asyncio.gather(live.at_percent(50), dead.at_percent(50))
        hog = fill(disk)
        try:
            killed.signal(signal.SIGKILL)
            seconds = await asyncio.gather(live.returned(), dead.returned())
            assert not (await live.mine()).ended, "what cannot be written has not ended"
        finally:
            hog.unlink()
        said = await engine.ended()
        for shop in (live, dead):
            assert (await shop.ended()).state is State.ROLLED_BACK
            await shop.whole(before[shop])
            await shop.sound_evidence()
    print(f"weight 0 after {seconds}; {said}; {users.say()} {others.say()}")
    assert users.failed == others.failed == 0, f"{users.say()} {others.say()}"
