"""The one function that waits: every wait of an engine ticks through here.

Each tick reads inbox and mark where somebody may have written them, and beats; nothing else beats, no timer and no second coroutine, so
that an engine that no longer decides does not look alive.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from serinus.errors import Drift, Fenced, PlatformError, Unavailable
from serinus.moves.engine import Engine
from serinus.ports import Route
from serinus.release.lifecycle import Action, Step, next_action
from serinus.release.mark import Mode
from serinus.release.record import State

log = logging.getLogger("serinus.hold")


async def tick(engine: Engine) -> Action | None:
    """Look at inbox and route, and beat. An action where something ends the release, else None.

    Raises:
        Fenced: somebody else holds the release now
    """
    lost = await _record(engine)
    if engine.record.ended or engine.record.state in (State.ROLLING_BACK, State.UNDOING):
        return None  # it is being ended already: nothing that is asked or lost ends it a second time
    if lost:
        return lost
    asked = next_action(engine.record, None, engine.now())
    if asked.ends:
        return asked
    if not engine.must_look:
        return None
    try:
        route = await engine.ports.router.read()
        engine.weigh(route)
        engine.looked()
        return route_action(engine, route)
    except PlatformError as cause:
        log.warning("%s: the route cannot be read: %s", engine.release, cause)
        return None


async def _record(engine: Engine) -> Action | None:
    """Beat and listen; without an acknowledged beat for D others may take over, so this one lets go of the traffic first.

    A beat holds only for the record as it was seen, so it finds whatever was asked: where no watch has woken us none is read before it.
    """
    try:
        await engine.beat()
        if engine.woken:
            await engine.listen()
    except Unavailable as cause:
        silent = engine.silent_seconds
        log.warning("%s: the record cannot be written for %.1f s: %s", engine.release, silent, cause)
        if silent >= engine.timing.dead_seconds:
            return Action(
                Step.ROLL_BACK, f"the record cannot be written for {silent:.0f} s: {cause}", "record", "silent"
            )
    return None


def route_action(engine: Engine, route: Route) -> Action | None:
    """What the route says of this release: closed by somebody, drifted, or as it was left (None).

    Raises:
        Fenced: a higher token than ours, or another release's mark
    """
    record, mark = engine.record, route.mark
    if record.state not in (State.PHASE, State.STARTING):
        return None
    if route.gone:
        return Action(Step.ROLL_BACK, f"the route of {record.plan.service} was deleted", "route", "gone")
    if mark is None:
        if record.state is State.STARTING:
            return None
        who = f": {route.writer} wrote it last" if route.writer else ""
        return Action(Step.ROLL_BACK, f"the mark on the route is gone{who}", "route", "drift")
    if mark.release != record.release:
        if record.state is State.STARTING and mark.token < record.token:
            return None
        raise Fenced(f"the route of {record.plan.service} belongs to {mark.release} now")
    if mark.token > record.token:
        raise Fenced(f"the route of {record.plan.service} was taken over with token {mark.token}")
    if mark.mode is Mode.CLOSED:
        return Action(Step.ROLL_BACK, mark.why or "somebody closed the route", "route", "closed")
    if route.weight != mark.weight:
        why = f"{route.writer or 'somebody'} set {route.weight} where {mark.weight} was left"
        return Action(Step.ROLL_BACK, why, "route", "drift")
    return None


async def hold(
    engine: Engine,
    done: Callable[[], Awaitable[bool]],
    *,
    seconds: float,
    waiting_for: str,
    overdue: Step = Step.ROLL_BACK,
) -> Action | None:
    """Wait until `done`, ticking.

    Args:
        seconds: how long at most; what was not answered then is not late yet: it is asked until it is, for D more
        waiting_for: for people: `the canary to get ready`
        overdue: what follows when the time is up; HOLD is 'go on without'

    Returns:
        None when done; else what ends the wait.
    """
    clock = engine.ports.clock
    until = clock.monotonic() + seconds
    while True:
        ended = await tick(engine)
        if ended:
            return ended
        at_most = until
        try:
            if await done():
                return None
        except Unavailable as cause:
            log.warning("%s: waiting for %s: %s", engine.release, waiting_for, cause)
            at_most = until + engine.timing.dead_seconds
        if clock.monotonic() >= at_most:
            return Action(overdue, f"waited {seconds:g} s for {waiting_for}", "wait", "overdue")
        await engine.rest(min(engine.timing.tick_seconds, max(at_most - clock.monotonic(), 0.001)))


def check_alive(engine: Engine) -> None:
    """An engine whose checks have stopped must not look alive.

    Raises:
        Drift: the last check ended too long ago, and checks are due as long
    """
    allowed = max(3 * engine.plan.checks.interval_seconds, 30.0)
    since = engine.ports.clock.monotonic() - max(engine.last_check, engine.watching)
    if since > allowed:
        raise Drift(f"no check for {since:.0f} s, {allowed:g} s are allowed")
