"""Bring the canary up, without traffic: instances ready, mark `open` at 0 %, watermarks taken, record in its first phase."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from serinus.analysis import gate
from serinus.analysis.reading import History, Reading
from serinus.errors import Conflict, Fenced, PlatformError
from serinus.moves.engine import Engine
from serinus.moves.hold import hold
from serinus.moves.patience import patiently
from serinus.moves.scale import scale_canary
from serinus.ports import Route
from serinus.release.lifecycle import Action, Step
from serinus.release.mark import Mark, Mode
from serinus.release.record import State
from serinus.release.weight import NOTHING

Past = asyncio.Task[History | PlatformError | None]
PAST_SECONDS = 60.0
"""How long that may take once all else is ready."""


async def start(engine: Engine, template: str) -> Action:
    """Everything up to the first weight.

    Args:
        template: the canary's, as preflight found it

    Returns:
        ADVANCE; or ROLL_BACK where the canary never gets ready or the figures cannot be read. No traffic was moved.
    """
    past = asyncio.ensure_future(_past(engine))
    try:
        return await _started(engine, template, past)
    finally:
        past.cancel()


async def _past(engine: Engine) -> History | PlatformError | None:
    """What stable was like before, where the plan asks for it: it may take longer than D, so that nothing stands still for it."""
    if engine.plan.checks.burst is not None:
        return None
    try:
        return await engine.ports.metrics.history()
    except PlatformError as cause:
        return cause


async def _started(engine: Engine, template: str, past: Past) -> Action:
    weight = engine.plan.phases[0].weight

    async def came() -> bool:
        return past.done()

    ended = await patiently(engine, "the canary to be started", partial(scale_canary, engine, template, weight))
    ended = ended or await patiently(engine, "the mark on the route", partial(_open, engine))
    ended = ended or await hold(engine, came, seconds=PAST_SECONDS, waiting_for="the figures of the time before")
    if ended:
        return ended
    return await patiently(engine, "the first phase to be written", partial(_begin, engine, past))


async def _open(engine: Engine) -> None:
    """The mark, at 0 %: a mark is never placed together with a weight."""
    router, record = engine.ports.router, engine.record
    for _ in range(5):
        route = await router.read()
        if _is_open(route, record.release, record.token):
            return
        _own(route, record.release, record.token)
        seq = route.mark.seq + 1 if route.mark else 1
        try:
            await router.write(Mark(record.release, record.token, seq, Mode.OPEN, NOTHING), route)
        except Conflict:
            continue
    raise Conflict(f"the route of {engine.plan.service} is written by others faster than it can be read")


def _is_open(route: Route, release: str, token: int) -> bool:
    mark = route.mark
    return mark is not None and (mark.release, mark.token, mark.mode) == (release, token, Mode.OPEN)


def _own(route: Route, release: str, token: int) -> None:
    """No mark, or one of a lower token that is not our own latch: else the route is not ours."""
    mark = route.mark
    if mark is not None and (mark.token >= token or mark.release == release):
        raise Fenced(f"the route carries a {mark.mode} mark of {mark.release} with token {mark.token}: {mark.why}")
    if route.weight != NOTHING:
        raise Fenced(f"the route gives {route.weight} to a canary that no release owns")


async def _begin(engine: Engine, past: Past) -> Action:
    """Watermarks before the first weight, so that the first request counts; then the record's first phase."""
    before = past.result()
    try:
        if isinstance(before, PlatformError):
            raise before
        reading: Reading = await engine.ports.metrics.read()
    except PlatformError as cause:
        return Action(Step.ROLL_BACK, f"no figures to start from: {cause}", "telemetry", "metrics-down")
    state = gate.begin(reading, engine.plan.checks, before)
    begun = replace(engine.record, gate=state, state=State.PHASE, phase=0)
    await engine.write(engine.say("state", begun, state=State.PHASE))
    return Action(Step.ADVANCE, f"{engine.plan.version} is ready, without traffic")
