"""The new version itself fails: it never gets ready, finds no room, runs out of memory, or turns bad once it serves everything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from serinus.local.fault import NONE, Fault, write_fault
from serinus.release.record import Outcome, State
from tests.kube.ground import BEFORE, HEALTHY, LONG, QUICK, SHORT, Release, Shop
from tests.kube.test_release import STABLE
from tests.workloads.on_kubernetes import a_deployment


async def needing(shop: Shop, **resources: Any) -> None:
    """Stable's container has these, and so has the canary's."""
    made = a_deployment(containers=[STABLE | {"resources": resources}])
    await asyncio.to_thread(shop.space.apply, made)
    await shop.hand("rollout", "status", "deployment/shop", "--timeout=60s")


async def rolled_back(going: Release) -> Outcome:
    outcome, why = await going.ended()
    assert outcome == State.ROLLED_BACK, (outcome, why)
    assert going.engine is not None
    assert going.engine.record.outcome is not None
    return going.engine.record.outcome


async def never_served(shop: Shop, version: str, ready_seconds: float) -> Outcome:
    """It ends before any weight, and no user met it."""
    async with shop.users() as users:
        going = await shop.begin(version, timing=replace(QUICK, ready_seconds=ready_seconds), **SHORT)
        why = await rolled_back(going)
        await shop.whole(BEFORE)
    assert going.engine is not None
    assert all(not percent for _, percent in going.engine.record.tally.weights)
    assert why.gate == "pods", why
    assert users.failed == 0, users.seen
    return why


async def never_gets_ready(shop: Shop) -> str:
    why = await never_served(shop, "v2-unready", 8.0)
    assert "ready" in why.why, why
    return why.why


async def no_room(shop: Shop) -> str:
    """The node has 32 processors."""
    await needing(shop, requests={"cpu": "12"})
    why = await never_served(shop, HEALTHY, 8.0)
    assert "Insufficient cpu" in why.why, why
    return why.why


async def runs_out_of_memory(shop: Shop) -> str:
    """By its pods' own word; or by the requests that they failed in dying, where a check falls between that and the word."""
    await needing(shop, limits={"memory": "64Mi"})
    async with shop.users() as users:
        why = await rolled_back(await shop.begin("v2-leak", **LONG))
        await shop.whole(BEFORE)
    assert (why.gate, "OOMKilled" in why.why) in (("pods", True), ("error_rate", False)), why
    return f"{why.why}; {users.failed} requests failed"


async def turns_bad_in_the_bake(shop: Shop) -> str:
    """It was promoted and fails then: the version before it serves everything again."""
    faults = shop.space.cluster.folder / "node" / "faults" / f"{shop.space.namespace}.json"
    if not faults.parent.is_dir():
        pytest.skip("breaks what runs on a node of its own, which a cluster of yours does not have")
    async with shop.users() as users:
        going = await shop.begin(**SHORT | {"bake": "60s"})
        await shop.at(lambda record, _: record.state is State.BAKING, "baking")
        assert users.failed == 0, users.seen
        write_fault(faults, "shop", Fault(error_rate=0.3))
        await shop.at(lambda record, _: record.state is not State.BAKING, "bad enough")
        write_fault(faults, "shop", NONE)
        why = await rolled_back(going)
        await shop.whole(BEFORE)
    assert why.gate == "error_rate", why
    return f"{why.why}; {users.failed} requests failed"


SCENARIOS: dict[str, tuple[str, Callable[[Shop], Awaitable[str]]]] = {
    "runs out of memory": ("contour", runs_out_of_memory),
    "bad in the bake": ("contour", turns_bad_in_the_bake),
    "no room": ("gateway-api", no_room),
    "never ready": ("contour", never_gets_ready),
}
