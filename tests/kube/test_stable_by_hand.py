"""What somebody does to stable while the canary has everything, and after: scaled to nothing, deleted, restarted, paused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from serinus.moves.ask import ask, new_ask
from serinus.release.record import State, Verb
from serinus.release.weight import EVERYTHING
from tests.cluster.access import Access
from tests.kube.test_mid_release import going, served, until
from tests.kube.test_release import leftovers

pytestmark = pytest.mark.cluster
SECONDS = 60.0
AT_ONCE = [{"weight": "100%", "soak": "6s"}]


def runs(space: Access) -> str:
    """The version that stable is to run."""
    found = space.get("deployment", "shop")["spec"]["template"]["spec"]["containers"][0]["image"]
    return str(found.rpartition(":")[2])


@pytest.mark.parametrize("how", ["scaled to 0", "deleted"])
async def test_a_stable_that_has_nobody_gets_no_traffic_until_it_has(how: str, space: Access, tmp_path: Path) -> None:
    async with served(space, tmp_path) as asked, going(space, tmp_path, phases=AT_ONCE) as (engine, task):
        await until(lambda: engine.record.current.weight == EVERYTHING and engine.verdict)
        was = space.get("deployment", "shop")
        if how == "deleted":
            space.kubectl("delete", "deployment", "shop")
        else:
            space.kubectl("scale", "deployment/shop", "--replicas=0")
        await until(lambda: f"stable was {how} by somebody" in "".join(line.text for line in engine.record.lines))
        before = engine.record.elapsed_seconds
        await until(lambda: engine.record.elapsed_seconds > before + 8)  # longer than its soak
        assert (engine.record.state, (await engine.ports.router.read()).weight) == (State.PHASE, EVERYTHING)
        if how == "deleted":
            kept = {key: was["metadata"][key] for key in ("name", "labels", "annotations") if key in was["metadata"]}
            space.apply({**was, "metadata": kept, "status": {}})
        else:
            space.kubectl("scale", "deployment/shop", f"--replicas={was['spec']['replicas']}")
        await asyncio.wait_for(task, SECONDS)
        assert (engine.record.state, runs(space)) == (State.PROMOTED, "v1.1"), engine.record.outcome
    assert asked.failed == 0, asked.seen
    assert leftovers(space) == []


async def test_a_restart_is_no_change_and_what_it_restarts_is_still_undone(space: Access, tmp_path: Path) -> None:
    async with (
        served(space, tmp_path) as asked,
        going(space, tmp_path, phases=AT_ONCE, bake="60s") as (engine, task),
    ):
        space.kubectl("rollout", "restart", "deployment/shop")
        await until(lambda: engine.record.state is State.BAKING)
        space.kubectl("rollout", "restart", "deployment/shop")
        space.kubectl("rollout", "status", "deployment/shop", "--timeout=30s")
        await ask(engine.ports, new_ask(Verb.ABORT, "ann", "v1.1 was only a test"))
        await asyncio.wait_for(task, SECONDS)
        assert engine.record.outcome is not None
        assert engine.record.outcome.why == "aborted by ann: v1.1 was only a test"
        assert (engine.record.state, runs(space)) == (State.ROLLED_BACK, "v1.0")
    assert asked.failed == 0, asked.seen
    assert leftovers(space) == []


async def test_a_stable_that_is_paused_ends_the_promotion_and_keeps_what_it_ran(space: Access, tmp_path: Path) -> None:
    async with served(space, tmp_path) as asked, going(space, tmp_path, phases=AT_ONCE) as (engine, task):
        space.kubectl("rollout", "pause", "deployment/shop")
        await asyncio.wait_for(task, SECONDS)
        assert engine.record.outcome is not None
        assert "stable does not get ready: shop: Paused: " in engine.record.outcome.why
        assert (engine.record.state, runs(space)) == (State.ROLLED_BACK, "v1.0")
    assert asked.failed == 0, asked.seen
    assert leftovers(space) == []
