"""The first weight: a scrape comes as soon as there is enough to see, and a dead version costs no more than that."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.analysis.reading import Arm
from serinus.analysis.threshold import Checks
from serinus.moves.aim import ENOUGH_REQUESTS, wait_seconds
from serinus.release.plan import Plan
from serinus.release.record import State
from tests.fakes import Version, a_world
from tests.moves.driver import release
from tests.release.builders import a_plan


def scraped_every(seconds: float) -> Plan:
    checks = Checks(interval_seconds=seconds, scrape_seconds=seconds, window_seconds=4 * seconds, min_requests=20)
    return replace(a_plan(soak=4 * seconds, bake=4 * seconds, metrics_down=10 * seconds), checks=checks)


@given(due=st.floats(0, 60), scrape=st.floats(0.1, 60), rate=st.floats(0.01, 1e5))
def test_what_is_waited_for_leaves_enough_requests_before_a_scrape(due: float, scrape: float, rate: float) -> None:
    wait = wait_seconds(due, scrape, rate)
    assert 0 <= wait <= scrape
    if ENOUGH_REQUESTS / rate < scrape:
        left = (due - wait - ENOUGH_REQUESTS / rate) / scrape
        assert abs(left - round(left)) < 1e-6 * max(1.0, due / scrape)


@pytest.mark.parametrize("rate", [0.0, 1e-9, 0.1])
def test_where_no_scrape_can_see_enough_nothing_is_waited_for(rate: float) -> None:
    assert wait_seconds(3.0, 15.0, rate) == 0.0


async def test_a_dead_version_costs_no_more_where_scrapes_are_rare() -> None:
    failed = []
    for seed in range(5):
        world = a_world(versions={"v1": Version(), "v2": Version(dead=True)}, scrape_seconds=15.0, seed=seed)
        record = await release(world, scraped_every(15.0))
        assert record.state is State.ROLLED_BACK
        failed.append(world.failed[Arm.CANARY])
    assert 0 < median(failed) <= 2 * ENOUGH_REQUESTS, failed


async def test_without_users_the_weight_is_not_waited_for() -> None:
    world = a_world(versions={"v1": Version(), "v2": Version()}, rate=0.0)
    record = await release(world)
    assert record.tally.weights[0][0] < 3.0
