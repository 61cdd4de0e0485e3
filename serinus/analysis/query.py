"""What a threshold metric says: one number a check against its limits, as it comes."""

from __future__ import annotations

import math

from serinus.analysis import streak as streaks
from serinus.analysis.judging import Sample, Sight
from serinus.analysis.state import Beside, Streak
from serinus.analysis.threshold import QueryGate
from serinus.analysis.verdict import Judgement, Outcome, Rule


def judge(
    gate: QueryGate, answers: tuple[float, ...], sight: Sight, streak: Streak
) -> tuple[tuple[Judgement, ...], Streak]:
    """Abort limits at every check; the limits where a disjoint window closes, and between two closings no pass beyond them.

    The number has a window of its own in its query; what is counted here is how often it failed in a row.
    """
    checks = sight.setting.checks
    fault = _fault(gate, answers)
    if fault is not None:
        return (fault,), streak
    value = answers[0]
    streak = streaks.grown(streak, sight.increment.seconds, Sample(), Beside())
    over = _over(gate, value, gate.maximum, gate.minimum)
    closing = streaks.ripe(streak, checks, 0.0)
    if closing:
        streak = streaks.failed(streak, over) if over else streaks.passed()
    numbers = {"value": value} if math.isfinite(value) else {}
    found = []
    worst = _over(gate, value, gate.abort_above, gate.abort_below)
    if worst:
        found.append(Judgement(Outcome.ABORT, gate.name, Rule.LITERAL, worst, numbers))
    counted = streaks.standing(streak, gate.name, Rule.LITERAL, checks, **numbers)
    if counted is not None:
        found.append(counted)
    if over and not closing:
        found.append(Judgement(Outcome.HOLD, gate.name, Rule.BEYOND, over, numbers))
    if not found:
        found.append(Judgement(Outcome.PASS, gate.name, Rule.WITHIN, f"{gate.name} {_number(gate, value)}", numbers))
    return tuple(found), streak


def _fault(gate: QueryGate, answers: tuple[float, ...]) -> Judgement | None:
    if not answers:
        return Judgement(Outcome.HOLD, gate.name, Rule.NO_VALUE, f"{gate.name}: the query gave no value")
    if len(answers) > 1:
        why = f"{gate.name}: the query gave {len(answers)} series where one is meant"
        return Judgement(Outcome.HOLD, gate.name, Rule.BAD_QUERY, why, {"series": float(len(answers))})
    if math.isnan(answers[0]):
        return Judgement(Outcome.HOLD, gate.name, Rule.BAD_QUERY, f"{gate.name}: the query gave NaN")
    return None


def _over(gate: QueryGate, value: float, most: float | None, least: float | None) -> str:
    if most is not None and value > most:
        return f"{gate.name} {_number(gate, value)} > {_number(gate, most)}"
    if least is not None and value < least:
        return f"{gate.name} {_number(gate, value)} < {_number(gate, least)}"
    return ""


def _number(gate: QueryGate, value: float) -> str:
    return f"{value:.4g} {gate.unit}".rstrip()
