"""The canary's own processes fail: at once, later, or without ever getting ready; users notice as little as can be."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from serinus.release.record import Outcome, State
from serinus.stores.process import Identity
from tests.faults.ground import Shop, Users
from tests.faults.policies import LONG

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def taken_back(shop: Shop, version: str, percent: float | None = None, **more: float) -> tuple[Users, Outcome]:
    """A release of this version to its end; where it is seen at `percent`, one of its processes is killed there."""
    stable, killed = shop.stable, tuple[Identity, ...]()
    async with shop.users() as users:
        engine = await shop.begin(version, steps=LONG, **more)
        if percent is not None:
            await shop.at_percent(percent)
            killed = shop.canary_processes()
            os.kill(killed[0].pid, signal.SIGKILL)
        said = await engine.ended()
        assert said["outcome"] == State.ROLLED_BACK, said
        await shop.whole(stable, killed)
    await shop.sound_evidence()
    outcome = (await shop.mine()).outcome
    assert outcome is not None
    return users, outcome


async def test_it_crashes_at_once_or_never_gets_ready(shops: tuple[Shop, ...]) -> None:
    (crashed, why), (waited, why_not) = await asyncio.gather(
        taken_back(shops[0], "v2-crash"), taken_back(shops[1], "v2-unready", ready_seconds=4.0)
    )
    assert (why.gate, why.rule) == ("pods", "crash")
    assert (why_not.gate, why_not.rule) == ("pods", "not ready")
    for users in (crashed, waited):
        assert users.failed == 0, users.say()
        assert users.served["canary"].completed == 0, "no user ever met it"


async def test_it_crashes_later(shops: tuple[Shop, ...]) -> None:
    (killed, why), (leaked, why_leaked) = await asyncio.gather(
        taken_back(shops[2], shops[2].other, percent=5), taken_back(shops[3], "v2-leak")
    )
    assert (why.gate, why.rule, why.weight_percent) == ("pods", "crash", 5), why
    assert why_leaked.gate == "pods", why_leaked
    assert "OOMKilled" in why_leaked.why
    assert killed.failed <= killed.served["canary"].completed
    assert leaked.served["stable"].failed == 0, "whoever was on stable noticed nothing"
