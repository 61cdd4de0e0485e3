"""Whether a limit is passed, taken as the plain number that it is (`guards: off`)."""

from __future__ import annotations

from serinus.analysis import streak as streaks
from serinus.analysis.judging import Sample, Sight, figures, said, sample
from serinus.analysis.state import Beside, Streak
from serinus.analysis.threshold import Bound, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Rule


def judge(gate: RateGate, sight: Sight, streak: Streak) -> tuple[list[Judgement], Streak]:
    """The abort limit over the rolling window; the limit over disjoint windows, and between them no pass beyond it."""
    found: list[Judgement | None] = []
    if gate.abort is not None:
        found.append(_over(gate, gate.abort, sight, Outcome.ABORT, Rule.LITERAL))
    if gate.limit is not None:
        counted, streak = _count(gate, gate.limit, sight, streak)
        found += [counted, _over(gate, gate.limit, sight, Outcome.HOLD, Rule.BEYOND)]
    return [judgement for judgement in found if judgement is not None], streak


def _over(gate: RateGate, bound: Bound, sight: Sight, outcome: Outcome, rule: Rule) -> Judgement | None:
    found = sample(sight.judged(sight.seen), bound.bad) or Sample()
    if found.rate <= bound.allowed:
        return None
    why = said(gate, bound, found, bound.allowed)
    return Judgement(outcome, gate.name, rule, why, figures(gate, found, None, bound.allowed))


def _count(gate: RateGate, bound: Bound, sight: Sight, streak: Streak) -> tuple[Judgement | None, Streak]:
    checks = sight.setting.checks
    found = sample(sight.judged(sight.increment.both), bound.bad) or Sample()
    streak = streaks.grown(streak, sight.increment.seconds, found, Beside())
    if streaks.ripe(streak, checks, 0.0):
        found = Sample(streak.bad, streak.of)
        if not found.of:
            streak = streaks.unjudged(streak)
        elif found.rate > bound.allowed:
            streak = streaks.failed(streak, said(gate, bound, found, bound.allowed))
        else:
            streak = streaks.passed()
    return streaks.standing(streak, gate.name, Rule.LITERAL, checks, limit=bound.allowed), streak
