"""The gate: how a check becomes a verdict.

`begin` once, then `judge` at every check and `at_weight` at every change of weight; each returns the state that the next one
takes, and that state is stored together with what was decided by it. A verdict is a value; no reading makes this raise.
Thresholds only: the evidence over the whole release (betting e-process, tempered likelihood ratio) is not built yet.

A check that sees no newer sample than the one before holds with rule `no-new-scrape`: it passes no time, fails nothing, and
repeats every reason that held at the check before, so that no reason's clock is cleared by having looked too early.

The bake needs no new start: stable's new processes are new targets or have restarted counters, and both count from 0.
"""

from __future__ import annotations

import math
from dataclasses import replace

from serinus.analysis import burst, increment, missing, query, rate, share, window
from serinus.analysis.judging import Sight
from serinus.analysis.reading import Arm, History, Outage, Reading
from serinus.analysis.setting import Setting
from serinus.analysis.state import Both, GateState, Increment, Streak
from serinus.analysis.threshold import Checks
from serinus.analysis.verdict import Judgement, Outcome, Rule, Verdict

__all__ = ["GateState", "Setting", "at_weight", "begin", "judge"]


def begin(reading: Reading, checks: Checks, history: History | None) -> GateState:
    """What is there before the canary has any traffic: watermarks and the burst factor; nothing is judged."""
    past = burst.sound(history) if history is not None else []
    return replace(
        increment.start(reading),
        phi=burst.factor(checks, history),
        past_errors=float(sum(errors for errors, _ in past)),
        past_requests=float(sum(requests for _, requests in past)),
    )


def at_weight(state: GateState) -> GateState:
    """The state once a weight was changed: the phase's totals and the share begin anew, everything else goes on."""
    return replace(state, phase=Both(), share=(0.0, 0.0))


def judge(state: GateState, reading: Reading | Outage, setting: Setting) -> tuple[GateState, Verdict]:
    """One check.

    Returns the state to go on with and the verdict: the strictest of what telemetry, pods, budget and every gate say.
    `latest` of the new state is what this check saw, None where it saw nothing new.
    """
    if isinstance(reading, Outage):
        return _closed(replace(state, latest=None), (*_pods(setting), missing.down(reading)))
    taken = increment.take(state, reading)
    lacks = (*_pods(setting), *missing.judge(state, reading, taken.faults, setting))
    if taken.increment is None:
        state = replace(state, latest=None)
        if lacks:
            return _closed(state, lacks)
        return state, Verdict(missing.waiting(state))
    state = _counted(taken.state, taken.increment, reading.now, setting)
    seen = increment.total(state.window)
    sight = Sight(state, taken.increment, state.window, setting, seen, seen.stable)
    found = [
        *lacks,
        *missing.traffic(sight.seen, reading, setting),
        missing.enough(state, setting),
        *_budget(state, setting),
    ]
    if setting.weight_fraction is not None:
        found.append(share.judge(*state.share, setting.weight_fraction))
    judgements, streaks = _gates(sight, reading)
    return _closed(replace(state, streaks=streaks), (*found, *judgements))


def _closed(state: GateState, judgements: tuple[Judgement, ...]) -> tuple[GateState, Verdict]:
    held = tuple((one.gate, str(one.rule)) for one in judgements if one.outcome is Outcome.HOLD)
    return replace(state, held=held), Verdict(judgements)


def _counted(state: GateState, new: Increment, now: float, setting: Setting) -> GateState:
    """The state with an increment in every total that it belongs to."""
    grown = window.extend(state.window, new, setting.checks)
    took_effect = now - setting.seconds_at_weight
    served_by_it = not setting.one_armed and math.isfinite(took_effect) and new.start >= took_effect
    canary, stable = state.share
    return replace(
        state,
        latest=new,
        window=grown,
        totals=state.totals + new.both,
        kept=state.kept if _suffered(state) else state.kept + increment.total(window.left(state.window, grown)).stable,
        phase=state.phase + new.both,
        own=state.own if setting.one_armed else state.own + new.stable,
        share=(canary + new.canary.requests, stable + new.stable.requests) if served_by_it else state.share,
        excess=state.excess + _excess(state, new, setting),
    )


def _suffered(state: GateState) -> bool:
    """At the last check both arms were seen to suffer: that is no measure of what stable keeps."""
    return any(rule == Rule.SHARED for _, rule in state.held)


def _excess(state: GateState, new: Increment, setting: Setting) -> float:
    """Canary errors of the increment above what stable's rate in it explains; alone, its rate beside the canary."""
    beside = state.own if setting.one_armed else new.stable
    usual = beside.errors / beside.requests if beside.requests > 0 else 0.0
    return new.canary.errors - min(1.0, usual) * new.canary.requests


def _pods(setting: Setting) -> tuple[Judgement, ...]:
    if not setting.troubles:
        return setting.changed
    rest = f" (and {len(setting.troubles) - 1} more)" if len(setting.troubles) > 1 else ""
    return (Judgement(Outcome.ABORT, "pods", Rule.CRASH, f"{setting.troubles[0]}{rest}"), *setting.changed)


def _budget(state: GateState, setting: Setting) -> tuple[Judgement, ...]:
    if setting.bad_requests is None or setting.judged is Arm.STABLE:
        return ()
    spent = state.excess > setting.bad_requests
    why = f"{max(0.0, state.excess):.0f} canary errors above stable's rate, of {setting.bad_requests} allowed"
    numbers = {"excess": state.excess, "budget": float(setting.bad_requests)}
    return (Judgement(Outcome.ABORT if spent else Outcome.PASS, "bad_requests", Rule.BUDGET, why, numbers),)


def _gates(sight: Sight, reading: Reading) -> tuple[tuple[Judgement, ...], dict[str, Streak]]:
    """Every gate's judgements, and its disjoint window; another arm's windows are other windows."""
    setting = sight.setting
    suffix = f"@{setting.arm_served.value}" if setting.one_armed else ""
    found: list[Judgement] = []
    streaks = dict(sight.state.streaks)
    for gate in setting.gates.rates:
        key = gate.name + suffix
        judgements, streaks[key] = rate.judge(gate, sight, reading.now, streaks.get(key, Streak()))
        found += judgements
    for custom in setting.gates.queries:
        key = custom.name + suffix
        answers = reading.queries.get(custom.name, ())
        judgements, streaks[key] = query.judge(custom, answers, sight, streaks.get(key, Streak()))
        found += judgements
    return tuple(found), streaks
