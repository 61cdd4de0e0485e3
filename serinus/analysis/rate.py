"""What one gate over counted requests says: which rules apply to it now, and what a pass does not say."""

from __future__ import annotations

import math
from dataclasses import replace

from serinus.analysis import literal, no_errors, one_armed, strict, window
from serinus.analysis.binomial import at_most
from serinus.analysis.increment import total
from serinus.analysis.judging import (
    UNEXPLAINED,
    UNLIKELY,
    Sample,
    Sight,
    beside,
    beyond,
    chance,
    effective,
    figures,
    is_latency,
    said,
    sample,
    share,
)
from serinus.analysis.one_sample import needed
from serinus.analysis.reading import Arm
from serinus.analysis.state import Counts, Streak
from serinus.analysis.threshold import Bound, Guards, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Rule


def judge(gate: RateGate, sight: Sight, now: float, streak: Streak) -> tuple[tuple[Judgement, ...], Streak]:
    """At least one judgement, and the gate's disjoint window as it is after this check.

    Args:
        now: of the reading, Prometheus' clock
    """
    setting = sight.setting
    left = gate.warm_up_seconds - setting.seconds_at_weight
    if left > 0:
        return (_warming(gate, sight, left),), Streak(failures=streak.failures, why=streak.why)
    if gate.warm_up_seconds > 0 and math.isfinite(now):
        warm = now - setting.seconds_at_weight + gate.warm_up_seconds
        warmed = window.since(sight.state.window, warm, setting.checks)
        if not warmed:
            return (_warming(gate, sight, 0.0),), streak
        sight = replace(sight, window=warmed, seen=total(warmed))
    blind = _blind(gate, sight.judged(sight.seen))
    if blind is not None:
        return (blind,), streak
    rules = literal if setting.checks.guards is Guards.OFF else one_armed if setting.one_armed else strict
    found, streak = rules.judge(gate, sight, streak)
    zero = gate.limit if gate.limit is not None and gate.limit.allowed == 0 else None
    if zero is not None and setting.checks.guards is Guards.STRICT:
        found.append(no_errors.judge(gate, zero, sight))
    between = _between_edges(gate, sight)
    if between is not None:
        found.append(between)
    return tuple(found) or (_within(gate, sight),), streak


def _warming(gate: RateGate, sight: Sight, left: float) -> Judgement:
    """No gate is passed by not having been asked: a soak that ends in the warm-up waits for it."""
    outcome = Outcome.HOLD if sight.setting.soak_over else Outcome.PASS
    why = f"{gate.name} is not judged for another {left:.0f} s after the weight was changed"
    return Judgement(outcome, gate.name, Rule.WARM_UP, why, {"left_seconds": left}, "not judged yet")


def _blind(gate: RateGate, counts: Counts) -> Judgement | None:
    if not counts.requests and not counts.errors:
        return Judgement(Outcome.HOLD, gate.name, Rule.NO_TRAFFIC, f"{gate.name}: no request in the window")
    if not is_latency(gate):
        return None
    if not counts.timed:
        why = f"{gate.name}: the latency histogram has seen none of {counts.requests:.0f} requests"
        return Judgement(Outcome.HOLD, gate.name, Rule.NO_VALUE, why)
    if gate.limit is not None and sample(counts, gate.limit.bad, above=False) is None:
        why = f"{gate.name}: the histogram has no edge at or below {gate.limit.text}, so nothing can pass"
        return Judgement(Outcome.HOLD, gate.name, Rule.BAD_QUERY, why)
    return None


def _between_edges(gate: RateGate, sight: Sight) -> Judgement | None:
    """No edge lies on the threshold: what breaks it by the edge below can neither pass nor fail."""
    if gate.limit is None or not is_latency(gate):
        return None
    counts = sight.judged(sight.seen)
    found = sample(counts, gate.limit.bad, above=False) or Sample()
    if found == (sample(counts, gate.limit.bad) or Sample()):
        return None
    limit = effective(gate.limit, sight)
    if sight.setting.checks.guards is Guards.STRICT:
        stable = beside(sight.window, gate.limit.bad, sight.ratio, above=False)
        unexplained = sight.setting.one_armed or at_most(chance(found, stable, sight.phi), UNEXPLAINED)
        if not beyond(found, limit, UNLIKELY, sight) or not unexplained:
            return None
    elif found.rate <= gate.limit.allowed:
        return None
    why = f"{said(gate, gate.limit, found, limit)} by the edge below {gate.limit.text}: the histogram cannot tell"
    return Judgement(Outcome.HOLD, gate.name, Rule.BEYOND, why, figures(gate, found, None, limit))


def _within(gate: RateGate, sight: Sight) -> Judgement:
    bound = gate.limit or gate.abort
    if bound is None:
        return Judgement(Outcome.PASS, gate.name, Rule.WITHIN, f"{gate.name} has no limit")
    found = sample(sight.judged(sight.seen), bound.bad, above=gate.limit is None) or Sample()
    beside_it = None if sight.setting.one_armed else sample(sight.seen.stable, bound.bad)
    limit = bound.allowed if sight.setting.checks.guards is Guards.OFF else effective(bound, sight)
    numbers = figures(gate, found, beside_it.rate if beside_it else None, limit)
    if found.rate > limit:
        why = f"{said(gate, bound, found, limit)}, no more than chance allows"
        return Judgement(Outcome.PASS, gate.name, Rule.WITHIN, why, numbers, _certificate(gate, bound, limit, sight))
    why = said(gate, bound, found, limit, kept=True)
    if limit > bound.allowed:
        why += f"; stable itself does not keep {share(gate, bound.allowed)}"
    return Judgement(Outcome.PASS, gate.name, Rule.WITHIN, why, numbers, _certificate(gate, bound, limit, sight))


def _certificate(gate: RateGate, bound: Bound, limit: float, sight: Sight) -> str:
    """How far the release's figures are from proving the limit; empty where they do, or where nothing ever could."""
    if not 0 < limit < 1:
        return ""
    counted = sight.state.totals.canary if sight.setting.judged is Arm.CANARY else sight.state.phase.stable
    found = sample(counted, bound.bad, above=False) or Sample()
    if found.of and found.rate >= limit:
        return f"not certified: {share(gate, found.rate)} so far"
    more = needed(limit, found.bad) - found.of
    return f"not certified, {more:,.0f} more needed" if more > 0 else ""
