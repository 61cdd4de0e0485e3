"""One look at the figures: reading, verdict, line of evidence, soaked time, beat; one record write.

Judging is `serinus.analysis`; what follows is `release.lifecycle`. Moves no traffic.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from serinus.analysis import gate
from serinus.analysis.reading import Arm, Outage, Reading
from serinus.analysis.verdict import Outcome, Rule, Verdict
from serinus.errors import PlatformError
from serinus.moves.close import page
from serinus.moves.engine import Engine
from serinus.moves.heed import heed
from serinus.moves.instances import Seen, instances
from serinus.moves.patience import patiently
from serinus.moves.scale import keep_canary
from serinus.release.lifecycle import Action, extension_over, next_action, observe, soak_over
from serinus.release.plan import Inconclusive
from serinus.release.record import Record, State
from serinus.release.weight import EVERYTHING


async def check(engine: Engine) -> tuple[Verdict, Action]:
    """Read the figures once, judge them, and write what was seen.

    Returns:
        the verdict, and what is to be done now

    Raises:
        Fenced: somebody else holds the release
        Unavailable: the record could not be written; the verdict stands in `engine.verdict` all the same
    """
    since = engine.ports.clock.monotonic() - engine.last_check
    reading = await _reading(engine)
    # After the figures: what they tell of a canary that somebody takes away in between has its cause in what is seen here.
    seen = await instances(engine.ports.workload, engine.record)
    state, verdict = gate.judge(engine.record.gate, reading, _setting(engine.record, seen, since))
    engine.last_check = engine.ports.clock.monotonic()
    engine.verdict = verdict
    told_before = Rule.CHANGED in engine.record.held
    record = observe(replace(engine.record, gate=state), verdict, since, engine.now())
    record = engine.say("check", _tallied(record), **_line(record, verdict))
    action = next_action(record, verdict, engine.now())
    if action.ends:
        engine.remember(record)  # the traffic is returned before anything is written
        return verdict, action
    await engine.write(record)
    await engine.copy()
    if Rule.CHANGED in record.held and not told_before:
        await page(engine.ports, engine.plan.service, engine.release, verdict.reason.why, Rule.CHANGED)
    await keep_canary(engine, seen)
    return verdict, action


async def failing(engine: Engine) -> Action | None:
    """A check beside whatever else is done: what fails ends the release, what would only hold a phase holds nothing here.

    Raises:
        Fenced, Unavailable: as `check`
    """
    verdict, action = await check(engine)
    return action if verdict.outcome is Outcome.ABORT else None


async def decide(engine: Engine) -> tuple[Verdict | None, Action]:
    """The gate: what follows from the newest figures that there are; where that ends the release, `heed` is done.

    A check is made where a scrape must have come since the last one; else that one is the newest there can be.
    """
    verdict, action = await _decided(engine)
    if action.ends:
        await heed(engine, action)
    return verdict, action


async def _decided(engine: Engine) -> tuple[Verdict | None, Action]:
    verdict = engine.verdict
    if verdict is None or not _newest(engine):
        came = await patiently(engine, "a check to be written", partial(check, engine))
        return (engine.verdict, came) if isinstance(came, Action) else came
    return verdict, next_action(engine.record, verdict, engine.now())


def _newest(engine: Engine) -> bool:
    """The last check is younger than a scrape: one more would most often see no newer sample, and hold for want of it."""
    return engine.ports.clock.monotonic() - engine.last_check < engine.plan.checks.scrape_seconds


async def _reading(engine: Engine) -> Reading | Outage:
    try:
        reading = await engine.ports.metrics.read()
    except PlatformError as cause:
        return Outage(str(cause))
    keys = {gate.name: engine.plan.key(gate) for gate in engine.record.current.gates.queries}
    return replace(
        reading, queries={name: reading.queries[key] for name, key in keys.items() if key in reading.queries}
    )


def _setting(record: Record, seen: Seen, since: float) -> gate.Setting:
    """Where the release stands once this check has passed: what is only asked when the soak is over is asked in time."""
    counted = 0.0 if record.paused else since
    soaked = record.soaked_seconds + min(counted, 2 * record.plan.checks.interval_seconds)
    record = replace(record, soaked_seconds=soaked, phase_seconds=record.phase_seconds + counted)
    phase, baking = record.current, record.state is State.BAKING
    one_armed = baking or phase.weight == EVERYTHING
    return gate.Setting(
        gates=phase.gates,
        checks=record.plan.checks,
        weight_fraction=None if one_armed else phase.weight.fraction,
        arm_served=Arm.STABLE if baking else Arm.CANARY,
        soak_over=soak_over(record),
        extension_over=extension_over(record),
        seconds_at_weight=record.phase_seconds,
        troubles=seen.troubles,
        changed=seen.changed,
        bad_requests=record.plan.limits.bad_requests,
        inconclusive_advances=record.plan.on.inconclusive is Inconclusive.ADVANCE,
    )


def _tallied(record: Record) -> Record:
    totals = record.gate.totals
    return replace(
        record,
        tally=replace(
            record.tally,
            canary=totals.canary.requests,
            stable=totals.stable.requests,
            failed_on_canary=totals.canary.errors,
        ),
    )


def _line(record: Record, verdict: Verdict) -> dict[str, Any]:
    """What the evidence keeps of a check: the decision with its figures, and what was counted."""
    reason, latest = verdict.reason, record.gate.latest
    line: dict[str, Any] = {
        "verdict": verdict.outcome.name,
        "gate": reason.gate,
        "rule": reason.rule,
        "why": reason.why,
        "figures": dict(reason.figures),
        "weight": record.current.weight.percent,
        "soaked": round(record.soaked_seconds, 2),
    }
    if latest is not None:
        line["increment"] = {
            "end": latest.end,
            "canary": [latest.canary.requests, latest.canary.errors],
            "stable": [latest.stable.requests, latest.stable.errors],
        }
    others = {j.gate: f"{j.outcome.name} {j.rule}" for j in verdict.judgements if j.outcome is not Outcome.PASS}
    return line | ({"also": others} if len(others) > 1 else {})
