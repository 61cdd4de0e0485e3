"""Whether the canary breaks a limit beside stable, guarded against chance and against incidents that hit both.

The evidence over the whole release (`sequential`, gate.md) is not built: neither breach asks for evidence of at least 10 yet.
In its place a counted breach asks that the window's canary is worse than the window's stable, by chance at most one in
twenty; a hard breach asks for nothing more than its tail, except where stable does not keep the limit itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from serinus.analysis import streak as streaks
from serinus.analysis.binomial import at_most, worse
from serinus.analysis.judging import SURPRISING, UNLIKELY, Sample, Sight, beyond, effective, figures, said, sample
from serinus.analysis.state import Streak
from serinus.analysis.threshold import Bound, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Rule

_LEAST = 300.0
"""Requests of a counted window."""
_WORSE = 0.05


def judge(gate: RateGate, sight: Sight, streak: Streak) -> tuple[list[Judgement], Streak]:
    """Every breach; nothing where there is none."""
    found = [hard(gate, gate.general, gate.abort, sight)] if gate.general and gate.abort else []
    bound = gate.general if gate.limit else None
    if bound is not None:
        counted, streak = count(gate, bound, sight, streak)
        found.append(counted)
    return [judgement for judgement in found if judgement is not None], streak


def hard(gate: RateGate, slo: Bound, abort: Bound, sight: Sight) -> Judgement | None:
    """Beyond the abort limit, and hardly possible within the general one: no further window is waited for."""
    at_abort = sample(sight.window.canary, abort.bad)
    found, other = (sample(arm, slo.bad) for arm in (sight.window.canary, sight.window.stable))
    if at_abort is None or found is None or at_abort.rate <= abort.allowed:
        return None
    limit, other = effective(slo, sight), other or Sample()
    if not beyond(found, limit, SURPRISING, sight):
        return None
    numbers = figures(found, other, limit, abort=abort.allowed, tail=sight.tail(found, limit))
    why = said(gate.name, at_abort, abort.allowed, ">")
    if other.rate > limit:
        return _shared(gate, why, other, limit, numbers)
    if limit > slo.allowed and not _worse(found, other, SURPRISING, sight):
        return None
    return Judgement(Outcome.ABORT, gate.name, Rule.HARD, why, numbers)


def count(gate: RateGate, bound: Bound, sight: Sight, streak: Streak) -> tuple[Judgement | None, Streak]:
    """The disjoint windows; between two of them what the last one said stands."""
    found, other = (sample(arm, bound.bad) or Sample() for arm in (sight.increment.canary, sight.increment.stable))
    checks = sight.setting.checks
    streak = streaks.grown(streak, sight.increment.seconds, found, other)
    limit = effective(bound, sight)
    if not streaks.ripe(streak, checks, _LEAST):
        return streaks.standing(streak, gate.name, Rule.COUNTED, checks, limit=limit), streak
    found, other = Sample(streak.bad, streak.of), Sample(streak.stable_bad, streak.stable_of)
    if not beyond(found, limit, UNLIKELY, sight):
        return None, streaks.passed()
    numbers = figures(found, other, limit, tail=sight.tail(found, limit))
    why = said(gate.name, found, limit, ">")
    if other.rate > limit:
        return _shared(gate, why, other, limit, numbers), streaks.unjudged(streak)
    if not _worse(found, other, _WORSE, sight):
        return None, streaks.passed()
    streak = streaks.failed(streak, why)
    return streaks.standing(streak, gate.name, Rule.COUNTED, checks, **numbers), streak


def _worse(found: Sample, other: Sample, chance: float, sight: Sight) -> bool:
    return at_most(worse(found.bad / sight.phi, found.of, other.bad / sight.phi, other.of, sight.ratio), chance)


def _shared(gate: RateGate, why: str, other: Sample, limit: float, numbers: Mapping[str, float]) -> Judgement:
    return Judgement(
        Outcome.HOLD,
        gate.name,
        Rule.SHARED,
        f"{why}, and {said('stable', other, limit, '>')}: not the canary's alone",
        numbers,
    )
