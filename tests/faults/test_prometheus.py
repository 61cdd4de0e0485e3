"""Prometheus is absent, killed, talks nonsense or takes its time: nothing is promoted blindly, nothing waits for ever."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from serinus.local.addresses import claim_block
from serinus.release.record import State
from tests.faults.ground import Ground, Shop, Users, until
from tests.faults.policies import through
from tests.faults.proxy import Proxy, Way, proxy

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
STEPS = (("5%", "2s"), ("50%", "4s"), ("100%", "1s"))


async def held(shop: Shop, rule: str) -> None:
    """Until a check has held for this reason."""
    await shop.at(lambda record, _: rule in record.held, f"held for {rule}")


async def absent(shop: Shop) -> None:
    """Refused before anything is touched, with where and how to mend it."""
    block = claim_block()
    before = shop.revisions()
    engine = await shop.begin(**through(f"http://127.0.0.1:{block.take()}"))
    said = await engine.ended()
    block.release()
    assert said["outcome"] == "refused", said
    assert "start Prometheus" in said["why"]
    assert "connection refused" in said["why"]
    assert shop.revisions() == before


async def garbage(shop: Shop, between: Proxy) -> Users:
    """Past its deadline the release ends with the reason."""
    stable = shop.stable
    async with shop.users() as users:
        engine = await shop.begin(steps=STEPS, limits={"metrics_down": "3s"}, **through(between.url))
        await shop.at_percent(50)
        between.way = Way.GARBAGE
        said = await engine.ended()
        await shop.whole(stable)
    assert said["outcome"] == State.ROLLED_BACK, said
    outcome = (await shop.mine()).outcome
    assert outcome is not None
    assert (outcome.gate, outcome.rule) == ("telemetry", "metrics-down")
    assert "does not answer as a Prometheus does" in outcome.why
    return users


async def slow(shop: Shop, between: Proxy) -> Users:
    """Before its deadline it is nothing but a pause."""
    version = shop.other
    async with shop.users() as users:
        engine = await shop.begin(steps=STEPS, limits={"metrics_down": "60s"}, **through(between.url))
        await shop.at_percent(50)
        between.way = Way.SLOW
        await held(shop, "metrics-down")
        soaked = (await shop.mine()).soaked_seconds
        calls = between.calls
        await until(lambda: _is(between.calls >= calls + 3), "it is asked again")
        assert (await shop.mine()).soaked_seconds == soaked, "what is not seen does not count"
        between.way = Way.THROUGH
        said = await engine.ended()
        await shop.whole(version)
    assert said["outcome"] == State.PROMOTED, said
    return users


async def _is(seen: bool) -> bool:
    return seen


async def test_absent_talking_nonsense_or_slow(platform: Ground, shops: tuple[Shop, ...]) -> None:
    async with proxy(platform.platform.prometheus) as one, proxy(platform.platform.prometheus) as other:
        _, *several = await asyncio.gather(absent(shops[0]), garbage(shops[1], one), slow(shops[2], other))
    for users in several:
        assert users.failed == 0, users.say()


async def test_killed_in_mid_release_it_comes_back(platform: Ground, shop: Shop) -> None:
    version, pid = shop.other, platform.platform.children["prometheus"]
    async with shop.users() as users:
        engine = await shop.begin(steps=STEPS, limits={"metrics_down": "60s"})
        await shop.at_percent(50)
        os.kill(pid, signal.SIGKILL)
        await held(shop, "metrics-down")
        said = await engine.ended()
        assert said["outcome"] == State.PROMOTED, said
        await shop.whole(version)
    assert platform.platform.children["prometheus"] != pid
    assert users.failed == 0, users.say()
    await shop.sound_evidence()
