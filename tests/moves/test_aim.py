"""The first weight: a scrape comes as soon as there is enough to see, and a dead version costs no more than that."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.analysis.reading import Arm
from serinus.analysis.threshold import Checks, Gates
from serinus.moves.aim import ENOUGH_REQUESTS, MOST_OF_SCRAPE, wait_seconds
from serinus.release.plan import Plan
from serinus.release.record import State
from tests.fakes import Version, a_world
from tests.moves.driver import release
from tests.release.builders import ERROR_RATE, a_plan


def scraped_every(seconds: float) -> Plan:
    checks = Checks(interval_seconds=seconds, scrape_seconds=seconds, window_seconds=4 * seconds, min_requests=20)
    plan = a_plan(soak=4 * seconds, bake=4 * seconds, metrics_down=10 * seconds)
    return replace(
        plan, checks=checks, phases=tuple(replace(phase, gates=Gates((ERROR_RATE,))) for phase in plan.phases)
    )


@given(due=st.floats(0, 60), scrape=st.floats(0.1, 60), rate=st.floats(0.01, 1e5))
def test_what_is_waited_for_leaves_enough_requests_before_a_scrape(due: float, scrape: float, rate: float) -> None:
    wait = wait_seconds(due, scrape, rate)
    assert 0 <= wait <= scrape
    left = (due - wait - min(ENOUGH_REQUESTS / rate, MOST_OF_SCRAPE * scrape)) / scrape
    assert abs(left - round(left)) < 1e-6 * max(1.0, due / scrape)


@pytest.mark.parametrize(("errors", "most"), [(1.0, 1.2 * ENOUGH_REQUESTS), (0.3, 0.6 * ENOUGH_REQUESTS)])
async def test_a_bad_version_costs_no_more_where_scrapes_are_rare(errors: float, most: float) -> None:
    failed = []
    for seed in range(9):
        world = a_world(versions={"v1": Version(), "v2": Version(errors=errors)}, scrape_seconds=15.0, seed=seed)
        record = await release(world, scraped_every(15.0))
        assert record.state is State.ROLLED_BACK
        failed.append(world.failed[Arm.CANARY])
    assert 0 < median(failed) <= most, failed


async def test_without_users_the_weight_is_not_waited_for() -> None:
    assert wait_seconds(3.0, 15.0, 0.0) == 0.0
    world = a_world(versions={"v1": Version(), "v2": Version()}, rate=0.0)
    record = await release(world)
    assert record.tally.weights[0][0] < 3.0
