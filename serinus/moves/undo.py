"""Put stable back after it was, or may have been, touched: previous template first, then the traffic, then the rest.

Used from `promoting` on, in the bake, and for a rollback after promotion. Every step may be found done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from serinus.errors import Conflict, PlatformError, RollbackError, Unavailable
from serinus.moves.changed import UNDONE, noted, remounted, runs_ours
from serinus.moves.close import close_held, closed_mark, say_late, wait_taken_up
from serinus.moves.engine import Engine
from serinus.moves.hold import hold
from serinus.moves.instances import ready
from serinus.moves.patience import endingly
from serinus.ports import Side
from serinus.release.lifecycle import Action
from serinus.release.mark import Mode
from serinus.release.record import Note, Outcome, Record, State
from serinus.release.weight import EVERYTHING, NOTHING


def touches_stable(record: Record) -> bool:
    """From `promoting` on stable may have the release's template."""
    return record.state in (State.PROMOTING, State.BAKING, State.UNDOING)


async def undo(engine: Engine, action: Action) -> None:
    """Stable runs the previous template again and serves everything. Each step is waited for by itself.

    Raises:
        RollbackError: the previous version does not get ready; a person is needed
        Unavailable: a step came to nothing for long; calling again goes on from there
    """
    started = engine.ports.clock.monotonic()
    await begin(engine, action)
    put_back = partial(_put_back, engine)
    try:
        stable, left = await endingly(engine, f"stable to be given {engine.record.previous.version} again", put_back)
    except (PlatformError, RollbackError):
        await _return_to_untouched(engine, action)
        raise
    await _able(engine)
    await _returned(engine, action)
    seconds = engine.ports.clock.monotonic() - started
    late = await _rolled_out(engine)
    # Whoever goes on with it has a reason of its own, and the first is what people ask for.
    begun = engine.record.outcome or Outcome(action.why, action.gate, action.rule, EVERYTHING.percent)
    why = "; ".join(filter(None, (begun.why, left, late)))
    outcome = replace(begun, why=why, verdict_to_stable_seconds=seconds)
    told = {"version": stable.version, "seconds": seconds, **({"left": left} if left else {"template": "previous"})}
    await endingly(engine, "the record to say that stable is back", partial(_say, engine, outcome, told))


async def begin(engine: Engine, action: Action) -> None:
    """The record says that the previous version is to be put back, and why: whoever comes after this does so.

    Raises:
        Unavailable: it could not be written for long
    """
    if engine.record.state is not State.UNDOING:
        await endingly(engine, "the undoing to be begun", partial(_begin, engine, action))


async def _begin(engine: Engine, action: Action) -> None:
    outcome = Outcome(action.why, action.gate, action.rule, _served(engine.record))
    undoing = replace(engine.record, state=State.UNDOING, outcome=outcome)
    await engine.write(engine.say("state", undoing, state=State.UNDOING, why=action.why, gate=action.gate))


async def _say(engine: Engine, outcome: Outcome, told: Mapping[str, Any]) -> None:
    await engine.write(engine.say("stable", replace(engine.record, outcome=outcome), **told))


def _served(record: Record) -> float:
    """The new version's part of the requests: the canary's weight, or everything once stable runs it."""
    if record.state is State.PROMOTING and record.tally.weights:
        return _weight(record)
    return EVERYTHING.percent


def _weight(record: Record) -> float:
    """The one that the canary was seen with last."""
    weights = record.tally.weights
    return weights[-1][1] if weights else NOTHING.percent


async def _put_back(engine: Engine) -> tuple[Side, str]:
    """The previous template where ours is on it; the note `undone` even where there is nothing to change.

    Returns:
        stable, and what of it is not as it was before the release
    """
    workload, record = engine.ports.workload, engine.record
    for _ in range(5):
        stable = await workload.stable()
        if stable.note is not None and (stable.note.release, stable.note.step) == (record.release, UNDONE):
            return stable, _left(record, stable)
        ours = noted(record, stable.note) and runs_ours(record, stable)
        template = record.previous.template if ours else stable.template
        note = Note(record.release, record.token, UNDONE)
        with suppress(Conflict):
            return await workload.put_stable(template, note, stable), _left(record, stable)
    raise RollbackError(f"others write stable {engine.plan.service} faster than it can be put back")


def _left(record: Record, stable: Side) -> str:
    """What is not as it was before the release, as it is not the release's to put back."""
    if noted(record, stable.note) and not runs_ours(record, stable):
        return f"stable runs {stable.version}, which {stable.writer or 'somebody'} gave it: left as it is"
    names = remounted(record, stable)
    return f"{', '.join(names)} was changed by somebody since: left as it is" if names else ""


async def _able(engine: Engine) -> None:
    """Until stable can carry everything: before that the canary, or the new stable, serves on."""

    async def able() -> bool:
        stable = await engine.ports.workload.stable()
        return stable.settled or stable.carries

    seconds, service = engine.timing.ready_seconds, engine.plan.service
    for waited in (seconds, 2 * seconds):
        late = await hold(engine, able, seconds=seconds, waiting_for="the previous version to get ready")
        if late is None or late.rule != "overdue":
            return
        said = f"the previous version of {service} is not ready after {waited:g} s; until it is, the traffic stays"
        if not engine.record.late:
            await say_late(engine, f"{engine.release}: {said}")
    raise RollbackError(said)


async def _rolled_out(engine: Engine) -> str:
    """What of stable is not ready after as long as an instance may take: the traffic is with the others meanwhile."""
    seen: list[Side] = []

    async def settled() -> bool:
        seen[:] = [await engine.ports.workload.stable()]
        return seen[0].settled

    seconds = engine.timing.ready_seconds
    late = await hold(engine, settled, seconds=seconds, waiting_for="the previous version to be rolled out")
    return f"{ready(seen[0])} after {seconds:g} s" if late and seen else ""


async def _return_to_untouched(engine: Engine, action: Action) -> None:
    """A stable that cannot be written and runs what it ran before serves at once: only the note waits for whoever may write it."""
    stable = await engine.ports.workload.stable()
    if stable.settled and not runs_ours(engine.record, stable):
        await _returned(engine, action)


async def _returned(engine: Engine, action: Action) -> None:
    """The traffic is back; where it is not for long a person is paged, once, as the trying goes on."""
    try:
        await endingly(engine, "the traffic to be returned", partial(_return_traffic, engine, action))
    except Unavailable as cause:
        if not engine.record.late:
            await say_late(
                engine, f"{engine.plan.service} may still be served by the canary of {engine.release}: {cause}"
            )
        raise


async def _return_traffic(engine: Engine, action: Action) -> None:
    """Written, and taken up by the router: one that serves by what stood there before still needs the canary."""
    router = engine.ports.router
    for _ in range(5):
        route = await router.read()
        mark = route.mark
        if mark is None or mark.release != engine.release:
            return
        if mark.mode is Mode.OPEN:
            await close_held(engine, action.why)
            return
        if mark.mode in (Mode.CLOSED, Mode.REPLACED):
            await wait_taken_up(router, engine.ports.clock, route)
            if _weight(engine.record) != NOTHING.percent:
                engine.weighed(NOTHING)
            return
        with suppress(Conflict):  # written or not: the next read tells
            await router.write(closed_mark(mark, engine.release, action.why), route)
    raise RollbackError(f"others write the route of {engine.plan.service} faster than it can be read")
