"""Prometheus is killed in mid-release: its supervisor starts it again, and the release goes on with what it then sees."""

from __future__ import annotations

import os
import signal

import pytest

from serinus.release.record import State
from tests.faults.ground import Ground, Shop, until
from tests.faults.policies import STEPS

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def test_killed_in_mid_release_it_comes_back(platform: Ground, shop: Shop) -> None:
    version, pid = shop.other, platform.platform.children["prometheus"]

    async def started_again() -> bool:
        return platform.platform.children.get("prometheus", pid) != pid

    async with shop.users() as users:
        engine = await shop.begin(steps=(STEPS[0], ("50%", "4s"), STEPS[2]), limits={"metrics_down": "60s"})
        await shop.at_percent(50)
        os.kill(pid, signal.SIGKILL)
        await until(started_again, "it is started again")
        assert (await shop.mine()).current.weight.percent == 50, "the release is still where it was"
        said = await engine.ended()
        assert said["outcome"] == State.PROMOTED, said
        await shop.whole(version)
    assert users.failed == 0, users.say()
    await shop.sound_evidence()
