"""Whether the canary breaks a limit beside stable, guarded against chance and against incidents that hit both.

The evidence over the whole release (`sequential`, gate.md) is not built: neither breach asks for evidence of at least 10 yet.
In its place a counted breach asks that stable's part in the window does not explain the canary's, by chance at most one in
a hundred; a hard breach asks for nothing more than its tail, except where stable does not keep the limit itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from serinus.analysis import streak as streaks
from serinus.analysis.binomial import at_most
from serinus.analysis.judging import (
    SURPRISING,
    UNEXPLAINED,
    UNLIKELY,
    Sample,
    Sight,
    beside,
    beyond,
    chance,
    effective,
    figures,
    said,
    sample,
    share,
)
from serinus.analysis.state import Beside, Streak
from serinus.analysis.threshold import Bound, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Rule


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
    at_abort, found = (sample(sight.seen.canary, bound.bad) for bound in (abort, slo))
    if at_abort is None or found is None or at_abort.rate <= abort.allowed:
        return None
    limit = effective(slo, sight)
    if not beyond(found, limit, SURPRISING, sight):
        return None
    stable = beside(sight.window, slo.bad, sight.ratio)
    numbers = figures(gate, found, stable.rate, limit, abort=abort.allowed, tail=sight.tail(found, limit))
    why = said(gate, abort, at_abort, abort.allowed)
    if stable.rate > limit:
        return _shared(gate, why, stable, limit, numbers)
    if limit > slo.allowed and not at_most(chance(found, stable, sight.phi), SURPRISING):
        return None
    return Judgement(Outcome.ABORT, gate.name, Rule.HARD, why, numbers)


def count(gate: RateGate, bound: Bound, sight: Sight, streak: Streak) -> tuple[Judgement | None, Streak]:
    """The disjoint windows; between two of them what the last one said stands."""
    checks, limit = sight.setting.checks, effective(bound, sight)
    found = sample(sight.increment.canary, bound.bad) or Sample()
    stable = beside((sight.increment,), bound.bad, sight.ratio)
    streak = streaks.grown(streak, sight.increment.seconds, found, stable)
    if not streaks.ripe(streak, checks, streaks.LEAST_REQUESTS):
        stands = streaks.standing(streak, gate.name, Rule.COUNTED, checks, limit=limit)
        return stands or _so_far(gate, bound, sight, streak), streak
    found, stable = Sample(streak.bad, streak.of), streak.beside
    if not beyond(found, limit, UNLIKELY, sight):
        return None, streaks.passed()
    numbers = figures(gate, found, stable.rate, limit, tail=sight.tail(found, limit))
    why = said(gate, bound, found, limit)
    if stable.rate > limit:
        return _shared(gate, why, stable, limit, numbers), streaks.unjudged(streak)
    if not at_most(chance(found, stable, sight.phi), UNEXPLAINED):
        return None, streaks.passed()
    streak = streaks.failed(streak, why)
    return streaks.standing(streak, gate.name, Rule.COUNTED, checks, **numbers), streak


def _so_far(gate: RateGate, bound: Bound, sight: Sight, streak: Streak) -> Judgement | None:
    """No soak ends over a limit that is broken, only because the window that would say so is not full yet."""
    found, stable, limit = Sample(streak.bad, streak.of), streak.beside, effective(bound, sight)
    if not sight.setting.soak_over or stable.rate > limit or not beyond(found, limit, UNLIKELY, sight):
        return None
    if not at_most(chance(found, stable, sight.phi), UNEXPLAINED):
        return None
    why = f"{said(gate, bound, found, limit)} so far, and its window is not full yet"
    numbers = figures(gate, found, stable.rate, limit, tail=sight.tail(found, limit))
    return Judgement(Outcome.HOLD, gate.name, Rule.BEYOND, why, numbers)


def _shared(gate: RateGate, why: str, stable: Beside, limit: float, numbers: Mapping[str, float]) -> Judgement:
    sign = "<" if gate.floor else ">"
    why = f"{why}, and stable {share(gate, stable.rate)} {sign} {share(gate, limit)}: not the canary's alone"
    return Judgement(Outcome.HOLD, gate.name, Rule.SHARED, why, numbers)
