"""The canary's instances, ahead of its weight: scaled and ready before the weight rises.

Where its number is its weight, its workload makes none ahead: they come with the weight, and are awaited after it.
"""

from __future__ import annotations

from math import ceil

from serinus.errors import PlatformError, Refused
from serinus.moves.check import pod_troubles
from serinus.moves.engine import Engine
from serinus.moves.hold import hold
from serinus.release.lifecycle import Action, Step
from serinus.release.weight import Weight


def canary_replicas(stable_replicas: int, weight: Weight, min_replicas: int) -> int:
    """Instances that a weight needs: stable's number by the weight, rounded up, at least `min_replicas`."""
    return max(ceil(stable_replicas * weight.points / 10_000), min_replicas)


async def scale_canary(engine: Engine, template: str, weight: Weight) -> Action | None:
    """Create or scale the canary and wait until it serves; an action where it does not get ready."""
    record = engine.record
    replicas = canary_replicas(record.previous.replicas, weight, engine.plan.min_replicas)
    try:
        made = await engine.ports.workload.put_canary(record.release, template, replicas)
    except Refused as cause:
        return _refused(cause)
    except PlatformError as cause:
        return _unavailable(cause)
    return await until_ready(engine, min(replicas, made.replicas))


async def until_ready(engine: Engine, least: int = 0) -> Action | None:
    """Wait until every instance that the canary should have serves; an action where one does not get ready.

    Args:
        least: so many at least
    """
    troubles: list[str] = []

    async def ready() -> bool:
        side = await engine.ports.workload.canary()
        troubles[:] = pod_troubles(side) if side else ["the canary workload is gone"]
        return bool(troubles) or (side is not None and side.settled and side.ready >= least)

    try:
        seconds = engine.timing.ready_seconds
        late = await hold(engine, ready, seconds=seconds, waiting_for="the canary to get ready")
    except Refused as cause:
        return _refused(cause)
    except PlatformError as cause:
        return _unavailable(cause)
    if troubles:
        return Action(Step.ROLL_BACK, "; ".join(troubles), "pods", "crash")
    if late and late.rule == "overdue":
        return Action(Step.ROLL_BACK, f"the canary is not ready after {seconds:g} s", "pods", "not ready")
    return late


def _refused(cause: PlatformError) -> Action:
    return Action(Step.ROLL_BACK, f"the canary cannot be started: {cause}", "pods", "refused")


def _unavailable(cause: PlatformError) -> Action:
    return Action(Step.ROLL_BACK, f"the canary did not start: {cause}", "pods", "unavailable")
