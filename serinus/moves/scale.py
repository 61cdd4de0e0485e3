"""The canary's instances, ahead of its weight: scaled and ready before the weight rises.

Where its number is its weight, its workload makes none ahead: they come with the weight, and are awaited after it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from math import ceil

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.moves.changed import canary_changed
from serinus.moves.engine import Engine
from serinus.moves.hold import hold
from serinus.moves.instances import Seen, told, troubles_of
from serinus.ports import Side
from serinus.release.lifecycle import Action, Step
from serinus.release.record import Analysed, State
from serinus.release.weight import Weight

log = logging.getLogger("serinus.scale")


def canary_replicas(stable_replicas: int, weight: Weight, min_replicas: int) -> int:
    """Instances that a weight needs: stable's number by the weight, rounded up, at least `min_replicas`."""
    return max(ceil(stable_replicas * weight.points / 10_000), min_replicas)


async def scale_canary(engine: Engine, template: str, weight: Weight) -> Action | None:
    """Create or scale the canary and wait until it serves; an action where it does not get ready.

    Raises:
        Unavailable: whether it was made is not known
    """
    record, workload = engine.record, engine.ports.workload
    try:
        replicas = _wanted(engine, await workload.stable(), weight)
        made = await workload.put_canary(record.release, template, replicas)
    except Unavailable:
        raise
    except Refused as cause:
        return _refused(cause)
    except PlatformError as cause:
        return _beaten(cause)
    if record.state is State.STARTING:
        engine.remember(replace(engine.record, analysed=Analysed(made.code, made.mounts)))
    return await until_ready(engine, min(replicas, made.replicas))


def _wanted(engine: Engine, stable: Side, weight: Weight) -> int:
    """Beside as many as stable has by now; fewer than at the start would take capacity while the weight rises."""
    most = max(stable.replicas, engine.record.previous.replicas)
    return canary_replicas(most, weight, engine.plan.min_replicas)


async def keep_canary(engine: Engine, seen: Seen) -> None:
    """As many instances as the weight needs, where somebody took some away or stable has got more since."""
    canary, record = seen.canary, engine.record
    if canary is None or seen.stable is None or record.state is not State.PHASE:
        return
    replicas = _wanted(engine, seen.stable, record.current.weight)
    if canary.replicas >= replicas:
        return
    try:
        made = await engine.ports.workload.put_canary(record.release, canary.template, replicas)
        if made.replicas != canary.replicas:
            await engine.write(engine.say("canary", replicas=made.replicas, found=canary.replicas))
    except PlatformError as cause:  # the next check tries again, and pods that do not come are a trouble of their own
        log.warning(
            "%s: the canary has %d instances and needs %d: %s", engine.release, canary.replicas, replicas, cause
        )


async def until_ready(engine: Engine, least: int = 0) -> Action | None:
    """Wait until every instance that the canary should have serves; an action where one does not get ready.

    Args:
        least: so many at least
    """
    ended: list[Action] = []

    async def ready() -> bool:
        side = await engine.ports.workload.canary()
        changed, troubles = canary_changed(engine.record, side), troubles_of(side.pods) if side else ()
        if changed or troubles:
            ended[:] = [changed or Action(Step.ROLL_BACK, told(troubles), "pods", "crash")]
        return bool(ended) or (side is not None and side.settled and side.ready >= least)

    try:
        seconds = engine.timing.ready_seconds
        late = await hold(engine, ready, seconds=seconds, waiting_for="the canary to get ready")
    except Unavailable:
        raise
    except Refused as cause:
        return _refused(cause)
    except PlatformError as cause:
        return _beaten(cause)
    if ended:
        return ended[0]
    if late and late.rule == "overdue":
        why = f"the canary is not ready after {seconds:g} s{await _waiting(engine)}"
        return Action(Step.ROLL_BACK, why, "pods", "not ready")
    return late


async def _waiting(engine: Engine) -> str:
    """What its instances wait for, in their platform's words: once they are removed nobody can look any more."""
    try:
        unready = troubles_of(await engine.ports.workload.unready())
    except PlatformError as cause:
        log.warning("%s: what the canary waits for is not known: %s", engine.release, cause)
        return ""
    return f": {told(unready)}" if unready else ""


def _refused(cause: PlatformError) -> Action:
    return Action(Step.ROLL_BACK, f"the canary cannot be started: {cause}", "pods", "refused")


def _beaten(cause: PlatformError) -> Action:
    return Action(Step.ROLL_BACK, f"the canary did not start: {cause}", "pods", "conflict")
