"""End a release with everything as it was: first the weight, then the record, then the workload.

Whatever was reached: where stable may have been touched, `undo` does its part. Every step may be found done.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from serinus.analysis.reading import REQUESTS, Arm
from serinus.errors import Conflict, Fenced, PlatformError
from serinus.moves.close import close_held, page
from serinus.moves.engine import Engine
from serinus.moves.hold import tick
from serinus.moves.instances import ready
from serinus.moves.patience import endingly
from serinus.moves.undo import touches_stable, undo
from serinus.release.lifecycle import Action
from serinus.release.record import Outcome, Record, State

log = logging.getLogger("serinus.roll_back")
COPIES = 5
"""Tries to copy the last lines; what is left is copied by the guard, or by the next release."""


async def roll_back(engine: Engine, action: Action) -> None:
    """Return the traffic, retire the canary, put the route back, end the record. Each step is waited for by itself.

    Args:
        action: why

    Raises:
        Fenced: somebody else ends it
        PlatformError: a step after the return of the traffic failed for long; calling again goes on from there
    """
    if engine.record.ended:
        return
    if touches_stable(engine.record):
        await undo(engine, action)
    else:
        await close_held(engine, action.why)
        await endingly(engine, "the record to follow the traffic", partial(_say_closed, engine, action))
    await _retire(engine)
    await end(engine, State.ROLLED_BACK, engine.record.outcome or Outcome(action.why, action.gate, action.rule))


async def _say_closed(engine: Engine, action: Action) -> None:
    """The record follows the traffic."""
    if engine.record.state is State.ROLLING_BACK:
        return
    closed = engine.closed
    weight = engine.record.tally.weights[-1][1] if engine.record.tally.weights else 0.0
    seconds = closed.seconds if closed and not closed.already else None
    outcome = Outcome(action.why + await _unready(engine), action.gate, action.rule, weight, seconds)
    at = engine.now() if engine.closed_seconds is None else engine.closed_seconds
    tally = replace(engine.record.tally, weights=(*engine.record.tally.weights, (round(at, 3), 0.0)))
    record = replace(engine.record, state=State.ROLLING_BACK, outcome=outcome, tally=tally)
    told = {"why": outcome.why, "gate": action.gate, "rule": action.rule, "seconds": seconds}
    await engine.write(engine.say("close", record, weight=weight, already=bool(closed and closed.already), **told))
    await engine.copy()


async def _unready(engine: Engine) -> str:
    """Where the traffic has gone, if nobody is there to take it: a person is told, as nothing more can be done."""
    try:
        stable = await engine.ports.workload.stable()
    except PlatformError as cause:
        log.warning("%s: whether stable can serve is not known: %s", engine.release, cause)
        return ""
    if stable.ready:
        return ""
    text = f"stable {engine.plan.service} has {ready(stable)}"
    await page(engine.ports, engine.plan.service, engine.release, f"{text}, and has all the traffic again", "unready")
    return f"; {text}"


async def _retire(engine: Engine) -> None:
    """Wait until the canary serves nobody, remove it, put the route back as it was found."""
    there = await endingly(engine, "the canary to be drained", partial(drained, engine))
    await endingly(engine, "the canary to be removed", partial(remove, engine, there))
    await restore(engine)


async def restore(engine: Engine) -> None:
    """The route as it was found; another release's is left alone."""
    await endingly(engine, "the route to be put back", partial(_restore, engine))


async def _restore(engine: Engine) -> None:
    ports, release = engine.ports, engine.release
    for _ in range(5):
        route = await ports.router.read()
        if route.mark is not None and route.mark.release != release:
            return
        try:
            await ports.router.restore(engine.record.previous.route, route)
        except Conflict:
            continue
        return


async def drained(engine: Engine) -> bool:
    """Whether the release has a canary; that one serves nobody any more."""
    there = await has_canary(engine)

    async def beating() -> None:
        """What is asked meanwhile waits: a canary that still answers somebody is not removed the sooner for it."""
        await tick(engine)

    if there:
        await drain(engine, beating)
    return there


async def has_canary(engine: Engine) -> bool:
    """Whether one of this very release is there."""
    canary = await engine.ports.workload.canary()
    return canary is not None and canary.release == engine.release


async def remove(engine: Engine, there: bool) -> None:
    """The canary goes, with all that was made or set for it; another release's is left alone.

    Args:
        there: as `drained` has it. Where it is not, somebody may have deleted it, or a try been cut off before it had done the rest.
    """
    await engine.ports.workload.remove_canary(engine.release)
    if there:
        await engine.write(engine.say("canary", removed=True))


async def drain(engine: Engine, meanwhile: Callable[[], Awaitable[Action | None]]) -> Action | None:
    """Until no canary request was seen for a while; figures that do not come only cost the whole time allowed.

    Args:
        meanwhile: done again and again; where it ends the release, that is not waited for, and the canary is drained by who ends it
    """
    clock, timing = engine.ports.clock, engine.timing
    until = clock.monotonic() + timing.drain_at_most_seconds
    served, since = -1.0, clock.monotonic()
    while True:
        if ended := await meanwhile():
            return ended
        with suppress(PlatformError):
            seen = await _served(engine)
            if seen != served:
                served, since = seen, clock.monotonic()
            elif clock.monotonic() - since >= timing.drain_seconds:
                return None
        left = until - clock.monotonic()
        if left <= 0:
            log.warning(
                "%s: the canary may still serve somebody after %g s", engine.release, timing.drain_at_most_seconds
            )
            return None
        await engine.rest(min(timing.tick_seconds, left))


async def _served(engine: Engine) -> float:
    """Requests that the canary ever got."""
    reading = await engine.ports.metrics.read()
    return sum(c.value for c in reading.counters if c.arm is Arm.CANARY and c.figure == REQUESTS)


async def end(engine: Engine, state: State, outcome: Outcome) -> None:
    """The record's last state, the evidence's last line, and its copy."""
    said: list[str] = []
    await _free(engine)
    await endingly(engine, "the record to be ended", partial(_end, engine, state, outcome, said))
    for _ in range(COPIES):
        await engine.copy(now=True)
        if not engine.record.lines:
            break
        await engine.ports.clock.sleep(engine.timing.again_seconds)
    try:
        await engine.write(engine.record)
    except (Fenced, PlatformError) as cause:  # ended already: the lines only lie in two places
        log.info("%s: ended; its copied lines stay in the record: %s", engine.release, cause)


async def _free(engine: Engine) -> None:
    """What scales stable goes on as before; where it cannot be told, nothing but too many instances comes of it: a person is."""
    try:
        await endingly(
            engine, "stable to be left to its autoscaler", partial(engine.ports.workload.free_stable, engine.release)
        )
    except PlatformError as cause:
        text = f"the autoscaler of {engine.plan.service} keeps the minimum that {engine.release} gave it: {cause}"
        await page(engine.ports, engine.plan.service, engine.release, text, "autoscaler")


async def _end(engine: Engine, state: State, outcome: Outcome, said: list[str]) -> None:
    """The last line, and the record with it.

    Args:
        said: gets the line of every try: where one was not answered, the next release may have begun on what it left
    """
    if engine.record.ended:
        return
    record: Record = replace(engine.record, state=state, ended=True, outcome=outcome, inbox=())
    requests = {"canary": record.tally.canary, "stable": record.tally.stable, "failed": record.tally.failed_on_canary}
    record = engine.say("end", record, outcome=state, why=outcome.why, requests=requests)
    said.append(record.lines[-1].text)
    try:
        await engine.write(record)
    except Fenced:
        copied = await engine.ports.ledger.lines(engine.release)
        if not copied or copied[-1] not in said:
            raise
        engine.remember(replace(record, lines=()))  # who began on it copied them first
