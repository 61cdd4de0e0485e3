"""Give stable the very template that was analysed, then the traffic back to it. Every step may be found done."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from serinus.analysis import gate
from serinus.errors import Conflict
from serinus.moves.changed import NEW, canary_changed, noted, stable_changed
from serinus.moves.check import failing
from serinus.moves.close import wait_taken_up
from serinus.moves.engine import Engine
from serinus.moves.heed import heed
from serinus.moves.hold import hold, tick
from serinus.moves.instances import told, troubles_of
from serinus.moves.patience import patiently
from serinus.moves.roll_back import drain, has_canary, remove
from serinus.ports import Side
from serinus.release.lifecycle import Action, Step
from serinus.release.mark import Mode
from serinus.release.record import Note, State
from serinus.release.weight import EVERYTHING, NOTHING


async def promote(engine: Engine) -> Action:
    """Stable runs the new version and serves everything; the canary is gone; the bake begins.

    Each step is waited for by itself; what a person asks meanwhile is heard.

    Returns:
        ADVANCE; or ROLL_BACK: what `heed` says is done, and `roll_back` undoes the rest.
    """
    ended = await _begun(engine) or await _promoted(engine) or await _retire(engine)
    if ended:
        await heed(engine, ended)
    return ended or Action(Step.ADVANCE, f"stable runs {engine.plan.version} and serves everything")


async def _begun(engine: Engine) -> Action | None:
    """From the last phase on."""
    if engine.record.state is not State.PHASE:
        return None
    return await patiently(engine, "the promotion to be begun", partial(_begin, engine))


async def _begin(engine: Engine) -> Action | None:
    refused = await _fit(engine, await engine.ports.workload.canary())
    if not refused:
        await engine.write(engine.say("state", replace(engine.record, state=State.PROMOTING), state=State.PROMOTING))
    return refused


async def _promoted(engine: Engine) -> Action | None:
    if engine.record.state is not State.PROMOTING:
        return None
    return (
        await patiently(engine, "the route to be marked", partial(_mark, engine, Mode.PROMOTING))
        or await _roll_out(engine)
        or await patiently(engine, "all traffic to go to stable", partial(_replace, engine))
    )


async def _retire(engine: Engine) -> Action | None:
    there = await patiently(engine, "the canary to be drained", partial(_drained, engine))
    if isinstance(there, Action):
        return there
    return await patiently(engine, "the canary to be removed", partial(remove, engine, there))


async def _drained(engine: Engine) -> bool | Action:
    """Whether there is a canary, which serves nobody any more; stable is watched meanwhile, as the bake has begun."""
    there = await has_canary(engine)

    async def watched() -> Action | None:
        return await tick(engine) or await _checked(engine)

    ended = await drain(engine, watched) if there else None
    return ended or there


async def _checked(engine: Engine) -> Action | None:
    """A check where one is due: who has the traffic is watched also while something else is waited for."""
    since = engine.ports.clock.monotonic() - engine.last_check
    return await failing(engine) if since >= engine.plan.checks.interval_seconds else None


async def _fit(engine: Engine, canary: Side | None) -> Action | None:
    """Only what was analysed is promoted, and only over what it was compared with."""
    workload = engine.ports.workload
    refused = canary_changed(engine.record, canary)
    if refused:
        return refused
    why = stable_changed(engine.record, await workload.stable())
    if not why:
        return None

    async def settled() -> bool:
        return (await workload.stable()).settled

    # The canary may have everything: then it serves until stable can.
    seconds = 2 * engine.timing.ready_seconds if engine.record.current.weight == EVERYTHING else 0.0
    await hold(engine, settled, seconds=seconds, waiting_for="stable to be rolled out")
    return Action(Step.ROLL_BACK, why, "stable", "changed")


async def _mark(engine: Engine, mode: Mode) -> Action | None:
    """The mark's next mode; under `promoting` the weight stays as it is."""
    router = engine.ports.router
    for _ in range(5):
        route = await router.read()
        mark = route.mark
        if mark is None or mark.release != engine.release or mark.mode is Mode.CLOSED:
            return Action(Step.ROLL_BACK, (mark and mark.why) or "the mark on the route is gone", "route", "closed")
        if mark.mode is mode or mark.mode is Mode.REPLACED:
            await wait_taken_up(router, engine.ports.clock, route)
            return None
        weight = NOTHING if mode is Mode.REPLACED else mark.weight
        with suppress(Conflict):  # written or not: the next read tells
            await router.write(mark.then(mode, weight), route)
    return Action(Step.ROLL_BACK, "others write the route faster than it can be read", "route", "conflict")


async def _roll_out(engine: Engine) -> Action | None:
    """Stable gets the canary's template, once, and is awaited."""
    tried: list[Side] = []
    given = await patiently(engine, f"stable to be given {engine.plan.version}", partial(_give, engine, tried))
    if isinstance(given, Action):
        return given
    if tried:
        said = partial(_say_given, engine, given)
        ended = await patiently(engine, "the record to say that stable was written", said)
        if ended:
            return ended
    return await _rolled_out(engine)


async def _give(engine: Engine, tried: list[Side]) -> Side | Action:
    """Stable with the template, found given or given now.

    Args:
        tried: gets what it was written over, whatever is answered
    """
    workload, record = engine.ports.workload, engine.record
    stable = await workload.stable()
    if noted(record, stable.note):
        return stable
    # Between reading stable and writing it: whoever took over while this process stood still fences it here, and a later
    # take-over has changed what was read.
    await engine.write(engine.record)
    if why := stable_changed(record, stable):
        return Action(Step.ROLL_BACK, why, "stable", "changed")
    canary = await workload.canary()
    refused = canary_changed(record, canary)
    if refused or canary is None:
        return refused or stable
    tried.append(stable)
    try:
        return await workload.put_stable(canary.template, Note(record.release, record.token, NEW), stable)
    except Conflict:
        return Action(Step.ROLL_BACK, "stable was changed by somebody during promotion", "stable", "changed")


async def _say_given(engine: Engine, stable: Side) -> None:
    await engine.write(engine.say("stable", version=stable.version, template="new", replicas=stable.replicas))


async def _rolled_out(engine: Engine) -> Action | None:
    """Stable's rollout, for as long as it gets on; what its platform says of it ends it at once."""
    ended: list[Action] = []
    ready = [-1, 0]

    async def settled() -> bool:
        failed = await _checked(engine)
        side = await engine.ports.workload.stable()
        why = stable_changed(engine.record, side)
        troubles = troubles_of(pod for pod in side.pods if pod.version == side.version)
        if failed:
            ended[:] = [failed]
        elif why:
            ended[:] = [Action(Step.ROLL_BACK, why, "stable", "changed")]
        elif troubles:
            ended[:] = [Action(Step.ROLL_BACK, f"stable does not get ready: {told(troubles)}", "pods", "crash")]
        ready[1] = side.ready
        return bool(ended) or side.settled

    late, seconds = None, 2 * engine.timing.ready_seconds
    while ready[1] > ready[0]:  # many instances take long: it is late when not one more got ready
        ready[0] = ready[1]
        late = await hold(engine, settled, seconds=seconds, waiting_for=f"stable to run {engine.plan.version}")
        if late is None or late.rule != "overdue":
            break
    return ended[0] if ended else late


async def _replace(engine: Engine) -> Action | None:
    """All traffic to stable, which now runs the new version; then the record, with the bake's clocks at 0."""
    ended = await _mark(engine, Mode.REPLACED)
    if ended:
        return ended
    tally = engine.record.tally
    baking = replace(
        engine.record,
        state=State.BAKING,
        soaked_seconds=0.0,
        phase_seconds=0.0,
        held={},
        gate=gate.at_weight(engine.record.gate),
        tally=replace(tally, weights=(*tally.weights, (round(engine.now(), 3), 0.0))),
    )
    engine.last_check = engine.ports.clock.monotonic()
    await engine.write(engine.say("state", baking, state=State.BAKING, weight=0.0))
    return None
