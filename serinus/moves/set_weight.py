"""Give the canary its next weight: scaled first, written under its own mark, read back, taken up by the router.

The share that is really served is counted by every check after it (`analysis.share`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from serinus.analysis import gate
from serinus.errors import Conflict, Refused, Unavailable
from serinus.moves.aim import aim
from serinus.moves.changed import canary_changed
from serinus.moves.close import close_held
from serinus.moves.engine import Engine
from serinus.moves.hold import hold, route_action
from serinus.moves.patience import patiently
from serinus.moves.scale import scale_canary, until_ready
from serinus.ports import Route
from serinus.release.count import instances
from serinus.release.lifecycle import Action, Step
from serinus.release.mark import Mode
from serinus.release.weight import Weight

TAKE_UP_SECONDS = 10.0
SOON_LOOKS, SOON_SECONDS = 20, 1.0
"""Nobody beats meanwhile: each look is a call, and an API server may be slow."""


async def set_weight(engine: Engine, phase: int) -> Action:
    """Enter a phase.

    Args:
        phase: index into the plan's phases; entering the one that is held already changes nothing

    Returns:
        ADVANCE with the weight taken up; or ROLL_BACK, and then the traffic is with stable already.
    """
    weight = engine.plan.phases[phase].weight
    ended = await _set(engine, phase, weight)
    if ended:
        await close_held(engine, ended.why)
        return ended
    return Action(Step.ADVANCE, f"{weight} set, read back and taken up")


async def _set(engine: Engine, phase: int, weight: Weight) -> Action | None:
    """Each step waited for by itself: one that is done is not begun again for what follows it."""
    route = await patiently(engine, f"the route of {engine.plan.service}", engine.ports.router.read)
    if isinstance(route, Action):
        return route
    if engine.entered == phase and route.mark is not None and route.mark.weight == weight:
        return route_action(engine, route)
    ended = (
        await patiently(engine, f"{weight} to be begun", partial(_enter, engine, phase))
        or await patiently(engine, "the canary to be scaled", partial(_scale, engine, weight))
        or (None if engine.record.tally.weights else await aim(engine, weight))
    )
    if ended:
        return ended
    started = engine.ports.clock.monotonic()
    ended = await patiently(engine, f"{weight} to be set", partial(_write, engine, weight))
    if ended:
        return ended
    seconds = engine.last_check - started
    ended = await patiently(engine, "the record to say so", partial(_say, engine, weight, seconds))
    if ended is None:
        engine.entered = phase
    return ended


async def _say(engine: Engine, weight: Weight, seconds: float) -> None:
    """A step of its own: what was taken up in minutes is not late because one more answer is wrong."""
    await engine.write(engine.say("weight", set=weight.percent, read=weight.percent, seconds=seconds))


async def _scale(engine: Engine, weight: Weight) -> Action | None:
    canary = await engine.ports.workload.canary()
    ended = canary_changed(engine.record, canary)
    if ended or canary is None:
        return ended
    return await scale_canary(engine, canary.template, weight)


async def _enter(engine: Engine, phase: int) -> None:
    """The record first: whoever takes over knows which weight is meant."""
    if engine.record.phase == phase and engine.record.soaked_seconds == 0 and not engine.record.held:
        return
    fresh = replace(
        engine.record,
        phase=phase,
        soaked_seconds=0.0,
        phase_seconds=0.0,
        held={},
        gate=gate.at_weight(engine.record.gate),
    )
    await engine.write(fresh)


async def _write(engine: Engine, weight: Weight) -> Action | None:
    """The mark with its weight; one that stands there already is our own, whose answer was lost."""
    router = engine.ports.router
    if engine.silent_seconds > engine.timing.dead_seconds / 2:
        await engine.write(engine.record)  # nobody may have taken over meanwhile
    for _ in range(5):
        route = await router.read()
        drifted = route_action(engine, route)
        if drifted:
            return drifted
        if route.mark is None:
            return Action(Step.ROLL_BACK, "the mark on the route is gone", "route", "drift")
        if (route.mark.mode, route.mark.weight) == (Mode.OPEN, weight):
            return await _seen(engine, route, weight)
        try:
            written = await router.write(route.mark.then(Mode.OPEN, weight), route)
        except Conflict:
            continue
        except Refused as cause:
            return Action(Step.ROLL_BACK, f"{weight} cannot be set: {cause}", "route", "refused")
        return await _seen(engine, written, weight)
    return Action(Step.ROLL_BACK, "others write the route faster than it can be read", "route", "conflict")


async def _seen(engine: Engine, written: Route, weight: Weight) -> Action | None:
    """Read back the object, then the router's own word."""
    router, clock = engine.ports.router, engine.ports.clock
    again = await router.read()
    engine.weigh(again)
    if drifted := route_action(engine, again):  # it names who wrote
        return drifted
    if again.version != written.version or again.weight != weight:
        return Action(Step.ROLL_BACK, f"{weight} was written, {again.weight} is read", "route", "drift")

    late = await _taken_up(engine, again)
    if late is None:
        engine.last_check = clock.monotonic()
    return late


async def _taken_up(engine: Engine, route: Route) -> Action | None:
    """The router's own word; one that complains is heard as long: after an outage it may not know yet what is there."""
    complaints: list[str] = []

    async def taken_up() -> bool:
        try:
            complaints.clear()
            return await engine.ports.router.taken_up(route)
        except Refused as cause:
            complaints.append(str(cause))
            return False

    if await _soon(engine, taken_up):
        return None
    # Instances that come with the weight get the time that instances get.
    least = instances(route.weight, route.beside) if route.beside else 0
    late = await until_ready(engine, least) or await hold(
        engine, taken_up, seconds=TAKE_UP_SECONDS, waiting_for=f"the router to take up {route.weight}"
    )
    if late and late.rule == "overdue" and complaints:
        why = f"the router rejects {route.weight} for {TAKE_UP_SECONDS:g} s: {complaints[0]}"
        return Action(Step.ROLL_BACK, why, "route", "rejected")
    return late


async def _soon(engine: Engine, taken_up: Callable[[], Awaitable[bool]]) -> bool:
    """A router usually takes a weight up within milliseconds: look often for a moment, before waiting in ticks."""
    clock = engine.ports.clock
    until = clock.monotonic() + SOON_SECONDS
    for _ in range(SOON_LOOKS):
        try:
            if await taken_up():
                return True
        except Unavailable:
            return False
        if clock.monotonic() >= until:
            break
        await clock.sleep(0.01)
    return False
